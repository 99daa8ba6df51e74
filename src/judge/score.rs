//! A score: points less deductions, by a rule that is printed with it. It is a judgement, never a measurement.

use serde::{Deserialize, Serialize};

use super::{NotDone, NotDoneKind, SloResult, Unit, Validity, Verdict};

/// How points are taken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// The points that there are to have.
    pub max: f64,
    /// Points for an SLO of which a condition failed.
    pub failed: f64,
    /// For one that could not be judged.
    pub inconclusive: f64,
    /// For one whose phase was never run.
    pub not_run: f64,
    /// For one that the script left out.
    pub skipped: f64,
    /// Points that the author takes, each with the reason.
    pub deductions: Vec<(f64, String)>,
}

impl Score {
    /// With the usual rule: a tenth of the points for each SLO that failed or was not run, half of that for one that
    /// could not be judged or was left out.
    pub fn new(max: f64) -> Self {
        let (failed, doubtful) = (max / 10.0, max / 20.0);
        Self { max, failed, inconclusive: doubtful, not_run: failed, skipped: doubtful, deductions: Vec::new() }
    }

    /// The rule in words.
    pub fn rule(&self) -> String {
        let points = |points: f64| Unit::Any.text(points);
        format!(
            "{} points; each SLO takes {} if it failed, {} if it is inconclusive, {} if it was not run, {} if it was \
             skipped; the author's deductions take what they say; never below 0",
            points(self.max),
            points(self.failed),
            points(self.inconclusive),
            points(self.not_run),
            points(self.skipped),
        )
    }
}

/// A score with what it is made of.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScoreResult {
    /// The points left; null where the run is INVALID, because its SLOs tell of the generator.
    pub value: Option<f64>,
    /// The points that there were.
    pub max: f64,
    /// Its rule in words.
    pub rule: String,
    /// What was taken.
    pub deductions: Vec<Deduction>,
}

/// Points that were taken.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Deduction {
    /// How many.
    pub points: f64,
    /// Why.
    pub reason: String,
    /// By an SLO's verdict; otherwise by the author's word.
    pub is_automatic: bool,
}

impl ScoreResult {
    /// `8.5 of 10`.
    pub fn text(&self) -> String {
        let max = Unit::Any.text(self.max);
        self.value.map_or_else(
            || format!("none of {max}: the run is INVALID"),
            |value| format!("{} of {max}", Unit::Any.text(value)),
        )
    }

    /// Each deduction, such as `-0.5 for …, by the author`.
    pub fn lines(&self) -> Vec<String> {
        let line = |it: &Deduction| {
            let by = if it.is_automatic { "" } else { ", by the author, not measured" };
            format!("-{} for {}{by}", Unit::Any.text(it.points), it.reason)
        };
        self.deductions.iter().map(line).collect()
    }
}

/// Applies the rule. An SLO counts once, by the worst of its conditions.
pub fn judge_score(score: &Score, slos: &[SloResult], skipped: &[NotDone], validity: Validity) -> ScoreResult {
    let mut deductions: Vec<Deduction> = Vec::new();
    let mut take = |points: f64, reason: String, is_automatic: bool| {
        if points > 0.0 {
            deductions.push(Deduction { points, reason, is_automatic });
        }
    };
    let mut names: Vec<&str> = slos.iter().map(|slo| slo.name.as_str()).collect();
    names.dedup();
    for name in names {
        let any = |verdict: Verdict| slos.iter().any(|slo| slo.name == name && slo.verdict == verdict);
        if any(Verdict::Fail) {
            take(score.failed, format!("SLO {name}: fail"), true);
        } else if any(Verdict::Inconclusive) {
            take(score.inconclusive, format!("SLO {name}: inconclusive"), true);
        } else if any(Verdict::NotRun) {
            take(score.not_run, format!("SLO {name}: not run"), true);
        }
    }
    for slo in skipped.iter().filter(|left| left.kind == NotDoneKind::Slo) {
        take(score.skipped, format!("SLO {}: skipped", slo.name), true);
    }
    for (points, reason) in &score.deductions {
        take(*points, reason.clone(), false);
    }
    let taken: f64 = deductions.iter().map(|it| it.points).sum();
    // To a thousandth: tenths do not add up in binary.
    let left = ((score.max - taken).max(0.0) * 1e3).round() / 1e3;
    ScoreResult {
        value: (validity != Validity::Invalid).then_some(left),
        max: score.max,
        rule: score.rule(),
        deductions,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slo(name: &str, verdict: Verdict) -> SloResult {
        SloResult::bare(name, verdict)
    }

    #[test]
    fn an_slo_counts_once_by_its_worst_condition() {
        let slos = [
            slo("a", Verdict::Pass),
            slo("a", Verdict::Fail),
            slo("a", Verdict::Fail),
            slo("b", Verdict::Inconclusive),
            slo("c", Verdict::Pass),
            slo("e", Verdict::NotRun),
        ];
        let left = |name: &str| NotDone { name: name.into(), kind: NotDoneKind::Slo, reason: String::new() };
        let score = Score { deductions: vec![(0.3, "no runbook".into())], ..Score::new(10.0) };
        let result = judge_score(&score, &slos, &[left("d")], Validity::Valid);
        assert_eq!(result.value, Some(10.0 - 1.0 - 0.5 - 1.0 - 0.5 - 0.3), "{result:?}");
        assert_eq!(result.lines().last().map(String::as_str), Some("-0.3 for no runbook, by the author, not measured"));
        assert_eq!(judge_score(&score, &slos, &[], Validity::Invalid).value, None);
    }

    #[test]
    fn a_phase_that_is_left_out_takes_nothing_by_itself_and_no_score_is_below_zero() {
        let phase = NotDone { name: "p".into(), kind: NotDoneKind::Phase, reason: String::new() };
        assert_eq!(judge_score(&Score::new(10.0), &[], &[phase], Validity::Valid).value, Some(10.0));
        let hard = Score { failed: 50.0, ..Score::new(10.0) };
        assert_eq!(judge_score(&hard, &[slo("a", Verdict::Fail)], &[], Validity::Valid).value, Some(0.0));
    }
}
