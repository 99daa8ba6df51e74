//! Reading a script without running it: to know its plan, or its mistakes.

use std::{path::PathBuf, sync::Arc};

use super::{NotRun, RunOptions, demo::Demo};
use crate::{
    judge::ExitCode,
    plan::{Extent, Plan, Slice},
    script::{self, DataCache, Exec, LoadError, LoadOptions, Loaded, Processes, Redactor},
};

/// A script, and what it may use.
#[derive(Debug, Clone, Default)]
pub struct ScriptOptions {
    /// The scenario.
    pub script: PathBuf,
    /// Values that win over the environment's.
    pub env: Vec<(String, String)>,
    /// Folders that the script may read beside its own.
    pub allow_read: Vec<PathBuf>,
    /// Whether it may start programs.
    pub exec: Exec,
    /// Only a part of each phase.
    pub slice: Option<Slice>,
    /// Only some phases, or phases that are shorter or longer.
    pub extent: Extent,
}

impl From<&RunOptions> for ScriptOptions {
    fn from(options: &RunOptions) -> Self {
        Self {
            script: options.script.clone(),
            env: options.env.clone(),
            allow_read: options.allow_read.clone(),
            exec: if options.allow_exec { Exec::Allow } else { Exec::Refuse },
            slice: options.slice,
            extent: options.extent.clone(),
        }
    }
}

/// Scripts are evaluated on a stack of this size, and dropped on it too.
const SCRIPT_STACK_BYTES: usize = 128 << 20;

/// What is needed of a script that was read once to see whether it is right.
pub(super) struct Scouted {
    pub(super) plan: Plan,
    pub(super) redactor: Redactor,
}

impl ScriptOptions {
    /// What the script module needs to know. With a lab, its addresses are the script's `TARGET` and `REDIS`.
    pub(super) fn load_options(&self, demo: Option<&Demo>) -> LoadOptions {
        // Names that are not valid Unicode cannot be asked for by a script.
        let mut env: Vec<(String, String)> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        env.extend(self.env.iter().cloned());
        if let Some(demo) = demo {
            env.push(("TARGET".to_owned(), demo.url.clone()));
            env.push(("REDIS".to_owned(), demo.redis.clone()));
        }
        LoadOptions {
            env,
            allow_read: self.allow_read.clone(),
            data_cache: Arc::new(DataCache::default()),
            processes: Processes::new(self.exec),
            secrets: Redactor::default(),
            slice: self.slice,
            extent: self.extent.clone(),
            of_run: None,
        }
    }
}

/// Evaluates a script, without sending anything, and gives what `read` makes of it; or its mistakes.
///
/// # Errors
/// The system gives no thread, or the evaluation panicked.
pub(super) fn with_script<R: Send + 'static>(
    options: &ScriptOptions,
    load: &LoadOptions,
    read: impl FnOnce(&Loaded) -> R + Send + 'static,
) -> Result<Result<R, LoadError>, NotRun> {
    let (path, load) = (options.script.clone(), load.clone());
    std::thread::Builder::new()
        .stack_size(SCRIPT_STACK_BYTES)
        .spawn(move || script::load(&path, &load).map(|loaded| read(&loaded)))
        .map_err(|error| NotRun::new(ExitCode::NotStarted, format!("failed to start a thread: {error}")))?
        .join()
        .map_err(|_| NotRun::new(ExitCode::Internal, "the script's evaluation panicked; please report it"))
}

/// As [`with_script`], where mistakes are the end.
pub(super) fn require<R: Send + 'static>(
    options: &ScriptOptions,
    load: &LoadOptions,
    color: bool,
    read: impl FnOnce(&Loaded) -> R + Send + 'static,
) -> Result<R, NotRun> {
    with_script(options, load, read)?.map_err(|error| {
        let missing = !options.script.exists();
        NotRun::new(if missing { ExitCode::NotStarted } else { ExitCode::Script }, error.render(color))
    })
}

/// Evaluates the script once, to know its plan.
pub(super) fn scout(options: &ScriptOptions, load: &LoadOptions, color: bool) -> Result<Scouted, NotRun> {
    require(options, load, color, |loaded| Scouted { redactor: loaded.shared.redactor(), plan: loaded.plan.clone() })
}

/// With a lab of our own, the script must be willing to send to it.
pub(super) fn takes_its_target(plan: &Plan) -> Result<(), NotRun> {
    if plan.environment.iter().any(|name| name == "TARGET" || name == "REDIS") {
        return Ok(());
    }
    Err(NotRun::new(
        ExitCode::Script,
        "with --demo the script must take its target from the environment\n\
         help: write target(env(\"TARGET\", \"http://127.0.0.1:8080\"))",
    ))
}

/// Looks for every mistake of a script; nothing is sent.
///
/// # Errors
/// The script could not be evaluated at all.
pub fn check(options: &ScriptOptions) -> Result<Result<(), LoadError>, NotRun> {
    with_script(options, &options.load_options(None), |_| ())
}
