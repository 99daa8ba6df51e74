//! Durations, rates and sizes as values of the language: `250.ms`, `500.per_second`, `100.kb`.

use std::{cmp::Ordering, time::Duration};

use rhai::{Dynamic, Engine, EvalAltResult, FLOAT, INT, ImmutableString, Position};

use super::Fallible;
use crate::clock::{self, Nanos, Rate};

/// A duration of a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

/// A rate of a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace(pub Rate);

/// Registers the arithmetic of durations; their units are words.
pub(super) fn register(engine: &mut Engine) {
    arithmetic(engine);
    text(engine);
}

/// A unit of time as a property of numbers.
pub(super) fn duration_unit(engine: &mut Engine, name: &'static str, nanos: Nanos) {
    engine.register_get(name, move |number: &mut INT| whole_span(*number, nanos));
    engine.register_get(name, move |number: &mut FLOAT| decimal_span(*number, nanos as f64));
}

/// A rate as a property of numbers: so many in `per`.
pub(super) fn rate_unit(engine: &mut Engine, name: &'static str, per: Nanos) {
    engine.register_get(name, move |number: &mut INT| match u64::try_from(*number) {
        Ok(events) => Ok(Pace(Rate { events, per })),
        Err(_) => throw(format!("a rate of {number} is below 0")),
    });
    engine.register_get(name, move |number: &mut FLOAT| {
        Rate::from_decimal(*number, per).map(Pace).or_else(|error| throw(error.to_string()))
    });
}

/// A unit of size as a property of numbers.
pub(super) fn size_unit(engine: &mut Engine, name: &'static str, bytes: INT) {
    engine.register_get(name, move |number: &mut INT| {
        number
            .checked_mul(bytes)
            .filter(|size| *size >= 0)
            .map_or_else(|| throw(format!("{number}.{name} is not a size")), Ok)
    });
    engine.register_get(name, move |number: &mut FLOAT| {
        let size = *number * bytes as FLOAT;
        if (0.0..9e18).contains(&size) { Ok(size as INT) } else { throw(format!("{number}.{name} is not a size")) }
    });
}

fn arithmetic(engine: &mut Engine) {
    engine
        .register_fn("+", |a: Span, b: Span| checked(a.0.checked_add(b.0)))
        .register_fn("-", |a: Span, b: Span| checked(a.0.checked_sub(b.0)))
        .register_fn("*", |a: Span, b: INT| checked(u32::try_from(b).ok().and_then(|b| a.0.checked_mul(b))))
        .register_fn("*", |a: INT, b: Span| checked(u32::try_from(a).ok().and_then(|a| b.0.checked_mul(a))))
        .register_fn("*", |a: Span, b: FLOAT| decimal_span(b, a.0.as_nanos() as f64))
        .register_fn("*", |a: FLOAT, b: Span| decimal_span(a, b.0.as_nanos() as f64))
        .register_fn("/", |a: Span, b: INT| checked(u32::try_from(b).ok().and_then(|b| a.0.checked_div(b))))
        .register_fn("/", |a: Span, b: FLOAT| decimal_span(1.0 / b, a.0.as_nanos() as f64))
        .register_fn("/", |a: Span, b: Span| a.0.as_secs_f64() / b.0.as_secs_f64());
    for (operator, holds) in [
        ("==", Ordering::is_eq as fn(Ordering) -> bool),
        ("!=", Ordering::is_ne),
        ("<", Ordering::is_lt),
        ("<=", Ordering::is_le),
        (">", Ordering::is_gt),
        (">=", Ordering::is_ge),
    ] {
        engine.register_fn(operator, move |a: Span, b: Span| holds(a.cmp(&b)));
    }
    engine.register_fn("==", |a: Pace, b: Pace| a == b).register_fn("!=", |a: Pace, b: Pace| a != b);
}

fn text(engine: &mut Engine) {
    for name in ["to_string", "to_debug"] {
        engine
            .register_fn(name, |span: &mut Span| -> ImmutableString { clock::format_nanos(nanos(span.0)).into() })
            .register_fn(name, |pace: &mut Pace| -> ImmutableString { pace.0.to_string().into() });
    }
}

/// A duration in nanoseconds; a script cannot make one that does not fit.
pub(super) fn nanos(span: Duration) -> Nanos {
    Nanos::try_from(span.as_nanos()).unwrap_or(Nanos::MAX)
}

fn whole_span(number: INT, scale: Nanos) -> Fallible<Span> {
    match u64::try_from(number).ok().and_then(|number| number.checked_mul(scale)) {
        Some(nanos) => Ok(Span(Duration::from_nanos(nanos))),
        None => throw(format!("a duration of {number} is below 0 or too long")),
    }
}

fn decimal_span(number: FLOAT, scale: f64) -> Fallible<Span> {
    let nanos = (number * scale).round();
    if (0.0..=u64::MAX as f64).contains(&nanos) {
        Ok(Span(Duration::from_nanos(nanos as u64)))
    } else {
        throw(format!("a duration of {number} is below 0 or too long"))
    }
}

fn checked(span: Option<Duration>) -> Fallible<Span> {
    match span.filter(|span| span.as_nanos() <= u128::from(u64::MAX)) {
        Some(span) => Ok(Span(span)),
        None => throw("the duration is below 0 or too long".to_owned()),
    }
}

fn throw<T>(message: String) -> Fallible<T> {
    Err(EvalAltResult::ErrorRuntime(Dynamic::from(message), Position::NONE).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eval(script: &str) -> String {
        let mut engine = Engine::new();
        register(&mut engine);
        crate::script::words::register_exact(&mut engine);
        engine.eval::<Dynamic>(&format!("`${{{script}}}`")).map_or_else(|error| error.to_string(), |v| v.to_string())
    }

    #[test]
    fn units_are_properties_of_numbers() {
        for (script, shown) in [
            ("10.s", "10s"),
            ("1.5.s", "1.5s"),
            ("250.ms + 1.s", "1.25s"),
            ("2.h", "2h"),
            ("5.min / 2", "2m30s"),
            ("3 * 100.us", "300µs"),
            ("500.per_second", "500/s"),
            ("1.5.per_second", "15/10s"),
            ("100.per_minute", "100/min"),
            ("100.kb", "100000"),
            ("1.5.mib", "1572864"),
            ("1.s > 999.ms", "true"),
            ("1.s == 1000.ms", "true"),
            ("10.s / 4.s", "2.5"),
        ] {
            assert_eq!(eval(script), shown, "{script}");
        }
    }

    #[test]
    fn what_cannot_be_is_an_error_not_a_wrap() {
        for script in ["(-1).s", "9223372036854775807.h", "(-5).per_second", "1.s - 2.s", "1.s / 0", "1.s * -1"] {
            let message = eval(script);
            assert!(message.contains("below 0") || message.contains("too long"), "{script}: {message}");
        }
    }
}
