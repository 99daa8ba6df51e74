//! The binomial distribution.

use super::special::beta_reg;

/// P(X ≤ k) of n draws with probability p: I_{1−p}(n − k, k + 1), DLMF 8.17.5.
pub(super) fn cdf(k: u64, n: u64, p: f64) -> f64 {
    if k >= n { 1.0 } else { beta_reg((n - k) as f64, k as f64 + 1.0, 1.0 - p) }
}

/// The smallest k with P(X ≤ k) ≥ `probability`.
pub(super) fn quantile(probability: f64, n: u64, p: f64) -> u64 {
    // Within twelve standard deviations of the mean lies everything a double can tell from certainty.
    let (mean, spread) = (n as f64 * p, 12.0 * (n as f64 * p * (1.0 - p)).sqrt() + 12.0);
    let (mut low, mut high) = ((mean - spread).max(0.0) as u64, ((mean + spread) as u64).min(n));
    while low < high {
        let middle = low + (high - low) / 2;
        if cdf(middle, n, p) >= probability { high = middle } else { low = middle + 1 }
    }
    low
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_cdf_agrees_with_scipy() {
        for (k, n, p, expected) in [
            (3, 10, 0.5, 0.171_875),
            (0, 5, 0.2, 0.327_68),
            (94, 100, 0.95, 0.384_000_872_043_859_6),
            (990, 1_000, 0.99, 0.542_699_407_825_110_4),
            (9_905, 10_000, 0.99, 0.705_853_548_613_674_8),
            (999_000, 1_000_000, 0.999, 0.504_211_555_167_003_7),
        ] {
            assert!((cdf(k, n, p) - expected).abs() < 1e-8, "{k} of {n}");
        }
    }

    proptest! {
        #[test]
        fn the_quantile_inverts_the_cdf(n in 1u64..50_000, p in 0.001f64..0.999, probability in 0.001f64..0.999) {
            let k = quantile(probability, n, p);
            prop_assert!(k <= n && cdf(k, n, p) >= probability);
            prop_assert!(k == 0 || cdf(k - 1, n, p) < probability);
        }
    }
}
