//! The comparison with a baseline, in a comment: what changed at once, all figures folded away.

use std::fmt::Write;

use super::text;
use crate::{
    judge::{Change, Compared},
    report::{
        Comparison,
        words::{change_mark, compared, compared_name},
    },
};

/// Figures that the comment has room for.
const FIGURES_MAX: usize = 150;

/// The part of the comment about the baseline.
pub(super) fn section(page: &mut String, comparison: &Comparison) {
    let sign = match comparison.word() {
        "NO REGRESSION" => "✓",
        _ => "✗",
    };
    let files: Vec<String> = comparison.a.iter().map(|run| text(&run.file)).collect();
    let against = match &files[..] {
        [one] => one.clone(),
        many => format!("{} runs", many.len()),
    };
    let _ = writeln!(page, "**{sign} {}** against {against}: {}\n", comparison.word(), comparison.counts());
    let changed = |figure: &&Compared| matches!(figure.verdict, Change::Regression | Change::Improved);
    let changed: Vec<&Compared> = comparison.figures.iter().filter(changed).collect();
    if !changed.is_empty() {
        table(page, &changed);
    }
    for note in &comparison.notes {
        let _ = writeln!(page, "> {}\n", text(note));
    }
    if changed.len() == comparison.figures.len() {
        return;
    }
    let all: Vec<&Compared> = comparison.figures.iter().collect();
    let _ = writeln!(page, "<details><summary>All {} figures that were compared</summary>\n", all.len());
    table(page, &all);
    if let Some(runs) = comparison.runs_needed {
        let _ = writeln!(page, "About {runs} runs on each side would tell what these cannot.\n");
    }
    for reason in comparison.reasons() {
        let _ = writeln!(page, "- cannot be told: {}", text(reason));
    }
    page.push_str("\n</details>\n\n");
}

fn table(page: &mut String, figures: &[&Compared]) {
    page.push_str("| | phase | row | | baseline | now | change | 95 % interval |\n|---|---|---|---|--:|--:|--:|---|\n");
    for figure in figures.iter().take(FIGURES_MAX) {
        let told = compared(figure);
        let name = compared_name(figure);
        let name = if figure.class.is_some() { format!("↳ {}", text(&name)) } else { text(&name) };
        let _ = writeln!(
            page,
            "| {} {} | {} | {name} | {} | {} | {} | {} | {} |",
            change_mark(figure.verdict),
            figure.verdict.word(),
            text(&figure.phase),
            figure.quantity,
            told.a,
            told.b,
            told.change,
            told.interval,
        );
    }
    page.push('\n');
    if figures.len() > FIGURES_MAX {
        let _ =
            writeln!(page, "{} figures are left out: the comment would be too long.\n", figures.len() - FIGURES_MAX);
    }
}
