//! Comma-separated values, read row by row: at no time is there more in memory than the table itself.

use std::io::BufRead;

use super::{DataError, error};
use crate::plan::{Table, TableBuilder};

/// How a CSV file is written.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CsvOptions {
    /// Stands between values; ASCII.
    pub delimiter: u8,
    /// Stands around values that hold a delimiter or a line break; ASCII.
    pub quote: u8,
    /// The first line names the columns. Without it they are `c1`, `c2` … unless they are named here.
    pub header: bool,
    /// Names of the columns, instead of those in the file.
    pub columns: Option<Vec<String>>,
    /// Lines that start with it are left out.
    pub comment: Option<u8>,
    /// Spaces around values are left out.
    pub trim: bool,
}

impl Default for CsvOptions {
    fn default() -> Self {
        Self { delimiter: b',', quote: b'"', header: true, columns: None, comment: None, trim: false }
    }
}

const NAMES_HELP: &str = "the first line names the columns, such as `email,name`; without such a line write \
                          `csv(path, #{ header: false })`";

/// Reads a table; `bytes` is about how long the file is.
///
/// # Errors
/// The file is not text, not CSV, empty, or its rows differ in length.
pub(super) fn parse(mut input: impl BufRead, bytes: u64, options: &CsvOptions) -> Result<Table, DataError> {
    skip_mark(&mut input)?;
    let mut reader = csv::ReaderBuilder::new()
        // Ragged rows are reported below, with the line and both numbers.
        .flexible(true)
        .has_headers(options.header)
        .delimiter(options.delimiter)
        .quote(options.quote)
        .comment(options.comment)
        .trim(if options.trim { csv::Trim::All } else { csv::Trim::None })
        .from_reader(input);
    let broken = |wrong: csv::Error| error(wrong.to_string(), "quote values that hold commas or quotes");
    let mut record = csv::ByteRecord::new();
    let mut has_row = false;
    let names = if options.header {
        reader.byte_headers().map_err(broken)?.clone()
    } else {
        has_row = reader.read_byte_record(&mut record).map_err(broken)?;
        record.clone()
    };
    if names.is_empty() || (names.len() == 1 && names[0].trim_ascii().is_empty()) {
        return Err(error("it is empty", if options.header { NAMES_HELP } else { "put at least one row into it" }));
    }
    let columns = columns(&names, options)?;
    let width = columns.len();
    let capacity = usize::try_from(bytes).unwrap_or(0).saturating_add(1);
    let mut builder = TableBuilder::with_capacity(columns, capacity);
    while has_row || reader.read_byte_record(&mut record).map_err(broken)? {
        has_row = false;
        let line = record.position().map_or(0, csv::Position::line);
        if record.len() != width {
            let one_delimiter = width == 1 && [";", "\t"].iter().any(|other| names[0].contains(&other.as_bytes()[0]));
            let help = if one_delimiter {
                "give the delimiter of the file: `csv(path, #{ delimiter: \";\" })`"
            } else {
                "a value with a comma in it needs quotes: \"a, b\""
            };
            return Err(error(
                format!("line {line} has {} values, but the first line names {width} columns", record.len()),
                help,
            ));
        }
        for value in &record {
            builder.push_text(std::str::from_utf8(value).map_err(|_| not_text(line))?);
        }
    }
    Ok(builder.finish())
}

/// Takes a byte order mark away; one of UTF-16 tells that the file cannot be read.
fn skip_mark(input: &mut impl BufRead) -> Result<(), DataError> {
    let start = input.fill_buf().map_err(|wrong| error(wrong.to_string().to_lowercase(), "check the file"))?;
    if start.starts_with(b"\xff\xfe") || start.starts_with(b"\xfe\xff") {
        return Err(error("it is UTF-16 text", "save the file as UTF-8"));
    }
    if start.starts_with(b"\xef\xbb\xbf") {
        input.consume(3);
    }
    Ok(())
}

fn not_text(line: u64) -> DataError {
    error(format!("line {line} is not UTF-8 text"), "save the file as UTF-8")
}

/// The columns' names, checked.
fn columns(names: &csv::ByteRecord, options: &CsvOptions) -> Result<Vec<String>, DataError> {
    let columns = match &options.columns {
        Some(given) if given.len() != names.len() => {
            return Err(error(
                format!("it has {} columns, but {} names were given", names.len(), given.len()),
                "name each column in `columns: [\"email\", \"name\"]`",
            ));
        }
        Some(given) => given.clone(),
        None if options.header => names
            .iter()
            .map(|name| std::str::from_utf8(name).map(|name| name.trim().to_owned()).map_err(|_| not_text(1)))
            .collect::<Result<_, _>>()?,
        None => (1..=names.len()).map(|number| format!("c{number}")).collect(),
    };
    if let Some(position) = columns.iter().position(String::is_empty) {
        return Err(error(format!("column {} has no name", position + 1), NAMES_HELP));
    }
    if let Some(twice) = columns.iter().enumerate().find(|(index, name)| columns[..*index].contains(name)) {
        return Err(error(format!("two columns are named `{}`", twice.1), "give each column a name of its own"));
    }
    Ok(columns)
}
