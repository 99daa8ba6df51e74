//! Cache experiments: what they are made of, and the figures that only they have.

use serde::{Deserialize, Serialize};

use super::{CacheCounts, Figure, PhaseView, Slo, Unit, estimate::Estimate};
use crate::{
    measure::{Distribution, Pairs, PhaseFigures},
    stats::{Contrast, PairedBlock, Popularity, paired_quantiles, samples_to_show, wilson},
};

/// Resampling is seeded alike everywhere: a report of the run file is the run's.
const SEED: u64 = 0x10ad;

/// A cache experiment: which phases play which part.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Experiment {
    /// Its name; pairs are filed under it.
    pub name: String,
    /// The row of its requests.
    pub request: String,
    /// How its keys are drawn, where that is known.
    pub keys: Option<Popularity>,
    /// The phase that begins with an empty cache.
    pub cold: Option<String>,
    /// The phase that fills it.
    pub warm: Option<String>,
    /// The phase that is measured.
    pub steady: Option<String>,
    /// The phase of blocks of pairs.
    pub pairs: Option<String>,
    /// The phase that looks when entries expire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<TtlPart>,
    /// The phase that asks for an absent key many times at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stampede: Option<StampedePart>,
    /// The phase in which one key expires again and again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiries: Option<ExpiriesPart>,
    /// The phase that writes, and reads what it wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invalidate: Option<InvalidatePart>,
    /// The phase in which two users ask for the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub users: Option<String>,
    /// Phases with different numbers of keys.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub working_set: Vec<SizePart>,
    /// The phases without the cache, and after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outage: Option<OutagePart>,
    /// Responses do not tell of the cache: the ratio is estimated from times.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unmarked: bool,
}

/// A key that is asked for past its expiries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpiriesPart {
    /// The phase.
    pub phase: String,
    /// The lifetime that is expected, in nanoseconds.
    pub ttl_ns: u64,
    /// Requests are filed by when they were sent, in bins of so many nanoseconds.
    pub bin_ns: u64,
}

/// Writes, and reads of what was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvalidatePart {
    /// The phase.
    pub phase: String,
    /// How long a version is waited for, in nanoseconds.
    pub within_ns: u64,
}

/// The cache taken away, and brought back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutagePart {
    /// The phase without the cache.
    pub during: String,
    /// The phase from when it is back.
    pub recovery: String,
}

/// When entries expire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TtlPart {
    /// The phase.
    pub phase: String,
    /// The lifetime that is expected, in nanoseconds.
    pub expected_ns: u64,
}

/// Many requests of an absent key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StampedePart {
    /// The phase.
    pub phase: String,
    /// How many at once.
    pub at_once: u64,
}

/// A number of keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SizePart {
    /// The number.
    pub keys: u64,
    /// The phase that is measured.
    pub phase: String,
    /// The phase before it, which fills the cache.
    pub fill: Option<String>,
}

impl Experiment {
    /// The parts over ordinary traffic, in their order: the part's word and its phase.
    pub fn traffic(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let parts = [("cold", &self.cold), ("warm", &self.warm), ("steady", &self.steady)];
        parts.into_iter().filter_map(|(part, phase)| Some((part, phase.as_deref()?)))
    }

    /// Forgets phases that are not run, and with them the parts that they play.
    pub fn drop_phases(&mut self, is_gone: impl Fn(&str) -> bool) {
        for part in [&mut self.cold, &mut self.warm, &mut self.steady, &mut self.pairs] {
            part.take_if(|phase| is_gone(phase));
        }
        self.ttl.take_if(|part| is_gone(&part.phase));
        self.stampede.take_if(|part| is_gone(&part.phase));
        self.working_set.retain(|part| !is_gone(&part.phase) && !part.fill.as_deref().is_some_and(&is_gone));
    }

    /// Every phase it names.
    pub fn phases(&self) -> impl Iterator<Item = &str> {
        let ttl = self.ttl.as_ref().map(|part| part.phase.as_str());
        let stampede = self.stampede.as_ref().map(|part| part.phase.as_str());
        let sizes = self.working_set.iter().flat_map(|part| [Some(part.phase.as_str()), part.fill.as_deref()]);
        let traffic = self.traffic().map(|(_, phase)| phase);
        let expiries = self.expiries.as_ref().map(|part| part.phase.as_str());
        let invalidate = self.invalidate.as_ref().map(|part| part.phase.as_str());
        let outage = self.outage.iter().flat_map(|part| [part.during.as_str(), part.recovery.as_str()]);
        let single = [self.pairs.as_deref(), ttl, stampede, expiries, invalidate, self.users.as_deref()];
        traffic.chain(single.into_iter().flatten()).chain(sizes.flatten()).chain(outage)
    }
}

/// A quantile of misses against that of hits, over blocks of pairs; nothing where there are too few.
pub fn speedup(pairs: &Pairs, name: &str, ppm: u32, confidence: f64) -> Option<Contrast> {
    let histogram = |all: &Distribution| all.buckets().collect::<Vec<_>>();
    let blocks: Vec<PairedBlock> = pairs
        .blocks(name)
        .map(|pair| PairedBlock { base: histogram(&pair.base), other: histogram(&pair.other) })
        .collect();
    let count: u64 = pairs.blocks(name).map(|pair| pair.other.count()).sum();
    (count >= samples_to_show(ppm)).then(|| paired_quantiles(&blocks, ppm, confidence, SEED)).flatten()
}

/// All pairs of a name in these phases.
fn pairs_of(phases: &[PhaseView<'_>]) -> Pairs {
    let mut all = Pairs::default();
    phases.iter().for_each(|phase| all.merge(&phase.figures.pairs));
    all
}

/// The speed-up of an experiment as a figure of an SLO.
///
/// # Errors
/// There are no pairs, or too few to say anything.
pub(super) fn estimate(
    experiment: Option<&str>,
    phases: &[PhaseView<'_>],
    ppm: u32,
    confidence: f64,
) -> Result<Estimate, String> {
    let Some(name) = experiment else {
        return Err("a speed-up is of an experiment: add `experiment: \"…\"`".to_owned());
    };
    let pairs = pairs_of(phases);
    if !pairs.has(name) {
        return Err(format!("the experiment `{name}` has no pairs of a miss and a hit"));
    }
    let n = pairs.blocks(name).map(|pair| pair.other.count()).sum();
    let Some(contrast) = speedup(&pairs, name, ppm, confidence) else {
        let figure = Figure { value: None, low: None, high: None, at_least: false, unit: Unit::Times };
        return Ok(Estimate { figure, n, needed: Some(samples_to_show(ppm).max(2 * n)) });
    };
    let ratio = contrast.ratio;
    let figure = Figure {
        value: Some(ratio.value),
        low: Some(ratio.low),
        high: Some(ratio.high),
        at_least: false,
        unit: Unit::Times,
    };
    Ok(Estimate { figure, n, needed: Some(2 * n) })
}

/// How far apart two halves of a window may lie for the ratio to count as settled, however little is known.
const MOVED_MAX: f64 = 0.05;

/// Whether the hit ratio has stopped moving: of two stretches of equal length, one after the other, the ratios differ by
/// no more than chance allows, and by less than five points.
pub fn has_settled(before: &PhaseFigures, after: &PhaseFigures) -> bool {
    let ratio = |figures: &PhaseFigures| {
        let counts = CacheCounts::of(&figures.series);
        (counts.hits as f64, counts.looked_up() as f64)
    };
    let ((k1, n1), (k2, n2)) = (ratio(before), ratio(after));
    if n1 < 1.0 || n2 < 1.0 {
        return false;
    }
    let half = |k: f64, n: f64| {
        let interval = wilson(k, n, crate::stats::CONFIDENCE);
        (interval.high - interval.low) / 2.0
    };
    let (moved, chance) = ((k2 / n2 - k1 / n1).abs(), half(k1, n1).hypot(half(k2, n2)));
    moved <= chance && moved + chance <= 2.0 * MOVED_MAX && moved <= MOVED_MAX
}

/// An SLO on an experiment is about the requests of its steady phase, unless it says otherwise.
pub fn aim(slos: &mut [Slo], experiments: &[Experiment]) {
    for selector in slos.iter_mut().map(|slo| &mut slo.selector) {
        let Some(experiment) = experiments.iter().find(|it| Some(&it.name) == selector.experiment.as_ref()) else {
            continue;
        };
        if selector.phase.is_none() {
            selector.phase.clone_from(&experiment.steady);
        }
        if selector.request.is_none() && selector.flow.is_none() && selector.group.is_none() {
            selector.request = Some(experiment.request.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::{SampleResult, synthetic::Synthetic};

    fn figures(hits: u64, misses: u64) -> PhaseFigures {
        let mut run = Synthetic::new();
        (0..hits).for_each(|_| run.request(0, 0, "item", "hit", SampleResult::Ok, 1_000_000));
        (0..misses).for_each(|_| run.request(0, 0, "item", "miss", SampleResult::Ok, 9_000_000));
        run.tick();
        run.totals.figures(0).clone()
    }

    #[test]
    fn a_ratio_settles_when_it_has_stopped_moving_and_enough_is_known() {
        for (before, after, expected) in [
            ((700, 300), (705, 295), true),
            ((500, 500), (700, 300), false),
            ((7, 3), (7, 3), false),
            ((0, 0), (700, 300), false),
            ((1_000, 0), (1_000, 0), true),
            ((6_400, 3_600), (7_000, 3_000), false),
        ] {
            let settled = has_settled(&figures(before.0, before.1), &figures(after.0, after.1));
            assert_eq!(settled, expected, "{before:?} {after:?}");
        }
    }

    #[test]
    fn a_speed_up_needs_pairs_and_eight_blocks() {
        let mut pairs = Pairs::default();
        for block in 0..20 {
            for k in 0..10 {
                pairs.record("items", block, (8_000 + 100 * k) * 1_000, (2_000 + 25 * k + block) * 1_000);
            }
            let enough = speedup(&pairs, "items", 500_000, 0.95);
            assert_eq!(enough.is_some(), block >= 7, "{block}");
        }
        let contrast = speedup(&pairs, "items", 500_000, 0.95).expect("enough");
        assert!(contrast.ratio.low <= 4.0 && contrast.ratio.high >= 3.95, "{contrast:?}");
        assert!(speedup(&pairs, "items", 999_000, 0.95).is_none(), "200 pairs carry no p99.9");
    }
}
