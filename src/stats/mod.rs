//! Statistics: how far a figure can be trusted. Pure functions of numbers; nothing here knows of requests.
//!
//! Quantiles are given in parts per million (p99 is 990 000), ranks count from 1, confidence and proportions
//! are fractions of 1. Fixtures in the tests were computed with SciPy, some by
//! `tests/data/statistics.py`; `benches/run coverage` shows how often the intervals are right.

mod binomial;
mod bootstrap;
mod change;
mod cluster;
mod difference;
#[cfg(test)]
mod fixtures;
mod mean;
mod mixture;
mod paired;
mod popularity;
mod predict;
mod ranks;
mod sample_size;
mod share;
mod special;
mod steady;
mod trend;
mod unmix;
mod welch;

pub use bootstrap::{alike_blocks, block_bootstrap};
pub use change::change_points;
pub use cluster::design_effect;
pub use difference::{Estimate, difference, ratio};
pub use mean::mean_interval;
pub use mixture::Mixture;
pub use paired::{Contrast, PairedBlock, paired_quantiles, resampled};
pub use popularity::Popularity;
pub use predict::prediction_interval;
pub use ranks::{Ranks, quantile_ranks};
pub use sample_size::{samples_to_bound, samples_to_separate, samples_to_show};
pub use share::{Interval, clopper_pearson, clopper_pearson_effective, wilson};
pub use steady::{Start, steady_start};
pub use trend::theil_sen;
pub use unmix::{misfit, separation, unmix};
pub use welch::mean_difference;

/// The confidence of every interval in a report.
pub const CONFIDENCE: f64 = 0.95;

/// One, in the unit quantiles are given in.
const PPM: u32 = 1_000_000;
