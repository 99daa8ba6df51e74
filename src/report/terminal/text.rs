//! Text of a known width.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::measure::clean_text;

/// Text of a script or a server, on one line and without control characters.
pub(super) fn clean(text: &str) -> String {
    clean_text(text)
}

/// The text if it is at most `width` columns wide; else as much of its start as fits, and `…`.
pub fn fit(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    if width == 0 {
        return String::new();
    }
    let (mut kept, mut used) = (String::new(), 0);
    for c in text.chars() {
        let columns = c.width().unwrap_or(0);
        if used + columns > width - 1 {
            break;
        }
        used += columns;
        kept.push(c);
    }
    // A character of no width of its own may change that of its neighbours (emoji sequences).
    while kept.width() > width - 1 {
        kept.pop();
    }
    kept + "…"
}

/// As [`fit`], but what is left out is in the middle: names of requests differ at their ends.
pub(super) fn fit_middle(text: &str, width: usize) -> String {
    if text.width() <= width || width < 8 {
        return fit(text, width);
    }
    let mut tail: Vec<char> = Vec::new();
    let mut used = 0;
    for c in text.chars().rev() {
        used += c.width().unwrap_or(0);
        if used > width * 2 / 5 {
            break;
        }
        tail.push(c);
    }
    let tail: String = tail.iter().rev().collect();
    // A hole shown as `{…}` that is cut in two would look like two cuts.
    let tail = tail.trim_start_matches(['…', '}']);
    // The start brings its own `…`.
    let joined = fit(text, width.saturating_sub(tail.width())) + tail;
    if joined.width() <= width { joined } else { fit(text, width) }
}

/// Breaks prose into lines of at most `width` columns, the first indented by `indent`, the others by two more. A
/// word that is wider than a line is cut.
pub(super) fn wrap(text: &str, width: usize, indent: usize) -> Vec<String> {
    let indent = indent.min(width / 2);
    let mut lines = Vec::new();
    let mut line = " ".repeat(indent);
    let mut empty = true;
    // Two spaces in a row separate parts of a line, and are kept.
    for word in text.split(' ') {
        let gap = if empty { "" } else { " " };
        if !empty && line.width() + 1 + word.width() > width {
            lines.push(line.trim_end().to_owned());
            line = " ".repeat((indent + 2).min(width / 2));
            if !word.is_empty() {
                line.push_str(word);
            }
            empty = word.is_empty();
        } else {
            line.push_str(gap);
            line.push_str(word);
            empty = false;
        }
    }
    lines.push(line.trim_end().to_owned());
    lines.iter().map(|line| fit(line, width)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn prose_breaks_at_spaces() {
        assert_eq!(wrap("one two three four", 10, 1), [" one two", "   three", "   four"]);
        assert_eq!(wrap("a  b", 10, 0), ["a  b"]);
        assert_eq!(wrap("immeasurably long", 8, 0), ["immeasu…", "  long"]);
    }

    #[test]
    fn wide_characters_count_as_two() {
        assert_eq!(fit("日本語", 6), "日本語");
        assert_eq!(fit("日本語", 5), "日本…");
        assert_eq!(fit("日本語", 4), "日…");
        assert_eq!(fit_middle("POST /api/carts/{…}/pay", 16), "POST /api/c…/pay");
    }

    proptest! {
        #[test]
        fn nothing_is_wider_than_asked(text in "\\PC{0,80}", width in 0usize..40, indent in 0usize..30) {
            prop_assert!(fit(&text, width).width() <= width);
            prop_assert!(fit_middle(&text, width).width() <= width);
            for line in wrap(&text, width, indent) {
                prop_assert!(line.width() <= width);
            }
        }
    }
}
