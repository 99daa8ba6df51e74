//! Connections that stay: a WebSocket, or a stream of server-sent events. An exchange opens one; from then on messages
//! go over it, at any time and in any order.

use std::{future::Future, pin::Pin, rc::Rc};

use super::{Exchange, Failure};
use crate::clock::Nanos;

/// What is spoken over a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChannelKind {
    /// RFC 6455: messages both ways.
    WebSocket,
    /// `text/event-stream` of the HTML standard: events from the server.
    Events,
}

/// A request to open a channel.
#[derive(Debug, Clone, Copy)]
pub struct Opening<'a> {
    /// The request, with all the fields that open the channel.
    pub exchange: Exchange<'a>,
    /// What is to be opened.
    pub kind: ChannelKind,
    /// A longer message or event ends the channel, in bytes.
    pub message_bytes_max: usize,
}

/// What is sent over a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outgoing {
    /// A message of text.
    Text(String),
    /// A message of bytes.
    Binary(Vec<u8>),
    /// A ping with a number that its pong brings back.
    Ping(u64),
    /// The wish to end, with a close code and a reason.
    Close(u16, String),
}

impl Outgoing {
    /// Length of what the message carries, in bytes.
    pub fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
            Self::Ping(_) => size_of::<u64>(),
            Self::Close(_, reason) => size_of::<u16>() + reason.len(),
        }
    }

    /// It carries nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What came over a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incoming {
    /// When its last byte was read, whenever it is asked for.
    pub at: Nanos,
    /// What it is.
    pub what: Payload,
    /// The message, or the event's data.
    pub bytes: Vec<u8>,
}

/// What kind of message came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// Text; it is UTF-8.
    Text,
    /// Bytes.
    Binary,
    /// A server-sent event.
    Event {
        /// Its type; `message` where the server names none.
        event: String,
        /// The last id that the server gave, or nothing.
        id: String,
        /// The reconnection time that the server asked for last, in milliseconds.
        retry_ms: Option<u64>,
    },
}

/// How a channel ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// When that was known.
    pub at: Nanos,
    /// Why it is an error for whoever still waits for something.
    pub failure: Failure,
    /// In good order: closed with code 1000 or without a code, or the event stream was whole.
    pub is_clean: bool,
    /// The server's close code.
    pub code: Option<u16>,
    /// The server's reason.
    pub reason: String,
}

/// What is ready at some time.
pub type Later<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// An open channel. Messages are read, stamped and kept as they come, a bounded number of them, whether or not
/// somebody waits. Dropped, it closes its connection. One at a time may wait for each of its futures; they have no
/// timeout of their own.
pub trait Channel {
    /// Hands a message to the kernel; gives the time when that was done.
    fn send(&self, message: Outgoing) -> Later<'_, Result<Nanos, Rc<Ended>>>;

    /// The next message; what came before the end comes first.
    fn next(&self) -> Later<'_, Result<Incoming, Rc<Ended>>>;

    /// When the pong to a ping of this number came.
    fn pong(&self, ping: u64) -> Later<'_, Result<Nanos, Rc<Ended>>>;

    /// Messages that have come and nobody has asked for.
    fn waiting(&self) -> usize;

    /// How it ended, if it has.
    fn ended(&self) -> Option<Rc<Ended>>;
}
