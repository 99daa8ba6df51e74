//! Goals, what was left out or never reached, and the score, as the page takes them.

use serde::Serialize;

use crate::{
    judge::{GoalStatus, NotDone},
    measure::clean_text,
    report::{GoalSummary, Summary, words::goal_mark},
};

#[derive(Debug, Serialize)]
pub(super) struct AimsView {
    goals: Vec<GoalView>,
    left_out: Vec<List>,
    score: Option<ScoreView>,
}

#[derive(Debug, Serialize)]
struct GoalView {
    name: String,
    before: String,
    target: String,
    actual: String,
    interval: String,
    tone: &'static str,
    status: String,
    why: Option<String>,
}

#[derive(Debug, Serialize)]
struct List {
    title: &'static str,
    lines: Vec<String>,
}

#[derive(Debug, Serialize)]
struct ScoreView {
    text: String,
    lines: Vec<String>,
    rule: String,
}

pub(super) fn view(summary: &Summary) -> AimsView {
    let list = |title, left: &[NotDone]| List {
        title,
        lines: left
            .iter()
            .map(|it| format!("{} {}: {}", it.kind.word(), clean_text(&it.name), clean_text(&it.reason)))
            .collect(),
    };
    let lists = [list("Skipped by the script", &summary.skipped), list("Not run", &summary.not_run)];
    AimsView {
        goals: summary.goals.iter().map(goal).collect(),
        left_out: lists.into_iter().filter(|list| !list.lines.is_empty()).collect(),
        score: summary.score.as_ref().map(|score| ScoreView {
            text: score.text(),
            lines: score.lines().iter().map(|line| clean_text(line)).collect(),
            rule: score.rule.clone(),
        }),
    }
}

fn goal(goal: &GoalSummary) -> GoalView {
    GoalView {
        name: clean_text(&goal.name),
        before: clean_text(goal.before_text()),
        target: clean_text(&goal.target),
        actual: clean_text(&goal.actual_text),
        interval: goal.interval_text.clone(),
        tone: match goal.status {
            GoalStatus::Met => "pass",
            GoalStatus::Missed => "fail",
            GoalStatus::Inconclusive => "inconclusive",
            GoalStatus::Skipped | GoalStatus::NotMeasured => "dim",
        },
        status: format!("{} {}", goal_mark(goal.status), goal.status.words()),
        why: goal.why.as_deref().filter(|_| goal.status != GoalStatus::Met).map(clean_text),
    }
}
