//! Virtual users as the engine keeps them: what scripts see, and the connections beside it.

use std::{cell::Cell, rc::Rc};

use super::user::User;
use crate::protocol::Transport;

/// A virtual user of a worker.
#[derive(Debug)]
pub(super) struct Vu<T: Transport> {
    /// What scripts see of it.
    pub(super) user: Rc<User>,
    /// Its open connections.
    pub(super) session: T::Session,
    /// Whether it has logged in (or needs not).
    pub(super) standing: Cell<Standing>,
}

/// Whether a virtual user may work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// `on_start` has not run yet.
    New,
    /// It may work.
    Ready,
    /// `on_start` failed, or it said `vu.stop()`: it does no more.
    Gone,
}
