//! The reference as a page of the guide.

use std::fmt::Write;

use super::{
    Example, Function, Guide, STDLIB, SUBJECTS, Stages, StdModule, Subject, Word, functions, guide_to,
    library::introduction,
};
use crate::script::words::TYPES;

/// Columns of its prose.
const WIDTH: usize = 110;

const INTRODUCTION: &str = "\
# Reference: every word of the language

This page is made from the program's own tables by `loadr docs --markdown`. `loadr docs WORD` looks one up
in the terminal, and `loadr definitions DIR` writes the same for editors.

A signature names the type that a word is called on, its parameters, and what it gives:
`Phase.users(from: int, to?: int) -> Phase` is written `phase(\"main\").users(10)`. A parameter with `?` may
be left out, and `|` stands between types of which each will do. *Where* says whether a word stands at the
`top` level, which declares, in a `closure`, which runs for a virtual user, or in `both`.
";

/// The whole page.
pub fn markdown() -> String {
    let mut page = INTRODUCTION.to_owned();
    types(&mut page);
    for subject in SUBJECTS {
        words(&mut page, subject);
    }
    for module in STDLIB {
        library(&mut page, module);
    }
    page
}

// Writing into a string cannot fail.

fn types(page: &mut String) {
    let _ = write!(page, "\n## Types\n\n| type | what it is |\n|---|---|\n");
    for (name, about) in TYPES {
        let _ = writeln!(page, "| `{name}` | {} |", cell(about));
    }
    let _ = writeln!(page, "| `Fn(vu)` | a closure with these parameters: `\\|vu\\| …` |");
}

fn words(page: &mut String, subject: &Subject) {
    let _ = write!(page, "\n## {}\n\n{}\n\n", subject.title, read_on(subject.guide));
    let _ = write!(page, "| word | example | what it does | where |\n|---|---|---|---|\n");
    for word in subject.words() {
        let own = guide_to(word, subject);
        let more = if own == subject.guide { String::new() } else { format!(" [More]({})", own.link()) };
        let about = format!("{}{more}", cell(word.about));
        let _ = writeln!(page, "| `{}` | {} | {about} | {} |", cell(&word.signature()), cell(word.usage), place(word));
    }
}

const fn place(word: &Word) -> &'static str {
    match word.stages {
        Stages::Plan => "top",
        Stages::Run => "closure",
        Stages::Both => "both",
    }
}

fn library(page: &mut String, module: &'static StdModule) {
    let _ = write!(page, "\n## {}\n\n", module.name);
    for paragraph in introduction(module) {
        let _ = write!(page, "{}\n\n", wrapped(&paragraph));
    }
    let _ = writeln!(page, "{}", read_on(module.guide));
    for function in functions(module) {
        self::function(page, module, &function);
    }
}

fn function(page: &mut String, module: &StdModule, function: &Function) {
    let _ = write!(page, "\n### {}::{}\n\n", module.short(), function.name);
    let signatures: Vec<String> =
        function.params.iter().map(|params| format!("`{}::{}({params})`", module.short(), function.name)).collect();
    let _ = writeln!(page, "{}", signatures.join(", "));
    for paragraph in &function.about {
        let _ = write!(page, "\n{}\n", wrapped(paragraph));
    }
    for Example { is_flow, text } in &function.examples {
        let info = if *is_flow { "rhai,flow" } else { "rhai,part" };
        let _ = write!(page, "\n```{info}\nimport {:?} as {};\n{text}```\n", module.name, module.short());
    }
}

fn read_on(guide: Guide) -> String {
    format!("In the guide: [{}]({}).", guide.heading, guide.link())
}

/// Text in a row of a table, where a bar would end a cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn wrapped(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.join("\n")
}
