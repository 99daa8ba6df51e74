//! The arrivals of an open phase.

use rand_distr::{Distribution, Exp1};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::{Purpose, RateCurve, Segment, stream};
use crate::clock::Nanos;

/// One planned start of an iteration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// Its number in the phase, over all segments.
    pub k: u64,
    /// When it is due, from the phase's start.
    pub due: Nanos,
}

/// How arrivals of a rate are spaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spacing {
    /// Evenly.
    Uniform,
    /// By independent exponential gaps, stretched to the rate of the moment.
    Poisson,
}

/// What arrives when.
#[derive(Debug, Clone)]
pub enum ArrivalPlan {
    /// By a rate.
    Paced(RateCurve, Spacing),
    /// `count` together, `times` times, `every` apart.
    Burst {
        /// Arrivals of one release.
        count: u64,
        /// From release to release.
        every: Nanos,
        /// Releases.
        times: u64,
    },
    /// All at the start.
    AtOnce {
        /// Arrivals.
        count: u64,
    },
}

impl ArrivalPlan {
    /// How many arrivals the plan has over all segments, where that is known without drawing.
    pub fn count(&self) -> Option<u64> {
        match self {
            Self::Paced(curve, Spacing::Uniform) => Some(curve.count()),
            Self::Paced(_, Spacing::Poisson) => None,
            Self::Burst { count, times, .. } => Some(count.saturating_mul(*times)),
            Self::AtOnce { count } => Some(*count),
        }
    }

    /// The arrivals of one segment, in order.
    pub fn arrivals(&self, segment: Segment, seed: u64, phase: u64) -> Arrivals<'_> {
        let gaps = match self {
            Self::Paced(_, Spacing::Poisson) => Some((stream(seed, Purpose::Gaps, phase, 0), 0.0)),
            _ => None,
        };
        Arrivals { plan: self, segment, next: if gaps.is_some() { 0 } else { segment.index }, gaps }
    }
}

/// Iterates over one segment's arrivals.
#[derive(Debug)]
pub struct Arrivals<'a> {
    plan: &'a ArrivalPlan,
    segment: Segment,
    next: u64,
    /// Poisson's gaps are one sequence for all segments: each draws all of it and keeps its own.
    gaps: Option<(Xoshiro256PlusPlus, f64)>,
}

impl Iterator for Arrivals<'_> {
    type Item = Arrival;

    fn next(&mut self) -> Option<Arrival> {
        if let (ArrivalPlan::Paced(curve, _), Some((random, mass))) = (self.plan, &mut self.gaps) {
            loop {
                let gap: f64 = Exp1.sample(random);
                *mass += gap;
                let k = self.next;
                let due = curve.time_of_mass(*mass)?;
                self.next += 1;
                if self.segment.owns(k) {
                    return Some(Arrival { k, due });
                }
            }
        }
        let k = self.next;
        let due = match self.plan {
            ArrivalPlan::Paced(curve, _) => curve.time_of(k)?,
            ArrivalPlan::Burst { count, every, times } => {
                let release = k / count;
                if release >= *times {
                    return None;
                }
                release.saturating_mul(*every)
            }
            ArrivalPlan::AtOnce { count } => {
                if k >= *count {
                    return None;
                }
                0
            }
        };
        self.next += self.segment.count;
        Some(Arrival { k, due })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Rate, SECOND};

    fn union(plan: &ArrivalPlan, count: u64) -> Vec<Arrival> {
        let mut all: Vec<_> =
            (0..count).flat_map(|index| plan.arrivals(Segment { index, count }, 42, 3).collect::<Vec<_>>()).collect();
        all.sort_by_key(|arrival| arrival.k);
        all
    }

    #[test]
    fn the_number_of_segments_changes_nothing() {
        let ramp = RateCurve::new(&[(0, Rate::per_second(10)), (5 * SECOND, Rate::per_second(200))], 5 * SECOND);
        for plan in [
            ArrivalPlan::Paced(ramp.clone(), Spacing::Uniform),
            ArrivalPlan::Paced(ramp, Spacing::Poisson),
            ArrivalPlan::Burst { count: 50, every: SECOND, times: 3 },
            ArrivalPlan::AtOnce { count: 150 },
        ] {
            let whole = union(&plan, 1);
            assert!(!whole.is_empty());
            assert_eq!(union(&plan, 2), whole);
            assert_eq!(union(&plan, 5), whole);
        }
    }

    #[test]
    fn poisson_arrivals_have_the_asked_rate_and_exponential_gaps() {
        let curve = RateCurve::new(&[(0, Rate::per_second(1_000))], 100 * SECOND);
        let plan = ArrivalPlan::Paced(curve, Spacing::Poisson);
        let times: Vec<_> = plan.arrivals(Segment::WHOLE, 7, 0).map(|a| a.due as f64 / 1e9).collect();
        // 100 000 expected, standard deviation 316.
        assert!((times.len() as f64 - 100_000.0).abs() < 1_300.0, "{}", times.len());
        let gaps: Vec<_> = times.windows(2).map(|w| w[1] - w[0]).collect();
        let beyond_mean = gaps.iter().filter(|&&gap| gap > 1e-3).count() as f64 / gaps.len() as f64;
        assert!((beyond_mean - (-1.0_f64).exp()).abs() < 0.01, "{beyond_mean}");
    }

    #[test]
    fn a_poisson_ramp_follows_the_integral() {
        let curve = RateCurve::new(&[(0, Rate::per_second(0)), (10 * SECOND, Rate::per_second(2_000))], 10 * SECOND);
        let plan = ArrivalPlan::Paced(curve, Spacing::Poisson);
        let times: Vec<_> = plan.arrivals(Segment::WHOLE, 1, 0).map(|a| a.due).collect();
        let first_half = times.iter().filter(|&&t| t < 5 * SECOND).count() as f64;
        assert!((first_half - 2_500.0).abs() < 250.0, "{first_half}");
        assert!((times.len() as f64 - 10_000.0).abs() < 500.0);
    }

    #[test]
    fn bursts_release_together() {
        let plan = ArrivalPlan::Burst { count: 2, every: SECOND, times: 2 };
        let due: Vec<_> = plan.arrivals(Segment::WHOLE, 0, 0).map(|a| a.due).collect();
        assert_eq!(due, [0, 0, SECOND, SECOND]);
    }
}
