//! Open phases: iterations start by plan, whatever the server does.

use std::rc::Rc;

use super::{
    host::yield_now,
    phase_run::{Halt, PhaseRun, Work},
    vu::Standing,
    worker::{Event, Worker},
};
use crate::{
    clock::Nanos,
    measure::{ClassId, IterationResult, Sample, SampleResult},
    pace::{ArrivalPlan, RateCurve, Spacing},
    plan::{Arrivals, Load, Overflow, Phase, Step},
    protocol::Transport,
};

/// How many arrivals that are due are released before others get their turn.
const RELEASES_IN_A_ROW: u32 = 64;

impl<T: Transport> Worker<T> {
    /// Releases the phase's arrivals as they fall due, until the last or until the phase is stopped.
    pub(super) async fn run_open(self: &Rc<Self>, run: &Rc<PhaseRun>) {
        let Some(plan) = arrival_plan(&run.plan, Nanos::MAX) else { return };
        let cap = self.segment.share(run.plan.max_in_flight).max(1);
        let mut in_a_row = 0;
        for arrival in plan.arrivals(self.segment, self.seed, u64::from(run.id.0)) {
            let planned = run.start + arrival.due;
            if self.host.now() < planned {
                self.wait(run, planned).await;
                in_a_row = 0;
            } else {
                in_a_row += 1;
                if in_a_row >= RELEASES_IN_A_ROW {
                    in_a_row = 0;
                    yield_now().await;
                }
            }
            if !run.goes_on() {
                return;
            }
            let work = run.work(arrival.k, planned, self.host.now());
            self.recorder.borrow_mut().offered(run.ledger(), work.entry);
            if run.in_flight.get() < cap {
                self.release(run, work);
                continue;
            }
            match run.plan.overflow {
                Overflow::Queue => run.queue.borrow_mut().push_back(work),
                Overflow::Drop => self.file_unstarted(run, &work, SampleResult::Dropped, work.dispatched),
                Overflow::Abort => {
                    self.file_unstarted(run, &work, SampleResult::Dropped, work.dispatched);
                    run.halt(Halt::Drain);
                    self.tell(Event::Overflow(run.id));
                    return;
                }
            }
        }
        if let ArrivalPlan::Paced(curve, _) = &plan {
            self.wait(run, run.start + curve.end()).await;
        }
    }

    /// Waits until a time, or until the phase is stopped.
    pub(super) async fn wait(&self, run: &PhaseRun, until: Nanos) {
        let sleep = self.host.sleep_until(until);
        let stopped = std::pin::pin!(run.stopped());
        futures_util::future::select(sleep, stopped).await;
    }

    /// Starts a task that works off this arrival and then whatever waits in the queue.
    fn release(self: &Rc<Self>, run: &Rc<PhaseRun>, work: Work) {
        run.in_flight.set(run.in_flight.get() + 1);
        self.recorder.borrow_mut().in_flight(run.ledger(), run.in_flight.get());
        run.start_task(|key| {
            let slot = Slot { run: run.clone(), key };
            let worker = self.clone();
            self.host.spawn(async move { worker.work_off(slot, work).await })
        });
    }

    async fn work_off(self: Rc<Self>, slot: Slot, first: Work) {
        let run = &slot.run;
        let mut vu = self.take_vu();
        // The first had a slot at once: it is dispatched now that its task runs.
        let mut next = Some(Work { dispatched: self.host.now(), ..first });
        while let Some(work) = next {
            let started = self.host.now();
            {
                let mut recorder = self.recorder.borrow_mut();
                recorder.lateness(run.ledger(), work.dispatched.saturating_sub(work.planned));
                recorder.backlog(run.ledger(), started - work.dispatched);
            }
            if vu.standing.get() == Standing::New {
                let unfinished = NotLoggedIn { worker: &self, run, work: &work, finished: false };
                let ready = self.log_in(&vu).await;
                unfinished.finish(ready);
                if ready {
                    self.iterate(run, &vu, work, self.host.now()).await;
                }
            } else {
                self.iterate(run, &vu, work, started).await;
            }
            next = self.next_queued(run);
            if vu.standing.get() == Standing::Gone && next.is_some() {
                vu = self.take_vu();
            }
        }
        self.give_back(vu);
    }

    /// The next arrival in the queue that has not waited too long.
    fn next_queued(&self, run: &PhaseRun) -> Option<Work> {
        if run.is_killed() {
            return None;
        }
        loop {
            let work = run.queue.borrow_mut().pop_front()?;
            let patience = self.patience(work.step);
            if self.host.now() - work.planned <= patience {
                return Some(work);
            }
            self.file_unstarted(run, &work, SampleResult::Expired, work.planned + patience);
        }
    }

    /// Counts what still waits at the end of the drain.
    pub(super) fn give_up_queue(&self, run: &PhaseRun) {
        let waiting = std::mem::take(&mut *run.queue.borrow_mut());
        let now = self.host.now();
        for work in waiting {
            let patience = self.patience(work.step);
            if now - work.planned > patience {
                self.file_unstarted(run, &work, SampleResult::Expired, work.planned + patience);
            } else {
                self.file_unstarted(run, &work, SampleResult::Interrupted, now);
            }
        }
    }

    /// How long an arrival may wait for its start: as long as its request may take.
    fn patience(&self, step: Step) -> Nanos {
        match step {
            Step::Template(id) => self.templates[id.index()].compiled.timeout,
            Step::Flow(_) => self.plan.targets.first().map_or(0, |target| target.timeout.as_nanos() as Nanos),
        }
    }

    /// Files an arrival that never became a request.
    fn file_unstarted(&self, run: &PhaseRun, work: &Work, result: SampleResult, end: Nanos) {
        let name = match work.step {
            Step::Template(id) => self.templates[id.index()].name,
            Step::Flow(id) => self.flow_names[id.index()],
        };
        let mut recorder = self.recorder.borrow_mut();
        recorder.lateness(run.ledger(), work.dispatched.saturating_sub(work.planned));
        recorder.record(&Sample {
            phase: run.ledger(),
            name,
            class: ClassId::NONE,
            result,
            status: 0,
            planned: work.planned,
            started: end,
            first_byte: None,
            end,
            bytes_sent: 0,
            bytes_received: 0,
        });
        recorder.iteration(
            run.ledger(),
            match result {
                SampleResult::Dropped => IterationResult::Dropped,
                SampleResult::Expired => IterationResult::Expired,
                _ => IterationResult::Interrupted,
            },
        );
    }
}

/// A place among the iterations in flight; given back when its task ends or is dropped.
struct Slot {
    run: Rc<PhaseRun>,
    key: usize,
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.run.in_flight.set(self.run.in_flight.get() - 1);
        self.run.task_ended(self.key);
    }
}

/// An arrival whose virtual user logs in first; counted if that fails or is cut off.
struct NotLoggedIn<'a, T: Transport> {
    worker: &'a Worker<T>,
    run: &'a PhaseRun,
    work: &'a Work,
    finished: bool,
}

impl<T: Transport> NotLoggedIn<'_, T> {
    fn finish(mut self, ready: bool) {
        self.finished = true;
        if !ready {
            self.worker.file_unstarted_failure(self.run, self.work);
        }
    }
}

impl<T: Transport> Drop for NotLoggedIn<'_, T> {
    fn drop(&mut self) {
        if !self.finished {
            self.worker.file_unstarted(self.run, self.work, SampleResult::Interrupted, self.worker.host.now());
        }
    }
}

impl<T: Transport> Worker<T> {
    /// Counts an iteration whose virtual user could not log in.
    pub(super) fn file_unstarted_failure(&self, run: &PhaseRun, _work: &Work) {
        let mut recorder = self.recorder.borrow_mut();
        recorder.failure(run.ledger(), "the virtual user's `on_start` failed", None);
        recorder.iteration(run.ledger(), IterationResult::Failed);
    }
}

/// The arrivals of an open phase, up to `cut` from its start. None for a phase whose users decide.
pub fn arrival_plan(phase: &Phase, cut: Nanos) -> Option<ArrivalPlan> {
    match &phase.load {
        Load::Rate(points) => {
            let points: Vec<_> = points.iter().map(|&(at, rate)| (at.as_nanos() as Nanos, rate)).collect();
            let last = points.last().map_or(0, |&(at, _)| at);
            let end = phase.duration.map_or(last, |duration| duration.as_nanos() as Nanos);
            let spacing = match phase.arrivals {
                Arrivals::Uniform => Spacing::Uniform,
                Arrivals::Poisson => Spacing::Poisson,
            };
            Some(ArrivalPlan::Paced(RateCurve::new(&points, end.min(cut)), spacing))
        }
        Load::Burst { count, every, times } => {
            let every = every.as_nanos() as Nanos;
            let times = cut.checked_div(every).map_or(*times, |releases| (*times).min(releases + 1));
            Some(ArrivalPlan::Burst { count: *count, every, times })
        }
        Load::Asap { count } => Some(ArrivalPlan::AtOnce { count: *count }),
        Load::Users(_) | Load::Iterations { .. } | Load::EachUser { .. } => None,
    }
}
