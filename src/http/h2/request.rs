//! From the bytes of a request, as HTTP/1.1 writes it, to the fields that HTTP/2 sends.

use std::{cell::RefCell, mem::MaybeUninit};

use http::{
    HeaderName, HeaderValue, Method, Request, Uri, Version,
    uri::{Authority, PathAndQuery, Scheme},
};
use httparse::{Header, ParserConfig, Status};

use crate::protocol::{ErrorKind, Failure};

/// More fields are an error.
const FIELDS_MAX: usize = 256;

/// What speaks of the connection, which is HTTP/2's own affair (RFC 9113, section 8.2.2); `host` becomes the authority.
const OF_CONNECTION: [&str; 8] = [
    "host",
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authorization",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
];

/// Makes the requests of one connection.
#[derive(Debug)]
pub struct Converter {
    scheme: Scheme,
    /// The last head and what it became: templates send the same again and again.
    last: RefCell<Option<Converted>>,
}

/// A head, and the request it is.
type Converted = (Box<[u8]>, Request<()>);

impl Converter {
    /// For a connection that is `secure` or not.
    pub fn new(secure: bool) -> Self {
        Self { scheme: if secure { Scheme::HTTPS } else { Scheme::HTTP }, last: RefCell::default() }
    }

    /// The request whose request line and fields are `head`.
    ///
    /// # Errors
    /// `Protocol` for what HTTP/2 cannot carry.
    pub fn convert(&self, head: &[u8]) -> Result<Request<()>, Failure> {
        let mut last = self.last.borrow_mut();
        if let Some((known, request)) = last.as_ref()
            && **known == *head
        {
            return Ok(request.clone());
        }
        let request = convert(head, &self.scheme)
            .map_err(|why| Failure::new(ErrorKind::Protocol, format!("HTTP/2 cannot carry the request: {why}")))?;
        *last = Some((head.into(), request.clone()));
        Ok(request)
    }
}

fn convert(head: &[u8], scheme: &Scheme) -> Result<Request<()>, String> {
    let mut fields = [const { MaybeUninit::<Header<'_>>::uninit() }; FIELDS_MAX];
    let mut parsed = httparse::Request::new(&mut []);
    let status = ParserConfig::default().parse_request_with_uninit_headers(&mut parsed, head, &mut fields);
    if !matches!(status, Ok(Status::Complete(_))) {
        return Err(status.err().map_or_else(|| "its head is cut".to_owned(), |error| error.to_string()));
    }
    let method = Method::from_bytes(parsed.method.unwrap_or_default().as_bytes()).map_err(|error| error.to_string())?;
    if method == Method::CONNECT {
        return Err("CONNECT asks for a tunnel".to_owned());
    }
    let mut request = Request::new(());
    let mut uri = http::uri::Parts::default();
    uri.scheme = Some(scheme.clone());
    uri.path_and_query = Some(path(parsed.path.unwrap_or_default())?);
    let out = request.headers_mut();
    out.reserve(parsed.headers.len());
    for field in parsed.headers.iter() {
        if field.name.eq_ignore_ascii_case("host") {
            uri.authority = Some(Authority::try_from(field.value).map_err(|error| error.to_string())?);
        }
        let is_left_out = OF_CONNECTION.iter().any(|name| field.name.eq_ignore_ascii_case(name))
            || (field.name.eq_ignore_ascii_case("te") && !field.value.eq_ignore_ascii_case(b"trailers"));
        if !is_left_out {
            let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|error| error.to_string())?;
            let value = HeaderValue::from_bytes(field.value).map_err(|error| error.to_string())?;
            out.append(name, value);
        }
    }
    *request.method_mut() = method;
    *request.uri_mut() = Uri::from_parts(uri).map_err(|error| error.to_string())?;
    *request.version_mut() = Version::HTTP_2;
    Ok(request)
}

/// A path as the script wrote it; what no URI may hold is percent-encoded.
fn path(text: &str) -> Result<PathAndQuery, String> {
    PathAndQuery::try_from(text).or_else(|_| {
        let encoded: String =
            text.chars()
                .map(|c| {
                    if matches!(c, '<' | '>' | '`' | '^' | '\\' | '|') {
                        format!("%{:02X}", c as u32)
                    } else {
                        c.into()
                    }
                })
                .collect();
        PathAndQuery::try_from(encoded).map_err(|error| error.to_string())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn converted(head: &str) -> Result<Request<()>, String> {
        Converter::new(true).convert(head.as_bytes()).map_err(|failure| failure.detail.into_owned())
    }

    #[test]
    fn the_head_becomes_pseudo_fields_and_fields() {
        let request = converted(
            "PATCH /a?b=c HTTP/1.1\r\nHost: shop.test:8443\r\nConnection: close\r\nTE: gzip\r\nX-A: 1\r\nx-a: 2\r\n\
             Upgrade: h2c\r\ncookie: a=b; c=d\r\n\r\n",
        )
        .expect("a request");
        assert_eq!((request.method(), request.version()), (&Method::PATCH, Version::HTTP_2));
        assert_eq!(request.uri(), "https://shop.test:8443/a?b=c");
        let fields: Vec<_> = request.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        assert_eq!(fields, [("x-a", &b"1"[..]), ("x-a", b"2"), ("cookie", b"a=b; c=d")]);
    }

    #[test]
    fn paths_that_are_no_uri_become_one() {
        for (written, sent) in
            [("/a<b>|`^\\", "/a%3Cb%3E%7C%60%5E%5C"), ("/{\"a\":1}?[x]", "/{\"a\":1}?[x]"), ("*", "/*")]
        {
            let request = converted(&format!("OPTIONS {written} HTTP/1.1\r\nhost: a\r\n\r\n"));
            let request = request.unwrap_or_else(|why| panic!("{written}: {why}"));
            assert!(request.uri().to_string().ends_with(sent) || written == "*", "{written}: {}", request.uri());
        }
    }

    #[test]
    fn what_cannot_be_carried_says_why() {
        for (head, part) in [
            ("CONNECT / HTTP/1.1\r\nhost: a\r\n\r\n", "tunnel"),
            ("GET / HTTP/1.1\r\nhost: a b\r\n\r\n", "HTTP/2 cannot carry"),
            ("GET / HTTP/1.1\r\nhost: a\r\n", "cut"),
        ] {
            let why = converted(head).expect_err(head);
            assert!(why.contains(part), "{why}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_head_breaks_the_converter(line in "[A-Z]{1,4} .{0,40} HTTP/1.1", fields in ".{0,80}") {
            // It may refuse; what it takes has an authority and a path, as HTTP/2 asks for.
            if let Ok(request) = converted(&format!("{line}\r\nhost: shop.test\r\n{fields}\r\n\r\n")) {
                proptest::prop_assert!(request.uri().authority().is_some() && !request.uri().path().is_empty());
                proptest::prop_assert!(OF_CONNECTION.iter().all(|name| !request.headers().contains_key(*name)));
            }
        }
    }

    #[test]
    fn the_same_head_is_converted_once() {
        let converter = Converter::new(false);
        let heads = ["GET /a HTTP/1.1\r\nhost: a\r\n\r\n", "GET /b HTTP/1.1\r\nhost: a\r\n\r\n"];
        for at in [0, 0, 1, 1, 0] {
            let request = converter.convert(heads[at].as_bytes()).expect("a request");
            assert_eq!(request.uri().path(), ["/a", "/b"][at]);
        }
    }
}
