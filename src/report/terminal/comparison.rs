//! A comparison for a terminal.

use super::{
    Page, Paint, Tone, WIDTH_MIN,
    table::{Cell, Column, Table, plain},
    text::clean,
};
use crate::{
    judge::{Change, Compared, ExitCode, Unit},
    measure::Kind,
    report::{ComparedRun, Comparison},
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
    let mut page = Page { lines: Vec::new(), width: width.max(WIDTH_MIN), paint: Paint { color } };
    let same = comparison.figures.len() - comparison.regressions - comparison.improvements - comparison.inconclusive;
    let (word, tone) = match comparison.exit_code {
        code if code == ExitCode::Invalid.code() => ("INVALID", Tone::Bad),
        code if code == ExitCode::Regression.code() => ("REGRESSION", Tone::Bad),
        _ => ("NO REGRESSION", Tone::Good),
    };
    page.prose(
        0,
        tone,
        &format!(
            "{word}  {} worse · {} better · {same} the same · {} cannot be told · exit {}",
            comparison.regressions, comparison.improvements, comparison.inconclusive, comparison.exit_code
        ),
    );
    for (side, runs) in [("A", &comparison.a), ("B", &comparison.b)] {
        page.prose(0, Tone::Plain, &format!("{side}: {}", side_text(runs)));
    }
    for note in &comparison.notes {
        page.prose(0, Tone::Warning, &format!("! {}", clean(note)));
    }
    for of_phase in comparison.figures.chunk_by(|a, b| a.phase == b.phase) {
        page.blank();
        page.prose(0, Tone::Bold, &clean(&of_phase[0].phase));
        let mut table = Table::new("ROW", &COLUMNS);
        let mut last = None;
        for figure in of_phase {
            let row = (figure.kind, &figure.name, &figure.class);
            let name = if last.replace(row) == Some(row) { String::new() } else { name(figure) };
            table.row(usize::from(figure.class.is_some()) * 2, &name, Tone::Plain, cells(figure));
        }
        table.write(&mut page, 2);
    }
    advice(&mut page, comparison);
    let mut text = page.lines.join("\n");
    text.push('\n');
    text
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

fn name(figure: &Compared) -> String {
    match (&figure.class, figure.kind) {
        (Some(class), _) => class.clone(),
        (None, Kind::Flow) => format!("flow {}", figure.name),
        (None, Kind::Group) => format!("group {}", figure.name),
        (None, Kind::Request | Kind::Hop) => figure.name.clone(),
    }
}

fn cells(figure: &Compared) -> Vec<Cell> {
    let value = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| figure.unit.text(value));
    // Shares differ by percentage points, everything else by a part of the baseline.
    let points = if figure.unit == Unit::Share { "pp" } else { "%" };
    let change = |value: f64| format!("{:+.1}{points}", value * 100.0);
    let interval = match (figure.low, figure.high) {
        (Some(low), Some(high)) => format!("{}…{}", change(low), change(high)),
        _ => String::new(),
    };
    let (mark, tone) = match figure.verdict {
        Change::Regression => ("✗", Tone::Bad),
        Change::Improved => ("✓", Tone::Good),
        Change::Same => ("=", Tone::Plain),
        Change::Inconclusive => ("?", Tone::Dim),
    };
    vec![
        plain(figure.quantity),
        plain(value(figure.a)),
        plain(value(figure.b)),
        plain(figure.change.map_or_else(|| "–".to_owned(), change)),
        plain(interval),
        (format!("{mark} {}", figure.verdict.word()), tone),
    ]
}

/// What would tell more.
fn advice(page: &mut Page, comparison: &Comparison) {
    let open = || comparison.figures.iter().filter(|figure| figure.verdict == Change::Inconclusive);
    let needed = open().filter_map(|figure| figure.runs_needed).max();
    let mut reasons: Vec<&str> = open().filter_map(|figure| figure.why.as_deref()).collect();
    reasons.sort_unstable();
    reasons.dedup();
    if needed.is_some() || !reasons.is_empty() {
        page.blank();
    }
    if let Some(runs) = needed {
        page.prose(0, Tone::Plain, &format!("? about {runs} runs on each side would tell what these cannot"));
    }
    for reason in reasons {
        page.prose(0, Tone::Plain, &format!("– {}", clean(reason)));
    }
}
