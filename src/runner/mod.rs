//! The composition root: loads a script, opens the outputs, starts the workers, conducts them, and hands what
//! they measured to the judges and the reporters.

mod ab;
mod anew;
mod asked;
mod baseline;
mod conclude;
mod conduct;
mod counters;
mod demo;
mod endpoints;
mod health;
mod history;
mod manifest;
mod observe;
mod outlook;
mod output;
mod preflight;
mod processes;
mod program_log;
mod progress;
mod readiness;
mod record;
mod replay;
mod runs;
mod scout;
mod supervise;
mod thread;
mod trial;
mod watching;

use std::{
    collections::BTreeMap,
    fs::File,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

pub use ab::{AbOptions, ab};
pub use anew::{AnewOptions, judge_anew};
pub use conduct::{Conducted, Signal};
pub use history::{HistoryOptions, history};
pub use outlook::{OutlookOptions, outlook};
pub use output::{Output, Outputs, read_template};
use rand::Rng;
pub use replay::{Replayed, open, replay};
pub use runs::{compare_runs, run_files, runs};
pub use scout::{ScriptOptions, check};
pub use supervise::{WORD as SUPERVISE, supervise};
use tokio::sync::mpsc::unbounded_channel;
pub use trial::{TrialOptions, try_out};

use self::{
    baseline::Baseline,
    conclude::{Against, Ran, conclude, phase_timings, planned_arrivals},
    conduct::{Conductor, View, Watcher},
    counters::Counters,
    demo::Demo,
    endpoints::endpoints,
    processes::Running,
    program_log::LogNames,
    progress::Progress,
    record::Recording,
    scout::Scouted,
    thread::Assignment,
    watching::{Watching, note_end},
};
use crate::{
    clock::{Clock, Nanos, Origin},
    http::{AddressGuard, Reach, descriptor_limit, reach},
    judge::{self, ExitCode, Watch},
    measure::Totals,
    monitor::Sampler,
    pace::Segment,
    plan::{Extent, Outline, PhaseId, Plan, Slice},
    report::{self, Summary},
    results::{self, Cut, End},
    script::Redactor,
};

/// What a run is asked to do.
#[derive(Debug, Clone, Default)]
pub struct RunOptions {
    /// The scenario.
    pub script: PathBuf,
    /// Values that win over the environment's.
    pub env: Vec<(String, String)>,
    /// Where traffic comes from; a random one is made, and shown, unless given.
    pub seed: Option<u64>,
    /// Labels for the run.
    pub tags: BTreeMap<String, String>,
    /// How many workers; as many as cores unless given.
    pub workers: Option<usize>,
    /// The share of the run that this process does.
    pub segment: Option<Segment>,
    /// Start the embedded lab, with these arguments of `loadr lab`, and send to it.
    pub demo: Option<Vec<String>>,
    /// Leave out `setup`.
    pub no_setup: bool,
    /// Leave out `teardown`.
    pub no_teardown: bool,
    /// Do not try the targets before the run.
    pub no_preflight: bool,
    /// Inconclusive SLOs are not good enough.
    pub strict: bool,
    /// Run files, and folders of them, that the run is held against; they win over the script's.
    pub baseline: Vec<String>,
    /// A regression against the baseline fails the run.
    pub fail_on_regression: bool,
    /// A smaller change is none, as a share of the baseline; wins over the script's.
    pub max_regression: Option<f64>,
    /// No progress and no notes on standard error.
    pub quiet: bool,
    /// Files that the report is written to.
    pub outputs: Vec<Output>,
    /// The run file; named after script and time, in the current folder, unless given.
    pub results: Option<PathBuf>,
    /// Write no run file.
    pub no_results: bool,
    /// Record nothing: the report is empty. Of use to whoever measures what recording costs.
    pub no_recording: bool,
    /// The command line, for the run file.
    pub arguments: Vec<String>,
    /// Folders that the script may read beside its own.
    pub allow_read: Vec<PathBuf>,
    /// Public hosts that may be sent to.
    pub allow_target: Vec<String>,
    /// The script may start programs.
    pub allow_exec: bool,
    /// Only a part of each phase.
    pub slice: Option<Slice>,
    /// Only some phases, or phases that are shorter or longer.
    pub extent: Extent,
    /// Colour on standard error.
    pub color_stderr: bool,
}

/// Why there was no run. The text is whole, with its help.
#[derive(Debug)]
pub struct NotRun {
    /// What the process ends with.
    pub code: ExitCode,
    /// What to print.
    pub message: String,
}

impl NotRun {
    fn new(code: ExitCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

/// Runs a scenario from its file to its summary.
///
/// # Errors
/// The script has mistakes, an output cannot be written, or a target cannot be reached.
pub fn run(options: &RunOptions) -> Result<Summary, NotRun> {
    run_then(options, |_| ()).map(|(summary, ())| summary)
}

/// As [`run`], with what `read` makes of the phases as judges see them.
fn run_then<R>(options: &RunOptions, read: impl FnOnce(&[judge::PhaseView<'_>]) -> R) -> Result<(Summary, R), NotRun> {
    let demo = Demo::start_for(options.demo.as_deref())?;
    let source = ScriptOptions::from(options);
    let load = source.load_options(demo.as_ref());
    let Scouted { plan, redactor } = scout::scout(&source, &load, options.color_stderr)?;
    if options.demo.is_some() {
        scout::takes_its_target(&plan)?;
    }
    let baseline = Baseline::open(options, &plan)?;
    let outputs = Outputs::create(&options.outputs).map_err(|message| NotRun::new(ExitCode::NotStarted, message))?;
    let out = options.results.as_deref().map(create_named).transpose()?;
    let guard = AddressGuard::new(&options.allow_target);
    let workers = worker_count(&plan, options.workers);
    let progress = Progress::new(&plan, options.quiet, redactor.clone());
    for line in announcements(&plan) {
        progress.note(&line);
    }
    // A program that loadr starts gets what it would have from the user's shell.
    let descriptors = descriptor_limit();
    for warning in preflight::limits(&plan, workers) {
        progress.note(&warning);
    }
    // Before it starts: logs beside the run file have its name.
    let file_name = results::file_name(&redactor.redact(&manifest::run_name(options)), epoch_ms(SystemTime::now()));
    let logs = log_names(options, &file_name);
    let say = |line: &str| progress.note(line);
    let processes = Running::start(&plan, &load.processes, &logs, descriptors, &guard, &redactor, &say)
        .map_err(|message| NotRun::new(ExitCode::NotStarted, redactor.redact(&message)))?;
    if !options.no_preflight {
        endpoints(&plan, Segment::WHOLE)
            .and_then(|endpoints| preflight::reach_targets(&plan, endpoints, &guard))
            .map_err(|message| NotRun::new(ExitCode::NotStarted, message))?;
    }
    let counters = Counters::new(&plan, &guard).map_err(|message| NotRun::new(ExitCode::NotStarted, message))?;
    if !options.no_preflight {
        preflight::read_counters(&counters).map_err(|message| NotRun::new(ExitCode::NotStarted, message))?;
    }
    let seed = options.seed.unwrap_or_else(random_seed);
    let whole = options.segment.unwrap_or(Segment::WHOLE);
    let origin = Origin::now();
    let epoch_ms = epoch_ms(SystemTime::now());
    let assignments = (0..workers).map(|index| Assignment {
        index,
        script: options.script.clone(),
        options: load.clone(),
        segment: whole.part(index as u64, workers as u64),
        seed,
        origin,
        epoch_ms,
        guard: guard.clone(),
        is_muted: options.no_recording,
    });
    let outline = Outline::of(&plan);
    let facts = manifest::Facts {
        options,
        plan: &plan,
        outline: &outline,
        seed,
        segment: whole,
        workers,
        started_at_ms: epoch_ms,
    };
    let recording = (!options.no_results).then(|| start_recording(&facts, out, &file_name, &redactor));
    let sampler = (!plan.watches.is_empty())
        .then(|| Sampler::start(&plan.watches, &plan.targets, &processes.pids(), &guard, origin))
        .transpose()
        .map_err(|message| NotRun::new(ExitCode::NotStarted, message))?;
    let mut watchers = Watchers { progress, recording, watching: Watching::new(sampler), processes };
    let mut watch = Watch::new(&plan.slos);
    let clock = Clock::real(origin);
    let conducted =
        conduct(&plan, &outline, options, clock, assignments.collect(), &mut watchers, &mut watch, counters)?;
    let Watchers { progress, recording, mut watching, processes } = watchers;
    progress.finish();
    let mut end = end_of(&conducted, &outline, whole, seed);
    note_end(&mut watching.observed, &conducted.totals, &conducted.timings);
    let (last_seen, missed) = watching.finish(&outline.watches);
    end.observations = last_seen;
    end.notes.extend(missed);
    end.notes.extend(processes.stop(&|line| progress.note(line)));
    let against = match &baseline {
        Some(baseline) => {
            let file = recording.as_ref().map(|recording| recording.path.as_path());
            Against::Baseline(baseline, manifest::compared(&facts, file))
        }
        None => Against::Nothing,
    };
    let ran = Ran {
        outline: &outline,
        plan_hash: &plan.hash(),
        seed,
        tags: &options.tags,
        strict: options.strict,
        totals: &conducted.totals,
        timings: &conducted.timings,
        observed: &watching.observed,
        end: &end,
        partial: None,
        against,
    };
    let mut summary = conclude(&ran, &watch);
    summary.rewrite_texts(&|text| redactor.redact(text).into_owned());
    // Plain data with text keys: it always has a form in JSON.
    end.comparison = summary.baseline.as_ref().and_then(|comparison| serde_json::to_value(comparison).ok());
    let saved = recording.map(|recording| {
        let path = recording.path.clone();
        (path, recording.finish(&conducted.totals, &conducted.timings, &end))
    });
    if let Some(Cut::Broken(message)) = &conducted.cut {
        return Err(NotRun::new(ExitCode::Internal, redactor.redact(message)));
    }
    match saved {
        Some((path, Ok(()))) => progress.note(&format!("the run is in {}", path.display())),
        Some((path, Err(error))) => {
            // Not by way of the progress, which --quiet silences: it is a loss.
            progress.warn(&format!("warning: the run file {} is not whole: {error}", path.display()));
            summary.not_saved();
        }
        None => {}
    }
    outputs.write(&summary, &redactor).map_err(|message| NotRun::new(ExitCode::NotStarted, message))?;
    drop(demo);
    let read = read(&report::phase_views(&outline, &conducted.totals, &phase_timings(&conducted.timings, &end)));
    Ok((summary, read))
}

/// Creates the run file that was asked for by name.
fn create_named(path: &Path) -> Result<(PathBuf, File), NotRun> {
    File::create(path).map(|file| (path.to_owned(), file)).map_err(|error| {
        let message = format!("failed to create {}: {error}\nhelp: nothing was sent", path.display());
        NotRun::new(ExitCode::NotStarted, message)
    })
}

/// Where started programs write: beside the run file, or where files are that nobody keeps.
fn log_names(options: &RunOptions, file_name: &str) -> LogNames {
    match &options.results {
        Some(path) => LogNames::beside(path, true),
        None if options.no_results => LogNames::beside(&std::env::temp_dir().join(file_name), false),
        None => LogNames::beside(Path::new(file_name), false),
    }
}

/// A run file that nobody asked for by name does not keep the run from starting if it cannot be written.
fn start_recording(
    facts: &manifest::Facts<'_>,
    out: Option<(PathBuf, File)>,
    name: &str,
    redactor: &Redactor,
) -> Recording {
    let (path, file) = match out {
        Some((path, file)) => (path, Ok(file)),
        None => record::create_beside(Path::new(""), name),
    };
    Recording::start(path, file, &manifest::manifest(facts, redactor), redactor.clone())
}

/// How the run ended, for its file and its summary.
fn end_of(conducted: &Conducted, outline: &Outline, segment: Segment, seed: u64) -> End {
    End {
        cut: conducted.cut.clone(),
        planned: planned_arrivals(outline, &conducted.timings, &[segment], seed),
        throttled_share: conducted.throttled_share,
        clock_gap_max: conducted.gaps.iter().copied().max().unwrap_or(0),
        clock_gaps: conducted.gaps.len() as u64,
        script_stall_max: conducted.script_stall_max,
        descriptors: conducted.descriptors,
        notes: conducted.notes.clone(),
        teardown_error: conducted.teardown_error.clone(),
        readings: conducted.readings.clone(),
        observations: Vec::new(),
        comparison: None,
    }
}

/// All who watch a run.
struct Watchers {
    progress: Progress,
    recording: Option<Recording>,
    watching: Watching,
    processes: Running,
}

impl Watcher for Watchers {
    fn update(&mut self, view: &View<'_>) {
        self.progress.update(view);
        let seen = self.watching.update(view);
        for news in self.processes.news() {
            self.progress.warn(&format!("warning: {news}"));
        }
        if let Some(recording) = &mut self.recording {
            recording.update(view, &seen);
            if let Some(news) = recording.news() {
                self.progress.warn(&news);
            }
        }
    }

    fn say(&mut self, line: &str) {
        self.progress.say(line);
    }
}

/// A worker for each core, but no more than there is work to share.
fn worker_count(plan: &Plan, asked: Option<usize>) -> usize {
    let caps = plan.phases.iter().filter(|phase| phase.load.is_open()).map(|phase| phase.max_in_flight);
    // Workers share no connection: each has one at least.
    let connections = plan.targets.iter().filter_map(|target| target.connections);
    let cap = caps.chain(connections).min().unwrap_or(u64::MAX);
    let wanted = asked.unwrap_or_else(health::cores).max(1) as u64;
    usize::try_from(wanted.min(cap)).unwrap_or(1)
}

/// What a user should know before anything is sent: targets that are not this machine.
fn announcements(plan: &Plan) -> Vec<String> {
    plan.targets
        .iter()
        .filter_map(|target| {
            let host = target.url.host_str()?;
            let is_local = host == "localhost"
                || host.trim_matches(['[', ']']).parse().is_ok_and(|address| reach(address) == Reach::Loopback);
            (!is_local).then(|| format!("sending to {} which is not this machine", target.url))
        })
        .collect()
}

/// Milliseconds since 1970.
fn epoch_ms(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

fn random_seed() -> u64 {
    // Short enough to type again.
    u64::from(rand::rng().next_u32())
}

#[expect(clippy::too_many_arguments, reason = "called once, by the function above")]
fn conduct(
    plan: &Plan,
    outline: &Outline,
    options: &RunOptions,
    clock: Clock,
    assignments: Vec<Assignment>,
    watcher: &mut dyn Watcher,
    watch: &mut Watch,
    counters: Counters,
) -> Result<Conducted, NotRun> {
    let refuse =
        |error: std::io::Error| NotRun::new(ExitCode::NotStarted, format!("failed to start a worker: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(refuse)?;
    let (reports_in, reports) = unbounded_channel();
    let mut commands = Vec::new();
    let mut threads = Vec::new();
    for assignment in assignments {
        let (sender, receiver) = unbounded_channel();
        threads.push(thread::spawn(assignment, receiver, reports_in.clone()).map_err(refuse)?);
        commands.push(sender);
    }
    drop(reports_in);
    let mut judge = |totals: &Totals, active: &[(PhaseId, Nanos)], second: u64| {
        judge_second(plan, outline, watch, totals, active, second)
    };
    let conducted = runtime.block_on(async {
        let (signals_in, signals) = unbounded_channel();
        let listener = tokio::spawn(async move {
            let mut count = 0;
            while signal().await.is_ok() {
                let kind = if count == 0 { Signal::Drain } else { Signal::Kill };
                count += 1;
                if signals_in.send(kind).is_err() {
                    break;
                }
            }
        });
        let frame = (!options.no_setup, !options.no_teardown);
        let conductor = Conductor::new(plan, clock, commands, reports, signals, watcher, &mut judge, frame);
        let conductor = conductor.with_counters(counters);
        let conducted = conductor.conduct().await;
        listener.abort();
        conducted
    });
    for thread in threads {
        // A worker that panicked has reported it.
        let _ = thread.join();
    }
    Ok(conducted)
}

/// Waits for a signal that asks the process to end.
async fn signal() -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let (mut terminate, mut hang_up) = (signal(SignalKind::terminate())?, signal(SignalKind::hangup())?);
        tokio::select! {
            pressed = tokio::signal::ctrl_c() => pressed,
            _ = terminate.recv() => Ok(()),
            _ = hang_up.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}

/// Looks whether the last second's figures end a phase or the run.
fn judge_second(
    plan: &Plan,
    outline: &Outline,
    watch: &mut Watch,
    totals: &Totals,
    active: &[(PhaseId, Nanos)],
    second: u64,
) -> Vec<conduct::Verdict> {
    let mut verdicts = Vec::new();
    for &(id, start) in active {
        let phase = &plan.phases[id.index()];
        let Some((condition, over)) = &phase.ends_when else { continue };
        let seconds = (over.as_secs_f64().ceil() as u64).max(1);
        // A window that reaches back before the phase's start says nothing yet.
        if second + 1 < start.div_ceil(crate::clock::SECOND) + seconds {
            continue;
        }
        let (from, to) = (second + 1 - seconds, second + 1);
        let holds = if condition.op == judge::Op::Settles {
            // The two halves of the window; an odd second in the middle is in neither.
            let half = |from: u64| totals.window(id.0 as u16, from, from + seconds / 2);
            judge::has_settled(&half(from), &half(to - seconds / 2))
        } else {
            let figures = totals.window(id.0 as u16, from, to);
            judge::holds_now(condition, &figures, seconds * crate::clock::SECOND)
        };
        if holds {
            let why = format!("it ended by `ends_when`: {} {} over {seconds} s", condition.quantity, condition.text);
            verdicts.push(conduct::Verdict::EndPhase(id, why));
        }
    }
    let active: Vec<_> = active.iter().map(|&(phase, start)| (phase.0 as u16, start)).collect();
    for result in watch.tick(&report::phase_views(outline, totals, &timings_at(&active, second)), second) {
        let actual = result.figure.map_or_else(String::new, |figure| figure.text());
        verdicts
            .push(conduct::Verdict::Abort(format!("SLO \"{}\" failed: {} is {actual}", result.name, result.target)));
    }
    verdicts
}

/// Phases under way, as the judges see them at the end of a second.
fn timings_at(active: &[(u16, Nanos)], second: u64) -> Vec<report::PhaseTiming> {
    let now = (second + 1) * crate::clock::SECOND;
    let timing = |&(phase, start): &(u16, Nanos)| report::PhaseTiming {
        phase,
        start,
        stopped: now.max(start),
        drained: now.max(start),
        planned: None,
    };
    active.iter().map(timing).collect()
}
