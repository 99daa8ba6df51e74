//! A part of a scenario that takes less time: a block of an A/B test.

use std::time::Duration;

use super::{Load, Phase, Plan, Start};

/// Which part of every phase is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    /// One in so many of a measured phase's time or iterations.
    pub of: u32,
    /// The same of a warm-up phase.
    pub warmup_of: u32,
}

impl Plan {
    /// Cuts every phase down. Rates and users stay: a ramp reaches as high, but sooner. SLOs and baseline go, for they
    /// are about the whole.
    pub fn cut(&mut self, slice: Slice) {
        for phase in &mut self.phases {
            phase.cut(if phase.warmup { slice.warmup_of } else { slice.of }.max(1));
        }
        self.slos.clear();
        self.slo_places.clear();
        self.baseline = None;
    }
}

impl Phase {
    fn cut(&mut self, of: u32) {
        let part = |time: Duration| time / of;
        self.duration = self.duration.map(part);
        match &mut self.load {
            Load::Users(points) => points.iter_mut().for_each(|point| point.0 = part(point.0)),
            Load::Rate(points) => points.iter_mut().for_each(|point| point.0 = part(point.0)),
            Load::Burst { times, .. } => *times = times.div_ceil(of.into()),
            Load::EachUser { each, .. } => *each = each.div_ceil(of.into()),
            Load::Iterations { count, .. } | Load::Asap { count } => *count = count.div_ceil(of.into()),
        }
        if let Start::At(offset) = &mut self.start {
            *offset = part(*offset);
        }
    }
}
