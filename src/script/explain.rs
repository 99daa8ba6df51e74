//! Rhai's errors in the user's words, at the innermost place, with the word that was probably meant.

use std::rc::Rc;

use rhai::{EvalAltResult, LexError, ParseErrorType};

use super::{
    call::place,
    engine::{CALL_LEVELS_MAX, ITEMS_MAX, OPERATIONS_MAX},
    quantity::{DURATION_UNITS, RATE_UNITS, SIZE_UNITS},
    state::ScriptState,
    words::{self, Receiver, Word, friendly_type},
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
            if problem.at.as_ref().is_none_or(|at| at.line == 0) {
                problem.at = Some(place(source, *position));
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
        E::ErrorFunctionNotFound(signature, _) => function(signature, &at, state),
        E::ErrorDotExpr(message, _) => property(message, &at),
        E::ErrorPropertyNotFound(name, _) => Problem::at(&at, format!("the map has no property `{name}`"))
            .label("unknown property")
            .help("ask with `\"name\" in map` whether it is there"),
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
        E::ErrorModuleNotFound(name, _) => Problem::at(&at, format!("the module `{name}` is not imported"))
            .help(format!("write `import \"std/{name}\" as {name};` at the top")),
        E::ErrorMismatchDataType(wanted, found, _) | E::ErrorMismatchOutputType(wanted, found, _) => {
            let wanted = friendly_type(wanted).unwrap_or(wanted);
            let found = friendly_type(found).unwrap_or(found);
            Problem::at(&at, format!("expected {wanted}, found {found}"))
        }
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
    match kind {
        ParseErrorType::VariableUndefined(name) => variable(name, at, state),
        ParseErrorType::ModuleUndefined(name) => Problem::at(at, format!("the module `{name}` is not imported"))
            .help(format!("write `import \"std/{name}\" as {name};` at the top")),
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
    let variables = declared(&text);
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

/// Names that a script declares with `let`, `const`, `fn` or as a closure's parameter.
fn declared(text: &str) -> Vec<String> {
    let identifier = |text: &str| -> String { text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect() };
    let mut names = Vec::new();
    for keyword in ["let ", "const ", "for ", " as "] {
        names.extend(
            text.match_indices(keyword).map(|(index, _)| identifier(text[index + keyword.len()..].trim_start())),
        );
    }
    for piece in text.split('|').skip(1).step_by(2).filter(|piece| piece.len() < 80 && !piece.contains('\n')) {
        names.extend(piece.split(',').map(|name| identifier(name.trim())));
    }
    names.retain(|name| !name.is_empty());
    names
}

/// An unknown function, or a known one with other arguments.
fn function(signature: &str, at: &Place, state: &ScriptState) -> Problem {
    let (name, arguments) = signature.split_once(" (").unwrap_or((signature, ")"));
    let arguments: Vec<&str> =
        arguments.trim_end_matches(')').split(", ").filter(|argument| !argument.is_empty()).collect();
    // Operators have no names to confuse.
    if !name.starts_with(|c: char| c.is_alphabetic() || c == '_') {
        return operator(name, &arguments, at);
    }
    let receiver = arguments.first().and_then(|first| {
        let first = first.trim_start_matches("&mut ");
        Receiver::METHODS.iter().copied().find(|receiver| receiver.type_name() == first)
    });
    let candidates = |on: Receiver| words::words().filter(move |word| word.on == on);
    if let Some(receiver) = receiver {
        let noun = friendly_type(receiver.type_name()).unwrap_or("a value");
        if let Some(word) = candidates(receiver).find(|word| word.name == name) {
            return arity(word, arguments.len() - 1, at);
        }
        let problem = Problem::at(at, format!("{noun} has no `{name}`")).label("unknown method");
        if let Some(near) = nearest(name, candidates(receiver).map(|word| word.name)) {
            return problem.help(format!("did you mean `{near}`?"));
        }
        let others: Vec<&str> = Receiver::METHODS
            .iter()
            .filter(|other| words::words().any(|word| word.on == **other && word.name == name))
            .filter_map(|other| friendly_type(other.type_name()))
            .collect();
        if !others.is_empty() {
            return problem.help(format!("`{name}` belongs to {}", others.join(" and to ")));
        }
        let known: Vec<&str> = candidates(receiver).map(|word| word.name).collect();
        return problem.help(format!("known: {}", known.join(", ")));
    }
    if let Some(word) = candidates(Receiver::Global).find(|word| word.name == name) {
        return arity(word, arguments.len(), at);
    }
    let own = state.sources.borrow().text(&at.file).map(functions).unwrap_or_default();
    if let Some((_, parameters)) = own.iter().find(|(known, _)| known == name) {
        return Problem::at(at, format!("`{name}` takes {parameters} arguments, not {}", arguments.len()));
    }
    let problem = Problem::at(at, format!("there is no function `{name}`")).label("unknown function");
    let known = candidates(Receiver::Global).map(|word| word.name).chain(own.iter().map(|(name, _)| name.as_str()));
    if let Some(near) = nearest(name, known) {
        return problem.help(format!("did you mean `{near}`?"));
    }
    let methods: Vec<&str> = Receiver::METHODS
        .iter()
        .filter(|on| words::words().any(|word| word.on == **on && word.name == name))
        .filter_map(|on| friendly_type(on.type_name()))
        .collect();
    if !methods.is_empty() {
        let found = arguments.first().map_or("nothing", |first| friendly_type(first).unwrap_or(first));
        return problem.help(format!("`{name}` is a method of {}, not of {found}", methods.join(" and of ")));
    }
    problem.help("src/docs lists every word of the language")
}

fn arity(word: &Word, found: usize, at: &Place) -> Problem {
    let (least, most) = word.args;
    let wanted = match (least, most) {
        (0, 0) => "no arguments".to_owned(),
        (1, 1) => "1 argument".to_owned(),
        (least, most) if least == most => format!("{least} arguments"),
        (least, most) => format!("{least} to {most} arguments"),
    };
    Problem::at(at, format!("`{}` takes {wanted}, not {found}", word.name))
        .label("wrong number of arguments")
        .help(format!("write {}", word.usage))
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

/// Functions of the script itself: name and number of parameters.
fn functions(text: &str) -> Vec<(String, usize)> {
    text.match_indices("fn ")
        .filter_map(|(index, _)| {
            let (name, rest) = text[index + 3..].split_once('(')?;
            let (parameters, _) = rest.split_once(')')?;
            let count = parameters.split(',').filter(|parameter| !parameter.trim().is_empty()).count();
            Some((name.trim().to_owned(), count))
        })
        .collect()
}

/// `Unknown property 'sec' - a getter is not registered for type 'i64'`.
fn property(message: &str, at: &Place) -> Problem {
    let mut quoted = message.split('\'').skip(1).step_by(2);
    let (Some(name), kind) = (quoted.next(), quoted.next()) else {
        return Problem::at(at, lower(message));
    };
    let kind = kind.unwrap_or_default();
    if matches!(kind, "i64" | "f64") {
        let units: Vec<&str> = DURATION_UNITS
            .iter()
            .map(|(name, _)| *name)
            .chain(RATE_UNITS.iter().map(|(name, _)| *name))
            .chain(SIZE_UNITS.iter().map(|(name, _)| *name))
            .collect();
        // Spelled-out and foreign units that no edit distance finds.
        let meant = match name {
            "sec" | "secs" | "second" | "seconds" => Some("s"),
            "millis" | "msec" | "milliseconds" => Some("ms"),
            "micros" | "microseconds" => Some("us"),
            "m" | "mins" | "minute" | "minutes" => Some("min"),
            "hour" | "hours" | "hr" => Some("h"),
            "rps" | "per_sec" | "ps" => Some("per_second"),
            _ => nearest(name, units.iter().copied()),
        };
        return Problem::at(at, format!("a number has no unit `{name}`")).label("unknown unit").help(
            meant.map_or_else(|| format!("known: {}", units.join(", ")), |unit| format!("did you mean `{unit}`?")),
        );
    }
    let noun = friendly_type(kind).unwrap_or(kind);
    let problem = Problem::at(at, format!("{noun} has no property `{name}`")).label("unknown property");
    let receiver = Receiver::METHODS.iter().copied().find(|receiver| receiver.type_name() == kind);
    let methods = || words::words().filter(|word| receiver.is_some_and(|on| word.on == on)).map(|word| word.name);
    if methods().any(|method| method == name) {
        return problem.help(format!("`{name}` is a method: write `.{name}(…)`"));
    }
    if receiver == Some(Receiver::Data) {
        return problem.help(format!("take a row first: `.next().{name}`"));
    }
    match nearest(name, methods()) {
        Some(near) => problem.help(format!("did you mean `.{near}(…)`?")),
        None => problem,
    }
}

/// Whether an error is one of the engine's signals rather than a mistake of the script: `exit()` at the top.
pub(super) fn is_exit(error: &EvalAltResult) -> bool {
    matches!(error, EvalAltResult::Exit(..) | EvalAltResult::Return(..))
}
