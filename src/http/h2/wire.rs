//! The bytes under an HTTP/2 connection, and what is noted of them on the way.

use std::{
    cell::{Cell, RefCell},
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::{
    clock::{Clock, Nanos},
    http::stream::Stream,
};

/// Where the type of a frame stands in its head, and which a server's first frame must be (RFC 9113, section 3.4).
const TYPE_AT: u64 = 3;
const SETTINGS: u8 = 4;

/// When what was written together was handed to the kernel; none before.
pub type Flush = Rc<Cell<Option<Nanos>>>;

/// What is known of a connection's bytes.
#[derive(Debug)]
pub struct Traffic {
    clock: Clock,
    /// Of what is to be written next.
    next_flush: RefCell<Flush>,
    /// When bytes were read last.
    pub read_at: Cell<Nanos>,
    /// Bytes read.
    pub received: Cell<u64>,
    /// The kernel takes no more for now.
    pub is_blocked: Cell<bool>,
    /// The server closed its side.
    pub has_ended: Cell<bool>,
    /// What it said first cannot be HTTP/2.
    pub is_foreign: Cell<bool>,
}

impl Traffic {
    fn new(clock: Clock) -> Self {
        Self {
            clock,
            next_flush: RefCell::default(),
            read_at: Cell::default(),
            received: Cell::default(),
            is_blocked: Cell::default(),
            has_ended: Cell::default(),
            is_foreign: Cell::default(),
        }
    }

    /// Tells later when what is to be written next was handed to the kernel.
    pub fn next_flush(&self) -> Flush {
        self.next_flush.borrow().clone()
    }

    /// Everything was written that could be.
    pub fn note_written(&self) {
        let mut next = self.next_flush.borrow_mut();
        // Nobody waits for most of them.
        if Rc::strong_count(&next) > 1 && !self.is_blocked.get() {
            next.set(Some(self.clock.now()));
            *next = Flush::default();
        }
    }
}

/// A stream that HTTP/2 is spoken over.
#[derive(Debug)]
pub struct Wire {
    stream: Stream,
    traffic: Rc<Traffic>,
}

impl Wire {
    /// A fresh connection's bytes; `clock` stamps them.
    pub fn new(stream: Stream, clock: Clock) -> (Self, Rc<Traffic>) {
        let traffic = Rc::new(Traffic::new(clock));
        (Self { stream, traffic: traffic.clone() }, traffic)
    }

    fn note(&self, bytes: &[u8]) {
        let before = self.traffic.received.get();
        if let Some(kind) = TYPE_AT.checked_sub(before).and_then(|at| bytes.get(usize::try_from(at).ok()?)) {
            self.traffic.is_foreign.set(*kind != SETTINGS);
        }
        self.traffic.has_ended.set(bytes.is_empty());
        self.traffic.received.set(before + bytes.len() as u64);
        self.traffic.read_at.set(self.traffic.clock.now());
    }

    fn noting<T>(&self, outcome: Poll<T>) -> Poll<T> {
        self.traffic.is_blocked.set(outcome.is_pending());
        outcome
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        match ready!(this.stream.poll_read(cx, buffer)) {
            Ok(()) => this.note(&buffer.filled()[before..]),
            // TLS that ends without saying so: frames say where they end, so nothing is lost by it.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => this.note(&[]),
            Err(error) => return Poll::Ready(Err(error)),
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outcome = this.stream.poll_write(cx, bytes);
        this.noting(outcome)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outcome = this.stream.poll_write_vectored(cx, slices);
        this.noting(outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let outcome = this.stream.poll_flush(cx);
        this.noting(outcome)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().stream.poll_shutdown(cx)
    }
}
