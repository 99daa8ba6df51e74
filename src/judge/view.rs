//! A phase as a judge sees it.

use crate::{
    clock::Nanos,
    measure::{Block, PhaseFigures, SeriesKey, Share, Totals},
};

/// A phase's figures, and what of its plan they must be held against.
#[derive(Debug, Clone, Copy)]
pub struct PhaseView<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its index in the plan, which is its number in the totals.
    pub index: u16,
    /// Iterations are due one after the other by plan, whatever the server does, and starting late is the
    /// generator's fault. Not so where many are due at once: no generator starts those at the same time.
    pub open: bool,
    /// Left out of every SLO that does not name it.
    pub warmup: bool,
    /// How long it lasted: what a rate is taken over.
    pub duration: Nanos,
    /// Arrivals that were due by plan in that time; only an open phase has them.
    pub planned: Option<u64>,
    /// What was recorded of it.
    pub figures: &'a PhaseFigures,
    /// Where its figures come from, for how they differ over time. Without, intervals take samples as
    /// independent.
    pub totals: Option<&'a Totals>,
}

impl PhaseView<'_> {
    /// The phase in consecutive stretches of time; none without totals.
    pub fn blocks(&self, select: impl FnMut(&SeriesKey) -> bool) -> Vec<Block> {
        self.totals.map_or_else(Vec::new, |totals| totals.blocks(self.index, select))
    }

    /// A share of the samples answered as expected, in consecutive stretches of time; none without totals.
    pub fn shares(&self, select: impl FnMut(&SeriesKey) -> Option<bool>) -> Vec<Share> {
        self.totals.map_or_else(Vec::new, |totals| totals.shares(self.index, select))
    }
}
