//! RESP2: how commands are written, and where replies end (<https://redis.io/docs/latest/develop/reference/protocol-spec/>).

use crate::protocol::{ErrorKind, Failure};

/// More arguments of a command are a mistake: Redis itself takes a million.
pub const ARGUMENTS_MAX: usize = 1 << 20;
/// Lists in lists: deeper replies are an error.
const DEPTH_MAX: usize = 32;
/// More elements of a reply are an error.
const ELEMENTS_MAX: u64 = 16 << 20;
/// A longer line is an error, in bytes: errors and simple strings have no other limit.
const LINE_BYTES_MAX: usize = 64 * 1024;

/// Begins a command of so many arguments, its name included.
pub fn write_count(out: &mut Vec<u8>, arguments: usize) {
    out.push(b'*');
    number(out, arguments);
}

/// Appends an argument.
pub fn write_argument(out: &mut Vec<u8>, argument: &[u8]) {
    out.push(b'$');
    number(out, argument.len());
    out.extend_from_slice(argument);
    out.extend_from_slice(b"\r\n");
}

fn number(out: &mut Vec<u8>, number: usize) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// How many commands are in `wire`, each of which gets a reply.
pub(super) fn commands(wire: &[u8]) -> u64 {
    let (mut rest, mut count) = (wire, 0);
    while let Some((arguments, behind)) = line(rest, b'*') {
        rest = behind;
        for _ in 0..arguments {
            let Some((length, behind)) = line(rest, b'$') else { return count };
            let Some(behind) = behind.get(length + 2..) else { return count };
            rest = behind;
        }
        count += 1;
    }
    count
}

/// A mark, digits and the end of a line; and what follows it.
fn line(bytes: &[u8], mark: u8) -> Option<(usize, &[u8])> {
    let (&first, mut rest) = bytes.split_first()?;
    if first != mark {
        return None;
    }
    let mut value = 0_usize;
    while let Some((&digit @ b'0'..=b'9', behind)) = rest.split_first() {
        value = value.checked_mul(10)?.checked_add(usize::from(digit - b'0'))?;
        rest = behind;
    }
    Some((value, rest.strip_prefix(b"\r\n")?))
}

/// One element of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Element<'a> {
    /// `+OK`
    Simple(&'a [u8]),
    /// `-ERR …`
    Error(&'a [u8]),
    /// `:1`
    Integer(i64),
    /// `$5`
    Bulk(&'a [u8]),
    /// `$-1` and `*-1`
    Nil,
    /// `*3`: so many elements follow.
    Array(u64),
}

/// Finds the end of replies in bytes that grow. What has been looked at is not looked at again.
#[derive(Debug)]
pub(super) struct Scan {
    /// Up to here all elements are whole.
    at: usize,
    /// Elements to come, of each list that is open; the first are the replies themselves.
    open: Vec<u64>,
    elements: u64,
    bytes_max: u64,
}

impl Scan {
    /// For so many replies, of at most `bytes_max` bytes in all.
    pub(super) fn new(replies: u64, bytes_max: u64) -> Self {
        Self { at: 0, open: vec![replies], elements: 0, bytes_max }
    }

    /// Where the replies end in `bytes`, which are those of the call before and some more; none if they go on.
    ///
    /// # Errors
    /// `Protocol` for what is no RESP2, `BodyTooLarge` beyond a limit.
    pub(super) fn end(&mut self, bytes: &[u8]) -> Result<Option<usize>, Failure> {
        loop {
            while self.open.last() == Some(&0) {
                self.open.pop();
            }
            let Some(left) = self.open.last_mut() else { return Ok(Some(self.at)) };
            let Some((element, length)) = element(&bytes[self.at..], self.bytes_max)? else {
                if bytes.len() as u64 > self.bytes_max {
                    return Err(too_large(self.bytes_max));
                }
                return Ok(None);
            };
            *left -= 1;
            self.at += length;
            self.elements += 1;
            if let Element::Array(count) = element {
                if self.open.len() > DEPTH_MAX {
                    return Err(protocol(format!("a reply has lists in more than {DEPTH_MAX} levels")));
                }
                if count.saturating_add(self.elements) > ELEMENTS_MAX {
                    let detail = format!("a reply has more than {ELEMENTS_MAX} elements");
                    return Err(Failure::new(ErrorKind::BodyTooLarge, detail));
                }
                self.open.push(count);
            }
        }
    }
}

/// The first element of `bytes`, and its length; none if it is not whole. Of a list, only its head.
pub(super) fn element(bytes: &[u8], bytes_max: u64) -> Result<Option<(Element<'_>, usize)>, Failure> {
    let Some(&mark) = bytes.first() else { return Ok(None) };
    if !matches!(mark, b'+' | b'-' | b':' | b'$' | b'*') {
        return Err(not_resp(bytes));
    }
    let Some(end) = memchr::memchr(b'\r', &bytes[1..]).map(|at| at + 1) else {
        if bytes.len() > LINE_BYTES_MAX {
            return Err(protocol(format!("a line of more than {LINE_BYTES_MAX} bytes")));
        }
        return Ok(None);
    };
    match bytes.get(end + 1) {
        None => return Ok(None),
        Some(b'\n') => {}
        Some(_) => return Err(not_resp(bytes)),
    }
    let (line, after) = (&bytes[1..end], end + 2);
    let element = match mark {
        b'+' => Element::Simple(line),
        b'-' => Element::Error(line),
        b':' => Element::Integer(integer(line).ok_or_else(|| not_resp(bytes))?),
        b'*' => match integer(line).ok_or_else(|| not_resp(bytes))? {
            -1 => Element::Nil,
            count => Element::Array(u64::try_from(count).map_err(|_| not_resp(bytes))?),
        },
        _ => match integer(line).ok_or_else(|| not_resp(bytes))? {
            -1 => Element::Nil,
            length => {
                let length = u64::try_from(length).map_err(|_| not_resp(bytes))?;
                if length > bytes_max {
                    return Err(too_large(bytes_max));
                }
                // At most the limit, which is a length in memory.
                let length = length as usize;
                let Some(content) = bytes.get(after..after + length) else { return Ok(None) };
                match &bytes[after + length..] {
                    [] | [b'\r'] => return Ok(None),
                    [b'\r', b'\n', ..] => {}
                    _ => return Err(protocol("a string is longer than it says".to_owned())),
                }
                return Ok(Some((Element::Bulk(content), after + length + 2)));
            }
        },
    };
    Ok(Some((element, after)))
}

fn integer(digits: &[u8]) -> Option<i64> {
    if digits.len() > 20 {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn protocol(detail: String) -> Failure {
    Failure::new(ErrorKind::Protocol, detail)
}

fn too_large(bytes_max: u64) -> Failure {
    Failure::new(ErrorKind::BodyTooLarge, format!("the reply is longer than the limit of {bytes_max} bytes"))
}

fn not_resp(bytes: &[u8]) -> Failure {
    let start = String::from_utf8_lossy(&bytes[..bytes.len().min(40)]).into_owned();
    protocol(format!("no reply of Redis; it starts with {start:?}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MAX: u64 = 1 << 20;

    fn end(bytes: &[u8], replies: u64) -> Result<Option<usize>, ErrorKind> {
        Scan::new(replies, MAX).end(bytes).map_err(|failure| failure.kind)
    }

    #[test]
    fn replies_end_where_they_should() {
        for (bytes, replies, expected) in [
            ("+OK\r\n", 1, Some(5)),
            ("+OK\r\nmore", 1, Some(5)),
            ("-ERR no\r\n", 1, Some(9)),
            (":-12\r\n", 1, Some(6)),
            ("$5\r\nhel\r\n\r\n", 1, Some(11)),
            ("$0\r\n\r\n", 1, Some(6)),
            ("$-1\r\n", 1, Some(5)),
            ("*-1\r\n", 1, Some(5)),
            ("*0\r\n", 1, Some(4)),
            ("*2\r\n:1\r\n*1\r\n+a\r\n", 1, Some(16)),
            ("+OK\r\n:1\r\n", 2, Some(9)),
            ("+OK\r\n", 2, None),
            ("*2\r\n:1\r\n", 1, None),
            ("$5\r\nhello", 1, None),
            ("", 1, None),
            ("+OK\r", 1, None),
        ] {
            assert_eq!(end(bytes.as_bytes(), replies), Ok(expected), "{bytes:?}");
        }
    }

    #[test]
    fn what_is_no_reply_is_told() {
        for bytes in
            ["HTTP/1.1 400", ":x\r\n", "$x\r\n", "$-2\r\n", "*-2\r\n", "$3\r\nabcde", "+a\rb", "%1\r\n", ":\r\n"]
        {
            assert_eq!(end(bytes.as_bytes(), 1), Err(ErrorKind::Protocol), "{bytes:?}");
        }
        let deep = "*1\r\n".repeat(DEPTH_MAX + 2);
        assert_eq!(end(deep.as_bytes(), 1), Err(ErrorKind::Protocol));
        let line = format!("+{}", "a".repeat(LINE_BYTES_MAX + 1));
        assert_eq!(end(line.as_bytes(), 1), Err(ErrorKind::Protocol));
        for large in ["$99999999\r\n", "*99999999\r\n"] {
            assert_eq!(end(large.as_bytes(), 1), Err(ErrorKind::BodyTooLarge), "{large:?}");
        }
        let many = format!("*9\r\n{}", format!("$400000\r\n{}\r\n", "a".repeat(400_000)).repeat(3));
        assert_eq!(end(many.as_bytes(), 1), Err(ErrorKind::BodyTooLarge));
    }

    fn reply() -> impl Strategy<Value = Vec<u8>> {
        let line = "[ -~]{0,12}";
        let leaf = prop_oneof![
            line.prop_map(|text| format!("+{text}\r\n").into_bytes()),
            line.prop_map(|text| format!("-{text}\r\n").into_bytes()),
            any::<i64>().prop_map(|number| format!(":{number}\r\n").into_bytes()),
            Just(b"$-1\r\n".to_vec()),
            prop::collection::vec(any::<u8>(), 0..40).prop_map(|content| {
                let mut out = Vec::new();
                write_argument(&mut out, &content);
                out
            }),
        ];
        leaf.prop_recursive(4, 24, 5, |inner| {
            prop::collection::vec(inner, 0..5).prop_map(|items| {
                let mut out = Vec::new();
                write_count(&mut out, items.len());
                items.iter().for_each(|item| out.extend_from_slice(item));
                out
            })
        })
    }

    proptest! {
        #[test]
        fn a_reply_ends_at_the_same_place_whole_and_byte_by_byte(reply in reply(), behind in prop::collection::vec(any::<u8>(), 0..4)) {
            let bytes = [reply.clone(), behind].concat();
            prop_assert_eq!(end(&bytes, 1), Ok(Some(reply.len())));
            let mut scan = Scan::new(1, MAX);
            for length in 0..reply.len() {
                prop_assert_eq!(scan.end(&bytes[..length]), Ok(None));
            }
            prop_assert_eq!(scan.end(&bytes), Ok(Some(reply.len())));
        }

        #[test]
        fn no_bytes_break_the_scan(bytes in prop::collection::vec(any::<u8>(), 0..80), mark in "[+:$*-]") {
            let bytes = [mark.as_bytes(), &bytes].concat();
            let whole = end(&bytes, 1);
            let mut scan = Scan::new(1, MAX);
            // A mistake shows at the same byte or before, an end at the same.
            let parts = (0..=bytes.len()).find_map(|length| scan.end(&bytes[..length]).transpose());
            match whole {
                Ok(Some(at)) => prop_assert_eq!(parts, Some(Ok(at))),
                Ok(None) => prop_assert_eq!(parts, None),
                Err(_) => prop_assert!(matches!(parts, Some(Err(_)))),
            }
        }

        #[test]
        fn commands_are_counted(arguments in prop::collection::vec(prop::collection::vec(prop::collection::vec(any::<u8>(), 0..9), 1..4), 0..5)) {
            let mut wire = Vec::new();
            for command in &arguments {
                write_count(&mut wire, command.len());
                command.iter().for_each(|argument| write_argument(&mut wire, argument));
            }
            prop_assert_eq!(commands(&wire), arguments.len() as u64);
            let mut rest = &wire[..];
            for command in &arguments {
                let (read, behind) = crate::protocol::next_command(rest).expect("a command");
                prop_assert_eq!(&read, command);
                rest = behind;
            }
        }
    }
}
