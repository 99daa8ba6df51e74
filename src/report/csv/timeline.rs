//! The course of phases as a table for spreadsheets: a row for each stretch of time.

use super::text;
use crate::report::Summary;

const COLUMNS: [&str; 16] = [
    "phase",
    "warmup",
    "start_s",
    "seconds",
    "rate_asked_per_sec",
    "offered",
    "ok",
    "failed",
    "response_p50_us",
    "response_p95_us",
    "response_p99_us",
    "service_p95_us",
    "lateness_p99_us",
    "in_flight",
    "users",
    "own_cpu",
];

/// Renders the timelines of all phases. What is withheld, or not known, is an empty cell.
pub(in crate::report) fn render(summary: &Summary) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    // Writing into memory cannot fail.
    let _ = writer.write_record(COLUMNS);
    for phase in &summary.phases {
        for it in &phase.timeline {
            let us = |us: Option<u64>| us.map_or_else(String::new, |us| us.to_string());
            let number = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:.3}"));
            let _ = writer.write_record([
                text(&phase.name),
                phase.warmup.to_string(),
                it.start_s.to_string(),
                it.seconds.to_string(),
                number(it.rate_asked),
                it.offered.to_string(),
                it.ok.to_string(),
                it.failed.to_string(),
                us(it.p50_us),
                us(it.p95_us),
                us(it.p99_us),
                us(it.service_p95_us),
                us(it.lateness_p99_us),
                it.in_flight.to_string(),
                it.users.to_string(),
                number(it.cpu_share),
            ]);
        }
    }
    super::finished(writer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples::{healthy, hostile};

    #[test]
    fn a_row_for_each_stretch() {
        insta::assert_snapshot!("healthy_timeline", render(&healthy()));
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
