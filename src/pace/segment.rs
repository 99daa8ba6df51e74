//! A share of a run.

/// Part `index` of `count` equal parts of a run: a worker of a process, or a machine of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// Which part, from 0.
    pub index: u64,
    /// How many parts; never 0.
    pub count: u64,
}

impl Segment {
    /// The whole run.
    pub const WHOLE: Self = Self { index: 0, count: 1 };

    /// Whether number `k` of the run's sequence is this segment's.
    pub fn owns(self, k: u64) -> bool {
        k % self.count == self.index
    }

    /// How many of the numbers below `total` are this segment's. The shares of all segments add up to `total`.
    pub fn share(self, total: u64) -> u64 {
        total / self.count + u64::from(self.index < total % self.count)
    }

    /// The run's number of this segment's `own`-th one.
    pub fn global(self, own: u64) -> u64 {
        own * self.count + self.index
    }

    /// Part `index` of `count` parts of this segment.
    pub fn part(self, index: u64, count: u64) -> Self {
        Self { index: self.index + index * self.count, count: self.count * count }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn shares_add_up_and_agree_with_ownership(total in 0u64..5_000, count in 1u64..20) {
            let segments = (0..count).map(|index| Segment { index, count });
            let mut sum = 0;
            for segment in segments {
                let owned = (0..total).filter(|&k| segment.owns(k)).count() as u64;
                prop_assert_eq!(segment.share(total), owned);
                sum += owned;
            }
            prop_assert_eq!(sum, total);
        }

        #[test]
        fn parts_of_segments_cover_each_number_once(k in 0u64..10_000, machines in 1u64..6, workers in 1u64..6) {
            let owners = (0..machines)
                .flat_map(|m| (0..workers).map(move |w| Segment { index: m, count: machines }.part(w, workers)))
                .filter(|segment| segment.owns(k))
                .count();
            prop_assert_eq!(owners, 1);
        }
    }
}
