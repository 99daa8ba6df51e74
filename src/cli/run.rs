//! `loadr run SCRIPT`

use std::{path::PathBuf, process::ExitCode};

use super::{
    Color, code,
    compare::parse_margin,
    complain, complain_of,
    demo::{LabArguments, parse_demo},
    forms::{page, parse_output},
    print,
    source::{ExtentArgs, parse_pair, parse_tag},
};
use crate::{
    judge,
    pace::Segment,
    report,
    runner::{self, Output, RunOptions},
};

/// What `loadr run` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    loadr run mix.rhai --demo\n  \
    loadr run mix.rhai --demo --scale 0.1 --phase 'burst*'\n  \
    loadr run mix.rhai -e TARGET=https://shop.example --allow-target shop.example\n  \
    loadr run mix.rhai --seed 42 --tag commit=1a2b3c --html report.html -o junit=loadr.xml")]
pub(super) struct Args {
    /// The scenario
    #[arg(value_name = "SCRIPT")]
    script: PathBuf,

    /// A value for env(NAME) and secret(NAME); wins over the environment
    #[arg(short = 'e', long = "env", value_name = "NAME=VALUE", value_parser = parse_pair)]
    env: Vec<(String, String)>,

    /// A label for this run, kept in its file and shown in its reports; may be given more than once
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = parse_tag)]
    tags: Vec<(String, String)>,

    /// Start the embedded lab on a free port, and give its address to the script as TARGET; with options of `loadr lab`, as in
    /// --demo=cache-ttl=5s,coalesce
    #[arg(long, value_name = "OPTIONS", num_args = 0..=1, require_equals = true, default_missing_value = "", value_parser = parse_demo)]
    demo: Option<LabArguments>,

    #[command(flatten)]
    extent: ExtentArgs,

    /// Seed of everything random: the same seed sends the same traffic
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    /// Threads that generate load; one a core unless given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    workers: Option<u16>,

    /// Do only part I of N parts of the run, counted from 1
    #[arg(long, value_name = "I/N", value_parser = parse_segment)]
    segment: Option<Segment>,

    /// Write the report to FILE in the form FORM: json, html, markdown, junit, csv, timeline, prometheus, text
    #[arg(short = 'o', long = "out", value_name = "FORM=FILE", value_parser = parse_output)]
    out: Vec<Output>,

    /// Write the summary to FILE as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Write the run file to FILE; unless given, it is NAME-TIME.loadr in the current folder
    #[arg(long, value_name = "FILE", conflicts_with = "no_results")]
    results: Option<PathBuf>,

    /// Write no run file
    #[arg(long)]
    no_results: bool,

    /// Record nothing: for `benches/run overhead`, which measures what recording costs
    #[arg(long, hide = true, requires = "no_results")]
    no_recording: bool,

    /// Write a page for a browser to FILE
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,

    /// Write a comment for a pull request to FILE
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,

    /// Write a JUnit report to FILE
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,

    /// Write a table of all requests to FILE
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,

    /// Print the report by the template in FILE (in the language of Jinja)
    #[arg(long, value_name = "FILE")]
    template: Option<PathBuf>,

    /// Show every exchange that was kept whole (the slowest and the first to fail) as a line for a shell
    #[arg(long)]
    exemplars: bool,

    /// Leave out `setup`
    #[arg(long)]
    no_setup: bool,

    /// Leave out `teardown`
    #[arg(long)]
    no_teardown: bool,

    /// Start even if a target cannot be reached
    #[arg(long)]
    no_preflight: bool,

    /// An SLO that cannot be judged fails the run
    #[arg(long)]
    strict: bool,

    /// Hold the run against FILE: a run file, a folder of them, or several separated by commas
    #[arg(long, value_name = "FILE")]
    baseline: Vec<String>,

    /// A smaller change is none; 5% unless given
    #[arg(long, value_name = "PERCENT", value_parser = parse_margin)]
    max_regression: Option<f64>,

    /// A regression against the baseline fails the run
    #[arg(long)]
    fail_on_regression: bool,

    /// No progress and no notes on standard error
    #[arg(short, long)]
    quiet: bool,

    /// Let the script read files of DIR, beside those of its own folder
    #[arg(long, value_name = "DIR")]
    allow_read: Vec<PathBuf>,

    /// Let the script start programs, by `process`
    #[arg(long)]
    allow_exec: bool,

    /// Let the run send to a public host
    #[arg(long, value_name = "HOST")]
    allow_target: Vec<String>,
}

impl Args {
    /// All files that were asked for.
    fn outputs(&self) -> Vec<Output> {
        let short = [
            ("json", &self.json),
            ("html", &self.html),
            ("markdown", &self.markdown),
            ("junit", &self.junit),
            ("csv", &self.csv),
        ];
        let short = short
            .into_iter()
            .filter_map(|(name, path)| Some(Output { form: report::form(name)?, path: path.clone()? }));
        self.out.iter().cloned().chain(short).collect()
    }
}

pub(super) fn run(arguments: &Args, color: Color) -> ExitCode {
    let template = match arguments.template.as_deref().map(runner::read_template).transpose() {
        Ok(template) => template,
        Err(message) => {
            complain(&format!("error: {message}"));
            return code(judge::ExitCode::NotStarted);
        }
    };
    let options = RunOptions {
        script: arguments.script.clone(),
        env: arguments.env.clone(),
        seed: arguments.seed,
        workers: arguments.workers.map(usize::from),
        segment: arguments.segment,
        tags: arguments.tags.iter().cloned().collect(),
        demo: arguments.demo.clone().map(|demo| demo.0),
        no_setup: arguments.no_setup,
        no_teardown: arguments.no_teardown,
        no_preflight: arguments.no_preflight,
        strict: arguments.strict,
        baseline: arguments.baseline.clone(),
        fail_on_regression: arguments.fail_on_regression,
        max_regression: arguments.max_regression,
        quiet: arguments.quiet,
        outputs: arguments.outputs(),
        results: arguments.results.clone(),
        no_results: arguments.no_results,
        no_recording: arguments.no_recording,
        arguments: std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned()).collect(),
        allow_read: arguments.allow_read.clone(),
        allow_target: arguments.allow_target.clone(),
        allow_exec: arguments.allow_exec,
        slice: None,
        extent: arguments.extent.extent(),
        color_stderr: color.on(&std::io::stderr()),
    };
    match runner::run(&options) {
        Ok(summary) => {
            match page(&summary, template.as_ref(), color, arguments.exemplars) {
                Ok(page) => print(&page),
                Err(message) => {
                    complain(&format!("error: {message}"));
                    return code(judge::ExitCode::NotStarted);
                }
            }
            ExitCode::from(summary.exit_code)
        }
        Err(not_run) => {
            complain_of(&not_run.message);
            code(not_run.code)
        }
    }
}

fn parse_segment(text: &str) -> Result<Segment, String> {
    let parts = text.split_once('/').and_then(|(i, n)| Some((i.parse::<u64>().ok()?, n.parse::<u64>().ok()?)));
    match parts {
        Some((i, n)) if i >= 1 && i <= n => Ok(Segment { index: i - 1, count: n }),
        _ => Err("write I/N with I from 1 to N, such as 1/4".to_owned()),
    }
}
