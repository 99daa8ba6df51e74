//! Figures with their unit: how a quantity is written, and how far it can be trusted.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Quantity, Statistic};
use crate::{
    clock::{MICROSECOND, Nanos, format_nanos},
    measure::Metric,
    protocol::status_text,
};

/// What a figure is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Microseconds.
    Us,
    /// A share of 1.
    Share,
    /// Events a second.
    PerSecond,
    /// A number of things.
    Count,
    /// How many times as much.
    Times,
    /// Bytes.
    Bytes,
    /// Bytes a second.
    BytesPerSecond,
    /// Bytes a minute.
    BytesPerMinute,
    /// Bytes for each request.
    BytesPerRequest,
    /// Whatever the script meant.
    Any,
}

/// A value with the ends of its interval. An end that the sample cannot bound is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Figure {
    /// The estimate; withheld where the sample cannot carry it.
    pub value: Option<f64>,
    /// Lower end of the 95 % interval, or the value itself where it is exact.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// The value is a lower bound: samples of that rank never answered.
    pub at_least: bool,
    /// What it is counted in.
    pub unit: Unit,
}

impl Figure {
    /// A figure that is counted, not estimated.
    pub const fn exact(value: f64, unit: Unit) -> Self {
        Self { value: Some(value), low: Some(value), high: Some(value), at_least: false, unit }
    }

    /// The value for people: `12.3ms`, `99.2%`, `≥ 30s`, or `–` where it is withheld.
    pub fn text(&self) -> String {
        match self.value {
            None => "–".to_owned(),
            Some(value) if self.at_least => format!("≥ {}", self.unit.text(value)),
            Some(value) => self.unit.text(value),
        }
    }

    /// The interval for people, such as `11.8ms…12.9ms`; empty where the figure is exact or nothing is known.
    pub fn interval_text(&self) -> String {
        match (self.low, self.high) {
            (Some(low), Some(high)) if low == high => String::new(),
            (Some(low), Some(high)) => format!("{}…{}", self.unit.text(low), self.unit.text(high)),
            (Some(low), None) => format!("≥ {}", self.unit.text(low)),
            (None, Some(high)) => format!("≤ {}", self.unit.text(high)),
            (None, None) => String::new(),
        }
    }
}

impl Unit {
    /// A value of this unit for people.
    pub fn text(self, value: f64) -> String {
        match self {
            // A duration is never negative; the cast saturates at 584 years.
            Self::Us => format_nanos((value * MICROSECOND as f64).round() as Nanos),
            Self::Share => percent_text(value),
            Self::Times => format!("{}×", number_text(value)),
            Self::PerSecond => format!("{}/s", number_text(value)),
            Self::Bytes => bytes_text(value),
            Self::BytesPerSecond => format!("{}/s", bytes_text(value)),
            Self::BytesPerMinute => format!("{}/min", bytes_text(value)),
            Self::BytesPerRequest => format!("{}/request", bytes_text(value)),
            Self::Count | Self::Any => number_text(value),
        }
    }
}

/// A share as a percentage that never rounds a miss up to 100 % or a hit down to 0 %.
fn percent_text(share: f64) -> String {
    let percent = share * 100.0;
    let decimals = match percent.min(100.0 - percent).abs() {
        0.0 => 0,
        near if near < 0.01 => 4,
        near if near < 1.0 => 2,
        _ => 1,
    };
    let text = format!("{percent:.decimals$}");
    if text.contains('.') {
        format!("{}%", text.trim_end_matches('0').trim_end_matches('.'))
    } else {
        format!("{text}%")
    }
}

/// A number with at most four significant digits, but with all of a whole one.
fn number_text(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() < 1e15 {
        return format!("{value:.0}");
    }
    let decimals = if value.abs() >= 1000.0 {
        0
    } else if value.abs() >= 100.0 {
        1
    } else {
        2
    };
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// Bytes in the unit that suits them: `52MB`, `-1.2kB`.
fn bytes_text(value: f64) -> String {
    let (divisor, unit) = match value.abs() {
        size if size >= 999.5e6 => (1e9, "GB"),
        size if size >= 999.5e3 => (1e6, "MB"),
        size if size >= 999.5 => (1e3, "kB"),
        _ => (1.0, "B"),
    };
    let scaled = value / divisor;
    let decimals = match scaled.abs() {
        size if size >= 100.0 || divisor == 1.0 => 0,
        size if size >= 10.0 => 1,
        _ => 2,
    };
    let text = format!("{scaled:.decimals$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{}{unit}", if text == "-0" { "0" } else { text })
}

/// `950 000` as `p95`, `999 000` as `p99.9`.
pub fn percent_word(ppm: u32) -> String {
    let (whole, rest) = (ppm / 10_000, ppm % 10_000);
    if rest == 0 { format!("p{whole}") } else { format!("p{whole}.{}", format!("{rest:04}").trim_end_matches('0')) }
}

impl fmt::Display for Quantity {
    /// As a script writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Response(ppm) => f.write_str(&percent_word(*ppm)),
            Self::Service(ppm) => write!(f, "service_{}", percent_word(*ppm)),
            Self::Ttfb(ppm) => write!(f, "ttfb_{}", percent_word(*ppm)),
            Self::Mean => f.write_str("mean"),
            Self::Min => f.write_str("min"),
            Self::Max => f.write_str("max"),
            Self::Errors => f.write_str("errors"),
            Self::Ok => f.write_str("ok"),
            Self::Rps => f.write_str("rps"),
            Self::Goodput => f.write_str("goodput"),
            Self::Count => f.write_str("count"),
            Self::Checks => f.write_str("checks"),
            Self::Check(name) => write!(f, "check:{name}"),
            Self::Status(status) => write!(f, "status:{}", status_text(*status)),
            Self::HitRatio => f.write_str("hit_ratio"),
            Self::Hit(ppm) => write!(f, "hit_{}", percent_word(*ppm)),
            Self::Miss(ppm) => write!(f, "miss_{}", percent_word(*ppm)),
            Self::Speedup(ppm) => write!(f, "speedup_{}", percent_word(*ppm)),
            Self::Watched(Metric::Value, statistic) => f.write_str(statistic.word()),
            Self::Watched(metric, Statistic::Avg) => f.write_str(metric.word()),
            Self::Watched(metric, statistic) => write!(f, "{}_{}", metric.word(), statistic.word()),
            Self::Custom(name) => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_written_as_a_script_writes_them() {
        for (quantity, word) in [
            (Quantity::Response(950_000), "p95"),
            (Quantity::Response(999_000), "p99.9"),
            (Quantity::Service(999_900), "service_p99.99"),
            (Quantity::Check("has id".into()), "check:has id"),
        ] {
            assert_eq!(quantity.to_string(), word);
            assert_eq!(Quantity::parse(word), Ok(Some(quantity)), "{word}");
        }
    }

    #[test]
    fn shares_never_round_to_all_or_nothing() {
        for (share, text) in [
            (0.0, "0%"),
            (1.0, "100%"),
            (0.999_99, "99.999%"),
            (0.000_03, "0.003%"),
            (0.256, "25.6%"),
            (0.9987, "99.87%"),
        ] {
            assert_eq!(Unit::Share.text(share), text);
        }
    }

    #[test]
    fn figures_say_what_they_do_not_know() {
        let mut figure =
            Figure { value: Some(12_300.0), low: Some(11_000.0), high: None, at_least: false, unit: Unit::Us };
        assert_eq!((figure.text(), figure.interval_text()), ("12.3ms".to_owned(), "≥ 11ms".to_owned()));
        figure.at_least = true;
        assert_eq!(figure.text(), "≥ 12.3ms");
        figure.value = None;
        assert_eq!(figure.text(), "–");
        assert_eq!(Figure::exact(1_234.0, Unit::Count).interval_text(), "");
    }
}
