//! A comparison for a terminal.

use super::{
    Page, Tone,
    table::{Cell, Column, Table, plain},
    text::clean,
};
use crate::{
    judge::{Change, Compared},
    report::{AbTest, ComparedRun, Comparison, words},
};

const COLUMNS: [Column; 6] = [
    Column { title: "", right: false, rank: 0 },
    Column { title: "A", right: true, rank: 3 },
    Column { title: "B", right: true, rank: 2 },
    Column { title: "CHANGE", right: true, rank: 1 },
    Column { title: "95% INTERVAL", right: false, rank: 4 },
    Column { title: "VERDICT", right: false, rank: 0 },
];

/// Renders a comparison; no line is wider than `width` columns (at least 20).
pub fn comparison(comparison: &Comparison, width: usize, color: bool) -> String {
    let mut page = Page::new(width, color);
    page.prose(0, tone(comparison), &headline(comparison, true));
    sides(&mut page, comparison, 0);
    figures(&mut page, comparison, "");
    advice(&mut page, comparison, "runs on each side");
    let mut text = page.lines.join("\n");
    text.push('\n');
    text
}

/// Renders two targets that took turns.
pub fn ab(test: &AbTest, width: usize, color: bool) -> String {
    let mut page = Page::new(width, color);
    let comparison = &test.comparison;
    page.prose(0, tone(comparison), &headline(comparison, true));
    page.prose(0, Tone::Plain, &test.about());
    sides(&mut page, comparison, 0);
    figures(&mut page, comparison, "");
    advice(&mut page, comparison, "pairs of blocks");
    let mut text = page.lines.join("\n");
    text.push('\n');
    text
}

/// The comparison as a part of a run's report.
pub(super) fn section(page: &mut Page, comparison: &Comparison) {
    page.blank();
    page.prose(0, Tone::Bold, "against the baseline");
    page.prose(2, tone(comparison), &headline(comparison, false));
    sides(page, comparison, 2);
    figures(page, comparison, " against the baseline");
    advice(page, comparison, "runs on each side");
}

fn tone(comparison: &Comparison) -> Tone {
    match comparison.word() {
        "NO REGRESSION" => Tone::Good,
        _ => Tone::Bad,
    }
}

fn headline(comparison: &Comparison, with_exit: bool) -> String {
    let exit = if with_exit { format!(" · exit {}", comparison.exit_code) } else { String::new() };
    format!("{}  {}{exit}", comparison.word(), comparison.counts())
}

fn sides(page: &mut Page, comparison: &Comparison, indent: usize) {
    for (side, runs) in [("A", &comparison.a), ("B", &comparison.b)] {
        page.prose(indent, Tone::Plain, &format!("{side}: {}", side_text(runs)));
    }
    for note in &comparison.notes {
        page.prose(indent, Tone::Warning, &format!("! {}", clean(note)));
    }
}

fn figures(page: &mut Page, comparison: &Comparison, suffix: &str) {
    for of_phase in comparison.figures.chunk_by(|a, b| a.phase == b.phase) {
        page.blank();
        page.prose(0, Tone::Bold, &format!("{}{suffix}", clean(&of_phase[0].phase)));
        let mut table = Table::new("ROW", &COLUMNS);
        let mut last = None;
        for figure in of_phase {
            let row = (figure.kind, &figure.name, &figure.class);
            let name = if last.replace(row) == Some(row) { String::new() } else { words::compared_name(figure) };
            table.row(usize::from(figure.class.is_some()) * 2, &name, Tone::Plain, cells(figure));
        }
        table.write(page, 2);
    }
}

fn side_text(runs: &[ComparedRun]) -> String {
    match runs {
        [one] => format!("{}, {}, seed {}", clean(&one.file), one.started_at, one.seed),
        many => {
            let files: Vec<String> = many.iter().map(|run| clean(&run.file)).collect();
            format!("{} runs: {}", many.len(), files.join(", "))
        }
    }
}

fn cells(figure: &Compared) -> Vec<Cell> {
    let told = words::compared(figure);
    let tone = match figure.verdict {
        Change::Regression => Tone::Bad,
        Change::Improved => Tone::Good,
        Change::Same => Tone::Plain,
        Change::Inconclusive => Tone::Dim,
    };
    let mark = words::change_mark(figure.verdict);
    vec![
        plain(figure.quantity.clone()),
        plain(told.a),
        plain(told.b),
        plain(told.change),
        plain(told.interval),
        (format!("{mark} {}", figure.verdict.word()), tone),
    ]
}

/// What would tell more.
fn advice(page: &mut Page, comparison: &Comparison, repeats: &str) {
    let reasons = comparison.reasons();
    if comparison.runs_needed.is_some() || !reasons.is_empty() {
        page.blank();
    }
    if let Some(runs) = comparison.runs_needed {
        page.prose(0, Tone::Plain, &format!("? about {runs} {repeats} would tell what these cannot"));
    }
    for reason in reasons {
        page.prose(0, Tone::Plain, &format!("– {}", clean(reason)));
    }
}
