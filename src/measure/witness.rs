//! An exchange while its bytes are at hand, and the short text of it that stays.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{
    errors::{clean_text, cut},
    mask::{Credentials, mask},
    rewrite::Rewrites,
};
use crate::{
    clock::Nanos,
    protocol::{Stamps, described},
};

/// An exchange as it went over the wire, borrowed from whoever holds it.
#[derive(Debug, Clone, Copy)]
pub struct Witness<'a> {
    /// Which of the plan's targets it went to.
    pub target: u16,
    /// The request as HTTP/1.1 puts it on the wire; only its start where the rest is gone.
    pub wire: &'a [u8],
    /// Where the body starts in `wire`.
    pub body_at: usize,
    /// Redirects that the request would follow.
    pub redirects: u32,
    /// It went over HTTP/2.
    pub http2: bool,
    /// The status code, or 0.
    pub status: u16,
    /// The word of the kind of failure, where there is no whole answer.
    pub error: Option<&'static str>,
    /// When things happened.
    pub stamps: Stamps,
    /// The answer's body as far as it is known, or its start.
    pub answer: &'a [u8],
}

/// A request and what it got, in a few words. Secrets and credentials have been taken out; what a server sent has no
/// control characters.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct Excerpt {
    /// When it was over, on the run's clock: the earliest of several is kept.
    pub at: Nanos,
    /// The method.
    pub method: String,
    /// The path with its query, at most 200 bytes.
    pub path: String,
    /// The status code, or 0.
    pub status: u16,
    /// The word of the kind of failure, where there is no whole answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The start of the answer's body, at most 200 bytes.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub body: String,
}

/// Bytes of an answer that are looked at for an excerpt: more than it holds, for what is masked becomes shorter.
pub const ANSWER_BYTES_MAX: usize = 600;

impl Witness<'_> {
    /// Method and path of the request line; of what is no HTTP, its verb and what follows it.
    pub(super) fn request_line(&self) -> (Cow<'_, str>, Cow<'_, str>) {
        if self.body_at == 0 {
            let (verb, rest) = described(self.wire);
            return (verb.into(), rest.into());
        }
        let line = self.wire.split(|&byte| byte == b'\r').next().unwrap_or_default();
        let mut words = line.split(|&byte| byte == b' ');
        let mut word = || String::from_utf8_lossy(words.next().unwrap_or_default());
        (word(), word())
    }

    /// Its text to keep.
    pub(super) fn excerpt(&self, rewrites: &Rewrites) -> Excerpt {
        let (method, path) = self.request_line();
        let credentials = Credentials::of(&self.wire[..self.body_at.min(self.wire.len())]);
        let conceal = |text: &str| clean_text(&mask(&rewrites.start(text), &credentials));
        Excerpt {
            at: self.stamps.end,
            method: clean_text(&method),
            path: conceal(&path),
            status: self.status,
            error: self.error.map(ToOwned::to_owned),
            body: conceal(&self.answer_text()),
        }
    }

    /// The start of the answer; what is no text is not shown.
    pub(super) fn answer_text(&self) -> Cow<'_, str> {
        let start = &self.answer[..self.answer.len().min(ANSWER_BYTES_MAX)];
        let text = match std::str::from_utf8(start) {
            Ok(text) => text,
            // Cut within a character.
            Err(error) if error.error_len().is_none() => {
                std::str::from_utf8(&start[..error.valid_up_to()]).unwrap_or_default()
            }
            Err(_) => return Cow::Owned(format!("({} bytes that are no text)", self.answer.len())),
        };
        // Bytes of another kind that happen to be text.
        if text.contains('\0') {
            Cow::Owned(format!("({} bytes that are no text)", self.answer.len()))
        } else {
            cut(text, ANSWER_BYTES_MAX).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn witness<'a>(wire: &'a [u8], stamps: Stamps, answer: &'a [u8]) -> Witness<'a> {
        Witness {
            target: 0,
            wire,
            body_at: wire.len(),
            redirects: 0,
            http2: false,
            status: 404,
            error: None,
            stamps,
            answer,
        }
    }

    #[test]
    fn an_excerpt_has_no_secrets_no_credentials_and_nothing_that_moves_a_cursor() {
        let wire = b"GET /a?key=hunter2&api_key=k1 HTTP/1.1\r\nhost: a\r\nauthorization: Bearer t0ken-of-mine\r\n\r\n";
        let stamps = Stamps { end: 7, ..Stamps::default() };
        let answer = b"\x1b[31m{\"error\": \"no t0ken-of-mine\", \"refresh_token\": \"abc\"}\n hunter2";
        let excerpt = witness(wire, stamps, answer).excerpt(&Rewrites::without("hunter2"));
        let expected = Excerpt {
            at: 7,
            method: "GET".into(),
            path: "/a?key=***&api_key=***".into(),
            status: 404,
            error: None,
            body: "[31m{\"error\": \"no ***\", \"refresh_token\": \"***\"}  ***".into(),
        };
        assert_eq!(excerpt, expected);
    }

    #[test]
    fn bytes_that_are_no_text_are_counted_and_texts_are_cut_between_characters() {
        let stamps = Stamps::default();
        let body = |answer: &[u8]| {
            witness(b"GET / HTTP/1.1\r\n\r\n", stamps, answer).excerpt(&Rewrites::without("hunter2")).body
        };
        assert_eq!(body(b"\xff\xfe\0"), "(3 bytes that are no text)");
        assert_eq!(body(b"a\0b"), "(3 bytes that are no text)");
        assert_eq!(body(b""), "");
        let long = "日".repeat(1_000);
        assert_eq!(body(long.as_bytes()), "日".repeat(66));
    }
}
