//! Estimates with intervals, from selected samples.

use super::{Figure, Unit, select::Selected};
use crate::{
    clock::{MICROSECOND, Nanos},
    measure::{Block, Distribution, PPM, Quantile},
    stats::{
        clopper_pearson_effective, design_effect, mean_interval, quantile_ranks, samples_to_separate, samples_to_show,
    },
};

/// An estimate, and the number of samples that would settle a comparison with `limit`.
#[derive(Debug)]
pub(super) struct Estimate {
    pub(super) figure: Figure,
    /// Samples it rests on.
    pub(super) n: u64,
    /// Samples that would do, where these do not.
    pub(super) needed: Option<u64>,
}

impl Estimate {
    pub(super) const fn exact(value: f64, unit: Unit) -> Self {
        Self { figure: Figure::exact(value, unit), n: 0, needed: None }
    }
}

/// A percentile over `ok` and `censored` samples against `limit` nanoseconds. `blocks` say how much stretches
/// of time differ; those of the response time serve for the service time too, which varies with it.
pub(super) fn percentile(
    ok: &Distribution,
    censored: &Distribution,
    blocks: &[Block],
    ppm: u32,
    limit: f64,
    confidence: f64,
) -> Estimate {
    let n = ok.count() + censored.count();
    let estimate = Quantile::offered(ok, censored, ppm);
    let widen = percentile_widening(blocks, ppm, confidence);
    let ranks = quantile_ranks(n, ppm, confidence, widen);
    let at = |rank: u64| Quantile::at_rank(ok, censored, rank);
    let shown = n >= samples_to_show(ppm);
    let figure = Figure {
        value: estimate.lower_us().filter(|_| shown).map(|us| us as f64),
        low: ranks.low.and_then(|rank| at(rank).lower_us()).map(|us| us as f64),
        high: ranks.high.and_then(|rank| match at(rank) {
            Quantile::Value(us) => Some(us as f64),
            Quantile::AtLeast(_) | Quantile::None => None,
        }),
        at_least: matches!(estimate, Quantile::AtLeast(_)),
        unit: Unit::Us,
    };
    let below = ok.count_at_most(limit as Nanos) as f64 / n.max(1) as f64;
    let separate = samples_to_separate(below, f64::from(ppm) / f64::from(PPM), confidence, widen);
    let needed = if shown { separate } else { Some(separate.unwrap_or(0).max(samples_to_show(ppm))) };
    Estimate { figure, n, needed }
}

/// How much wider a percentile's interval must be than independent samples would have it.
pub fn percentile_widening(blocks: &[Block], ppm: u32, confidence: f64) -> f64 {
    let mut ok = Distribution::default();
    blocks.iter().for_each(|block| ok.merge(&block.ok));
    let censored: u64 = blocks.iter().map(|block| block.censored).sum();
    let rank = crate::measure::rank(ok.count() + censored, ppm);
    // A censored rank lies above every value: then all values are below it.
    let bound = if rank <= ok.count() { ok.value_at_rank(rank) } else { u64::MAX / MICROSECOND };
    let counts: Vec<_> = blocks
        .iter()
        .map(|block| (block.ok.count_at_most(bound * MICROSECOND), block.ok.count() + block.censored))
        .collect();
    design_effect(&counts, confidence).unwrap_or(1.0)
}

/// A share of `k` in `n` against `limit`, with blocks of (k, n).
pub(super) fn share(k: u64, n: u64, blocks: &[(u64, u64)], limit: f64, confidence: f64) -> Estimate {
    let widen = design_effect(blocks, confidence).unwrap_or(1.0);
    let interval = clopper_pearson_effective(k, n, confidence, widen);
    let observed = k as f64 / n.max(1) as f64;
    let figure = Figure {
        value: (n > 0).then_some(observed),
        low: Some(interval.low),
        high: Some(interval.high),
        at_least: false,
        unit: Unit::Share,
    };
    Estimate { figure, n, needed: samples_to_separate(observed, limit, confidence, widen) }
}

/// The mean response time against `limit` nanoseconds. With samples that never answered it is a lower bound.
pub(super) fn mean(selected: &Selected, limit: f64, confidence: f64) -> Estimate {
    let ok = &selected.series.ok.response;
    let censored = selected.series.censored();
    let n = ok.count() + censored.count();
    let mean = (ok.sum() + censored.sum()) as f64 / n.max(1) as f64;
    let blocks: Vec<_> = selected.blocks.iter().map(|block| (block.ok.sum() as f64, block.ok.count())).collect();
    let half =
        mean_interval(ok.buckets().map(|(us, count)| (us as f64 * MICROSECOND as f64, count)), &blocks, confidence);
    let us = |nanos: f64| nanos / MICROSECOND as f64;
    let bounded = censored.is_empty();
    let figure = Figure {
        value: (n > 0).then_some(us(mean)),
        low: half.map(|half| us((mean - half).max(0.0))),
        high: half.filter(|_| bounded).map(|half| us(mean + half)),
        at_least: !bounded,
        unit: Unit::Us,
    };
    // The half-width shrinks with the root of the sample.
    let needed = half.map(|half| n as f64 * (half / (mean - limit)).powi(2)).filter(|n| n.is_finite() && *n < 1e15);
    Estimate { figure, n, needed: needed.map(|n| n.ceil() as u64) }
}
