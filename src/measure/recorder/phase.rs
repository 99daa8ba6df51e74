//! What a worker notes of a phase as a whole.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    clock::Nanos,
    measure::{
        CheckCounts, Custom, Distribution, Example, Excerpt, Gauge, Gauges, IterationCounts, IterationResult,
        MessageCounts, OTHER, Pairs, PhaseFigures,
        connections::ConnectionTally,
        errors::{Key, cut, keyed},
        tally::Tally,
    },
};

/// Distinct checks, and distinct custom metrics of a kind, of a phase.
const NAMES_MAX: usize = 100;
/// A longer name is cut, in bytes.
const NAME_BYTES_MAX: usize = 200;

#[derive(Debug, Default)]
pub(super) struct PhaseRecord {
    offered: u64,
    deals: Vec<u64>,
    iterations: IterationCounts,
    pub(super) lateness: Tally,
    pub(super) backlog: Tally,
    // The maps keep their names over takes: a name costs an allocation once.
    checks: BTreeMap<Arc<str>, CheckCounts>,
    counts: BTreeMap<Arc<str>, u64>,
    gauges_custom: BTreeMap<Arc<str>, Option<Gauge>>,
    timings: BTreeMap<Arc<str>, Tally>,
    pairs: Pairs,
    pub(super) connections: ConnectionTally,
    script_errors: MessageCounts,
    failure_reasons: MessageCounts,
    /// Which groups of either have got an example: one is enough.
    shown: [BTreeSet<Key>; 2],
    check_examples: BTreeMap<Arc<str>, Excerpt>,
    /// Which checks have got one.
    checks_shown: BTreeSet<Arc<str>>,
    pub(super) gauges: Gauges,
}

/// Which messages.
#[derive(Debug, Clone, Copy)]
pub(super) enum Messages {
    /// Run-time errors of the script.
    ScriptErrors,
    /// Why iterations failed where no request did.
    Failures,
}

/// Groups of messages that get an example, of a phase in one worker.
const SHOWN_MAX: usize = 50;

/// Changes the entry of that name, or that of the rest if there are too many names. Known names are looked up once.
fn change<T: Default>(map: &mut BTreeMap<Arc<str>, T>, name: &str, change: impl FnOnce(&mut T)) {
    if let Some(known) = map.get_mut(name) {
        return change(known);
    }
    let name = cut(name, NAME_BYTES_MAX);
    let name = if map.len() < NAMES_MAX || map.contains_key(name) { name } else { OTHER };
    change(map.entry(name.into()).or_default());
}

impl PhaseRecord {
    #[inline]
    pub(super) fn offered(&mut self, entry: usize) {
        self.offered += 1;
        if entry >= self.deals.len() {
            self.deals.resize(entry + 1, 0);
        }
        self.deals[entry] += 1;
    }

    #[inline]
    pub(super) fn iteration(&mut self, result: IterationResult) {
        let counts = &mut self.iterations;
        *match result {
            IterationResult::Ok => &mut counts.ok,
            IterationResult::Failed => &mut counts.failed,
            IterationResult::Timeout => &mut counts.timeout,
            IterationResult::Expired => &mut counts.expired,
            IterationResult::Dropped => &mut counts.dropped,
            IterationResult::Interrupted => &mut counts.interrupted,
        } += 1;
    }

    /// Counts the result of a check. Where it is the first that failed, `example` is asked for.
    pub(super) fn check(&mut self, name: &str, passed: bool, example: impl FnOnce() -> Option<Excerpt>) {
        change(&mut self.checks, name, |counts| {
            *(if passed { &mut counts.passed } else { &mut counts.failed }) += 1;
        });
        if passed {
            return;
        }
        let name = cut(name, NAME_BYTES_MAX);
        if let Some((name, _)) = self.checks.get_key_value(name)
            && !self.checks_shown.contains(name)
            && let Some(example) = example()
        {
            self.checks_shown.insert(name.clone());
            self.check_examples.insert(name.clone(), example);
        }
    }

    /// Counts a message; for the first of its group, `example` is asked for.
    pub(super) fn message(
        &mut self,
        of: Messages,
        place: &str,
        message: &str,
        example: impl FnOnce() -> Option<Excerpt>,
    ) {
        let counts = match of {
            Messages::ScriptErrors => &mut self.script_errors,
            Messages::Failures => &mut self.failure_reasons,
        };
        let shown = &mut self.shown[of as usize];
        let (key, message) = keyed(place, message);
        let is_new = shown.len() < SHOWN_MAX && !shown.contains(&key);
        let example = is_new.then(example).flatten().map(|exchange| Example { exchange, message: message.clone() });
        counts.add_counted(place, &message, 1, example.clone());
        if example.is_some() {
            shown.insert(key);
        }
    }

    pub(super) fn count(&mut self, name: &str, n: u64) {
        change(&mut self.counts, name, |sum| *sum = sum.saturating_add(n));
    }

    pub(super) fn gauge(&mut self, name: &str, value: f64, at: Nanos) {
        let set = Gauge::new(value, at);
        change(&mut self.gauges_custom, name, |gauge| match gauge {
            Some(gauge) => gauge.merge(&set),
            vacant => *vacant = Some(set),
        });
    }

    pub(super) fn timing(&mut self, name: &str, nanos: Nanos) {
        change(&mut self.timings, name, |tally| tally.record(nanos));
    }

    pub(super) fn pair(&mut self, name: &str, block: u64, base: Nanos, other: Nanos) {
        let name = cut(name, NAME_BYTES_MAX);
        let name = if self.pairs.names() < NAMES_MAX || self.pairs.has(name) { name } else { OTHER };
        self.pairs.record(name, block, base, other);
    }

    pub(super) fn take(&mut self) -> PhaseFigures {
        let checks = taken(&mut self.checks, |counts| {
            Some(std::mem::take(counts)).filter(|counts| *counts != CheckCounts::default())
        });
        let custom = Custom {
            counts: taken(&mut self.counts, |n| Some(std::mem::take(n)).filter(|&n| n > 0)),
            gauges: taken(&mut self.gauges_custom, Option::take),
            timings: taken(&mut self.timings, |tally| {
                Some(tally.take()).filter(|taken| !Distribution::is_empty(taken))
            }),
        };
        let deals = if self.offered > 0 { self.deals.clone() } else { Vec::new() };
        self.deals.fill(0);
        PhaseFigures {
            offered: std::mem::take(&mut self.offered),
            deals,
            iterations: std::mem::take(&mut self.iterations),
            lateness: self.lateness.take(),
            backlog: self.backlog.take(),
            series: BTreeMap::new(),
            checks,
            check_examples: std::mem::take(&mut self.check_examples),
            custom,
            pairs: std::mem::take(&mut self.pairs),
            connections: self.connections.take(),
            script_errors: std::mem::take(&mut self.script_errors),
            failure_reasons: std::mem::take(&mut self.failure_reasons),
        }
    }

    /// The levels, unless all have been 0 since the last time.
    pub(super) fn take_gauges(&mut self) -> Option<Gauges> {
        let gauges = self.gauges;
        self.gauges.in_flight.peak = gauges.in_flight.now;
        self.gauges.users.peak = gauges.users.now;
        self.gauges.queued.peak = gauges.queued.now;
        (gauges != Gauges::default()).then_some(gauges)
    }
}

fn taken<T, U>(map: &mut BTreeMap<Arc<str>, T>, mut take: impl FnMut(&mut T) -> Option<U>) -> BTreeMap<Arc<str>, U> {
    map.iter_mut().filter_map(|(name, value)| Some((name.clone(), take(value)?))).collect()
}
