//! Runs against runs: what became slower, faster, or stayed the same, and what cannot be told.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{PhaseView, Selector, Unit, estimate, select};
use crate::{
    clock::SECOND,
    measure::Kind,
    stats::{CONFIDENCE, Estimate, difference, mean_difference, prediction_interval, ratio, samples_to_show},
};

/// What is compared of each row.
pub(super) const QUANTITIES: [(Asked, &str); 5] = [
    (Asked::Percentile(500_000), "p50"),
    (Asked::Percentile(950_000), "p95"),
    (Asked::Percentile(990_000), "p99"),
    (Asked::Errors, "errors"),
    (Asked::Rate, "rate"),
];
/// A change of the share of errors that nobody minds, where it could be seen at all.
pub(super) const ERRORS_MARGIN: f64 = 0.005;
/// More runs than that are no advice.
pub(super) const RUNS_MAX: f64 = 100.0;

/// What a comparison says of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It got worse, by at least the margin.
    Regression,
    /// It got better, by at least the margin.
    Improved,
    /// Whatever changed is within the margin.
    Same,
    /// The runs cannot tell.
    Inconclusive,
}

impl Change {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Regression => "regression",
            Self::Improved => "improved",
            Self::Same => "same",
            Self::Inconclusive => "inconclusive",
        }
    }
}

/// A figure of a row, on both sides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Compared {
    /// The phase.
    pub phase: String,
    /// Request or flow.
    pub kind: Kind,
    /// The row.
    pub name: String,
    /// The class of responses; null is the sum over all.
    pub class: Option<String>,
    /// `p50`, `p95`, `p99`, `errors` or `rate`.
    pub quantity: String,
    /// What the two sides are counted in.
    pub unit: Unit,
    /// The baseline's figure; of several runs, the mean (of times and rates, the geometric one).
    pub a: Option<f64>,
    /// The other side's.
    pub b: Option<f64>,
    /// The change: b/a − 1, or for errors b − a.
    pub change: Option<f64>,
    /// Lower end of its 95 % interval.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// What it says.
    pub verdict: Change,
    /// Runs on each side that would probably tell.
    pub runs_needed: Option<u64>,
    /// Why it cannot be told, where it is not the spread.
    pub why: Option<String>,
}

/// A side: one run or several, each as its phases.
pub type Side<'a> = [Vec<PhaseView<'a>>];

/// Compares each row of `b` with that of the baseline `a`: percentiles of the response time, errors, rate.
///
/// With several runs on both sides, their spread decides (a t-test on logarithms): a regression is certain if the
/// whole interval lies on the worse side, and it is at least the `margin`, a share such as 0.05. With one run on a side
/// and several on the other, the one is held against where one more of the others would lie. With one run each, their
/// own intervals decide; because nothing is known of how runs differ, the whole interval must lie beyond the margin.
///
/// Looking at many figures finds a regression by chance in some. So the confidence of a verdict is
/// 1 − 5 %/(number of figures) (Bonferroni): of comparisons of equals, at most one in twenty shows any. The intervals
/// that are shown are those of 95 %.
pub fn compare(a: &Side<'_>, b: &Side<'_>, margin: f64) -> Vec<Compared> {
    let rows = rows(a, b);
    let mut pairs = Vec::new();
    for row in &rows {
        for (asked, quantity) in QUANTITIES {
            let pair = (figures(a, row, asked), figures(b, row, asked));
            pairs.push((row, asked, quantity, pair));
        }
    }
    let judged = pairs.iter().filter(|(.., (a, b))| a.is_ok() && b.is_ok()).count();
    let confidence = 1.0 - (1.0 - CONFIDENCE) / judged.max(1) as f64;
    pairs
        .into_iter()
        .map(|(row, asked, quantity, pair)| compared(row, asked, quantity, pair, margin, confidence))
        .collect()
}

/// A figure that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    Percentile(u32),
    Errors,
    Rate,
}

impl Asked {
    pub(super) const fn unit(self) -> Unit {
        match self {
            Self::Percentile(_) => Unit::Us,
            Self::Errors => Unit::Share,
            Self::Rate => Unit::PerSecond,
        }
    }

    /// Changes are told as a part of what was, not as a difference.
    pub(super) const fn is_ratio(self) -> bool {
        !matches!(self, Self::Errors)
    }

    pub(super) const fn more_is_better(self) -> bool {
        matches!(self, Self::Rate)
    }
}

/// A row: phase, kind, name, class.
pub(super) type Row = (String, Kind, String, Option<String>);

impl Compared {
    /// Of which nothing can be told yet.
    pub(super) fn untold((phase, kind, name, class): &Row, asked: Asked, quantity: &str) -> Self {
        Self {
            phase: phase.clone(),
            kind: *kind,
            name: name.clone(),
            class: class.clone(),
            quantity: quantity.to_owned(),
            unit: asked.unit(),
            a: None,
            b: None,
            change: None,
            low: None,
            high: None,
            verdict: Change::Inconclusive,
            runs_needed: None,
            why: None,
        }
    }
}

/// A figure of each run of a side, and how it would be with intervals of any confidence.
pub(super) struct Figures<'a> {
    pub(super) values: Vec<f64>,
    /// Of the only run.
    one: Option<Box<dyn Fn(f64) -> Estimate + 'a>>,
}

/// Rows that both sides have, in the baseline's order of phases.
fn rows(a: &Side<'_>, b: &Side<'_>) -> Vec<Row> {
    let others = all_rows(b);
    let order: Vec<&str> = a.iter().flatten().map(|phase| phase.name).collect();
    let mut rows: Vec<Row> = all_rows(a).into_iter().filter(|row| others.contains(row)).collect();
    rows.sort_by_key(|(phase, ..)| order.iter().position(|name| name == phase));
    rows
}

/// Rows that only one of the sides has, each as phase and row: they are compared with nothing.
pub fn unmatched(a: &Side<'_>, b: &Side<'_>) -> [Vec<(String, String)>; 2] {
    let (left, right) = (all_rows(a), all_rows(b));
    let without = |of: &BTreeSet<Row>, other: &BTreeSet<Row>| {
        let whole = of.difference(other).filter(|(.., class)| class.is_none());
        whole.map(|(phase, _, name, _)| (phase.clone(), name.clone())).collect()
    };
    [without(&left, &right), without(&right, &left)]
}

pub(super) fn all_rows(side: &Side<'_>) -> BTreeSet<Row> {
    let mut rows = BTreeSet::new();
    for phase in side.iter().flatten().filter(|phase| !phase.warmup) {
        for (key, _) in phase.figures.series.iter().filter(|(_, series)| series.offered() > 0) {
            // No selector names a redirect's hops; their requests are compared as a whole.
            if key.kind == Kind::Hop {
                continue;
            }
            rows.insert((phase.name.to_owned(), key.kind, key.name.to_string(), None));
            let class = key.class.as_deref().map(ToOwned::to_owned);
            rows.insert((phase.name.to_owned(), key.kind, key.name.to_string(), class));
        }
    }
    rows
}

/// What one run must have of a row to be compared.
pub(super) fn figures<'a>(side: &Side<'a>, row: &Row, asked: Asked) -> Result<Figures<'a>, String> {
    let (phase, kind, name, class) = row;
    let named = |wanted: Kind| (*kind == wanted).then(|| name.clone());
    let selector = Selector {
        phase: Some(phase.clone()),
        request: named(Kind::Request),
        flow: named(Kind::Flow),
        group: named(Kind::Group),
        message: named(Kind::Message),
        class: class.clone(),
        status: None,
        experiment: None,
        monitor: None,
    };
    let mut values = Vec::new();
    let mut one: Option<Box<dyn Fn(f64) -> Estimate>> = None;
    for run in side {
        let selected = select::select(&selector, run)?;
        let (series, offered) = (&selected.series, selected.series.offered());
        let (value, estimate): (f64, Box<dyn Fn(f64) -> Estimate>) = match asked {
            Asked::Rate => {
                let rate = offered as f64 * SECOND as f64 / selected.duration.max(1) as f64;
                (rate, Box::new(move |_| Estimate { value: rate, low: 0.0, high: f64::INFINITY }))
            }
            Asked::Errors if offered == 0 => return Err("a run has no samples".to_owned()),
            Asked::Errors => {
                let (k, share) = (series.failed(), series.failed() as f64 / offered as f64);
                let blocks: Vec<_> =
                    selected.blocks.iter().map(|block| (block.failed, block.ok.count() + block.failed)).collect();
                let at = move |confidence| {
                    let figure = estimate::share(k, offered, &blocks, share, confidence).figure;
                    Estimate { value: share, low: figure.low.unwrap_or(0.0), high: figure.high.unwrap_or(1.0) }
                };
                (share, Box::new(at))
            }
            Asked::Percentile(ppm) => {
                let (ok, censored) = (series.ok.response.clone(), series.censored());
                let n = ok.count() + censored.count();
                if n < samples_to_show(ppm) {
                    return Err(format!("a run has {n} of {} samples that it takes", samples_to_show(ppm)));
                }
                let blocks = selected.blocks;
                let at = move |confidence| {
                    let figure = estimate::percentile(&ok, &censored, &blocks, ppm, 0.0, confidence).figure;
                    let value = figure.value.unwrap_or(0.0);
                    Estimate { value, low: figure.low.unwrap_or(0.0), high: figure.high.unwrap_or(f64::INFINITY) }
                };
                let known = crate::measure::Quantile::offered(&series.ok.response, &series.censored(), ppm);
                match known {
                    crate::measure::Quantile::Value(us) => (us as f64, Box::new(at)),
                    _ => return Err("a run knows only a lower bound: too many never got an answer".to_owned()),
                }
            }
        };
        values.push(value);
        one = Some(estimate);
    }
    let is_one = values.len() == 1;
    Ok(Figures { values, one: one.filter(|_| is_one) })
}

fn compared(
    row: &Row,
    asked: Asked,
    quantity: &str,
    pair: (Result<Figures<'_>, String>, Result<Figures<'_>, String>),
    margin: f64,
    confidence: f64,
) -> Compared {
    let mut result = Compared::untold(row, asked, quantity);
    let (a, b) = match pair {
        (Ok(a), Ok(b)) => (a, b),
        (Err(why), _) | (_, Err(why)) => {
            result.why = Some(why);
            return result;
        }
    };
    let is_ratio = asked.is_ratio();
    (result.a, result.b) = (Some(mean(&a.values, is_ratio)), Some(mean(&b.values, is_ratio)));
    if is_ratio && a.values.iter().chain(&b.values).any(|&value| value <= 0.0) {
        result.why = Some("a figure is 0: there is no ratio".to_owned());
        return result;
    }
    let between = |confidence: f64| between(&a, &b, is_ratio, confidence);
    let (Some(shown), Some(sure)) = (between(CONFIDENCE), between(confidence)) else { return result };
    // Changes are held against the margin as they are told: a share of the baseline, or a difference of shares.
    let told = |change: f64| if is_ratio { change.exp_m1() } else { change };
    let finite = |value: f64| Some(value).filter(|value| value.is_finite());
    result.change = finite(told(shown.value));
    (result.low, result.high) = (finite(told(shown.low)), finite(told(shown.high)));
    let margin = if is_ratio { margin.ln_1p() } else { ERRORS_MARGIN };
    let alone = a.one.is_some() && b.one.is_some();
    result.verdict = verdict(shown, sure, margin, alone, asked.more_is_better());
    if result.verdict == Change::Inconclusive {
        let runs = a.values.len().max(b.values.len()) as f64;
        let distance = (shown.value.abs() - margin).abs();
        let half = ((sure.high - sure.low) / 2.0).max(0.0);
        let needed = (runs * (half / distance).powi(2)).max(runs + 1.0).max(3.0);
        result.runs_needed = (needed <= RUNS_MAX).then_some(needed.ceil() as u64);
    }
    result
}

pub(super) fn mean(values: &[f64], geometric: bool) -> f64 {
    let n = values.len().max(1) as f64;
    if geometric {
        (values.iter().map(|value| value.ln()).sum::<f64>() / n).exp()
    } else {
        values.iter().sum::<f64>() / n
    }
}

/// The change from a to b, of logarithms for a ratio.
fn between(a: &Figures<'_>, b: &Figures<'_>, is_ratio: bool, confidence: f64) -> Option<Estimate> {
    let scale = |values: &[f64]| -> Vec<f64> {
        values.iter().map(|&value| if is_ratio { value.ln() } else { value }).collect()
    };
    match (&a.one, &b.one) {
        (Some(a), Some(b)) if is_ratio => {
            let between = ratio(a(confidence), b(confidence))?;
            Some(Estimate { value: between.value.ln(), low: between.low.ln(), high: between.high.ln() })
        }
        (Some(a), Some(b)) => Some(difference(a(confidence), b(confidence))),
        (None, None) => mean_difference(&scale(&a.values), &scale(&b.values), confidence),
        (Some(_), None) => {
            let next = prediction_interval(&scale(&b.values), confidence)?;
            let one = *scale(&a.values).first()?;
            Some(Estimate { value: next.value - one, low: next.low - one, high: next.high - one })
        }
        (None, Some(_)) => {
            let next = prediction_interval(&scale(&a.values), confidence)?;
            let one = *scale(&b.values).first()?;
            Some(Estimate { value: one - next.value, low: one - next.high, high: one - next.low })
        }
    }
}

/// `shown` at 95 %, `sure` at the confidence of a verdict. More is worse, but for a rate.
pub(super) fn verdict(shown: Estimate, sure: Estimate, margin: f64, alone: bool, more_is_better: bool) -> Change {
    let beyond = if alone { margin } else { 0.0 };
    let (up, down) =
        if more_is_better { (Change::Improved, Change::Regression) } else { (Change::Regression, Change::Improved) };
    if sure.low > beyond && shown.value >= margin {
        up
    } else if sure.high < -beyond && shown.value <= -margin {
        down
    } else if shown.low > -margin && shown.high < margin {
        Change::Same
    } else {
        Change::Inconclusive
    }
}

#[cfg(test)]
mod tests;
