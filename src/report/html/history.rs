//! A history as a page: the changes, then the course of each row.

use minijinja::{Value, context, value::Serde};
use serde::Serialize;

use super::{
    chart::{Axis, Line, lines},
    scale::{Scale, duration_label, number_label},
};
use crate::{
    judge::Change,
    measure::clean_text,
    report::{History, HistoryTrend},
};

const PAGE: &str = include_str!("history.html");
/// Rows of a phase that are drawn; the table of changes has all.
const ROWS_DRAWN: usize = 24;

#[derive(Debug, Serialize)]
struct PhaseView {
    name: String,
    charts: Vec<ChartView>,
}

#[derive(Debug, Serialize)]
struct ChartView {
    title: String,
    svg: String,
}

#[derive(Debug, Serialize)]
struct ChangeView {
    row: String,
    phase: String,
    quantity: &'static str,
    before: String,
    after: String,
    change: String,
    verdict: &'static str,
    mark: &'static str,
    since: String,
    beside: String,
}

#[derive(Debug, Serialize)]
struct RunView {
    number: usize,
    file: String,
    started_at: String,
    facts: String,
}

/// Renders the page.
pub fn history(history: &History) -> String {
    let left_out = history.left_out.iter().map(|run| format!("{} is left out: {}", run.file, run.why));
    let notes: Vec<String> = history.notes.iter().cloned().chain(left_out).map(|note| clean_text(&note)).collect();
    let runs: Vec<RunView> = history
        .runs
        .iter()
        .enumerate()
        .map(|(at, run)| RunView {
            number: at + 1,
            file: clean_text(&run.file),
            started_at: run.started_at.clone(),
            facts: clean_text(
                &run.facts.iter().map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join(", "),
            ),
        })
        .collect();
    let values = context! {
        counts => history.counts(),
        notes,
        changes => Value::from(Serde(changes(history))),
        phases => Value::from(Serde(phases(history))),
        runs => Value::from(Serde(runs)),
    };
    super::document("History", history.word(), &super::filled(PAGE, values))
}

fn changes(history: &History) -> Vec<ChangeView> {
    let all = history.trends.iter().flat_map(|trend| trend.changes.iter().map(move |change| (trend, change)));
    let view = |(trend, change): (&HistoryTrend, &crate::report::HistoryChange)| ChangeView {
        row: clean_text(&trend.row()),
        phase: clean_text(&trend.trend.phase),
        quantity: trend.trend.quantity,
        before: trend.trend.unit.text(change.shift.before),
        after: trend.trend.unit.text(change.shift.after),
        change: trend.change_text(change),
        verdict: change.shift.verdict.word(),
        mark: if change.shift.verdict == Change::Regression { "✗" } else { "✓" },
        since: format!("{} ({})", change.started_at, clean_text(&change.file)),
        beside: clean_text(&change.beside.join(", ")),
    };
    all.map(view).collect()
}

fn phases(history: &History) -> Vec<PhaseView> {
    let by_phase = history.trends.chunk_by(|a, b| a.trend.phase == b.trend.phase);
    let view = |of_phase: &[HistoryTrend]| PhaseView {
        name: clean_text(&of_phase[0].trend.phase),
        charts: of_phase
            .chunk_by(|a, b| a.row() == b.row() && a.trend.kind == b.trend.kind)
            .take(ROWS_DRAWN)
            .flat_map(charts)
            .collect(),
    };
    by_phase.map(view).collect()
}

/// Percentiles in one chart; errors in another where there are any.
fn charts(of_row: &[HistoryTrend]) -> Vec<ChartView> {
    let name = clean_text(&of_row[0].row());
    let times: Vec<Line> = of_row
        .iter()
        .filter_map(|trend| {
            Some(line(trend, ["p50", "p95", "p99"].into_iter().find(|it| *it == trend.trend.quantity)?))
        })
        .collect();
    let failing =
        of_row.iter().find(|it| it.trend.quantity == "errors" && it.trend.values.iter().flatten().any(|v| *v > 0.0));
    let mut charts = Vec::new();
    let count = of_row[0].trend.values.len();
    let x = Axis { name: "run", scale: Scale::Linear(1.0, (count as f64).max(2.0)), label: number_label };
    if times.iter().flat_map(|line| &line.points).any(|point| point.1.is_some()) {
        let figures = times.iter().flat_map(|line| &line.points).filter_map(|point| point.1);
        let y = Axis { name: "response time", scale: Scale::magnitude(figures), label: duration_label };
        let about = format!("percentiles of {name} over the runs");
        charts.push(ChartView { title: name.clone(), svg: lines(&about, &x, &y, &times) });
    }
    if let Some(errors) = failing {
        let mut errors = line(errors, "bad");
        errors.points.iter_mut().for_each(|point| point.1 = point.1.map(|share| share * 100.0));
        let highest = errors.points.iter().filter_map(|point| point.1);
        let y = Axis { name: "errors in %", scale: Scale::from_zero(highest), label: number_label };
        let about = format!("errors of {name} over the runs, in percent");
        charts.push(ChartView { title: format!("{name}: errors in %"), svg: lines(&about, &x, &y, &[errors]) });
    }
    charts
}

fn line(trend: &HistoryTrend, color: &'static str) -> Line {
    let points = trend.trend.values.iter().enumerate().map(|(at, value)| ((at + 1) as f64, *value));
    Line { name: trend.trend.quantity.to_owned(), color, points: points.collect(), is_steps: false }
}
