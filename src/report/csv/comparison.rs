//! The baseline's figures beside those of the run.

use crate::report::{Comparison, PhaseSummary, RowSummary};

/// What is compared of each row.
const QUANTITIES: [&str; 5] = ["p50", "p95", "p99", "errors", "rate"];
/// What is told of each.
const TOLD: [&str; 5] = ["baseline", "change", "change_low", "change_high", "verdict"];

/// The columns: times are in microseconds, errors shares, rates a second; changes are shares of what was, of errors
/// differences.
pub(super) fn columns() -> impl Iterator<Item = String> {
    QUANTITIES.iter().flat_map(|quantity| TOLD.iter().map(move |told| format!("{quantity}_{told}")))
}

/// The cells of a row; empty where the baseline has no such row, or the figure cannot be told.
pub(super) fn cells(baseline: &Comparison, phase: &PhaseSummary, row: &RowSummary) -> Vec<String> {
    let of_row = |quantity: &str| {
        baseline.figures.iter().find(|it| {
            it.quantity == quantity
                && it.phase == phase.name
                && it.kind == row.kind
                && it.name == row.name
                && it.class == row.class
        })
    };
    let number = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:.6}"));
    let mut cells = Vec::with_capacity(QUANTITIES.len() * TOLD.len());
    for quantity in QUANTITIES {
        match of_row(quantity) {
            Some(it) => {
                cells.extend([it.a, it.change, it.low, it.high].map(number));
                cells.push(it.verdict.word().to_owned());
            }
            None => cells.extend(std::iter::repeat_n(String::new(), TOLD.len())),
        }
    }
    cells
}
