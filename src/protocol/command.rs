//! Requests of protocols beside HTTP, for people: a verb, and what follows it.
//!
//! A request of HTTP has a head; one of another protocol has none ([`Exchange::body_at`](super::Exchange::body_at) is
//! 0) and is written as its protocol asks: commands of Redis in RESP, statements of SQL as a list in JSON.

use std::fmt::Write;

/// Arguments beyond these are counted, not shown.
const ARGUMENTS_SHOWN: usize = 32;
/// More of an argument is not shown, in characters.
const ARGUMENT_CHARS_MAX: usize = 400;

/// The verb of a request without a head, and the rest, as a line that could be typed.
pub fn described(wire: &[u8]) -> (String, String) {
    match wire.first() {
        Some(b'*') => of_commands(wire),
        _ => of_statement(wire),
    }
}

/// The arguments of the next command in RESP, and what follows it. A command that is cut off has the arguments that
/// are whole.
pub fn next_command(wire: &[u8]) -> Option<(Vec<&[u8]>, &[u8])> {
    let (count, mut rest) = number(wire.strip_prefix(b"*")?)?;
    let mut arguments = Vec::with_capacity(count.min(ARGUMENTS_SHOWN));
    for _ in 0..count {
        let Some((length, behind)) = rest.strip_prefix(b"$").and_then(number) else { return Some((arguments, &[])) };
        let Some(argument) = behind.get(..length) else {
            arguments.push(behind);
            return Some((arguments, &[]));
        };
        arguments.push(argument);
        rest = behind.get(length + 2..).unwrap_or_default();
    }
    Some((arguments, rest))
}

/// Digits to the end of a line, and what follows it.
fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let end = memchr::memchr(b'\r', bytes)?;
    let digits = std::str::from_utf8(&bytes[..end]).ok()?;
    Some((digits.parse().ok()?, bytes.get(end + 2..)?))
}

fn of_commands(wire: &[u8]) -> (String, String) {
    let Some((first, mut rest)) = next_command(wire) else { return Default::default() };
    let (verb, mut line) = of_command(&first);
    if rest.is_empty() {
        return (verb, line);
    }
    line = format!("{verb} {line}");
    while let Some((arguments, behind)) = next_command(rest) {
        let (verb, arguments) = of_command(&arguments);
        // Writing into a String cannot fail.
        let _ = write!(line, " ; {}", format!("{verb} {arguments}").trim_end());
        rest = behind;
        if line.len() > ARGUMENT_CHARS_MAX * 4 {
            line.push_str(" …");
            break;
        }
    }
    ("PIPELINE".to_owned(), line)
}

fn of_command(arguments: &[&[u8]]) -> (String, String) {
    let (verb, arguments) = arguments.split_first().map_or((&[][..], arguments), |(verb, rest)| (*verb, rest));
    let mut line: Vec<String> = arguments.iter().take(ARGUMENTS_SHOWN).map(|argument| typed(argument)).collect();
    if arguments.len() > ARGUMENTS_SHOWN {
        line.push(format!("… ({} more)", arguments.len() - ARGUMENTS_SHOWN));
    }
    (String::from_utf8_lossy(verb).to_uppercase(), line.join(" "))
}

/// An argument as a shell takes it.
fn typed(argument: &[u8]) -> String {
    let Ok(text) = std::str::from_utf8(argument) else { return format!("'({} bytes)'", argument.len()) };
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !text.is_empty() && text.len() <= ARGUMENT_CHARS_MAX && text.chars().all(is_plain) {
        return text.to_owned();
    }
    let mut shown: String = text.chars().take(ARGUMENT_CHARS_MAX).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    format!("'{}'", shown.replace('\'', r"'\''"))
}

/// `["query", "SELECT …", 42]`: the statement, and its parameters behind it.
fn of_statement(wire: &[u8]) -> (String, String) {
    let Ok(serde_json::Value::Array(items)) = serde_json::from_slice(wire) else {
        // Only its start was kept.
        return ("SQL".to_owned(), String::from_utf8_lossy(wire).into_owned());
    };
    let mut items = items.into_iter();
    let mut text = || items.next().and_then(|item| item.as_str().map(ToOwned::to_owned)).unwrap_or_default();
    let (verb, mut line) = (text().to_uppercase(), text());
    let parameters: Vec<serde_json::Value> = items.collect();
    if !parameters.is_empty() {
        let _ = write!(line, " -- {}", serde_json::Value::Array(parameters));
    }
    (verb, line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(wire: &str) -> String {
        let (verb, rest) = described(wire.as_bytes());
        format!("{verb}|{rest}")
    }

    #[test]
    fn commands_read_as_they_are_typed() {
        assert_eq!(shown("*2\r\n$3\r\nget\r\n$6\r\nitem:1\r\n"), "GET|item:1");
        assert_eq!(shown("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$7\r\nit's me\r\n"), r"SET|k 'it'\''s me'");
        assert_eq!(shown("*1\r\n$4\r\nPING\r\n"), "PING|");
        assert_eq!(shown("*1\r\n$4\r\nPING\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"), "PIPELINE|PING  ; GET k");
        // Cut off.
        assert_eq!(shown("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$700\r\nabc"), "SET|k abc");
        assert_eq!(shown("*3\r\n$3\r\nSET\r\n$"), "SET|");
        assert_eq!(shown("*"), "|");
    }

    #[test]
    fn statements_read_with_their_parameters_behind_them() {
        assert_eq!(shown(r#"["query","SELECT 1"]"#), "QUERY|SELECT 1");
        assert_eq!(shown(r#"["execute","UPDATE a SET b = $1",42,"x"]"#), r#"EXECUTE|UPDATE a SET b = $1 -- [42,"x"]"#);
        assert_eq!(shown(r#"["query","SEL"#), r#"SQL|["query","SEL"#);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_break_the_reader(wire in proptest::collection::vec(proptest::num::u8::ANY, 0..60)) {
            described(&wire);
            let mut commands = b"*3\r\n$3\r\nSET\r\n".to_vec();
            commands.extend_from_slice(&wire);
            described(&commands);
        }
    }
}
