//! A deadline that costs next to nothing per exchange.
//!
//! Registering and cancelling a timer for each request would cost more than parsing its response. A connection
//! therefore keeps one timer, which is moved only when it fires, or when an exchange must end sooner than it
//! fires: with equal timeouts that is once per timeout, not once per request.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep};

use crate::clock::{Clock, Nanos};

/// The timer of one connection.
#[derive(Debug)]
pub struct DeadlineTimer {
    sleep: Pin<Box<Sleep>>,
    /// When `sleep` fires.
    fires: Nanos,
}

/// An instant of tokio's for an instant of the run.
fn instant(clock: &Clock, at: Nanos) -> Instant {
    Instant::now() + Duration::from_nanos(at.saturating_sub(clock.now()))
}

impl DeadlineTimer {
    /// A timer that fires at `deadline` first.
    pub fn new(clock: &Clock, deadline: Nanos) -> Self {
        Self { sleep: Box::pin(tokio::time::sleep_until(instant(clock, deadline))), fires: deadline }
    }

    /// Ready once `deadline` has passed; to be polled only when there is nothing else to do.
    pub fn poll(&mut self, clock: &Clock, deadline: Nanos, cx: &mut Context<'_>) -> Poll<()> {
        if deadline < self.fires {
            self.rearm(clock, deadline);
        }
        // Fires early for a deadline that was later than an earlier exchange's: then it is moved.
        while self.sleep.as_mut().poll(cx).is_ready() {
            if clock.now() >= deadline {
                return Poll::Ready(());
            }
            self.rearm(clock, deadline);
        }
        Poll::Pending
    }

    /// The value of `future`, or `None` if `deadline` passed first.
    pub async fn race<T>(&mut self, clock: &Clock, deadline: Nanos, future: impl Future<Output = T>) -> Option<T> {
        let mut future = pin!(future);
        poll_fn(|cx| match future.as_mut().poll(cx) {
            Poll::Ready(value) => Poll::Ready(Some(value)),
            Poll::Pending => self.poll(clock, deadline, cx).map(|()| None),
        })
        .await
    }

    fn rearm(&mut self, clock: &Clock, deadline: Nanos) {
        self.sleep.as_mut().reset(instant(clock, deadline));
        self.fires = deadline;
    }
}
