//! A value a line, as text: keys of an access log, for example.

use std::io::BufRead;

use super::{DataError, VALUE_COLUMN, error, unreadable};
use crate::plan::{Table, TableBuilder};

/// Reads a table of one column; `bytes` is about how long the file is. Space around values and empty lines are left out.
///
/// # Errors
/// The file cannot be read, or is not text.
pub(super) fn parse(mut input: impl BufRead, bytes: u64) -> Result<Table, DataError> {
    let capacity = usize::try_from(bytes).unwrap_or(0).saturating_add(1);
    let mut builder = TableBuilder::with_capacity(vec![VALUE_COLUMN.to_owned()], capacity);
    let (mut line, mut number) = (Vec::new(), 0_u64);
    loop {
        line.clear();
        number += 1;
        if input.read_until(b'\n', &mut line).map_err(unreadable)? == 0 {
            return Ok(builder.finish());
        }
        let text = std::str::from_utf8(&line)
            .map_err(|_| error(format!("line {number} is not UTF-8 text"), "save the file as UTF-8"))?
            .trim();
        if !text.is_empty() {
            builder.push_text(text);
        }
    }
}
