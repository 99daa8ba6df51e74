//! A distribution as a report shows it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::timeline::curve;
use crate::{
    clock::MICROSECOND,
    judge::percentile_widening,
    measure::{Block, Distribution, Quantile},
    stats::{CONFIDENCE, quantile_ranks, samples_to_show},
};

/// Percentiles of every report, in parts per million, with their names in it.
pub(super) const PERCENTILES: [(u32, &str); 6] =
    [(500_000, "p50"), (750_000, "p75"), (900_000, "p90"), (950_000, "p95"), (990_000, "p99"), (999_000, "p99_9")];

/// Durations in microseconds. A percentile that the sample cannot carry is null, and `withheld` says how many
/// samples it needs.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Latency {
    /// Durations known.
    pub count: u64,
    /// Durations of which only a lower bound is known; they rank above every known one.
    pub censored: u64,
    /// The shortest known.
    pub min: Option<u64>,
    /// Mean of those known.
    pub mean: Option<f64>,
    /// Median.
    pub p50: Option<u64>,
    /// 75th percentile.
    pub p75: Option<u64>,
    /// 90th percentile.
    pub p90: Option<u64>,
    /// 95th percentile.
    pub p95: Option<u64>,
    /// 99th percentile.
    pub p99: Option<u64>,
    /// 99.9th percentile.
    pub p99_9: Option<u64>,
    /// The longest.
    pub max: Option<u64>,
    /// Figures that are lower bounds.
    pub at_least: Vec<&'static str>,
    /// Percentiles that are withheld, and how many samples each needs.
    pub withheld: BTreeMap<&'static str, u64>,
    /// 95 % intervals; an end that the sample cannot bound is null.
    pub intervals: BTreeMap<&'static str, (Option<u64>, Option<u64>)>,
    /// Those known over the percentiles: shares and durations, as far as the sample can carry them.
    #[serde(skip)]
    pub curve: Vec<(f64, u64)>,
}

impl Latency {
    /// What a sample says of a distribution: percentiles over `known` and `censored`, with intervals that allow
    /// for how much `blocks` of time differ, and withheld where there are too few.
    pub(super) fn estimate(known: &Distribution, censored: &Distribution, blocks: &[Block]) -> Self {
        let n = known.count() + censored.count();
        let mut latency = Self { curve: curve(known), ..Self::plain(known, censored) };
        for (ppm, name) in PERCENTILES {
            let needed = samples_to_show(ppm);
            if n > 0 && n < needed {
                latency.withheld.insert(name, needed);
                continue;
            }
            if n == 0 {
                continue;
            }
            latency.set(name, Quantile::offered(known, censored, ppm));
            let ranks = quantile_ranks(n, ppm, CONFIDENCE, percentile_widening(blocks, ppm, CONFIDENCE));
            let high = ranks.high.and_then(|rank| match Quantile::at_rank(known, censored, rank) {
                Quantile::Value(us) => Some(us),
                Quantile::AtLeast(_) | Quantile::None => None,
            });
            let low = ranks.low.and_then(|rank| Quantile::at_rank(known, censored, rank).lower_us());
            latency.intervals.insert(name, (low, high));
        }
        latency
    }

    /// What happened, and no more: nothing is withheld, because nothing is concluded.
    pub(super) fn record(known: &Distribution) -> Self {
        let none = Distribution::default();
        let mut latency = Self::plain(known, &none);
        for (ppm, name) in PERCENTILES {
            latency.set(name, Quantile::offered(known, &none, ppm));
        }
        latency
    }

    fn plain(known: &Distribution, censored: &Distribution) -> Self {
        let us = |nanos: f64| (nanos / MICROSECOND as f64 * 10.0).round() / 10.0;
        let mut latency = Self {
            count: known.count(),
            censored: censored.count(),
            min: known.min_us(),
            mean: known.mean().map(us),
            max: known.max_us().max(censored.max_us()),
            ..Self::default()
        };
        if !censored.is_empty() {
            latency.at_least.push("max");
        }
        latency
    }

    fn set(&mut self, name: &'static str, quantile: Quantile) {
        if matches!(quantile, Quantile::AtLeast(_)) {
            self.at_least.push(name);
        }
        if let Some(field) = self.field(name) {
            *field = quantile.lower_us();
        }
    }

    fn field(&mut self, name: &str) -> Option<&mut Option<u64>> {
        Some(match name {
            "p50" => &mut self.p50,
            "p75" => &mut self.p75,
            "p90" => &mut self.p90,
            "p95" => &mut self.p95,
            "p99" => &mut self.p99,
            "p99_9" => &mut self.p99_9,
            _ => return None,
        })
    }

    /// The figure of that name: a percentile such as `p95`, `min` or `max`, in microseconds.
    pub fn get(&self, name: &str) -> Option<u64> {
        match name {
            "min" => self.min,
            "max" => self.max,
            "p50" => self.p50,
            "p75" => self.p75,
            "p90" => self.p90,
            "p95" => self.p95,
            "p99" => self.p99,
            "p99_9" => self.p99_9,
            _ => None,
        }
    }

    /// Whether the figure of that name is a lower bound.
    pub fn is_at_least(&self, name: &str) -> bool {
        self.at_least.contains(&name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::percent_word;

    #[test]
    fn names_are_those_of_the_percentiles() {
        for (ppm, name) in PERCENTILES {
            assert_eq!(percent_word(ppm).replace('.', "_"), name);
            assert!(Latency::default().field(name).is_some());
        }
    }

    #[test]
    fn too_few_are_withheld_with_their_need() {
        let mut known = Distribution::default();
        (1..=60).for_each(|ms| known.record(ms * 1_000_000));
        let latency = Latency::estimate(&known, &Distribution::default(), &[]);
        assert_eq!((latency.p50, latency.p90, latency.p95), (Some(30_015), Some(54_015), None));
        assert_eq!(latency.withheld, BTreeMap::from([("p95", 100), ("p99", 500), ("p99_9", 5_000)]));
        assert_eq!(latency.intervals["p50"], (Some(22_015), Some(39_007)));
        assert_eq!(Latency::record(&known).p99, Some(60_000));
        assert_eq!(Latency::estimate(&Distribution::default(), &Distribution::default(), &[]), Latency::default());
    }

    #[test]
    fn what_never_answered_is_a_lower_bound() {
        let (mut known, mut censored) = (Distribution::default(), Distribution::default());
        (0..90).for_each(|_| known.record(1_000_000));
        (0..20).for_each(|_| censored.record(30_000_000_000));
        let latency = Latency::estimate(&known, &censored, &[]);
        assert_eq!((latency.p50, latency.p95, latency.max), (Some(1_000), Some(30_000_000), Some(30_000_000)));
        assert!(latency.is_at_least("p95") && latency.is_at_least("max") && !latency.is_at_least("p50"));
    }
}
