//! The script language: evaluates the top level of a script into a [`Plan`], keeps its closures for the run,
//! and explains mistakes. The only module that knows Rhai.

mod body;
mod call;
mod confine;
mod data_cache;
mod direct;
mod draft;
mod engine;
mod explain;
mod file;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzz;
mod lint;
mod modules;
mod multipart;
mod phases;
mod processes;
mod quantity;
mod redact;
pub mod reference;
mod render;
mod run;
mod saved;
mod state;
mod text;
mod top_level;
mod words;

use std::{
    path::{Path, PathBuf},
    rc::Rc,
    sync::Arc,
};

pub use data_cache::DataCache;
pub use draft::{Classifier, RequestDraft};
pub use engine::ITEMS_MAX;
pub use explain::{Thrown, explain};
pub use modules::{STDLIB, StdModule};
pub use processes::{Exec, Processes};
pub use quantity::{Pace, Span};
pub use redact::Redactor;
pub use render::{Sources, render_problems};
use rhai::{AST, Engine};
pub use run::{Runtime, Spent, panic_text, spent};
pub use state::{Closure, ScriptState, Stage};
pub use words::{
    Form, Guide, Param, Receiver, SUBJECTS, Stages, Subject, TYPES, Word,
    data::{DataHandle, Row},
    generators::GeneratorHandle,
    request::{Extract, Request},
    target::TargetHandle,
    words,
};

use crate::{
    judge::aim,
    plan::{Drawers, Extent, Lack, Place, Plan, Problem, Slice, validate},
};

/// What a function of the language gives.
type Fallible<T> = Result<T, Box<rhai::EvalAltResult>>;

/// A larger script is none, in bytes.
const SCRIPT_BYTES_MAX: u64 = 1 << 20;

/// What a script may use.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// The environment: names and values, of which a later one wins.
    pub env: Vec<(String, String)>,
    /// Folders it may read from, beside its own.
    pub allow_read: Vec<PathBuf>,
    /// Data files that were read already. Give the workers of one process the same.
    pub data_cache: Arc<DataCache>,
    /// Where the script's secrets are known. Give the workers of one process the same: what one of them may not show,
    /// another may not either.
    pub secrets: Redactor,
    /// The processes that it declares, and whether they may be started. Give the workers of one process the same.
    pub processes: Processes,
    /// Only a part of each phase.
    pub slice: Option<Slice>,
    /// Only some phases, or phases that are shorter or longer.
    pub extent: Extent,
    /// Only its objectives are wanted, for a run that has been: the script needs no phase of its own, and may speak of
    /// these metrics.
    pub of_run: Option<Arc<[String]>>,
}

/// A script that was evaluated: its plan, and what runs it.
#[derive(Debug)]
pub struct Loaded {
    /// What the script declared; valid.
    pub plan: Plan,
    /// The engine that knows its words.
    pub engine: Engine,
    /// The compiled script.
    pub ast: AST,
    /// Its closures, by [`ClosureId`](crate::plan::ClosureId).
    pub closures: Vec<Closure>,
    /// Its texts, for messages.
    pub sources: Sources,
    /// The plan's generators and data, ready to draw from.
    pub drawers: Rc<Drawers>,
    /// What the words share; in the run stage from now on.
    pub shared: Rc<ScriptState>,
}

/// Mistakes of a script, with the texts to show them in.
#[derive(Debug)]
pub struct LoadError {
    /// All that was found; never empty.
    pub problems: Vec<Problem>,
    /// The script and the modules it got to.
    pub sources: Sources,
    /// Secrets that a message may quote.
    pub redactor: Redactor,
}

impl LoadError {
    /// As a text for a terminal.
    pub fn render(&self, color: bool) -> String {
        self.redactor.redact(&render_problems(&self.problems, &self.sources, color)).into_owned()
    }
}

/// Evaluates the script in a file. Deterministic: the same text, options and data files give the same plan.
///
/// Call it on a thread with at least 64 MiB of stack: nested expressions within the limits of the engine may
/// need much of it.
///
/// # Errors
/// Every mistake that was found in the script.
pub fn load(path: &Path, options: &LoadOptions) -> Result<Loaded, LoadError> {
    let name = path.to_string_lossy();
    let unreadable = |message: String| LoadError {
        problems: vec![file::unreadable(path, message)],
        sources: Sources::new(&name, ""),
        redactor: Redactor::default(),
    };
    let metadata = std::fs::metadata(path).map_err(|error| unreadable(error.to_string().to_lowercase()))?;
    if metadata.is_dir() {
        return Err(unreadable("it is a folder, not a script".to_owned()));
    }
    if metadata.len() > SCRIPT_BYTES_MAX {
        return Err(unreadable("it is larger than 1 MiB".to_owned()));
    }
    let text = std::fs::read_to_string(path).map_err(|error| unreadable(error.to_string().to_lowercase()))?;
    let folder = path.parent().map(Path::to_owned).unwrap_or_default();
    evaluate(&name, &text, folder, options)
}

/// As [`load`], for a script that is in memory: it may read the files of the current folder.
///
/// # Errors
/// Every mistake that was found in the script.
pub fn load_source(name: &str, text: &str, options: &LoadOptions) -> Result<Loaded, LoadError> {
    evaluate(name, text, PathBuf::new(), options)
}

fn evaluate(name: &str, text: &str, folder: PathBuf, options: &LoadOptions) -> Result<Loaded, LoadError> {
    let state = Rc::new(ScriptState::new(options, folder, Sources::new(name, text)));
    let engine = engine::build(&state);
    let compiled = engine.compile(text);
    let ast = match compiled {
        Ok(ast) => ast,
        Err(error) => {
            state.problem(explain(&error.into(), &state, None));
            return Err(failed(&state));
        }
    };
    let whole = top_level::evaluate(&engine, &ast, &state);
    let unknown = lint::unknown_calls(&engine, &ast, "", text, &state.sources.borrow());
    unknown.into_iter().for_each(|problem| state.unless_known(problem));
    finish(&state, text, whole);
    saved::never_saved(&state).into_iter().for_each(|problem| state.unless_known(problem));
    if !state.problems.borrow().is_empty() {
        return Err(failed(&state));
    }
    let limited = state.plan.borrow_mut().limit(&options.extent);
    if let Err(problems) = limited {
        problems.into_iter().for_each(|problem| state.problem(problem));
        return Err(failed(&state));
    }
    if let Some(slice) = options.slice {
        state.plan.borrow_mut().cut(slice);
    }
    let plan = state.plan.borrow().clone();
    let drawers = Rc::new(Drawers::new(&plan, &state.tables.borrow()));
    state.enter_run(drawers.clone());
    let closures = state.closures.borrow().clone();
    let sources = state.sources.borrow().clone();
    Ok(Loaded { plan, engine, ast, closures, sources, drawers, shared: state })
}

/// Puts the phases together and looks at the whole. `whole`: every statement went well.
fn finish(state: &ScriptState, text: &str, whole: bool) {
    let mut problems = Vec::new();
    let drafts = state.phases.borrow();
    let mut incomplete = !whole;
    for draft in drafts.iter().map(|draft| draft.borrow()).filter(|draft| !draft.repeated) {
        match phases::assemble(&draft, &mut problems) {
            Some(phase) => state.plan.borrow_mut().phases.push(phase),
            None => incomplete = true,
        }
    }
    let mut plan = state.plan.borrow_mut();
    let Plan { slos, experiments, .. } = &mut *plan;
    aim(slos, experiments);
    plan.leave_out();
    plan.title = title(text);
    let sources = state.sources.borrow();
    // Whether what is judged is there, the run decides that has been.
    let of_a_run = state.of_run.is_some();
    let follows = |problem: &Problem| {
        (incomplete && follows_from_a_gap(problem, &sources)) || (of_a_run && problem.lacks.is_some())
    };
    problems.extend(validate(&plan).into_iter().filter(|problem| !follows(problem)));
    drop((plan, sources));
    problems.into_iter().for_each(|problem| state.problem(problem));
}

/// Whether a problem of a plan with gaps may be nothing but a gap: what could not be made is not something that
/// the script does not have.
fn follows_from_a_gap(problem: &Problem, sources: &Sources) -> bool {
    match &problem.lacks {
        Some(Lack::Part) => true,
        Some(Lack::Name(name)) => sources.declares(name),
        None => false,
    }
}

/// The first paragraph of the script's own doc comment.
fn title(script: &str) -> Option<String> {
    let lines = script.lines().map_while(|line| line.trim_start().strip_prefix("//!")).map(str::trim);
    let text: Vec<&str> = lines.skip_while(|line| line.is_empty()).take_while(|line| !line.is_empty()).collect();
    (!text.is_empty()).then(|| text.join(" "))
}

fn failed(state: &ScriptState) -> LoadError {
    let mut problems = state.problems.borrow().clone();
    // In the order of the script, so that a reader goes through it once.
    let key = |at: &Option<Place>| at.as_ref().map_or((1, 0, 0), |at| (0, at.line, at.column));
    problems.sort_by_key(|problem| key(&problem.at));
    LoadError { problems, sources: state.sources.borrow().clone(), redactor: state.redactor.clone() }
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests;
