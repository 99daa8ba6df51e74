//! `import`: the standard library in this binary, and files in the folders that a script may read.

use std::{
    cell::RefCell,
    collections::HashMap,
    path::{Path, PathBuf},
    rc::{Rc, Weak},
};

use rhai::{Engine, EvalAltResult, Module, ModuleResolver, Position, Scope};

/// A module as Rhai shares it.
type SharedModule = rhai::Shared<Module>;

use super::{
    Fallible,
    call::place,
    confine::{Refusal, readable},
    explain::Thrown,
    state::ScriptState,
    words::Guide,
};
use crate::plan::{Problem, suggest};

/// A module of the standard library.
#[derive(Debug)]
pub struct StdModule {
    /// As a script imports it, such as `std/cache`.
    pub name: &'static str,
    /// What it is for: a sentence.
    pub about: &'static str,
    /// Where the guide explains it.
    pub guide: Guide,
    /// Its source.
    pub text: &'static str,
}

/// The standard library: a file of `stdlib` and a row here for each module.
pub const STDLIB: &[StdModule] = &[
    StdModule {
        name: "std/auth",
        about: "Ways to be somebody: bearer, Basic, API keys, login, refresh on 401, OAuth 2.0 client credentials.",
        guide: guide("`std/auth`: ways to be somebody"),
        text: include_str!("../../stdlib/auth.rhai"),
    },
    StdModule {
        name: "std/cache",
        about: "Cache experiments: hit ratio, what a hit is worth, with the phases that prove it.",
        guide: guide("`std/cache`: cache experiments"),
        text: include_str!("../../stdlib/cache.rhai"),
    },
    StdModule {
        name: "std/check",
        about: "Questions about a response: status family, time budget, shape of a JSON body, header fields.",
        guide: guide("`std/check`: questions about a response"),
        text: include_str!("../../stdlib/check.rhai"),
    },
    StdModule {
        name: "std/limits",
        about: "Probes a rate limiter: how many pass, what the first 429 says, and whether it is true.",
        guide: guide("`std/limits`: how a rate limiter behaves"),
        text: include_str!("../../stdlib/limits.rhai"),
    },
    StdModule {
        name: "std/load",
        about: "Ready-made phases: smoke, steady, stress, spike, soak, breakpoint, staircase.",
        guide: guide("`std/load`: ready-made phases"),
        text: include_str!("../../stdlib/load.rhai"),
    },
    StdModule {
        name: "std/pages",
        about: "Walks through paged listings, by cursor or by offset.",
        guide: guide("`std/pages`: listings in pages"),
        text: include_str!("../../stdlib/pages.rhai"),
    },
];

const fn guide(heading: &'static str) -> Guide {
    Guide { page: "stdlib.md", heading }
}

/// A larger module is none, in bytes.
const MODULE_BYTES_MAX: u64 = 1 << 20;

/// Finds modules. Each is evaluated once.
pub(super) struct Resolver {
    state: Weak<ScriptState>,
    loaded: RefCell<HashMap<String, Option<SharedModule>>>,
}

impl Resolver {
    pub(super) fn new(state: &Rc<ScriptState>) -> Self {
        Self { state: Rc::downgrade(state), loaded: RefCell::default() }
    }

    fn find(
        &self,
        state: &ScriptState,
        source: Option<&str>,
        path: &str,
    ) -> Result<(String, String), (String, String)> {
        if path == "std" || path.starts_with("std/") {
            return match STDLIB.iter().find(|module| module.name == path) {
                Some(module) => Ok((module.name.to_owned(), module.text.to_owned())),
                None => Err((
                    format!("there is no module `{path}` in the standard library"),
                    suggest(path, STDLIB.iter().map(|module| module.name), "module of that kind in this version"),
                )),
            };
        }
        let base = match source.map(Path::new).and_then(Path::parent) {
            Some(folder) if source.is_some_and(|source| !source.is_empty()) => folder.to_owned(),
            _ => state.folder.clone(),
        };
        let file = if path.ends_with(".rhai") { path.to_owned() } else { format!("{path}.rhai") };
        let real: PathBuf = readable(state, &base, &file).map_err(|refusal| match refusal {
            Refusal::Missing(why) => {
                (format!("failed to import `{path}`: {why}"), "paths are relative to the script".to_owned())
            }
            Refusal::Outside => (
                format!("the module `{path}` lies outside the script's folder"),
                "move it beside the script, or allow its folder with --allow-read DIR".to_owned(),
            ),
        })?;
        let unreadable =
            |why: std::io::Error| (format!("failed to import `{path}`: {why}"), "check its permissions".to_owned());
        if real.extension().is_none_or(|extension| extension != "rhai") {
            return Err((format!("the module `{path}` is no .rhai file"), "a module is a script".to_owned()));
        }
        if std::fs::metadata(&real).map_err(unreadable)?.len() > MODULE_BYTES_MAX {
            return Err((format!("the module `{path}` is larger than 1 MiB"), "put data into a data file".to_owned()));
        }
        let text = std::fs::read_to_string(&real).map_err(unreadable)?;
        Ok((real.to_string_lossy().into_owned(), text))
    }
}

impl ModuleResolver for Resolver {
    fn resolve(&self, engine: &Engine, source: Option<&str>, path: &str, pos: Position) -> Fallible<SharedModule> {
        let fail = |message: String, help: String| -> Box<EvalAltResult> {
            let problem = Problem::at(&place(source, pos), message).help(help);
            EvalAltResult::ErrorRuntime(rhai::Dynamic::from(Thrown(Rc::new(problem))), pos).into()
        };
        let Some(state) = self.state.upgrade() else {
            return Err(EvalAltResult::ErrorModuleNotFound(path.to_owned(), pos).into());
        };
        let (name, text) = self.find(&state, source, path).map_err(|(message, help)| fail(message, help))?;
        match self.loaded.borrow().get(&name) {
            Some(Some(module)) => return Ok(module.clone()),
            Some(None) => {
                return Err(fail(
                    format!("the module `{path}` imports itself, directly or by another"),
                    "move what both need into a third module".to_owned(),
                ));
            }
            None => {}
        }
        state.sources.borrow_mut().add(&name, &text);
        self.loaded.borrow_mut().insert(name.clone(), None);
        let module = engine
            .compile(&text)
            .map_err(EvalAltResult::from)
            .map_err(Box::new)
            .and_then(|mut ast| {
                ast.set_source(name.as_str());
                let unknown = super::lint::unknown_calls(engine, &ast, &name, &text, &state.sources.borrow());
                unknown.into_iter().for_each(|problem| state.unless_known(problem));
                Module::eval_ast_as_new(Scope::new(), &ast, engine)
            })
            .map_err(|error| {
                let mut error = super::explain::explain(&error, &state, Some(&name));
                error.reached(place(source, pos), "imported here");
                EvalAltResult::ErrorRuntime(rhai::Dynamic::from(Thrown(Rc::new(error))), pos)
            })?;
        let module = SharedModule::from(module);
        self.loaded.borrow_mut().insert(name, Some(module.clone()));
        Ok(module)
    }
}
