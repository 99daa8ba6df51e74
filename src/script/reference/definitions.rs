//! Definition files for Rhai's language server: what editors complete and show. The format is the server's own:
//! `module static;` for what every script has, `module;` for the script beside which the file stands, doc comments, and
//! signatures without bodies.

use std::fmt::Write;

use super::{Guide, STDLIB, SUBJECTS, StdModule, Word, functions, guide_to, library::introduction};
use crate::script::words::{Form, Param, Receiver, TYPES};

/// How every file begins, so that it is known again.
pub const MARK: &str = "// Written by `loadr definitions`";

/// A file to be written.
#[derive(Debug)]
pub struct DefinitionFile {
    /// Its path in the folder of definitions, with `/` between folders.
    pub path: String,
    /// What is in it.
    pub text: String,
}

/// Words are called with fewer arguments than this.
const ARGUMENTS_MAX: usize = 8;

/// Types that the server knows by itself, and what it calls them.
const KNOWN: &[(&str, &str)] = &[
    ("()", "()"),
    ("any", "?"),
    ("bool", "bool"),
    ("int", "int"),
    ("float", "float"),
    ("number", "int | float"),
    ("string", "String"),
    ("list", "[?]"),
    ("map", "Map"),
];

/// Operators beyond the language's own.
pub(super) const OPERATORS: &[(&str, &str, &str, &str)] = &[
    ("+", "Duration", "Duration", "Duration"),
    ("-", "Duration", "Duration", "Duration"),
    ("*", "Duration", "int", "Duration"),
    ("*", "int", "Duration", "Duration"),
    ("*", "Duration", "float", "Duration"),
    ("*", "float", "Duration", "Duration"),
    ("/", "Duration", "int", "Duration"),
    ("/", "Duration", "float", "Duration"),
    ("/", "Duration", "Duration", "float"),
];

/// All files: one for the language, and one for each module of the standard library.
pub fn definitions() -> Vec<DefinitionFile> {
    let language = DefinitionFile { path: "loadr.d.rhai".to_owned(), text: language() };
    let modules =
        STDLIB.iter().map(|module| DefinitionFile { path: format!("{}.d.rhai", module.name), text: library(module) });
    std::iter::once(language).chain(modules).collect()
}

fn start() -> String {
    format!("{MARK} of loadr {}; do not edit: it will be written anew.\n", env!("CARGO_PKG_VERSION"))
}

// Writing into a string cannot fail.

fn language() -> String {
    let mut text = start();
    text.push_str("\n/// The words that loadr adds to Rhai.\nmodule static;\n\n");
    for (name, about) in TYPES.iter().filter(|(name, _)| !KNOWN.iter().any(|(known, _)| known == name)) {
        let _ = write!(text, "/// {}\ntype {name} = ...;\n\n", sentence(about));
    }
    text.push_str("/// A map `#{…}`.\ntype Map = ...;\n\n/// A closure `|…| …`.\ntype FnPtr = ...;\n\n");
    for (operator, left, right, gives) in OPERATORS {
        let _ = writeln!(text, "op {operator}({left}, {right}) -> {gives};");
    }
    for subject in SUBJECTS {
        for word in subject.words() {
            text.push('\n');
            self::word(&mut text, word, guide_to(word, subject));
        }
    }
    text
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    format!("{}.", first.chain(letters).collect::<String>())
}

fn word(text: &mut String, word: &Word, guide: Guide) {
    let comment = |text: &mut String| {
        let paragraphs = [word.about.to_owned(), format!("`{}`", word.signature())];
        let examples: Vec<&str> = super::code_spans(word.usage).collect();
        doc(text, &paragraphs, &[examples.join("\n")], guide);
    };
    let params = word.params();
    let (least, most) = word.args();
    for count in least..=most.min(ARGUMENTS_MAX) {
        // The server shows the comment of each signature by itself.
        comment(text);
        let receiver = (word.on != Receiver::Global).then(|| receiver(word.on));
        let given = params.iter().take(count).map(|param| format!("{}: {}", safe(param.name), types(param)));
        let list: Vec<String> = receiver.into_iter().chain(given).collect();
        let get = if word.form == Form::Property { "get " } else { "" };
        let _ = writeln!(text, "fn {get}{}({}){};", word.name, list.join(", "), gives(word.gives));
    }
}

fn receiver(on: Receiver) -> String {
    format!("{}: {}", on.type_name().to_lowercase(), type_of(on.type_name()))
}

fn gives(name: &str) -> String {
    if name == "()" { String::new() } else { format!(" -> {}", type_of(name)) }
}

fn types(param: &Param) -> String {
    let names: Vec<&str> = param.types.iter().map(|name| type_of(name)).collect();
    names.join(" | ")
}

fn type_of(name: &str) -> &str {
    if name.starts_with("Fn(") {
        return "FnPtr";
    }
    KNOWN.iter().find(|(known, _)| *known == name).map_or(name, |(_, server)| server)
}

/// A name that is none of the language's own words.
fn safe(name: &str) -> String {
    const RESERVED: &[&str] = &["default"];
    if RESERVED.contains(&name) { format!("{name}_") } else { name.to_owned() }
}

fn library(module: &'static StdModule) -> String {
    let mut text = start();
    text.push('\n');
    for paragraph in introduction(module) {
        let _ = write!(text, "/// {paragraph}\n///\n");
    }
    let _ = write!(text, "/// `import {:?} as {};`\nmodule;\n", module.name, module.short());
    for function in functions(module) {
        for params in &function.params {
            text.push('\n');
            let examples: Vec<String> = function.examples.iter().map(|example| example.text.clone()).collect();
            doc(&mut text, &function.about, &examples, module.guide);
            let _ = writeln!(text, "fn {}({}) -> ?;", function.name, typed(params));
        }
    }
    text
}

/// The parameters of a function of the library, with the types that their names stand for everywhere in it.
fn typed(params: &str) -> String {
    let one = |name: &str| {
        let kind = match name {
            "vu" => "Vu",
            "res" => "Response",
            "target" => "Target",
            "options" => "Map",
            _ => "?",
        };
        format!("{name}: {kind}")
    };
    params.split(", ").filter(|name| !name.is_empty()).map(one).collect::<Vec<_>>().join(", ")
}

/// A doc comment: paragraphs, examples, and where to read on.
fn doc(text: &mut String, paragraphs: &[String], examples: &[String], guide: Guide) {
    for paragraph in paragraphs {
        let _ = write!(text, "/// {paragraph}\n///\n");
    }
    for example in examples {
        text.push_str("/// ```rhai\n");
        for line in example.lines() {
            let _ = writeln!(text, "/// {line}");
        }
        text.push_str("/// ```\n///\n");
    }
    let _ = writeln!(text, "/// Guide: {}, {}", guide.page, guide.heading);
}
