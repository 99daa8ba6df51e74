//! The seam between the engine and the wire: an [`Exchange`] goes in, an [`Outcome`] comes out.
//!
//! The engine knows only this module. A transport knows how to carry one exchange, keeps what a virtual user
//! keeps between exchanges (its open connections) in its [`Transport::Session`], and never decides what
//! counts as a success: that is the engine's, from the plan.

mod channel;
mod command;
mod content;
mod error;
mod link;
mod negotiated;
mod response;
mod status;

use std::{future::Future, rc::Rc};

pub use channel::{Channel, ChannelKind, Ended, Incoming, Later, Opening, Outgoing, Payload};
pub use command::{described, next_command};
pub use content::ACCEPTED as ACCEPTED_CODINGS;
pub use error::{ErrorKind, Failure};
pub use link::{Boxed, Link, LinkSession};
pub use negotiated::{CipherSuite, HttpVersion, Negotiated, Security, TlsVersion};
pub use response::{BufferPool, Lent, Response};
use serde::Serialize;
pub use status::{DONE, redis_status, sql_status, status_of, status_text, word_of};

use crate::clock::Nanos;

/// Which of the plan's targets an exchange goes to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct TargetId(pub u16);

/// A server by its address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin<'a> {
    /// Over TLS.
    pub secure: bool,
    /// A name or an address; an IPv6 address may be in brackets.
    pub host: &'a str,
    /// TCP port.
    pub port: u16,
}

/// How much of a response its caller will read. Less is cheaper.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Keep {
    /// Status and sizes only.
    Nothing,
    /// Status line and header fields.
    Head,
    /// Everything.
    Body,
}

/// One request, ready for the wire.
#[derive(Debug, Clone, Copy)]
pub struct Exchange<'a> {
    /// Where it goes.
    pub target: TargetId,
    /// The request as HTTP/1.1 puts it on the wire: request line, fields, blank line, body. A transport of another
    /// version makes its own of it. For a target of another protocol, what that protocol sends; see [`described`].
    pub wire: &'a [u8],
    /// Where the body starts in `wire`; its length if there is no body. 0 for a protocol without heads.
    pub body_at: usize,
    /// The method is HEAD: the response has no body, whatever its fields say.
    pub is_head: bool,
    /// From the start of the exchange to the last byte of the response.
    pub timeout: Nanos,
    /// What of the response is kept.
    pub keep: Keep,
    /// A body longer than this is an error, in bytes.
    pub body_bytes_max: u64,
    /// Carried by this version of HTTP, whatever the target's other exchanges are carried by.
    pub version: Option<HttpVersion>,
}

/// When things happened, on the run's clock. A step that did not happen (no DNS look-up, a connection that
/// was open already) is `None`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stamps {
    /// The transport took the exchange over.
    pub start: Nanos,
    /// The host's name was resolved.
    pub resolved: Option<Nanos>,
    /// The TCP connection stood.
    pub connected: Option<Nanos>,
    /// The TLS handshake was done.
    pub secured: Option<Nanos>,
    /// The last byte of the request was handed to the kernel.
    pub sent: Option<Nanos>,
    /// The first byte of the response was read.
    pub first_byte: Option<Nanos>,
    /// The last byte of the response was read, or the exchange failed.
    pub end: Nanos,
}

/// What became of an [`Exchange`].
#[derive(Debug, Default)]
pub struct Outcome {
    /// The status code, or 0 without a valid response; of other protocols than HTTP a number of [`status_text`].
    pub status: u16,
    /// Why there is no whole, valid response.
    pub failure: Option<Failure>,
    /// When things happened.
    pub stamps: Stamps,
    /// Bytes written to the connection; over HTTP/2, fields before their compression and the body, without frames.
    pub bytes_sent: u64,
    /// Bytes read from the connection; over HTTP/2 as above.
    pub bytes_received: u64,
    /// Length of the body without its transfer coding, in bytes.
    pub body_bytes: u64,
    /// The exchange went over a connection that was open already.
    pub reused: bool,
    /// What its connection agreed on; the default where there was no connection.
    pub negotiated: Negotiated,
    /// What was asked to be kept, where a head was received; the head in any case where it sets cookies.
    pub response: Option<Response>,
    /// The response has a `set-cookie` field. Who keeps cookies need not look for one elsewhere.
    pub sets_cookies: bool,
}

/// Carries exchanges. One per worker; a future that is dropped abandons its exchange and closes the
/// connection it was on.
pub trait Transport: 'static {
    /// What one virtual user keeps between exchanges. Several exchanges may be under way in one session.
    type Session: Default + 'static;

    /// A fresh session.
    fn session(&self) -> Self::Session {
        Self::Session::default()
    }

    /// Carries one exchange. Never panics for what a server does; never outlives `exchange.timeout` by more
    /// than a few milliseconds.
    fn exchange<'a>(
        &'a self,
        session: &'a Self::Session,
        exchange: Exchange<'a>,
    ) -> impl Future<Output = Box<Outcome>> + 'a;

    /// Opens a channel. Its first value is what the exchange that opens it came to; the channel is there where that
    /// succeeded. A transport that knows no channels carries the exchange alone.
    fn channel<'a>(
        &'a self,
        session: &'a Self::Session,
        opening: Opening<'a>,
    ) -> impl Future<Output = (Box<Outcome>, Option<Rc<dyn Channel>>)> + 'a {
        async move { (self.exchange(session, opening.exchange).await, None) }
    }

    /// The target for a server that a redirect of `from` leads to: one of the plan's, or one that is made for it.
    ///
    /// # Errors
    /// `TargetDenied` where this run may not send to it.
    fn elsewhere(&self, from: TargetId, to: &Origin<'_>) -> Result<TargetId, Failure> {
        let _ = from;
        Err(Failure::new(ErrorKind::TargetDenied, format!("{} cannot be reached this way", to.host)))
    }

    /// Opens a connection to `target` ahead of its first exchange, if the session has none waiting.
    fn open<'a>(
        &'a self,
        session: &'a Self::Session,
        target: TargetId,
    ) -> impl Future<Output = Result<(), Failure>> + 'a;

    /// An iteration of the virtual user is over, however it ended: what it left half done on its connections, such as a
    /// transaction, is given up.
    fn rest(&self, session: &Self::Session) {
        let _ = session;
    }
}
