//! How many iterations a phase offers, and how many each entry of its mix gets.

use serde::Serialize;

use crate::{
    clock::Nanos,
    engine::{arrival_plan, outline::Bound},
    pace::{ArrivalPlan, Dealer, Deck, Segment},
    plan::{Deal, Load, Mix, Overflow, Phase, PhaseId, Plan, Step},
};

/// Poisson arrivals are counted by drawing them; of more than this many, only about how many is said.
const DRAWN_MAX: u64 = 5_000_000;

/// A number of iterations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Count {
    /// The number.
    pub count: u64,
    /// How it is meant.
    pub is: Bound,
}

/// An entry of a phase's mix.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EntryOutlook {
    /// The row it is reported under.
    pub name: String,
    /// `request` or `flow`.
    pub kind: &'static str,
    /// Its share of the iterations, from 0 to 1.
    pub share: f64,
    /// How many iterations it gets, where the plan tells; a flow's own requests are its script's choice.
    pub iterations: Option<Count>,
}

pub(super) fn iterations(plan: &Plan, id: PhaseId, seed: u64) -> Option<Count> {
    let phase = &plan.phases[id.index()];
    let may_end = phase.ends_when.is_some() || (phase.load.is_open() && phase.overflow == Overflow::Abort);
    let usual = if may_end { Bound::AtMost } else { Bound::Exact };
    let by_users = if phase.duration.is_some() { Bound::AtMost } else { usual };
    match &phase.load {
        Load::Iterations { count, .. } => Some(Count { count: *count, is: by_users }),
        Load::EachUser { each, users } => Some(Count { count: each.saturating_mul(*users), is: by_users }),
        Load::Users(points) => {
            let peak = points.iter().map(|&(_, users)| users).max().unwrap_or(0);
            closed_limit(phase, peak).map(|count| Count { count, is: Bound::AtMost })
        }
        Load::Rate(_) | Load::Burst { .. } | Load::Asap { .. } => {
            let arrivals = arrival_plan(phase, Nanos::MAX)?;
            Some(match (&arrivals, arrivals.count()) {
                (_, Some(count)) => Count { count, is: usual },
                (ArrivalPlan::Paced(curve, _), None) if curve.count() > DRAWN_MAX => {
                    Count { count: curve.count(), is: Bound::About.and(usual) }
                }
                _ => {
                    let count = arrivals.arrivals(Segment::WHOLE, seed, u64::from(id.0)).count() as u64;
                    Count { count, is: usual }
                }
            })
        }
    }
}

/// What pace and throttle leave of a closed phase.
fn closed_limit(phase: &Phase, users: u64) -> Option<u64> {
    let length = phase.duration?.as_nanos();
    let paced = phase.pace.filter(|pace| !pace.is_zero()).map(|pace| {
        // The first of each user is at the start.
        let each = length.div_ceil(pace.as_nanos());
        u64::try_from(each).unwrap_or(u64::MAX).saturating_mul(users)
    });
    let throttled = phase.throttle.map(|rate| {
        let allowed = length * u128::from(rate.events) / u128::from(rate.per.max(1));
        u64::try_from(allowed).unwrap_or(u64::MAX).saturating_add(users)
    });
    paced.into_iter().chain(throttled).min()
}

/// The dealer of a phase, as its run will have it.
pub(super) fn dealer(mix: &Mix, id: PhaseId, seed: u64) -> Dealer {
    let weights: Vec<f64> = mix.entries.iter().map(|entry| entry.weight).collect();
    let deck = match mix.deal {
        Deal::Deck => Deck::new(&weights),
        Deal::Random => Deck::independent(&weights),
    };
    Dealer::new(deck, seed, u64::from(id.0))
}

pub(super) fn entries(plan: &Plan, id: PhaseId, seed: u64, iterations: Option<Count>) -> Vec<EntryOutlook> {
    let mix = &plan.mixes[plan.phases[id.index()].mix.index()];
    let weights: f64 = mix.entries.iter().map(|entry| entry.weight).sum();
    // Who gets the last cards of a phase that may end sooner is not known.
    let exact = iterations.filter(|count| count.is == Bound::Exact);
    let dealt = exact.and_then(|count| dealer(mix, id, seed).tally(count.count, mix.entries.len()));
    mix.entries
        .iter()
        .enumerate()
        .map(|(index, entry)| {
            let share = entry.weight / weights;
            let (kind, name) = named(plan, entry.step);
            let iterations = match (&dealt, iterations) {
                (Some(dealt), _) => Some(Count { count: dealt[index], is: Bound::Exact }),
                (None, Some(Count { count, is })) => {
                    Some(Count { count: (count as f64 * share).round() as u64, is: is.and(Bound::About) })
                }
                (None, None) => None,
            };
            EntryOutlook { name: name.to_owned(), kind, share, iterations }
        })
        .collect()
}

/// What an entry is, and the row it is reported under.
pub(super) fn named(plan: &Plan, step: Step) -> (&'static str, &str) {
    match step {
        Step::Template(id) => ("request", &plan.templates[id.index()].name),
        Step::Flow(id) => ("flow", &plan.flows[id.index()].name),
    }
}
