//! Functions, methods and properties that nobody has, and the ones that were probably meant.

use super::{
    lower,
    names::{follows_a_dot, functions, import_of, imports},
    operator,
};
use crate::{
    plan::{Place, Problem, nearest},
    script::{
        modules::STDLIB,
        render::Sources,
        state::{ScriptState, Stage},
        words::{Form, Receiver, Stages, Word, friendly_type, words},
    },
};

fn on(receiver: Receiver) -> impl Iterator<Item = &'static Word> + Clone {
    words().filter(move |word| word.on == receiver)
}

/// An unknown function, or a known one with other arguments. `signature` is the engine's: `name (type, type)`.
pub(super) fn function(signature: &str, at: &Place, state: &ScriptState) -> Problem {
    let (name, arguments) = signature.split_once(" (").unwrap_or((signature, ")"));
    let arguments: Vec<&str> =
        arguments.trim_end_matches(')').split(", ").filter(|argument| !argument.is_empty()).collect();
    // Operators have no names to confuse.
    if !name.starts_with(|c: char| c.is_alphabetic() || c == '_') {
        return operator(name, &arguments, at);
    }
    if let Some((module, function)) = name.split_once("::") {
        return in_module(module, function, arguments.len(), at, &state.sources.borrow());
    }
    let first = arguments.first().map(|first| first.trim_start_matches("&mut "));
    if follows_a_dot(&state.sources.borrow(), at)
        && let Some(first) = first
    {
        return method(name, first, &arguments[1..], at, state);
    }
    let global = on(Receiver::Global).find(|word| word.name == name);
    if let Some(word) = global {
        return known(word, &arguments, at, state);
    }
    let own = state.sources.borrow().text(&at.file).map(functions).unwrap_or_default();
    if let Some((_, parameters)) = own.iter().find(|(known, _)| known == name) {
        return Problem::at(at, format!("`{name}` takes {}, not {}", arguments_text(*parameters), arguments.len()))
            .label("wrong number of arguments");
    }
    let problem = Problem::at(at, format!("there is no function `{name}`")).label("unknown function");
    let candidates = on(Receiver::Global).map(|word| word.name).chain(own.iter().map(|(name, _)| name.as_str()));
    if let Some(near) = nearest(name, candidates) {
        return problem.help(format!("did you mean `{near}`?"));
    }
    let owners: Vec<&str> = owners(name);
    if !owners.is_empty() {
        let found = first.map_or("nothing", |first| friendly_type(first).unwrap_or(first));
        return problem.help(format!("`{name}` is a method of {}, not of {found}", owners.join(" and of ")));
    }
    problem.help("`loadr docs` lists every word of the language")
}

/// A function that an imported module does not have, or not with so many arguments.
pub(in crate::script) fn in_module(
    module: &str,
    name: &str,
    arguments: usize,
    at: &Place,
    sources: &Sources,
) -> Problem {
    let text = import_of(sources, at, module);
    let known = text.map(functions).unwrap_or_default();
    if let Some((_, parameters)) = known.iter().find(|(known, _)| known == name) {
        let wanted = arguments_text(*parameters);
        return Problem::at(at, format!("`{module}::{name}` takes {wanted}, not {arguments}"))
            .label("wrong number of arguments");
    }
    let problem = Problem::at(at, format!("the module `{module}` has no function `{name}`")).label("unknown function");
    let names: Vec<&str> = known.iter().map(|(name, _)| name.as_str()).collect();
    match nearest(name, names.iter().copied()) {
        Some(near) => problem.help(format!("did you mean `{module}::{near}`?")),
        None if names.is_empty() => problem,
        None => problem.help(format!("known: {}", names.join(", "))),
    }
}

/// A module that is not imported.
pub(in crate::script) fn module(name: &str, at: &Place, sources: &Sources) -> Problem {
    let problem = Problem::at(at, format!("the module `{name}` is not imported"));
    let imported: Vec<&str> =
        imports(sources.text(&at.file).unwrap_or_default()).into_iter().map(|(_, alias)| alias).collect();
    if let Some(near) = nearest(name, imported) {
        return problem.help(format!("did you mean `{near}`?"));
    }
    let shipped = || STDLIB.iter().filter_map(|module| module.name.strip_prefix("std/"));
    match shipped().find(|known| *known == name).or_else(|| nearest(name, shipped())) {
        Some(known) => problem.help(format!("write `import \"std/{known}\" as {known};` at the top")),
        None => problem.help(format!("import it at the top: `import \"lib/{name}\" as {name};`")),
    }
}

/// An unknown method of a value of a type, or a known one with other arguments.
fn method(name: &str, kind: &str, arguments: &[&str], at: &Place, state: &ScriptState) -> Problem {
    let noun = friendly_type(kind).unwrap_or(kind);
    let receiver = Receiver::of_type(kind);
    let candidates = || words().filter(move |word| Some(word.on) == receiver);
    if let Some(word) = candidates().find(|word| word.name == name) {
        return match word.form {
            Form::Call => known(word, arguments, at, state),
            Form::Property => Problem::at(at, format!("`{name}` of {noun} is a property, not a method"))
                .label("without brackets")
                .help(format!("write {}", word.usage)),
        };
    }
    let problem = Problem::at(at, format!("{noun} has no `{name}`")).label("unknown method");
    // `foo.bar(x)` is also how a function of the script's own is called with a first argument.
    let sources = state.sources.borrow();
    let own = sources.text(&at.file).map(functions).unwrap_or_default();
    let own = own.iter().map(|(name, _)| name.as_str());
    if let Some(near) = nearest(name, candidates().map(|word| word.name).chain(own)) {
        return problem.help(format!("did you mean `{near}`?"));
    }
    let owners = owners(name);
    if !owners.is_empty() {
        return problem.help(format!("`{name}` belongs to {}", owners.join(" and to ")));
    }
    let names: Vec<&str> = candidates().map(|word| word.name).collect();
    if names.is_empty() { problem } else { problem.help(format!("known: {}", names.join(", "))) }
}

/// Who has a method of that name.
fn owners(name: &str) -> Vec<&'static str> {
    let receivers = Receiver::METHODS.iter().copied();
    let having = receivers.filter(|receiver| on(*receiver).any(|word| word.name == name && word.form == Form::Call));
    having.filter_map(|receiver| friendly_type(receiver.type_name())).collect()
}

/// A word that only virtual users have.
fn too_early(word: &Word, at: &Place) -> Problem {
    Problem::at(at, format!("`{}` works only while a virtual user runs", word.name))
        .label("the top level only declares")
        .help("use it inside a closure, such as `flow(\"name\", |vu| { … })`")
}

/// A word that exists, but not so.
fn known(word: &'static Word, arguments: &[&str], at: &Place, state: &ScriptState) -> Problem {
    if word.stages == Stages::Run && state.stage() == Stage::Plan {
        return too_early(word, at);
    }
    let (least, most) = word.args();
    let found = arguments.len();
    if (least..=most).contains(&found) {
        let params = word.params();
        let wrong = params.iter().zip(arguments).find(|(param, kind)| !fits(&param.types, kind));
        let (expected, found) = match wrong {
            Some((param, kind)) => (param.types.join(" or "), friendly_type(kind).unwrap_or(kind)),
            None => (word.takes.to_owned(), "something else"),
        };
        return Problem::at(at, format!("`{}` takes {}; found {found}", word.name, nouns(&expected)))
            .label(format!("expected {}", nouns(&expected)))
            .help(format!("write {}", word.usage));
    }
    let wanted = if least == most { arguments_text(least) } else { format!("{least} to {most} arguments") };
    Problem::at(at, format!("`{}` takes {wanted}, not {found}", word.name))
        .label("wrong number of arguments")
        .help(format!("write {}", word.usage))
}

/// Whether a value of one of the engine's types is one of a signature's.
fn fits(types: &[&str], kind: &str) -> bool {
    types.iter().any(|&wanted| match wanted {
        "any" => true,
        "number" => matches!(kind, "i64" | "f64"),
        "int" => kind == "i64",
        "float" => kind == "f64",
        "string" => kind == "string",
        "list" => kind == "array",
        "map" => kind == "map",
        "bytes" => kind == "blob",
        "Duration" | "Rate" | "Size" => kind == wanted,
        closure if closure.starts_with("Fn(") => kind == "Fn",
        other => other == kind,
    })
}

/// A type of a signature in a sentence.
fn nouns(types: &str) -> String {
    let noun = |name: &str| match name {
        "int" => "a whole number".to_owned(),
        "list" => "a list".to_owned(),
        "bytes" => "bytes".to_owned(),
        "bool" => "true or false".to_owned(),
        "number" | "float" => "a number".to_owned(),
        closure if closure.starts_with("Fn(") => {
            format!("a closure `|{}| …`", closure.trim_start_matches("Fn(").trim_end_matches(')'))
        }
        other => friendly_type(other).unwrap_or(other).to_owned(),
    };
    types.split(" or ").map(noun).collect::<Vec<_>>().join(" or ")
}

fn arguments_text(count: usize) -> String {
    match count {
        0 => "no arguments".to_owned(),
        1 => "1 argument".to_owned(),
        count => format!("{count} arguments"),
    }
}

/// `Unknown property 'sec' - a getter is not registered for type 'i64'`.
pub(super) fn property(message: &str, at: &Place) -> Problem {
    let mut quoted = message.split('\'').skip(1).step_by(2);
    let (Some(name), kind) = (quoted.next(), quoted.next()) else {
        return Problem::at(at, lower(message));
    };
    let kind = kind.unwrap_or_default();
    let receiver = Receiver::of_type(kind);
    if receiver == Some(Receiver::Number) {
        return unit(name, at);
    }
    let noun = friendly_type(kind).unwrap_or(kind);
    let problem = Problem::at(at, format!("{noun} has no property `{name}`")).label("unknown property");
    let candidates = || words().filter(move |word| Some(word.on) == receiver);
    if candidates().any(|word| word.name == name && word.form == Form::Call) {
        return problem.help(format!("`{name}` is a method: write `.{name}(…)`"));
    }
    // What the stage has is found: it was asked for at the top level.
    if let Some(word) = candidates().find(|word| word.name == name && word.stages == Stages::Run) {
        return too_early(word, at);
    }
    if receiver == Some(Receiver::Data) {
        return problem.help(format!("take a row first: `.next().{name}`"));
    }
    let near = nearest(name, candidates().map(|word| word.name));
    match near.and_then(|near| candidates().find(|word| word.name == near)) {
        Some(word) => problem.help(format!("did you mean `{}`?", word.shown())),
        None => {
            let names: Vec<&str> = candidates().filter(|w| w.form == Form::Property).map(|word| word.name).collect();
            if names.is_empty() { problem } else { problem.help(format!("known: {}", names.join(", "))) }
        }
    }
}

/// An unknown unit of a number.
fn unit(name: &str, at: &Place) -> Problem {
    let units: Vec<&str> = on(Receiver::Number).map(|word| word.name).collect();
    // Spelled-out and foreign units that no edit distance finds.
    let meant = match name {
        "sec" | "secs" | "second" | "seconds" => Some("s"),
        "millis" | "msec" | "milliseconds" => Some("ms"),
        "micros" | "microseconds" => Some("us"),
        "m" | "mins" | "minute" | "minutes" => Some("min"),
        "hour" | "hours" | "hr" => Some("h"),
        "rps" | "per_sec" | "ps" => Some("per_second"),
        "rpm" | "per_min" => Some("per_minute"),
        _ => nearest(name, units.iter().copied()),
    };
    Problem::at(at, format!("a number has no unit `{name}`"))
        .label("unknown unit")
        .help(meant.map_or_else(|| format!("known: {}", units.join(", ")), |unit| format!("did you mean `{unit}`?")))
}
