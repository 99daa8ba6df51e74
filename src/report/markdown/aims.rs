//! Goals, what was left out or never reached, and the score.

use std::fmt::Write;

use super::text;
use crate::{
    judge::{GoalStatus, NotDone},
    report::{GoalSummary, Summary, words::goal_mark},
};

pub(super) fn section(page: &mut String, summary: &Summary) {
    goals(page, &summary.goals);
    left_out(page, "Skipped by the script", &summary.skipped);
    left_out(page, "Not run", &summary.not_run);
    if let Some(score) = &summary.score {
        let _ = writeln!(page, "**Score {}** (a judgement by a rule, not measured)\n", score.text());
        for line in score.lines() {
            let _ = writeln!(page, "- {}", text(&line));
        }
        let _ = writeln!(page, "- Rule: {}\n", text(&score.rule));
    }
}

fn goals(page: &mut String, goals: &[GoalSummary]) {
    if goals.is_empty() {
        return;
    }
    page.push_str("| | goal | before (not measured) | target | actual | 95 % interval |\n|---|---|---|---|--:|---|\n");
    for goal in goals {
        let _ = writeln!(
            page,
            "| {} {} | {} | {} | {} | {} | {} |",
            goal_mark(goal.status),
            goal.status.words(),
            text(&goal.name),
            text(goal.before_text()),
            text(&goal.target),
            text(&goal.actual_text),
            text(&goal.interval_text),
        );
    }
    page.push('\n');
    for goal in goals.iter().filter(|goal| goal.status != GoalStatus::Met) {
        if let Some(why) = &goal.why {
            let _ = writeln!(page, "- {}: {}", text(&goal.name), text(why));
        }
    }
    page.push('\n');
}

fn left_out(page: &mut String, title: &str, left: &[NotDone]) {
    if left.is_empty() {
        return;
    }
    let _ = writeln!(page, "{title}:\n");
    for it in left {
        let _ = writeln!(page, "- {} {}: {}", it.kind.word(), text(&it.name), text(&it.reason));
    }
    page.push('\n');
}
