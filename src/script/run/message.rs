//! What came over a WebSocket or a stream of events, as scripts see it.

use std::rc::Rc;

use rhai::{Dynamic, Engine, ImmutableString};

use super::{
    extract::{self, Miss, Patterns},
    response::{printable, span},
    shared::{Failed, Shared},
};
use crate::{
    engine::{Arrival, What},
    protocol::Payload,
    script::{
        direct::Registrar,
        words::{Form, Receiver, Run, Stages, Word},
    },
};

/// A message of a WebSocket, or that none came.
#[derive(Debug, Clone)]
pub(in crate::script) struct Message(pub(super) Rc<Arrival>);

/// A server-sent event, or that none came.
#[derive(Debug, Clone)]
pub(in crate::script) struct Event(pub(super) Rc<Arrival>);

/// What both have.
trait Arrived: Clone + 'static {
    fn arrival(&self) -> &Arrival;
}

impl Arrived for Message {
    fn arrival(&self) -> &Arrival {
        &self.0
    }
}

impl Arrived for Event {
    fn arrival(&self) -> &Arrival {
        &self.0
    }
}

impl Arrival {
    fn bytes(&self) -> &[u8] {
        self.reply.outcome.response.as_ref().map_or(&[], |response| response.body())
    }

    fn text(&self) -> ImmutableString {
        ImmutableString::from(&*String::from_utf8_lossy(self.bytes()))
    }

    fn kind(&self) -> &'static str {
        match &self.what {
            What::Message(Payload::Text) => "text",
            What::Message(Payload::Binary) => "binary",
            What::Message(Payload::Event { .. }) => "event",
            What::End { .. } => "close",
            What::Nothing => "timeout",
        }
    }

    fn error(&self) -> Dynamic {
        self.reply.outcome.failure.as_ref().map_or(Dynamic::UNIT, |failure| failure.kind.word().into())
    }

    fn json(&self) -> Result<Dynamic, Failed> {
        serde_json::from_slice(self.bytes()).map_err(|_| self.not_json())
    }

    fn json_at(&self, patterns: &Patterns, path: &str) -> Result<Dynamic, Failed> {
        match extract::json_first(&self.reply, patterns, path) {
            Ok(found) => Ok(found.unwrap_or(Dynamic::UNIT)),
            Err(Miss::Because(message)) => Err(message.into()),
            Err(Miss::NotJson) => Err(self.not_json()),
        }
    }

    fn not_json(&self) -> Failed {
        if let Some(failure) = &self.reply.outcome.failure {
            return format!("there is no message to read: {failure}").into();
        }
        let bytes = self.bytes();
        let start = String::from_utf8_lossy(&bytes[..bytes.len().min(80)]);
        format!("the message is not JSON; it starts with: {}", printable(&start)).into()
    }

    fn shown(&self, what: &str) -> String {
        match &self.reply.outcome.failure {
            Some(failure) => format!("{what}({})", failure.kind),
            None => format!("{what}({}, {} bytes)", self.kind(), self.reply.outcome.body_bytes),
        }
    }
}

pub(super) type Register = fn(&mut Registrar<'_>, &'static str, &Rc<Shared>);

/// A word of the run stage.
pub(super) const fn word(
    on: Receiver,
    (form, name, takes): (Form, &'static str, &'static str),
    gives: &'static str,
    usage: &'static str,
    about: &'static str,
    register: Register,
) -> Word {
    Word { name, on, form, takes, gives, usage, about, stages: Stages::Run, run: Run::Stage(register) }
}

const fn of_message(
    name: &'static str,
    gives: &'static str,
    usage: &'static str,
    about: &'static str,
    register: Register,
) -> Word {
    word(Receiver::Message, (Form::Property, name, ""), gives, usage, about, register)
}

const fn of_event(
    name: &'static str,
    gives: &'static str,
    usage: &'static str,
    about: &'static str,
    register: Register,
) -> Word {
    word(Receiver::Event, (Form::Property, name, ""), gives, usage, about, register)
}

fn register_size<A: Arrived>(engine: &mut Registrar<'_>, name: &'static str, _: &Rc<Shared>) {
    engine.register_get(name, |it: &mut A| it.arrival().reply.outcome.body_bytes as i64);
}

fn register_ok<A: Arrived>(engine: &mut Registrar<'_>, name: &'static str, _: &Rc<Shared>) {
    engine.register_get(name, |it: &mut A| it.arrival().reply.outcome.failure.is_none());
}

fn register_error<A: Arrived>(engine: &mut Registrar<'_>, name: &'static str, _: &Rc<Shared>) {
    engine.register_get(name, |it: &mut A| it.arrival().error());
}

fn register_duration<A: Arrived>(engine: &mut Registrar<'_>, name: &'static str, _: &Rc<Shared>) {
    engine.register_get(name, |it: &mut A| {
        let stamps = &it.arrival().reply.outcome.stamps;
        span(stamps.end.saturating_sub(stamps.start))
    });
}

fn register_text<A: Arrived>(engine: &mut Registrar<'_>, name: &'static str, _: &Rc<Shared>) {
    engine.register_get(name, |it: &mut A| it.arrival().text());
}

fn register_json<A: Arrived>(engine: &mut Registrar<'_>, name: &'static str, shared: &Rc<Shared>) {
    engine.register_fn(name, |it: &mut A| it.arrival().json());
    let with = shared.clone();
    engine.register_fn(name, move |it: &mut A, path: &str| it.arrival().json_at(&with.patterns, path));
}

/// What a script may ask a message.
pub(in crate::script) const MESSAGE_WORDS: &[Word] = &[
    of_message(
        "kind",
        "string",
        "`message.kind`",
        "What came: `text`, `binary`, `close` for the end, or `timeout` for nothing.",
        |engine, name, _| {
            engine.register_get(name, |it: &mut Message| it.0.kind());
        },
    ),
    of_message("text", "string", "`message.text`", "The message as a text.", register_text::<Message>),
    of_message("bytes", "bytes", "`message.bytes`", "The message as bytes.", |engine, name, _| {
        engine.register_get(name, |it: &mut Message| -> rhai::Blob { it.0.bytes().to_vec() });
    }),
    of_message("size", "int", "`message.size`", "Its length, in bytes.", register_size::<Message>),
    of_message("ok", "bool", "`message.ok`", "Whether a message came.", register_ok::<Message>),
    of_message(
        "error",
        "string",
        "`message.error`",
        "Why none came: a kind of error such as `timeout` or `channel_closed`; or `()`.",
        register_error::<Message>,
    ),
    of_message(
        "duration",
        "Duration",
        "`message.duration`",
        "From what it is measured from (the message sent, or the one that came before) to its last byte.",
        register_duration::<Message>,
    ),
    word(
        Receiver::Message,
        (Form::Call, "json", "path?: string"),
        "any",
        "`message.json(\"order.id\")`",
        "The message as JSON, or the value at a path in it; `()` where the path leads nowhere.",
        register_json::<Message>,
    ),
    of_message("code", "int", "`message.code`", "The server's close code, of an end; else `()`.", |engine, name, _| {
        engine.register_get(name, |it: &mut Message| match &it.0.what {
            What::End { code: Some(code), .. } => Dynamic::from_int(i64::from(*code)),
            _ => Dynamic::UNIT,
        });
    }),
    of_message(
        "reason",
        "string",
        "`message.reason`",
        "The server's reason, of an end; else empty.",
        |engine, name, _| {
            engine.register_get(name, |it: &mut Message| match &it.0.what {
                What::End { reason, .. } => ImmutableString::from(reason.as_str()),
                _ => ImmutableString::new(),
            });
        },
    ),
];

/// A part of an event; nothing where none came.
fn of_payload<R>(event: &Event, read: impl FnOnce(&str, &str, Option<u64>) -> R) -> Option<R> {
    match &event.0.what {
        What::Message(Payload::Event { event, id, retry_ms }) => Some(read(event, id, *retry_ms)),
        _ => None,
    }
}

/// What a script may ask an event.
pub(in crate::script) const EVENT_WORDS: &[Word] = &[
    of_event(
        "event",
        "string",
        "`event.event`",
        "Its type, `message` where the server names none; `()` if none came.",
        |engine, name, _| {
            engine.register_get(name, |it: &mut Event| {
                of_payload(it, |event, _, _| Dynamic::from(event.to_owned())).unwrap_or(Dynamic::UNIT)
            });
        },
    ),
    of_event("data", "string", "`event.data`", "Its data as a text.", register_text::<Event>),
    of_event("id", "string", "`event.id`", "The last id that the server gave, or empty.", |engine, name, _| {
        engine.register_get(name, |it: &mut Event| {
            of_payload(it, |_, id, _| ImmutableString::from(id)).unwrap_or_default()
        });
    }),
    of_event(
        "retry",
        "Duration",
        "`event.retry`",
        "The reconnection time that the server asked for last; `()` if it did not.",
        |engine, name, _| {
            engine.register_get(name, |it: &mut Event| {
                let retry = of_payload(it, |_, _, retry_ms| retry_ms).flatten();
                retry.map_or(Dynamic::UNIT, |ms| Dynamic::from(span(ms.saturating_mul(1_000_000))))
            });
        },
    ),
    of_event("size", "int", "`event.size`", "Length of its data, in bytes.", register_size::<Event>),
    of_event("ok", "bool", "`event.ok`", "Whether an event came.", register_ok::<Event>),
    of_event(
        "error",
        "string",
        "`event.error`",
        "Why none came: `timeout`, `channel_closed` at the end, or another kind of error; or `()`.",
        register_error::<Event>,
    ),
    of_event(
        "duration",
        "Duration",
        "`event.duration`",
        "From the event before it, for the first from the start of the request, to its last byte.",
        register_duration::<Event>,
    ),
    word(
        Receiver::Event,
        (Form::Call, "json", "path?: string"),
        "any",
        "`event.json(\"price\")`",
        "Its data as JSON, or the value at a path in it; `()` where the path leads nowhere.",
        register_json::<Event>,
    ),
];

/// Registers what is no word: the texts of the types.
pub(super) fn register(engine: &mut Engine) {
    engine
        .register_fn("to_string", |it: &mut Message| it.0.shown("message"))
        .register_fn("to_string", |it: &mut Event| it.0.shown("event"));
}
