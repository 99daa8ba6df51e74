//! `loadr ab SCRIPT --target-a URL --target-b URL`

use std::{path::PathBuf, process::ExitCode};

use super::{
    Color, code,
    compare::{parse_margin, write_page},
    complain, complain_of, print,
    source::Surroundings,
};
use crate::{
    judge, report,
    runner::{self, AbOptions, RunOptions},
};

/// What `loadr ab` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    loadr ab mix.rhai --target-a http://127.0.0.1:8080 --target-b http://127.0.0.1:8081\n  \
    loadr ab mix.rhai --target-a http://127.0.0.1:8080 --target-b http://127.0.0.1:8081 --pairs 20 --results ab/")]
pub(super) struct Args {
    /// The scenario; it takes its target from env("TARGET")
    #[arg(value_name = "SCRIPT")]
    script: PathBuf,

    /// What is there now
    #[arg(long, value_name = "URL")]
    target_a: String,

    /// What is held against it
    #[arg(long, value_name = "URL")]
    target_b: String,

    /// Into how many blocks the scenario is cut; each goes to both targets
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(3..=1000))]
    pairs: u32,

    /// A smaller change is none
    #[arg(long, value_name = "PERCENT", default_value = "5%", value_parser = parse_margin)]
    margin: f64,

    #[command(flatten)]
    surroundings: Surroundings,

    /// Seed of everything random, also of the order of the blocks
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    /// Threads that generate load; one a core unless given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    workers: Option<u16>,

    /// Keep the run file of each block in DIR
    #[arg(long, value_name = "DIR")]
    results: Option<PathBuf>,

    /// Let the run send to a public host
    #[arg(long, value_name = "HOST")]
    allow_target: Vec<String>,

    /// Print the result as JSON
    #[arg(long)]
    json: bool,

    /// Write a page for a browser to FILE
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,

    /// Write a comment for a pull request to FILE
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,

    /// No progress on standard error
    #[arg(short, long)]
    quiet: bool,
}

pub(super) fn run(arguments: &Args, color: Color) -> ExitCode {
    let script = arguments.surroundings.of(&arguments.script);
    let run = RunOptions {
        script: script.script,
        env: script.env,
        allow_read: script.allow_read,
        seed: arguments.seed,
        workers: arguments.workers.map(usize::from),
        allow_target: arguments.allow_target.clone(),
        arguments: std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned()).collect(),
        color_stderr: color.on(&std::io::stderr()),
        ..RunOptions::default()
    };
    let options = AbOptions {
        run,
        targets: [arguments.target_a.clone(), arguments.target_b.clone()],
        pairs: arguments.pairs,
        margin: arguments.margin,
        results: arguments.results.clone(),
    };
    let say = |line: &str| {
        if !arguments.quiet {
            complain(line);
        }
    };
    let test = match runner::ab(&options, &say) {
        Ok(test) => test,
        Err(not_run) => {
            complain_of(&not_run.message);
            return code(not_run.code);
        }
    };
    let pages = [(&arguments.html, report::ab_html(&test)), (&arguments.markdown, report::ab_markdown(&test))];
    for (path, page) in pages {
        if let Some(Err(message)) = path.as_ref().map(|path| write_page(path, &page)) {
            complain(&format!("error: {message}"));
            return code(judge::ExitCode::NotStarted);
        }
    }
    if arguments.json {
        print(&format!("{}\n", test.json()));
    } else {
        let stdout = std::io::stdout();
        print(&report::terminal::ab(&test, report::terminal::width(), color.on(&stdout)));
    }
    ExitCode::from(test.comparison.exit_code)
}
