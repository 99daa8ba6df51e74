//! What has come of a response over HTTP/2, in the form that HTTP/1.1's has too.

use http::response::Parts;

use crate::protocol::{BufferPool, ErrorKind, Failure, Keep, Response};

/// A longer head is an error, in bytes: the same limits as HTTP/1.1's.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// More fields are an error.
const FIELDS_MAX: usize = 128;
/// More interim responses (1xx) before the final one are an error.
const INTERIM_MAX: u8 = 16;
/// Memory set aside at once for a body whose length the server announced, in bytes.
const RESERVE_BYTES_MAX: u64 = 1 << 20;

/// A response so far.
#[derive(Debug)]
pub struct Received {
    keep: Keep,
    body_bytes_max: u64,
    interim: u8,
    /// The status of the final head, 0 before it.
    pub status: u16,
    /// A field of it sets a cookie.
    pub sets_cookies: bool,
    /// Length of the body so far, in bytes.
    pub body_bytes: u64,
    /// Lengths of all heads before their compression, and of the body, in bytes.
    pub bytes: u64,
    head_len: usize,
    held: Vec<u8>,
}

impl Received {
    /// Nothing so far.
    pub fn new(keep: Keep, body_bytes_max: u64) -> Self {
        Self {
            keep,
            body_bytes_max,
            interim: 0,
            status: 0,
            sets_cookies: false,
            body_bytes: 0,
            bytes: 0,
            head_len: 0,
            held: Vec::new(),
        }
    }

    /// Takes an interim head.
    ///
    /// # Errors
    /// `Protocol` for too many.
    pub fn interim(&mut self, parts: &Parts) -> Result<(), Failure> {
        self.bytes += length(parts) as u64;
        self.interim += 1;
        if self.interim > INTERIM_MAX {
            return Err(Failure::new(ErrorKind::Protocol, "more than 16 interim responses"));
        }
        Ok(())
    }

    /// Takes the final head. `has_body` unless it says that nothing follows.
    ///
    /// # Errors
    /// `HeadTooLarge`, or `BodyTooLarge` by what it announces.
    pub fn head(&mut self, parts: &Parts, has_body: bool, pool: &BufferPool) -> Result<(), Failure> {
        let length = length(parts);
        self.bytes += length as u64;
        if length > HEAD_BYTES_MAX {
            return Err(Failure::new(ErrorKind::HeadTooLarge, "the head is longer than 64 KiB"));
        }
        if parts.headers.len() > FIELDS_MAX {
            return Err(Failure::new(ErrorKind::HeadTooLarge, "the head has more than 128 fields"));
        }
        self.status = parts.status.as_u16();
        self.sets_cookies = parts.headers.contains_key(http::header::SET_COOKIE);
        // A head that sets cookies is kept whatever was asked for.
        if self.sets_cookies {
            self.keep = self.keep.max(Keep::Head);
        }
        if self.keep > Keep::Nothing {
            self.held = pool.take();
            self.write(parts);
            self.head_len = self.held.len();
        }
        let announced = has_body.then(|| announced(parts)).flatten();
        if let Some(bytes) = announced {
            if bytes > self.body_bytes_max {
                let limit = self.body_bytes_max;
                let detail = format!("the body has {bytes} bytes, more than the limit of {limit}");
                return Err(Failure::new(ErrorKind::BodyTooLarge, detail));
            }
            if self.keep == Keep::Body {
                // At most 1 MiB, so it fits.
                self.held.reserve(bytes.min(RESERVE_BYTES_MAX) as usize);
            }
        }
        Ok(())
    }

    /// Takes a piece of the body.
    ///
    /// # Errors
    /// `BodyTooLarge`.
    pub fn body(&mut self, piece: &[u8]) -> Result<(), Failure> {
        self.body_bytes += piece.len() as u64;
        self.bytes += piece.len() as u64;
        if self.body_bytes > self.body_bytes_max {
            let detail = format!("the body is longer than the limit of {} bytes", self.body_bytes_max);
            return Err(Failure::new(ErrorKind::BodyTooLarge, detail));
        }
        if self.keep == Keep::Body {
            self.held.extend_from_slice(piece);
        }
        Ok(())
    }

    /// What was to be kept, where a final head was read; of a body that broke off, what came of it.
    pub fn into_response(self, pool: &BufferPool) -> Option<Response> {
        if self.head_len == 0 {
            pool.give(self.held);
            return None;
        }
        Some(pool.response(self.held, self.head_len))
    }

    /// Writes a head as lines; HTTP/2 has no line ends within fields.
    fn write(&mut self, parts: &Parts) {
        self.held.extend_from_slice(b"HTTP/2 ");
        self.held.extend_from_slice(parts.status.as_str().as_bytes());
        self.held.extend_from_slice(b"\r\n");
        for (name, value) in &parts.headers {
            self.held.extend_from_slice(name.as_str().as_bytes());
            self.held.extend_from_slice(b": ");
            self.held.extend_from_slice(value.as_bytes());
            self.held.extend_from_slice(b"\r\n");
        }
        self.held.extend_from_slice(b"\r\n");
    }
}

/// How long a head is as lines, in bytes.
fn length(parts: &Parts) -> usize {
    const FRAME: usize = "HTTP/2 200\r\n\r\n".len();
    parts.headers.iter().fold(FRAME, |sum, (name, value)| sum + name.as_str().len() + value.len() + ": \r\n".len())
}

fn announced(parts: &Parts) -> Option<u64> {
    parts.headers.get(http::header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
