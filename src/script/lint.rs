//! Functions and methods that nothing has, found before the run: a closure would stumble over them only when a
//! virtual user gets there.

use std::{cell::LazyCell, collections::BTreeSet};

use rhai::{AST, ASTNode, Engine, Expr, FnCallExpr, Position, Stmt};

use super::{
    call::place,
    explain::{
        names::{declared, functions, import_of, imports},
        unknown,
    },
    render::Sources,
    words::{Form, Receiver, Word, friendly_type, words},
};
use crate::plan::{Place, Problem, nearest};

/// What Rhai carries out itself, without a function that an engine could list.
const KEYWORDS: &[&str] = &["Fn", "call", "curry", "type_of", "is_shared", "is_def_fn", "is_def_var", "print", "debug"];

/// The calls of names that neither the language, nor Rhai, nor the script has.
pub(super) fn unknown_calls(engine: &Engine, ast: &AST, file: &str, text: &str, sources: &Sources) -> Vec<Problem> {
    // A variable may hold a closure.
    let variables = declared(text);
    let own: Vec<String> = ast.iter_functions().map(|function| function.name.to_owned()).collect();
    let mut known: BTreeSet<&str> = own.iter().map(String::as_str).collect();
    known.extend(words().filter(|word| word.form == Form::Call).map(|word| word.name));
    known.extend(KEYWORDS);
    known.extend(variables.iter().map(String::as_str));
    // Many scripts call nothing else, and to list these takes longer than all the rest.
    let registered = LazyCell::new(|| {
        let names = engine.collect_fn_metadata(None, |info| Some(info.metadata.name.to_string()), true);
        names.into_iter().collect::<BTreeSet<String>>()
    });
    let is_known = |name: &str| known.contains(name) || registered.contains(name);
    let mut problems = Vec::new();
    ast.walk(&mut |path| {
        let Some((call, at, on)) = called(path) else { return true };
        if call.is_qualified() {
            problems.extend(unknown_in_module(call, &place(Some(file), at), sources));
        } else if call.name.starts_with(|c: char| c.is_alphabetic() || c == '_') && !is_known(&call.name) {
            let at = place(Some(file), at);
            problems.push(match on {
                Some(on) => {
                    let known = known.iter().copied().chain(registered.iter().map(String::as_str));
                    unknown_method(&call.name, on, known, &at)
                }
                None => unknown_function(&call.name, &own, &at),
            });
        }
        true
    });
    problems
}

/// The call at the end of a path through the tree, where it stands, and, of a method, what it is called on: the
/// name of a variable, or nothing known.
fn called<'a>(path: &[ASTNode<'a>]) -> Option<(&'a FnCallExpr, Position, Option<&'a str>)> {
    match path.last()? {
        ASTNode::Expr(Expr::FnCall(call, at)) => Some((call, *at, None)),
        ASTNode::Stmt(Stmt::FnCall(call, at)) => Some((call, *at, None)),
        ASTNode::Expr(Expr::MethodCall(call, at)) => {
            let on = match path.iter().rev().nth(1) {
                Some(ASTNode::Expr(Expr::Dot(dot, ..))) => match &dot.lhs {
                    Expr::Variable(variable, ..) => Some(variable.1.as_str()),
                    _ => None,
                },
                _ => None,
            };
            Some((call, *at, Some(on.unwrap_or_default())))
        }
        _ => None,
    }
}

/// A call of a module that is not imported, or that has no such function.
fn unknown_in_module(call: &FnCallExpr, at: &Place, sources: &Sources) -> Option<Problem> {
    // A module of a module: its text is not to be had from here.
    if call.namespace.path.len() > 1 {
        return None;
    }
    let module = call.namespace.root();
    let Some(text) = import_of(sources, at, module) else {
        let imported = imports(sources.text(&at.file)?).iter().any(|(_, alias)| *alias == module);
        return (!imported).then(|| unknown::module(module, at, sources));
    };
    let fits = |(name, parameters): &(String, usize)| *name == *call.name && *parameters == call.args.len();
    (!functions(text).iter().any(fits)).then(|| unknown::in_module(module, &call.name, call.args.len(), at, sources))
}

fn unknown_function(name: &str, own: &[String], at: &Place) -> Problem {
    let functions = words().filter(|word| word.on == Receiver::Global).map(|word| word.name);
    let problem = Problem::at(at, format!("there is no function `{name}`")).label("unknown function");
    match nearest(name, functions.chain(own.iter().map(String::as_str))) {
        Some(near) => problem.help(format!("did you mean `{near}`?")),
        None => problem.help("`loadr docs` lists every word of the language"),
    }
}

/// `on` is the name of the variable it is called on. Everybody calls a virtual user `vu` and a response `res`.
fn unknown_method<'a>(name: &str, on: &str, known: impl Iterator<Item = &'a str>, at: &Place) -> Problem {
    let receiver = match on {
        "vu" => Some(Receiver::Vu),
        "res" | "response" => Some(Receiver::Response),
        _ => None,
    };
    let noun = receiver.and_then(|receiver| friendly_type(receiver.type_name()));
    let candidates = || words().filter(move |word| word.on != Receiver::Global);
    let of_receiver = || candidates().filter(move |word| Some(word.on) == receiver);
    let message = noun
        .map_or_else(|| format!("there is no method `{name}`, of anything"), |noun| format!("{noun} has no `{name}`"));
    let problem = Problem::at(at, message).label("unknown method");
    let meant: Option<&'static Word> = nearest(name, of_receiver().map(|word| word.name))
        .and_then(|near| of_receiver().find(|word| word.name == near))
        .or_else(|| {
            let near = nearest(name, candidates().filter(|word| word.form == Form::Call).map(|word| word.name))?;
            candidates().find(|word| word.name == near)
        });
    // Operators are functions too, and nobody means them.
    let names = known.filter(|known| known.starts_with(|c: char| c.is_alphabetic()));
    match (meant, nearest(name, names)) {
        (Some(word), _) => problem.help(format!("did you mean `{}`?", word.name)),
        (None, Some(near)) => problem.help(format!("did you mean `{near}`?")),
        (None, None) => problem.help("`loadr docs` lists every word of the language"),
    }
}
