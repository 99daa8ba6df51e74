//! Two ways of doing the same, measured side by side in blocks.

use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::{
    bootstrap::at_nearest_rank,
    difference::Estimate,
    special::{beta_reg, student_t},
};

/// Resamples of an interval.
const RESAMPLES: usize = 2_000;
/// Fewer blocks say nothing of their spread.
const BLOCKS_MIN: usize = 8;

/// A block: both ways over the same things, within a short time. Histograms of (value, count), ascending.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PairedBlock {
    /// What the other is held against.
    pub base: Vec<(u64, u64)>,
    /// The other way.
    pub other: Vec<(u64, u64)>,
}

/// A quantile of one way against that of the other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Contrast {
    /// `base` ÷ `other`: how many times faster the other is.
    pub ratio: Estimate,
    /// `base` − `other`.
    pub difference: Estimate,
}

/// The quantile of all of `base` against that of all of `other`, with intervals from resampling whole blocks: what
/// drifts from block to block moves both ways alike, and cancels out. None with fewer than eight blocks that have both.
///
/// The percentile bootstrap, at a confidence that makes up for the few blocks (Hesterberg, "What Teachers Should Know
/// About the Bootstrap", 2015, section 3: tails of Φ(−√(n/(n−1))·t)).
pub fn paired_quantiles(blocks: &[PairedBlock], ppm: u32, confidence: f64, seed: u64) -> Option<Contrast> {
    let blocks: Vec<&PairedBlock> =
        blocks.iter().filter(|block| !block.base.is_empty() && !block.other.is_empty()).collect();
    if blocks.len() < BLOCKS_MIN {
        return None;
    }
    let base = Arm::new(blocks.iter().map(|block| block.base.as_slice()));
    let other = Arm::new(blocks.iter().map(|block| block.other.as_slice()));
    let contrast = |chosen: &[usize]| {
        let (base, other) = (base.quantile(chosen, ppm), other.quantile(chosen, ppm));
        (base / other.max(f64::MIN_POSITIVE), base - other)
    };
    let all: Vec<usize> = (0..blocks.len()).collect();
    let (ratio, difference) = contrast(&all);
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let (mut ratios, mut differences) = (Vec::with_capacity(RESAMPLES), Vec::with_capacity(RESAMPLES));
    let mut chosen = all;
    for _ in 0..RESAMPLES {
        chosen.iter_mut().for_each(|block| *block = rng.random_range(0..blocks.len()));
        let (ratio, difference) = contrast(&chosen);
        ratios.push(ratio);
        differences.push(difference);
    }
    let tail = expanded_tail(blocks.len() as f64, confidence);
    Some(Contrast { ratio: interval(ratio, ratios, tail), difference: interval(difference, differences, tail) })
}

/// A figure of blocks with an interval from resampling them, as [`paired_quantiles`] does: `of` gives it of the blocks
/// with these numbers. None with fewer than eight blocks, or where resamples give no figure.
pub fn resampled(blocks: usize, confidence: f64, seed: u64, of: impl Fn(&[usize]) -> Option<f64>) -> Option<Estimate> {
    if blocks < BLOCKS_MIN {
        return None;
    }
    let mut chosen: Vec<usize> = (0..blocks).collect();
    let value = of(&chosen)?;
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut values = Vec::with_capacity(RESAMPLES);
    for _ in 0..RESAMPLES {
        chosen.iter_mut().for_each(|block| *block = rng.random_range(0..blocks));
        values.push(of(&chosen)?);
    }
    Some(interval(value, values, expanded_tail(blocks as f64, confidence)))
}

/// The share of resamples to leave out at each end.
fn expanded_tail(n: f64, confidence: f64) -> f64 {
    let z = (n / (n - 1.0)).sqrt() * student_t(confidence, n - 1.0);
    // The normal distribution as Student's t of very many degrees.
    let degrees = 1e8;
    beta_reg(degrees / 2.0, 0.5, degrees / (degrees + z * z)) / 2.0
}

fn interval(value: f64, mut resamples: Vec<f64>, tail: f64) -> Estimate {
    resamples.sort_unstable_by(f64::total_cmp);
    let cut = ((resamples.len() as f64 * tail) as usize).min(resamples.len().saturating_sub(1) / 2);
    let (low, high) = (resamples[cut], resamples[resamples.len() - 1 - cut]);
    Estimate { value, low: low.min(value), high: high.max(value) }
}

/// One way's blocks over a common grid of values.
struct Arm {
    grid: Vec<u64>,
    /// (place in the grid, count) of each block.
    blocks: Vec<Vec<(usize, u64)>>,
}

impl Arm {
    fn new<'a>(blocks: impl Iterator<Item = &'a [(u64, u64)]> + Clone) -> Self {
        let mut grid: Vec<u64> = blocks.clone().flatten().map(|&(value, _)| value).collect();
        grid.sort_unstable();
        grid.dedup();
        let place = |value: u64| grid.partition_point(|&known| known < value);
        let blocks = blocks.map(|block| block.iter().map(|&(value, n)| (place(value), n)).collect()).collect();
        Self { grid, blocks }
    }

    /// By nearest rank.
    fn quantile(&self, chosen: &[usize], ppm: u32) -> f64 {
        let mut counts = vec![0u64; self.grid.len()];
        for &block in chosen {
            for &(place, n) in &self.blocks[block] {
                counts[place] += n;
            }
        }
        at_nearest_rank(&counts, ppm).map_or(0.0, |at| self.grid[at] as f64)
    }
}

#[cfg(test)]
mod tests {
    use rand_distr::{Distribution, LogNormal};

    use super::*;

    /// 30 blocks of 20 pairs: log-normal times, the base `ratio` times as long, both longer by `drift` at the end, and
    /// each block's own luck, which both ways share.
    fn simulated(seed: u64, ratio: f64, sigma: f64, drift: f64) -> Vec<PairedBlock> {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        let (noise, luck) = (LogNormal::new(0.0, sigma).expect("valid"), LogNormal::new(0.0, 0.1).expect("valid"));
        let block = |at: usize| {
            let level = 2_000.0 * (1.0 + drift * at as f64 / 29.0) * luck.sample(&mut rng);
            let mut arm = |times: f64| {
                let mut values: Vec<(u64, u64)> =
                    (0..20).map(|_| ((level * times * noise.sample(&mut rng)) as u64, 1)).collect();
                values.sort_unstable();
                values.chunk_by(|a, b| a.0 == b.0).map(|same| (same[0].0, same.len() as u64)).collect()
            };
            PairedBlock { base: arm(ratio), other: arm(1.0) }
        };
        (0..30).map(block).collect()
    }

    fn covered(ratio: f64, drift: f64) -> usize {
        let covers = |seed: &u64| {
            let contrast = paired_quantiles(&simulated(*seed, ratio, 0.35, drift), 500_000, 0.95, *seed);
            contrast.is_some_and(|contrast| contrast.ratio.low <= ratio && ratio <= contrast.ratio.high)
        };
        (0..200).filter(covers).count()
    }

    #[test]
    fn a_known_ratio_is_within_its_interval_in_93_of_100_runs() {
        let still = covered(4.0, 0.0);
        assert!(still >= 186, "{still} of 200");
        assert!(still < 200, "intervals that are never wrong say nothing");
    }

    #[test]
    fn a_drift_of_a_fifth_changes_nothing() {
        let drifting = covered(4.0, 0.2);
        assert!(drifting >= 186, "{drifting} of 200");
    }

    #[test]
    fn intervals_are_narrow_enough_to_be_of_use() {
        let contrast = paired_quantiles(&simulated(1, 4.0, 0.35, 0.2), 500_000, 0.95, 1).expect("enough");
        assert!(contrast.ratio.low > 3.4 && contrast.ratio.high < 4.7, "{contrast:?}");
        assert!(contrast.difference.low > 5_000.0 && contrast.difference.high < 8_500.0, "{contrast:?}");
    }

    /// One reading of each, 0.59 ms and 0.49 ms, was once reported as "1.2 times faster". With readings that vary as
    /// such readings do, ten of each cannot say so.
    #[test]
    fn one_point_two_times_on_noisy_readings_is_no_speed_up() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(5);
        let noise = LogNormal::new(0.0, 0.8).expect("valid");
        let mut reading = |times: f64| vec![((500.0 * times * noise.sample(&mut rng)) as u64, 1)];
        let noisy: Vec<PairedBlock> =
            (0..10).map(|_| PairedBlock { base: reading(1.2), other: reading(1.0) }).collect();
        let contrast = paired_quantiles(&noisy, 500_000, 0.95, 1).expect("ten blocks");
        assert!(contrast.ratio.low < 1.0 && contrast.ratio.high > 1.0, "{contrast:?}");
        assert!(paired_quantiles(&noisy[..7], 500_000, 0.95, 1).is_none(), "seven blocks say nothing");
    }
}
