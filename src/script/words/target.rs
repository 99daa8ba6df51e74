//! Targets and their defaults.

use rhai::Dynamic;

use super::{
    CheckedFn,
    Form::Call as Written,
    Receiver::{Global, Target as OnTarget},
    Run,
    Stages::Plan,
    Word,
    request::header,
    this,
};
use crate::{
    plan::{Protocol, Target, Text},
    protocol::{HttpVersion, TargetId},
    script::{call::Call, draft},
};

/// A target of the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TargetHandle(pub TargetId);

pub(super) const fn builder(
    name: &'static str,
    takes: &'static str,
    usage: &'static str,
    about: &'static str,
    run: CheckedFn,
) -> Word {
    let run = Run::Checked(run);
    Word { name, on: OnTarget, form: Written, takes, gives: "Target", usage, about, stages: Plan, run }
}

pub(super) const WORDS: &[Word] = &[
    Word {
        name: "target",
        on: Global,
        form: Written,
        takes: "url: string",
        gives: "Target",
        usage: "`target(\"http://127.0.0.1:8080\")`",
        about: "A server under test; the first is the default.",
        stages: Plan,
        run: Run::Checked(|call, _, args| declare(call, &args[0])),
    },
    builder(
        "header",
        "name: string, value: any",
        "`.header(\"accept\", \"text/html\")`",
        "A header field of every request.",
        |call, this, args| {
            if let Some((name, value)) = header(call, &args)
                && let Some(value) = literal(call, &value)
            {
                edit(call, &this, |target| target.headers.push((name, value)));
            }
            this
        },
    ),
    builder("bearer", "token: string", "`.bearer(token)`", "Authorization by token.", |call, this, args| {
        if let Some(value) = draft::bearer(call, &args[0]).and_then(|value| literal(call, &value)) {
            edit(call, &this, |target| target.headers.push(("authorization".into(), value)));
        }
        this
    }),
    builder(
        "basic",
        "user: string, password: string",
        "`.basic(\"user\", \"password\")`",
        "Authorization by password.",
        |call, this, args| {
            if let Some(value) = draft::basic(call, &args) {
                edit(call, &this, |target| target.headers.push(("authorization".into(), value)));
            }
            this
        },
    ),
    builder(
        "timeout",
        "time: Duration",
        "`.timeout(5.s)`",
        "Time for a whole request; default 30 s.",
        |call, this, args| {
            if let Some(timeout) = draft::timeout(call, &args[0]) {
                edit(call, &this, |target| target.timeout = timeout);
            }
            this
        },
    ),
    builder("no_keepalive", "", "`.no_keepalive()`", "A new connection for every request.", |call, this, _| {
        edit(call, &this, |target| target.keepalive = false);
        this
    }),
    builder(
        "cookies",
        "on?: bool",
        "`.cookies(false)`",
        "Whether each virtual user keeps and sends cookies; it does by default.",
        |call, this, args| {
            let on =
                args.first().map_or(Some(true), |on| on.as_bool().ok().or_else(|| call.mismatch("true or false", on)));
            if let Some(on) = on {
                edit(call, &this, |target| target.cookies = on);
            }
            this
        },
    ),
    builder("http1", "", "`.http1()`", "HTTP/1.1 only.", |call, this, _| speak(call, this, HttpVersion::Http1)),
    builder("http2", "", "`.http2()`", "HTTP/2 only.", |call, this, _| speak(call, this, HttpVersion::Http2)),
    builder("max_body", "size: Size", "`.max_body(10.mb)`", "A longer body is an error.", |call, this, args| {
        if let Some(size) = call.size(&args[0]) {
            edit(call, &this, |target| target.body_bytes_max = size);
        }
        this
    }),
    builder(
        "resolve",
        "host: string, address: string",
        "`.resolve(\"shop.test\", \"127.0.0.1\")`",
        "The address of a host.",
        |call, this, args| {
            if let Some((host, address)) = call.fixed_text(&args[0]).zip(call.fixed_text(&args[1])) {
                match address.parse() {
                    Ok(address) => edit(call, &this, |target| target.resolve.push((host.to_lowercase(), address))),
                    Err(_) => call.wrong(
                        format!("{address:?} is not an IP address"),
                        "write `.resolve(\"shop.test\", \"127.0.0.1\")`",
                    ),
                }
            }
            this
        },
    ),
    builder(
        "on_start",
        "work: Fn(vu)",
        "`.on_start(|vu| { … })`",
        "Runs once for each virtual user.",
        |call, this, args| {
            if let Some(closure) = call.closure(&args[0], 1, "|vu| { … }") {
                let id = call.state.add_closure(closure);
                once(call, &this, "on_start", |target| &mut target.on_start, id);
            }
            this
        },
    ),
    builder(
        "on_stop",
        "work: Fn(vu)",
        "`.on_stop(|vu| { … })`",
        "Runs when a virtual user ends.",
        |call, this, args| {
            if let Some(closure) = call.closure(&args[0], 1, "|vu| { … }") {
                let id = call.state.add_closure(closure);
                once(call, &this, "on_stop", |target| &mut target.on_stop, id);
            }
            this
        },
    ),
];

fn speak(call: &Call<'_>, this: Dynamic, version: HttpVersion) -> Dynamic {
    edit(call, &this, |target| target.version = Some(version));
    this
}

fn once(
    call: &Call<'_>,
    this: &Dynamic,
    word: &str,
    slot: fn(&mut Target) -> &mut Option<crate::plan::ClosureId>,
    closure: crate::plan::ClosureId,
) {
    let mut twice = false;
    edit(call, this, |target| twice = slot(target).replace(closure).is_some());
    if twice {
        call.wrong(format!("the target has two `{word}`"), "put both into one closure");
    }
}

/// What only HTTP has.
const HTTP_ALONE: &[&str] =
    &["header", "bearer", "basic", "cookies", "http1", "http2", "redirects", "compressed", "proxy"];

/// What only TLS has.
const TLS_ALONE: &[&str] = &["ca", "client_cert", "insecure", "no_resumption"];

pub(super) fn edit(call: &Call<'_>, handle: &Dynamic, change: impl FnOnce(&mut Target)) {
    let TargetHandle(id) = this(handle);
    let protocol = call.state.plan.borrow().targets[usize::from(id.0)].protocol();
    if protocol != Protocol::Http && HTTP_ALONE.contains(&call.word.name) {
        call.wrong(
            format!("`.{}` is HTTP's, and this target speaks {}", call.word.name, protocol.row().name),
            "leave it out",
        );
        return;
    }
    if protocol.row().secure.is_none() && TLS_ALONE.contains(&call.word.name) {
        let message = format!("loadr speaks {} in cleartext only: `.{}` is TLS's", protocol.row().name, call.word.name);
        call.wrong(message, "leave it out; a tunnel on this machine can add TLS");
        return;
    }
    change(&mut call.state.plan.borrow_mut().targets[usize::from(id.0)]);
}

/// A target's fields are the same for every request.
fn literal(call: &Call<'_>, text: &Text) -> Option<String> {
    let literal = text.as_literal();
    if literal.is_none() {
        call.wrong(
            format!("`{}` of a target takes a fixed text, not a generator", call.word.name),
            "set it on the request: a request's headers are drawn anew each time",
        );
    }
    literal
}

fn declare(call: &Call<'_>, url: &Dynamic) -> Dynamic {
    let url = call.fixed_text(url).and_then(|text| parse(call, &text));
    let mut plan = call.state.plan.borrow_mut();
    let stand_in = || url::Url::parse("http://127.0.0.1/").ok();
    if let Some(url) = url.or_else(stand_in) {
        plan.targets.push(Target::new(url, call.place()));
    }
    Dynamic::from(TargetHandle(TargetId((plan.targets.len() - 1) as u16)))
}

fn parse(call: &Call<'_>, text: &str) -> Option<url::Url> {
    const HELP: &str = "write `target(\"http://127.0.0.1:8080\")`";
    if call.state.plan.borrow().targets.len() >= usize::from(u16::MAX) {
        call.wrong("a script has at most 65535 targets", "");
        return None;
    }
    if text.is_empty() && !call.state.problems.borrow().is_empty() {
        // A variable without value, which is reported.
        return None;
    }
    match url::Url::parse(text) {
        Ok(url) if Protocol::of(&url) != Protocol::Http => {
            let row = Protocol::of(&url).row();
            call.wrong(
                format!("{} is the scheme of {}, not of HTTP", url.scheme(), row.name),
                format!("declare it by its own word: `{}`", row.usage),
            );
            None
        }
        Ok(url) if !matches!(url.scheme(), "http" | "https") => {
            call.wrong(
                format!("{text:?} has the scheme `{}`, not http", url.scheme()),
                match text.split_once("://") {
                    Some((_, rest)) => format!("did you mean \"http://{rest}\"?"),
                    None => format!("did you mean \"http://{text}\"?"),
                },
            );
            None
        }
        Ok(url) if url.query().is_some() || url.fragment().is_some() => {
            call.wrong(format!("the target {text:?} has a query"), "give the query to each request");
            None
        }
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            call.wrong("the target's URL holds a user name", "use `.basic(user, secret(\"PASSWORD\"))`");
            None
        }
        Ok(url) => Some(url),
        Err(url::ParseError::RelativeUrlWithoutBase) => {
            call.wrong(format!("{text:?} is not a URL"), format!("did you mean \"http://{text}\"?"));
            None
        }
        Err(error) => {
            call.wrong(format!("{text:?} is not a URL: {error}"), HELP);
            None
        }
    }
}
