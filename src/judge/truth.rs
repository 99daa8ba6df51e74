//! What responses said of a cache, held against what the cache counted itself.

use serde::Serialize;

/// Look-ups by which two counts of the same may differ, as a share: responses that were still under way.
const SLACK: f64 = 0.01;
/// And at least so many.
const SLACK_MIN: f64 = 5.0;

/// Whether two counts of the same hits are of the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Agreement {
    /// As many look-ups, and a ratio within the interval.
    Agrees,
    /// The counter saw more look-ups than were made: others use the cache, or a request looks up more than one key.
    ForeignTraffic,
    /// It saw fewer: something before it answers, or it counts something else.
    Fewer,
    /// As many look-ups, but another ratio: the classes do not say what the cache does.
    Disagrees,
    /// It could not be read, or there is nothing to hold against it.
    Unknown,
}

/// Hits among look-ups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HitCount {
    /// Hits.
    pub hits: u64,
    /// All look-ups.
    pub looked_up: u64,
}

impl HitCount {
    /// The ratio; none without look-ups.
    pub fn ratio(self) -> Option<f64> {
        (self.looked_up > 0).then(|| self.hits as f64 / self.looked_up as f64)
    }
}

/// Holds what was classified, with its interval, against what was counted.
pub fn agreement(classified: HitCount, interval: Option<(f64, f64)>, counted: HitCount) -> Agreement {
    let (Some(_), Some((low, high))) = (classified.ratio(), interval) else { return Agreement::Unknown };
    let (own, theirs) = (classified.looked_up as f64, counted.looked_up as f64);
    let slack = (own * SLACK).max(SLACK_MIN);
    if theirs > own + slack {
        return Agreement::ForeignTraffic;
    }
    if theirs < own - slack {
        return Agreement::Fewer;
    }
    // Look-ups that only one of both has may be hits or not.
    let open = (own - theirs).abs() / own;
    match counted.ratio() {
        Some(ratio) if (low - open..=high + open).contains(&ratio) => Agreement::Agrees,
        _ => Agreement::Disagrees,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_the_same_agree() {
        let count = |hits, looked_up| HitCount { hits, looked_up };
        let interval = Some((0.77, 0.83));
        for (counted, expected) in [
            (count(800, 1_000), Agreement::Agrees),
            (count(806, 1_008), Agreement::Agrees),
            (count(700, 1_000), Agreement::Disagrees),
            (count(0, 1_000), Agreement::Disagrees),
            (count(900, 1_100), Agreement::ForeignTraffic),
            (count(800, 2_000), Agreement::ForeignTraffic),
            (count(640, 800), Agreement::Fewer),
            (count(0, 0), Agreement::Fewer),
        ] {
            assert_eq!(agreement(count(800, 1_000), interval, counted), expected, "{counted:?}");
        }
        assert_eq!(agreement(count(0, 0), interval, count(1, 2)), Agreement::Unknown);
        assert_eq!(agreement(count(800, 1_000), None, count(800, 1_000)), Agreement::Unknown);
    }
}
