//! Which paths a source file names: every `use` and every `a::b` in its code, resolved from the crate's root.
//!
//! The text is read as tokens, so comments and strings do not count, and code within macros does.

use std::path::Path;

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// A path that is named somewhere, such as `crate::plan::Mix` or `std::time::Instant`; the last segment is `*` for a glob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    pub segments: Vec<String>,
    pub line: usize,
}

/// What the rules need of one file.
#[derive(Debug)]
pub struct Source {
    /// From the repository's root, such as `src/plan/mix.rs`.
    pub file: String,
    /// Where the file stands in the crate, such as `plan`, `mix`; empty for a crate's root.
    pub module: Vec<String>,
    pub tokens: TokenStream,
}

impl Source {
    /// `file` is a path from the repository's root, `text` what it holds.
    pub fn parse(file: &str, text: &str) -> Result<Self, String> {
        let tokens = text.parse().map_err(|error| format!("{file}: {error}"))?;
        Ok(Self { file: file.to_owned(), module: module_of(file), tokens })
    }

    /// Every path the file names, in the order of its text.
    pub fn named(&self) -> Vec<Named> {
        let mut found = Vec::new();
        collect(&trees(&self.tokens), &self.module, &mut found);
        found
    }

    /// Modules that the file puts in a file of another name by `#[path = "…"]`: that file, and the module.
    pub fn renamed(&self) -> Vec<(String, Vec<String>)> {
        let folder = Path::new(&self.file).parent().unwrap_or(Path::new(""));
        let mut renamed = Vec::new();
        let mut path = None;
        let all = trees(&self.tokens);
        for (at, tree) in all.iter().enumerate() {
            match tree {
                TokenTree::Group(group) if group.delimiter() == Delimiter::Bracket => {
                    path = path_attribute(group).or(path);
                }
                TokenTree::Ident(word) if word == "mod" => {
                    if let (Some(path), Some(TokenTree::Ident(name))) = (path.take(), all.get(at + 1)) {
                        let mut module = self.module.clone();
                        module.push(name.to_string());
                        renamed.push((folder.join(path).to_string_lossy().into_owned(), module));
                    }
                }
                TokenTree::Punct(punct) if punct.as_char() == ';' => path = None,
                _ => {}
            }
        }
        renamed
    }
}

/// All tokens of a file, those within groups too.
pub fn flat(tokens: &TokenStream) -> Vec<TokenTree> {
    let mut all = Vec::new();
    for tree in tokens.clone() {
        all.push(tree.clone());
        if let TokenTree::Group(group) = tree {
            all.extend(flat(&group.stream()));
        }
    }
    all
}

/// The line a token begins at, counted from 1.
pub fn line(tree: &TokenTree) -> usize {
    tree.span().start().line
}

fn module_of(file: &str) -> Vec<String> {
    let inner = file.strip_prefix("src/").unwrap_or(file).trim_end_matches(".rs");
    let mut module: Vec<String> = inner.split('/').map(str::to_owned).collect();
    if matches!(module.last().map(String::as_str), Some("mod" | "lib" | "main")) {
        module.pop();
    }
    module
}

fn path_attribute(group: &Group) -> Option<String> {
    match trees(&group.stream()).as_slice() {
        [TokenTree::Ident(word), TokenTree::Punct(_), TokenTree::Literal(text)] if word == "path" => {
            Some(text.to_string().trim_matches('"').to_owned())
        }
        _ => None,
    }
}

fn trees(tokens: &TokenStream) -> Vec<TokenTree> {
    tokens.clone().into_iter().collect()
}

fn collect(all: &[TokenTree], module: &[String], found: &mut Vec<Named>) {
    let mut at = 0;
    while let Some(tree) = all.get(at) {
        match tree {
            TokenTree::Ident(word) if word == "use" => {
                let end = all[at..].iter().position(|tree| is_punct(tree, ';')).map_or(all.len(), |length| at + length);
                use_tree(&all[at + 1..end], &[], module, found);
                at = end;
            }
            TokenTree::Ident(word) if word == "mod" => {
                if let (Some(TokenTree::Ident(name)), Some(TokenTree::Group(body))) = (all.get(at + 1), all.get(at + 2))
                {
                    let mut inner = module.to_vec();
                    inner.push(name.to_string());
                    collect(&trees(&body.stream()), &inner, found);
                    at += 2;
                }
            }
            TokenTree::Ident(_) if is_separator(all, at + 1) => {
                let (segments, next) = segments(all, at);
                push(&segments, tree, module, found);
                at = next;
                continue;
            }
            TokenTree::Group(group) => collect(&trees(&group.stream()), module, found),
            _ => {}
        }
        at += 1;
    }
}

/// One tree of a `use`: `a::b`, `a::{b, c::d}`, `a as b`, `a::*`.
fn use_tree(all: &[TokenTree], prefix: &[String], module: &[String], found: &mut Vec<Named>) {
    let start = if is_separator(all, 0) { 2 } else { 0 };
    let Some(first) = all.get(start) else { return };
    let (own, next) = segments(all, start);
    let mut path = prefix.to_vec();
    path.extend(own);
    match all.get(next) {
        Some(TokenTree::Group(group)) => {
            for branch in trees(&group.stream()).split(|tree| is_punct(tree, ',')) {
                use_tree(branch, &path, module, found);
            }
        }
        Some(tree) if is_punct(tree, '*') => {
            path.push("*".to_owned());
            push(&path, first, module, found);
        }
        _ => push(&path, first, module, found),
    }
}

/// The words of a path from `at` on, and where it ends: at a group or `*` after its last `::`, or behind its last word.
fn segments(all: &[TokenTree], at: usize) -> (Vec<String>, usize) {
    let mut words = Vec::new();
    let mut next = at;
    while let Some(TokenTree::Ident(word)) = all.get(next) {
        words.push(word.to_string());
        next += 1;
        if !is_separator(all, next) {
            break;
        }
        next += 2;
    }
    (words, next)
}

/// Files a path under its name from the root: `crate::…` for this crate, else the other crate's name.
fn push(path: &[String], first: &TokenTree, module: &[String], found: &mut Vec<Named>) {
    let mut base = match path.first().map(String::as_str) {
        Some("self" | "super") => module.to_vec(),
        _ => Vec::new(),
    };
    let mut inside = !base.is_empty();
    let mut rest = path;
    while let Some((word, others)) = rest.split_first() {
        match word.as_str() {
            "crate" | "self" => inside = true,
            "super" => {
                inside = true;
                base.pop();
            }
            _ => break,
        }
        rest = others;
    }
    let mut segments = if inside { vec!["crate".to_owned()] } else { Vec::new() };
    segments.extend(base);
    // `self` at the end of a nested tree names the tree's own prefix.
    segments.extend(rest.iter().filter(|word| *word != "self").cloned());
    found.push(Named { segments, line: line(first) });
}

fn is_separator(all: &[TokenTree], at: usize) -> bool {
    all.get(at).is_some_and(|tree| is_punct(tree, ':')) && all.get(at + 1).is_some_and(|tree| is_punct(tree, ':'))
}

fn is_punct(tree: &TokenTree, sign: char) -> bool {
    matches!(tree, TokenTree::Punct(punct) if punct.as_char() == sign)
}
