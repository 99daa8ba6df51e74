//! The interval of a mean.

use super::special::{normal_z, student_t};

/// Fewer blocks say nothing of their spread.
const BLOCKS_MIN: usize = 8;

/// Half the width of the interval of a mean; none with fewer than two values.
///
/// `values` are (value, how often); `blocks` are (sum, count) of consecutive stretches of time. The wider of two:
/// the normal one of independent values, and that of a ratio over clusters (Cochran, Sampling Techniques, 9A), which
/// sees that values near each other are alike.
pub fn mean_interval(
    values: impl Iterator<Item = (f64, u64)> + Clone,
    blocks: &[(f64, u64)],
    confidence: f64,
) -> Option<f64> {
    let (sum, n) =
        values.clone().fold((0.0, 0.0), |(sum, n), (value, count)| (sum + value * count as f64, n + count as f64));
    if n < 2.0 {
        return None;
    }
    let mean = sum / n;
    let squares: f64 = values.map(|(value, count)| (value - mean).powi(2) * count as f64).sum();
    let few_values = if n > 1e6 { normal_z(confidence) } else { student_t(confidence, n - 1.0) };
    let independent = few_values * (squares / (n - 1.0) / n).sqrt();
    Some(clustered(blocks, confidence).map_or(independent, |half| half.max(independent)))
}

fn clustered(blocks: &[(f64, u64)], confidence: f64) -> Option<f64> {
    let used = || blocks.iter().filter(|(_, n)| *n > 0);
    let count = used().count();
    if count < BLOCKS_MIN {
        return None;
    }
    let count = count as f64;
    let (sum, n) = used().fold((0.0, 0.0), |(sum, n), (s, c)| (sum + s, n + *c as f64));
    let mean = sum / n;
    let squares: f64 = used().map(|(sum, n)| (sum - mean * *n as f64).powi(2)).sum();
    Some(student_t(confidence, count - 1.0) * (squares * count / (count - 1.0)).sqrt() / n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn independent_values_give_students_interval() {
        // scipy.stats.t.interval(0.95, 9, loc=5.5, scale=sem(1..=10)): 3.334149…7.665851
        let values = (1..=10).map(|n| (f64::from(n), 1));
        let half = mean_interval(values, &[], 0.95).expect("ten values");
        assert!((half - 2.165_851).abs() < 1e-5, "{half}");
        assert_eq!(mean_interval([(3.0, 1)].into_iter(), &[], 0.95), None);
    }

    #[test]
    fn a_slow_stretch_widens() {
        let values = [(1.0, 900), (50.0, 100)].into_iter();
        let even = [(590.0, 100); 10];
        let mut uneven = [(100.0, 100); 10];
        uneven[4] = (5_000.0, 100);
        let half = |blocks: &[(f64, u64)]| mean_interval(values.clone(), blocks, 0.95).expect("values");
        assert!(half(&uneven) > 9.0 * half(&even));
        assert_eq!(half(&even), half(&[]));
    }
}
