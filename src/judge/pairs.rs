//! Two targets that took turns: what differs between them beyond what differs from turn to turn.

use super::{
    Change, Compared, RunFigure,
    compare::{ERRORS_MARGIN, QUANTITIES, RUNS_MAX, Row, mean, verdict},
};
use crate::stats::{CONFIDENCE, Estimate, mean_interval};

/// Fewer pairs say nothing of how pairs differ.
pub const PAIRS_MIN: usize = 3;

/// Compares pairs of blocks, each with the same traffic to both sides, one straight after the other. Of each figure,
/// the differences within the pairs (of logarithms for times and rates) are judged by a t-test: what changes over time
/// concerns both of a pair, and falls out.
///
/// A verdict has the same confidence and margin as that of [`compare`](super::compare): of tests of equals, at most one
/// in twenty shows any regression.
pub fn compare_pairs(pairs: &[(Vec<RunFigure>, Vec<RunFigure>)], margin: f64) -> Vec<Compared> {
    let mut rows: Vec<&Row> = Vec::new();
    for figure in pairs.iter().flat_map(|(a, b)| a.iter().chain(b)) {
        if !rows.contains(&&figure.row) {
            rows.push(&figure.row);
        }
    }
    let value = |side: &[RunFigure], row: &Row, asked| {
        side.iter().find(|figure| figure.row == *row && figure.asked == asked).and_then(|figure| figure.value)
    };
    let mut all = Vec::new();
    for row in rows {
        for (asked, quantity) in QUANTITIES {
            let both = |(a, b): &(Vec<RunFigure>, Vec<RunFigure>)| Some((value(a, row, asked)?, value(b, row, asked)?));
            let known: Vec<(f64, f64)> = pairs.iter().filter_map(both).collect();
            let is_ratio = asked.is_ratio();
            let can_be_told =
                known.len() >= PAIRS_MIN && !(is_ratio && known.iter().any(|&(a, b)| a <= 0.0 || b <= 0.0));
            all.push((row, asked, quantity, known, can_be_told));
        }
    }
    let judged = all.iter().filter(|(.., can_be_told)| *can_be_told).count();
    let sure = 1.0 - (1.0 - CONFIDENCE) / judged.max(1) as f64;
    all.into_iter()
        .map(|(row, asked, quantity, known, can_be_told)| {
            let (a, b): (Vec<f64>, Vec<f64>) = known.iter().copied().unzip();
            let is_ratio = asked.is_ratio();
            let mut result = Compared::untold(row, asked, quantity);
            result.a = (!a.is_empty()).then(|| mean(&a, is_ratio));
            result.b = (!b.is_empty()).then(|| mean(&b, is_ratio));
            if !can_be_told {
                result.why = Some(format!(
                    "{} of {} pairs have enough samples on both sides: make blocks longer",
                    known.len(),
                    pairs.len()
                ));
                return result;
            }
            let scale = |value: f64| if is_ratio { value.ln() } else { value };
            let differences: Vec<f64> = known.iter().map(|&(a, b)| scale(b) - scale(a)).collect();
            let (shown, sure) = (within(&differences, CONFIDENCE), within(&differences, sure));
            let told = |change: f64| if is_ratio { change.exp_m1() } else { change };
            result.change = Some(told(shown.value));
            (result.low, result.high) = (Some(told(shown.low)), Some(told(shown.high)));
            let margin = if is_ratio { margin.ln_1p() } else { ERRORS_MARGIN };
            result.verdict = verdict(shown, sure, margin, false, asked.more_is_better());
            if result.verdict == Change::Inconclusive {
                let half = (sure.high - sure.low) / 2.0;
                let distance = (shown.value.abs() - margin).abs();
                let needed = (differences.len() as f64 * (half / distance).powi(2)).max(differences.len() as f64 + 1.0);
                result.runs_needed = (needed <= RUNS_MAX).then_some(needed.ceil() as u64);
            }
            result
        })
        .collect()
}

/// The mean of the differences, with its interval.
fn within(differences: &[f64], confidence: f64) -> Estimate {
    let value = differences.iter().sum::<f64>() / differences.len().max(1) as f64;
    let half = mean_interval(differences.iter().map(|&it| (it, 1)), &[], confidence).unwrap_or(f64::INFINITY);
    Estimate { value, low: value - half, high: value + half }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_distr::{Distribution as _, Normal};
    use rand_xoshiro::Xoshiro256PlusPlus;

    use super::*;
    use crate::{judge::compare::Asked, measure::Kind};

    /// Pairs of blocks with two rows of three percentiles each. `drift` is how much slower everything becomes from
    /// first to last, `spread` how much blocks differ; `factor` is the truth.
    fn pairs(
        rng: &mut Xoshiro256PlusPlus,
        k: usize,
        factor: f64,
        spread: f64,
        drift: f64,
    ) -> Vec<(Vec<RunFigure>, Vec<RunFigure>)> {
        let noise = Normal::new(0.0, spread).expect("finite");
        let own = Normal::new(0.0, 0.01).expect("finite");
        let mut block = |at: usize, factor: f64| {
            let level = factor * (1.0 + drift * at as f64 / k as f64) * f64::exp(noise.sample(rng));
            let mut figures = Vec::new();
            for name in ["item", "list"] {
                for (asked, us) in [(500_000, 1_000.0), (950_000, 2_000.0), (990_000, 4_000.0)] {
                    let value = Some(us * level * f64::exp(own.sample(rng)));
                    let row = ("main".to_owned(), Kind::Request, name.to_owned(), None);
                    figures.push(RunFigure { row, asked: Asked::Percentile(asked), value });
                }
            }
            figures
        };
        (0..k).map(|at| (block(at, 1.0), block(at, factor))).collect()
    }

    fn alarms(seed: u64, factor: f64, spread: f64, drift: f64) -> usize {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        let test = |_: &u32| {
            let figures = compare_pairs(&pairs(&mut rng, 10, factor, spread, drift), 0.05);
            figures.iter().any(|figure| figure.verdict == Change::Regression)
        };
        (0..TESTS).filter(test).count()
    }

    const TESTS: u32 = 200;

    #[test]
    fn equals_raise_few_alarms_and_ten_percent_is_seen() {
        let share = |found: usize| found as f64 / f64::from(TESTS);
        for (spread, drift) in [(0.02, 0.0), (0.05, 0.0), (0.02, 1.0), (0.1, 0.0)] {
            let wrong = share(alarms(1, 1.0, spread, drift));
            assert!(wrong <= 0.05, "{wrong} false alarms at {spread} {drift}");
        }
        // Half as slow again at the end: both of a pair see it.
        for (spread, drift, least) in [(0.02, 0.0, 0.99), (0.02, 1.0, 0.99), (0.05, 0.0, 0.6)] {
            let right = share(alarms(2, 1.1, spread, drift));
            assert!(right >= least, "{right} seen at {spread} {drift}");
        }
    }

    #[test]
    fn figures_are_told_with_what_would_tell_more() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(3);
        let clear = compare_pairs(&pairs(&mut rng, 10, 1.2, 0.01, 0.0), 0.05);
        let p50 = &clear[0];
        assert_eq!((p50.quantity.as_str(), p50.verdict), ("p50", Change::Regression));
        let (low, change, high) = (p50.low.expect("low"), p50.change.expect("change"), p50.high.expect("high"));
        assert!(low < 0.2 && 0.2 < high && (change - 0.2).abs() < 0.02, "{p50:?}");
        // Errors and rate are no figures of these blocks.
        let rate = clear.iter().find(|it| it.quantity == "rate").expect("a figure");
        assert!(rate.why.as_deref().is_some_and(|why| why.starts_with("0 of 10 pairs")), "{rate:?}");
        let unclear = compare_pairs(&pairs(&mut rng, 4, 1.08, 0.05, 0.0), 0.05);
        assert!(unclear.iter().any(|it| it.verdict == Change::Inconclusive && it.runs_needed.is_some()), "{unclear:?}");
        assert_eq!(compare_pairs(&pairs(&mut rng, 10, 0.8, 0.01, 0.0), 0.05)[0].verdict, Change::Improved);
    }
}
