//! `loadr definitions DIR`

use std::{
    io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use super::{code, complain, print};
use crate::{
    judge,
    script::reference::{self, MARK},
};

/// What `loadr definitions` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    loadr definitions .         beside the scripts of this folder\n  \
    loadr definitions load\n\n\
    The files belong into the folder of the scripts: Rhai's language server looks for `std/auth` there. \
    Write them again after an update of loadr.")]
pub(super) struct Args {
    /// Where they go: the folder of the scripts; it is made if it is missing
    #[arg(value_name = "DIR")]
    dir: PathBuf,

    /// Overwrite files that loadr has not written
    #[arg(long)]
    force: bool,
}

pub(super) fn run(arguments: &Args) -> ExitCode {
    let files: Vec<(PathBuf, String)> =
        reference::definitions().into_iter().map(|file| (arguments.dir.join(&file.path), file.text)).collect();
    if !arguments.force {
        // Before anything is written, so that nothing is half done.
        for (path, _) in &files {
            match is_ours(path) {
                Ok(true) => {}
                Ok(false) => {
                    complain(&format!(
                        "error: {} is not one of loadr's; nothing was written\nhelp: name another folder, or \
                         overwrite it with --force",
                        path.display()
                    ));
                    return code(judge::ExitCode::NotStarted);
                }
                Err(error) => return failed("read", path, &error),
            }
        }
    }
    for (path, text) in &files {
        if let Err(error) = write(path, text) {
            return failed("write", path, &error);
        }
    }
    let names: Vec<String> = files.iter().map(|(path, _)| format!("  {}\n", path.display())).collect();
    print(&format!("wrote\n{}", names.concat()));
    ExitCode::SUCCESS
}

fn failed(what: &str, path: &Path, error: &io::Error) -> ExitCode {
    complain(&format!("error: failed to {what} {}: {error}", path.display()));
    code(judge::ExitCode::NotStarted)
}

/// Whether a file may be written: it is not there, or was written by this subcommand.
fn is_ours(path: &Path) -> io::Result<bool> {
    match std::fs::read(path) {
        Ok(content) => Ok(content.starts_with(MARK.as_bytes())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(path, text)
}
