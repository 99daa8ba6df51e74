//! The hit ratio where responses do not tell: from how long they take, as a whole.

use serde::Serialize;

use crate::{
    judge::{Experiment, PhaseView, Unit},
    measure::{Distribution, Kind},
    report::words::percent,
    stats::{CONFIDENCE, misfit, samples_to_show, separation, unmix},
};

/// Hits and misses that are nearer to each other than this do not separate.
const APART_MIN: f64 = 0.5;
/// Kinds that are as far apart as this are told apart also where traffic is a little slower than the pairs.
const WIDE: f64 = 0.95;
/// Traffic that is farther than this from any mix of the pairs' hits and misses is no such mix.
const MISFIT_MAX: f64 = 0.15;
/// Resampling is seeded alike everywhere: a report of the run file is the run's.
const SEED: u64 = 0x3141;

/// The share of hits in the steady phase, estimated from the times of hits and misses in pairs. Single requests are not
/// labelled.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct UnmarkedSummary {
    /// How far apart hits and misses are, from 0 to 1: the statistic of Kolmogorov and Smirnov.
    pub separation: f64,
    /// The estimate; null where it is withheld.
    pub hit_ratio: Option<f64>,
    /// Lower end of its 95 % interval.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// Why there is none.
    pub withheld: Option<String>,
}

pub(super) fn unmarked(
    experiment: &Experiment,
    hit: &Distribution,
    miss: &Distribution,
    steady: Option<&PhaseView<'_>>,
) -> Option<UnmarkedSummary> {
    let view = steady.filter(|_| experiment.unmarked)?;
    let rows = view.figures.series.iter();
    let rows = rows.filter(|(key, _)| key.kind == Kind::Request && *key.name == *experiment.request);
    let mixed = Distribution::sum_of(rows.map(|(_, series)| &series.ok.service));
    let [first, second, mixed] = [hit, miss, &mixed].map(|all| all.buckets().collect::<Vec<_>>());
    let apart = separation(&first, &second);
    let few = hit.count().min(miss.count());
    let mut summary = UnmarkedSummary { separation: apart, hit_ratio: None, low: None, high: None, withheld: None };
    if few < samples_to_show(950_000) {
        summary.withheld = Some(format!("too few pairs ({few}) tell what hits and misses are like"));
    } else if apart < APART_MIN {
        summary.withheld = Some(format!(
            "hits and misses take too alike times to be told apart (separation {apart:.2}, {APART_MIN} is needed)"
        ));
    } else if let Some(found) = unmix(&first, &second, &mixed, CONFIDENCE, SEED) {
        let off = misfit(&first, &second, &mixed, found.value);
        if apart < WIDE && off > MISFIT_MAX {
            summary.withheld = Some(format!(
                "traffic takes other times than the hits and misses of the pairs did, however they are mixed (misfit \
                 {off:.2}, at most {MISFIT_MAX} is borne)"
            ));
            return Some(summary);
        }
        (summary.hit_ratio, summary.low, summary.high) = (Some(found.value), Some(found.low), Some(found.high));
    } else {
        summary.withheld = Some("the steady phase has no requests".to_owned());
    }
    Some(summary)
}

impl UnmarkedSummary {
    /// For people.
    pub fn text(&self) -> String {
        match (self.hit_ratio, self.low, self.high, &self.withheld) {
            (Some(ratio), Some(low), Some(high), _) => format!(
                "hit ratio estimated from times: {} ({}…{}); hits and misses are {} apart, and taken to be as in the pairs",
                percent(ratio),
                percent(low),
                percent(high),
                Unit::Any.text((self.separation * 100.0).round() / 100.0)
            ),
            (.., Some(why)) => format!("hit ratio not estimated: {why}"),
            _ => "hit ratio not estimated".to_owned(),
        }
    }
}
