//! SLOs while the run goes on: those that may end it, and those that are judged over sliding windows.

use super::{Condition, Op, PhaseView, Quantity, Slo, SloResult, Verdict, evaluate};
use crate::{clock::SECOND, measure::PhaseFigures};

/// The confidence of a failure that ends a run. Looking once a second for an hour would find a failure at 95 %
/// in a run that has none.
const ABORT_CONFIDENCE: f64 = 0.9999;

/// Looks at the SLOs once a second.
#[derive(Debug)]
pub struct Watch {
    slos: Vec<Slo>,
    /// For each SLO over windows, each condition's worst result, and the second its window ended in.
    worst: Vec<Vec<(SloResult, u64)>>,
}

impl Watch {
    /// Watches these.
    pub fn new(slos: &[Slo]) -> Self {
        Self { slos: slos.to_vec(), worst: vec![Vec::new(); slos.len()] }
    }

    /// Looks at what is known at the end of second `second` (the first is 0), and says which failures that
    /// end the run have become certain. Cheap where no SLO asks for it.
    pub fn tick(&mut self, phases: &[PhaseView<'_>], second: u64) -> Vec<SloResult> {
        let mut certain = Vec::new();
        for (slo, worst) in self.slos.iter().zip(&mut self.worst) {
            if let Some(over) = slo.over {
                let seconds = over.div_ceil(SECOND).max(1);
                if second + 1 < seconds {
                    continue;
                }
                with_window(phases, second + 1 - seconds, second + 1, |views| {
                    keep_worst(worst, evaluate(slo, views, crate::stats::CONFIDENCE), second);
                    if slo.abort {
                        certain.extend(failures(evaluate(slo, views, ABORT_CONFIDENCE)));
                    }
                });
            } else if slo.abort {
                let results = evaluate(slo, phases, ABORT_CONFIDENCE);
                let sure = results.into_iter().zip(&slo.conditions).filter(|(_, c)| cannot_recover(c)).map(|(r, _)| r);
                certain.extend(failures(sure));
            }
        }
        certain
    }

    /// The final results, in the order of the SLOs and their conditions. One over windows gets its worst
    /// window's; if the run was shorter than a window, it is judged whole.
    pub fn finish(&self, phases: &[PhaseView<'_>], confidence: f64) -> Vec<SloResult> {
        let results = self.slos.iter().zip(&self.worst).map(|(slo, worst)| {
            if worst.is_empty() {
                return evaluate(slo, phases, confidence);
            }
            let seconds = slo.over.unwrap_or(SECOND).div_ceil(SECOND).max(1);
            let with_place = |(result, end): &(SloResult, u64)| {
                let mut result = result.clone();
                let place = format!("worst window: second {} to {}", (end + 1).saturating_sub(seconds), end + 1);
                result.why = Some(result.why.map_or(place.clone(), |why| format!("{place}; {why}")));
                result
            };
            worst.iter().map(with_place).collect()
        });
        results.flatten().collect()
    }
}

/// Failures that rest on samples: at the start of a run nothing has been selected yet, which proves nothing.
fn failures(results: impl IntoIterator<Item = SloResult>) -> impl Iterator<Item = SloResult> {
    results.into_iter().filter(|result| result.verdict == Verdict::Fail && result.figure.is_some())
}

/// Whether a failure so far is one of the whole run: a count that is too low may still grow.
fn cannot_recover(condition: &Condition) -> bool {
    match condition.quantity {
        // Pairs come late, and few at a time.
        Quantity::Rps | Quantity::Speedup(_) => false,
        Quantity::Count | Quantity::Status(_) | Quantity::Max => matches!(condition.op, Op::Less | Op::AtMost),
        Quantity::Custom(_) => matches!(condition.op, Op::Less | Op::AtMost),
        Quantity::Min => matches!(condition.op, Op::Greater | Op::AtLeast),
        _ => condition.op != Op::Equal || condition.value == 0.0 || condition.value == 1.0,
    }
}

/// The same phases, but only from second `from` to `to`, and only those in which something happened then.
fn with_window(phases: &[PhaseView<'_>], from: u64, to: u64, judge: impl FnOnce(&[PhaseView<'_>])) {
    let windows: Vec<(PhaseView<'_>, PhaseFigures)> = phases
        .iter()
        .filter_map(|phase| Some((*phase, phase.totals?.window(phase.index, from, to))))
        .filter(|(_, figures)| !figures.series.is_empty())
        .collect();
    let length = (to - from) * SECOND;
    let views: Vec<PhaseView<'_>> = windows
        .iter()
        .map(|(phase, figures)| PhaseView {
            duration: phase.duration.min(length),
            planned: None,
            figures,
            totals: None,
            ..*phase
        })
        .collect();
    if !views.is_empty() {
        judge(&views);
    }
}

fn keep_worst(worst: &mut Vec<(SloResult, u64)>, results: Vec<SloResult>, second: u64) {
    let badness = |result: &SloResult| match (result.verdict, result.figure.is_some()) {
        // A window without samples of the row says nothing of it.
        (_, false) => 0,
        (Verdict::NotRun, true) => 0,
        (Verdict::Pass, true) => 1,
        (Verdict::Inconclusive, true) => 2,
        (Verdict::Fail, true) => 3,
    };
    if worst.is_empty() {
        if results.iter().any(|result| badness(result) > 0) {
            *worst = results.into_iter().map(|result| (result, second)).collect();
        }
        return;
    }
    for (known, result) in worst.iter_mut().zip(results) {
        if badness(&result) > badness(&known.0) {
            *known = (result, second);
        }
    }
}

#[cfg(test)]
mod tests;
