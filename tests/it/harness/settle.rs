//! Tests that hold measured times against known ones, on machines that others use as well.

use super::program::Ended;

/// Runs of a test before what disturbs it counts as the test's own failure.
const TRIES: usize = 3;

/// What did not hold.
#[derive(Debug, Default)]
pub struct Checks(Vec<String>);

impl Checks {
    /// `actual` is within `tolerance` of `expected`.
    pub fn near(&mut self, what: &str, actual: f64, expected: f64, tolerance: f64) {
        self.holds((actual - expected).abs() <= tolerance, || {
            format!("{what} is {actual:.3}, expected {expected:.3} ± {tolerance:.3}")
        });
    }

    /// `actual` is from `low` to `high`.
    pub fn between(&mut self, what: &str, actual: f64, low: f64, high: f64) {
        self.holds((low..=high).contains(&actual), || format!("{what} is {actual:.3}, expected {low:.3} to {high:.3}"));
    }

    pub fn holds(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        if !holds {
            self.0.push(otherwise());
        }
    }
}

/// Runs a test of times. Where something does not hold it is run again, at most twice: on a busy machine the server is
/// disturbed too, of which a valid run knows nothing. What is wrong is so each time.
#[track_caller]
pub fn settle(test: impl Fn(&mut Checks) -> Ended) {
    for left in (0..TRIES).rev() {
        let mut checks = Checks::default();
        let ended = test(&mut checks);
        if checks.0.is_empty() {
            return;
        }
        assert!(left > 0, "{}\n{ended}", checks.0.join("\n"));
        eprintln!("once more: the run was {}, and {}", ended.figures().verdict(), checks.0.join("; "));
    }
}

impl Checks {
    /// Everything held.
    #[track_caller]
    pub fn assert(&self, ended: &Ended) {
        assert!(self.0.is_empty(), "{}\n{ended}", self.0.join("\n"));
    }
}
