//! Histograms in HdrHistogram's V2 encoding, zlib-compressed, in base64: what its own tools read and write.
//!
//! The layout is that of `org.HdrHistogram`: cookie, length of the payload, offset, significant digits, lowest and
//! highest trackable value, ratio; then counts from value 0 up as ZigZag LEB128, where a negative number is a run of
//! zeros. Of run files it is written here rather than by `hdrhistogram`, which serialises dense histograms: a second of
//! one row has a few hundred of 23 000 counters in use, and a report of an hour reads hundreds of thousands of them. The
//! tests hold it against that crate.

use std::io::{Read, Write};

use base64::{Engine, engine::general_purpose::STANDARD};
use flate2::{Compression, read::ZlibDecoder, write::ZlibEncoder};

use crate::measure::buckets;

const COOKIE: u32 = 0x1c84_9313;
const COMPRESSED_COOKIE: u32 = 0x1c84_9314;
const DIGITS: u32 = 3;
const LOWEST: u64 = 1;
const HIGHEST: u64 = buckets::VALUE_US_MAX;
const HEADER_BYTES: usize = 40;
/// 23 552 counters of at most nine bytes each.
const ENCODED_BYTES_MAX: u64 = 256 * 1_024;

/// Buckets as [`Distribution::buckets`](crate::measure::Distribution::buckets) gives them: the highest value of
/// each in µs and its count, ascending.
pub(super) fn encode(buckets: impl Iterator<Item = (u64, u64)>) -> String {
    let mut payload = Vec::new();
    let mut next = 0;
    for (top, count) in buckets {
        let index = u64::from(buckets::index(top));
        if index > next {
            put_varint(&mut payload, -((index - next) as i64));
        }
        put_varint(&mut payload, count as i64);
        next = index + 1;
    }
    let mut plain = Vec::with_capacity(HEADER_BYTES + payload.len());
    for word in [COOKIE, payload.len() as u32, 0, DIGITS] {
        plain.extend(word.to_be_bytes());
    }
    plain.extend(LOWEST.to_be_bytes());
    plain.extend(HIGHEST.to_be_bytes());
    plain.extend(1.0f64.to_be_bytes());
    plain.extend(payload);
    let mut deflated = ZlibEncoder::new(Vec::new(), Compression::default());
    // Writing into memory cannot fail.
    let _ = deflated.write_all(&plain);
    let deflated = deflated.finish().unwrap_or_default();
    let mut whole = Vec::with_capacity(8 + deflated.len());
    whole.extend(COMPRESSED_COOKIE.to_be_bytes());
    whole.extend((deflated.len() as u32).to_be_bytes());
    whole.extend(deflated);
    STANDARD.encode(whole)
}

/// The buckets again.
///
/// # Errors
/// It is no histogram, or one of other bounds than ours.
pub(super) fn decode(text: &str) -> Result<Vec<(u64, u64)>, &'static str> {
    let whole = STANDARD.decode(text).map_err(|_| "a histogram is not base64")?;
    let (head, deflated) = whole.split_at_checked(8).ok_or("a histogram is too short")?;
    if word(head, 0) != Some(COMPRESSED_COOKIE) {
        return Err("a histogram is not in the V2 encoding");
    }
    let mut plain = Vec::new();
    let read = ZlibDecoder::new(deflated).take(ENCODED_BYTES_MAX).read_to_end(&mut plain);
    read.map_err(|_| "a histogram cannot be decompressed")?;
    let (head, payload) = plain.split_at_checked(HEADER_BYTES).ok_or("a histogram is too short")?;
    let length = word(head, 4).map_or(usize::MAX, |length| length as usize);
    let long = |at: usize| head.get(at..at + 8).and_then(|bytes| bytes.try_into().ok()).map(u64::from_be_bytes);
    if word(head, 0) != Some(COOKIE) || payload.len() != length {
        return Err("a histogram is not in the V2 encoding");
    }
    if (word(head, 12), long(16), long(24)) != (Some(DIGITS), Some(LOWEST), Some(HIGHEST)) {
        return Err("a histogram has other bounds than 1 µs to 1 h with three digits");
    }
    let mut buckets = Vec::new();
    let (mut rest, mut index) = (payload, 0u64);
    while !rest.is_empty() {
        let value = take_varint(&mut rest).ok_or("a histogram ends within a number")?;
        let end = if value < 0 { index.checked_add(value.unsigned_abs()) } else { Some(index + 1) };
        let end = end.filter(|&end| end <= buckets::COUNT as u64).ok_or("a histogram has too many counters")?;
        if value > 0 {
            // Below `COUNT`, so it fits.
            buckets.push((buckets::top(index as u16), value as u64));
        }
        index = end;
    }
    Ok(buckets)
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes)
}

/// ZigZag, then seven bits a byte; the ninth byte holds eight.
fn put_varint(out: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)) as u64;
    for _ in 0..8 {
        if rest < 0x80 {
            out.push(rest as u8);
            return;
        }
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

fn take_varint(from: &mut &[u8]) -> Option<i64> {
    let mut value = 0u64;
    for at in 0..9 {
        let (&byte, rest) = from.split_first()?;
        *from = rest;
        if at == 8 {
            value |= u64::from(byte) << 56;
            break;
        }
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            break;
        }
    }
    Some((value >> 1) as i64 ^ -((value & 1) as i64))
}

#[cfg(test)]
mod tests {
    use hdrhistogram::{
        Histogram,
        serialization::{Deserializer, Serializer, V2DeflateSerializer},
    };
    use proptest::prelude::*;

    use super::*;
    use crate::measure::Distribution;

    fn of(values: &[u64]) -> Distribution {
        let mut all = Distribution::default();
        values.iter().for_each(|&us| all.record(us * 1_000));
        all
    }

    fn values() -> impl Strategy<Value = Vec<u64>> {
        prop::collection::vec(prop_oneof![0u64..5_000, 0u64..=HIGHEST], 0..60)
    }

    proptest! {
        #[test]
        fn hdrhistogram_reads_what_is_written(values in values()) {
            let ours = of(&values);
            let bytes = STANDARD.decode(encode(ours.buckets())).expect("base64");
            let theirs: Histogram<u64> = Deserializer::new().deserialize(&mut bytes.as_slice()).expect("V2");
            prop_assert_eq!((theirs.low(), theirs.high(), theirs.sigfig()), (LOWEST, HIGHEST, 3));
            let read: Vec<_> = theirs
                .iter_recorded()
                .map(|at| (theirs.highest_equivalent(at.value_iterated_to()), at.count_at_value()))
                .collect();
            prop_assert_eq!(read, ours.buckets().collect::<Vec<_>>());
        }

        #[test]
        fn what_hdrhistogram_writes_is_read(values in values()) {
            let mut theirs = Histogram::<u64>::new_with_bounds(LOWEST, HIGHEST, 3).expect("valid");
            values.iter().for_each(|&us| theirs.record(us).expect("within the bounds"));
            let mut bytes = Vec::new();
            V2DeflateSerializer::new().serialize(&theirs, &mut bytes).expect("memory");
            prop_assert_eq!(decode(&STANDARD.encode(bytes)), Ok(of(&values).buckets().collect::<Vec<_>>()));
        }

        #[test]
        fn any_count_comes_back(counts in prop::collection::vec(1u64..=i64::MAX as u64, 1..9)) {
            let tops = [3, 900, 2_047, 2_049, 4_099, 90_111, 1_000_447, 3_600_809_983];
            let buckets: Vec<_> = tops.into_iter().zip(counts).collect();
            prop_assert_eq!(decode(&encode(buckets.iter().copied())), Ok(buckets));
        }

        #[test]
        fn no_text_makes_it_panic(text in "[A-Za-z0-9+/]{0,80}", flip in 0usize..60, bit in 0u8..8) {
            let _ = decode(&text);
            let mut bytes = STANDARD.decode(encode(of(&[5, 10, 70_000]).buckets())).expect("base64");
            let at = flip % bytes.len();
            bytes[at] ^= 1 << bit;
            let _ = decode(&STANDARD.encode(bytes));
        }
    }
}
