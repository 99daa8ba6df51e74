//! What has no verdict because it was not done: left out by the script, or never reached by the run. Neither
//! counts as passed.

use serde::{Deserialize, Serialize};

use super::{Slo, SloResult, Verdict, is_part_of};

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
/// condition of each of `slos`, in their order; `not_run` are the phases that never began, of `planned` ones.
pub fn mark_not_run<'a>(
    slos: &[Slo],
    results: &mut [SloResult],
    planned: impl Iterator<Item = &'a str> + Clone,
    not_run: &[NotDone],
) -> Vec<NotDone> {
    let mut left = Vec::new();
    let mut results = results.iter_mut();
    for slo in slos {
        let own = results.by_ref().take(slo.conditions.len());
        let Some(why) = slo.selector.phase.as_ref().and_then(|about| reason(about, planned.clone(), not_run)) else {
            own.for_each(drop);
            continue;
        };
        for result in own {
            (result.verdict, result.figure, result.samples, result.needed) = (Verdict::NotRun, None, 0, None);
            result.why = Some(why.clone());
        }
        left.push(NotDone { name: slo.name.clone(), kind: NotDoneKind::Slo, reason: why });
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
