//! Rows of a data set, kept compactly: one text for all cells, shared by the workers of a process.

use super::Value;

/// An immutable table of rows with named columns.
#[derive(Debug, PartialEq, Eq)]
pub struct Table {
    columns: Vec<String>,
    /// All cells one after the other, row by row, as they are written into a text.
    text: String,
    /// Where each cell ends in `text`.
    ends: Vec<usize>,
    /// What each cell is; empty when all are text, as in a CSV file.
    kinds: Vec<Kind>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Int,
    Float,
    Bool,
    Nothing,
    Json,
}

/// A cell of a [`Table`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cell<'a> {
    /// Text.
    Text(&'a str),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// True or false.
    Bool(bool),
    /// The row has no value here, or `null`.
    Nothing,
    /// An array or object, as JSON.
    Json(&'a str),
}

impl Table {
    /// The columns' names, in order.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The number of that column.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column == name)
    }

    /// How many rows.
    pub fn rows(&self) -> usize {
        self.ends.len().checked_div(self.columns.len()).unwrap_or(0)
    }

    /// The cell as text, the way it is put into a request.
    pub fn text(&self, row: usize, column: usize) -> &str {
        let cell = row * self.columns.len() + column;
        let start = if cell == 0 { 0 } else { self.ends[cell - 1] };
        &self.text[start..self.ends[cell]]
    }

    /// The cell as the value it was in its file.
    ///
    /// # Panics
    /// If there is no such row or column.
    pub fn cell(&self, row: usize, column: usize) -> Cell<'_> {
        let text = self.text(row, column);
        match self.kinds.get(row * self.columns.len() + column) {
            None | Some(Kind::Text) => Cell::Text(text),
            Some(Kind::Int) => text.parse().map_or(Cell::Text(text), Cell::Int),
            Some(Kind::Float) => text.parse().map_or(Cell::Text(text), Cell::Float),
            Some(Kind::Bool) => Cell::Bool(text == "true"),
            Some(Kind::Nothing) => Cell::Nothing,
            Some(Kind::Json) => Cell::Json(text),
        }
    }

    /// SHA-256 of columns and cells: 64 hexadecimal digits.
    pub fn content_hash(&self) -> String {
        use sha2::{Digest, Sha256};
        let mut hash = Sha256::new();
        for column in &self.columns {
            hash.update(column.as_bytes());
            hash.update([0]);
        }
        for end in &self.ends {
            hash.update((*end as u64).to_le_bytes());
        }
        for kind in &self.kinds {
            hash.update([*kind as u8]);
        }
        hash.update(self.text.as_bytes());
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Collects the cells of a [`Table`], row by row.
#[derive(Debug)]
pub struct TableBuilder(Table);

impl TableBuilder {
    /// A table with these columns and no rows.
    pub fn new(columns: Vec<String>) -> Self {
        Self(Table { columns, text: String::new(), ends: Vec::new(), kinds: Vec::new() })
    }

    /// The next cell of a table of texts only. Do not mix with [`Self::push`].
    pub fn push_text(&mut self, text: &str) {
        self.0.text.push_str(text);
        self.0.ends.push(self.0.text.len());
    }

    /// The next cell.
    pub fn push(&mut self, cell: Cell<'_>) {
        use std::fmt::Write;
        // Writing into a String cannot fail.
        let (kind, _) = match cell {
            Cell::Text(text) => (Kind::Text, self.0.text.write_str(text)),
            Cell::Int(number) => (Kind::Int, write!(self.0.text, "{number}")),
            Cell::Float(number) => (Kind::Float, write!(self.0.text, "{number}")),
            Cell::Bool(yes) => (Kind::Bool, write!(self.0.text, "{yes}")),
            Cell::Nothing => (Kind::Nothing, Ok(())),
            Cell::Json(text) => (Kind::Json, self.0.text.write_str(text)),
        };
        self.0.kinds.push(kind);
        self.0.ends.push(self.0.text.len());
    }

    /// The finished table.
    ///
    /// # Panics
    /// If the last row is not whole.
    pub fn finish(self) -> Table {
        assert!(self.0.ends.len().is_multiple_of(self.0.columns.len().max(1)), "the last row is not whole");
        self.0
    }
}

impl From<Cell<'_>> for Value {
    fn from(cell: Cell<'_>) -> Self {
        match cell {
            Cell::Text(text) | Cell::Json(text) => Self::Text(text.to_owned()),
            Cell::Int(number) => Self::Int(number),
            Cell::Float(number) => Self::Float(number),
            Cell::Bool(yes) => Self::Bool(yes),
            Cell::Nothing => Self::Text(String::new()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_keep_their_kind_and_place() {
        let mut builder = TableBuilder::new(vec!["a".into(), "b".into()]);
        for cell in [Cell::Int(-7), Cell::Text("x"), Cell::Nothing, Cell::Float(1.5)] {
            builder.push(cell);
        }
        let table = builder.finish();
        assert_eq!((table.rows(), table.column("b"), table.column("c")), (2, Some(1), None));
        assert_eq!(table.cell(0, 0), Cell::Int(-7));
        assert_eq!(table.cell(0, 1), Cell::Text("x"));
        assert_eq!(table.cell(1, 0), Cell::Nothing);
        assert_eq!(table.cell(1, 1), Cell::Float(1.5));
    }

    #[test]
    fn the_hash_tells_cells_apart_that_join_to_the_same_text() {
        let table = |cells: [&str; 2]| {
            let mut builder = TableBuilder::new(vec!["a".into(), "b".into()]);
            cells.iter().for_each(|cell| builder.push_text(cell));
            builder.finish()
        };
        assert_ne!(table(["ab", "c"]).content_hash(), table(["a", "bc"]).content_hash());
        assert_eq!(table(["ab", "c"]).content_hash(), table(["ab", "c"]).content_hash());
    }
}
