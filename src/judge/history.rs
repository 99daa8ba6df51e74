//! Runs one after the other: how each figure went, and where its level changed.

use serde::Serialize;

use super::{
    Change, PhaseView, Unit,
    compare::{self, Asked, QUANTITIES, Row},
};
use crate::{measure::Kind, stats::change_points};

/// Of histories in which nothing changed, at most that share shows any change.
const LEVEL: f64 = 0.04;
/// In shorter series no change can be told from chance.
pub const RUNS_MIN: usize = 6;

/// A figure of one run.
#[derive(Debug, Clone, PartialEq)]
pub struct RunFigure {
    pub(super) row: Row,
    pub(super) asked: Asked,
    pub(super) value: Option<f64>,
}

/// A figure over all runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trend {
    /// The phase.
    pub phase: String,
    /// Request, flow or group.
    pub kind: Kind,
    /// The row.
    pub name: String,
    /// The class of responses; null is the sum over all.
    pub class: Option<String>,
    /// `p50`, `p95`, `p99`, `errors` or `rate`.
    pub quantity: &'static str,
    /// What it is counted in.
    pub unit: Unit,
    /// The figure of each run; null where it has none, or too few samples.
    pub values: Vec<Option<f64>>,
    /// Where its level changed.
    #[serde(skip)]
    pub changes: Vec<Shift>,
}

/// A change of a figure's level.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Shift {
    /// The first run of the new level, counted from 0.
    pub at: usize,
    /// The level before: a mean (of times and rates, the geometric one).
    pub before: f64,
    /// The level from there to the next change.
    pub after: f64,
    /// after/before − 1, for errors after − before.
    pub change: f64,
    /// `regression` or `improved`.
    pub verdict: Change,
}

/// What a history needs of a run.
pub fn run_figures(run: &[PhaseView<'_>]) -> Vec<RunFigure> {
    let side = [run.to_vec()];
    let figures = compare::all_rows(&side).into_iter().flat_map(|row| {
        QUANTITIES.map(|(asked, _)| {
            let value = compare::figures(&side, &row, asked).ok().and_then(|figures| figures.values.first().copied());
            RunFigure { row: row.clone(), asked, value }
        })
    });
    figures.collect()
}

/// The trends of runs that are in the order of time; phases in their order in the latest run that has them. Changes
/// smaller than `margin`, a share such as 0.05, are none.
pub fn trends(runs: &[Vec<RunFigure>], phases: &[String], margin: f64) -> Vec<Trend> {
    let mut rows: Vec<&Row> = runs.iter().flatten().map(|figure| &figure.row).collect();
    rows.sort();
    rows.dedup();
    rows.sort_by_key(|(phase, ..)| phases.iter().position(|name| name == phase));
    let series = rows.into_iter().flat_map(|row| QUANTITIES.map(|(asked, quantity)| (row, asked, quantity)));
    let mut trends: Vec<(Trend, Asked)> = series
        .map(|(row, asked, quantity)| {
            let of_run = |run: &Vec<RunFigure>| {
                run.iter().find(|figure| figure.row == *row && figure.asked == asked).and_then(|figure| figure.value)
            };
            let (phase, kind, name, class) = row.clone();
            let values = runs.iter().map(of_run).collect();
            (Trend { phase, kind, name, class, quantity, unit: asked.unit(), values, changes: Vec::new() }, asked)
        })
        .filter(|(trend, _)| trend.values.iter().any(Option::is_some))
        .collect();
    // Looking at many series finds a change by chance in some.
    let looked_at = trends.iter().filter(|(trend, _)| varies(trend)).count();
    for (trend, asked) in trends.iter_mut().filter(|(trend, _)| varies(trend)) {
        trend.changes = shifts(&trend.values, *asked, LEVEL / looked_at as f64, margin);
    }
    trends.into_iter().map(|(trend, _)| trend).collect()
}

/// Whether there is anything to look for.
fn varies(trend: &Trend) -> bool {
    let mut known = trend.values.iter().flatten();
    let first = known.next();
    trend.values.iter().flatten().count() >= RUNS_MIN && known.any(|value| Some(value) != first)
}

fn shifts(values: &[Option<f64>], asked: Asked, level: f64, margin: f64) -> Vec<Shift> {
    let known: Vec<(usize, f64)> = values.iter().enumerate().filter_map(|(at, value)| Some((at, (*value)?))).collect();
    let is_ratio = asked.is_ratio() && known.iter().all(|&(_, value)| value > 0.0);
    let scale = |value: f64| if is_ratio { value.ln() } else { value };
    let series: Vec<f64> = known.iter().map(|&(_, value)| scale(value)).collect();
    let places = change_points(&series, level);
    let bounds: Vec<usize> =
        std::iter::once(0).chain(places.iter().copied()).chain(std::iter::once(series.len())).collect();
    let levels: Vec<f64> = bounds
        .windows(2)
        .map(|stretch| {
            let part = &series[stretch[0]..stretch[1]];
            part.iter().sum::<f64>() / part.len().max(1) as f64
        })
        .collect();
    let shift = |(number, &place): (usize, &usize)| {
        let (before, after) = (levels[number], levels[number + 1]);
        let told = |level: f64| if is_ratio { level.exp() } else { level };
        let change = if is_ratio { (after - before).exp_m1() } else { after - before };
        let worse = (change > 0.0) != asked.more_is_better();
        let verdict = if worse { Change::Regression } else { Change::Improved };
        let size = if is_ratio { (after - before).abs() } else { change.abs() };
        let is_large = size >= if is_ratio { margin.ln_1p() } else { compare::ERRORS_MARGIN };
        is_large.then(|| Shift { at: known[place].0, before: told(before), after: told(after), change, verdict })
    };
    places.iter().enumerate().filter_map(shift).collect()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_distr::{Distribution as _, Normal};
    use rand_xoshiro::Xoshiro256PlusPlus;

    use super::*;

    /// Runs whose p50 and errors are these.
    fn runs(figures: &[(f64, f64)]) -> Vec<Vec<RunFigure>> {
        let row = || ("main".to_owned(), Kind::Request, "item".to_owned(), None);
        let run = |&(p50, errors): &(f64, f64)| {
            vec![
                RunFigure { row: row(), asked: Asked::Percentile(500_000), value: Some(p50) },
                RunFigure { row: row(), asked: Asked::Errors, value: Some(errors) },
            ]
        };
        figures.iter().map(run).collect()
    }

    fn noisy(seed: u64, levels: &[f64]) -> Vec<(f64, f64)> {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        let noise = Normal::new(0.0, 0.02).expect("finite");
        levels.iter().map(|level| (level * f64::exp(noise.sample(&mut rng)), 0.0)).collect()
    }

    #[test]
    fn a_level_that_rises_and_falls_is_found_with_its_size() {
        let levels = [&[1_000.0; 12][..], &[1_200.0; 12], &[800.0; 12]].concat();
        let found = trends(&runs(&noisy(1, &levels)), &["main".to_owned()], 0.05);
        let p50 = &found[0];
        assert_eq!((p50.quantity, p50.values.len(), p50.changes.len()), ("p50", 36, 2), "{p50:?}");
        let told: Vec<_> = p50.changes.iter().map(|it| (it.at, it.verdict, (it.change * 10.0).round())).collect();
        assert_eq!(told, [(12, Change::Regression, 2.0), (24, Change::Improved, -3.0)]);
        assert!((p50.changes[0].before - 1_000.0).abs() < 20.0, "{p50:?}");
        // What never varies is no series that chance could change.
        assert!(found.iter().all(|trend| trend.quantity == "p50" || trend.changes.is_empty()), "{found:?}");
        assert!(trends(&runs(&noisy(1, &levels)), &[], 0.5)[0].changes.is_empty(), "smaller than the margin");
    }

    #[test]
    fn errors_change_by_points_and_gaps_are_passed_over() {
        let mut figures = runs(&[[(1_000.0, 0.0); 8], [(1_000.0, 0.2); 8]].concat());
        figures[3].clear();
        let found = trends(&figures, &[], 0.05);
        let errors = found.iter().find(|trend| trend.quantity == "errors").expect("a series");
        assert_eq!(errors.values[3], None);
        assert_eq!(errors.changes.len(), 1, "{errors:?}");
        let change = errors.changes[0];
        assert!(change.at == 8 && (change.change - 0.2).abs() < 1e-9 && change.before == 0.0, "{change:?}");
    }

    #[test]
    fn few_of_flat_histories_show_a_change() {
        let alarms = (0..40)
            .filter(|&seed| {
                trends(&runs(&noisy(seed, &[1_000.0; 20])), &[], 0.0).iter().any(|it| !it.changes.is_empty())
            })
            .count();
        assert!(alarms <= 4, "{alarms} of 40");
    }

    #[test]
    fn a_class_has_a_course_of_its_own() {
        let run = |slow: bool| {
            let figure = |class: Option<&str>, us: f64| RunFigure {
                row: ("main".to_owned(), Kind::Request, "item".to_owned(), class.map(ToOwned::to_owned)),
                asked: Asked::Percentile(500_000),
                value: Some(us),
            };
            // Misses got slower; there are too few of them to move the whole.
            vec![figure(None, 1_000.0), figure(Some("miss"), if slow { 9_000.0 } else { 5_000.0 })]
        };
        let runs: Vec<_> = (0..16).map(|at| run(at >= 8)).collect();
        let all = trends(&runs, &["main".to_owned()], 0.05);
        let changed: Vec<_> = all.iter().filter(|it| !it.changes.is_empty()).map(|it| it.class.as_deref()).collect();
        assert_eq!(changed, [Some("miss")]);
    }
}
