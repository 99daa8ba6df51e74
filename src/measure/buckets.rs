//! The buckets that durations are counted in: HdrHistogram's for 1 µs to 1 h with three significant digits, numbered from
//! 0. Up to 2 047 µs each value has one of its own; beyond, each power of two is cut into 1 024.

/// The longest duration a bucket is kept for, in microseconds: one hour. What is longer is counted there.
pub const VALUE_US_MAX: u64 = 3_600_000_000;
/// Buckets of three significant digits: the first power of two from 2·10³.
const SUB_BUCKETS: u64 = 2_048;
/// Buckets of one power of two.
const HALF: u64 = SUB_BUCKETS / 2;
/// How many there are: those of HdrHistogram's layout, which ends with a power of two.
pub const COUNT: usize = 23_552;

/// The number of the bucket that a value falls into, in microseconds; of one that is too long, the longest's.
#[inline]
pub const fn index(us: u64) -> u16 {
    let us = if us < VALUE_US_MAX { us } else { VALUE_US_MAX };
    let shift = (us | (SUB_BUCKETS - 1)).ilog2() - (SUB_BUCKETS - 1).ilog2();
    // At most 22 times HALF, and a little.
    (shift as u64 * HALF + (us >> shift)) as u16
}

/// The highest value of a bucket, in microseconds: of the last that is counted in, an hour and a little.
#[inline]
pub const fn top(index: u16) -> u64 {
    let index = index as u64;
    if index < SUB_BUCKETS {
        return index;
    }
    let shift = index / HALF - 1;
    ((index - shift * HALF + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use hdrhistogram::Histogram;
    use proptest::prelude::*;

    use super::*;

    fn reference() -> Histogram<u32> {
        Histogram::new_with_bounds(1, VALUE_US_MAX, 3).expect("valid bounds")
    }

    #[test]
    fn each_is_found_by_its_highest_value() {
        assert_eq!(COUNT, reference().distinct_values());
        assert!(usize::from(index(VALUE_US_MAX)) < COUNT);
        assert_eq!(index(u64::MAX), index(VALUE_US_MAX));
        assert!((0..=index(VALUE_US_MAX)).all(|at| index(top(at)) == at));
    }

    proptest! {
        #[test]
        fn they_are_those_of_hdrhistogram(us in prop_oneof![0u64..10_000, 0u64..=VALUE_US_MAX]) {
            prop_assert_eq!(top(index(us)), reference().highest_equivalent(us));
        }
    }
}
