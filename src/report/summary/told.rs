//! What of the phases is told elsewhere, or not worth a table of its own.

use super::{CustomSummary, ExperimentSummary, PhaseSummary, RowSummary, Summary};

/// The metrics by which `std/cache` tells of ages of entries, of writes, and of users: a section has them in words.
const OF_TTL: [&str; 5] =
    [" age of hits", " age of misses", " age of used hits", " age of used misses", " told lifetime"];
const OF_WRITES: [&str; 9] = [
    " stale reads",
    " stale after a write",
    " stale after a raced write",
    " stale to the end writes",
    " stale to the end raced writes",
    " lost writes",
    " lost raced writes",
    " unseen writes",
    " unseen raced writes",
];
const OF_USERS: [&str; 4] =
    [" keys alike for both users", " keys that differ each time", " keys leaked", " keys kept apart"];

impl ExperimentSummary {
    /// Its section says what this metric of a script says.
    fn tells(&self, metric: &CustomSummary) -> bool {
        let Some(what) = metric.name().strip_prefix(self.name.as_str()) else { return false };
        let warned = what.strip_prefix(": ").is_some_and(|what| {
            matches!(metric, CustomSummary::Count { .. }) && self.warnings.iter().any(|warning| warning.ends_with(what))
        });
        warned
            || (self.ttl.is_some() && OF_TTL.contains(&what))
            || (self.invalidation.is_some() && OF_WRITES.contains(&what))
            || (self.users.is_some() && OF_USERS.contains(&what))
    }
}

impl Summary {
    /// Metrics of a phase, or of the run, without those that the section of an experiment has in words.
    pub fn own_metrics<'a>(&'a self, metrics: &'a [CustomSummary]) -> impl Iterator<Item = &'a CustomSummary> {
        metrics.iter().filter(|metric| !self.experiments.iter().any(|experiment| experiment.tells(metric)))
    }
}

/// What takes no more requests than that is a chore.
const CHORE_REQUESTS_MAX: u64 = 3;

impl PhaseSummary {
    /// A warm-up of a single iteration of hardly anything that went well, such as emptying a cache: its figures say nothing.
    pub fn is_chore(&self) -> bool {
        let all =
            |of: fn(&RowSummary) -> u64| self.requests.iter().filter(|row| row.class.is_none()).map(of).sum::<u64>();
        let (sent, answered) = (all(|row| row.offered), all(|row| row.ok));
        let is_single = self.load == "iterations" && (self.offered, self.ok) == (1, 1);
        let is_plain = self.script_errors.is_empty() && self.checks.is_empty() && self.custom.is_empty();
        self.warmup && is_single && is_plain && sent == answered && sent <= CHORE_REQUESTS_MAX
    }
}
