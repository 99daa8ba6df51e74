//! `loadr merge OUT FILES…`

use std::{fs::File, io::BufWriter, path::PathBuf, process::ExitCode};

use super::{code, complain};
use crate::{
    judge,
    results::{self, MergeError},
    runner,
};

/// What `loadr merge` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    loadr merge whole.loadr part-1.loadr part-2.loadr && loadr report whole.loadr")]
pub(super) struct Args {
    /// The run file to write; it must not exist
    #[arg(value_name = "OUT")]
    out: PathBuf,

    /// Run files of the parts
    #[arg(value_name = "FILE", required = true, num_args = 1..)]
    files: Vec<PathBuf>,
}

pub(super) fn run(arguments: &Args) -> ExitCode {
    match merge(arguments) {
        Ok(()) => code(judge::ExitCode::Passed),
        Err(message) => {
            complain(&format!("error: {message}"));
            code(judge::ExitCode::NotStarted)
        }
    }
}

fn merge(arguments: &Args) -> Result<(), String> {
    let out = &arguments.out;
    if out.exists() {
        return Err(format!(
            "{} exists already\nhelp: the first file named is the one to write: loadr merge OUT PART PART…",
            out.display()
        ));
    }
    let parts: Vec<_> = arguments.files.iter().map(|path| runner::open(path)).collect::<Result<_, _>>()?;
    // Under another name until it is whole, so that nobody takes a part of it for all.
    let mut draft = out.clone().into_os_string();
    draft.push(".part");
    let draft = PathBuf::from(draft);
    let told = |error: &std::io::Error| format!("failed to write {}: {error}", out.display());
    let file = File::create(&draft).map_err(|error| told(&error))?;
    let merged = results::merge(parts, BufWriter::new(&file)).map_err(|error| explain(&error, &arguments.files, out));
    let merged =
        merged.and_then(|()| file.sync_all().and_then(|()| std::fs::rename(&draft, out)).map_err(|error| told(&error)));
    if merged.is_err() {
        // The cause is told; that a draft stays behind would only hide it.
        let _ = std::fs::remove_file(&draft);
    }
    merged
}

fn explain(error: &MergeError, files: &[PathBuf], out: &std::path::Path) -> String {
    let name = |at: usize| files.get(at).map_or_else(String::new, |path| path.display().to_string());
    match error {
        MergeError::Read(at, error) => format!("failed to read {}: {error}", name(*at)),
        MergeError::Write(error) => format!("failed to write {}: {error}", out.display()),
        MergeError::Differs(at, what) => format!(
            "{} has another {what} than {}\nhelp: only parts of one run can be added up; `loadr compare` looks at different runs",
            name(*at),
            name(0)
        ),
        MergeError::Overlaps(at, other) => format!(
            "{} and {} hold the same part of the run\nhelp: parts are made with --segment 1/N, 2/N …",
            name(*other),
            name(*at)
        ),
    }
}
