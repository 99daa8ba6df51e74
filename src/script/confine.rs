//! Which files a script may read: those in its own folder, and in the folders the user allowed.

use std::path::{Path, PathBuf};

use super::state::ScriptState;

/// Why a path may not be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// There is no such file, or it cannot be reached.
    Missing(String),
    /// It lies outside.
    Outside,
}

/// The canonical path of `path`, which is relative to `base`, if the script may read it. Links are followed
/// first: what counts is where the file really is.
pub(super) fn readable(state: &ScriptState, base: &Path, path: &str) -> Result<PathBuf, Refusal> {
    let wanted = base.join(path);
    let real = wanted.canonicalize().map_err(|error| Refusal::Missing(error.to_string().to_lowercase()));
    let roots = || {
        std::iter::once(&state.folder).chain(&state.allow_read).filter_map(|root| {
            let root = if root.as_os_str().is_empty() { Path::new(".") } else { root.as_path() };
            root.canonicalize().ok()
        })
    };
    let allowed = |real: &Path| roots().any(|root| real.starts_with(root));
    match real {
        Ok(real) if allowed(&real) => Ok(real),
        Ok(_) => Err(Refusal::Outside),
        // Do not tell a script whether a file outside exists.
        Err(missing) => {
            let folder = wanted.ancestors().skip(1).find_map(|folder| folder.canonicalize().ok());
            let climbs = Path::new(path).components().any(|part| matches!(part, std::path::Component::ParentDir));
            match folder {
                Some(folder) if allowed(&folder) && !climbs => Err(missing),
                None if !climbs && !Path::new(path).is_absolute() => Err(missing),
                _ => Err(Refusal::Outside),
            }
        }
    }
}
