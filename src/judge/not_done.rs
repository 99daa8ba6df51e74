//! What has no verdict because it was not done: left out by the script, or never reached by the run. Neither
//! counts as passed.

use serde::{Deserialize, Serialize};

use super::{Condition, Experiment, Quantity, Slo, SloResult, Verdict, is_part_of};

/// What was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotDone {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: NotDoneKind,
    /// Why.
    pub reason: String,
}

/// What can be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotDoneKind {
    /// A phase.
    Phase,
    /// An SLO.
    Slo,
    /// A cache experiment.
    Experiment,
    /// Something of the author's: a group of tests, a check by hand.
    Category,
}

impl NotDoneKind {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Phase => "phase",
            Self::Slo => "SLO",
            Self::Experiment => "experiment",
            Self::Category => "category",
        }
    }
}

/// Takes the verdict of SLOs about phases that never began back, and lists them. `results` has one entry for each
/// condition of each of `slos`, in their order; `not_run` are the phases that never began, of `planned` ones. A speed-up is of
/// the pairs of its experiment, whatever phase the SLO names.
pub fn mark_not_run<'a>(
    slos: &[Slo],
    results: &mut [SloResult],
    experiments: &[Experiment],
    planned: impl Iterator<Item = &'a str> + Clone,
    not_run: &[NotDone],
) -> Vec<NotDone> {
    let mut left = Vec::new();
    let mut results = results.iter_mut();
    for slo in slos {
        let of = |about: &str| reason(about, planned.clone(), not_run);
        let whole = slo.selector.phase.as_deref().and_then(of);
        let of_experiment = |it: &&Experiment| slo.selector.experiment.as_deref() == Some(it.name.as_str());
        let pairs = experiments.iter().find(of_experiment).and_then(|it| of(it.pairs.as_deref()?));
        let is_of_pairs = |condition: &Condition| matches!(condition.quantity, Quantity::Speedup(_));
        // Conditions first: what they have no more of is not taken from the results.
        for (condition, result) in slo.conditions.iter().zip(results.by_ref()) {
            let own = pairs.as_ref().filter(|_| is_of_pairs(condition));
            let Some(why) = whole.as_ref().or(own) else { continue };
            (result.verdict, result.figure, result.samples, result.needed) = (Verdict::NotRun, None, 0, None);
            result.why = Some(why.clone());
        }
        if let Some(why) = whole.or(pairs.filter(|_| slo.conditions.iter().any(is_of_pairs))) {
            left.push(NotDone { name: slo.name.clone(), kind: NotDoneKind::Slo, reason: why });
        }
    }
    left
}

/// Why none of the phases that a selector names began; none if one did.
fn reason<'a>(about: &str, planned: impl Iterator<Item = &'a str>, not_run: &[NotDone]) -> Option<String> {
    let mut named = planned.filter(|phase| *phase == about || is_part_of(phase, about)).peekable();
    named.peek()?;
    let mut why = None;
    for phase in named {
        let left = not_run.iter().find(|left| left.kind == NotDoneKind::Phase && left.name == phase)?;
        why = Some(format!("phase {phase} was not run: {}", left.reason));
    }
    why
}
