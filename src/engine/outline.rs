//! When phases run and how much they do, as far as a plan tells before it runs.

use super::arrival_plan;
use crate::{
    clock::Nanos,
    plan::{Load, PhaseId, Plan, Start},
};

/// Phases that start together, in order; those that start at an offset are in none, and neither are those that are left
/// out.
pub fn groups(plan: &Plan) -> Vec<Vec<PhaseId>> {
    let mut groups: Vec<Vec<PhaseId>> = Vec::new();
    for (index, phase) in plan.phases.iter().enumerate() {
        let id = PhaseId(index as u32);
        match &phase.start {
            Start::AfterPrevious => groups.push(vec![id]),
            Start::At(_) => {}
            Start::Alongside(name) => {
                let host = groups
                    .iter_mut()
                    .find(|group| group.iter().any(|member| plan.phases[member.index()].name == *name));
                match host {
                    Some(group) => group.push(id),
                    None => groups.push(vec![id]),
                }
            }
        }
    }
    // Last, so that what starts alongside a phase that is left out still starts together.
    groups.iter_mut().for_each(|group| group.retain(|id| !plan.phases[id.index()].left_out));
    groups.retain(|group| !group.is_empty());
    groups
}

/// How many iterations a phase will offer, where the plan tells.
pub fn planned_count(plan: &Plan, phase: PhaseId) -> Option<u64> {
    let phase = &plan.phases[phase.index()];
    if phase.ends_when.is_some() || (phase.duration.is_some() && !phase.load.is_open()) {
        return None;
    }
    match &phase.load {
        Load::Iterations { count, .. } => Some(*count),
        Load::EachUser { each, users } => Some(each * users),
        _ => arrival_plan(phase, Nanos::MAX)?.count(),
    }
}

/// How long a phase lasts, where the plan tells; its drain comes on top.
pub fn planned_duration(plan: &Plan, phase: PhaseId) -> Option<Nanos> {
    let phase = &plan.phases[phase.index()];
    if let Some(duration) = phase.duration {
        return Some(duration.as_nanos() as Nanos);
    }
    match &phase.load {
        Load::Rate(points) => points.last().map(|&(at, _)| at.as_nanos() as Nanos),
        Load::Users(points) => points.last().map(|&(at, _)| at.as_nanos() as Nanos).filter(|&at| at > 0),
        Load::Burst { every, times, .. } => Some(every.as_nanos() as Nanos * (times - 1)),
        _ => None,
    }
}

/// How a figure of a plan is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// As it is.
    Exact,
    /// Or more.
    AtLeast,
    /// Or less.
    AtMost,
    /// More or less.
    About,
}

impl Bound {
    /// What becomes of a sum of two such figures.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Exact, other) => other,
            (one, Self::Exact) => one,
            (one, other) if one == other => one,
            _ => Self::About,
        }
    }

    /// The sign before a number.
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Exact => "",
            Self::AtLeast => "≥ ",
            Self::AtMost => "≤ ",
            Self::About => "~ ",
        }
    }
}

/// When a phase runs if every iteration ends at once. What iterations take after a phase's end (its drain) comes
/// on top of every start after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// Which phase.
    pub phase: PhaseId,
    /// From the start of the first phase.
    pub start: Nanos,
    /// How its start is meant.
    pub start_is: Bound,
    /// From its start to its end.
    pub length: Nanos,
    /// How its length is meant: at least 0 where its work decides.
    pub length_is: Bound,
}

impl Slot {
    /// When it takes no new iterations any more.
    pub fn end(&self) -> (Nanos, Bound) {
        (self.start + self.length, self.start_is.and(self.length_is))
    }
}

/// Every phase in the order of starts; the second value is when the last has ended. A phase whose work decides how
/// long it takes is taken to take `work`; 0 gives the earliest times.
pub fn timeline(plan: &Plan, work: Nanos) -> (Vec<Slot>, (Nanos, Bound)) {
    let slot = |phase: PhaseId, start, start_is| {
        let (length, length_is) = length(plan, phase, work);
        Slot { phase, start, start_is, length, length_is }
    };
    let mut slots = Vec::new();
    let (mut now, mut now_is) = (0, Bound::Exact);
    for group in groups(plan) {
        let members: Vec<Slot> = group.iter().map(|&phase| slot(phase, now, now_is)).collect();
        if let Some(last) = members.iter().map(Slot::end).max_by_key(|&(end, _)| end) {
            let bound = members.iter().fold(now_is, |bound, member| bound.and(member.length_is));
            (now, now_is) = (last.0, bound);
        }
        slots.extend(members);
    }
    for (index, phase) in plan.phases.iter().enumerate() {
        if let (Start::At(offset), false) = (&phase.start, phase.left_out) {
            let slot = slot(PhaseId(index as u32), offset.as_nanos() as Nanos, Bound::Exact);
            let end = slot.end();
            if end.0 >= now {
                (now, now_is) = (end.0, end.1.and(now_is));
            }
            slots.push(slot);
        }
    }
    slots.sort_by_key(|slot| (slot.start, slot.phase));
    (slots, (now, now_is))
}

fn length(plan: &Plan, phase: PhaseId, work: Nanos) -> (Nanos, Bound) {
    let ends_early = plan.phases[phase.index()].ends_when.is_some();
    let decides_itself = matches!(plan.phases[phase.index()].load, Load::Users(_) | Load::Rate(_) | Load::Burst { .. });
    match planned_duration(plan, phase) {
        Some(length) if ends_early || !decides_itself => (length, Bound::AtMost),
        Some(length) => (length, Bound::Exact),
        None => (work, Bound::AtLeast),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SECOND;

    #[test]
    fn bounds_add_up() {
        use Bound::{About, AtLeast, AtMost, Exact};
        for (one, other, sum) in [
            (Exact, Exact, Exact),
            (Exact, AtLeast, AtLeast),
            (AtMost, Exact, AtMost),
            (AtMost, AtMost, AtMost),
            (AtLeast, AtMost, About),
            (About, Exact, About),
        ] {
            assert_eq!((one.and(other), other.and(one)), (sum, sum), "{one:?} {other:?}");
        }
    }

    #[test]
    fn a_phase_without_length_moves_what_comes_after_it() {
        let plan = crate::engine::tests::plan_of(&[
            ("count", Load::Iterations { count: 10, users: 1 }, Start::AfterPrevious),
            (
                "burst",
                Load::Burst { count: 5, every: std::time::Duration::from_secs(3), times: 3 },
                Start::AfterPrevious,
            ),
            ("beside", Load::Asap { count: 5 }, Start::Alongside("count".into())),
            ("fixed", Load::Asap { count: 5 }, Start::At(std::time::Duration::from_secs(4))),
        ]);
        let starts = |work| {
            let (slots, end) = timeline(&plan, work);
            let starts: Vec<_> = slots.iter().map(|slot| (slot.phase.0, slot.start / SECOND, slot.start_is)).collect();
            (starts, end.0 / SECOND)
        };
        let (exact, later) = (Bound::Exact, Bound::AtLeast);
        assert_eq!(starts(0), (vec![(0, 0, exact), (1, 0, later), (2, 0, exact), (3, 4, exact)], 6));
        assert_eq!(starts(10 * SECOND), (vec![(0, 0, exact), (2, 0, exact), (3, 4, exact), (1, 10, later)], 16));
    }
}
