//! What was watched beside the traffic: its course, and a table by phase.

use serde::Serialize;

use super::{
    chart::{Axis, Line, lines},
    charts::Chart,
    scale::{Scale, number_label},
};
use crate::{
    judge::Unit,
    measure::clean_text,
    report::{Summary, WatchCourse, WatchSummary, words::watch_remark},
};

#[derive(Debug, Serialize)]
pub(super) struct WatchView {
    title: String,
    about: String,
    charts: Vec<Chart>,
    rows: Vec<Vec<String>>,
    remarks: Vec<String>,
}

pub(super) fn watched(summary: &Summary) -> Vec<WatchView> {
    summary.watched.iter().map(view).collect()
}

fn view(watch: &WatchSummary) -> WatchView {
    let mut rows = Vec::new();
    for phase in &watch.phases {
        for metric in &phase.metrics {
            rows.push(vec![
                clean_text(&phase.phase),
                metric.metric.to_owned(),
                metric.text(metric.avg),
                format!("≥ {}", metric.text(metric.peak)),
                metric.per_request_text().unwrap_or_default(),
                metric.samples.to_string(),
            ]);
        }
    }
    WatchView {
        title: format!("{} {}", watch.kind, clean_text(&watch.name)),
        about: format!("{}, every {}", clean_text(&watch.about), watch.every_text()),
        charts: watch.course.iter().filter(|course| course.points.len() > 2).map(chart).collect(),
        rows,
        remarks: watch_remark(watch).iter().map(|remark| clean_text(remark)).collect(),
    }
}

fn chart(course: &WatchCourse) -> Chart {
    let line = Line {
        name: course.metric.to_owned(),
        color: "p50",
        points: course.points.iter().map(|&(at, value)| (at, Some(value))).collect(),
        is_steps: false,
    };
    let end = course.points.last().map_or(1.0, |&(at, _)| at).max(1.0);
    let x = Axis { name: "s", scale: Scale::Linear(0.0, end), label: |s| format!("{}s", number_label(s)) };
    let values = course.points.iter().map(|&(_, value)| value);
    let label = match course.unit {
        Unit::Share => |value| Unit::Share.text(value),
        Unit::Bytes => |value| Unit::Bytes.text(value),
        Unit::BytesPerSecond => |value| Unit::BytesPerSecond.text(value),
        _ => number_label,
    };
    let y = Axis { name: course.metric, scale: Scale::from_zero(values), label };
    Chart { title: format!("{} over the run", course.metric), svg: lines(course.metric, &x, &y, &[line]) }
}
