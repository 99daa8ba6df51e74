//! The section of a cache experiment: tables, the hit ratio over time, and hits beside misses.

use serde::Serialize;

use super::{
    chart::{Axis, Line, lines},
    charts::Chart,
    scale::{Scale, duration_label, number_label},
};
use crate::{
    measure::{clean_text, plain_text},
    report::{
        ExperimentSummary, Latency, SpeedupSummary, Summary,
        words::{NOTHING, ceiling_text, figure, interval_of_ratio, need_text, percent, saved_text, times_text, us},
    },
};

#[derive(Debug, Serialize)]
pub(super) struct ExperimentView {
    name: String,
    request: String,
    charts: Vec<Chart>,
    tables: Vec<TableView>,
    needs: Vec<String>,
    warnings: Vec<String>,
}

#[derive(Debug, Serialize)]
struct TableView {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

pub(super) fn experiments(summary: &Summary) -> Vec<ExperimentView> {
    summary.experiments.iter().map(view).collect()
}

fn view(experiment: &ExperimentSummary) -> ExperimentView {
    let mut charts = Vec::new();
    if experiment.course.len() > 2 {
        charts.push(course(experiment));
    }
    if experiment.hit_us.curve.len() > 2 && experiment.miss_us.curve.len() > 2 {
        charts.push(distributions(experiment));
    }
    if experiment.effective.iter().filter(|row| row.p50_us.is_some()).count() > 2 {
        charts.push(effective_chart(experiment));
    }
    if let Some(working_set) = experiment.working_set.as_ref().filter(|it| it.sizes.len() > 2) {
        charts.push(working_set_chart(working_set));
    }
    ExperimentView {
        name: clean_text(&experiment.name),
        request: clean_text(&experiment.request),
        charts,
        tables: [ratios(experiment), times(experiment), effective(experiment), sizes(experiment)]
            .into_iter()
            .flatten()
            .collect(),
        needs: experiment
            .lines()
            .iter()
            .map(|line| plain_text(line))
            .chain(experiment.needs.iter().map(|need| plain_text(&need_text(need))))
            .collect(),
        warnings: experiment.warnings.iter().map(|warning| plain_text(warning)).collect(),
    }
}

fn head(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

fn ratios(experiment: &ExperimentSummary) -> Option<TableView> {
    let row = |part: &crate::report::PartSummary| {
        vec![
            part.part.to_owned(),
            part.cache.hit_ratio.map_or_else(|| NOTHING.to_owned(), percent),
            interval_of_ratio(&part.cache),
            ceiling_text(part.ceiling),
            part.cache.looked_up().to_string(),
        ]
    };
    (!experiment.parts.is_empty()).then(|| TableView {
        head: head(&["part", "hit ratio", "95 % interval", "ceiling", "look-ups"]),
        rows: experiment.parts.iter().map(row).collect(),
    })
}

fn times(experiment: &ExperimentSummary) -> Option<TableView> {
    if experiment.hit_us.count + experiment.miss_us.count == 0 {
        return None;
    }
    let arm = |word: &str, latency: &Latency| {
        let figures = ["p50", "p95", "p99"].map(|name| figure(latency, name));
        [word.to_owned(), latency.count.to_string()].into_iter().chain(figures).collect()
    };
    let mut rows = vec![arm("hit", &experiment.hit_us), arm("miss", &experiment.miss_us)];
    let row = |word: &str, text: fn(&SpeedupSummary) -> String| -> Vec<String> {
        [word.to_owned(), String::new()].into_iter().chain(experiment.speedup.iter().map(text)).collect()
    };
    if !experiment.speedup.is_empty() {
        rows.push(row("speed-up", |it| times_text(it.ratio)));
        rows.push(row("95 % interval", |it| match (it.ratio_low, it.ratio_high) {
            (Some(low), Some(high)) => format!("{}…{}", times_text(Some(low)), times_text(Some(high))),
            _ => String::new(),
        }));
        rows.push(row("a hit saves", |it| saved_text(it.saved_us)));
        rows.push(row("95 % interval", |it| match (it.saved_low_us, it.saved_high_us) {
            (Some(low), Some(high)) => format!("{}…{}", saved_text(Some(low)), saved_text(Some(high))),
            _ => String::new(),
        }));
    }
    Some(TableView { head: head(&[experiment.times_from, "n", "p50", "p95", "p99"]), rows })
}

fn effective(experiment: &ExperimentSummary) -> Option<TableView> {
    let time = |value: Option<u64>| value.map_or_else(|| NOTHING.to_owned(), us);
    let row = |row: &crate::report::EffectiveSummary| {
        vec![
            format!("{}{}", percent(row.hit_ratio), if row.measured { " (steady)" } else { "" }),
            us(row.mean_us.round() as u64),
            time(row.p50_us),
            time(row.p95_us),
            time(row.p99_us),
        ]
    };
    (!experiment.effective.is_empty()).then(|| TableView {
        head: head(&["at a hit ratio of", "mean", "p50", "p95", "p99"]),
        rows: experiment.effective.iter().map(row).collect(),
    })
}

fn sizes(experiment: &ExperimentSummary) -> Option<TableView> {
    let working_set = experiment.working_set.as_ref()?;
    let ratio = |value: Option<f64>| value.map_or_else(|| NOTHING.to_owned(), percent);
    let row = |size: &crate::report::SizeSummary| {
        let interval = match (size.low, size.high) {
            (Some(low), Some(high)) => format!("{}…{}", percent(low), percent(high)),
            _ => String::new(),
        };
        vec![size.keys.to_string(), ratio(size.hit_ratio), interval, ceiling_text(size.ceiling), ratio(size.fitted)]
    };
    Some(TableView {
        head: head(&["keys", "hit ratio", "95 % interval", "ceiling", "fitted"]),
        rows: working_set.sizes.iter().map(row).collect(),
    })
}

fn working_set_chart(working_set: &crate::report::WorkingSetSummary) -> Chart {
    let line = |name: &str, color: &'static str, of: fn(&crate::report::SizeSummary) -> Option<f64>| Line {
        name: name.to_owned(),
        color,
        points: working_set.sizes.iter().map(|size| (size.keys as f64, of(size))).collect(),
        is_steps: false,
    };
    let all = [
        line("hit ratio", "ok", |size| size.hit_ratio),
        line("fitted", "service", |size| size.fitted),
        line("ceiling", "asked", |size| size.ceiling),
    ];
    let keys: Vec<f64> = working_set.sizes.iter().map(|size| size.keys as f64).collect();
    let x = Axis { name: "keys", scale: Scale::magnitude(keys.into_iter()), label: number_label };
    let y = Axis { name: "hit ratio", scale: Scale::Linear(0.0, 1.0), label: share_label };
    Chart {
        title: "Hit ratio by number of keys".to_owned(),
        svg: lines("the hit ratio by number of keys", &x, &y, &all),
    }
}

fn share_label(share: f64) -> String {
    percent(share)
}

fn course(experiment: &ExperimentSummary) -> Chart {
    let from = experiment.course.first().map_or(0, |point| point.start_s);
    let end = experiment.course.last().map_or(1, |point| point.start_s + point.seconds - from).max(1);
    let x = Axis { name: "s", scale: Scale::Linear(0.0, end as f64), label: |s| format!("{}s", number_label(s)) };
    let y = Axis { name: "hit ratio", scale: Scale::Linear(0.0, 1.0), label: share_label };
    let line = |name: &str, color: &'static str, of: &dyn Fn(&crate::report::CoursePoint) -> Option<f64>| Line {
        name: name.to_owned(),
        color,
        points: experiment
            .course
            .iter()
            .map(|point| ((point.start_s - from) as f64 + point.seconds as f64 / 2.0, of(point)))
            .collect(),
        is_steps: false,
    };
    let mut all = vec![
        line("hit ratio", "ok", &|point| Some(point.hit_ratio)),
        line("95 % interval, lower end", "service", &|point| Some(point.low)),
        line("upper end", "service", &|point| Some(point.high)),
    ];
    if experiment.course.iter().any(|point| point.ceiling.is_some()) {
        all.push(line("ceiling: what any cache could reach", "asked", &|point| point.ceiling));
    }
    Chart {
        title: "Hit ratio over time".to_owned(),
        svg: lines("the hit ratio over time, with its interval and the ceiling", &x, &y, &all),
    }
}

fn distributions(experiment: &ExperimentSummary) -> Chart {
    let line = |name: &str, color: &'static str, latency: &Latency| Line {
        name: name.to_owned(),
        color,
        points: latency.curve.iter().map(|&(share, us)| (us as f64, Some(share))).collect(),
        is_steps: false,
    };
    let all = [line("hit", "ok", &experiment.hit_us), line("miss", "bad", &experiment.miss_us)];
    let figures: Vec<f64> = all.iter().flat_map(|line| &line.points).map(|point| point.0).collect();
    let x = Axis { name: "time", scale: Scale::magnitude(figures.into_iter()), label: duration_label };
    let y = Axis { name: "share", scale: Scale::Linear(0.0, 1.0), label: share_label };
    Chart {
        title: "Hits beside misses: share that took at most as long".to_owned(),
        svg: lines("cumulative distributions of hits and misses", &x, &y, &all),
    }
}

fn effective_chart(experiment: &ExperimentSummary) -> Chart {
    let line = |name: &str, color: &'static str, of: fn(&crate::report::EffectiveSummary) -> Option<u64>| Line {
        name: name.to_owned(),
        color,
        points: experiment.effective.iter().map(|row| (row.hit_ratio, of(row).map(|us| us as f64))).collect(),
        is_steps: false,
    };
    let all = [
        line("p50", "p50", |row| row.p50_us),
        line("p95", "p95", |row| row.p95_us),
        line("p99", "p99", |row| row.p99_us),
    ];
    let figures: Vec<f64> = all.iter().flat_map(|line| &line.points).filter_map(|point| point.1).collect();
    let x = Axis { name: "hit ratio", scale: Scale::Linear(0.0, 1.0), label: share_label };
    let y = Axis { name: "time", scale: Scale::magnitude(figures.into_iter()), label: duration_label };
    Chart { title: "Latency by hit ratio".to_owned(), svg: lines("percentiles by hit ratio", &x, &y, &all) }
}
