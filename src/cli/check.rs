//! `loadr check SCRIPT…`

use std::{fmt::Write, path::PathBuf, process::ExitCode};

use serde::Serialize;

use super::{Color, code, complain_of, print, source::Surroundings};
use crate::{
    judge,
    runner::{self, NotRun},
    script::LoadError,
};

/// What `loadr check` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    loadr check mix.rhai\n  \
    loadr check --quiet load/*.rhai\n  \
    loadr check --format json mix.rhai | jq '.[].message'")]
pub(super) struct Args {
    /// Scenarios
    #[arg(value_name = "SCRIPT", required = true)]
    scripts: Vec<PathBuf>,

    #[command(flatten)]
    surroundings: Surroundings,

    /// For people, or for editors and pipelines
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,

    /// Say nothing of scripts that are right
    #[arg(short, long)]
    quiet: bool,
}

/// How mistakes are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// With source lines and help
    Text,
    /// An array with an object for each mistake
    Json,
}

/// A mistake as an editor takes it. Lines and columns count from 1; columns count characters.
#[derive(Debug, Serialize)]
struct Diagnostic {
    file: String,
    /// 0 where the mistake has no place.
    line: u32,
    column: u32,
    /// One behind the last character of what is wrong.
    end_column: u32,
    severity: &'static str,
    message: String,
    label: Option<String>,
    help: Option<String>,
}

pub(super) fn run(arguments: &Args, color: Color) -> ExitCode {
    let color = color.on(&std::io::stdout());
    let mut diagnostics = Vec::new();
    let mut text = String::new();
    let mut wrong = 0_usize;
    for script in &arguments.scripts {
        match runner::check(&arguments.surroundings.of(script)) {
            Ok(Ok(())) if arguments.quiet => {}
            // Writing into a string cannot fail.
            Ok(Ok(())) => drop(writeln!(text, "{}: right", printable(&script.to_string_lossy()))),
            Ok(Err(error)) => {
                wrong += 1;
                let _ = writeln!(text, "{}", error.render(color));
                diagnostics.extend(error_diagnostics(&error));
            }
            Err(NotRun { code: exit, message }) => {
                complain_of(&message);
                return code(exit);
            }
        }
    }
    match arguments.format {
        Format::Text => {
            if arguments.scripts.len() > 1 && (wrong > 0 || !arguments.quiet) {
                let _ = writeln!(text, "{wrong} of {} scripts have mistakes", arguments.scripts.len());
            }
            print(&text);
        }
        // A list of plain texts and numbers always has a form in JSON.
        Format::Json => print(&(serde_json::to_string_pretty(&diagnostics).unwrap_or_default() + "\n")),
    }
    code(if wrong > 0 { judge::ExitCode::Script } else { judge::ExitCode::Passed })
}

fn error_diagnostics(error: &LoadError) -> Vec<Diagnostic> {
    let clean = |text: &str| printable(&error.redactor.redact(text));
    error
        .problems
        .iter()
        .map(|problem| {
            let at = problem.at.clone().unwrap_or_default();
            let columns = error.sources.columns(&at);
            Diagnostic {
                file: if at.file.is_empty() { error.sources.name().to_owned() } else { at.file.to_string() },
                line: at.line,
                column: columns.start,
                end_column: columns.end,
                severity: "error",
                message: clean(&problem.message),
                label: problem.label.as_deref().map(clean),
                help: problem.help.as_deref().map(clean),
            }
        })
        .collect()
}

/// Without what would steer a terminal: editors show messages in panes that interpret it, too.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{FFFD}' } else { c }).collect()
}
