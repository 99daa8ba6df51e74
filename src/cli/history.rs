//! `loadr history DIR`

use std::{path::PathBuf, process::ExitCode};

use super::{
    Color, code,
    compare::{parse_margin, write_page},
    complain, print,
};
use crate::{
    judge, report,
    runner::{self, HistoryOptions},
};

/// What `loadr history` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    loadr history runs/\n  \
    loadr history runs/ --last 30 --html history.html\n  \
    loadr history runs/ --fail-on-regression")]
pub(super) struct Args {
    /// A folder of run files, or run files
    #[arg(value_name = "DIR", required = true)]
    files: Vec<String>,

    /// Only the latest N runs
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1000))]
    last: u16,

    /// Only runs of the script of that name, without .rhai
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    /// A smaller change is none
    #[arg(long, value_name = "PERCENT", default_value = "5%", value_parser = parse_margin)]
    margin: f64,

    /// Exit 96 if a figure is worse than before its last change
    #[arg(long)]
    fail_on_regression: bool,

    /// Print the history as JSON
    #[arg(long)]
    json: bool,

    /// Write a page for a browser to FILE
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

pub(super) fn run(arguments: &Args, color: Color) -> ExitCode {
    let options = HistoryOptions {
        files: arguments.files.clone(),
        last: arguments.last.into(),
        name: arguments.name.clone(),
        margin: arguments.margin,
        fail_on_regression: arguments.fail_on_regression,
    };
    let history = runner::history(&options).and_then(|history| {
        if let Some(path) = &arguments.html {
            write_page(path, &report::history_html(&history))?;
        }
        Ok(history)
    });
    match history {
        Ok(history) if arguments.json => {
            print(&format!("{}\n", history.json()));
            ExitCode::from(history.exit_code)
        }
        Ok(history) => {
            let (width, color) = (report::terminal::width(), color.on(&std::io::stdout()));
            print(&report::terminal::history(&history, width, color));
            ExitCode::from(history.exit_code)
        }
        Err(message) => {
            complain(&format!("error: {message}"));
            code(judge::ExitCode::NotStarted)
        }
    }
}
