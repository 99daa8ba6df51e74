//! What a script sees of a reply of a database, beside what every response has.

use rhai::{Dynamic, Map};

use super::{
    response::{Response, property},
    shared::Failed,
};
use crate::{
    protocol::{DONE, word_of},
    script::words::Word,
};

/// What a script may ask a reply.
pub(in crate::script) const WORDS: &[Word] = &[
    property(
        "value",
        "any",
        "`res.value`",
        "Of Redis: a text, a number, a list, or `()` for what is not there.",
        |engine, name, _| {
            engine.register_get(name, |res: &mut Response| value(res));
        },
    ),
    property("rows", "list", "`res.rows[0].name`", "Of SQL: the rows, each a map by the names of columns.", {
        |engine, name, _| {
            engine.register_get(name, |res: &mut Response| rows(res));
        }
    }),
    property("affected", "int", "`res.affected`", "Of SQL: how many rows the statement changed, or gave.", {
        |engine, name, _| {
            engine.register_get(name, |res: &mut Response| {
                let field = res.0.outcome.response.as_ref().and_then(|response| response.field("affected"));
                let count = field.and_then(|digits| std::str::from_utf8(digits).ok()?.parse::<i64>().ok());
                count.map_or(Dynamic::UNIT, Dynamic::from)
            });
        }
    }),
    property("int", "int", "`res.int`", "Of Redis: the value as a whole number; `()` without one.", {
        |engine, name, _| {
            engine.register_get(name, |res: &mut Response| -> Result<Dynamic, Failed> {
                let text = String::from_utf8_lossy(res.body()?).trim().parse::<i64>();
                Ok(text.map_or(Dynamic::UNIT, Dynamic::from))
            });
        }
    }),
    property(
        "info",
        "map",
        "`res.info.keyspace_hits`",
        "Of Redis: the fields of INFO; numbers are numbers.",
        |engine, name, _| {
            engine.register_get(name, |res: &mut Response| -> Result<Map, Failed> {
                Ok(info(&String::from_utf8_lossy(res.body()?)))
            });
        },
    ),
];

/// The type of a reply of Redis; none for other responses.
fn kind(res: &Response) -> Option<&str> {
    let head = res.0.outcome.response.as_ref()?.head().strip_prefix(b"REDIS ")?;
    std::str::from_utf8(head).ok().map(str::trim_end)
}

fn value(res: &Response) -> Result<Dynamic, Failed> {
    let Some(kind) = kind(res) else {
        return match &res.0.outcome.failure {
            Some(_) => Ok(Dynamic::UNIT),
            None => Err("`value` is of a reply of Redis; of HTTP there are `body` and `json()`".into()),
        };
    };
    let body = res.body()?;
    let text = String::from_utf8_lossy(body);
    match kind {
        "integer" => Ok(text.parse::<i64>().map_or(Dynamic::UNIT, Dynamic::from)),
        "nil" | "error" => Ok(Dynamic::UNIT),
        "array" | "pipeline" => serde_json::from_slice(body).map_err(|error| error.to_string().into()),
        // Bytes that are no text: `res.bytes` has them as they are.
        _ => Ok(Dynamic::from(text.into_owned())),
    }
}

fn rows(res: &Response) -> Result<Dynamic, Failed> {
    let is_sql = res.0.outcome.response.as_ref().is_some_and(|response| response.head().starts_with(b"SQL "));
    match &res.0.outcome.failure {
        Some(_) => Ok(Dynamic::from(rhai::Array::new())),
        None if !is_sql => Err("`rows` is of a reply of SQL; of others there are `body` and `json()`".into()),
        // An error has none.
        None if res.0.outcome.status != DONE => Ok(Dynamic::from(rhai::Array::new())),
        None => serde_json::from_slice(res.body()?).map_err(|error| error.to_string().into()),
    }
}

/// What a database says of the error that it answered.
pub(super) fn error(res: &Response) -> Option<String> {
    let status = res.0.outcome.status;
    if status == DONE || word_of(status).is_none() {
        return None;
    }
    Some(String::from_utf8_lossy(res.body().ok()?).into_owned())
}

/// `name:value` in each line but those that are titles.
fn info(text: &str) -> Map {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let fields = lines.filter_map(|line| line.split_once(':'));
    fields
        .map(|(name, value)| {
            let number = value.parse::<i64>().map(Dynamic::from).or_else(|_| value.parse::<f64>().map(Dynamic::from));
            (name.into(), number.unwrap_or_else(|_| value.into()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn info_has_its_numbers_as_numbers() {
        let map = info(
            "# Server\r\nredis_version:7.0.15\r\nuptime_in_seconds:12\r\nratio:0.5\r\n\r\ndb0:keys=1,expires=0\r\n",
        );
        let shown: Vec<String> =
            map.iter().map(|(name, value)| format!("{name}={value} {}", value.type_name())).collect();
        assert_eq!(
            shown,
            ["db0=keys=1,expires=0 string", "ratio=0.5 f64", "redis_version=7.0.15 string", "uptime_in_seconds=12 i64"]
        );
    }
}
