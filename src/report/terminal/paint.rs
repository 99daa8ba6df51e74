//! Colours, which carry nothing that the text does not say.

/// What a text is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Bold,
    Dim,
    Good,
    Warning,
    Bad,
}

/// Whether there are colours.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paint {
    pub(super) color: bool,
}

impl Paint {
    /// The text in its colour. Leading spaces stay outside, so that an indent has no background or underline.
    pub(super) fn tone(self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Bold => "1",
            Tone::Dim => "2",
            Tone::Good => "1;32",
            Tone::Warning => "1;33",
            Tone::Bad => "1;31",
            Tone::Plain => return text.to_owned(),
        };
        let body = text.trim_start_matches(' ');
        if !self.color || body.is_empty() {
            return text.to_owned();
        }
        format!("{}\x1b[{code}m{body}\x1b[0m", &text[..text.len() - body.len()])
    }
}
