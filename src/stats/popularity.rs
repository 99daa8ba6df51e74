//! How often keys are asked for, and what that lets a cache reach.

use serde::{Deserialize, Serialize};

use super::special::solve_increasing;

/// Keys are taken one by one up to this rank; those beyond share the mean probability of ranks near them.
const RANKS_EXACT: u64 = 200;
/// Width of a group of ranks beyond, relative to its first.
const GROUP_WIDTH: f64 = 0.01;

/// The law that keys are drawn by. A renaming of keys changes nothing here.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Popularity {
    /// Key k of n with a probability proportional to k^-s; s of 0 is uniform.
    Zipf {
        /// Keys.
        n: u64,
        /// Exponent.
        s: f64,
    },
    /// Some keys share a part of the draws evenly, all others the rest.
    HotSet {
        /// Keys.
        n: u64,
        /// Hot ones among them.
        hot: u64,
        /// Share of the draws that goes to those.
        share: f64,
    },
    /// One key after the other, and from the start again.
    Scan {
        /// Keys.
        n: u64,
    },
}

impl Popularity {
    /// How many keys there are.
    pub const fn keys(&self) -> u64 {
        match *self {
            Self::Zipf { n, .. } | Self::HotSet { n, .. } | Self::Scan { n } => n,
        }
    }

    /// The same law over another number of keys.
    pub fn resized(self, keys: u64) -> Self {
        match self {
            Self::Zipf { s, .. } => Self::Zipf { n: keys, s },
            Self::HotSet { n, hot, share } => {
                let hot = (keys as f64 * hot as f64 / n.max(1) as f64).round() as u64;
                Self::HotSet { n: keys, hot: hot.clamp(1, keys.max(1)), share }
            }
            Self::Scan { .. } => Self::Scan { n: keys },
        }
    }

    /// Groups of keys alike: how many, and the probability of each. A scan counts as uniform.
    fn groups(&self) -> Vec<(f64, f64)> {
        match *self {
            Self::Scan { n } => vec![(n as f64, 1.0 / n.max(1) as f64)],
            Self::HotSet { n, hot, share } if hot < n => {
                vec![(hot as f64, share / hot.max(1) as f64), ((n - hot) as f64, (1.0 - share) / (n - hot) as f64)]
            }
            Self::HotSet { n, .. } => vec![(n as f64, 1.0 / n.max(1) as f64)],
            Self::Zipf { n, s } => {
                let mut groups: Vec<(f64, f64)> =
                    (1..=n.min(RANKS_EXACT)).map(|rank| (1.0, (rank as f64).powf(-s))).collect();
                let mut from = RANKS_EXACT + 1;
                while from <= n {
                    let to = (from + (from as f64 * GROUP_WIDTH) as u64).min(n);
                    let count = (to - from + 1) as f64;
                    // The sum over the group is the integral over it, to some millionths.
                    groups.push((count, integral(from as f64 - 0.5, to as f64 + 0.5, s) / count));
                    from = to + 1;
                }
                let sum: f64 = groups.iter().map(|(count, weight)| count * weight).sum();
                groups.iter_mut().for_each(|group| group.1 /= sum);
                groups
            }
        }
    }

    /// How many different keys that many draws meet, on average.
    pub fn distinct(&self, draws: u64) -> f64 {
        if let Self::Scan { n } = *self {
            return draws.min(n) as f64;
        }
        let draws = draws as f64;
        self.groups().iter().map(|&(count, p)| count * -(draws * (-p).ln_1p()).exp_m1()).sum()
    }

    /// The highest hit ratio that any cache reaches on average over `draws` draws, after `before` others that it has
    /// seen: what is asked for the first time cannot be there.
    pub fn ceiling(&self, before: u64, draws: u64) -> f64 {
        let new = self.distinct(before + draws) - self.distinct(before);
        (1.0 - new / draws.max(1) as f64).clamp(0.0, 1.0)
    }

    /// The hit ratio of a cache of `capacity` entries that lets the least recently used one go, by the approximation
    /// of Che, Tung and Wang ("Hierarchical Web Caching Systems", 2002): a key is there if it was asked for within
    /// the time t in which `capacity` different keys are; Σ(1 − e^(−pₖt)) = capacity.
    pub fn lru_hit_ratio(&self, capacity: u64) -> f64 {
        if capacity >= self.keys() {
            return 1.0;
        }
        if matches!(self, Self::Scan { .. }) {
            // Each key goes just before it comes again.
            return 0.0;
        }
        let groups = self.groups();
        let held = |t: f64| -> f64 { groups.iter().map(|&(count, p)| count * -(-p * t).exp_m1()).sum() };
        let mut high = capacity as f64;
        while held(high) < capacity as f64 {
            high *= 2.0;
        }
        let t = solve_increasing(0.0, high, capacity as f64, held);
        groups.iter().map(|&(count, p)| count * p * -(-p * t).exp_m1()).sum()
    }

    /// The capacity whose [`Self::lru_hit_ratio`] is that; none for a ratio that is no share.
    pub fn lru_capacity(&self, hit_ratio: f64) -> Option<u64> {
        if !(0.0..=1.0).contains(&hit_ratio) || matches!(self, Self::Scan { .. }) {
            return None;
        }
        let (mut low, mut high) = (1, self.keys().max(1));
        while low < high {
            let middle = low + (high - low) / 2;
            if self.lru_hit_ratio(middle) < hit_ratio { low = middle + 1 } else { high = middle }
        }
        Some(low)
    }

    /// The hit ratio of a cache without bound whose entries live for `ttl` seconds from their fetch, at Poisson arrivals
    /// of `rate` a second: a key of rate λ is fetched once in ttl + 1/λ, and asked for λ·ttl times in between.
    pub fn ttl_hit_ratio(&self, rate: f64, ttl: f64) -> f64 {
        let of = |&(count, p): &(f64, f64)| {
            let asked = rate * p * ttl;
            count * p * asked / (1.0 + asked)
        };
        self.groups().iter().map(of).sum()
    }
}

/// ∫ x^-s dx
fn integral(from: f64, to: f64, s: f64) -> f64 {
    if (s - 1.0).abs() < 1e-9 {
        return (to / from).ln();
    }
    (to.powf(1.0 - s) - from.powf(1.0 - s)) / (1.0 - s)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_the_whole_and_near_the_single_keys() {
        for law in [
            Popularity::Zipf { n: 50_000, s: 0.99 },
            Popularity::Zipf { n: 50_000, s: 1.0 },
            Popularity::Zipf { n: 7, s: 0.0 },
            Popularity::HotSet { n: 1_000, hot: 200, share: 0.8 },
            Popularity::Scan { n: 9 },
        ] {
            let groups = law.groups();
            let (keys, sum) = groups.iter().fold((0.0, 0.0), |sum, (count, p)| (sum.0 + count, sum.1 + count * p));
            assert!((keys - law.keys() as f64).abs() < 1e-6 && (sum - 1.0).abs() < 1e-9, "{law:?}");
        }
        let weights: Vec<f64> = (1..=50_000).map(|rank| f64::from(rank).powf(-0.99)).collect();
        let sum: f64 = weights.iter().sum();
        let exact: f64 = weights.iter().map(|weight| 1.0 - (1.0 - weight / sum).powi(20_000)).sum();
        let law = Popularity::Zipf { n: 50_000, s: 0.99 };
        assert!((law.distinct(20_000) / exact - 1.0).abs() < 1e-5);
    }

    #[test]
    fn ceilings_are_those_of_compulsory_misses() {
        // Simulated beforehand: zipf(1000, 0.99) after 100, 500, 1000 and 5000 requests.
        let law = Popularity::Zipf { n: 1_000, s: 0.99 };
        for (draws, ratio) in [(100, 0.36), (500, 0.57), (1_000, 0.66), (5_000, 0.85)] {
            assert!((law.ceiling(0, draws) - ratio).abs() < 0.01, "{draws}: {}", law.ceiling(0, draws));
        }
        let scan = Popularity::Scan { n: 100 };
        assert_eq!((scan.ceiling(0, 100), scan.ceiling(100, 50), scan.ceiling(0, 400)), (0.0, 1.0, 0.75));
        assert_eq!(scan.lru_hit_ratio(99), 0.0);
    }

    #[test]
    fn the_approximation_of_che_is_as_published_runs_of_it_are() {
        // An LRU of a tenth of the keys, simulated beforehand.
        for (n, ratio) in [(1_000, 0.566), (10_000, 0.664)] {
            let law = Popularity::Zipf { n, s: 0.99 };
            let found = law.lru_hit_ratio(n / 10);
            assert!((found - ratio).abs() < 0.003, "{n}: {found}");
            let capacity = law.lru_capacity(found).expect("a share");
            assert!(capacity.abs_diff(n / 10) <= 1, "{capacity}");
        }
        let one = Popularity::Zipf { n: 1, s: 0.0 };
        assert!((one.ttl_hit_ratio(2.0, 3.0) - 6.0 / 7.0).abs() < 1e-12);
    }
}
