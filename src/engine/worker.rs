//! A worker: one segment of the run, on one thread, with its own connections, generators and recorder.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use super::{
    cookies::CookieScope,
    flow::{Call, Script},
    host::Host,
    phase_run::{Halt, PhaseRun},
    render::Compiled,
    user::User,
    vu::{Standing, Vu},
};
use crate::{
    clock::{MILLISECOND, Nanos},
    measure::{Kind, NameId, Recorder, Snapshot},
    pace::{Dealer, Deck, Segment},
    plan::{Classify, ClosureId, DataId, Deal, Drawers, Load, PhaseId, Plan, Step, Target},
    protocol::{BufferPool, Keep, TargetId, Transport},
};

/// Rows for what counts in no figure: after the plan's phases, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aside {
    /// The script's `setup`.
    Setup,
    /// A target's `on_start`.
    OnStart,
    /// A target's `on_stop`.
    OnStop,
    /// The script's `teardown`.
    Teardown,
}

impl Aside {
    /// All, in the order of their rows.
    pub const ALL: [Self; 4] = [Self::Setup, Self::OnStart, Self::OnStop, Self::Teardown];

    /// The word for it in scripts and reports.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Setup => "setup",
            Self::OnStart => "on_start",
            Self::OnStop => "on_stop",
            Self::Teardown => "teardown",
        }
    }
}

/// What a worker tells whoever runs it, while a phase runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The script asked for the end of the run.
    Abort(String),
    /// A `.unique()` data set has no row left for this worker: its part of the phase ends.
    Exhausted(PhaseId, DataId),
    /// More arrivals than `max_in_flight` under `overflow("abort")`: the phase ends.
    Overflow(PhaseId),
}

/// What a worker is made of.
pub struct WorkerParts<T: Transport> {
    /// Clock and tasks.
    pub host: Host,
    /// The way to the servers.
    pub transport: T,
    /// What to do.
    pub plan: Rc<Plan>,
    /// The closures.
    pub script: Rc<dyn Script>,
    /// Where samples go; the script files its own there too.
    pub recorder: Rc<RefCell<Recorder>>,
    /// The plan's generators.
    pub drawers: Rc<Drawers>,
    /// Buffers for requests and responses.
    pub buffers: BufferPool,
    /// This worker's share.
    pub segment: Segment,
    /// The run's seed.
    pub seed: u64,
    /// Milliseconds since 1970 at the clock's origin.
    pub epoch_ms: u64,
    /// Takes what the worker has to tell.
    pub events: Box<dyn Fn(Event)>,
}

/// See the module.
pub struct Worker<T: Transport> {
    pub(super) host: Host,
    pub(super) transport: T,
    pub(super) plan: Rc<Plan>,
    pub(super) script: Rc<dyn Script>,
    pub(super) recorder: Rc<RefCell<Recorder>>,
    pub(super) drawers: Rc<Drawers>,
    pub(super) buffers: BufferPool,
    pub(super) segment: Segment,
    pub(super) seed: u64,
    pub(super) templates: Vec<Prepared>,
    pub(super) flow_names: Vec<NameId>,
    pub(super) on_start: Vec<(TargetId, ClosureId)>,
    pub(super) on_stop: Vec<(TargetId, ClosureId)>,
    /// Of each target.
    pub(super) scopes: Vec<Option<CookieScope>>,
    /// Most recently used last.
    idle: RefCell<Vec<Rc<Vu<T>>>>,
    users_made: Cell<u64>,
    runs: RefCell<Vec<Rc<PhaseRun>>>,
    epoch_ms: u64,
    events: Box<dyn Fn(Event)>,
}

/// A template with what its worker knows of it.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) compiled: Compiled,
    pub(super) name: NameId,
    pub(super) keep: Keep,
}

/// How a phase ended on a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PhaseEnd {
    /// When no new iteration was taken up any more.
    pub stopped: Nanos,
    /// When the last iteration had ended.
    pub drained: Nanos,
    /// One more than the highest iteration number taken up.
    pub taken: u64,
}

/// How many virtual users a worker logs in at once before a phase.
const LOGINS_AT_ONCE: usize = 16;

impl<T: Transport> Worker<T> {
    /// A worker that has not started anything.
    pub fn new(parts: WorkerParts<T>) -> Rc<Self> {
        let plan = parts.plan;
        let mut recorder = parts.recorder.borrow_mut();
        let templates = plan
            .templates
            .iter()
            .map(|template| {
                let compiled = Compiled::new(template, &plan);
                let keep = keep_for(template, compiled.redirects > 0);
                Prepared { compiled, name: recorder.name(Kind::Request, &template.name), keep }
            })
            .collect();
        let flow_names = plan.flows.iter().map(|flow| recorder.name(Kind::Flow, &flow.name)).collect();
        drop(recorder);
        Rc::new(Self {
            host: parts.host,
            transport: parts.transport,
            script: parts.script,
            recorder: parts.recorder,
            drawers: parts.drawers,
            buffers: parts.buffers,
            segment: parts.segment,
            seed: parts.seed,
            templates,
            flow_names,
            on_start: hooks(&plan, |target| target.on_start),
            on_stop: hooks(&plan, |target| target.on_stop),
            scopes: plan.targets.iter().map(CookieScope::new).collect(),
            plan,
            idle: RefCell::default(),
            users_made: Cell::new(0),
            runs: RefCell::default(),
            epoch_ms: parts.epoch_ms,
            events: parts.events,
        })
    }

    /// Logs in virtual users ahead of a phase and opens their connections, so that the phase measures neither.
    pub async fn prepare(self: &Rc<Self>, phase: PhaseId) {
        let plan = &self.plan.phases[phase.index()];
        let has_login = !self.on_start.is_empty();
        let (users, connect) = match &plan.load {
            Load::Burst { count, .. } => (self.segment.share(*count), true),
            Load::Users(points) => (self.segment.share(points.first().map_or(0, |&(_, users)| users)), false),
            Load::Iterations { users, .. } | Load::EachUser { users, .. } => (self.segment.share(*users), false),
            // As many as are busy at once with answers of 50 ms; later ones log in when they are needed.
            Load::Rate(points) => {
                let peak = points.iter().map(|(_, rate)| rate.as_per_second()).fold(0.0, f64::max);
                let wanted = (peak * 0.05).ceil() as u64;
                (self.segment.share(wanted.clamp(1, plan.max_in_flight)), false)
            }
            Load::Asap { count } => (self.segment.share((*count).min(plan.max_in_flight).min(64)), true),
        };
        if !(has_login || connect) {
            return;
        }
        let target = self.first_target(phase);
        let mut prepared = Vec::new();
        while prepared.len() < users as usize {
            let batch: Vec<_> =
                (0..LOGINS_AT_ONCE.min(users as usize - prepared.len())).map(|_| self.take_vu()).collect();
            futures_util::future::join_all(batch.iter().map(|vu| async {
                if self.log_in(vu).await && connect {
                    // A target that refuses now will refuse the requests too, which are counted.
                    let _ = self.transport.open(&vu.session, target).await;
                }
            }))
            .await;
            prepared.extend(batch);
        }
        for vu in prepared.into_iter().rev() {
            self.give_back(vu);
        }
    }

    fn first_target(&self, phase: PhaseId) -> TargetId {
        let mix = &self.plan.mixes[self.plan.phases[phase.index()].mix.index()];
        let of_template = mix.entries.iter().find_map(|entry| match entry.step {
            Step::Template(id) => Some(self.plan.templates[id.index()].target),
            Step::Flow(_) => None,
        });
        of_template.unwrap_or_else(|| self.plan.default_target())
    }

    /// Runs a phase from `start` on, to the end of its drain. `base` is how many iterations the run had before.
    pub async fn run_phase(self: &Rc<Self>, phase: PhaseId, start: Nanos, base: u64) -> PhaseEnd {
        let plan = self.plan.phases[phase.index()].clone();
        let mix = &self.plan.mixes[plan.mix.index()];
        let weights: Vec<f64> = mix.entries.iter().map(|entry| entry.weight).collect();
        let deck = match mix.deal {
            Deal::Deck => Deck::new(&weights),
            Deal::Random => Deck::independent(&weights),
        };
        let dealer = Dealer::new(deck, self.seed, u64::from(phase.0));
        let steps = mix.entries.iter().map(|entry| entry.step).collect();
        let run = PhaseRun::new(phase, plan, start, base, self.segment, dealer, steps);
        self.runs.borrow_mut().push(run.clone());
        self.host.sleep_until(start).await;
        if run.plan.load.is_open() {
            self.run_open(&run).await
        } else {
            self.run_closed(&run).await
        }
        run.halt(Halt::Drain);
        let stopped = self.host.now();
        let deadline = stopped + run.plan.drain.as_nanos() as Nanos;
        {
            let done = std::pin::pin!(run.all_done());
            let give_up = std::pin::pin!(async {
                let timeout = std::pin::pin!(self.host.sleep_until(deadline));
                let killed = std::pin::pin!(run.killed());
                futures_util::future::select(timeout, killed).await;
            });
            futures_util::future::select(done, give_up).await;
        }
        run.halt(Halt::Kill);
        self.give_up_queue(&run);
        run.abort_tasks();
        run.all_done().await;
        self.runs.borrow_mut().retain(|other| !Rc::ptr_eq(other, &run));
        // Nobody looks at its levels any more: the last look would stand for ever.
        self.recorder.borrow_mut().load(run.ledger(), 0, 0, 0);
        PhaseEnd { stopped, drained: self.host.now(), taken: run.taken.get() }
    }

    /// Takes no new iterations in a phase, or in all of them.
    pub fn stop(&self, phase: Option<PhaseId>) {
        self.halt(phase, Halt::Drain);
    }

    /// Drops every iteration where it stands.
    pub fn kill(&self) {
        self.halt(None, Halt::Kill);
    }

    fn halt(&self, phase: Option<PhaseId>, how: Halt) {
        for run in self.runs.borrow().iter().filter(|run| phase.is_none_or(|id| run.id == id)) {
            run.halt(how);
        }
    }

    /// Runs `setup` or `teardown`.
    ///
    /// # Errors
    /// Why it did not complete.
    pub async fn frame(self: &Rc<Self>, call: Call) -> Result<serde_json::Value, String> {
        let aside = if matches!(call, Call::Setup(_)) { Aside::Setup } else { Aside::Teardown };
        let vu = Rc::new(Vu {
            user: User::new(1, self.seed),
            session: self.transport.session(),
            standing: Cell::new(Standing::Ready),
        });
        vu.user.target.set(self.plan.default_target());
        self.run_aside(call, aside, &vu).await
    }

    /// Lets every virtual user run its `on_stop` and closes its connections.
    pub async fn finish(self: &Rc<Self>) {
        let users: Vec<_> = std::mem::take(&mut *self.idle.borrow_mut());
        if self.on_stop.is_empty() {
            return;
        }
        for batch in users.chunks(LOGINS_AT_ONCE) {
            futures_util::future::join_all(batch.iter().map(|vu| self.log_out(vu))).await;
        }
    }

    /// Everything recorded since the last snapshot, with the state of the moment.
    pub fn snapshot(&self, second: u64) -> Snapshot {
        let mut recorder = self.recorder.borrow_mut();
        for run in self.runs.borrow().iter() {
            recorder.load(run.ledger(), run.in_flight.get(), run.users.get(), run.queue.borrow().len() as u64);
        }
        recorder.take(second)
    }

    /// As [`Self::snapshot`], with what waits for a better moment: there will be no other.
    pub fn last_snapshot(&self, second: u64) -> Snapshot {
        self.recorder.borrow_mut().close();
        self.snapshot(second)
    }

    /// The plan.
    pub fn plan(&self) -> &Rc<Plan> {
        &self.plan
    }

    pub(super) fn tell(&self, event: Event) {
        (self.events)(event);
    }

    /// The row for an aside.
    pub(super) fn ledger_of(&self, aside: Aside) -> u16 {
        (self.plan.phases.len() + aside as usize) as u16
    }

    /// Milliseconds since 1970.
    pub(super) fn wall_ms(&self) -> u64 {
        self.epoch_ms + self.host.now() / MILLISECOND
    }

    /// The virtual user that worked last, or a new one.
    pub(super) fn take_vu(&self) -> Rc<Vu<T>> {
        self.idle.borrow_mut().pop().unwrap_or_else(|| {
            let own = self.users_made.get();
            self.users_made.set(own + 1);
            let vu = Rc::new(Vu {
                user: User::new(self.segment.global(own) + 1, self.seed),
                session: self.transport.session(),
                standing: Cell::new(if self.on_start.is_empty() { Standing::Ready } else { Standing::New }),
            });
            vu.user.target.set(self.plan.default_target());
            vu
        })
    }

    /// A virtual user has nothing to do now. One that is gone is forgotten.
    pub(super) fn give_back(&self, vu: Rc<Vu<T>>) {
        if vu.standing.get() != Standing::Gone {
            self.idle.borrow_mut().push(vu);
        }
    }
}

/// The closures of a kind that targets have, with whose they are.
fn hooks(plan: &Plan, closure: impl Fn(&Target) -> Option<ClosureId>) -> Vec<(TargetId, ClosureId)> {
    let of = |(index, target)| closure(target).map(|closure| (TargetId(index as u16), closure));
    plan.targets.iter().enumerate().filter_map(of).collect()
}

/// How much of a template's response somebody reads.
fn keep_for(template: &crate::plan::Template, follows: bool) -> Keep {
    let reads_body = !template.checks.is_empty()
        || !template.saves.is_empty()
        || matches!(template.classify, Some(Classify::Closure(_)));
    match &template.classify {
        _ if reads_body && !template.discard_body => Keep::Body,
        Some(_) => Keep::Head,
        None if reads_body || follows => Keep::Head,
        None => Keep::Nothing,
    }
}
