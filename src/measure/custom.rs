//! The script's own metrics.

use std::{collections::BTreeMap, sync::Arc};

use super::Distribution;
use crate::clock::Nanos;

/// Custom metrics by name. A name may be used for a count, a gauge and a timing at once; they stay apart.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Custom {
    /// Sums of `count(name, n)`.
    pub counts: BTreeMap<Arc<str>, u64>,
    /// `gauge(name, v)`.
    pub gauges: BTreeMap<Arc<str>, Gauge>,
    /// `timing(name, duration)`.
    pub timings: BTreeMap<Arc<str>, Distribution>,
}

impl Custom {
    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Self) {
        for (name, &n) in &other.counts {
            let sum = self.counts.entry(name.clone()).or_default();
            *sum = sum.saturating_add(n);
        }
        for (name, gauge) in &other.gauges {
            self.gauges.entry(name.clone()).and_modify(|known| known.merge(gauge)).or_insert(*gauge);
        }
        for (name, timing) in &other.timings {
            self.timings.entry(name.clone()).or_default().merge(timing);
        }
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty() && self.gauges.is_empty() && self.timings.is_empty()
    }

    /// Every name in use, each once for each of its kinds.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.counts.keys().chain(self.gauges.keys()).chain(self.timings.keys()).map(AsRef::as_ref)
    }
}

/// A value that goes up and down.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gauge {
    /// The latest value.
    pub last: f64,
    /// When it was set.
    pub last_at: Nanos,
    /// The lowest value.
    pub min: f64,
    /// The highest value.
    pub max: f64,
}

impl Gauge {
    /// A gauge that was set once.
    pub const fn new(value: f64, at: Nanos) -> Self {
        Self { last: value, last_at: at, min: value, max: value }
    }

    /// Adds the values of `other`; of two set at the same instant, the higher counts as the last.
    pub fn merge(&mut self, other: &Self) {
        let newer = (other.last_at, other.last) > (self.last_at, self.last);
        if newer {
            (self.last, self.last_at) = (other.last, other.last_at);
        }
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_value_is_the_latest_in_time_whatever_the_order() {
        let (early, late) = (Gauge::new(9.0, 10), Gauge::new(2.0, 20));
        for (mut first, second) in [(early, late), (late, early)] {
            first.merge(&second);
            assert_eq!((first.last, first.min, first.max), (2.0, 2.0, 9.0));
        }
    }
}
