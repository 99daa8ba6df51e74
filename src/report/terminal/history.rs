//! A history for a terminal: a line for each figure, with its course in small.

use super::{
    Page, Tone,
    table::{Column, Table, plain},
    text::clean,
};
use crate::{
    judge::Change,
    report::{History, HistoryTrend, words::NOTHING},
};

const COLUMNS: [Column; 5] = [
    Column { title: "", right: false, rank: 0 },
    Column { title: "FIRST", right: true, rank: 2 },
    Column { title: "LAST", right: true, rank: 1 },
    Column { title: "COURSE", right: false, rank: 3 },
    Column { title: "LAST CHANGE", right: false, rank: 0 },
];
/// Runs that a course shows: the latest.
const COURSE_MAX: usize = 40;
const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Renders a history; no line is wider than `width` columns (at least 20).
pub fn history(history: &History, width: usize, color: bool) -> String {
    let mut page = Page::new(width, color);
    let tone = if history.regressions == 0 { Tone::Good } else { Tone::Bad };
    page.prose(0, tone, &format!("{}  {} · exit {}", history.word(), history.counts(), history.exit_code));
    if let [first, .., last] = &history.runs[..] {
        page.prose(0, Tone::Plain, &format!("from {} to {}", first.started_at, last.started_at));
    }
    for note in &history.notes {
        page.prose(0, Tone::Warning, &format!("! {}", clean(note)));
    }
    for run in &history.left_out {
        page.prose(0, Tone::Warning, &format!("! {} is left out: {}", clean(&run.file), clean(&run.why)));
    }
    for of_phase in history.trends.chunk_by(|a, b| a.trend.phase == b.trend.phase) {
        page.blank();
        page.prose(0, Tone::Bold, &clean(&of_phase[0].trend.phase));
        let mut table = Table::new("ROW", &COLUMNS);
        let mut last = None;
        for trend in of_phase {
            let row = (trend.trend.kind, &trend.trend.name, &trend.trend.class);
            let name = if last.replace(row) == Some(row) { String::new() } else { trend.row() };
            let value =
                |value: Option<&f64>| value.map_or_else(|| NOTHING.to_owned(), |value| trend.trend.unit.text(*value));
            let known = || trend.trend.values.iter().flatten();
            let (change, tone) = last_change(trend);
            let cells = vec![
                plain(trend.trend.quantity),
                plain(value(known().next())),
                plain(value(known().next_back())),
                plain(course(trend)),
                (change, tone),
            ];
            table.row(if trend.trend.class.is_some() { 2 } else { 0 }, &name, Tone::Plain, cells);
        }
        table.write(&mut page, 2);
    }
    changes(&mut page, history);
    let mut text = page.lines.join("\n");
    text.push('\n');
    text
}

fn last_change(trend: &HistoryTrend) -> (String, Tone) {
    let Some(change) = trend.changes.last() else { return (String::new(), Tone::Plain) };
    let (mark, tone) = mark(change.shift.verdict);
    (format!("{mark} {}", trend.change_text(change)), tone)
}

const fn mark(verdict: Change) -> (&'static str, Tone) {
    match verdict {
        Change::Regression => ("✗", Tone::Bad),
        _ => ("✓", Tone::Good),
    }
}

/// The figures as bars from the lowest to the highest, with a bar before each new level.
fn course(trend: &HistoryTrend) -> String {
    let values = &trend.trend.values;
    let known = || values.iter().flatten().copied();
    let (low, high) = (known().fold(f64::INFINITY, f64::min), known().fold(f64::NEG_INFINITY, f64::max));
    let from = values.len().saturating_sub(COURSE_MAX);
    let mut text = String::new();
    for (at, value) in values.iter().enumerate().skip(from) {
        if at > from && trend.changes.iter().any(|change| change.shift.at == at) {
            text.push('|');
        }
        text.push(match value {
            None => '·',
            Some(value) if high > low => {
                LEVELS[(((value - low) / (high - low)) * (LEVELS.len() - 1) as f64).round() as usize]
            }
            Some(_) => LEVELS[0],
        });
    }
    text
}

fn changes(page: &mut Page, history: &History) {
    let all: Vec<_> =
        history.trends.iter().flat_map(|trend| trend.changes.iter().map(move |change| (trend, change))).collect();
    if all.is_empty() {
        return;
    }
    page.blank();
    page.prose(0, Tone::Bold, "changes");
    for (trend, change) in all {
        let (mark, tone) = mark(change.shift.verdict);
        let unit = trend.trend.unit;
        let text = format!(
            "{mark} {} {} in {}: {}, from {} to {}, since {} ({})",
            clean(&trend.row()),
            trend.trend.quantity,
            clean(&trend.trend.phase),
            trend.change_text(change),
            unit.text(change.shift.before),
            unit.text(change.shift.after),
            change.started_at,
            clean(&change.file),
        );
        page.prose(2, tone, &text);
        if !change.beside.is_empty() {
            page.prose(4, Tone::Plain, &format!("with it came: {}", clean(&change.beside.join(", "))));
        }
    }
}
