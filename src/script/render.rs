//! Problems as text: source line, caret, label, help.

use std::{ops::Range, sync::Arc};

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet, renderer::DecorStyle};

use unicode_width::UnicodeWidthStr;

use crate::plan::{Place, Problem};

/// The texts of a script and of the modules it imports.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// How the user named the main script.
    name: String,
    /// Name (empty for the main script) and text.
    texts: Vec<(Arc<str>, Arc<str>)>,
}

impl Sources {
    /// The main script.
    pub fn new(name: &str, text: &str) -> Self {
        Self { name: name.to_owned(), texts: vec![("".into(), text.into())] }
    }

    /// How the user named the main script.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn add(&mut self, name: &str, text: &str) {
        if self.text(name).is_none() {
            self.texts.push((name.into(), text.into()));
        }
    }

    /// The text of a file, by the name in a [`Place`].
    pub fn text(&self, file: &str) -> Option<&str> {
        self.texts.iter().find(|(name, _)| &**name == file).map(|(_, text)| &**text)
    }

    /// The texts of all files.
    pub(super) fn all(&self) -> impl Iterator<Item = &str> {
        self.texts.iter().map(|(_, text)| &**text)
    }

    /// The text of the first file whose name fits.
    pub(super) fn find(&self, fits: impl Fn(&str) -> bool) -> Option<&str> {
        self.texts.iter().find(|(name, _)| fits(name)).map(|(_, text)| &**text)
    }

    /// Whether a call somewhere has the text `name` as its first argument, as `phase("name")` does.
    pub(super) fn declares(&self, name: &str) -> bool {
        let quoted = format!("\"{name}\"");
        let is_first = |text: &str, at: usize| text[..at].trim_end().ends_with('(');
        self.texts.iter().any(|(_, text)| text.match_indices(&quoted).any(|(at, _)| is_first(text, at)))
    }

    /// The columns of the word at a place, from 1, in characters; the end is one behind its last. Empty where the
    /// place is unknown.
    pub fn columns(&self, at: &Place) -> Range<u32> {
        let found = self.text(&at.file).and_then(|text| span(text, at));
        let Some((line, bytes)) = found else { return at.column..at.column };
        let column = |byte: usize| 1 + line[..byte].chars().count() as u32;
        column(bytes.start)..column(bytes.end)
    }

    /// Whether a text of the script is exactly `word`.
    pub(super) fn names(&self, word: &str) -> bool {
        let quoted = format!("\"{word}\"");
        self.texts.iter().any(|(_, text)| text.contains(&quoted))
    }
}

/// Widest line of a rendered problem, in columns.
const WIDTH: usize = 80;

/// Renders problems one after the other, with a count at the end if there are several. Text from the script is
/// stripped of control characters.
pub fn render_problems(problems: &[Problem], sources: &Sources, color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.decor_style(DecorStyle::Ascii).term_width(WIDTH);
    let mut out: Vec<String> = problems.iter().map(|problem| render(problem, sources, &renderer)).collect();
    if problems.len() > 1 {
        out.push(format!("{} mistakes found; nothing was sent", problems.len()));
    }
    let mut text = out.join("\n\n");
    text.push('\n');
    text
}

fn render(problem: &Problem, sources: &Sources, renderer: &Renderer) -> String {
    let message = clean(&problem.message);
    let label = problem.label.as_deref().map(clean);
    let help = problem.help.as_deref().map(|help| wrap(&clean(help)));
    let located = problem.at.as_ref().and_then(|at| Located::find(at, sources));
    let steps: Vec<(Located, &str)> =
        problem.via.iter().filter_map(|via| Some((Located::find(&via.at, sources)?, via.label))).collect();
    let title = Level::ERROR.primary_title(message.as_str());
    let mut group = match &located {
        Some(located) => title.element(located.snippet(AnnotationKind::Primary, label.as_deref())),
        None => annotate_snippets::Group::with_title(title),
    };
    for (located, label) in &steps {
        group = group.element(located.snippet(AnnotationKind::Context, Some(*label)));
    }
    if let Some(help) = &help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    renderer.render(&[group])
}

/// A place in a known text.
struct Located {
    file: String,
    line: String,
    span: Range<usize>,
    number: usize,
}

impl Located {
    fn find(at: &Place, sources: &Sources) -> Option<Self> {
        let (line, span) = span(sources.text(&at.file)?, at)?;
        let file = if at.file.is_empty() { sources.name.as_str() } else { &at.file };
        Some(Self { file: clean(file), line, span, number: at.line as usize })
    }

    fn snippet<'a>(
        &'a self,
        kind: AnnotationKind,
        label: Option<&'a str>,
    ) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
        let annotation = kind.span(self.span.clone()).label(label);
        Snippet::source(self.line.as_str()).line_start(self.number).path(self.file.as_str()).annotation(annotation)
    }
}

/// The line of a place, printable, and the bytes of the word that starts at its column.
fn span(text: &str, at: &Place) -> Option<(String, Range<usize>)> {
    let line = text.split('\n').nth((at.line as usize).checked_sub(1)?)?.trim_end_matches('\r');
    let line: String = line.chars().map(|c| if is_unsafe(c) { ' ' } else { c }).collect();
    let start = line
        .char_indices()
        .nth((at.column as usize).saturating_sub(1))
        .map_or_else(|| line.trim_end().len(), |(index, _)| index);
    // The engine puts a property at its dot, and an import at the quote of its path.
    let start = if line[start..].starts_with('.') { start + 1 } else { start };
    let rest = &line[start..];
    if let Some(end) = rest.strip_prefix('"').and_then(|rest| rest.find('"')) {
        return Some((line.clone(), start..start + end + 2));
    }
    let word = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
    let length = if word > 0 { word } else { rest.chars().next().map_or(0, char::len_utf8) };
    Some((line.clone(), start..start + length))
}

/// One line of printable text.
fn clean(text: &str) -> String {
    text.chars().map(|c| if is_unsafe(c) { '\u{FFFD}' } else { c }).collect()
}

/// Breaks a help at spaces. Code and quoted text in it stay whole, so that it can be copied.
fn wrap(text: &str) -> String {
    // `    = help: ` stands before the first line.
    const WIDTH_OF_HELP: usize = WIDTH - 12;
    let mut out = String::new();
    let (mut column, mut in_code) = (0, false);
    for word in text.split_inclusive(' ') {
        let width = word.trim_end().width();
        if column > 0 && column + width > WIDTH_OF_HELP && !in_code {
            out.truncate(out.trim_end().len());
            out.push('\n');
            column = 0;
        }
        in_code ^= word.matches(['`', '"']).count() % 2 == 1;
        column += word.width();
        out.push_str(word);
    }
    out
}

/// Controls, marks of generators, and characters that turn the direction of text round.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{E000}'..='\u{F8FF}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{200E}' | '\u{200F}')
}
