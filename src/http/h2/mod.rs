//! HTTP/2 over the `h2` crate: what its connections share, and the exchange on one of their streams.
//!
//! A connection's frames are read and written by a task of its own. An exchange that has something to send does so at
//! once, in its own turn, so that what is stamped as sent has been handed to the kernel.

mod connection;
mod driver;
mod failure;
mod lane;
mod received;
mod request;
mod stream;
mod wire;

pub use connection::{Connection, handshake};
pub use lane::{Lane, Way};
pub use stream::exchange;
