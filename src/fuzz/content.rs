//! Compressed bodies.

use std::io::Write;

use flate2::{
    Compression,
    write::{DeflateEncoder, GzEncoder, ZlibEncoder},
};

use crate::protocol::{ErrorKind, Response};

/// The longest content that is read, in bytes.
const BYTES_MAX: u64 = 20_000;

/// Takes the bytes after the first as a body of the codings that the first says; and as a content, which is put into
/// each coding.
///
/// Holds: content keeps to its limit; what was coded is what was there before.
pub fn content(data: &[u8]) {
    let Some((&how, bytes)) = data.split_first() else { return };
    let codings = ["gzip", "deflate", "br", "zstd", "identity, gzip", "br, gzip", "zstd, deflate, br", "x-gzip"];
    match decoded(codings[usize::from(how) % codings.len()], bytes) {
        Ok(content) => assert!(content.len() as u64 <= BYTES_MAX || content == bytes),
        Err(kind) => assert!(matches!(kind, ErrorKind::ContentEncoding | ErrorKind::BodyTooLarge), "{kind}"),
    }
    let bytes = &bytes[..bytes.len().min(BYTES_MAX as usize)];
    let level = Compression::new(u32::from(how) % 10);
    for (coding, body) in [
        ("gzip", finished(GzEncoder::new(Vec::new(), level), bytes, GzEncoder::finish)),
        ("deflate", finished(ZlibEncoder::new(Vec::new(), level), bytes, ZlibEncoder::finish)),
        ("deflate", finished(DeflateEncoder::new(Vec::new(), level), bytes, DeflateEncoder::finish)),
        ("zstd", ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)),
    ] {
        // zlib's frame is guessed from two bytes, which a body without it may begin with.
        if coding == "deflate" && decoded(coding, &body).as_deref() != Ok(bytes) {
            assert!(body.first().is_some_and(|first| first & 0x0f == 8), "{body:?}");
            continue;
        }
        assert_eq!(decoded(coding, &body).as_deref(), Ok(bytes), "{coding}");
    }
}

fn finished<W: Write>(mut encoder: W, bytes: &[u8], finish: fn(W) -> std::io::Result<Vec<u8>>) -> Vec<u8> {
    encoder.write_all(bytes).expect("memory");
    finish(encoder).expect("memory")
}

fn decoded(coding: &str, body: &[u8]) -> Result<Vec<u8>, ErrorKind> {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\n\r\n");
    let mut response = Response::detached([head.as_bytes(), body].concat(), head.len());
    response.limit_content(BYTES_MAX);
    response.content().map(<[u8]>::to_vec).map_err(|failure| failure.kind)
}
