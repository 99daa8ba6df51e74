//! Options of functions that are written in the language: of the standard library's, and of users' own.

use rhai::{Array, Dynamic, Engine, ImmutableString, Map, NativeCallContext};

use super::{Form, Receiver::Global, Run, Stages::Both, Word, throw};
use crate::{
    plan::{Problem, suggest},
    script::{Fallible, call::place_of},
};

pub(super) const WORDS: &[Word] = &[Word {
    name: "with_defaults",
    on: Global,
    form: Form::Call,
    takes: "given: map, defaults: map, required?: list",
    gives: "map",
    usage: "`let o = with_defaults(options, #{ limit: 50 }, [\"path\"])`",
    about: "Options of a function: what was given, and defaults for the rest. An option that is neither among the \
            defaults nor required is an error, and so is a required one that is missing.",
    stages: Both,
    run: Run::Exact(register),
}];

fn register(engine: &mut Engine, name: &'static str) {
    engine.register_fn(name, |ctx: NativeCallContext<'_>, given: Map, defaults: Map| {
        complete(&ctx, given, defaults, &Array::new())
    });
    engine.register_fn(name, |ctx: NativeCallContext<'_>, given: Map, defaults: Map, required: Array| {
        complete(&ctx, given, defaults, &required)
    });
}

fn complete(ctx: &NativeCallContext<'_>, given: Map, defaults: Map, required: &Array) -> Fallible<Map> {
    let wrong = |message: String, help: String| throw(Problem::at(&place_of(ctx), message).help(help), ctx);
    let required: Vec<ImmutableString> = required
        .iter()
        .map(|name| {
            name.read_lock::<ImmutableString>().map(|name| name.clone()).ok_or_else(|| {
                let help = "write with_defaults(options, #{ limit: 50 }, [\"path\"])".to_owned();
                wrong("the third argument of `with_defaults` is a list of names".to_owned(), help)
            })
        })
        .collect::<Fallible<_>>()?;
    let known = || required.iter().map(ImmutableString::as_str).chain(defaults.keys().map(|name| name.as_str()));
    if let Some(unknown) = given.keys().find(|name| !known().any(|known| known == name.as_str())) {
        return Err(wrong(format!("there is no option `{unknown}`"), suggest(unknown, known(), "option")));
    }
    let is_missing = |name: &&ImmutableString| given.get(name.as_str()).is_none_or(Dynamic::is_unit);
    if let Some(missing) = required.iter().find(is_missing) {
        let help = format!("give it: `#{{ {missing}: … }}`");
        return Err(wrong(format!("the option `{missing}` is missing"), help));
    }
    let mut options = defaults;
    options.extend(given);
    Ok(options)
}
