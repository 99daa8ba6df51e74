//! Bodies and parameters from values of the language, generators kept.

use rhai::{Dynamic, ImmutableString};

use super::{
    call::{Call, describe},
    draft::Path,
    quantity::Span,
    state::Stage,
    text,
    top_level::Poison,
    words::{
        data::{DataHandle, Row, next},
        generators::{GeneratorHandle, dynamic},
    },
};
use crate::plan::{Escape, Generator, Piece, Text, escape};

/// Deeper bodies are a mistake, or endless.
const DEPTH_MAX: usize = 64;

/// A value as a text with holes, escaped for its place: a text, a number, a bool or a generator.
pub(super) fn plain(call: &Call<'_>, value: &Dynamic, how: Escape) -> Option<Text> {
    let known = call.state.generator_places.borrow().len();
    if let Some(text) = value.read_lock::<ImmutableString>() {
        return Some(text::escaped(&text, how, known));
    }
    if let Some(handle) = value.clone().try_cast::<GeneratorHandle>() {
        if how != Escape::None && gives_bytes(call, handle) {
            return refuse_bytes(call);
        }
        return match call.stage() {
            Stage::Plan => Some(Text(vec![Piece::Draw(handle.0, how)])),
            Stage::Run => plain(call, &drawn(call, handle)?, how),
        };
    }
    if value.is_int() || value.is_float() || value.is_bool() || value.is_char() {
        return Some(text::escaped(&value.to_string(), how, known));
    }
    call.mismatch("a text, a number or a generator", value)
}

pub(super) fn drawn(call: &Call<'_>, handle: GeneratorHandle) -> Option<Dynamic> {
    call.state.draw(handle.0).map(dynamic).map_err(|error| call.wrong(error.to_string(), "")).ok()
}

/// Whether a generator draws bytes, which only a body can hold.
pub(super) fn gives_bytes(call: &Call<'_>, handle: GeneratorHandle) -> bool {
    matches!(call.state.plan.borrow().generators.get(handle.0.index()), Some(Generator::Bytes(_)))
}

fn refuse_bytes<T>(call: &Call<'_>) -> Option<T> {
    call.wrong("bytes are no text", "send them as a body, `.body(bytes(10.kb))`, or in a `file_part`");
    None
}

/// The names and values of a form, from a map (in the order of the names: a map has no other) or from a list of
/// pairs, in its order.
pub(super) fn fields(call: &Call<'_>, value: Dynamic, expected: &str) -> Option<Vec<(String, Dynamic)>> {
    let value = value.flatten();
    if value.is_array() {
        return super::multipart::pairs(call, call.array(value, expected)?, expected);
    }
    Some(call.map(value, expected)?.into_iter().map(|(name, value)| (name.into(), value)).collect())
}

/// A form body. A list as a value gives its name several times.
pub(super) fn form(call: &Call<'_>, value: Dynamic) -> Option<Text> {
    let known = call.state.generator_places.borrow().len();
    let mut pieces = Vec::new();
    for (name, value) in fields(call, value, "a map such as #{ name: \"x\" }")? {
        let values = if value.is_array() { call.array(value, "a list")? } else { vec![value] };
        for value in values {
            if !pieces.is_empty() {
                pieces.push(Piece::Literal("&".into()));
            }
            pieces.extend(text::escaped(&name, Escape::Query, known).0);
            pieces.push(Piece::Literal("=".into()));
            pieces.extend(plain(call, &value, Escape::Query)?.0);
        }
    }
    Some(text::compact(pieces))
}

/// A value as JSON, generators kept: a drawn number stays a number.
pub(super) fn json(call: &Call<'_>, value: &Dynamic) -> Option<Text> {
    let mut pieces = Vec::new();
    write(call, value, &Path::default(), 0, &mut pieces)?;
    Some(text::compact(pieces))
}

fn write(call: &Call<'_>, value: &Dynamic, path: &Path, depth: usize, out: &mut Vec<Piece>) -> Option<()> {
    let literal = |text: String| Piece::Literal(text);
    if depth > DEPTH_MAX {
        call.wrong(format!("the JSON body is more than {DEPTH_MAX} levels deep"), "");
        return None;
    }
    let value = &value.flatten_clone();
    if value.is_unit() {
        out.push(literal("null".into()));
    } else if let Ok(number) = value.as_float() {
        if !number.is_finite() {
            call.wrong(format!("{number}{} has no form in JSON", path.shown()), "use a finite number");
            return None;
        }
        // Shortest text that reads back to the same number, and still a number with a fraction.
        out.push(literal(format!("{number:?}")));
    } else if value.is_int() || value.is_bool() {
        out.push(literal(value.to_string()));
    } else if value.is_string() || value.is_char() {
        string(call, &value.to_string(), out);
    } else if let Some(items) = value.read_lock::<rhai::Array>() {
        for (index, item) in items.iter().enumerate() {
            out.push(literal(if index == 0 { "[" } else { "," }.into()));
            write(call, item, &path.index(index), depth + 1, out)?;
        }
        out.push(literal(if items.is_empty() { "[]" } else { "]" }.into()));
    } else if let Some(map) = value.read_lock::<rhai::Map>() {
        for (index, (key, item)) in map.iter().enumerate() {
            out.push(literal(if index == 0 { "{" } else { "," }.into()));
            string(call, key, out);
            out.push(literal(":".into()));
            write(call, item, &path.key(key), depth + 1, out)?;
        }
        out.push(literal(if map.is_empty() { "{}" } else { "}" }.into()));
    } else if let Some(handle) = value.clone().try_cast::<GeneratorHandle>() {
        if gives_bytes(call, handle) {
            return refuse_bytes(call);
        }
        match call.stage() {
            Stage::Plan => out.push(Piece::Draw(handle.0, Escape::JsonValue)),
            Stage::Run => write(call, &drawn(call, handle)?, path, depth + 1, out)?,
        }
    } else if let Some(row) = value.clone().try_cast::<Row>() {
        write_row(call, &row, out)?;
    } else if let Some(set) = value.clone().try_cast::<DataHandle>() {
        // A data set stands for its next row, as a generator stands for its next value.
        write(call, &next(call, set), path, depth + 1, out)?;
    } else if value.is::<Poison>() {
        return None;
    } else {
        let place = path.shown();
        let help =
            if value.is::<Span>() { "give a number: `10.s.as_ms`" } else { "use texts, numbers, lists and maps" };
        call.wrong(format!("{}{place} has no form in JSON", describe(value)), help);
        return None;
    }
    Some(())
}

fn string(call: &Call<'_>, text: &str, out: &mut Vec<Piece>) {
    let known = call.state.generator_places.borrow().len();
    out.push(Piece::Literal("\"".into()));
    out.extend(text::escaped(text, Escape::JsonString, known).0);
    out.push(Piece::Literal("\"".into()));
}

/// A whole row as an object.
fn write_row(call: &Call<'_>, row: &Row, out: &mut Vec<Piece>) -> Option<()> {
    let (table, number) = match row {
        Row::Drawn { table, row } => (table.clone(), Some(*row)),
        Row::Slot { data, slot } => {
            let table = call.state.tables.borrow()[data.index()].clone();
            let number = match call.stage() {
                Stage::Plan => None,
                Stage::Run => {
                    let drawn = call.state.with_drawing(|drawers, ctx| drawers.slot_row(*data, *slot, ctx));
                    Some(drawn.map_err(|error| call.wrong(error.to_string(), "")).ok()?)
                }
            };
            (table, number)
        }
    };
    for (column, name) in table.columns().iter().enumerate() {
        out.push(Piece::Literal(if column == 0 { "{" } else { "," }.into()));
        string(call, name, out);
        out.push(Piece::Literal(":".into()));
        match (number, row) {
            (None, Row::Slot { data, slot }) => {
                let generator = Generator::Column { data: *data, column, slot: *slot };
                let id = call.state.add_generator(generator, &call.place());
                out.push(Piece::Draw(id, Escape::JsonValue));
            }
            (Some(number), _) => {
                let text = match table.cell(number, column) {
                    crate::plan::Cell::Text(text) => {
                        let mut bytes = Vec::new();
                        escape(&mut bytes, text, Escape::JsonValue);
                        String::from_utf8_lossy(&bytes).into_owned()
                    }
                    crate::plan::Cell::Nothing => "null".into(),
                    _ => table.text(number, column).to_owned(),
                };
                out.push(Piece::Literal(text));
            }
            (None, Row::Drawn { .. }) => {}
        }
    }
    out.push(Piece::Literal(if table.columns().is_empty() { "{}" } else { "}" }.into()));
    Some(())
}
