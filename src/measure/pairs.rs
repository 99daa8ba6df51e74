//! Durations that belong together: the same thing done in two ways, side by side.

use std::{collections::BTreeMap, sync::Arc};

use super::Distribution;
use crate::clock::Nanos;

/// Blocks of a name that are kept apart; further ones share those, and block `n` is number `n % BLOCKS_MAX`.
pub const BLOCKS_MAX: u64 = 1_024;

/// Both ways of a block.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pair {
    /// What the other is held against.
    pub base: Distribution,
    /// The other way.
    pub other: Distribution,
}

/// Pairs by name and block.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pairs(BTreeMap<Arc<str>, BTreeMap<u64, Pair>>);

impl Pairs {
    /// Adds a pair to a block.
    pub fn record(&mut self, name: &str, block: u64, base: Nanos, other: Nanos) {
        let pair = self.entry(name, block);
        pair.base.record(base);
        pair.other.record(other);
    }

    /// The pair of a block; empty at first.
    pub fn entry(&mut self, name: &str, block: u64) -> &mut Pair {
        // Not `entry`, which would allocate the name on every call.
        if !self.0.contains_key(name) {
            self.0.insert(name.into(), BTreeMap::new());
        }
        self.0.get_mut(name).expect("just inserted").entry(block % BLOCKS_MAX).or_default()
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Self) {
        for (name, blocks) in &other.0 {
            let known = self.0.entry(name.clone()).or_default();
            for (&block, pair) in blocks {
                let sum = known.entry(block).or_default();
                sum.base.merge(&pair.base);
                sum.other.merge(&pair.other);
            }
        }
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many names there are.
    pub fn names(&self) -> usize {
        self.0.len()
    }

    /// Whether there are pairs of that name.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The blocks of a name, in the order of their numbers.
    pub fn blocks(&self, name: &str) -> impl Iterator<Item = &Pair> {
        self.0.get(name).into_iter().flat_map(BTreeMap::values)
    }

    /// Every block: name, number, pair.
    pub fn all(&self) -> impl Iterator<Item = (&Arc<str>, u64, &Pair)> {
        self.0.iter().flat_map(|(name, blocks)| blocks.iter().map(move |(&block, pair)| (name, block, pair)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_pairs_are_added_up_the_sum_is_the_same() {
        let all = [("a", 1, 500, 100), ("a", 2, 700, 90), ("b", 1, 5, 4), ("a", 1 + BLOCKS_MAX, 600, 80)];
        let of = |pairs: &[(&str, u64, u64, u64)]| {
            let mut sum = Pairs::default();
            pairs.iter().for_each(|&(name, block, base, other)| sum.record(name, block, base * 1_000, other * 1_000));
            sum
        };
        let whole = of(&all);
        for cut in 0..=all.len() {
            let mut sum = of(&all[cut..]);
            sum.merge(&of(&all[..cut]));
            assert_eq!(sum, whole);
        }
        let counts: Vec<u64> = whole.blocks("a").map(|pair| pair.base.count()).collect();
        assert_eq!((counts, whole.blocks("c").count(), whole.all().count()), (vec![2, 1], 0, 3));
    }
}
