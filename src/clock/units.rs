//! Durations, rates and sizes as a script writes them: parsed with their unit, exact, and printed back in
//! the same words.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use super::{MICROSECOND, MILLISECOND, Nanos, SECOND};

/// Why a text is not a quantity. The message fits after "failed to parse …: ".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseUnitError(String);

impl fmt::Display for ParseUnitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ParseUnitError {}

fn error(message: impl Into<String>) -> ParseUnitError {
    ParseUnitError(message.into())
}

const DURATION_UNITS: &[(&str, Nanos)] = &[
    ("ns", 1),
    ("us", MICROSECOND),
    ("µs", MICROSECOND),
    ("ms", MILLISECOND),
    ("s", SECOND),
    ("m", 60 * SECOND),
    ("min", 60 * SECOND),
    ("h", 3_600 * SECOND),
    ("d", 86_400 * SECOND),
];

/// Reads `"250ms"`, `"1m30s"`, `"1.5s"`, `"2 min"`.
///
/// # Errors
/// A number without unit, an unknown unit, a negative or empty text, or more than 584 years.
pub fn parse_duration(text: &str) -> Result<Duration, ParseUnitError> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(error("a duration needs a number and a unit, such as \"250ms\" or \"1m30s\""));
    }
    let too_long = || error(format!("`{text}` is longer than a run can be"));
    let mut total: u128 = 0;
    while !rest.is_empty() {
        let (number, after) = split_number(rest)
            .ok_or_else(|| error(format!("`{text}` is not a duration; write \"250ms\", \"10s\" or \"1m30s\"")))?;
        let after = after.trim_start();
        let unit_len = after.find(|c: char| !c.is_alphabetic()).unwrap_or(after.len());
        let unit = &after[..unit_len];
        if unit.is_empty() {
            return Err(error(format!("`{text}` has no unit; write \"{number}s\" or \"{number}ms\"")));
        }
        let Some(&(_, scale)) = DURATION_UNITS.iter().find(|(name, _)| *name == unit) else {
            return Err(error(format!("`{unit}` is not a unit of time; known: ns, us, ms, s, m, min, h, d")));
        };
        let (mantissa, decimals) = decimal(number)?;
        let part = mantissa.checked_mul(u128::from(scale)).ok_or_else(too_long)? / 10u128.pow(decimals);
        total = total.checked_add(part).ok_or_else(too_long)?;
        rest = after[unit_len..].trim_start();
    }
    let nanos = u64::try_from(total).map_err(|_| too_long())?;
    Ok(Duration::from_nanos(nanos))
}

/// A rate as an exact rational: `events` in every `per` nanoseconds. Never rounded to an interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Rate {
    /// How many events.
    pub events: u64,
    /// In how many nanoseconds; never 0.
    pub per: Nanos,
}

impl Rate {
    /// `events` a second.
    pub const fn per_second(events: u64) -> Self {
        Self { events, per: SECOND }
    }

    /// Events a second, for display and for statistics; pacing uses the rational itself.
    pub fn as_per_second(self) -> f64 {
        self.events as f64 * SECOND as f64 / self.per as f64
    }

    /// A rate of a decimal number of events per `per`, exact to the ninth decimal.
    ///
    /// # Errors
    /// Negative, not finite, or too large to be exact.
    pub fn from_decimal(events: f64, per: Nanos) -> Result<Self, ParseUnitError> {
        if !events.is_finite() || events < 0.0 {
            return Err(error(format!("a rate must be a number of at least 0, not {events}")));
        }
        let (mantissa, decimals) = decimal(&format!("{events}"))?;
        let scaled_per = u128::from(per) * 10u128.pow(decimals);
        match (u64::try_from(mantissa), u64::try_from(scaled_per)) {
            (Ok(events), Ok(per)) => Ok(Self { events, per }),
            _ => Err(error(format!("a rate of {events} is too fine or too large to be exact"))),
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.per == SECOND {
            write!(f, "{}/s", self.events)
        } else if self.per == 60 * SECOND {
            write!(f, "{}/min", self.events)
        } else if self.per == 3_600 * SECOND {
            write!(f, "{}/h", self.events)
        } else {
            write!(f, "{}/{}", self.events, format_nanos(self.per))
        }
    }
}

/// Reads `"500/s"`, `"500/300s"`, `"100/min"`, `"1.5/s"`.
///
/// # Errors
/// No `/`, an unknown unit, a period of zero, or a number that cannot be kept exactly.
pub fn parse_rate(text: &str) -> Result<Rate, ParseUnitError> {
    let (events, per) = text
        .split_once('/')
        .ok_or_else(|| error(format!("`{text}` is not a rate; write \"500/s\" or \"500/300s\"")))?;
    let per = per.trim();
    let per = if per.starts_with(|c: char| c.is_ascii_digit()) { per.to_owned() } else { format!("1{per}") };
    let per = u64::try_from(parse_duration(&per)?.as_nanos()).map_err(|_| error("the period is too long"))?;
    if per == 0 {
        return Err(error(format!("`{text}` has a period of zero")));
    }
    let (mantissa, decimals) = decimal(events.trim())?;
    let scaled = u128::from(per) * 10u128.pow(decimals);
    match (u64::try_from(mantissa), u64::try_from(scaled)) {
        (Ok(events), Ok(per)) => Ok(Rate { events, per }),
        _ => Err(error(format!("`{text}` is too fine or too large to be exact"))),
    }
}

const SIZE_UNITS: &[(&str, u64)] = &[
    ("b", 1),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
];

/// Reads `"100kB"`, `"10 MiB"`, `"512B"`; upper and lower case are equal.
///
/// # Errors
/// A number without unit, an unknown unit, or more than 2^64 bytes.
pub fn parse_size(text: &str) -> Result<u64, ParseUnitError> {
    let (number, unit) = split_number(text.trim())
        .ok_or_else(|| error(format!("`{text}` is not a size; write \"100kB\" or \"10MiB\"")))?;
    let unit = unit.trim().to_ascii_lowercase();
    let Some(&(_, scale)) = SIZE_UNITS.iter().find(|(name, _)| *name == unit) else {
        return Err(error(format!("`{text}` has no known unit; known: B, kB, MB, GB, KiB, MiB, GiB")));
    };
    let (mantissa, decimals) = decimal(number)?;
    u64::try_from(mantissa * u128::from(scale) / 10u128.pow(decimals))
        .map_err(|_| error(format!("`{text}` is more than 2^64 bytes")))
}

/// Splits `"12.5ms"` into `"12.5"` and `"ms"`.
fn split_number(text: &str) -> Option<(&str, &str)> {
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '_')).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

/// `"12.5"` as `(125, 1)`: the digits, and how many of them are decimals (at most nine).
fn decimal(number: &str) -> Result<(u128, u32), ParseUnitError> {
    let clean = number.replace('_', "");
    let (whole, fraction) = clean.split_once('.').unwrap_or((&clean, ""));
    let fraction = fraction.trim_end_matches('0');
    let digits = format!("{whole}{fraction}");
    if fraction.len() > 9 || digits.len() > 28 || digits.is_empty() {
        return Err(error(format!("`{number}` has too many digits to be exact")));
    }
    let mantissa = digits.parse().map_err(|_| error(format!("`{number}` is not a number")))?;
    Ok((mantissa, fraction.len() as u32))
}

/// A span in the unit that reads best, with three significant digits at most: `850µs`, `12.3ms`, `1.25s`, `2m05s`.
pub fn format_nanos(nanos: Nanos) -> String {
    let scaled = |unit: Nanos, name: &str| {
        let value = nanos as f64 / unit as f64;
        let decimals = if value >= 99.95 {
            0
        } else if value >= 9.995 {
            1
        } else {
            2
        };
        let text = format!("{value:.decimals$}");
        let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
        format!("{text}{name}")
    };
    match nanos {
        0 => "0s".to_owned(),
        n if n < MICROSECOND => format!("{n}ns"),
        // The boundaries are where rounding would print 1000 of the smaller unit.
        n if n < 999_500 => scaled(MICROSECOND, "µs"),
        n if n < 999_500_000 => scaled(MILLISECOND, "ms"),
        n if n < 60 * SECOND => scaled(SECOND, "s"),
        n if n < 3_600 * SECOND => {
            let seconds = n / SECOND;
            match seconds % 60 {
                0 => format!("{}m", seconds / 60),
                rest => format!("{}m{rest:02}s", seconds / 60),
            }
        }
        n => {
            let minutes = n / (60 * SECOND);
            match minutes % 60 {
                0 => format!("{}h", minutes / 60),
                rest => format!("{}h{rest:02}m", minutes / 60),
            }
        }
    }
}

/// A size in the decimal unit that reads best: `512B`, `1.5kB`, `20MB`.
pub fn format_size(bytes: u64) -> String {
    let (scale, name) = match bytes {
        0..1_000 => return format!("{bytes}B"),
        1_000..1_000_000 => (1e3, "kB"),
        1_000_000..1_000_000_000 => (1e6, "MB"),
        _ => (1e9, "GB"),
    };
    let text = format!("{:.1}", bytes as f64 / scale);
    format!("{}{name}", text.trim_end_matches(".0"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_read_with_their_unit() {
        for (text, nanos) in [
            ("250ms", 250_000_000),
            ("1m30s", 90 * SECOND),
            ("1.5s", 1_500_000_000),
            ("2 min", 120 * SECOND),
            ("800us", 800_000),
            ("1h 5m", 3_900 * SECOND),
            ("0s", 0),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_nanos(nanos)), "{text}");
        }
        let beyond_128_bits = "9999999999999999999999999999d";
        for text in ["", "10", "ms", "-1s", "5 parsecs", "1e3s", "..s", "600y", "300000d", beyond_128_bits] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
        assert_eq!(parse_duration("10").unwrap_err().to_string(), "`10` has no unit; write \"10s\" or \"10ms\"");
    }

    #[test]
    fn rates_stay_rational() {
        assert_eq!(parse_rate("500/300s"), Ok(Rate { events: 500, per: 300 * SECOND }));
        assert_eq!(parse_rate("1.5/s"), Ok(Rate { events: 15, per: 10 * SECOND }));
        assert_eq!(parse_rate("100/min").map(|r| r.to_string()), Ok("100/min".to_owned()));
        assert_eq!(Rate::from_decimal(0.1, SECOND), Ok(Rate { events: 1, per: 10 * SECOND }));
        assert!(parse_rate("500").is_err());
        assert!(parse_rate("5/0s").is_err());
        assert!(Rate::from_decimal(f64::NAN, SECOND).is_err());
    }

    #[test]
    fn sizes_know_decimal_and_binary_units() {
        assert_eq!(parse_size("100kB"), Ok(100_000));
        assert_eq!(parse_size("10 MiB"), Ok(10 << 20));
        assert_eq!(parse_size("512B"), Ok(512));
        assert!(parse_size("12").is_err());
    }

    #[test]
    fn spans_print_in_the_unit_that_reads_best() {
        for (nanos, text) in [
            (0, "0s"),
            (999, "999ns"),
            (1_000, "1µs"),
            (850_400, "850µs"),
            (999_600, "1ms"),
            (12_340_000, "12.3ms"),
            (1_250_000_000, "1.25s"),
            (2_000_000_000, "2s"),
            (125 * SECOND, "2m05s"),
            (3_600 * SECOND, "1h"),
        ] {
            assert_eq!(format_nanos(nanos), text);
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_a_parser_panic(text in ".{0,24}") {
            let _ = (parse_duration(&text), parse_rate(&text), parse_size(&text));
        }

        #[test]
        fn whole_milliseconds_survive_the_text(ms in 0u64..10_000_000) {
            prop_assert_eq!(parse_duration(&format!("{ms}ms")).unwrap(), Duration::from_millis(ms));
        }
    }
}
