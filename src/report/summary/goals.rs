//! Goals as reports show them.

use serde::Serialize;

use crate::judge::{Goal, GoalResult, GoalStatus, PhaseView, Unit, judge_goal};

/// A row of the table of goals.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GoalSummary {
    /// Its name.
    pub name: String,
    /// How it was, in the author's words; not measured by this run.
    pub before: Option<String>,
    /// What is hoped for, as the author wrote it.
    pub target: String,
    /// What was judged, such as `p95`; null where the script does not say.
    pub quantity: Option<String>,
    /// What became of it.
    pub status: GoalStatus,
    /// What was measured, in `unit`; withheld where the sample cannot carry it.
    pub actual: Option<f64>,
    /// Lower end of the 95 % interval.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// What the three are counted in.
    pub unit: Option<Unit>,
    /// `actual` for people.
    pub actual_text: String,
    /// The interval for people; empty where there is none.
    pub interval_text: String,
    /// Why it was missed, left out, or could not be said.
    pub why: Option<String>,
}

impl GoalSummary {
    pub(super) fn of(goal: &Goal, phases: &[PhaseView<'_>]) -> Self {
        let GoalResult { figure, quantity, status, why } = judge_goal(goal, phases, crate::stats::CONFIDENCE);
        Self {
            name: goal.name.clone(),
            before: goal.before.clone(),
            target: goal.target.clone(),
            quantity,
            status,
            actual: figure.and_then(|figure| figure.value),
            low: figure.and_then(|figure| figure.low),
            high: figure.and_then(|figure| figure.high),
            unit: figure.map(|figure| figure.unit),
            actual_text: figure.map_or_else(|| GoalStatus::NotMeasured.words().to_owned(), |figure| figure.text()),
            interval_text: figure.map_or_else(String::new, |figure| figure.interval_text()),
            why,
        }
    }

    /// What was before, for people.
    pub(in crate::report) fn before_text(&self) -> &str {
        self.before.as_deref().unwrap_or("–")
    }
}
