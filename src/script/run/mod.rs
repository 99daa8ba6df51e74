//! The run stage: closures of a script as flows of the engine.

mod ambient;
mod batch;
mod body;
mod captured;
mod channel;
mod channel_words;
mod coroutine;
mod element;
mod extract;
#[cfg(any(test, feature = "fuzzing"))]
pub(super) mod fuzz;
mod globals;
mod group;
mod identity;
mod json;
mod kept;
mod message;
mod reply;
mod response;
mod shared;
mod stack;
mod vu;

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use rhai::{Dynamic, Engine, EvalAltResult, ImmutableString};

use self::{
    ambient::Ambient,
    coroutine::CoroutinePool,
    shared::{Ending, guarded},
};
pub(super) use self::{
    ambient::current_user,
    captured::own_users,
    channel::{Events, WebSocket},
    channel_words::{EVENTS_WORDS, VU_WORDS as CHANNEL_WORDS, WEBSOCKET_WORDS},
    element::Element,
    element::WORDS as ELEMENT_WORDS,
    extract::mistake,
    globals::WORDS as GLOBAL_WORDS,
    identity::WORDS as IDENTITY_WORDS,
    kept::saved,
    message::{EVENT_WORDS, Event, MESSAGE_WORDS, Message},
    reply::WORDS as REPLY_WORDS,
    response::Response,
    response::WORDS as RESPONSE_WORDS,
    shared::{Failed, Shared},
    vu::Vu,
    vu::WORDS as VU_WORDS,
};
pub use self::{
    ambient::{Spent, spent},
    coroutine::panic_text,
};
use super::{
    Closure, Loaded, direct,
    explain::{explain, innermost},
    words,
};
use crate::{
    clock::Clock,
    engine::{
        flow::{Answer, Call, End, Fault, FlowRun, Reply, Script, Step},
        render::Composer,
        user::User,
    },
    measure::Recorder,
    plan::{ClosureId, Place, Save},
    protocol::BufferPool,
};

/// A loaded script, ready to run its closures on one worker.
pub struct Runtime {
    inner: Rc<Inner>,
    coroutines: CoroutinePool,
}

/// How closures call words and functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Calls {
    /// See [`direct`].
    Direct,
    /// As Rhai does it: what the others are held against.
    #[cfg(test)]
    OfRhai,
}

struct Inner {
    engine: Engine,
    closures: Vec<Closure>,
    flows: Vec<ClosureId>,
    shared: Rc<Shared>,
}

impl Runtime {
    /// Makes a loaded script ready to run. `buffers` are its worker's, and `epoch_ms` the milliseconds since 1970
    /// at the clock's origin.
    pub fn new(
        loaded: Loaded,
        clock: Clock,
        recorder: Rc<RefCell<Recorder>>,
        buffers: BufferPool,
        epoch_ms: u64,
    ) -> Self {
        Self::with_calls(loaded, clock, recorder, buffers, epoch_ms, Calls::Direct)
    }

    fn with_calls(
        loaded: Loaded,
        clock: Clock,
        recorder: Rc<RefCell<Recorder>>,
        buffers: BufferPool,
        epoch_ms: u64,
        calls: Calls,
    ) -> Self {
        let Loaded { plan, mut engine, ast, mut closures, shared: state, .. } = loaded;
        state.set_wall(epoch_ms, clock.clone());
        let shared = Shared::new(state, clock, recorder, Composer::new(&plan), buffers);
        ambient::limit(&mut engine);
        response::register(&mut engine);
        element::register(&mut engine);
        message::register(&mut engine);
        channel_words::register(&mut engine);
        vu::register(&mut engine);
        let mut natives = shared.state.natives.take();
        words::register_stage(&mut engine, &mut natives, &shared);
        if calls == Calls::Direct {
            direct::link(&mut engine, &ast, &natives, &mut closures);
        }
        let flows = plan.flows.iter().map(|flow| flow.closure).collect();
        let inner = Rc::new(Inner { engine, closures, flows, shared });
        let body = inner.clone();
        Self { inner, coroutines: CoroutinePool::new(move |call, user| body.run(&call, user)) }
    }

    /// Makes what `setup` returned known as `data()`.
    pub fn set_data(&self, value: &serde_json::Value) {
        // Every JSON value is a value of the language.
        *self.inner.shared.data.borrow_mut() = rhai::serde::to_dynamic(value).unwrap_or(Dynamic::UNIT);
    }

    /// The engine that knows the words of both stages.
    #[cfg(test)]
    pub(super) fn engine(&self) -> &Engine {
        &self.inner.engine
    }

    /// The properties that scripts and `.save` have given a virtual user. A value without a form in JSON is shown as
    /// text.
    pub fn vars(&self, user: &User) -> BTreeMap<String, serde_json::Value> {
        let text = |value: &Dynamic| serde_json::Value::String(value.to_string());
        Shared::with_vars(user, |vars| {
            let json = |value| serde_json::to_value(value).unwrap_or_else(|_| text(value));
            vars.iter().map(|(name, value)| (name.to_string(), json(value))).collect()
        })
    }

    /// Asks a closure that may not wait.
    fn ask<R>(
        &self,
        closure: ClosureId,
        response: &Rc<Reply>,
        user: &Rc<User>,
        read: impl FnOnce(Dynamic) -> Result<R, Failed>,
    ) -> Result<R, Fault> {
        let closure = &self.inner.closures[closure.index()];
        let argument = Dynamic::from(Response(response.clone()));
        let answer =
            Ambient::in_place(user.clone()).enter(|| guarded(|| read(closure.call(&self.inner.engine, [argument])?)));
        answer.map_err(|error| self.inner.fault(&error, closure))
    }
}

impl Script for Runtime {
    fn begin(&self, call: Call, user: &Rc<User>) -> Box<dyn FlowRun> {
        match self.coroutines.begin(call, user.clone()) {
            Ok(run) => Box::new(run),
            Err(error) => Box::new(Refused(format!("the system gives no stack for another virtual user: {error}"))),
        }
    }

    fn check(&self, closure: ClosureId, response: &Rc<Reply>, user: &Rc<User>) -> Result<bool, Fault> {
        self.ask(closure, response, user, |answer| {
            answer.as_bool().map_err(|found| format!("a check must give true or false, not {found}").into())
        })
    }

    fn classify(&self, closure: ClosureId, response: &Rc<Reply>, user: &Rc<User>) -> Result<String, Fault> {
        self.ask(closure, response, user, |answer| {
            answer.into_string().map_err(|found| format!("a classifier must give a word, not {found}").into())
        })
    }

    fn save(&self, save: &Save, response: &Rc<Reply>, user: &Rc<User>) -> Result<bool, Fault> {
        let value = extract::value(response, &self.inner.shared.patterns, &save.from)
            .map_err(|message| Fault { at: Place::default(), message: format!("`{}`: {message}", save.property) })?;
        let found = value.is_some();
        Shared::with_vars(user, |vars| match value {
            Some(value) => vars.insert(save.property.as_str().into(), value),
            // What an earlier response had would be mistaken for this one's.
            None => vars.remove(save.property.as_str()),
        });
        Ok(found)
    }
}

/// A flow that could not start.
struct Refused(String);

impl FlowRun for Refused {
    fn resume(&mut self, _answer: Answer) -> Step {
        let message = std::mem::take(&mut self.0);
        Step::Done(End::Fault(Fault { at: Place::default(), message }))
    }
}

#[cold]
#[inline(never)]
fn end_of_setup(value: &Dynamic, closure: &Closure) -> End {
    let wrong = |message: String| End::Fault(Fault { at: closure.place.clone(), message });
    // The value leaves for threads whose stacks are not made for deep values.
    if !json::is_shallow(value, json::DEPTH_MAX) {
        return wrong(format!("what `setup` returns is more than {} levels deep", json::DEPTH_MAX));
    }
    match serde_json::to_value(value) {
        Ok(value) => End::Completed(value),
        Err(error) => wrong(format!("what `setup` returns must have a form in JSON: {error}")),
    }
}

impl Inner {
    /// Runs a closure from its first line to its end; on a coroutine's stack.
    fn run(&self, call: &Call, user: &Rc<User>) -> End {
        let id = match *call {
            Call::Flow(flow) => self.flows[flow.index()],
            Call::Hook(closure) | Call::Setup(closure) | Call::Teardown(closure) => closure,
        };
        let closure = &self.closures[id.index()];
        let of_setup = matches!(call, Call::Teardown(_)).then(|| self.shared.data.borrow().clone());
        let arguments = std::iter::once(Dynamic::from(Vu(user.clone()))).chain(of_setup);
        // The rare ends are functions of their own: this frame lies below everything the script does.
        match closure.call(&self.engine, arguments.take(closure.arity.unwrap_or(usize::MAX))) {
            Ok(value) if matches!(call, Call::Setup(_)) => end_of_setup(&value, closure),
            Ok(_) => End::Completed(serde_json::Value::Null),
            Err(error) => self.end_by(&error, closure),
        }
    }

    #[cold]
    #[inline(never)]
    fn end_by(&self, error: &EvalAltResult, closure: &Closure) -> End {
        if let EvalAltResult::ErrorTerminated(token, _) = innermost(error)
            && let Some(ending) = token.read_lock::<Ending>()
        {
            return match &*ending {
                Ending::Fail(reason) => End::Failed(reason.clone()),
                Ending::Stop => End::StopUser,
                Ending::Abort(reason) => End::AbortRun(reason.clone()),
            };
        }
        End::Fault(self.fault(error, closure))
    }

    fn fault(&self, error: &EvalAltResult, closure: &Closure) -> Fault {
        let problem = explain(error, &self.shared.state, Some(&*closure.place.file).filter(|file| !file.is_empty()));
        let mut message = problem.message;
        if let EvalAltResult::ErrorTerminated(token, _) = innermost(error)
            && let Some(reason) = token.read_lock::<ImmutableString>()
        {
            message = reason.to_string();
        }
        if let Some(help) = problem.help {
            message = format!("{message}; {help}");
        }
        let name = self.shared.state.sources.borrow().name().to_owned();
        for via in &problem.via {
            let file = if via.at.file.is_empty() { name.as_str() } else { &via.at.file };
            message = format!(
                "{message}; {} ({file}:{}:{})",
                via.label.trim_end_matches(" here"),
                via.at.line,
                via.at.column
            );
        }
        let message = self.shared.state.redactor().redact(&message).into_owned();
        let mut at = problem.at.filter(|place| place.line > 0).unwrap_or_else(|| closure.place.clone());
        if at.file.is_empty() {
            at.file = self.shared.state.sources.borrow().name().into();
        }
        Fault { at, message }
    }
}

#[cfg(test)]
mod tests;

/// Runs something as a virtual user, without a way to wait.
#[cfg(test)]
pub(super) fn as_user<R>(user: &Rc<User>, work: impl FnOnce() -> R) -> R {
    Ambient::in_place(user.clone()).enter(work)
}
