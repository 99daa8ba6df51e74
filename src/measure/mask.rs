//! Credentials in what is kept of exchanges: `***` stands for each. Secrets that the script named are taken out
//! before; this is for what nobody named: tokens that a server gave, passwords in a body, cookies.

use std::{borrow::Cow, sync::LazyLock};

use regex::bytes::{Captures, Regex};

/// What stands for a value that was taken out.
pub const MASK: &str = "***";
/// A shorter value of a cookie or a field cannot be told from ordinary text.
const CREDENTIAL_BYTES_MIN: usize = 6;

/// Parts of names whose values are nobody's business, lower case.
const PRIVATE: &str = "token|secret|passw|pwd|api[-_]?key|authorization|credential|session[-_]?id|jwt";

/// Where credentials stand in a text: a name and what leads to its value, then the value. Classes of all but some
/// characters see bytes (`-u`), which end beside ASCII characters all the same: as characters they take several times
/// as long to compile.
static NAMED: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    let patterns = [
        // JSON: a string member, perhaps cut off.
        format!(r#"(?i)("(?-u:[^"\\])*(?:{PRIVATE})(?-u:[^"\\])*"\s*:\s*")((?-u:[^"\\]|\\.)+)"#),
        // A query or a form.
        format!(r#"(?i)((?:^|[?&;\s])(?-u:[^=&;\s"])*(?:{PRIVATE})(?-u:[^=&;\s"])*=)((?-u:[^&;\s"'<>])+)"#),
        // A part of a multipart form.
        format!(r#"(?i)(name="(?-u:[^"\r\n])*(?:{PRIVATE})(?-u:[^"\r\n])*"(?-u:[^\r\n])*\r?\n\r?\n)((?-u:[^\r\n])+)"#),
        // Schemes of HTTP authentication.
        r"(?i)(\bbearer\s+)([A-Za-z0-9+/=._~-]{8,})".to_owned(),
        // A JSON web token.
        r"(\b)(eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){1,2}|eyJ[A-Za-z0-9_-]{40,}$)".to_owned(),
    ];
    // Tests compile each of them.
    patterns.iter().filter_map(|pattern| Regex::new(pattern).ok()).collect()
});

/// Compiles the patterns, so that no worker does it while its load runs.
pub(super) fn prepare() {
    LazyLock::force(&NAMED);
}

/// Header fields whose values are credentials whatever they hold.
fn is_private(name: &str) -> bool {
    const NAMES: [&str; 6] = ["auth", "token", "secret", "passw", "session", "jwt"];
    let name = name.to_ascii_lowercase();
    name.contains("api-key") || name.contains("apikey") || NAMES.iter().any(|part| name.contains(part))
}

/// The value of a header field as it may be kept.
pub(super) fn field<'a>(name: &str, value: &'a str) -> Cow<'a, str> {
    let is = |known: &str| name.eq_ignore_ascii_case(known);
    if is("cookie") || is("set-cookie") {
        let pairs = value.split(';').enumerate().map(|(at, pair)| match pair.trim().split_once('=') {
            // What follows the pair of `set-cookie` are attributes.
            Some((name, _)) if at == 0 || is("cookie") => format!("{name}={MASK}"),
            _ => pair.trim().to_owned(),
        });
        return pairs.collect::<Vec<_>>().join("; ").into();
    }
    if !is_private(name) {
        return value.into();
    }
    match value.split_once(' ') {
        Some((scheme, _)) if !scheme.is_empty() && scheme.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') => {
            format!("{scheme} {MASK}").into()
        }
        _ => MASK.into(),
    }
}

/// The credentials that a request sent: an answer may repeat them.
#[derive(Debug, Default)]
pub(super) struct Credentials(Vec<String>);

impl Credentials {
    /// Of the head of a request.
    pub(super) fn of(head: &[u8]) -> Self {
        let mut all = Vec::new();
        for (name, value) in fields(head) {
            if name.eq_ignore_ascii_case("cookie") {
                all.extend(value.split(';').filter_map(|pair| Some(pair.trim().split_once('=')?.1.to_owned())));
            } else if is_private(&name) {
                all.push(value.split_once(' ').map_or(&*value, |(_, credential)| credential).trim().to_owned());
            }
        }
        all.retain(|value| value.len() >= CREDENTIAL_BYTES_MIN);
        // The longest first, so that none leaves the tail of one that starts alike.
        all.sort_by_key(|value| std::cmp::Reverse(value.len()));
        Self(all)
    }
}

/// Names and values of a head's fields.
pub(super) fn fields(head: &[u8]) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    head.split(|&byte| byte == b'\n').skip(1).filter_map(|line| {
        let colon = line.iter().position(|&byte| byte == b':')?;
        Some((String::from_utf8_lossy(&line[..colon]), String::from_utf8_lossy(line[colon + 1..].trim_ascii())))
    })
}

/// `text` without what looks like a credential, and without those of its request.
pub(super) fn mask<'a>(text: &'a str, credentials: &Credentials) -> Cow<'a, str> {
    let mut text = Cow::Borrowed(text);
    for credential in &credentials.0 {
        if text.contains(credential.as_str()) {
            text = text.replace(credential.as_str(), MASK).into();
        }
    }
    for pattern in &*NAMED {
        let replace = |found: &Captures<'_>| {
            // `"token_type": "Bearer"` tells nothing.
            let is_scheme = found[2].eq_ignore_ascii_case(b"bearer");
            [&found[1], if is_scheme { &found[2] } else { MASK.as_bytes() }].concat()
        };
        if let Cow::Owned(masked) = pattern.replace_all(text.as_bytes(), replace) {
            text = String::from_utf8_lossy(&masked).into_owned().into();
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(text: &str) -> String {
        mask(text, &Credentials::default()).into_owned()
    }

    #[test]
    fn every_pattern_is_valid() {
        assert_eq!(NAMED.len(), 5);
    }

    #[test]
    fn credentials_go_where_they_have_a_name() {
        for (text, expected) in [
            (r#"{"access_token": "abc", "n": 1}"#, r#"{"access_token": "***", "n": 1}"#),
            (r#"{"token_type":"Bearer","Password":"a\"b"}"#, r#"{"token_type":"Bearer","Password":"***"}"#),
            (r#"{"refresh_token":"cut o"#, r#"{"refresh_token":"***"#),
            ("/cb?code=1&access_token=abc&x=2", "/cb?code=1&access_token=***&x=2"),
            ("user=a&password=b%20c", "user=a&password=***"),
            ("--x\r\nname=\"password\"\r\n\r\nhush\r\n--x", "--x\r\nname=\"password\"\r\n\r\n***\r\n--x"),
            ("got Bearer abcdef0123 there", "got Bearer *** there"),
            ("t eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln u", "t *** u"),
            ("t eyJhbGciOiJIUzI1NiJ9.eyJzdWI", "t ***"),
            ("the page of a monkey=1", "the page of a monkey=1"),
            (r#"{"passwörter_passwort": "grün\ä", "é": "ü"}"#, r#"{"passwörter_passwort": "***", "é": "ü"}"#),
            ("got Bearer\u{a0}abcdef0123 there", "got Bearer\u{a0}*** there"),
            ("user=a&to\u{212a}en=abc", "user=a&to\u{212a}en=***"),
            ("ä=ö&Çtoken=€uro&ß=ł", "ä=ö&Çtoken=***&ß=ł"),
            (r#"{"tokens": 17, "items": [1]}"#, r#"{"tokens": 17, "items": [1]}"#),
        ] {
            assert_eq!(masked(text), expected);
        }
    }

    #[test]
    fn fields_are_masked_by_their_names() {
        for (name, value, expected) in [
            ("Authorization", "Bearer abc", "Bearer ***"),
            ("authorization", "abc", "***"),
            ("x-api-key", "k 1", "k ***"),
            ("cookie", "sid=abc; theme=dark", "sid=***; theme=***"),
            ("set-cookie", "sid=abc; Path=/; HttpOnly", "sid=***; Path=/; HttpOnly"),
            ("x-auth-token", "abc", "***"),
            ("accept", "text/html", "text/html"),
            ("idempotency-key", "7", "7"),
        ] {
            assert_eq!(field(name, value), expected, "{name}");
        }
    }

    #[test]
    fn an_answer_repeats_no_credential_of_its_request() {
        let head = b"GET / HTTP/1.1\r\nAuthorization: Basic dXNlcjpwYXNz\r\ncookie: a=1; sid=0123456789\r\n\r\n";
        let text = mask("you sent dXNlcjpwYXNz and 0123456789 and 1", &Credentials::of(head)).into_owned();
        assert_eq!(text, "you sent *** and *** and 1");
    }
}
