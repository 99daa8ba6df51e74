//! The section of a phase.

use std::collections::BTreeMap;

use super::{
    Page,
    paint::Tone,
    table::{Cell, Column, Table, plain},
    text::clean,
};
use crate::{
    judge::Unit,
    measure::Kind,
    protocol::HttpVersion,
    report::{
        Latency, MessageSummary, PhaseSummary, RowSummary, Summary,
        means::both_means,
        words::{self, percent, rate, row_name, seconds, us},
    },
};

/// From this width on, service times stand beside response times instead of below.
const WIDE: usize = 118;

const fn right(title: &'static str, rank: u8) -> Column {
    Column { title, right: true, rank }
}

const COUNTS: [Column; 4] = [right("OFFERED", 5), right("OK", 0), right("ERRORS", 0), right("RATE", 4)];
const RESPONSE: [Column; 4] = [right("P50", 1), right("P95", 1), right("P99", 2), right("MAX", 3)];
const GRADE: Column = Column { title: "GRADE (95% INTERVAL)", right: false, rank: 0 };
const SERVICE: [Column; 4] = [right("SVC P50", 6), right("P95", 6), right("P99", 6), right("MAX", 6)];

pub(super) fn section(page: &mut Page, phase: &PhaseSummary, summary: &Summary) {
    page.blank();
    if phase.is_chore() && !page.exemplars {
        let (name, length) = (clean(&phase.name), seconds(phase.duration_s));
        page.prose(0, Tone::Dim, &format!("{name}  1 iteration, ok in {length}  warm-up, not counted"));
        return;
    }
    header(page, phase);
    outcomes(page, phase);
    if phase.is_open {
        page.prose(2, Tone::Dim, "latency counts from the planned start; service is from the send");
    } else {
        page.prose(2, Tone::Dim, "CLOSED: users wait for answers, so a slow target is asked less often");
    }
    if let Some(means) = both_means(phase) {
        page.prose(2, Tone::Dim, &means);
    }
    rows(page, phase);
    details(page, phase, summary);
}

/// What was measured outside of phases: shown apart, in short.
pub(super) fn aside(page: &mut Page, aside: &PhaseSummary, summary: &Summary) {
    page.blank();
    page.prose(0, Tone::Dim, &format!("{}  not counted", clean(&aside.name)));
    rows(page, aside);
    details(page, aside, summary);
}

fn header(page: &mut Page, phase: &PhaseSummary) {
    let warmup = if phase.warmup { "  warm-up, not counted" } else { "" };
    let tone = if phase.warmup { Tone::Dim } else { Tone::Bold };
    page.prose(0, tone, &format!("{}  {}{warmup}", clean(&phase.name), phase.load_text));
}

fn outcomes(page: &mut Page, phase: &PhaseSummary) {
    let parts: Vec<String> = words::outcomes(phase).iter().map(|(word, n)| format!("{word} {n}")).collect();
    let mut pace = Vec::new();
    if let Some(asked) = phase.rate_asked {
        pace.push(format!("rate asked {}, achieved {}", rate(asked), rate(phase.rate_achieved)));
    } else if phase.rate_achieved > 0.0 {
        pace.push(format!("rate {}", rate(phase.rate_achieved)));
    }
    pace.push(format!("in {}", seconds(phase.duration_s)));
    if let (true, Some(p50), Some(p99)) = (phase.is_open, phase.lateness_us.p50, phase.lateness_us.p99) {
        pace.push(format!("lateness p50 {} p99 {}", us(p50), us(p99)));
    }
    if let Some(longest) = phase.backlog_us.max.filter(|&longest| phase.is_open && longest >= 1_000) {
        pace.push(format!("backlog max {}", us(longest)));
    }
    if phase.in_flight_peak > 0 {
        pace.push(format!("in flight ≤ {}", phase.in_flight_peak));
    }
    if phase.users_peak > 0 {
        pace.push(format!("users ≤ {}", phase.users_peak));
    }
    page.prose(2, Tone::Plain, &parts.join(" · "));
    page.prose(2, Tone::Plain, &pace.join(" · "));
}

fn rows(page: &mut Page, phase: &PhaseSummary) {
    let all: Vec<&RowSummary> = phase.rows().collect();
    if all.is_empty() {
        page.prose(2, Tone::Plain, "no requests");
        return;
    }
    let wide = page.width >= WIDE;
    let mut columns = [COUNTS, RESPONSE].concat();
    if wide {
        columns.extend(SERVICE);
    }
    let has_grades = all.iter().any(|row| row.grade.is_some());
    columns.extend(has_grades.then_some(GRADE));
    let mut table = Table::new(if phase.is_open { "RESPONSE" } else { "REQUEST" }, &columns);
    let mut withheld = BTreeMap::new();
    for row in all {
        let tone = if phase.warmup { Tone::Dim } else { Tone::Plain };
        let (indent, name) = match &row.class {
            Some(class) => (2, clean(class)),
            None => (if row.kind == Kind::Hop { 2 } else { 0 }, clean(&row_name(row))),
        };
        let failed = row.offered - row.ok;
        let mut cells = vec![
            plain(row.offered.to_string()),
            plain(row.ok.to_string()),
            (failed.to_string(), if failed > 0 { Tone::Bad } else { Tone::Plain }),
            plain(if row.rate > 0.0 { rate(row.rate) } else { String::new() }),
        ];
        cells.extend(latency(&row.response_us, &mut withheld));
        let service = latency(&row.service_us, &mut withheld);
        let grade = row.grade.as_ref().map_or_else(String::new, |grade| clean(&grade.with_interval()));
        let grade = has_grades.then(|| plain(grade));
        if wide {
            cells.extend(service);
            cells.extend(grade);
            table.row(indent, &name, tone, cells);
        } else {
            cells.extend(grade);
            table.row(indent, &name, tone, cells);
            if phase.is_open && row.service_us.count + row.service_us.censored > 0 {
                let blank = std::iter::repeat_n(plain(""), COUNTS.len());
                let behind = has_grades.then(|| plain(""));
                table.row(indent, "  service", Tone::Dim, blank.chain(service).chain(behind).collect());
            }
        }
    }
    table.write(page, 2);
    let needs: Vec<String> =
        withheld.iter().map(|(_, (word, needed))| format!("{word} needs {needed} samples")).collect();
    if !needs.is_empty() {
        page.prose(2, Tone::Dim, &format!("– withheld: {}", needs.join(", ")));
    }
}

/// Cells of p50, p95, p99 and the maximum; what is withheld is noted with its need, in the order of size.
fn latency(latency: &Latency, withheld: &mut BTreeMap<u64, (&'static str, u64)>) -> Vec<Cell> {
    let shown = [("p50", latency.p50), ("p95", latency.p95), ("p99", latency.p99), ("max", latency.max)];
    shown
        .into_iter()
        .map(|(name, value)| match value {
            Some(value) if latency.is_at_least(name) => (format!("≥ {}", us(value)), Tone::Bad),
            Some(value) => plain(us(value)),
            None => {
                if let Some((&name, &needed)) = latency.withheld.get_key_value(name) {
                    withheld.insert(needed, (name, needed));
                }
                plain("–")
            }
        })
        .collect()
}

fn details(page: &mut Page, phase: &PhaseSummary, summary: &Summary) {
    let rows = || phase.rows().filter(|row| row.class.is_none());
    for (row, cache) in rows().filter_map(|row| Some((row, row.cache.as_ref()?))) {
        page.prose(2, Tone::Plain, &format!("{}: {}", clean(&row.name), cache.text()));
        for warning in cache.warnings() {
            page.prose(4, Tone::Warning, &format!("! {warning}"));
        }
    }
    for row in rows() {
        for failure in &row.failures {
            let codes: Vec<String> = row.status.iter().map(|(code, n)| format!("{code} ×{n}")).collect();
            let codes =
                if failure.kind == "failed_status" { format!(" ({})", codes.join(", ")) } else { String::new() };
            let what = format!("✗ {} × {} in {}{codes}", failure.count, failure.kind, clean(&row.name));
            page.prose(2, Tone::Bad, &what);
            page.prose(4, Tone::Plain, failure.advice);
            if let Some(example) = failure.examples.first() {
                page.prose(4, Tone::Dim, &format!("such as: {}", clean(example)));
            }
            // With all of them wanted, they come below.
            let first = row.failing.iter().find(|exemplar| exemplar.error.as_deref() == Some(failure.kind));
            if let Some(first) = first.filter(|_| !page.exemplars) {
                page.prose(4, Tone::Dim, &format!("first: {}", words::exemplar(first)));
                page.shell(4, &first.curl);
            }
        }
    }
    for error in &phase.script_errors {
        let what = format!("✗ {} × script error at {}: {}", error.count, clean(&error.place), clean(&error.message));
        page.prose(2, Tone::Bad, &what);
        example(page, error);
    }
    for reason in &phase.failure_reasons {
        page.prose(2, Tone::Bad, &format!("✗ {} × failed: {}", reason.count, clean(&reason.message)));
        example(page, reason);
    }
    for check in &phase.checks {
        let (mark, tone) = if check.failed == 0 { ("✓", Tone::Plain) } else { ("✗", Tone::Bad) };
        let share = Unit::Share.text(check.share());
        let failed = if check.failed > 0 { format!(", {} failed", check.failed) } else { String::new() };
        page.prose(2, tone, &format!("{mark} check {}: {} passed{failed} ({share})", clean(&check.name), check.passed));
        if let Some(example) = &check.example {
            page.prose(4, Tone::Dim, &format!("first: {}", words::excerpt(example)));
        }
    }
    for metric in summary.own_metrics(&phase.custom) {
        page.prose(2, Tone::Plain, &format!("metric {}: {}", clean(metric.name()), words::metric(metric)));
    }
    if phase.mix.len() > 1 {
        let entry = |mix: &crate::report::MixSummary| {
            format!("{} {} of {}", clean(&mix.name), percent(mix.achieved), percent(mix.asked))
        };
        page.prose(2, Tone::Dim, &format!("mix: {}", phase.mix.iter().map(entry).collect::<Vec<_>>().join(", ")));
    }
    connections(page, phase);
    if page.exemplars {
        exemplars(page, phase);
    }
}

fn example(page: &mut Page, of: &MessageSummary) {
    if let Some(text) = words::example(of) {
        page.prose(4, Tone::Dim, &text);
    }
}

/// The exchanges that were kept whole.
fn exemplars(page: &mut Page, phase: &PhaseSummary) {
    for row in &phase.requests {
        for (which, all) in [("slowest", &row.slowest), ("first to fail", &row.failing)] {
            if !all.is_empty() {
                page.prose(2, Tone::Plain, &format!("{which} of {}", clean(&row.name)));
            }
            for exemplar in all {
                page.prose(4, Tone::Dim, &words::exemplar(exemplar));
                page.shell(4, &exemplar.curl);
            }
        }
    }
}

/// How many connections there were, what was agreed on for them, and what they cost, in a line.
fn connections(page: &mut Page, phase: &PhaseSummary) {
    if phase.connections_opened + phase.connections_reused == 0 {
        return;
    }
    let mut parts = vec![format!("{} opened, {} reused", phase.connections_opened, phase.connections_reused)];
    for row in &phase.negotiated {
        // What everybody expects of plain http needs no words.
        if row.tls.is_none() && row.protocol == HttpVersion::Http1.name() && phase.negotiated.len() == 1 {
            continue;
        }
        let mut text = row.protocol.to_owned();
        if let (Some(tls), Some(cipher)) = (row.tls, &row.cipher) {
            text.push_str(&format!(" over {tls} ({cipher})"));
        }
        if phase.negotiated.len() > 1 {
            text.push_str(&format!(" × {}", row.connections));
        }
        if row.resumed > 0 {
            text.push_str(&format!(", {} resumed", row.resumed));
        }
        parts.push(text);
    }
    for (what, latency) in [("connect", &phase.connect_us), ("TLS", &phase.tls_us)] {
        if let (Some(median), Some(longest)) = (latency.p50, latency.max)
            && phase.tls_us.count > 0
        {
            parts.push(format!("{what} p50 {} max {}", us(median), us(longest)));
        }
    }
    page.prose(2, Tone::Dim, &format!("connections: {}", parts.join(" · ")));
}
