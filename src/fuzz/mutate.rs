//! Inputs that are derived from others: blind, but from good examples and with the words of their format.

use rand::{Rng, RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// Longer inputs are not made, in bytes.
const BYTES_MAX: usize = 8_000;
/// Numbers around which things break.
const EDGES: [&str; 10] =
    ["0", "1", "-1", "127", "256", "65535", "65536", "2147483648", "4294967296", "18446744073709551615"];

/// Derives inputs from seeds, the same ones for the same number.
#[derive(Debug)]
pub struct Mutator<'a> {
    rng: Xoshiro256PlusPlus,
    seeds: &'a [Vec<u8>],
    words: &'a [&'a str],
}

impl<'a> Mutator<'a> {
    /// A mutator of `seeds`, of which there is at least one.
    pub fn new(number: u64, seeds: &'a [Vec<u8>], words: &'a [&'a str]) -> Self {
        assert!(!seeds.is_empty(), "there is something to start from");
        Self { rng: Xoshiro256PlusPlus::seed_from_u64(number), seeds, words }
    }

    /// The next input.
    pub fn next(&mut self) -> Vec<u8> {
        let mut input = self.seed().to_vec();
        // Mostly few changes: much of a seed must stay for it to get far.
        let changes = 1 + self.rng.next_u32().trailing_zeros();
        for _ in 0..changes.min(12) {
            self.change(&mut input);
        }
        input.truncate(BYTES_MAX);
        input
    }

    fn seed(&mut self) -> &'a [u8] {
        &self.seeds[self.below(self.seeds.len())]
    }

    /// A number below `end`; 0 where that is 0.
    fn below(&mut self, end: usize) -> usize {
        if end == 0 { 0 } else { self.rng.random_range(0..end) }
    }

    /// A short stretch of an input.
    fn stretch(&mut self, input: &[u8]) -> std::ops::Range<usize> {
        let start = self.below(input.len() + 1);
        let most = if self.below(8) == 0 { input.len() } else { 32 };
        start..(start + 1 + self.below(most)).min(input.len())
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let at = self.below(input.len() + 1);
        match self.below(10) {
            0 if at < input.len() => input[at] ^= 1 << self.below(8),
            1 if at < input.len() => input[at] = self.rng.random(),
            2 => {
                let cut = self.stretch(input);
                input.drain(cut);
            }
            3 => {
                let copied = self.stretch(input);
                let copied = input[copied].to_vec();
                let times = 1 + self.below(4);
                input.splice(at..at, copied.repeat(times));
            }
            4 | 5 if !self.words.is_empty() => {
                let word = self.words[self.below(self.words.len())].as_bytes();
                let over = if self.below(2) == 0 { at } else { (at + word.len()).min(input.len()) };
                input.splice(at..over, word.iter().copied());
            }
            6 => {
                // The start of this and the end of another.
                let other = self.seed();
                let from = self.below(other.len() + 1);
                input.truncate(at);
                input.extend_from_slice(&other[from..]);
            }
            7 => self.number(input),
            8 => {
                let swapped = self.stretch(input);
                input[swapped].reverse();
            }
            _ => input.insert(at, self.rng.random()),
        }
    }

    /// Puts another number in the place of one.
    fn number(&mut self, input: &mut Vec<u8>) {
        let starts: Vec<usize> = (0..input.len())
            .filter(|&at| input[at].is_ascii_digit() && (at == 0 || !input[at - 1].is_ascii_digit()))
            .collect();
        if starts.is_empty() {
            return;
        }
        let start = starts[self.below(starts.len())];
        let len = input[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let number = EDGES[self.below(EDGES.len())];
        input.splice(start..start + len, number.bytes());
    }
}
