//! What processes use is not known on this system.

use crate::measure::Metric;

const WHY: &str = "what processes use is known on Linux only";

pub(super) fn of_families(_: &[i32]) -> Result<Vec<(Metric, f64)>, String> {
    Err(WHY.to_owned())
}

pub(super) fn named(_: &str) -> Vec<i32> {
    Vec::new()
}

pub(super) fn of_group(_: &str) -> Result<Vec<(Metric, f64)>, String> {
    Err(WHY.to_owned())
}

pub(super) fn check() -> Result<(), String> {
    Err(WHY.to_owned())
}
