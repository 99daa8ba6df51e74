//! Connections that wait for their next exchange, of whatever protocol.

use std::cell::RefCell;

use tokio::sync::{Semaphore, SemaphorePermit};

use super::deadline::DeadlineTimer;
use crate::{
    clock::{Clock, Nanos},
    protocol::{ErrorKind, Failure},
};

/// More of one session do not wait; those that are too many are closed.
const KEPT_MAX: usize = 256;

/// Connections that wait: used last, taken first.
#[derive(Debug)]
pub struct Kept<C>(RefCell<Vec<C>>);

impl<C> Default for Kept<C> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}

impl<C> Kept<C> {
    /// The connection that was used last, leaving out those that are not `quiet` any more: the server has closed them.
    pub fn take(&self, quiet: impl Fn(&mut C) -> bool) -> Option<C> {
        let mut kept = self.0.borrow_mut();
        loop {
            let mut connection = kept.pop()?;
            if quiet(&mut connection) {
                return Some(connection);
            }
        }
    }

    /// Closes those that are not worth keeping.
    pub fn retain(&self, is_worth: impl FnMut(&C) -> bool) {
        self.0.borrow_mut().retain(is_worth);
    }

    /// Keeps a connection for the next exchange.
    pub fn put(&self, connection: C) {
        let mut kept = self.0.borrow_mut();
        if kept.len() < KEPT_MAX {
            // Most users have one, and there may be ten thousands of users.
            kept.reserve_exact(1);
            kept.push(connection);
        }
    }
}

/// A right to use a connection for each of those that all sessions share.
#[derive(Debug)]
pub struct Permits(Semaphore);

impl Permits {
    /// So many, at least one.
    pub fn new(connections: usize) -> Self {
        Self(Semaphore::new(connections.clamp(1, Semaphore::MAX_PERMITS)))
    }

    /// One that is free.
    pub fn free(&self) -> Option<SemaphorePermit<'_>> {
        self.0.try_acquire().ok()
    }

    /// The next one that is free.
    ///
    /// # Errors
    /// `Timeout` where none is before the deadline.
    pub async fn wait(&self, clock: &Clock, deadline: Nanos) -> Result<SemaphorePermit<'_>, Failure> {
        let mut timer = DeadlineTimer::new(clock, deadline);
        let acquired = timer.race(clock, deadline, self.0.acquire()).await;
        let waited = || Failure::new(ErrorKind::Timeout, "none of the target's `.connections(n)` was free in time");
        // Never closed: it fails only by the deadline.
        acquired.and_then(Result::ok).ok_or_else(waited)
    }
}

/// Connections that all sessions share, and one permit for each.
#[derive(Debug)]
pub struct Pool<C> {
    kept: Kept<C>,
    permits: Permits,
}

impl<C> Pool<C> {
    /// A pool of at most so many.
    pub fn new(connections: usize) -> Self {
        Self { kept: Kept::default(), permits: Permits::new(connections) }
    }

    /// Those that wait.
    pub fn kept(&self) -> &Kept<C> {
        &self.kept
    }

    /// The right to use one.
    ///
    /// # Errors
    /// `Timeout` where none is free before the deadline.
    pub async fn permit(&self, clock: &Clock, deadline: Nanos) -> Result<SemaphorePermit<'_>, Failure> {
        match self.permits.free() {
            Some(permit) => Ok(permit),
            None => self.permits.wait(clock, deadline).await,
        }
    }

    /// The right to use one of `shared`, where there is such a pool.
    ///
    /// # Errors
    /// As [`Self::permit`].
    pub async fn permit_of<'a>(
        shared: Option<&'a Self>,
        clock: &Clock,
        deadline: Nanos,
    ) -> Result<Option<SemaphorePermit<'a>>, Failure> {
        match shared {
            Some(pool) => pool.permit(clock, deadline).await.map(Some),
            None => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::clock::SECOND;

    #[test]
    fn what_was_used_last_and_is_quiet_is_taken_first() {
        let kept = Kept::default();
        (0..KEPT_MAX + 5).for_each(|n| kept.put(n));
        assert_eq!(kept.take(|_| true), Some(KEPT_MAX - 1), "those that are too many are not kept");
        assert_eq!(kept.take(|n| *n < 10), Some(9));
        kept.retain(|n| n % 2 == 0);
        assert_eq!(kept.take(|_| true), Some(8));
        assert_eq!(kept.take(|_| false), None);
        assert_eq!(kept.take(|_| true), None, "what is not quiet is gone");
    }

    #[tokio::test]
    async fn a_permit_comes_back_and_is_not_waited_for_beyond_the_deadline() {
        let clock = Clock::real(crate::clock::Origin::now());
        let pool = Pool::<()>::new(1);
        let first = pool.permit(&clock, clock.now() + SECOND).await.expect("it is free");
        let late = pool.permit(&clock, clock.now()).await.expect_err("it is in use");
        assert_eq!(late.kind, ErrorKind::Timeout);
        drop(first);
        assert!(pool.permit(&clock, clock.now() + SECOND).await.is_ok());
    }
}
