//! What a run file says of the run as a whole.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::wire::is_zero;
use crate::{clock::Nanos, measure::Observation};

/// What every run file says it is.
pub const FORMAT: &str = "loadr run";
/// The version of the format that is written, and the newest that can be read.
pub const VERSION: u32 = 1;

/// What ran, where, and how. Secrets have been taken out of every text.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: String,
    /// [`VERSION`] of the writer.
    pub version: u32,
    /// The version of loadr that ran.
    pub loadr: String,
    /// The run's name: that of its script.
    pub name: String,
    /// When the first worker's clock started, in UTC.
    pub started_at: String,
    /// The same in milliseconds since 1970.
    pub started_at_ms: u64,
    /// The script.
    pub script: SourceScript,
    /// A hash of everything that shapes the traffic.
    pub plan_hash: String,
    /// The seed of everything drawn.
    pub seed: u64,
    /// The parts of the run that this file holds, as (index, count): (0, 1) is all of it.
    pub segments: Vec<(u64, u64)>,
    /// Threads that generated load.
    pub workers: u64,
    /// An SLO that cannot be judged fails the run.
    pub strict: bool,
    /// Labels that the run was given.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// The command line, without the program's name.
    pub arguments: Vec<String>,
    /// Where it ran.
    pub machine: Machine,
    /// What a report needs to know of the plan.
    pub outline: serde_json::Value,
}

/// The script's file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SourceScript {
    /// Its name, without its folder.
    pub file: String,
    /// SHA-256 of its bytes, in hexadecimal; of the main file alone.
    pub sha256: String,
}

/// The machine that generated the load.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Machine {
    /// The operating system and its version.
    pub system: String,
    /// The architecture.
    pub arch: String,
    /// The processor's name, where the system tells.
    pub cpu: Option<String>,
    /// Cores that this process could use.
    pub cores: u64,
    /// Bytes of memory, where the system tells.
    pub memory_bytes: Option<u64>,
}

/// A phase under way at the end of a second.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Active {
    /// Its number in the plan.
    pub phase: u16,
    /// Its start, on the run's clock.
    pub start: Nanos,
}

/// A phase that is over.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Timing {
    /// Its number in the plan.
    pub phase: u16,
    /// Its start, on the run's clock.
    pub start: Nanos,
    /// When it took no new iterations any more.
    pub stopped: Nanos,
    /// When its last iteration had ended.
    pub drained: Nanos,
    /// Share of all cores that the process used meanwhile, from 0 to 1.
    pub cpu_share: f64,
    /// Share of the workers' time that was spent in script code meanwhile, from 0 to 1.
    #[serde(default)]
    pub script_share: f64,
}

/// Why a run ended before its plan did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cut {
    /// A signal.
    Interrupted,
    /// `vu.abort(reason)`, or an SLO with `abort: true`.
    Aborted(String),
    /// `setup` failed.
    SetupFailed(String),
    /// A worker could not go on.
    Broken(String),
}

/// What a counter of hits and misses, which is not the generator's, counted while a phase ran.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Reading {
    /// The experiment that is held against it.
    pub experiment: String,
    /// What counts, without credentials.
    pub source: String,
    /// The phase.
    pub phase: String,
    /// Hits in the meantime.
    pub hits: u64,
    /// Misses in the meantime.
    pub misses: u64,
    /// Why it could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Reading {
    /// Rewrites every text in it.
    pub fn rewrite_texts(&mut self, rewrite: &dyn Fn(&str) -> String) {
        std::iter::once(&mut self.source).chain(&mut self.error).for_each(|text| *text = rewrite(text));
    }
}

/// How a run ended.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct End {
    /// Why it ended early, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cut: Option<Cut>,
    /// Arrivals that were due by plan in each open phase.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub planned: BTreeMap<u16, u64>,
    /// Share of the time in which the control group kept the process from running.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub throttled_share: Option<f64>,
    /// The longest that a worker's heartbeat came late.
    #[serde(skip_serializing_if = "is_zero")]
    pub clock_gap_max: Nanos,
    /// How often one came late.
    #[serde(skip_serializing_if = "is_zero")]
    pub clock_gaps: u64,
    /// The longest that script code kept a worker from anything else.
    #[serde(skip_serializing_if = "is_zero")]
    pub script_stall_max: Nanos,
    /// The most descriptors that were open, and how many may be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub descriptors: Option<(u64, u64)>,
    /// What happened besides.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// What was seen beside the traffic since the last tick.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub observations: Vec<Observation>,
    /// `teardown` failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub teardown_error: Option<String>,
    /// What counters beside the traffic said of phases.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub readings: Vec<Reading>,
    /// What came out when the run was held against its baseline; it has no secrets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comparison: Option<serde_json::Value>,
}

impl End {
    /// Rewrites every text in it.
    pub fn rewrite_texts(&mut self, rewrite: &dyn Fn(&str) -> String) {
        let reason = match &mut self.cut {
            Some(Cut::Aborted(reason) | Cut::SetupFailed(reason) | Cut::Broken(reason)) => Some(reason),
            Some(Cut::Interrupted) | None => None,
        };
        let texts = reason.into_iter().chain(&mut self.notes).chain(&mut self.teardown_error);
        texts.for_each(|text| *text = rewrite(text));
        self.readings.iter_mut().for_each(|reading| reading.rewrite_texts(rewrite));
    }
}

/// `2026-11-21T12:35:23Z` of milliseconds since 1970 (Hinnant, "chrono-Compatible Low-Level Date Algorithms":
/// days counted from the first of March of the year 0, in eras of 400 years).
pub fn utc(epoch_ms: u64) -> String {
    let seconds = epoch_ms / 1_000;
    let days = seconds / 86_400 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// The file of a run, from its name and when it started: `mix-20261121T123523Z.loadr`. What a file system or a
/// shell would stumble over becomes a dash.
pub fn file_name(name: &str, epoch_ms: u64) -> String {
    const NAME_CHARS_MAX: usize = 60;
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    let plain: String = name.chars().take(NAME_CHARS_MAX).map(|c| if is_plain(c) { c } else { '-' }).collect();
    let plain = plain.trim_matches(['-', '.']);
    let plain = if plain.is_empty() { "run" } else { plain };
    let time: String = utc(epoch_ms).chars().filter(|c| !matches!(c, '-' | ':')).collect();
    format!("{plain}-{time}.loadr")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_right() {
        // date -u -d @N +%FT%TZ
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_793_232_000, "2026-10-29T00:00:00Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(utc(seconds * 1_000 + 999), text);
        }
    }

    #[test]
    fn a_file_name_needs_no_quotes() {
        assert_eq!(file_name("mix", 951_782_400_000), "mix-20000229T000000Z.loadr");
        assert_eq!(file_name("../a b/ç;$", 0), "a-b-ç-19700101T000000Z.loadr");
        assert_eq!(file_name("..", 0), "run-19700101T000000Z.loadr");
    }
}
