//! A counter for each bucket, one beside the other: what adds quickly. What is added up is handed over sparse.

use std::ops::AddAssign;

use super::{
    buckets,
    distribution::{Bucket, Distribution},
};

/// Counters of all buckets.
#[derive(Debug)]
pub(super) struct Dense<C> {
    counts: Box<[C]>,
    /// A bit for each that is not 0: visiting 23 000 counters for the few hundred in use would take a worker longer than
    /// all records of a quiet second.
    used: Box<[u64]>,
}

impl<C: Copy + Default + AddAssign + Into<u64>> Dense<C> {
    pub(super) fn new() -> Self {
        Self {
            counts: vec![C::default(); buckets::COUNT].into_boxed_slice(),
            used: vec![0; buckets::COUNT.div_ceil(64)].into_boxed_slice(),
        }
    }

    /// Counts `count` more in a bucket.
    #[inline]
    pub(super) fn add(&mut self, index: u16, count: C) {
        let index = usize::from(index);
        self.counts[index] += count;
        self.used[index / 64] |= 1 << (index % 64);
    }

    /// The buckets in use, ascending; all are 0 afterwards.
    pub(super) fn take(&mut self) -> Vec<Bucket> {
        let in_use = self.used.iter().map(|bits| bits.count_ones() as usize).sum();
        let mut taken = Vec::with_capacity(in_use);
        for (word, bits) in self.used.iter_mut().enumerate() {
            let mut rest = std::mem::take(bits);
            while rest != 0 {
                let index = word * 64 + rest.trailing_zeros() as usize;
                rest &= rest - 1;
                let count = std::mem::take(&mut self.counts[index]);
                // There are fewer than 2^16.
                taken.push(Bucket { index: index as u16, count: count.into() });
            }
        }
        taken
    }
}

/// Adds up many distributions: each in the time that its own buckets take, however many the sum has.
#[derive(Debug)]
pub(super) struct Sum {
    dense: Dense<u64>,
    /// Of the sum, all but its buckets.
    rest: Distribution,
}

impl Sum {
    pub(super) fn new() -> Self {
        Self { dense: Dense::new(), rest: Distribution::default() }
    }

    pub(super) fn add(&mut self, other: &Distribution) {
        self.rest.merge_beside_buckets(other);
        for bucket in other.counted() {
            self.dense.add(bucket.index, bucket.count);
        }
    }

    /// The sum of what was added since the last time.
    pub(super) fn take(&mut self) -> Distribution {
        std::mem::take(&mut self.rest).with_buckets(self.dense.take())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_sum_is_what_merging_gives(
            parts in prop::collection::vec(prop::collection::vec(0u64..5_000_000_000, 0..40), 0..6),
        ) {
            let parts = parts.into_iter().map(|values| {
                let mut part = Distribution::default();
                values.into_iter().for_each(|nanos| part.record(nanos));
                part
            });
            let (mut sum, mut merged) = (Sum::new(), Distribution::default());
            for part in parts {
                sum.add(&part);
                merged.merge(&part);
            }
            prop_assert_eq!(sum.take(), merged);
            prop_assert_eq!(sum.take(), Distribution::default());
        }
    }
}
