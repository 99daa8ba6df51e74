//! Rows of requests and flows.

use std::collections::BTreeSet;

use super::{CacheSummary, ExemplarSummary, FailureSummary, GradeSummary, Latency, RowSummary, SummaryInput};
use crate::{
    clock::{Nanos, SECOND},
    measure::{Distribution, Exemplar, Kind, PhaseFigures, SeriesFigures, SeriesKey},
    protocol::status_text,
    stats::CONFIDENCE,
};

/// The rows of a kind: names in the order of `order`, others behind by the alphabet; for each name the sum over
/// its classes, then each class if there are any.
pub(super) fn rows(
    input: &SummaryInput<'_>,
    phase: u16,
    figures: &PhaseFigures,
    duration: Nanos,
    kind: Kind,
    order: &[&str],
) -> Vec<RowSummary> {
    let totals = input.totals;
    // A flow is as long as its steps are many, and what is no phase is judged by nothing.
    let counts = input.outline.phases.get(usize::from(phase)).is_some_and(|phase| !phase.warmup);
    let graded = input.outline.grades.as_ref().filter(|_| counts && kind == Kind::Request);
    let of_kind = || figures.series.iter().filter(|(key, series)| key.kind == kind && series.offered() > 0);
    let known: BTreeSet<&str> = of_kind().map(|(key, _)| &*key.name).collect();
    let mut names: Vec<&str> = order.iter().copied().filter(|name| known.contains(name)).collect();
    names.extend(known.iter().copied().filter(|name| !order.contains(name)));
    // Two templates may share a name; the row is one.
    let mut seen = BTreeSet::new();
    names.retain(|name| seen.insert(*name));
    let mut rows = Vec::new();
    for name in names {
        let of_name: Vec<_> = of_kind().filter(|(key, _)| &*key.name == name).collect();
        let mut sum = SeriesFigures::default();
        of_name.iter().for_each(|(_, series)| sum.merge(series));
        // Examples are filed without a class, and a row of examples alone has no samples.
        for (key, series) in &figures.series {
            if key.kind == kind && &*key.name == name && series.offered() == 0 {
                sum.merge(series);
            }
        }
        let row = |class: Option<&str>, series: &SeriesFigures, select: &dyn Fn(&SeriesKey) -> bool| {
            let blocks = totals.blocks(phase, |key| key.kind == kind && &*key.name == name && select(key));
            let censored = series.censored();
            RowSummary {
                name: name.to_owned(),
                kind,
                class: class.map(ToOwned::to_owned),
                offered: series.offered(),
                ok: series.ok_count(),
                errors: failures(series).map(|(word, count)| (word.to_owned(), count)).collect(),
                status: series.status.iter().map(|(&code, &count)| (status_word(code), count)).collect(),
                rate: if duration == 0 { 0.0 } else { series.offered() as f64 * SECOND as f64 / duration as f64 },
                response_us: Latency::estimate(&series.ok.response, &censored, &blocks),
                service_us: Latency::estimate(&series.ok.service, &series.unanswered_service(), &blocks),
                ttfb_us: Latency::estimate(&series.ok.ttfb, &Distribution::default(), &blocks),
                bytes_sent: series.bytes_sent,
                bytes_received: series.bytes_received,
                failures: describe_failures(series),
                cache: None,
                grade: graded
                    .and_then(|grades| grades.grade(series, &blocks, CONFIDENCE))
                    .map(|grade| GradeSummary::of(&grade)),
                slowest: Vec::new(),
                failing: Vec::new(),
            }
        };
        let exemplars =
            |of: &[Exemplar]| of.iter().map(|exemplar| ExemplarSummary::of(exemplar, input.outline)).collect();
        rows.push(RowSummary {
            cache: CacheSummary::of(totals, phase, kind, name, &of_name),
            slowest: exemplars(sum.exemplars.slowest()),
            failing: exemplars(sum.exemplars.failing()),
            ..row(None, &sum, &|_| true)
        });
        for (key, series) in &of_name {
            if let Some(class) = &key.class {
                rows.push(row(Some(class), series, &|other| other.class.as_ref() == Some(class)));
            }
        }
    }
    rows
}

fn failures(series: &SeriesFigures) -> impl Iterator<Item = (&'static str, u64)> {
    let counts = series.failures.iter().map(|(kind, figures)| (kind.word(), figures.response.count()));
    counts.filter(|(_, count)| *count > 0)
}

fn status_word(code: u16) -> String {
    if code == 0 { "other".to_owned() } else { status_text(code).into_owned() }
}

fn describe_failures(series: &SeriesFigures) -> Vec<FailureSummary> {
    let failures = series.failures.iter().filter(|(_, figures)| !figures.response.is_empty());
    let mut all: Vec<_> = failures
        .map(|(kind, figures)| FailureSummary {
            kind: kind.word(),
            count: figures.response.count(),
            advice: kind.advice(),
            examples: figures.examples.clone(),
        })
        .collect();
    all.sort_by_key(|failure| std::cmp::Reverse(failure.count));
    all
}
