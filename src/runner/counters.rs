//! Counters beside the traffic, read where the phases of an experiment begin and end.

use std::collections::BTreeMap;

use crate::{
    http::AddressGuard,
    monitor::Control,
    plan::{Meter, PhaseId, Plan, Truth},
    results::Reading,
};

/// Hits and misses.
type Counts = (u64, u64);

/// A counter, and the phases it is read around.
struct Watched {
    experiment: String,
    meter: Meter,
    phases: Vec<(PhaseId, String)>,
    /// What it said at the start of phases under way.
    before: BTreeMap<PhaseId, Result<Counts, String>>,
}

/// All counters of a run.
#[derive(Default)]
pub(super) struct Counters {
    control: Option<Control>,
    base: Option<url::Url>,
    watched: Vec<Watched>,
    readings: Vec<Reading>,
}

impl Counters {
    /// Those that a plan names; none need a client.
    ///
    /// # Errors
    /// The client cannot be made, for people.
    pub(super) fn new(plan: &Plan, guard: &AddressGuard) -> Result<Self, String> {
        if plan.truths.is_empty() {
            return Ok(Self::default());
        }
        let watched = plan.truths.iter().map(|truth| Watched {
            experiment: truth.experiment.clone(),
            meter: truth.meter.clone(),
            phases: phases(plan, truth),
            before: BTreeMap::new(),
        });
        Ok(Self {
            control: Some(Control::new(guard.clone())?),
            base: plan.targets.first().map(|target| target.url.clone()),
            watched: watched.collect(),
            readings: Vec::new(),
        })
    }

    /// Reads each once, so that a wrong address is known before the run.
    ///
    /// # Errors
    /// The first that cannot be read, with help.
    pub(super) async fn try_all(&self) -> Result<(), String> {
        for watched in &self.watched {
            self.counts(&watched.meter).await.map_err(|why| {
                format!(
                    "failed to read the truth of the experiment `{}` ({}): {why}\n\
                     help: it is read beside the traffic, at the start and the end of phases; --no-preflight runs nevertheless",
                    watched.experiment,
                    watched.meter.label(),
                )
            })?;
        }
        Ok(())
    }

    /// A phase is about to start.
    pub(super) async fn starts(&mut self, phase: PhaseId) {
        for at in 0..self.watched.len() {
            if self.watched[at].phases.iter().any(|(id, _)| *id == phase) {
                let counts = self.counts(&self.watched[at].meter).await;
                self.watched[at].before.insert(phase, counts);
            }
        }
    }

    /// A phase has ended.
    pub(super) async fn ended(&mut self, phase: PhaseId) {
        for at in 0..self.watched.len() {
            let Some(before) = self.watched[at].before.remove(&phase) else { continue };
            let after = self.counts(&self.watched[at].meter).await;
            let watched = &self.watched[at];
            let name = watched.phases.iter().find(|(id, _)| *id == phase).map(|(_, name)| name.clone());
            let counted = before.and_then(|before| after.and_then(|after| difference(before, after)));
            let (hits, misses) = counted.clone().unwrap_or_default();
            self.readings.push(Reading {
                experiment: watched.experiment.clone(),
                source: watched.meter.label(),
                phase: name.unwrap_or_default(),
                hits,
                misses,
                error: counted.err(),
            });
        }
    }

    /// What was read so far.
    pub(super) fn readings(&self) -> &[Reading] {
        &self.readings
    }

    /// What was read.
    pub(super) fn into_readings(self) -> Vec<Reading> {
        self.readings
    }

    async fn counts(&self, meter: &Meter) -> Result<Counts, String> {
        let Some(control) = &self.control else { return Err("there is no client".to_owned()) };
        let figures = control.read(meter, self.base.as_ref()).await?;
        match figures.as_slice() {
            [hits, misses] if *hits >= 0.0 && *misses >= 0.0 => Ok((hits.round() as u64, misses.round() as u64)),
            _ => Err("hits and misses are two numbers from 0 on".to_owned()),
        }
    }
}

/// The experiment's phases of ordinary traffic.
fn phases(plan: &Plan, truth: &Truth) -> Vec<(PhaseId, String)> {
    let experiment = plan.experiments.iter().find(|experiment| experiment.name == truth.experiment);
    let names = experiment.into_iter().flat_map(|experiment| experiment.traffic().map(|(_, phase)| phase));
    let number = |name: &str| {
        let index = plan.phases.iter().position(|phase| phase.name == name)?;
        Some((PhaseId(index as u32), name.to_owned()))
    };
    names.filter_map(number).collect()
}

fn difference(before: Counts, after: Counts) -> Result<Counts, String> {
    let since = |before: u64, after: u64| after.checked_sub(before);
    let all = since(before.0, after.0).zip(since(before.1, after.1));
    all.ok_or_else(|| "it went backwards: what counts was started anew".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_that_goes_backwards_says_nothing() {
        assert_eq!(difference((5, 5), (9, 6)), Ok((4, 1)));
        assert!(difference((5, 5), (9, 4)).is_err());
    }
}
