//! Generators: kept at the plan stage, drawn at the run stage.

use std::rc::Rc;

use rhai::{Dynamic, Engine, ImmutableString, NativeCallContext};

use super::{
    CheckedFn,
    Form::Call as Written,
    Receiver::{Generator as OnGenerator, Global},
    Run,
    Stages::Both,
    Word,
    bodies::{Bytes, bytes_generator},
    this, throw,
};
use crate::{
    plan::{DrawError, Generator, GeneratorId, Problem, TimestampForm, Value, fake_kinds, suggest},
    script::{
        Fallible,
        call::{Call, place_of},
        run::saved,
        state::{ScriptState, Stage},
        text::mark,
    },
};

/// A generator of the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GeneratorHandle(pub GeneratorId);

/// What to do about a value that is not there.
const NOT_SAVED_HELP: &str = "save it in a request before this one, or in `on_start`";

/// The tag of a value that a closure drew: `vu.think` takes such a number for milliseconds, and no other.
pub(in crate::script) const DRAWN: i32 = 1;

const fn word(
    name: &'static str,
    takes: &'static str,
    usage: &'static str,
    about: &'static str,
    run: CheckedFn,
) -> Word {
    let run = Run::Checked(run);
    Word { name, on: Global, form: Written, takes, gives: "Generator", usage, about, stages: Both, run }
}

pub(super) const WORDS: &[Word] = &[
    word("uuid", "", "`uuid()`", "A random UUID, version 4.", |call, _, _| give(call, Some(Generator::Uuid))),
    word("seq", "", "`seq()`", "A number that no other iteration gets, from 1.", |call, _, _| {
        give(call, Some(Generator::Seq))
    }),
    word(
        "timestamp",
        "form?: string",
        "`timestamp()` or `timestamp(\"iso\")`",
        "The time of the draw: \"ms\" or \"s\" since 1970, \"iso\" or \"http\" for a text.",
        |call, _, args| give(call, timestamp(call, args.first()).map(Generator::Timestamp)),
    ),
    word(
        "fake",
        "kind: string",
        "`fake(\"email\")`",
        "Something made up: a name, an address, a sentence and so on.",
        |call, _, args| {
            let kind = call.fixed_text(&args[0]).filter(|kind| {
                let known = fake_kinds().any(|name| name == kind);
                if !known {
                    call.wrong(
                        format!("there is nothing of the kind `{kind}` to make up"),
                        suggest(kind, fake_kinds(), "kind"),
                    );
                }
                known
            });
            give(call, kind.map(Generator::Fake))
        },
    ),
    word(
        "saved",
        "name: string",
        "`saved(\"token\")`",
        "What `.save(name, …)` or `vu.name = …` has kept for the virtual user that sends the request; the iteration \
         fails if that is nothing.",
        |call, _, args| {
            let name = call.fixed_text(&args[0]).filter(|name| {
                if name.is_empty() {
                    call.wrong("`saved` takes the name of a value", format!("write {}", call.word.usage));
                }
                !name.is_empty()
            });
            match (call.stage(), name) {
                (Stage::Run, Some(name)) => saved(&name).unwrap_or_else(|| {
                    call.wrong(DrawError::NotSaved(name.into()).to_string(), NOT_SAVED_HELP);
                    Dynamic::UNIT
                }),
                (_, name) => give(call, name.map(|name| Generator::Saved(name.into()))),
            }
        },
    ),
    word("bytes", "size: Size", "`bytes(100.kb)`", "So many bytes, drawn anew for each request.", |call, _, args| {
        give(call, bytes_generator(call, &args[0]))
    }),
    word("int", "low: int, high: int", "`int(1, 100)`", "A whole number, both ends included.", |call, _, args| {
        let whole = |value: &Dynamic| value.as_int().ok().or_else(|| call.mismatch("whole numbers", value));
        give(call, whole(&args[0]).zip(whole(&args[1])).map(|(low, high)| Generator::Int(low, high)))
    }),
    word(
        "float",
        "low: number, high: number",
        "`float(0.0, 1.0)`",
        "A number, the upper end excluded.",
        |call, _, args| give(call, two(call, &args).map(|(low, high)| Generator::Float(low, high))),
    ),
    word("alnum", "length: int", "`alnum(12)`", "That many letters and digits.", |call, _, args| {
        give(call, call.count(&args[0], 1).map(|length| Generator::Alnum(length as usize)))
    }),
    word("hex", "length: int", "`hex(16)`", "That many hexadecimal digits.", |call, _, args| {
        give(call, call.count(&args[0], 1).map(|length| Generator::Hex(length as usize)))
    }),
    word("pick", "values: list", "`pick([\"a\", \"b\"])`", "One of these, each as likely.", |call, _, mut args| {
        let list = call.array(args.remove(0), "a list such as [\"a\", \"b\"]");
        let values = list.and_then(|list| list.iter().map(|item| value(call, item)).collect());
        give(call, values.map(Generator::Pick))
    }),
    word(
        "pick_weighted",
        "values: list",
        "`pick_weighted([[90, \"cheap\"], [10, \"dear\"]])`",
        "One of these, by weight.",
        |call, _, mut args| {
            let list = call.array(args.remove(0), "a list of [weight, value] pairs");
            let entries = list.and_then(|list| {
                list.into_iter()
                    .map(|entry| {
                        let pair = call.array(entry, "[weight, value] pairs")?;
                        match pair.as_slice() {
                            [weight, item] => Some((call.number(weight)?, value(call, item)?)),
                            _ => call.mismatch("[weight, value] pairs", &Dynamic::from(pair)),
                        }
                    })
                    .collect()
            });
            give(call, entries.map(Generator::PickWeighted))
        },
    ),
    word("zipf", "n: int, s: number", "`zipf(10_000, 0.99)`", "A key from 1 to n by Zipf's law.", |call, _, args| {
        let law = call.count(&args[0], 1).zip(call.number(&args[1]));
        give(call, law.map(|(n, s)| Generator::Zipf { n, s }))
    }),
    word(
        "latest",
        "n: int, s: number",
        "`latest(10_000, 0.99)`",
        "Zipf's law from the newest key down.",
        |call, _, args| {
            let law = call.count(&args[0], 1).zip(call.number(&args[1]));
            give(call, law.map(|(n, s)| Generator::Latest { n, s }))
        },
    ),
    word(
        "hot_set",
        "n: int, hot_fraction: number, hot_share: number",
        "`hot_set(10_000, 0.2, 0.8)`",
        "A key from 1 to n: a hot part of the keys gets a share of the draws.",
        |call, _, args| {
            let shares = call.number(&args[1]).zip(call.number(&args[2]));
            let set = call.count(&args[0], 1).zip(shares);
            give(call, set.map(|(n, (hot_fraction, hot_share))| Generator::HotSet { n, hot_fraction, hot_share }))
        },
    ),
    word("uniform", "n: int", "`uniform(10_000)`", "A key from 1 to n, each as likely.", |call, _, args| {
        give(call, call.count(&args[0], 1).map(|n| Generator::Int(1, i64::try_from(n).unwrap_or(i64::MAX))))
    }),
    word(
        "scan",
        "n: int",
        "`scan(10_000)`",
        "Keys from 1 to n one after the other, over and over.",
        |call, _, args| give(call, call.count(&args[0], 1).map(Generator::Scan)),
    ),
    word(
        "run_id",
        "",
        "`run_id()`",
        "A number that stays the same in a run, and that no other run has.",
        |call, _, _| give(call, Some(Generator::RunId)),
    ),
    word(
        "normal",
        "mean: number, sd: number",
        "`normal(100, 15)`",
        "A normally distributed number.",
        |call, _, args| give(call, two(call, &args).map(|(mean, sd)| Generator::Normal { mean, sd })),
    ),
    word(
        "exponential",
        "mean: number",
        "`exponential(500)`",
        "An exponentially distributed number.",
        |call, _, args| give(call, call.number(&args[0]).map(|mean| Generator::Exponential { mean })),
    ),
    Word {
        name: "resized",
        on: OnGenerator,
        form: Written,
        takes: "n: int",
        gives: "Generator",
        usage: "`zipf(10_000, 0.99).resized(500)`",
        about: "The same law over another number of keys.",
        stages: super::Stages::Plan,
        run: Run::Checked(|call, receiver, args| {
            let GeneratorHandle(of) = this(&receiver);
            let Some(n) = call.count(&args[0], 1) else { return receiver };
            resized(call, of, n).map_or(receiver, |id| Dynamic::from(GeneratorHandle(id)))
        }),
    },
    Word {
        name: "scrambled",
        on: OnGenerator,
        form: Written,
        takes: "",
        gives: "Generator",
        usage: "`zipf(10_000, 0.99).scrambled()`",
        about: "The same keys under other names, so that popular ones are not neighbours; the same in every run.",
        stages: super::Stages::Plan,
        run: Run::Checked(|call, receiver, _| {
            let GeneratorHandle(of) = this(&receiver);
            let keys = call.state.plan.borrow().generators.get(of.index()).and_then(Generator::keys);
            let Some(n) = keys else {
                call.wrong(
                    "`scrambled` is for keys: `zipf`, `hot_set`, `latest`, `scan`, `uniform`",
                    "leave it out: other values have no neighbours",
                );
                return receiver;
            };
            give(call, Some(Generator::Scrambled { of, n }))
        }),
    },
    Word {
        name: "next",
        on: OnGenerator,
        form: Written,
        takes: "",
        gives: "any",
        usage: "`item.next()`",
        about: "Draws a value where it stands.",
        stages: Both,
        run: Run::Checked(|call, receiver, _| {
            let handle: GeneratorHandle = this(&receiver);
            match call.stage() {
                Stage::Plan => receiver,
                Stage::Run => drawn(call, call.state.draw(handle.0)),
            }
        }),
    },
];

/// A generator of the same law over `n` keys; a scrambled one is scrambled anew.
fn resized(call: &Call<'_>, of: GeneratorId, n: u64) -> Option<GeneratorId> {
    let known = call.state.plan.borrow().generators.get(of.index()).cloned()?;
    let made = match known {
        Generator::Scrambled { of, .. } => {
            let of = resized(call, of, n)?;
            Some(Generator::Scrambled { of, n })
        }
        ref other => other.resized(n),
    };
    match made {
        Some(generator) => Some(call.state.add_generator(generator, &call.place())),
        None => {
            call.wrong(
                "`resized` is for keys: `zipf`, `hot_set`, `latest`, `scan`, `uniform`",
                "leave it out: other values have no number of keys",
            );
            None
        }
    }
}

fn timestamp(call: &Call<'_>, form: Option<&Dynamic>) -> Option<TimestampForm> {
    let Some(form) = form else { return Some(TimestampForm::Milliseconds) };
    let form = call.fixed_text(form)?;
    let known = TimestampForm::WORDS.iter().find(|(word, _)| *word == form);
    if known.is_none() {
        let help = suggest(&form, TimestampForm::WORDS.iter().map(|(word, _)| *word), "form");
        call.wrong(format!("`timestamp` has no form `{form}`"), help);
    }
    known.map(|(_, form)| *form)
}

fn two(call: &Call<'_>, args: &[Dynamic]) -> Option<(f64, f64)> {
    call.number(&args[0]).zip(call.number(&args[1]))
}

/// A value that a generator may give.
fn value(call: &Call<'_>, item: &Dynamic) -> Option<Value> {
    if let Ok(number) = item.as_int() {
        return Some(Value::Int(number));
    }
    if let Ok(number) = item.as_float() {
        return if number.is_finite() { Some(Value::Float(number)) } else { call.mismatch("finite numbers", item) };
    }
    if let Ok(yes) = item.as_bool() {
        return Some(Value::Bool(yes));
    }
    call.fixed_text(item).map(Value::Text)
}

/// The generator at the plan stage, a value at the run stage. Without a generator (its arguments were wrong and
/// are reported) a harmless one stands in, so that the rest of the script is still checked.
fn give(call: &Call<'_>, generator: Option<Generator>) -> Dynamic {
    let generator = match generator {
        Some(generator) => match generator.mistake() {
            Some(message) => {
                call.wrong(message, format!("write {}", call.word.usage));
                Generator::Uuid
            }
            None => generator,
        },
        None => Generator::Uuid,
    };
    match call.stage() {
        Stage::Plan => Dynamic::from(GeneratorHandle(call.state.add_generator(generator, &call.place()))),
        Stage::Run => drawn(call, call.state.with_drawing(|drawers, ctx| drawers.draw_once(&generator, ctx))),
    }
}

fn drawn(call: &Call<'_>, value: Result<Value, DrawError>) -> Dynamic {
    match value {
        Ok(value) => {
            let mut value = dynamic(value);
            value.set_tag(DRAWN);
            value
        }
        Err(error) => {
            call.wrong(error.to_string(), "");
            Dynamic::UNIT
        }
    }
}

/// A drawn value in the language.
pub(in crate::script) fn dynamic(value: Value) -> Dynamic {
    match value {
        Value::Int(number) => number.into(),
        Value::Float(number) => number.into(),
        Value::Bool(yes) => yes.into(),
        Value::Text(text) => text.into(),
        Value::Bytes(bytes) => Dynamic::from(Bytes { bytes: bytes.into(), name: None }),
    }
}

/// A generator in a text: its mark at the plan stage, a drawn value at the run stage.
pub(in crate::script) fn shown(
    state: &ScriptState,
    id: GeneratorId,
    ctx: &NativeCallContext<'_>,
) -> Fallible<ImmutableString> {
    if matches!(state.plan.borrow().generators.get(id.index()), Some(Generator::Bytes(_))) {
        let problem = Problem::at(&place_of(ctx), "drawn bytes are no text")
            .help("send them as a body, `.body(bytes(10.kb))`, or in a `file_part`; `alnum(n)` gives text");
        return Err(throw(problem, ctx));
    }
    match state.stage() {
        Stage::Plan => Ok(mark(id).into()),
        Stage::Run => match state.draw(id) {
            Ok(value) => Ok(dynamic(value).to_string().into()),
            Err(error) => Err(throw(Problem::at(&place_of(ctx), error.to_string()), ctx)),
        },
    }
}

pub(super) fn register_type(engine: &mut Engine, state: &Rc<ScriptState>) {
    let state = state.clone();
    engine.register_fn("to_string", move |ctx: NativeCallContext<'_>, handle: &mut GeneratorHandle| {
        shown(&state, handle.0, &ctx)
    });
}
