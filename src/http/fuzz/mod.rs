//! What comes from servers and from scripts, as arbitrary bytes (see [`crate::fuzz`]).

mod chunked;
mod cookies;
mod events;
mod exchange;
mod rendered;
mod response;

pub use chunked::chunked;
pub use cookies::cookies;
pub use events::events;
pub use exchange::exchange;
pub use rendered::rendered;
pub use response::response;

use super::h1::{Progress, ResponseReader};
use crate::protocol::{BufferPool, ErrorKind, Keep};

/// The longest body that is read, in bytes; short, so that the limit is met often.
const BODY_BYTES_MAX: u64 = 2_000;

/// What a reader made of some bytes, after which the server closed.
#[derive(Debug, PartialEq, Eq)]
struct Read {
    verdict: Result<Whole, ErrorKind>,
    reusable: bool,
    /// Bytes it was given until it was content.
    used: usize,
}

/// A response that was read to its end.
#[derive(Debug, PartialEq, Eq)]
struct Whole {
    status: u16,
    body_bytes: u64,
    sets_cookies: bool,
    /// As far as they were to be kept.
    head: Vec<u8>,
    body: Vec<u8>,
}

/// Feeds the pieces until the reader is content, or refuses; then closes.
fn read<'a>(pieces: impl Iterator<Item = &'a [u8]>, is_head: bool, keep: Keep) -> Read {
    let pool = BufferPool::default();
    let mut reader = ResponseReader::new(keep, is_head, BODY_BYTES_MAX);
    let (mut outcome, mut used) = (Ok(Progress::More), 0);
    for piece in pieces {
        used += piece.len();
        outcome = reader.feed(piece, &pool);
        if outcome != Ok(Progress::More) {
            break;
        }
    }
    if outcome == Ok(Progress::More) {
        outcome = reader.close().map(|()| Progress::Done);
    }
    assert_eq!(reader.received(), used as u64, "bytes are counted once");
    let (status, reusable) = (reader.status(), reader.is_reusable());
    let (body_bytes, sets_cookies) = (reader.body_bytes(), reader.sets_cookies());
    let response = reader.take_response(&pool);
    let head = response.as_ref().map(|response| response.head().to_vec()).unwrap_or_default();
    let body = response.as_ref().map(|response| response.body().to_vec()).unwrap_or_default();
    assert!(head.len() <= 64 * 1024 && body.len() as u64 <= BODY_BYTES_MAX, "what is kept has its limits");
    let verdict = outcome.map(|_| Whole { status, body_bytes, sets_cookies, head, body });
    Read { verdict: verdict.map_err(|failure| failure.kind), reusable, used }
}
