//! One HTTP/2 connection, as the exchanges over it see it.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    task::{Context, Waker},
};

use ::h2::client::{Builder, SendRequest};
use bytes::Bytes;

use super::{
    driver::Driver,
    failure,
    request::Converter,
    wire::{Traffic, Wire},
};
use crate::{
    clock::{Clock, Nanos},
    http::{connect::Opened, deadline::DeadlineTimer},
    protocol::{ErrorKind, Failure, Negotiated},
};

/// What a server may send of one stream before it is told that it was read, in bytes.
const STREAM_WINDOW: u32 = 1 << 20;
/// The same of all streams of a connection together.
const CONNECTION_WINDOW: u32 = 4 << 20;
/// Fields beyond this are not even read; the limit of a response's head is lower, and told apart.
const FIELDS_MAX: u32 = 1 << 20;
/// Timers that wait for the next exchange.
const TIMERS_MAX: usize = 64;

/// An open connection. Its streams hold it; when nobody does, it is closed.
#[derive(Debug)]
pub struct Connection {
    sender: SendRequest<Bytes>,
    pub(super) driver: Rc<Driver>,
    pub(super) traffic: Rc<Traffic>,
    pub(super) converter: Converter,
    negotiated: Negotiated,
    streams: Cell<usize>,
    timers: RefCell<Vec<DeadlineTimer>>,
}

/// Speaks HTTP/2 over a stream that was opened for it. Returns once the first bytes are on their way: what the server
/// says to them shows with the first exchange.
///
/// # Errors
/// `Timeout` past `deadline`, or what the connection's failing means.
pub async fn handshake(opened: Opened, clock: &Clock, deadline: Nanos) -> Result<Rc<Connection>, Failure> {
    let Opened { stream, mut timer, negotiated } = opened;
    let secure = negotiated.security.is_some();
    let (wire, traffic) = Wire::new(stream, clock.clone());
    let mut builder = Builder::new();
    builder
        .enable_push(false)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(FIELDS_MAX);
    let begun = timer.race(clock, deadline, builder.handshake::<_, Bytes>(wire)).await;
    let late = || Failure::new(ErrorKind::Timeout, "the first bytes of HTTP/2 could not be sent in time");
    let (sender, frames) = begun.ok_or_else(late)?.map_err(|error| failure::of_connection(&error, &traffic))?;
    Ok(Rc::new(Connection {
        sender,
        driver: Driver::start(frames, traffic.clone()),
        traffic,
        converter: Converter::new(secure),
        negotiated,
        streams: Cell::new(0),
        timers: RefCell::new(vec![timer]),
    }))
}

impl Connection {
    /// What it agreed on with the server.
    pub fn negotiated(&self) -> Negotiated {
        self.negotiated
    }

    /// Exchanges that are under way on it.
    pub fn streams(&self) -> usize {
        self.streams.get()
    }

    /// It may take another exchange, as far as is known: it stands, and the server has not said that it will go.
    pub fn is_usable(&self) -> bool {
        // While exchanges are under way, the connection's own task sees what comes.
        if self.streams.get() == 0 {
            self.driver.turn();
        }
        let mut cx = Context::from_waker(Waker::noop());
        !self.driver.has_ended()
            && !self.traffic.has_ended.get()
            && !matches!(self.sender.clone().poll_ready(&mut cx), std::task::Poll::Ready(Err(_)))
    }

    /// The server allows so many streams as there are exchanges under way: each of them is opened when it is sent.
    pub(super) fn has_room(&self) -> bool {
        self.streams.get() <= self.sender.current_max_send_streams()
    }

    /// A handle for one more stream.
    pub(super) fn sender(&self) -> SendRequest<Bytes> {
        self.sender.clone()
    }

    /// A timer for one exchange, due at `deadline`.
    pub(super) fn lend_timer(&self, clock: &Clock, deadline: Nanos) -> DeadlineTimer {
        self.streams.set(self.streams.get() + 1);
        self.timers.borrow_mut().pop().unwrap_or_else(|| DeadlineTimer::new(clock, deadline))
    }

    /// Takes a timer back from an exchange that has ended.
    pub(super) fn return_timer(&self, timer: DeadlineTimer) {
        self.streams.set(self.streams.get() - 1);
        let mut timers = self.timers.borrow_mut();
        if timers.len() < TIMERS_MAX {
            timers.push(timer);
        }
    }
}
