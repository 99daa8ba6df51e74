//! What an SLO asks for.

use serde::{Deserialize, Serialize};

use super::Statistic;
use crate::measure::Metric;

/// A row of the SLO table: every condition must hold for what the selector names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Slo {
    /// The row's name.
    pub name: String,
    /// What it is about; nothing named is everything.
    pub selector: Selector,
    /// What must hold; never empty.
    pub conditions: Vec<Condition>,
    /// The run ends as soon as a failure is certain.
    pub abort: bool,
    /// Judge sliding windows of this many nanoseconds instead of the whole phase.
    pub over: Option<u64>,
}

/// Narrows an SLO to a part of the run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selector {
    /// Only this phase.
    pub phase: Option<String>,
    /// Only this request.
    pub request: Option<String>,
    /// Only this flow's transactions.
    pub flow: Option<String>,
    /// Only this group of steps, nested ones as `outer/inner`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Only these messages of a WebSocket or an event stream, such as `chat: round trip`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Only responses of this class.
    pub class: Option<String>,
    /// Only responses with this status code.
    pub status: Option<u16>,
    /// Only what this cache experiment is judged by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experiment: Option<String>,
    /// Only what is watched beside the traffic under this name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monitor: Option<String>,
}

/// `quantity op value`, such as `p95 < 10ms`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Condition {
    /// The figure.
    pub quantity: Quantity,
    /// How it is compared.
    pub op: Op,
    /// With what, in the quantity's base unit: nanoseconds, a fraction of 1, events a second, or a count.
    pub value: f64,
    /// The condition's right-hand side as the script wrote it, such as `< 10ms`.
    pub text: String,
}

/// A figure an SLO can ask for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Quantity {
    /// A percentile of the response time, in parts per million: p95 is 950 000.
    Response(u32),
    /// A percentile of the service time, in parts per million.
    Service(u32),
    /// A percentile of the time to first byte, in parts per million.
    Ttfb(u32),
    /// Mean response time.
    Mean,
    /// Shortest response time.
    Min,
    /// Longest response time.
    Max,
    /// Share of offered requests that did not end ok.
    Errors,
    /// Share of offered requests that ended ok.
    Ok,
    /// Requests answered a second.
    Rps,
    /// Share of offered requests answered ok and within the SLO's own latency conditions.
    Goodput,
    /// Requests offered.
    Count,
    /// Share of checks that passed.
    Checks,
    /// Share of the named check's results that passed.
    Check(String),
    /// Number of responses with this status.
    Status(u16),
    /// Hits among look-ups.
    HitRatio,
    /// A percentile of the response time of class `hit`, in parts per million.
    Hit(u32),
    /// A percentile of the response time of class `miss`, in parts per million.
    Miss(u32),
    /// How many times longer a miss takes than a hit at a percentile, in parts per million, by an experiment's pairs.
    Speedup(u32),
    /// A figure of something watched beside the traffic.
    Watched(Metric, Statistic),
    /// A custom metric of the script's, with the statistic asked of it: `name` or `name_p95`.
    Custom(String),
}

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Op {
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
    /// `==`
    Equal,
    /// It has stopped moving: no comparison with a value, and of use in `ends_when` alone.
    Settles,
}

impl Op {
    /// Whether `left op right` holds.
    pub fn holds(self, left: f64, right: f64) -> bool {
        match self {
            Self::Less => left < right,
            Self::AtMost => left <= right,
            Self::Greater => left > right,
            Self::AtLeast => left >= right,
            Self::Equal => left == right,
            Self::Settles => false,
        }
    }

    /// The operator as a script writes it.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::Greater => ">",
            Self::AtLeast => ">=",
            Self::Equal => "==",
            Self::Settles => "settles",
        }
    }
}
