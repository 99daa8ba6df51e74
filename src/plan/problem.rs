//! A mistake in a script, with its place and the help for it.

use std::sync::Arc;

/// A position in a script file. Lines and columns count from 1; 0 means unknown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Place {
    /// The file as the user named it; empty for the main script.
    pub file: Arc<str>,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

/// One mistake. Whoever finds it says what is wrong in the user's words, where, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong: lower case, without a full stop.
    pub message: String,
    /// Where.
    pub at: Option<Place>,
    /// What stands under the caret.
    pub label: Option<String>,
    /// What to do.
    pub help: Option<String>,
    /// How the script got there, the innermost call first.
    pub via: Vec<Via>,
    /// It says that the plan lacks something.
    pub lacks: Option<Lack>,
}

/// A step on the way to a mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Via {
    /// Where the script called or imported.
    pub at: Place,
    /// Which of both, in words.
    pub label: &'static str,
}

/// What a plan lacks: no mistake where the making of it failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lack {
    /// Something that every plan needs.
    Part,
    /// A phase, flow or request of this name.
    Name(String),
}

impl Problem {
    /// A problem at a place.
    pub fn at(place: &Place, message: impl Into<String>) -> Self {
        Self { at: Some(place.clone()), ..Self::nowhere(message) }
    }

    /// A problem of no particular place.
    pub fn nowhere(message: impl Into<String>) -> Self {
        Self { message: message.into(), at: None, label: None, help: None, via: Vec::new(), lacks: None }
    }

    /// With a text under the caret.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// With help.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// As reached from `at`: the next step outwards. Steps that say the same again, as in a recursion, are left
    /// out, and so are those beyond the 8 innermost.
    pub fn reached(&mut self, at: Place, label: &'static str) {
        const STEPS_MAX: usize = 8;
        let via = Via { at, label };
        if via.at.line > 0 && self.via.len() < STEPS_MAX && !self.via.contains(&via) {
            self.via.push(via);
        }
    }

    /// As a sign that the plan lacks something.
    #[must_use]
    pub fn lacking(mut self, lack: Lack) -> Self {
        self.lacks = Some(lack);
        self
    }
}
