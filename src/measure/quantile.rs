//! Quantiles by nearest rank, in whole numbers.
//!
//! `hdrhistogram`'s own `value_at_quantile` computes the rank in floating point, which is one too high for
//! some quantiles (n = 100, q = 0.55), and answers with the top of a bucket even beyond the largest value.

use super::Distribution;

/// One, in the unit quantiles are given in: p99 is 990 000 parts per million.
pub const PPM: u32 = 1_000_000;

/// The nearest rank ⌈q·n⌉, from 1 to n; 0 only without samples.
pub fn rank(n: u64, ppm: u32) -> u64 {
    let rank = (u128::from(n) * u128::from(ppm)).div_ceil(u128::from(PPM));
    // A quantile is at most 1, so the rank is at most n and fits.
    u64::try_from(rank).unwrap_or(n).clamp(n.min(1), n)
}

/// A quantile of samples of which some are only known to be at least as long as they were watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantile {
    /// The value, in microseconds.
    Value(u64),
    /// A lower bound, in microseconds: the sample of that rank timed out, expired, was dropped or interrupted.
    AtLeast(u64),
    /// There are no samples.
    None,
}

impl Quantile {
    /// The value or its lower bound, in microseconds.
    pub const fn lower_us(self) -> Option<u64> {
        match self {
            Self::Value(us) | Self::AtLeast(us) => Some(us),
            Self::None => None,
        }
    }

    /// The value at a rank among `ok` and `censored` samples, where every censored sample ranks above every
    /// ok one: nobody knows when its answer would have come.
    ///
    /// The bound of a censored rank holds: the k-th smallest of the true durations is at least the k-th
    /// smallest of their lower bounds.
    pub fn at_rank(ok: &Distribution, censored: &Distribution, rank: u64) -> Self {
        let n = ok.count() + censored.count();
        if rank == 0 || n == 0 {
            Self::None
        } else if rank <= ok.count() {
            Self::Value(ok.value_at_rank(rank))
        } else {
            let bound = censored.value_at_rank((rank - ok.count()).min(censored.count()));
            Self::AtLeast(bound.max(ok.max_us().unwrap_or(0)))
        }
    }

    /// The quantile of everything offered: `ok` and `censored` samples together.
    pub fn offered(ok: &Distribution, censored: &Distribution, ppm: u32) -> Self {
        Self::at_rank(ok, censored, rank(ok.count() + censored.count(), ppm))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values_ms: impl IntoIterator<Item = u64>) -> Distribution {
        let mut all = Distribution::default();
        for ms in values_ms {
            all.record(ms * 1_000_000);
        }
        all
    }

    #[test]
    fn ranks_are_whole_number_arithmetic() {
        // The first four are where floating point gives one too many.
        for (n, ppm, expected) in [
            (100, 550_000, 55),
            (50, 140_000, 7),
            (50, 280_000, 14),
            (50, 560_000, 28),
            (100, 990_000, 99),
            (101, 990_000, 100),
            (1, 0, 1),
            (10, PPM, 10),
            (0, 500_000, 0),
            (u64::MAX, PPM, u64::MAX),
        ] {
            assert_eq!(rank(n, ppm), expected, "n {n}, ppm {ppm}");
        }
    }

    #[test]
    fn every_rank_of_a_thousand_values_is_exact_to_three_digits() {
        let all = of(1..=1000);
        for ppm in (1_000..=PPM).step_by(1_000) {
            let exact = u64::from(ppm);
            let Quantile::Value(us) = Quantile::offered(&all, &Distribution::default(), ppm) else {
                panic!("no value at {ppm}");
            };
            assert!(us >= exact && us - exact <= exact / 1_000, "{us} for {exact}");
        }
    }

    #[test]
    fn what_never_answered_ranks_above_everything() {
        let ok = of([1; 98]);
        let timeouts = of([30_000, 30_000]);
        assert_eq!(Quantile::offered(&ok, &timeouts, 980_000), Quantile::Value(1_000));
        assert_eq!(Quantile::offered(&ok, &timeouts, 990_000), Quantile::AtLeast(30_000_000));
        // Dropped at once: its own bound is nothing, but it still ranks above what was answered.
        assert_eq!(Quantile::offered(&of([5]), &of([0]), PPM), Quantile::AtLeast(5_000));
        assert_eq!(Quantile::offered(&of([]), &of([]), 500_000), Quantile::None);
        assert_eq!(Quantile::offered(&of([]), &of([7]), 500_000), Quantile::AtLeast(7_000));
    }
}
