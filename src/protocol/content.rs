//! Undoing the codings of a response's content (RFC 9110, section 8.4).

use std::io::Read;

use super::{ErrorKind, Failure};

/// What is asked for where compressed responses are.
pub const ACCEPTED: &str = "gzip, br, zstd, deflate";
/// More codings on top of each other are an error.
const CODINGS_MAX: usize = 3;

/// The content of `body`, whose `content-encoding` is `encoding`; none where nothing needs to be undone, or where
/// a coding is not known.
///
/// # Errors
/// `ContentEncoding` for what is not of its coding, `BodyTooLarge` beyond `bytes_max`.
pub(super) fn decode(encoding: &[u8], body: &[u8], bytes_max: u64) -> Result<Option<Vec<u8>>, Failure> {
    let text = String::from_utf8_lossy(encoding).to_ascii_lowercase();
    let codings: Vec<&str> =
        text.split(',').map(str::trim).filter(|coding| !coding.is_empty() && *coding != "identity").collect();
    let is_known = |coding: &str| matches!(coding, "gzip" | "x-gzip" | "br" | "zstd" | "deflate");
    // The answer to HEAD, and 304, name a coding and have no body.
    if body.is_empty() || codings.is_empty() || !codings.iter().all(|coding| is_known(coding)) {
        return Ok(None);
    }
    if codings.len() > CODINGS_MAX {
        return Err(Failure::new(ErrorKind::ContentEncoding, format!("more than {CODINGS_MAX} codings in a row")));
    }
    // They were applied in the order of the list.
    let mut content: Option<Vec<u8>> = None;
    for coding in codings.iter().rev() {
        let input = content.as_deref().unwrap_or(body);
        content = Some(undo(coding, input, bytes_max)?);
    }
    Ok(content)
}

fn undo(coding: &str, input: &[u8], bytes_max: u64) -> Result<Vec<u8>, Failure> {
    let broken = |error: &dyn std::fmt::Display| {
        Failure::new(ErrorKind::ContentEncoding, format!("the body is not valid {coding}: {error}"))
    };
    let mut reader: Box<dyn Read + '_> = match coding {
        "br" => Box::new(brotli_decompressor::Decompressor::new(input, 4_096)),
        "zstd" => Box::new(ruzstd::decoding::StreamingDecoder::new(input).map_err(|error| broken(&error))?),
        // What most servers call so is zlib's format; some send it without zlib's frame.
        "deflate" if is_zlib(input) => Box::new(flate2::bufread::ZlibDecoder::new(input)),
        "deflate" => Box::new(flate2::bufread::DeflateDecoder::new(input)),
        _ => Box::new(flate2::bufread::MultiGzDecoder::new(input)),
    };
    let mut out = Vec::new();
    // One byte beyond the limit is enough to know.
    reader.by_ref().take(bytes_max.saturating_add(1)).read_to_end(&mut out).map_err(|error| broken(&error))?;
    if out.len() as u64 > bytes_max {
        let detail = format!("the body is longer than the limit of {bytes_max} bytes when its {coding} is undone");
        return Err(Failure::new(ErrorKind::BodyTooLarge, detail));
    }
    Ok(out)
}

/// RFC 1950, section 2.2.
fn is_zlib(input: &[u8]) -> bool {
    matches!(input, [first, second, ..]
        if first & 0x0f == 8 && (u16::from(*first) << 8 | u16::from(*second)).is_multiple_of(31))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{
        Compression,
        write::{DeflateEncoder, GzEncoder, ZlibEncoder},
    };

    use super::*;

    const TEXT: &[u8] = b"hello hello hello hello";
    /// `TEXT` as the reference implementation of brotli writes it.
    const BROTLI: &[u8] = &[
        0x1b, 0x16, 0x00, 0xf8, 0x8d, 0x94, 0x6e, 0xde, 0x44, 0x55, 0x86, 0x96, 0x6c, 0x20, 0x6f, 0x21, 0x4f, 0x1c,
        0xe0, 0x38,
    ];

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).expect("memory");
        encoder.finish().expect("memory")
    }

    fn zlib(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).expect("memory");
        encoder.finish().expect("memory")
    }

    fn deflate(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).expect("memory");
        encoder.finish().expect("memory")
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
    }

    #[test]
    fn each_coding_is_undone() {
        for (encoding, body) in [
            ("gzip", gzip(TEXT)),
            ("X-GZIP", gzip(TEXT)),
            ("gzip", [gzip(&TEXT[..5]), gzip(&TEXT[5..])].concat()),
            ("deflate", zlib(TEXT)),
            ("deflate", deflate(TEXT)),
            ("br", BROTLI.to_vec()),
            ("zstd", zstd(TEXT)),
            ("gzip, deflate", zlib(&gzip(TEXT))),
            ("identity, gzip", gzip(TEXT)),
        ] {
            assert_eq!(decode(encoding.as_bytes(), &body, 100), Ok(Some(TEXT.to_vec())), "{encoding}");
        }
    }

    #[test]
    fn what_needs_nothing_is_left_alone() {
        for (encoding, body) in [("", "x"), ("identity", "x"), ("compress", "x"), ("gzip", "")] {
            assert_eq!(decode(encoding.as_bytes(), body.as_bytes(), 100), Ok(None), "{encoding}");
        }
    }

    #[test]
    fn what_is_not_of_its_coding_fails() {
        let whole = gzip(TEXT);
        for (encoding, body) in [
            ("gzip", &b"hello"[..]),
            ("gzip", &whole[..whole.len() - 3]),
            ("br", b"\xff\xff\xff\xff"),
            ("zstd", b"hello there"),
            ("deflate", b"\xff\xff\xff"),
            ("gzip,gzip,gzip,gzip", b"x"),
        ] {
            let failure = decode(encoding.as_bytes(), body, 100).expect_err(encoding);
            assert_eq!(failure.kind, ErrorKind::ContentEncoding, "{encoding}");
        }
    }

    #[test]
    fn a_bomb_ends_at_the_limit() {
        let bomb = gzip(&vec![0; 50 << 20]);
        assert!(bomb.len() < 100_000);
        for (encoding, body) in [("gzip", bomb.clone()), ("gzip, gzip", gzip(&bomb))] {
            let failure = decode(encoding.as_bytes(), &body, 1 << 20).expect_err("too long");
            assert_eq!(failure.kind, ErrorKind::BodyTooLarge);
        }
        assert_eq!(decode(b"gzip", &gzip(&[7; 1_000]), 1_000).map(|content| content.map(|c| c.len())), Ok(Some(1_000)));
    }
}
