//! Whether one user gets what was stored for another.

use serde::Serialize;

use crate::judge::{Experiment, PhaseView};

/// Keys that two users asked for, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct UsersSummary {
    /// Both get the same from an empty cache: nothing of these is anybody's own.
    pub alike: u64,
    /// Each got its own.
    pub kept_apart: u64,
    /// The second got the first one's answer, and not its own.
    pub leaked: u64,
    /// Answers differ each time, so nothing can be told.
    pub untold: u64,
}

pub(super) fn users(experiment: &Experiment, phases: &[PhaseView<'_>]) -> Option<UsersSummary> {
    let name = experiment.users.as_ref()?;
    let custom = &phases.iter().find(|phase| phase.name == *name)?.figures.custom;
    let count =
        |what: &str| custom.counts.get(format!("{} keys {what}", experiment.name).as_str()).copied().unwrap_or(0);
    let summary = UsersSummary {
        alike: count("alike for both users"),
        kept_apart: count("kept apart"),
        leaked: count("leaked"),
        untold: count("that differ each time"),
    };
    (summary.keys() > 0).then_some(summary)
}

impl UsersSummary {
    /// Keys that were tried.
    pub const fn keys(&self) -> u64 {
        self.alike + self.kept_apart + self.leaked + self.untold
    }

    /// For people.
    pub fn text(&self) -> String {
        let parts = [
            (self.leaked, "the second got what was stored for the first"),
            (self.kept_apart, "each got its own"),
            (self.alike, "both get the same answer anyway"),
            (self.untold, "answers differ each time, so it cannot be told"),
        ];
        let told: Vec<String> =
            parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("for {n} {what}")).collect();
        format!("two users: of {} keys, {}", self.keys(), told.join("; "))
    }

    /// What it makes doubtful.
    pub fn warning(&self) -> Option<String> {
        (self.leaked > 0).then(|| {
            format!(
                "security: one user's body was served to another, for {} of {} keys: the cache's key lacks who asks",
                self.leaked,
                self.keys()
            )
        })
    }
}
