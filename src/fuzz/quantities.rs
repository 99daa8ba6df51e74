//! Durations, rates, sizes and conditions.

use std::time::Duration;

use crate::{
    clock::{format_nanos, format_size, parse_duration, parse_rate, parse_size},
    judge::{Condition, QUANTITIES, Quantity},
};

/// Takes the bytes as each quantity that a script may write as text.
///
/// Holds: what is read is exact, and is read alike in other words; a condition's own text is the condition.
pub fn quantities(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(span) = parse_duration(text) {
        assert_eq!(parse_duration(&format!("{}ns", span.as_nanos())), Ok(span));
        if let Some(more) =
            span.checked_add(Duration::from_secs(1)).filter(|more| u64::try_from(more.as_nanos()).is_ok())
        {
            assert_eq!(parse_duration(&format!("{text} 1s")), Ok(more));
        }
        if let Ok(nanos) = u64::try_from(span.as_nanos()) {
            let shown = format_nanos(nanos);
            let read = parse_duration(&shown).unwrap_or_else(|error| panic!("{shown}: {error}"));
            let off = read.as_secs_f64() - span.as_secs_f64();
            assert!(off.abs() <= span.as_secs_f64() * 0.02, "{nanos} ns is shown as {shown}");
        }
    }
    if let Ok(rate) = parse_rate(text) {
        assert!(rate.per > 0 && rate.as_per_second().is_finite());
        assert_eq!(parse_rate(&format!("{}/{}ns", rate.events, rate.per)), Ok(rate));
    }
    if let Ok(size) = parse_size(text) {
        assert_eq!(parse_size(&format!("{size} b")), Ok(size));
        let shown = format_size(size);
        let read = parse_size(&shown).unwrap_or_else(|error| panic!("{shown}: {error}"));
        assert!(read.abs_diff(size) as f64 <= size as f64 * 0.06, "{size} bytes are shown as {shown}");
    }
    let (name, right) = text.split_once('=').unwrap_or(("p95", text));
    let _ = Quantity::parse(name);
    for quantity in QUANTITIES.iter().chain([&"check:x", &"status:429"]) {
        let Ok(Some(quantity)) = Quantity::parse(quantity) else { panic!("{quantity} is listed") };
        for text in [text, right] {
            if let Ok(condition) = Condition::parse(quantity.clone(), text) {
                assert!(condition.value.is_finite() && condition.value >= 0.0, "{condition:?}");
                assert_eq!(Condition::parse(quantity.clone(), &condition.text).as_ref(), Ok(&condition));
            }
        }
    }
}
