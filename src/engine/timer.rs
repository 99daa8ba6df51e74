//! Waiting until a planned time, far more exactly than a millisecond.
//!
//! tokio's own timer has a resolution of one millisecond and is late by half of one on average, which at
//! 1,000 arrivals a second is all of the gap. A worker keeps its deadlines in a heap of its own and lets one
//! timerfd in its reactor wake it; deadlines closer together than [`COALESCE`] share a wake-up.

use std::{
    cell::RefCell,
    cmp::Reverse,
    collections::BinaryHeap,
    future::Future,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use slab::Slab;

use crate::clock::{Clock, MICROSECOND, Nanos};

/// Two wake-ups are at least this far apart, unless the worker is awake anyway.
pub const COALESCE: Nanos = 100 * MICROSECOND;

/// The deadlines of one worker.
#[derive(Debug, Clone)]
pub struct Timer(Rc<Inner>);

#[derive(Debug)]
struct Inner {
    clock: Clock,
    queue: RefCell<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    /// Deadline, order of registration, key in `waiting`. May hold entries whose sleeper is gone.
    heap: BinaryHeap<Reverse<(Nanos, u64, usize)>>,
    waiting: Slab<(u64, Waker)>,
    registered: u64,
    /// Woken when an earlier deadline than all others is registered.
    driver: Option<Waker>,
}

impl Timer {
    /// A timer over a clock. Nothing wakes until something drives it: [`drive`] or a simulation.
    pub fn new(clock: Clock) -> Self {
        Self(Rc::new(Inner { clock, queue: RefCell::default() }))
    }

    /// Waits until `deadline`; ready at once if that has passed.
    pub fn sleep_until(&self, deadline: Nanos) -> Sleep {
        Sleep { timer: self.clone(), deadline, key: None }
    }

    /// The earliest deadline that somebody waits for.
    pub fn next_deadline(&self) -> Option<Nanos> {
        let mut queue = self.0.queue.borrow_mut();
        while let Some(&Reverse((deadline, order, key))) = queue.heap.peek() {
            if queue.waiting.get(key).is_some_and(|(registered, _)| *registered == order) {
                return Some(deadline);
            }
            queue.heap.pop();
        }
        None
    }

    /// Wakes everybody whose deadline has passed.
    pub fn fire(&self, now: Nanos) {
        while self.next_deadline().is_some_and(|deadline| deadline <= now) {
            let waker = {
                let mut queue = self.0.queue.borrow_mut();
                let Some(Reverse((_, _, key))) = queue.heap.pop() else { break };
                queue.waiting.remove(key).1
            };
            waker.wake();
        }
    }
}

/// See [`Timer::sleep_until`].
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct Sleep {
    timer: Timer,
    deadline: Nanos,
    key: Option<(usize, u64)>,
}

impl Sleep {
    fn deregister(&mut self) {
        if let Some((key, order)) = self.key.take() {
            let mut queue = self.timer.0.queue.borrow_mut();
            if queue.waiting.get(key).is_some_and(|(registered, _)| *registered == order) {
                queue.waiting.remove(key);
            }
        }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.timer.0.clock.now() >= self.deadline {
            self.deregister();
            return Poll::Ready(());
        }
        let this = &mut *self;
        let mut queue = this.timer.0.queue.borrow_mut();
        if let Some((key, order)) = this.key
            && let Some((registered, waker)) = queue.waiting.get_mut(key)
            && *registered == order
        {
            waker.clone_from(context.waker());
            return Poll::Pending;
        }
        let order = queue.registered;
        queue.registered += 1;
        let key = queue.waiting.insert((order, context.waker().clone()));
        let is_first = queue.heap.peek().is_none_or(|Reverse((first, ..))| this.deadline < *first);
        queue.heap.push(Reverse((this.deadline, order, key)));
        this.key = Some((key, order));
        if is_first && let Some(driver) = queue.driver.take() {
            driver.wake();
        }
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.deregister();
    }
}

/// Resolves when the earliest deadline is before `armed_for`, or there is one at all where nothing is armed.
async fn earlier_than(timer: &Timer, armed_for: Option<Nanos>) {
    std::future::poll_fn(|context| {
        let next = timer.next_deadline();
        let earlier = match (next, armed_for) {
            (Some(next), Some(armed)) => next < armed,
            (Some(_), None) => true,
            (None, _) => false,
        };
        if earlier {
            return Poll::Ready(());
        }
        timer.0.queue.borrow_mut().driver = Some(context.waker().clone());
        Poll::Pending
    })
    .await;
}

/// Drives a timer over the machine's clock, for ever.
///
/// # Errors
/// The system gives no timerfd.
#[cfg(target_os = "linux")]
pub async fn drive(timer: Timer) -> std::io::Result<()> {
    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
    };
    use tokio::io::{Interest, unix::AsyncFd};

    let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
    #[expect(deprecated, reason = "its objection is to types that can close the descriptor early; OwnedFd cannot")]
    let descriptor = AsyncFd::with_interest(timerfd_create(TimerfdClockId::Monotonic, flags)?, Interest::READABLE)?;
    let mut last_wake = 0;
    loop {
        let Some(deadline) = timer.next_deadline() else {
            earlier_than(&timer, None).await;
            continue;
        };
        let now = timer.0.clock.now();
        if deadline <= now {
            timer.fire(now);
            last_wake = now;
            // Those who were woken run before the next look at the heap.
            tokio::task::yield_now().await;
            continue;
        }
        let wake = deadline.max(last_wake + COALESCE);
        let wait = wake - now;
        let value = Timespec { tv_sec: (wait / 1_000_000_000) as i64, tv_nsec: (wait % 1_000_000_000) as i64 };
        let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
        timerfd_settime(
            descriptor.get_ref(),
            TimerfdTimerFlags::empty(),
            &Itimerspec { it_interval: zero, it_value: value },
        )?;
        tokio::select! {
            biased;
            expired = descriptor.readable() => {
                let mut guard = expired?;
                let mut count = [0; 8];
                // Only an armed timer that expired makes the descriptor readable; what it says is of no use.
                let _ = rustix::io::read(descriptor.get_ref(), &mut count);
                guard.clear_ready();
            }
            () = earlier_than(&timer, Some(deadline)) => {}
        }
    }
}

/// Drives a timer by tokio's, which is a millisecond coarse: lateness is reported as it is.
///
/// # Errors
/// None.
#[cfg(not(target_os = "linux"))]
pub async fn drive(timer: Timer) -> std::io::Result<()> {
    loop {
        let Some(deadline) = timer.next_deadline() else {
            earlier_than(&timer, None).await;
            continue;
        };
        let now = timer.0.clock.now();
        if deadline <= now {
            timer.fire(now);
            tokio::task::yield_now().await;
            continue;
        }
        tokio::select! {
            () = tokio::time::sleep(std::time::Duration::from_nanos(deadline - now)) => {}
            () = earlier_than(&timer, Some(deadline)) => {}
        }
    }
}

#[cfg(test)]
mod tests {

    use tokio::task::LocalSet;

    use super::*;
    use crate::clock::{MILLISECOND, Origin};

    #[tokio::test]
    async fn sleepers_wake_in_the_order_of_their_deadlines_and_not_before() {
        LocalSet::new()
            .run_until(async {
                let timer = Timer::new(Clock::real(Origin::now()));
                let driver = tokio::task::spawn_local(drive(timer.clone()));
                let order = Rc::new(RefCell::new(Vec::new()));
                let tasks: Vec<_> = [7, 3, 5, 3, 1]
                    .into_iter()
                    .map(|ms| {
                        let (timer, order) = (timer.clone(), order.clone());
                        tokio::task::spawn_local(async move {
                            timer.sleep_until(ms * MILLISECOND).await;
                            assert!(timer.0.clock.now() >= ms * MILLISECOND);
                            order.borrow_mut().push(ms);
                        })
                    })
                    .collect();
                for task in tasks {
                    task.await.expect("no sleeper panics");
                }
                assert_eq!(*order.borrow(), [1, 3, 3, 5, 7]);
                driver.abort();
            })
            .await;
    }

    #[test]
    fn a_dropped_sleeper_leaves_nothing_behind() {
        let clock = Clock::simulated();
        let timer = Timer::new(clock);
        let mut sleep = Box::pin(timer.sleep_until(5));
        let mut context = Context::from_waker(Waker::noop());
        assert!(sleep.as_mut().poll(&mut context).is_pending());
        assert_eq!(timer.next_deadline(), Some(5));
        drop(sleep);
        assert_eq!(timer.next_deadline(), None);
        assert!(timer.0.queue.borrow().waiting.is_empty());
    }
}
