//! The lines of a run file: one JSON object each, named by its only key.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Active, End, Manifest, Reading, Timing};
use crate::{
    clock::Nanos,
    measure::{Example, Excerpt, Exemplar, Kind, Observation},
    protocol::Negotiated,
};

/// A line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Line {
    /// The first: what ran.
    Manifest(Box<Manifest>),
    /// A second of a phase.
    Phase(Box<PhaseLine>),
    /// A second of one of its rows.
    Series(Box<SeriesLine>),
    /// All lines of the seconds up to this one have been written.
    Tick(Tick),
    /// A phase is over.
    Ended(Timing),
    /// The last.
    End(Box<End>),
}

/// The end of a second.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Tick {
    /// Which second of the run; the first is 0.
    pub second: u64,
    /// Phases under way.
    pub active: Vec<Active>,
    /// How often a name or class found no place, so far.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub names_turned_away: u64,
    /// The longest that a worker's heartbeat came late, so far.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub clock_gap_max: Nanos,
    /// How often one came late, so far.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub clock_gaps: u64,
    /// What was seen beside the traffic since the last tick.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub observations: Vec<Observation>,
    /// What counters beside the traffic said of phases, so far.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub readings: Vec<Reading>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct PhaseLine {
    pub(super) second: u64,
    pub(super) phase: u16,
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) offered: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) deals: Vec<u64>,
    /// ok, failed, timeout, expired, dropped, interrupted.
    #[serde(skip_serializing_if = "is_default")]
    pub(super) iterations: [u64; 6],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) lateness: Option<Dist>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) backlog: Option<Dist>,
    /// Name to passed, failed.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) checks: BTreeMap<String, [u64; 2]>,
    /// The first exchange with which each failed.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) check_examples: BTreeMap<String, Excerpt>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) counts: BTreeMap<String, u64>,
    /// Name to last, its time, lowest, highest.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) gauges: BTreeMap<String, (Number, Nanos, Number, Number)>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) timings: BTreeMap<String, Dist>,
    /// Name, block, both ways.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) pairs: Vec<(String, u64, Dist, Dist)>,
    /// Opened, reused.
    #[serde(skip_serializing_if = "is_default")]
    pub(super) connections: [u64; 2],
    /// What was agreed on, and for how many connections.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) negotiated: Vec<(Negotiated, u64)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) connect: Option<Dist>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tls: Option<Dist>,
    #[serde(skip_serializing_if = "is_default")]
    pub(super) script_errors: Messages,
    #[serde(skip_serializing_if = "is_default")]
    pub(super) failure_reasons: Messages,
    /// The most in flight, users at work, arrivals queued.
    #[serde(skip_serializing_if = "is_default")]
    pub(super) peaks: [u64; 3],
    /// The generator's own CPU, in thousandths of the cores it may use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cpu: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct SeriesLine {
    pub(super) second: u64,
    pub(super) phase: u16,
    pub(super) kind: Kind,
    pub(super) name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) class: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) response: Option<Dist>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) service: Option<Dist>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ttfb: Option<Dist>,
    /// By the word of the kind.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) failures: BTreeMap<String, FailureLine>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) status: BTreeMap<u16, u64>,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) bytes_sent: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) bytes_received: u64,
    /// Exchanges that are kept whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) exemplars: Vec<Exemplar>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct FailureLine {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) response: Option<Dist>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) service: Option<Dist>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) examples: Vec<String>,
}

/// Durations: their exact figures in nanoseconds, and the histogram in microseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Dist {
    pub(super) count: u64,
    pub(super) min: Nanos,
    pub(super) max: Nanos,
    pub(super) sum: u128,
    /// Longer than an hour.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) saturated: u64,
    pub(super) histogram: String,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Messages {
    /// Place, message, count.
    pub(super) groups: Vec<(String, String, u64)>,
    /// By index of the group.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) examples: BTreeMap<usize, Example>,
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) beyond: u64,
}

/// A number of the script's. JSON has none that are infinite: those are written as text.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Number {
    Finite(f64),
    Special(Special),
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) enum Special {
    #[serde(rename = "NaN")]
    NotANumber,
    #[serde(rename = "inf")]
    Infinite,
    #[serde(rename = "-inf")]
    NegativeInfinite,
}

impl From<f64> for Number {
    fn from(value: f64) -> Self {
        match value {
            _ if value.is_finite() => Self::Finite(value),
            _ if value.is_nan() => Self::Special(Special::NotANumber),
            f64::INFINITY => Self::Special(Special::Infinite),
            _ => Self::Special(Special::NegativeInfinite),
        }
    }
}

impl From<Number> for f64 {
    fn from(number: Number) -> Self {
        match number {
            Number::Finite(value) => value,
            Number::Special(Special::NotANumber) => f64::NAN,
            Number::Special(Special::Infinite) => f64::INFINITY,
            Number::Special(Special::NegativeInfinite) => f64::NEG_INFINITY,
        }
    }
}

pub(super) fn is_zero(n: &u64) -> bool {
    *n == 0
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
