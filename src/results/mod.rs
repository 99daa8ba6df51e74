//! The run file: everything a run measured, second by second, in a form that survives the run's sudden end.
//!
//! A file is a sequence of gzip members, each whole in itself (`frame`). The first holds the manifest, each further
//! one the lines of a second, the last what ended the run. Whatever part of a file is there can be read: a report of
//! it says that it is partial. `src/docs/run-file.md` describes the format for those who read it with other tools.
//!
//! ```text
//! Totals, each second -> Writer -> FILE.loadr -> read -> Totals again -> the same report
//! ```

mod figures;
mod frame;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzz;
mod histogram;
mod hlog;
mod manifest;
mod merge;
mod read;
#[cfg(test)]
mod tests;
mod wire;
mod write;

pub use hlog::{Log, logs};
pub use manifest::{
    Active, Cut, End, FORMAT, Machine, Manifest, Reading, SourceScript, Timing, VERSION, file_name, utc,
};
pub use merge::{MergeError, merge};
pub use read::{Loaded, Opened, ReadError, open};
pub use wire::Tick;
pub use write::Writer;
