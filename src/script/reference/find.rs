//! Looking something up, as people write it: `users`, `.users(…)`, `Phase.users`, `res.json`, `std/auth`,
//! `auth::login`, `generators`, `unique rows`.

use super::{Entry, entries};
use crate::{
    plan::nearest,
    script::{
        modules::{STDLIB, StdModule},
        words::{Receiver, SUBJECTS, TYPES},
    },
};

/// What a query found. All lists are empty where nothing was.
#[derive(Debug, Default)]
pub struct Found {
    /// Entries of that name.
    pub named: Vec<Entry>,
    /// Types, modules and subjects of that name, with what belongs to them.
    pub groups: Vec<Group>,
    /// Where no name fits: entries that speak of it.
    pub mentions: Vec<Entry>,
    /// Where nothing fits: the name that was probably meant.
    pub near: Option<String>,
}

/// Entries that belong together.
#[derive(Debug)]
pub struct Group {
    /// What it is: `Phase`, `std/auth`, `Generators`.
    pub title: String,
    /// What that is: a sentence or a part of one.
    pub about: &'static str,
    /// What belongs to it.
    pub entries: Vec<Entry>,
}

/// Looks a query up.
pub fn find(query: &str) -> Found {
    let query = query.trim().trim_matches('`').to_lowercase();
    // Whoever copies `.users(10)` out of a script asks for `.users`.
    let query = query.split('(').next().unwrap_or_default().trim();
    let mut found = Found { named: named(query), groups: groups(query), ..Found::default() };
    if found.named.is_empty() && found.groups.is_empty() {
        found.mentions = mentions(query);
    }
    if found.named.is_empty() && found.groups.is_empty() && found.mentions.is_empty() {
        found.near = near(query);
    }
    found
}

fn named(query: &str) -> Vec<Entry> {
    let query = query.strip_prefix("std/").map_or_else(|| query.to_owned(), |rest| rest.replace('/', "::"));
    let (owner, name) = match query.split_once("::").or_else(|| query.rsplit_once('.')) {
        Some((owner, name)) => (Some(owner), name),
        None => (None, query.as_str()),
    };
    entries()
        .into_iter()
        .filter(|entry| entry.name() == name)
        .filter(|entry| match owner {
            None => true,
            Some("") => is_method(entry),
            Some(owner) => belongs_to(entry, owner),
        })
        .collect()
}

fn is_method(entry: &Entry) -> bool {
    matches!(entry, Entry::Word { word, .. } if word.on != Receiver::Global)
}

/// Whether an entry is called on something of that name: a type, the usual variable of one, a module, a number.
fn belongs_to(entry: &Entry, owner: &str) -> bool {
    match entry {
        Entry::Word { word, .. } => {
            let usual = match word.on {
                Receiver::Response => "res",
                Receiver::Data => "data",
                _ => "",
            };
            word.on != Receiver::Global
                && (owner == usual
                    || owner == word.on.type_name().to_lowercase()
                    || (word.on == Receiver::Number && owner.parse::<f64>().is_ok()))
        }
        Entry::Function { module, .. } => module.short() == owner,
        Entry::Error(_) => false,
    }
}

fn groups(query: &str) -> Vec<Group> {
    let of = |wanted: &dyn Fn(&Entry) -> bool| entries().into_iter().filter(|entry| wanted(entry)).collect::<Vec<_>>();
    let modules = STDLIB.iter().filter(|module| module.name == query || module.short() == query);
    let modules = modules.map(|module: &'static StdModule| Group {
        title: module.name.to_owned(),
        about: module.about,
        entries: of(&|entry| matches!(entry, Entry::Function { module: own, .. } if own.name == module.name)),
    });
    let types = TYPES.iter().filter(|(name, _)| name.to_lowercase() == query).map(|&(name, about)| Group {
        title: name.to_owned(),
        about,
        entries: of(&|entry| matches!(entry, Entry::Word { word, .. } if word.on.type_name() == name)),
    });
    let subjects = SUBJECTS.iter().filter(|subject| subject.title.to_lowercase() == query).map(|subject| Group {
        title: subject.title.to_owned(),
        about: "",
        entries: of(&|entry| matches!(entry, Entry::Word { subject: own, .. } if own.title == subject.title)),
    });
    let library = (query == "std").then(|| Group {
        title: "The standard library".to_owned(),
        about: "Modules to `import`.",
        entries: of(&|entry| matches!(entry, Entry::Function { .. })),
    });
    let errors = (query == "errors").then(|| Group {
        title: "Kinds of errors".to_owned(),
        about: "As reports, scripts and files name them.",
        entries: of(&|entry| matches!(entry, Entry::Error(_))),
    });
    let found = modules.chain(types).chain(subjects).chain(library).chain(errors);
    // A type without words of its own still says what it is.
    found.collect()
}

/// Entries whose name, sentence, example or subject has every word of the query, or words that begin so.
fn mentions(query: &str) -> Vec<Entry> {
    let wanted: Vec<&str> = words_of(query).collect();
    if wanted.is_empty() {
        return Vec::new();
    }
    let text_of = |entry: &Entry| {
        let subject = match entry {
            Entry::Word { subject, word } => format!("{} {}", subject.title, word.usage),
            Entry::Function { module, .. } => module.about.to_owned(),
            Entry::Error(_) => "error".to_owned(),
        };
        format!("{} {} {subject}", entry.full_name(), entry.about().join(" ")).to_lowercase()
    };
    let speaks_of = |entry: &Entry| {
        let text = text_of(entry);
        wanted.iter().all(|wanted| words_of(&text).any(|word| word.starts_with(wanted)))
    };
    entries().into_iter().filter(speaks_of).collect()
}

fn words_of(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty())
}

fn near(query: &str) -> Option<String> {
    let name = query.rsplit(['.', ':', '/']).next().unwrap_or_default();
    // Every other letter is near to a single one.
    if name.chars().count() < 2 {
        return None;
    }
    let all = entries();
    // First among the words of what it was said to be called on, then among all.
    let owner = query.strip_suffix(name).map(|owner| owner.trim_end_matches(['.', ':', '/'])).unwrap_or_default();
    let own = all.iter().filter(|entry| !owner.is_empty() && belongs_to(entry, owner));
    if let Some(near) = nearest(name, own.clone().map(Entry::name)) {
        return own.clone().find(|entry| entry.name() == near).map(Entry::full_name);
    }
    let titles = STDLIB.iter().map(|module| module.short()).chain(TYPES.iter().map(|(name, _)| *name));
    nearest(name, all.iter().map(Entry::name).chain(titles)).map(ToOwned::to_owned)
}
