//! Statistics: how far a figure can be trusted. Pure functions of numbers; nothing here knows of requests.
//!
//! Quantiles are given in parts per million (p99 is 990 000), ranks count from 1, confidence and proportions
//! are fractions of 1. Fixtures in the tests were computed with SciPy.

mod binomial;
mod cluster;
mod mean;
mod ranks;
mod sample_size;
mod share;
mod special;

pub use cluster::design_effect;
pub use mean::mean_interval;
pub use ranks::{Ranks, quantile_ranks};
pub use sample_size::{samples_to_bound, samples_to_separate, samples_to_show};
pub use share::{Interval, clopper_pearson, clopper_pearson_effective, wilson};

/// The confidence of every interval in a report.
pub const CONFIDENCE: f64 = 0.95;

/// One, in the unit quantiles are given in.
const PPM: u32 = 1_000_000;
