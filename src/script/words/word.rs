//! What a word of the language is: a row of its table.

use std::rc::Rc;

use rhai::{Dynamic, Engine};

use super::super::{call::Call, direct::Registrar, run::Shared};

/// What a word is called on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Receiver {
    /// A plain function.
    Global,
    /// `phase(…)`.
    Phase,
    /// `target(…)`.
    Target,
    /// `get(…)` and its kin.
    Request,
    /// `mix(…)`.
    Mix,
    /// `score(…)`.
    Score,
    /// `process(…)`.
    Process,
    /// A generator.
    Generator,
    /// A data set.
    Data,
    /// A number: its units.
    Number,
    /// A duration.
    Duration,
    /// The virtual user of a closure.
    Vu,
    /// What a request got.
    Response,
    /// An element of an HTML page.
    Element,
    /// `vu.websocket(…)`.
    WebSocket,
    /// What came over one.
    Message,
    /// `vu.events(…)`.
    Events,
    /// What came over it.
    Event,
}

impl Receiver {
    /// All but plain functions.
    pub const METHODS: &'static [Self] = &[
        Self::Phase,
        Self::Target,
        Self::Request,
        Self::Mix,
        Self::Score,
        Self::Process,
        Self::Generator,
        Self::Data,
        Self::Number,
        Self::Duration,
        Self::Vu,
        Self::Response,
        Self::Element,
        Self::WebSocket,
        Self::Message,
        Self::Events,
        Self::Event,
    ];

    /// The type of the language, as signatures name it; empty for plain functions.
    pub fn type_name(self) -> &'static str {
        match self {
            Self::Global => "",
            Self::Phase => "Phase",
            Self::Target => "Target",
            Self::Request => "Request",
            Self::Mix => "Mix",
            Self::Score => "Score",
            Self::Process => "Process",
            Self::Generator => "Generator",
            Self::Data => "DataSet",
            Self::Number => "number",
            Self::Duration => "Duration",
            Self::Vu => "Vu",
            Self::Response => "Response",
            Self::Element => "Element",
            Self::WebSocket => "WebSocket",
            Self::Message => "Message",
            Self::Events => "Events",
            Self::Event => "Event",
        }
    }

    /// The receiver that a value of one of the engine's types is.
    pub(in crate::script) fn of_type(name: &str) -> Option<Self> {
        match name {
            "i64" | "f64" | "INT" | "FLOAT" => Some(Self::Number),
            name => Self::METHODS.iter().copied().find(|receiver| receiver.type_name() == name),
        }
    }
}

/// When a word may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stages {
    /// Only at the top level: it declares.
    Plan,
    /// Only while a virtual user runs.
    Run,
    /// Everywhere.
    Both,
}

/// How a word is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// With brackets, and arguments in them.
    Call,
    /// Without: a property that is read.
    Property,
}

/// One word.
#[derive(Debug)]
pub struct Word {
    /// How it is written.
    pub name: &'static str,
    /// What it is called on.
    pub on: Receiver,
    /// With or without brackets.
    pub form: Form,
    /// Its parameters: `path: string, body?: map | string`. A `?` marks what may be left out, `Fn(vu)` a closure.
    /// [`Self::params`] has them in parts.
    pub takes: &'static str,
    /// The type of what it gives; `()` for nothing.
    pub gives: &'static str,
    /// An example of its use, as after "write …".
    pub usage: &'static str,
    /// What it does: a sentence.
    pub about: &'static str,
    /// When it may be used.
    pub stages: Stages,
    pub(in crate::script) run: Run,
}

/// What carries a word out.
pub(in crate::script) enum Run {
    /// A function that checks its arguments itself, with a message for each that does not fit. The second
    /// argument is the receiver, `()` for a plain function.
    Checked(fn(&Call<'_>, Dynamic, Vec<Dynamic>) -> Dynamic),
    /// Registered by the row, by exact types, in both stages.
    Exact(fn(&mut Engine, &'static str)),
    /// Registered by the row, by exact types, for the run stage: what a virtual user does all the time.
    Stage(fn(&mut Registrar<'_>, &'static str, &Rc<Shared>)),
    /// The language has it.
    Language,
}

impl std::fmt::Debug for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Checked(_) => "Checked",
            Self::Exact(_) => "Exact",
            Self::Stage(_) => "Stage",
            Self::Language => "Language",
        })
    }
}

/// A parameter of a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Param {
    /// Its name, for readers.
    pub name: &'static str,
    /// It may be left out.
    pub optional: bool,
    /// What it may be: one of [`TYPES`], or `Fn(…)` with the names of a closure's parameters.
    pub types: Vec<&'static str>,
}

/// Types as signatures name them, and what they are.
pub const TYPES: &[(&str, &str)] = &[
    ("()", "nothing"),
    ("any", "a value of any type"),
    ("bool", "`true` or `false`"),
    ("int", "a whole number"),
    ("float", "a number with a fraction"),
    ("number", "a whole number, or one with a fraction"),
    ("string", "a text"),
    ("bytes", "bytes: drawn, a file's, or a blob"),
    ("FilePart", "a file in a multipart form"),
    ("list", "a list `[…]`"),
    ("map", "a map `#{…}`"),
    ("Duration", "a duration such as `10.s`, or a text such as `\"1m30s\"`"),
    ("Rate", "a rate such as `500.per_second`, or a text such as `\"500/300s\"`"),
    ("Size", "bytes such as `100.kb`, or a text such as `\"100kB\"`"),
    ("Target", "what `target(…)` gives"),
    ("Request", "what `get(…)` and its kin give"),
    ("Flow", "what `flow(…)` gives"),
    ("Mix", "what `mix(…)` gives"),
    ("Phase", "what `phase(…)` gives"),
    ("Score", "what `score(…)` gives"),
    ("Process", "what `process(…)` gives"),
    ("Source", "something to watch, such as `pid(…)` gives"),
    ("Generator", "a value that is drawn anew for each request"),
    ("DataSet", "rows, such as `csv(…)` gives"),
    ("Row", "a row of a data set; its columns are properties"),
    ("Meter", "figures that somebody else counts, such as `redis_info(…)` gives"),
    ("Extract", "a place in a response, such as `header(…)`"),
    ("Vu", "the virtual user that runs a closure"),
    ("Response", "what a request got"),
    ("Element", "an element of an HTML page"),
    ("WebSocket", "what `vu.websocket(…)` gives"),
    ("Message", "what came over a WebSocket"),
    ("Events", "what `vu.events(…)` gives"),
    ("Event", "a server-sent event"),
];

impl Word {
    /// Its parameters.
    pub fn params(&self) -> Vec<Param> {
        split(self.takes, ',').into_iter().filter_map(param).collect()
    }

    /// Fewest and most arguments.
    pub fn args(&self) -> (usize, usize) {
        let params = self.params();
        (params.iter().filter(|param| !param.optional).count(), params.len())
    }

    /// The whole signature: `Phase.users(from: int, to?: int) -> Phase`.
    pub fn signature(&self) -> String {
        let on = match self.on {
            Receiver::Global => String::new(),
            receiver => format!("{}.", receiver.type_name()),
        };
        let gives = if self.gives == "()" { String::new() } else { format!(" -> {}", self.gives) };
        match self.form {
            Form::Call => format!("{on}{}({}){gives}", self.name, self.takes),
            Form::Property => format!("{on}{}{gives}", self.name),
        }
    }

    /// As `.name(…)`, `name(…)` or `.name`, for messages.
    pub(in crate::script) fn shown(&self) -> String {
        let dot = if self.on == Receiver::Global { "" } else { "." };
        let brackets = match (self.form, self.takes.is_empty()) {
            (Form::Property, _) => "",
            (Form::Call, true) => "()",
            (Form::Call, false) => "(…)",
        };
        format!("{dot}{}{brackets}", self.name)
    }
}

fn param(text: &'static str) -> Option<Param> {
    let (name, types) = text.split_once(':')?;
    let types = split(types, '|').into_iter().map(str::trim).collect();
    let name = name.trim();
    Some(Param { name: name.trim_end_matches('?'), optional: name.ends_with('?'), types })
}

/// Splits at a separator that stands in no brackets.
fn split(text: &'static str, separator: char) -> Vec<&'static str> {
    let (mut parts, mut from, mut depth) = (Vec::new(), 0, 0_i32);
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            c if c == separator && depth == 0 => {
                parts.push(&text[from..at]);
                from = at + c.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&text[from..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_read() {
        let word = Word {
            name: "teardown",
            on: Receiver::Global,
            form: Form::Call,
            takes: "work: Fn(vu, data), path?: string | Generator",
            gives: "()",
            usage: "",
            about: "",
            stages: Stages::Plan,
            run: Run::Language,
        };
        assert_eq!(word.args(), (1, 2));
        let params = word.params();
        assert_eq!((params[0].name, &*params[0].types), ("work", &["Fn(vu, data)"][..]));
        assert_eq!(
            (params[1].name, params[1].optional, &*params[1].types),
            ("path", true, &["string", "Generator"][..])
        );
        assert_eq!(word.signature(), "teardown(work: Fn(vu, data), path?: string | Generator)");
    }
}
