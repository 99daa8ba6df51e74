//! `loadr new [KIND] [FILE]`: a script to start from.

use std::{
    fs::OpenOptions,
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use super::{code, complain, print};
use crate::judge;

/// What `loadr new` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    loadr new                     api.rhai\n  \
    loadr new auth load/login.rhai\n  \
    loadr new mix && loadr try mix.rhai --demo")]
pub(super) struct Args {
    /// What the script is about
    #[arg(value_name = "KIND", default_value = "api")]
    kind: Kind,

    /// Where it goes; KIND.rhai in this folder unless given
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

/// A template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Kind {
    /// One request at a steady rate
    Api,
    /// A weighted mix of requests and a flow, with data
    Mix,
    /// Users who log in and refresh their tokens
    Auth,
    /// Cold against hot, by class of response
    Cache,
    /// Bursts on top of a steady load
    Burst,
}

/// A file: its path from the script's folder, and its text.
type File = (&'static str, &'static str);

impl Kind {
    const fn script(self) -> File {
        match self {
            Self::Api => ("api.rhai", include_str!("new/api.rhai")),
            Self::Mix => ("mix.rhai", include_str!("new/mix.rhai")),
            Self::Auth => ("auth.rhai", include_str!("new/auth.rhai")),
            Self::Cache => ("cache.rhai", include_str!("new/cache.rhai")),
            Self::Burst => ("burst.rhai", include_str!("new/burst.rhai")),
        }
    }

    /// What the script reads.
    const fn data(self) -> Option<File> {
        match self {
            Self::Mix => Some(("data/visitors.csv", include_str!("new/visitors.csv"))),
            Self::Auth => Some(("data/accounts.csv", include_str!("new/accounts.csv"))),
            Self::Api | Self::Cache | Self::Burst => None,
        }
    }
}

pub(super) fn run(arguments: &Args) -> ExitCode {
    let (usual, text) = arguments.kind.script();
    let script = arguments.file.clone().unwrap_or_else(|| PathBuf::from(usual));
    let folder = script.parent().map(Path::to_owned).unwrap_or_default();
    // Comments of the template name the file as it would be called here.
    let shown = script.display().to_string();
    let mut files = vec![(script, text.replace(usual, &shown))];
    files.extend(arguments.kind.data().map(|(path, text)| (folder.join(path), text.to_owned())));
    if let Some((path, _)) = files.iter().find(|(path, _)| path.exists()) {
        complain(&format!(
            "error: {} exists already; nothing was written\nhelp: name another file, as in `loadr new api other.rhai`",
            path.display()
        ));
        return code(judge::ExitCode::NotStarted);
    }
    for (path, text) in &files {
        if let Err(error) = write_new(path, text) {
            complain(&format!("error: failed to write {}: {error}", path.display()));
            return code(judge::ExitCode::NotStarted);
        }
    }
    let names: Vec<String> = files.iter().map(|(path, _)| path.display().to_string()).collect();
    print(&format!(
        "wrote {}\n\n  loadr plan {shown}          what it would do\n  loadr try {shown} --demo    one \
         iteration of each entry, to look at\n  loadr run {shown} --demo    the whole run, against the lab\n",
        names.join(" and ")
    ));
    ExitCode::SUCCESS
}

/// Writes a file that is not there yet, and makes its folder.
fn write_new(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)?;
    }
    OpenOptions::new().write(true).create_new(true).open(path)?.write_all(text.as_bytes())
}
