//! Takes secrets out of text, in every form in which loadr itself may have written them.

use std::{
    borrow::Cow,
    sync::{Arc, PoisonError, RwLock},
};

use crate::plan::{Escape, escape};

/// A shorter secret cannot be told from ordinary text: it would blacken whole reports and hide nothing.
const SECRET_CHARS_MIN: usize = 4;

/// Less of the start of a secret is not told from ordinary text.
const SECRET_START_CHARS_MIN: usize = 3;

/// The values of all `secret(…)` of a script. Clone it to wherever text leaves the program: a clone knows every secret
/// that any of them is told of, also later and on another thread, for closures ask for theirs while the run goes on.
#[derive(Clone, Default)]
pub struct Redactor(Arc<RwLock<Vec<String>>>);

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Redactor({} forms)", self.read(<[String]>::len))
    }
}

impl Redactor {
    /// A list of texts is whole whatever happened to who wrote it last.
    fn read<R>(&self, look: impl FnOnce(&[String]) -> R) -> R {
        look(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on `secret` is taken out: as it is, percent-encoded, in JSON, HTML and Rust's quotes, and in base64,
    /// also where it is a part of what was encoded.
    pub fn add(&self, secret: &str) {
        // A closure may ask for the same one in each iteration.
        if secret.chars().count() < SECRET_CHARS_MIN || self.read(|known| known.iter().any(|form| form == secret)) {
            return;
        }
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for form in forms(secret) {
            if !form.is_empty() && !known.contains(&form) {
                known.push(form);
            }
        }
        // The longest first, so that no secret leaves the tail of one that starts alike.
        known.sort_by_key(|form| std::cmp::Reverse(form.len()));
    }

    /// `text` with every secret replaced by `***`.
    pub fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.read(|known| {
            known
                .iter()
                .filter(|form| text.contains(form.as_str()))
                .fold(Cow::Borrowed(text), |text, form| Cow::Owned(text.replace(form.as_str(), "***")))
        })
    }

    /// As [`Self::redact`], for a text of which the rest may have been cut off: the start of a secret at its end is
    /// taken out too.
    pub fn redact_start(&self, text: &str) -> String {
        let mut text = self.redact(text).into_owned();
        let longest = |form: &String| {
            let starts = form.char_indices().map(|(at, _)| at).skip(SECRET_START_CHARS_MIN);
            starts.filter(|&at| text.ends_with(&form[..at])).max()
        };
        if let Some(bytes) = self.read(|known| known.iter().filter_map(longest).max()) {
            text.truncate(text.len() - bytes);
            text.push_str("***");
        }
        text
    }
}

/// How loadr, a script or a server may write a secret.
fn forms(secret: &str) -> Vec<String> {
    let escaped = |how| {
        let mut bytes = Vec::new();
        escape(&mut bytes, secret, how);
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let percent = |set| percent_encoding::utf8_percent_encode(secret, set).to_string();
    let json = |text: &str| {
        let mut bytes = Vec::new();
        escape(&mut bytes, text, Escape::JsonString);
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let mut forms = vec![
        secret.to_owned(),
        // As reports show it: without what moves a cursor.
        secret.chars().map(|c| if c.is_control() { ' ' } else { c }).collect(),
        json(secret),
        // A server that quotes a JSON body in its own, and that in a report.
        json(&json(secret)),
        json(&json(&json(secret))),
        escaped(Escape::FormName),
        json(&escaped(Escape::FormName)),
        ascii_json(secret),
        secret.escape_debug().to_string(),
        html(secret, "&#39;"),
        html(secret, "&#x27;"),
    ];
    for encoded in [
        escaped(Escape::Query),
        escaped(Escape::Path),
        percent(percent_encoding::NON_ALPHANUMERIC),
        percent(SPACES),
        percent(PATH),
    ] {
        forms.push(lower_hex(&encoded));
        forms.push(encoded.replace("%20", "+"));
        forms.push(encoded);
    }
    for offset in 0..3 {
        let core = base64_core(secret.as_bytes(), offset);
        forms.push(core.replace('+', "-").replace('/', "_"));
        forms.push(core);
    }
    forms
}

/// What a browser leaves alone in a URL, all else encoded.
const SPACES: &percent_encoding::AsciiSet =
    &percent_encoding::CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'`');

/// What loadr leaves alone in a path that a closure has put together, all else encoded.
const PATH: &percent_encoding::AsciiSet = &percent_encoding::CONTROLS.add(b' ').add(b'#');

/// The letters of base64 that depend on the secret alone, where `offset` bytes more than a multiple of three stand
/// before it.
fn base64_core(secret: &[u8], offset: usize) -> String {
    let mut bytes = vec![0; offset];
    bytes.extend_from_slice(secret);
    let encoded = super::base64(&bytes);
    // A letter holds six bits: those at either end share some with their neighbours.
    let first = (offset * 8).div_ceil(6);
    let last = bytes.len() * 8 / 6;
    encoded.get(first..last).unwrap_or_default().to_owned()
}

/// JSON of those who write only ASCII.
fn ascii_json(secret: &str) -> String {
    let mut bytes = Vec::new();
    escape(&mut bytes, secret, Escape::JsonString);
    let mut out = String::new();
    for c in String::from_utf8_lossy(&bytes).chars() {
        if c.is_ascii() {
            out.push(c);
        } else {
            let mut units = [0; 2];
            c.encode_utf16(&mut units).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04x}")));
        }
    }
    out
}

fn html(secret: &str, apostrophe: &str) -> String {
    let secret = secret.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    secret.replace('"', "&quot;").replace('\'', apostrophe)
}

/// With the digits after each `%` in lower case.
fn lower_hex(encoded: &str) -> String {
    let mut left = 0;
    let lower = |c: char| {
        left = if c == '%' { 3 } else { usize::saturating_sub(left, 1) };
        if left > 0 { c.to_ascii_lowercase() } else { c }
    };
    encoded.chars().map(lower).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_goes_in_every_form() {
        let redactor = Redactor::default();
        redactor.add("p&ss\"word");
        for text in ["x p&ss\"word y", "q=p%26ss%22word", r#"{"p":"p&ss\"word"}"#, "Basic cCZzcyJ3b3Jk"] {
            let redacted = redactor.redact(text);
            assert!(redacted.contains("***") && !redacted.contains("word"), "{redacted}");
        }
        assert_eq!(redactor.redact("nothing here"), "nothing here");
    }

    #[test]
    fn base64_hides_no_secret_wherever_it_stands() {
        let redactor = Redactor::default();
        redactor.add("s3cret>>value??");
        for before in ["", "u", "us", "usr", "user"] {
            for after in ["", "x", "yz"] {
                let text = format!("{before}s3cret>>value??{after}");
                for encoded in [
                    crate::script::base64(text.as_bytes()),
                    crate::script::base64(text.as_bytes()).replace('+', "-").replace('/', "_"),
                ] {
                    let redacted = redactor.redact(&encoded);
                    assert!(redacted.contains("***") && redacted.len() < 16, "{text}: {redacted}");
                }
            }
        }
    }

    #[test]
    fn other_ways_of_writing_hide_no_secret() {
        let redactor = Redactor::default();
        redactor.add("a/b c&\"é'\n");
        for text in [
            "a%2fb%20c%26%22%c3%a9%27%0a",
            "a%2Fb+c%26%22%C3%A9%27%0A",
            "a/b c&amp;&quot;é&#39;\n",
            "a/b c&\\\"\\u00e9'\\n",
            "a/b c&\\\\\\\"é'\\\\n",
            "a/b c&\"é' ",
            "name=\"a/b c&%22é'%0A\"",
            "a/b%20c&%22%C3%A9'%0A",
            "a/b%20c&\"%C3%A9'%0A",
            &format!("{:?}", "a/b c&\"é'\n"),
        ] {
            let redacted = redactor.redact(text);
            assert!(redacted.contains("***") && !redacted.contains("b%20c") && !redacted.contains("b c"), "{redacted}");
        }
    }

    #[test]
    fn a_secret_that_is_cut_off_goes_too() {
        let redactor = Redactor::default();
        redactor.add("hunter2-löng");
        for (text, expected) in [
            ("key=hunter2-l", "key=***"),
            ("key=hunter2-lö", "key=***"),
            ("key=hunter2-löng", "key=***"),
            ("key=hunter2-l, more", "key=hunter2-l, more"),
            ("key=hun", "key=***"),
            ("key=hu", "key=hu"),
            ("hunt hunter2-löng hunter", "hunt *** ***"),
        ] {
            assert_eq!(redactor.redact_start(text), expected);
        }
    }

    #[test]
    fn a_secret_within_another_leaves_no_tail() {
        let redactor = Redactor::default();
        redactor.add("hunter");
        redactor.add("hunter2-long");
        assert_eq!(redactor.redact("a hunter2-long b"), "a *** b");
    }
}
