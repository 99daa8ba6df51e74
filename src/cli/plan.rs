//! `loadr plan SCRIPT`

use std::{path::PathBuf, process::ExitCode};

use super::{
    Color, code, complain_of, print,
    source::{ExtentArgs, Surroundings},
};
use crate::{
    report::terminal,
    runner::{self, OutlookOptions, ScriptOptions},
};

/// How many arrivals `--schedule` shows without a number.
const SCHEDULE_USUAL: &str = "20";

/// What `loadr plan` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    loadr plan mix.rhai\n  \
    loadr plan mix.rhai --seed 42 --schedule=100   the first 100 arrivals of `loadr run mix.rhai --seed 42`\n  \
    loadr plan mix.rhai --json | jq .duration_s")]
pub(super) struct Args {
    /// The scenario
    #[arg(value_name = "SCRIPT")]
    script: PathBuf,

    #[command(flatten)]
    surroundings: Surroundings,

    #[command(flatten)]
    extent: ExtentArgs,

    /// Seed of everything random, as for `loadr run`; a random one unless given
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    /// Show the first N arrivals that a run with this seed sends
    #[arg(long, value_name = "N", num_args = 0..=1, require_equals = true, default_missing_value = SCHEDULE_USUAL)]
    schedule: Option<usize>,

    /// As JSON instead
    #[arg(long)]
    json: bool,

    /// Take this public host as allowed, as for `loadr run`
    #[arg(long, value_name = "HOST")]
    allow_target: Vec<String>,
}

pub(super) fn run(arguments: &Args, color: Color) -> ExitCode {
    let options = OutlookOptions {
        source: ScriptOptions { extent: arguments.extent.extent(), ..arguments.surroundings.of(&arguments.script) },
        seed: arguments.seed,
        schedule: arguments.schedule,
        allow_target: arguments.allow_target.clone(),
        color: color.on(&std::io::stderr()),
    };
    match runner::outlook(&options) {
        Ok((outlook, redactor)) => {
            let text = if arguments.json {
                // Plain data always has a form in JSON.
                serde_json::to_string_pretty(&outlook).unwrap_or_default() + "\n"
            } else {
                terminal::render_outlook(&outlook, terminal::width(), color.on(&std::io::stdout()))
            };
            print(&redactor.redact(&text));
            ExitCode::SUCCESS
        }
        Err(not_run) => {
            complain_of(&not_run.message);
            code(not_run.code)
        }
    }
}
