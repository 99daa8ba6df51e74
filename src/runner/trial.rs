//! `loadr try`: one iteration of each entry, with a run's own worker, on one virtual user.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, time::SystemTime};

use super::{
    NotRun, ScriptOptions,
    demo::Demo,
    endpoints::endpoints,
    observe::{Happened, Journal, Observing},
    preflight, random_seed,
    scout::{self, Scouted},
    thread::{self, Assignment},
};
use crate::{
    clock::{Clock, Nanos, Origin},
    engine::{Aside, Event, Trial as Trying, Worker, flow::Call, host::Host, timer},
    http::{AddressGuard, HttpTransport},
    judge::ExitCode,
    measure::PhaseFigures,
    pace::Segment,
    plan::{PhaseId, Plan, Process, Step, suggest},
    report::{Act, Trial, TrialRequest, TrialStep},
    script::{self, Redactor},
};

/// What `loadr try` is asked for.
#[derive(Debug, Clone, Default)]
pub struct TrialOptions {
    /// The scenario.
    pub source: ScriptOptions,
    /// Where traffic comes from; a random one is made, and shown, unless given.
    pub seed: Option<u64>,
    /// Start the embedded lab, with these arguments of `loadr lab`, and send to it.
    pub demo: Option<Vec<String>>,
    /// Leave out `setup`.
    pub no_setup: bool,
    /// Leave out `teardown`.
    pub no_teardown: bool,
    /// Only entries of these names.
    pub entries: Vec<String>,
    /// Bodies as long as they are.
    pub full: bool,
    /// Public hosts that may be sent to.
    pub allow_target: Vec<String>,
    /// Colour in messages about mistakes.
    pub color: bool,
}

/// An entry that is tried: in the first phase that has it.
struct Entry {
    phase: PhaseId,
    index: usize,
    step: Step,
}

/// Tries a script.
///
/// # Errors
/// The script has mistakes, there is no such entry, or a target cannot be reached.
pub fn try_out(options: &TrialOptions) -> Result<Trial, NotRun> {
    let demo = Demo::start_for(options.demo.as_deref())?;
    let load = options.source.load_options(demo.as_ref());
    let scouted = scout::scout(&options.source, &load, options.color)?;
    if options.demo.is_some() {
        scout::takes_its_target(&scouted.plan)?;
    }
    let entries = entries(&scouted.plan, &options.entries)?;
    let guard = AddressGuard::new(&options.allow_target);
    endpoints(&scouted.plan, Segment::WHOLE)
        .and_then(|endpoints| preflight::reach_targets(&scouted.plan, endpoints, &guard))
        .map_err(|message| NotRun::new(ExitCode::NotStarted, format!("{message}{}", not_started(&scouted))))?;
    let assignment = Assignment {
        index: 0,
        script: options.source.script.clone(),
        options: load,
        segment: Segment::WHOLE,
        seed: options.seed.unwrap_or_else(random_seed),
        origin: Origin::now(),
        epoch_ms: super::epoch_ms(SystemTime::now()),
        guard,
        is_muted: false,
    };
    let (options, redactor) = (options.clone(), scouted.redactor);
    let thread = std::thread::Builder::new()
        .name("try".to_owned())
        .stack_size(thread::STACK_BYTES)
        .spawn(move || run(&assignment, &options, &entries, &redactor))
        .map_err(|error| NotRun::new(ExitCode::NotStarted, format!("failed to start a thread: {error}")))?;
    let trial = thread.join().map_err(|panic| NotRun::new(ExitCode::Internal, script::panic_text(&*panic)))?;
    drop(demo);
    trial
}

/// Why a target may not be there.
fn not_started(scouted: &Scouted) -> String {
    let told = |process: &Process| {
        let command = scouted.redactor.redact(&process.written).into_owned();
        format!(
            "\nhelp: `loadr try` starts nothing: start `{command}` yourself, at a port that the script gives as `port`"
        )
    };
    scouted.plan.processes.first().map(told).unwrap_or_default()
}

/// Every entry of every phase's mix once, or those of the names that are wanted.
fn entries(plan: &Plan, wanted: &[String]) -> Result<Vec<Entry>, NotRun> {
    let mut entries: Vec<Entry> = Vec::new();
    for (phase, of) in plan.phases.iter().enumerate() {
        for (index, entry) in plan.mixes[of.mix.index()].entries.iter().enumerate() {
            if !entries.iter().any(|known| same(plan, known.step, entry.step)) {
                entries.push(Entry { phase: PhaseId(phase as u32), index, step: entry.step });
            }
        }
    }
    let names: Vec<&str> = entries.iter().map(|entry| named(plan, entry.step).1).collect();
    if let Some(unknown) = wanted.iter().find(|wanted| !names.contains(&wanted.as_str())) {
        let help = suggest(unknown, names.iter().copied(), "entry");
        return Err(NotRun::new(ExitCode::Usage, format!("no mix has an entry `{unknown}`\nhelp: {help}")));
    }
    entries.retain(|entry| wanted.is_empty() || wanted.iter().any(|name| name == named(plan, entry.step).1));
    Ok(entries)
}

/// Whether two entries do the same. A request that stands in two mixes is in the plan twice.
fn same(plan: &Plan, one: Step, other: Step) -> bool {
    match (one, other) {
        (Step::Template(one), Step::Template(other)) => {
            let (one, other) = (&plan.templates[one.index()], &plan.templates[other.index()]);
            one.name == other.name
                && (&one.method, one.target, &one.path, &one.query)
                    == (&other.method, other.target, &other.path, &other.query)
                && (&one.headers, &one.body) == (&other.headers, &other.body)
        }
        _ => one == other,
    }
}

fn named(plan: &Plan, step: Step) -> (&'static str, &str) {
    match step {
        Step::Template(id) => ("request", &plan.templates[id.index()].name),
        Step::Flow(id) => ("flow", &plan.flows[id.index()].name),
    }
}

fn run(
    assignment: &Assignment,
    options: &TrialOptions,
    entries: &[Entry],
    redactor: &Redactor,
) -> Result<Trial, NotRun> {
    let internal = |message: String| NotRun::new(ExitCode::Internal, redactor.redact(&message));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| NotRun::new(ExitCode::NotStarted, format!("no runtime: {error}")))?;
    let set = tokio::task::LocalSet::new();
    runtime.block_on(set.run_until(async {
        let host = Host::real(Clock::real(assignment.origin));
        let driver = tokio::task::spawn_local(timer::drive(host.timer().clone()));
        let journal = Journal::default();
        let events: Rc<RefCell<Vec<Event>>> = Rc::default();
        let (printed, told) = (journal.clone(), events.clone());
        let (worker, runtime) = thread::build(
            assignment,
            host.clone(),
            Box::new(move |event| told.borrow_mut().push(event)),
            |loaded| loaded.shared.set_printer(move |text| printed.say(text)),
            |inner| Observing { inner, journal: journal.clone() },
        )
        .map_err(internal)?;
        let bench = Bench { worker, runtime, journal, events, host, full: options.full, redactor };
        let trial = bench.try_all(options, entries, assignment.seed).await;
        driver.abort();
        Ok(trial)
    }))
}

/// What a trial runs on.
struct Bench<'a> {
    worker: Rc<Worker<Observing<HttpTransport>>>,
    runtime: Rc<script::Runtime>,
    journal: Journal,
    events: Rc<RefCell<Vec<Event>>>,
    host: Host,
    full: bool,
    redactor: &'a Redactor,
}

impl Bench<'_> {
    async fn try_all(&self, options: &TrialOptions, entries: &[Entry], seed: u64) -> Trial {
        let plan = self.worker.plan().clone();
        let mut trial = Trial {
            title: plan.title.clone(),
            seed,
            plan_hash: plan.hash(),
            exit_code: 0,
            steps: Vec::new(),
            ended_early: None,
        };
        if let Some(closure) = plan.setup.filter(|_| !options.no_setup) {
            let (start, result) = (self.host.now(), self.worker.frame(Call::Setup(closure)).await);
            let mut step = self.step(TrialStep::new("setup", "setup", None), self.aside(Aside::Setup), start);
            match result {
                Ok(value) => {
                    self.runtime.set_data(&value);
                    step.value = Some(self.redacted(value));
                }
                Err(_) => {
                    step.ok = false;
                    trial.ended_early = Some("setup failed".to_owned());
                }
            }
            trial.steps.push(step);
        }
        let mut trying = Trying::new(&self.worker);
        for entry in entries {
            if trial.ended_early.is_some() {
                break;
            }
            self.try_entry(&mut trying, entry, &mut trial).await;
        }
        let start = self.host.now();
        trying.log_out().await;
        let on_stop = self.step(TrialStep::new("on_stop", "on_stop", None), self.aside(Aside::OnStop), start);
        if plan.targets.iter().any(|target| target.on_stop.is_some()) {
            trial.steps.push(on_stop);
        }
        if let Some(closure) = plan.teardown.filter(|_| !options.no_teardown) {
            let (start, result) = (self.host.now(), self.worker.frame(Call::Teardown(closure)).await);
            let mut step = self.step(TrialStep::new("teardown", "teardown", None), self.aside(Aside::Teardown), start);
            step.ok &= result.is_ok();
            trial.steps.push(step);
        }
        trial.exit_code = self.exit_code(&trial).code();
        for text in trial.title.iter_mut().chain(&mut trial.ended_early) {
            *text = self.redact(text);
        }
        trial
    }

    async fn try_entry(&self, trying: &mut Trying<Observing<HttpTransport>>, entry: &Entry, trial: &mut Trial) {
        let plan = self.worker.plan().clone();
        let (start, before) = (self.host.now(), self.runtime.vars(trying.user()));
        let start_of_user = trying.is_new();
        let ready = trying.log_in().await;
        let on_start = self.step(TrialStep::new("on_start", "on_start", None), self.aside(Aside::OnStart), start);
        if self.logs_in() && start_of_user {
            let saved = self.changed(&before, trying);
            trial.steps.push(TrialStep { ok: on_start.ok && ready, saved, ..on_start });
        }
        if !ready {
            trial.ended_early = Some("on_start failed: no virtual user can work".to_owned());
            return;
        }
        let (kind, name) = named(&plan, entry.step);
        let (start, before) = (self.host.now(), self.runtime.vars(trying.user()));
        trying.iterate(entry.phase, entry.index).await;
        let phase = self.redact(&plan.phases[entry.phase.index()].name);
        let step = TrialStep::new(kind, &self.redact(name), Some(&phase));
        let step = self.step(step, entry.phase.0 as u16, start);
        trial.steps.push(TrialStep { saved: self.changed(&before, trying), ..step });
        for event in self.events.borrow().iter() {
            trial.ended_early = match event {
                Event::Abort(reason) => Some(format!("aborted: {reason}")),
                Event::Exhausted(..) => Some("a data set has no row left".to_owned()),
                Event::Overflow(_) => None,
            };
        }
    }

    /// Fills in what happened since the last step.
    fn step(&self, mut step: TrialStep, ledger: u16, start: Nanos) -> TrialStep {
        step.took_ms = (self.host.now() - start) as f64 / 1e6;
        let figures = self.worker.snapshot(0).phases.into_iter().find(|(phase, _)| *phase == ledger);
        let redact = |text: &str| self.redact(text);
        step.record(&figures.map_or_else(PhaseFigures::default, |(_, figures)| figures), &redact);
        let targets = &self.worker.plan().targets;
        for happened in self.journal.take() {
            step.acts.push(match happened {
                Happened::Said(text) => Act::Log { text: self.redact(&text) },
                Happened::Request(observed) => {
                    let origin = targets.get(observed.target).map(crate::plan::Target::origin);
                    let origin = origin.unwrap_or_default();
                    Act::Request(Box::new(TrialRequest::new(&observed, &origin, self.full, &redact)))
                }
            });
        }
        step
    }

    /// Properties of the virtual user that are not as before.
    fn changed(
        &self,
        before: &BTreeMap<String, serde_json::Value>,
        trying: &Trying<Observing<HttpTransport>>,
    ) -> BTreeMap<String, serde_json::Value> {
        let now = self.runtime.vars(trying.user());
        let changed = now.into_iter().filter(|(name, value)| before.get(name) != Some(value));
        changed.map(|(name, value)| (name, self.redacted(value))).collect()
    }

    fn redact(&self, text: &str) -> String {
        self.redactor.redact(text).into_owned()
    }

    fn redacted(&self, value: serde_json::Value) -> serde_json::Value {
        use serde_json::Value;
        match value {
            Value::String(text) => Value::String(self.redact(&text)),
            Value::Array(items) => Value::Array(items.into_iter().map(|item| self.redacted(item)).collect()),
            Value::Object(map) => {
                Value::Object(map.into_iter().map(|(name, item)| (self.redact(&name), self.redacted(item))).collect())
            }
            plain => plain,
        }
    }

    /// Whether a target has an `on_start`.
    fn logs_in(&self) -> bool {
        self.worker.plan().targets.iter().any(|target| target.on_start.is_some())
    }

    fn aside(&self, aside: Aside) -> u16 {
        (self.worker.plan().phases.len() + aside as usize) as u16
    }

    fn exit_code(&self, trial: &Trial) -> ExitCode {
        if self.events.borrow().iter().any(|event| matches!(event, Event::Abort(_))) {
            ExitCode::Aborted
        } else if trial.steps.iter().any(|step| !step.script_errors.is_empty()) {
            ExitCode::ScriptFailedEverywhere
        } else if trial.ended_early.is_some() || trial.steps.iter().any(|step| !step.ok) {
            ExitCode::SloFailed
        } else {
            ExitCode::Passed
        }
    }
}
