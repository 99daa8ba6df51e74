//! The head of a response: status line and fields in, how the body is framed out. Pure.

use std::{cell::RefCell, mem::MaybeUninit};

use httparse::{Header, ParserConfig, Status};

use crate::protocol::{ErrorKind, Failure};

/// A longer head is an error, in bytes.
pub const HEAD_BYTES_MAX: usize = 64 * 1024;
/// More fields are an error.
const FIELDS_MAX: usize = 128;

/// What the head says about the bytes after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Length with the blank line, in bytes.
    pub len: usize,
    /// 100 to 999.
    pub status: u16,
    /// How the body's end is found.
    pub framing: Framing,
    /// The connection may carry another exchange once the body is read.
    pub reusable: bool,
    /// A field sets a cookie.
    pub sets_cookies: bool,
    /// A field names a coding of the content.
    pub is_coded: bool,
}

/// How the end of a body is found (RFC 9112, section 6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// An interim response (1xx): another head follows.
    Interim,
    /// So many bytes, 0 for a response without body.
    Length(u64),
    /// The chunked transfer coding.
    Chunked,
    /// Whatever comes until the server closes.
    UntilClose,
}

/// Heads that are remembered; see [`Known`].
const KNOWN_MAX: usize = 16;
/// Longer ones are not.
const KNOWN_BYTES_MAX: usize = 1024;

/// A head that came before: servers say the same again and again, and the same bytes mean the same.
#[derive(Default)]
struct Known {
    /// With the blank line; empty while there is none.
    bytes: Vec<u8>,
    is_head: bool,
    head: Option<Head>,
}

thread_local! {
    /// By the length of what was read, for another resource's answer is mostly of another.
    static KNOWN: RefCell<[Known; KNOWN_MAX]> = RefCell::default();
}

/// Reads one head from the start of `bytes`; `None` when more bytes are needed.
///
/// # Errors
/// `Protocol` for what is not HTTP/1.x or contradicts itself, `HeadTooLarge` beyond [`HEAD_BYTES_MAX`] or 128
/// fields.
pub fn parse(bytes: &[u8], is_head: bool) -> Result<Option<Head>, Failure> {
    KNOWN.with_borrow_mut(|known| {
        let known = &mut known[bytes.len() % KNOWN_MAX];
        if known.head.is_some() && known.is_head == is_head && bytes.starts_with(&known.bytes) {
            return Ok(known.head);
        }
        let head = read(bytes, is_head)?;
        if let Some(head) = head.filter(|head| head.len <= KNOWN_BYTES_MAX) {
            known.bytes.clear();
            known.bytes.extend_from_slice(&bytes[..head.len]);
            (known.is_head, known.head) = (is_head, Some(head));
        }
        Ok(head)
    })
}

/// As [`parse`], of bytes that never came before.
fn read(bytes: &[u8], is_head: bool) -> Result<Option<Head>, Failure> {
    // The parser never sees more than the limit, so that the verdict does not depend on how reads are split.
    let window = &bytes[..bytes.len().min(HEAD_BYTES_MAX)];
    if let Some(head) = usual(window, is_head) {
        return head.map(Some);
    }
    let mut fields = [const { MaybeUninit::<Header<'_>>::uninit() }; FIELDS_MAX];
    let mut response = httparse::Response::new(&mut []);
    match ParserConfig::default().parse_response_with_uninit_headers(&mut response, window, &mut fields) {
        Ok(Status::Complete(len)) => decide(&response, len, is_head).map(Some),
        Ok(Status::Partial) if bytes.len() >= HEAD_BYTES_MAX => {
            Err(Failure::new(ErrorKind::HeadTooLarge, "the head is longer than 64 KiB"))
        }
        Ok(Status::Partial) => Ok(None),
        Err(httparse::Error::TooManyHeaders) => {
            Err(Failure::new(ErrorKind::HeadTooLarge, "the head has more than 128 fields"))
        }
        Err(error) => Err(protocol(match error {
            httparse::Error::Version => "not an HTTP/1.0 or HTTP/1.1 response",
            httparse::Error::Status => "the status line has no valid status code or reason",
            httparse::Error::HeaderName => "a field's name holds an invalid byte",
            httparse::Error::HeaderValue => "a field's value holds an invalid byte",
            httparse::Error::NewLine => "a line of the head does not end as a line",
            _ => "the head is malformed",
        })),
    }
}

/// Reads a head as most servers send it; `None` for any other, which the general parser decides about.
fn usual(bytes: &[u8], is_head: bool) -> Option<Result<Head, Failure>> {
    let mut fields = Fields::default();
    let mut noted = Ok(());
    let scanned = super::scan::scan(bytes, FIELDS_MAX, |name, value| {
        if noted.is_ok() {
            noted = fields.note(name, value);
        }
    })?;
    Some(noted.map(|()| fields.decide(scanned.status, HTTP_1_1, scanned.len, is_head)))
}

fn protocol(detail: &'static str) -> Failure {
    Failure::new(ErrorKind::Protocol, detail)
}

/// What the fields say together.
#[derive(Default)]
struct Fields {
    length: Option<u64>,
    chunked: bool,
    close: bool,
    keep_alive: bool,
    sets_cookies: bool,
    is_coded: bool,
}

/// The minor version of HTTP/1.1, as the parser gives it.
const HTTP_1_1: u8 = 1;

fn decide(response: &httparse::Response<'_, '_>, len: usize, is_head: bool) -> Result<Head, Failure> {
    let status = response.code.unwrap_or_default();
    if status < 100 {
        return Err(protocol("the status code is below 100"));
    }
    let mut fields = Fields::default();
    for field in response.headers.iter() {
        fields.note(field.name.as_bytes(), field.value)?;
    }
    Ok(fields.decide(status, response.version.unwrap_or_default(), len, is_head))
}

impl Fields {
    fn note(&mut self, name: &[u8], value: &[u8]) -> Result<(), Failure> {
        // Lengths differ, so most fields cost one comparison.
        match name.len() {
            10 if is(name, b"Connection") => self.connection(value),
            10 if is(name, b"Set-Cookie") => self.sets_cookies = true,
            14 if is(name, b"Content-Length") => self.content_length(value)?,
            16 if is(name, b"Content-Encoding") => self.is_coded = true,
            17 if is(name, b"Transfer-Encoding") => self.transfer_encoding(value)?,
            _ => {}
        }
        Ok(())
    }

    /// What follows from them all; `minor` is the minor version of HTTP/1.
    fn decide(&self, status: u16, minor: u8, len: usize, is_head: bool) -> Head {
        let persistent = !self.close && (minor == HTTP_1_1 || self.keep_alive);
        let (framing, reusable) = match status {
            // After 101 the connection no longer speaks HTTP/1.1; there is nothing this transport could read on it.
            101 => (Framing::Length(0), false),
            100..=199 => (Framing::Interim, persistent),
            204 | 304 => (Framing::Length(0), persistent),
            _ if is_head => (Framing::Length(0), persistent),
            // Both framings at once: the coding wins, and the connection is not trusted again (RFC 9112, 6.3). An
            // HTTP/1.0 server that sends a coding is not trusted either (6.1).
            _ if self.chunked => (Framing::Chunked, persistent && self.length.is_none() && minor == HTTP_1_1),
            _ => match self.length {
                Some(length) => (Framing::Length(length), persistent),
                None => (Framing::UntilClose, false),
            },
        };
        Head { len, status, framing, reusable, sets_cookies: self.sets_cookies, is_coded: self.is_coded }
    }

    fn connection(&mut self, value: &[u8]) {
        for token in members(value) {
            self.close |= is(token, b"close");
            self.keep_alive |= is(token, b"keep-alive");
        }
    }

    fn content_length(&mut self, value: &[u8]) -> Result<(), Failure> {
        for member in members(value) {
            let length = decimal(member).ok_or_else(|| protocol("content-length is not a number of bytes"))?;
            if self.length.replace(length).is_some_and(|other| other != length) {
                return Err(protocol("content-length is given twice and differs"));
            }
        }
        Ok(())
    }

    fn transfer_encoding(&mut self, value: &[u8]) -> Result<(), Failure> {
        for coding in members(value) {
            if is(coding, b"chunked") {
                if std::mem::replace(&mut self.chunked, true) {
                    return Err(protocol("transfer-encoding names chunked twice"));
                }
            } else if !is(coding, b"identity") {
                return Err(protocol("transfer-encoding names a coding other than chunked"));
            }
        }
        Ok(())
    }
}

/// Whether `text` is `usual` whatever its case; quick where it is written the usual way.
fn is(text: &[u8], usual: &[u8]) -> bool {
    text == usual || text.eq_ignore_ascii_case(usual)
}

/// The members of a comma-separated list; an empty value is one empty member.
fn members(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii)
}

/// Digits only: neither sign nor space, and not above 2^64.
fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |value, byte| match byte {
        b'0'..=b'9' => value.checked_mul(10)?.checked_add(u64::from(byte - b'0')),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &str) -> Result<Option<Head>, ErrorKind> {
        parse(text.as_bytes(), false).map_err(|failure| failure.kind)
    }

    #[test]
    fn a_coding_of_the_content_is_noticed_whatever_its_case() {
        for (field, is_coded) in
            [("Content-Encoding: gzip", true), ("content-encoding:br", true), ("X-Coding: gzip", false)]
        {
            // The parser of usual heads leaves those of HTTP/1.0 to the other.
            for version in ["1.1", "1.0"] {
                let text = format!("HTTP/{version} 200 OK\r\nContent-Length: 0\r\n{field}\r\n\r\n");
                assert_eq!(head(&text).map(|head| head.map(|head| head.is_coded)), Ok(Some(is_coded)), "{text}");
            }
        }
    }

    #[test]
    fn the_length_counts_the_blank_line() {
        let text = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
        let expected = Head {
            len: text.len() - 2,
            status: 200,
            framing: Framing::Length(2),
            reusable: true,
            sets_cookies: false,
            is_coded: false,
        };
        assert_eq!(head(text), Ok(Some(expected)));
    }

    #[test]
    fn heads_that_came_before_are_those_they_were() {
        // Alike in length, and some the beginning of others; to GET and to HEAD.
        let heads =
            ["Content-Length: 2\r\n", "Content-Length: 3\r\n", "Connection: close\r\n", "Set-Cookie: a=bcd\r\n", ""]
                .map(|fields| format!("HTTP/1.1 200 OK\r\n{fields}\r\n{{}}"));
        for _ in 0..3 {
            for (text, is_head) in heads.iter().flat_map(|text| [(text, false), (text, true), (text, true)]) {
                assert_eq!(parse(text.as_bytes(), is_head), read(text.as_bytes(), is_head), "{text}");
                let cut = &text.as_bytes()[..text.len() - 4];
                assert_eq!(parse(cut, is_head), read(cut, is_head), "a part of {text}");
            }
        }
    }

    #[test]
    fn a_head_that_is_not_whole_needs_more() {
        let text = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n";
        for end in 0..text.len() {
            assert_eq!(head(&text[..end]), Ok(None), "{end} bytes");
        }
    }

    #[test]
    fn a_head_may_be_as_long_as_the_limit_and_no_longer() {
        let of = |len: usize| {
            let frame = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: \r\n\r\n".len();
            format!("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: {}\r\n\r\n", "x".repeat(len - frame))
        };
        assert_eq!(head(&of(HEAD_BYTES_MAX)).map(|head| head.map(|head| head.len)), Ok(Some(HEAD_BYTES_MAX)));
        assert_eq!(head(&of(HEAD_BYTES_MAX + 1)), Err(ErrorKind::HeadTooLarge));
    }

    #[test]
    fn fields_are_limited_in_number() {
        let of = |fields: usize| format!("HTTP/1.1 204 No Content\r\n{}\r\n", "a: b\r\n".repeat(fields));
        assert!(matches!(head(&of(FIELDS_MAX)), Ok(Some(_))));
        assert_eq!(head(&of(FIELDS_MAX + 1)), Err(ErrorKind::HeadTooLarge));
    }

    #[test]
    fn lengths_are_digits_within_64_bits() {
        assert_eq!(decimal(b"18446744073709551615"), Some(u64::MAX));
        for text in ["", "18446744073709551616", "-1", "+1", "1 2", "0x10", "1.0"] {
            assert_eq!(decimal(text.as_bytes()), None, "{text}");
        }
    }
}
