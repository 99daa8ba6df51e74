//! Every second of a run as a table for spreadsheets: a row for each phase in which something happened, and one for
//! each of its requests, flows and groups.

use super::text;
use crate::{
    measure::{Distribution, Gauges, PhaseFigures, SeriesFigures, SeriesKey},
    stats::samples_to_show,
};

const COLUMNS: [&str; 22] = [
    "second",
    "phase",
    "kind",
    "name",
    "class",
    "offered",
    "ok",
    "failed",
    "response_p50_us",
    "response_p95_us",
    "response_p99_us",
    "response_max_us",
    "service_p50_us",
    "service_p95_us",
    "service_p99_us",
    "service_max_us",
    "errors",
    "status",
    "in_flight",
    "users",
    "lateness_p99_us",
    "own_cpu",
];
/// Those that only a phase has.
const OF_PHASE: usize = 4;
/// Between a phase's counts and those.
const OF_ROW: usize = 10;

/// The head of the table, with its end of line.
pub fn seconds_head() -> String {
    lines([COLUMNS.map(ToOwned::to_owned).into()])
}

/// The rows of one second of a phase. Percentiles that the second cannot carry are empty cells.
pub fn seconds_rows(second: u64, phase: &str, figures: &PhaseFigures, gauges: Gauges) -> String {
    let start = |kind: &str, name: &str, class: &str| {
        vec![second.to_string(), text(phase), kind.to_owned(), text(name), text(class)]
    };
    let mut whole = start("phase", "", "");
    let failed = figures.iterations.total() - figures.iterations.ok;
    whole.extend([figures.offered, figures.iterations.ok, failed].map(|n| n.to_string()));
    whole.extend(std::iter::repeat_n(String::new(), OF_ROW));
    whole.extend([
        gauges.in_flight.peak.to_string(),
        gauges.users.peak.to_string(),
        number(figures.lateness.quantile(990_000)),
        gauges.cpu.map_or_else(String::new, |permille| format!("{:.3}", f64::from(permille) / 1e3)),
    ]);
    let rows = figures.series.iter().filter(|(_, series)| series.offered() > 0).map(|(key, series)| {
        let mut cells = start(key.kind.word(), &key.name, class(key));
        cells.extend([series.offered(), series.ok_count(), series.failed()].map(|n| n.to_string()));
        cells.extend(times(&series.ok.response).into_iter().chain(times(&series.ok.service)));
        cells.extend([text(&errors(series)), statuses(series)]);
        cells.extend(std::iter::repeat_n(String::new(), OF_PHASE));
        cells
    });
    lines(std::iter::once(whole).chain(rows))
}

fn class(key: &SeriesKey) -> &str {
    key.class.as_deref().unwrap_or_default()
}

fn times(of: &Distribution) -> [String; 4] {
    let shown = |ppm: u32| number(of.quantile(ppm).filter(|_| of.count() >= samples_to_show(ppm)));
    [shown(500_000), shown(950_000), shown(990_000), number(of.max_us())]
}

fn number(us: Option<u64>) -> String {
    us.map_or_else(String::new, |us| us.to_string())
}

fn errors(series: &SeriesFigures) -> String {
    let counts = series.failures.iter().map(|(kind, figures)| (kind.word(), figures.response.count()));
    let counts: Vec<String> = counts.filter(|(_, n)| *n > 0).map(|(word, n)| format!("{word}={n}")).collect();
    counts.join(" ")
}

fn statuses(series: &SeriesFigures) -> String {
    series.status.iter().map(|(code, n)| format!("{code}={n}")).collect::<Vec<_>>().join(" ")
}

fn lines(rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        // Writing into memory cannot fail.
        let _ = writer.write_record(row);
    }
    super::finished(writer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock::MILLISECOND,
        measure::{SampleResult, synthetic::Synthetic},
    };

    #[test]
    fn a_row_for_the_phase_and_one_for_each_of_its_rows() {
        let mut run = Synthetic::new();
        run.spread(0, "item", 100, 1, 9);
        run.request(0, 1, "=list", "hit", SampleResult::FailedStatus, MILLISECOND);
        run.recorder.load(0, 7, 3, 0);
        run.tick();
        run.totals.own_cpu(0, 125);
        let (_, figures, gauges) = run.totals.second(0).next().expect("a second");
        insta::assert_snapshot!([seconds_head(), seconds_rows(0, "main", figures, gauges)].concat());
    }
}
