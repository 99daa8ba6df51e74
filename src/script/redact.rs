//! Takes secrets out of text, in every form in which loadr itself may have written them.

use std::borrow::Cow;

use crate::plan::{Escape, escape};

/// A shorter secret cannot be told from ordinary text: it would blacken whole reports and hide nothing.
const SECRET_CHARS_MIN: usize = 4;

/// The values of all `secret(…)` of a script. Plain data: clone it to wherever text leaves the program.
#[derive(Clone, Default)]
pub struct Redactor(Vec<String>);

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Redactor({} secrets)", self.0.len())
    }
}

impl Redactor {
    /// From now on `secret` is taken out: as it is, percent-encoded, in JSON, and in base64.
    pub fn add(&mut self, secret: &str) {
        if secret.chars().count() < SECRET_CHARS_MIN {
            return;
        }
        let encoded = |how| {
            let mut bytes = Vec::new();
            escape(&mut bytes, secret, how);
            String::from_utf8_lossy(&bytes).into_owned()
        };
        let forms =
            [secret.to_owned(), encoded(Escape::Query), encoded(Escape::JsonString), super::base64(secret.as_bytes())];
        for form in forms {
            if !self.0.contains(&form) {
                self.0.push(form);
            }
        }
        // The longest first, so that no secret leaves the tail of one that starts alike.
        self.0.sort_by_key(|form| std::cmp::Reverse(form.len()));
    }

    /// `text` with every secret replaced by `***`.
    pub fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.0
            .iter()
            .filter(|form| text.contains(form.as_str()))
            .fold(Cow::Borrowed(text), |text, form| Cow::Owned(text.replace(form.as_str(), "***")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_goes_in_every_form() {
        let mut redactor = Redactor::default();
        redactor.add("p&ss\"word");
        for text in ["x p&ss\"word y", "q=p%26ss%22word", r#"{"p":"p&ss\"word"}"#, "Basic cCZzcyJ3b3Jk"] {
            let redacted = redactor.redact(text);
            assert!(redacted.contains("***") && !redacted.contains("word"), "{redacted}");
        }
        assert_eq!(redactor.redact("nothing here"), "nothing here");
    }

    #[test]
    fn a_secret_within_another_leaves_no_tail() {
        let mut redactor = Redactor::default();
        redactor.add("hunter");
        redactor.add("hunter2-long");
        assert_eq!(redactor.redact("a hunter2-long b"), "a *** b");
    }
}
