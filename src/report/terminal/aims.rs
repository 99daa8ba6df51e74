//! Goals, what was left out or never reached, and the score.

use super::{
    Page,
    paint::Tone,
    table::{Cell, Column, Table, plain},
    text::clean,
};
use crate::{
    judge::{GoalStatus, NotDone},
    report::{GoalSummary, Summary, words::goal_mark},
};

const COLUMNS: [Column; 5] = [
    Column { title: "BEFORE", right: false, rank: 2 },
    Column { title: "TARGET", right: false, rank: 1 },
    Column { title: "ACTUAL", right: true, rank: 2 },
    Column { title: "95% INTERVAL", right: false, rank: 3 },
    Column { title: "STATUS", right: false, rank: 0 },
];

pub(super) fn section(page: &mut Page, summary: &Summary) {
    goals(page, &summary.goals);
    left_out(page, "skipped by the script", &summary.skipped);
    left_out(page, "not run", &summary.not_run);
    if let Some(score) = &summary.score {
        page.blank();
        page.prose(0, Tone::Bold, &format!("score {}  a judgement by a rule, not measured", score.text()));
        score.lines().iter().for_each(|line| page.prose(2, Tone::Plain, &clean(line)));
        page.prose(2, Tone::Dim, &format!("rule: {}", score.rule));
    }
}

fn goals(page: &mut Page, goals: &[GoalSummary]) {
    if goals.is_empty() {
        return;
    }
    page.blank();
    let mut table = Table::new("GOAL", &COLUMNS);
    for goal in goals {
        let cells = vec![
            plain(clean(goal.before_text())),
            plain(clean(&goal.target)),
            plain(clean(&goal.actual_text)),
            plain(goal.interval_text.clone()),
            status(goal.status),
        ];
        table.row(0, &goal.name, Tone::Plain, cells);
    }
    table.write(page, 0);
    for goal in goals.iter().filter(|goal| goal.status != GoalStatus::Met) {
        if let Some(why) = &goal.why {
            page.prose(2, Tone::Plain, &format!("{}: {}", clean(&goal.name), clean(why)));
        }
    }
    page.prose(2, Tone::Dim, "what was before is the author's word, not measured; goals decide nothing");
}

fn status(status: GoalStatus) -> Cell {
    let tone = match status {
        GoalStatus::Met => Tone::Good,
        GoalStatus::Missed => Tone::Bad,
        GoalStatus::Inconclusive => Tone::Warning,
        GoalStatus::Skipped | GoalStatus::NotMeasured => Tone::Dim,
    };
    (format!("{} {}", goal_mark(status), status.words()), tone)
}

fn left_out(page: &mut Page, title: &str, left: &[NotDone]) {
    if left.is_empty() {
        return;
    }
    page.blank();
    page.prose(0, Tone::Bold, title);
    for it in left {
        page.prose(2, Tone::Warning, &format!("{} {}: {}", it.kind.word(), clean(&it.name), clean(&it.reason)));
    }
}
