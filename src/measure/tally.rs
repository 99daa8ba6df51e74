//! The histogram a worker records one figure of one row into, between two takes.

use super::{
    Distribution,
    buckets::{self, VALUE_US_MAX},
    dense::Dense,
    distribution::to_us,
};
use crate::clock::Nanos;

/// Takes that find nothing new before the counters are given back to the allocator: a phase that is over
/// should not keep 94 KiB for every row.
const IDLE_TAKES_MAX: u8 = 5;

/// Durations since the last take.
#[derive(Debug, Default)]
pub(super) struct Tally {
    dense: Option<Dense<u32>>,
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
        // A billion in a bucket between two takes: no machine is so fast.
        self.dense.get_or_insert_with(Dense::new).add(buckets::index(us), 1);
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
        let taken = Distribution::from_parts(dense.take(), self.count, self.min, self.max, self.sum, self.saturated);
        (self.count, self.min, self.max, self.sum, self.saturated) = (0, 0, 0, 0, 0);
        taken
    }
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
