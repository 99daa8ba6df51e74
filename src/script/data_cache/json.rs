//! Rows from JSON, read one by one: the file is gone through twice, once for the columns and once for the cells,
//! and never as a whole in memory.

use std::{
    collections::HashSet,
    io::{BufRead, BufReader, Read},
};

use serde::de::{DeserializeSeed, Deserializer, SeqAccess, Visitor};
use serde_json::Value;

use super::{DataError, error};
use crate::plan::{Cell, Table, TableBuilder};

/// The column of a list of plain values.
pub(in crate::script) const VALUE_COLUMN: &str = "value";

/// What takes rows.
type Take<'a> = &'a mut dyn FnMut(Value) -> Result<(), DataError>;

/// A table from whatever hands its rows over, which it does twice.
///
/// # Errors
/// Objects and other values mixed, or no rows.
pub(super) fn table(each: impl Fn(Take<'_>) -> Result<(), DataError>) -> Result<Table, DataError> {
    let (mut objects, mut rows) = (0_usize, 0_usize);
    let mut columns: Vec<String> = Vec::new();
    let mut known: HashSet<String> = HashSet::new();
    each(&mut |row| {
        rows += 1;
        if let Value::Object(row) = row {
            objects += 1;
            for name in row.keys().filter(|name| !known.contains(*name)).cloned().collect::<Vec<_>>() {
                known.insert(name.clone());
                columns.push(name);
            }
        }
        Ok(())
    })?;
    if objects != 0 && objects != rows {
        return Err(error("some rows are objects and some are not", "make all rows alike"));
    }
    if rows == 0 {
        return Err(error("it has no rows", "put at least one row into it"));
    }
    if objects == 0 {
        let mut builder = TableBuilder::new(vec![VALUE_COLUMN.to_owned()]);
        each(&mut |value| {
            push(&mut builder, Some(&value));
            Ok(())
        })?;
        return Ok(builder.finish());
    }
    if columns.is_empty() {
        return Err(error("its rows have no fields", "write `[{\"email\": \"…\"}, …]`"));
    }
    let mut builder = TableBuilder::new(columns.clone());
    each(&mut |row| {
        columns.iter().for_each(|name| push(&mut builder, row.get(name)));
        Ok(())
    })?;
    Ok(builder.finish())
}

/// Rows that are in memory.
///
/// # Errors
/// As [`table`].
pub(in crate::script) fn json_rows(rows: &[Value]) -> Result<Table, DataError> {
    table(|take| rows.iter().cloned().try_for_each(take))
}

/// Hands over the items of one JSON array.
pub(super) fn array(input: impl Read, take: Take<'_>) -> Result<(), DataError> {
    let mut failed = None;
    let mut reader = serde_json::Deserializer::from_reader(BufReader::new(input));
    let read = Rows { take, failed: &mut failed }.deserialize(&mut reader).and_then(|()| reader.end());
    match (failed, read) {
        (Some(error), _) => Err(error),
        (None, Ok(())) => Ok(()),
        (None, Err(wrong)) if wrong.is_data() => Err(error("it is not an array", "write `[{\"email\": \"…\"}, …]`")),
        (None, Err(wrong)) => Err(error(wrong.to_string(), "the file must be valid JSON")),
    }
}

/// Hands over the value of each line.
pub(super) fn lines(input: impl BufRead, take: Take<'_>) -> Result<(), DataError> {
    for (index, line) in input.split(b'\n').enumerate() {
        let line = line.map_err(|wrong| error(wrong.to_string().to_lowercase(), "check the file"))?;
        if line.trim_ascii().is_empty() {
            continue;
        }
        let value = serde_json::from_slice(&line)
            .map_err(|wrong| error(format!("line {} is not JSON: {wrong}", index + 1), "write one value a line"))?;
        take(value)?;
    }
    Ok(())
}

struct Rows<'a, 'b> {
    take: Take<'a>,
    failed: &'b mut Option<DataError>,
}

impl<'de> DeserializeSeed<'de> for Rows<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Rows<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while let Some(item) = items.next_element()? {
            if let Err(error) = (self.take)(item) {
                *self.failed = Some(error);
                break;
            }
        }
        Ok(())
    }
}

fn push(builder: &mut TableBuilder, value: Option<&Value>) {
    match value {
        None | Some(Value::Null) => builder.push(Cell::Nothing),
        Some(Value::Bool(yes)) => builder.push(Cell::Bool(*yes)),
        Some(Value::String(text)) => builder.push(Cell::Text(text)),
        Some(Value::Number(number)) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => builder.push(Cell::Int(whole)),
            (None, Some(float)) => builder.push(Cell::Float(float)),
            (None, None) => builder.push(Cell::Json(&number.to_string())),
        },
        Some(nested) => builder.push(Cell::Json(&nested.to_string())),
    }
}
