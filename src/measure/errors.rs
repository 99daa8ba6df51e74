//! Texts about failures: bounded in number and length, and free of control characters.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Excerpt;

/// Distinct messages that are kept apart.
const GROUPS_MAX: usize = 50;
/// A longer text is cut, in bytes.
const TEXT_BYTES_MAX: usize = 200;

/// The longest start of `text` of at most `bytes_max` bytes that ends between two characters.
pub(super) fn cut(text: &str, bytes_max: usize) -> &str {
    if text.len() <= bytes_max {
        return text;
    }
    let end = (0..=bytes_max).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    &text[..end]
}

/// Text that may come from a server, safe to keep and to print on a terminal: control characters and those
/// that change the direction of writing become spaces, and at most 200 bytes remain.
pub fn clean_text(text: &str) -> String {
    // Cut first, so that a long text costs nothing; a space is never longer than what it replaces.
    plain_text(cut(text, TEXT_BYTES_MAX)).trim().to_owned()
}

/// As [`clean_text`], but of any length.
pub fn plain_text(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || is_invisible(c) { ' ' } else { c }).collect()
}

/// Characters that reorder or hide what stands around them (Unicode's bidirectional controls, zero-width
/// characters, separators and the byte order mark).
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
        || matches!(c, '\u{e0000}'..='\u{e007f}')
}

/// What came with one message of a group.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Example {
    /// The exchange that ended last before it, in the same iteration.
    pub exchange: Excerpt,
    /// The message; others of the group may differ.
    pub message: String,
}

/// Messages by place: run-time errors of the script; where there is no place, by text: reasons of failed iterations.
///
/// A text at a place may change with every occurrence (`no stock of 17`), and is then one group all the same. It
/// shows the least of its texts in the order of the alphabet, and the earliest example, so that a sum of parts is the
/// same however it was cut.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MessageCounts {
    groups: BTreeMap<Key, Group>,
    beyond: u64,
}

/// The place, and the text where there is none.
pub(super) type Key = (String, String);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Group {
    message: String,
    count: u64,
    example: Option<Box<Example>>,
}

impl MessageCounts {
    /// Counts one message at `place` (`file:line:column`, as a person reads it).
    pub fn add(&mut self, place: &str, message: &str) {
        self.add_counted(place, message, 1, None);
    }

    /// Adds `count` messages that were counted elsewhere, with an example of them.
    pub fn add_counted(&mut self, place: &str, message: &str, count: u64, example: Option<Example>) {
        let (key, message) = keyed(place, message);
        self.add_n(key, &message, count, example.map(Box::new));
    }

    /// Adds messages that were counted elsewhere, beyond the groups kept there.
    pub fn add_beyond(&mut self, count: u64) {
        self.beyond += count;
    }

    /// Adds all of `other`. Exact as long as there are no more groups than fit.
    pub fn merge(&mut self, other: &Self) {
        for (key, group) in &other.groups {
            self.add_n(key.clone(), &group.message, group.count, group.example.clone());
        }
        self.beyond += other.beyond;
    }

    fn add_n(&mut self, key: Key, message: &str, count: u64, example: Option<Box<Example>>) {
        if let Some(known) = self.groups.get_mut(&key) {
            known.count += count;
            if message < known.message.as_str() {
                message.clone_into(&mut known.message);
            }
            if let Some(example) = example
                && known.example.as_ref().is_none_or(|known| example < *known)
            {
                known.example = Some(example);
            }
        } else if self.groups.len() < GROUPS_MAX {
            self.groups.insert(key, Group { message: message.to_owned(), count, example });
        } else {
            self.beyond += count;
        }
    }

    /// Place, message, count.
    pub fn groups(&self) -> impl Iterator<Item = (&str, &str, u64)> {
        self.groups.iter().map(|((place, _), group)| (place.as_str(), group.message.as_str(), group.count))
    }

    /// The example of each group, in the order of [`Self::groups`].
    pub fn examples(&self) -> impl Iterator<Item = Option<&Example>> {
        self.groups.values().map(|group| group.example.as_deref())
    }

    /// Messages beyond the number of groups that are kept apart.
    pub const fn beyond(&self) -> u64 {
        self.beyond
    }

    /// All messages.
    pub fn total(&self) -> u64 {
        self.groups.values().map(|group| group.count).sum::<u64>() + self.beyond
    }
}

/// The group of a message, and the message as it is kept.
pub(super) fn keyed(place: &str, message: &str) -> (Key, String) {
    let (place, message) = (clean_text(place), clean_text(message));
    let text = if place.is_empty() { message.clone() } else { String::new() };
    ((place, text), message)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn equal_errors_are_one_group_and_groups_are_bounded() {
        let mut errors = MessageCounts::default();
        for line in 0..60 {
            errors.add(&format!("mix.rhai:{line}:1"), "oops");
            errors.add("mix.rhai:0:1", "oops");
        }
        assert_eq!(errors.groups().count(), GROUPS_MAX);
        assert_eq!(errors.beyond(), 10);
        assert_eq!(errors.total(), 120);
        assert_eq!(errors.groups().next(), Some(("mix.rhai:0:1", "oops", 61)));
    }

    #[test]
    fn a_place_is_one_group_whatever_its_text() {
        let (mut one, mut other) = (MessageCounts::default(), MessageCounts::default());
        for item in 10..40 {
            one.add("mix.rhai:5:9", &format!("no stock of {item}"));
            other.add("mix.rhai:5:9", &format!("no stock of {}", item + 30));
        }
        one.add("", "sold out");
        one.add("", "closed");
        let mut reversed = other.clone();
        reversed.merge(&one);
        one.merge(&other);
        assert_eq!(one, reversed);
        assert_eq!(
            one.groups().collect::<Vec<_>>(),
            [("", "closed", 1), ("", "sold out", 1), ("mix.rhai:5:9", "no stock of 10", 60)]
        );
    }

    #[test]
    fn the_earliest_example_stays() {
        let example = |at, message: &str| {
            Some(Example { exchange: Excerpt { at, ..Excerpt::default() }, message: message.to_owned() })
        };
        let (mut one, mut other) = (MessageCounts::default(), MessageCounts::default());
        one.add_counted("a:1:1", "b", 1, example(7, "b"));
        one.add_counted("a:1:1", "c", 1, None);
        other.add_counted("a:1:1", "a", 1, None);
        other.add_counted("a:1:1", "d", 1, example(5, "d"));
        let mut reversed = other.clone();
        reversed.merge(&one);
        one.merge(&other);
        assert_eq!(one, reversed);
        assert_eq!(one.groups().collect::<Vec<_>>(), [("a:1:1", "a", 4)]);
        assert_eq!(one.examples().flatten().map(|it| &*it.message).collect::<Vec<_>>(), ["d"]);
    }

    #[test]
    fn hostile_text_is_defused() {
        assert_eq!(clean_text("a\x1b[31mred\r\nb\u{202e}c\0"), "a [31mred  b c");
        assert_eq!(clean_text(&"é".repeat(1_000)).len(), TEXT_BYTES_MAX);
    }

    proptest! {
        #[test]
        fn cleaned_text_is_short_and_printable(text in ".{0,400}") {
            let clean = clean_text(&text);
            prop_assert!(clean.len() <= TEXT_BYTES_MAX);
            prop_assert!(!clean.chars().any(char::is_control));
        }
    }
}
