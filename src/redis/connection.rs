//! One connection and the exchange under way on it.

use std::{
    io,
    task::{Context, Poll},
};

use tokio::io::ReadBuf;

use super::{
    link::Scratch,
    reply::{self, Judged},
    resp::{self, Scan},
};
use crate::{
    clock::{Clock, Nanos},
    http::{DeadlineTimer, Opened, Sending, Stream, while_connected},
    protocol::{DONE, ErrorKind, Exchange, Failure, Keep, Negotiated, Response, Stamps},
};

/// What is sent, for people.
const SENT: &str = "command";

/// An open connection.
#[derive(Debug)]
pub(super) struct Connection {
    stream: Stream,
    timer: DeadlineTimer,
    pub(super) negotiated: Negotiated,
}

/// An exchange on its way over a connection.
#[derive(Debug)]
pub(super) struct Request<'a> {
    clock: &'a Clock,
    scratch: &'a Scratch,
    sending: Sending<'a>,
    keep: Keep,
    deadline: Nanos,
    reused: bool,
    replies: u64,
    scan: Scan,
    received: u64,
    /// Replies that did not come in one read; without memory of its own for all others.
    held: Vec<u8>,
}

/// A whole reply.
#[derive(Debug)]
pub(super) struct Came {
    pub(super) judged: Judged,
    pub(super) response: Option<Response>,
    /// Nothing has come behind it.
    pub(super) is_last: bool,
}

impl Connection {
    pub(super) fn new(opened: Opened) -> Self {
        let Opened { stream, timer, negotiated } = opened;
        Self { stream, timer, negotiated }
    }

    /// Nothing has come and it was not closed, as far as is known.
    pub(super) fn is_quiet(&mut self) -> bool {
        self.stream.is_quiet()
    }

    /// Sends the request and reads its replies; ready when all are whole, or cannot become so. Stamps `sent`,
    /// `first_byte` and `end`.
    pub(super) fn poll(
        &mut self,
        request: &mut Request<'_>,
        stamps: &mut Stamps,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Came, Failure>> {
        request.sending.poll(&mut self.stream, request.clock, stamps, cx);
        let outcome = request.poll_read(&mut self.stream, stamps, cx);
        if outcome.is_ready() {
            return outcome;
        }
        self.timer.poll(request.clock, request.deadline, cx).map(|()| {
            stamps.end = request.clock.now();
            Err(request.timed_out())
        })
    }
}

impl<'a> Request<'a> {
    pub(super) fn new(
        clock: &'a Clock,
        scratch: &'a Scratch,
        exchange: &Exchange<'a>,
        deadline: Nanos,
        reused: bool,
    ) -> Self {
        let replies = resp::commands(exchange.wire);
        Self {
            clock,
            scratch,
            sending: Sending::new(exchange.wire),
            keep: exchange.keep,
            deadline,
            reused,
            replies,
            scan: Scan::new(replies, exchange.body_bytes_max),
            received: 0,
            held: Vec::new(),
        }
    }

    /// Bytes handed to the kernel, and bytes read.
    pub(super) fn bytes(&self) -> (u64, u64) {
        (self.sending.written() as u64, self.received)
    }

    fn poll_read(
        &mut self,
        stream: &mut Stream,
        stamps: &mut Stamps,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Came, Failure>> {
        loop {
            // Held only between two awaits: reading never suspends.
            let mut bytes = self.scratch.bytes.borrow_mut();
            let mut buffer = ReadBuf::new(&mut bytes);
            let read = match stream.poll_read(cx, &mut buffer) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(read) => read,
            };
            let now = self.clock.now();
            stamps.end = now;
            match read {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Poll::Ready(Err(self.closed())),
                Err(error) => return Poll::Ready(Err(self.broke(&error))),
                Ok(()) if buffer.filled().is_empty() => return Poll::Ready(Err(self.closed())),
                Ok(()) => {}
            }
            stamps.first_byte.get_or_insert(now);
            match self.feed(buffer.filled()) {
                Ok(Some(came)) => return Poll::Ready(Ok(came)),
                // A reply without end keeps the socket readable, and the timer would never be asked.
                Ok(None) if now >= self.deadline => return Poll::Ready(Err(self.timed_out())),
                Ok(None) => {}
                Err(failure) => return Poll::Ready(Err(failure)),
            }
        }
    }

    /// Takes the next bytes.
    fn feed(&mut self, input: &[u8]) -> Result<Option<Came>, Failure> {
        self.received += input.len() as u64;
        if self.held.is_empty() {
            if let Some(end) = self.scan.end(input)? {
                return Ok(Some(self.came(&input[..end], end == input.len())));
            }
            self.held = self.scratch.pool.take();
            self.held.extend_from_slice(input);
            return Ok(None);
        }
        self.held.extend_from_slice(input);
        let Some(end) = self.scan.end(&self.held)? else { return Ok(None) };
        let held = std::mem::take(&mut self.held);
        let came = self.came(&held[..end], end == held.len());
        self.scratch.pool.give(held);
        Ok(Some(came))
    }

    fn came(&self, replies: &[u8], is_last: bool) -> Came {
        let judged = reply::judge(replies, self.replies);
        // What an error says is shown, whoever asked for the reply.
        let keep = if judged.status == DONE { self.keep } else { Keep::Body };
        let response = (keep > Keep::Nothing).then(|| {
            let mut bytes = self.scratch.pool.take();
            let head = reply::write_head(&mut bytes, replies, self.replies);
            if keep == Keep::Body {
                reply::write_body(&mut bytes, replies, self.replies);
            }
            self.scratch.pool.response(bytes, head)
        });
        Came { judged, response, is_last }
    }

    fn broke(&self, error: &io::Error) -> Failure {
        let kind = while_connected(error);
        if kind == ErrorKind::Reset && self.is_stale() {
            return stale("reset");
        }
        Failure::new(kind, format!("{error}, {}", self.position()))
    }

    /// What the server's closing means.
    fn closed(&self) -> Failure {
        if self.is_stale() {
            return stale("closed");
        }
        self.sending.failure(SENT, self.received).unwrap_or_else(|| match self.received {
            0 => Failure::new(ErrorKind::Closed, "closed without a byte of a reply"),
            some => Failure::new(ErrorKind::TruncatedBody, format!("closed after {some} bytes of a reply")),
        })
    }

    fn is_stale(&self) -> bool {
        self.reused && self.received == 0
    }

    fn timed_out(&self) -> Failure {
        Failure::new(ErrorKind::Timeout, format!("no whole reply in time, {}", self.position()))
    }

    fn position(&self) -> String {
        self.sending.position(SENT, self.received)
    }
}

fn stale(how: &str) -> Failure {
    Failure::new(ErrorKind::StaleConnection, format!("the kept-alive connection was {how} before any reply"))
}
