//! Bodies of requests and responses as text.

use serde::Serialize;

use super::Redact;

/// A longer body is cut unless all of it is wanted, in characters.
const CHARS_USUAL: usize = 1_500;

/// A body as a person reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Body {
    /// Its length as it was sent, in bytes.
    pub bytes: u64,
    /// Its text, JSON with line breaks; nothing where it is no text.
    pub text: Option<String>,
    /// Whether the text is only its start.
    pub cut: bool,
}

impl Body {
    /// Secrets are taken out before the text is cut, so that none is left in halves.
    pub(super) fn of(bytes: &[u8], full: bool, redact: Redact<'_>) -> Self {
        let length = bytes.len() as u64;
        let Ok(text) = std::str::from_utf8(bytes) else { return Self { bytes: length, text: None, cut: false } };
        if text.contains('\0') {
            return Self { bytes: length, text: None, cut: false };
        }
        let text = redact(&pretty(text));
        let end = text.char_indices().nth(CHARS_USUAL).map(|(end, _)| end).filter(|_| !full);
        let shown = end.map_or(text.as_str(), |end| &text[..end]);
        Self { bytes: length, cut: end.is_some(), text: Some(shown.to_owned()) }
    }
}

/// JSON with line breaks; any other text as it is.
fn pretty(text: &str) -> String {
    let start = text.trim_start();
    if !start.starts_with(['{', '[']) {
        return text.to_owned();
    }
    let json: Result<serde_json::Value, _> = serde_json::from_str(text);
    json.and_then(|value| serde_json::to_string_pretty(&value)).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bytes: &[u8], full: bool) -> Body {
        Body::of(bytes, full, &|text| text.replace("hunter2", "***"))
    }

    #[test]
    fn json_gets_line_breaks_and_what_only_looks_like_it_stays() {
        assert_eq!(of(br#"{"a":[1]}"#, false).text.as_deref(), Some("{\n  \"a\": [\n    1\n  ]\n}"));
        assert_eq!(of(b"{oops", false).text.as_deref(), Some("{oops"));
        assert_eq!(of(b"[text]", false).text.as_deref(), Some("[text]"));
    }

    #[test]
    fn what_is_no_text_is_not_shown() {
        assert_eq!(of(b"\xff\xfe", false), Body { bytes: 2, text: None, cut: false });
        assert_eq!(of(b"a\0b", false), Body { bytes: 3, text: None, cut: false });
    }

    #[test]
    fn a_long_body_is_cut_and_no_secret_is_left_in_halves() {
        let long = "x".repeat(CHARS_USUAL - 3) + "hunter2 and more";
        let cut = of(long.as_bytes(), false);
        assert!(cut.cut && cut.bytes == long.len() as u64, "{cut:?}");
        assert!(cut.text.as_deref().is_some_and(|text| text.ends_with("x***")), "{cut:?}");
        let whole = of(long.as_bytes(), true);
        assert!(!whole.cut && whole.text.as_deref().is_some_and(|text| text.ends_with("*** and more")), "{whole:?}");
    }
}
