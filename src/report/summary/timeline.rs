//! A phase's course.

use serde::Serialize;

use crate::{
    measure::{Distribution, Kind, PPM, Stretch, Totals},
    stats::samples_to_show,
};

/// What requests did in a stretch of a phase. There are at most 128 of them, of equal length.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TimelinePoint {
    /// Its start, in seconds from the run's.
    pub start_s: f64,
    /// Its length in seconds.
    pub seconds: f64,
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
    /// How many response times fell between two bounds in microseconds.
    #[serde(skip)]
    pub heat: Vec<(u64, u64, u64)>,
}

/// Bands of a heat map for each doubling of the time.
const BANDS: f64 = 2.0;

/// The course of a phase over all of its requests.
pub(super) fn timeline(totals: &Totals, phase: u16) -> Vec<TimelinePoint> {
    let stretches = totals.stretches(phase, |key| key.kind == Kind::Request);
    stretches.iter().map(point).collect()
}

fn point(stretch: &Stretch) -> TimelinePoint {
    let ok = &stretch.block.ok;
    let percentile = |ppm: u32| if ok.count() < samples_to_show(ppm) { None } else { ok.quantile(ppm) };
    TimelinePoint {
        start_s: stretch.start_s as f64,
        seconds: stretch.seconds as f64,
        ok: ok.count(),
        failed: stretch.block.failed,
        p50_us: percentile(500_000),
        p95_us: percentile(950_000),
        p99_us: percentile(990_000),
        heat: heat(ok),
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
        let points = timeline(&run.totals, 0);
        assert_eq!(points.len(), 20);
        assert!(points.iter().enumerate().all(|(at, it)| it.start_s == at as f64 && it.seconds == 1.0 && it.ok == 100));
        assert!(points.iter().all(|it| it.p95_us.is_some() && it.p99_us.is_none()), "a hundred carry no p99");
        assert_eq!(points[0].heat.iter().map(|band| band.2).sum::<u64>(), 100);
        assert!(points[0].heat.windows(2).all(|pair| pair[0].1 <= pair[1].0), "bands are in order and apart");
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
