//! The script's own metrics: of a phase, and of the run.

use serde::Serialize;

use super::Latency;
use crate::measure::{Custom, Distribution};

/// One of the script's own metrics.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum CustomSummary {
    /// `count(name, n)`.
    Count {
        /// Its name.
        name: String,
        /// The sum.
        value: u64,
    },
    /// `gauge(name, v)`.
    Gauge {
        /// Its name.
        name: String,
        /// The latest value.
        last: f64,
        /// The lowest.
        min: f64,
        /// The highest.
        max: f64,
    },
    /// `timing(name, duration)`.
    Timing {
        /// Its name.
        name: String,
        /// The durations.
        us: Box<Latency>,
    },
}

impl CustomSummary {
    /// Its name.
    pub fn name(&self) -> &str {
        let (Self::Count { name, .. } | Self::Gauge { name, .. } | Self::Timing { name, .. }) = self;
        name
    }

    pub(super) fn name_mut(&mut self) -> &mut String {
        let (Self::Count { name, .. } | Self::Gauge { name, .. } | Self::Timing { name, .. }) = self;
        name
    }
}

pub(super) fn custom_metrics(custom: &Custom) -> Vec<CustomSummary> {
    let none = Distribution::default();
    let name = |name: &str| name.to_owned();
    let counts = custom.counts.iter().map(|(n, &value)| CustomSummary::Count { name: name(n), value });
    let gauges = custom.gauges.iter().map(|(n, gauge)| CustomSummary::Gauge {
        name: name(n),
        last: gauge.last,
        min: gauge.min,
        max: gauge.max,
    });
    let timings = custom.timings.iter().map(|(n, timing)| CustomSummary::Timing {
        name: name(n),
        us: Box::new(Latency::estimate(timing, &none, &[])),
    });
    counts.chain(gauges).chain(timings).collect()
}
