//! Runs of files and folders, to be compared or looked at together.

use std::path::{Path, PathBuf};

use super::{Replayed, replay};
use crate::{
    judge::PhaseView,
    report::{ComparedPhase, ComparedRun, Comparison},
    results::Machine,
};

/// The run files of a folder, by name: those whose names end in `.loadr`.
///
/// # Errors
/// A text for the user: the folder cannot be read, or has none.
pub fn run_files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let told = |error: std::io::Error| format!("failed to read {}: {error}", folder.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(told)? {
        let path = entry.map_err(told)?.path();
        if path.extension().is_some_and(|extension| extension == "loadr") {
            files.push(path);
        }
    }
    if files.is_empty() {
        return Err(format!("{} has no run files\nhelp: their names end in .loadr", folder.display()));
    }
    files.sort();
    Ok(files)
}

/// The files that are named: a file, a folder of them, or several separated by commas.
///
/// # Errors
/// A text for the user: a folder cannot be read, or has none.
pub(super) fn files(named: &str) -> Result<Vec<PathBuf>, String> {
    // A file whose name has a comma is itself.
    let paths: Vec<PathBuf> = if Path::new(named).exists() {
        vec![PathBuf::from(named)]
    } else {
        named.split(',').map(PathBuf::from).collect()
    };
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            files.extend(run_files(&path)?);
        } else {
            files.push(path);
        }
    }
    Ok(files)
}

/// Reads the runs that are named: a file, a folder of them, or several separated by commas.
///
/// # Errors
/// A text that names the file and the cause.
pub fn runs(named: &str) -> Result<Vec<Replayed>, String> {
    files(named)?.iter().map(|file| replay(file)).collect()
}

/// Compares the runs of two sides.
pub fn compare_runs(a: &[Replayed], b: &[Replayed], margin: f64) -> Comparison {
    let described = |side: &[Replayed]| side.iter().map(described).collect();
    fn views(side: &[Replayed]) -> Vec<Vec<PhaseView<'_>>> {
        side.iter().map(Replayed::views).collect()
    }
    Comparison::of(described(a), described(b), (&views(a), &views(b)), margin, true)
}

/// What a comparison says of a run.
pub(super) fn described(run: &Replayed) -> ComparedRun {
    let manifest = &run.manifest;
    ComparedRun {
        file: run.path.display().to_string(),
        started_at: manifest.started_at.clone(),
        loadr: manifest.loadr.clone(),
        plan_hash: manifest.plan_hash.clone(),
        seed: manifest.seed,
        verdict: run.summary.verdict,
        partial: run.summary.partial.clone(),
        machine: machine_text(&manifest.machine),
        part: part_text(&manifest.segments),
        phases: ComparedPhase::all(&run.outline),
    }
}

/// The machine in a word: system, processor, cores.
pub(super) fn machine_text(machine: &Machine) -> String {
    format!("{}, {}, {} cores", machine.system, machine.cpu.as_deref().unwrap_or(&machine.arch), machine.cores)
}

/// `1/2`, or nothing for a whole run.
pub(super) fn part_text(segments: &[(u64, u64)]) -> Option<String> {
    let share: f64 = segments.iter().map(|&(_, count)| 1.0 / count.max(1) as f64).sum();
    let part = |&(index, count): &(u64, u64)| format!("{}/{count}", index + 1);
    (share < 0.999).then(|| segments.iter().map(part).collect::<Vec<_>>().join(" + "))
}
