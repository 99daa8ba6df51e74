//! Redis as a target: commands in RESP2, one reply for each.
//!
//! A request is bytes that the engine prepared, a reply is read into one memory shared by all connections of a worker
//! and looked at where it lies, as with HTTP. `resp` knows the protocol, `reply` makes of it what scripts see,
//! `connection` carries an exchange, `link` keeps connections.

mod connection;
mod link;
mod login;
mod reply;
mod resp;
#[cfg(test)]
mod tests;

pub use link::{RedisLink, Scratch};
pub use login::Login;
pub use resp::{ARGUMENTS_MAX, write_argument, write_count};
