//! Which row of a data set an iteration gets: a function of the iteration's number and random numbers, so
//! that it does not depend on how many workers share the run.

use std::sync::Arc;

use rand::RngExt;
use rand_distr::{Distribution, Zipf};
use serde::Serialize;

use super::{DataId, DataSet, DrawContext, DrawError, Table};

/// The order in which a data set gives its rows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub enum Order {
    /// One after the other, again from the start after the last.
    Cycle,
    /// Any, each as likely.
    Random,
    /// Row k with a probability proportional to k^-s.
    Zipf(f64),
    /// Each at most once in the run; then the phase ends.
    Unique,
    /// Each once, then again from the start.
    UniqueThenCycle,
}

/// A data set, ready to give rows.
#[derive(Debug)]
pub(super) struct RowSource {
    pub(super) table: Arc<Table>,
    id: DataId,
    order: Order,
    slots: u64,
    zipf: Option<Zipf<f64>>,
}

impl RowSource {
    /// `table` must have at least one row.
    pub(super) fn new(id: DataId, set: &DataSet, table: Arc<Table>) -> Self {
        let zipf = match set.order {
            Order::Zipf(s) => Zipf::new(table.rows().max(1) as f64, s).ok(),
            _ => None,
        };
        Self { table, id, order: set.order, slots: u64::from(set.slots.max(1)), zipf }
    }

    /// The row of a slot: drawn once an iteration, then kept for it.
    pub(super) fn slot(&self, slot: u32, ctx: &mut DrawContext<'_>) -> Result<usize, DrawError> {
        let key = (self.id, slot);
        if let Some(&(_, row)) = ctx.draws.rows.iter().find(|(known, _)| *known == key) {
            return Ok(row);
        }
        let number = ctx.index.wrapping_mul(self.slots).wrapping_add(u64::from(slot));
        let row = self.numbered(number, ctx)?;
        ctx.draws.rows.push((key, row));
        Ok(row)
    }

    /// A row for a script that asks for one; each call gives another.
    pub(super) fn next(&self, ctx: &mut DrawContext<'_>) -> Result<usize, DrawError> {
        let drawn = ctx.draws.count(super::draw::Counted::Data(self.id));
        if self.order == Order::Unique && drawn > 0 {
            // A second row cannot be told from the next iteration's first without knowing how many rows every
            // other iteration takes.
            return Err(DrawError::SecondUnique(self.id));
        }
        self.numbered(ctx.index.wrapping_add(drawn), ctx)
    }

    fn numbered(&self, number: u64, ctx: &mut DrawContext<'_>) -> Result<usize, DrawError> {
        let rows = self.table.rows();
        if rows == 0 {
            return Err(ctx.draws.note_exhausted(self.id));
        }
        match self.order {
            Order::Unique if number >= rows as u64 => Err(ctx.draws.note_exhausted(self.id)),
            Order::Cycle | Order::Unique | Order::UniqueThenCycle => Ok((number % rows as u64) as usize),
            Order::Random => Ok(ctx.rng.random_range(0..rows)),
            Order::Zipf(_) => {
                let rank = self.zipf.map_or(1.0, |zipf| zipf.sample(ctx.rng));
                Ok((rank as usize).clamp(1, rows) - 1)
            }
        }
    }
}
