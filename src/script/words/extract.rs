//! Places in a response that `.save` takes values from.

use rhai::Dynamic;

use super::{CheckedFn, Form::Call as Written, Receiver::Global, Run, Stages::Both, Word, request::Extract};
use crate::{
    plan::{Save, Source},
    script::{call::Call, run::mistake},
};

const fn word(
    name: &'static str,
    takes: &'static str,
    usage: &'static str,
    about: &'static str,
    run: CheckedFn,
) -> Word {
    Word {
        name,
        on: Global,
        form: Written,
        takes,
        gives: "Extract",
        usage,
        about,
        stages: Both,
        run: Run::Checked(run),
    }
}

pub(super) const WORDS: &[Word] = &[
    word(
        "css",
        "selector: string, attribute?: string",
        "`css(\"input[name=csrf]\", \"value\")`",
        "The text, or an attribute, of the first element that a CSS selector fits, for `.save`.",
        |call, _, args| {
            let selector = call.fixed_text(&args[0]).unwrap_or_default();
            let attribute = args.get(1).and_then(|name| call.fixed_text(name));
            checked(call, Source::Css { selector, attribute })
        },
    ),
    word(
        "regex",
        "pattern: string, group?: int | string",
        "`regex(\"token=(\\\\w+)\")`",
        "What a regular expression finds first: its first group, or the one named, or all; for `.save`.",
        |call, _, args| {
            let pattern = call.fixed_text(&args[0]).unwrap_or_default();
            let group = args.get(1).and_then(|group| match group.as_int() {
                Ok(number) => Some(number.to_string()),
                Err(_) => call.fixed_text(group),
            });
            checked(call, Source::Regex { pattern, group })
        },
    ),
];

/// Reports what is wrong with a place.
fn checked(call: &Call<'_>, source: Source) -> Dynamic {
    let mistakes = call.state.problems.borrow().len();
    if let Some(message) = mistake(&source)
        && mistakes == call.state.problems.borrow().len()
    {
        call.wrong(message, format!("write {}", call.word.usage));
    }
    Dynamic::from(Extract::From(source))
}

/// `.save(property, where)`.
pub(super) fn save(call: &Call<'_>, args: &[Dynamic]) -> Option<Save> {
    let property = call.fixed_text(&args[0])?;
    if property.is_empty() {
        call.wrong("`.save` takes the name of a property", format!("write {}", call.word.usage));
        return None;
    }
    let from = match args[1].clone().try_cast::<Extract>() {
        Some(Extract::From(source)) => source,
        Some(Extract::CacheStatus) => {
            call.wrong("`.save` has no use for `cache_status()`", "save a field: `header(\"x-cache\")`");
            return None;
        }
        None if args[1].is_string() => {
            let path = call.fixed_text(&args[1])?;
            if !path.starts_with('$') {
                call.wrong(format!("{path:?} is not a JSONPath"), format!("write `.save({property:?}, \"$.{path}\")`"));
                return None;
            }
            let source = Source::Json(path);
            if let Some(message) = mistake(&source) {
                call.wrong(message, format!("write {}", call.word.usage));
                return None;
            }
            source
        }
        None => return call.mismatch("a JSONPath, `css(…)`, `regex(…)` or `header(…)`", &args[1]),
    };
    Some(Save { property, from })
}
