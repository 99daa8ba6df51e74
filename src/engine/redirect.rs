//! From a request and the redirect it got to the next request (RFC 9110, sections 10.2.2 and 15.4). Pure.

use url::Url;

use crate::protocol::{ErrorKind, Failure};

/// A request under redirection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hop {
    /// What is asked for.
    pub(super) url: Url,
    /// See [`crate::protocol::Exchange::wire`].
    pub(super) wire: Vec<u8>,
    /// See [`crate::protocol::Exchange::body_at`].
    pub(super) body_at: usize,
    /// It goes to another origin than the request before it.
    pub(super) leaves: bool,
}

impl Hop {
    /// Adds cookies, if there are any.
    pub(super) fn set_cookies(&mut self, pairs: &[u8]) {
        if !pairs.is_empty() {
            let line = [b"cookie: ", pairs, b"\r\n"].concat();
            let at = self.body_at - 2;
            self.wire.splice(at..at, line.iter().copied());
            self.body_at += line.len();
        }
    }
}

/// The cookies that a request sends: `a=b; c=d`.
pub(super) fn cookies(head: &[u8]) -> &[u8] {
    let lines = head.split(|&byte| byte == b'\n');
    let mut fields = lines.filter_map(|line| {
        let colon = line.iter().position(|&byte| byte == b':')?;
        line[..colon].eq_ignore_ascii_case(b"cookie").then(|| line[colon + 1..].trim_ascii())
    });
    fields.next().unwrap_or_default()
}

/// The pairs of `all` whose names are not among those of `others`.
pub(super) fn pairs_without(all: &[u8], others: &[u8]) -> Vec<u8> {
    let pairs = |list: &'_ [u8]| -> Vec<Vec<u8>> {
        list.split(|&byte| byte == b';')
            .map(|pair| pair.trim_ascii().to_vec())
            .filter(|pair| !pair.is_empty())
            .collect()
    };
    let name = |pair: &[u8]| pair.split(|&byte| byte == b'=').next().unwrap_or_default().to_vec();
    let known: Vec<Vec<u8>> = pairs(others).iter().map(|pair| name(pair)).collect();
    let kept: Vec<Vec<u8>> = pairs(all).into_iter().filter(|pair| !known.contains(&name(pair))).collect();
    kept.join(&b"; "[..])
}

/// Fields that tell of a body.
const OF_BODY: [&str; 6] =
    ["content-length", "content-type", "content-encoding", "content-language", "content-location", "transfer-encoding"];
/// Fields that are between the user and one server.
const PRIVATE: [&str; 2] = ["authorization", "proxy-authorization"];

/// Whether a status leads to another address.
pub(super) fn leads_on(status: u16) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308)
}

/// The address of what the bytes of a request ask for, of a server at `base`.
pub(super) fn url_of(base: &Url, wire: &[u8]) -> Option<Url> {
    let line = wire.split(|&byte| byte == b'\r').next()?;
    let path = line.split(|&byte| byte == b' ').nth(1)?;
    // Not `join`: a path of two slashes would be taken for a host.
    let (path, query) = match path.iter().position(|&byte| byte == b'?') {
        Some(at) => (&path[..at], std::str::from_utf8(&path[at + 1..]).ok()),
        None => (path, None),
    };
    let mut url = base.clone();
    url.set_path(std::str::from_utf8(path).ok()?);
    url.set_query(query);
    Some(url)
}

/// The request that follows `wire`, which asked for `url` and got `status` and `location`. It has no cookies: those
/// may be others by now.
///
/// # Errors
/// `Protocol` for a location that is no address of HTTP.
pub(super) fn next(url: &Url, wire: &[u8], body_at: usize, status: u16, location: &[u8]) -> Result<Hop, Failure> {
    let refuse = |why: &str| {
        let shown = String::from_utf8_lossy(&location[..location.len().min(200)]);
        Failure::new(ErrorKind::Protocol, format!("the redirect leads nowhere: {shown:?} {why}"))
    };
    let text = std::str::from_utf8(location).map_err(|_| refuse("is no text"))?;
    let mut to = url.join(text).map_err(|error| refuse(&format!("is no address ({error})")))?;
    if !matches!(to.scheme(), "http" | "https") {
        return Err(refuse("is not http"));
    }
    to.set_fragment(None);
    // Credentials in an address are the address's author's, not the user's.
    let _ = to.set_username("");
    let _ = to.set_password(None);

    let (head, body) = wire.split_at(body_at);
    let mut lines = head.split(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let method = lines.next().and_then(|line| line.split(|&byte| byte == b' ').next()).unwrap_or(b"GET");
    let becomes_get =
        (status == 303 && method != b"HEAD" && method != b"GET") || (matches!(status, 301 | 302) && method == b"POST");
    let leaves = url.origin() != to.origin();

    let mut out = Vec::with_capacity(wire.len());
    out.extend_from_slice(if becomes_get { b"GET" } else { method });
    out.push(b' ');
    out.extend_from_slice(to.path().as_bytes());
    if let Some(query) = to.query() {
        out.push(b'?');
        out.extend_from_slice(query.as_bytes());
    }
    out.extend_from_slice(b" HTTP/1.1\r\nhost: ");
    out.extend_from_slice(authority(&to).as_bytes());
    out.extend_from_slice(b"\r\n");
    for line in lines.filter(|line| !line.is_empty()) {
        let name = line.split(|&byte| byte == b':').next().unwrap_or_default();
        let is_one_of = |names: &[&str]| names.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()));
        if is_one_of(&["host", "cookie"]) || (becomes_get && is_one_of(&OF_BODY)) || (leaves && is_one_of(&PRIVATE)) {
            continue;
        }
        out.extend_from_slice(line);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
    let body_at = out.len();
    if !becomes_get {
        out.extend_from_slice(body);
    }
    Ok(Hop { url: to, wire: out, body_at, leaves })
}

fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const POST: &str = "POST /a/b?c=1 HTTP/1.1\r\nhost: shop.test\r\nAuthorization: x\r\ncookie: k=v\r\n\
                        accept: */*\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nhi";

    fn after(wire: &str, status: u16, location: &str) -> Result<(String, String), Failure> {
        let base = Url::parse("http://shop.test/prefix").expect("a URL");
        let url = url_of(&base, wire.as_bytes()).expect("a request");
        let body_at = wire.find("\r\n\r\n").expect("a head") + 4;
        next(&url, wire.as_bytes(), body_at, status, location.as_bytes()).map(|hop| {
            assert!(hop.wire[..hop.body_at].ends_with(b"\r\n\r\n"));
            (hop.url.to_string(), String::from_utf8(hop.wire).expect("text"))
        })
    }

    #[test]
    fn locations_are_relative_to_what_was_asked_for() {
        for (location, expected) in [
            ("/x", "http://shop.test/x"),
            ("x?y=2", "http://shop.test/a/x?y=2"),
            ("?y", "http://shop.test/a/b?y"),
            ("//other.test/z#top", "http://other.test/z"),
            ("https://shop.test:8443", "https://shop.test:8443/"),
            ("http://me:secret@shop.test/", "http://shop.test/"),
        ] {
            assert_eq!(after(POST, 307, location).expect(location).0, expected);
        }
        for location in ["ftp://shop.test/", "http://", "http://[::", "javascript:alert(1)"] {
            assert_eq!(after(POST, 302, location).expect_err(location).kind, ErrorKind::Protocol);
        }
    }

    #[test]
    fn the_method_and_the_body_change_as_the_status_says() {
        let get = POST.replace("POST", "GET");
        let head = POST.replace("POST", "HEAD");
        let put = POST.replace("POST", "PUT");
        for (wire, status, method, keeps_body) in [
            (POST, 301, "GET", false),
            (POST, 302, "GET", false),
            (POST, 303, "GET", false),
            (POST, 307, "POST", true),
            (POST, 308, "POST", true),
            (&put, 301, "PUT", true),
            (&put, 303, "GET", false),
            (&head, 303, "HEAD", true),
            (&get, 302, "GET", true),
        ] {
            let (_, sent) = after(wire, status, "/x").expect("it leads on");
            assert!(sent.starts_with(&format!("{method} /x HTTP/1.1\r\nhost: shop.test\r\n")), "{status}: {sent}");
            assert_eq!(sent.ends_with("\r\n\r\nhi"), keeps_body, "{status}: {sent}");
            assert_eq!(sent.contains("content-"), keeps_body, "{status}: {sent}");
            assert!(sent.contains("accept: */*\r\n") && sent.contains("Authorization") && !sent.contains("cookie"));
        }
    }

    #[test]
    fn what_is_between_the_user_and_a_server_goes_to_no_other() {
        for location in ["http://other.test/", "https://shop.test/", "http://shop.test:81/"] {
            let (_, sent) = after(POST, 307, location).expect("it leads on");
            assert!(!sent.contains("Authorization") && !sent.contains("cookie"), "{sent}");
            assert!(sent.contains("accept"), "{sent}");
        }
    }

    #[test]
    fn cookies_are_of_the_request_and_of_the_jar() {
        let head = b"GET / HTTP/1.1\r\nhost: a\r\nCookie: own=1; sid=old\r\n\r\n";
        assert_eq!(cookies(head), b"own=1; sid=old");
        assert_eq!(cookies(b"GET / HTTP/1.1\r\n\r\n"), b"");
        assert_eq!(pairs_without(b"own=1; sid=old", b"sid=old; b=2"), b"own=1");
        assert_eq!(pairs_without(b"", b"sid=old"), b"");

        let url = Url::parse("http://shop.test/").expect("a URL");
        let mut hop = next(&url, head, head.len(), 302, b"/x").expect("it leads on");
        hop.set_cookies(b"own=1; sid=new");
        assert_eq!(hop.wire, b"GET /x HTTP/1.1\r\nhost: shop.test\r\ncookie: own=1; sid=new\r\n\r\n");
        assert_eq!(hop.body_at, hop.wire.len());
    }
}
