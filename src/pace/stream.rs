//! Random numbers that are a pure function of where they are used.

use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;

/// What a stream of random numbers is for. Streams of different purpose are independent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Gaps of Poisson arrivals.
    Gaps,
    /// Shuffling of decks and independent draws of a mix.
    Deal,
    /// Values drawn by an iteration.
    Iteration,
    /// Values drawn by a virtual user outside iterations (`on_start`, `on_stop`).
    User,
    /// Values drawn by `setup` and `teardown`.
    Frame,
}

/// The stream for number `k` of a phase.
pub fn stream(seed: u64, purpose: Purpose, phase: u64, k: u64) -> Xoshiro256PlusPlus {
    // A chain of SplitMix64 finalisers: each input changes every bit of the result.
    let mut state = seed;
    for word in [purpose as u64 + 1, phase, k] {
        state = finalise(state ^ word.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    }
    Xoshiro256PlusPlus::seed_from_u64(state)
}

/// SplitMix64's output function (Steele, Lea, Flood: "Fast Splittable Pseudorandom Number Generators", 2014).
fn finalise(word: u64) -> u64 {
    let mut z = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use rand::Rng;

    use super::*;

    #[test]
    fn neighbouring_streams_do_not_collide() {
        let mut seen = HashSet::new();
        for seed in 0..4 {
            for purpose in [Purpose::Gaps, Purpose::Deal, Purpose::Iteration, Purpose::User, Purpose::Frame] {
                for phase in 0..4 {
                    for k in 0..500 {
                        assert!(seen.insert(stream(seed, purpose, phase, k).next_u64()));
                    }
                }
            }
        }
    }

    #[test]
    fn a_stream_repeats() {
        let draw = || stream(7, Purpose::Iteration, 2, 99).next_u64();
        assert_eq!(draw(), draw());
    }
}
