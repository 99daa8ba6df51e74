//! The charts of a phase.

use serde::Serialize;

use super::{
    chart::{Axis, Cell, Line, heat, lines},
    scale::{Scale, duration_label, number_label},
};
use crate::report::{PhaseSummary, RowSummary, TimelinePoint};

/// A chart of the page.
#[derive(Debug, Serialize)]
pub(super) struct Chart {
    pub(super) title: String,
    pub(super) svg: String,
}

/// Rows whose distribution is drawn.
const ROWS_DRAWN: usize = 6;

/// All charts of a phase; none where there is no course of time to show.
pub(super) fn charts(phase: &PhaseSummary) -> Vec<Chart> {
    let mut charts = Vec::new();
    // Two points are a line, and no course.
    if phase.timeline.len() > 2 {
        charts.push(rates(phase));
        charts.push(latencies(phase));
        charts.push(heat_map(phase));
        charts.push(under_way(phase));
        charts.extend(generator(phase));
    }
    let rows = phase.requests.iter().chain(&phase.flows).filter(|row| row.class.is_none());
    charts.extend(rows.filter(|row| row.response_us.curve.len() > 2).take(ROWS_DRAWN).map(distribution));
    charts
}

fn time(phase: &PhaseSummary) -> Axis {
    let end = phase.timeline.last().map_or(1.0, |point| point.start_s + point.seconds - phase.start_s);
    Axis { name: "s", scale: Scale::Linear(0.0, end.max(1.0)), label: |s| format!("{}s", number_label(s)) }
}

/// A point's place: the middle of its stretch.
fn middle(phase: &PhaseSummary, point: &TimelinePoint) -> f64 {
    point.start_s - phase.start_s + point.seconds / 2.0
}

fn line(phase: &PhaseSummary, name: &str, color: &'static str, figure: impl Fn(&TimelinePoint) -> Option<f64>) -> Line {
    let points = phase.timeline.iter().map(|it| (middle(phase, it), figure(it))).collect();
    Line { name: name.to_owned(), color, points, is_steps: false }
}

fn highest(lines: &[Line]) -> Scale {
    Scale::from_zero(lines.iter().flat_map(|line| &line.points).filter_map(|point| point.1))
}

fn rates(phase: &PhaseSummary) -> Chart {
    let per_second = |count: u64, point: &TimelinePoint| Some(count as f64 / point.seconds);
    let mut all = vec![line(phase, "requests answered as expected", "ok", |it| per_second(it.ok, it))];
    if phase.timeline.iter().any(|it| it.failed > 0) {
        all.push(line(phase, "requests that failed", "bad", |it| per_second(it.failed, it)));
    }
    if phase.timeline.iter().any(|it| it.rate_asked.is_some()) {
        all.push(line(phase, "iterations taken up", "p50", |it| per_second(it.offered, it)));
        all.push(line(phase, "iterations asked", "asked", |it| it.rate_asked));
    }
    let y = Axis { name: "a second", scale: highest(&all), label: number_label };
    let svg = lines("requests and iterations a second over time", &time(phase), &y, &all);
    Chart { title: "Requests and iterations a second".to_owned(), svg }
}

/// What was there at once.
fn under_way(phase: &PhaseSummary) -> Chart {
    let mut all = vec![line(phase, "iterations under way, the most at once", "p50", |it| Some(it.in_flight as f64))];
    if phase.timeline.iter().any(|it| it.users > 0) {
        all.push(line(phase, "virtual users", "asked", |it| Some(it.users as f64)));
    }
    let y = Axis { name: "at once", scale: highest(&all), label: number_label };
    Chart { title: "In flight".to_owned(), svg: lines("iterations in flight over time", &time(phase), &y, &all) }
}

/// What the generator did itself: how late it was where that counts, and what it used up.
fn generator(phase: &PhaseSummary) -> Vec<Chart> {
    let mut charts = Vec::new();
    if phase.is_open {
        let all = [line(phase, "lateness p99", "service", |it| it.lateness_p99_us.map(|us| us as f64))];
        let figures = all.iter().flat_map(|line| &line.points).filter_map(|point| point.1);
        let y = Axis { name: "lateness", scale: Scale::magnitude(figures), label: duration_label };
        let svg = lines("lateness of the generator over time", &time(phase), &y, &all);
        charts.push(Chart { title: "Lateness of the generator".to_owned(), svg });
    }
    if phase.timeline.iter().any(|it| it.cpu_share.is_some()) {
        let all = [line(phase, "of the cores that it may use", "p95", |it| it.cpu_share.map(|share| share * 100.0))];
        let y = Axis { name: "share", scale: Scale::Linear(0.0, 100.0), label: percent_label };
        let svg = lines("own CPU of the generator over time", &time(phase), &y, &all);
        charts.push(Chart { title: "Own CPU of the generator".to_owned(), svg });
    }
    charts
}

fn percent_label(percent: f64) -> String {
    format!("{}%", number_label(percent))
}

fn latencies(phase: &PhaseSummary) -> Chart {
    let us = |us: Option<u64>| us.map(|us| us as f64);
    let mut all = vec![
        line(phase, "p50", "p50", |it| us(it.p50_us)),
        line(phase, "p95", "p95", |it| us(it.p95_us)),
        line(phase, "p99", "p99", |it| us(it.p99_us)),
    ];
    if phase.is_open {
        all.push(line(phase, "service p95", "service", |it| us(it.service_p95_us)));
    }
    let figures = all.iter().flat_map(|line| &line.points).filter_map(|point| point.1);
    let y = Axis { name: "response time", scale: Scale::magnitude(figures), label: duration_label };
    let svg = lines("percentiles of the response time over time", &time(phase), &y, &all);
    Chart { title: "Response time of what was answered".to_owned(), svg }
}

fn heat_map(phase: &PhaseSummary) -> Chart {
    let x = time(phase);
    let bounds = phase.timeline.iter().flat_map(|it| &it.heat).flat_map(|&(low, high, _)| [low as f64, high as f64]);
    let y = Axis { name: "response time", scale: Scale::magnitude(bounds), label: duration_label };
    let cells: Vec<Cell> = phase
        .timeline
        .iter()
        .flat_map(|point| {
            let from = point.start_s - phase.start_s;
            point.heat.iter().map(move |&(low, high, count)| Cell {
                x: (from, from + point.seconds),
                y: (low as f64, high as f64),
                count,
            })
        })
        .collect();
    Chart {
        title: "Where response times fell".to_owned(),
        svg: heat("how many response times fell where, over time", &x, &y, &cells),
    }
}

/// Response beside service time on an axis of percentiles, on which each nine has the same room.
fn distribution(row: &RowSummary) -> Chart {
    // A share of 0.999 is 1000: one in that many is slower.
    let place = |share: f64| 1.0 / (1.0 - share).max(1e-9);
    let line = |name: &str, color: &'static str, curve: &[(f64, u64)]| Line {
        name: name.to_owned(),
        color,
        points: curve.iter().map(|&(share, us)| (place(share), Some(us as f64))).collect(),
        is_steps: false,
    };
    let all = [line("response", "p50", &row.response_us.curve), line("service", "service", &row.service_us.curve)];
    let places = all.iter().flat_map(|line| &line.points).map(|point| point.0);
    let x = Axis { name: "percentile", scale: Scale::magnitude(places), label: percentile_label };
    let figures = all.iter().flat_map(|line| &line.points).filter_map(|point| point.1);
    let y = Axis { name: "time", scale: Scale::magnitude(figures), label: duration_label };
    let name = crate::measure::clean_text(&crate::report::words::row_name(row));
    let about = format!("distribution of response and service time of {name}");
    Chart { title: format!("Distribution: {name}"), svg: lines(&about, &x, &y, &all) }
}

fn percentile_label(place: f64) -> String {
    if place <= 1.0 {
        return "min".to_owned();
    }
    let text = format!("{:.4}", (1.0 - 1.0 / place) * 100.0);
    format!("p{}", text.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_have_the_names_of_percentiles() {
        let names = [1.0, 10.0, 100.0, 1_000.0, 10_000.0].map(percentile_label);
        assert_eq!(names, ["min", "p90", "p99", "p99.9", "p99.99"]);
    }
}
