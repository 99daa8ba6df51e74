//! Any bytes as a stream of events.

use crate::http::channel::{Event, Parser, TooLong};

/// The longest line, and the longest data of an event, in bytes; short, so that the limit is met often.
const BYTES_MAX: usize = 300;

/// What a stream gave, and whether it was too long from there on.
type Read = (Vec<Event>, Result<(), TooLong>, Option<u64>);

/// Reads the bytes after the first as a stream of events; the first one says how they are cut.
///
/// Holds: what is read is the same however the bytes are cut, and what the standard says of all bytes at once.
pub fn events(data: &[u8]) {
    let Some((&cut, stream)) = data.split_first() else { return };
    let stream = &stream[..stream.len().min(8_000)];
    let whole = read(stream, stream.len().max(1));
    for size in [1, 2 + usize::from(cut)] {
        assert_eq!(read(stream, size), whole, "in pieces of {size}");
    }
    assert_eq!(whole, at_once(stream));
}

fn read(stream: &[u8], size: usize) -> Read {
    let (mut parser, mut events) = (Parser::new(BYTES_MAX), Vec::new());
    let end = stream.chunks(size).try_for_each(|piece| parser.feed(piece, |event| events.push(event)));
    (events, end, parser.retry_ms())
}

/// HTML standard, section 9.2.6, line by line.
fn at_once(stream: &[u8]) -> Read {
    let (mut events, mut retry_ms) = (Vec::new(), None);
    let (mut kind, mut lines, mut id) = (String::new(), Vec::<String>::new(), String::new());
    let mut rest = stream;
    loop {
        let end = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
        if end.unwrap_or(rest.len()) > BYTES_MAX {
            return (events, Err(TooLong), retry_ms);
        }
        let Some(end) = end else { return (events, Ok(()), retry_ms) };
        let is_first = rest.len() == stream.len();
        let line = rest[..end].strip_prefix(b"\xef\xbb\xbf").filter(|_| is_first).unwrap_or(&rest[..end]);
        rest = &rest[end + if rest[end..].starts_with(b"\r\n") { 2 } else { 1 }..];
        if line.is_empty() {
            let kind = std::mem::take(&mut kind);
            if !lines.is_empty() {
                let event = if kind.is_empty() { "message".to_owned() } else { kind };
                events.push(Event { event, data: lines.join("\n"), id: id.clone() });
                lines.clear();
            }
            continue;
        }
        let mut parts = line.splitn(2, |&byte| byte == b':');
        let (name, value) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let value = String::from_utf8_lossy(value.strip_prefix(b" ").unwrap_or(value)).into_owned();
        match name {
            b"data" => {
                if lines.join("\n").len() + value.len() > BYTES_MAX {
                    return (events, Err(TooLong), retry_ms);
                }
                lines.push(value);
            }
            b"event" => kind = value,
            b"id" if !value.contains('\0') => id = value,
            b"retry" if value.bytes().all(|byte| byte.is_ascii_digit()) => retry_ms = value.parse().ok().or(retry_ms),
            _ => {}
        }
    }
}
