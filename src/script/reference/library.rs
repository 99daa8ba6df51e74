//! The standard library as its own comments describe it.

use crate::script::modules::StdModule;

/// A function that scripts may call.
#[derive(Debug, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: &'static str,
    /// Its parameters, once for each number of arguments it takes.
    pub params: Vec<&'static str>,
    /// The paragraphs of its comment; the first says what it does.
    pub about: Vec<String>,
    /// The examples of its comment.
    pub examples: Vec<Example>,
}

/// An example of a comment. The module is imported under its short name, and `shop` is the target.
#[derive(Debug, PartialEq, Eq)]
pub struct Example {
    /// It stands in a closure `|vu| …`, not at the top level.
    pub is_flow: bool,
    /// The lines.
    pub text: String,
}

/// The comment over a function, as far as it was read.
#[derive(Debug, Default)]
struct Comment {
    about: Vec<String>,
    examples: Vec<Example>,
    in_example: bool,
    ends_paragraph: bool,
}

impl Comment {
    fn line(&mut self, line: &str) {
        if let Some(info) = line.strip_prefix("```") {
            self.in_example = !self.in_example;
            self.ends_paragraph = true;
            if self.in_example {
                self.examples.push(Example { is_flow: info == "rhai,flow", text: String::new() });
            }
        } else if self.in_example {
            if let Some(example) = self.examples.last_mut() {
                example.text.push_str(line);
                example.text.push('\n');
            }
        } else if line.is_empty() {
            self.ends_paragraph = true;
        } else {
            match self.about.last_mut() {
                Some(paragraph) if !self.ends_paragraph => {
                    paragraph.push(' ');
                    paragraph.push_str(line);
                }
                _ => self.about.push(line.to_owned()),
            }
            self.ends_paragraph = false;
        }
    }
}

/// The functions of a module that scripts may call, in its order. Another number of arguments is another function to
/// Rhai, and another way to call the same one here.
pub fn functions(module: &StdModule) -> Vec<Function> {
    let mut functions: Vec<Function> = Vec::new();
    let mut comment = Comment::default();
    for line in module.text.lines() {
        if let Some(text) = line.strip_prefix("///") {
            comment.line(text.strip_prefix(' ').unwrap_or(text));
            continue;
        }
        let Comment { about, examples, .. } = std::mem::take(&mut comment);
        let Some((name, rest)) = line.strip_prefix("fn ").and_then(|rest| rest.split_once('(')) else { continue };
        let params = rest.split(')').next().unwrap_or_default();
        match functions.iter_mut().find(|known| known.name == name) {
            Some(known) => {
                known.params.push(params);
                known.about.extend(about);
                known.examples.extend(examples);
            }
            None => functions.push(Function { name, params: vec![params], about, examples }),
        }
    }
    functions
}

/// The paragraphs of a module's own comment.
pub(super) fn introduction(module: &StdModule) -> Vec<String> {
    let mut comment = Comment::default();
    let lines = module.text.lines().map_while(|line| line.strip_prefix("//!"));
    lines.for_each(|line| comment.line(line.strip_prefix(' ').unwrap_or(line)));
    comment.about
}
