//! What the classes of responses say of a cache.

use super::{Figure, estimate};
use crate::measure::{SeriesFigures, SeriesKey};

/// From this share of responses without a known class on, the figures are doubtful.
pub const UNKNOWN_DOUBTFUL: f64 = 0.01;
/// Beyond this share, there is no hit ratio.
pub const UNKNOWN_MAX: f64 = 0.1;

/// What a class means for the hit ratio.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Hit,
    Miss,
    Revalidated,
    Collapsed,
    Stale,
    Bypass,
    Unknown,
    /// A word of the script's own, which says nothing of a cache.
    Other,
}

impl Role {
    fn of(class: &str) -> Self {
        match class {
            "hit" => Self::Hit,
            "miss" | "expired" => Self::Miss,
            "revalidated" => Self::Revalidated,
            "collapsed" => Self::Collapsed,
            "stale" | "updating" => Self::Stale,
            "bypass" | "pass" | "dynamic" | "uncacheable" => Self::Bypass,
            "unknown" => Self::Unknown,
            _ => Self::Other,
        }
    }

    /// Whether a look-up of that outcome is a hit; nothing where it is no look-up that counts.
    fn hit(self) -> Option<bool> {
        match self {
            Self::Hit => Some(true),
            Self::Miss | Self::Revalidated | Self::Collapsed => Some(false),
            Self::Stale | Self::Bypass | Self::Unknown | Self::Other => None,
        }
    }
}

/// Whether a row counts as hits in the hit ratio (true), in its denominator alone (false), or not at all.
pub fn counts_as_hit(key: &SeriesKey) -> Option<bool> {
    Role::of(key.class.as_deref()?).hit()
}

/// Responses that were as expected, by what their class says of a cache. Failed ones are in none of the counts but
/// `failed_hits`: an error page from a cache is quick, and would be taken for a good hit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CacheCounts {
    /// Served from the cache.
    pub hits: u64,
    /// Fetched from the origin; entries that had expired are among them.
    pub misses: u64,
    /// Served from the cache after the origin had been asked whether that is right.
    pub revalidated: u64,
    /// Misses that waited for the fetch of another request.
    pub collapsed: u64,
    /// Served from the cache beyond the entry's lifetime.
    pub stale: u64,
    /// Not looked up.
    pub bypass: u64,
    /// Without a sign of the cache.
    pub unknown: u64,
    /// Of a class that says nothing of a cache.
    pub other: u64,
    /// Of class `hit`, but not as expected.
    pub failed_hits: u64,
}

impl CacheCounts {
    /// Counts these rows; those without a class say nothing.
    pub fn of<'a>(rows: impl IntoIterator<Item = (&'a SeriesKey, &'a SeriesFigures)>) -> Self {
        let mut counts = Self::default();
        for (key, series) in rows {
            let Some(role) = key.class.as_deref().map(Role::of) else { continue };
            *match role {
                Role::Hit => &mut counts.hits,
                Role::Miss => &mut counts.misses,
                Role::Revalidated => &mut counts.revalidated,
                Role::Collapsed => &mut counts.collapsed,
                Role::Stale => &mut counts.stale,
                Role::Bypass => &mut counts.bypass,
                Role::Unknown => &mut counts.unknown,
                Role::Other => &mut counts.other,
            } += series.ok_count();
            if role == Role::Hit {
                counts.failed_hits += series.failed();
            }
        }
        counts
    }

    /// Look-ups that the hit ratio is a share of: hits, misses, revalidated and collapsed ones.
    pub const fn looked_up(&self) -> u64 {
        self.hits + self.misses + self.revalidated + self.collapsed
    }

    /// Responses with any class that says something of a cache, or could have.
    pub const fn total(&self) -> u64 {
        self.looked_up() + self.stale + self.bypass + self.unknown
    }

    /// A count as a share of [`Self::total`].
    pub fn share(&self, count: u64) -> f64 {
        count as f64 / self.total().max(1) as f64
    }

    /// Whether the share of unknown responses makes the ratio doubtful.
    pub fn is_doubtful(&self) -> bool {
        self.share(self.unknown) > UNKNOWN_DOUBTFUL
    }

    /// The hit ratio, with an interval that allows for how much `blocks` of time, (hits, look-ups) each, differ.
    ///
    /// # Errors
    /// Why there is none: nothing was looked up, or too many responses are unknown.
    pub fn hit_ratio(&self, blocks: &[(u64, u64)], confidence: f64) -> Result<Figure, String> {
        self.ratio(blocks, 0.0, confidence).map(|estimate| estimate.figure)
    }

    pub(super) fn ratio(
        &self,
        blocks: &[(u64, u64)],
        limit: f64,
        confidence: f64,
    ) -> Result<estimate::Estimate, String> {
        if self.share(self.unknown) > UNKNOWN_MAX {
            let percent = self.share(self.unknown) * 100.0;
            return Err(format!(
                "{percent:.0}% of the responses show no sign of a cache: classify them by a header that they have"
            ));
        }
        if self.looked_up() == 0 {
            return Err(match self.total() {
                0 => "no response was classified: add `.classify(cache_status())` to the requests".to_owned(),
                _ => "every response was stale or went past the cache".to_owned(),
            });
        }
        Ok(estimate::share(self.hits, self.looked_up(), blocks, limit, confidence))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(hits: u64, misses: u64, unknown: u64) -> CacheCounts {
        CacheCounts { hits, misses, unknown, ..CacheCounts::default() }
    }

    #[test]
    fn unknown_responses_make_a_ratio_doubtful_and_then_impossible() {
        for (unknown, doubtful, known) in
            [(0, false, true), (1, false, true), (2, true, true), (11, true, true), (12, true, false)]
        {
            let counts = counts(80, 20, unknown);
            assert_eq!(counts.is_doubtful(), doubtful, "{unknown}");
            assert_eq!(counts.hit_ratio(&[], 0.95).is_ok(), known, "{unknown}");
        }
        assert!(counts(0, 0, 0).hit_ratio(&[], 0.95).is_err_and(|why| why.contains("cache_status()")));
        let stale = CacheCounts { stale: 5, ..CacheCounts::default() };
        assert!(stale.hit_ratio(&[], 0.95).is_err_and(|why| why.contains("stale")));
    }

    #[test]
    fn the_interval_of_a_ratio_is_no_narrower_than_wilsons_and_wider_where_time_matters() {
        let counts = counts(800, 200, 0);
        let plain = counts.hit_ratio(&[], 0.95).expect("a ratio");
        let wilson = crate::stats::wilson(800.0, 1_000.0, 0.95);
        assert_eq!(plain.value, Some(0.8));
        assert!(plain.low.is_some_and(|low| low <= wilson.low) && plain.high.is_some_and(|high| high >= wilson.high));
        // The first half missed, the second hit: its seconds are not alike.
        let blocks: Vec<(u64, u64)> = (0..20).map(|second| (if second < 4 { 0 } else { 50 }, 50)).collect();
        let wide = counts.hit_ratio(&blocks, 0.95).expect("a ratio");
        assert!(wide.low < plain.low && wide.high > plain.high, "{wide:?}");
    }
}
