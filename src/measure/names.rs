//! Names of rows and classes, as small numbers. Scripts can make names up at run time, so there is a limit.

use std::{collections::HashMap, sync::Arc};

use serde::{Deserialize, Serialize};

use super::errors::cut;

/// What a row of the report is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A request.
    Request,
    /// A flow's transaction.
    Flow,
    /// Steps of a flow that belong together: `vu.group`.
    Group,
    /// One of the exchanges that a redirected request consists of. Counts in no total: the request does.
    Hop,
    /// Messages of a WebSocket or events of a stream, by what they are measured from: round trips, gaps. Counts in no
    /// total of requests.
    Message,
}

impl Kind {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Flow => "flow",
            Self::Group => "group",
            Self::Hop => "hop",
            Self::Message => "message",
        }
    }
}

/// Every kind, in the order of its numbers.
const KINDS: [Kind; 5] = [Kind::Request, Kind::Flow, Kind::Group, Kind::Hop, Kind::Message];

/// A row, as its worker's recorder numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NameId(pub u32);

/// A class of responses, as its worker's recorder numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClassId(pub u16);

impl ClassId {
    /// The response has no class.
    pub const NONE: Self = Self(0);
}

/// The row that takes what is beyond the limits.
pub const OTHER: &str = "(other)";

/// Distinct rows of a worker, of all kinds together.
const NAMES_MAX: usize = 500;
/// Distinct classes of a worker.
const CLASSES_MAX: usize = 64;
/// A longer name is cut, in bytes.
const NAME_BYTES_MAX: usize = 200;

/// The rows and classes of one worker.
#[derive(Debug)]
pub(super) struct Names {
    names: Vec<(Kind, Arc<str>)>,
    by_name: [HashMap<Arc<str>, u32>; KINDS.len()],
    classes: Vec<Option<Arc<str>>>,
    by_class: HashMap<Arc<str>, u16>,
    turned_away: u64,
}

impl Names {
    pub(super) fn new() -> Self {
        let other: Arc<str> = OTHER.into();
        Self {
            names: KINDS.iter().map(|&kind| (kind, other.clone())).collect(),
            by_name: KINDS.map(|kind| HashMap::from([(other.clone(), kind as u32)])),
            classes: vec![None, Some(other.clone())],
            by_class: HashMap::from([(other, 1)]),
            turned_away: 0,
        }
    }

    pub(super) fn name(&mut self, kind: Kind, text: &str) -> NameId {
        let text = cut(text, NAME_BYTES_MAX);
        let other = kind as u32;
        if let Some(&id) = self.by_name[kind as usize].get(text) {
            return NameId(id);
        }
        // The rows for the rest do not count.
        if self.names.len() >= NAMES_MAX + KINDS.len() {
            self.turned_away += 1;
            return NameId(other);
        }
        let id = self.names.len() as u32;
        let text: Arc<str> = text.into();
        self.by_name[kind as usize].insert(text.clone(), id);
        self.names.push((kind, text));
        NameId(id)
    }

    pub(super) fn class(&mut self, text: &str) -> ClassId {
        let text = cut(text, NAME_BYTES_MAX);
        if text.is_empty() {
            return ClassId(0);
        }
        if let Some(&id) = self.by_class.get(text) {
            return ClassId(id);
        }
        if self.classes.len() >= CLASSES_MAX + 2 {
            self.turned_away += 1;
            return ClassId(1);
        }
        let id = self.classes.len() as u16;
        let text: Arc<str> = text.into();
        self.by_class.insert(text.clone(), id);
        self.classes.push(Some(text));
        ClassId(id)
    }

    /// The row's kind and name.
    pub(super) fn text(&self, id: NameId) -> (Kind, Arc<str>) {
        self.names[self.known(id).0 as usize].clone()
    }

    pub(super) fn class_text(&self, id: ClassId) -> Option<Arc<str>> {
        self.classes[usize::from(self.known_class(id).0)].clone()
    }

    /// The id itself, or that of the rest if it is another recorder's.
    pub(super) fn known(&self, id: NameId) -> NameId {
        if (id.0 as usize) < self.names.len() { id } else { NameId(0) }
    }

    pub(super) fn known_class(&self, id: ClassId) -> ClassId {
        if usize::from(id.0) < self.classes.len() { id } else { ClassId(1) }
    }

    /// How often a name or class found no place since this was last asked.
    pub(super) fn take_turned_away(&mut self) -> u64 {
        std::mem::take(&mut self.turned_away)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_share_an_id_and_kinds_do_not_mix() {
        let mut names = Names::new();
        let item = names.name(Kind::Request, "item");
        assert_eq!(names.name(Kind::Request, "item"), item);
        assert_ne!(names.name(Kind::Flow, "item"), item);
        assert_eq!(names.text(item), (Kind::Request, "item".into()));
        assert_eq!(names.class(""), ClassId::NONE);
        assert_eq!(names.class_text(ClassId::NONE), None);
    }

    #[test]
    fn beyond_the_limit_goes_to_the_rest_and_is_counted() {
        let mut names = Names::new();
        for n in 0..NAMES_MAX {
            names.name(Kind::Request, &format!("r{n}"));
        }
        assert_eq!(names.take_turned_away(), 0);
        assert_eq!(names.name(Kind::Request, "one more"), NameId(0));
        assert_eq!(names.name(Kind::Flow, "one more"), NameId(1));
        assert_eq!(names.name(Kind::Group, "one more"), NameId(2));
        assert_eq!(names.name(Kind::Message, "one more"), NameId(4));
        assert_eq!(names.name(Kind::Request, "r7").0, 12);
        for n in 0..CLASSES_MAX {
            names.class(&format!("c{n}"));
        }
        assert_eq!(names.class_text(ClassId(names.by_class["c3"])), Some("c3".into()));
        let late = names.class("late");
        assert_eq!(names.class_text(late).as_deref(), Some(OTHER));
        assert_eq!(names.take_turned_away(), 5);
        assert_eq!(names.take_turned_away(), 0);
    }

    #[test]
    fn a_long_name_is_cut_between_characters() {
        let mut names = Names::new();
        let id = names.name(Kind::Request, &"é".repeat(500));
        assert_eq!(names.text(id).1.len(), NAME_BYTES_MAX);
    }
}
