//! Where a series changed its level.

use rand::{SeedableRng, seq::SliceRandom};
use rand_xoshiro::Xoshiro256PlusPlus;

/// Values on each side of a change: two have a spread.
const SIDE_MIN: usize = 2;
/// At the level asked for, that many shuffled series may show as much as the series itself, or it is chance.
const EXCEEDING: f64 = 20.0;
/// Fewer shuffles say too little, more take too long.
const SHUFFLES: (f64, f64) = (499.0, 9_999.0);
/// The same series gives the same answer each time.
const SEED: u64 = 0x10ad;

/// Indices at which the level of `series` changes, ascending: each is the first value of its new level. Of series
/// without any change, a share of at most `level` (such as 0.04) shows one, whatever their length and distribution.
///
/// E-divisive means (Matteson and James, "A nonparametric approach for multiple change point analysis", 2014): the
/// place at which the energy distance between what is before and what is after is largest, again on both sides of it.
/// As there, a change is believed if few shuffles of the values show one as large: that keeps its word where a t-test
/// at the place that was found does not, for the place was looked for, and two values of a normal distribution are
/// often too much alike (`benches/run coverage`).
pub fn change_points(series: &[f64], level: f64) -> Vec<usize> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(SEED);
    let mut found = Vec::new();
    let mut stretches = vec![(0, series.len())];
    while let Some((from, to)) = stretches.pop() {
        let Some((energy, at)) = best_split(&series[from..to]) else { continue };
        if is_rare(&series[from..to], energy, level, &mut rng) {
            found.push(from + at);
            stretches.extend([(from, from + at), (from + at, to)]);
        }
    }
    found.sort_unstable();
    found
}

/// Whether a share of at most `level` of shuffles splits as well. Where they do, that shows after a few.
fn is_rare(series: &[f64], energy: f64, level: f64, rng: &mut Xoshiro256PlusPlus) -> bool {
    let shuffles = (EXCEEDING / level).clamp(SHUFFLES.0, SHUFFLES.1).ceil();
    let allowed = (level * (shuffles + 1.0)).floor() - 1.0;
    let mut shuffled = series.to_vec();
    let mut exceeding = 0.0;
    for _ in 0..shuffles as u64 {
        shuffled.shuffle(rng);
        // Sums of the same values in another order differ in their last digits.
        let is_as_large = best_split(&shuffled).is_some_and(|(other, _)| other >= energy * (1.0 - 1e-9));
        exceeding += f64::from(u8::from(is_as_large));
        if exceeding > allowed {
            return false;
        }
    }
    allowed >= 0.0
}

/// The largest energy statistic of a split of the series' start, and its place:
/// Q = mn/(m + n) · (2·E|X − Y| − E|X − X′| − E|Y − Y′|), for any X from the start to the place and any Y from there on.
/// That Y may end before the series does finds what went up and came down again.
fn best_split(series: &[f64]) -> Option<(f64, usize)> {
    let n = series.len();
    if n < 2 * SIDE_MIN {
        return None;
    }
    // Sums of distances over the first i values and the first j, so that any stretch's is four of them.
    let width = n + 1;
    let mut sums = vec![0.0; width * width];
    for i in 0..n {
        let mut of_row = 0.0;
        for j in 0..n {
            of_row += (series[i] - series[j]).abs();
            sums[(i + 1) * width + j + 1] = sums[i * width + j + 1] + of_row;
        }
    }
    let sum = |i: usize, j: usize| sums[i * width + j];
    let mean_within = |sum: f64, size: f64| sum / (size * (size - 1.0));
    let mut best: Option<(f64, usize)> = None;
    for at in SIDE_MIN..=n - SIDE_MIN {
        let m = at as f64;
        let left = mean_within(sum(at, at), m);
        for end in at + SIDE_MIN..=n {
            let k = (end - at) as f64;
            let between = sum(at, end) - sum(at, at);
            let right = sum(end, end) - 2.0 * sum(at, end) + sum(at, at);
            let q = m * k / (m + k) * (2.0 * between / (m * k) - left - mean_within(right, k));
            if best.is_none_or(|(highest, _)| q > highest) {
                best = Some((q, at));
            }
        }
    }
    best.filter(|(q, _)| *q > 0.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::stats::fixtures;

    const LEVEL: f64 = 0.01;

    #[test]
    fn splits_agree_with_the_definition() {
        for case in fixtures::cases("e_divisive") {
            let series = fixtures::floats(&case["series"]);
            assert_eq!(
                best_split(&series).map(|(_, at)| at),
                case["split"].as_u64().map(|at| at as usize),
                "{}",
                case["name"]
            );
            let expected: Vec<_> = fixtures::floats(&case["changes"]).into_iter().map(|at| at as usize).collect();
            assert_eq!(change_points(&series, LEVEL), expected, "{}", case["name"]);
        }
    }

    #[test]
    fn short_and_constant_series_have_no_change() {
        assert_eq!(change_points(&[], LEVEL), Vec::<usize>::new());
        assert_eq!(change_points(&[1.0, 9.0, 1.0], LEVEL), Vec::<usize>::new());
        assert_eq!(change_points(&[5.0; 50], LEVEL), Vec::<usize>::new());
        // Without any spread a step is certain.
        assert_eq!(change_points(&[&[5.0; 9][..], &[6.0; 9]].concat(), LEVEL), [9]);
    }

    proptest! {
        #[test]
        fn changes_ascend_and_lie_within(series in prop::collection::vec(-1e3..1e3f64, 0..24)) {
            let found = change_points(&series, LEVEL);
            prop_assert!(found.is_sorted_by(|a, b| a < b));
            prop_assert!(found.iter().all(|&at| at >= SIDE_MIN && at + SIDE_MIN <= series.len()));
        }
    }
}
