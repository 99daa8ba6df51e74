//! What a reply is for scripts and reports: a type, and a body.
//!
//! A response has a head and a body ([`crate::protocol::Response`]). The head of a reply is one line, `REDIS TYPE`; its
//! body is the value as text: a string's bytes, an integer's digits, nothing for nil, and a list as JSON.

use super::resp::{Element, element};
use crate::protocol::{DONE, redis_status};

/// What the head of a reply without its type is.
const HEAD: &[u8] = b"REDIS ";

/// A reply, looked at where it lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Judged {
    /// See [`crate::protocol::status_text`].
    pub(super) status: u16,
    /// Length of the value, in bytes; of a list, of its elements as they came.
    pub(super) body_bytes: u64,
}

/// The status of replies, of which there are `replies`. The first error decides, also where it lies within a list, as
/// the replies of a transaction do.
pub(super) fn judge(bytes: &[u8], replies: u64) -> Judged {
    let mut elements = Elements(bytes);
    match elements.next() {
        None => Judged { status: DONE, body_bytes: 0 },
        Some(element) if replies == 1 && !matches!(element, Element::Array(_)) => Judged {
            status: if let Element::Error(text) = element { redis_status(text) } else { DONE },
            body_bytes: match element {
                Element::Simple(text) | Element::Error(text) | Element::Bulk(text) => text.len() as u64,
                Element::Integer(number) => itoa::Buffer::new().format(number).len() as u64,
                Element::Nil | Element::Array(_) => 0,
            },
        },
        Some(_) => {
            let error = Elements(bytes).find_map(|element| match element {
                Element::Error(text) => Some(redis_status(text)),
                _ => None,
            });
            Judged { status: error.unwrap_or(DONE), body_bytes: bytes.len() as u64 }
        }
    }
}

/// Appends the head of a response; gives its length.
pub(super) fn write_head(out: &mut Vec<u8>, bytes: &[u8], replies: u64) -> usize {
    let from = out.len();
    out.extend_from_slice(HEAD);
    let word: &[u8] = match Elements(bytes).next() {
        _ if replies != 1 => b"pipeline",
        Some(Element::Simple(_)) => b"simple",
        Some(Element::Error(_)) => b"error",
        Some(Element::Integer(_)) => b"integer",
        Some(Element::Bulk(_)) => b"bulk",
        Some(Element::Nil) | None => b"nil",
        Some(Element::Array(_)) => b"array",
    };
    out.extend_from_slice(word);
    out.extend_from_slice(b"\r\n\r\n");
    out.len() - from
}

/// Appends the body of a response.
pub(super) fn write_body(out: &mut Vec<u8>, bytes: &[u8], replies: u64) {
    let mut elements = Elements(bytes);
    if replies != 1 {
        return write_list(out, &mut elements, replies);
    }
    match elements.next() {
        Some(Element::Simple(text) | Element::Error(text) | Element::Bulk(text)) => out.extend_from_slice(text),
        Some(Element::Integer(number)) => out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes()),
        Some(Element::Array(count)) => write_list(out, &mut elements, count),
        Some(Element::Nil) | None => {}
    }
}

/// A list as JSON: texts in quotes, nil as `null`, an error as `{"error": "…"}`. Its depth was limited when it was read.
fn write_list(out: &mut Vec<u8>, elements: &mut Elements<'_>, count: u64) {
    out.push(b'[');
    for position in 0..count {
        if position > 0 {
            out.push(b',');
        }
        match elements.next() {
            Some(Element::Simple(text) | Element::Bulk(text)) => write_text(out, text),
            Some(Element::Error(text)) => {
                out.extend_from_slice(b"{\"error\":");
                write_text(out, text);
                out.push(b'}');
            }
            Some(Element::Integer(number)) => out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes()),
            Some(Element::Array(count)) => write_list(out, elements, count),
            Some(Element::Nil) | None => out.extend_from_slice(b"null"),
        }
    }
    out.push(b']');
}

/// What is no UTF-8 in a list has no other form in JSON than with replacement characters.
fn write_text(out: &mut Vec<u8>, text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    // Writing a text into memory cannot fail.
    let _ = serde_json::to_writer(out, &*text);
}

/// The elements of whole replies, one after the other.
struct Elements<'a>(&'a [u8]);

impl<'a> Iterator for Elements<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        let (found, length) = element(self.0, u64::MAX).ok()??;
        self.0 = &self.0[length..];
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::status_text;

    fn told(bytes: &str, replies: u64) -> String {
        let judged = judge(bytes.as_bytes(), replies);
        let mut out = Vec::new();
        let head = write_head(&mut out, bytes.as_bytes(), replies);
        write_body(&mut out, bytes.as_bytes(), replies);
        let text = String::from_utf8(out).expect("text");
        let word = text[..head].trim_end().trim_start_matches("REDIS ").to_owned();
        format!("{} {word} {} {}", status_text(judged.status), judged.body_bytes, &text[head..])
    }

    #[test]
    fn each_type_has_its_form() {
        for (bytes, replies, expected) in [
            ("+OK\r\n", 1, "ok simple 2 OK"),
            ("-WRONGTYPE no list\r\n", 1, "WRONGTYPE error 17 WRONGTYPE no list"),
            (":-7\r\n", 1, "ok integer 2 -7"),
            ("$5\r\na\"b\r\n\r\n", 1, "ok bulk 5 a\"b\r\n"),
            ("$-1\r\n", 1, "ok nil 0 "),
            ("*-1\r\n", 1, "ok nil 0 "),
            ("*0\r\n", 1, "ok array 4 []"),
            ("*3\r\n$1\r\na\r\n:2\r\n*2\r\n$-1\r\n+x\r\n", 1, "ok array 28 [\"a\",2,[null,\"x\"]]"),
            ("*2\r\n+OK\r\n-ERR bad\r\n", 1, "ERR array 19 [\"OK\",{\"error\":\"ERR bad\"}]"),
            ("+OK\r\n$1\r\nv\r\n", 2, "ok pipeline 12 [\"OK\",\"v\"]"),
            ("+OK\r\n-NOAUTH x\r\n", 2, "NOAUTH pipeline 16 [\"OK\",{\"error\":\"NOAUTH x\"}]"),
        ] {
            assert_eq!(told(bytes, replies), expected, "{bytes:?}");
        }
    }
}
