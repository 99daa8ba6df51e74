//! Goals: what the author hopes for, beside what was before. They are shown and decide nothing.

use serde::{Deserialize, Serialize};

use super::{Figure, PhaseView, Slo, Verdict, evaluate};

/// A row of the table of goals.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Goal {
    /// The row's name.
    pub name: String,
    /// How it was, in the author's words; not measured by this run.
    pub before: Option<String>,
    /// What is hoped for, as the author wrote it.
    pub target: String,
    /// How it is measured: one condition, and what it is about. Without, it is declared and never measured.
    pub measure: Option<Slo>,
    /// Why it is not looked at in this run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
}

/// What became of a goal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GoalStatus {
    /// The target holds, over the whole interval.
    Met,
    /// It does not, over the whole interval.
    Missed,
    /// The sample is too small to say.
    Inconclusive,
    /// The script left it out.
    Skipped,
    /// Nothing in this run measured it.
    NotMeasured,
}

impl GoalStatus {
    /// The words for it.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::Missed => "missed",
            Self::Inconclusive => "inconclusive",
            Self::Skipped => "skipped",
            Self::NotMeasured => "not measured",
        }
    }
}

/// What a run says of a goal.
#[derive(Debug, Clone, PartialEq)]
pub struct GoalResult {
    /// What was measured; none where nothing was.
    pub figure: Option<Figure>,
    /// Such as `p95`; none where it is not said how it is measured.
    pub quantity: Option<String>,
    /// What became of it.
    pub status: GoalStatus,
    /// What a reader must know.
    pub why: Option<String>,
}

/// Holds the figures against a goal. What selects nothing is not measured, and no failure.
pub fn judge_goal(goal: &Goal, phases: &[PhaseView<'_>], confidence: f64) -> GoalResult {
    let mut result = GoalResult { figure: None, quantity: None, status: GoalStatus::NotMeasured, why: None };
    if let Some(reason) = &goal.skipped {
        result.status = GoalStatus::Skipped;
        result.why = Some(reason.clone());
        return result;
    }
    let judged = goal.measure.as_ref().and_then(|slo| evaluate(slo, phases, confidence).into_iter().next());
    let Some(judged) = judged else { return result };
    result.quantity = Some(judged.quantity);
    result.why = judged.why;
    result.figure = judged.figure;
    result.status = match (judged.verdict, &result.figure) {
        (_, None) => GoalStatus::NotMeasured,
        (Verdict::Pass, _) => GoalStatus::Met,
        (Verdict::Fail, _) => GoalStatus::Missed,
        (Verdict::Inconclusive, _) => GoalStatus::Inconclusive,
        (Verdict::NotRun, _) => GoalStatus::NotMeasured,
    };
    result
}
