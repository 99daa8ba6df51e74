//! Other names for keys: a fixed, bijective scramble, so that hot keys do not lie beside each other.

/// Rounds of the network; four make a permutation that no simple pattern survives.
const ROUNDS: u64 = 4;

/// A permutation of 0 to n − 1: a Feistel network over the next even number of bits, walked until it falls into the
/// range (Black and Rogaway, "Ciphers with Arbitrary Finite Domains", 2002). Unlike a hash modulo n, it gives no two
/// keys one name, which would make popular keys of unpopular ones.
#[derive(Debug, Clone, Copy)]
pub(super) struct Permutation {
    n: u64,
    half_bits: u32,
}

impl Permutation {
    pub(super) fn new(n: u64) -> Self {
        let bits = u64::BITS - n.saturating_sub(1).leading_zeros();
        Self { n, half_bits: bits.div_ceil(2).max(1) }
    }

    /// Where `at`, which is below n, is put.
    pub(super) fn of(self, at: u64) -> u64 {
        let mut at = at;
        loop {
            at = self.round_trip(at);
            if at < self.n {
                return at;
            }
        }
    }

    fn round_trip(self, at: u64) -> u64 {
        let mask = (1 << self.half_bits) - 1;
        let (mut left, mut right) = (at >> self.half_bits, at & mask);
        for round in 0..ROUNDS {
            (left, right) = (right, left ^ (mixed(right ^ (round << 32) ^ self.n.rotate_left(40)) & mask));
        }
        (left << self.half_bits) | right
    }
}

/// The finaliser of SplitMix64.
const fn mixed(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_a_place_of_its_own_and_neighbours_are_apart() {
        for n in [1, 2, 3, 10, 255, 256, 257, 5_000] {
            let permutation = Permutation::new(n);
            let mut places: Vec<u64> = (0..n).map(|at| permutation.of(at)).collect();
            if n >= 255 {
                let near = places.windows(2).filter(|pair| pair[0].abs_diff(pair[1]) < 3).count();
                assert!(near < n as usize / 20, "{n}: {near}");
            }
            places.sort_unstable();
            assert!(places.into_iter().eq(0..n), "{n}");
        }
    }
}
