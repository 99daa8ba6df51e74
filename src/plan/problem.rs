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
}

impl Problem {
    /// A problem at a place.
    pub fn at(place: &Place, message: impl Into<String>) -> Self {
        Self { message: message.into(), at: Some(place.clone()), label: None, help: None }
    }

    /// A problem of no particular place.
    pub fn nowhere(message: impl Into<String>) -> Self {
        Self { message: message.into(), at: None, label: None, help: None }
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
}
