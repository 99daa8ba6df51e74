//! What one more run may show.

use super::{difference::Estimate, special::student_t};

/// Where one more value of the kind of `values` lies: m ± t·s·√(1 + 1/k). None with fewer than two.
pub fn prediction_interval(values: &[f64], confidence: f64) -> Option<Estimate> {
    let k = values.len() as f64;
    if k < 2.0 {
        return None;
    }
    let mean = values.iter().sum::<f64>() / k;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let half = student_t(confidence, k - 1.0) * (squares / (k - 1.0) * (1.0 + 1.0 / k)).sqrt();
    Some(Estimate { value: mean, low: mean - half, high: mean + half })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_wider_than_the_interval_of_the_mean() {
        // 5.5 ± scipy.stats.t.ppf(0.975, 9) · std(1..=10, ddof=1) · sqrt(1.1)
        let values: Vec<f64> = (1..=10).map(f64::from).collect();
        let next = prediction_interval(&values, 0.95).expect("ten values");
        assert!((next.low + 1.683_313_8).abs() < 1e-6 && (next.high - 12.683_313_8).abs() < 1e-5, "{next:?}");
        assert_eq!(prediction_interval(&[1.0], 0.95), None);
    }
}
