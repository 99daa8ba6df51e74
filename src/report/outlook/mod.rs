//! What a plan would do, before it does it: figures for `loadr plan`, for people and for programs.

mod counts;
mod data;
mod schedule;

pub use counts::{Count, EntryOutlook};
pub use data::{DataOutlook, RunsOut};
pub use schedule::{Arrival, Schedule};
use serde::Serialize;

use super::describe;
use crate::{
    clock::{Nanos, SECOND},
    engine::outline::{Bound, Slot, timeline},
    judge::{Goal, NotDone},
    plan::{Baseline, Drawers, Load, Overflow, Phase, Plan, Process, Ready, extent_notes},
    protocol::status_text,
};

/// Everything `loadr plan` shows. The names are those of its JSON, which is an interface: additions only.
#[derive(Debug, Clone, Serialize)]
pub struct Outlook {
    /// The script's first doc comment.
    pub title: Option<String>,
    /// A hash of everything that shapes the traffic.
    pub plan_hash: String,
    /// The seed of everything drawn.
    pub seed: u64,
    /// From the start of the first phase to the end of the last, without drains.
    pub duration_s: f64,
    /// How that is meant.
    pub duration_is: Bound,
    /// Where requests would go.
    pub targets: Vec<TargetOutlook>,
    /// Programs that a run would start, where it may.
    pub processes: Vec<ProcessOutlook>,
    /// In the order of their starts.
    pub phases: Vec<PhaseOutlook>,
    /// Tables of rows, and whether they suffice.
    pub data: Vec<DataOutlook>,
    /// What must hold.
    pub slos: Vec<SloOutlook>,
    /// What a run would be held against, where the script says it.
    pub baseline: Option<BaselineOutlook>,
    /// By what rule requests get grades.
    pub grades: Option<String>,
    /// What the script leaves out, with its reasons.
    pub skipped: Vec<NotDone>,
    /// What the author hopes for.
    pub goals: Vec<GoalOutlook>,
    /// Names of the variables that the script asks for.
    pub environment: Vec<String>,
    /// Notes of the author.
    pub notes: Vec<String>,
    /// The first arrivals, where they were asked for.
    pub schedule: Option<Schedule>,
    /// For the drawing: its length.
    #[serde(skip)]
    pub drawn_end: Nanos,
}

/// A goal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GoalOutlook {
    /// Its name.
    pub name: String,
    /// How it was, in the author's words.
    pub before: Option<String>,
    /// What is hoped for.
    pub target: String,
    /// A run would measure it.
    pub is_measured: bool,
}

impl GoalOutlook {
    fn of(goal: &Goal) -> Self {
        Self {
            name: goal.name.clone(),
            before: goal.before.clone(),
            target: goal.target.clone(),
            is_measured: goal.measure.is_some() && goal.skipped.is_none(),
        }
    }
}

/// A program that a run would start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProcessOutlook {
    /// Its name in messages and files.
    pub name: String,
    /// As the script has it.
    pub command: String,
    /// What is waited for, in words.
    pub ready: String,
}

impl ProcessOutlook {
    fn of(process: &Process) -> Self {
        let ready = match &process.ready {
            Ready::Started => "at once".to_owned(),
            Ready::Tcp => "when its port takes connections".to_owned(),
            Ready::Http(path) => format!("when GET {path} is answered with 2xx"),
            Ready::Log(pattern) => format!("when its output fits {pattern:?}"),
        };
        Self { name: process.name.clone(), command: process.written.clone(), ready }
    }
}

/// How far away a target is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Distance {
    /// This machine.
    Loopback,
    /// A private network.
    Private,
    /// Anything else.
    Public,
    /// Its name has no address.
    Unknown,
}

impl Distance {
    /// For people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Loopback => "this machine",
            Self::Private => "a private network",
            Self::Public => "a public address",
            Self::Unknown => "no address found",
        }
    }
}

/// A server under test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TargetOutlook {
    /// Its address, without credentials.
    pub url: String,
    /// How far away it is.
    pub distance: Distance,
    /// Why a run would refuse it; nothing if it would not.
    pub refused: Option<String>,
}

/// A phase.
#[derive(Debug, Clone, Serialize)]
pub struct PhaseOutlook {
    /// Its name.
    pub name: String,
    /// The word for its load model.
    pub load: &'static str,
    /// Its load in words.
    pub load_text: String,
    /// Shown, but left out of every total and SLO.
    pub warmup: bool,
    /// From the start of the first phase.
    pub start_s: f64,
    /// How that is meant.
    pub start_is: Bound,
    /// From its start to its end.
    pub duration_s: f64,
    /// How that is meant.
    pub duration_is: Bound,
    /// How long iterations may finish after its end.
    pub drain_s: f64,
    /// How many iterations it offers, where the plan tells.
    pub iterations: Option<Count>,
    /// What its iterations do.
    pub entries: Vec<EntryOutlook>,
    /// Limits that are not the usual ones.
    pub limits: Vec<String>,
    /// For the drawing: how its load goes, where it starts, and how long it takes there.
    #[serde(skip)]
    pub drawn: (Shape, Nanos, Nanos),
}

/// How a phase's load goes over time: what the drawing shows.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// Through points of time from the start and level, to the phase's end.
    Path {
        /// Time and level.
        points: Vec<(Nanos, f64)>,
        /// The highest level, as text with its unit.
        peak: String,
    },
    /// Releases at these times.
    Bursts {
        /// From one to the next.
        every: Nanos,
        /// How many.
        times: u64,
        /// Iterations of each, as text.
        peak: String,
    },
    /// Until its work is done.
    Work {
        /// How much at once, as text.
        peak: String,
    },
}

/// An SLO.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SloOutlook {
    /// Its name.
    pub name: String,
    /// What it is about, in words; empty for everything.
    pub about: String,
    /// What must hold.
    pub conditions: Vec<String>,
    /// A certain failure ends the run.
    pub abort: bool,
    /// Judged over windows of this length.
    pub over_s: Option<f64>,
}

/// Earlier runs that a run would be held against.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BaselineOutlook {
    /// Run files, and folders of them.
    pub files: Vec<String>,
    /// Those of them that are not there.
    pub missing: Vec<String>,
    /// A smaller change is none, as a share.
    pub max_regression: f64,
    /// A regression fails the run.
    pub fail: bool,
}

impl BaselineOutlook {
    fn of(baseline: &Baseline) -> Self {
        Self {
            files: baseline.files.clone(),
            missing: Vec::new(),
            max_regression: baseline.margin,
            fail: baseline.fail,
        }
    }
}

impl Outlook {
    /// Looks ahead. `schedule` is how many arrivals are wanted.
    pub fn new(
        plan: &Plan,
        drawers: &Drawers,
        seed: u64,
        schedule: Option<usize>,
        targets: Vec<TargetOutlook>,
    ) -> Self {
        let (slots, (end, end_is)) = timeline(plan, 0);
        // Nobody knows how long a phase takes whose work decides: the drawing shows it as a part of the whole.
        let (drawn, (drawn_end, _)) = timeline(plan, (end / 6).max(SECOND));
        let place = |slot: &Slot| drawn.iter().find(|other| other.phase == slot.phase).copied().unwrap_or(*slot);
        Self {
            title: plan.title.clone(),
            plan_hash: plan.hash(),
            seed,
            duration_s: seconds(end),
            duration_is: end_is,
            targets,
            processes: plan.processes.iter().map(ProcessOutlook::of).collect(),
            phases: slots.iter().map(|slot| phase(plan, slot, &place(slot), seed)).collect(),
            data: data::outlook(plan, &slots, seed),
            slos: plan.slos.iter().map(slo).collect(),
            baseline: plan.baseline.as_ref().map(BaselineOutlook::of),
            grades: plan.grades.as_ref().map(crate::judge::Grades::rule),
            skipped: plan.skipped.clone(),
            goals: plan.goals.iter().map(GoalOutlook::of).collect(),
            environment: plan.environment.clone(),
            notes: extent_notes(plan.scale, &plan.phases).into_iter().chain(plan.notes.iter().cloned()).collect(),
            schedule: schedule.map(|wanted| schedule::first(plan, drawers, &slots, seed, wanted)),
            drawn_end,
        }
    }
}

/// Nanoseconds as seconds.
fn seconds(nanos: Nanos) -> f64 {
    nanos as f64 / SECOND as f64
}

fn phase(plan: &Plan, slot: &Slot, drawn: &Slot, seed: u64) -> PhaseOutlook {
    let phase = &plan.phases[slot.phase.index()];
    let iterations = counts::iterations(plan, slot.phase, seed);
    PhaseOutlook {
        name: phase.name.clone(),
        load: phase.load.word(),
        load_text: describe(phase),
        warmup: phase.warmup,
        start_s: seconds(slot.start),
        start_is: slot.start_is,
        duration_s: seconds(slot.length),
        duration_is: slot.length_is,
        drain_s: phase.drain.as_secs_f64(),
        entries: counts::entries(plan, slot.phase, seed, iterations),
        iterations,
        limits: limits(phase),
        drawn: (shape(phase, slot.length), drawn.start, drawn.length),
    }
}

fn limits(phase: &Phase) -> Vec<String> {
    const IN_FLIGHT_USUAL: u64 = 10_000;
    const DRAIN_USUAL: u64 = 30;
    let mut limits = Vec::new();
    let beyond = match phase.overflow {
        Overflow::Queue => "others queue",
        Overflow::Drop => "others are dropped",
        Overflow::Abort => "one more ends the phase",
    };
    if phase.load.is_open() && (phase.max_in_flight != IN_FLIGHT_USUAL || phase.overflow != Overflow::Queue) {
        limits.push(format!("at most {} in flight, {beyond}", phase.max_in_flight));
    }
    if let Some(rate) = phase.throttle {
        limits.push(format!("at most {rate}"));
    }
    if let Some(pace) = phase.pace {
        limits.push(format!("an iteration of a user every {}", span(pace)));
    }
    match phase.think {
        Some(crate::plan::Think::Fixed(pause)) => {
            limits.push(format!("a pause of {} after each iteration", span(pause)))
        }
        Some(crate::plan::Think::Drawn(_)) => limits.push("a drawn pause after each iteration".to_owned()),
        None => {}
    }
    if let Some((condition, over)) = &phase.ends_when {
        limits.push(format!("ends when {} {} over {}", condition.quantity, condition.text, span(*over)));
    }
    if phase.drain.as_secs() != DRAIN_USUAL || phase.drain.subsec_nanos() != 0 {
        limits.push(format!("drains for at most {}", span(phase.drain)));
    }
    limits
}

fn span(length: std::time::Duration) -> String {
    crate::clock::format_nanos(length.as_nanos() as Nanos)
}

fn shape(phase: &Phase, length: Nanos) -> Shape {
    let path = |points: Vec<(Nanos, f64)>, peak: String| {
        let mut points = points;
        if let (Some(&(_, first)), Some(&(_, last))) = (points.first(), points.last()) {
            points.insert(0, (0, first));
            points.push((length, last));
        }
        Shape::Path { points, peak }
    };
    match &phase.load {
        Load::Users(points) => {
            let peak = points.iter().map(|&(_, users)| users).max().unwrap_or(0);
            path(points.iter().map(|&(at, users)| (at.as_nanos() as Nanos, users as f64)).collect(), users(peak))
        }
        Load::Rate(points) => {
            let levels = points.iter().map(|&(at, rate)| (at.as_nanos() as Nanos, rate.as_per_second()));
            let peak =
                points.iter().map(|&(_, rate)| rate).max_by(|a, b| a.as_per_second().total_cmp(&b.as_per_second()));
            path(levels.collect(), peak.map_or_else(String::new, |rate| rate.to_string()))
        }
        Load::Burst { count, every, times } => {
            Shape::Bursts { every: every.as_nanos() as Nanos, times: *times, peak: format!("{count} at once") }
        }
        Load::Iterations { users: n, .. } | Load::EachUser { users: n, .. } => Shape::Work { peak: users(*n) },
        Load::Asap { count } => Shape::Work { peak: format!("{count} as fast as possible") },
    }
}

fn users(n: u64) -> String {
    format!("{n} {}", if n == 1 { "user" } else { "users" })
}

fn slo(slo: &crate::judge::Slo) -> SloOutlook {
    let selector = &slo.selector;
    let named = [
        ("phase", &selector.phase),
        ("request", &selector.request),
        ("flow", &selector.flow),
        ("group", &selector.group),
        ("class", &selector.class),
        ("experiment", &selector.experiment),
    ];
    let mut about: Vec<String> =
        named.iter().filter_map(|(kind, name)| Some(format!("{kind} {}", name.as_ref()?))).collect();
    about.extend(selector.status.map(|status| format!("status {}", status_text(status))));
    SloOutlook {
        name: slo.name.clone(),
        about: about.join(", "),
        conditions: slo.conditions.iter().map(|it| format!("{} {}", it.quantity, it.text)).collect(),
        abort: slo.abort,
        over_s: slo.over.map(seconds),
    }
}
