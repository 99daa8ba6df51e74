//! loadr: load testing with scenarios written in Rhai.
//!
//! The modules form layers; each imports only from lines below its own, and siblings on a line do not
//! import each other (`tests/it/layers.rs` enforces it):
//!
//! ```text
//! cli | fuzz
//! runner
//! script | report | monitor | lab
//! engine
//! plan
//! judge | results
//! redis | sql
//! http
//! measure | stats
//! protocol
//! pace
//! clock
//! ```
//!
//! `fuzz` is there for tests alone. `src/ARCHITECTURE.md` explains how a run flows through them.

pub mod cli;
pub mod clock;
pub mod engine;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzz;
pub mod http;
pub mod judge;
pub mod lab;
pub mod measure;
pub mod monitor;
pub mod pace;
pub mod plan;
pub mod protocol;
pub mod redis;
pub mod report;
pub mod results;
pub mod runner;
pub mod script;
pub mod sql;
pub mod stats;
