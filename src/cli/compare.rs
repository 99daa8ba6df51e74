//! `loadr compare A B [C…]`

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use super::{Color, code, complain, print};
use crate::{
    judge, plan,
    report::{self, Comparison},
    runner,
};

/// What `loadr compare` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    loadr compare main.loadr branch.loadr\n  \
    loadr compare main-1.loadr,main-2.loadr branch-1.loadr,branch-2.loadr\n  \
    loadr compare runs/main runs/branch --margin 10% --json")]
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

    /// Write a page for a browser to FILE
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,

    /// Write a comment for a pull request to FILE
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
}

pub(super) fn run(arguments: &Args, color: Color) -> ExitCode {
    match compare(arguments).and_then(|comparisons| save(arguments, &comparisons).map(|()| comparisons)) {
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
    let baseline = runner::runs(&arguments.baseline)?;
    let other = |named: &String| Ok(runner::compare_runs(&baseline, &runner::runs(named)?, arguments.margin));
    arguments.others.iter().map(other).collect()
}

fn save(arguments: &Args, comparisons: &[Comparison]) -> Result<(), String> {
    let pages = [
        (&arguments.html, report::comparisons_html as fn(&[Comparison]) -> String),
        (&arguments.markdown, report::comparisons_markdown),
    ];
    for (path, render) in pages {
        if let Some(path) = path {
            write_page(path, &render(comparisons))?;
        }
    }
    Ok(())
}

/// Writes what has been rendered.
pub(super) fn write_page(path: &Path, page: &str) -> Result<(), String> {
    std::fs::write(path, page).map_err(|error| format!("failed to write {}: {error}", path.display()))
}

/// `5%`
pub(super) fn parse_margin(text: &str) -> Result<f64, String> {
    plan::parse_margin(text).ok_or_else(|| "write a percentage, such as 5%".to_owned())
}
