//! Intervals for a share: k of n.

use super::special::{beta_quantile, normal_z};

/// An interval for a share, from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// The interval of Clopper and Pearson for `k` of `n` samples that are not independent: as if there were only
/// `n`/`widen`² of them, with the same share. `widen` is at least 1, see
/// [`design_effect`](super::design_effect).
pub fn clopper_pearson_effective(k: u64, n: u64, confidence: f64, widen: f64) -> Interval {
    if n == 0 {
        return Interval { low: 0.0, high: 1.0 };
    }
    let k = k.min(n);
    let tail = (1.0 - confidence) / 2.0;
    let scale = widen.max(1.0).powi(2);
    let (hits, misses) = (k as f64 / scale, (n - k) as f64 / scale);
    Interval {
        low: if k == 0 { 0.0 } else { beta_quantile(hits, misses + 1.0, tail) },
        high: if k == n { 1.0 } else { beta_quantile(hits + 1.0, misses, 1.0 - tail) },
    }
}

/// The exact interval of Clopper and Pearson (1934) for `k` of `n`: never less sure than asked. Without
/// samples it is everything.
pub fn clopper_pearson(k: u64, n: u64, confidence: f64) -> Interval {
    clopper_pearson_effective(k, n, confidence, 1.0)
}

/// The score interval of Wilson (1927) for `k` of `n`: right on average, and defined for `n` that is no whole
/// number, such as an effective sample size. Without samples it is everything.
pub fn wilson(k: f64, n: f64, confidence: f64) -> Interval {
    if n <= 0.0 {
        return Interval { low: 0.0, high: 1.0 };
    }
    let share = (k / n).clamp(0.0, 1.0);
    let z2 = normal_z(confidence).powi(2);
    let centre = (share + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = (z2 * (share * (1.0 - share) / n + z2 / (4.0 * n * n))).sqrt() / (1.0 + z2 / n);
    Interval { low: (centre - half).max(0.0), high: (centre + half).min(1.0) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn intervals_agree_with_scipy() {
        for (k, n, low, high, wilson_low, wilson_high) in [
            (0, 100, 0.0, 0.036_216_692_645_190_54, 0.0, 0.036_993_498_206_985_68),
            (1, 100, 0.000_253_146_032_681_893, 0.054_459_385_392_080_666, 0.001_767_432_064, 0.054_486_196_178),
            (5, 100, 0.016_431_879_181_728_278, 0.112_834_911_105_462_88, 0.021_543_679_154, 0.111_750_469_231),
            (100, 100, 0.963_783_307_354_809_4, 1.0, 0.963_006_501_793, 1.0),
            (9_900, 10_000, 0.987_850_495_113_929_6, 0.991_856_403_432_389, 0.987_853_017_744, 0.991_770_663_851),
            (0, 1, 0.0, 0.975, 0.0, 0.793_450_685_622),
            (123_456, 1_000_000, 0.122_811_841_629, 0.124_102_340_276, 0.122_812_696_531, 0.124_102_196_414),
        ] {
            let exact = clopper_pearson(k, n, 0.95);
            assert!((exact.low - low).abs() < 1e-8 && (exact.high - high).abs() < 1e-8, "{k}/{n}: {exact:?}");
            let score = wilson(k as f64, n as f64, 0.95);
            assert!((score.low - wilson_low).abs() < 1e-7, "{k}/{n}: {score:?}");
            assert!((score.high - wilson_high).abs() < 1e-7, "{k}/{n}: {score:?}");
        }
        assert_eq!(clopper_pearson(0, 0, 0.95), Interval { low: 0.0, high: 1.0 });
    }

    proptest! {
        #[test]
        fn the_share_lies_within_and_more_confidence_is_wider(n in 1u64..100_000, part in 0.0f64..=1.0) {
            let k = (n as f64 * part) as u64;
            let share = k as f64 / n as f64;
            let (narrow, wide) = (clopper_pearson(k, n, 0.9), clopper_pearson(k, n, 0.99));
            prop_assert!(narrow.low <= share + 1e-12 && share <= narrow.high + 1e-12);
            prop_assert!(wide.low <= narrow.low && narrow.high <= wide.high);
        }
    }
}
