//! One response, read from pieces of any size. No socket, no clock: bytes in, a verdict out.

use super::{
    chunked::{Decoder, Piece},
    head::{self, Framing, HEAD_BYTES_MAX, Head},
};
use crate::protocol::{BufferPool, ErrorKind, Failure, Keep, Response};

/// More interim responses (1xx) before the final one are an error.
const INTERIM_MAX: u8 = 16;
/// Heads shorter than this are parsed with every piece, so that a server of another protocol is found out at
/// once; longer ones only when a line has ended, so that a head that trickles in costs no more than it should.
const EAGER_BYTES: usize = 1024;
/// Memory set aside at once for a body whose length the server announced, in bytes.
const RESERVE_BYTES_MAX: u64 = 1 << 20;

/// Whether the response is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// More bytes are needed.
    More,
    /// The response is whole.
    Done,
}

/// What the reader is in the middle of.
#[derive(Debug)]
enum State {
    Head,
    /// A body of which so many bytes are to come.
    Length(u64),
    Chunked(Decoder),
    UntilClose,
    Done,
}

/// Reads one response.
#[derive(Debug)]
pub struct ResponseReader {
    state: State,
    keep: Keep,
    is_head: bool,
    body_bytes_max: u64,
    interim: u8,
    reusable: bool,
    sets_cookies: bool,
    is_coded: bool,
    status: u16,
    body_bytes: u64,
    received: u64,
    /// Length of the final head where it is kept.
    head_len: usize,
    /// A head that spans reads; then what is kept of the response. Empty, without memory of its own, for a
    /// response that comes in one read and is not kept.
    held: Vec<u8>,
}

impl ResponseReader {
    /// A reader for the answer to one request; `is_head` when its method was HEAD.
    pub fn new(keep: Keep, is_head: bool, body_bytes_max: u64) -> Self {
        Self {
            state: State::Head,
            keep,
            is_head,
            body_bytes_max,
            interim: 0,
            reusable: false,
            sets_cookies: false,
            is_coded: false,
            status: 0,
            body_bytes: 0,
            received: 0,
            head_len: 0,
            held: Vec::new(),
        }
    }

    /// Takes the next bytes from the connection. `pool` lends the buffer if one is needed.
    ///
    /// # Errors
    /// `Protocol`, `HeadTooLarge` or `BodyTooLarge`; the connection is of no further use.
    pub fn feed(&mut self, input: &[u8], pool: &BufferPool) -> Result<Progress, Failure> {
        self.feed_part(input, pool).map(|(progress, _)| progress)
    }

    /// As [`Self::feed`]; says as well how many bytes belonged to the response. The others are no part of it: after an
    /// upgrade, the first of the other protocol.
    ///
    /// # Errors
    /// As [`Self::feed`].
    pub fn feed_part(&mut self, input: &[u8], pool: &BufferPool) -> Result<(Progress, usize), Failure> {
        self.received += input.len() as u64;
        let mut rest = input;
        while matches!(self.state, State::Head) {
            let Some((head, used)) = self.head(rest, pool)? else { return Ok((Progress::More, input.len())) };
            rest = &rest[used..];
            self.take_head(head)?;
        }
        let used = match self.state {
            State::Length(remaining) => self.counted(rest, remaining)?,
            State::Chunked(_) => self.chunked(rest)?,
            State::UntilClose => self.data(rest).map(|()| rest.len())?,
            State::Head | State::Done => 0,
        };
        let taken = input.len() - rest.len() + used;
        if !matches!(self.state, State::Done) {
            return Ok((Progress::More, taken));
        }
        // What follows a whole response answers nothing that was asked.
        self.reusable &= used == rest.len();
        Ok((Progress::Done, taken))
    }

    /// Moves what is kept of the body so far to `out`, for a body that is read as it comes.
    pub fn drain_body(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.held[self.head_len..]);
        self.held.truncate(self.head_len);
    }

    /// The final head, where it is kept and was read.
    pub fn final_head(&self) -> &[u8] {
        &self.held[..self.head_len]
    }

    /// The server closed its side: whole, if the body was to end so.
    ///
    /// # Errors
    /// `Closed` before any byte, `TruncatedHead`, `TruncatedBody`; `Protocol` where the bytes so far are not a
    /// head's beginning.
    pub fn close(&mut self) -> Result<(), Failure> {
        match self.state {
            State::Done => Ok(()),
            State::UntilClose => {
                self.state = State::Done;
                Ok(())
            }
            State::Head if self.held.is_empty() && self.interim > 0 => {
                Err(Failure::new(ErrorKind::Closed, "closed after an interim response"))
            }
            State::Head if self.held.is_empty() => {
                Err(Failure::new(ErrorKind::Closed, "closed without a byte of an answer"))
            }
            State::Head => {
                head::parse(&self.held, self.is_head)?;
                let detail = format!("closed after {} bytes of the head", self.held.len());
                Err(Failure::new(ErrorKind::TruncatedHead, detail))
            }
            State::Length(remaining) => {
                let whole = self.body_bytes.saturating_add(remaining);
                let detail = format!("closed after {} of {whole} bytes of the body", self.body_bytes);
                Err(Failure::new(ErrorKind::TruncatedBody, detail))
            }
            State::Chunked(_) => {
                let detail = format!("closed before the last chunk, after {} bytes of the body", self.body_bytes);
                Err(Failure::new(ErrorKind::TruncatedBody, detail))
            }
        }
    }

    /// The status code of the final response, 0 before its head was read.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The response is whole, and the connection may carry another exchange.
    pub fn is_reusable(&self) -> bool {
        self.reusable && matches!(self.state, State::Done)
    }

    /// A field of the final response sets a cookie.
    pub fn sets_cookies(&self) -> bool {
        self.sets_cookies
    }

    /// Length of the body so far, without its transfer coding, in bytes.
    pub fn body_bytes(&self) -> u64 {
        self.body_bytes
    }

    /// Bytes taken from the connection.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// What was to be kept, where a final head was read; of a body that broke off, what came of it.
    /// Taken out, as the reader is large and stays where it is.
    pub fn take_response(&mut self, pool: &BufferPool) -> Option<Response> {
        let held = std::mem::take(&mut self.held);
        if self.head_len == 0 {
            pool.give(held);
            return None;
        }
        let response = pool.response(held, self.head_len);
        Some(if self.is_coded { response } else { response.uncoded() })
    }

    /// The next head, and how many bytes of `input` it took. What is held afterwards is that head where it is
    /// kept or interim, and nothing otherwise.
    fn head(&mut self, input: &[u8], pool: &BufferPool) -> Result<Option<(Head, usize)>, Failure> {
        if self.held.is_empty() {
            if let Some(head) = head::parse(input, self.is_head)? {
                self.note_cookies(head);
                if self.keep > Keep::Nothing && head.framing != Framing::Interim {
                    self.hold(pool);
                    self.held.extend_from_slice(&input[..head.len]);
                }
                return Ok(Some((head, head.len)));
            }
            if !input.is_empty() {
                self.hold(pool);
                self.held.extend_from_slice(input);
            }
            return Ok(None);
        }
        let before = self.held.len();
        let room = HEAD_BYTES_MAX.saturating_sub(before);
        let piece = &input[..input.len().min(room)];
        self.held.extend_from_slice(piece);
        let due = self.held.len() < EAGER_BYTES || self.held.len() >= HEAD_BYTES_MAX || piece.contains(&b'\n');
        if !due {
            return Ok(None);
        }
        let Some(head) = head::parse(&self.held, self.is_head)? else { return Ok(None) };
        self.note_cookies(head);
        if self.keep > Keep::Nothing && head.framing != Framing::Interim {
            self.held.truncate(head.len);
        } else {
            self.held.clear();
        }
        Ok(Some((head, head.len - before)))
    }

    /// A head that sets cookies is kept whatever was asked for.
    fn note_cookies(&mut self, head: Head) {
        if head.sets_cookies && head.framing != Framing::Interim {
            self.sets_cookies = true;
            self.keep = self.keep.max(Keep::Head);
        }
    }

    /// Makes sure that what is held next goes to a buffer of the pool.
    fn hold(&mut self, pool: &BufferPool) {
        if self.held.capacity() == 0 {
            self.held = pool.take();
        }
    }

    /// Decides what follows `head`.
    fn take_head(&mut self, head: Head) -> Result<(), Failure> {
        if head.framing == Framing::Interim {
            self.interim += 1;
            if self.interim > INTERIM_MAX {
                return Err(Failure::new(ErrorKind::Protocol, "more than 16 interim responses"));
            }
            return Ok(());
        }
        self.status = head.status;
        self.is_coded = head.is_coded;
        self.reusable = head.reusable;
        if self.keep > Keep::Nothing {
            self.head_len = head.len;
        }
        self.state = match head.framing {
            Framing::Length(0) => State::Done,
            Framing::Length(length) if length > self.body_bytes_max => return Err(self.too_large(Some(length))),
            Framing::Length(length) => {
                if self.keep == Keep::Body {
                    // At most 1 MiB, so it fits.
                    self.held.reserve(length.min(RESERVE_BYTES_MAX) as usize);
                }
                State::Length(length)
            }
            Framing::Chunked => State::Chunked(Decoder::default()),
            Framing::UntilClose | Framing::Interim => State::UntilClose,
        };
        Ok(())
    }

    fn counted(&mut self, input: &[u8], remaining: u64) -> Result<usize, Failure> {
        let used = usize::try_from(remaining).map_or(input.len(), |remaining| remaining.min(input.len()));
        self.data(&input[..used])?;
        let remaining = remaining - used as u64;
        self.state = if remaining == 0 { State::Done } else { State::Length(remaining) };
        Ok(used)
    }

    fn chunked(&mut self, input: &[u8]) -> Result<usize, Failure> {
        let mut used = 0;
        while used < input.len() {
            let State::Chunked(decoder) = &mut self.state else { break };
            let piece = decoder.next(&input[used..]).map_err(|detail| Failure::new(ErrorKind::Protocol, detail))?;
            match piece {
                Piece::Framing(len) => used += len,
                Piece::Data(len) => {
                    self.data(&input[used..used + len])?;
                    used += len;
                }
                Piece::End(len) => {
                    used += len;
                    self.state = State::Done;
                }
            }
        }
        Ok(used)
    }

    /// Counts bytes of the body, and keeps them if they are to be kept.
    fn data(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.body_bytes += bytes.len() as u64;
        if self.body_bytes > self.body_bytes_max {
            return Err(self.too_large(None));
        }
        if self.keep == Keep::Body {
            self.held.extend_from_slice(bytes);
        }
        Ok(())
    }

    fn too_large(&self, announced: Option<u64>) -> Failure {
        let limit = self.body_bytes_max;
        let detail = match announced {
            Some(length) => format!("the body has {length} bytes, more than the limit of {limit}"),
            None => format!("the body is longer than the limit of {limit} bytes"),
        };
        Failure::new(ErrorKind::BodyTooLarge, detail)
    }
}
