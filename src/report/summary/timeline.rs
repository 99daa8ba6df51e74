//! A phase's course.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    clock::{Nanos, SECOND},
    measure::{Block, Course, Distribution, Kind, PPM, Totals},
    pace::RateCurve,
    plan::{Load, Phase},
    stats::samples_to_show,
};

/// What a phase did in a stretch of time. There are at most 128 of them, of equal length.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TimelinePoint {
    /// Its start, in seconds from the run's.
    pub start_s: f64,
    /// Its length in seconds.
    pub seconds: f64,
    /// Iterations a second, by plan; null where the plan names no rate.
    pub rate_asked: Option<f64>,
    /// Iterations taken up.
    pub offered: u64,
    /// Requests answered as expected.
    pub ok: u64,
    /// Those that ended otherwise.
    pub failed: u64,
    /// Median response time of those answered as expected, in microseconds; null where they are too few.
    pub p50_us: Option<u64>,
    /// 95th percentile.
    pub p95_us: Option<u64>,
    /// 99th percentile.
    pub p99_us: Option<u64>,
    /// 95th percentile of the service time.
    pub service_p95_us: Option<u64>,
    /// 99th percentile of the lateness, a record of what happened; null where nothing was dispatched.
    pub lateness_p99_us: Option<u64>,
    /// The most iterations under way at once.
    pub in_flight: u64,
    /// The most virtual users of a closed phase that were there at once.
    pub users: u64,
    /// The generator's own CPU, as a share of the cores it may use; null where that is not known.
    pub cpu_share: Option<f64>,
    /// How many response times fell between two bounds in microseconds.
    #[serde(skip)]
    pub heat: Vec<(u64, u64, u64)>,
}

/// Bands of a heat map for each doubling of the time.
const BANDS: f64 = 2.0;

/// When a phase started, and what it was to do: for the rate that was asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Planned<'a> {
    pub(super) phase: &'a Phase,
    pub(super) start: Nanos,
    pub(super) stopped: Nanos,
}

/// The course of a phase over all of its requests.
pub(super) fn timeline(totals: &Totals, phase: u16, planned: Option<Planned<'_>>) -> Vec<TimelinePoint> {
    let mut all: BTreeMap<u64, (u64, Block, Course)> = BTreeMap::new();
    for stretch in totals.stretches(phase, |key| key.kind == Kind::Request) {
        all.insert(stretch.start_s, (stretch.seconds, stretch.block, Course::default()));
    }
    for (start_s, seconds, course) in totals.course(phase) {
        let known = all.entry(start_s).or_insert_with(|| (seconds, Block::default(), Course::default()));
        known.2 = course.clone();
    }
    let point = |(start_s, (seconds, block, course)): (u64, (u64, Block, Course))| TimelinePoint {
        rate_asked: planned.and_then(|planned| planned.rate(start_s, seconds)),
        ..point(start_s, seconds, &block, &course)
    };
    all.into_iter().map(point).collect()
}

impl Planned<'_> {
    /// Iterations a second that were due in a stretch of whole seconds of the run.
    fn rate(self, start_s: u64, seconds: u64) -> Option<f64> {
        let Load::Rate(points) = &self.phase.load else { return None };
        let points: Vec<_> = points.iter().map(|&(at, rate)| (at.as_nanos() as Nanos, rate)).collect();
        let due = |second: u64| {
            let end = (second * SECOND).min(self.stopped).saturating_sub(self.start);
            RateCurve::new(&points, end).count() as f64
        };
        Some((due(start_s + seconds) - due(start_s)) / seconds as f64)
    }
}

fn point(start_s: u64, seconds: u64, block: &Block, course: &Course) -> TimelinePoint {
    let shown = |of: &Distribution, ppm: u32| if of.count() < samples_to_show(ppm) { None } else { of.quantile(ppm) };
    let percentile = |ppm: u32| shown(&block.ok, ppm);
    TimelinePoint {
        start_s: start_s as f64,
        seconds: seconds as f64,
        rate_asked: None,
        offered: course.offered,
        ok: block.ok.count(),
        failed: block.failed,
        p50_us: percentile(500_000),
        p95_us: percentile(950_000),
        p99_us: percentile(990_000),
        service_p95_us: shown(&course.service, 950_000),
        lateness_p99_us: course.lateness.quantile(990_000),
        in_flight: course.in_flight,
        users: course.users,
        cpu_share: course.cpu_share(),
        heat: heat(&block.ok),
    }
}

fn heat(times: &Distribution) -> Vec<(u64, u64, u64)> {
    let band = |us: u64| (us.max(1) as f64).log2() * BANDS;
    let bound = |band: f64| (band / BANDS).exp2().round() as u64;
    let mut bands: Vec<(u64, u64, u64)> = Vec::new();
    for (us, count) in times.buckets() {
        let number = band(us).floor();
        let (low, high) = (bound(number), bound(number + 1.0));
        match bands.last_mut() {
            Some(last) if last.0 == low => last.2 += count,
            _ => bands.push((low, high, count)),
        }
    }
    bands
}

/// A distribution's course over its percentiles: shares and microseconds, as far as the sample can carry them.
pub(super) fn curve(times: &Distribution) -> Vec<(f64, u64)> {
    /// Points for each further nine.
    const STEPS: u32 = 12;
    /// Up to 99.999 %.
    const NINES: u32 = 5;
    let mut points: Vec<(f64, u64)> = times.min_us().map(|us| (0.0, us)).into_iter().collect();
    for step in 1..=STEPS * NINES {
        let share = 1.0 - 10_f64.powf(-f64::from(step) / f64::from(STEPS));
        let ppm = (share * PPM as f64).round() as u32;
        if times.count() < samples_to_show(ppm) {
            break;
        }
        points.extend(times.quantile(ppm).map(|us| (share, us)));
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock::MILLISECOND, measure::synthetic::Synthetic};

    #[test]
    fn a_point_for_each_stretch() {
        let mut run = Synthetic::new();
        for _ in 0..20 {
            run.spread(0, "item", 100, 1, 9);
            run.tick();
        }
        let points = timeline(&run.totals, 0, None);
        assert_eq!(points.len(), 20);
        assert!(points.iter().enumerate().all(|(at, it)| it.start_s == at as f64 && it.seconds == 1.0 && it.ok == 100));
        assert!(points.iter().all(|it| it.p95_us.is_some() && it.p99_us.is_none()), "a hundred carry no p99");
        assert_eq!(points[0].heat.iter().map(|band| band.2).sum::<u64>(), 100);
        assert!(points[0].heat.windows(2).all(|pair| pair[0].1 <= pair[1].0), "bands are in order and apart");
    }

    #[test]
    fn what_the_generator_did_stands_beside_it() {
        use std::time::Duration;

        use crate::{clock::Rate, report::summary::tests::sustained};
        let mut run = Synthetic::new();
        for second in 0..20 {
            run.recorder.load(0, 3 + second, 0, 0);
            run.recorder.lateness(0, (1 + second) * MILLISECOND);
            // A target that stalls: something is under way, and nothing is answered.
            if second != 7 {
                run.spread(0, "item", 100, 1, 9);
            }
            run.tick();
            run.totals.own_cpu(second, 500);
            run.totals.own_cpu(second, 900);
        }
        let load =
            Load::Rate(vec![(Duration::ZERO, Rate::per_second(50)), (Duration::from_secs(20), Rate::per_second(90))]);
        let phase = Phase { load, ..sustained(1) };
        let planned = Planned { phase: &phase, start: 0, stopped: 20 * SECOND };
        let points = timeline(&run.totals, 0, Some(planned));
        assert_eq!(points.len(), 20);
        let stalled = &points[7];
        assert_eq!((stalled.ok, stalled.in_flight, stalled.lateness_p99_us), (0, 10, Some(8_000)));
        assert!(points.iter().all(|it| it.cpu_share == Some(0.5)), "a second look at a second changes nothing");
        assert!(points.iter().all(|it| it.service_p95_us.is_some() == (it.ok > 0)));
        assert_eq!([0, 19].map(|at| points[at].rate_asked), [Some(51.0), Some(89.0)]);
        assert!(timeline(&run.totals, 0, None).iter().all(|it| it.rate_asked.is_none()));
    }

    #[test]
    fn a_long_course_is_told_in_few_points() {
        let mut run = Synthetic::new();
        for second in 0..1_000 {
            run.recorder.load(0, second % 10, 0, 0);
            run.spread(0, "item", 10, 1, 9);
            run.tick();
            run.totals.own_cpu(second, (second % 10) as u16 * 100);
        }
        let points = timeline(&run.totals, 0, None);
        assert!(points.len() <= 128 && points.iter().all(|it| it.seconds == 8.0), "{}", points.len());
        let mean = points.iter().filter_map(|it| it.cpu_share).sum::<f64>() / points.len() as f64;
        assert!((mean - 0.45).abs() < 0.01, "{mean}");
        assert_eq!(points.iter().map(|it| it.ok).sum::<u64>(), 10_000);
    }

    #[test]
    fn a_curve_ends_where_the_sample_does() {
        let mut times = Distribution::default();
        (1..=1_000).for_each(|ms| times.record(ms * MILLISECOND));
        let points = curve(&times);
        assert!(points.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1));
        let last = points.last().expect("points").0;
        assert!((0.98..0.999).contains(&last), "{last}");
        assert_eq!(curve(&Distribution::default()), []);
    }
}
