//! What the script leaves out by its own word. It stays in the report: what was skipped has not passed.

use super::{Place, Plan, Problem, Start};
use crate::judge::{Experiment, NotDone, NotDoneKind, is_part_of};

/// `skip(name, reason)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skip {
    /// A phase, all phases of a repeat, an SLO, a goal, an experiment, or a word of the author's.
    pub name: String,
    /// Why.
    pub reason: String,
    /// Where it was declared.
    pub at: Place,
}

impl Skip {
    fn covers(&self, name: &str) -> bool {
        name == self.name || is_part_of(name, &self.name)
    }
}

impl Plan {
    /// Takes out what the script skips, and what would stand on it: phases that start alongside a skipped one or
    /// follow its completion, SLOs and goals about skipped phases. A name that nothing has stays as a category.
    pub fn leave_out(&mut self) {
        let skips = self.skips.clone();
        let by_name = |name: &str| skips.iter().find(|skip| skip.covers(name)).map(|skip| skip.reason.clone());
        let mut left: Vec<NotDone> = Vec::new();
        let mut matched: Vec<String> = Vec::new();
        let mut note = |name: &str| {
            matched.extend(skips.iter().filter(|skip| skip.covers(name)).map(|skip| skip.name.clone()));
        };
        loop {
            let reason = |phase: &super::Phase| {
                let on = |other: &str| {
                    let reason = &left.iter().find(|left| left.name == other)?.reason;
                    Some(format!("it goes with {other}, which is skipped: {reason}"))
                };
                let alongside = match &phase.start {
                    Start::Alongside(other) => on(other),
                    _ => None,
                };
                by_name(&phase.name).or(alongside).or_else(|| on(phase.if_completed.as_deref()?))
            };
            let Some((at, reason)) = self.phases.iter().enumerate().find_map(|(at, phase)| Some((at, reason(phase)?)))
            else {
                break;
            };
            let name = self.phases.remove(at).name;
            note(&name);
            left.push(NotDone { name, kind: NotDoneKind::Phase, reason });
        }
        // Of phases that are there, none is gone; of those that never were, none is skipped.
        let phases: Vec<String> = self.phases.iter().map(|phase| phase.name.clone()).collect();
        let gone = |about: &str| {
            let there = phases.iter().any(|phase| phase == about || is_part_of(phase, about));
            let of = left.iter().find(|left| left.name == about || is_part_of(&left.name, about))?;
            (!there).then(|| format!("phase {}: {}", of.name, of.reason))
        };
        let about = |slo: &crate::judge::Slo| {
            let experiment = slo.selector.experiment.as_deref().and_then(&by_name);
            by_name(&slo.name).or(experiment).or_else(|| gone(slo.selector.phase.as_deref()?))
        };
        let mut slos = Vec::new();
        let mut at = 0;
        while at < self.slos.len() {
            let Some(reason) = about(&self.slos[at]) else {
                at += 1;
                continue;
            };
            let name = self.slos.remove(at).name;
            if at < self.slo_places.len() {
                self.slo_places.remove(at);
            }
            note(&name);
            slos.push(NotDone { name, kind: NotDoneKind::Slo, reason });
        }
        for goal in &mut self.goals {
            note(&goal.name);
            goal.skipped = by_name(&goal.name).or_else(|| about(goal.measure.as_ref()?));
        }
        let mut experiments = Vec::new();
        self.skip_experiments(&by_name, |phase| left.iter().any(|left| left.name == phase), &mut experiments);
        experiments.iter().for_each(|left| note(&left.name));
        left.extend(slos);
        left.extend(experiments);
        let categories = skips.iter().filter(|skip| !matched.contains(&skip.name));
        left.extend(categories.map(|skip| NotDone {
            name: skip.name.clone(),
            kind: NotDoneKind::Category,
            reason: skip.reason.clone(),
        }));
        self.skipped = left;
    }

    fn skip_experiments(
        &mut self,
        by_name: &dyn Fn(&str) -> Option<String>,
        is_gone: impl Fn(&str) -> bool,
        left: &mut Vec<NotDone>,
    ) {
        let mut at = 0;
        while at < self.experiments.len() {
            let experiment = &mut self.experiments[at];
            let had = experiment.phases().count();
            experiment.drop_phases(&is_gone);
            let none_left = had > 0 && experiment.phases().next().is_none();
            let reason =
                by_name(&experiment.name).or_else(|| none_left.then(|| "all its phases are skipped".to_owned()));
            let Some(reason) = reason else {
                at += 1;
                continue;
            };
            let Experiment { name, .. } = self.experiments.remove(at);
            if at < self.experiment_places.len() {
                self.experiment_places.remove(at);
            }
            left.push(NotDone { name, kind: NotDoneKind::Experiment, reason });
        }
    }

    /// What is wrong with its skips as a whole.
    pub(super) fn skip_problems(&self, problems: &mut Vec<Problem>) {
        for (at, skip) in self.skips.iter().enumerate() {
            if self.skips[..at].iter().any(|earlier| earlier.name == skip.name) {
                let problem = Problem::at(&skip.at, format!("`{}` is skipped twice", skip.name));
                problems.push(problem.help("one reason is enough: leave one of them out"));
            }
        }
        let first = self.skipped.iter().position(|left| left.kind == NotDoneKind::Phase);
        if let (true, Some(_), Some(skip)) = (self.phases.is_empty(), first, self.skips.first()) {
            problems.push(
                Problem::at(&skip.at, "every phase is skipped: nothing would be measured")
                    .help("leave one phase in, or do not start the run"),
            );
        }
    }
}
