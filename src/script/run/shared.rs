//! What the words of the run stage share: one per worker.

use std::{
    any::Any,
    cell::RefCell,
    collections::{HashMap, VecDeque},
    rc::Rc,
};

use rhai::{Dynamic, EvalAltResult, Map};

use super::{ambient, coroutine::panic_text, extract::Patterns};
use crate::{
    clock::Clock,
    engine::{
        Aside,
        flow::{Answer, Reply, Request, Step},
        render::{Compiled, Composer},
        user::User,
    },
    measure::{Kind, NameId, Recorder},
    plan::{Expect, Template},
    protocol::{BufferPool, TargetId},
    script::{draft, state::ScriptState},
};

/// A script's error, boxed as Rhai wants it.
pub(in crate::script) type Failed = Box<EvalAltResult>;

/// Distinct request names kept ready; paths beyond that are still named, only slower.
const NAMES_MAX: usize = 1_024;

/// Of so many names it is known which path they are of.
const LATEST_MAX: usize = 8;

/// The row of a path.
struct Named {
    method: String,
    target: TargetId,
    path: String,
    name: NameId,
}

/// See the module.
pub(in crate::script) struct Shared {
    pub(super) state: Rc<ScriptState>,
    pub(super) clock: Clock,
    pub(super) recorder: Rc<RefCell<Recorder>>,
    pub(super) composer: Composer,
    pub(super) buffers: BufferPool,
    pub(super) patterns: Patterns,
    /// What `setup` returned.
    pub(super) data: RefCell<Dynamic>,
    default_target: TargetId,
    names: RefCell<HashMap<String, NameId, ahash::RandomState>>,
    /// Of paths that are their own pattern: the latest.
    latest_names: RefCell<VecDeque<Named>>,
    name_scratch: RefCell<String>,
}

/// How a script ends an iteration on purpose. No `try` of the script catches it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ending {
    /// `vu.fail(reason)`
    Fail(String),
    /// `vu.stop()`
    Stop,
    /// `vu.abort(reason)`
    Abort(String),
}

impl Shared {
    pub(super) fn new(
        state: Rc<ScriptState>,
        clock: Clock,
        recorder: Rc<RefCell<Recorder>>,
        composer: Composer,
        buffers: BufferPool,
    ) -> Rc<Self> {
        let default_target = state.plan.borrow().default_target();
        Rc::new(Self {
            default_target,
            state,
            clock,
            recorder,
            composer,
            buffers,
            patterns: Patterns::new(),
            data: RefCell::new(Dynamic::UNIT),
            names: RefCell::default(),
            latest_names: RefCell::default(),
            name_scratch: RefCell::default(),
        })
    }

    /// The virtual user that has the floor.
    pub(super) fn user(&self) -> Result<Rc<User>, Failed> {
        ambient::current_user().ok_or_else(|| "this only works while a virtual user runs".into())
    }

    /// The row a request is reported under that its author did not name: method and path, with the parts that
    /// look like an identifier shown as `{…}`; host and port before it where it is not the first target.
    pub(super) fn name(&self, method: &str, target: TargetId, path: &str) -> NameId {
        let is_it = |named: &&Named| named.path == path && named.method == method && named.target == target;
        if let Some(named) = self.latest_names.borrow().iter().find(is_it) {
            return named.name;
        }
        let name = self.name_by_pattern(method, target, path);
        if is_pattern(path) {
            let mut latest = self.latest_names.borrow_mut();
            latest.truncate(LATEST_MAX - 1);
            latest.push_front(Named { method: method.to_owned(), target, path: path.to_owned(), name });
        }
        name
    }

    fn name_by_pattern(&self, method: &str, target: TargetId, path: &str) -> NameId {
        let mut scratch = self.name_scratch.borrow_mut();
        scratch.clear();
        self.push_name(&mut scratch, method, target, path);
        let mut names = self.names.borrow_mut();
        if let Some(&name) = names.get(scratch.as_str()) {
            return name;
        }
        let name = self.recorder.borrow_mut().name(Kind::Request, &scratch);
        if names.len() < NAMES_MAX {
            names.insert(scratch.clone(), name);
        }
        name
    }

    /// The text of such a name.
    pub(super) fn row_name(&self, method: &str, target: TargetId, path: &str) -> String {
        let mut name = String::new();
        self.push_name(&mut name, method, target, path);
        name
    }

    fn push_name(&self, out: &mut String, method: &str, target: TargetId, path: &str) {
        out.push_str(method);
        out.push(' ');
        if target != self.default_target {
            out.push_str(&draft::authority(&self.state.plan.borrow(), target));
        }
        push_pattern(out, path);
    }

    /// A request composed from its parts, to the target of the user.
    pub(super) fn plain(&self, user: &User, method: &str, path: &str, body: Option<(&str, &[u8])>) -> Request {
        let target = user.target.get();
        let mut wire = self.buffers.take();
        let body_at = self.composer.write(&mut wire, target, method, path, (user, self.state.recent_wall_ms()), body);
        Request {
            name: self.name(method, target, path),
            target,
            wire,
            body_at,
            is_head: method == "HEAD",
            no_redirect: false,
            version: None,
            discard_body: false,
            timeout: self.composer.timeout(target),
            expect: Expect::default(),
            classify: None,
            checks: Vec::new(),
            saves: Vec::new(),
        }
    }

    /// Sends a request composed from its parts and waits for the answer.
    pub(super) fn send_parts(
        &self,
        user: &User,
        method: &str,
        path: &str,
        body: Option<(&str, &[u8])>,
    ) -> Result<Rc<Reply>, Failed> {
        self.send(self.plain(user, method, path, body))
    }

    /// A template, its holes filled with values of the user.
    pub(super) fn fill(&self, user: &User, template: &Template) -> Result<Request, Failed> {
        if let Some((message, help)) = template.misfit(&self.state.plan.borrow()) {
            return Err(format!("{message}; {help}").into());
        }
        let compiled = Compiled::new(template, &self.state.plan.borrow());
        let (mut wire, mut scratch) = (self.buffers.take(), self.buffers.take());
        let drawers = self.state.drawers();
        let written =
            user.draw(self.state.wall_ms(), |context| compiled.write(&mut wire, &mut scratch, user, &drawers, context));
        self.buffers.give(scratch);
        let body_at = written.map_err(|error| error.to_string())?;
        Ok(Request {
            name: self.recorder.borrow_mut().name(Kind::Request, &template.name),
            target: template.target,
            wire,
            body_at,
            is_head: compiled.is_head,
            no_redirect: template.no_redirect,
            version: template.version,
            discard_body: template.discard_body,
            timeout: compiled.timeout,
            expect: template.expect.clone(),
            classify: template.classify.clone(),
            checks: template.checks.clone(),
            saves: template.saves.clone(),
        })
    }

    /// Sends a request and waits for the answer.
    pub(super) fn send(&self, request: Request) -> Result<Rc<Reply>, Failed> {
        match ambient::ask(Step::Send(Box::new(request))) {
            Some(Answer::Response(reply)) => Ok(reply),
            Some(_) => Err("internal error: an answer that was not asked for".into()),
            None => Err(CANNOT_WAIT.into()),
        }
    }

    /// The name of the phase a user works in, or of what it does aside.
    pub(super) fn ledger_name(&self, user: &User) -> String {
        let plan = self.state.plan.borrow();
        let ledger = usize::from(user.ledger.get());
        match (plan.phases.get(ledger), ledger.checked_sub(plan.phases.len())) {
            (Some(phase), _) => phase.name.clone(),
            (None, aside) => aside.and_then(|n| Aside::ALL.get(n)).map_or("", |aside| aside.word()).to_owned(),
        }
    }

    /// What a script keeps for a virtual user.
    pub(super) fn with_vars<R>(user: &User, work: impl FnOnce(&mut Map) -> R) -> R {
        let mut kept = user.script.borrow_mut();
        let vars = kept.get_or_insert_with(|| Box::new(Map::new()));
        let vars: &mut dyn Any = &mut **vars;
        match vars.downcast_mut::<Map>() {
            Some(vars) => work(vars),
            None => work(&mut Map::new()),
        }
    }
}

/// What a closure is told that may not wait.
pub(super) const CANNOT_WAIT: &str =
    "requests and pauses work in flows, `on_start`, `setup` and `teardown`, not in a check or a classifier";

/// Runs a closure that may fail; a panic of a native function becomes an error.
pub(super) fn guarded<R>(work: impl FnOnce() -> Result<R, Failed>) -> Result<R, Failed> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work))
        .unwrap_or_else(|panic| Err(format!("internal error: {} (please report it)", panic_text(&*panic)).into()))
}

/// Whether a path has no query and no identifier, all of which have a digit.
fn is_pattern(path: &str) -> bool {
    !path.bytes().any(|byte| byte.is_ascii_digit() || matches!(byte, b'?' | b'#'))
}

/// Appends a path without its query, identifiers shown as `{…}`.
fn push_pattern(out: &mut String, path: &str) {
    if is_pattern(path) {
        out.push_str(path);
        return;
    }
    let path = path.split(['?', '#']).next().unwrap_or_default();
    for (position, segment) in path.split('/').enumerate() {
        if position > 0 {
            out.push('/');
        }
        if looks_like_an_identifier(segment) { out.push_str("{…}") } else { out.push_str(segment) }
    }
}

/// Digits only, a UUID, hexadecimal of at least eight digits, or a long token with digits in it.
fn looks_like_an_identifier(segment: &str) -> bool {
    let bytes = segment.as_bytes();
    let digits = bytes.iter().filter(|byte| byte.is_ascii_digit()).count();
    if digits == 0 {
        return false;
    }
    digits == bytes.len()
        || (bytes.len() >= 8 && bytes.iter().all(|byte| byte.is_ascii_hexdigit() || *byte == b'-'))
        || (bytes.len() >= 16
            && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_in_paths_make_one_row() {
        for (path, pattern) in [
            ("/api/carts/17/pay", "/api/carts/{…}/pay"),
            ("/api/v1/users", "/api/v1/users"),
            ("/a/0b9c1f9e-3f0e-4b8e-9df9-1d2f3a4b5c6d?x=1", "/a/{…}"),
            ("/files/deadbeef01", "/files/{…}"),
            ("/facade", "/facade"),
            ("/t/eyJhbGciOiJIUzI1NiJ9.e30.abc123", "/t/{…}"),
            ("/", "/"),
            ("/h2o/about", "/h2o/about"),
        ] {
            let mut out = String::new();
            push_pattern(&mut out, path);
            assert_eq!(out, pattern);
        }
    }
}
