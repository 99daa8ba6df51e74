//! What was looked at beside the traffic: a process, a server's own figures, a value of a response. Samples in the
//! order of time, and how many requests there had been by then.

use serde::{Deserialize, Serialize};

use crate::clock::{Nanos, SECOND};

/// More samples of one thing than this are counted and not kept.
const SAMPLES_MAX: usize = 200_000;

/// A figure of something that is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Processor time used so far, in seconds.
    Cpu,
    /// Memory in use, in bytes: shared pages count in each process.
    Rss,
    /// The same, with shared pages divided among those who share them.
    Pss,
    /// Bytes read from disks so far.
    DiskRead,
    /// Bytes written to disks so far.
    DiskWrite,
    /// Bytes received so far.
    NetReceived,
    /// Bytes sent so far.
    NetSent,
    /// Open descriptors.
    Descriptors,
    /// Threads.
    Threads,
    /// Processes: one, and its children.
    Processes,
    /// A number of the target's own.
    Value,
}

impl Metric {
    /// All of them, in the order of reports.
    pub const ALL: &'static [Self] = &[
        Self::Cpu,
        Self::Rss,
        Self::Pss,
        Self::DiskRead,
        Self::DiskWrite,
        Self::NetReceived,
        Self::NetSent,
        Self::Descriptors,
        Self::Threads,
        Self::Processes,
        Self::Value,
    ];

    /// The word for it, in scripts and files.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Rss => "rss",
            Self::Pss => "pss",
            Self::DiskRead => "disk_read",
            Self::DiskWrite => "disk_write",
            Self::NetReceived => "net_received",
            Self::NetSent => "net_sent",
            Self::Descriptors => "descriptors",
            Self::Threads => "threads",
            Self::Processes => "processes",
            Self::Value => "value",
        }
    }

    /// It only grows: what is of interest is how fast.
    pub const fn is_counter(self) -> bool {
        matches!(self, Self::Cpu | Self::DiskRead | Self::DiskWrite | Self::NetReceived | Self::NetSent)
    }
}

/// One look at one thing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// Which of the plan's watched things, by index.
    pub watch: u16,
    /// When, on the run's clock.
    pub at: Nanos,
    /// What was found.
    pub values: Vec<(Metric, f64)>,
}

/// A metric over a stretch of time: of a counter, its rate by the second.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct MetricLevel {
    /// Mean over the samples; of a counter, its growth over the time.
    pub avg: f64,
    /// The lowest that was seen.
    pub min: f64,
    /// The highest that was seen: between two samples it may have been higher.
    pub peak: f64,
    /// The last.
    pub last: f64,
    /// How much a counter grew; of anything else nothing.
    pub total: Option<f64>,
    /// Samples it rests on.
    pub samples: u64,
}

/// Everything that was seen.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Observed {
    samples: Vec<Observation>,
    /// Requests that had ended by then; ascending.
    load: Vec<(Nanos, u64)>,
    /// Samples that were not kept.
    pub turned_away: u64,
}

impl Observed {
    /// Takes a sample up.
    pub fn push(&mut self, sample: Observation) {
        if self.samples.len() >= SAMPLES_MAX {
            self.turned_away += 1;
        } else {
            self.samples.push(sample);
        }
    }

    /// By `at`, `requests` had ended. What is not later than the last note adds nothing.
    pub fn load(&mut self, at: Nanos, requests: u64) {
        if self.load.last().is_none_or(|&(last, _)| at > last) {
            self.load.push((at, requests));
        }
    }

    /// Requests that had ended by a time, as if they came evenly between two notes.
    pub fn requests_at(&self, at: Nanos) -> f64 {
        let after = self.load.partition_point(|&(known, _)| known <= at);
        let before = after.checked_sub(1).map_or((0, 0), |before| self.load[before]);
        let Some(&next) = self.load.get(after) else { return before.1 as f64 };
        let share = (at - before.0) as f64 / (next.0 - before.0).max(1) as f64;
        before.1 as f64 + share * next.1.saturating_sub(before.1) as f64
    }

    /// The samples of a metric from `from` to `to`, as (time, value); counters as they are.
    pub fn series(&self, watch: u16, metric: Metric, from: Nanos, to: Nanos) -> Vec<(Nanos, f64)> {
        let of_time = self.samples.iter().filter(|it| it.watch == watch && (from..=to).contains(&it.at));
        let value = |it: &Observation| it.values.iter().find(|(known, _)| *known == metric).map(|&(_, value)| value);
        let mut series: Vec<(Nanos, f64)> = of_time.filter_map(|it| Some((it.at, value(it)?))).collect();
        series.sort_by_key(|&(at, _)| at);
        series
    }

    /// The course of a metric: of a counter, its rates between samples.
    pub fn course(&self, watch: u16, metric: Metric, from: Nanos, to: Nanos) -> Vec<(Nanos, f64)> {
        let series = self.series(watch, metric, from, to);
        if !metric.is_counter() {
            return series;
        }
        let rate = |pair: &[(Nanos, f64)]| {
            let [(a, before), (b, after)] = pair else { return None };
            // What counts was started anew, or a child took its count away: nothing is known of this stretch.
            (after >= before && b > a).then(|| (*b, (after - before) * SECOND as f64 / (b - a) as f64))
        };
        series.windows(2).filter_map(rate).collect()
    }

    /// A metric from `from` to `to`; none without a sample, of a counter without two.
    pub fn level(&self, watch: u16, metric: Metric, from: Nanos, to: Nanos) -> Option<MetricLevel> {
        let course = self.course(watch, metric, from, to);
        let &(_, last) = course.last()?;
        let values = || course.iter().map(|&(_, value)| value);
        let (mut avg, mut total) = (values().sum::<f64>() / course.len() as f64, None);
        if metric.is_counter() {
            let series = self.series(watch, metric, from, to);
            let grown: f64 = series.windows(2).map(|pair| (pair[1].1 - pair[0].1).max(0.0)).sum();
            let span = series.last()?.0 - series.first()?.0;
            avg = grown * SECOND as f64 / span.max(1) as f64;
            total = Some(grown);
        }
        Some(MetricLevel {
            avg,
            min: values().fold(f64::INFINITY, f64::min),
            peak: values().fold(f64::NEG_INFINITY, f64::max),
            last,
            total,
            samples: course.len() as u64,
        })
    }

    /// When a metric was first and last seen from `from` to `to`.
    pub fn span(&self, watch: u16, metric: Metric, from: Nanos, to: Nanos) -> Option<(Nanos, Nanos)> {
        let series = self.series(watch, metric, from, to);
        Some((series.first()?.0, series.last()?.0))
    }

    /// All samples, in the order they came.
    pub fn samples(&self) -> &[Observation] {
        &self.samples
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observed(metric: Metric, values: &[f64]) -> Observed {
        let mut all = Observed::default();
        for (second, &value) in (0u64..).zip(values) {
            all.push(Observation { watch: 0, at: second * SECOND, values: vec![(metric, value)] });
            all.load(second * SECOND, 10 * second);
        }
        all
    }

    #[test]
    fn a_counter_is_known_by_its_rate_and_what_it_grew() {
        let all = observed(Metric::Cpu, &[5.0, 5.5, 7.5, 7.5]);
        let level = all.level(0, Metric::Cpu, 0, 3 * SECOND).expect("samples");
        assert_eq!((level.peak, level.min, level.total), (2.0, 0.0, Some(2.5)));
        assert!((level.avg - 2.5 / 3.0).abs() < 1e-9);
        // A restart is no growth, and no shrinking.
        let level = observed(Metric::Cpu, &[5.0, 6.0, 0.0, 1.0]).level(0, Metric::Cpu, 0, 9 * SECOND);
        assert_eq!(level.and_then(|level| level.total), Some(2.0));
        assert_eq!(all.level(0, Metric::Cpu, SECOND, SECOND), None, "one sample has no rate");
    }

    #[test]
    fn a_gauge_is_known_by_its_values_within_the_time() {
        let all = observed(Metric::Value, &[4.0, 8.0, 6.0, 100.0]);
        let level = all.level(0, Metric::Value, 0, 2 * SECOND).expect("samples");
        assert_eq!((level.avg, level.min, level.peak, level.last, level.samples), (6.0, 4.0, 8.0, 6.0, 3));
        assert_eq!(all.level(1, Metric::Value, 0, 9 * SECOND), None, "of another watch");
        assert_eq!(all.level(0, Metric::Rss, 0, 9 * SECOND), None, "of another metric");
    }

    #[test]
    fn requests_come_evenly_between_two_notes() {
        let all = observed(Metric::Rss, &[1.0, 2.0, 3.0]);
        assert_eq!([0, SECOND / 2, SECOND, 5 * SECOND].map(|at| all.requests_at(at)), [0.0, 5.0, 10.0, 20.0]);
        assert_eq!(Observed::default().requests_at(SECOND), 0.0);
    }
}
