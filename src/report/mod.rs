//! What a run says, for people and for programs. Every format renders the same [`Summary`].
//!
//! Text that may come from a server or a script is data here: it is stripped of control characters before
//! it is shown.

mod json;
mod load;
mod progress;
mod summary;
pub mod terminal;

pub use json::json;
pub use load::describe;
pub use progress::{ProgressView, progress_line};
pub use summary::{
    CheckSummary, CustomSummary, FailureSummary, Latency, MessageSummary, MixSummary, NegotiatedSummary, PhaseSummary,
    PhaseTiming, RowSummary, SloSummary, Summary, SummaryInput, phase_views,
};
