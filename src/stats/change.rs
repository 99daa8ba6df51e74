//! Where a series changed its level.

use super::welch::welch_test;

/// A change is believed below this probability of seeing one where there is none. Each search looks at many places, so
/// that a flat series of sixty still shows a false change in about one of fifteen (`benches/run coverage`).
const P_MAX: f64 = 0.0005;
/// Values on each side of a change: two have a spread.
const SIDE_MIN: usize = 2;

/// Indices at which the level of `series` changes, ascending: each is the first value of its new level.
///
/// E-divisive means (Matteson and James, 2014): the place at which the energy distance between what is before and what is
/// after is largest, again on both sides of it. In place of their permutation test a Welch t-test decides, as in
/// Daly and others, "The use of change point detection to identify software performance regressions" (2020) and its
/// successors: it is far quicker and gives the same answer each time.
pub fn change_points(series: &[f64]) -> Vec<usize> {
    let mut found = Vec::new();
    let mut stretches = vec![(0, series.len())];
    while let Some((from, to)) = stretches.pop() {
        let Some(at) = best_split(&series[from..to]).map(|at| from + at) else { continue };
        if welch_test(&series[from..at], &series[at..to]).is_some_and(|p| p < P_MAX) {
            found.push(at);
            stretches.extend([(from, at), (at, to)]);
        }
    }
    found.sort_unstable();
    found
}

/// The split with the largest energy statistic
/// Q = mn/(m + n) · (2·E|X − Y| − E|X − X′| − E|Y − Y′|), in O(n²) by moving one value at a time.
fn best_split(series: &[f64]) -> Option<usize> {
    let n = series.len();
    if n < 2 * SIDE_MIN {
        return None;
    }
    let distances = |of: usize, among: &[f64]| -> f64 { among.iter().map(|value| (value - series[of]).abs()).sum() };
    // Sums over unordered pairs: within the left, within the right, between them.
    let (mut left, mut between) = (0.0, 0.0);
    let mut right: f64 = (0..n).map(|at| distances(at, &series[at + 1..])).sum();
    let mut best: Option<(f64, usize)> = None;
    for at in 0..n - SIDE_MIN {
        let (to_left, to_right) = (distances(at, &series[..at]), distances(at, &series[at + 1..]));
        left += to_left;
        right -= to_right;
        between += to_right - to_left;
        let (m, k) = ((at + 1) as f64, (n - at - 1) as f64);
        if at + 1 < SIDE_MIN {
            continue;
        }
        let within = |sum: f64, size: f64| 2.0 * sum / (size * (size - 1.0));
        let q = m * k / (m + k) * (2.0 * between / (m * k) - within(left, m) - within(right, k));
        if best.is_none_or(|(highest, _)| q > highest) {
            best = Some((q, at + 1));
        }
    }
    best.filter(|(q, _)| *q > 0.0).map(|(_, at)| at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::stats::fixtures;

    #[test]
    fn splits_agree_with_the_definition() {
        for case in fixtures::cases("e_divisive") {
            let series = fixtures::floats(&case["series"]);
            assert_eq!(best_split(&series), case["split"].as_u64().map(|at| at as usize), "{}", case["name"]);
            let expected: Vec<_> = fixtures::floats(&case["changes"]).into_iter().map(|at| at as usize).collect();
            assert_eq!(change_points(&series), expected, "{}", case["name"]);
        }
    }

    #[test]
    fn short_and_constant_series_have_no_change() {
        assert_eq!(change_points(&[]), Vec::<usize>::new());
        assert_eq!(change_points(&[1.0, 9.0, 1.0]), Vec::<usize>::new());
        assert_eq!(change_points(&[5.0; 50]), Vec::<usize>::new());
        // Without any spread a step is certain.
        assert_eq!(change_points(&[&[5.0; 9][..], &[6.0; 9]].concat()), [9]);
    }

    proptest! {
        #[test]
        fn changes_ascend_and_lie_within(series in prop::collection::vec(-1e3..1e3f64, 0..60)) {
            let found = change_points(&series);
            prop_assert!(found.is_sorted_by(|a, b| a < b));
            prop_assert!(found.iter().all(|&at| at >= SIDE_MIN && at + SIDE_MIN <= series.len()));
        }
    }
}
