//! When things are due: pure functions of the plan and the seed. No clock, no I/O.
//!
//! Every worker of every machine is a [`Segment`] of the run and computes the same plan; arrival `k` belongs
//! to segment `k mod n`. What arrival `k` does and when it is due never depends on how many segments there are.

mod arrivals;
mod curve;
mod deck;
mod segment;
mod stream;

pub use arrivals::{Arrival, ArrivalPlan, Arrivals, Spacing};
pub use curve::{RateCurve, UserCurve};
pub use deck::{Dealer, Deck};
pub use segment::Segment;
pub use stream::{Purpose, stream};
