//! Two samples of few values, such as a figure of several runs on each side.

use super::{difference::Estimate, special::student_t};

/// Mean, variance of the mean, and number of values; none with fewer than two.
fn moments(values: &[f64]) -> Option<(f64, f64, f64)> {
    let n = values.len() as f64;
    if n < 2.0 {
        return None;
    }
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    Some((mean, squares / (n - 1.0) / n, n))
}

/// Degrees of freedom by Welch and Satterthwaite.
fn degrees(a: (f64, f64, f64), b: (f64, f64, f64)) -> f64 {
    (a.1 + b.1).powi(2) / (a.1 * a.1 / (a.2 - 1.0) + b.1 * b.1 / (b.2 - 1.0))
}

/// The interval of the difference of the means, `b − a`. None with fewer than two values on a side.
///
/// With as many values on each side it is Student's, with the variances pooled: that holds for unequal variances too
/// then (Scheffé, The Analysis of Variance, 10.4), and knows twice as much of them, which counts where values are few.
/// Otherwise it is Welch's.
pub fn mean_difference(a: &[f64], b: &[f64], confidence: f64) -> Option<Estimate> {
    let (a, b) = (moments(a)?, moments(b)?);
    let (value, variance) = (b.0 - a.0, a.1 + b.1);
    let degrees = if a.2 == b.2 { a.2 + b.2 - 2.0 } else { degrees(a, b) };
    let half = if variance > 0.0 { student_t(confidence, degrees) * variance.sqrt() } else { 0.0 };
    Some(Estimate { value, low: value - half, high: value + half })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::fixtures;

    #[test]
    fn intervals_agree_with_scipy() {
        for case in fixtures::cases("welch") {
            let (a, b) = (fixtures::floats(&case["a"]), fixtures::floats(&case["b"]));
            let close = |actual: f64, name: &str| {
                let expected = case[name].as_f64().expect("a number");
                assert!(
                    (actual - expected).abs() <= 1e-8 * expected.abs().max(1e-3),
                    "{name}: {actual} for {expected}"
                );
            };
            let between = mean_difference(&a, &b, 0.95).expect("values");
            close(between.low, "low");
            close(between.high, "high");
        }
        assert_eq!(mean_difference(&[1.0], &[1.0, 2.0], 0.95), None);
    }
}
