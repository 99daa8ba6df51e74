//! Time: the run's clock, real or simulated, and the units a script speaks of.
//!
//! Every stamp in loadr is a [`Nanos`]: nanoseconds since the run's origin, an instant that all workers of
//! a run share. Nothing else reads the system's clock.

mod units;

use std::{cell::Cell, rc::Rc};

pub use units::{ParseUnitError, Rate, format_nanos, format_size, parse_duration, parse_rate, parse_size};

/// Nanoseconds since the run's origin; also a span of nanoseconds.
pub type Nanos = u64;

/// One second, in nanoseconds.
pub const SECOND: Nanos = 1_000_000_000;
/// One millisecond, in nanoseconds.
pub const MILLISECOND: Nanos = 1_000_000;
/// One microsecond, in nanoseconds.
pub const MICROSECOND: Nanos = 1_000;

/// When the clock of a run began: what its workers share.
#[derive(Debug, Clone, Copy)]
pub struct Origin(Nanos);

impl Origin {
    /// This moment.
    pub fn now() -> Self {
        Self(read())
    }
}

thread_local! {
    /// When the machine's clock was read last on this thread; 0: never.
    static RECENT: Cell<Nanos> = const { Cell::new(0) };
}

/// The machine's monotonic clock, from an origin of its own. Half the instructions of `Instant`, which must be ready for
/// clocks that loadr does not use.
#[inline]
pub fn read() -> Nanos {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    // Neither is negative, and 2^64 ns is 584 years.
    let now = time.tv_sec as u64 * SECOND + time.tv_nsec as u64;
    RECENT.set(now);
    now
}

/// What [`read`] gave last on this thread; read now, if it never was. For who acts right after somebody who has read it: a
/// reading takes as long as a hundred instructions.
#[inline]
pub fn recent() -> Nanos {
    match RECENT.get() {
        0 => read(),
        recent => recent,
    }
}

/// Where stamps come from. Cloning is cheap; clones agree.
#[derive(Debug, Clone)]
pub enum Clock {
    /// The machine's monotonic clock, counted from the run's origin.
    Real {
        /// The origin that all workers share.
        origin: Origin,
    },
    /// A clock that stands still until somebody sets it; see [`Clock::simulated`].
    Simulated(Rc<Cell<Nanos>>),
}

impl Clock {
    /// The machine's monotonic clock, counted from `origin`.
    pub fn real(origin: Origin) -> Self {
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
            Self::Real { origin } => read().saturating_sub(origin.0),
            Self::Simulated(now) => now.get(),
        }
    }

    /// The time since the origin that was read last on this thread, by whatever real clock; see [`recent`].
    #[inline]
    pub fn recent(&self) -> Nanos {
        match self {
            Self::Real { origin } => recent().saturating_sub(origin.0),
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
