//! Tables: one column gives way, and columns that matter less are left out where it is narrow.

use unicode_width::UnicodeWidthStr;

use super::{
    Page,
    paint::Tone,
    text::{clean, fit, fit_middle},
};

/// Between two columns.
const GAP: usize = 2;
/// The first column gets at least that many columns before another is left out.
const NAME_MIN: usize = 12;

/// A column behind the first.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    pub(super) title: &'static str,
    pub(super) right: bool,
    /// The highest is left out first.
    pub(super) rank: u8,
}

/// A cell's text, and how it is shown.
pub(super) type Cell = (String, Tone);

/// A table in the making: the first cell of each row is its name, which is cut where the table is too wide.
#[derive(Debug)]
pub(super) struct Table {
    name: &'static str,
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

pub(super) fn plain(text: impl Into<String>) -> Cell {
    (text.into(), Tone::Plain)
}

impl Table {
    pub(super) fn new(name: &'static str, columns: &[Column]) -> Self {
        Self { name, columns: columns.to_vec(), rows: Vec::new() }
    }

    /// A row: its name with its indent, and a cell for each column.
    pub(super) fn row(&mut self, indent: usize, name: &str, tone: Tone, cells: Vec<Cell>) {
        debug_assert_eq!(cells.len(), self.columns.len());
        let name = format!("{}{}", " ".repeat(indent), clean(name));
        self.rows.push(std::iter::once((name, tone)).chain(cells).collect());
    }

    /// Writes it, indented by `indent`.
    pub(super) fn write(mut self, page: &mut Page, indent: usize) {
        let room = page.width.saturating_sub(indent);
        let widths = self.fit_into(room);
        let titles = std::iter::once((self.name.to_owned(), Tone::Dim))
            .chain(self.columns.iter().map(|column| (column.title.to_owned(), Tone::Dim)))
            .collect();
        for row in std::iter::once(&titles).chain(&self.rows) {
            let mut line = " ".repeat(indent);
            let mut pending = 0;
            for (at, (text, tone)) in row.iter().enumerate() {
                let right = at > 0 && self.columns[at - 1].right;
                let text = if at == 0 { fit_middle(text, widths[at]) } else { fit(text, widths[at]) };
                let padding = widths[at] - text.width();
                let (before, after) = if right { (padding, 0) } else { (0, padding) };
                // Spaces are written when something follows them, so that no line ends in any.
                if text.is_empty() {
                    pending += padding;
                } else {
                    line.push_str(&" ".repeat(pending + before));
                    line.push_str(&page.paint.tone(*tone, &text));
                    pending = after;
                }
                pending += GAP;
            }
            page.line(line.trim_end().to_owned());
        }
    }

    /// Leaves out columns until the rest fits with a name of some length, and gives each its width.
    fn fit_into(&mut self, room: usize) -> Vec<usize> {
        loop {
            let mut widths: Vec<usize> = std::iter::once(self.name.width())
                .chain(self.columns.iter().map(|column| column.title.width()))
                .collect();
            for row in &self.rows {
                widths.iter_mut().zip(row).for_each(|(width, (text, _))| *width = (*width).max(text.width()));
            }
            let others: usize = widths[1..].iter().map(|width| width + GAP).sum();
            let name = widths[0].min(NAME_MIN);
            let least = self.columns.iter().map(|column| column.rank).max();
            match least {
                Some(rank) if others + name > room => {
                    let keep: Vec<bool> = self.columns.iter().map(|column| column.rank < rank).collect();
                    let mut kept = keep.iter();
                    self.columns.retain(|_| *kept.next().unwrap_or(&true));
                    for row in &mut self.rows {
                        let mut kept = std::iter::once(&true).chain(&keep);
                        row.retain(|_| *kept.next().unwrap_or(&true));
                    }
                }
                _ => {
                    widths[0] = widths[0].min(room.saturating_sub(others));
                    return widths;
                }
            }
        }
    }
}
