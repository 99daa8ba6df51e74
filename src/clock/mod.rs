//! Time: the run's clock, real or simulated, and the units a script speaks of.
//!
//! Every stamp in loadr is a [`Nanos`]: nanoseconds since the run's origin, an instant that all workers of
//! a run share. Nothing else reads the system's clock.

mod units;

use std::{cell::Cell, rc::Rc, time::Instant};

pub use units::{ParseUnitError, Rate, format_nanos, format_size, parse_duration, parse_rate, parse_size};

/// Nanoseconds since the run's origin; also a span of nanoseconds.
pub type Nanos = u64;

/// One second, in nanoseconds.
pub const SECOND: Nanos = 1_000_000_000;
/// One millisecond, in nanoseconds.
pub const MILLISECOND: Nanos = 1_000_000;
/// One microsecond, in nanoseconds.
pub const MICROSECOND: Nanos = 1_000;

/// Where stamps come from. Cloning is cheap; clones agree.
#[derive(Debug, Clone)]
pub enum Clock {
    /// The machine's monotonic clock, counted from the run's origin.
    Real {
        /// The origin that all workers share.
        origin: Instant,
    },
    /// A clock that stands still until somebody sets it; see [`Clock::simulated`].
    Simulated(Rc<Cell<Nanos>>),
}

impl Clock {
    /// The machine's monotonic clock, counted from `origin`.
    pub fn real(origin: Instant) -> Self {
        Self::Real { origin }
    }

    /// A clock at zero that moves only by [`Clock::set`].
    pub fn simulated() -> Self {
        Self::Simulated(Rc::new(Cell::new(0)))
    }

    /// The time since the origin.
    #[inline]
    pub fn now(&self) -> Nanos {
        match self {
            // 2^64 ns is 584 years: the cast cannot truncate within a run.
            Self::Real { origin } => origin.elapsed().as_nanos() as Nanos,
            Self::Simulated(now) => now.get(),
        }
    }

    /// Moves a simulated clock; a real one stays as it is. Time never goes backwards.
    pub fn set(&self, now: Nanos) {
        if let Self::Simulated(cell) = self {
            cell.set(cell.get().max(now));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_simulated_clock_moves_only_forwards_and_for_all_clones() {
        let clock = Clock::simulated();
        let twin = clock.clone();
        clock.set(50);
        clock.set(20);
        assert_eq!(twin.now(), 50);
    }
}
