//! The summary for programs.

use super::{Comparison, Summary};

/// The JSON Schema of the summary, draft 2020-12. Each run of the integration tests is held against it.
pub const SUMMARY_SCHEMA: &str = include_str!("../docs/summary.schema.json");

/// The summary as JSON, indented, without a newline at its end. Names are an interface: they are added to,
/// never changed.
pub fn json(summary: &Summary) -> String {
    // Plain data with text keys: writing it into memory cannot fail.
    serde_json::to_string_pretty(summary).unwrap_or_default()
}

/// Comparisons as JSON, in the same manner: an object with the list of them.
pub fn comparisons_json(comparisons: &[Comparison]) -> String {
    serde_json::to_string_pretty(&serde_json::json!({ "comparisons": comparisons })).unwrap_or_default()
}
