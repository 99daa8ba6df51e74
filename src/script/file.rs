//! A script that cannot be read, and the one that was probably meant.

use std::path::Path;

use crate::plan::{Problem, nearest};

/// More entries of a folder are not looked at.
const ENTRIES_MAX: usize = 1_000;

/// The problem of a path that names no readable script.
pub(super) fn unreadable(path: &Path, why: String) -> Problem {
    let problem = Problem::nowhere(format!("failed to read `{}`: {why}", path.display()));
    if path.is_dir() {
        let scripts = scripts_in(path);
        return match scripts.as_slice() {
            [] => problem.help("name a script: there is none in that folder"),
            [first, ..] => problem.help(format!("name a script in it, such as `{}`", path.join(first).display())),
        };
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let folder = path.parent().unwrap_or(Path::new(""));
    let beside = scripts_in(if folder.as_os_str().is_empty() { Path::new(".") } else { folder });
    match nearest(&name, beside.iter().map(String::as_str)) {
        Some(near) => problem.help(format!("did you mean `{}`?", folder.join(near).display())),
        None => problem,
    }
}

fn scripts_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().take(ENTRIES_MAX).flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut scripts: Vec<String> = names.filter(|name| name.ends_with(".rhai")).collect();
    scripts.sort();
    scripts
}
