//! A deadline that costs next to nothing per exchange.
//!
//! Registering and cancelling a timer for each request would cost more than parsing its response. A connection
//! therefore keeps one timer, which is moved only when it fires, or when an exchange must end sooner than it
//! fires: with equal timeouts that is once per timeout, not once per request.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
    time::Duration,
};

use pin_project_lite::pin_project;
use tokio::{
    task::coop,
    time::{Instant, Sleep},
};

use crate::clock::{Clock, Nanos};

/// The timer of one connection.
#[derive(Debug)]
pub struct DeadlineTimer {
    alarm: Pin<Box<Alarm>>,
    /// When the alarm fires.
    fires: Nanos,
}

pin_project! {
    /// What wakes whoever waits for it.
    #[derive(Debug)]
    struct Alarm {
        #[pin]
        sleep: Sleep,
        // Whom it wakes: who asks again need not register again.
        wakes: Option<Waker>,
    }
}

impl Alarm {
    /// As of a future; but it may be asked again after it fired.
    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let is_known = self.wakes.as_ref().is_some_and(|waker| waker.will_wake(cx.waker()));
        if is_known && !self.sleep.is_elapsed() {
            return Poll::Pending;
        }
        self.register(cx)
    }

    fn register(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // A task that has used up its turn is told to wait without being registered.
        let registers = coop::has_budget_remaining();
        let this = self.project();
        let fired = this.sleep.poll(cx);
        *this.wakes = (registers && fired.is_pending()).then(|| cx.waker().clone());
        fired
    }

    fn set(self: Pin<&mut Self>, at: Instant) {
        let this = self.project();
        *this.wakes = None;
        this.sleep.reset(at);
    }
}

/// An instant of tokio's for an instant of the run.
fn instant(clock: &Clock, at: Nanos) -> Instant {
    Instant::now() + Duration::from_nanos(at.saturating_sub(clock.now()))
}

impl DeadlineTimer {
    /// A timer that fires at `deadline` first.
    pub fn new(clock: &Clock, deadline: Nanos) -> Self {
        let sleep = tokio::time::sleep_until(instant(clock, deadline));
        Self { alarm: Box::pin(Alarm { sleep, wakes: None }), fires: deadline }
    }

    /// Ready once `deadline` has passed; to be polled only when there is nothing else to do.
    pub fn poll(&mut self, clock: &Clock, deadline: Nanos, cx: &mut Context<'_>) -> Poll<()> {
        if deadline < self.fires {
            self.rearm(clock, deadline);
        }
        // Fires early for a deadline that was later than an earlier exchange's: then it is moved.
        while self.alarm.as_mut().poll(cx).is_ready() {
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
        self.alarm.as_mut().set(instant(clock, deadline));
        self.fires = deadline;
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicU32, Ordering},
        },
        task::Wake,
    };

    use super::*;
    use crate::clock::{MILLISECOND, Origin};

    #[derive(Default)]
    struct Bell(AtomicU32);

    impl Wake for Bell {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    impl Bell {
        fn has_rung(&self) -> bool {
            self.0.load(Ordering::Relaxed) > 0
        }
    }

    async fn until(condition: impl Fn() -> bool) {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    #[tokio::test]
    async fn whoever_asked_last_is_woken() {
        let clock = Clock::real(Origin::now());
        let deadline = clock.now() + 30 * MILLISECOND;
        let mut timer = DeadlineTimer::new(&clock, deadline);
        let (first, last) = (Arc::new(Bell::default()), Arc::new(Bell::default()));
        for bell in [&first, &first, &last, &last] {
            let waker = Waker::from(bell.clone());
            assert!(timer.poll(&clock, deadline, &mut Context::from_waker(&waker)).is_pending());
        }
        until(|| last.has_rung()).await;
        assert!(!first.has_rung());
        let waker = Waker::from(last.clone());
        assert!(timer.poll(&clock, deadline, &mut Context::from_waker(&waker)).is_ready());
    }

    #[tokio::test]
    async fn a_deadline_may_move_either_way_for_one_that_asks_again() {
        let clock = Clock::real(Origin::now());
        let start = clock.now();
        let mut timer = DeadlineTimer::new(&clock, start + 10_000 * MILLISECOND);
        let bell = Arc::new(Bell::default());
        let waker = Waker::from(bell.clone());
        let mut cx = Context::from_waker(&waker);
        assert!(timer.poll(&clock, start + 10_000 * MILLISECOND, &mut cx).is_pending());
        // Sooner than it fires: it is moved at once.
        assert!(timer.poll(&clock, start + 20 * MILLISECOND, &mut cx).is_pending());
        until(|| bell.has_rung()).await;
        // Later: it has fired, and is moved now.
        let later = clock.now() + 20 * MILLISECOND;
        assert!(timer.poll(&clock, later, &mut cx).is_pending());
        let rung = bell.0.load(Ordering::Relaxed);
        until(|| bell.0.load(Ordering::Relaxed) > rung).await;
        until(|| clock.now() >= later).await;
        assert!(timer.poll(&clock, later, &mut cx).is_ready());
    }

    #[tokio::test]
    async fn a_task_that_had_used_up_its_turn_is_woken_too() {
        let clock = Clock::real(Origin::now());
        let deadline = clock.now() + 20 * MILLISECOND;
        let mut timer = DeadlineTimer::new(&clock, deadline);
        let mut is_fresh = true;
        let waiting = poll_fn(move |cx| {
            while is_fresh && coop::has_budget_remaining() {
                let _ = pin!(coop::consume_budget()).poll(cx);
            }
            is_fresh = false;
            timer.poll(&clock, deadline, cx)
        });
        // Without a wake it would never end.
        let tasks = tokio::task::LocalSet::new();
        let waiting = tokio::time::timeout(Duration::from_secs(30), tasks.spawn_local(waiting));
        tasks.run_until(waiting).await.expect("woken").expect("no panic");
    }
}
