//! Requests: templates at the plan stage, ready requests at the run stage, by the same words.

use std::rc::Rc;

use rhai::Dynamic;

use super::{
    CheckedFn,
    Form::Call as Written,
    Receiver::{Global, Request as OnRequest},
    Run,
    Stages::Both,
    Word,
    bodies::set_json,
    data::Row,
    extract, this,
};
use crate::{
    plan::{Body, Classify, Escape, Place, Plan, Problem, Protocol, Source, Text},
    protocol::{HttpVersion, TargetId},
    script::{
        body,
        call::Call,
        draft::{self, Classifier, RequestDraft},
        text,
    },
};

/// A request under construction. Builders work on a copy, so a request can be the base of several.
#[derive(Debug, Clone)]
pub struct Request(pub Rc<RequestDraft>);

/// Where `.save` and `.classify` find their value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Extract {
    /// A place in the response.
    From(Source),
    /// The usual cache headers.
    CacheStatus,
}

/// What only requests of HTTP have.
const HTTP_ALONE: &[&str] = &[
    "header",
    "query",
    "bearer",
    "basic",
    "cookie",
    "json",
    "form",
    "text",
    "body",
    "file",
    "multipart",
    "http1",
    "http2",
    "no_redirect",
];

/// Why a request does not take a word, if so.
pub(super) fn refusal(word: &Word, request: &Dynamic) -> Option<Problem> {
    let template = request.read_lock::<Request>().map(|request| request.0.template.protocol())?;
    let refuses = word.on == OnRequest && template != Protocol::Http && HTTP_ALONE.contains(&word.name);
    let message = || format!("`.{}` is HTTP's, and this request is of {}", word.name, template.row().name);
    refuses.then(|| Problem::nowhere(message()).help("what it is to say is among its arguments"))
}

impl Request {
    /// The request as the run stage sends it, to `default` where it names no target: without its closures, which
    /// run beside it.
    pub(in crate::script) fn template(&self, default: TargetId, plan: &Plan) -> crate::plan::Template {
        let mut template = self.0.addressed(default, plan);
        if let Some(Classifier::Ready(classify)) = &self.0.classify {
            template.classify = Some(classify.clone());
        }
        template
    }
}

const fn verb(name: &'static str, most: usize, usage: &'static str, about: &'static str, run: CheckedFn) -> Word {
    let takes = if most == 1 { "path: string" } else { "path: string, body?: map | list | string" };
    let run = Run::Checked(run);
    Word { name, on: Global, form: Written, takes, gives: "Request", usage, about, stages: Both, run }
}

/// A method of a request that gives the request changed.
pub(super) const fn builder(
    name: &'static str,
    takes: &'static str,
    usage: &'static str,
    about: &'static str,
    run: CheckedFn,
) -> Word {
    let run = Run::Checked(run);
    Word { name, on: OnRequest, form: Written, takes, gives: "Request", usage, about, stages: Both, run }
}

pub(super) const WORDS: &[Word] = &[
    verb("get", 1, "`get(\"/path\")`", "A GET request.", |call, _, args| make(call, "GET", &args)),
    verb("head", 1, "`head(\"/path\")`", "A HEAD request.", |call, _, args| make(call, "HEAD", &args)),
    verb("options", 1, "`options(\"/path\")`", "An OPTIONS request.", |call, _, args| make(call, "OPTIONS", &args)),
    verb("delete", 2, "`delete(\"/path\")`", "A DELETE request.", |call, _, args| make(call, "DELETE", &args)),
    verb("post", 2, "`post(\"/path\", #{ a: 1 })`", "A POST request; a map is sent as JSON.", |call, _, args| {
        make(call, "POST", &args)
    }),
    verb("put", 2, "`put(\"/path\", #{ a: 1 })`", "A PUT request; a map is sent as JSON.", |call, _, args| {
        make(call, "PUT", &args)
    }),
    verb("patch", 2, "`patch(\"/path\", #{ a: 1 })`", "A PATCH request; a map is sent as JSON.", |call, _, args| {
        make(call, "PATCH", &args)
    }),
    Word {
        name: "request",
        on: Global,
        form: Written,
        takes: "method: string, path: string, body?: map | list | string",
        gives: "Request",
        usage: "`request(\"PURGE\", \"/path\")`",
        about: "A request of any method.",
        stages: Both,
        run: Run::Checked(|call, _, args| {
            let method = call.fixed_text(&args[0]).filter(|method| {
                let fits = draft::is_token(method) && method.len() <= 32;
                if !fits {
                    call.wrong(format!("`{method}` is not a method"), "a method is a word such as GET or PURGE");
                }
                fits
            });
            make(call, &method.unwrap_or_else(|| "GET".into()).to_uppercase(), &args[1..])
        }),
    },
    Word {
        name: "header",
        on: Global,
        form: Written,
        takes: "name: string",
        gives: "Extract",
        usage: "`header(\"x-cache\")`",
        about: "A header field of the response, for `.classify` and `.save`.",
        stages: Both,
        run: Run::Checked(|call, _, args| match call.fixed_text(&args[0]) {
            Some(name) => Dynamic::from(Extract::From(Source::Header(name.to_lowercase()))),
            None => Dynamic::from(Extract::CacheStatus),
        }),
    },
    Word {
        name: "cache_status",
        on: Global,
        form: Written,
        takes: "",
        gives: "Extract",
        usage: "`cache_status()`",
        about: "The class by the usual cache headers, for `.classify`.",
        stages: Both,
        run: Run::Checked(|_, _, _| Dynamic::from(Extract::CacheStatus)),
    },
    builder("name", "name: string", "`.name(\"item\")`", "The row it is reported under.", |call, request, args| {
        with(request, |draft| {
            if let Some(name) = call.name(&args[0]) {
                draft.template.name = name;
                draft.named = true;
            }
        })
    }),
    builder(
        "header",
        "name: string, value: any",
        "`.header(\"accept\", \"text/html\")`",
        "A header field.",
        |call, request, args| {
            with(request, |draft| {
                if let Some((name, value)) = header(call, &args) {
                    draft.template.headers.push((name, value));
                }
            })
        },
    ),
    builder(
        "query",
        "name: string, value: any",
        "`.query(\"page\", 2)`",
        "A query parameter.",
        |call, request, args| {
            with(request, |draft| {
                if let Some(pair) =
                    body::plain(call, &args[0], Escape::Query).zip(body::plain(call, &args[1], Escape::Query))
                {
                    draft.template.query.push(pair);
                }
            })
        },
    ),
    builder("bearer", "token: any", "`.bearer(token)`", "Authorization by token.", |call, request, args| {
        with(request, |draft| {
            if let Some(value) = draft::bearer(call, &args[0]) {
                draft.template.headers.push(("authorization".into(), value));
            }
        })
    }),
    builder(
        "basic",
        "user: string, password: string",
        "`.basic(\"user\", \"password\")`",
        "Authorization by password.",
        |call, request, args| {
            with(request, |draft| {
                if let Some(value) = draft::basic(call, &args) {
                    draft.template.headers.push(("authorization".into(), Text::literal(value)));
                }
            })
        },
    ),
    builder(
        "cookie",
        "name: string, value: any",
        "`.cookie(\"session\", \"abc\")`",
        "A cookie.",
        |call, request, args| with(request, |draft| draft::cookie(call, draft, &args)),
    ),
    builder("timeout", "time: Duration", "`.timeout(5.s)`", "Time for the whole request.", |call, request, args| {
        with(request, |draft| {
            if let Some(timeout) = draft::timeout(call, &args[0]) {
                draft.template.timeout = Some(timeout);
            }
        })
    }),
    builder("on", "target: Target", "`.on(other)`", "The target it goes to.", |call, request, args| {
        with(request, |draft| match args[0].clone().try_cast::<super::target::TargetHandle>() {
            Some(target) => draft.target = Some(target.0),
            None => call.mismatch("a target", &args[0]).unwrap_or_default(),
        })
    }),
    builder("discard_body", "", "`.discard_body()`", "Nobody reads the response's body.", |_, request, _| {
        with(request, |draft| draft.template.discard_body = true)
    }),
    builder(
        "expect",
        "status: int | list | string",
        "`.expect(200)`, `.expect([201, 429])` or `.expect(\"2xx\")`",
        "Which status is no error: a code, a list, or a family; 2xx and 3xx unless given. Of a database: words.",
        {
            |call, request, args| {
                with(request, |draft| {
                    if let Some(expect) = draft::expect(call, &args[0], draft.template.protocol()) {
                        draft.template.expect = expect;
                    }
                })
            }
        },
    ),
    builder(
        "check",
        "name: string, holds: Fn(res)",
        "`.check(\"has id\", |res| res.json(\"id\") != ())`",
        "Counted, never fatal.",
        {
            |call, request, args| {
                with(request, |draft| {
                    if let Some(check) = call.name(&args[0]).zip(call.closure(&args[1], 1, "|res| res.ok")) {
                        draft.checks.push(check);
                    }
                })
            }
        },
    ),
    builder("classify", "how: Extract | Fn(res)", "`.classify(cache_status())`", "How responses get their class.", {
        |call, request, args| {
            with(request, |draft| {
                let classifier = match args[0].clone().try_cast::<Extract>() {
                    Some(Extract::From(Source::Header(name))) => Some(Classifier::Ready(Classify::Header(name))),
                    Some(Extract::CacheStatus) => Some(Classifier::Ready(Classify::CacheStatus)),
                    None if args[0].is_fnptr() => call.closure(&args[0], 1, "|res| \"hit\"").map(Classifier::Closure),
                    Some(_) | None => call.mismatch("`header(\"…\")`, `cache_status()` or a closure", &args[0]),
                };
                draft.classify = classifier.or(draft.classify.take());
            })
        }
    }),
    builder(
        "save",
        "property: string, from: string | Extract",
        "`.save(\"token\", \"$.access_token\")`",
        "Keeps a value of the response for the virtual user.",
        {
            |call, request, args| {
                with(request, |draft| {
                    if let Some(save) = extract::save(call, &args) {
                        draft.template.saves.push(save);
                    }
                })
            }
        },
    ),
];

/// How a request is carried, where it is not as the target says.
pub(super) const CARRIAGE_WORDS: &[Word] = &[
    builder("http1", "", "`.http1()`", "By HTTP/1.1.", |_, request, _| {
        with(request, |draft| draft.template.version = Some(HttpVersion::Http1))
    }),
    builder("http2", "", "`.http2()`", "By HTTP/2.", |_, request, _| {
        with(request, |draft| draft.template.version = Some(HttpVersion::Http2))
    }),
    builder("no_redirect", "", "`.no_redirect()`", "A redirect is a response.", |_, request, _| {
        with(request, |draft| draft.template.no_redirect = true)
    }),
];

/// Applies a builder to a copy of the request (or to the request itself where nobody else holds it).
pub(super) fn with(request: Dynamic, build: impl FnOnce(&mut RequestDraft)) -> Dynamic {
    let mut request: Request = this(&request);
    build(Rc::make_mut(&mut request.0));
    Dynamic::from(request)
}

fn make(call: &Call<'_>, method: &str, args: &[Dynamic]) -> Dynamic {
    let path = call.text(&args[0]);
    let mut draft = draft_of(call, method, path.as_deref().unwrap_or("/"));
    match args.get(1) {
        None => {}
        Some(body) if body.is_map() || body.is_array() || body.is::<Row>() => set_json(call, &mut draft, body),
        Some(body) if body.is_string() => {
            if let Some(text) = body::plain(call, body, Escape::None) {
                draft.template.body = Body::Text { content_type: Some("text/plain; charset=utf-8".into()), text };
            }
        }
        Some(body) => call.mismatch("a map (sent as JSON) or a text as its body", body).unwrap_or_default(),
    }
    Dynamic::from(Request(Rc::new(draft)))
}

/// A request by method and path; mistakes in the path are reported and `/` stands in.
pub(in crate::script) fn draft_of(call: &Call<'_>, method: &str, path: &str) -> RequestDraft {
    let known = call.state.generator_places.borrow().len();
    let mut path = path;
    if path.starts_with("http://") || path.starts_with("https://") {
        call.wrong(
            "a request takes a path, not a whole URL",
            "declare the server once: `let shop = target(\"http://…\");`, and ask for `get(\"/path\").on(shop)`",
        );
        path = "/";
    } else if !path.starts_with('/') {
        call.problem(
            Problem::at(&call.place(), format!("the path {path:?} does not start with a slash"))
                .help(format!("write \"/{path}\"")),
        );
        path = "/";
    }
    let path = path.split_once('#').map_or(path, |(path, _)| path);
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let mut draft = RequestDraft::new(method, text::url_part(path, Escape::Path, known), call.place());
    draft.template.query = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (text::url_part(name, Escape::Query, known), text::url_part(value, Escape::Query, known))
        })
        .collect();
    draft
}

/// A field's name and value, checked.
pub(super) fn header(call: &Call<'_>, args: &[Dynamic]) -> Option<(String, Text)> {
    let name = call.fixed_text(&args[0])?;
    if !draft::is_token(&name) {
        call.wrong(format!("{name:?} is not the name of a header"), "a name has letters, digits and dashes only");
        return None;
    }
    if ["content-length", "transfer-encoding", "connection"].contains(&name.to_ascii_lowercase().as_str()) {
        call.wrong(format!("`{name}` is set by loadr itself"), "leave it out");
        return None;
    }
    let value = body::plain(call, &args[1], Escape::Header)?;
    Some((name, value))
}

impl Request {
    /// Where it was written.
    pub fn place(&self) -> &Place {
        &self.0.template.at
    }
}
