//! What a script sees of a response.

use std::{rc::Rc, time::Duration};

use rhai::{Array, Dynamic, Engine, ImmutableString, Map};

use super::{
    extract::{self, Miss, Patterns},
    shared::{Failed, Shared},
};
use crate::{
    clock::Nanos,
    engine::{flow::Reply, user::User},
    plan::Expect,
    protocol::{status_of, status_text, word_of},
    script::{
        Span,
        direct::Registrar,
        engine::ITEMS_MAX,
        words::{Form, Receiver, Run, Stages, Word},
    },
};

/// A response in a script; clones are the same response.
#[derive(Debug, Clone)]
pub(in crate::script) struct Response(pub(super) Rc<Reply>);

impl Response {
    /// The body without its codings.
    pub(super) fn body(&self) -> Result<&[u8], Failed> {
        let Some(response) = &self.0.outcome.response else { return Ok(&[]) };
        response.content().map_err(|failure| format!("the body cannot be read: {failure}").into())
    }

    /// Counts a check of this response.
    pub(super) fn count_check(&self, shared: &Shared, user: &User, name: &str, passed: bool) {
        let witness = if passed { None } else { self.0.witness() };
        shared.recorder.borrow_mut().check(user.ledger.get(), name, passed, witness.as_ref());
    }

    fn header(&self, name: &str) -> Option<String> {
        let value = self.0.outcome.response.as_ref()?.field(name)?;
        Some(String::from_utf8_lossy(value).into_owned())
    }

    fn span(from: Option<u64>, to: Option<u64>) -> Dynamic {
        match (from, to) {
            (Some(from), Some(to)) => Dynamic::from(span(to.saturating_sub(from))),
            _ => Dynamic::UNIT,
        }
    }

    fn timings(&self) -> Map {
        let stamps = &self.0.outcome.stamps;
        let start = Some(stamps.start);
        let connect_from = stamps.resolved.or(start);
        let ready = stamps.secured.or(stamps.connected).or(start);
        [
            ("dns", Self::span(start, stamps.resolved)),
            ("connect", Self::span(connect_from, stamps.connected)),
            ("tls", Self::span(stamps.connected, stamps.secured)),
            ("send", Self::span(ready, stamps.sent)),
            ("wait", Self::span(stamps.sent, stamps.first_byte)),
            ("receive", Self::span(stamps.first_byte, Some(stamps.end))),
        ]
        .into_iter()
        .map(|(name, span)| (name.into(), span))
        .collect()
    }

    /// The whole body as JSON.
    fn json(&self) -> Result<Dynamic, Failed> {
        let body = self.body()?;
        serde_json::from_slice(body).map_err(|_| self.not_json())
    }

    /// The first value at a path of a JSON body; `()` where it leads nowhere.
    fn json_at(&self, patterns: &Patterns, path: &str) -> Result<Dynamic, Failed> {
        let found = extract::json_first(&self.0, patterns, path).map_err(|miss| self.missed(miss))?;
        Ok(found.unwrap_or(Dynamic::UNIT))
    }

    fn missed(&self, miss: Miss) -> Failed {
        match miss {
            Miss::Because(message) => message.into(),
            Miss::NotJson => self.not_json(),
        }
    }

    /// What a pattern finds, each time or the first.
    fn regex(&self, patterns: &Patterns, pattern: &str, group: Option<String>) -> Result<Dynamic, Failed> {
        let found = extract::regex(&self.0, patterns, pattern, group.as_deref(), 1)?.pop();
        Ok(found.map_or(Dynamic::UNIT, Dynamic::from))
    }

    fn regex_all(&self, patterns: &Patterns, pattern: &str, group: Option<String>) -> Result<Array, Failed> {
        let found = extract::regex(&self.0, patterns, pattern, group.as_deref(), ITEMS_MAX)?;
        Ok(found.into_iter().map(Dynamic::from).collect())
    }

    /// The cookies that the response sets, without their attributes; of two of one name the last.
    fn cookies(&self) -> Map {
        let fields = self.0.outcome.response.iter().flat_map(|response| response.fields());
        let set = fields.filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"));
        set.filter_map(|(_, value)| {
            let value = String::from_utf8_lossy(value);
            let (name, value) = value.split(';').next()?.split_once('=')?;
            Some((name.trim().into(), value.trim().trim_matches('"').into()))
        })
        .collect()
    }

    fn not_json(&self) -> Failed {
        let body = self.body().unwrap_or_default();
        let what = match (&self.0.outcome.failure, body.is_empty()) {
            (Some(failure), _) => return format!("there is no body to read: the request failed with {failure}").into(),
            (None, true) => format!("the body is empty, not JSON (status {})", self.0.outcome.status),
            (None, false) => {
                let start = String::from_utf8_lossy(&body[..body.len().min(80)]);
                format!(
                    "the body is not JSON (status {}); it starts with: {}",
                    self.0.outcome.status,
                    printable(&start)
                )
            }
        };
        what.into()
    }
}

/// Text from a server, on one line.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A property of responses.
pub(super) const fn property(
    name: &'static str,
    gives: &'static str,
    usage: &'static str,
    about: &'static str,
    register: fn(&mut Registrar<'_>, &'static str, &Rc<Shared>),
) -> Word {
    let (form, run) = (Form::Property, Run::Stage(register));
    Word { name, on: Receiver::Response, form, takes: "", gives, usage, about, stages: Stages::Run, run }
}

const fn method(
    name: &'static str,
    takes: &'static str,
    gives: &'static str,
    usage: &'static str,
    about: &'static str,
    register: fn(&mut Registrar<'_>, &'static str, &Rc<Shared>),
) -> Word {
    let (form, run) = (Form::Call, Run::Stage(register));
    Word { name, on: Receiver::Response, form, takes, gives, usage, about, stages: Stages::Run, run }
}

/// What a script may ask a response.
pub(in crate::script) const WORDS: &[Word] = &[
    property(
        "status",
        "any",
        "`res.status`",
        "Its status code, 0 if there is no response; of a database a word: `ok`, or that of the error.",
        |engine, name, _| {
            engine.register_get(name, |res: &mut Response| match word_of(res.0.outcome.status) {
                Some(word) => Dynamic::from(word.into_owned()),
                None => Dynamic::from(i64::from(res.0.outcome.status)),
            });
        },
    ),
    property("ok", "bool", "`res.ok`", "Whether the request ended as expected.", |engine, name, _| {
        engine.register_get(name, |res: &mut Response| res.0.expected.get());
    }),
    property("body", "string", "`res.body`", "The body as a text.", |engine, name, _| {
        engine.register_get(name, |res: &mut Response| -> Result<ImmutableString, Failed> {
            Ok(ImmutableString::from(&*String::from_utf8_lossy(res.body()?)))
        });
    }),
    property("bytes", "bytes", "`res.bytes`", "The body as bytes.", |engine, name, _| {
        engine.register_get(name, |res: &mut Response| -> Result<rhai::Blob, Failed> { Ok(res.body()?.to_vec()) });
    }),
    property("size", "int", "`res.size`", "Length of the body, in bytes.", |engine, name, _| {
        engine.register_get(name, |res: &mut Response| res.0.outcome.body_bytes as i64);
    }),
    property("class", "string", "`res.class`", "Its class; `()` without one.", |engine, name, _| {
        engine.register_get(name, |res: &mut Response| {
            res.0.class.borrow().as_deref().map_or(Dynamic::UNIT, |class| class.into())
        });
    }),
    property("proto", "string", "`res.proto`", "The version of HTTP, such as `HTTP/1.1`.", |engine, name, _| {
        engine.register_get(name, |res: &mut Response| res.0.outcome.negotiated.http.name());
    }),
    property("duration", "Duration", "`res.duration`", "From its start to its last byte.", |engine, name, _| {
        engine.register_get(name, |res: &mut Response| {
            span(res.0.outcome.stamps.end.saturating_sub(res.0.outcome.stamps.start))
        });
    }),
    property(
        "ttfb",
        "Duration",
        "`res.ttfb`",
        "From its start to its first byte; `()` without one.",
        |engine, name, _| {
            engine.register_get(name, |res: &mut Response| {
                Response::span(Some(res.0.outcome.stamps.start), res.0.outcome.stamps.first_byte)
            });
        },
    ),
    property(
        "timings",
        "map",
        "`res.timings.wait`",
        "Its parts: `dns`, `connect`, `tls`, `send`, `wait` and `receive`; `()` for one that was not needed.",
        |engine, name, _| {
            engine.register_get(name, |res: &mut Response| res.timings());
        },
    ),
    property(
        "error",
        "string",
        "`res.error`",
        "Why there is no response: a kind of error; what a database says of an error; or `()`.",
        |engine, name, _| {
            engine.register_get(name, |res: &mut Response| match &res.0.outcome.failure {
                Some(failure) => failure.kind.word().into(),
                None => super::reply::error(res).map_or(Dynamic::UNIT, Dynamic::from),
            });
        },
    ),
    property("headers", "map", "`res.headers`", "All fields, their names in lower case.", |engine, name, _| {
        engine.register_get(name, |res: &mut Response| {
            let mut headers = Map::new();
            for (name, value) in res.0.outcome.response.iter().flat_map(|response| response.fields()) {
                let value = String::from_utf8_lossy(value).into_owned();
                headers.entry(name.to_ascii_lowercase().into()).or_insert_with(|| value.into());
            }
            headers
        });
    }),
    method(
        "header",
        "name: string",
        "string",
        "`res.header(\"location\")`",
        "A field, whatever its case; `()` without it.",
        |engine, name, _| {
            engine.register_fn(name, |res: &mut Response, name: &str| {
                res.header(name).map_or(Dynamic::UNIT, Dynamic::from)
            });
        },
    ),
    method(
        "json",
        "path?: string",
        "any",
        "`res.json(\"items[0].id\")`",
        "The JSON body, or the value at a path in it; `()` where the path leads nowhere.",
        |engine, name, shared| {
            engine.register_fn(name, |res: &mut Response| res.json());
            let with = shared.clone();
            engine.register_fn(name, move |res: &mut Response, path: &str| res.json_at(&with.patterns, path));
        },
    ),
    method(
        "json_all",
        "path: string",
        "list",
        "`res.json_all(\"$..id\")`",
        "All values of the JSON body at a path.",
        |engine, name, shared| {
            let with = shared.clone();
            engine.register_fn(name, move |res: &mut Response, path: &str| {
                extract::json_all(&res.0, &with.patterns, path).map_err(|miss| res.missed(miss))
            });
        },
    ),
    method(
        "regex",
        "pattern: string, group?: int | string",
        "string",
        "`res.regex(\"order (\\\\d+)\")`",
        "What a regular expression finds first: its first group, or the one named, or all; `()` if nothing.",
        |engine, name, shared| {
            let with = shared.clone();
            engine.register_fn(name, move |res: &mut Response, pattern: &str| res.regex(&with.patterns, pattern, None));
            let with = shared.clone();
            engine.register_fn(name, move |res: &mut Response, pattern: &str, group: Dynamic| {
                res.regex(&with.patterns, pattern, Some(group.to_string()))
            });
        },
    ),
    method(
        "regex_all",
        "pattern: string, group?: int | string",
        "list",
        "`res.regex_all(\"href=(\\\\S+)\")`",
        "The same for each place where the regular expression fits.",
        |engine, name, shared| {
            let with = shared.clone();
            engine.register_fn(name, move |res: &mut Response, pattern: &str| {
                res.regex_all(&with.patterns, pattern, None)
            });
            let with = shared.clone();
            engine.register_fn(name, move |res: &mut Response, pattern: &str, group: Dynamic| {
                res.regex_all(&with.patterns, pattern, Some(group.to_string()))
            });
        },
    ),
    property("cookies", "map", "`res.cookies.session`", "The cookies that the response sets.", |engine, name, _| {
        engine.register_get(name, |res: &mut Response| res.cookies());
    }),
    method(
        "header_all",
        "name: string",
        "list",
        "`res.header_all(\"set-cookie\")`",
        "The values of all fields of a name, in their order.",
        |engine, name, _| {
            engine.register_fn(name, |res: &mut Response, name: &str| {
                let fields = res.0.outcome.response.iter().flat_map(|response| response.fields());
                let named = fields.filter(|(field, _)| field.eq_ignore_ascii_case(name));
                named.map(|(_, value)| String::from_utf8_lossy(value).into_owned().into()).collect::<Array>()
            });
        },
    ),
    method(
        "expect",
        "status: int | list | string",
        "Response",
        "`res.expect(200)`, `res.expect([201, 429])` or `res.expect(\"2xx\")`",
        "Says which status is not an error.",
        |engine, name, shared| {
            let with = shared.clone();
            engine.register_fn(name, move |res: &mut Response, wanted: i64| {
                expect(&with, res, &parse_expect(&wanted.into())?)
            });
            let with = shared.clone();
            engine.register_fn(name, move |res: &mut Response, wanted: &str| {
                expect(&with, res, &parse_expect(&wanted.into())?)
            });
            let with = shared.clone();
            engine.register_fn(name, move |res: &mut Response, wanted: Array| {
                expect(&with, res, &parse_expect(&wanted.into())?)
            });
        },
    ),
    method(
        "check",
        "name: string, passed: bool",
        "Response",
        "`res.check(\"has id\", res.json(\"id\") != ())`",
        "Counted, never fatal.",
        |engine, name, shared| {
            let with = shared.clone();
            engine.register_fn(name, move |res: &mut Response, name: &str, passed: bool| -> Result<Response, Failed> {
                let user = with.user()?;
                res.count_check(&with, &user, name, passed);
                Ok(res.clone())
            });
        },
    ),
];

/// Registers what is no word: the type, and its text.
pub(super) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Response>("Response").register_fn("to_string", |res: &mut Response| {
        match &res.0.outcome.failure {
            Some(failure) => format!("response({})", failure.kind),
            None => format!("response({}, {} bytes)", status_text(res.0.outcome.status), res.0.outcome.body_bytes),
        }
    });
}

pub(super) fn span(nanos: Nanos) -> Span {
    Span(Duration::from_nanos(nanos))
}

/// `200`, `"2xx"`, or a list of such.
fn parse_expect(wanted: &Dynamic) -> Result<Expect, Failed> {
    if let Some(items) = wanted.read_lock::<Array>() {
        let ranges =
            items.iter().map(|item| parse_expect(item).map(|expect| expect.0)).collect::<Result<Vec<_>, _>>()?;
        return Ok(Expect(ranges.concat()));
    }
    if let Some(status) = wanted.as_int().ok().and_then(|status| u16::try_from(status).ok())
        && (100..600).contains(&status)
    {
        return Ok(Expect(vec![(status, status)]));
    }
    if let Some(status) = wanted.read_lock::<ImmutableString>().and_then(|word| status_of(&word)) {
        return Ok(Expect(vec![(status, status)]));
    }
    let class = wanted.read_lock::<ImmutableString>().and_then(|text| text.strip_suffix("xx")?.parse::<u16>().ok());
    match class.filter(|class| (1..6).contains(class)) {
        Some(class) => Ok(Expect(vec![(class * 100, class * 100 + 99)])),
        None => Err(format!("`expect` takes status codes such as 200, [201, 429] or \"2xx\"; found {wanted}").into()),
    }
}

/// Says which status is not an error. Once the sample is filed that is too late for it, and counts as a check.
fn expect(shared: &Shared, res: &Response, wanted: &Expect) -> Result<Response, Failed> {
    let met = res.0.outcome.failure.is_none() && wanted.accepts(res.0.outcome.status);
    if res.0.filed.get() {
        let user = shared.user()?;
        let name = format!("expected status ({})", describe(wanted));
        res.count_check(shared, &user, &name, met);
    } else {
        res.0.expected.set(met);
    }
    Ok(res.clone())
}

fn describe(expect: &Expect) -> String {
    let ranges = expect
        .0
        .iter()
        .map(|&(low, high)| if low == high { status_text(low).into_owned() } else { format!("{low}-{high}") });
    ranges.collect::<Vec<_>>().join(", ")
}
