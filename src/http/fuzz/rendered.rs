//! A response that is well formed, whatever the bytes: it must be read as it was written.

use super::{BODY_BYTES_MAX, read};
use crate::protocol::Keep;

/// Writes a response made of `data`, with its body framed in one of three ways and cut into pieces of its choice, and
/// reads it.
///
/// Holds: status and body are what was written, to the byte, and the connection is reusable where it should be.
pub fn rendered(data: &[u8]) {
    let &[framing, status, chunk, cut, fields, ref body @ ..] = data else { return };
    let body = &body[..body.len().min(BODY_BYTES_MAX as usize)];
    let status = [200, 201, 206, 299, 400, 404, 418, 500, 503, 999][usize::from(status) % 10];
    let mut wire = format!("HTTP/1.1 {status} {}\r\n", ["OK", "", "a b"][usize::from(fields) % 3]).into_bytes();
    // Interim responses say nothing of the one that counts.
    if framing & 0x80 != 0 {
        wire.splice(0..0, *b"HTTP/1.1 103 Early Hints\r\nContent-Length: 9\r\n\r\n");
    }
    let names = ["X-Long-Field", "content-language", "Set-Cookie", "x", "Connection", "ETag"];
    for (at, name) in names.iter().enumerate().filter(|(at, _)| fields >> at & 1 == 1) {
        wire.extend_from_slice(format!("{name}: {}\r\n", "v".repeat(at * usize::from(chunk))).as_bytes());
    }
    let mut closes = false;
    match framing % 3 {
        0 => {
            wire.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
            wire.extend_from_slice(body);
        }
        1 => {
            wire.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n");
            for (at, piece) in body.chunks(1 + usize::from(chunk)).enumerate() {
                let extension = ["", ";a=b", " ", ";q=\";\""][(at + usize::from(chunk)) % 4];
                wire.extend_from_slice(format!("{:x}{extension}\r\n", piece.len()).as_bytes());
                wire.extend_from_slice(piece);
                wire.extend_from_slice(b"\r\n");
            }
            wire.extend_from_slice(if framing & 0x40 == 0 { b"0\r\n\r\n" } else { b"000;x\r\nX-Sum: 1\r\n\r\n" });
        }
        _ => {
            closes = true;
            wire.extend_from_slice(b"\r\n");
            wire.extend_from_slice(body);
        }
    }
    let read = read(wire.chunks(1 + usize::from(cut)), false, Keep::Body);
    let whole = read.verdict.unwrap_or_else(|kind| panic!("{kind}: {:?}", String::from_utf8_lossy(&wire)));
    assert_eq!((whole.status, whole.body.as_slice(), whole.body_bytes), (status, body, body.len() as u64));
    assert_eq!(whole.sets_cookies, fields & 4 != 0);
    assert_eq!(read.reusable, !closes);
    assert_eq!(read.used, wire.len(), "nothing of it is left over");
}
