//! Custom metrics in SLOs: `name`, or `name_p95`, `name_mean`, `name_min`, `name_max`, `name_last`, `name_count`.

use super::{
    Quantity, Unit,
    estimate::{Estimate, percentile},
    select::did_you_mean,
};
use crate::measure::{Custom, Distribution};

/// The figure a condition on the custom metric `wanted` asks for. `limit` is the condition's value; a timing's
/// is in nanoseconds.
///
/// # Errors
/// There is no such metric, or not that statistic of it.
pub(super) fn estimate(custom: &Custom, wanted: &str, limit: f64, confidence: f64) -> Result<Estimate, String> {
    let (name, statistic) = if custom.names().any(|name| name == wanted) {
        (wanted, None)
    } else {
        let split = wanted.rsplit_once('_').filter(|(name, _)| custom.names().any(|known| known == *name));
        let Some((name, statistic)) = split else {
            return Err(format!("the script never recorded `{wanted}`{}", did_you_mean(wanted, custom.names())));
        };
        (name, Some(statistic))
    };
    let unknown = |kind: &str, known: &str| Err(format!("`{name}` is a {kind}: ask for {known}"));
    if let Some(timing) = custom.timings.get(name) {
        let ns = |value: f64| Ok(Estimate::exact(value / 1e3, Unit::Us));
        return match statistic {
            Some("mean") => ns(timing.mean().unwrap_or_default()),
            Some("min") => ns(timing.min().unwrap_or_default() as f64),
            Some("max") => ns(timing.max().unwrap_or_default() as f64),
            Some("count") => Ok(Estimate::exact(timing.count() as f64, Unit::Count)),
            Some(word) => match Quantity::parse(word) {
                Ok(Some(Quantity::Response(ppm))) => {
                    Ok(percentile(timing, &Distribution::default(), &[], ppm, limit, confidence))
                }
                _ => unknown("timing", "`_p95` or another percentile, `_mean`, `_min`, `_max` or `_count`"),
            },
            None => unknown("timing", &format!("one of its figures, such as `{name}_p95` or `{name}_mean`")),
        };
    }
    if let Some(gauge) = custom.gauges.get(name) {
        let value = match statistic {
            None | Some("last") => gauge.last,
            Some("min") => gauge.min,
            Some("max") => gauge.max,
            Some(_) => return unknown("gauge", "`_last`, `_min` or `_max`"),
        };
        return Ok(Estimate::exact(value, Unit::Any));
    }
    match statistic {
        None | Some("count") => Ok(Estimate::exact(custom.counts.get(name).copied().unwrap_or(0) as f64, Unit::Count)),
        Some(_) => unknown("count", "its sum, by its name alone"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Gauge;

    fn metrics() -> Custom {
        let mut custom = Custom::default();
        custom.counts.insert("orders".into(), 7);
        custom.gauges.insert("queue_depth".into(), Gauge::new(3.0, 1));
        let mut timing = Distribution::default();
        (1..=200).for_each(|ms| timing.record(ms * 1_000_000));
        custom.timings.insert("render".into(), timing);
        custom
    }

    #[test]
    fn statistics_are_found_behind_the_name() {
        for (wanted, value) in [
            ("orders", 7.0),
            ("queue_depth", 3.0),
            ("queue_depth_max", 3.0),
            ("render_p95", 190_000.0),
            ("render_max", 200_000.0),
            ("render_count", 200.0),
        ] {
            let figure = estimate(&metrics(), wanted, 1e9, 0.95).map(|estimate| estimate.figure.value);
            let close = figure.as_ref().is_ok_and(|figure| figure.is_some_and(|f| (f - value).abs() <= value / 1e3));
            assert!(close, "{wanted}: {figure:?}");
        }
    }

    #[test]
    fn what_is_not_there_is_an_error_with_help() {
        for (wanted, message) in [
            ("order", "did you mean `orders`?"),
            ("render", "`render_p95`"),
            ("render_best", "`_mean`"),
            ("orders_p95", "by its name alone"),
        ] {
            let error = estimate(&metrics(), wanted, 1.0, 0.95).map(|_| ()).expect_err(wanted);
            assert!(error.contains(message), "{error}");
        }
    }
}
