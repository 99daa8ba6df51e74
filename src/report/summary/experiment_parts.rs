//! What an experiment found of expiry, of many misses at once, and of the cache's size.

use serde::Serialize;

use crate::{
    judge::{CacheCounts, Experiment, PhaseView, Unit, counts_as_hit},
    measure::{Distribution, Kind, SeriesKey},
    stats::{CONFIDENCE, Popularity},
};

/// Sizes that a fit tries, from one entry to as many as there are keys.
const FIT_STEPS: u32 = 60;
/// A ratio so near to the ceiling says nothing of the size.
const NEAR: f64 = 0.01;

/// At which age entries expire.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TtlSummary {
    /// The lifetime that the script expects.
    pub expected_us: u64,
    /// Requests of an entry of some age that hit.
    pub hits: u64,
    /// Those that did not.
    pub misses: u64,
    /// The highest age that hit; null if none did.
    pub alive_us: Option<u64>,
    /// The lowest age that missed; null if none did.
    pub dead_us: Option<u64>,
    /// Every hit was younger than every miss: entries live equally long, and the lifetime lies between the two.
    pub sharp: bool,
    /// A use prolongs the life of an entry; null where that cannot be told.
    pub sliding: Option<bool>,
    /// The longest lifetime that a response told when it was stored (`max-age` and the like); null if none did.
    pub told_us: Option<u64>,
}

/// Many requests of one absent key at once.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StampedeSummary {
    /// How many at once.
    pub at_once: u64,
    /// How often.
    pub rounds: u64,
    /// Requests that went to the origin, of a round.
    pub misses_per_round: f64,
    /// As many without coalescing: all of them.
    pub uncoalesced: f64,
    /// From 0 (each goes to the origin) to 1 (one does).
    pub coalesced: f64,
}

/// The hit ratio by the number of keys.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WorkingSetSummary {
    /// One for each number of keys.
    pub sizes: Vec<SizeSummary>,
    /// Entries of the cache that lets the least recently used go and fits best; null where the law of the keys is not known.
    pub capacity: Option<u64>,
    /// It holds that many at least: no number of keys was too large for it.
    pub at_least: bool,
}

/// The hit ratio at a number of keys.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SizeSummary {
    /// The number.
    pub keys: u64,
    /// Hits among look-ups.
    pub hit_ratio: Option<f64>,
    /// Lower end of its 95 % interval.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// The highest ratio that any cache reaches.
    pub ceiling: Option<f64>,
    /// What a cache of the fitted capacity has.
    pub fitted: Option<f64>,
}

/// The timings that `std/cache` keeps of the ages of entries.
const AGES: [&str; 4] = ["age of hits", "age of misses", "age of used hits", "age of used misses"];

/// What the ages at which entries hit and missed say.
pub(super) fn ttl(experiment: &Experiment, phases: &[PhaseView<'_>]) -> Option<TtlSummary> {
    let part = experiment.ttl.as_ref()?;
    let view = phases.iter().find(|phase| phase.name == part.phase)?;
    let none = Distribution::default();
    let [hits, misses, used_hits, used_misses] = AGES.map(|what| {
        let name = format!("{} {what}", experiment.name);
        view.figures.custom.timings.get(name.as_str()).unwrap_or(&none)
    });
    if hits.count() + misses.count() == 0 {
        return None;
    }
    let told = view.figures.custom.timings.get(format!("{} told lifetime", experiment.name).as_str());
    let (alive_us, dead_us) = (hits.max_us(), misses.min_us());
    // Used at half its life, an entry that slides lives half as long again.
    let expected = part.expected_ns / 1_000;
    let limit = dead_us.unwrap_or(expected);
    let old = |ages: &Distribution| ages.count() - ages.count_at_most(limit * 1_100);
    let (old_hits, old_misses) = (old(used_hits), old(used_misses));
    Some(TtlSummary {
        expected_us: expected,
        hits: hits.count(),
        misses: misses.count(),
        alive_us,
        dead_us,
        sharp: match (alive_us, dead_us) {
            (Some(alive), Some(dead)) => alive < dead,
            _ => true,
        },
        sliding: (old_hits + old_misses >= 5 && dead_us.is_some()).then_some(old_hits > old_misses),
        told_us: told.and_then(Distribution::max_us),
    })
}

/// How many requests of a stampede reached the origin.
pub(super) fn stampede(experiment: &Experiment, phases: &[PhaseView<'_>]) -> Option<StampedeSummary> {
    let part = experiment.stampede.as_ref()?;
    let view = phases.iter().find(|phase| phase.name == part.phase)?;
    let row = format!("{} stampede", experiment.name);
    let counts = CacheCounts::of(view.figures.series.iter().filter(|(key, _)| is_row(key, &row)));
    let rounds = counts.total() / part.at_once.max(1);
    if rounds == 0 || part.at_once < 2 {
        return None;
    }
    let misses = (counts.misses + counts.revalidated) as f64 / rounds as f64;
    let uncoalesced = part.at_once as f64;
    Some(StampedeSummary {
        at_once: part.at_once,
        rounds,
        misses_per_round: misses,
        uncoalesced,
        coalesced: (1.0 - (misses - 1.0) / (uncoalesced - 1.0)).clamp(0.0, 1.0),
    })
}

fn is_row(key: &SeriesKey, name: &str) -> bool {
    key.kind == Kind::Request && *key.name == *name
}

/// A size as it was observed.
struct Observed {
    law: Popularity,
    ratio: f64,
    ceiling: f64,
    /// Half of its interval.
    half: f64,
}

/// The hit ratio by the number of keys, and the size of the cache that explains it.
pub(super) fn working_set(experiment: &Experiment, phases: &[PhaseView<'_>]) -> Option<WorkingSetSummary> {
    let mut observed = Vec::new();
    let mut sizes = Vec::new();
    for part in &experiment.working_set {
        let Some(view) = phases.iter().find(|phase| phase.name == part.phase) else { continue };
        let counts_of = |view: &PhaseView<'_>| {
            CacheCounts::of(view.figures.series.iter().filter(|(key, _)| is_row(key, &experiment.request)))
        };
        let fill = part.fill.as_ref().and_then(|name| phases.iter().find(|phase| phase.name == name));
        let before = fill.map_or(0, |view| counts_of(view).looked_up());
        let counts = counts_of(view);
        let shares = view.shares(|key| counts_as_hit(key).filter(|_| is_row(key, &experiment.request)));
        let blocks: Vec<(u64, u64)> = shares.iter().map(|share| (share.part, share.whole)).collect();
        let figure = counts.hit_ratio(&blocks, CONFIDENCE).ok();
        let law = experiment.keys.map(|keys| keys.resized(part.keys));
        let ceiling = law.map(|law| law.ceiling(before, counts.looked_up()));
        if let (Some(figure), Some(law), Some(ceiling)) = (figure, law, ceiling)
            && let (Some(ratio), Some(low), Some(high)) = (figure.value, figure.low, figure.high)
        {
            observed.push(Observed { law, ratio, ceiling, half: (high - low) / 2.0 });
        }
        sizes.push(SizeSummary {
            keys: part.keys,
            hit_ratio: figure.and_then(|figure| figure.value),
            low: figure.and_then(|figure| figure.low),
            high: figure.and_then(|figure| figure.high),
            ceiling,
            fitted: None,
        });
    }
    if sizes.is_empty() {
        return None;
    }
    let largest = observed.iter().map(|it| it.law.keys()).max();
    let at_least = observed.iter().all(|it| it.ratio >= it.ceiling - it.half - NEAR);
    let capacity = if at_least { largest } else { fitted_capacity(&observed) };
    if let Some(capacity) = capacity {
        for size in &mut sizes {
            let law = experiment.keys.map(|keys| keys.resized(size.keys));
            size.fitted = law.zip(size.ceiling).map(|(law, ceiling)| law.lru_hit_ratio(capacity).min(ceiling));
        }
    }
    Some(WorkingSetSummary { sizes, capacity, at_least: at_least && capacity.is_some() })
}

/// The capacity whose ratios are the nearest, each by its own interval: over a grid of sizes, then between its neighbours.
fn fitted_capacity(observed: &[Observed]) -> Option<u64> {
    let largest = observed.iter().map(|it| it.law.keys()).max()?;
    let distance = |capacity: u64| -> f64 {
        let of = |it: &Observed| {
            let expected = it.law.lru_hit_ratio(capacity).min(it.ceiling);
            ((it.ratio - expected) / it.half.max(1e-3)).powi(2)
        };
        observed.iter().map(of).sum()
    };
    let at = |step: f64| (largest as f64).powf(step / f64::from(FIT_STEPS)).round().max(1.0) as u64;
    let best = (0..=FIT_STEPS).map(f64::from).min_by(|a, b| distance(at(*a)).total_cmp(&distance(at(*b))))?;
    // Between two neighbours of the grid there is one best place.
    let (mut low, mut high) = ((best - 1.0).max(0.0), (best + 1.0).min(f64::from(FIT_STEPS)));
    for _ in 0..20 {
        let (a, b) = (low + (high - low) / 3.0, high - (high - low) / 3.0);
        if distance(at(a)) <= distance(at(b)) { high = b } else { low = a }
    }
    Some(at(f64::midpoint(low, high)))
}

impl TtlSummary {
    /// For people.
    pub fn text(&self) -> String {
        let us = |value: u64| Unit::Us.text(value as f64);
        let mut text = match (self.alive_us, self.dead_us) {
            (Some(alive), Some(dead)) if self.sharp => {
                format!("ttl: entries hit up to an age of {} and miss from {} on", us(alive), us(dead))
            }
            (Some(alive), Some(dead)) => {
                format!("ttl: entries expire at ages from {} to {}, not all at the same", us(dead), us(alive))
            }
            (Some(alive), None) => format!("ttl: longer than {}, the highest age that was tried", us(alive)),
            (None, Some(dead)) => format!("ttl: shorter than {}, the lowest age that was tried", us(dead)),
            (None, None) => "ttl: nothing was found".to_owned(),
        };
        text.push_str(&format!("; expected {}", us(self.expected_us)));
        if let Some(told) = self.told_us {
            text.push_str(&format!(", and told by the responses {}", us(told)));
        }
        match self.sliding {
            Some(true) => text.push_str("; a use prolongs it"),
            Some(false) => text.push_str("; a use does not prolong it"),
            None => {}
        }
        text
    }

    /// The lifetime that was found is not the one that was expected, and what may be behind that.
    pub fn warning(&self) -> Option<String> {
        // Ages are taken to some milliseconds: a request takes as long.
        let slack = self.expected_us / 20 + 20_000;
        let us = |value: u64| Unit::Us.text(value as f64);
        let expected = us(self.expected_us);
        if let Some(dead) = self.dead_us.filter(|dead| dead + slack < self.expected_us) {
            let why = "was an entry evicted, or is it kept for less than the script says?";
            return Some(format!(
                "ttl: an entry was gone at an age of {}, before the {expected} expected: {why}",
                us(dead)
            ));
        }
        let alive = self.alive_us.filter(|&alive| alive > self.expected_us + slack)?;
        let why = match self.told_us.filter(|&told| told > self.expected_us + slack) {
            Some(told) => format!("its responses tell of {}: is `ttl` of the script what is configured?", us(told)),
            None if self.sliding == Some(true) => "a use prolongs its life".to_owned(),
            None => "is `ttl` of the script what is configured, or is there another cache in between?".to_owned(),
        };
        Some(format!("ttl: an entry still hit at an age of {}, beyond the {expected} expected: {why}", us(alive)))
    }
}

impl StampedeSummary {
    /// For people.
    pub fn text(&self) -> String {
        format!(
            "stampede: of {} requests at once for an absent key, {:.1} reach the origin ({} rounds; all of them without \
             coalescing): {:.0}% coalesced",
            self.at_once,
            self.misses_per_round,
            self.rounds,
            self.coalesced * 100.0
        )
    }
}

impl WorkingSetSummary {
    /// For people.
    pub fn text(&self) -> String {
        match (self.capacity, self.at_least) {
            (Some(capacity), true) => format!("working set: the cache holds {capacity} keys at least"),
            (Some(capacity), false) => {
                format!("working set: as a cache of about {capacity} entries that lets the least recently used go")
            }
            (None, _) => "working set: how keys are drawn is not known, so no size is fitted".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observed(keys: u64, capacity: u64) -> Observed {
        let law = Popularity::Zipf { n: keys, s: 0.99 };
        Observed { law, ratio: law.lru_hit_ratio(capacity), ceiling: 1.0, half: 0.01 }
    }

    #[test]
    fn the_capacity_that_made_the_ratios_is_found() {
        for capacity in [20, 300, 2_000] {
            let sizes: Vec<Observed> = [100, 1_000, 5_000].map(|keys| observed(keys, capacity)).into();
            let found = fitted_capacity(&sizes).expect("a fit");
            assert!((found as f64 / capacity as f64 - 1.0).abs() < 0.03, "{found} for {capacity}");
        }
    }

    #[test]
    fn lifetimes_are_told_in_words() {
        let found = |alive_us, dead_us, sharp, sliding| TtlSummary {
            expected_us: 5_000_000,
            hits: 30,
            misses: 30,
            alive_us,
            dead_us,
            sharp,
            sliding,
            told_us: None,
        };
        for (summary, text, unexpected) in [
            (
                found(Some(4_900_000), Some(5_100_000), true, Some(false)),
                "hit up to an age of 4.9s and miss from 5.1s",
                false,
            ),
            (found(Some(7_400_000), None, true, None), "longer than 7.4s", true),
            (found(None, Some(2_600_000), true, None), "shorter than 2.6s", true),
            (found(Some(6_000_000), Some(4_000_000), false, Some(true)), "at ages from 4s to 6s", true),
        ] {
            assert!(summary.text().contains(text), "{}", summary.text());
            assert_eq!(summary.warning().is_some(), unexpected, "{}", summary.text());
        }
        let kept = TtlSummary { told_us: Some(60_000_000), ..found(Some(7_400_000), None, true, None) };
        assert!(kept.text().ends_with("expected 5s, and told by the responses 1m"), "{}", kept.text());
        assert!(kept.warning().is_some_and(|text| text.contains("its responses tell of 1m")), "{:?}", kept.warning());
    }
}
