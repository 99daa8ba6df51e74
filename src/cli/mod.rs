//! The command line: one file for each subcommand.

mod ab;
mod attempt;
mod check;
mod compare;
mod completions;
mod definitions;
mod demo;
mod docs;
mod forms;
mod history;
mod lab;
mod man;
mod merge;
mod new;
mod plan;
mod report;
mod run;
mod source;

use std::{
    ffi::OsString,
    io::{IsTerminal, Write},
    process::ExitCode,
};

use clap::{
    CommandFactory, Parser, Subcommand, ValueEnum,
    error::{ContextKind, ContextValue, ErrorKind},
};

use crate::judge;

const EXAMPLES: &str = "Examples:\n  \
    loadr new mix                    write a commented script, mix.rhai\n  \
    loadr try mix.rhai --demo        one iteration of each entry, with requests and responses\n  \
    loadr run mix.rhai --demo        the whole run, against the embedded lab\n  \
    loadr report RUN.loadr           its report again, in any form\n  \
    loadr docs rate                  what a word of the language means";

/// Load testing with scenarios in Rhai: exact rates, per-phase histograms, and a verdict on what they prove.
#[derive(Debug, Parser)]
#[command(name = "loadr", version, propagate_version = true, arg_required_else_help = true, after_help = EXAMPLES)]
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
    /// Compare runs: what got worse, better, stayed the same, or cannot be told
    Compare(compare::Args),
    /// Let two targets take turns under the same traffic, and say which is slower
    Ab(ab::Args),
    /// Show how the figures of a folder's runs went, and where their level changed
    History(history::Args),
    /// Add up the files of a run that was cut into parts
    Merge(merge::Args),
    /// Write a script to start from
    New(new::Args),
    /// Run one iteration of each entry, and show requests, responses and checks
    Try(attempt::Args),
    /// Show what a scenario would do, without sending anything
    Plan(plan::Args),
    /// Look for every mistake of scripts, without sending anything
    Check(check::Args),
    /// Start the embedded target server
    Lab(crate::lab::LabOptions),
    /// Look a word of the script language up
    Docs(docs::Args),
    /// Write the language's definitions, for editors
    Definitions(definitions::Args),
    /// Print a shell's completions
    Completions(completions::Args),
    /// Print the manual page, or write all of them
    Man(man::Args),
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
    let mut arguments = arguments.into_iter().peekable();
    let program = arguments.next();
    if arguments.peek().and_then(|first| first.to_str()) == Some(crate::runner::SUPERVISE) {
        // No command for people: loadr starts itself so.
        return ExitCode::from(crate::runner::supervise(arguments.skip(1)));
    }
    let cli = match Cli::try_parse_from(program.into_iter().chain(arguments)) {
        Ok(cli) => cli,
        Err(error) => {
            let error = with_suggestion(error);
            let is_error = error.use_stderr();
            // Nobody is left to tell if even this cannot be printed.
            let _ = error.print();
            return code(if is_error { judge::ExitCode::Usage } else { judge::ExitCode::Passed });
        }
    };
    match cli.command {
        Command::Run(arguments) => run::run(&arguments, cli.color),
        Command::Report(arguments) => report::run(&arguments, cli.color),
        Command::Compare(arguments) => compare::run(&arguments, cli.color),
        Command::Ab(arguments) => ab::run(&arguments, cli.color),
        Command::History(arguments) => history::run(&arguments, cli.color),
        Command::Merge(arguments) => merge::run(&arguments),
        Command::New(arguments) => new::run(&arguments),
        Command::Try(arguments) => attempt::run(&arguments, cli.color),
        Command::Plan(arguments) => plan::run(&arguments, cli.color),
        Command::Check(arguments) => check::run(&arguments, cli.color),
        Command::Lab(options) => lab::run(options),
        Command::Docs(arguments) => docs::run(&arguments, cli.color),
        Command::Definitions(arguments) => definitions::run(&arguments),
        Command::Completions(arguments) => completions::run(&arguments),
        Command::Man(arguments) => man::run(&arguments),
    }
}

/// Adds what an unknown subcommand may have been meant for, where clap does not know.
fn with_suggestion(mut error: clap::Error) -> clap::Error {
    if error.kind() != ErrorKind::InvalidSubcommand || error.get(ContextKind::SuggestedSubcommand).is_some() {
        return error;
    }
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidSubcommand).cloned() else { return error };
    let command = command();
    let meant = if word.ends_with(".rhai") {
        Some(format!("run {word}"))
    } else {
        crate::plan::nearest(&word, command.get_subcommands().map(clap::Command::get_name)).map(ToOwned::to_owned)
    };
    if let Some(meant) = meant {
        error.insert(ContextKind::SuggestedSubcommand, ContextValue::Strings(vec![meant]));
    }
    error
}

/// The command line as a value: what completions and manual are made from.
fn command() -> clap::Command {
    Cli::command()
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

/// Prints why something was not done. The text of a mistake in a script says `error` already.
fn complain_of(message: &str) {
    let message = message.trim_end();
    complain(&if message.starts_with("error") { message.to_owned() } else { format!("error: {message}") });
}
