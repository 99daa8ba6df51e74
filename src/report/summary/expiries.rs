//! What happens when the entry of a hot key expires.

use serde::Serialize;

use super::Latency;
use crate::{
    clock::{MICROSECOND, SECOND},
    judge::{Experiment, ExpiriesPart, PhaseView, Unit},
    measure::{BLOCKS_MAX, Distribution, Pairs},
    report::words::{figure, percent},
    stats::{CONFIDENCE, mean_interval},
};

/// A key under a steady stream of requests, past its expiries.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExpiriesSummary {
    /// Expiries that were seen from their start to their end; the first filling is none.
    pub expiries: u64,
    /// Requests a second.
    pub rate: f64,
    /// How long a miss takes when nothing else happens.
    pub regeneration_us: u64,
    /// Where that is from: `pairs`, or the `expiries` themselves.
    pub regeneration_from: &'static str,
    /// Requests that went to the origin, of an expiry; null without expiries.
    pub misses_per_expiry: Option<f64>,
    /// Lower end of its 95 % interval; null with fewer than two.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// What it would be without coalescing: the first, and all that come until it is back.
    pub uncoalesced: f64,
    /// From 0 (each goes to the origin) to 1 (one does); null where so few come that both are alike.
    pub coalesced: Option<f64>,
    /// Requests sent from an expiry to twice the time of regeneration after.
    pub after_us: Latency,
    /// All others.
    pub else_us: Latency,
}

/// Requests of a bin of time.
struct Bin<'a> {
    /// Bins since the first.
    at: u64,
    all: &'a Distribution,
    misses: u64,
}

pub(super) fn expiries(
    experiment: &Experiment,
    phases: &[PhaseView<'_>],
    calibrated: Option<f64>,
) -> Option<ExpiriesSummary> {
    let part = experiment.expiries.as_ref()?;
    let view = phases.iter().find(|phase| phase.name == part.phase)?;
    summarise(part, &experiment.name, &view.figures.pairs, calibrated)
}

/// `calibrated` is how long a miss takes, in nanoseconds.
fn summarise(part: &ExpiriesPart, name: &str, pairs: &Pairs, calibrated: Option<f64>) -> Option<ExpiriesSummary> {
    let bins = bins(pairs, name);
    let last = bins.last()?.at;
    let misses = Distribution::sum_of(pairs.blocks(&misses_of(name)).map(|pair| &pair.base));
    let (regeneration, from) = match calibrated {
        Some(nanos) => (nanos, "pairs"),
        // Those that come late in a stampede wait as long as the first.
        None => (misses.quantile(500_000)? as f64 * MICROSECOND as f64, "expiries"),
    };
    let settled = (2.0 * regeneration / part.bin_ns as f64).ceil() as u64;
    let starts = starts(&bins, part.ttl_ns / part.bin_ns / 2);
    // The first is the filling of an empty cache; the last may have been cut off.
    let whole: Vec<u64> = starts.iter().copied().skip(1).filter(|start| start + settled <= last).collect();
    let is_near = |starts: &[u64], at: u64| starts.iter().any(|start| (*start..=start + settled).contains(&at));
    let counts: Vec<f64> = whole
        .iter()
        .map(|start| {
            let end = starts.iter().find(|next| *next > start).copied().unwrap_or(u64::MAX);
            bins.iter().filter(|bin| (*start..end).contains(&bin.at)).map(|bin| bin.misses).sum::<u64>() as f64
        })
        .collect();
    let total: u64 = bins.iter().map(|bin| bin.all.count()).sum();
    let rate = total as f64 / ((last + 1) * part.bin_ns) as f64 * SECOND as f64;
    let mean = (!counts.is_empty()).then(|| counts.iter().sum::<f64>() / counts.len() as f64);
    let half = mean_interval(counts.iter().map(|&count| (count, 1)), &[], CONFIDENCE);
    let more = rate * regeneration / SECOND as f64;
    let none = Distribution::default();
    let times = |these: &dyn Fn(u64) -> bool| {
        let of = bins.iter().filter(|bin| these(bin.at)).map(|bin| bin.all);
        Latency::estimate(&Distribution::sum_of(of), &none, &[])
    };
    Some(ExpiriesSummary {
        expiries: whole.len() as u64,
        rate,
        regeneration_us: regeneration as u64 / MICROSECOND,
        regeneration_from: from,
        misses_per_expiry: mean,
        low: mean.zip(half).map(|(mean, half)| (mean - half).max(0.0)),
        high: mean.zip(half).map(|(mean, half)| mean + half),
        uncoalesced: 1.0 + more,
        coalesced: mean.filter(|_| more >= 1.0).map(|mean| (1.0 - (mean - 1.0) / more).clamp(0.0, 1.0)),
        after_us: times(&|at| is_near(&whole, at)),
        else_us: times(&|at| !is_near(&starts, at)),
    })
}

fn misses_of(name: &str) -> String {
    format!("{name} expiry misses")
}

/// The bins in the order of time. Their numbers go round; the longest time without any is before the first.
fn bins<'a>(pairs: &'a Pairs, name: &str) -> Vec<Bin<'a>> {
    let all = format!("{name} expiry");
    let missed = misses_of(name);
    let of = |wanted: &str| -> Vec<(u64, &'a Distribution)> {
        let these = pairs.all().filter(|(name, ..)| ***name == *wanted);
        these.map(|(_, number, pair)| (number, &pair.base)).collect()
    };
    let (numbered, missed) = (of(&all), of(&missed));
    let gap = |at: usize| {
        let before = numbered[(at + numbered.len() - 1) % numbered.len()].0;
        (numbered[at].0 + BLOCKS_MAX - before - 1) % BLOCKS_MAX + 1
    };
    let Some(first) = (0..numbered.len()).max_by_key(|&at| gap(at)) else { return Vec::new() };
    let start = numbered[first].0;
    let bin = |step: usize| {
        let (number, all) = numbered[(first + step) % numbered.len()];
        let misses = missed.iter().find(|(at, _)| *at == number).map_or(0, |(_, all)| all.count());
        Bin { at: (number + BLOCKS_MAX - start) % BLOCKS_MAX, all, misses }
    };
    (0..numbered.len()).map(bin).collect()
}

/// Where misses begin after `quiet` bins without any.
fn starts(bins: &[Bin<'_>], quiet: u64) -> Vec<u64> {
    let mut starts = Vec::new();
    let mut before: Option<u64> = None;
    for bin in bins.iter().filter(|bin| bin.misses > 0) {
        if before.is_none_or(|before| bin.at - before > quiet) {
            starts.push(bin.at);
        }
        before = Some(bin.at);
    }
    starts
}

impl ExpiriesSummary {
    /// For people.
    pub fn text(&self) -> String {
        let rate = Unit::PerSecond.text(self.rate.round());
        let Some(misses) = self.misses_per_expiry else {
            return format!("expiries: none was seen whole at {rate} of one key: the entry lives longer than expected");
        };
        let interval = match (self.low, self.high) {
            (Some(low), Some(high)) => format!(" ({low:.1}…{high:.1})"),
            _ => String::new(),
        };
        let coalesced = match self.coalesced {
            Some(share) => format!("{} coalesced", percent(share)),
            None => "so few come meanwhile that coalescing cannot be told".to_owned(),
        };
        format!(
            "expiries: at {rate} of one key, {misses:.1}{interval} requests reach the origin at each of {} expiries; \
             {:.1} without coalescing, for a miss takes {}: {coalesced}; p99 {} after an expiry, {} else",
            self.expiries,
            self.uncoalesced,
            Unit::Us.text(self.regeneration_us as f64),
            figure(&self.after_us, "p99"),
            figure(&self.else_us, "p99"),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    /// So many misses at each of `expiries` expiries after the first filling, of a key that lives 1 s, from this moment on.
    fn recorded(from_ms: u64, expiries: u64, misses: u64) -> ExpiriesSummary {
        let part = ExpiriesPart { phase: "p".into(), ttl_ns: 1_000 * MS, bin_ns: 10 * MS };
        let mut pairs = Pairs::default();
        // 200 a second; misses take 250 ms.
        for request in 0..200 * (expiries + 1) + 100 {
            let ms = request * 5;
            let is_miss = ms % 1_000 < 5 * misses;
            let (block, ns) = ((from_ms + ms) / 10, if is_miss { 250 * MS } else { MS });
            pairs.record("items expiry", block, ns, ns);
            if is_miss {
                pairs.record("items expiry misses", block, ns, ns);
            }
        }
        summarise(&part, "items", &pairs, Some(250.0 * MS as f64)).expect("requests")
    }

    #[test]
    fn misses_are_counted_by_expiry() {
        for from_ms in [0, 3_000, 9_990, 10_230, 1_234_567_890] {
            let all = recorded(from_ms, 7, 50);
            assert_eq!((all.expiries, all.misses_per_expiry), (7, Some(50.0)), "{from_ms}");
            assert!((all.uncoalesced - 51.0).abs() < 0.5, "{}", all.uncoalesced);
            assert!(all.coalesced.is_some_and(|share| share < 0.05), "{all:?}");
            assert!(all.after_us.p50 < all.after_us.max && all.else_us.max < Some(2_000), "{all:?}");
            let one = recorded(from_ms, 7, 1);
            assert_eq!((one.misses_per_expiry, one.coalesced), (Some(1.0), Some(1.0)));
            assert!(one.text().contains("100% coalesced"), "{}", one.text());
        }
    }

    #[test]
    fn a_key_that_does_not_expire_says_so() {
        let never = recorded(0, 0, 1);
        assert_eq!((never.expiries, never.misses_per_expiry), (0, None));
        assert!(never.text().contains("lives longer"), "{}", never.text());
    }
}
