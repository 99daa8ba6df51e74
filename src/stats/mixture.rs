//! What a mix of two distributions is like: hits and misses, at a hit ratio.

use super::PPM;

/// Two distributions as histograms of (value, count), ascending.
#[derive(Debug, Clone, Copy)]
pub struct Mixture<'a> {
    /// The one that has the weight.
    pub first: &'a [(u64, u64)],
    /// The other, with the rest of the weight.
    pub second: &'a [(u64, u64)],
}

/// The share of values that are at most `value`.
fn share_at_most(histogram: &[(u64, u64)], value: u64) -> f64 {
    let total: u64 = histogram.iter().map(|(_, n)| n).sum();
    let below: u64 = histogram.iter().take_while(|(at, _)| *at <= value).map(|(_, n)| n).sum();
    below as f64 / total.max(1) as f64
}

impl Mixture<'_> {
    /// The quantile of the mix with that `weight` of the first; none where both are empty.
    pub fn quantile(&self, weight: f64, ppm: u32) -> Option<u64> {
        let wanted = f64::from(ppm) / f64::from(PPM);
        let total = |histogram: &[(u64, u64)]| histogram.iter().map(|(_, n)| n).sum::<u64>().max(1) as f64;
        let (first, second) = (weight / total(self.first), (1.0 - weight) / total(self.second));
        let parts = |histogram: &[(u64, u64)], each: f64| -> Vec<(u64, f64)> {
            histogram.iter().filter(|_| each > 0.0).map(|&(value, n)| (value, n as f64 * each)).collect()
        };
        let mut all = parts(self.first, first);
        all.extend(parts(self.second, second));
        all.sort_unstable_by_key(|&(value, _)| value);
        let mut below = 0.0;
        let found = all.iter().find(|(_, share)| {
            below += share;
            // A sum of shares may miss the whole by its last digits.
            below >= wanted - 1e-9
        });
        found.or(all.last()).map(|&(value, _)| value)
    }

    /// The least weight of the first with which that quantile is at most `value`: 0 if the second manages alone, none if
    /// the first does not manage either.
    pub fn weight_for(&self, ppm: u32, value: u64) -> Option<f64> {
        let wanted = f64::from(ppm) / f64::from(PPM);
        let (first, second) = (share_at_most(self.first, value), share_at_most(self.second, value));
        if second >= wanted {
            return Some(0.0);
        }
        (first >= wanted).then(|| (wanted - second) / (first - second))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Histogram = Vec<(u64, u64)>;

    /// A hundred values each: 1 to 100, and 1001 to 1100.
    fn hits_and_misses() -> (Histogram, Histogram) {
        ((1..=100).map(|value| (value, 1)).collect(), (1_001..=1_100).map(|value| (value, 1)).collect())
    }

    #[test]
    fn a_percentile_of_a_mix_is_one_of_its_parts() {
        let (first, second) = hits_and_misses();
        let mix = Mixture { first: &first, second: &second };
        for (weight, ppm, value) in [
            // At 80 %, the p95 is the p75 of the misses and the p99 their p95.
            (0.8, 950_000, 1_075),
            (0.8, 990_000, 1_095),
            (0.8, 400_000, 50),
            (1.0, 990_000, 99),
            (0.0, 500_000, 1_050),
        ] {
            assert_eq!(mix.quantile(weight, ppm), Some(value), "{weight} {ppm}");
        }
        assert_eq!(Mixture { first: &[], second: &[] }.quantile(0.5, 500_000), None);
    }

    #[test]
    fn a_target_needs_a_weight() {
        let (first, second) = hits_and_misses();
        let mix = Mixture { first: &first, second: &second };
        assert_eq!(mix.weight_for(950_000, 100), Some(0.95));
        assert_eq!(mix.weight_for(950_000, 5_000), Some(0.0));
        assert_eq!(mix.weight_for(950_000, 90), None);
        let needed = mix.weight_for(950_000, 1_050).expect("reached");
        assert!(mix.quantile(needed, 950_000).is_some_and(|value| value <= 1_050), "{needed}");
    }
}
