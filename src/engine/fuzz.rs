//! What servers say in header fields, as arbitrary bytes (see [`crate::fuzz`]).

use url::Url;

use super::{class, redirect};
use crate::protocol::Response;

/// Takes the lines of `data` as the fields of a response, and finds its class.
///
/// Holds: it is one of the known words; names have no case; fields that have nothing to do with it change nothing.
pub fn cache_class(data: &[u8]) {
    const KNOWN: [&str; 7] = ["hit", "miss", "stale", "revalidated", "collapsed", "bypass", "unknown"];
    let lines: Vec<&[u8]> = data.split(|&byte| byte == b'\n').collect();
    let Some(class) = class_of(&lines) else { return };
    assert!(KNOWN.contains(&class), "{class}");
    let renamed: Vec<Vec<u8>> = lines.iter().map(|line| with_upper_name(line)).collect();
    let renamed: Vec<&[u8]> = renamed.iter().map(Vec::as_slice).collect();
    assert_eq!(class_of(&renamed), Some(class));
    let more: Vec<&[u8]> = [&b"X-Request-Id: hit"[..]].into_iter().chain(lines).chain([&b"Via: miss"[..]]).collect();
    // One field too many is no response, and has no class.
    assert!(class_of(&more).is_none_or(|other| other == class));
}

fn with_upper_name(line: &[u8]) -> Vec<u8> {
    let colon = line.iter().position(|&byte| byte == b':').unwrap_or(0);
    [&line[..colon].to_ascii_uppercase()[..], &line[colon..]].concat()
}

/// The class of a response with these fields; none if they are no head.
fn class_of(lines: &[&[u8]]) -> Option<&'static str> {
    let mut head = b"HTTP/1.1 200 OK\r\n".to_vec();
    for line in lines.iter().filter(|line| !line.is_empty()) {
        head.extend_from_slice(line);
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    let mut fields = [httparse::EMPTY_HEADER; 128];
    let whole = httparse::Response::new(&mut fields).parse(&head);
    if whole != Ok(httparse::Status::Complete(head.len())) {
        return None;
    }
    let len = head.len();
    Some(class::of_response(&Response::detached(head, len)))
}

/// Follows a redirect: the first byte chooses request and status, the rest is the `location`.
///
/// Holds: the next request is one request, to the host that the address names, without the credentials of another
/// origin and of no scheme but HTTP's.
pub fn location(data: &[u8]) {
    let Some((&choice, location)) = data.split_first() else { return };
    let choice = usize::from(choice);
    let status = [301, 302, 303, 307, 308][choice % 5];
    let method = ["GET", "HEAD", "POST", "PUT"][choice / 5 % 4];
    let base = Url::parse(["http://shop.test/a/b?c=d", "https://[::1]:8443/"][choice / 20 % 2]).expect("an address");
    let head = format!(
        "{method} /a/b?c=d HTTP/1.1\r\nhost: shop.test\r\nauthorization: Bearer secret\r\ncookie: a=b\r\n\
         content-length: 4\r\nx-own: 1\r\n\r\n"
    );
    let wire = [head.as_bytes(), b"body"].concat();
    let Ok(hop) = redirect::next(&base, &wire, head.len(), status, location) else { return };
    let (head, body) = hop.wire.split_at(hop.body_at);
    let mut fields = [httparse::EMPTY_HEADER; 16];
    let mut request = httparse::Request::new(&mut fields);
    let shown = String::from_utf8_lossy(head).into_owned();
    assert_eq!(request.parse(head), Ok(httparse::Status::Complete(head.len())), "{shown}");
    let value = |name: &str| {
        let mut found = request.headers.iter().filter(|field| field.name.eq_ignore_ascii_case(name));
        let value = found.next().map(|field| String::from_utf8_lossy(field.value).into_owned());
        assert!(found.next().is_none(), "{name} twice: {shown}");
        value
    };
    assert!(request.headers.len() <= 4, "no field that was not sent before: {shown}");
    assert!(request.path.is_some_and(|path| path.starts_with('/')), "{shown}");
    let host = value("host").expect("a host");
    assert_eq!(Url::parse(&format!("{}://{host}/", hop.url.scheme())).map(|url| url.origin()), Ok(hop.url.origin()));
    assert!(matches!(hop.url.scheme(), "http" | "https"));
    assert_eq!(hop.leaves, hop.url.origin() != base.origin());
    assert_eq!(value("authorization").is_some(), !hop.leaves, "{shown}");
    assert!(value("cookie").is_none() && hop.url.username().is_empty() && hop.url.password().is_none());
    let keeps = request.method == Some(method);
    assert!(keeps || request.method == Some("GET"));
    assert_eq!((body, value("content-length").is_some()), if keeps { (&b"body"[..], true) } else { (&b""[..], false) });
}
