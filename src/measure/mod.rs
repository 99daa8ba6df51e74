//! What was measured: samples go in, exact and mergeable figures come out. Pure: no clock, no I/O, no locks.
//!
//! Each worker owns a [`Recorder`]. Once a second it hands its figures over as a [`Snapshot`], and the runner
//! adds all snapshots up in [`Totals`]. Both hold [`PhaseFigures`], and adding two of them is exact: whatever
//! way a run was cut into workers and seconds, the sum is what one recorder would have seen.
//!
//! ```text
//! Sample -> Recorder (dense histograms, one thread) -> Snapshot (sparse) -> Totals (run, recent window, blocks)
//! ```

pub(crate) mod buckets;
mod connections;
mod course;
mod custom;
mod dense;
mod distribution;
mod errors;
mod exemplar;
mod figures;
mod mask;
mod names;
mod observed;
mod pairs;
mod quantile;
mod recorder;
mod rewrite;
mod sample;
mod series;
#[cfg(test)]
pub(crate) mod synthetic;
mod tally;
mod totals;
mod witness;

pub use connections::Connections;
pub use course::Course;
pub use custom::{Custom, Gauge};
pub use distribution::Distribution;
pub use errors::{Example, MessageCounts, clean_text, plain_text};
pub use exemplar::{Exemplar, Exemplars, SentRequest};
pub use figures::{CheckCounts, IterationCounts, Level, PhaseFigures};
pub use mask::MASK;
pub use names::{ClassId, Kind, NameId, OTHER};
pub use observed::{Metric, MetricLevel, Observation, Observed};
pub use pairs::{BLOCKS_MAX, Pair, Pairs};
pub use quantile::{PPM, Quantile, rank};
pub use recorder::{Recorder, Snapshot};
pub use sample::{FailureKind, IterationResult, Sample, SampleResult};
pub use series::{FailureFigures, OkFigures, SeriesFigures, SeriesKey};
pub use totals::{Block, Gauges, Share, Stretch, Totals};
pub use witness::{ANSWER_BYTES_MAX, Excerpt, Witness};
