//! The reference in a terminal.

use unicode_width::UnicodeWidthStr;

use crate::script::{
    STDLIB, SUBJECTS,
    reference::{Entry, Found, Group, code_spans, entries},
};

/// Longer lines of prose are hard to follow.
const WIDTH_MAX: usize = 100;
/// The column of names in a list; a longer name gets a line of its own.
const NAME_WIDTH: usize = 22;

/// How to write a page.
#[derive(Debug, Clone, Copy)]
pub(super) struct Page {
    width: usize,
    color: bool,
}

impl Page {
    pub(super) fn new(width: usize, color: bool) -> Self {
        Self { width: width.min(WIDTH_MAX), color }
    }

    /// Every word, by subject; without sentences.
    pub(super) fn overview(self) -> String {
        let all = entries();
        let mut lines = Vec::new();
        for subject in SUBJECTS {
            let own = |entry: &&Entry| matches!(entry, Entry::Word { subject: of, .. } if of.title == subject.title);
            self.names(&mut lines, subject.title, all.iter().filter(own).map(Entry::shown));
        }
        for module in STDLIB {
            let own = |entry: &&Entry| matches!(entry, Entry::Function { module: of, .. } if of.name == module.name);
            self.names(&mut lines, module.name, all.iter().filter(own).map(|entry| format!("{}(…)", entry.name())));
        }
        let errors = all.iter().filter(|entry| matches!(entry, Entry::Error(_)));
        self.names(&mut lines, "Errors", errors.map(Entry::shown));
        lines.push("`loadr docs WORD` says more: a word, a subject, a module, or what you look for.".to_owned());
        joined(lines)
    }

    /// What a query found.
    pub(super) fn found(self, query: &str, found: &Found) -> String {
        let mut lines = Vec::new();
        for entry in &found.named {
            self.card(&mut lines, entry);
        }
        for group in &found.groups {
            self.group(&mut lines, group);
        }
        match found.mentions.as_slice() {
            [] => {}
            [only] => self.card(&mut lines, only),
            several => {
                lines.push(self.bold(&format!("{} entries speak of {query}", several.len())));
                self.list(&mut lines, several);
            }
        }
        while lines.last().is_some_and(String::is_empty) {
            lines.pop();
        }
        joined(lines)
    }

    fn names(self, lines: &mut Vec<String>, title: &str, names: impl Iterator<Item = String>) {
        lines.push(self.bold(title));
        let mut seen: Vec<String> = Vec::new();
        // A name that several types have is one name here.
        names.for_each(|name| {
            if !seen.contains(&name) {
                seen.push(name)
            }
        });
        lines.extend(wrap(&seen.join("  "), self.width, "  "));
        lines.push(String::new());
    }

    /// All about one entry.
    fn card(self, lines: &mut Vec<String>, entry: &Entry) {
        for signature in entry.signatures() {
            // A signature that is too long for a line goes on below its brackets.
            let wrapped = wrap(&signature, self.width, "");
            let indented =
                wrapped.iter().enumerate().map(|(n, line)| if n == 0 { line.clone() } else { format!("    {line}") });
            lines.extend(indented.map(|line| self.bold(&line)));
        }
        for paragraph in entry.about() {
            lines.extend(wrap(&paragraph, self.width, "  "));
            lines.push(String::new());
        }
        self.examples(lines, entry);
        if let Some(place) = entry.place() {
            self.fact(lines, "where", place);
        }
        let guide = entry.guide();
        self.fact(lines, "guide", &format!("{}, {}", guide.page, guide.heading));
        lines.push(String::new());
    }

    fn examples(self, lines: &mut Vec<String>, entry: &Entry) {
        match entry {
            Entry::Word { word, .. } => {
                for (position, example) in code_spans(word.usage).enumerate() {
                    self.fact(lines, if position == 0 { "example" } else { "" }, example);
                }
            }
            Entry::Function { module, function } => {
                for example in &function.examples {
                    lines.push(format!("  import {:?} as {};", module.name, module.short()));
                    lines.extend(example.text.lines().map(|line| format!("  {line}").trim_end().to_owned()));
                    lines.push(String::new());
                }
            }
            Entry::Error(_) => {}
        }
    }

    fn fact(self, lines: &mut Vec<String>, name: &str, text: &str) {
        let indent = " ".repeat(12);
        let mut wrapped = wrap(text, self.width, &indent);
        if let Some(first) = wrapped.first_mut() {
            *first = format!("  {}{}", self.dim(&format!("{name:<10}")), first.trim_start());
        }
        lines.append(&mut wrapped);
    }

    fn group(self, lines: &mut Vec<String>, group: &Group) {
        let about = if group.about.is_empty() { String::new() } else { format!(": {}", group.about) };
        let heading = wrap(&format!("{}{about}", group.title), self.width, "");
        lines.extend(heading.iter().map(|line| self.bold(line)));
        self.list(lines, &group.entries);
    }

    /// A line or more for each entry: name, and the first sentence of what it does.
    fn list(self, lines: &mut Vec<String>, entries: &[Entry]) {
        let indent = " ".repeat(NAME_WIDTH + 4);
        for entry in entries {
            let name = match entry {
                Entry::Word { .. } => entry.full_name(),
                _ => entry.shown(),
            };
            let about = entry.about();
            let mut about = wrap(about.first().map_or("", |first| first_sentence(first)), self.width, &indent);
            if name.width() <= NAME_WIDTH {
                if let Some(first) = about.first_mut() {
                    let gap = " ".repeat(NAME_WIDTH - name.width());
                    *first = format!("  {}{gap}  {}", self.bold(&name), first.trim_start());
                }
            } else {
                lines.push(format!("  {}", self.bold(&name)));
            }
            lines.append(&mut about);
        }
        lines.push(String::new());
    }

    fn bold(self, text: &str) -> String {
        self.tone("1", text)
    }

    fn dim(self, text: &str) -> String {
        self.tone("2", text)
    }

    fn tone(self, code: &str, text: &str) -> String {
        if self.color && !text.is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Up to the first full stop that ends a sentence, or a colon before details.
fn first_sentence(text: &str) -> &str {
    text.find(". ").map_or(text, |end| &text[..=end])
}

fn joined(lines: Vec<String>) -> String {
    lines.join("\n") + "\n"
}

/// Breaks prose at single spaces into lines of at most `width` columns, each behind `indent`; words that stand two
/// spaces apart keep them. A word that is wider than a line stays whole.
fn wrap(text: &str, width: usize, indent: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut gap = "";
    for word in text.split(' ') {
        if word.is_empty() {
            gap = "  ";
            continue;
        }
        match lines.last_mut() {
            Some(line) if line.width() + gap.len() + word.width() <= width => {
                line.push_str(gap);
                line.push_str(word);
            }
            _ => lines.push(format!("{indent}{word}")),
        }
        gap = " ";
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::reference::find;

    #[test]
    fn every_card_fits_into_80_columns() {
        let page = Page::new(80, false);
        let mut texts = vec![page.overview()];
        texts.extend(entries().iter().map(|entry| page.found(entry.name(), &find(&entry.full_name()))));
        texts.extend(SUBJECTS.iter().map(|subject| page.found(subject.title, &find(subject.title))));
        texts.extend(STDLIB.iter().map(|module| page.found(module.name, &find(module.name))));
        for text in texts {
            // Lines of an example stay as they are written.
            let is_code =
                |line: &str| STDLIB.iter().any(|module| module.text.contains(&format!("/// {}\n", &line[2..])));
            let prose = text.lines().filter(|line| line.len() < 2 || !line.is_char_boundary(2) || !is_code(line));
            for line in prose.filter(|line| line.width() > 80) {
                assert!(line.split_whitespace().count() == 1, "{line}");
            }
        }
    }

    #[test]
    fn a_card_and_a_list() {
        let page = Page::new(80, false);
        insta::assert_snapshot!(page.found("Phase.users", &find("Phase.users")));
        insta::assert_snapshot!(page.found("std/pages", &find("std/pages")));
        insta::assert_snapshot!(page.found("auth::logout", &find("auth::logout")));
        insta::assert_snapshot!(page.found("data sets", &find("data sets")));
        insta::assert_snapshot!(page.found("idle", &find("idle")));
    }

    #[test]
    fn colour_changes_nothing_but_colour() {
        let (plain, colored) = (Page::new(80, false), Page::new(80, true));
        let text = colored.overview();
        assert!(text.contains("\x1b[1m"));
        assert_eq!(text.replace("\x1b[1m", "").replace("\x1b[2m", "").replace("\x1b[0m", ""), plain.overview());
    }
}
