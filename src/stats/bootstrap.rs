//! The interval of a quantile by resampling stretches of time.

use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::PPM;

/// Resamples of an interval: its ends move by less than a twentieth of its width from one seed to another.
const RESAMPLES: usize = 1_000;
/// Fewer blocks say nothing of their spread.
const BLOCKS_MIN: usize = 8;

/// The percentile interval of the circular block bootstrap (Politis and Romano, 1992): `blocks` are histograms of
/// consecutive stretches of time, (value, count) ascending; each resample is made of runs of `joined` neighbours. None
/// with fewer than eight runs.
///
/// Reports do not use it: [`design_effect`](super::design_effect) covers as well or better, and costs a thousandth
/// (`benches/README.md` has the figures). It is what that is held against.
pub fn block_bootstrap(
    blocks: &[Vec<(u64, u64)>],
    ppm: u32,
    confidence: f64,
    joined: usize,
    seed: u64,
) -> Option<(u64, u64)> {
    let joined = joined.max(1);
    let draws = blocks.len().div_ceil(joined);
    if draws < BLOCKS_MIN {
        return None;
    }
    let mut grid: Vec<u64> = blocks.iter().flatten().map(|&(value, _)| value).collect();
    grid.sort_unstable();
    grid.dedup();
    let place = |value: u64| grid.partition_point(|&known| known < value);
    let placed: Vec<Vec<(usize, u64)>> =
        blocks.iter().map(|block| block.iter().map(|&(value, n)| (place(value), n)).collect()).collect();
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut quantiles = Vec::with_capacity(RESAMPLES);
    let mut counts = vec![0u64; grid.len()];
    for _ in 0..RESAMPLES {
        counts.fill(0);
        for _ in 0..draws {
            let start = rng.random_range(0..placed.len());
            for step in 0..joined {
                for &(at, n) in &placed[(start + step) % placed.len()] {
                    counts[at] += n;
                }
            }
        }
        quantiles.extend(at_nearest_rank(&counts, ppm).map(|at| grid[at]));
    }
    quantiles.sort_unstable();
    let tail = (1.0 - confidence) / 2.0;
    let cut = (quantiles.len() as f64 * tail) as usize;
    Some((*quantiles.get(cut)?, *quantiles.get(quantiles.len().checked_sub(cut + 1)?)?))
}

/// The place among ascending values, of which there are `counts`, where a quantile lies by nearest rank.
pub(super) fn at_nearest_rank(counts: &[u64], ppm: u32) -> Option<usize> {
    let total: u64 = counts.iter().sum();
    let rank = (u128::from(total) * u128::from(ppm)).div_ceil(u128::from(PPM)).max(1) as u64;
    let mut below = 0;
    counts.iter().position(|&n| {
        below += n;
        below >= rank
    })
}

/// How many blocks are alike: ten times the sum of the autocorrelations of `series` (a figure of each block) up to
/// the first that is not positive; at least 1.
pub fn alike_blocks(series: &[f64]) -> usize {
    let n = series.len();
    let mean = series.iter().sum::<f64>() / n.max(1) as f64;
    let at_lag =
        |lag: usize| -> f64 { series.iter().zip(&series[lag..]).map(|(a, b)| (a - mean) * (b - mean)).sum::<f64>() };
    if n < 3 || at_lag(0) <= 0.0 {
        return 1;
    }
    let sum: f64 = (1..n / 2).map(|lag| at_lag(lag) / at_lag(0)).take_while(|&rho| rho > 0.0).sum();
    ((10.0 * sum).round() as usize).clamp(1, n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_equal_blocks_every_resample_is_the_same() {
        let blocks = vec![vec![(10, 50), (20, 49), (30, 1)]; 20];
        assert_eq!(block_bootstrap(&blocks, 500_000, 0.95, 1, 7), Some((10, 10)));
        assert_eq!(block_bootstrap(&blocks, 990_000, 0.95, 2, 7), Some((20, 20)));
        assert_eq!(block_bootstrap(&blocks[..7], 990_000, 0.95, 1, 7), None);
        assert_eq!(block_bootstrap(&vec![Vec::new(); 9], 990_000, 0.95, 1, 7), None);
    }

    #[test]
    fn one_slow_block_reaches_the_upper_end() {
        let mut blocks = vec![vec![(10, 100)]; 20];
        blocks[4] = vec![(500, 100)];
        // It is in 64 % of the resamples, and in two copies in 26 %: a share of 5 % is passed by half of them.
        assert_eq!(block_bootstrap(&blocks, 950_000, 0.95, 1, 7), Some((10, 500)));
        assert_eq!(block_bootstrap(&blocks, 500_000, 0.95, 1, 7), Some((10, 10)));
    }

    #[test]
    fn what_lasts_is_alike() {
        let alternating: Vec<f64> = (0..60).map(|n| f64::from(n % 2)).collect();
        assert_eq!(alike_blocks(&alternating), 1);
        let slow: Vec<f64> = (0..60).map(|n| f64::from(n / 10 % 2)).collect();
        assert!(alike_blocks(&slow) > 10, "{}", alike_blocks(&slow));
        assert_eq!(alike_blocks(&[3.0; 40]), 1);
        assert_eq!(alike_blocks(&[]), 1);
    }
}
