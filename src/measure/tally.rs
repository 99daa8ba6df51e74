//! The dense histogram a worker records into, and what it must know to hand it over quickly.

use hdrhistogram::Histogram;

use super::{
    Distribution,
    distribution::{VALUE_US_MAX, to_us},
};
use crate::clock::Nanos;

/// Takes that find nothing new before the counters are given back to the allocator: a phase that is over
/// should not keep 94 KiB for every row.
const IDLE_TAKES_MAX: u8 = 5;

/// Durations since the last take.
#[derive(Debug, Default)]
pub(super) struct Tally {
    dense: Option<Box<Histogram<u32>>>,
    /// The values that were first in their buckets: visiting 23 000 counters for the few hundred in use would
    /// take the worker longer than all records of a quiet second.
    touched: Vec<u32>,
    count: u64,
    min: Nanos,
    max: Nanos,
    sum: u128,
    saturated: u64,
    idle_takes: u8,
}

impl Tally {
    #[inline]
    pub(super) fn record(&mut self, nanos: Nanos) {
        let us = to_us(nanos);
        // An hour in µs fits.
        let kept = us.min(VALUE_US_MAX) as u32;
        let dense = self.dense.get_or_insert_with(new_dense);
        if dense.count_at(u64::from(kept)) == 0 {
            self.touched.push(kept);
        }
        dense.saturating_record(u64::from(kept));
        self.min = if self.count == 0 { nanos } else { self.min.min(nanos) };
        self.max = self.max.max(nanos);
        self.count += 1;
        self.sum += u128::from(nanos);
        self.saturated += u64::from(us > VALUE_US_MAX);
    }

    /// Everything since the last take.
    pub(super) fn take(&mut self) -> Distribution {
        let Some(dense) = &mut self.dense else { return Distribution::default() };
        if self.count == 0 {
            self.idle_takes += 1;
            if self.idle_takes >= IDLE_TAKES_MAX {
                *self = Self::default();
            }
            return Distribution::default();
        }
        self.idle_takes = 0;
        self.touched.sort_unstable();
        let buckets = self
            .touched
            .drain(..)
            // The top of the last bucket is an hour and a bucket: it fits.
            .map(|us| (dense.highest_equivalent(u64::from(us)) as u32, u64::from(dense.count_at(u64::from(us)))))
            .collect();
        dense.reset();
        let taken = Distribution::from_parts(buckets, self.count, self.min, self.max, self.sum, self.saturated);
        (self.count, self.min, self.max, self.sum, self.saturated) = (0, 0, 0, 0, 0);
        taken
    }
}

fn new_dense() -> Box<Histogram<u32>> {
    Box::new(Histogram::new_with_bounds(1, VALUE_US_MAX, 3).expect("1 µs to 1 h with three digits is valid"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn taking_in_parts_gives_what_was_recorded(
            values in prop::collection::vec(prop_oneof![0u64..3_000_000, 0u64..9_000_000_000_000], 0..200),
            every in 1usize..50,
        ) {
            let (mut tally, mut taken, mut direct) = (Tally::default(), Distribution::default(), Distribution::default());
            for chunk in values.chunks(every) {
                for &nanos in chunk {
                    tally.record(nanos);
                    direct.record(nanos);
                }
                taken.merge(&tally.take());
            }
            prop_assert!(tally.take().is_empty());
            prop_assert_eq!(taken, direct);
        }
    }

    #[test]
    fn an_idle_tally_gives_its_memory_back_and_works_on() {
        let mut tally = Tally::default();
        tally.record(5_000);
        assert_eq!(tally.take().count(), 1);
        for _ in 0..IDLE_TAKES_MAX {
            assert!(tally.take().is_empty());
        }
        assert!(tally.dense.is_none());
        tally.record(7_000);
        assert_eq!(tally.take().min(), Some(7_000));
    }
}
