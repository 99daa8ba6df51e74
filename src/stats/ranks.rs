//! The interval of a quantile, as ranks of the sorted sample.

use super::{PPM, binomial};

/// Two ranks between whose samples the true quantile lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ranks {
    /// Lower rank, from 1; none if even the smallest sample may be above the quantile.
    pub low: Option<u64>,
    /// Upper rank, at most n; none if even the largest sample may be below the quantile.
    pub high: Option<u64>,
}

/// Ranks around the quantile of `n` samples, from the binomial distribution of how many samples lie below it
/// (David and Nagaraja, Order Statistics, 7.1): l = B⁻¹(α/2), u = B⁻¹(1 − α/2) + 1.
///
/// That holds for independent samples. `widen`, at least 1, stretches the interval about the quantile's own
/// rank for samples that are not: see [`design_effect`](super::design_effect).
pub fn quantile_ranks(n: u64, ppm: u32, confidence: f64, widen: f64) -> Ranks {
    if n == 0 {
        return Ranks { low: None, high: None };
    }
    let q = f64::from(ppm) / f64::from(PPM);
    let tail = (1.0 - confidence) / 2.0;
    let (low, high) = (binomial::quantile(tail, n, q), binomial::quantile(1.0 - tail, n, q) + 1);
    let centre = n as f64 * q;
    let stretch = |rank: u64| centre + (rank as f64 - centre) * widen.max(1.0);
    let low = if widen > 1.0 { stretch(low).floor().max(0.0) as u64 } else { low };
    let high = if widen > 1.0 { stretch(high).ceil() as u64 } else { high };
    Ranks { low: (low >= 1).then_some(low), high: (high <= n).then_some(high) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ranks_agree_with_scipy() {
        for (n, ppm, low, high) in [
            (10, 500_000, 2, Some(9)),
            (20, 500_000, 6, Some(15)),
            (100, 500_000, 40, Some(61)),
            (100, 950_000, 90, Some(100)),
            (500, 990_000, 490, Some(500)),
            (1_000, 990_000, 983, Some(997)),
            (10_000, 999_000, 9_983, Some(9_997)),
            (1_000_000, 990_000, 989_805, Some(990_196)),
            (36, 900_000, 29, Some(36)),
            (35, 900_000, 28, None),
            (72, 950_000, 64, Some(72)),
            (71, 950_000, 63, None),
        ] {
            assert_eq!(quantile_ranks(n, ppm, 0.95, 1.0), Ranks { low: Some(low), high }, "{n} {ppm}");
        }
        assert_eq!(quantile_ranks(3, 500_000, 0.95, 1.0), Ranks { low: None, high: None });
        assert_eq!(quantile_ranks(0, 500_000, 0.95, 1.0), Ranks { low: None, high: None });
    }

    #[test]
    fn widening_keeps_the_centre() {
        assert_eq!(quantile_ranks(10_000, 500_000, 0.95, 1.0), Ranks { low: Some(4_902), high: Some(5_099) });
        assert_eq!(quantile_ranks(10_000, 500_000, 0.95, 3.0), Ranks { low: Some(4_706), high: Some(5_297) });
        assert_eq!(quantile_ranks(1_000, 990_000, 0.95, 9.0).high, None);
    }

    proptest! {
        #[test]
        fn the_quantiles_own_rank_lies_within(n in 1u64..200_000, ppm in 1u32..999_999, widen in 1.0f64..10.0) {
            let own = (u128::from(n) * u128::from(ppm)).div_ceil(1_000_000) as u64;
            let ranks = quantile_ranks(n, ppm, 0.95, widen);
            prop_assert!(ranks.low.is_none_or(|low| low <= own));
            prop_assert!(ranks.high.is_none_or(|high| own <= high));
        }
    }
}
