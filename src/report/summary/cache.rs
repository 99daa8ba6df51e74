//! What the classes of a row say of a cache.

use serde::Serialize;

use crate::{
    judge::{CacheCounts, Figure, Unit, counts_as_hit},
    measure::{Kind, SeriesFigures, SeriesKey, Totals},
    stats::CONFIDENCE,
};

/// Responses of a request by what their classes say of a cache; failed ones count in `failed_hits` alone.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CacheSummary {
    /// Hits among look-ups (hits, misses, revalidated, collapsed); null where it is withheld.
    pub hit_ratio: Option<f64>,
    /// Lower end of its 95 % interval.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// Served from the cache.
    pub hits: u64,
    /// Fetched from the origin.
    pub misses: u64,
    /// Served from the cache after the origin was asked.
    pub revalidated: u64,
    /// Misses that waited for another's fetch.
    pub collapsed: u64,
    /// Served beyond their lifetime; in no ratio.
    pub stale: u64,
    /// Not looked up; in no ratio.
    pub bypass: u64,
    /// Without a sign of the cache.
    pub unknown: u64,
    /// Of class `hit`, but not as expected: errors that the cache serves.
    pub failed_hits: u64,
    /// So many are unknown that the ratio is doubtful.
    pub doubtful: bool,
    /// Why there is no ratio.
    pub withheld: Option<String>,
}

impl CacheSummary {
    /// Of the rows of one name; none where their classes say nothing of a cache.
    pub(super) fn of(
        totals: &Totals,
        phase: u16,
        kind: Kind,
        name: &str,
        rows: &[(&SeriesKey, &SeriesFigures)],
    ) -> Option<Self> {
        let counts = CacheCounts::of(rows.iter().copied());
        if counts.total() + counts.failed_hits == 0 {
            return None;
        }
        let is_row = |key: &SeriesKey| key.kind == kind && &*key.name == name;
        let shares = totals.shares(phase, |key| counts_as_hit(key).filter(|_| is_row(key)));
        let blocks: Vec<(u64, u64)> = shares.iter().map(|share| (share.part, share.whole)).collect();
        Some(Self::new(&counts, counts.hit_ratio(&blocks, CONFIDENCE)))
    }

    pub(super) fn new(counts: &CacheCounts, ratio: Result<Figure, String>) -> Self {
        let (figure, withheld) = match ratio {
            Ok(figure) => (Some(figure), None),
            Err(why) => (None, Some(why)),
        };
        Self {
            hit_ratio: figure.and_then(|figure| figure.value),
            low: figure.and_then(|figure| figure.low),
            high: figure.and_then(|figure| figure.high),
            hits: counts.hits,
            misses: counts.misses,
            revalidated: counts.revalidated,
            collapsed: counts.collapsed,
            stale: counts.stale,
            bypass: counts.bypass,
            unknown: counts.unknown,
            failed_hits: counts.failed_hits,
            doubtful: counts.is_doubtful(),
            withheld,
        }
    }

    /// Look-ups that the ratio is a share of.
    pub const fn looked_up(&self) -> u64 {
        self.hits + self.misses + self.revalidated + self.collapsed
    }

    /// The ratio for people, with its interval, and what is not in it.
    pub fn text(&self) -> String {
        let percent = |share: f64| Unit::Share.text((share * 1e3).round() / 1e3);
        let mut parts = vec![match (self.hit_ratio, &self.withheld) {
            (Some(ratio), _) => {
                let interval = match (self.low, self.high) {
                    (Some(low), Some(high)) => format!(" ({}…{})", percent(low), percent(high)),
                    _ => String::new(),
                };
                format!("hit ratio {}{interval} of {} look-ups", percent(ratio), self.looked_up())
            }
            (None, Some(why)) => format!("hit ratio withheld: {why}"),
            (None, None) => "hit ratio withheld".to_owned(),
        }];
        let total = self.looked_up() + self.stale + self.bypass + self.unknown;
        for (word, count) in [
            ("revalidated", self.revalidated),
            ("collapsed", self.collapsed),
            ("stale", self.stale),
            ("bypass", self.bypass),
            ("unknown", self.unknown),
        ] {
            if count > 0 {
                parts.push(format!("{word} {}", percent(count as f64 / total.max(1) as f64)));
            }
        }
        parts.join(" · ")
    }

    /// What makes its figures doubtful.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.doubtful && self.withheld.is_none() {
            warnings.push(format!(
                "{} responses show no sign of the cache: the hit ratio leaves them out, and may be wrong by as many",
                self.unknown
            ));
        }
        if self.failed_hits > 0 {
            warnings.push(format!(
                "{} failed responses came from the cache: it keeps errors, and serves them quickly",
                self.failed_hits
            ));
        }
        warnings
    }
}
