//! Any bytes as a chunked body.

use crate::http::h1::{Decoder, Piece};

/// Reads the bytes after the first as a chunked body; the first one says how they are cut.
///
/// Holds: the body and its end are the same however the bytes are cut, and those of a decoder that looks at all bytes at
/// once; a size that is accepted is the one that httparse reads.
pub fn chunked(data: &[u8]) {
    let Some((&cut, coded)) = data.split_first() else { return };
    let coded = &coded[..coded.len().min(8_000)];
    let whole = decode(coded, coded.len().max(1));
    for size in [1, 2 + usize::from(cut)] {
        assert_eq!(decode(coded, size), whole, "in pieces of {size}");
    }
    assert_eq!(whole.ok().flatten(), at_once(coded));
}

/// The body and where it ends, where it does.
type Decoded = Option<(Vec<u8>, usize)>;

fn decode(coded: &[u8], size: usize) -> Result<Decoded, &'static str> {
    let (mut decoder, mut body, mut at) = (Decoder::default(), Vec::new(), 0);
    for piece in coded.chunks(size) {
        let mut rest = piece;
        while !rest.is_empty() {
            let len = match decoder.next(rest)? {
                Piece::Framing(len) => len,
                Piece::Data(len) => {
                    body.extend_from_slice(&rest[..len]);
                    len
                }
                Piece::End(len) => return Ok(Some((body, at + len))),
            };
            assert!(len > 0, "it goes on");
            at += len;
            rest = &rest[len..];
        }
    }
    Ok(None)
}

/// RFC 9112, section 7.1, line by line, on input below the limits of overhead.
fn at_once(coded: &[u8]) -> Decoded {
    let (mut body, mut at) = (Vec::new(), 0);
    loop {
        let line = line(&coded[at..])?;
        let size = size_of(line)?;
        if let Ok(httparse::Status::Complete((len, theirs))) = httparse::parse_chunk_size(&coded[at..]) {
            assert_eq!((len, theirs), (line.len() + 2, size));
        }
        at += line.len() + 2;
        if size == 0 {
            break;
        }
        let end = at.checked_add(usize::try_from(size).ok()?)?;
        body.extend_from_slice(coded.get(at..end)?);
        at = end + 2;
        if coded.get(end..at)? != b"\r\n" {
            return None;
        }
    }
    loop {
        let line = line(&coded[at..])?;
        at += line.len() + 2;
        if line.is_empty() {
            return Some((body, at));
        }
        let colon = line.iter().position(|&byte| byte == b':').filter(|&at| at > 0)?;
        if line[..colon].iter().any(|byte| !(b'!'..=b'~').contains(byte)) {
            return None;
        }
    }
}

/// The bytes before the first CR, which LF must follow; without LF and NUL.
fn line(input: &[u8]) -> Option<&[u8]> {
    let (line, after) = input.split_at(input.iter().position(|&byte| byte == b'\r')?);
    (after.starts_with(b"\r\n") && !line.contains(&b'\n') && !line.contains(&0)).then_some(line)
}

fn size_of(line: &[u8]) -> Option<u64> {
    let before = line.split(|&byte| byte == b';').next()?;
    let digits = &before[..before.iter().position(|byte| !byte.is_ascii_hexdigit()).unwrap_or(before.len())];
    let padding = &before[digits.len()..];
    if digits.is_empty() || padding.iter().any(|byte| !matches!(byte, b' ' | b'\t')) {
        return None;
    }
    digits
        .iter()
        .try_fold(0u64, |value, &digit| value.checked_mul(16)?.checked_add(u64::from(char::from(digit).to_digit(16)?)))
}
