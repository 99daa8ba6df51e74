//! What makes the figures of an experiment doubtful.

use super::{
    InvalidationSummary, OutageSummary, TruthSummary, TtlSummary, UsersSummary, experiment::ExperimentSummary,
};
use crate::{
    clock::MICROSECOND,
    judge::{Experiment, PhaseView},
    measure::Pair,
    stats::{CONFIDENCE, theil_sen},
};

/// Fewer samples of a class than this are scarce.
const SCARCE: u64 = 100;

/// Everything that a reader must know before believing the figures.
pub(super) fn warnings(
    experiment: &Experiment,
    summary: &ExperimentSummary,
    pairs: &[Pair],
    phases: &[PhaseView<'_>],
) -> Vec<String> {
    let mut warnings = Vec::new();
    for part in summary.parts.iter().filter(|_| !experiment.unmarked) {
        warnings.extend(part.cache.warnings().into_iter().map(|warning| format!("{}: {warning}", part.part)));
        if let Some(why) = &part.cache.withheld {
            warnings.push(format!("{}: no hit ratio: {why}", part.part));
        }
    }
    if let Some(steady) = summary.steady().filter(|part| part.cache.withheld.is_none()) {
        for (n, one, many) in [(steady.cache.hits, "hit", "hits"), (steady.cache.misses, "miss", "misses")] {
            if n < SCARCE {
                let class = if n == 1 { one } else { many };
                warnings
                    .push(format!("steady: only {n} {class}: percentiles are withheld or wide; measure for longer"));
            }
        }
        if let (Some(low), Some(ceiling)) = (steady.cache.low, steady.ceiling)
            && low > ceiling + 0.01
        {
            warnings.push(
                "steady: the hit ratio is above what these keys allow: others use the cache, or it was not empty at first"
                    .to_owned(),
            );
        }
        if let Some(drift) = drift_of_ratio(summary) {
            warnings.push(drift);
        }
    }
    warnings.extend(summary.ttl.as_ref().and_then(TtlSummary::warning));
    if let (Some(dead), Some(steady)) = (summary.ttl.as_ref().and_then(|ttl| ttl.dead_us), experiment.steady.as_deref())
        && let Some(view) = phases.iter().find(|phase| phase.name == steady)
        && dead * MICROSECOND < view.duration
    {
        warnings.push(
            "steady: entries expire within the phase: its misses are those of expiry too, not of the keys alone"
                .to_owned(),
        );
    }
    warnings.extend(summary.truth.iter().filter_map(TruthSummary::warning));
    warnings.extend(summary.users.iter().filter_map(UsersSummary::warning));
    warnings.extend(summary.invalidation.iter().flat_map(InvalidationSummary::warnings));
    warnings.extend(summary.outage.iter().filter_map(OutageSummary::warning));
    warnings.extend(
        summary.unmarked.iter().filter_map(|it| it.withheld.as_ref()).map(|why| format!("no hit ratio: {why}")),
    );
    warnings.extend(drift_of_pairs(pairs));
    if let (Some(hit), Some(miss)) = (summary.hit_us.p50, summary.miss_us.p50)
        && hit >= miss
    {
        warnings.push("a hit is no quicker than a miss: does the class say what it seems to?".to_owned());
    }
    for phase in phases.iter().filter(|phase| experiment.phases().any(|name| name == phase.name)) {
        for (text, n) in &phase.figures.custom.counts {
            if let Some(what) = text.strip_prefix(&format!("{}: ", experiment.name)) {
                warnings.push(format!("{n} × {what}"));
            }
        }
    }
    warnings
}

/// The hit ratio of the steady phase still moves.
fn drift_of_ratio(summary: &ExperimentSummary) -> Option<String> {
    let points: Vec<(f64, f64)> = summary
        .course
        .iter()
        .filter(|point| point.part == "steady")
        .map(|point| (point.start_s as f64, point.hit_ratio))
        .collect();
    let (first, last) = (points.first()?.0, points.last()?.0);
    let slope = theil_sen(&points, CONFIDENCE).filter(|_| points.len() >= 8)?;
    let moved = slope.value * (last - first);
    // Less than two points matter to nobody.
    (slope.low * slope.high > 0.0 && moved.abs() > 0.02).then(|| {
        format!("steady: the hit ratio still moves, by {:+.1} points over the phase: warm up for longer", moved * 100.0)
    })
}

/// Blocks that get slower or quicker: the pairs bear it, but the environment was not steady.
fn drift_of_pairs(pairs: &[Pair]) -> Option<String> {
    let points: Vec<(f64, f64)> = pairs
        .iter()
        .enumerate()
        .filter_map(|(at, pair)| Some((at as f64, pair.base.quantile(500_000)? as f64)))
        .collect();
    let slope = theil_sen(&points, CONFIDENCE).filter(|_| points.len() >= 8)?;
    let middle = points.iter().map(|point| point.1).sum::<f64>() / points.len() as f64;
    let moved = slope.value * (points.len() - 1) as f64 / middle;
    (slope.low * slope.high > 0.0 && moved.abs() > 0.1).then(|| {
        format!(
            "pairs: misses drift by {:+.0}% from the first block to the last; the ratio allows for that, the times do not",
            moved * 100.0
        )
    })
}
