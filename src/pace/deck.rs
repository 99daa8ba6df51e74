//! Dealing the entries of a mix by weight.

use rand::{RngExt, seq::SliceRandom};

use super::{Purpose, stream};

/// More cards than this are rounded to [`ROUNDED_CARDS`].
const CARDS_MAX: u128 = 10_000;
const ROUNDED_CARDS: u64 = 1_000;

/// A deck of cards, one entry's number on each, in the proportion of the weights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deck {
    cards: Vec<u16>,
    /// Cumulative weights for independent draws; the last is 1.
    random: Option<Vec<Threshold>>,
}

/// A cumulative weight, as bits so that decks can be compared.
type Threshold = u64;

impl Deck {
    /// The smallest deck that holds the weights exactly, such as 5 + 3 + 2 cards for 50/30/20. Weights that
    /// need more than 10 000 cards are rounded to a thousandth by largest remainder, each at least one card.
    /// Weights must be positive and finite.
    pub fn new(weights: &[f64]) -> Self {
        let counts = exact_counts(weights).unwrap_or_else(|| rounded_counts(weights));
        let cards = counts.iter().enumerate().flat_map(|(entry, &n)| std::iter::repeat_n(entry as u16, n)).collect();
        Self { cards, random: None }
    }

    /// Independent draws by weight.
    pub fn independent(weights: &[f64]) -> Self {
        let sum: f64 = weights.iter().sum();
        let mut total = 0.0;
        let thresholds = weights
            .iter()
            .map(|weight| {
                total += weight / sum;
                total.to_bits()
            })
            .collect();
        Self { cards: Vec::new(), random: Some(thresholds) }
    }

    /// Number of cards; 0 for independent draws.
    pub fn len(&self) -> usize {
        self.cards.len()
    }

    /// Whether draws are independent.
    pub fn is_empty(&self) -> bool {
        self.cards.is_empty()
    }
}

/// Deals the arrivals of one phase. Entry of arrival `k` is a function of the seed, the phase and `k`; the
/// dealer only remembers the deck it shuffled last.
#[derive(Debug)]
pub struct Dealer {
    deck: Deck,
    seed: u64,
    phase: u64,
    shuffled: Vec<u16>,
    round: Option<u64>,
}

impl Dealer {
    /// A dealer for a phase.
    pub fn new(deck: Deck, seed: u64, phase: u64) -> Self {
        Self { deck, seed, phase, shuffled: Vec::new(), round: None }
    }

    /// How often each of `entries` entries is dealt to the first `n` arrivals. None where that would take more than
    /// a moment: independent draws beyond some millions.
    pub fn tally(&mut self, n: u64, entries: usize) -> Option<Vec<u64>> {
        const DRAWS_MAX: u64 = 2_000_000;
        let mut counts = vec![0; entries];
        let mut first = 0;
        if self.deck.random.is_some() {
            if n > DRAWS_MAX {
                return None;
            }
        } else {
            let cards = self.deck.cards.len() as u64;
            for &card in &self.deck.cards {
                counts[usize::from(card)] += n / cards;
            }
            first = n - n % cards;
        }
        for k in first..n {
            counts[self.entry(k)] += 1;
        }
        Some(counts)
    }

    /// The entry of arrival `k`.
    pub fn entry(&mut self, k: u64) -> usize {
        if let Some(thresholds) = &self.deck.random {
            let draw: f64 = stream(self.seed, Purpose::Deal, self.phase, k).random();
            let entry = thresholds.iter().position(|&threshold| draw < f64::from_bits(threshold));
            return entry.unwrap_or(thresholds.len() - 1);
        }
        if self.deck.cards.len() == 1 {
            return usize::from(self.deck.cards[0]);
        }
        let cards = self.deck.cards.len() as u64;
        let round = k / cards;
        if self.round != Some(round) {
            self.shuffled.clone_from(&self.deck.cards);
            self.shuffled.shuffle(&mut stream(self.seed, Purpose::Deal, self.phase, round));
            self.round = Some(round);
        }
        usize::from(self.shuffled[(k % cards) as usize])
    }
}

/// The weights as whole numbers without a common divisor, if they have at most six decimals and few cards.
fn exact_counts(weights: &[f64]) -> Option<Vec<usize>> {
    let scaled: Vec<u128> = weights
        .iter()
        .map(|weight| {
            let millionths = weight * 1e6;
            ((millionths - millionths.round()).abs() < 1e-6 * millionths && (1.0..1e18).contains(&millionths))
                .then_some(millionths.round() as u128)
        })
        .collect::<Option<_>>()?;
    let divisor = scaled.iter().fold(0u128, |a, &b| {
        let (mut x, mut y) = (a, b);
        while y != 0 {
            (x, y) = (y, x % y);
        }
        x
    });
    let total: u128 = scaled.iter().map(|n| n / divisor).sum();
    (total <= CARDS_MAX).then(|| scaled.iter().map(|n| (n / divisor) as usize).collect())
}

fn rounded_counts(weights: &[f64]) -> Vec<usize> {
    let sum: f64 = weights.iter().sum();
    let shares: Vec<f64> = weights.iter().map(|w| w / sum * ROUNDED_CARDS as f64).collect();
    let mut counts: Vec<usize> = shares.iter().map(|share| (share.floor() as usize).max(1)).collect();
    let mut by_remainder: Vec<usize> = (0..weights.len()).collect();
    by_remainder.sort_by(|&a, &b| (shares[b].fract()).total_cmp(&shares[a].fract()));
    let missing = (ROUNDED_CARDS as usize).saturating_sub(counts.iter().sum());
    for &entry in by_remainder.iter().cycle().take(missing) {
        counts[entry] += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tally(weights: &[f64], deals: u64) -> Vec<u64> {
        let mut dealer = Dealer::new(Deck::new(weights), 42, 0);
        let mut counts = vec![0; weights.len()];
        for k in 0..deals {
            counts[dealer.entry(k)] += 1;
        }
        counts
    }

    #[test]
    fn fifty_thirty_twenty_of_500_is_exact() {
        assert_eq!(tally(&[50.0, 30.0, 20.0], 500), [250, 150, 100]);
        assert_eq!(tally(&[0.5, 0.3, 0.2], 500), [250, 150, 100]);
        assert_eq!(Deck::new(&[50.0, 30.0, 20.0]).len(), 10);
    }

    #[test]
    fn odd_weights_are_rounded_and_nobody_is_left_out() {
        let weights = [std::f64::consts::PI, 1e-9, 100.0];
        let counts = tally(&weights, 1_001);
        assert!(counts[1] >= 1, "{counts:?}");
        assert!(counts[2] > 900, "{counts:?}");
    }

    #[test]
    fn independent_draws_follow_the_weights() {
        let mut dealer = Dealer::new(Deck::independent(&[3.0, 1.0]), 1, 0);
        let first = (0..40_000).filter(|&k| dealer.entry(k) == 0).count() as f64;
        // Standard deviation of the share: 0.0022.
        assert!((first / 40_000.0 - 0.75).abs() < 0.01, "{first}");
    }

    proptest! {
        #[test]
        fn a_tally_is_what_is_dealt(n in 0u64..200, seed: u64, random: bool) {
            let weights = [5.0, 3.0, 2.0];
            let deck = if random { Deck::independent(&weights) } else { Deck::new(&weights) };
            let mut dealt = vec![0; 3];
            let mut dealer = Dealer::new(deck.clone(), seed, 1);
            (0..n).for_each(|k| dealt[dealer.entry(k)] += 1);
            prop_assert_eq!(Dealer::new(deck, seed, 1).tally(n, 3), Some(dealt));
        }

        #[test]
        fn an_arrivals_entry_does_not_depend_on_what_was_dealt_before(k in 0u64..1_000, seed: u64) {
            let deck = Deck::new(&[5.0, 3.0, 2.0]);
            let mut in_order = Dealer::new(deck.clone(), seed, 1);
            for before in 0..k {
                in_order.entry(before);
            }
            prop_assert_eq!(in_order.entry(k), Dealer::new(deck, seed, 1).entry(k));
        }
    }
}
