//! How fast something grows.

use super::{difference::Estimate, special::normal_z};

/// The slope of Theil and Sen, the median of the slopes of all pairs of points, with Sen's interval ("Estimates of the
/// regression coefficient based on Kendall's tau", 1968), whose variance allows for ties in y and x as
/// `scipy.stats.theilslopes` does. Single outliers do not move it. None with fewer than two different x.
pub fn theil_sen(points: &[(f64, f64)], confidence: f64) -> Option<Estimate> {
    let pairs = points.iter().enumerate().flat_map(|(at, a)| points[at + 1..].iter().map(move |b| (a, b)));
    let mut slopes: Vec<f64> = pairs
        .filter(|(a, b)| a.0 != b.0)
        .map(|(a, b)| (b.1 - a.1) / (b.0 - a.0))
        .filter(|slope| slope.is_finite())
        .collect();
    if slopes.is_empty() {
        return None;
    }
    slopes.sort_unstable_by(f64::total_cmp);
    let (n, count) = (points.len() as f64, slopes.len());
    let middle = count / 2;
    let median = if count % 2 == 1 { slopes[middle] } else { f64::midpoint(slopes[middle - 1], slopes[middle]) };
    let ties = |of: fn(&(f64, f64)) -> f64| -> f64 {
        let mut values: Vec<f64> = points.iter().map(of).collect();
        values.sort_unstable_by(f64::total_cmp);
        let group = |group: &[f64]| {
            let k = group.len() as f64;
            k * (k - 1.0) * (2.0 * k + 5.0)
        };
        values.chunk_by(|a, b| a == b).map(group).sum()
    };
    let variance = (n * (n - 1.0) * (2.0 * n + 5.0) - ties(|p| p.0) - ties(|p| p.1)) / 18.0;
    let reach = normal_z(confidence) * variance.max(0.0).sqrt();
    let upper = ((count as f64 + reach) / 2.0).round_ties_even() as usize;
    let lower = (((count as f64 - reach) / 2.0).round_ties_even() - 1.0).max(0.0) as usize;
    Some(Estimate { value: median, low: slopes[lower.min(count - 1)], high: slopes[upper.min(count - 1)] })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::fixtures;

    #[test]
    fn slopes_agree_with_scipy() {
        for case in fixtures::cases("theil_sen") {
            let points: Vec<_> = fixtures::floats(&case["x"]).into_iter().zip(fixtures::floats(&case["y"])).collect();
            let slope = theil_sen(&points, 0.95).expect("points");
            for (actual, name) in [(slope.value, "slope"), (slope.low, "low"), (slope.high, "high")] {
                let expected = case[name].as_f64().expect("a number");
                assert!((actual - expected).abs() < 1e-9, "{name}: {actual} for {expected}");
            }
        }
    }

    #[test]
    fn without_two_places_there_is_no_slope() {
        assert_eq!(theil_sen(&[], 0.95), None);
        assert_eq!(theil_sen(&[(1.0, 2.0), (1.0, 5.0)], 0.95), None);
        let two = theil_sen(&[(1.0, 2.0), (2.0, 5.0)], 0.95).expect("a slope");
        assert_eq!((two.value, two.low, two.high), (3.0, 3.0, 3.0));
    }
}
