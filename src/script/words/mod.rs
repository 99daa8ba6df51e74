//! The words of the script language, one table for each thing they belong to, gathered in [`SUBJECTS`]. The tables
//! are the registry: the engine, the messages about unknown words and the reference of the language all read them.

mod aims;
mod baseline;
pub(super) mod bodies;
pub(super) mod csv_options;
pub(super) mod data;
mod database;
mod defaults;
mod encoding;
mod experiment;
mod extract;
pub(super) mod generators;
mod grades;
mod meter;
pub(super) mod mix;
pub(super) mod other;
pub(super) mod phase;
mod phase_draft;
pub(super) mod process;
mod redis;
pub(super) mod request;
pub(super) mod slo;
mod sql;
mod subject;
pub(super) mod target;
pub(super) mod target_http;
pub(super) mod target_tls;
mod units;
mod watch;
mod word;

use std::{any::TypeId, cell::Cell, rc::Rc};

use rhai::{Dynamic, Engine, EvalAltResult, ImmutableString, Module, NativeCallContext};

pub use self::{
    subject::{Guide, SUBJECTS, Subject, guide_to, words},
    word::{Form, Param, Receiver, Stages, TYPES, Word},
};
use super::{
    Fallible,
    call::{Call, place_of},
    direct::{Function, Natives, Registrar},
    quantity::{Pace, Span},
    run,
    state::{ScriptState, Stage},
    top_level::{POISON, Poison},
};
use crate::plan::Problem;

pub(super) use self::word::Run;

/// See [`Run::Checked`].
type CheckedFn = fn(&Call<'_>, Dynamic, Vec<Dynamic>) -> Dynamic;

/// Types of the language: Rust's name, Rhai's name, and how a message calls a value of it.
fn types() -> [(&'static str, &'static str, &'static str); 30] {
    use std::any::type_name;
    [
        (type_name::<phase::PhaseHandle>(), "Phase", "a phase"),
        (type_name::<target::TargetHandle>(), "Target", "a target"),
        (type_name::<request::Request>(), "Request", "a request"),
        (type_name::<request::Extract>(), "Extract", "an extractor such as `header(\"…\")`"),
        (type_name::<bodies::Bytes>(), "bytes", "bytes"),
        (type_name::<bodies::FilePart>(), "FilePart", "a part of a form"),
        (type_name::<meter::MeterHandle>(), "Meter", "a meter such as `redis_info(\"…\")`"),
        (type_name::<mix::MixHandle>(), "Mix", "a mix"),
        (type_name::<mix::FlowHandle>(), "Flow", "a flow"),
        (type_name::<aims::ScoreHandle>(), "Score", "a score"),
        (type_name::<process::ProcessHandle>(), "Process", "a process"),
        (type_name::<watch::SourceHandle>(), "Source", "something to watch"),
        (type_name::<generators::GeneratorHandle>(), "Generator", "a generator"),
        (type_name::<data::DataHandle>(), "DataSet", "a data set"),
        (type_name::<data::Row>(), "Row", "a row of a data set"),
        (type_name::<Span>(), "Duration", "a duration"),
        (type_name::<Pace>(), "Rate", "a rate"),
        (type_name::<super::explain::Thrown>(), "Error", "an error"),
        (type_name::<run::Vu>(), "Vu", "a virtual user"),
        (type_name::<run::Response>(), "Response", "a response"),
        (type_name::<run::Element>(), "Element", "an element of a page"),
        (type_name::<run::WebSocket>(), "WebSocket", "a WebSocket"),
        (type_name::<run::Message>(), "Message", "a message"),
        (type_name::<run::Events>(), "Events", "a stream of events"),
        (type_name::<run::Event>(), "Event", "an event"),
        ("i64", "INT", "a number"),
        ("f64", "FLOAT", "a number"),
        ("array", "Array", "a list"),
        ("map", "Map", "a map"),
        ("alloc::string::String", "string", "a text"),
    ]
}

/// How a message calls a value of a type, given Rust's or Rhai's name of it.
pub(super) fn friendly_type(name: &str) -> Option<&'static str> {
    types().into_iter().find(|(rust, rhai, _)| *rust == name || *rhai == name).map(|(.., friendly)| friendly)
}

fn type_id(receiver: Receiver) -> Option<TypeId> {
    Some(match receiver {
        Receiver::Phase => TypeId::of::<phase::PhaseHandle>(),
        Receiver::Target => TypeId::of::<target::TargetHandle>(),
        Receiver::Request => TypeId::of::<request::Request>(),
        Receiver::Mix => TypeId::of::<mix::MixHandle>(),
        Receiver::Score => TypeId::of::<aims::ScoreHandle>(),
        Receiver::Process => TypeId::of::<process::ProcessHandle>(),
        Receiver::Generator => TypeId::of::<generators::GeneratorHandle>(),
        Receiver::Data => TypeId::of::<data::DataHandle>(),
        // Words of these are registered by their exact types.
        Receiver::Global
        | Receiver::Number
        | Receiver::Duration
        | Receiver::Vu
        | Receiver::Response
        | Receiver::Element
        | Receiver::WebSocket
        | Receiver::Message
        | Receiver::Events
        | Receiver::Event => return None,
    })
}

/// Registers every word in an engine.
pub(super) fn register(engine: &mut Engine, state: &Rc<ScriptState>) {
    name_types(engine);
    engine.register_fn("to_string", |thrown: &mut super::explain::Thrown| -> ImmutableString {
        thrown.0.message.as_str().into()
    });
    refuse_sleep::<rhai::INT>(engine);
    refuse_sleep::<rhai::FLOAT>(engine);
    generators::register_type(engine, state);
    data::register_type(engine, state);
    for word in words() {
        match word.run {
            Run::Checked(run) => {
                let (least, most) = word.args();
                (least..=most).for_each(|count| register_checked(engine, state, word, run, count));
            }
            Run::Exact(register) => register(engine, word.name),
            Run::Stage(_) | Run::Language => {}
        }
    }
}

/// Says what types are called, but for those whose methods virtual users call most. With each call of a method Rhai looks
/// the name of its object's type up, module after module: the engine's own, which comes first, has only those few.
fn name_types(engine: &mut Engine) {
    let mut names = Module::new();
    names
        .set_custom_type::<Span>("Duration")
        .set_custom_type::<Pace>("Rate")
        .set_custom_type::<phase::PhaseHandle>("Phase")
        .set_custom_type::<target::TargetHandle>("Target")
        .set_custom_type::<request::Request>("Request")
        .set_custom_type::<request::Extract>("Extract")
        .set_custom_type::<bodies::Bytes>("bytes")
        .set_custom_type::<bodies::FilePart>("FilePart")
        .set_custom_type::<data::DataHandle>("DataSet")
        .set_custom_type::<data::Row>("Row")
        .set_custom_type::<generators::GeneratorHandle>("Generator")
        .set_custom_type::<meter::MeterHandle>("Meter")
        .set_custom_type::<mix::MixHandle>("Mix")
        .set_custom_type::<mix::FlowHandle>("Flow")
        .set_custom_type::<aims::ScoreHandle>("Score")
        .set_custom_type::<watch::SourceHandle>("Source")
        .set_custom_type::<process::ProcessHandle>("Process")
        .set_custom_type::<run::Element>("Element")
        .set_custom_type::<run::Message>("Message")
        .set_custom_type::<run::Event>("Event")
        .set_custom_type::<run::WebSocket>("WebSocket")
        .set_custom_type::<run::Events>("Events")
        .set_custom_type::<Poison>(POISON)
        .set_custom_type::<super::explain::Thrown>("Error");
    engine.register_global_module(names.into());
}

/// Registers what only a virtual user can do.
pub(super) fn register_stage(engine: &mut Engine, natives: &mut Natives, shared: &Rc<run::Shared>) {
    let mut registrar = Registrar::new(engine, natives);
    for word in words() {
        if let Run::Stage(register) = word.run {
            register(&mut registrar, word.name, shared);
        }
    }
}

/// Registers what needs nothing but an engine.
#[cfg(test)]
pub(super) fn register_exact(engine: &mut Engine) {
    for word in words() {
        if let Run::Exact(register) = word.run {
            register(engine, word.name);
        }
    }
}

/// Rhai's own `sleep` stops the thread, and with it every virtual user of the worker. It is registered by exact
/// types, so its refusal must be.
fn refuse_sleep<T: Clone + 'static>(engine: &mut Engine) {
    engine.register_fn("sleep", |ctx: NativeCallContext<'_>, _: T| -> Fallible<()> {
        let problem = Problem::at(&place_of(&ctx), "`sleep` would stop every virtual user of the worker")
            .help("inside a closure, write `vu.think(200.ms)`");
        Err(throw(problem, &ctx))
    });
}

fn register_checked(engine: &mut Engine, state: &Rc<ScriptState>, word: &'static Word, run: CheckedFn, count: usize) {
    let receiver = type_id(word.on);
    let mut types: Vec<TypeId> = receiver.into_iter().collect();
    types.extend(std::iter::repeat_n(TypeId::of::<Dynamic>(), count));
    let with = state.clone();
    let checked: Rc<Function> = Rc::new(move |ctx, args| {
        let (state, ctx) = (&with, ctx.ok_or("internal error: a word without a place")?);
        let call = Call { ctx: &ctx, state, word, failed: Cell::new(None) };
        if word.stages == Stages::Plan && state.stage() == Stage::Run {
            return Err(throw(
                Problem::at(&call.place(), format!("`{}` belongs to the top level of the script", word.name))
                    .help("declare before the run; a closure only uses what was declared"),
                &ctx,
            ));
        }
        // The first argument may be the script's own variable: copy it. The others are copies already.
        let mut values = args.iter_mut().enumerate().map(|(index, arg)| match index {
            0 => arg.flatten_clone(),
            _ => std::mem::take(&mut **arg).flatten(),
        });
        let this = if receiver.is_some() { values.next().unwrap_or(Dynamic::UNIT) } else { Dynamic::UNIT };
        if let Some(problem) = request::refusal(word, &this) {
            call.problem(Problem { at: Some(call.place()), ..problem });
            return call.failed.take().map_or(Ok(this), |problem| Err(throw(*problem, &ctx)));
        }
        let rest = values.collect();
        let result = run(&call, this, rest);
        match call.failed.take() {
            Some(problem) => Err(throw(*problem, &ctx)),
            None => Ok(result),
        }
    });
    state.natives.borrow_mut().add(word.name, &types, checked.clone());
    engine.register_raw_fn(word.name, types, move |ctx, args| checked(Some(ctx), args));
}

/// A problem as an error of the script, at the call's position.
pub(super) fn throw(problem: Problem, ctx: &NativeCallContext<'_>) -> Box<EvalAltResult> {
    EvalAltResult::ErrorRuntime(Dynamic::from(super::explain::Thrown(Rc::new(problem))), ctx.call_position()).into()
}

/// The receiver of a method. The registration by type makes any other impossible.
pub(super) fn this<T: Clone + 'static>(value: &Dynamic) -> T {
    value.clone().cast::<T>()
}

#[cfg(test)]
mod tests;
