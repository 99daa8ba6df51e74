//! Rows of a data set, kept compactly: one text for all cells, shared by the workers of a process.

use super::Value;

/// Ends each cell. No text has it: UTF-8 does without this byte.
const END: u8 = 0xff;
/// The start of every so many rows is kept; a row in between is found by counting cells from there. Where each
/// cell starts would take more memory than the cells of many files.
const ROWS_PER_MARK: usize = 8;

/// An immutable table of rows with named columns.
#[derive(Debug, PartialEq, Eq)]
pub struct Table {
    columns: Vec<String>,
    rows: usize,
    /// All cells one after the other, row by row, as they are written into a text; [`END`] after each.
    cells: Vec<u8>,
    /// Where the rows 0, 8, 16 … start in `cells`.
    marks: Vec<usize>,
    /// What each cell is; empty when all are text, as in a CSV file.
    kinds: Vec<Kind>,
    hash: String,
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
        self.rows
    }

    /// Memory that the rows take, in bytes.
    pub fn bytes(&self) -> usize {
        self.cells.capacity() + self.marks.capacity() * size_of::<usize>() + self.kinds.capacity()
    }

    /// The cell as text, the way it is put into a request.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn text(&self, row: usize, column: usize) -> &str {
        assert!(row < self.rows && column < self.columns.len(), "there is no cell {column} of row {row}");
        let mut rest = &self.cells[self.marks[row / ROWS_PER_MARK]..];
        let before = (row % ROWS_PER_MARK) * self.columns.len() + column;
        if let Some(last) = before.checked_sub(1) {
            let end = memchr::memchr_iter(END, rest).nth(last).unwrap_or(0);
            rest = &rest[end + 1..];
        }
        let end = memchr::memchr(END, rest).unwrap_or(rest.len());
        // Only text was put in.
        std::str::from_utf8(&rest[..end]).unwrap_or_default()
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
    pub fn content_hash(&self) -> &str {
        &self.hash
    }
}

/// Collects the cells of a [`Table`], row by row.
#[derive(Debug)]
pub struct TableBuilder {
    columns: Vec<String>,
    count: usize,
    cells: Vec<u8>,
    marks: Vec<usize>,
    kinds: Vec<Kind>,
}

impl TableBuilder {
    /// A table with these columns and no rows.
    pub fn new(columns: Vec<String>) -> Self {
        Self::with_capacity(columns, 0)
    }

    /// As [`Self::new`], with room for so many bytes of cells, one more counted for each.
    pub fn with_capacity(columns: Vec<String>, bytes: usize) -> Self {
        Self { columns, count: 0, cells: Vec::with_capacity(bytes), marks: Vec::new(), kinds: Vec::new() }
    }

    /// The next cell of a table of texts only. Do not mix with [`Self::push`].
    pub fn push_text(&mut self, text: &str) {
        self.mark();
        self.cells.extend_from_slice(text.as_bytes());
        self.cells.push(END);
    }

    /// The next cell.
    pub fn push(&mut self, cell: Cell<'_>) {
        use std::io::Write;
        self.mark();
        // Writing into memory cannot fail.
        let (kind, _) = match cell {
            Cell::Text(text) => (Kind::Text, self.cells.write_all(text.as_bytes())),
            Cell::Int(number) => (Kind::Int, write!(self.cells, "{number}")),
            Cell::Float(number) => (Kind::Float, write!(self.cells, "{number}")),
            Cell::Bool(yes) => (Kind::Bool, write!(self.cells, "{yes}")),
            Cell::Nothing => (Kind::Nothing, Ok(())),
            Cell::Json(text) => (Kind::Json, self.cells.write_all(text.as_bytes())),
        };
        self.kinds.push(kind);
        self.cells.push(END);
    }

    /// Notes where every eighth row starts.
    fn mark(&mut self) {
        if self.count.is_multiple_of(self.columns.len().max(1) * ROWS_PER_MARK) {
            self.marks.push(self.cells.len());
        }
        self.count += 1;
    }

    /// The finished table.
    ///
    /// # Panics
    /// If the last row is not whole.
    pub fn finish(mut self) -> Table {
        let width = self.columns.len().max(1);
        assert!(self.count.is_multiple_of(width), "the last row is not whole");
        // A little too much is cheaper than a copy.
        if self.cells.capacity() - self.cells.len() > self.cells.len() / 8 {
            self.cells.shrink_to_fit();
        }
        self.marks.shrink_to_fit();
        self.kinds.shrink_to_fit();
        let hash = self.hash();
        let Self { columns, count, cells, marks, kinds } = self;
        Table { rows: if columns.is_empty() { 0 } else { count / width }, columns, cells, marks, kinds, hash }
    }

    fn hash(&self) -> String {
        use sha2::{Digest, Sha256};
        let mut hash = Sha256::new();
        for column in &self.columns {
            hash.update(column.as_bytes());
            hash.update([0]);
        }
        // Cells end with a byte that is in none of them, so that no two tables join to the same bytes.
        hash.update(&self.cells);
        for kind in &self.kinds {
            hash.update([*kind as u8]);
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
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
    fn every_cell_is_found_between_the_marks() {
        for width in 1..4 {
            let mut builder = TableBuilder::new((0..width).map(|n| format!("c{n}")).collect());
            let text = |row: usize, column: usize| "x".repeat((row * 7 + column * 3) % 11);
            for row in 0..100 {
                (0..width).for_each(|column| builder.push_text(&text(row, column)));
            }
            let table = builder.finish();
            assert_eq!(table.rows(), 100);
            for row in 0..100 {
                (0..width).for_each(|column| assert_eq!(table.text(row, column), text(row, column)));
            }
        }
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
