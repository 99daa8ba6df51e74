//! A script's value as the body of a request, written straight into its buffer.

use rhai::{Array, Dynamic, ImmutableString, Map};

use super::{
    json::{DEPTH_MAX, write_text},
    shared::{Failed, Shared},
};
use crate::{
    engine::user::User,
    plan::{Escape, Generator},
    script::{
        DataHandle, GeneratorHandle, Row,
        words::{bodies::Bytes, data::draw_row, friendly_type},
    },
};

/// What a body turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    /// From a map, an array, a number.
    Json,
    /// From text.
    Text,
    /// From a blob.
    Bytes,
}

/// Writes a body into the empty `out`.
pub(super) fn write(out: &mut Vec<u8>, value: &Dynamic, shared: &Shared, user: &User) -> Result<Content, Failed> {
    if let Some(text) = value.read_lock::<ImmutableString>() {
        out.extend_from_slice(text.as_bytes());
        return Ok(Content::Text);
    }
    if let Some(bytes) = value.read_lock::<rhai::Blob>() {
        out.extend_from_slice(&bytes);
        return Ok(Content::Bytes);
    }
    if let Some(bytes) = value.read_lock::<Bytes>() {
        out.extend_from_slice(&bytes.bytes);
        return Ok(Content::Bytes);
    }
    if let Some(generator) = value.read_lock::<GeneratorHandle>()
        && matches!(shared.state.plan.borrow().generators.get(generator.0.index()), Some(Generator::Bytes(_)))
    {
        let drawers = shared.state.drawers();
        user.draw(shared.state.wall_ms(), |context| drawers.write(generator.0, Escape::None, out, context))
            .map_err(|error| error.to_string())?;
        return Ok(Content::Bytes);
    }
    write_json(out, value, shared, user, 0)?;
    Ok(Content::Json)
}

fn write_json(out: &mut Vec<u8>, value: &Dynamic, shared: &Shared, user: &User, depth: usize) -> Result<(), Failed> {
    if depth > DEPTH_MAX {
        return Err(format!("the JSON body is more than {DEPTH_MAX} levels deep").into());
    }
    if let Some(text) = value.read_lock::<ImmutableString>() {
        write_text(out, &text);
    } else if let Ok(number) = value.as_int() {
        out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    } else if let Some(map) = value.read_lock::<Map>() {
        out.push(b'{');
        for (position, (key, item)) in map.iter().enumerate() {
            if position > 0 {
                out.push(b',');
            }
            write_text(out, key);
            out.push(b':');
            write_json(out, item, shared, user, depth + 1)?;
        }
        out.push(b'}');
    } else if let Some(items) = value.read_lock::<Array>() {
        out.push(b'[');
        for (position, item) in items.iter().enumerate() {
            if position > 0 {
                out.push(b',');
            }
            write_json(out, item, shared, user, depth + 1)?;
        }
        out.push(b']');
    } else if value.is_unit() {
        out.extend_from_slice(b"null");
    } else if let Ok(yes) = value.as_bool() {
        out.extend_from_slice(if yes { b"true" } else { b"false" });
    } else if let Ok(number) = value.as_float() {
        if !number.is_finite() {
            return Err(format!("{number} has no form in JSON; use a finite number").into());
        }
        out.extend_from_slice(format!("{number:?}").as_bytes());
    } else if let Some(generator) = value.read_lock::<GeneratorHandle>() {
        let drawers = shared.state.drawers();
        user.draw(shared.state.wall_ms(), |context| drawers.write(generator.0, Escape::JsonValue, out, context))
            .map_err(|error| error.to_string())?;
    } else if let Some(row) = value.read_lock::<Row>() {
        for (position, (column, item)) in row.cells(&shared.state)?.into_iter().enumerate() {
            out.push(if position == 0 { b'{' } else { b',' });
            write_text(out, &column);
            out.push(b':');
            write_json(out, &item, shared, user, depth + 1)?;
        }
        out.push(b'}');
    } else if let Some(set) = value.clone().try_cast::<DataHandle>() {
        let row = draw_row(&shared.state, set.0).map_err(|error| error.to_string())?;
        write_json(out, &row, shared, user, depth + 1)?;
    } else if value.is_char() {
        write_text(out, &value.to_string());
    } else {
        let kind = friendly_type(value.type_name()).unwrap_or_else(|| value.type_name());
        return Err(format!("{kind} has no form in JSON; use texts, numbers, lists and maps").into());
    }
    Ok(())
}
