//! The same traffic without the cache, and how it comes back.

use serde::Serialize;

use super::Latency;
use crate::{
    judge::{CacheCounts, Experiment, PhaseView, counts_as_hit},
    measure::{Block, Distribution, Kind, SeriesKey},
    report::words::{figure, percent},
    stats::{CONFIDENCE, wilson},
};

/// So many stretches of time in a row must be as before.
const IN_A_ROW: usize = 3;
/// As before: a median at most that many times as long.
const SLOWER_MAX: f64 = 1.5;
/// As before: errors at most that much more, as a share.
const ERRORS_MORE_MAX: f64 = 0.01;

/// What it is without the cache. Durations are response times, in microseconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OutageSummary {
    /// The steady phase.
    pub before: OutagePhaseSummary,
    /// Without the cache.
    pub during: OutagePhaseSummary,
    /// From when it was back.
    pub after: OutagePhaseSummary,
    /// The median without the cache over that before; null where one is withheld.
    pub factor_p50: Option<f64>,
    /// The same of the p95.
    pub factor_p95: Option<f64>,
    /// Seconds from when it was back until the median is at most 1.5 times as long as before, with no more errors, for three
    /// stretches in a row; null if never.
    pub recovery_s: Option<u64>,
    /// Seconds until the hit ratio is as before; null if never, or without one.
    pub hit_ratio_recovery_s: Option<u64>,
}

/// A phase of an outage.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OutagePhaseSummary {
    /// Requests.
    pub offered: u64,
    /// Those that failed, as a share.
    pub errors: f64,
    /// Of those that did not.
    pub response_us: Latency,
    /// Hits among look-ups.
    pub hit_ratio: Option<f64>,
}

pub(super) fn outage(experiment: &Experiment, phases: &[PhaseView<'_>]) -> Option<OutageSummary> {
    let part = experiment.outage.as_ref()?;
    let view = |name: &str| phases.iter().find(|phase| phase.name == name);
    let steady = view(experiment.steady.as_deref()?)?;
    let (during, after) = (view(&part.during)?, view(&part.recovery)?);
    let is_row = |key: &SeriesKey| key.kind == Kind::Request && *key.name == *experiment.request;
    let [before, without, again] = [steady, during, after].map(|view| phase(view, &is_row));
    let factor = |of: fn(&Latency) -> Option<u64>| {
        let (slow, quick) = (of(&without.response_us)?, of(&before.response_us)?);
        Some(slow as f64 / quick.max(1) as f64)
    };
    let stretches = after.totals.map_or_else(Vec::new, |totals| totals.stretches(after.index, is_row));
    let shares = after.shares(|key| counts_as_hit(key).filter(|_| is_row(key)));
    let start = stretches.first().map_or(0, |first| first.start_s);
    let blocks: Vec<(u64, &Block)> = stretches.iter().map(|it| (it.start_s - start, &it.block)).collect();
    let looked_up: Vec<(u64, u64, u64)> =
        shares.iter().map(|it| (it.start_s.saturating_sub(start), it.part, it.whole)).collect();
    Some(OutageSummary {
        factor_p50: factor(|latency| latency.p50),
        factor_p95: factor(|latency| latency.p95),
        recovery_s: before.response_us.p50.and_then(|p50| recovered(&blocks, p50, before.errors)),
        hit_ratio_recovery_s: before.hit_ratio.and_then(|ratio| hits_again(&looked_up, ratio)),
        before,
        during: without,
        after: again,
    })
}

fn phase(view: &PhaseView<'_>, is_row: &impl Fn(&SeriesKey) -> bool) -> OutagePhaseSummary {
    let rows = || view.figures.series.iter().filter(|(key, _)| is_row(key));
    let ok = Distribution::sum_of(rows().map(|(_, series)| &series.ok.response));
    let failed: u64 = rows().map(|(_, series)| series.failed()).sum();
    let offered = ok.count() + failed;
    OutagePhaseSummary {
        offered,
        errors: failed as f64 / offered.max(1) as f64,
        response_us: Latency::estimate(&ok, &Distribution::default(), &[]),
        hit_ratio: CacheCounts::of(rows()).hit_ratio(&[], CONFIDENCE).ok().and_then(|figure| figure.value),
    }
}

/// The first stretch from which on so many in a row are as before.
fn recovered(blocks: &[(u64, &Block)], p50_us: u64, errors: f64) -> Option<u64> {
    let is_well = |block: &Block| {
        let offered = block.ok.count() + block.failed;
        let slow = block.ok.quantile(500_000).is_none_or(|now| now as f64 > p50_us as f64 * SLOWER_MAX);
        !slow && block.failed as f64 / offered.max(1) as f64 <= errors + ERRORS_MORE_MAX
    };
    blocks.windows(IN_A_ROW).find(|window| window.iter().all(|(_, block)| is_well(block))).map(|window| window[0].0)
}

/// The first stretch from which on the ratio, over so many in a row, is no longer below that before by more than chance.
fn hits_again(shares: &[(u64, u64, u64)], ratio: f64) -> Option<u64> {
    let is_well = |window: &&[(u64, u64, u64)]| {
        let (hits, all) = window.iter().fold((0, 0), |sum, share| (sum.0 + share.1, sum.1 + share.2));
        wilson(hits as f64, all as f64, CONFIDENCE).high >= ratio
    };
    shares.windows(IN_A_ROW).find(is_well).map(|window| window[0].0)
}

impl OutageSummary {
    /// For people.
    pub fn lines(&self) -> Vec<String> {
        let factor = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{value:.1}×"));
        let until = |seconds: Option<u64>| match seconds {
            Some(0) => "at once".to_owned(),
            Some(seconds) => format!("after {seconds} s"),
            None => "not within the phase".to_owned(),
        };
        let mut recovery = format!("recovery to what was before: latency and errors {}", until(self.recovery_s));
        if self.before.hit_ratio.is_some() {
            recovery.push_str(&format!(", the hit ratio {}", until(self.hit_ratio_recovery_s)));
        }
        vec![
            format!(
                "outage: without the cache p50 {} ({} of {} before), p95 {} ({}), errors {} ({} before)",
                figure(&self.during.response_us, "p50"),
                factor(self.factor_p50),
                figure(&self.before.response_us, "p50"),
                figure(&self.during.response_us, "p95"),
                factor(self.factor_p95),
                percent(self.during.errors),
                percent(self.before.errors),
            ),
            recovery,
        ]
    }

    /// What it makes doubtful.
    pub fn warning(&self) -> Option<String> {
        self.during
            .hit_ratio
            .filter(|ratio| *ratio > 0.0)
            .map(|ratio| format!("outage: {} of look-ups still hit: the cache was not gone", percent(ratio)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recovery_is_three_stretches_as_before() {
        let block = |ms: u64, failed: u64| {
            let mut ok = Distribution::default();
            (0..100).for_each(|_| ok.record(ms * 1_000_000));
            Block { ok, failed, censored: 0 }
        };
        let course = [block(50, 0), block(2, 0), block(2, 30), block(2, 0), block(2, 1), block(3, 0), block(50, 0)];
        let blocks: Vec<(u64, &Block)> = (0..).zip(&course).collect();
        assert_eq!(recovered(&blocks, 2_000, 0.0), Some(3));
        assert_eq!(recovered(&blocks[..5], 2_000, 0.0), None);
        assert_eq!(recovered(&blocks, 100_000, 0.5), Some(0));
    }

    #[test]
    fn a_ratio_is_back_when_it_is_no_longer_below() {
        let shares: Vec<(u64, u64, u64)> =
            [10, 40, 60, 70, 78, 80, 79, 81].into_iter().zip(0..).map(|(hits, at)| (at, hits, 100)).collect();
        assert_eq!(hits_again(&shares, 0.8), Some(3));
        assert_eq!(hits_again(&shares, 0.99), None);
        assert_eq!(hits_again(&shares, 0.1), Some(0));
    }
}
