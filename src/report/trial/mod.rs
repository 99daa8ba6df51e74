//! What one iteration of each entry did: figures and texts for `loadr try`, for people and for programs.

mod body;
mod exchange;

use std::collections::BTreeMap;

pub use body::Body;
pub use exchange::{Headers, Observed, Timings, TrialRequest};
use serde::Serialize;

use crate::measure::PhaseFigures;

/// Takes secrets out of a text.
pub type Redact<'a> = &'a dyn Fn(&str) -> String;

/// Everything `loadr try` shows. The names are those of its JSON, which is an interface: additions only.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trial {
    /// The script's first doc comment.
    pub title: Option<String>,
    /// The seed of everything drawn.
    pub seed: u64,
    /// A hash of everything that shapes the traffic.
    pub plan_hash: String,
    /// The code the command ends with.
    pub exit_code: u8,
    /// What ran, in its order.
    pub steps: Vec<TrialStep>,
    /// Why the rest did not run.
    pub ended_early: Option<String>,
}

/// One closure or template that ran.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrialStep {
    /// `setup`, `on_start`, `request`, `flow`, `on_stop` or `teardown`.
    pub kind: &'static str,
    /// The row it is reported under; the kind again where it has none.
    pub name: String,
    /// The phase it ran for.
    pub phase: Option<String>,
    /// Whether everything went as the script expects.
    pub ok: bool,
    /// From its start to its end, in milliseconds.
    pub took_ms: f64,
    /// Requests, and texts of the script, in their order.
    pub acts: Vec<Act>,
    /// Checks.
    pub checks: Vec<TrialCheck>,
    /// Properties of the virtual user that it set or changed.
    pub saved: BTreeMap<String, serde_json::Value>,
    /// What `setup` gave.
    pub value: Option<serde_json::Value>,
    /// The script's own metrics.
    pub metrics: BTreeMap<String, f64>,
    /// Run-time errors of the script.
    pub script_errors: Vec<TrialError>,
    /// Why it failed where no request did, such as `vu.fail(reason)`.
    pub failures: Vec<String>,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "act", rename_all = "snake_case")]
pub enum Act {
    /// A request and what it got.
    Request(Box<TrialRequest>),
    /// `vu.log(text)` or `print(text)`.
    Log {
        /// What was said.
        text: String,
    },
}

/// A check and how often it passed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TrialCheck {
    /// Its name.
    pub name: String,
    /// How often it passed.
    pub passed: u64,
    /// How often it did not.
    pub failed: u64,
}

/// A run-time error of the script.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TrialError {
    /// `file:line:column`.
    pub place: String,
    /// What is wrong.
    pub message: String,
}

impl TrialStep {
    /// A step that has done nothing yet.
    pub fn new(kind: &'static str, name: &str, phase: Option<&str>) -> Self {
        Self {
            kind,
            name: name.to_owned(),
            phase: phase.map(ToOwned::to_owned),
            ok: true,
            took_ms: 0.0,
            acts: Vec::new(),
            checks: Vec::new(),
            saved: BTreeMap::new(),
            value: None,
            metrics: BTreeMap::new(),
            script_errors: Vec::new(),
            failures: Vec::new(),
        }
    }

    /// Takes over what was recorded meanwhile.
    pub fn record(&mut self, figures: &PhaseFigures, redact: Redact<'_>) {
        for (name, counts) in &figures.checks {
            self.checks.push(TrialCheck { name: redact(name), passed: counts.passed, failed: counts.failed });
        }
        for (place, message, _) in figures.script_errors.groups() {
            self.script_errors.push(TrialError { place: redact(place), message: redact(message) });
        }
        self.failures.extend(figures.failure_reasons.groups().map(|(_, reason, _)| redact(reason)));
        let custom = &figures.custom;
        self.metrics.extend(custom.counts.iter().map(|(name, n)| (redact(name), *n as f64)));
        self.metrics.extend(custom.gauges.iter().map(|(name, gauge)| (redact(name), gauge.last)));
        let timings = custom
            .timings
            .iter()
            .filter_map(|(name, timing)| Some((format!("{}_ms", redact(name)), timing.mean()? / 1e6)));
        self.metrics.extend(timings);
        self.ok = self.checks.iter().all(|check| check.failed == 0)
            && self.script_errors.is_empty()
            && self.failures.is_empty()
            && figures.iterations.not_ok() == 0
            && figures
                .series
                .values()
                .flat_map(|series| series.failures.values())
                .all(|failure| failure.response.is_empty());
    }
}
