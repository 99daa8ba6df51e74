//! The first arrivals of a run: when, what, and what of it is drawn.

use serde::Serialize;

use super::{
    counts::{dealer, iterations, named},
    seconds,
};
use crate::{
    clock::Nanos,
    engine::{
        arrival_plan,
        outline::{Bound, Slot, planned_count},
        render::Compiled,
        user::User,
    },
    pace::Segment,
    plan::{Drawers, PhaseId, Plan, Step},
};

/// The first arrivals of the open phases, in the order of their planned times.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Schedule {
    /// What `loadr run` with the same seed sends, and when.
    pub arrivals: Vec<Arrival>,
    /// Phases that have no schedule: their users decide when.
    pub closed: Vec<String>,
}

/// One arrival.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Arrival {
    /// The phase.
    pub phase: String,
    /// Its number in the phase, from 0.
    pub iteration: u64,
    /// When it is due, from the phase's start.
    pub due_s: f64,
    /// When it is due, from the start of the run's first phase.
    pub at_s: f64,
    /// How that is meant.
    pub at_is: Bound,
    /// `request` or `flow`.
    pub kind: &'static str,
    /// The row it is reported under.
    pub name: String,
    /// Of a request: its method.
    pub method: Option<String>,
    /// Of a request: its path and query with what is drawn for them. Holes stay `{…}` where what is drawn depends on
    /// how many iterations a closed phase before it gets done.
    pub path: Option<String>,
}

pub(super) fn first(plan: &Plan, drawers: &Drawers, slots: &[Slot], seed: u64, wanted: usize) -> Schedule {
    let compiled: Vec<Compiled> = plan.templates.iter().map(|template| Compiled::new(template, plan)).collect();
    let mut all: Vec<(Nanos, Arrival)> = Vec::new();
    let mut closed = Vec::new();
    let mut base = Some(0_u64);
    for slot in slots {
        let id = slot.phase;
        let phase = &plan.phases[id.index()];
        let mix = &plan.mixes[phase.mix.index()];
        match arrival_plan(phase, Nanos::MAX) {
            None => closed.push(phase.name.clone()),
            Some(arrivals) => {
                let mut dealer = dealer(mix, id, seed);
                for arrival in arrivals.arrivals(Segment::WHOLE, seed, u64::from(id.0)).take(wanted) {
                    let step = mix.entries[dealer.entry(arrival.k)].step;
                    let (kind, name) = named(plan, step);
                    let (method, path) = match step {
                        Step::Template(template) => {
                            let method = plan.templates[template.index()].method.clone();
                            let compiled = &compiled[template.index()];
                            let drawn = base.and_then(|base| path(compiled, drawers, seed, id, base + arrival.k));
                            (Some(method), drawn.or_else(|| Some(pattern(plan, step))))
                        }
                        Step::Flow(_) => (None, None),
                    };
                    let at = slot.start + arrival.due;
                    all.push((
                        at,
                        Arrival {
                            phase: phase.name.clone(),
                            iteration: arrival.k,
                            due_s: seconds(arrival.due),
                            at_s: seconds(at),
                            at_is: slot.start_is,
                            kind,
                            name: name.to_owned(),
                            method,
                            path,
                        },
                    ));
                }
            }
        }
        let exact = || iterations(plan, id, seed).filter(|count| count.is == Bound::Exact).map(|count| count.count);
        base = base.zip(planned_count(plan, id).or_else(exact)).map(|(base, count)| base + count);
    }
    // Stable: of two that are due together, the phase that is written first comes first.
    all.sort_by_key(|&(at, _)| at);
    all.truncate(wanted);
    Schedule { arrivals: all.into_iter().map(|(_, arrival)| arrival).collect(), closed }
}

/// The path that iteration `index` of the run sends; none if its data has no row for it.
fn path(compiled: &Compiled, drawers: &Drawers, seed: u64, phase: PhaseId, index: u64) -> Option<String> {
    let user = User::new(1, seed);
    user.begin(phase, index);
    let (mut wire, mut scratch) = (Vec::new(), Vec::new());
    // The wall clock is the run's, and not known yet: `timestamp()` shows as 0.
    user.draw(0, |context| compiled.write(&mut wire, &mut scratch, &user, drawers, context)).ok()?;
    let line = wire.split(|&byte| byte == b'\r').next()?;
    String::from_utf8_lossy(line).split(' ').nth(1).map(ToOwned::to_owned)
}

fn pattern(plan: &Plan, step: Step) -> String {
    match step {
        Step::Template(id) => {
            let template = &plan.templates[id.index()];
            let query: Vec<String> =
                template.query.iter().map(|(name, value)| format!("{}={}", name.display(), value.display())).collect();
            let path = template.path.display();
            if query.is_empty() { path } else { format!("{path}?{}", query.join("&")) }
        }
        Step::Flow(_) => String::new(),
    }
}
