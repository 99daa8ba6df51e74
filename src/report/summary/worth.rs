//! What the cache is worth: against having none, and by the point of its hit ratio.

use serde::Serialize;

use super::Latency;
use crate::{
    clock::{MICROSECOND, SECOND},
    judge::{Experiment, PhaseView, Unit},
    measure::{Distribution, Pair, Pairs},
    report::words::{figure, percent},
    stats::{CONFIDENCE, Estimate, resampled},
};

/// Resampling is seeded alike everywhere: a report of the run file is the run's.
const SEED: u64 = 0xba5e;

/// The same keys without a cache, in the blocks of pairs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BaselineSummary {
    /// How long they take.
    pub us: Latency,
    /// The hit ratio from which the mean with the cache is below that without; 0 where a miss is not slower, null where not
    /// even hits are quicker.
    pub break_even: Option<f64>,
    /// Lower end of its 95 % interval.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
}

/// What another point of the hit ratio brings.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct WorthSummary {
    /// What it takes off the mean.
    pub saved_us_per_point: f64,
    /// Look-ups a second of the steady phase.
    pub rate: f64,
    /// Those of them that go to the origin, a second.
    pub origin_per_s: f64,
    /// By how many a second a point makes them fewer.
    pub origin_per_s_per_point: f64,
}

/// Sums and counts of the three ways, of a block.
#[derive(Debug, Clone, Copy, Default)]
struct Means {
    miss: (f64, f64),
    hit: (f64, f64),
    past: (f64, f64),
}

pub(super) fn baseline(experiment: &Experiment, pairs: &Pairs) -> Option<BaselineSummary> {
    let name = format!("{} baseline", experiment.name);
    let past = Distribution::sum_of(pairs.blocks(&name).map(|pair| &pair.base));
    if past.is_empty() {
        return None;
    }
    let blocks_of = |wanted: &str| -> Vec<(u64, &Pair)> {
        pairs.all().filter(|(name, ..)| ***name == *wanted).map(|(_, number, pair)| (number, pair)).collect()
    };
    let others = blocks_of(&name);
    let sums = |all: &Distribution| (all.sum() as f64, all.count() as f64);
    let blocks: Vec<Means> = blocks_of(&experiment.name)
        .into_iter()
        .filter_map(|(number, pair)| {
            let (_, past) = others.iter().find(|(other, _)| *other == number)?;
            Some(Means { miss: sums(&pair.base), hit: sums(&pair.other), past: sums(&past.base) })
        })
        .collect();
    let found = resampled(blocks.len(), CONFIDENCE, SEED, |chosen| break_even(chosen.iter().map(|&at| &blocks[at])));
    Some(BaselineSummary {
        us: Latency::estimate(&past, &Distribution::default(), &[]),
        break_even: break_even(blocks.iter()),
        low: found.map(|it: Estimate| it.low),
        high: found.map(|it| it.high),
    })
}

/// h of h·H + (1 − h)·M = L: from 0; none where no ratio does.
fn break_even<'a>(blocks: impl Iterator<Item = &'a Means>) -> Option<f64> {
    let add = |a: (f64, f64), b: (f64, f64)| (a.0 + b.0, a.1 + b.1);
    let sum = blocks.fold(Means::default(), |sum, block| Means {
        miss: add(sum.miss, block.miss),
        hit: add(sum.hit, block.hit),
        past: add(sum.past, block.past),
    });
    let mean = |(sum, n): (f64, f64)| (n > 0.0).then(|| sum / n);
    let (miss, hit, past) = (mean(sum.miss)?, mean(sum.hit)?, mean(sum.past)?);
    if miss <= past {
        return Some(0.0);
    }
    (hit < past).then(|| (miss - past) / (miss - hit))
}

/// From the times of hits and misses, and the steady phase.
pub(super) fn worth(
    hit: &Distribution,
    miss: &Distribution,
    steady: Option<&PhaseView<'_>>,
    looked_up: u64,
    ratio: Option<f64>,
) -> Option<WorthSummary> {
    let (hit, miss, view, ratio) = (hit.mean()?, miss.mean()?, steady?, ratio?);
    let rate = looked_up as f64 / view.duration as f64 * SECOND as f64;
    (miss > hit && rate.is_finite() && rate > 0.0).then(|| WorthSummary {
        saved_us_per_point: (miss - hit) / MICROSECOND as f64 / 100.0,
        rate,
        origin_per_s: rate * (1.0 - ratio),
        origin_per_s_per_point: rate / 100.0,
    })
}

impl BaselineSummary {
    /// For people.
    pub fn text(&self) -> String {
        let past = format!("without the cache: p50 {}, p95 {}", figure(&self.us, "p50"), figure(&self.us, "p95"));
        let interval = match (self.low, self.high) {
            (Some(low), Some(high)) => format!(" ({}…{})", percent(low), percent(high)),
            _ => String::new(),
        };
        match self.break_even {
            None => format!("{past}; the cache does not pay: hits are not quicker on average"),
            Some(0.0) => format!("{past}; the cache pays from the first hit on: a miss costs no more"),
            Some(ratio) => format!("{past}; the cache pays from a hit ratio of {}{interval} on", percent(ratio)),
        }
    }
}

impl WorthSummary {
    /// For people.
    pub fn text(&self) -> String {
        format!(
            "each point of the hit ratio saves {} of the mean, and {:.1} requests a second at the origin, which has {:.1} of {:.1}",
            Unit::Us.text(self.saved_us_per_point.round()),
            self.origin_per_s_per_point,
            self.origin_per_s,
            self.rate
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(miss: u64, hit: u64, past: u64) -> Pairs {
        let mut pairs = Pairs::default();
        for block in 0..20 {
            // Drift moves all of a block alike.
            let of = |us: u64| us * 1_000 * (100 + block) / 100;
            for _ in 0..20 {
                pairs.record("items", block, of(miss), of(hit));
                pairs.record("items baseline", block, of(past), of(hit));
            }
        }
        pairs
    }

    #[test]
    fn a_cache_pays_from_its_break_even_ratio_on() {
        let experiment = Experiment { name: "items".into(), ..Experiment::default() };
        for (miss, hit, past, expected) in
            [(12_000, 2_000, 10_000, Some(0.2)), (10_000, 2_000, 10_000, Some(0.0)), (12_000, 11_000, 10_000, None)]
        {
            let found = baseline(&experiment, &pairs(miss, hit, past)).expect("a baseline");
            assert_eq!(found.break_even.map(|it| (it * 1e6).round() / 1e6), expected, "{found:?}");
            if let (Some(ratio), Some(low), Some(high)) = (expected, found.low, found.high) {
                assert!(low <= ratio + 1e-9 && ratio <= high + 1e-9, "{found:?}");
            }
            assert!(found.text().contains("without the cache"), "{}", found.text());
        }
        assert!(baseline(&experiment, &Pairs::default()).is_none());
    }
}
