//! `loadr try SCRIPT`

use std::{path::PathBuf, process::ExitCode};

use super::{
    Color, code, complain_of,
    demo::{LabArguments, parse_demo},
    print,
    source::Surroundings,
};
use crate::{
    report::terminal,
    runner::{self, TrialOptions},
};

/// What `loadr try` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    loadr try mix.rhai --demo\n  \
    loadr try mix.rhai --entry checkout --full\n  \
    loadr try mix.rhai --json | jq '.steps[] | select(.ok | not)'\n\n\
    Exit codes: 0 everything went as the script expects, 1 a target cannot be reached, 99 a request or a check \
    failed, 104 the script has mistakes, 107 it failed while it ran, 108 it ended the run.")]
pub(super) struct Args {
    /// The scenario
    #[arg(value_name = "SCRIPT")]
    script: PathBuf,

    #[command(flatten)]
    surroundings: Surroundings,

    /// Start the embedded lab on a free port, and give its address to the script as TARGET; with options of `loadr lab`, as in
    /// --demo=cache-ttl=5s,coalesce
    #[arg(long, value_name = "OPTIONS", num_args = 0..=1, require_equals = true, default_missing_value = "", value_parser = parse_demo)]
    demo: Option<LabArguments>,

    /// Only this request or flow of the mixes; may be given more than once
    #[arg(long = "entry", value_name = "NAME")]
    entries: Vec<String>,

    /// Show bodies as long as they are
    #[arg(long)]
    full: bool,

    /// As JSON instead
    #[arg(long)]
    json: bool,

    /// Seed of everything random; a random one unless given
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    /// Leave out `setup`
    #[arg(long)]
    no_setup: bool,

    /// Leave out `teardown`
    #[arg(long)]
    no_teardown: bool,

    /// Let it send to a public host
    #[arg(long, value_name = "HOST")]
    allow_target: Vec<String>,
}

pub(super) fn run(arguments: &Args, color: Color) -> ExitCode {
    let options = TrialOptions {
        source: arguments.surroundings.of(&arguments.script),
        seed: arguments.seed,
        demo: arguments.demo.clone().map(|demo| demo.0),
        no_setup: arguments.no_setup,
        no_teardown: arguments.no_teardown,
        entries: arguments.entries.clone(),
        full: arguments.full,
        allow_target: arguments.allow_target.clone(),
        color: color.on(&std::io::stderr()),
    };
    match runner::try_out(&options) {
        Ok(trial) => {
            if arguments.json {
                // Plain data always has a form in JSON.
                print(&(serde_json::to_string_pretty(&trial).unwrap_or_default() + "\n"));
            } else {
                print(&terminal::render_trial(&trial, terminal::width(), color.on(&std::io::stdout())));
            }
            ExitCode::from(trial.exit_code)
        }
        Err(not_run) => {
            complain_of(&not_run.message);
            code(not_run.code)
        }
    }
}
