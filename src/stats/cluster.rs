//! What it costs that samples near each other are alike.
//!
//! Requests of the same second meet the same queue, so a thousand of them say less than a thousand
//! independent ones: the interval for a p99 that assumes independence covers the truth in 58 % of runs against
//! a half-loaded single server, not in 95 %. Cutting time into blocks shows it: the share of samples below
//! the quantile then differs more between blocks than chance allows.

use super::special::{normal_z, student_t};

/// Fewer blocks say nothing of their spread.
const BLOCKS_MIN: usize = 8;
/// Neighbouring blocks are joined as long as that many remain, to catch dependence longer than a block.
const JOINED_MIN: usize = 16;

/// By how much to widen an interval that assumes independence, at least 1: `blocks` are (hits, samples) of
/// consecutive stretches of time. None with fewer than eight blocks.
///
/// This is √deff·t/z, where deff is the variance of a ratio over clusters relative to the binomial one (Cochran,
/// Sampling Techniques, 9A; for quantiles the idea is Woodruff's of 1952), and t takes account of how few blocks there
/// are. Of the block lengths 1, 2, 4 … the one that shows the largest effect counts.
///
/// Held against [`block_bootstrap`](super::block_bootstrap) by simulation, intervals widened so cover more often at
/// every load of a queue, by being about a fifth wider: see `benches/README.md`.
pub fn design_effect(blocks: &[(u64, u64)], confidence: f64) -> Option<f64> {
    let mut blocks: Vec<(u64, u64)> = blocks.iter().copied().filter(|&(_, n)| n > 0).collect();
    let mut widest = widening(&blocks, confidence)?;
    while blocks.len() >= 2 * JOINED_MIN {
        blocks = blocks.chunks(2).map(|pair| pair.iter().fold((0, 0), |sum, b| (sum.0 + b.0, sum.1 + b.1))).collect();
        widest = widening(&blocks, confidence).map_or(widest, |wide| wide.max(widest));
    }
    Some(widest)
}

fn widening(blocks: &[(u64, u64)], confidence: f64) -> Option<f64> {
    if blocks.len() < BLOCKS_MIN {
        return None;
    }
    let count = blocks.len() as f64;
    let (hits, n) = blocks.iter().fold((0, 0), |sum, block| (sum.0 + block.0, sum.1 + block.1));
    let (share, n) = (hits as f64 / n as f64, n as f64);
    let binomial = share * (1.0 - share) * n;
    if binomial <= 0.0 {
        return Some(1.0);
    }
    let clustered: f64 = blocks.iter().map(|&(hits, n)| (hits as f64 - share * n as f64).powi(2)).sum();
    let effect = clustered * count / (count - 1.0) / binomial;
    let few_blocks = student_t(confidence, count - 1.0) / normal_z(confidence);
    Some((effect.sqrt() * few_blocks).max(1.0))
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_xoshiro::Xoshiro256PlusPlus;

    use super::*;
    use crate::stats::quantile_ranks;

    #[test]
    fn equal_blocks_widen_nothing_and_unequal_ones_do() {
        assert_eq!(design_effect(&[(99, 100); 60], 0.95), Some(1.0));
        assert_eq!(design_effect(&[(100, 100); 60], 0.95), Some(1.0));
        assert_eq!(design_effect(&[(99, 100); 7], 0.95), None);
        // One second of sixty was slow as a whole.
        let mut stalled = [(100, 100); 60];
        stalled[20] = (0, 100);
        assert!(design_effect(&stalled, 0.95).is_some_and(|wide| wide > 9.0));
    }

    /// Response times of a server that takes 5 ms for each of Poisson arrivals at 100/s (half loaded), with
    /// the second each ended in, by Lindley's recursion.
    fn half_loaded(rng: &mut Xoshiro256PlusPlus, seconds: f64) -> Vec<(f64, f64)> {
        let (mut now, mut free_at) = (0.0f64, 0.0f64);
        let mut samples = Vec::new();
        loop {
            now -= (1.0 - rng.random::<f64>()).ln() / 100.0;
            if now > seconds {
                return samples;
            }
            free_at = free_at.max(now) + 0.005;
            samples.push((free_at, free_at - now));
        }
    }

    #[test]
    fn intervals_of_queueing_times_cover_the_truth() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(7);
        let mut long: Vec<f64> = half_loaded(&mut rng, 200_000.0).into_iter().map(|(_, response)| response).collect();
        long.sort_unstable_by(f64::total_cmp);
        let truth = long[long.len() * 99 / 100];
        let (mut covered, mut covered_naively) = (0, 0);
        let runs = 400;
        for _ in 0..runs {
            let samples = half_loaded(&mut rng, 60.0);
            let mut sorted: Vec<f64> = samples.iter().map(|&(_, response)| response).collect();
            sorted.sort_unstable_by(f64::total_cmp);
            let n = sorted.len() as u64;
            let estimate = sorted[(n * 99).div_ceil(100) as usize - 1];
            let mut blocks = vec![(0, 0); 62];
            for (end, response) in samples {
                let block = &mut blocks[end as usize];
                block.0 += u64::from(response <= estimate);
                block.1 += 1;
            }
            let widen = design_effect(&blocks, 0.95).expect("sixty blocks");
            let covers = |widen| {
                let ranks = quantile_ranks(n, 990_000, 0.95, widen);
                ranks.low.is_none_or(|low| sorted[low as usize - 1] <= truth)
                    && ranks.high.is_none_or(|high| truth <= sorted[high as usize - 1])
            };
            covered += u32::from(covers(widen));
            covered_naively += u32::from(covers(1.0));
        }
        // Independent samples are what they are not: the naive interval fails, and by how much is known.
        assert!(covered_naively * 100 < 75 * runs, "{covered_naively} of {runs}");
        assert!(covered * 100 >= 88 * runs, "{covered} of {runs}");
    }
}
