//! What a script can do with its virtual user.

use std::rc::Rc;

use rhai::{Dynamic, Engine, EvalAltResult, FnPtr, ImmutableString, Map, NativeCallContext, Position};

use super::{
    ambient,
    batch::batch,
    body::{self, Content},
    group::group,
    response::Response,
    shared::{CANNOT_WAIT, Ending, Failed, Shared},
};
use crate::{
    clock::Nanos,
    engine::user::User,
    plan::{Value, nearest},
    script::{
        Classifier, GeneratorHandle, Request, Span,
        direct::Registrar,
        words::{
            Form::{self, Call, Property},
            Receiver, Run, Stages, Word,
            generators::DRAWN,
            words,
        },
    },
};

/// The virtual user in a script; clones are the same user.
#[derive(Debug, Clone)]
pub(in crate::script) struct Vu(pub(super) Rc<User>);

/// A day: no pause of a load test is longer.
const THINK_MAX: Nanos = 86_400_000_000_000;

/// More properties of a virtual user would only be kept, not used.
const PROPERTIES_MAX: usize = 1_000;

const fn word(
    form: Form,
    name: &'static str,
    takes: &'static str,
    gives: &'static str,
    usage: &'static str,
    about: &'static str,
    register: fn(&mut Registrar<'_>, &'static str, &Rc<Shared>),
) -> Word {
    Word { name, on: Receiver::Vu, form, takes, gives, usage, about, stages: Stages::Run, run: Run::Stage(register) }
}

/// A method that sends a request, and its sentence.
const fn verb(
    name: &'static str,
    usage: &'static str,
    about: &'static str,
    register: fn(&mut Registrar<'_>, &'static str, &Rc<Shared>),
) -> Word {
    word(Call, name, "path: string, body?: any", "Response", usage, about, register)
}

/// What a script may do with `vu`.
pub(in crate::script) const WORDS: &[Word] = &[
    word(Property, "id", "", "int", "`vu.id`", "Its number, from 1.", |engine, name, _| {
        engine.register_get(name, |vu: &mut Vu| vu.0.id as i64);
    }),
    word(Property, "iteration", "", "int", "`vu.iteration`", "The number of its iteration in the phase, from 0.", {
        |engine, name, _| {
            engine.register_get(name, |vu: &mut Vu| vu.0.iteration.get() as i64);
        }
    }),
    word(
        Property,
        "phase",
        "",
        "string",
        "`vu.phase`",
        "The name of the phase it works in.",
        |engine, name, shared| {
            let with = shared.clone();
            engine.register_get(name, move |vu: &mut Vu| with.ledger_name(&vu.0));
        },
    ),
    word(
        Property,
        "vars",
        "",
        "map",
        "`vu.vars`",
        "All that was set with `vu.name = …`, as a map.",
        |engine, name, _| {
            engine.register_get(name, |vu: &mut Vu| Shared::with_vars(&vu.0, |vars| vars.clone()));
        },
    ),
    verb("get", "`vu.get(\"/path\")`", "Sends a GET request and waits for the response.", |engine, name, shared| {
        request(engine, name, shared, "GET");
    }),
    verb(
        "post",
        "`vu.post(\"/path\", #{ a: 1 })`",
        "Sends a POST request; a map or list is sent as JSON.",
        |engine, name, shared| request(engine, name, shared, "POST"),
    ),
    verb(
        "put",
        "`vu.put(\"/path\", #{ a: 1 })`",
        "Sends a PUT request; a map or list is sent as JSON.",
        |engine, name, shared| request(engine, name, shared, "PUT"),
    ),
    verb(
        "patch",
        "`vu.patch(\"/path\", #{ a: 1 })`",
        "Sends a PATCH request; a map or list is sent as JSON.",
        |engine, name, shared| request(engine, name, shared, "PATCH"),
    ),
    verb("delete", "`vu.delete(\"/path\")`", "Sends a DELETE request.", |engine, name, shared| {
        request(engine, name, shared, "DELETE");
    }),
    verb("head", "`vu.head(\"/path\")`", "Sends a HEAD request.", |engine, name, shared| {
        request(engine, name, shared, "HEAD");
    }),
    verb("options", "`vu.options(\"/path\")`", "Sends an OPTIONS request.", |engine, name, shared| {
        request(engine, name, shared, "OPTIONS");
    }),
    word(
        Call,
        "send",
        "request: Request",
        "Response",
        "`vu.send(get(\"/path\").name(\"page\"))`",
        "Sends a request that builders made.",
        |engine, name, shared| {
            let with = shared.clone();
            engine.register_fn(name, move |ctx: NativeCallContext<'_>, vu: &mut Vu, request: Request| {
                send(&ctx, &with, vu, &request)
            });
        },
    ),
    word(
        Call,
        "batch",
        "requests: list | map, at_once?: int",
        "any",
        "`vu.batch([get(\"/a\"), get(\"/b\")])`",
        "Sends requests, or gets paths, at the same time, 20 unless told; gives their responses, a map for a map.",
        |engine, name, shared| {
            let with = shared.clone();
            engine.register_fn(name, move |ctx: NativeCallContext<'_>, vu: &mut Vu, requests: Dynamic| {
                batch(&ctx, &with, vu, requests, None)
            });
            let with = shared.clone();
            engine.register_fn(
                name,
                move |ctx: NativeCallContext<'_>, vu: &mut Vu, requests: Dynamic, at_once: i64| {
                    batch(&ctx, &with, vu, requests, Some(at_once))
                },
            );
        },
    ),
    word(
        Call,
        "think",
        "pause: Duration | Generator",
        "()",
        "`vu.think(200.ms)`",
        "Pauses; a generator is drawn, in milliseconds.",
        |engine, name, shared| {
            let with = shared.clone();
            engine.register_fn(name, move |_: &mut Vu, pause: Dynamic| think(&with, &pause));
        },
    ),
    word(
        Call,
        "group",
        "name: string, steps: Fn(vu)",
        "any",
        "`vu.group(\"cart\", |vu| { … })`",
        "Runs steps as a row of their own in the report; gives what they give.",
        |engine, name, _| {
            engine.register_fn(name, |ctx: NativeCallContext<'_>, vu: &mut Vu, name: &str, steps: FnPtr| {
                group(&ctx, vu, name, &steps)
            });
        },
    ),
    word(Call, "log", "text: string", "()", "`vu.log(\"here\")`", "Prints a line with the number of the user.", {
        |engine, name, shared| {
            let with = shared.clone();
            engine.register_fn(name, move |vu: &mut Vu, text: &str| {
                with.state.print(&format!("vu {}: {text}", vu.0.id));
            });
        }
    }),
    word(
        Call,
        "fail",
        "reason: string",
        "()",
        "`vu.fail(\"sold out\")`",
        "Ends the iteration as failed.",
        |engine, name, _| {
            engine.register_fn(name, |_: &mut Vu, reason: &str| ending::<()>(Ending::Fail(reason.to_owned())));
        },
    ),
    word(Call, "stop", "", "()", "`vu.stop()`", "Ends this virtual user for the phase.", |engine, name, _| {
        engine.register_fn(name, |_: &mut Vu| ending::<()>(Ending::Stop));
    }),
    word(
        Call,
        "abort",
        "reason: string",
        "()",
        "`vu.abort(\"the shop is closed\")`",
        "Ends the whole run, with exit code 108.",
        |engine, name, _| {
            engine.register_fn(name, |_: &mut Vu, reason: &str| ending::<()>(Ending::Abort(reason.to_owned())));
        },
    ),
];

/// Registers what is no word: the type, and properties of the script's own.
pub(super) fn register(engine: &mut Engine) {
    engine
        .register_type_with_name::<Vu>("Vu")
        .register_indexer_get(|vu: &mut Vu, property: ImmutableString| -> Result<Dynamic, Failed> {
            Shared::with_vars(&vu.0, |vars| {
                vars.get(property.as_str()).cloned().ok_or_else(|| no_value(&property, vars).into())
            })
        })
        .register_indexer_set(|vu: &mut Vu, property: ImmutableString, value: Dynamic| -> Result<(), Failed> {
            Shared::with_vars(&vu.0, |vars| {
                if vars.len() >= PROPERTIES_MAX && !vars.contains_key(property.as_str()) {
                    return Err(format!("a virtual user has at most {PROPERTIES_MAX} properties of its own").into());
                }
                vars.insert(property.as_str().into(), value);
                Ok(())
            })
        })
        .register_fn("to_string", |vu: &mut Vu| format!("vu {}", vu.0.id));
}

/// What is said of a property that nobody has set.
fn no_value(property: &str, vars: &Map) -> String {
    let words = words().filter(|word| word.on == Receiver::Vu);
    let known = words.map(|word| word.name).chain(vars.keys().map(|name| name.as_str()));
    let help = match nearest(property, known) {
        Some(near) => format!("did you mean `vu.{near}`?"),
        None => format!("set it with `vu.{property} = …`, in `on_start` for instance"),
    };
    format!("`vu.{property}` has no value yet; {help}")
}

fn request(engine: &mut Registrar<'_>, name: &'static str, shared: &Rc<Shared>, method: &'static str) {
    let with = shared.clone();
    engine.register_fn(name, move |vu: &mut Vu, path: &str| -> Result<Response, Failed> {
        Ok(Response(with.send_parts(&vu.0, method, path, None)?))
    });
    let with = shared.clone();
    engine.register_fn(name, move |vu: &mut Vu, path: &str, value: Dynamic| -> Result<Response, Failed> {
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

fn send(ctx: &NativeCallContext<'_>, shared: &Shared, vu: &mut Vu, request: &Request) -> Result<Response, Failed> {
    let template = request.template(vu.0.target.get(), &shared.state.plan.borrow());
    let filled = shared.fill(&vu.0, &template)?;
    let response = Response(shared.send(filled)?);
    examine(ctx, shared, vu, request, &response)?;
    Ok(response)
}

/// Runs the closures that a request brings with it; what needs none, the engine has done.
pub(super) fn examine(
    ctx: &NativeCallContext<'_>,
    shared: &Shared,
    vu: &Vu,
    request: &Request,
    response: &Response,
) -> Result<(), Failed> {
    let failed = response.0.outcome.failure.is_some();
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
        response.count_check(shared, &vu.0, name, passed);
    }
    Ok(())
}

fn ending<T>(ending: Ending) -> Result<T, Failed> {
    Err(EvalAltResult::ErrorTerminated(Dynamic::from(ending), Position::NONE).into())
}

fn think(shared: &Shared, pause: &Dynamic) -> Result<(), Failed> {
    let nanos = match pause.read_lock::<Span>() {
        Some(span) => span.0.as_nanos() as Nanos,
        None => drawn_pause(shared, pause)?,
    };
    match ambient::pause(nanos.min(THINK_MAX)) {
        Some(_) => Ok(()),
        None => Err(CANNOT_WAIT.into()),
    }
}

/// A pause that is not written as a duration. A function of its own, for what it takes of the stack is not taken
/// while the user waits.
#[inline(never)]
fn drawn_pause(shared: &Shared, pause: &Dynamic) -> Result<Nanos, Failed> {
    if let Some(generator) = pause.clone().try_cast::<GeneratorHandle>() {
        let drawn = shared.state.draw(generator.0).map_err(|error| error.to_string())?;
        return match drawn {
            Value::Int(ms) => Ok(milliseconds(ms as f64)),
            Value::Float(ms) => Ok(milliseconds(ms)),
            _ => Err("`think` takes a generator of numbers: they are milliseconds".into()),
        };
    }
    if let Some(text) = pause.read_lock::<ImmutableString>() {
        let pause = crate::clock::parse_duration(&text).map_err(|error| error.to_string())?;
        return Ok(pause.as_nanos() as Nanos);
    }
    if pause.tag() == DRAWN
        && let Some(ms) = pause.as_float().ok().or_else(|| pause.as_int().ok().map(|ms| ms as f64))
    {
        return Ok(milliseconds(ms));
    }
    if pause.is_int() || pause.is_float() {
        return Err("a pause needs a unit: write 200.ms, or draw it from a generator such as normal(200, 50)".into());
    }
    Err("`think` takes a duration such as 200.ms, or a generator of milliseconds".into())
}

/// Drawn pauses are numbers of milliseconds.
fn milliseconds(drawn: f64) -> Nanos {
    (drawn.max(0.0) * 1e6) as Nanos
}
