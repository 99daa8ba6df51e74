//! Finds the lines of a head 64 bytes at a time. What servers usually send is read here, at a third of the cost
//! of a general parser; anything else (a head that is not whole, bare line feeds, what is malformed) is
//! left to that parser, which also tells what is wrong with it.

use wide::{CmpEq, CmpLt, i8x16};

const BLOCK: usize = 64;
/// Where the reason phrase of a usual status line begins: after `HTTP/1.1 200 `.
const REASON: usize = 13;

/// A head in the usual form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scanned {
    /// Length with the blank line, in bytes.
    pub len: usize,
    /// 100 to 999.
    pub status: u16,
}

/// Where bytes of a kind are among the 64 of a block, one bit each.
struct Block {
    line_feed: u64,
    carriage_return: u64,
    /// No letter, digit or hyphen, of which the names of fields usually are.
    not_name: u64,
    /// Control characters, line ends among them.
    control: u64,
}

/// Reads an HTTP/1.1 head whose lines all end with CR LF and gives `field` the name and the value, with the white space
/// around it, of each of at most `fields_max` fields; `None` when `bytes` does not begin with such a head. `field`
/// may have been called then too.
pub fn scan<'a>(bytes: &'a [u8], fields_max: usize, mut field: impl FnMut(&'a [u8], &'a [u8])) -> Option<Scanned> {
    let status = status(bytes)?;
    // Where the line that is being read begins, and where its colon is, once found; the status line has none.
    let (mut line, mut colon) = (0, Some(REASON - 1));
    let mut lines = 0;
    let mut after_return = 0;
    for base in (0..bytes.len()).step_by(BLOCK) {
        let Block { mut line_feed, carriage_return, not_name, control } = Block::of(bytes, base);
        // What may not be in a head: a control character that ends no line, a CR without LF. A tab may, but seldom is.
        let stray = ((carriage_return << 1) | after_return) & !line_feed;
        let wrong = (control & !(line_feed | carriage_return)) | stray;
        after_return = carriage_return >> (BLOCK - 1);
        while line < base + BLOCK {
            let at = match colon {
                Some(at) => at,
                None => {
                    let ahead = not_name & (u64::MAX << line.saturating_sub(base));
                    if ahead == 0 {
                        break;
                    }
                    let at = base + ahead.trailing_zeros() as usize;
                    match bytes.get(at)? {
                        b':' if at > line => colon = Some(at),
                        b'\r' if at == line && bytes.get(at + 1) == Some(&b'\n') => {
                            let within = u64::MAX >> (BLOCK - 1 - (at - base));
                            return (wrong & within == 0).then_some(Scanned { len: at + 2, status });
                        }
                        _ => return None,
                    }
                    at
                }
            };
            if line_feed == 0 {
                break;
            }
            // Line feeds before the colon were taken with the lines before, or found as no part of a name.
            let end = base + line_feed.trailing_zeros() as usize;
            line_feed &= line_feed - 1;
            if lines > 0 {
                field(&bytes[line..at], bytes.get(at + 1..end)?.strip_suffix(b"\r")?);
            } else if bytes.get(end - 1) != Some(&b'\r') {
                return None;
            }
            (line, colon) = (end + 1, None);
            lines += 1;
            if lines > fields_max + 1 {
                return None;
            }
        }
        if wrong != 0 {
            return None;
        }
    }
    None
}

/// The code of a usual status line.
fn status(bytes: &[u8]) -> Option<u16> {
    let digits = bytes.get(..REASON)?.strip_prefix(b"HTTP/1.1 ")?.strip_suffix(b" ")?;
    let status = digits
        .iter()
        .try_fold(0, |status, digit| digit.is_ascii_digit().then(|| status * 10 + u16::from(digit - b'0')))?;
    (status >= 100).then_some(status)
}

impl Block {
    /// The 64 bytes from `base`; those past the end count as letters.
    fn of(bytes: &[u8], base: usize) -> Self {
        let rest = &bytes[base..];
        if let Some(block) = rest.first_chunk() {
            return Self::classify(block);
        }
        let mut block = [b'x'; BLOCK];
        block[..rest.len()].copy_from_slice(rest);
        Self::classify(&block)
    }

    fn classify(bytes: &[u8; BLOCK]) -> Self {
        let mut block = Self { line_feed: 0, carriage_return: 0, not_name: 0, control: 0 };
        for (index, lane) in bytes.as_chunks::<16>().0.iter().enumerate() {
            let lane = Lane::of(lane);
            let name = lane.lower().within(b'a', b'z').or(lane.within(b'0', b'9')).or(lane.equal(b'-'));
            let control = lane.within(0, b' ' - 1).or(lane.equal(0x7f));
            let shift = index * 16;
            block.line_feed |= lane.equal(b'\n').bits() << shift;
            block.carriage_return |= lane.equal(b'\r').bits() << shift;
            block.not_name |= (name.bits() ^ 0xffff) << shift;
            block.control |= control.bits() << shift;
        }
        block
    }
}

/// Sixteen bytes, or what was found of each: all bits set or none.
#[derive(Clone, Copy)]
struct Lane(i8x16);

impl Lane {
    fn of(bytes: &[u8; 16]) -> Self {
        Self(i8x16::new(bytes.map(u8::cast_signed)))
    }

    fn all(byte: u8) -> i8x16 {
        i8x16::splat(byte.cast_signed())
    }

    fn equal(self, byte: u8) -> Self {
        Self(self.0.cmp_eq(Self::all(byte)))
    }

    /// Bytes from `low` to `high`. There is only a signed comparison: the range is moved down to the lowest value.
    fn within(self, low: u8, high: u8) -> Self {
        let moved = self.0 - Self::all(low.wrapping_add(0x80));
        let end = (high - low + 1).wrapping_add(0x80);
        Self(moved.cmp_lt(Self::all(end)))
    }

    /// Capitals as small letters; other bytes may change too, none of them into a letter.
    fn lower(self) -> Self {
        Self(self.0 | Self::all(0x20))
    }

    fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// One bit a byte, the first the lowest.
    fn bits(self) -> u64 {
        u64::from(self.0.move_mask().cast_unsigned())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A head and the names and values of its fields.
    type Read = (Scanned, Vec<(Vec<u8>, Vec<u8>)>);

    /// What the general parser makes of `bytes`, where it accepts them.
    fn reference(bytes: &[u8]) -> Option<Read> {
        let mut fields = [httparse::EMPTY_HEADER; 32];
        let mut response = httparse::Response::new(&mut fields);
        let Ok(httparse::Status::Complete(len)) = response.parse(bytes) else { return None };
        let fields = response.headers.iter().map(|field| (field.name.as_bytes().to_vec(), field.value.to_vec()));
        Some((Scanned { len, status: response.code? }, fields.collect()))
    }

    fn scanned(bytes: &[u8]) -> Option<Read> {
        let mut fields = Vec::new();
        let scanned = scan(bytes, 32, |name, value| fields.push((name.to_vec(), value.trim_ascii().to_vec())))?;
        Some((scanned, fields))
    }

    const USUAL: &str = "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Sat, 21 Nov 2026 12:00:00 GMT\r\n\
        Content-Type: application/json\r\nContent-Length: 2\r\nX-Empty:\r\nX-Padded:   a b  \r\nConnection: keep-alive\r\n\r\n{}";

    #[test]
    fn a_usual_head_is_read_wherever_it_ends() {
        assert!(scanned(USUAL.as_bytes()).is_some());
        for extra in 0..200 {
            let text = USUAL.replace("nginx", &"n".repeat(extra));
            assert_eq!(scanned(text.as_bytes()), reference(text.as_bytes()), "{extra}");
        }
    }

    #[test]
    fn a_head_that_is_not_whole_is_left_to_the_general_parser() {
        for end in 0..USUAL.len() - 2 {
            assert_eq!(scanned(&USUAL.as_bytes()[..end]), None, "{end} bytes");
        }
    }

    #[test]
    fn bytes_of_every_value_are_classified_as_the_general_parser_does() {
        for byte in 0..=u8::MAX {
            for at in 0..USUAL.len() - 2 {
                let mut bytes = USUAL.as_bytes().to_vec();
                bytes[at] = byte;
                if let Some(found) = scanned(&bytes) {
                    assert_eq!(Some(found), reference(&bytes), "{byte:#x} at {at}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_read_is_what_the_general_parser_reads(
            fields in prop::collection::vec(("[A-Za-z0-9-]{1,40}", "[ ]{0,2}[!-~]{0,80}[ ]{0,2}"), 0..20),
            edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
            body in prop::collection::vec(any::<u8>(), 0..100),
        ) {
            let lines: String = fields.iter().map(|(name, value)| format!("{name}:{value}\r\n")).collect();
            let mut bytes = format!("HTTP/1.1 404 Not Found\r\n{lines}\r\n").into_bytes();
            bytes.extend(&body);
            let whole = edits.is_empty();
            for (at, byte) in edits {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            let found = scanned(&bytes);
            prop_assert!(!whole || found.is_some());
            if found.is_some() {
                prop_assert_eq!(found, reference(&bytes));
            }
        }
    }
}
