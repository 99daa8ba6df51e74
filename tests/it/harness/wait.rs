//! Waiting for something to become true, never for time to pass.

use std::time::{Duration, Instant};

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// Waits until `is_true`.
///
/// # Panics
/// It is not within `limit`.
pub fn until(what: &str, limit: Duration, mut is_true: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_true() {
        assert!(start.elapsed() < limit, "waited {limit:?} for {what}");
        std::thread::park_timeout(LOOK_EVERY);
    }
}
