//! The reference of the language, made from the tables of words and from the comments of the standard library: the
//! same entries for the terminal, for the page of the guide and for editors.

mod definitions;
mod find;
mod library;
mod markdown;

use std::borrow::Cow;

pub use self::{
    definitions::{DefinitionFile, MARK, definitions},
    find::{Found, Group, find},
    library::{Example, Function, functions},
    markdown::markdown,
};
use super::{
    modules::{STDLIB, StdModule},
    words::{Guide, Receiver, SUBJECTS, Stages, Subject, Word, guide_to},
};
use crate::protocol::ErrorKind;

/// One thing that can be looked up.
#[derive(Debug)]
pub enum Entry {
    /// A word of the language.
    Word {
        /// Its row.
        word: &'static Word,
        /// What it is about.
        subject: &'static Subject,
    },
    /// A function of the standard library.
    Function {
        /// The module that has it.
        module: &'static StdModule,
        /// What its comment says.
        function: Function,
    },
    /// A kind of error, as reports name it.
    Error(ErrorKind),
}

/// Everything that can be looked up, in the order of the reference.
pub fn entries() -> Vec<Entry> {
    let words = SUBJECTS.iter().flat_map(|subject| subject.words().map(move |word| Entry::Word { word, subject }));
    let library = STDLIB
        .iter()
        .flat_map(|module| functions(module).into_iter().map(move |function| Entry::Function { module, function }));
    let errors = ErrorKind::ALL.iter().map(|kind| Entry::Error(*kind));
    words.chain(library).chain(errors).collect()
}

impl Entry {
    /// Its name alone.
    pub fn name(&self) -> &str {
        match self {
            Self::Word { word, .. } => word.name,
            Self::Function { function, .. } => function.name,
            Self::Error(kind) => kind.word(),
        }
    }

    /// Its name with what it belongs to: `Phase.users`, `auth::login`, `get`.
    pub fn full_name(&self) -> String {
        match self {
            Self::Word { word, .. } if word.on == Receiver::Global => word.name.to_owned(),
            Self::Word { word, .. } => format!("{}.{}", word.on.type_name(), word.name),
            Self::Function { module, function } => format!("{}::{}", module.short(), function.name),
            Self::Error(kind) => kind.word().to_owned(),
        }
    }

    /// As a script writes it, without its arguments: `.users(…)`, `auth::login(…)`, `res.status`.
    pub fn shown(&self) -> String {
        match self {
            Self::Word { word, .. } => word.shown(),
            Self::Function { .. } => format!("{}(…)", self.full_name()),
            Self::Error(kind) => kind.word().to_owned(),
        }
    }

    /// Its signatures: a function of a module may have several.
    pub fn signatures(&self) -> Vec<String> {
        match self {
            Self::Word { word, .. } => vec![word.signature()],
            Self::Function { module, function } => function
                .params
                .iter()
                .map(|params| format!("{}::{}({params})", module.short(), function.name))
                .collect(),
            Self::Error(kind) => vec![kind.word().to_owned()],
        }
    }

    /// What it does, in paragraphs.
    pub fn about(&self) -> Vec<Cow<'_, str>> {
        match self {
            Self::Word { word, .. } => vec![word.about.into()],
            Self::Function { function, .. } => function.about.iter().map(|text| text.as_str().into()).collect(),
            Self::Error(kind) => vec![format!("A kind of error. Look first: {}.", kind.advice()).into()],
        }
    }

    /// Where it may stand in a script, if that matters.
    pub fn place(&self) -> Option<&'static str> {
        match self {
            Self::Word { word, .. } => match word.stages {
                Stages::Plan => Some("at the top level, which declares"),
                Stages::Run => Some("in closures, while a virtual user runs"),
                Stages::Both => Some("anywhere"),
            },
            Self::Function { .. } | Self::Error(_) => None,
        }
    }

    /// Where the guide explains it.
    pub fn guide(&self) -> Guide {
        match self {
            Self::Word { word, subject } => guide_to(word, subject),
            Self::Function { module, .. } => module.guide,
            Self::Error(_) => Guide { page: "requests.md", heading: "What counts as an error" },
        }
    }
}

impl StdModule {
    /// The name that scripts import it under: `auth`.
    pub fn short(&self) -> &'static str {
        self.name.trim_start_matches("std/")
    }
}

/// The code spans of a text: what stands between backticks.
pub fn code_spans(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[cfg(test)]
mod tests;
