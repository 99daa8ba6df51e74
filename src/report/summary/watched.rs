//! What was watched beside the traffic, as reports show it.

use serde::Serialize;

use crate::{
    clock::{Nanos, SECOND},
    judge::{LeakFinding, PhaseSpan, Unit, Watching, judge_leak, per_request},
    measure::Metric,
    plan::Outline,
};

/// Points of a course, at most.
const POINTS_MAX: usize = 128;

/// Something that was watched.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WatchSummary {
    /// Its name.
    pub name: String,
    /// `monitor` or `probe`.
    pub kind: &'static str,
    /// What was watched, in words.
    pub about: String,
    /// Time between two looks.
    pub every_ms: f64,
    /// Its metrics, phase by phase.
    pub phases: Vec<WatchPhase>,
    /// The course of each metric over the run.
    pub course: Vec<WatchCourse>,
    /// Whether its memory grows without end, where the script asks.
    pub leak: Option<LeakFinding>,
}

/// A watch in a phase.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WatchPhase {
    /// The phase.
    pub phase: String,
    /// Its metrics; those without a sample are left out.
    pub metrics: Vec<MetricSummary>,
}

/// A metric in a phase. Of a counter, all but `total` are its rate by the second.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MetricSummary {
    /// Such as `cpu`.
    pub metric: &'static str,
    /// What the figures are counted in.
    pub unit: Unit,
    /// Mean.
    pub avg: f64,
    /// The lowest that was seen.
    pub min: f64,
    /// The highest that was seen: a lower bound of what was.
    pub peak: f64,
    /// The last.
    pub last: f64,
    /// How much a counter grew from the first look to the last: seconds of processor time, or bytes.
    pub total: Option<f64>,
    /// That by the request, of all requests between those looks: microseconds, or bytes.
    pub per_request: Option<f64>,
    /// Samples.
    pub samples: u64,
}

/// A metric over the run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WatchCourse {
    /// Such as `cpu`.
    pub metric: &'static str,
    /// What it is counted in.
    pub unit: Unit,
    /// Seconds from the run's start, and the mean of the samples up to there.
    pub points: Vec<(f64, f64)>,
}

impl MetricSummary {
    /// Average and peak for people: `48% ≥ 95%`.
    pub(in crate::report) fn text(&self, value: f64) -> String {
        self.unit.text(value)
    }

    /// Cost of a request for people.
    pub(in crate::report) fn per_request_text(&self) -> Option<String> {
        let unit = if self.unit == Unit::Share { Unit::Us } else { Unit::BytesPerRequest };
        self.per_request.map(|cost| match unit {
            Unit::Us => format!("{}/request", unit.text(cost)),
            _ => unit.text(cost),
        })
    }
}

impl WatchSummary {
    /// All watches of a run.
    pub(super) fn all(outline: &Outline, watching: &Watching<'_>) -> Vec<Self> {
        (0u16..)
            .zip(&outline.watches)
            .map(|(watch, outlined)| {
                let seen = |metric: &Metric| watching.observed.level(watch, *metric, 0, Nanos::MAX).is_some();
                let metrics: Vec<Metric> = Metric::ALL.iter().copied().filter(seen).collect();
                let check = outline.leak_checks.iter().find(|check| check.watch == outlined.name);
                Self {
                    name: outlined.name.clone(),
                    kind: if outlined.is_probe { "probe" } else { "monitor" },
                    about: outlined.about.clone(),
                    every_ms: outlined.every_ns as f64 / 1e6,
                    phases: watching.spans.iter().map(|span| phase(watching, watch, span, &metrics)).collect(),
                    course: metrics.iter().map(|&metric| course(watching, watch, metric)).collect(),
                    leak: check.map(|check| judge_leak(watching.observed, watch, &check.limit, 0, Nanos::MAX)),
                }
            })
            .collect()
    }

    /// How often, in words.
    pub(in crate::report) fn every_text(&self) -> String {
        crate::clock::format_nanos((self.every_ms * 1e6).round() as Nanos)
    }
}

fn phase(watching: &Watching<'_>, watch: u16, span: &PhaseSpan<'_>, metrics: &[Metric]) -> WatchPhase {
    let of = |&metric: &Metric| {
        let level = watching.observed.level(watch, metric, span.start, span.end)?;
        let cost = per_request(watching.observed, watch, metric, &[span]);
        Some(MetricSummary {
            metric: metric.word(),
            unit: metric.unit(),
            avg: level.avg,
            min: level.min,
            peak: level.peak,
            last: level.last,
            total: level.total,
            per_request: cost.map(|cost| if metric == Metric::Cpu { cost * 1e6 } else { cost }),
            samples: level.samples,
        })
    };
    WatchPhase { phase: span.name.to_owned(), metrics: metrics.iter().filter_map(of).collect() }
}

fn course(watching: &Watching<'_>, watch: u16, metric: Metric) -> WatchCourse {
    let all = watching.observed.course(watch, metric, 0, Nanos::MAX);
    let each = all.len().div_ceil(POINTS_MAX).max(1);
    let point = |part: &[(Nanos, f64)]| {
        let mean = part.iter().map(|&(_, value)| value).sum::<f64>() / part.len().max(1) as f64;
        (part.last().map_or(0.0, |&(at, _)| at as f64 / SECOND as f64), mean)
    };
    WatchCourse { metric: metric.word(), unit: metric.unit(), points: all.chunks(each).map(point).collect() }
}
