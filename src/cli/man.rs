//! `loadr man [DIR]`

use std::{
    io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use crate::judge;

/// What `loadr man` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    loadr man | man -l -\n  \
    loadr man ~/.local/share/man/man1")]
pub(super) struct Args {
    /// Write a page for each subcommand into DIR; without it, the page of `loadr` goes to standard output
    #[arg(value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(super) fn run(arguments: &Args) -> ExitCode {
    let command = super::command();
    let done = match &arguments.dir {
        None => page(&command).map(|text| super::print(&String::from_utf8_lossy(&text))),
        Some(dir) => write_pages(command, dir),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            super::complain(&format!("error: failed to write the manual: {error}"));
            super::code(judge::ExitCode::NotStarted)
        }
    }
}

fn page(command: &clap::Command) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut text)?;
    Ok(text)
}

/// `loadr.1`, `loadr-run.1` and so on; a folder that is missing is made.
fn write_pages(command: clap::Command, dir: &Path) -> io::Result<()> {
    std::fs::create_dir_all(dir)?;
    clap_mangen::generate_to(command, dir)
}
