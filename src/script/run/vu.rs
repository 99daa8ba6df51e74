//! What a script can do with its virtual user.

use std::rc::Rc;

use rhai::{Array, Dynamic, Engine, EvalAltResult, FnPtr, ImmutableString, NativeCallContext, Position};

use super::{
    ambient,
    body::{self, Content},
    response::Response,
    shared::{CANNOT_WAIT, Ending, Failed, Shared},
};
use crate::{
    clock::Nanos,
    engine::{
        flow::{Answer, Step},
        user::User,
    },
    plan::Value,
    script::{Classifier, GeneratorHandle, Request, Span},
};

/// The virtual user in a script; clones are the same user.
#[derive(Debug, Clone)]
pub(super) struct Vu(pub(super) Rc<User>);

/// A day: no pause of a load test is longer.
const THINK_MAX: Nanos = 86_400_000_000_000;

/// Registers what a script may do with `vu`.
pub(super) fn register(engine: &mut Engine, shared: &Rc<Shared>) {
    engine
        .register_type_with_name::<Vu>("Vu")
        .register_get("id", |vu: &mut Vu| vu.0.id as i64)
        .register_get("iteration", |vu: &mut Vu| vu.0.iteration.get() as i64)
        .register_indexer_get(|vu: &mut Vu, property: ImmutableString| -> Result<Dynamic, Failed> {
            Shared::with_vars(&vu.0, |vars| vars.get(property.as_str()).cloned()).ok_or_else(|| {
                format!("`vu.{property}` has no value yet; set it with `vu.{property} = …`, in `on_start` for instance")
                    .into()
            })
        })
        .register_indexer_set(|vu: &mut Vu, property: ImmutableString, value: Dynamic| {
            Shared::with_vars(&vu.0, |vars| vars.insert(property.as_str().into(), value));
        })
        .register_get("vars", |vu: &mut Vu| Shared::with_vars(&vu.0, |vars| vars.clone()))
        .register_fn("to_string", |vu: &mut Vu| format!("vu {}", vu.0.id))
        .register_fn("bearer", |vu: &mut Vu, token: &str| {
            vu.0.set_field("authorization", &format!("Bearer {token}"));
            vu.clone()
        })
        .register_fn("header", |vu: &mut Vu, name: &str, value: Dynamic| -> Result<Vu, Failed> {
            if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':') {
                return Err(format!("`{name}` is not a header's name").into());
            }
            if value.is_unit() {
                vu.0.remove_field(name)
            } else {
                vu.0.set_field(name, &value.to_string())
            }
            Ok(vu.clone())
        })
        .register_fn("fail", |_: &mut Vu, reason: &str| ending::<()>(Ending::Fail(reason.to_owned())))
        .register_fn("stop", |_: &mut Vu| ending::<()>(Ending::Stop))
        .register_fn("abort", |_: &mut Vu, reason: &str| ending::<()>(Ending::Abort(reason.to_owned())));
    let with = shared.clone();
    engine.register_get("phase", move |vu: &mut Vu| with.ledger_name(&vu.0));
    register_requests(engine, shared);
    let with = shared.clone();
    engine.register_fn("think", move |_: &mut Vu, pause: Dynamic| think(&with, &pause));
    engine.register_fn("group", |ctx: NativeCallContext<'_>, vu: &mut Vu, _name: &str, body: FnPtr| {
        body.call_within_context::<Dynamic>(&ctx, (vu.clone(),))
    });
    let with = shared.clone();
    engine.register_fn("log", move |vu: &mut Vu, text: &str| with.state.print(&format!("vu {}: {text}", vu.0.id)));
}

fn register_requests(engine: &mut Engine, shared: &Rc<Shared>) {
    for (word, method) in [
        ("get", "GET"),
        ("post", "POST"),
        ("put", "PUT"),
        ("patch", "PATCH"),
        ("delete", "DELETE"),
        ("head", "HEAD"),
        ("options", "OPTIONS"),
    ] {
        let with = shared.clone();
        engine.register_fn(word, move |vu: &mut Vu, path: &str| -> Result<Response, Failed> {
            Ok(Response(with.send_parts(&vu.0, method, path, None)?))
        });
        let with = shared.clone();
        engine.register_fn(word, move |vu: &mut Vu, path: &str, value: Dynamic| -> Result<Response, Failed> {
            let mut content = with.buffers.take();
            let kind = body::write(&mut content, &value, &with, &vu.0)?;
            let kind = match kind {
                Content::Json => "application/json",
                Content::Text => "text/plain; charset=utf-8",
                Content::Bytes => "application/octet-stream",
            };
            let reply = with.send_parts(&vu.0, method, path, Some((kind, &content)));
            with.buffers.give(content);
            Ok(Response(reply?))
        });
    }
    let with = shared.clone();
    engine.register_fn(
        "send",
        move |ctx: NativeCallContext<'_>, vu: &mut Vu, request: Request| -> Result<Response, Failed> {
            let filled = with.fill(&vu.0, &request.template())?;
            let response = Response(with.send(filled)?);
            examine(&ctx, &with, vu, &request, &response)?;
            Ok(response)
        },
    );
    let with = shared.clone();
    engine.register_fn(
        "batch",
        move |ctx: NativeCallContext<'_>, vu: &mut Vu, requests: Array| -> Result<Array, Failed> {
            let requests = requests
                .into_iter()
                .map(|value| {
                    let found = value.type_name();
                    let wrong = || format!("`batch` takes requests such as get(\"/x\"); found {found}").into();
                    value.try_cast::<Request>().ok_or_else(wrong)
                })
                .collect::<Result<Vec<_>, Failed>>()?;
            let filled = requests
                .iter()
                .map(|request| with.fill(&vu.0, &request.template()))
                .collect::<Result<Vec<_>, Failed>>()?;
            match ambient::ask(Step::Batch(filled)) {
                Some(Answer::Responses(replies)) => {
                    let mut responses = Array::new();
                    for (request, reply) in requests.iter().zip(replies) {
                        let response = Response(reply);
                        examine(&ctx, &with, vu, request, &response)?;
                        responses.push(Dynamic::from(response));
                    }
                    Ok(responses)
                }
                Some(_) => Err("internal error: an answer that was not asked for".into()),
                None => Err(CANNOT_WAIT.into()),
            }
        },
    );
}

/// Runs the closures that a request brings with it; what needs none, the engine has done.
fn examine(
    ctx: &NativeCallContext<'_>,
    shared: &Shared,
    vu: &Vu,
    request: &Request,
    response: &Response,
) -> Result<(), Failed> {
    let failed = response.0.failure.is_some();
    if !failed && let Some(Classifier::Closure(closure)) = &request.0.classify {
        let word = closure.call(ctx.engine(), [Dynamic::from(response.clone())])?.into_string();
        let word = word.map_err(|found| format!("a classifier must give a word, not {found}"))?;
        *response.0.class.borrow_mut() = Some(word.into());
    }
    for (name, closure) in &request.0.checks {
        let passed = !failed && {
            let answer = closure.call(ctx.engine(), [Dynamic::from(response.clone())])?;
            answer.as_bool().map_err(|found| format!("a check must give true or false, not {found}"))?
        };
        shared.recorder.borrow_mut().check(vu.0.ledger.get(), name, passed);
    }
    Ok(())
}

fn ending<T>(ending: Ending) -> Result<T, Failed> {
    Err(EvalAltResult::ErrorTerminated(Dynamic::from(ending), Position::NONE).into())
}

fn think(shared: &Shared, pause: &Dynamic) -> Result<(), Failed> {
    let nanos = if let Some(span) = pause.clone().try_cast::<Span>() {
        span.0.as_nanos() as Nanos
    } else if let Some(generator) = pause.clone().try_cast::<GeneratorHandle>() {
        let drawn = shared.state.draw(generator.0).map_err(|error| error.to_string())?;
        match drawn {
            Value::Int(ms) => milliseconds(ms as f64),
            Value::Float(ms) => milliseconds(ms),
            _ => return Err("`think` takes a generator of numbers: they are milliseconds".into()),
        }
    } else if let Some(text) = pause.read_lock::<ImmutableString>() {
        crate::clock::parse_duration(&text).map_err(|error| error.to_string())?.as_nanos() as Nanos
    } else if pause.is_int() || pause.is_float() {
        return Err("a pause needs a unit: write 200.ms; a drawn pause is declared at the top level, such as `let pause = normal(200, 50)`".into());
    } else {
        return Err("`think` takes a duration such as 200.ms, or a generator of milliseconds".into());
    };
    match ambient::ask(Step::Think(nanos.min(THINK_MAX))) {
        Some(_) => Ok(()),
        None => Err(CANNOT_WAIT.into()),
    }
}

/// Drawn pauses are numbers of milliseconds.
fn milliseconds(drawn: f64) -> Nanos {
    (drawn.max(0.0) * 1e6) as Nanos
}
