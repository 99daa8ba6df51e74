//! The section of a cache experiment.

use super::{
    Page,
    paint::Tone,
    table::{Cell, Column, Table, plain},
    text::clean,
};
use crate::{
    measure::plain_text,
    report::{
        ExperimentSummary, Latency, SpeedupSummary,
        words::{NOTHING, ceiling_text, figure, interval_of_ratio, need_text, percent, saved_text, times_text, us},
    },
};

const fn right(title: &'static str, rank: u8) -> Column {
    Column { title, right: true, rank }
}

pub(super) fn section(page: &mut Page, experiment: &ExperimentSummary) {
    page.blank();
    let request = clean(&experiment.request);
    page.prose(0, Tone::Bold, &format!("experiment {}  requests {request}", clean(&experiment.name)));
    ratios(page, experiment);
    times(page, experiment);
    effective(page, experiment);
    sizes(page, experiment);
    for line in experiment.lines() {
        page.prose(2, Tone::Plain, &plain_text(&line));
    }
    for need in &experiment.needs {
        page.prose(2, Tone::Plain, &clean(&need_text(need)));
    }
    for warning in &experiment.warnings {
        page.prose(2, Tone::Warning, &format!("! {}", plain_text(warning)));
    }
}

fn ratios(page: &mut Page, experiment: &ExperimentSummary) {
    if experiment.parts.is_empty() {
        return;
    }
    let columns = [right("HIT RATIO", 0), right("95% INTERVAL", 1), right("CEILING", 2), right("LOOK-UPS", 3)];
    let mut table = Table::new("PART", &columns);
    for part in &experiment.parts {
        let cache = &part.cache;
        table.row(
            0,
            part.part,
            Tone::Plain,
            vec![
                plain(cache.hit_ratio.map_or_else(|| NOTHING.to_owned(), percent)),
                plain(interval_of_ratio(cache)),
                plain(ceiling_text(part.ceiling)),
                plain(cache.looked_up().to_string()),
            ],
        );
    }
    table.write(page, 2);
}

fn times(page: &mut Page, experiment: &ExperimentSummary) {
    if experiment.hit_us.count + experiment.miss_us.count == 0 {
        return;
    }
    let title = if experiment.times_from == "pairs" { "PAIRS" } else { "STEADY" };
    let mut table = Table::new(title, &[right("N", 3), right("P50", 0), right("P95", 1), right("P99", 2)]);
    let arm = |latency: &Latency| -> Vec<Cell> {
        let percentiles = ["p50", "p95", "p99"].map(|name| plain(figure(latency, name)));
        std::iter::once(plain(latency.count.to_string())).chain(percentiles).collect()
    };
    table.row(0, "hit", Tone::Plain, arm(&experiment.hit_us));
    table.row(0, "miss", Tone::Plain, arm(&experiment.miss_us));
    if !experiment.speedup.is_empty() {
        let row = |text: fn(&SpeedupSummary) -> String| -> Vec<Cell> {
            std::iter::once(plain("")).chain(experiment.speedup.iter().map(|it| plain(text(it)))).collect()
        };
        table.row(0, "speed-up", Tone::Bold, row(|it| times_text(it.ratio)));
        table.row(
            2,
            "95% interval",
            Tone::Dim,
            row(|it| match (it.ratio_low, it.ratio_high) {
                (Some(low), Some(high)) => format!("{}…{}", times_text(Some(low)), times_text(Some(high))),
                _ => String::new(),
            }),
        );
        table.row(0, "a hit saves", Tone::Plain, row(|it| saved_text(it.saved_us)));
        table.row(
            2,
            "95% interval",
            Tone::Dim,
            row(|it| match (it.saved_low_us, it.saved_high_us) {
                (Some(low), Some(high)) => format!("{}…{}", saved_text(Some(low)), saved_text(Some(high))),
                _ => String::new(),
            }),
        );
    }
    table.write(page, 2);
    if experiment.times_from == "pairs" {
        let what = format!("{} blocks, each key missed and hit in random order, one at a time", experiment.blocks);
        page.prose(2, Tone::Dim, &what);
    }
}

fn effective(page: &mut Page, experiment: &ExperimentSummary) {
    if experiment.effective.is_empty() {
        return;
    }
    let mut table = Table::new("AT A RATIO OF", &[right("MEAN", 1), right("P50", 0), right("P95", 0), right("P99", 2)]);
    for row in &experiment.effective {
        let name = format!("{}{}", percent(row.hit_ratio), if row.measured { " (steady)" } else { "" });
        let tone = if row.measured { Tone::Bold } else { Tone::Plain };
        let time = |value: Option<u64>| plain(value.map_or_else(|| NOTHING.to_owned(), us));
        let mean = plain(us(row.mean_us.round() as u64));
        table.row(0, &name, tone, vec![mean, time(row.p50_us), time(row.p95_us), time(row.p99_us)]);
    }
    table.write(page, 2);
}

fn sizes(page: &mut Page, experiment: &ExperimentSummary) {
    let Some(working_set) = &experiment.working_set else { return };
    let columns = [right("HIT RATIO", 0), right("95% INTERVAL", 1), right("CEILING", 2), right("FITTED", 3)];
    let mut table = Table::new("KEYS", &columns);
    let ratio = |value: Option<f64>| plain(value.map_or_else(|| NOTHING.to_owned(), percent));
    for size in &working_set.sizes {
        let interval = match (size.low, size.high) {
            (Some(low), Some(high)) => format!("{}…{}", percent(low), percent(high)),
            _ => String::new(),
        };
        let cells = vec![ratio(size.hit_ratio), plain(interval), plain(ceiling_text(size.ceiling)), ratio(size.fitted)];
        table.row(0, &size.keys.to_string(), Tone::Plain, cells);
    }
    table.write(page, 2);
}
