//! What became of writes: when they were read, and whether.

use serde::Serialize;

use super::Latency;
use crate::{
    judge::{Experiment, PhaseView, Unit},
    measure::Distribution,
    report::words::figure,
};

/// Writes, and what reads saw of them after their acknowledgement. `std/cache` keeps these by name.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct InvalidationSummary {
    /// Writes that were acknowledged.
    pub writes: u64,
    /// The first read after the acknowledgement had the new version.
    pub at_once: u64,
    /// Reads of an old version after the acknowledgement.
    pub stale_reads: u64,
    /// From the acknowledgement until a read had the new version; 0 for those that had it at once. Writes of entries that
    /// lay in the cache.
    pub stale_us: Latency,
    /// The same of writes that landed while a read was under way.
    pub raced_us: Latency,
    /// Writes that were not read in time, though the origin has them.
    pub stale_to_the_end: u64,
    /// Writes that the origin does not have: lost updates.
    pub lost: u64,
    /// Writes that were not read in time, where nothing tells which of both it was.
    pub unseen: u64,
    /// Writes whose old version was read again after the new one.
    pub came_back: u64,
    /// How long a version was waited for.
    pub within_us: u64,
}

pub(super) fn invalidation(experiment: &Experiment, phases: &[PhaseView<'_>]) -> Option<InvalidationSummary> {
    let part = experiment.invalidate.as_ref()?;
    let custom = &phases.iter().find(|phase| phase.name == part.phase)?.figures.custom;
    let count = |what: &str| custom.counts.get(format!("{}{what}", experiment.name).as_str()).copied().unwrap_or(0);
    let of_both = |what: &str| count(&format!(" {what} writes")) + count(&format!(" {what} raced writes"));
    let none = Distribution::default();
    let times =
        |kind: &str| custom.timings.get(format!("{} stale after a {kind}", experiment.name).as_str()).unwrap_or(&none);
    let (plain, raced) = (times("write"), times("raced write"));
    let (stale_to_the_end, lost, unseen) = (of_both("stale to the end"), of_both("lost"), of_both("unseen"));
    let seen = plain.count() + raced.count();
    let writes = seen + stale_to_the_end + lost + unseen;
    // A duration of 0 is filed as the shortest there is.
    let at_once = plain.count_at_most(1_000) + raced.count_at_most(1_000);
    (writes > 0).then(|| InvalidationSummary {
        writes,
        at_once,
        stale_reads: count(" stale reads"),
        stale_us: Latency::estimate(plain, &none, &[]),
        raced_us: Latency::estimate(raced, &none, &[]),
        stale_to_the_end,
        lost,
        unseen,
        came_back: count(": writes whose old version came back"),
        within_us: part.within_ns / 1_000,
    })
}

impl InvalidationSummary {
    /// For people.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!(
            "invalidation: of {} writes, {} are read at once after the acknowledgement; {} reads were stale",
            self.writes, self.at_once, self.stale_reads
        )];
        for (what, times) in [("stale after a write", &self.stale_us), ("of those that raced a read", &self.raced_us)] {
            let Some(longest) = times.max.filter(|&longest| longest > 0 && self.at_once < self.writes) else {
                continue;
            };
            lines.push(format!(
                "{what}: p50 {}, p95 {}, longest {} (n = {})",
                figure(times, "p50"),
                figure(times, "p95"),
                Unit::Us.text(longest as f64),
                times.count
            ));
        }
        lines
    }

    /// What it makes doubtful.
    pub fn warnings(&self) -> Vec<String> {
        let within = Unit::Us.text(self.within_us as f64);
        let told = [
            (self.lost, "were acknowledged and are lost: the origin does not have them".to_owned()),
            (self.stale_to_the_end, format!("were not read within {within}, though the origin has them")),
            (self.unseen, format!("were not read within {within}: lost, or stale for longer (`baseline` would tell)")),
        ];
        let of = self.writes;
        told.into_iter()
            .filter(|(n, _)| *n > 0)
            .map(|(n, what)| format!("invalidation: {n} of {of} writes {what}"))
            .collect()
    }
}
