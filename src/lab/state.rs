//! What all requests share: the time, the parts of the lab, and how to set them all back.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use super::{
    auth::Auth,
    carts::Carts,
    content::Leak,
    events::Events,
    firs::Firs,
    growers::Growers,
    items::Items,
    limited::Limits,
    log::{LogFile, RequestLog},
    options::{LabOptions, Service},
    redis::Redis,
    service::{Draws, Services},
    sessions::Sessions,
    site::Site,
    timer::Timer,
};
use crate::clock::Nanos;

/// Handle to the state, as handlers get it.
pub(super) type Shared = Arc<State>;

/// The parts of a running lab.
#[derive(Debug)]
pub(super) struct State {
    pub(super) options: LabOptions,
    origin: Instant,
    pub(super) timer: Timer,
    pub(super) log: RequestLog,
    pub(super) log_file: Option<LogFile>,
    pub(super) connections: AtomicU64,
    pub(super) misbehaving: OnceLock<SocketAddr>,
    pub(super) redis_addr: OnceLock<SocketAddr>,
    /// Arrival of the first request since the start or the last reset; `Nanos::MAX` before it.
    first_arrival: AtomicU64,
    service_draws: Draws,
    pub(super) auth: Auth,
    pub(super) items: Items,
    pub(super) carts: Carts,
    pub(super) limits: Limits,
    pub(super) services: Services,
    pub(super) leak: Leak,
    pub(super) site: Site,
    pub(super) growers: Growers,
    pub(super) events: Events,
    pub(super) sessions: Sessions,
    pub(super) firs: Firs,
    pub(super) redis: Redis,
}

impl State {
    /// # Errors
    /// The log file cannot be opened, or the system has no thread or no random numbers left.
    pub(super) fn new(options: LabOptions) -> std::io::Result<Self> {
        Ok(Self {
            origin: Instant::now(),
            timer: Timer::start()?,
            log: RequestLog::new(options.log_capacity),
            log_file: options.log.as_deref().map(LogFile::open).transpose()?,
            connections: AtomicU64::new(0),
            misbehaving: OnceLock::new(),
            redis_addr: OnceLock::new(),
            redis: Redis::default(),
            first_arrival: AtomicU64::new(Nanos::MAX),
            service_draws: Draws::new(options.seed, "service"),
            auth: Auth::new(&options)?,
            items: Items::new(&options),
            carts: Carts::default(),
            limits: Limits::new(&options),
            services: Services::new(options.seed),
            leak: Leak::default(),
            site: Site::default(),
            growers: Growers::new(&options),
            events: Events::default(),
            sessions: Sessions::new(&options),
            firs: Firs::new(&options),
            options,
        })
    }

    /// Nanoseconds since the lab's start.
    pub(super) fn now(&self) -> Nanos {
        self.origin.elapsed().as_nanos() as Nanos
    }

    /// Waits until `at`, counted as [`State::now`] counts.
    pub(super) async fn sleep_until(&self, at: Nanos) {
        self.timer.sleep_until(self.origin + Duration::from_nanos(at)).await;
    }

    /// When the stall ends that a request of this arrival falls into, with `--stall-at` and `--stall-for`.
    pub(super) fn stall_end(&self, arrival: Nanos) -> Option<Nanos> {
        let (at, length) = self.options.stall_at.zip(self.options.stall_for)?;
        let first = self.first_arrival.fetch_min(arrival, Relaxed).min(arrival);
        stall_end(arrival, first, at.as_nanos() as Nanos, length.as_nanos() as Nanos)
    }

    /// The service time that `--service` gives the next request.
    pub(super) fn service_time(&self) -> Option<Nanos> {
        Some(match self.options.service? {
            Service::Fixed(time) => time.as_nanos() as Nanos,
            Service::Exponential(mean) => self.service_draws.exponential(mean.as_nanos() as Nanos),
        })
    }

    /// Sets everything back to the state of a fresh start, but for tokens, sessions and the numbers of log entries.
    ///
    /// # Errors
    /// What was logged cannot be saved in the log's file; all is reset even so.
    pub(super) fn reset(&self) -> std::io::Result<()> {
        let saved = self.flush_log();
        self.log.clear();
        self.first_arrival.store(Nanos::MAX, Relaxed);
        self.service_draws.reset();
        self.items.reset();
        self.carts.reset();
        self.limits.reset();
        self.services.reset();
        self.leak.reset();
        self.growers.reset();
        self.events.reset();
        self.sessions.reset();
        self.firs.reset();
        self.redis.reset();
        saved
    }

    /// Appends what is new in the log to its file, where there is one.
    ///
    /// # Errors
    /// The disk is full or failing.
    pub(super) fn flush_log(&self) -> std::io::Result<()> {
        self.log_file.as_ref().map_or(Ok(()), |file| file.append_new(&self.log))
    }
}

/// The end of the stall that begins `at` after `first` and lasts for `length`, if `arrival` falls into it.
pub(super) fn stall_end(arrival: Nanos, first: Nanos, at: Nanos, length: Nanos) -> Option<Nanos> {
    let start = first.saturating_add(at);
    let end = start.saturating_add(length);
    (start..end).contains(&arrival).then_some(end)
}

/// A lock that outlives a panic of its holder: the lab's parts hold plain data that is never half changed.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stall_holds_what_arrives_within_it_and_nothing_else() {
        for (arrival, expected, why) in [
            (100, None, "the first request"),
            (1_099, None, "just before"),
            (1_100, Some(1_150), "as it begins"),
            (1_149, Some(1_150), "at the last moment"),
            (1_150, None, "as it ends"),
        ] {
            assert_eq!(stall_end(arrival, 100, 1_000, 50), expected, "{why}");
        }
    }
}
