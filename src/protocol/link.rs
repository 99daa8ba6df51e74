//! The seam for protocols beside HTTP: one target, and whatever carries its exchanges.
//!
//! HTTP is the hot path, whose futures stand in every virtual user's own. Those of a [`Link`] lie on the heap.

use std::{any::Any, pin::Pin, rc::Rc};

use super::{Exchange, Failure, Outcome};

/// A future on the heap, of one worker.
pub type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// What one virtual user keeps of a link between exchanges; only the link knows what it is.
pub type LinkSession = Rc<dyn Any>;

/// A target that does not speak HTTP. One per worker; what is said of [`super::Transport`] holds for it too.
pub trait Link {
    /// A fresh session.
    fn session(&self) -> LinkSession;

    /// Carries one exchange; see [`super::Transport::exchange`].
    fn exchange<'a>(&'a self, session: &'a LinkSession, exchange: Exchange<'a>) -> Boxed<'a, Outcome>;

    /// Opens a connection ahead of its first exchange, if the session has none waiting.
    fn open<'a>(&'a self, session: &'a LinkSession) -> Boxed<'a, Result<(), Failure>>;

    /// An iteration of the virtual user is over; see [`super::Transport::rest`].
    fn rest(&self, session: &LinkSession) {
        let _ = session;
    }
}

impl std::fmt::Debug for dyn Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Link")
    }
}
