//! What becomes of SLOs where phases were left out on purpose.

use super::{Slo, SloResult, Verdict, is_part_of};

/// Takes the verdict back where it would be about less than the SLO says. `results` has one entry for each condition of
/// each of `slos`, in their order.
///
/// An SLO about a phase that was left out was not run. One about a repeat of which some phases were left out may fail, but
/// not pass. One about the whole run is judged by what was run, unless that has nothing of what it is about.
pub fn take_back(slos: &[Slo], results: &mut [SloResult], left_out: &[&str]) {
    if left_out.is_empty() {
        return;
    }
    let owners = slos.iter().flat_map(|slo| slo.conditions.iter().map(move |_| slo));
    for (slo, result) in owners.zip(results) {
        let phase = slo.selector.phase.as_deref();
        let is_about = |name: &str| phase.is_some_and(|phase| name == phase || is_part_of(name, phase));
        let missing = left_out.iter().copied().find(|name| is_about(name));
        let nothing_found = result.verdict == Verdict::Fail && result.figure.is_none();
        let why = match missing {
            Some(name) if result.verdict != Verdict::Fail || nothing_found => {
                format!("the phase `{name}` was left out")
            }
            None if nothing_found && phase.is_none() => "what was run has nothing of it".to_owned(),
            _ => continue,
        };
        *result = SloResult {
            verdict: Verdict::NotRun,
            figure: None,
            samples: 0,
            needed: None,
            why: Some(why),
            ..result.clone()
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::{Condition, Figure, Op, Quantity, Selector, Unit};

    fn slo(phase: Option<&str>) -> Slo {
        let condition = Condition { quantity: Quantity::Errors, op: Op::Less, value: 0.01, text: "< 1%".to_owned() };
        Slo {
            name: "s".to_owned(),
            selector: Selector { phase: phase.map(ToOwned::to_owned), ..Selector::default() },
            conditions: vec![condition],
            abort: false,
            over: None,
        }
    }

    fn result(verdict: Verdict, found: bool) -> SloResult {
        let figure = Figure { value: Some(0.0), low: None, high: None, unit: Unit::Share, at_least: false };
        SloResult {
            name: "s".to_owned(),
            quantity: "errors".to_owned(),
            verdict,
            target: "errors < 1%".to_owned(),
            figure: found.then_some(figure),
            samples: 9,
            needed: None,
            why: None,
        }
    }

    #[test]
    fn a_verdict_needs_all_that_it_is_about() {
        use Verdict::{Fail, Inconclusive, NotRun, Pass};
        let left_out = ["size/100", "cache"];
        for (phase, verdict, found, becomes) in [
            (Some("cache"), Fail, false, NotRun),
            (Some("size"), Pass, true, NotRun),
            (Some("size"), Inconclusive, true, NotRun),
            (Some("size"), Fail, true, Fail),
            (Some("size/1000"), Pass, true, Pass),
            (Some("size/1000"), Fail, false, Fail),
            (None, Pass, true, Pass),
            (None, Fail, true, Fail),
            (None, Fail, false, NotRun),
        ] {
            let mut results = [result(verdict, found)];
            take_back(&[slo(phase)], &mut results, &left_out);
            assert_eq!(results[0].verdict, becomes, "{phase:?} {verdict:?} {found}");
            take_back(&[slo(phase)], &mut results, &[]);
        }
        let mut results = [result(Fail, false)];
        take_back(&[slo(Some("cache"))], &mut results, &[]);
        assert_eq!(results[0].verdict, Fail, "nothing was left out");
    }
}
