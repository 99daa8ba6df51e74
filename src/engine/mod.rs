//! The engine.
mod channels;
mod class;
mod closed;
mod cookies;
mod evidence;
pub mod flow;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzz;
mod groups;
mod hops;
pub mod host;
mod iteration;
mod live;
mod open;
pub mod opening;
pub mod outline;
mod phase_run;
mod redirect;
pub mod render;
pub mod sim;
pub mod timer;
mod trial;
pub mod user;
mod vu;
mod worker;

pub use live::{Arrival, LiveChannel, What};
pub use open::arrival_plan;
pub use trial::Trial;
pub use worker::{Aside, Event, PhaseEnd, Worker, WorkerParts};

#[cfg(test)]
mod tests;
