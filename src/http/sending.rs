//! The bytes of a request on their way to the kernel.

use std::{
    io,
    task::{Context, Poll},
};

use super::{stream::Stream, system};
use crate::{
    clock::Clock,
    protocol::{Failure, Stamps},
};

/// A request that is being written.
#[derive(Debug)]
pub struct Sending<'a> {
    wire: &'a [u8],
    written: usize,
    /// Why writing stopped before the end, if it did: an answer may be there nevertheless.
    error: Option<io::Error>,
}

impl<'a> Sending<'a> {
    /// Nothing of `wire` is written yet.
    pub fn new(wire: &'a [u8]) -> Self {
        Self { wire, written: 0, error: None }
    }

    /// Bytes handed to the kernel.
    pub fn written(&self) -> usize {
        self.written
    }

    /// All of it was.
    pub fn is_whole(&self) -> bool {
        self.written == self.wire.len()
    }

    /// Writes what the stream takes; stamps `sent` once all is on its way.
    pub fn poll(&mut self, stream: &mut Stream, clock: &Clock, stamps: &mut Stamps, cx: &mut Context<'_>) {
        // Most requests go in one piece. Of those that do not, no more is tried than their task's turn allows.
        if self.written == 0
            && self.error.is_none()
            && let Some(outcome) = stream.try_write(self.wire)
        {
            self.count(outcome);
        }
        while !self.is_whole() && self.error.is_none() {
            match stream.poll_write(cx, &self.wire[self.written..]) {
                Poll::Pending => return,
                Poll::Ready(outcome) => self.count(outcome),
            }
        }
        if stamps.sent.is_none() && self.error.is_none() {
            match stream.poll_flush(cx) {
                Poll::Pending => {}
                Poll::Ready(Ok(())) => stamps.sent = Some(clock.now()),
                Poll::Ready(Err(error)) => self.error = Some(error),
            }
        }
    }

    fn count(&mut self, outcome: io::Result<usize>) {
        match outcome {
            Ok(0) => self.error = Some(io::ErrorKind::WriteZero.into()),
            Ok(len) => self.written += len,
            // The server may have answered and closed without waiting for the rest: read on.
            Err(error) => self.error = Some(error),
        }
    }

    /// Why writing failed, where that is all there is to tell: no byte of `received` came. `what` is sent, for people.
    pub fn failure(&self, what: &str, received: u64) -> Option<Failure> {
        let error = self.error.as_ref().filter(|_| received == 0)?;
        Some(Failure::new(system::while_connected(error), format!("{error}, {}", self.position(what, received))))
    }

    /// How far the exchange got, for a person.
    pub fn position(&self, what: &str, received: u64) -> String {
        let (sent, whole) = (self.written, self.wire.len());
        if sent < whole {
            format!("{sent} of {whole} bytes sent, {received} received")
        } else {
            format!("{what} sent, {received} bytes received")
        }
    }
}
