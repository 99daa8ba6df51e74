//! Two sides beside each other: every figure, its change with interval, and the verdict in colour and word.

use std::fmt::Write;

use minijinja::{Value, context, value::Serde};
use serde::Serialize;

use crate::{
    judge::{Change, Compared, Unit},
    measure::clean_text,
    report::{
        AbTest, ComparedRun, Comparison,
        words::{change_mark, compared, compared_name},
    },
};

const PART: &str = include_str!("comparison.html");
/// Size of an interval's drawing, in its own units.
const WIDTH: f64 = 150.0;
const HEIGHT: f64 = 16.0;
/// Changes beyond that are drawn at the edge.
const REACH_MAX: f64 = 1.0;

/// What a comparison is called, where it is not one of files.
#[derive(Debug, Clone, Copy)]
pub(super) struct Names {
    pub(super) title: &'static str,
    pub(super) sides: [&'static str; 2],
    /// What there could be more of.
    pub(super) repeats: &'static str,
}

impl Names {
    pub(super) const BASELINE: Self =
        Self { title: "Against the baseline", sides: ["baseline", "now"], repeats: "runs on each side" };
    const AB: Self = Self { title: "A/B test", sides: ["A", "B"], repeats: "pairs of blocks" };
    pub(super) const FILES: Self = Self { title: "Comparison", sides: ["A", "B"], repeats: "runs on each side" };
}

#[derive(Debug, Serialize)]
struct RowView {
    name: String,
    is_class: bool,
    phase: String,
    quantity: String,
    a: String,
    a_value: Option<f64>,
    b: String,
    b_value: Option<f64>,
    change: String,
    change_value: Option<f64>,
    interval: String,
    bar: String,
    verdict: &'static str,
    mark: &'static str,
    why: Option<String>,
}

#[derive(Debug, Serialize)]
struct SideView {
    letter: &'static str,
    text: String,
}

/// The part of a page about a comparison.
pub(super) fn part(comparison: &Comparison, names: Names) -> String {
    let reach = reach(comparison);
    let rows: Vec<RowView> = comparison.figures.iter().map(|figure| row(figure, reach, comparison.margin)).collect();
    let [a, b] = names.sides;
    let sides = [(a, &comparison.a), (b, &comparison.b)];
    let sides: Vec<SideView> = sides.map(|(letter, runs)| SideView { letter, text: side(runs) }).into();
    let values = context! {
        title => names.title,
        names => names.sides,
        word => comparison.word(),
        counts => comparison.counts(),
        sides => Value::from(Serde(sides)),
        notes => comparison.notes.iter().map(|note| clean_text(note)).collect::<Vec<_>>(),
        rows => Value::from(Serde(rows)),
        margin => Unit::Share.text(comparison.margin),
        runs_needed => comparison.runs_needed,
        repeats => names.repeats,
    };
    super::filled(PART, values)
}

fn side(runs: &[ComparedRun]) -> String {
    match runs {
        [one] => format!("{}, {}, seed {}, {}", clean_text(&one.file), one.started_at, one.seed, one.verdict.word()),
        many => {
            let files: Vec<String> = many.iter().map(|run| clean_text(&run.file)).collect();
            format!("{} runs: {}", many.len(), files.join(", "))
        }
    }
}

fn row(figure: &Compared, reach: f64, margin: f64) -> RowView {
    let told = compared(figure);
    RowView {
        name: clean_text(&compared_name(figure)),
        is_class: figure.class.is_some(),
        phase: clean_text(&figure.phase),
        quantity: figure.quantity.clone(),
        a: told.a,
        a_value: figure.a,
        b: told.b,
        b_value: figure.b,
        change: told.change,
        change_value: figure.change,
        interval: told.interval,
        bar: bar(figure, reach, margin),
        verdict: figure.verdict.word(),
        mark: change_mark(figure.verdict),
        why: figure.why.as_deref().map(clean_text),
    }
}

/// How far the drawings reach to each side, so that they can be held against each other.
fn reach(comparison: &Comparison) -> f64 {
    let changes = comparison.figures.iter().filter_map(|figure| figure.change).map(f64::abs);
    (changes.fold(2.0 * comparison.margin, f64::max) * 1.25).clamp(0.01, REACH_MAX)
}

/// The interval over the margin's band; worse is to the right.
fn bar(figure: &Compared, reach: f64, margin: f64) -> String {
    let Some(change) = figure.change else { return String::new() };
    // Shares have a margin of their own, too narrow to be seen.
    let margin = if figure.unit == Unit::Share { 0.0 } else { margin };
    let worse = if figure.unit == Unit::PerSecond { -1.0 } else { 1.0 };
    let at = |value: f64| WIDTH / 2.0 * (1.0 + (value * worse / reach).clamp(-1.0, 1.0));
    let (low, high) = (at(figure.low.unwrap_or(-worse * reach)), at(figure.high.unwrap_or(worse * reach)));
    let (left, right) = (low.min(high), low.max(high));
    let (from, to) = (at(-margin).min(at(margin)), at(-margin).max(at(margin)));
    let (middle, zero, class) = (HEIGHT / 2.0, WIDTH / 2.0, color(figure.verdict));
    let mut svg = format!("<svg class=\"bar {class}\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" aria-hidden=\"true\">");
    let _ = write!(
        svg,
        "<rect class=\"band\" x=\"{from:.1}\" width=\"{:.1}\" y=\"0\" height=\"{HEIGHT}\"/>\
         <line class=\"axis\" x1=\"{zero}\" x2=\"{zero}\" y1=\"0\" y2=\"{HEIGHT}\"/>\
         <line class=\"line\" x1=\"{left:.1}\" x2=\"{right:.1}\" y1=\"{middle}\" y2=\"{middle}\"/>\
         <circle cx=\"{:.1}\" cy=\"{middle}\" r=\"3\"/></svg>",
        to - from,
        at(change),
    );
    svg
}

const fn color(change: Change) -> &'static str {
    match change {
        Change::Regression => "c-bad",
        Change::Improved => "c-ok",
        Change::Same => "c-p50",
        Change::Inconclusive => "c-asked",
    }
}

/// A page about comparisons alone.
pub(super) fn page(comparisons: &[Comparison], names: Names) -> String {
    let word = comparisons.iter().map(Comparison::word).min_by_key(|word| order(word)).unwrap_or("NO REGRESSION");
    let parts: Vec<String> = comparisons.iter().map(|one| part(one, names)).collect();
    super::document(names.title, word, &parts.join("\n"))
}

/// A page about two targets that took turns.
pub(super) fn ab_page(test: &AbTest) -> String {
    let about = format!("<p id=\"about\">{}</p>\n", test.about());
    super::document(Names::AB.title, test.comparison.word(), &(about + part(&test.comparison, Names::AB).as_str()))
}

fn order(word: &str) -> u8 {
    match word {
        "INVALID" => 0,
        "REGRESSION" => 1,
        _ => 2,
    }
}
