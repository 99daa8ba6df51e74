//! A request under construction: a whole template, but for the closures and the target, which get their
//! numbers when the request enters the plan.

use std::{fmt::Write, time::Duration};

use rhai::{Dynamic, ImmutableString};

use super::{
    body,
    call::Call,
    state::{Closure, ScriptState},
};
use crate::{
    plan::{Body, Check, Classify, Escape, Expect, Piece, Place, Plan, Protocol, Template, TemplateId, Text},
    protocol::{TargetId, status_of},
};

/// See the module. The run stage sends it as it is: `template` is complete but for `checks` and `classify`.
#[derive(Debug, Clone)]
pub struct RequestDraft {
    /// All but the closures; its name is the default one unless [`Self::named`].
    pub template: Template,
    /// The script named it.
    pub named: bool,
    /// The target it was given with `.on(…)`.
    pub target: Option<TargetId>,
    /// `.check(name, closure)`.
    pub checks: Vec<(String, Closure)>,
    /// `.classify(…)`.
    pub classify: Option<Classifier>,
}

/// How a response gets its class.
#[derive(Debug, Clone)]
pub enum Classifier {
    /// Without script.
    Ready(Classify),
    /// By a closure.
    Closure(Closure),
}

impl RequestDraft {
    /// A request without query, fields and body.
    pub fn new(method: &str, path: Text, at: Place) -> Self {
        let template = Template {
            name: format!("{method} {}", path.display()),
            method: method.to_owned(),
            target: TargetId::default(),
            path,
            query: Vec::new(),
            headers: Vec::new(),
            cookies: Vec::new(),
            body: Body::None,
            timeout: None,
            expect: Expect::default(),
            checks: Vec::new(),
            classify: None,
            saves: Vec::new(),
            no_redirect: false,
            version: None,
            discard_body: false,
            at,
        };
        Self { template, named: false, target: None, checks: Vec::new(), classify: None }
    }

    /// The template with its target, which is `default` where it names none. A request to another target than
    /// the first tells its host and port in its default name: rows of two servers do not add up.
    pub(super) fn addressed(&self, default: TargetId, plan: &Plan) -> Template {
        let mut template = self.template.clone();
        template.target = self.target.unwrap_or(default);
        if !self.named {
            let host = authority(plan, template.target);
            let apart = if template.is_http() || host.is_empty() { "" } else { " " };
            let name = format!("{} {host}{apart}{}", template.method, template.path.display());
            template.name = name.trim_end().to_owned();
        }
        template
    }

    /// Enters the plan.
    pub(super) fn register(&self, state: &ScriptState) -> TemplateId {
        let default = state.plan.borrow().default_target();
        let mut template = self.addressed(default, &state.plan.borrow());
        for (name, closure) in &self.checks {
            template.checks.push(Check { name: name.clone(), closure: state.add_closure(closure.clone()) });
        }
        template.classify = self.classify.as_ref().map(|classifier| match classifier {
            Classifier::Ready(classify) => classify.clone(),
            Classifier::Closure(closure) => Classify::Closure(state.add_closure(closure.clone())),
        });
        let mut plan = state.plan.borrow_mut();
        plan.templates.push(template);
        TemplateId((plan.templates.len() - 1) as u32)
    }
}

/// Host and port of a target in the default names of its requests; nothing for the first that speaks its protocol.
pub(super) fn authority(plan: &Plan, target: TargetId) -> String {
    match plan.targets.get(usize::from(target.0)) {
        Some(declared) if plan.first_of(declared.protocol()) != Some(target) => {
            let host = declared.url.host_str().unwrap_or_default();
            declared.url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
        }
        _ => String::new(),
    }
}

/// RFC 9110 section 5.6.2.
pub(super) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

pub(super) fn bearer(call: &Call<'_>, token: &Dynamic) -> Option<Text> {
    let mut text = body::plain(call, token, Escape::Header)?;
    text.0.insert(0, Piece::Literal("Bearer ".into()));
    Some(super::text::compact(text.0))
}

/// RFC 7617: base64 of `user:password`. Drawn values cannot be encoded natively.
pub(super) fn basic(call: &Call<'_>, args: &[Dynamic]) -> Option<String> {
    let (user, password) = call.fixed_text(&args[0]).zip(call.fixed_text(&args[1]))?;
    if user.contains(':') {
        call.wrong("a user name of basic authorization has no colon", "");
        return None;
    }
    Some(format!("Basic {}", super::base64(format!("{user}:{password}").as_bytes())))
}

/// Adds a cookie, or gives the one of that name another value.
pub(super) fn cookie(call: &Call<'_>, draft: &mut RequestDraft, args: &[Dynamic]) {
    let Some((name, value)) = call.fixed_text(&args[0]).zip(body::plain(call, &args[1], Escape::Header)) else {
        return;
    };
    let literal = value.0.iter().filter_map(|piece| match piece {
        Piece::Literal(text) => Some(text.as_str()),
        Piece::Draw(..) => None,
    });
    if let Some(wrong) = wrong_cookie(&name, &literal.collect::<String>()) {
        call.wrong(wrong, "encode the value, for instance with `url_encode(text)`");
        return;
    }
    let cookies = &mut draft.template.cookies;
    match cookies.iter_mut().find(|(known, _)| *known == name) {
        Some((_, known)) => *known = value,
        None => cookies.push((name, value)),
    }
}

/// What keeps a name and a value from being a cookie (RFC 6265, section 4.1.1, as leniently as browsers).
pub(super) fn wrong_cookie(name: &str, value: &str) -> Option<String> {
    if !is_token(name) {
        return Some(format!("{name:?} is not the name of a cookie: it has letters, digits and dashes only"));
    }
    let wrong = value.chars().find(|&c| c == ';' || c.is_control())?;
    Some(format!("the value of the cookie `{name}` holds {wrong:?}, which would end it"))
}

pub(super) fn timeout(call: &Call<'_>, value: &Dynamic) -> Option<Duration> {
    let timeout = call.duration(value)?;
    if timeout.is_zero() {
        call.wrong("a timeout of zero would fail every request", format!("write {}", call.word.usage));
        return None;
    }
    Some(timeout)
}

/// `200`, `[201, 429]`, `"2xx"`, `["2xx", 404]`, and words of other protocols such as `"WRONGTYPE"`.
pub(super) fn expect(call: &Call<'_>, value: &Dynamic, protocol: Protocol) -> Option<Expect> {
    let items = match value.clone().into_array() {
        Ok(items) if !items.is_empty() => items,
        _ => vec![value.clone()],
    };
    let range = |item: &Dynamic| {
        if let Ok(status) = item.as_int()
            && protocol == Protocol::Http
        {
            return u16::try_from(status).ok().filter(|status| (100..600).contains(status)).map(|code| (code, code));
        }
        let text = item.read_lock::<ImmutableString>()?;
        if protocol != Protocol::Http {
            return status_of(&text).map(|status| (status, status));
        }
        let class = text.strip_suffix("xx")?.parse::<u16>().ok().filter(|class| (1..6).contains(class))?;
        Some((class * 100, class * 100 + 99))
    };
    let mut ranges = Vec::new();
    for item in &items {
        match range(item) {
            Some(range) => ranges.push(range),
            None if protocol == Protocol::Http => {
                return call.mismatch("status codes such as 200, [201, 429] or \"2xx\"", item);
            }
            None => return call.mismatch("words such as \"ok\", \"WRONGTYPE\" or [\"ok\", \"23505\"]", item),
        }
    }
    Some(Expect(ranges))
}

/// A path into nested values, for messages: `items[2].name`.
#[derive(Debug, Default)]
pub(super) struct Path(String);

impl Path {
    pub(super) fn key(&self, key: &str) -> Self {
        Self(if self.0.is_empty() { key.to_owned() } else { format!("{}.{key}", self.0) })
    }

    pub(super) fn index(&self, index: usize) -> Self {
        let mut path = self.0.clone();
        // Writing into a String cannot fail.
        let _ = write!(path, "[{index}]");
        Self(path)
    }

    pub(super) fn shown(&self) -> String {
        if self.0.is_empty() { String::new() } else { format!(" at `{}`", self.0) }
    }
}
