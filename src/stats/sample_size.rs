//! How many samples a statement needs.

use super::{PPM, special::normal_z};

/// Samples expected beyond a percentile for it to be shown.
const BEYOND_MIN: u64 = 5;

/// The smallest sample that carries a percentile: at least five samples are expected beyond it, and its
/// two-sided 95 % interval has an upper end, which takes qⁿ ≤ 2.5 %.
///
/// p50 10, p75 20, p90 50, p95 100, p99 500, p99.9 5 000.
pub fn samples_to_show(ppm: u32) -> u64 {
    let beyond = u64::from(PPM.saturating_sub(ppm)).max(1);
    let expected = (BEYOND_MIN * u64::from(PPM)).div_ceil(beyond);
    expected.max(samples_to_bound(f64::from(ppm) / f64::from(PPM), 0.95))
}

/// The smallest sample of which every member being on the right side bounds a share of 1 − q: qⁿ ≤ α/2. For a
/// percentile, the smallest sample whose interval has an upper end.
pub fn samples_to_bound(q: f64, confidence: f64) -> u64 {
    let tail = (1.0 - confidence) / 2.0;
    // The tiny step back keeps an exact solution from rounding up.
    if q <= 0.0 { 1 } else { (tail.ln() / q.ln() - 1e-9).ceil().max(1.0) as u64 }
}

/// Roughly how many samples tell an observed share from a limit: where the half-width z·√(p(1−p)/n) of the
/// interval, times `widen`, is as small as their distance. None if they are equal: no number will do.
///
/// The question whether p99 is below 25 ms is one of a share too: whether at least 99 % lie below 25 ms.
pub fn samples_to_separate(observed: f64, limit: f64, confidence: f64, widen: f64) -> Option<u64> {
    let distance = (observed - limit).abs();
    // At 0 and 1 the observed share has no spread of its own; the limit's is the larger then.
    let spread = (observed * (1.0 - observed)).max(limit * (1.0 - limit));
    let needed = (normal_z(confidence) * widen.max(1.0) / distance).powi(2) * spread;
    (needed.is_finite() && needed < 1e15).then(|| needed.ceil().max(1.0) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_need_their_samples() {
        for (ppm, needed) in [
            (500_000, 10),
            (750_000, 20),
            (900_000, 50),
            (950_000, 100),
            (990_000, 500),
            (999_000, 5_000),
            (999_900, 50_000),
        ] {
            assert_eq!(samples_to_show(ppm), needed, "{ppm}");
        }
    }

    #[test]
    fn bounds_need_the_samples_of_the_table() {
        for (q, needed) in [(0.5, 6), (0.9, 36), (0.95, 72), (0.99, 368), (0.999, 3_688)] {
            assert_eq!(samples_to_bound(q, 0.95), needed, "{q}");
        }
    }

    #[test]
    fn what_is_closer_needs_more() {
        // 1.96² · 0.02 · 0.98 / 0.01² = 752.9
        assert_eq!(samples_to_separate(0.02, 0.01, 0.95, 1.0), Some(753));
        assert_eq!(samples_to_separate(0.02, 0.01, 0.95, 2.0), Some(3_012));
        assert_eq!(samples_to_separate(0.01, 0.01, 0.95, 1.0), None);
        assert!(samples_to_separate(0.0, 0.01, 0.95, 1.0).is_some_and(|n| n > 300));
    }
}
