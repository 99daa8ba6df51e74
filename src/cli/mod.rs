//! The command line: one file for each subcommand.

mod forms;
mod lab;
mod merge;
mod report;
mod run;

use std::{
    ffi::OsString,
    io::{IsTerminal, Write},
    process::ExitCode,
};

use clap::{Parser, Subcommand, ValueEnum};

use crate::judge;

/// Load testing with scenarios in Rhai: exact rates, per-phase histograms, and a verdict on what they prove.
#[derive(Debug, Parser)]
#[command(name = "loadr", version, propagate_version = true, arg_required_else_help = true)]
struct Cli {
    /// When to use colour
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    color: Color,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a scenario and say what its figures prove
    Run(run::Args),
    /// Make the report of a run again, from its file
    Report(report::Args),
    /// Add up the files of a run that was cut into parts
    Merge(merge::Args),
    /// Start the embedded target server
    Lab(crate::lab::LabOptions),
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Color {
    /// On a terminal, unless `NO_COLOR` is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl Color {
    fn on(self, stream: &impl IsTerminal) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => {
                stream.is_terminal()
                    && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
                    && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
            }
        }
    }
}

/// Runs the command line and gives the process's exit code.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            let is_error = error.use_stderr();
            // Nobody is left to tell if even this cannot be printed.
            let _ = error.print();
            return code(if is_error { judge::ExitCode::Usage } else { judge::ExitCode::Passed });
        }
    };
    match cli.command {
        Command::Run(arguments) => run::run(&arguments, cli.color),
        Command::Report(arguments) => report::run(&arguments, cli.color),
        Command::Merge(arguments) => merge::run(&arguments),
        Command::Lab(options) => lab::run(options),
    }
}

fn code(code: judge::ExitCode) -> ExitCode {
    ExitCode::from(code.code())
}

/// Prints a report on standard output. A reader that has gone away is no failure.
fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Prints a message on standard error.
fn complain(text: &str) {
    let mut out = std::io::stderr().lock();
    let _ = out.write_all(text.trim_end().as_bytes()).and_then(|()| out.write_all(b"\n"));
}
