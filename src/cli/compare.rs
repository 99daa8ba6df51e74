//! `loadr compare A B [C…]`

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use super::{Color, code, complain, print};
use crate::{
    judge::{self, PhaseView},
    report::{self, ComparedRun, Comparison},
    runner::{self, Replayed},
};

/// What `loadr compare` takes.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The baseline: a run file, a folder of run files, or several files separated by commas
    #[arg(value_name = "A")]
    baseline: String,

    /// What is held against it, each in the same form
    #[arg(value_name = "B", required = true, num_args = 1..)]
    others: Vec<String>,

    /// A smaller change is none
    #[arg(long, value_name = "PERCENT", default_value = "5%", value_parser = parse_margin)]
    margin: f64,

    /// Print the comparison as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Args, color: Color) -> ExitCode {
    match compare(arguments) {
        Ok(comparisons) => {
            let stdout = std::io::stdout();
            if arguments.json {
                print(&format!("{}\n", report::comparisons_json(&comparisons)));
            } else {
                let show = |one| report::terminal::comparison(one, report::terminal::width(), color.on(&stdout));
                print(&comparisons.iter().map(show).collect::<Vec<_>>().join("\n"));
            }
            // An invalid run is 97 and a regression 96: the heavier one counts.
            ExitCode::from(comparisons.iter().map(|one| one.exit_code).max().unwrap_or(0))
        }
        Err(message) => {
            complain(&format!("error: {message}"));
            code(judge::ExitCode::NotStarted)
        }
    }
}

fn compare(arguments: &Args) -> Result<Vec<Comparison>, String> {
    let baseline = side(&arguments.baseline)?;
    let mut comparisons = Vec::new();
    for other in &arguments.others {
        let other = side(other)?;
        let (a, b) = (views(&baseline), views(&other));
        comparisons.push(Comparison::of(described(&baseline), described(&other), (&a, &b), arguments.margin));
    }
    Ok(comparisons)
}

/// The runs of a side.
fn side(named: &str) -> Result<Vec<Replayed>, String> {
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
    files.iter().map(|file| runner::replay(file)).collect()
}

/// The run files of a folder, by name: those whose names end in `.loadr`.
pub(super) fn run_files(folder: &Path) -> Result<Vec<PathBuf>, String> {
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

fn views(side: &[Replayed]) -> Vec<Vec<PhaseView<'_>>> {
    side.iter().map(Replayed::views).collect()
}

fn described(side: &[Replayed]) -> Vec<ComparedRun> {
    let run = |run: &Replayed| {
        let (manifest, machine) = (&run.manifest, &run.manifest.machine);
        ComparedRun {
            file: run.path.display().to_string(),
            started_at: manifest.started_at.clone(),
            loadr: manifest.loadr.clone(),
            plan_hash: manifest.plan_hash.clone(),
            seed: manifest.seed,
            verdict: run.summary.verdict,
            partial: run.summary.partial.clone(),
            machine: format!(
                "{}, {}, {} cores",
                machine.system,
                machine.cpu.as_deref().unwrap_or(&machine.arch),
                machine.cores
            ),
        }
    };
    side.iter().map(run).collect()
}

fn parse_margin(text: &str) -> Result<f64, String> {
    let percent = text.strip_suffix('%').unwrap_or(text).trim().parse::<f64>();
    match percent {
        Ok(percent) if (0.0..=1_000.0).contains(&percent) => Ok(percent / 100.0),
        _ => Err("write a percentage, such as 5%".to_owned()),
    }
}
