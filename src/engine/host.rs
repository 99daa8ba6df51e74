//! What the engine needs of the world besides the network: a clock, deadlines, and somewhere to run tasks.
//! In a run that is a worker's tokio runtime; in a simulation, a queue of tasks and a clock that jumps from
//! deadline to deadline.

use std::{cell::RefCell, future::Future, rc::Rc};

use futures_executor::{LocalPool, LocalSpawner};
use futures_util::{
    future::{AbortHandle, Abortable},
    task::LocalSpawnExt,
};

use super::timer::{Sleep, Timer};
use crate::clock::{Clock, Nanos};

/// Clock, timer and task queue of one worker. Clones share them.
#[derive(Debug, Clone)]
pub struct Host {
    /// The run's clock.
    pub clock: Clock,
    timer: Timer,
    tasks: Tasks,
}

#[derive(Debug, Clone)]
enum Tasks {
    /// The runtime of one thread that the caller runs in.
    Tokio,
    Simulated(LocalSpawner),
}

/// A running task; dropping it lets the task go on.
#[derive(Debug)]
pub enum Task {
    /// On a worker.
    Tokio(tokio::task::AbortHandle),
    /// In a simulation.
    Simulated(AbortHandle),
}

impl Task {
    /// Drops the task's future where it stands.
    pub fn abort(&self) {
        match self {
            Self::Tokio(handle) => handle.abort(),
            Self::Simulated(handle) => handle.abort(),
        }
    }
}

impl Host {
    /// The host of a worker; must be used within a tokio `LocalRuntime` (or a `LocalSet`), and its timer
    /// driven by [`super::timer::drive`].
    pub fn real(clock: Clock) -> Self {
        Self { timer: Timer::new(clock.clone()), clock, tasks: Tasks::Tokio }
    }

    /// The time since the run's origin.
    #[inline]
    pub fn now(&self) -> Nanos {
        self.clock.now()
    }

    /// As [`Self::now`], read already; see [`Clock::recent`].
    #[inline]
    pub fn recent(&self) -> Nanos {
        self.clock.recent()
    }

    /// Waits until a planned time.
    pub fn sleep_until(&self, deadline: Nanos) -> Sleep {
        self.timer.sleep_until(deadline)
    }

    /// The timer, for its driver.
    pub fn timer(&self) -> &Timer {
        &self.timer
    }

    /// Starts a task on this worker.
    pub fn spawn(&self, future: impl Future<Output = ()> + 'static) -> Task {
        match &self.tasks {
            Tasks::Tokio => Task::Tokio(tokio::task::spawn_local(future).abort_handle()),
            Tasks::Simulated(spawner) => {
                let (handle, registration) = AbortHandle::new_pair();
                let future = Abortable::new(future, registration);
                // Fails only after the simulation has ended, when nobody waits for the task any more.
                let _ = spawner.spawn_local(async move {
                    let _ = future.await;
                });
                Task::Simulated(handle)
            }
        }
    }
}

/// Lets every other task that is ready run first.
pub async fn yield_now() {
    let mut yielded = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut yielded, true) {
            return std::task::Poll::Ready(());
        }
        context.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}

/// Runs `body` to its end in simulated time: whenever every task waits, the clock jumps to the earliest
/// deadline. Returns the body's result and the time it took.
///
/// # Panics
/// When every task waits and there is no deadline: the body would never end.
pub fn simulate<R: 'static, F: Future<Output = R> + 'static>(body: impl FnOnce(Host) -> F) -> (R, Nanos) {
    let mut pool = LocalPool::new();
    let clock = Clock::simulated();
    let timer = Timer::new(clock.clone());
    let host = Host { clock: clock.clone(), timer: timer.clone(), tasks: Tasks::Simulated(pool.spawner()) };
    let result = Rc::new(RefCell::new(None));
    let slot = result.clone();
    let body = body(host.clone());
    host.spawn(async move {
        let value = body.await;
        *slot.borrow_mut() = Some(value);
    });
    loop {
        pool.run_until_stalled();
        if let Some(value) = result.borrow_mut().take() {
            return (value, clock.now());
        }
        let deadline = timer.next_deadline();
        assert!(deadline.is_some(), "every simulated task waits, and for nothing");
        clock.set(deadline.unwrap_or_default());
        timer.fire(clock.now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SECOND;

    #[test]
    fn an_hour_passes_at_once() {
        let (ticks, took) = simulate(|host| async move {
            let mut ticks = 0;
            for second in 1..=3_600 {
                host.sleep_until(second * SECOND).await;
                ticks += 1;
            }
            ticks
        });
        assert_eq!((ticks, took), (3_600, 3_600 * SECOND));
    }

    #[test]
    fn an_aborted_task_is_dropped() {
        let (released, _) = simulate(|host| async move {
            let token = Rc::new(());
            let held = token.clone();
            let sleeper = host.clone();
            let task = host.spawn(async move {
                let _held = held;
                sleeper.sleep_until(100 * SECOND).await;
            });
            host.sleep_until(SECOND).await;
            task.abort();
            host.sleep_until(2 * SECOND).await;
            Rc::strong_count(&token)
        });
        assert_eq!(released, 1);
    }
}
