//! What is done to texts before they are kept, such as taking secrets out.

use std::{borrow::Cow, fmt};

/// Texts longer than this may be cut further on, in bytes.
const LONG_BYTES: usize = 100;

/// Gives a text to stand for another.
type Rewriter = Box<dyn Fn(&str) -> String>;

/// The rewriters of a recorder; nothing is done where there is none.
#[derive(Default)]
pub(super) struct Rewrites {
    whole: Option<Rewriter>,
    start: Option<Rewriter>,
}

impl fmt::Debug for Rewrites {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rewrites({}, {})", self.whole.is_some(), self.start.is_some())
    }
}

impl Rewrites {
    pub(super) fn set_whole(&mut self, rewrite: impl Fn(&str) -> String + 'static) {
        self.whole = Some(Box::new(rewrite));
    }

    pub(super) fn set_start(&mut self, rewrite: impl Fn(&str) -> String + 'static) {
        self.start = Some(Box::new(rewrite));
    }

    /// A text that is only looked at here if it may be cut later: short ones are rewritten where they leave.
    pub(super) fn long<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match &self.whole {
            Some(rewrite) if text.len() > LONG_BYTES => Cow::Owned(rewrite(text)),
            _ => Cow::Borrowed(text),
        }
    }

    /// A whole text.
    pub(super) fn whole(&self, text: &str) -> String {
        self.whole.as_ref().map_or_else(|| text.to_owned(), |rewrite| rewrite(text))
    }

    /// A text that may be the start of a longer one.
    pub(super) fn start(&self, text: &str) -> String {
        self.start.as_ref().map_or_else(|| text.to_owned(), |rewrite| rewrite(text))
    }
}

#[cfg(test)]
impl Rewrites {
    /// Takes one word out.
    pub(super) fn without(word: &'static str) -> Self {
        let mut rewrites = Self::default();
        rewrites.set_whole(move |text| text.replace(word, "***"));
        rewrites.set_start(move |text| text.replace(word, "***"));
        rewrites
    }
}
