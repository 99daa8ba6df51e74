//! The table of responses, fed whole, byte by byte and cut anywhere: always the same verdict.

use proptest::prelude::*;

use super::{
    Progress, ResponseReader,
    response_table::{BODY_BYTES_MAX, Verdict, rows},
};
use crate::protocol::{BufferPool, Keep};

/// Feeds the pieces, then closes: the verdict, and what was kept of the head.
fn read<'a>(pieces: impl Iterator<Item = &'a [u8]>, is_head: bool, keep: Keep) -> (Verdict, Vec<u8>) {
    let pool = BufferPool::default();
    let mut reader = ResponseReader::new(keep, is_head, BODY_BYTES_MAX);
    let mut outcome = Ok(Progress::More);
    for piece in pieces {
        if outcome == Ok(Progress::More) {
            outcome = reader.feed(piece, &pool);
        } else if outcome == Ok(Progress::Done) {
            // What comes later is noticed when the connection is to be used again.
            return (Verdict::Whole(reader.status(), kept_body(reader, &pool, keep), false), Vec::new());
        }
    }
    if outcome == Ok(Progress::More) {
        outcome = reader.close().map(|()| Progress::Done);
    }
    if let Err(failure) = outcome {
        return (Verdict::Fails(failure.kind), Vec::new());
    }
    let (status, reusable, body_bytes) = (reader.status(), reader.is_reusable(), reader.body_bytes());
    let response = reader.take_response(&pool);
    let head = response.as_ref().map(|response| response.head().to_vec()).unwrap_or_default();
    let body = response.map(|response| response.body().to_vec()).unwrap_or_default();
    if keep == Keep::Body {
        assert_eq!(body.len() as u64, body_bytes);
    }
    (Verdict::Whole(status, body, reusable), head)
}

fn kept_body(mut reader: ResponseReader, pool: &BufferPool, keep: Keep) -> Vec<u8> {
    let response = reader.take_response(pool);
    assert_eq!(response.is_some(), keep > Keep::Nothing);
    response.map(|response| response.body().to_vec()).unwrap_or_default()
}

/// The row's verdict as a reader that keeps less sees it.
fn without_body(verdict: &Verdict) -> Verdict {
    match verdict {
        Verdict::Whole(status, _, reusable) => Verdict::Whole(*status, Vec::new(), *reusable),
        fails => fails.clone(),
    }
}

#[test]
fn the_table_has_no_row_twice() {
    let rows = rows();
    let mut seen = std::collections::HashSet::new();
    for row in &rows {
        assert!(seen.insert((&row.bytes, row.is_head)), "{}", row.why);
    }
    assert!(rows.len() > 120, "{} rows", rows.len());
}

#[test]
fn a_response_that_comes_whole() {
    for row in rows() {
        let (verdict, head) = read(std::iter::once(&row.bytes[..]), row.is_head, Keep::Body);
        assert_eq!(verdict, row.verdict, "{}", row.why);
        if let Verdict::Whole(..) = verdict {
            assert!(head.starts_with(b"HTTP/1.") || head.starts_with(b"\r\n"), "{}", row.why);
            assert!(head.ends_with(b"\n\n") || head.ends_with(b"\r\n\r\n"), "{}", row.why);
        }
        for keep in [Keep::Nothing, Keep::Head] {
            let (verdict, kept) = read(std::iter::once(&row.bytes[..]), row.is_head, keep);
            assert_eq!(verdict, without_body(&row.verdict), "{keep:?}: {}", row.why);
            assert_eq!(kept, if keep == Keep::Head { head.clone() } else { Vec::new() }, "{}", row.why);
        }
    }
}

#[test]
fn a_response_that_comes_byte_by_byte() {
    for row in rows() {
        for keep in [Keep::Nothing, Keep::Head, Keep::Body] {
            let expected = if keep == Keep::Body { row.verdict.clone() } else { without_body(&row.verdict) };
            assert_eq!(read(row.bytes.chunks(1), row.is_head, keep).0, expected, "{keep:?}: {}", row.why);
        }
    }
}

/// `bytes` cut at these places, in whatever order they come.
fn cut(bytes: &[u8], places: &[prop::sample::Index]) -> Vec<Vec<u8>> {
    let mut ends: Vec<usize> = places.iter().map(|place| place.index(bytes.len() + 1)).collect();
    ends.push(bytes.len());
    ends.sort_unstable();
    let mut start = 0;
    ends.into_iter().map(|end| bytes[std::mem::replace(&mut start, end)..end].to_vec()).collect()
}

proptest! {
    #[test]
    fn a_response_that_comes_in_pieces(
        row in any::<prop::sample::Index>(),
        places in proptest::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let rows = rows();
        let row = row.get(&rows);
        let pieces = cut(&row.bytes, &places);
        let pieces = pieces.iter().map(Vec::as_slice).filter(|piece| !piece.is_empty());
        prop_assert_eq!(read(pieces, row.is_head, Keep::Body).0, row.verdict.clone(), "{}", row.why);
    }

    #[test]
    fn a_damaged_response_never_breaks_the_reader(
        row in any::<prop::sample::Index>(),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..3), 1..6),
        places in proptest::collection::vec(any::<prop::sample::Index>(), 0..4),
    ) {
        let rows = rows();
        let row = row.get(&rows);
        let mut bytes = row.bytes.clone();
        for (place, byte, how) in damage {
            let at = place.index(bytes.len() + 1);
            match how {
                0 => bytes.insert(at, byte),
                1 if at < bytes.len() => bytes[at] = byte,
                _ if at < bytes.len() => drop(bytes.remove(at)),
                _ => {}
            }
        }
        let whole = read(std::iter::once(&bytes[..]), row.is_head, Keep::Body).0;
        let pieces = cut(&bytes, &places);
        let pieces = pieces.iter().map(Vec::as_slice).filter(|piece| !piece.is_empty());
        prop_assert_eq!(read(pieces, row.is_head, Keep::Body).0, whole);
    }

    #[test]
    fn memory_held_is_bounded_by_the_limits(
        piece in proptest::collection::vec(any::<u8>(), 1..3_000),
        start in prop_oneof![Just(""), Just("HTTP/1.1 200 OK\r\n"), Just("HTTP/1.1 200 OK\r\n\r\n")],
    ) {
        let pool = BufferPool::default();
        let mut reader = ResponseReader::new(Keep::Body, false, BODY_BYTES_MAX);
        let mut outcome = if start.is_empty() { Ok(Progress::More) } else { reader.feed(start.as_bytes(), &pool) };
        for _ in 0..200 {
            if outcome != Ok(Progress::More) {
                break;
            }
            outcome = reader.feed(&piece, &pool);
        }
        let held = reader.take_response(&pool).map_or(0, |response| response.head().len() + response.body().len());
        prop_assert!(held <= 64 * 1024 + BODY_BYTES_MAX as usize, "{held} bytes");
    }
}
