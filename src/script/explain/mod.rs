//! Rhai's errors in the user's words, at the innermost place, with the word that was probably meant.

pub(super) mod names;
pub(super) mod unknown;

use std::rc::Rc;

use rhai::{EvalAltResult, LexError, ParseErrorType};

use super::{
    call::place,
    engine::{CALL_LEVELS_MAX, ITEMS_MAX, OPERATIONS_MAX},
    state::ScriptState,
    words::{self, Receiver, friendly_type},
};
use crate::plan::{Place, Problem, nearest};

/// A problem on its way through Rhai.
#[derive(Debug, Clone)]
pub struct Thrown(pub Rc<Problem>);

/// The problem that an error of the engine stands for. `source` is the file that was running at the outside.
pub fn explain(error: &EvalAltResult, state: &ScriptState, source: Option<&str>) -> Problem {
    use EvalAltResult as E;
    match error {
        E::ErrorInFunctionCall(_, inner_source, inner, position) => {
            let inner_source = if inner_source.is_empty() { source } else { Some(inner_source.as_str()) };
            let mut problem = explain(inner, state, inner_source);
            let here = place(source, *position);
            if problem.at.as_ref().is_none_or(|at| at.line == 0) {
                problem.at = Some(here);
            } else {
                problem.reached(here, "called from here");
            }
            return problem;
        }
        E::ErrorInModule(_, inner, _) => return explain(inner, state, source),
        E::ErrorRuntime(value, position) => {
            if let Some(Thrown(problem)) = value.clone().try_cast::<Thrown>() {
                let mut problem = (*problem).clone();
                if problem.at.as_ref().is_none_or(|at| at.line == 0) {
                    problem.at = Some(place(source, *position));
                }
                return problem;
            }
        }
        _ => {}
    }
    let at = place(source, error.position());
    match error {
        E::ErrorParsing(kind, _) => parsing(kind, &at, state),
        E::ErrorVariableNotFound(name, _) => variable(name, &at, state),
        E::ErrorFunctionNotFound(signature, _) => unknown::function(signature, &at, state),
        E::ErrorDotExpr(message, _) => unknown::property(message, &at),
        E::ErrorPropertyNotFound(name, _) => {
            let problem = Problem::at(&at, format!("the map has no property `{name}`")).label("unknown property");
            let text = state.sources.borrow().text(&at.file).unwrap_or_default().to_owned();
            match nearest(name, names::keys(&text)) {
                Some(near) => problem.help(format!("did you mean `{near}`?")),
                None => problem.help(format!("ask with `\"{name}\" in map` whether it is there")),
            }
        }
        E::ErrorTooManyOperations(_) => {
            Problem::at(&at, format!("the script took more than {OPERATIONS_MAX} operations: is this an endless loop?"))
                .label("it was here when the limit was reached")
                .help("loops end by a condition or a `break`; large data belong into a data file")
        }
        E::ErrorStackOverflow(_) => Problem::at(
            &at,
            format!("the script is more than {CALL_LEVELS_MAX} calls deep: does a function call itself?"),
        )
        .help("use a loop instead of recursion"),
        E::ErrorDataTooLarge(what, _) => {
            let what = what.to_lowercase();
            Problem::at(&at, format!("a value grew beyond its limit: {what}"))
                .help(format!("a text may have 8 MiB, an array or map {ITEMS_MAX} items"))
        }
        E::ErrorModuleNotFound(name, _) => unknown::module(name, &at, &state.sources.borrow()),
        E::ErrorMismatchDataType(wanted, found, _) | E::ErrorMismatchOutputType(wanted, found, _) => {
            let wanted = friendly_type(wanted).unwrap_or(wanted);
            let found = friendly_type(found).unwrap_or(found);
            Problem::at(&at, format!("expected {wanted}, found {found}"))
        }
        E::ErrorDataRace(..) => Problem::at(&at, "the closure uses the variable that its method is called on")
            .label("the method holds it meanwhile")
            .help("let it take it: `|vu| …` instead of `|| …`"),
        E::ErrorRuntime(value, _) => {
            let text = value.to_string();
            Problem::at(&at, if text.is_empty() { "the script threw an error".to_owned() } else { text })
        }
        other => Problem::at(&at, plain(other)),
    }
}

/// Rhai's message without its position: lower case, no full stop.
fn plain(error: &EvalAltResult) -> String {
    let mut bare = error.to_string();
    if let Some(cut) = bare.rfind(" (line ") {
        bare.truncate(cut);
    }
    lower(bare.trim_end_matches('.'))
}

fn lower(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

fn parsing(kind: &ParseErrorType, at: &Place, state: &ScriptState) -> Problem {
    if let Some(percentile) = names::bare_percentile(&state.sources.borrow(), at) {
        return Problem::at(at, format!("`{percentile}` has a dot in it, so as an option it needs quotes"))
            .help(format!("write `#{{ \"{percentile}\": \"< 10ms\" }}`"));
    }
    match kind {
        ParseErrorType::VariableUndefined(name) => variable(name, at, state),
        ParseErrorType::ModuleUndefined(name) => unknown::module(name, at, &state.sources.borrow()),
        ParseErrorType::Reserved(word) => {
            Problem::at(at, format!("`{word}` is a reserved word of the language")).help("choose another name")
        }
        ParseErrorType::BadInput(LexError::ImproperSymbol(word, _)) if word == "eval" => {
            Problem::at(at, "`eval` is not available in scenarios").help("write the code itself, or a function")
        }
        ParseErrorType::ExprTooDeep => {
            Problem::at(at, "the expression is nested too deeply").help("split it: give parts of it names with `let`")
        }
        ParseErrorType::BadInput(LexError::UnterminatedString) => {
            Problem::at(at, "the text that starts here has no end").help("close it with a quote")
        }
        ParseErrorType::MissingToken(token, _) => {
            Problem::at(at, lower(&kind.to_string())).label(format!("expected `{token}`"))
        }
        ParseErrorType::UnexpectedEOF => {
            Problem::at(at, "the script ends in the middle of something").help("a bracket or a quote is not closed")
        }
        other => Problem::at(at, lower(&other.to_string())),
    }
}

fn variable(name: &str, at: &Place, state: &ScriptState) -> Problem {
    let problem = Problem::at(at, format!("there is no variable `{name}`")).label("unknown variable");
    let text = state.sources.borrow().text(&at.file).unwrap_or_default().to_owned();
    let variables = names::declared(&text);
    if let Some(near) = nearest(name, variables.iter().map(String::as_str)) {
        return problem.help(format!("did you mean `{near}`?"));
    }
    let globals = words::words().filter(|word| word.on == Receiver::Global);
    if let Some(word) = globals.clone().find(|word| word.name == name) {
        return problem.help(format!("`{name}` is a function: write {}", word.usage));
    }
    match nearest(name, globals.map(|word| word.name)) {
        Some(near) => problem.help(format!("did you mean the function `{near}`?")),
        None => problem.help(format!("declare it first: `let {name} = …;`")),
    }
}

fn operator(name: &str, arguments: &[&str], at: &Place) -> Problem {
    let kinds: Vec<&str> = arguments.iter().map(|kind| friendly_type(kind).unwrap_or(kind)).collect();
    let problem = Problem::at(at, format!("`{name}` does not fit {}", kinds.join(" and ")));
    if kinds.contains(&"a duration") && kinds.contains(&"a number") {
        return problem.help("give the number a unit, such as `10.s`");
    }
    if kinds.contains(&"a generator") {
        return problem.help("a generator is drawn for each request: compute with `item.next()` inside a closure");
    }
    problem
}

/// The error at the bottom of the calls.
pub(super) fn innermost(error: &EvalAltResult) -> &EvalAltResult {
    match error {
        EvalAltResult::ErrorInFunctionCall(_, _, inner, _) | EvalAltResult::ErrorInModule(_, inner, _) => {
            innermost(inner)
        }
        other => other,
    }
}

/// Whether an error is one of the engine's signals rather than a mistake of the script: `exit()` at the top.
pub(super) fn is_exit(error: &EvalAltResult) -> bool {
    matches!(error, EvalAltResult::Exit(..) | EvalAltResult::Return(..))
}
