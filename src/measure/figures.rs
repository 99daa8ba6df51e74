//! The figures of one phase, over any stretch of time and any number of workers.

use std::{collections::BTreeMap, sync::Arc};

use super::{Connections, Custom, Distribution, Excerpt, MessageCounts, Pairs, SeriesFigures, SeriesKey};

/// Everything recorded of one phase. Adding two is exact, in any order, except that of texts only the first
/// few are kept.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PhaseFigures {
    /// Iterations that were due and taken up, whatever became of them.
    pub offered: u64,
    /// The same by entry of the phase's mix.
    pub deals: Vec<u64>,
    /// What became of them.
    pub iterations: IterationCounts,
    /// From due to dispatched: the generator's own fault.
    pub lateness: Distribution,
    /// From dispatched to started: waiting for a place in flight.
    pub backlog: Distribution,
    /// Requests and flows.
    pub series: BTreeMap<SeriesKey, SeriesFigures>,
    /// Checks by name.
    pub checks: BTreeMap<Arc<str>, CheckCounts>,
    /// The first exchange with which a check failed, by the check's name.
    pub check_examples: BTreeMap<Arc<str>, Excerpt>,
    /// The script's own metrics.
    pub custom: Custom,
    /// Durations that belong together.
    pub pairs: Pairs,
    /// Connections.
    pub connections: Connections,
    /// Run-time errors of the script.
    pub script_errors: MessageCounts,
    /// Why iterations failed where no request did.
    pub failure_reasons: MessageCounts,
}

impl PhaseFigures {
    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Self) {
        self.offered += other.offered;
        if self.deals.len() < other.deals.len() {
            self.deals.resize(other.deals.len(), 0);
        }
        self.deals.iter_mut().zip(&other.deals).for_each(|(sum, n)| *sum += n);
        self.iterations.merge(&other.iterations);
        self.lateness.merge(&other.lateness);
        self.backlog.merge(&other.backlog);
        for (key, figures) in &other.series {
            match self.series.get_mut(key) {
                Some(sum) => sum.merge(figures),
                None => drop(self.series.insert(key.clone(), figures.clone())),
            }
        }
        for (name, counts) in &other.checks {
            let sum = self.checks.entry(name.clone()).or_default();
            sum.passed += counts.passed;
            sum.failed += counts.failed;
        }
        for (name, example) in &other.check_examples {
            let known = self.check_examples.entry(name.clone()).or_insert_with(|| example.clone());
            if example < known {
                known.clone_from(example);
            }
        }
        self.custom.merge(&other.custom);
        self.pairs.merge(&other.pairs);
        self.connections.merge(&other.connections);
        self.script_errors.merge(&other.script_errors);
        self.failure_reasons.merge(&other.failure_reasons);
    }

    /// Nothing was recorded.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Offered iterations without an outcome. 0 when a phase is over: nothing vanishes.
    pub fn unaccounted(&self) -> u64 {
        self.offered.saturating_sub(self.iterations.total())
    }
}

/// Iterations by what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct IterationCounts {
    /// Every request as expected, and the script did not fail it.
    pub ok: u64,
    /// A request or the script failed.
    pub failed: u64,
    /// It failed because a request timed out.
    pub timeout: u64,
    /// Waited for a place in flight until its timeout had passed.
    pub expired: u64,
    /// Found no place in flight.
    pub dropped: u64,
    /// Under way when the drain ended.
    pub interrupted: u64,
}

impl IterationCounts {
    /// All of them.
    pub const fn total(&self) -> u64 {
        self.ok + self.failed + self.timeout + self.expired + self.dropped + self.interrupted
    }

    /// All that did not end ok.
    pub const fn not_ok(&self) -> u64 {
        self.total() - self.ok
    }

    fn merge(&mut self, other: &Self) {
        self.ok += other.ok;
        self.failed += other.failed;
        self.timeout += other.timeout;
        self.expired += other.expired;
        self.dropped += other.dropped;
        self.interrupted += other.interrupted;
    }
}

/// Results of a check.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CheckCounts {
    /// It held.
    pub passed: u64,
    /// It did not.
    pub failed: u64,
}

/// A number of things at work.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Level {
    /// Now.
    pub now: u64,
    /// The most there were. Of several workers, the sum of each one's most within the same second: the true
    /// peak is not above it.
    pub peak: u64,
}

impl Level {
    /// Notes the number now.
    pub fn set(&mut self, now: u64) {
        self.now = now;
        self.peak = self.peak.max(now);
    }
}
