//! A call of one of loadr's words: its arguments, converted with a message in the user's words where they
//! do not fit.

use std::{cell::Cell, rc::Rc, time::Duration};

use rhai::{Array, Dynamic, FnPtr, ImmutableString, Map, NativeCallContext};

use super::{
    quantity::{Pace, Span},
    state::{Closure, ScriptState, Stage},
    text::has_mark,
    top_level::Poison,
    words::Word,
};
use crate::{
    clock::{self, Rate},
    plan::{Place, Problem, suggest},
};

/// A call under way. Mistakes of the top level go to the state's list, so that one evaluation shows them all.
/// Within a function the first is thrown: on its way out it learns from where the function was called.
pub struct Call<'a> {
    pub(super) ctx: &'a NativeCallContext<'a>,
    pub(super) state: &'a Rc<ScriptState>,
    pub(super) word: &'static Word,
    pub(super) failed: Cell<Option<Box<Problem>>>,
}

/// How a quantity with a unit is written, and told of where it is not.
struct QuantityForm<T, E> {
    expected: &'static str,
    noun: &'static str,
    units: [&'static str; 2],
    parse: fn(&str) -> Result<T, E>,
}

impl Call<'_> {
    /// Where the call stands in the script.
    pub(super) fn place(&self) -> Place {
        place_of(self.ctx)
    }

    pub(super) fn stage(&self) -> Stage {
        self.state.stage()
    }

    /// Notes a mistake.
    pub(super) fn problem(&self, problem: Problem) {
        // The word's own call is the first level.
        if self.stage() == Stage::Plan && self.ctx.call_level() <= 1 {
            self.state.problem(problem);
        } else {
            let first = self.failed.take().unwrap_or_else(|| Box::new(problem));
            self.failed.set(Some(first));
        }
    }

    /// How many mistakes are known by now.
    pub(super) fn mistakes(&self) -> usize {
        let thrown = self.failed.take();
        let count = self.state.problems.borrow().len() + usize::from(thrown.is_some());
        self.failed.set(thrown);
        count
    }

    /// Notes a mistake at the call's place.
    pub(super) fn wrong(&self, message: impl Into<String>, help: impl Into<String>) {
        let help = help.into();
        let problem = Problem::at(&self.place(), message);
        self.problem(if help.is_empty() { problem } else { problem.help(help) });
    }

    /// Notes an option that the word does not have.
    pub(super) fn unknown_option(&self, key: &str, known: &[&'static str]) {
        let problem = Problem::at(&self.place(), format!("`{}` has no option `{key}`", self.word.name));
        self.problem(problem.help(suggest(key, known.iter().copied(), "option")));
    }

    /// Notes that an argument is not what the word takes.
    pub(super) fn mismatch<T>(&self, expected: &str, found: &Dynamic) -> Option<T> {
        if found.is::<Poison>() {
            // What it stands for has been reported.
            return None;
        }
        let found = describe(found);
        self.problem(
            Problem::at(&self.place(), format!("`{}` takes {expected}; found {found}", self.word.name))
                .label(format!("expected {expected}"))
                .help(format!("write {}", self.word.usage)),
        );
        None
    }

    pub(super) fn text(&self, value: &Dynamic) -> Option<ImmutableString> {
        match value.read_lock::<ImmutableString>() {
            Some(text) => Some(text.clone()),
            None => self.mismatch("a text", value),
        }
    }

    /// A text that is fixed before the run: a name, a header's name.
    pub(super) fn fixed_text(&self, value: &Dynamic) -> Option<String> {
        let text = self.text(value)?;
        if has_mark(&text) {
            self.wrong(
                format!("`{}` takes a fixed text here, not a generator", self.word.name),
                "a name must stay the same for the whole run",
            );
            return None;
        }
        Some(text.into())
    }

    /// A name of a row in the report: not empty, not endless.
    pub(super) fn name(&self, value: &Dynamic) -> Option<String> {
        let name = self.fixed_text(value)?;
        if name.trim().is_empty() || name.chars().count() > 200 {
            self.wrong(
                format!("`{}` takes a name of 1 to 200 characters", self.word.name),
                "the name is the row in the report",
            );
            return None;
        }
        Some(name)
    }

    pub(super) fn duration(&self, value: &Dynamic) -> Option<Duration> {
        let form = QuantityForm {
            expected: "a duration such as 10.s or \"1m30s\"",
            noun: "duration",
            units: ["s", "ms"],
            parse: clock::parse_duration,
        };
        self.quantity(value, value.clone().try_cast::<Span>().map(|span| span.0), &form)
    }

    pub(super) fn rate(&self, value: &Dynamic) -> Option<Rate> {
        let form = QuantityForm {
            expected: "a rate such as 500.per_second",
            noun: "rate",
            units: ["per_second", "per_minute"],
            parse: clock::parse_rate,
        };
        self.quantity(value, value.clone().try_cast::<Pace>().map(|pace| pace.0), &form)
    }

    /// What was `cast` from the value already, or a text in its form; a bare number lacks its unit.
    fn quantity<T, E: std::fmt::Display>(
        &self,
        value: &Dynamic,
        cast: Option<T>,
        form: &QuantityForm<T, E>,
    ) -> Option<T> {
        if cast.is_some() {
            return cast;
        }
        if let Some(text) = value.read_lock::<ImmutableString>() {
            return match (form.parse)(&text) {
                Ok(quantity) => Some(quantity),
                Err(error) => {
                    self.wrong(error.to_string(), format!("write {}", self.word.usage));
                    None
                }
            };
        }
        if value.is_int() || value.is_float() {
            let QuantityForm { expected, noun, units: [one, other], .. } = form;
            self.problem(
                Problem::at(&self.place(), format!("`{}` takes {expected}; found {}", self.word.name, describe(value)))
                    .label(format!("this {noun} has no unit"))
                    .help(format!("write `{value}.{one}` or `{value}.{other}`")),
            );
            return None;
        }
        self.mismatch(form.expected, value)
    }

    /// A whole number of at least `least`.
    pub(super) fn count(&self, value: &Dynamic, least: u64) -> Option<u64> {
        let Ok(number) = value.as_int() else {
            return self.mismatch("a whole number", value);
        };
        match u64::try_from(number) {
            Ok(count) if count >= least => Some(count),
            _ => {
                self.wrong(
                    format!("`{}` takes a number of at least {least}, not {number}", self.word.name),
                    format!("write {}", self.word.usage),
                );
                None
            }
        }
    }

    pub(super) fn number(&self, value: &Dynamic) -> Option<f64> {
        if let Ok(number) = value.as_int() {
            return Some(number as f64);
        }
        value.as_float().ok().or_else(|| self.mismatch("a number", value))
    }

    /// A size in bytes: a number, `100.kb`, or `"100kB"`.
    pub(super) fn size(&self, value: &Dynamic) -> Option<u64> {
        if let Some(text) = value.read_lock::<ImmutableString>() {
            return clock::parse_size(&text)
                .map_err(|error| self.wrong(error.to_string(), format!("write {}", self.word.usage)))
                .ok();
        }
        if value.is_int() { self.count(value, 1) } else { self.mismatch("a size such as 10.mb", value) }
    }

    pub(super) fn array(&self, value: Dynamic, expected: &str) -> Option<Array> {
        let value = value.flatten();
        if value.is_array() { value.try_cast::<Array>() } else { self.mismatch(expected, &value) }
    }

    pub(super) fn map(&self, value: Dynamic, expected: &str) -> Option<Map> {
        let value = value.flatten();
        if value.is_map() { value.try_cast::<Map>() } else { self.mismatch(expected, &value) }
    }

    /// A closure with exactly `arity` parameters, which looks like `shape`.
    pub(super) fn closure(&self, value: &Dynamic, arity: usize, shape: &str) -> Option<Closure> {
        let Some(ptr) = value.clone().try_cast::<FnPtr>() else {
            return self.mismatch(&format!("a closure `{shape}`"), value);
        };
        let closure = Closure::new(ptr, self.ctx, self.place());
        match closure.arity {
            Some(found) if found != arity => {
                self.problem(
                    Problem::at(
                        &self.place(),
                        format!(
                            "`{}` takes a closure with {}; this one has {}",
                            self.word.name,
                            parameters(arity),
                            parameters(found)
                        ),
                    )
                    .label("wrong number of parameters")
                    .help(format!("write `{shape}`")),
                );
                None
            }
            _ => Some(closure),
        }
    }
}

fn parameters(count: usize) -> String {
    match count {
        0 => "no parameters".to_owned(),
        1 => "1 parameter".to_owned(),
        more => format!("{more} parameters"),
    }
}

/// Where a native function was called.
pub(super) fn place_of(ctx: &NativeCallContext<'_>) -> Place {
    place(ctx.call_source(), ctx.call_position())
}

/// A Rhai position as a place.
pub(super) fn place(source: Option<&str>, position: rhai::Position) -> Place {
    Place {
        file: source.unwrap_or_default().into(),
        line: position.line().unwrap_or(0) as u32,
        column: position.position().unwrap_or(0) as u32,
    }
}

/// A value as a text for the report.
pub(super) fn told(value: &Dynamic) -> String {
    if let Some(span) = value.clone().try_cast::<Span>() {
        return clock::format_nanos(super::quantity::nanos(span.0));
    }
    value.clone().try_cast::<Pace>().map_or_else(|| value.to_string(), |pace| pace.0.to_string())
}

/// A value in the user's words: its kind, and its text where that is short.
pub(super) fn describe(value: &Dynamic) -> String {
    let shown = |text: String| if text.chars().count() > 40 { "…".to_owned() } else { text };
    match value.type_name() {
        "()" => "nothing `()`".to_owned(),
        "i64" | "f64" => format!("the number {value}"),
        "bool" => format!("{value}"),
        "string" => format!("the text {:?}", shown(value.to_string())),
        "char" => format!("the character '{value}'"),
        "array" => "an array".to_owned(),
        "map" => "a map `#{…}`".to_owned(),
        "Fn" => "a closure".to_owned(),
        "blob" => "bytes".to_owned(),
        name => match super::words::friendly_type(name) {
            Some(friendly) => friendly.to_owned(),
            None => format!("a value of type {name}"),
        },
    }
}
