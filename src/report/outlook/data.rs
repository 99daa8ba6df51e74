//! Whether a plan's tables have the rows that it needs.

use serde::Serialize;

use super::{
    counts::{Count, dealer, iterations},
    seconds,
};
use crate::{
    clock::Nanos,
    engine::{
        arrival_plan,
        outline::{Bound, Slot, planned_count},
    },
    pace::{ArrivalPlan, Segment, Spacing},
    plan::{DataId, Generator, Order, PhaseId, Plan, Step},
};

/// A table of rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DataOutlook {
    /// The path as the script wrote it, or `list`.
    pub source: String,
    /// How many rows it has.
    pub rows: u64,
    /// How rows are given: the word of the script.
    pub order: &'static str,
    /// Phases whose iterations take rows.
    pub phases: Vec<String>,
    /// How many rows those iterations take, where the plan tells; for a set whose rows may be given again, how many
    /// are asked for.
    pub needed: Option<Count>,
    /// Where a `.unique()` set has none left.
    pub runs_out: Option<RunsOut>,
}

/// Where a `.unique()` data set has no row left, which ends the phase.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunsOut {
    /// The phase.
    pub phase: String,
    /// How many of its iterations come before.
    pub after_iterations: u64,
    /// How many seconds after its start, where the plan tells.
    pub after_s: Option<f64>,
    /// False where the phase's users may never get that far.
    pub certain: bool,
}

pub(super) fn outlook(plan: &Plan, slots: &[Slot], seed: u64) -> Vec<DataOutlook> {
    (0..plan.data.len()).map(|index| of_set(plan, DataId(index as u32), slots, seed)).collect()
}

/// How one entry of a mix takes rows of a set: whether at all, and how many an iteration.
fn taken(plan: &Plan, set: DataId, step: Step) -> Option<u64> {
    match step {
        Step::Template(id) => {
            let slots = plan.templates[id.index()].generators().filter_map(|generator| {
                match plan.generators[generator.index()] {
                    Generator::Column { data, slot, .. } if data == set => Some(u64::from(slot)),
                    _ => None,
                }
            });
            // All slots of an iteration lie beside each other: the last decides whether they are there.
            slots.max().map(|_| u64::from(plan.data[set.index()].slots.max(1)))
        }
        Step::Flow(id) => {
            let closure = plan.flows[id.index()].closure;
            plan.captured.contains(&(closure, set)).then_some(1)
        }
    }
}

fn of_set(plan: &Plan, id: DataId, slots: &[Slot], seed: u64) -> DataOutlook {
    let set = &plan.data[id.index()];
    let rows = set.rows as u64;
    let mut outlook = DataOutlook {
        source: set.source.clone(),
        rows,
        order: match set.order {
            Order::Cycle => "cycle",
            Order::Random => "random",
            Order::Zipf(_) => "zipf",
            Order::Unique => "unique",
            Order::UniqueThenCycle => "unique().then_cycle",
        },
        phases: Vec::new(),
        needed: None,
        runs_out: None,
    };
    // The number that the next phase's first iteration has in the run, which rows are counted by; and whether that
    // is certain, or the least it can be.
    let (mut base, mut base_is) = (0_u64, Bound::Exact);
    for slot in slots {
        let phase = &plan.phases[slot.phase.index()];
        let mix = &plan.mixes[phase.mix.index()];
        let takes: Vec<Option<u64>> = mix.entries.iter().map(|entry| taken(plan, id, entry.step)).collect();
        let offered = iterations(plan, slot.phase, seed);
        if let Some(each) = takes.iter().flatten().copied().max() {
            outlook.phases.push(phase.name.clone());
            outlook.needed = Some(match offered {
                Some(offered) => {
                    Count { count: (base + offered.count).saturating_mul(each), is: base_is.and(offered.is) }
                }
                None => Count { count: base.saturating_mul(each), is: Bound::AtLeast },
            });
            if set.order == Order::Unique && outlook.runs_out.is_none() {
                let left = (rows / each).saturating_sub(base);
                let found = runs_out(plan, slot.phase, left, offered, &takes, seed);
                outlook.runs_out =
                    found.map(|found| RunsOut { certain: found.certain && base_is == Bound::Exact, ..found });
            }
        }
        let exact = offered.filter(|offered| offered.is == Bound::Exact).map(|offered| offered.count);
        match planned_count(plan, slot.phase).or(exact) {
            Some(count) => base = base.saturating_add(count),
            None => base_is = Bound::AtLeast,
        }
    }
    outlook
}

/// Where in a phase rows run out, if only its first `left` iterations have any.
fn runs_out(
    plan: &Plan,
    id: PhaseId,
    left: u64,
    offered: Option<Count>,
    takes: &[Option<u64>],
    seed: u64,
) -> Option<RunsOut> {
    /// A mix that takes no row for longer than this takes none.
    const LOOKED_AT_MAX: u64 = 1_000_000;
    let phase = &plan.phases[id.index()];
    let end = offered.map_or(u64::MAX, |offered| offered.count);
    let mut dealer = dealer(&plan.mixes[phase.mix.index()], id, seed);
    let k = (left..end.min(left.saturating_add(LOOKED_AT_MAX))).find(|&k| takes[dealer.entry(k)].is_some())?;
    Some(RunsOut {
        phase: phase.name.clone(),
        after_iterations: k,
        after_s: due(plan, id, k, seed).map(seconds),
        certain: offered.is_some_and(|offered| offered.is == Bound::Exact),
    })
}

/// When arrival `k` of an open phase is due, from the phase's start.
fn due(plan: &Plan, id: PhaseId, k: u64, seed: u64) -> Option<Nanos> {
    const DRAWN_MAX: u64 = 5_000_000;
    let arrivals = arrival_plan(&plan.phases[id.index()], Nanos::MAX)?;
    if let ArrivalPlan::Paced(curve, Spacing::Uniform) = &arrivals {
        return curve.time_of(k);
    }
    let mut arrivals = arrivals.arrivals(Segment::WHOLE, seed, u64::from(id.0));
    (k <= DRAWN_MAX).then(|| arrivals.nth(k as usize)).flatten().map(|arrival| arrival.due)
}
