//! Conditions as a script writes them: a quantity's name and a comparison with its unit.

use super::{Condition, Op, Quantity, Statistic};
use crate::{clock, measure::Metric, protocol::status_of};

/// The names of quantities that stand for themselves; beside them there are percentiles (`p99.9`,
/// `service_p95`, `ttfb_p50`), `check:NAME`, `status:429` and the script's own metrics.
pub const QUANTITIES: &[&str] = &[
    "p50",
    "p75",
    "p90",
    "p95",
    "p99",
    "p99.9",
    "mean",
    "min",
    "max",
    "service_p50",
    "service_p95",
    "service_p99",
    "ttfb_p50",
    "ttfb_p95",
    "ttfb_p99",
    "errors",
    "ok",
    "rps",
    "goodput",
    "count",
    "checks",
    "hit_ratio",
    "hit_p50",
    "hit_p95",
    "hit_p99",
    "miss_p50",
    "miss_p95",
    "miss_p99",
    "speedup_p50",
    "speedup_p95",
    "speedup_p99",
];

/// What a condition's right-hand side must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Duration,
    Share,
    Rate,
    Count,
    /// How many times as much.
    Times,
    /// Any number: the target knows what it counts.
    Number,
    /// Bytes.
    Size,
    /// Bytes a second.
    Throughput,
    /// Of how many cores: more than all of one is possible.
    Cores,
    /// A custom metric: the script knows what it counts.
    Any,
}

impl Quantity {
    /// The quantity of that name, if it is one of the engine's own.
    ///
    /// # Errors
    /// A percentile that is none, such as `p101`, or a status code that is none.
    pub fn parse(name: &str) -> Result<Option<Self>, String> {
        if let Some(check) = name.strip_prefix("check:") {
            return Ok(Some(Self::Check(check.to_owned())));
        }
        if let Some(status) = name.strip_prefix("status:") {
            return match (status.parse(), status_of(status)) {
                (Ok(status @ 100..=599), _) | (_, Some(status)) => Ok(Some(Self::Status(status))),
                _ => Err(format!("`{status}` is not a status code")),
            };
        }
        let percentiles = [
            ("service_p", Self::Service as fn(u32) -> Self),
            ("ttfb_p", Self::Ttfb),
            ("hit_p", Self::Hit),
            ("miss_p", Self::Miss),
            ("speedup_p", Self::Speedup),
            ("p", Self::Response),
        ];
        for (prefix, quantity) in percentiles {
            if let Some(percent) = name.strip_prefix(prefix)
                && percent.starts_with(|c: char| c.is_ascii_digit())
            {
                return percentile(percent).map(|ppm| Some(quantity(ppm)));
            }
        }
        Ok(Some(match name {
            "mean" => Self::Mean,
            "min" => Self::Min,
            "max" => Self::Max,
            "errors" => Self::Errors,
            "ok" => Self::Ok,
            "rps" => Self::Rps,
            "goodput" => Self::Goodput,
            "count" => Self::Count,
            "checks" => Self::Checks,
            "hit_ratio" => Self::HitRatio,
            _ => return Ok(None),
        }))
    }

    fn unit(&self) -> Unit {
        match self {
            Self::Response(_) | Self::Service(_) | Self::Ttfb(_) | Self::Hit(_) | Self::Miss(_) => Unit::Duration,
            Self::Mean | Self::Min | Self::Max => Unit::Duration,
            Self::Errors | Self::Ok | Self::Goodput | Self::Checks | Self::Check(_) | Self::HitRatio => Unit::Share,
            Self::Rps => Unit::Rate,
            Self::Speedup(_) => Unit::Times,
            Self::Count | Self::Status(_) => Unit::Count,
            Self::Watched(Metric::Cpu, Statistic::PerRequest) => Unit::Duration,
            Self::Watched(Metric::Cpu, _) => Unit::Cores,
            Self::Watched(Metric::Rss | Metric::Pss, _) | Self::Watched(_, Statistic::PerRequest) => Unit::Size,
            Self::Watched(metric, _) if metric.is_counter() => Unit::Throughput,
            Self::Watched(Metric::Value, _) => Unit::Number,
            Self::Watched(..) => Unit::Count,
            Self::Custom(_) => Unit::Any,
        }
    }
}

/// `"99.9"` as 999 000 parts per million.
fn percentile(percent: &str) -> Result<u32, String> {
    let wrong = || format!("`p{percent}` is not a percentile: write p50, p95 or p99.9");
    let (whole, fraction) = percent.split_once('.').unwrap_or((percent, ""));
    if fraction.len() > 4 || !(whole.bytes().chain(fraction.bytes())).all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    let digits: u32 = format!("{whole}{fraction:0<4}").parse().map_err(|_| wrong())?;
    if digits == 0 || digits >= 1_000_000 { Err(wrong()) } else { Ok(digits) }
}

impl Condition {
    /// Reads the right-hand side of a condition on `quantity`, such as `"< 10ms"`, `">= 99.9%"`, `"== 0"`.
    ///
    /// # Errors
    /// No comparison, a missing or unfitting unit, or no number.
    pub fn parse(quantity: Quantity, text: &str) -> Result<Self, String> {
        let trimmed = text.trim();
        let (op, rest) =
            [("<=", Op::AtMost), (">=", Op::AtLeast), ("==", Op::Equal), ("<", Op::Less), (">", Op::Greater)]
                .into_iter()
                .find_map(|(symbol, op)| Some((op, trimmed.strip_prefix(symbol)?.trim())))
                .ok_or_else(|| format!("`{text}` has no comparison: start with <, <=, >, >= or =="))?;
        let value = match quantity.unit() {
            Unit::Duration => duration(rest)?,
            Unit::Share => share(rest)?,
            Unit::Rate => rate(rest)?,
            Unit::Times => times(rest)?,
            Unit::Count => number(rest).ok_or_else(|| format!("`{rest}` is not a number"))?,
            Unit::Size => size(rest)?,
            Unit::Throughput => {
                let bytes = rest.strip_suffix("/s").ok_or_else(|| format!("`{rest}` has no unit: write \"5MB/s\""))?;
                size(bytes.trim())?
            }
            Unit::Cores => cores(rest)?,
            Unit::Number => rest
                .replace('_', "")
                .parse()
                .ok()
                .filter(|value: &f64| value.is_finite())
                .ok_or_else(|| format!("`{rest}` is not a number"))?,
            Unit::Any => number(rest)
                .or_else(|| share(rest).ok())
                .or_else(|| rate(rest).ok())
                .or_else(|| clock::parse_size(rest).ok().map(|bytes| bytes as f64))
                .map_or_else(|| duration(rest), Ok)?,
        };
        Ok(Self { quantity, op, value, text: format!("{} {rest}", op.symbol()) })
    }
}

fn number(text: &str) -> Option<f64> {
    let clean = text.replace('_', "");
    clean.parse().ok().filter(|value: &f64| value.is_finite() && *value >= 0.0)
}

fn times(text: &str) -> Result<f64, String> {
    let number_text = text.strip_suffix(['x', '×']).ok_or_else(|| {
        format!("`{text}` has no unit: how many times as much is written with an x, such as \"{text}x\"")
    })?;
    number(number_text.trim()).ok_or_else(|| format!("`{text}` is no multiple such as 5x"))
}

fn size(text: &str) -> Result<f64, String> {
    if number(text) == Some(0.0) {
        return Ok(0.0);
    }
    clock::parse_size(text).map(|bytes| bytes as f64).map_err(|error| error.to_string())
}

fn cores(text: &str) -> Result<f64, String> {
    let percent = text.strip_suffix('%').and_then(|percent| number(percent.trim()));
    percent
        .map(|percent| percent / 100.0)
        .ok_or_else(|| format!("`{text}` is no share of a core: write \"80%\", or \"250%\" of two and a half"))
}

fn duration(text: &str) -> Result<f64, String> {
    // Zero is zero in every unit.
    if number(text) == Some(0.0) {
        return Ok(0.0);
    }
    clock::parse_duration(text).map(|span| span.as_nanos() as f64).map_err(|error| error.to_string())
}

fn share(text: &str) -> Result<f64, String> {
    if number(text) == Some(0.0) {
        return Ok(0.0);
    }
    let percent = text
        .strip_suffix('%')
        .ok_or_else(|| format!("`{text}` has no unit: a share needs a percent sign, such as \"{text}%\""))?;
    match number(percent.trim()) {
        // By way of a whole number: 99.9 / 100 is not the float nearest to 0.999.
        Some(percent) if percent <= 100.0 => Ok((percent * 1e10).round() / 1e12),
        _ => Err(format!("`{text}` is not a share from 0% to 100%")),
    }
}

fn rate(text: &str) -> Result<f64, String> {
    if number(text).is_some() {
        return Err(format!("`{text}` has no unit: write \"{text}/s\""));
    }
    clock::parse_rate(text).map(clock::Rate::as_per_second).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(name: &str, text: &str) -> Result<(Op, f64), String> {
        let quantity = Quantity::parse(name)?.unwrap_or_else(|| Quantity::Custom(name.to_owned()));
        Condition::parse(quantity, text).map(|condition| (condition.op, condition.value))
    }

    #[test]
    fn a_condition_is_read_in_the_base_unit_of_its_quantity() {
        for (name, text, expected) in [
            ("p95", "< 10ms", (Op::Less, 1e7)),
            ("p99.9", "<=1.5s", (Op::AtMost, 1.5e9)),
            ("errors", "< 1%", (Op::Less, 0.01)),
            ("ok", ">= 99.9%", (Op::AtLeast, 0.999)),
            ("rps", "> 1000/s", (Op::Greater, 1000.0)),
            ("status:429", "== 0", (Op::Equal, 0.0)),
            ("errors", "== 0", (Op::Equal, 0.0)),
            ("stock", "< 5", (Op::Less, 5.0)),
            ("speedup_p50", "> 5x", (Op::Greater, 5.0)),
            ("hit_p95", "< 5ms", (Op::Less, 5e6)),
            ("cart_p95", "< 5ms", (Op::Less, 5e6)),
        ] {
            assert_eq!(parse(name, text), Ok(expected), "{name} {text}");
        }
    }

    #[test]
    fn a_missing_unit_or_comparison_is_an_error() {
        for (name, text, part) in [
            ("p95", "< 10", "has no unit"),
            ("errors", "< 1", "percent sign"),
            ("errors", "< 101%", "from 0% to 100%"),
            ("rps", "> 1000", "\"1000/s\""),
            ("p95", "10ms", "no comparison"),
            ("p101", "< 1ms", "not a percentile"),
            ("p0", "< 1ms", "not a percentile"),
            ("status:900", "== 0", "not a status code"),
            ("count", "> many", "not a number"),
            ("speedup_p50", "> 5", "\"5x\""),
        ] {
            let message = parse(name, text).expect_err(text);
            assert!(message.contains(part), "{name} {text}: {message}");
        }
    }

    #[test]
    fn a_percentile_is_exact_in_parts_per_million() {
        assert_eq!(Quantity::parse("p99.99"), Ok(Some(Quantity::Response(999_900))));
        assert_eq!(Quantity::parse("service_p5"), Ok(Some(Quantity::Service(50_000))));
        assert_eq!(Quantity::parse("ttfb_p50"), Ok(Some(Quantity::Ttfb(500_000))));
        assert_eq!(Quantity::parse("pool"), Ok(None));
    }

    #[test]
    fn every_listed_quantity_is_known() {
        for name in QUANTITIES {
            assert!(matches!(Quantity::parse(name), Ok(Some(_))), "{name}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(name in ".{0,12}", text in ".{0,16}") {
            let _ = parse(&name, &text);
        }
    }
}
