//! How much of a scenario is run: which of its phases, and how much of each.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};
use wildmatch::WildMatch;

use super::{Load, Phase, Plan, Problem, Start, suggest};
use crate::judge::is_part_of;

/// Which part of a scenario is asked for; the default is all of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Extent {
    /// How much of each phase.
    pub scale: Option<Scale>,
    /// Patterns of phases: only those that one of them matches are run. None is all.
    pub phases: Vec<String>,
}

/// A factor of durations and numbers of iterations.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct Scale(f64);

/// The largest and the smallest factor: beyond them it is a slip of the finger.
const SCALES: std::ops::RangeInclusive<f64> = 0.001..=1_000.0;

impl Scale {
    /// The factor, from 0.001 to 1000.
    pub const fn factor(self) -> f64 {
        self.0
    }

    fn of(self, time: Duration) -> Duration {
        time.mul_f64(self.0)
    }

    /// At least one: a phase of nothing is none.
    fn count(self, count: u64) -> u64 {
        ((count as f64 * self.0).round() as u64).max(1)
    }
}

impl FromStr for Scale {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim().parse::<f64>() {
            Ok(factor) if SCALES.contains(&factor) => Ok(Self(factor)),
            _ => Err("write a factor from 0.001 to 1000, such as 0.1".to_owned()),
        }
    }
}

impl fmt::Display for Scale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Plan {
    /// Leaves out what is not asked for.
    ///
    /// # Errors
    /// A pattern that no phase matches, or phases that nothing would be measured of.
    pub fn limit(&mut self, extent: &Extent) -> Result<(), Vec<Problem>> {
        let mut problems = Vec::new();
        for pattern in &extent.phases {
            if !self.phases.iter().any(|phase| matches(pattern, &phase.name)) {
                let names = self.phases.iter().map(|phase| phase.name.as_str());
                problems.push(
                    Problem::nowhere(format!("no phase is called `{pattern}`, as `--phase` asks"))
                        .help(suggest(pattern, names, "phase")),
                );
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        if !extent.phases.is_empty() {
            for phase in &mut self.phases {
                phase.left_out = !extent.phases.iter().any(|pattern| matches(pattern, &phase.name));
            }
            if self.phases.iter().all(|phase| phase.left_out || phase.warmup) {
                let problem = Problem::nowhere("`--phase` asks for warm-ups alone: nothing would be measured");
                return Err(vec![
                    problem.help("ask for a phase that counts too: `--phase` may be given more than once"),
                ]);
            }
        }
        if let Some(scale) = extent.scale {
            self.scale = Some(scale);
            self.phases.iter_mut().filter(|phase| !phase.unscaled).for_each(|phase| phase.scale(scale));
        }
        Ok(())
    }
}

impl Phase {
    /// Rates, users and the size of a burst stay: they are how heavy the load is, not how long it lasts.
    fn scale(&mut self, scale: Scale) {
        self.duration = self.duration.map(|length| scale.of(length));
        match &mut self.load {
            Load::Users(points) => points.iter_mut().for_each(|point| point.0 = scale.of(point.0)),
            Load::Rate(points) => points.iter_mut().for_each(|point| point.0 = scale.of(point.0)),
            Load::Burst { times, .. } => *times = scale.count(*times),
            Load::EachUser { each: count, .. } | Load::Iterations { count, .. } | Load::Asap { count } => {
                *count = scale.count(*count);
            }
        }
        if let Start::At(offset) = &mut self.start {
            *offset = scale.of(*offset);
        }
    }
}

/// What a reader of figures must know, if they are not about the whole scenario as it is written.
pub fn extent_notes(scale: Option<Scale>, phases: &[Phase]) -> Vec<String> {
    let names = |wanted: fn(&Phase) -> bool| {
        phases.iter().filter(|phase| wanted(phase)).map(|phase| phase.name.as_str()).collect::<Vec<_>>().join(", ")
    };
    let mut notes = Vec::new();
    if let Some(scale) = scale {
        let kept = names(|phase| phase.unscaled && !phase.left_out);
        let but = if kept.is_empty() { kept } else { format!(", but for {kept}") };
        notes.push(format!("durations and numbers of iterations are {scale} times those of the script{but} (--scale)"));
    }
    let left_out = names(|phase| phase.left_out);
    if !left_out.is_empty() {
        notes.push(format!("not run, because others were asked for (--phase): {left_out}"));
    }
    notes
}

/// Whether a pattern means a phase: `*` stands for any text, `?` for any character; the name of a repeat is all its
/// phases.
fn matches(pattern: &str, name: &str) -> bool {
    WildMatch::new(pattern).matches(name) || is_part_of(name, pattern)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock::Rate, plan::MixId};

    fn plan() -> Plan {
        let rate = Rate { events: 10, per: crate::clock::SECOND };
        let seconds = Duration::from_secs;
        let mut phases = vec![
            Phase::new("db/join", MixId(0), Load::Iterations { count: 100, users: 4 }),
            Phase::new("db/text", MixId(0), Load::Rate(vec![(Duration::ZERO, rate), (seconds(20), rate)])),
            Phase::new("burst", MixId(0), Load::Burst { count: 50, every: seconds(10), times: 3 }),
            Phase::new("limit", MixId(0), Load::Asap { count: 150 }),
            Phase::new("warm-up", MixId(0), Load::Users(vec![(Duration::ZERO, 3)])),
        ];
        phases[1].duration = Some(seconds(20));
        phases[3].unscaled = true;
        phases[4].duration = Some(seconds(5));
        phases[4].warmup = true;
        Plan { phases, ..Plan::default() }
    }

    fn scaled(text: &str) -> Extent {
        Extent { scale: Some(text.parse().expect("a factor")), ..Extent::default() }
    }

    #[test]
    fn length_and_work_are_scaled_and_the_load_stays() {
        let mut plan = plan();
        plan.limit(&scaled("0.1")).expect("a whole plan");
        let loads: Vec<String> = plan.phases.iter().map(|phase| format!("{:?}", phase.load)).collect();
        assert_eq!(plan.phases[0].load, Load::Iterations { count: 10, users: 4 });
        assert!(loads[1].contains("(2s, Rate { events: 10"), "{loads:?}");
        assert_eq!(plan.phases[1].duration, Some(Duration::from_secs(2)));
        assert_eq!(plan.phases[2].load, Load::Burst { count: 50, every: Duration::from_secs(10), times: 1 });
        assert_eq!(plan.phases[3].load, Load::Asap { count: 150 }, "it is said to stay whole");
        assert_eq!(plan.phases[4].duration, Some(Duration::from_millis(500)));
        let twice = self::plan().limit(&scaled("2"));
        assert!(twice.is_ok());
    }

    #[test]
    fn patterns_choose_phases_by_name() {
        let chosen = |patterns: &[&str]| {
            let mut plan = plan();
            let phases = patterns.iter().map(|&pattern| pattern.to_owned()).collect();
            plan.limit(&Extent { phases, ..Extent::default() })?;
            let ran = plan.phases.iter().filter(|phase| !phase.left_out).map(|phase| phase.name.clone());
            Ok::<_, Vec<Problem>>(ran.collect::<Vec<_>>())
        };
        assert_eq!(chosen(&["db"]).as_deref(), Ok(&["db/join".to_owned(), "db/text".to_owned()][..]));
        assert_eq!(chosen(&["*t", "db/j*"]).map(|ran| ran.len()), Ok(4));
        assert_eq!(chosen(&["warm-up", "b?rst"]).map(|ran| ran.len()), Ok(2));
        assert_eq!(chosen(&[]).map(|ran| ran.len()), Ok(5));
        assert!(chosen(&["warm-up"]).is_err_and(|problems| problems[0].message.contains("warm-ups alone")));
        assert!(chosen(&["brust", "x"]).is_err_and(|problems| problems.len() == 2));
    }

    #[test]
    fn a_factor_is_a_number_within_reason() {
        assert!(["0", "-1", "abc", "NaN", "inf", "1e9", ""].iter().all(|text| text.parse::<Scale>().is_err()));
        assert_eq!("0.25".parse::<Scale>().map(|scale| scale.to_string()), Ok("0.25".to_owned()));
    }
}
