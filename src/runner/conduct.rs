//! Conducts the workers through a run: setup, the phases in their order, teardown; and the ends before the end.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

use super::{
    counters::Counters,
    health::{CpuLooks, CpuMeter, Descriptors, Throttling},
    thread::{Command, Report},
};
use crate::{
    clock::{Clock, MILLISECOND, Nanos, SECOND},
    engine::{
        Event,
        outline::{groups, planned_count},
    },
    judge::Slo,
    measure::Totals,
    plan::{Phase, PhaseId, Plan, Start},
    results::{Cut, Reading, Timing},
};

/// From the decision to start a phase to its start: time for every worker to hear of it.
const LEAD: Nanos = 20 * MILLISECOND;

/// What a run left behind.
#[derive(Debug)]
pub struct Conducted {
    /// All figures.
    pub totals: Totals,
    /// Phases that ran, whole or in part, by their number.
    pub timings: BTreeMap<u16, Timing>,
    /// Why it ended early, if it did.
    pub cut: Option<Cut>,
    /// Heartbeats that came late: by how much.
    pub gaps: Vec<Nanos>,
    /// Share of the time in which the control group kept this process from running, where that is known.
    pub throttled_share: Option<f64>,
    /// What happened besides, for the report.
    pub notes: Vec<String>,
    /// `teardown` failed.
    pub teardown_error: Option<String>,
    /// What counters beside the traffic said of phases.
    pub readings: Vec<Reading>,
    /// The longest that script code kept a worker from anything else while a phase that counts was under way.
    pub script_stall_max: Nanos,
    /// The most descriptors that were open, and how many may be.
    pub descriptors: Option<(u64, u64)>,
}

/// What the terminal is told while the run goes on.
pub trait Watcher {
    /// A second has passed, or something has changed.
    fn update(&mut self, view: &View<'_>);
    /// A line for the user.
    fn say(&mut self, line: &str);
}

/// The state of a run.
#[derive(Debug)]
pub struct View<'a> {
    /// All figures so far.
    pub totals: &'a Totals,
    /// Phases under way with their start, in order.
    pub phases: &'a [(PhaseId, Nanos)],
    /// The run's clock.
    pub now: Nanos,
    /// The last second for which all workers have reported.
    pub second: u64,
    /// Phases take no new iterations and are being drained.
    pub draining: bool,
    /// Phases that have ended.
    pub ended: &'a [Timing],
    /// Heartbeats that came late: by how much.
    pub gaps: &'a [Nanos],
    /// What counters beside the traffic said of phases so far.
    pub readings: &'a [Reading],
}

/// A check of the figures that may end a phase or the run.
pub type Judge<'a> = dyn FnMut(&Totals, &[(PhaseId, Nanos)], u64) -> Vec<Verdict> + 'a;

/// What a [`Judge`] decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The phase has done its part.
    EndPhase(PhaseId, String),
    /// The run ends.
    Abort(String),
}

/// A signal to the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// The first: drain and report.
    Drain,
    /// The second: report at once.
    Kill,
}

pub(super) struct Conductor<'a> {
    pub(super) plan: &'a Plan,
    pub(super) clock: Clock,
    pub(super) workers: Vec<UnboundedSender<Command>>,
    pub(super) reports: UnboundedReceiver<(usize, Report)>,
    pub(super) signals: UnboundedReceiver<Signal>,
    pub(super) watcher: &'a mut dyn Watcher,
    pub(super) judge: &'a mut Judge<'a>,
    pub(super) setup: bool,
    pub(super) teardown: bool,
    counters: Counters,
    state: State,
    cpu: CpuLooks,
}

#[derive(Default)]
struct State {
    totals: Totals,
    timings: BTreeMap<u16, Timing>,
    meters: BTreeMap<PhaseId, Meters>,
    /// What scripts took of each worker's time so far.
    script: Vec<Nanos>,
    script_stall_max: Nanos,
    descriptors: Descriptors,
    active: Vec<(PhaseId, Nanos)>,
    cut: Option<Cut>,
    killed: bool,
    gaps: Vec<Nanos>,
    notes: Vec<String>,
    /// Phases that were ended before their time, or left out.
    cut_short: HashSet<PhaseId>,
    gone: HashSet<usize>,
    /// Iterations taken by phases that have ended, and planned by those that have not.
    base: u64,
    /// The last second that each worker has reported.
    last_second: Vec<Option<u64>>,
}

/// What was used up when a phase started.
#[derive(Debug)]
struct Meters {
    cpu: CpuMeter,
    since: Nanos,
    script: Nanos,
}

/// What a wait was for.
#[derive(Debug, Default)]
struct Waiting {
    ready: HashSet<usize>,
    prepared: HashSet<(usize, PhaseId)>,
    ended: HashSet<(usize, PhaseId)>,
    finished: HashSet<usize>,
    setup: Option<Result<serde_json::Value, String>>,
    torn_down: Option<Result<serde_json::Value, String>>,
    hashes: Vec<String>,
    taken: BTreeMap<PhaseId, u64>,
    ends: BTreeMap<PhaseId, (Nanos, Nanos)>,
}

impl Waiting {
    /// Whether these phases have ended on each of `workers` workers.
    fn all_ended(&self, phases: &[PhaseId], workers: usize) -> bool {
        phases.iter().all(|&phase| (0..workers).all(|worker| self.ended.contains(&(worker, phase))))
    }
}

impl<'a> Conductor<'a> {
    #[expect(clippy::too_many_arguments, reason = "called once, by the composition root")]
    pub(super) fn new(
        plan: &'a Plan,
        clock: Clock,
        workers: Vec<UnboundedSender<Command>>,
        reports: UnboundedReceiver<(usize, Report)>,
        signals: UnboundedReceiver<Signal>,
        watcher: &'a mut dyn Watcher,
        judge: &'a mut Judge<'a>,
        (setup, teardown): (bool, bool),
    ) -> Self {
        let totals = Totals::with_recent_seconds(longest_window(&plan.phases, &plan.slos));
        let last_second = vec![None; workers.len()];
        let state = State { totals, last_second, script: vec![0; workers.len()], ..State::default() };
        Self {
            plan,
            clock,
            workers,
            reports,
            signals,
            watcher,
            judge,
            setup,
            teardown,
            counters: Counters::default(),
            state,
            cpu: CpuLooks::start(),
        }
    }

    /// Reads these around the phases that they are for.
    pub(super) fn with_counters(self, counters: Counters) -> Self {
        Self { counters, ..self }
    }

    /// Runs the plan to its end, or to the end that something else puts to it.
    pub(super) async fn conduct(mut self) -> Conducted {
        let mut waiting = Waiting::default();
        let throttling = Throttling::start();
        let all = self.workers.len();
        self.until(&mut waiting, |waiting, _| waiting.ready.len() == all).await;
        if waiting.hashes.windows(2).any(|pair| pair[0] != pair[1]) {
            self.state.cut = Some(Cut::Broken(
                "the workers made different plans of the same script: does it declare by chance, or by the time?"
                    .into(),
            ));
        }
        if self.goes_on() && self.setup && self.plan.setup.is_some() {
            self.send(0, Command::Setup);
            self.until_killed(&mut waiting, |waiting| waiting.setup.is_some()).await;
            match waiting.setup.take() {
                Some(Ok(value)) => self.send_all(&Command::Data(Arc::new(value))),
                Some(Err(reason)) => self.state.cut = Some(Cut::SetupFailed(reason)),
                None => {}
            }
        }
        self.phases(&mut waiting).await;
        if !self.state.killed && self.is_whole() {
            self.send_all(&Command::Finish);
            self.until_killed(&mut waiting, |waiting| waiting.finished.len() == all).await;
        }
        let mut teardown_error = None;
        if !self.state.killed && self.is_whole() && self.teardown && self.plan.teardown.is_some() {
            self.send(0, Command::Teardown);
            self.until_killed(&mut waiting, |waiting| waiting.torn_down.is_some()).await;
            teardown_error = waiting.torn_down.take().and_then(Result::err);
        }
        self.send_all(&Command::Quit);
        let patience = tokio::time::Instant::now() + std::time::Duration::from_secs(5);
        while self.state.gone.len() < all {
            match tokio::time::timeout_at(patience, self.reports.recv()).await {
                Ok(Some((worker, report))) => self.take(&mut waiting, worker, report),
                Ok(None) => break,
                Err(_) => {
                    self.state.notes.push("a worker did not answer at the end: its last second is missing".into());
                    break;
                }
            }
        }
        let State { totals, timings, cut, gaps, notes, script_stall_max, descriptors, .. } = self.state;
        Conducted {
            totals,
            timings,
            cut,
            gaps,
            throttled_share: throttling.share(),
            notes,
            teardown_error,
            script_stall_max,
            descriptors: descriptors.most(),
            readings: self.counters.into_readings(),
        }
    }

    async fn phases(&mut self, waiting: &mut Waiting) {
        let mut groups = groups(self.plan);
        let run_start = self.clock.now();
        let mut timed: Vec<(PhaseId, Nanos)> = self
            .plan
            .phases
            .iter()
            .enumerate()
            .filter_map(|(index, phase)| match phase.start {
                Start::At(offset) if !phase.left_out => {
                    Some((PhaseId(index as u32), run_start + LEAD + offset.as_nanos() as Nanos))
                }
                _ => None,
            })
            .collect();
        timed.sort_by_key(|&(_, at)| at);
        groups.reverse();
        while self.goes_on() && !(groups.is_empty() && timed.is_empty()) {
            let next_timed = timed.first().map(|&(_, at)| at.saturating_sub(LEAD));
            if let Some(mut group) = groups.pop() {
                group.retain(|&phase| self.is_wanted(phase));
                self.prepare(waiting, &group).await;
                if !self.goes_on() {
                    break;
                }
                // After the logins, which may ask the cache too, and before the first request.
                for &phase in &group {
                    self.counters.starts(phase).await;
                }
                let start = self.clock.now() + LEAD;
                for &phase in &group {
                    self.start(phase, start);
                }
                // Phases that start at an offset start meanwhile.
                loop {
                    let due = timed.first().map(|&(_, at)| at.saturating_sub(LEAD));
                    self.wait_for_group(waiting, &group, due).await;
                    if self.group_ended(waiting, &group) || !self.goes_on() {
                        break;
                    }
                    while let Some(&(phase, at)) = timed.first()
                        && at.saturating_sub(LEAD) <= self.clock.now()
                    {
                        timed.remove(0);
                        self.start_if_wanted(phase, at);
                    }
                }
                self.wait_for_group(waiting, &group, None).await;
                for &phase in &group {
                    if !self.state.killed {
                        self.counters.ended(phase).await;
                    }
                }
            } else if let Some(due) = next_timed {
                self.wait_for_group(waiting, &[], Some(due)).await;
                if self.goes_on() {
                    let (phase, at) = timed.remove(0);
                    self.start_if_wanted(phase, at);
                }
            }
        }
        let rest: Vec<PhaseId> = self.state.active.iter().map(|&(phase, _)| phase).collect();
        self.wait_for_group(waiting, &rest, None).await;
    }

    async fn prepare(&mut self, waiting: &mut Waiting, group: &[PhaseId]) {
        let all = self.workers.len();
        for &phase in group {
            self.send_all(&Command::Prepare(phase));
        }
        self.until(waiting, |waiting, state| {
            state.killed || group.iter().all(|&id| (0..all).all(|worker| waiting.prepared.contains(&(worker, id))))
        })
        .await;
    }

    /// Whether a phase is to run, as far as others have a say in it.
    fn is_wanted(&mut self, phase: PhaseId) -> bool {
        let plan = self.plan;
        let Some(other) = plan.phases.get(phase.index()).and_then(|phase| phase.if_completed.as_deref()) else {
            return true;
        };
        let wanted = !self.state.cut_short.iter().any(|&id| self.name(id) == other);
        if !wanted {
            self.state.cut_short.insert(phase);
            let note = format!("{}: left out, because {other} did not go on to its end", self.name(phase));
            self.state.notes.push(note);
        }
        wanted
    }

    fn start_if_wanted(&mut self, phase: PhaseId, at: Nanos) {
        if self.is_wanted(phase) {
            self.start(phase, at.max(self.clock.now()));
        }
    }

    fn start(&mut self, phase: PhaseId, start: Nanos) {
        let base = self.state.base;
        // An open phase says ahead how many iterations it takes; the others say when they have ended.
        self.state.base += planned_count(self.plan, phase).unwrap_or(0);
        let script = self.state.script.iter().sum();
        self.state.meters.insert(phase, Meters { cpu: CpuMeter::start(), since: self.clock.now(), script });
        self.state.active.push((phase, start));
        self.send_all(&Command::Run { phase, start, base });
    }

    fn group_ended(&self, waiting: &Waiting, group: &[PhaseId]) -> bool {
        waiting.all_ended(group, self.workers.len())
    }

    /// Until all of the group's phases have ended everywhere, or until a time.
    async fn wait_for_group(&mut self, waiting: &mut Waiting, group: &[PhaseId], due: Option<Nanos>) {
        let all = self.workers.len();
        let clock = self.clock.clone();
        let group: Vec<PhaseId> = group.to_vec();
        let over = move |waiting: &Waiting, _: &State| {
            let ended = waiting.all_ended(&group, all);
            (ended && !(group.is_empty() && due.is_some())) || due.is_some_and(|due| clock.now() >= due)
        };
        self.until_due(waiting, due, over).await;
    }

    async fn until(&mut self, waiting: &mut Waiting, over: impl Fn(&Waiting, &State) -> bool) {
        self.until_due(waiting, None, over).await;
    }

    async fn until_killed(&mut self, waiting: &mut Waiting, over: impl Fn(&Waiting) -> bool) {
        self.until(waiting, |waiting, state| over(waiting) || state.killed).await;
    }

    /// Takes reports and signals until `over`, or until a time, or until nothing can come any more.
    async fn until_due(&mut self, waiting: &mut Waiting, due: Option<Nanos>, over: impl Fn(&Waiting, &State) -> bool) {
        while !over(waiting, &self.state) && self.is_whole() {
            let wake = due.map(|due| std::time::Duration::from_nanos(due.saturating_sub(self.clock.now())));
            tokio::select! {
                report = self.reports.recv() => match report {
                    Some((worker, report)) => self.take(waiting, worker, report),
                    None => return,
                },
                Some(signal) = self.signals.recv() => self.signal(signal),
                () = tokio::time::sleep(wake.unwrap_or_default()), if wake.is_some() => {}
            }
        }
    }

    fn signal(&mut self, signal: Signal) {
        self.state.cut.get_or_insert(Cut::Interrupted);
        match signal {
            Signal::Drain => {
                self.watcher.say("interrupted: no new iterations; those under way may end (again to end at once)");
                self.send_all(&Command::Stop(None));
            }
            Signal::Kill => {
                self.watcher.say("interrupted again: ending now");
                self.state.killed = true;
                self.send_all(&Command::Kill);
            }
        }
    }

    fn take(&mut self, waiting: &mut Waiting, worker: usize, report: Report) {
        match report {
            Report::Ready(hash) => {
                waiting.ready.insert(worker);
                waiting.hashes.push(hash);
            }
            Report::SetupDone(result) => waiting.setup = Some(result),
            Report::TornDown(result) => waiting.torn_down = Some(result),
            Report::Finished => {
                waiting.finished.insert(worker);
            }
            Report::Prepared(phase) => {
                waiting.prepared.insert((worker, phase));
            }
            Report::Script(spent) => {
                self.state.script[worker] = spent.total;
                let counts = |(phase, _): &(PhaseId, Nanos)| !self.plan.phases[phase.index()].warmup;
                if self.state.active.iter().any(counts) {
                    self.state.script_stall_max = self.state.script_stall_max.max(spent.longest);
                }
            }
            Report::Gap(late) => self.state.gaps.push(late),
            Report::Gone => {
                self.state.gone.insert(worker);
            }
            Report::Broken(message) => {
                self.state.gone.insert(worker);
                self.state.cut = Some(Cut::Broken(message));
                self.send_all(&Command::Kill);
            }
            Report::Ended(phase, end) => {
                waiting.ended.insert((worker, phase));
                let taken = waiting.taken.entry(phase).or_default();
                *taken = (*taken).max(end.taken);
                let times = waiting.ends.entry(phase).or_insert((0, 0));
                *times = (times.0.max(end.stopped), times.1.max(end.drained));
                let (stopped, taken) = (*times, *taken);
                if waiting.all_ended(&[phase], self.workers.len()) {
                    self.ended(phase, stopped, taken);
                }
            }
            Report::Snapshot(snapshot) => {
                let last = Some(snapshot.second);
                self.state.last_second[worker] = last;
                self.state.totals.merge(*snapshot, worker);
                // A worker that has not reported yet is before every second.
                if let (Some(second), true) = (last, self.state.last_second.iter().min() == Some(&last)) {
                    self.look(second);
                }
            }
            Report::Event(Event::Abort(reason)) => self.abort(reason),
            Report::Event(Event::Exhausted(phase, data)) => {
                let source = self.plan.data.get(data.index()).map_or("", |set| &set.source);
                let note = format!("{}: every row of `{source}` was used; the phase ended there", self.name(phase));
                self.state.cut_short.insert(phase);
                self.note(note);
            }
            Report::Event(Event::Overflow(phase)) => {
                let note = format!(
                    "{}: `max_in_flight` was reached; the phase ended there (overflow \"abort\")",
                    self.name(phase)
                );
                self.end_phase(phase, note);
            }
        }
    }

    fn ended(&mut self, phase: PhaseId, (stopped, drained): (Nanos, Nanos), taken: u64) {
        let start = self.state.active.iter().find(|(id, _)| *id == phase).map_or(0, |&(_, start)| start);
        self.state.active.retain(|(id, _)| *id != phase);
        if planned_count(self.plan, phase).is_none() {
            self.state.base += taken;
        }
        let meters = self.state.meters.get(&phase);
        let cpu_share = meters.map_or(0.0, |meters| meters.cpu.share());
        let script_share = meters.map_or(0.0, |meters| {
            let spent = self.state.script.iter().sum::<Nanos>().saturating_sub(meters.script);
            let there = self.clock.now().saturating_sub(meters.since).max(1) * self.state.script.len() as u64;
            (spent as f64 / there as f64).min(1.0)
        });
        let phase = phase.0 as u16;
        self.state.timings.insert(phase, Timing { phase, start, stopped, drained, cpu_share, script_share });
    }

    /// A second is complete: shows it, and lets the judge see it.
    fn look(&mut self, second: u64) {
        let permille = self.cpu.next();
        self.state.totals.own_cpu(second, permille);
        self.state.descriptors.look();
        for verdict in (self.judge)(&self.state.totals, &self.state.active, second) {
            match verdict {
                Verdict::EndPhase(phase, why) => {
                    let note = format!("{}: {why}", self.name(phase));
                    self.end_phase(phase, note);
                }
                Verdict::Abort(reason) => self.abort(reason),
            }
        }
        let ended: Vec<Timing> = self.state.timings.values().copied().collect();
        self.watcher.update(&View {
            totals: &self.state.totals,
            phases: &self.state.active,
            now: self.clock.now(),
            second,
            draining: self.state.cut.is_some(),
            ended: &ended,
            gaps: &self.state.gaps,
            readings: self.counters.readings(),
        });
    }

    fn abort(&mut self, reason: String) {
        if self.state.cut.is_none() {
            self.watcher.say(&format!("aborted: {reason}"));
            self.state.cut = Some(Cut::Aborted(reason));
            self.send_all(&Command::Stop(None));
        }
    }

    fn note(&mut self, note: String) {
        if !self.state.notes.contains(&note) {
            self.state.notes.push(note);
        }
    }

    fn end_phase(&mut self, phase: PhaseId, note: String) {
        self.state.cut_short.insert(phase);
        self.note(note);
        self.send_all(&Command::Stop(Some(phase)));
    }

    fn name(&self, phase: PhaseId) -> &str {
        self.plan.phases.get(phase.index()).map_or("", |phase| &phase.name)
    }

    fn goes_on(&self) -> bool {
        self.state.cut.is_none()
    }

    /// All workers can still answer.
    fn is_whole(&self) -> bool {
        self.state.gone.is_empty()
    }

    fn send(&self, worker: usize, command: Command) {
        // A worker that is gone has said so, or will: nothing to do here.
        let _ = self.workers[worker].send(command);
    }

    fn send_all(&self, command: &Command) {
        for worker in 0..self.workers.len() {
            self.send(worker, command.clone());
        }
    }
}

/// The longest window that a condition looks back over, in seconds; a minute at least.
pub(super) fn longest_window(phases: &[Phase], slos: &[Slo]) -> usize {
    let phases = phases.iter().filter_map(|phase| phase.ends_when.as_ref()).map(|(_, over)| over.as_nanos() as Nanos);
    let slos = slos.iter().filter_map(|slo| slo.over);
    let longest = phases.chain(slos).max().unwrap_or(0);
    usize::try_from(longest.div_ceil(SECOND)).unwrap_or(usize::MAX).clamp(60, 86_400) + 1
}
