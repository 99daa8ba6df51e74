//! The summary for programs.

use super::Summary;

/// The summary as JSON, indented, without a newline at its end. Names are an interface: they are added to,
/// never changed.
pub fn json(summary: &Summary) -> String {
    // Plain data with text keys: writing it into memory cannot fail.
    serde_json::to_string_pretty(summary).unwrap_or_default()
}
