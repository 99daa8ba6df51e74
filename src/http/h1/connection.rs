//! One connection and the exchange under way on it.

use std::{
    cell::RefCell,
    io,
    task::{Context, Poll},
};

use tokio::io::ReadBuf;

use super::{Progress, ResponseReader};
use crate::{
    clock::{Clock, Nanos},
    http::{connect::Opened, deadline::DeadlineTimer, sending::Sending, stream::Stream, system},
    protocol::{BufferPool, ErrorKind, Exchange, Failure, Negotiated, Stamps},
};

/// Size of the memory that all connections of a worker read into, in bytes. Large enough that big bodies need
/// few system calls, small enough to stay in the second-level cache.
const SCRATCH_BYTES: usize = 64 * 1024;
/// What is sent, for people.
const SENT: &str = "request";

/// What all connections of a worker share: connections that wait hold no memory for reading.
#[derive(Debug)]
pub struct Scratch {
    bytes: RefCell<Box<[u8]>>,
    /// Buffers for what is kept, and for heads that span reads.
    pub pool: BufferPool,
}

impl Default for Scratch {
    fn default() -> Self {
        Self { bytes: RefCell::new(vec![0; SCRATCH_BYTES].into_boxed_slice()), pool: BufferPool::default() }
    }
}

/// An open connection.
#[derive(Debug)]
pub struct Connection {
    stream: Stream,
    timer: DeadlineTimer,
    negotiated: Negotiated,
}

/// An exchange on its way over a connection.
#[derive(Debug)]
pub struct Request<'a> {
    clock: &'a Clock,
    scratch: &'a Scratch,
    sending: Sending<'a>,
    deadline: Nanos,
    reused: bool,
    /// What was read so far.
    pub reader: ResponseReader,
}

impl Connection {
    /// A connection over a stream that was opened for it.
    pub fn new(opened: Opened) -> Self {
        let Opened { stream, timer, negotiated } = opened;
        Self { stream, timer, negotiated }
    }

    /// What it agreed on with the server.
    pub fn negotiated(&self) -> Negotiated {
        self.negotiated
    }

    /// The connection waits for a request: no byte has come and it was not closed, as far as is known.
    pub fn is_quiet(&mut self) -> bool {
        self.stream.is_quiet()
    }

    /// Sends the request and reads its response; ready when the response is whole, or cannot become so.
    /// Stamps `sent`, `first_byte` and `end`.
    ///
    /// A response that was whole when it was noticed counts, even if its deadline had passed by then: its
    /// stamps tell.
    pub fn poll(
        &mut self,
        request: &mut Request<'_>,
        stamps: &mut Stamps,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Failure>> {
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
    /// The request of `exchange`, due at `deadline`; `reused` if the connection has carried one before.
    pub fn new(clock: &'a Clock, scratch: &'a Scratch, exchange: &Exchange<'a>, deadline: Nanos, reused: bool) -> Self {
        Self {
            clock,
            scratch,
            sending: Sending::new(exchange.wire),
            deadline,
            reused,
            reader: ResponseReader::new(exchange.keep, exchange.is_head, exchange.body_bytes_max),
        }
    }

    /// Bytes handed to the kernel.
    pub fn written(&self) -> usize {
        self.sending.written()
    }

    /// The whole request was written, the response is whole, and both sides mean to go on.
    pub fn leaves_reusable(&self) -> bool {
        self.sending.is_whole() && self.reader.is_reusable()
    }

    fn poll_read(
        &mut self,
        stream: &mut Stream,
        stamps: &mut Stamps,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Failure>> {
        loop {
            // Held only between two awaits: reading and parsing never suspend.
            let mut bytes = self.scratch.bytes.borrow_mut();
            let mut buffer = ReadBuf::new(&mut bytes);
            let read = match stream.poll_read(cx, &mut buffer) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(read) => read,
            };
            let now = self.clock.now();
            stamps.end = now;
            let progress = match read {
                // TLS that ends without saying so: what came may be a part of what was sent.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    Err(self.reader.close().err().map_or_else(cut_off, |failure| self.closed(failure)))
                }
                Err(error) => Err(self.broke(&error)),
                Ok(()) if buffer.filled().is_empty() => {
                    self.reader.close().map(|()| Progress::Done).map_err(|failure| self.closed(failure))
                }
                Ok(()) => {
                    stamps.first_byte.get_or_insert(now);
                    self.reader.feed(buffer.filled(), &self.scratch.pool)
                }
            };
            match progress {
                Ok(Progress::Done) => return Poll::Ready(Ok(())),
                // A body without end keeps the socket readable, and the timer would never be asked.
                Ok(Progress::More) if now >= self.deadline => return Poll::Ready(Err(self.timed_out())),
                Ok(Progress::More) => {}
                Err(failure) => return Poll::Ready(Err(failure)),
            }
        }
    }

    /// No byte of an answer on a connection that had waited: the server had closed it in the meantime.
    fn is_stale(&self) -> bool {
        self.reused && self.reader.received() == 0
    }

    /// What a failed read means.
    fn broke(&self, error: &io::Error) -> Failure {
        let kind = system::while_connected(error);
        if kind == ErrorKind::Reset && self.is_stale() {
            return stale("reset");
        }
        Failure::new(kind, format!("{error}, {}", self.position()))
    }

    /// What the server's closing means, where the reader was not content with it.
    fn closed(&self, failure: Failure) -> Failure {
        if self.is_stale() {
            return stale("closed");
        }
        self.sending.failure(SENT, self.reader.received()).unwrap_or(failure)
    }

    fn timed_out(&self) -> Failure {
        Failure::new(ErrorKind::Timeout, format!("no whole response in time, {}", self.position()))
    }

    /// How far the exchange got, for a person.
    fn position(&self) -> String {
        self.sending.position(SENT, self.reader.received())
    }
}

/// A body that ends with the connection is whole only where TLS says that it ends (RFC 9112, section 9.8).
fn cut_off() -> Failure {
    Failure::new(ErrorKind::TruncatedBody, "the connection ended without TLS's end, which the body's end hangs on")
}

fn stale(how: &str) -> Failure {
    Failure::new(ErrorKind::StaleConnection, format!("the kept-alive connection was {how} before any answer"))
}
