//! How a value is written at its place in a request: appended to bytes, without an allocation.

use super::Escape;

/// Appends `text` to `out` as its place demands. For [`Escape::JsonValue`] this includes the quotes.
pub fn escape(out: &mut Vec<u8>, text: &str, escape: Escape) {
    match escape {
        Escape::None => out.extend_from_slice(text.as_bytes()),
        Escape::Path => percent(out, text, is_path_safe),
        Escape::Query => percent(out, text, is_url_safe),
        Escape::Header => out.extend(text.bytes().map(|byte| if byte < 0x20 || byte == 0x7f { b' ' } else { byte })),
        Escape::JsonValue => {
            out.push(b'"');
            json(out, text);
            out.push(b'"');
        }
        Escape::JsonString => json(out, text),
        Escape::FormName => form_name(out, text),
    }
}

/// As browsers write names in multipart forms (WHATWG HTML, "multipart/form-data encoding algorithm").
fn form_name(out: &mut Vec<u8>, text: &str) {
    for byte in text.bytes() {
        match byte {
            b'"' => out.extend_from_slice(b"%22"),
            b'\r' => out.extend_from_slice(b"%0D"),
            b'\n' => out.extend_from_slice(b"%0A"),
            _ => out.push(byte),
        }
    }
}

/// Whether a byte stands for itself everywhere in a URL: RFC 3986's unreserved characters.
pub const fn is_url_safe(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// Whether a byte stands for itself within a path segment (RFC 3986 `pchar`): a drawn `/` is a part of the
/// value and gets encoded.
const fn is_path_safe(byte: u8) -> bool {
    is_url_safe(byte)
        || matches!(byte, b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=')
        || matches!(byte, b':' | b'@')
}

const HEX_UPPER: &[u8; 16] = b"0123456789ABCDEF";
const HEX_LOWER: &[u8; 16] = b"0123456789abcdef";

fn percent(out: &mut Vec<u8>, text: &str, safe: impl Fn(u8) -> bool) {
    for byte in text.bytes() {
        if safe(byte) {
            out.push(byte);
        } else {
            out.extend_from_slice(&[b'%', HEX_UPPER[usize::from(byte >> 4)], HEX_UPPER[usize::from(byte & 15)]]);
        }
    }
}

/// RFC 8259 section 7: quotes, backslashes and control characters are escaped, all else stays UTF-8.
fn json(out: &mut Vec<u8>, text: &str) {
    for byte in text.bytes() {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..0x20 => out.extend_from_slice(&[
                b'\\',
                b'u',
                b'0',
                b'0',
                HEX_LOWER[usize::from(byte >> 4)],
                HEX_LOWER[usize::from(byte & 15)],
            ]),
            _ => out.push(byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn escaped(text: &str, how: Escape) -> String {
        let mut out = Vec::new();
        escape(&mut out, text, how);
        String::from_utf8(out).expect("escapes are text")
    }

    #[test]
    fn every_place_has_its_own_rules() {
        let text = "a/b c\"\n";
        for (how, expected) in [
            (Escape::None, "a/b c\"\n"),
            (Escape::Path, "a%2Fb%20c%22%0A"),
            (Escape::Query, "a%2Fb%20c%22%0A"),
            (Escape::Header, "a/b c\" "),
            (Escape::JsonValue, "\"a/b c\\\"\\n\""),
            (Escape::JsonString, "a/b c\\\"\\n"),
            (Escape::FormName, "a/b c%22%0A"),
        ] {
            assert_eq!(escaped(text, how), expected, "{how:?}");
        }
        assert_eq!(escaped("+&=", Escape::Path), "+&=");
        assert_eq!(escaped("+&=", Escape::Query), "%2B%26%3D");
    }

    proptest! {
        #[test]
        fn json_survives_a_parser(text in any::<String>()) {
            let parsed: String = serde_json::from_str(&escaped(&text, Escape::JsonValue)).expect("valid JSON");
            prop_assert_eq!(parsed, text);
        }

        #[test]
        fn a_query_value_survives_a_url(text in any::<String>()) {
            let url = url::Url::parse(&format!("http://h/?k={}", escaped(&text, Escape::Query))).expect("valid URL");
            let found = url.query_pairs().next().map(|(_, value)| value.into_owned());
            prop_assert_eq!(found, Some(text));
        }

        #[test]
        fn a_path_value_stays_one_segment(text in any::<String>()) {
            let escaped = escaped(&text, Escape::Path);
            prop_assert!(!escaped.contains(['/', '?', '#', ' ']));
            let decoded = percent_encoding::percent_decode_str(&escaped).decode_utf8().expect("text");
            prop_assert_eq!(decoded, text);
        }

        #[test]
        fn a_header_value_cannot_start_a_new_line(text in any::<String>()) {
            prop_assert!(!escaped(&text, Escape::Header).contains(['\r', '\n', '\0']));
        }
    }
}
