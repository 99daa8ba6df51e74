//! Counts of durations in HdrHistogram's buckets, kept sparse: what leaves a worker, and what is added up.
//!
//! A dense histogram from 1 µs to 1 h takes 94 KiB of counters; a second of one request touches a few
//! hundred of them. So a worker records into a dense one ([`Tally`](super::tally::Tally)) and hands over this.

use crate::clock::{MICROSECOND, Nanos};

/// The longest duration a bucket is kept for, in microseconds: one hour. What is longer is counted there.
pub(super) const VALUE_US_MAX: u64 = 3_600_000_000;
/// Buckets of three significant digits: the first power of two from 2·10³.
const SUB_BUCKETS: u64 = 2_048;

/// Durations: counts in buckets of three significant digits, and their exact count, minimum, maximum and sum.
/// Adding two is exact, in any order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Distribution {
    /// Highest value of the bucket in µs, and how many; ascending, no count is 0.
    buckets: Vec<(u32, u64)>,
    count: u64,
    min: Nanos,
    max: Nanos,
    sum: u128,
    saturated: u64,
}

/// Nanoseconds as the microseconds they are recorded under, to the nearest.
pub(super) const fn to_us(nanos: Nanos) -> u64 {
    nanos.saturating_add(MICROSECOND / 2) / MICROSECOND
}

/// The highest value that falls into the same bucket, as `hdrhistogram` lays them out.
fn bucket_top(us: u64) -> u32 {
    let us = us.min(VALUE_US_MAX);
    let shift = if us < SUB_BUCKETS { 0 } else { us.ilog2() - SUB_BUCKETS.ilog2() + 1 };
    // At most an hour and one bucket: fits.
    ((((us >> shift) + 1) << shift) - 1) as u32
}

impl Distribution {
    /// Adds one duration. A worker's recorder has a faster way.
    pub fn record(&mut self, nanos: Nanos) {
        let us = to_us(nanos);
        let top = bucket_top(us);
        match self.buckets.binary_search_by_key(&top, |&(value, _)| value) {
            Ok(at) => self.buckets[at].1 += 1,
            Err(at) => self.buckets.insert(at, (top, 1)),
        }
        self.min = if self.count == 0 { nanos } else { self.min.min(nanos) };
        self.max = self.max.max(nanos);
        self.count += 1;
        self.sum += u128::from(nanos);
        self.saturated += u64::from(us > VALUE_US_MAX);
    }

    /// What a tally hands over: buckets ascending and without zeros.
    pub(super) fn from_parts(
        buckets: Vec<(u32, u64)>,
        count: u64,
        min: Nanos,
        max: Nanos,
        sum: u128,
        saturated: u64,
    ) -> Self {
        debug_assert!(buckets.is_sorted_by(|a, b| a.0 < b.0));
        debug_assert_eq!(buckets.iter().map(|&(_, count)| count).sum::<u64>(), count);
        Self { buckets, count, min, max, sum, saturated }
    }

    /// A distribution that was taken apart by [`Self::buckets`] and its other figures. None where they do not fit
    /// together: buckets that are not ascending or not of this layout, an empty count, a sum that is none of
    /// these values.
    pub fn restore(buckets: &[(u64, u64)], min: Nanos, max: Nanos, sum: u128, saturated: u64) -> Option<Self> {
        let mut count: u64 = 0;
        let mut kept = Vec::with_capacity(buckets.len());
        for &(top, n) in buckets {
            if n == 0 || u64::from(bucket_top(top)) != top || kept.last().is_some_and(|&(last, _)| last >= top as u32) {
                return None;
            }
            count = count.checked_add(n)?;
            kept.push((top as u32, n));
        }
        if count == 0 {
            return (min == 0 && max == 0 && sum == 0 && saturated == 0).then(Self::default);
        }
        let range = u128::from(count) * u128::from(min)..=u128::from(count) * u128::from(max);
        let ends = (kept.first()?.0, kept.last()?.0) == (bucket_top(to_us(min)), bucket_top(to_us(max)));
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
        let mut sum = Self::default();
        all.into_iter().for_each(|one| sum.merge(one));
        sum
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
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.count += other.count;
        self.sum += other.sum;
        self.saturated += other.saturated;
        let mut missing = Vec::new();
        let mut at = 0;
        for &(value, count) in &other.buckets {
            while self.buckets.get(at).is_some_and(|&(known, _)| known < value) {
                at += 1;
            }
            match self.buckets.get_mut(at) {
                Some(bucket) if bucket.0 == value => bucket.1 += count,
                _ => missing.push((value, count)),
            }
        }
        if !missing.is_empty() {
            self.buckets.extend(missing);
            // Two ascending runs, which this sort finds and merges in one pass.
            self.buckets.sort_by_key(|&(value, _)| value);
        }
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
        self.buckets.iter().map(|&(value, count)| (u64::from(value), count))
    }

    /// The duration of that rank (from 1), in µs: the top of its bucket, but never outside the exact minimum
    /// and maximum. A rank beyond the last gives the maximum; without samples, 0.
    pub fn value_at_rank(&self, rank: u64) -> u64 {
        let mut below = 0;
        let bucket = self.buckets.iter().find(|&&(_, count)| {
            below += count;
            below >= rank
        });
        let value = bucket.or(self.buckets.last()).map_or(0, |&(value, _)| u64::from(value));
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
        self.buckets.iter().take_while(|&&(value, _)| u64::from(value) <= us).map(|&(_, count)| count).sum()
    }
}

#[cfg(test)]
mod tests {
    use hdrhistogram::Histogram;
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
        fn buckets_are_those_of_hdrhistogram(us in prop_oneof![0u64..10_000, 0u64..=VALUE_US_MAX]) {
            let reference = Histogram::<u32>::new_with_bounds(1, VALUE_US_MAX, 3).expect("valid bounds");
            prop_assert_eq!(u64::from(bucket_top(us)), reference.highest_equivalent(us));
        }

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
