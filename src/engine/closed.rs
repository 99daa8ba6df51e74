//! Closed phases: virtual users that start the next iteration when the one before it has ended.

use std::{num::NonZeroU32, rc::Rc, time::Duration};

use governor::{
    Quota, RateLimiter,
    clock::{Clock as GovernorClock, Reference},
    middleware::NoOpMiddleware,
    nanos::Nanos as GovernorNanos,
    state::{InMemoryState, NotKeyed},
};

use super::{
    host::{Host, yield_now},
    iteration::After,
    phase_run::PhaseRun,
    vu::Standing,
    worker::Worker,
};
use crate::{
    clock::{Nanos, SECOND},
    pace::{Segment, UserCurve},
    plan::{Load, Think, Value},
    protocol::Transport,
};

/// How long a user waits after a failed login before it tries again as another.
const LOGIN_PAUSE: Nanos = SECOND;

/// What a user of a closed phase may still do.
#[derive(Debug)]
struct Shift {
    /// The user's number in the phase, over all segments.
    user: u64,
    curve: Option<UserCurve>,
    end: Option<Nanos>,
    /// Iterations of its own, for `each_user`.
    each: Option<u64>,
    /// The phase's iterations are shared: so many, in this segment of them.
    shared: Option<(u64, Segment)>,
    users: u64,
    done: u64,
}

impl<T: Transport> Worker<T> {
    /// Runs the phase's users until their work is done or the phase's time is over.
    pub(super) async fn run_closed(self: &Rc<Self>, run: &Rc<PhaseRun>) {
        let end = run.plan.duration.map(|duration| run.start + duration.as_nanos() as Nanos);
        let mut shift = Shift { user: 0, curve: None, end, each: None, shared: None, users: 0, done: 0 };
        match &run.plan.load {
            Load::Users(points) => {
                let points = points.iter().map(|&(at, users)| (at.as_nanos() as Nanos, users)).collect();
                let curve = UserCurve::new(points);
                shift.users = curve.peak();
                shift.curve = Some(curve);
            }
            Load::Iterations { count, users } => {
                shift.users = *users;
                // Only segments that have a user can have iterations.
                let count_segments = self.segment.count.min(*users).max(1);
                shift.shared = Some((*count, Segment { index: self.segment.index, count: count_segments }));
            }
            Load::EachUser { each, users } => {
                shift.users = *users;
                shift.each = Some(*each);
            }
            Load::Rate(_) | Load::Burst { .. } | Load::Asap { .. } => return,
        }
        let throttle = run.plan.throttle.map(|rate| {
            let active = self.segment.count.min(shift.users).max(1);
            Rc::new(Throttle::new(rate, active, self.host.clone()))
        });
        for own in 0..self.segment.share(shift.users) {
            let shift = Shift { user: self.segment.global(own), curve: shift.curve.clone(), ..shift };
            run.start_task(|key| {
                let seat = Seat { run: run.clone(), key };
                let (worker, throttle) = (self.clone(), throttle.clone());
                self.host.spawn(async move { worker.work_shift(seat, shift, throttle).await })
            });
        }
        let finished = std::pin::pin!(run.all_done());
        match end {
            Some(end) => {
                let over = std::pin::pin!(self.wait(run, end));
                futures_util::future::select(finished, over).await;
                // Users may all have left before the end: a phase still lasts as long as it says.
                if matches!(run.plan.load, Load::Users(_)) {
                    self.wait(run, end).await;
                }
            }
            None => {
                let stopped = std::pin::pin!(run.stopped());
                futures_util::future::select(finished, stopped).await;
            }
        }
    }

    async fn work_shift(self: Rc<Self>, seat: Seat, mut shift: Shift, throttle: Option<Rc<Throttle>>) {
        let run = &seat.run;
        let mut vu = self.take_vu();
        let mut due = run.start;
        let mut now = self.host.now();
        let mut on_duty = None;
        while run.goes_on() {
            if shift.end.is_some_and(|end| now >= end) {
                break;
            }
            if let Some(curve) = &shift.curve {
                let since = now - run.start;
                let end = shift.end.map_or(Nanos::MAX, |end| end - run.start);
                match curve.active_from(shift.user, since, end) {
                    None => break,
                    Some(from) if from > since => {
                        on_duty = None;
                        due = run.start + from;
                        self.wait(run, due).await;
                        now = self.host.now();
                        continue;
                    }
                    Some(_) => {}
                }
            }
            on_duty.get_or_insert_with(|| OnDuty::new(run));
            if vu.standing.get() != Standing::Ready {
                let ready = self.log_in(&vu).await;
                now = self.host.now();
                if !ready {
                    // Work that is counted and not timed would never end if no login ever worked: it is used up.
                    if shift.is_counted() {
                        let Some(k) = shift.next_iteration(run) else { break };
                        let work = run.work(k, now, now);
                        self.recorder.borrow_mut().offered(run.ledger(), work.entry);
                        self.file_unstarted_failure(run, &work);
                        shift.done += 1;
                    }
                    if !shift.is_counted() || shift.end.is_some() {
                        self.wait(run, now + LOGIN_PAUSE).await;
                    } else {
                        yield_now().await;
                    }
                    vu = self.take_vu();
                    now = self.host.now();
                    continue;
                }
            }
            if let Some(throttle) = &throttle {
                throttle.admit(&self, run).await;
                now = self.host.now();
                if !run.goes_on() {
                    break;
                }
            }
            let Some(k) = shift.next_iteration(run) else { break };
            let started = now;
            // The first iteration is due when its user is ready, which may be after its login.
            let planned = if shift.done == 0 || due < run.start { started } else { due.min(started) };
            let work = run.work(k, planned, started);
            {
                let mut recorder = self.recorder.borrow_mut();
                recorder.offered(run.ledger(), work.entry);
                recorder.lateness(run.ledger(), started - planned);
            }
            shift.done += 1;
            let busy = Busy::new(run);
            self.recorder.borrow_mut().load(run.ledger(), run.in_flight.get(), run.users.get(), 0);
            let (after, ended) = self.iterate(run, &vu, work, started).await;
            drop(busy);
            if after == After::Leave || vu.standing.get() == Standing::Gone {
                break;
            }
            now = ended;
            if ended - started < 1_000 {
                // An iteration that waits for nothing must not keep the others from their turn.
                yield_now().await;
                now = self.host.now();
            }
            due = match (run.plan.pace, self.think_time(run, &vu)) {
                (Some(pace), _) => ended.max(planned + pace.as_nanos() as Nanos),
                (None, Some(pause)) => ended + pause,
                (None, None) => ended,
            };
            if due > ended {
                self.wait(run, due).await;
                now = self.host.now();
            } else {
                // Without a pause it is due at once: what its worker does in between is not the target's.
                due = 0;
            }
        }
        drop(on_duty);
        self.give_back(vu);
    }

    fn think_time(&self, run: &PhaseRun, vu: &super::vu::Vu<T>) -> Option<Nanos> {
        match run.plan.think? {
            Think::Fixed(pause) => Some(pause.as_nanos() as Nanos),
            Think::Drawn(generator) => {
                let drawn = vu.user.draw(self.wall_ms(), |context| self.drawers.draw(generator, context)).ok()?;
                let milliseconds = match drawn {
                    Value::Int(n) => n as f64,
                    Value::Float(x) => x,
                    _ => 0.0,
                };
                Some((milliseconds.max(0.0) * 1e6) as Nanos)
            }
        }
    }
}

impl Shift {
    /// Whether it is over after a number of iterations, rather than at a time.
    fn is_counted(&self) -> bool {
        self.each.is_some() || self.shared.is_some()
    }

    /// The number of the next iteration, if there is one left.
    fn next_iteration(&self, run: &PhaseRun) -> Option<u64> {
        if let Some(each) = self.each {
            return (self.done < each).then(|| self.done * self.users + self.user);
        }
        let own = run.own_iterations.get();
        let k = match self.shared {
            Some((count, segment)) => Some(segment.global(own)).filter(|&k| k < count),
            None => Some(run.segment.global(own)),
        };
        if k.is_some() {
            run.own_iterations.set(own + 1);
        }
        k
    }
}

/// A user's place in a closed phase; given back when its task ends or is dropped.
struct Seat {
    run: Rc<PhaseRun>,
    key: usize,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.run.task_ended(self.key);
    }
}

/// A user at work; counts among those in flight.
struct Busy<'a>(&'a PhaseRun);

impl<'a> Busy<'a> {
    fn new(run: &'a PhaseRun) -> Self {
        run.in_flight.set(run.in_flight.get() + 1);
        Self(run)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.in_flight.set(self.0.in_flight.get() - 1);
    }
}

/// A user that is there, at work or between two iterations.
struct OnDuty<'a>(&'a PhaseRun);

impl<'a> OnDuty<'a> {
    fn new(run: &'a PhaseRun) -> Self {
        run.users.set(run.users.get() + 1);
        Self(run)
    }
}

impl Drop for OnDuty<'_> {
    fn drop(&mut self) {
        self.0.users.set(self.0.users.get() - 1);
    }
}

/// A ceiling on a worker's share of a closed phase's iterations.
struct Throttle {
    limiter: RateLimiter<NotKeyed, InMemoryState, HostClock, NoOpMiddleware<Stamp>>,
    clock: HostClock,
}

impl Throttle {
    fn new(rate: crate::clock::Rate, segments: u64, host: Host) -> Self {
        let gap = u128::from(rate.per) * u128::from(segments) / u128::from(rate.events.max(1));
        let gap = Duration::from_nanos(u64::try_from(gap).unwrap_or(u64::MAX).max(1));
        let quota = Quota::with_period(gap).unwrap_or(Quota::per_second(NonZeroU32::MIN)).allow_burst(NonZeroU32::MIN);
        let clock = HostClock(host);
        Self { limiter: RateLimiter::direct_with_clock(quota, clock.clone()), clock }
    }

    /// Waits for the next permit, or until the phase is stopped.
    async fn admit<T: Transport>(&self, worker: &Worker<T>, run: &PhaseRun) {
        while run.goes_on() {
            match self.limiter.check() {
                Ok(()) => return,
                Err(wait) => {
                    let pause = wait.wait_time_from(self.clock.now()).as_nanos() as Nanos;
                    worker.wait(run, worker.host.now() + pause.max(1)).await;
                }
            }
        }
    }
}

/// The run's clock as governor reads it, so that a throttle works in simulated time too.
#[derive(Debug, Clone)]
struct HostClock(Host);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Stamp(Nanos);

impl std::ops::Add<GovernorNanos> for Stamp {
    type Output = Self;

    fn add(self, span: GovernorNanos) -> Self {
        Self(self.0 + span.as_u64())
    }
}

impl Reference for Stamp {
    fn duration_since(&self, earlier: Self) -> GovernorNanos {
        self.0.saturating_sub(earlier.0).into()
    }

    fn saturating_sub(&self, span: GovernorNanos) -> Self {
        Self(self.0.saturating_sub(span.as_u64()))
    }
}

impl GovernorClock for HostClock {
    type Instant = Stamp;

    fn now(&self) -> Stamp {
        Stamp(self.0.now())
    }
}
