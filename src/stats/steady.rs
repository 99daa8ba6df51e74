//! When a series has become steady.

/// Values of a batch.
const BATCH: usize = 5;
/// Fewer batches say nothing.
const BATCHES_MIN: usize = 4;

/// How a series begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// From this index on it is steady; 0 is from the start.
    SteadyFrom(usize),
    /// Not within its first half: it has not settled.
    NotSteady,
    /// It is too short to say.
    TooShort,
}

/// MSER-5 (White, Cobb and Spratt, "A comparison of five steady-state truncation heuristics", 2000): of the means of
/// batches of five, leave out those at the start that make the standard error of the rest smallest:
/// d = argmin Σ_{i>d}(y_i − ȳ_d)²/(m − d)². An optimum at half of the series or later means that it never settled.
pub fn steady_start(series: &[f64]) -> Start {
    let means: Vec<f64> = series.chunks_exact(BATCH).map(|batch| batch.iter().sum::<f64>() / BATCH as f64).collect();
    let m = means.len();
    if m < BATCHES_MIN {
        return Start::TooShort;
    }
    // Sums from the end, so that each truncation costs one step.
    let centre = means.iter().sum::<f64>() / m as f64;
    let (mut sum, mut squares) = (0.0, 0.0);
    let mut errors = vec![f64::INFINITY; m];
    for (d, mean) in means.iter().enumerate().rev() {
        let (value, kept) = (mean - centre, (m - d) as f64);
        sum += value;
        squares += value * value;
        errors[d] = (squares - sum * sum / kept).max(0.0) / (kept * kept);
    }
    let last = m / 2;
    let best = (0..=last).min_by(|&a, &b| errors[a].total_cmp(&errors[b])).unwrap_or(0);
    if best == last { Start::NotSteady } else { Start::SteadyFrom(best * BATCH) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::fixtures;

    #[test]
    fn truncations_agree_with_the_definition() {
        for case in fixtures::cases("mser") {
            let series = fixtures::floats(&case["series"]);
            let expected = match case["from"].as_i64() {
                Some(-1) => Start::NotSteady,
                from => Start::SteadyFrom(from.expect("an index") as usize),
            };
            assert_eq!(steady_start(&series), expected, "{}", case["name"]);
        }
        assert_eq!(steady_start(&[1.0; 19]), Start::TooShort);
        assert_eq!(steady_start(&[1.0; 40]), Start::SteadyFrom(0));
    }
}
