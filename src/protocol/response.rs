//! A response's bytes, in a buffer that goes back to its worker's pool when nobody reads it any more.

use std::{
    cell::{OnceCell, RefCell},
    rc::{Rc, Weak},
};

use super::{Failure, content};

/// Buffers that one worker's responses are read into. Most recently used first, so that it stays in cache.
#[derive(Debug, Clone, Default)]
pub struct BufferPool(Rc<RefCell<Vec<Vec<u8>>>>);

/// More idle buffers than this are given back to the allocator.
const IDLE_BUFFERS_MAX: usize = 64;
/// A buffer that grew beyond this is not kept, in bytes.
const KEPT_BYTES_MAX: usize = 256 * 1024;

impl BufferPool {
    /// An empty buffer.
    pub fn take(&self) -> Vec<u8> {
        self.0.borrow_mut().pop().unwrap_or_default()
    }

    /// Gives a buffer back.
    pub fn give(&self, mut buffer: Vec<u8>) {
        let mut idle = self.0.borrow_mut();
        if idle.len() < IDLE_BUFFERS_MAX && buffer.capacity() <= KEPT_BYTES_MAX && buffer.capacity() > 0 {
            buffer.clear();
            idle.push(buffer);
        }
    }

    /// A buffer that goes back when it is dropped.
    pub fn lend(&self, bytes: Vec<u8>) -> Lent {
        Lent { bytes, pool: self.clone() }
    }

    /// A response over `bytes`, of which the first `head_len` are the status line and the fields; the rest is
    /// the body without its transfer coding.
    pub fn response(&self, bytes: Vec<u8>, head_len: usize) -> Response {
        debug_assert!(head_len <= bytes.len());
        Response { bytes, head_len, content: OnceCell::new(), content_max: u64::MAX, pool: Rc::downgrade(&self.0) }
    }
}

/// Bytes in a buffer of a pool.
#[derive(Debug, Default)]
pub struct Lent {
    bytes: Vec<u8>,
    pool: BufferPool,
}

impl Lent {
    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.pool.give(std::mem::take(&mut self.bytes));
    }
}

/// The kept part of a response: status line and fields as received, and the body (empty where it was not
/// asked for).
#[derive(Debug)]
pub struct Response {
    bytes: Vec<u8>,
    head_len: usize,
    /// The body without its codings, once somebody has asked; nothing where it has none.
    content: OnceCell<Result<Option<Vec<u8>>, Failure>>,
    /// Longer content is an error, in bytes.
    content_max: u64,
    pool: Weak<RefCell<Vec<Vec<u8>>>>,
}

impl Response {
    /// A response that belongs to no pool.
    pub fn detached(bytes: Vec<u8>, head_len: usize) -> Self {
        debug_assert!(head_len <= bytes.len());
        Self { bytes, head_len, content: OnceCell::new(), content_max: u64::MAX, pool: Weak::new() }
    }

    /// Of this one it is known that it has no `content-encoding`: nobody need look for one.
    #[must_use]
    pub fn uncoded(mut self) -> Self {
        self.content = OnceCell::from(Ok(None));
        self
    }

    /// The status line and the fields, to the blank line.
    pub fn head(&self) -> &[u8] {
        &self.bytes[..self.head_len]
    }

    /// Content beyond so many bytes is an error.
    pub fn limit_content(&mut self, bytes_max: u64) {
        self.content_max = bytes_max;
    }

    /// The body without its codings (`content-encoding`). They are undone when this is first asked.
    ///
    /// # Errors
    /// `ContentEncoding` for a body that is not of its coding, `BodyTooLarge` for one that grows too long.
    pub fn content(&self) -> Result<&[u8], &Failure> {
        let content = self.content.get_or_init(|| match self.field("content-encoding") {
            Some(encoding) => content::decode(encoding, self.body(), self.content_max),
            None => Ok(None),
        });
        match content {
            Ok(Some(content)) => Ok(content),
            Ok(None) => Ok(self.body()),
            Err(failure) => Err(failure),
        }
    }

    /// The content as far as it is known already: empty where it has a coding that nobody has undone. Undoing it
    /// might fail, and a look that nobody asked for must not fail a request.
    pub fn known_content(&self) -> &[u8] {
        match self.content.get() {
            Some(Ok(Some(content))) => content,
            Some(Ok(None)) => self.body(),
            Some(Err(_)) => &[],
            None if self.field("content-encoding").is_some() => &[],
            None => self.body(),
        }
    }

    /// Why the content could not be read, where somebody has tried.
    pub fn content_failure(&self) -> Option<&Failure> {
        self.content.get()?.as_ref().err()
    }

    /// The body without its transfer coding, as it came over the wire otherwise.
    pub fn body(&self) -> &[u8] {
        &self.bytes[self.head_len..]
    }

    /// The fields in the order received; names as the server wrote them.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.head().split(|&byte| byte == b'\n').skip(1).filter_map(|line| {
            let colon = line.iter().position(|&byte| byte == b':')?;
            let name = std::str::from_utf8(&line[..colon]).ok()?;
            Some((name, line[colon + 1..].trim_ascii()))
        })
    }

    /// The value of the first field of that name, whatever its case.
    pub fn field(&self, name: &str) -> Option<&[u8]> {
        let mut rest = self.head();
        // The first line has no colon where a name would end, or it would be no status line.
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let (line, below) = rest.split_at(end);
            rest = &below[1..];
            if line.get(name.len()) == Some(&b':') && line[..name.len()].eq_ignore_ascii_case(name.as_bytes()) {
                return Some(line[name.len() + 1..].trim_ascii());
            }
        }
        None
    }
}

impl Drop for Response {
    fn drop(&mut self) {
        if let Some(pool) = self.pool.upgrade() {
            BufferPool(pool).give(std::mem::take(&mut self.bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_whatever_their_case() {
        let head = b"HTTP/1.1 200 OK\r\nX-Cache: HIT\r\nAge:7\r\n\r\n";
        let mut bytes = head.to_vec();
        bytes.extend_from_slice(b"{}");
        let response = Response::detached(bytes, head.len());
        assert_eq!(response.field("x-cache"), Some(&b"HIT"[..]));
        assert_eq!(response.field("AGE"), Some(&b"7"[..]));
        assert_eq!(response.field("etag"), None);
        assert_eq!(response.body(), b"{}");
    }

    #[test]
    fn a_buffer_returns_to_its_pool() {
        let pool = BufferPool::default();
        let mut bytes = pool.take();
        bytes.extend_from_slice(b"HTTP/1.1 200 OK\r\n\r\n");
        let capacity = bytes.capacity();
        drop(pool.response(bytes, 0));
        assert_eq!(pool.take().capacity(), capacity);
    }
}
