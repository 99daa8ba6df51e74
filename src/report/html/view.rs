//! What the page shows of a phase, as its template takes it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    charts::{Chart, charts},
    exhibit::{Exhibit, exhibits},
};
use crate::{
    measure::clean_text,
    report::{
        Latency, MessageSummary, PhaseSummary, RowSummary, Summary,
        means::both_means,
        words::{self, figure, has_sums, interval, metric, outcomes, percent, rate, row_name, seconds, us},
    },
};

/// Phases that are drawn; beyond them the page has tables alone, and stays small.
const DRAWN_MAX: usize = 12;

#[derive(Debug, Serialize)]
pub(super) struct PhaseView {
    name: String,
    load: String,
    counts: String,
    rate: String,
    about: String,
    charts: Vec<Chart>,
    row_title: &'static str,
    has_grades: bool,
    rows: Vec<RowView>,
    withheld: String,
    remarks: Vec<Remark>,
    exhibits: Vec<Exhibit>,
}

#[derive(Debug, Serialize)]
struct RowView {
    name: String,
    is_class: bool,
    cells: Vec<CellView>,
}

#[derive(Debug, Serialize)]
struct CellView {
    text: String,
    /// What the column is sorted by.
    value: Option<f64>,
    is_left: bool,
}

#[derive(Debug, Serialize)]
struct Remark {
    tone: &'static str,
    text: String,
}

/// Phases and what is outside of them.
pub(super) fn phases(summary: &Summary) -> Vec<PhaseView> {
    let mut drawn = 0;
    let mut next = |phase: &PhaseSummary| {
        drawn += usize::from(!phase.is_chore());
        view(phase, summary, drawn <= DRAWN_MAX)
    };
    summary.phases.iter().chain(&summary.asides).map(&mut next).collect()
}

fn view(phase: &PhaseSummary, summary: &Summary, is_drawn: bool) -> PhaseView {
    let is_aside = phase.load == "aside";
    let counts: Vec<String> = outcomes(phase).iter().map(|(word, n)| format!("{word} {n}")).collect();
    let rate = match phase.rate_asked {
        Some(asked) => format!(
            "rate asked {}, achieved {} in {} · lateness p99 {}",
            rate(asked),
            rate(phase.rate_achieved),
            seconds(phase.duration_s),
            phase.lateness_us.p99.map_or_else(|| "–".to_owned(), us),
        ),
        None if phase.rate_achieved > 0.0 => {
            format!("rate {} in {}", rate(phase.rate_achieved), seconds(phase.duration_s))
        }
        None => String::new(),
    };
    let rows = || phase.requests.iter().chain(&phase.flows);
    // A single iteration that counts nowhere needs neither curves nor tables.
    let rows: Vec<&RowSummary> = if phase.is_chore() { Vec::new() } else { rows().collect() };
    let has_grades = rows.iter().any(|row| row.grade.is_some());
    PhaseView {
        name: clean_text(&phase.name),
        load: match (is_aside, phase.warmup) {
            (true, _) => "not counted".to_owned(),
            (false, true) => format!("{}, warm-up, not counted", clean_text(&phase.load_text)),
            (false, false) => clean_text(&phase.load_text),
        },
        counts: counts.join(" · "),
        rate,
        about: match (is_aside || phase.is_chore(), phase.is_open) {
            (true, _) => String::new(),
            (false, true) => "Latency counts from the planned start; service is from the send.".to_owned(),
            (false, false) => {
                let means = both_means(phase).map_or_else(String::new, |means| format!(" {means}."));
                format!("CLOSED: users wait for answers, so a slow target is asked less often.{means}")
            }
        },
        charts: if is_drawn && !is_aside && !phase.is_chore() { charts(phase) } else { Vec::new() },
        row_title: if phase.is_open { "response" } else { "request" },
        has_grades,
        withheld: withheld(&rows),
        rows: rows.iter().map(|row| row_view(row, has_grades)).collect(),
        remarks: phase_remarks(phase, summary),
        exhibits: if phase.is_chore() { Vec::new() } else { exhibits(phase) },
    }
}

fn row_view(row: &RowSummary, has_grades: bool) -> RowView {
    let number = |value: f64, text: String| CellView { text, value: Some(value), is_left: false };
    let time = |latency: &Latency, name: &str| CellView {
        text: figure(latency, name),
        // What is withheld sorts below all that is known.
        value: Some(latency.get(name).map_or(-1.0, |us| us as f64)),
        is_left: false,
    };
    let (response, service) = (&row.response_us, &row.service_us);
    let failed = row.offered - row.ok;
    let grade = row.grade.as_ref().map(|grade| CellView {
        text: clean_text(&grade.with_interval()),
        value: Some(grade.actual.unwrap_or(-1.0)),
        is_left: true,
    });
    let grade = grade.or(has_grades.then(|| CellView { text: String::new(), value: Some(-1.0), is_left: true }));
    RowView {
        name: clean_text(&row.class.clone().unwrap_or_else(|| row_name(row))),
        is_class: row.class.is_some(),
        cells: [
            number(row.offered as f64, row.offered.to_string()),
            number(failed as f64, failed.to_string()),
            number(row.rate, rate(row.rate)),
            time(response, "p50"),
            time(response, "p95"),
            CellView { text: interval(response, "p95"), value: None, is_left: true },
            time(response, "p99"),
            time(response, "max"),
            time(service, "p50"),
            time(service, "p95"),
            time(service, "p99"),
        ]
        .into_iter()
        .chain(grade)
        .collect(),
    }
}

/// `p99 needs 500 samples, …`, of the percentiles that the page shows.
fn withheld(rows: &[&RowSummary]) -> String {
    let shown = ["p50", "p95", "p99"];
    let all = rows.iter().flat_map(|row| row.response_us.withheld.iter().chain(&row.service_us.withheld));
    let needs: BTreeMap<u64, &str> =
        all.filter(|(name, _)| shown.contains(name)).map(|(name, needed)| (*needed, *name)).collect();
    let needs: Vec<String> = needs.iter().map(|(needed, name)| format!("{name} needs {needed} samples")).collect();
    needs.join(", ")
}

fn phase_remarks(phase: &PhaseSummary, summary: &Summary) -> Vec<Remark> {
    let mut remarks = Vec::new();
    let rows = || phase.requests.iter().chain(&phase.flows).filter(|row| row.class.is_none());
    for (row, cache) in rows().filter_map(|row| Some((row, row.cache.as_ref()?))) {
        remarks.push(Remark { tone: "", text: format!("{}: {}", clean_text(&row.name), cache.text()) });
        remarks.extend(cache.warnings().into_iter().map(|text| Remark { tone: "inconclusive", text }));
    }
    let mut bad = |text: String| remarks.push(Remark { tone: "fail", text });
    for row in rows() {
        for failure in &row.failures {
            let example =
                failure.examples.first().map_or_else(String::new, |it| format!(" (such as: {})", clean_text(it)));
            let name = clean_text(&row.name);
            bad(format!("{} × {} in {name}: {}{example}", failure.count, failure.kind, failure.advice));
        }
    }
    for error in &phase.script_errors {
        let (place, message) = (clean_text(&error.place), clean_text(&error.message));
        bad(format!("{} × script error at {place}: {message}{}", error.count, example(error)));
    }
    for reason in &phase.failure_reasons {
        bad(format!("{} × failed: {}{}", reason.count, clean_text(&reason.message), example(reason)));
    }
    for check in &phase.checks {
        let share = percent(check.share());
        let first = check.example.as_ref().map(|example| format!("; first: {}", words::excerpt(example)));
        let text = format!(
            "check {}: {} passed, {} failed ({share}){}",
            clean_text(&check.name),
            check.passed,
            check.failed,
            first.unwrap_or_default()
        );
        remarks.push(Remark { tone: if check.failed == 0 { "pass" } else { "fail" }, text });
    }
    for custom in summary.own_metrics(&phase.custom) {
        remarks.push(Remark { tone: "dim", text: format!("metric {}: {}", clean_text(custom.name()), metric(custom)) });
    }
    if phase.connections_opened + phase.connections_reused > 0 {
        let text = format!("connections: {} opened, {} reused", phase.connections_opened, phase.connections_reused);
        remarks.push(Remark { tone: "dim", text });
    }
    remarks
}

fn example(of: &MessageSummary) -> String {
    words::example(of).map_or_else(String::new, |example| format!("; {example}"))
}

/// What concerns the whole run: the script's metrics, notes, facts.
pub(super) fn remarks(summary: &Summary) -> Vec<String> {
    let sums = summary.own_metrics(&summary.custom).filter(|_| has_sums(summary));
    let custom =
        sums.map(|custom| format!("{}, over all phases that count: {}", clean_text(custom.name()), metric(custom)));
    let own = words::own_notes(summary).map(|note| clean_text(note));
    let of_author = |note: &String| format!("{} (note of the author, not measured)", clean_text(note));
    let notes = own.chain(summary.author_notes.iter().map(of_author));
    let facts = summary.facts.iter();
    let facts = facts.map(|(name, value)| format!("{}: {} (not measured)", clean_text(name), clean_text(value)));
    custom.chain(notes).chain(facts).collect()
}
