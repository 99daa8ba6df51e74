//! Earlier runs that a run is held against.

use super::Place;

/// A smaller change is none, unless something else is asked for: a share of the baseline.
pub const MARGIN: f64 = 0.05;

/// `5%` as a share; none for what is no percentage from 0 to 1000.
pub fn parse_margin(text: &str) -> Option<f64> {
    let percent = text.trim().strip_suffix('%')?.trim().parse::<f64>().ok()?;
    (0.0..=1_000.0).contains(&percent).then_some(percent / 100.0)
}

/// What the script says of its baseline. It shapes no traffic, and is no part of the plan's hash.
#[derive(Debug, Clone, PartialEq)]
pub struct Baseline {
    /// Run files, and folders of them.
    pub files: Vec<String>,
    /// A smaller change is none, as a share.
    pub margin: f64,
    /// A regression fails the run.
    pub fail: bool,
    /// Where it was declared.
    pub at: Place,
}
