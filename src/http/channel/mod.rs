//! Channels: connections that stay open for messages, over the same way to a server as exchanges.
//!
//! `open` carries the request that opens one. Each then has a task that reads what comes ([`websocket`], [`events`]),
//! so that messages are stamped when they come and pings are answered while a virtual user is in a pause; they wait in
//! an [`inbox`], which is bounded: what does not fit stays with the kernel, and in the end with the server.

mod events;
mod inbox;
mod open;
mod sse;
mod websocket;

#[cfg(any(test, feature = "fuzzing"))]
pub(super) use sse::{Event, Parser, TooLong};
