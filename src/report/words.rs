//! Figures as people read them: the same words in every form.

use super::{
    CacheSummary, CustomSummary, ExcerptSummary, ExemplarSummary, Latency, MessageSummary, NeedSummary, PhaseSummary,
    RowSummary, Summary, WatchSummary,
};
use crate::{
    clock::{Nanos, SECOND, format_nanos},
    judge::{Change, Compared, GoalStatus, NotDoneKind, Unit, Verdict},
    measure::{Kind, clean_text},
    protocol::status_text,
};

/// What stands where nothing can be said.
pub(super) const NOTHING: &str = "–";

/// Microseconds, with a unit that suits them.
pub(super) fn us(value: u64) -> String {
    format_nanos(value.saturating_mul(1_000))
}

/// A percentile, `min` or `max` of a distribution: `≥` before a lower bound, a dash where it is withheld.
pub(super) fn figure(latency: &Latency, name: &str) -> String {
    match latency.get(name) {
        Some(value) if latency.is_at_least(name) => format!("≥ {}", us(value)),
        Some(value) => us(value),
        None => NOTHING.to_owned(),
    }
}

/// A percentile's 95 % interval, such as `8.1ms to 9.7ms`; empty where there is none.
pub(super) fn interval(latency: &Latency, name: &str) -> String {
    match latency.intervals.get(name) {
        Some((Some(low), Some(high))) => format!("{} to {}", us(*low), us(*high)),
        Some((Some(low), None)) => format!("from {}", us(*low)),
        _ => String::new(),
    }
}

/// Events a second, to a tenth.
pub(super) fn rate(value: f64) -> String {
    Unit::PerSecond.text((value * 10.0).round() / 10.0)
}

/// A share as a percentage, to a tenth of a percent.
pub(super) fn percent(share: f64) -> String {
    Unit::Share.text((share * 1e3).round() / 1e3)
}

/// Seconds, to the millisecond: what a phase took beyond its plan is of interest, its microseconds are not.
pub(super) fn seconds(value: f64) -> String {
    format_nanos((value * 1e3).round() as Nanos * (SECOND / 1_000))
}

/// What was measured of one of the script's metrics, without its name.
pub(super) fn metric(metric: &CustomSummary) -> String {
    let number = |value: f64| Unit::Any.text(value);
    match metric {
        CustomSummary::Count { value, .. } => value.to_string(),
        CustomSummary::Gauge { last, min, max, .. } => {
            format!("{}, from {} to {}", number(*last), number(*min), number(*max))
        }
        CustomSummary::Timing { us, .. } => {
            let shown = ["p50", "p95", "p99", "max"].map(|name| format!("{name} {}", figure(us, name)));
            format!("{} times, {}", us.count, shown.join(", "))
        }
    }
}

/// A request and what it got: `GET /a → 404, answered: …`.
pub(super) fn excerpt(excerpt: &ExcerptSummary) -> String {
    let (method, path) = (clean_text(&excerpt.method), clean_text(&excerpt.path));
    format!("{method} {path} → {}", answer(excerpt.status, excerpt.error.as_deref(), &excerpt.body))
}

/// What came before a message of the script, if something did; with the message it is about if that is not the one shown.
pub(super) fn example(of: &MessageSummary) -> Option<String> {
    let example = of.example.as_ref()?;
    let after = format!("after {}", excerpt(&example.after));
    let is_shown = example.message == of.message;
    Some(if is_shown { after } else { format!("such as: {}, {after}", clean_text(&example.message)) })
}

/// When an exchange was what, and what it got.
pub(super) fn exemplar(it: &ExemplarSummary) -> String {
    let since = |at: u64| us(at.saturating_sub(it.planned_us));
    let mut parts = vec![format!("due at {}", us(it.planned_us)), format!("sent after {}", since(it.started_us))];
    parts.extend(it.first_byte_us.map(|at| format!("first byte after {}", since(at))));
    parts.push(format!("response {}, service {}", us(it.response_us), us(it.service_us)));
    parts.extend(it.class.as_deref().map(|class| format!("class {}", clean_text(class))));
    // Of a status that was not expected, the status tells.
    let error = it.error.as_deref().filter(|_| it.status == 0);
    parts.push(answer(it.status, error, &it.body));
    parts.join(" · ")
}

fn answer(status: u16, error: Option<&str>, body: &str) -> String {
    let body = clean_text(body);
    let word = error.map_or_else(|| status_text(status).into_owned(), clean_text);
    if body.is_empty() { word } else { format!("{word}, answered: {body}") }
}

/// Whether the metrics of the whole run say more than those of its phases: more than one phase that counts has any.
pub(super) fn has_sums(summary: &Summary) -> bool {
    let counts = |phase: &&PhaseSummary| !phase.warmup && summary.own_metrics(&phase.custom).next().is_some();
    summary.phases.iter().filter(counts).count() > 1
}

/// A row's name as a table shows it, without its class.
pub(super) fn row_name(row: &RowSummary) -> String {
    match row.kind {
        Kind::Flow => format!("flow {}", row.name),
        Kind::Group => format!("group {}", row.name),
        Kind::Request | Kind::Hop | Kind::Message => row.name.clone(),
    }
}

/// What became of a phase's iterations, without what never happened.
pub(super) fn outcomes(phase: &PhaseSummary) -> Vec<(&'static str, u64)> {
    let counts = [
        ("offered", phase.offered),
        ("ok", phase.ok),
        ("errors", phase.errors),
        ("timeouts", phase.timeouts),
        ("expired", phase.expired),
        ("dropped", phase.dropped),
        ("interrupted", phase.interrupted),
        ("not dispatched", phase.planned.map_or(0, |planned| planned.saturating_sub(phase.offered))),
    ];
    let always = |word: &str| matches!(word, "offered" | "ok");
    counts.into_iter().filter(|(word, n)| *n > 0 || always(word)).collect()
}

/// As much of the plan's hash as tells two plans apart.
pub(super) fn short_hash(summary: &Summary) -> String {
    summary.plan_hash.chars().take(12).collect()
}

/// The labels of the run, as `key=value`.
pub(super) fn tags(summary: &Summary) -> Vec<String> {
    summary.tags.iter().map(|(key, value)| format!("{key}={value}")).collect()
}

/// A sign for a verdict.
pub(super) const fn mark(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "✓",
        Verdict::Fail => "✗",
        Verdict::Inconclusive => "?",
        Verdict::NotRun => "·",
    }
}

/// What a reader must know of what was watched.
pub(super) fn watch_remark(watch: &WatchSummary) -> Vec<String> {
    let every = watch.every_text();
    let mut remarks = vec![format!("peaks are lower bounds: it was looked at every {every}, beside the traffic")];
    let seen = |word: &str| watch.phases.iter().flat_map(|phase| &phase.metrics).any(|metric| metric.metric == word);
    if seen("net_sent") && watch.about.contains("process") {
        remarks
            .push("network figures are those of the whole machine (without loopback), not of the process".to_owned());
    }
    if let Some(leak) = &watch.leak {
        remarks.push(format!("memory: {}", leak.text()));
    }
    remarks
}

/// A sign for what became of a goal.
pub(super) const fn goal_mark(status: GoalStatus) -> &'static str {
    match status {
        GoalStatus::Met => "✓",
        GoalStatus::Missed => "✗",
        GoalStatus::Inconclusive => "?",
        GoalStatus::Skipped | GoalStatus::NotMeasured => "–",
    }
}

/// Notes of the run, without those of the author.
pub(super) fn own_notes(summary: &Summary) -> impl Iterator<Item = &String> {
    summary.notes.iter().filter(|note| !summary.author_notes.contains(note))
}

/// SLOs that were skipped, for the first line: `1 skipped`.
pub(super) fn skipped_slos(summary: &Summary) -> Option<String> {
    let n = summary.skipped.iter().filter(|left| left.kind == NotDoneKind::Slo).count();
    (n > 0).then(|| format!("{n} skipped"))
}

/// A sign for what became of a figure.
pub(super) const fn change_mark(change: Change) -> &'static str {
    match change {
        Change::Regression => "✗",
        Change::Improved => "✓",
        Change::Same => "=",
        Change::Inconclusive => "?",
    }
}

/// A figure of two sides, for people.
pub(super) struct ComparedText {
    pub(super) a: String,
    pub(super) b: String,
    pub(super) change: String,
    pub(super) interval: String,
}

/// A change: shares differ by percentage points, everything else by a part of what was.
pub(super) fn change(unit: Unit, change: f64) -> String {
    let points = if unit == Unit::Share { "pp" } else { "%" };
    format!("{:+.1}{points}", change * 100.0)
}

/// Both sides and the change between them.
pub(super) fn compared(figure: &Compared) -> ComparedText {
    let value = |value: Option<f64>| value.map_or_else(|| NOTHING.to_owned(), |value| figure.unit.text(value));
    let change = |value: f64| change(figure.unit, value);
    let interval = match (figure.low, figure.high) {
        (Some(low), Some(high)) => format!("{}…{}", change(low), change(high)),
        _ => String::new(),
    };
    ComparedText {
        a: value(figure.a),
        b: value(figure.b),
        change: figure.change.map_or_else(|| NOTHING.to_owned(), change),
        interval,
    }
}

/// The row that a compared figure is of; of a class, its word.
pub(super) fn compared_name(figure: &Compared) -> String {
    match (&figure.class, figure.kind) {
        (Some(class), _) => class.clone(),
        (None, Kind::Flow) => format!("flow {}", figure.name),
        (None, Kind::Group) => format!("group {}", figure.name),
        (None, Kind::Request | Kind::Hop | Kind::Message) => figure.name.clone(),
    }
}

/// The interval of a hit ratio; empty where there is none.
pub(super) fn interval_of_ratio(cache: &CacheSummary) -> String {
    match (cache.low, cache.high) {
        (Some(low), Some(high)) => format!("{}…{}", percent(low), percent(high)),
        _ => String::new(),
    }
}

/// The highest ratio that any cache could reach.
pub(super) fn ceiling_text(ceiling: Option<f64>) -> String {
    ceiling.map_or_else(|| NOTHING.to_owned(), |ceiling| format!("≤ {}", percent(ceiling)))
}

/// How many times as much.
pub(super) fn times_text(ratio: Option<f64>) -> String {
    ratio.map_or_else(|| NOTHING.to_owned(), |ratio| Unit::Times.text(ratio))
}

/// A saving in microseconds, which may be none.
pub(super) fn saved_text(us: Option<f64>) -> String {
    let Some(us) = us else { return NOTHING.to_owned() };
    format!("{}{}", if us < 0.0 { "-" } else { "" }, Unit::Us.text(us.abs()))
}

/// What a target needs of the cache.
pub(super) fn need_text(need: &NeedSummary) -> String {
    match need.hit_ratio {
        None => format!("{}: out of reach, hits alone do not meet it", need.target),
        Some(ratio) if ratio <= 0.0 => format!("{}: met without a cache", need.target),
        // Rounded up: the next tenth below would not do.
        Some(ratio) => format!("{}: from a hit ratio of {} on", need.target, percent((ratio * 1e3).ceil() / 1e3)),
    }
}
