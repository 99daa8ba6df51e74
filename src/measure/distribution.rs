//! Counts of durations in HdrHistogram's buckets, kept sparse: what leaves a worker, and what is added up.
//!
//! A dense histogram from 1 µs to 1 h takes 94 KiB of counters; a second of one request touches a few
//! hundred of them. So a worker records into a dense one ([`Dense`](super::dense::Dense)) and hands over this.

use super::{
    buckets::{self, VALUE_US_MAX},
    dense::Sum,
};
use crate::clock::{MICROSECOND, Nanos};

/// Durations: counts in buckets of three significant digits, and their exact count, minimum, maximum and sum.
/// Adding two is exact, in any order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Distribution {
    /// Ascending; no count is 0.
    buckets: Vec<Bucket>,
    count: u64,
    min: Nanos,
    max: Nanos,
    sum: u128,
    saturated: u64,
}

/// How many durations fell into a bucket. Packed: an hour of many rows is millions of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(Rust, packed(2))]
pub(super) struct Bucket {
    /// Its number, see [`buckets`].
    pub(super) index: u16,
    pub(super) count: u64,
}

impl Bucket {
    const fn top(self) -> u64 {
        buckets::top(self.index)
    }
}

/// Nanoseconds as the microseconds they are recorded under, to the nearest.
pub(super) const fn to_us(nanos: Nanos) -> u64 {
    nanos.saturating_add(MICROSECOND / 2) / MICROSECOND
}

impl Distribution {
    /// Adds one duration. A worker's recorder has a faster way.
    pub fn record(&mut self, nanos: Nanos) {
        let us = to_us(nanos);
        let index = buckets::index(us);
        match self.buckets.binary_search_by_key(&index, |bucket| bucket.index) {
            Ok(at) => self.buckets[at].count += 1,
            Err(at) => self.buckets.insert(at, Bucket { index, count: 1 }),
        }
        self.min = if self.count == 0 { nanos } else { self.min.min(nanos) };
        self.max = self.max.max(nanos);
        self.count += 1;
        self.sum += u128::from(nanos);
        self.saturated += u64::from(us > VALUE_US_MAX);
    }

    /// What a tally hands over: buckets ascending and without zeros.
    pub(super) fn from_parts(
        buckets: Vec<Bucket>,
        count: u64,
        min: Nanos,
        max: Nanos,
        sum: u128,
        saturated: u64,
    ) -> Self {
        debug_assert!(buckets.is_sorted_by(|a, b| a.index < b.index));
        debug_assert_eq!(buckets.iter().map(|bucket| bucket.count).sum::<u64>(), count);
        Self { buckets, count, min, max, sum, saturated }
    }

    /// A distribution that was taken apart by [`Self::buckets`] and its other figures. None where they do not fit
    /// together: buckets that are not ascending or not of this layout, an empty count, a sum that is none of
    /// these values.
    pub fn restore(buckets: &[(u64, u64)], min: Nanos, max: Nanos, sum: u128, saturated: u64) -> Option<Self> {
        let mut count: u64 = 0;
        let mut kept: Vec<Bucket> = Vec::with_capacity(buckets.len());
        for &(top, n) in buckets {
            let index = buckets::index(top);
            if n == 0 || buckets::top(index) != top || kept.last().is_some_and(|last| last.index >= index) {
                return None;
            }
            count = count.checked_add(n)?;
            kept.push(Bucket { index, count: n });
        }
        if count == 0 {
            return (min == 0 && max == 0 && sum == 0 && saturated == 0).then(Self::default);
        }
        let range = u128::from(count) * u128::from(min)..=u128::from(count) * u128::from(max);
        let ends =
            (kept.first()?.index, kept.last()?.index) == (buckets::index(to_us(min)), buckets::index(to_us(max)));
        (ends && range.contains(&sum) && saturated <= count).then_some(Self {
            buckets: kept,
            count,
            min,
            max,
            sum,
            saturated,
        })
    }

    /// All of these together.
    pub fn sum_of<'a>(all: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut sum = Sum::new();
        all.into_iter().for_each(|one| sum.add(one));
        sum.take()
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        if self.count == 0 {
            self.clone_from(other);
            return;
        }
        self.merge_beside_buckets(other);
        let mut at = 0;
        let mut missing = 0;
        for theirs in &other.buckets {
            at += self.buckets[at..].iter().take_while(|ours| ours.index < theirs.index).count();
            missing += usize::from(self.buckets.get(at).is_none_or(|ours| ours.index != theirs.index));
        }
        // From the end, so that nothing is overwritten that is still to be moved.
        let mut from = self.buckets.len();
        let mut to = from + missing;
        self.buckets.reserve_exact(missing);
        self.buckets.resize(to, Bucket { index: 0, count: 0 });
        for theirs in other.buckets.iter().rev() {
            while from > 0 && self.buckets[from - 1].index > theirs.index {
                (from, to) = (from - 1, to - 1);
                self.buckets[to] = self.buckets[from];
            }
            let mut bucket = *theirs;
            if from > 0 && self.buckets[from - 1].index == theirs.index {
                from -= 1;
                bucket.count += self.buckets[from].count;
            }
            to -= 1;
            self.buckets[to] = bucket;
        }
    }

    /// Adds all of `other` but its buckets.
    pub(super) fn merge_beside_buckets(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        self.min = if self.count == 0 { other.min } else { self.min.min(other.min) };
        self.max = self.max.max(other.max);
        self.count += other.count;
        self.sum += other.sum;
        self.saturated += other.saturated;
    }

    /// With these buckets instead of its own.
    pub(super) fn with_buckets(self, buckets: Vec<Bucket>) -> Self {
        Self::from_parts(buckets, self.count, self.min, self.max, self.sum, self.saturated)
    }

    pub(super) fn counted(&self) -> &[Bucket] {
        &self.buckets
    }

    /// How many durations.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// There are none.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// How many were longer than an hour; their buckets say an hour.
    pub const fn saturated(&self) -> u64 {
        self.saturated
    }

    /// The shortest, exact.
    pub fn min(&self) -> Option<Nanos> {
        (self.count > 0).then_some(self.min)
    }

    /// The longest, exact.
    pub fn max(&self) -> Option<Nanos> {
        (self.count > 0).then_some(self.max)
    }

    /// The shortest, in microseconds.
    pub fn min_us(&self) -> Option<u64> {
        self.min().map(to_us)
    }

    /// The longest, in microseconds.
    pub fn max_us(&self) -> Option<u64> {
        self.max().map(to_us)
    }

    /// The exact sum, in nanoseconds.
    pub const fn sum(&self) -> u128 {
        self.sum
    }

    /// The exact mean, in nanoseconds.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum as f64 / self.count as f64)
    }

    /// Highest value of each bucket in µs, and its count: ascending.
    pub fn buckets(&self) -> impl Iterator<Item = (u64, u64)> + Clone + '_ {
        self.buckets.iter().map(|bucket| (bucket.top(), bucket.count))
    }

    /// The duration of that rank (from 1), in µs: the top of its bucket, but never outside the exact minimum
    /// and maximum. A rank beyond the last gives the maximum; without samples, 0.
    pub fn value_at_rank(&self, rank: u64) -> u64 {
        let mut below = 0;
        let bucket = self.buckets.iter().find(|bucket| {
            below += bucket.count;
            below >= rank
        });
        let value = bucket.or(self.buckets.last()).map_or(0, |bucket| bucket.top());
        value.clamp(to_us(self.min), to_us(self.max))
    }

    /// The quantile by nearest rank, in µs.
    pub fn quantile(&self, ppm: u32) -> Option<u64> {
        (self.count > 0).then(|| self.value_at_rank(super::rank(self.count, ppm)))
    }

    /// How many are at most `nanos`, to the resolution of a bucket: one that `nanos` falls into counts as a
    /// whole where its value, as [`Self::value_at_rank`] gives it, is at most `nanos`.
    pub fn count_at_most(&self, nanos: Nanos) -> u64 {
        if self.count > 0 && nanos >= self.max {
            return self.count;
        }
        let us = nanos / MICROSECOND;
        self.buckets.iter().take_while(|bucket| bucket.top() <= us).map(|bucket| bucket.count).sum()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(values: &[Nanos]) -> Distribution {
        let mut all = Distribution::default();
        values.iter().for_each(|&nanos| all.record(nanos));
        all
    }

    #[test]
    fn minimum_maximum_and_sum_are_exact() {
        let all = of(&[1_999_500_123, 17, 4_000]);
        assert_eq!((all.min(), all.max(), all.sum()), (Some(17), Some(1_999_500_123), 1_999_504_140));
        // The bucket's top would be 1 999 871.
        assert_eq!(all.quantile(1_000_000), Some(1_999_500));
        assert_eq!(Distribution::default().quantile(500_000), None);
        assert_eq!(Distribution::default().mean(), None);
    }

    #[test]
    fn beyond_an_hour_is_counted_at_the_hour() {
        let all = of(&[2 * VALUE_US_MAX * MICROSECOND, 1_000_000]);
        assert_eq!(all.saturated(), 1);
        assert_eq!(all.max_us(), Some(2 * VALUE_US_MAX));
        assert_eq!(all.quantile(500_000), Some(1_000));
    }

    #[test]
    fn counting_below_a_limit_agrees_with_the_values_shown() {
        let all = of(&[1_000_000, 10_000_000, 10_000_000, 25_000_000]);
        assert_eq!(all.count_at_most(999_999), 0);
        assert_eq!(all.count_at_most(10_008_000), 3);
        assert_eq!(all.count_at_most(25_000_000), 4);
    }

    proptest! {
        #[test]
        fn merging_equals_recording_everything_in_one(
            left in prop::collection::vec(0u64..5_000_000_000, 0..80),
            right in prop::collection::vec(0u64..5_000_000_000, 0..80),
        ) {
            let mut merged = of(&left);
            merged.merge(&of(&right));
            let mut other_way = of(&right);
            other_way.merge(&of(&left));
            prop_assert_eq!(&merged, &of(&[left, right].concat()));
            prop_assert_eq!(merged, other_way);
        }

        #[test]
        fn a_quantile_is_within_a_thousandth_of_the_sample_at_its_rank(
            mut values in prop::collection::vec(0u64..3_600_000_000_000, 1..200),
            ppm in 0u32..=1_000_000,
        ) {
            let us = of(&values).quantile(ppm).expect("not empty");
            values.sort_unstable();
            let exact = to_us(values[crate::measure::rank(values.len() as u64, ppm) as usize - 1]);
            prop_assert!(us >= exact && us - exact <= exact / 1_000 + 1, "{} for {}", us, exact);
        }
    }
}
