//! Holding figures against an SLO.

use serde::Serialize;

use super::{
    Condition, Figure, Op, PhaseView, Quantity, Slo, Unit, custom,
    estimate::{self, Estimate},
    experiment,
    select::{self, Selected, did_you_mean},
};
use crate::{
    clock::{MICROSECOND, Nanos, SECOND},
    measure::{Block, CheckCounts, Distribution, FailureKind, PhaseFigures},
};

/// What a run says of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It holds, over the whole interval.
    Pass,
    /// It does not, over the whole interval; or there was nothing to judge.
    Fail,
    /// The sample is too small to say.
    Inconclusive,
    /// It is about a phase that was left out on purpose.
    NotRun,
}

impl Verdict {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Inconclusive => "inconclusive",
            Self::NotRun => "not run",
        }
    }
}

/// The verdict on one condition of an SLO.
#[derive(Debug, Clone, PartialEq)]
pub struct SloResult {
    /// The SLO's name.
    pub name: String,
    /// What was judged, such as `p95`.
    pub quantity: String,
    /// The verdict.
    pub verdict: Verdict,
    /// The condition as the script wrote it, such as `p95 < 10ms`.
    pub target: String,
    /// What was measured; none where there was nothing to judge.
    pub figure: Option<Figure>,
    /// Samples it rests on; 0 where it is counted and not estimated.
    pub samples: u64,
    /// Samples it would take to say more, where the verdict is inconclusive.
    pub needed: Option<u64>,
    /// What a reader must know: why it failed or could not be said.
    pub why: Option<String>,
}

#[cfg(test)]
impl SloResult {
    /// A verdict on a p95, and nothing more.
    pub(super) fn bare(name: &str, verdict: Verdict) -> Self {
        Self {
            name: name.into(),
            quantity: "p95".into(),
            verdict,
            target: String::new(),
            figure: None,
            samples: 0,
            needed: None,
            why: None,
        }
    }
}

/// Judges every condition of an SLO, one result each, in their order.
///
/// A condition passes if it holds at both ends of its interval, fails if at neither, and is inconclusive
/// otherwise. Exceptions: a counted figure has no interval; `==` and
/// a bound at 0 % or 100 % are about what was observed, because no finite sample proves the rest; a
/// percentile that the sample cannot carry never passes; an SLO that selects nothing fails.
pub fn evaluate(slo: &Slo, phases: &[PhaseView<'_>], confidence: f64) -> Vec<SloResult> {
    let selected = select::select(&slo.selector, phases);
    let judge = |condition: &Condition| {
        let mut result = SloResult {
            name: slo.name.clone(),
            quantity: condition.quantity.to_string(),
            verdict: Verdict::Fail,
            target: format!("{} {}", condition.quantity, condition.text),
            figure: None,
            samples: 0,
            needed: None,
            why: None,
        };
        let estimate = match &selected {
            Ok(selected) => estimate(slo, condition, selected, phases, confidence),
            Err(why) => Err(why.clone()),
        };
        match estimate {
            Err(why) => result.why = Some(why),
            Ok(estimate) => conclude(condition, &estimate, &mut result),
        }
        result
    };
    slo.conditions.iter().map(judge).collect()
}

fn conclude(condition: &Condition, estimate: &Estimate, result: &mut SloResult) {
    let figure = estimate.figure;
    let target = in_unit(condition, figure.unit);
    let holds = |value: f64| condition.op.holds(value, target);
    let at_the_end = figure.unit == Unit::Share && (target == 0.0 || target == 1.0);
    result.samples = estimate.n;
    result.verdict = if condition.op == Op::Equal || at_the_end {
        if figure.value.is_some_and(holds) { Verdict::Pass } else { Verdict::Fail }
    } else {
        let low = holds(figure.low.unwrap_or(0.0));
        let high = holds(figure.high.unwrap_or(f64::INFINITY));
        match (low, high) {
            (true, true) if figure.value.is_some() => Verdict::Pass,
            (false, false) => Verdict::Fail,
            _ => Verdict::Inconclusive,
        }
    };
    if result.verdict == Verdict::Inconclusive {
        // More than there are: the estimate of the need is rough, the verdict is not.
        result.needed = estimate.needed.map(|needed| needed.max(estimate.n + 1));
        result.why = Some(match result.needed {
            Some(needed) => format!("has {} of about {} samples it needs", estimate.n, rounded_up(needed)),
            None => "too close to the target to tell".to_owned(),
        });
    }
    result.figure = Some(figure);
}

/// To two significant digits: the need is an estimate.
fn rounded_up(n: u64) -> u64 {
    let step = 10u64.pow(n.max(1).ilog10().saturating_sub(1));
    n.div_ceil(step).saturating_mul(step)
}

/// The condition's value in a figure's unit: durations are compared in microseconds.
pub(super) fn in_unit(condition: &Condition, unit: Unit) -> f64 {
    if unit == Unit::Us { condition.value / MICROSECOND as f64 } else { condition.value }
}

fn estimate(
    slo: &Slo,
    condition: &Condition,
    selected: &Selected,
    phases: &[PhaseView<'_>],
    confidence: f64,
) -> Result<Estimate, String> {
    let limit = condition.value;
    match &condition.quantity {
        Quantity::Custom(name) => return custom::estimate(&selected.custom, name, limit, confidence),
        Quantity::Speedup(ppm) => {
            return experiment::estimate(slo.selector.experiment.as_deref(), phases, *ppm, confidence);
        }
        Quantity::Watched(..) => return Err("what is watched is judged at the end of the run".to_owned()),
        Quantity::Checks => return checks(selected, None, limit, confidence),
        Quantity::Check(name) => return checks(selected, Some(name), limit, confidence),
        _ if !selected.has_samples() => return Err(select::nothing_found(&slo.selector, phases)),
        _ => {}
    }
    let series = &selected.series;
    let offered = series.offered();
    if let Some(status) = slo.selector.status {
        return by_status(&condition.quantity, status, selected, limit, confidence);
    }
    Ok(match &condition.quantity {
        Quantity::Response(ppm) => {
            estimate::percentile(&series.ok.response, &series.censored(), &selected.blocks, *ppm, limit, confidence)
        }
        Quantity::Service(ppm) => {
            let sent = series.unanswered_service();
            estimate::percentile(&series.ok.service, &sent, &selected.blocks, *ppm, limit, confidence)
        }
        Quantity::Ttfb(ppm) => {
            let none = Distribution::default();
            estimate::percentile(&series.ok.ttfb, &none, &selected.blocks, *ppm, limit, confidence)
        }
        Quantity::Hit(ppm) => of_class(slo, "hit", *ppm, phases, limit, confidence)?,
        Quantity::Miss(ppm) => of_class(slo, "miss", *ppm, phases, limit, confidence)?,
        Quantity::Mean => estimate::mean(selected, limit, confidence),
        Quantity::Min => extreme(series.ok.response.min(), None)?,
        Quantity::Max => extreme(series.ok.response.max(), series.censored().max())?,
        Quantity::Errors => {
            let blocks = counts(selected, |block| block.failed);
            estimate::share(series.failed(), offered, &blocks, limit, confidence)
        }
        Quantity::Ok => {
            let blocks = counts(selected, |block| block.ok.count());
            estimate::share(series.ok_count(), offered, &blocks, limit, confidence)
        }
        Quantity::Goodput => {
            let objective = objective(slo);
            let blocks = counts(selected, |block| block.ok.count_at_most(objective));
            estimate::share(series.ok.response.count_at_most(objective), offered, &blocks, limit, confidence)
        }
        Quantity::HitRatio => selected.cache.ratio(&selected.hit_blocks, limit, confidence)?,
        Quantity::Rps => {
            let answered = series.ok_count() + series.count(FailureKind::Status);
            Estimate::exact(per_second(answered, selected.duration), Unit::PerSecond)
        }
        Quantity::Count => Estimate::exact(offered as f64, Unit::Count),
        Quantity::Status(status) => {
            Estimate::exact(series.status.get(status).copied().unwrap_or(0) as f64, Unit::Count)
        }
        Quantity::Checks | Quantity::Check(_) | Quantity::Custom(_) | Quantity::Speedup(_) | Quantity::Watched(..) => {
            unreachable!("answered above")
        }
    })
}

/// A percentile of the response time of one class of what the SLO selects.
fn of_class(
    slo: &Slo,
    class: &str,
    ppm: u32,
    phases: &[PhaseView<'_>],
    limit: f64,
    confidence: f64,
) -> Result<Estimate, String> {
    let selector = super::Selector { class: Some(class.to_owned()), ..slo.selector.clone() };
    let selected = select::select(&selector, phases)?;
    if !selected.has_samples() {
        return Err(select::nothing_found(&selector, phases));
    }
    let series = &selected.series;
    Ok(estimate::percentile(&series.ok.response, &series.censored(), &selected.blocks, ppm, limit, confidence))
}

fn by_status(
    quantity: &Quantity,
    status: u16,
    selected: &Selected,
    limit: f64,
    confidence: f64,
) -> Result<Estimate, String> {
    let of_status = selected.series.status.get(&status).copied().unwrap_or(0);
    Ok(match quantity {
        Quantity::Count => Estimate::exact(of_status as f64, Unit::Count),
        Quantity::Rps => Estimate::exact(per_second(of_status, selected.duration), Unit::PerSecond),
        Quantity::Ok => estimate::share(of_status, selected.series.offered(), &[], limit, confidence),
        _ => return Err("only `count`, `rps` and `ok` (its share) can be asked of a status".to_owned()),
    })
}

fn checks(selected: &Selected, name: Option<&str>, limit: f64, confidence: f64) -> Result<Estimate, String> {
    let chosen = selected.checks.iter().filter(|(known, _)| name.is_none_or(|name| name == known));
    let sum = chosen.fold(CheckCounts::default(), |sum, (_, counts)| CheckCounts {
        passed: sum.passed + counts.passed,
        failed: sum.failed + counts.failed,
    });
    let n = sum.passed + sum.failed;
    match name {
        _ if n > 0 => Ok(estimate::share(sum.passed, n, &[], limit, confidence)),
        None => Err("no check ran".to_owned()),
        Some(name) => {
            let known = selected.checks.iter().map(|(known, _)| known.as_str());
            Err(format!("no check `{name}` ran{}", did_you_mean(name, known)))
        }
    }
}

fn extreme(ok: Option<Nanos>, censored: Option<Nanos>) -> Result<Estimate, String> {
    let us = |nanos: Nanos| nanos as f64 / MICROSECOND as f64;
    let Some(longest) = ok.max(censored) else { return Err("no request was answered".to_owned()) };
    let mut estimate = Estimate::exact(us(longest), Unit::Us);
    if censored.is_some() {
        estimate.figure.high = None;
        estimate.figure.at_least = true;
    }
    Ok(estimate)
}

/// The strictest of the SLO's own bounds on the response time; without any, every answer is in time.
fn objective(slo: &Slo) -> Nanos {
    let bounds = slo.conditions.iter().filter(|c| {
        matches!(c.quantity, Quantity::Response(_) | Quantity::Max) && matches!(c.op, Op::Less | Op::AtMost)
    });
    bounds.map(|c| c.value as Nanos).min().unwrap_or(Nanos::MAX)
}

fn counts(selected: &Selected, hits: impl Fn(&Block) -> u64) -> Vec<(u64, u64)> {
    selected.blocks.iter().map(|block| (hits(block), block.ok.count() + block.failed)).collect()
}

fn per_second(count: u64, duration: Nanos) -> f64 {
    if duration == 0 { 0.0 } else { count as f64 * SECOND as f64 / duration as f64 }
}

/// Whether a condition holds now, of the figures of a window, by the estimate alone: for `ends_when`. False
/// where there is nothing to say it of.
pub fn holds_now(condition: &Condition, figures: &PhaseFigures, duration: Nanos) -> bool {
    let view =
        PhaseView { name: "", index: 0, open: false, warmup: false, duration, planned: None, figures, totals: None };
    let slo = Slo {
        name: String::new(),
        selector: super::Selector::default(),
        conditions: vec![condition.clone()],
        abort: false,
        over: None,
    };
    let results = evaluate(&slo, &[view], crate::stats::CONFIDENCE);
    let figure = results.first().and_then(|result| result.figure);
    figure.is_some_and(|figure| {
        // A percentile that is withheld from a report may still end a phase: by the middle of what is known.
        let value = figure.value.or(figure.low.and_then(|low| Some(f64::midpoint(low, figure.high?)))).or(figure.low);
        value.is_some_and(|value| condition.op.holds(value, in_unit(condition, figure.unit)))
    })
}

#[cfg(test)]
mod tests;
