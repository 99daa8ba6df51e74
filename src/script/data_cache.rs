//! Data files, read and parsed once for all workers of a process.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use crate::plan::{Cell, Table, TableBuilder};

/// Larger files belong into a database, in bytes.
const FILE_BYTES_MAX: u64 = 2 << 30;

/// The tables of files read so far, by path and format.
#[derive(Debug, Default)]
pub struct DataCache(Mutex<Tables>);

type Tables = HashMap<(PathBuf, Format), Result<Arc<Table>, DataError>>;

/// How a data file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// Comma-separated values with a head line.
    Csv,
    /// One JSON array.
    Json,
    /// One JSON value a line.
    JsonLines,
}

/// Why a data file cannot be used: fits after "failed to read `…`: ".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataError {
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: String,
}

fn error(message: impl Into<String>, help: impl Into<String>) -> DataError {
    DataError { message: message.into(), help: help.into() }
}

impl DataCache {
    /// The table in that file; `path` is canonical.
    ///
    /// # Errors
    /// The file cannot be read, is too large, is empty, or is not of its format.
    pub fn table(&self, path: &Path, format: Format) -> Result<Arc<Table>, DataError> {
        // The lock is held while parsing: a second worker waits for the first's table instead of making its own.
        let mut tables = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tables
            .entry((path.to_owned(), format))
            .or_insert_with(|| {
                let text = read(path)?;
                let table = match format {
                    Format::Csv => parse_csv(&text),
                    Format::Json => parse_json(&text),
                    Format::JsonLines => parse_json_lines(&text),
                }?;
                if table.rows() == 0 {
                    return Err(error("it has no rows", "put at least one row into it"));
                }
                Ok(Arc::new(table))
            })
            .clone()
    }
}

fn read(path: &Path) -> Result<String, DataError> {
    let unreadable = |why: std::io::Error| error(why.to_string().to_lowercase(), "check the path and its permissions");
    let size = std::fs::metadata(path).map_err(unreadable)?.len();
    if size > FILE_BYTES_MAX {
        return Err(error("it is larger than 2 GiB", "split it, or take a sample of it"));
    }
    let bytes = std::fs::read(path).map_err(unreadable)?;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.to_owned()),
        Err(wrong) => {
            let line = bytes[..wrong.valid_up_to()].iter().filter(|&&byte| byte == b'\n').count() + 1;
            Err(error(format!("line {line} is not UTF-8 text"), "save the file as UTF-8"))
        }
    }
}

fn parse_csv(text: &str) -> Result<Table, DataError> {
    if text.trim().is_empty() {
        return Err(error("it is empty", "the first line names the columns, such as `email,name`"));
    }
    // Ragged rows are reported below, with the line and both numbers.
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
    let broken = |wrong: csv::Error| error(wrong.to_string(), "quote values that hold commas or quotes");
    let columns: Vec<String> = reader.headers().map_err(broken)?.iter().map(|name| name.trim().to_owned()).collect();
    if let Some(position) = columns.iter().position(String::is_empty) {
        return Err(error(format!("column {} has no name", position + 1), "the first line names the columns"));
    }
    if let Some(twice) = columns.iter().enumerate().find(|(index, name)| columns[..*index].contains(name)) {
        return Err(error(format!("two columns are named `{}`", twice.1), "give each column a name of its own"));
    }
    let width = columns.len();
    let mut builder = TableBuilder::new(columns);
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record).map_err(broken)? {
        if record.len() != width {
            let line = record.position().map_or(0, csv::Position::line);
            return Err(error(
                format!("line {line} has {} values, but the first line names {width} columns", record.len()),
                "a value with a comma in it needs quotes: \"a, b\"",
            ));
        }
        record.iter().for_each(|value| builder.push_text(value));
    }
    Ok(builder.finish())
}

fn parse_json(text: &str) -> Result<Table, DataError> {
    let value: serde_json::Value =
        serde_json::from_str(text).map_err(|wrong| error(wrong.to_string(), "the file must be valid JSON"))?;
    match value {
        serde_json::Value::Array(rows) => json_rows(&rows),
        _ => Err(error("it is not an array", "write `[{\"email\": \"…\"}, …]`")),
    }
}

fn parse_json_lines(text: &str) -> Result<Table, DataError> {
    let rows = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(index, line)| {
            serde_json::from_str(line)
                .map_err(|wrong| error(format!("line {} is not JSON: {wrong}", index + 1), "write one value a line"))
        })
        .collect::<Result<Vec<serde_json::Value>, _>>()?;
    json_rows(&rows)
}

/// Rows from JSON: objects become columns, anything else the one column `value`.
///
/// # Errors
/// Objects and other values mixed, or no rows.
pub(super) fn json_rows(rows: &[serde_json::Value]) -> Result<Table, DataError> {
    let objects = rows.iter().filter(|row| row.is_object()).count();
    if objects != 0 && objects != rows.len() {
        return Err(error("some rows are objects and some are not", "make all rows alike"));
    }
    if rows.is_empty() {
        return Err(error("it has no rows", "put at least one row into it"));
    }
    if objects == 0 {
        let mut builder = TableBuilder::new(vec![VALUE_COLUMN.to_owned()]);
        rows.iter().for_each(|value| push(&mut builder, Some(value)));
        return Ok(builder.finish());
    }
    let mut columns: Vec<String> = Vec::new();
    let mut known = std::collections::HashSet::new();
    for name in rows.iter().filter_map(serde_json::Value::as_object).flat_map(|row| row.keys()) {
        if known.insert(name) {
            columns.push(name.clone());
        }
    }
    if columns.is_empty() {
        return Err(error("its rows have no fields", "write `[{\"email\": \"…\"}, …]`"));
    }
    let mut builder = TableBuilder::new(columns.clone());
    for row in rows {
        columns.iter().for_each(|name| push(&mut builder, row.get(name)));
    }
    Ok(builder.finish())
}

/// The column of a list of plain values.
pub(super) const VALUE_COLUMN: &str = "value";

fn push(builder: &mut TableBuilder, value: Option<&serde_json::Value>) {
    use serde_json::Value;
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn csv_is_read_with_quotes_and_byte_order_mark() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.csv");
        std::fs::write(&path, b"\xef\xbb\xbfemail,name\r\na@x,\"Smith, \"\"Al\"\"\"\r\nb@x,B\r\n").expect("written");
        let cache = DataCache::default();
        let table = cache.table(&path, Format::Csv).expect("a table");
        assert_eq!(table.columns(), ["email", "name"]);
        assert_eq!((table.rows(), table.text(0, 1), table.text(1, 0)), (2, "Smith, \"Al\"", "b@x"));
        // Parsed once: the second caller gets the same table.
        assert!(Arc::ptr_eq(&table, &cache.table(&path, Format::Csv).expect("a table")));
    }

    #[test]
    fn a_bad_file_is_refused_with_its_line() {
        for (text, part) in [
            ("", "is empty"),
            ("a,a\n1,2\n", "two columns are named `a`"),
            ("a,\n1,2\n", "column 2 has no name"),
            ("a,b\n1,2\n1,2,3\n", "line 3 has 3 values"),
        ] {
            let message = parse_csv(text).expect_err(part).message;
            assert!(message.contains(part), "{message}");
        }
        assert!(parse_json("{}").expect_err("no array").message.contains("not an array"));
        assert!(parse_json("[1, {}]").expect_err("mixed").message.contains("some are not"));
        assert!(parse_json_lines("1\n{\n").expect_err("broken").message.starts_with("line 2"));
    }

    #[test]
    fn json_objects_become_columns_and_keep_their_kinds() {
        let table = parse_json(r#"[{"id": 1, "tags": ["a"]}, {"id": 2, "name": "x"}]"#).expect("a table");
        assert_eq!(table.columns(), ["id", "tags", "name"]);
        assert_eq!(table.cell(0, 0), Cell::Int(1));
        assert_eq!(table.cell(0, 1), Cell::Json("[\"a\"]"));
        assert_eq!(table.cell(0, 2), Cell::Nothing);
        assert_eq!(table.cell(1, 2), Cell::Text("x"));
    }

    proptest! {
        #[test]
        fn no_text_makes_a_reader_panic(text in ".{0,64}") {
            let _ = (parse_csv(&text), parse_json(&text), parse_json_lines(&text));
        }

        #[test]
        fn csv_rows_survive(rows in prop::collection::vec(("[ -~]{1,8}", "[ -~]{0,8}"), 1..8)) {
            let mut writer = csv::Writer::from_writer(Vec::new());
            writer.write_record(["a", "b"]).expect("memory");
            for (a, b) in &rows {
                writer.write_record([a, b]).expect("memory");
            }
            let text = String::from_utf8(writer.into_inner().expect("memory")).expect("text");
            let table = parse_csv(&text).expect("a table");
            prop_assert_eq!(table.rows(), rows.len());
            for (index, (a, b)) in rows.iter().enumerate() {
                prop_assert_eq!((table.text(index, 0), table.text(index, 1)), (a.as_str(), b.as_str()));
            }
        }
    }
}
