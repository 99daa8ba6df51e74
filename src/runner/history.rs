//! The history of a folder's runs.

use super::{Replayed, replay, runs::machine_text};
use crate::{
    judge::{self, Validity},
    report::{History, HistoryRun, LeftOut},
};

/// What is asked of a history.
#[derive(Debug, Clone)]
pub struct HistoryOptions {
    /// Run files, and folders of them.
    pub files: Vec<String>,
    /// Only the latest so many.
    pub last: usize,
    /// Only runs of the script of that name.
    pub name: Option<String>,
    /// A smaller change is none, as a share.
    pub margin: f64,
    /// A figure that is worse than before is a failure.
    pub fail_on_regression: bool,
}

/// Reads the runs and looks for changes. Each run is read for itself: a folder of many takes no more memory than one.
///
/// # Errors
/// A text for the user: a folder or file cannot be read, or there is no run left.
pub fn history(options: &HistoryOptions) -> Result<History, String> {
    let mut files = Vec::new();
    for named in &options.files {
        files.extend(super::runs::files(named)?);
    }
    // What is oldest by its manifest; only that much of each file is read for it.
    let mut dated = Vec::new();
    let mut left_out = Vec::new();
    for file in files {
        match super::open(&file) {
            Ok(opened) if options.name.as_ref().is_some_and(|name| *name != opened.manifest.name) => {}
            Ok(opened) => dated.push((opened.manifest.started_at_ms, file)),
            Err(message) => left_out.push(LeftOut { file: file.display().to_string(), why: message }),
        }
    }
    dated.sort();
    let skipped = dated.len().saturating_sub(options.last);
    let (mut runs, mut phases) = (Vec::new(), Vec::new());
    for (_, file) in dated.into_iter().skip(skipped) {
        let leave = |why: &str| LeftOut { file: file.display().to_string(), why: why.to_owned() };
        match replay(&file) {
            Err(message) => left_out.push(leave(&message)),
            Ok(run) if run.summary.verdict == Validity::Invalid => left_out.push(leave("it is INVALID")),
            Ok(run) if run.summary.partial.is_some() => left_out.push(leave("it is partial")),
            Ok(run) => {
                // New phases come behind those that are known.
                for phase in &run.outline.phases {
                    if !phases.contains(&phase.name) {
                        phases.push(phase.name.clone());
                    }
                }
                runs.push((described(&run), judge::run_figures(&run.views())));
            }
        }
    }
    if runs.is_empty() {
        let whys: Vec<String> = left_out.iter().map(|run| format!("{}: {}", run.file, run.why)).collect();
        let name = options.name.as_ref().map_or_else(String::new, |name| format!(" of {name}"));
        return Err(format!("there is no run{name} to look at\n{}", whys.join("\n")).trim_end().to_owned());
    }
    Ok(History::of(runs, left_out, &phases, options.margin, options.fail_on_regression))
}

fn described(run: &Replayed) -> HistoryRun {
    let manifest = &run.manifest;
    HistoryRun {
        file: run.path.display().to_string(),
        started_at: manifest.started_at.clone(),
        loadr: manifest.loadr.clone(),
        plan_hash: manifest.plan_hash.clone(),
        machine: machine_text(&manifest.machine),
        facts: run.outline.facts.iter().cloned().collect(),
    }
}
