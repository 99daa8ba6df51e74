//! The report as a table for spreadsheets: a row for each phase, request and class.

mod comparison;
mod seconds;
pub(super) mod timeline;

pub use seconds::{seconds_head, seconds_rows};

use super::{Latency, PhaseSummary, RowSummary, Summary};
use crate::measure::clean_text;

/// Statistics of a duration, in the order of their columns.
const STATISTICS: [&str; 9] = ["min", "mean", "p50", "p75", "p90", "p95", "p99", "p99_9", "max"];

/// Renders the totals. Durations are in microseconds; a figure that the sample cannot carry is an empty cell, and a
/// lower bound is marked in the column `at_least`.
pub(super) fn render(summary: &Summary) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut header: Vec<String> =
        ["phase", "warmup", "kind", "name", "class", "offered", "ok", "failed", "rate_per_sec"]
            .map(String::from)
            .into();
    for duration in ["response", "service", "ttfb"] {
        header.extend(STATISTICS.iter().map(|statistic| format!("{duration}_{statistic}_us")));
    }
    header.extend(
        [
            "at_least",
            "errors",
            "status",
            "bytes_sent",
            "bytes_received",
            "hit_ratio",
            "hit_ratio_low",
            "hit_ratio_high",
            "tls_unverified",
            "grade",
            "grade_by",
            "grade_low_us",
            "grade_high_us",
        ]
        .map(String::from),
    );
    if summary.baseline.is_some() {
        header.extend(comparison::columns());
    }
    // Writing into memory cannot fail.
    let _ = writer.write_record(&header);
    for phase in summary.phases.iter().chain(&summary.asides) {
        for row in phase.rows() {
            let mut cells = record(phase, row);
            // Of the run, in each row: rows are taken out of their table.
            cells.push((!summary.unverified.is_empty()).to_string());
            cells.extend(grade(summary, row));
            if let Some(baseline) = &summary.baseline {
                cells.extend(comparison::cells(baseline, phase, row));
            }
            let _ = writer.write_record(cells);
        }
    }
    finished(writer)
}

/// What was written, in memory and of texts: neither can fail.
fn finished(writer: csv::Writer<Vec<u8>>) -> String {
    String::from_utf8(writer.into_inner().unwrap_or_default()).unwrap_or_default()
}

fn record(phase: &PhaseSummary, row: &RowSummary) -> Vec<String> {
    let counts = |pairs: &std::collections::BTreeMap<String, u64>| {
        pairs.iter().map(|(word, n)| format!("{word}={n}")).collect::<Vec<_>>().join(" ")
    };
    let mut cells = vec![
        text(&phase.name),
        phase.warmup.to_string(),
        row.kind.word().to_owned(),
        text(&row.name),
        row.class.as_deref().map_or_else(String::new, text),
        row.offered.to_string(),
        row.ok.to_string(),
        (row.offered - row.ok).to_string(),
        format!("{:.3}", row.rate),
    ];
    for latency in [&row.response_us, &row.service_us, &row.ttfb_us] {
        cells.extend(STATISTICS.iter().map(|name| statistic(latency, name)));
    }
    cells.extend([
        row.response_us.at_least.join(" "),
        text(&counts(&row.errors)),
        counts(&row.status),
        row.bytes_sent.to_string(),
        row.bytes_received.to_string(),
    ]);
    let share = |of: fn(&super::CacheSummary) -> Option<f64>| {
        row.cache.as_ref().and_then(of).map_or_else(String::new, |share| format!("{share:.6}"))
    };
    cells.extend([share(|it| it.hit_ratio), share(|it| it.low), share(|it| it.high)]);
    cells
}

/// The grade, by what rule, and the ends of the interval that it rests on.
fn grade(summary: &Summary, row: &RowSummary) -> [String; 4] {
    let Some((scale, grade)) = summary.grades.as_ref().zip(row.grade.as_ref()) else { return Default::default() };
    let end = |us: Option<f64>| us.map_or_else(String::new, |us| us.to_string());
    [text(&grade.text), text(&scale.rule), end(grade.low), end(grade.high)]
}

fn statistic(latency: &Latency, name: &str) -> String {
    match name {
        "mean" => latency.mean.map_or_else(String::new, |mean| mean.to_string()),
        name => latency.get(name).map_or_else(String::new, |value| value.to_string()),
    }
}

/// Text of a script or a server. Spreadsheets take what begins with certain characters for a formula, and
/// would run it: an apostrophe makes it text.
fn text(raw: &str) -> String {
    let clean = clean_text(raw);
    if clean.starts_with(['=', '+', '-', '@']) { format!("'{clean}") } else { clean }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples::{healthy, hostile, regressed};

    #[test]
    fn a_row_for_each_phase_and_request() {
        insta::assert_snapshot!("healthy_csv", render(&healthy()));
    }

    #[test]
    fn figures_read_back() {
        let summary = healthy();
        let page = render(&summary);
        let mut reader = csv::Reader::from_reader(page.as_bytes());
        let columns = reader.headers().expect("a header").clone();
        let at = |name: &str| columns.iter().position(|column| column == name).expect("a column");
        let rows: Vec<_> = reader.records().collect::<Result<_, _>>().expect("rows of one length");
        let item = rows.iter().find(|row| &row[at("phase")] == "sustained" && &row[at("name")] == "item");
        let item = item.expect("the row");
        let latency = &summary.phases[1].requests[0].response_us;
        assert_eq!(item[at("response_p95_us")], latency.p95.expect("enough").to_string());
        assert_eq!(item[at("offered")], latency.count.to_string());
    }

    #[test]
    fn a_baseline_stands_beside_each_figure() {
        let page = render(&regressed());
        let mut reader = csv::Reader::from_reader(page.as_bytes());
        let columns = reader.headers().expect("a header").clone();
        let at = |name: &str| columns.iter().position(|column| column == name).expect("a column");
        let rows: Vec<_> = reader.records().collect::<Result<_, _>>().expect("rows of one length");
        let item = rows.iter().find(|row| &row[at("name")] == "item").expect("the row");
        assert_eq!((&item[at("p50_verdict")], &item[at("errors_verdict")]), ("regression", "same"));
        let change: f64 = item[at("p50_change")].parse().expect("a number");
        assert!((0.45..0.55).contains(&change), "{change}");
        assert!(!render(&healthy()).contains("p50_baseline"), "only where there is one");
    }

    #[test]
    fn nothing_is_a_formula() {
        let page = render(&hostile());
        let mut reader = csv::Reader::from_reader(page.as_bytes());
        for row in reader.records().map(|row| row.expect("a row")) {
            assert!(row.iter().all(|cell| !cell.starts_with(['=', '+', '@', '\t', '\r'])), "{row:?}");
        }
    }
}
