//! The HTTP/2 connections to one target that one virtual user has, or that all share.

use std::{cell::RefCell, rc::Rc};

use tokio::sync::{Notify, Semaphore, SemaphorePermit};

use super::Connection;

/// Connections, and the right to open more.
#[derive(Debug)]
pub struct Lane {
    connections: RefCell<Vec<Held>>,
    /// Rights to open one.
    permits: Semaphore,
    /// An exchange goes to a connection of its own while one may be opened.
    spreads: bool,
    changed: Notify,
}

#[derive(Debug)]
struct Held {
    connection: Rc<Connection>,
    /// One of the rights to open is this connection's.
    has_permit: bool,
}

/// How an exchange gets a connection.
#[derive(Debug)]
pub enum Way<'a> {
    /// Over this one.
    Kept(Rc<Connection>),
    /// By opening one.
    Open(SemaphorePermit<'a>),
    /// By waiting until another has been opened, or closed.
    Wait,
}

impl Lane {
    /// A lane of at most so many connections, which are shared; else of one, a virtual user's own.
    pub fn new(shared: Option<usize>) -> Self {
        let permits = Semaphore::new(shared.unwrap_or(1).clamp(1, Semaphore::MAX_PERMITS));
        Self { connections: RefCell::default(), permits, spreads: shared.is_some(), changed: Notify::new() }
    }

    /// The way to a connection; `permit` is one that was waited for.
    pub fn way<'a>(&'a self, permit: Option<SemaphorePermit<'a>>) -> Way<'a> {
        loop {
            let least = self.least_busy();
            let spreads = self.spreads && least.as_ref().is_some_and(|least| least.streams() > 0);
            match least {
                // Those that have ended are found out when it is their turn.
                Some(least) if !least.is_usable() => self.forget(&least),
                Some(least) if !spreads => return Way::Kept(least),
                least => {
                    return match (permit.or_else(|| self.permits.try_acquire().ok()), least) {
                        (Some(permit), _) => Way::Open(permit),
                        (None, Some(least)) => Way::Kept(least),
                        (None, None) => Way::Wait,
                    };
                }
            }
        }
    }

    /// Waits until there may be another way; with the right to open a connection, where it was that.
    pub async fn change(&self) -> Option<SemaphorePermit<'_>> {
        tokio::select! {
            () = self.changed.notified() => None,
            permit = self.permits.acquire() => permit.ok(),
        }
    }

    /// Adds a connection, opened with `permit`, for all to use.
    pub fn add(&self, connection: Rc<Connection>, permit: Option<SemaphorePermit<'_>>) {
        let has_permit = permit.map(SemaphorePermit::forget).is_some();
        self.connections.borrow_mut().push(Held { connection, has_permit });
        self.changed.notify_waiters();
    }

    /// Lets those who wait look again.
    pub fn announce(&self) {
        self.changed.notify_waiters();
    }

    fn least_busy(&self) -> Option<Rc<Connection>> {
        let connections = self.connections.borrow();
        connections.iter().map(|held| &held.connection).min_by_key(|connection| connection.streams()).cloned()
    }

    /// Gives up a connection that takes no more exchanges. Those under way on it go on to their end.
    fn forget(&self, connection: &Rc<Connection>) {
        self.connections.borrow_mut().retain(|held| {
            let is_it = Rc::ptr_eq(&held.connection, connection);
            if is_it && held.has_permit {
                self.permits.add_permits(1);
            }
            !is_it
        });
    }
}
