//! The section of a cache experiment.

use std::fmt::Write;

use super::{text, text_of};
use crate::report::{
    ExperimentSummary, Latency, SpeedupSummary,
    words::{NOTHING, ceiling_text, figure, interval_of_ratio, need_text, percent, saved_text, times_text, us},
};

pub(super) fn section(page: &mut String, experiment: &ExperimentSummary) {
    let _ = writeln!(page, "### Experiment {}\n", text(&experiment.name));
    if !experiment.parts.is_empty() {
        page.push_str("| part | hit ratio | 95 % interval | ceiling | look-ups |\n|---|--:|---|--:|--:|\n");
        for part in &experiment.parts {
            let _ = writeln!(
                page,
                "| {} | {} | {} | {} | {} |",
                part.part,
                part.cache.hit_ratio.map_or_else(|| NOTHING.to_owned(), percent),
                interval_of_ratio(&part.cache),
                ceiling_text(part.ceiling),
                part.cache.looked_up(),
            );
        }
        page.push('\n');
    }
    times(page, experiment);
    if !experiment.effective.is_empty() {
        page.push_str("| at a hit ratio of | mean | p50 | p95 | p99 |\n|--:|--:|--:|--:|--:|\n");
        for row in &experiment.effective {
            let time = |value: Option<u64>| value.map_or_else(|| NOTHING.to_owned(), us);
            let measured = if row.measured { " (steady)" } else { "" };
            let _ = writeln!(
                page,
                "| {}{measured} | {} | {} | {} | {} |",
                percent(row.hit_ratio),
                us(row.mean_us.round() as u64),
                time(row.p50_us),
                time(row.p95_us),
                time(row.p99_us),
            );
        }
        page.push('\n');
    }
    sizes(page, experiment);
    for line in experiment.lines() {
        let _ = writeln!(page, "- {}", text_of(&line));
    }
    for need in &experiment.needs {
        let _ = writeln!(page, "- {}", text(&need_text(need)));
    }
    for warning in &experiment.warnings {
        let _ = writeln!(page, "- **Warning**: {}", text_of(warning));
    }
    page.push('\n');
}

fn times(page: &mut String, experiment: &ExperimentSummary) {
    if experiment.hit_us.count + experiment.miss_us.count == 0 {
        return;
    }
    let _ = writeln!(page, "| {} | n | p50 | p95 | p99 |\n|---|--:|--:|--:|--:|", experiment.times_from);
    let arm = |page: &mut String, word: &str, latency: &Latency| {
        let [p50, p95, p99] = ["p50", "p95", "p99"].map(|name| figure(latency, name));
        let _ = writeln!(page, "| {word} | {} | {p50} | {p95} | {p99} |", latency.count);
    };
    arm(page, "hit", &experiment.hit_us);
    arm(page, "miss", &experiment.miss_us);
    let row = |page: &mut String, word: &str, text: fn(&SpeedupSummary) -> String| {
        let cells: Vec<String> = experiment.speedup.iter().map(text).collect();
        let _ = writeln!(page, "| {word} | | {} |", cells.join(" | "));
    };
    if !experiment.speedup.is_empty() {
        row(page, "**speed-up**", |it| match (it.ratio_low, it.ratio_high) {
            (Some(low), Some(high)) => {
                format!("**{}** ({}…{})", times_text(it.ratio), times_text(Some(low)), times_text(Some(high)))
            }
            _ => NOTHING.to_owned(),
        });
        row(page, "a hit saves", |it| match (it.saved_low_us, it.saved_high_us) {
            (Some(low), Some(high)) => {
                format!("{} ({}…{})", saved_text(it.saved_us), saved_text(Some(low)), saved_text(Some(high)))
            }
            _ => NOTHING.to_owned(),
        });
    }
    page.push('\n');
}

fn sizes(page: &mut String, experiment: &ExperimentSummary) {
    let Some(working_set) = &experiment.working_set else { return };
    page.push_str("| keys | hit ratio | 95 % interval | ceiling | fitted |\n|--:|--:|---|--:|--:|\n");
    let ratio = |value: Option<f64>| value.map_or_else(|| NOTHING.to_owned(), percent);
    for size in &working_set.sizes {
        let interval = match (size.low, size.high) {
            (Some(low), Some(high)) => format!("{}…{}", percent(low), percent(high)),
            _ => String::new(),
        };
        let _ = writeln!(
            page,
            "| {} | {} | {interval} | {} | {} |",
            size.keys,
            ratio(size.hit_ratio),
            ceiling_text(size.ceiling),
            ratio(size.fitted),
        );
    }
    page.push('\n');
}
