//! JSON between scripts and the wire: one field is read without building the tree, a value is written without
//! an intermediate one.

use rhai::{Dynamic, ImmutableString};

/// Deeper nesting is refused, in both directions.
pub(super) const DEPTH_MAX: usize = 64;

/// A step of a path such as `a.b[0]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part<'a> {
    /// `.name`
    Name(&'a str),
    /// `[3]`; negative counts from the end
    Index(i64),
    /// `..name`: the first of that name at any depth
    Anywhere(&'a str),
}

/// Stands for all names.
const WILD: char = '*';

/// A path as RFC 9535 writes it.
pub(super) fn spell(parts: &[Part<'_>]) -> String {
    let quoted = |name: &str| {
        let mut text = Vec::new();
        write_text(&mut text, name);
        String::from_utf8_lossy(&text).into_owned()
    };
    let part = |part: &Part<'_>| match part {
        Part::Name(name) => format!("[{}]", quoted(name)),
        Part::Index(index) => format!("[{index}]"),
        Part::Anywhere(name) => format!("..[{}]", quoted(name)),
    };
    std::iter::once("$".to_owned()).chain(parts.iter().map(part)).collect()
}

/// Reads `a.b[0]`, `$.a.b`, `$..x`, `items[-1].id`, `["a b"]`.
///
/// # Errors
/// What of the path is none of these: a wildcard, a filter, or a mistake.
pub(super) fn parse_path(path: &str) -> Result<Vec<Part<'_>>, String> {
    // Most are the name of a field and nothing else.
    if !path.is_empty() && path.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return Ok(vec![Part::Name(path)]);
    }
    let mut parts = Vec::new();
    let mut rest = path.strip_prefix('$').unwrap_or(path);
    while !rest.is_empty() {
        let name_end = |text: &str| text.find(['.', '[']).unwrap_or(text.len());
        if let Some(after) = rest.strip_prefix("..") {
            let end = name_end(after);
            if end == 0 || after[..end].contains(WILD) {
                return Err(format!("`{path}` has no name after `..`"));
            }
            parts.push(Part::Anywhere(&after[..end]));
            rest = &after[end..];
        } else if let Some(after) = rest.strip_prefix('[') {
            let end = after.find(']').ok_or_else(|| format!("`{path}` has a `[` without its `]`"))?;
            let inside = &after[..end];
            let quoted = ['"', '\''].into_iter().find_map(|quote| {
                let name = inside.strip_prefix(quote)?.strip_suffix(quote)?;
                (!name.contains([quote, '\\'])).then_some(name)
            });
            parts.push(match (quoted, inside.parse()) {
                (Some(name), _) => Part::Name(name),
                (None, Ok(index)) => Part::Index(index),
                (None, Err(_)) => {
                    return Err(format!("`[{inside}]` in `{path}` is neither a number nor a quoted name"));
                }
            });
            rest = &after[end + 1..];
        } else {
            let after = rest.strip_prefix('.').unwrap_or(rest);
            let end = name_end(after);
            if end == 0 || after[..end].contains(WILD) {
                return Err(format!("`{path}` has an empty name, or a wildcard"));
            }
            parts.push(Part::Name(&after[..end]));
            rest = &after[end..];
        }
    }
    Ok(parts)
}

/// The text of the value at a path, if it is there. Values on the way are skipped by their brackets and
/// quotes alone, so what is wrong with the rest of the text does not show.
pub(super) fn find<'a>(json: &'a [u8], path: &[Part<'_>]) -> Option<&'a [u8]> {
    let mut cursor = Cursor { json, at: 0 };
    cursor.space();
    cursor.find(path, 0)
}

struct Cursor<'a> {
    json: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn peek(&self) -> Option<u8> {
        self.json.get(self.at).copied()
    }

    fn space(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// The text of the value at `path` from here.
    fn find(&mut self, path: &[Part<'_>], depth: usize) -> Option<&'a [u8]> {
        if depth > 4 * DEPTH_MAX {
            return None;
        }
        let Some((first, rest)) = path.split_first() else {
            let start = self.at;
            self.skip()?;
            return Some(&self.json[start..self.at]);
        };
        match first {
            Part::Name(name) => {
                self.member(|key| key_is(key, name))?;
                self.find(rest, depth + 1)
            }
            Part::Index(index) => {
                let index = match usize::try_from(*index) {
                    Ok(index) => index,
                    Err(_) => self.count()?.checked_sub(usize::try_from(index.unsigned_abs()).ok()?)?,
                };
                self.element(index)?;
                self.find(rest, depth + 1)
            }
            Part::Anywhere(name) => self.anywhere(name, rest, depth),
        }
    }

    /// Moves to the value of the first member whose key fits.
    fn member(&mut self, fits: impl Fn(&[u8]) -> bool) -> Option<()> {
        if !self.eat(b'{') {
            return None;
        }
        loop {
            self.space();
            let key = self.string()?;
            self.space();
            if !self.eat(b':') {
                return None;
            }
            self.space();
            if fits(key) {
                return Some(());
            }
            self.skip()?;
            self.space();
            if !self.eat(b',') {
                return None;
            }
        }
    }

    /// Moves to an element of an array.
    fn element(&mut self, index: usize) -> Option<()> {
        if !self.eat(b'[') {
            return None;
        }
        self.space();
        for _ in 0..index {
            self.skip()?;
            self.space();
            if !self.eat(b',') {
                return None;
            }
            self.space();
        }
        (self.peek()? != b']').then_some(())
    }

    /// How many elements the array here has; stays where it is.
    fn count(&mut self) -> Option<usize> {
        let start = self.at;
        if !self.eat(b'[') {
            return None;
        }
        let mut count = 0;
        self.space();
        if !self.eat(b']') {
            loop {
                self.space();
                self.skip()?;
                count += 1;
                self.space();
                if !self.eat(b',') {
                    break;
                }
            }
        }
        self.at = start;
        Some(count)
    }

    /// The first value of that name at any depth at which the rest of the path leads somewhere. A value comes
    /// before those within it and behind it, as RFC 9535 has it.
    fn anywhere(&mut self, name: &str, rest: &[Part<'_>], depth: usize) -> Option<&'a [u8]> {
        if depth > 4 * DEPTH_MAX {
            return None;
        }
        let is_object = match self.peek()? {
            b'{' => true,
            b'[' => false,
            _ => return None,
        };
        let start = self.at;
        if is_object {
            if self.member(|key| key_is(key, name)).is_some()
                && let Some(found) = self.find(rest, depth + 1)
            {
                return Some(found);
            }
            self.at = start;
        }
        self.at += 1;
        loop {
            self.space();
            if is_object {
                self.string()?;
                self.space();
                if !self.eat(b':') {
                    return None;
                }
                self.space();
            }
            let value = self.at;
            if let Some(found) = self.anywhere(name, rest, depth + 1) {
                return Some(found);
            }
            self.at = value;
            self.skip()?;
            self.space();
            if !self.eat(b',') {
                return None;
            }
        }
    }

    /// The raw text between the quotes of a string, escapes and all.
    fn string(&mut self) -> Option<&'a [u8]> {
        if !self.eat(b'"') {
            return None;
        }
        let start = self.at;
        loop {
            match self.peek()? {
                b'"' => {
                    self.at += 1;
                    return Some(&self.json[start..self.at - 1]);
                }
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
    }

    /// Moves behind the value here.
    fn skip(&mut self) -> Option<()> {
        match self.peek()? {
            b'"' => {
                self.string()?;
            }
            b'{' | b'[' => {
                let mut open = 0_usize;
                loop {
                    match self.peek()? {
                        b'"' => {
                            self.string()?;
                            continue;
                        }
                        b'{' | b'[' => open += 1,
                        b'}' | b']' => open -= 1,
                        _ => {}
                    }
                    self.at += 1;
                    if open == 0 {
                        break;
                    }
                }
            }
            _ => {
                let start = self.at;
                while self.peek().is_some_and(|byte| !matches!(byte, b',' | b'}' | b']') && !byte.is_ascii_whitespace())
                {
                    self.at += 1;
                }
                return (self.at > start).then_some(());
            }
        }
        Some(())
    }
}

fn key_is(raw: &[u8], name: &str) -> bool {
    if raw.contains(&b'\\') {
        let mut quoted = Vec::with_capacity(raw.len() + 2);
        quoted.push(b'"');
        quoted.extend_from_slice(raw);
        quoted.push(b'"');
        return serde_json::from_slice::<String>(&quoted).is_ok_and(|key| key == name);
    }
    raw == name.as_bytes()
}

/// A JSON text as a script's value.
///
/// # Errors
/// What the parser says.
pub(super) fn to_dynamic(json: &[u8]) -> Result<Dynamic, serde_json::Error> {
    // The values that APIs answer with most, without the general machinery.
    match json {
        b"null" => return Ok(Dynamic::UNIT),
        b"true" => return Ok(Dynamic::TRUE),
        b"false" => return Ok(Dynamic::FALSE),
        [b'"', inside @ .., b'"'] if !inside.iter().any(|&byte| byte == b'\\' || byte == b'"' || byte < b' ') => {
            if let Ok(text) = std::str::from_utf8(inside) {
                return Ok(ImmutableString::from(text).into());
            }
        }
        [first, ..] if first.is_ascii_digit() || *first == b'-' => {
            if let Some(number) = std::str::from_utf8(json).ok().and_then(|text| text.parse::<i64>().ok()) {
                return Ok(number.into());
            }
        }
        _ => {}
    }
    serde_json::from_slice(json)
}

/// Whether a value is at most `levels` deep.
pub(super) fn is_shallow(value: &Dynamic, levels: usize) -> bool {
    if let Some(items) = value.read_lock::<rhai::Array>() {
        return levels > 0 && items.iter().all(|item| is_shallow(item, levels - 1));
    }
    if let Some(map) = value.read_lock::<rhai::Map>() {
        return levels > 0 && map.values().all(|item| is_shallow(item, levels - 1));
    }
    true
}

/// Appends text in quotes.
pub(super) fn write_text(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    crate::plan::escape(out, text, crate::plan::Escape::JsonString);
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SHOP: &str = r#" { "id" : 7, "a\"b": 1, "items": [ {"sku": "x", "price": 1.5e3}, {"sku": "y,]}"} ],
        "deep": {"er": {"token": "t\u00e9"}}, "none": null, "empty": [] } "#;

    fn at(path: &str) -> Option<Dynamic> {
        let parts = parse_path(path).expect("a path");
        find(SHOP.as_bytes(), &parts).map(|raw| to_dynamic(raw).expect("valid JSON"))
    }

    #[test]
    fn paths_lead_to_their_values() {
        for (path, expected) in [
            ("id", Some("7")),
            ("$.id", Some("7")),
            (r#"['a"b']"#, Some("1")),
            ("items[0].sku", Some("x")),
            ("items[-1].sku", Some("y,]}")),
            ("items[0].price", Some("1500.0")),
            ("deep.er.token", Some("té")),
            ("$..token", Some("té")),
            ("$..sku", Some("x")),
            ("none", Some("")),
            ("empty[0]", None),
            ("items[2]", None),
            ("items[-3]", None),
            ("missing", None),
            ("id.x", None),
            ("$..nothing", None),
        ] {
            assert_eq!(at(path).map(|value| value.to_string()).as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn a_broken_path_says_what_is_wrong() {
        for (path, message) in [
            ("a[", "`a[` has a `[` without its `]`"),
            ("a[x]", "`[x]` in `a[x]` is neither a number nor a quoted name"),
            ("a..", "`a..` has no name after `..`"),
        ] {
            assert_eq!(parse_path(path), Err(message.to_owned()));
        }
    }

    #[test]
    fn broken_json_finds_nothing_and_does_not_hang() {
        let parts = parse_path("a.b[3]").expect("a path");
        for text in ["", "{", "{\"a\"", "{\"a\":", "{\"a\":{\"b\":[1,2,", "[[[[", "}", "{\"a\":\"\\", "nonsense"] {
            assert_eq!(find(text.as_bytes(), &parts), None, "{text}");
        }
        let deep = "[".repeat(100_000);
        assert_eq!(find(deep.as_bytes(), &parse_path("$..x").expect("a path")), None);
    }

    proptest! {
        #[test]
        fn agrees_with_a_full_parser(json in any_json(), indexes in prop::collection::vec(0usize..3, 0..3)) {
            let text = json.to_string();
            let mut expected = Some(&json);
            let mut path = String::from("$");
            for index in indexes {
                if index == 2 {
                    path.push_str("[1]");
                    expected = expected.and_then(|value| value.as_array()).and_then(|array| array.get(1));
                } else {
                    let name = ["k", "a b"][index];
                    path.push_str(&format!("[\"{name}\"]"));
                    expected = expected.and_then(|value| value.as_object()).and_then(|object| object.get(name));
                }
            }
            let parts = parse_path(&path).expect("a valid path");
            let found = find(text.as_bytes(), &parts).map(|raw| serde_json::from_slice::<serde_json::Value>(raw).expect("valid JSON"));
            prop_assert_eq!(found.as_ref(), expected);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..60), path in "[a.\\[\\]$0-9\"-]{0,12}") {
            if let Ok(parts) = parse_path(&path) {
                let _ = find(&bytes, &parts);
            }
        }
    }

    fn any_json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            "[ -~é\"\\\\]{0,6}".prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
                prop::collection::btree_map(
                    prop_oneof![Just("k".to_owned()), Just("a b".to_owned()), "[a-z\"]{1,3}"],
                    inner,
                    0..4
                )
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }
}
