//! `loadr report FILE`

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use super::{
    Color, code, complain, complain_of,
    forms::{page, parse_form, parse_output},
    print,
    source::Surroundings,
};
use crate::{
    judge,
    measure::{Gauges, PhaseFigures},
    report::{self, Form},
    results::{self, ReadError},
    runner::{self, AnewOptions, NotRun, Output, Outputs, Replayed},
    script::Redactor,
};

/// What `loadr report` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    loadr report mix-20260101-120000.loadr\n  \
    loadr report RUN.loadr --form markdown\n  \
    loadr report RUN.loadr -o html=report.html -o csv=rows.csv\n  \
    loadr report RUN.loadr --json | jq '.phases[].rate_achieved'\n  \
    loadr report RUN.loadr --slo 'p95: < 10ms, phase: sustained' --slo 'errors: < 1%'")]
pub(super) struct Args {
    /// The run file
    #[arg(value_name = "FILE", required_unless_present = "schema")]
    file: Option<PathBuf>,

    /// Print the JSON Schema of the summary instead
    #[arg(long, exclusive = true)]
    schema: bool,

    /// Print the summary as JSON
    #[arg(long, conflicts_with_all = ["form", "template"])]
    json: bool,

    /// Print the report in another form: json, html, markdown, junit, csv, timeline, prometheus, text
    #[arg(long, value_name = "FORM", value_parser = parse_form, conflicts_with = "template")]
    form: Option<&'static Form>,

    /// Write the report to FILE in the form FORM
    #[arg(short, long, value_name = "FORM=FILE", value_parser = parse_output)]
    out: Vec<Output>,

    /// Print the report by the template in FILE (in the language of Jinja)
    #[arg(long, value_name = "FILE")]
    template: Option<PathBuf>,

    /// Show every exchange that was kept whole (the slowest and the first to fail) as a line for a shell
    #[arg(long, conflicts_with_all = ["json", "form", "template"])]
    exemplars: bool,

    /// Judge the run by other SLOs than it had, and end as a run does: a script, of which the SLOs and grades count,
    /// or an SLO such as "p95: < 10ms, phase: sustained"; may be given more than once
    #[arg(long, value_name = "SLO")]
    slo: Vec<String>,

    /// An SLO that cannot be judged fails the run
    #[arg(long, requires = "slo")]
    strict: bool,

    #[command(flatten)]
    surroundings: Surroundings,

    /// Write a table of every second to FILE: each phase, and each of its requests, flows and groups
    #[arg(long, value_name = "FILE")]
    seconds: Option<PathBuf>,

    /// Write HdrHistogram logs, one for each phase, into DIR
    #[arg(long, value_name = "DIR")]
    hlog: Option<PathBuf>,
}

pub(super) fn run(arguments: &Args, color: Color) -> ExitCode {
    let Some(file) = arguments.file.as_deref().filter(|_| !arguments.schema) else {
        print(report::SUMMARY_SCHEMA);
        return code(judge::ExitCode::Passed);
    };
    let replayed = match read(file, arguments, color) {
        Ok(replayed) => replayed,
        Err(not_run) => {
            complain_of(&not_run.message);
            return code(not_run.code);
        }
    };
    if let Some(folder) = &arguments.hlog
        && let Err(error) = write_logs(&replayed, folder)
    {
        return refuse(&format!("failed to write logs into {}: {error}", folder.display()));
    }
    if let Some(path) = &arguments.seconds
        && let Err(error) = write_seconds(&replayed, path)
    {
        return refuse(&format!("failed to write {}: {error}", path.display()));
    }
    let summary = &replayed.summary;
    // The file holds no secrets: they were taken out before it was written.
    let written = Outputs::create(&arguments.out).and_then(|outputs| outputs.write(summary, &Redactor::default()));
    if let Err(message) = written {
        return refuse(&message);
    }
    let form = arguments.form.or_else(|| arguments.json.then(|| report::form("json")).flatten());
    match form {
        Some(form) => print(&format!("{}\n", (form.render)(summary).trim_end_matches('\n'))),
        None => {
            let template = arguments.template.as_deref().map(runner::read_template).transpose();
            match template.and_then(|template| page(summary, template.as_ref(), color, arguments.exemplars)) {
                Ok(page) => print(&page),
                Err(message) => return refuse(&message),
            }
        }
    }
    if let Some(why) = &summary.partial {
        complain(&format!("warning: {} is partial: {why}", file.display()));
    }
    if arguments.slo.is_empty() { code(judge::ExitCode::Passed) } else { ExitCode::from(summary.exit_code) }
}

/// The run, judged as it was or by what is asked.
fn read(file: &Path, arguments: &Args, color: Color) -> Result<Replayed, NotRun> {
    if arguments.slo.is_empty() {
        return runner::replay(file).map_err(|message| NotRun { code: judge::ExitCode::NotStarted, message });
    }
    let options = AnewOptions {
        slos: arguments.slo.clone(),
        source: arguments.surroundings.of(Path::new("")),
        strict: arguments.strict,
        color: color.on(&io::stderr()),
    };
    runner::judge_anew(file, &options)
}

fn refuse(message: &str) -> ExitCode {
    complain(&format!("error: {message}"));
    code(judge::ExitCode::NotStarted)
}

/// Why what is read cannot be written as something else.
enum LogError {
    Read(ReadError),
    Write(io::Error),
}

impl LogError {
    fn text(self) -> String {
        match self {
            Self::Read(error) => error.to_string(),
            Self::Write(error) => error.to_string(),
        }
    }
}

impl From<ReadError> for LogError {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}

fn write_logs(replayed: &Replayed, folder: &Path) -> Result<(), String> {
    std::fs::create_dir_all(folder).map_err(|error| error.to_string())?;
    let mut files: BTreeMap<u16, BufWriter<File>> = BTreeMap::new();
    let write = |log: results::Log| {
        let file = match files.entry(log.phase) {
            std::collections::btree_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::btree_map::Entry::Vacant(free) => {
                let file = File::create(folder.join(log_name(replayed, log.phase))).map_err(LogError::Write)?;
                free.insert(BufWriter::new(file))
            }
        };
        file.write_all(log.text.as_bytes()).map_err(LogError::Write)
    };
    results::logs(runner::open(&replayed.path)?, write).map_err(LogError::text)?;
    files.into_values().try_for_each(|mut file| file.flush()).map_err(|error| error.to_string())
}

fn write_seconds(replayed: &Replayed, path: &Path) -> Result<(), String> {
    let mut file = BufWriter::new(File::create(path).map_err(|error| error.to_string())?);
    file.write_all(report::seconds_head().as_bytes()).map_err(|error| error.to_string())?;
    let write = |second: u64, phase: u16, figures: &PhaseFigures, gauges: Gauges| {
        let rows = report::seconds_rows(second, replayed.name_of(phase), figures, gauges);
        file.write_all(rows.as_bytes()).map_err(LogError::Write)
    };
    runner::open(&replayed.path)?.each_second(write).map_err(LogError::text)?;
    file.flush().map_err(|error| error.to_string())
}

/// `2-sustained.hlog`: the phase's number from 1, and its name as far as a file system takes it.
fn log_name(replayed: &Replayed, phase: u16) -> String {
    let name = replayed.outline.phases.get(usize::from(phase)).map_or("aside", |phase| &phase.name);
    let plain: String = name.chars().map(|c| if c.is_alphanumeric() { c } else { '-' }).take(60).collect();
    format!("{}-{plain}.hlog", phase + 1)
}
