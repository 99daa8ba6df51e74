//! Figures of a second as lines, and lines as figures again.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    histogram,
    wire::{Dist, FailureLine, Messages, PhaseLine, SeriesLine},
};
use crate::measure::{
    CheckCounts, Connections, Custom, Distribution, Example, Excerpt, Exemplar, Exemplars, FailureFigures, FailureKind,
    Gauge, Gauges, IterationCounts, Level, MessageCounts, OkFigures, Pairs, PhaseFigures, SeriesFigures, SeriesKey,
};

/// Takes secrets out of a text.
pub type Rewrite<'a> = &'a dyn Fn(&str) -> String;

/// No count of a second comes near; sums of hours of them still fit.
const COUNT_MAX: u64 = 1 << 44;
/// The last second of 136 years.
pub(super) const SECOND_MAX: u64 = u32::MAX as u64;

pub(super) fn phase_line(
    second: u64,
    phase: u16,
    figures: &PhaseFigures,
    gauges: Gauges,
    rewrite: Rewrite<'_>,
) -> PhaseLine {
    let iterations = figures.iterations;
    PhaseLine {
        second,
        phase,
        offered: figures.offered,
        deals: figures.deals.clone(),
        iterations: [
            iterations.ok,
            iterations.failed,
            iterations.timeout,
            iterations.expired,
            iterations.dropped,
            iterations.interrupted,
        ],
        lateness: dist(&figures.lateness),
        backlog: dist(&figures.backlog),
        checks: named(&figures.checks, rewrite, |checks| [checks.passed, checks.failed]),
        check_examples: named(&figures.check_examples, rewrite, |it| excerpt(it, rewrite)),
        counts: named(&figures.custom.counts, rewrite, |&n| n),
        gauges: named(&figures.custom.gauges, rewrite, |gauge| {
            (gauge.last.into(), gauge.last_at, gauge.min.into(), gauge.max.into())
        }),
        timings: figures.custom.timings.iter().filter_map(|(name, all)| Some((rewrite(name), dist(all)?))).collect(),
        pairs: figures
            .pairs
            .all()
            .filter_map(|(name, block, pair)| Some((rewrite(name), block, dist(&pair.base)?, dist(&pair.other)?)))
            .collect(),
        connections: [figures.connections.opened, figures.connections.reused],
        negotiated: figures.connections.negotiated.iter().map(|(&agreed, &n)| (agreed, n)).collect(),
        connect: dist(&figures.connections.connect),
        tls: dist(&figures.connections.tls),
        script_errors: messages(&figures.script_errors, rewrite),
        failure_reasons: messages(&figures.failure_reasons, rewrite),
        peaks: [gauges.in_flight.peak, gauges.users.peak, gauges.queued.peak],
        cpu: gauges.cpu,
    }
}

pub(super) fn series_line(
    second: u64,
    phase: u16,
    key: &SeriesKey,
    series: &SeriesFigures,
    rewrite: Rewrite<'_>,
) -> SeriesLine {
    let failure = |figures: &FailureFigures| FailureLine {
        response: dist(&figures.response),
        service: dist(&figures.service),
        examples: figures.examples.iter().map(|text| rewrite(text)).collect(),
    };
    SeriesLine {
        second,
        phase,
        kind: key.kind,
        name: rewrite(&key.name),
        class: key.class.as_deref().map(rewrite),
        response: dist(&series.ok.response),
        service: dist(&series.ok.service),
        ttfb: dist(&series.ok.ttfb),
        failures: series.failures.iter().map(|(kind, figures)| (kind.word().to_owned(), failure(figures))).collect(),
        status: series.status.clone(),
        bytes_sent: series.bytes_sent,
        bytes_received: series.bytes_received,
        exemplars: series.exemplars.all().map(|it| exemplar(it, rewrite)).collect(),
    }
}

/// Secrets went when these were made; a second time does no harm, and holds whatever made them.
fn excerpt(it: &Excerpt, rewrite: Rewrite<'_>) -> Excerpt {
    Excerpt { path: rewrite(&it.path), body: rewrite(&it.body), ..it.clone() }
}

fn exemplar(it: &Exemplar, rewrite: Rewrite<'_>) -> Exemplar {
    let mut it = it.clone();
    it.rewrite_texts(rewrite);
    it
}

/// The figures of a phase's line, without rows.
///
/// # Errors
/// The line says what cannot be.
pub(super) fn phase_figures(line: &PhaseLine) -> Result<(PhaseFigures, Gauges), &'static str> {
    let [ok, failed, timeout, expired, dropped, interrupted] = counts(line.iterations)?;
    let [opened, reused] = counts(line.connections)?;
    let mut custom = Custom::default();
    for (name, &n) in &line.counts {
        custom.counts.insert(name.as_str().into(), n);
    }
    for (name, &(last, last_at, min, max)) in &line.gauges {
        let gauge = Gauge { last: last.into(), last_at, min: min.into(), max: max.into() };
        custom.gauges.insert(name.as_str().into(), gauge);
    }
    for (name, timing) in &line.timings {
        custom.timings.insert(name.as_str().into(), distribution(Some(timing))?);
    }
    let mut pairs = Pairs::default();
    for (name, block, base, other) in &line.pairs {
        let pair = pairs.entry(name, *block);
        pair.base.merge(&distribution(Some(base))?);
        pair.other.merge(&distribution(Some(other))?);
    }
    let mut checks = BTreeMap::new();
    for (name, &results) in &line.checks {
        let [passed, failed] = counts(results)?;
        checks.insert(Arc::from(name.as_str()), CheckCounts { passed, failed });
    }
    let figures = PhaseFigures {
        offered: count(line.offered)?,
        deals: line.deals.iter().map(|&n| count(n)).collect::<Result<_, _>>()?,
        iterations: IterationCounts { ok, failed, timeout, expired, dropped, interrupted },
        lateness: distribution(line.lateness.as_ref())?,
        backlog: distribution(line.backlog.as_ref())?,
        series: BTreeMap::new(),
        checks,
        check_examples: line.check_examples.iter().map(|(name, it)| (name.as_str().into(), it.clone())).collect(),
        custom,
        pairs,
        connections: Connections {
            opened,
            reused,
            negotiated: line
                .negotiated
                .iter()
                .map(|&(agreed, n)| Ok((agreed, count(n)?)))
                .collect::<Result<_, &'static str>>()?,
            connect: distribution(line.connect.as_ref())?,
            tls: distribution(line.tls.as_ref())?,
        },
        script_errors: message_counts(&line.script_errors)?,
        failure_reasons: message_counts(&line.failure_reasons)?,
    };
    let [in_flight, users, queued] = counts(line.peaks)?.map(|peak| Level { now: 0, peak });
    Ok((figures, Gauges { in_flight, users, queued, cpu: line.cpu }))
}

/// The figures of a row's line.
///
/// # Errors
/// The line says what cannot be.
pub(super) fn series_figures(line: &SeriesLine) -> Result<(SeriesKey, SeriesFigures), &'static str> {
    let mut failures = BTreeMap::new();
    for (word, failure) in &line.failures {
        let kind = FailureKind::from_word(word).ok_or("a kind of failure is not known here")?;
        let figures = FailureFigures {
            response: distribution(failure.response.as_ref())?,
            service: distribution(failure.service.as_ref())?,
            examples: failure.examples.clone(),
        };
        failures.insert(kind, figures);
    }
    let status =
        line.status.iter().map(|(&status, &n)| Ok((status, count(n)?))).collect::<Result<_, &'static str>>()?;
    let mut exemplars = Exemplars::default();
    line.exemplars.iter().for_each(|exemplar| exemplars.add(exemplar.clone()));
    let figures = SeriesFigures {
        ok: OkFigures {
            response: distribution(line.response.as_ref())?,
            service: distribution(line.service.as_ref())?,
            ttfb: distribution(line.ttfb.as_ref())?,
        },
        failures,
        status,
        bytes_sent: count(line.bytes_sent)?,
        bytes_received: count(line.bytes_received)?,
        exemplars,
    };
    let class = line.class.as_deref().map(Into::into);
    Ok((SeriesKey { kind: line.kind, name: line.name.as_str().into(), class }, figures))
}

fn dist(all: &Distribution) -> Option<Dist> {
    Some(Dist {
        count: all.count(),
        min: all.min()?,
        max: all.max()?,
        sum: all.sum(),
        saturated: all.saturated(),
        histogram: histogram::encode(all.buckets()),
    })
}

fn distribution(line: Option<&Dist>) -> Result<Distribution, &'static str> {
    let Some(line) = line else { return Ok(Distribution::default()) };
    let buckets = histogram::decode(&line.histogram)?;
    let total = buckets.iter().try_fold(0u64, |sum, &(_, n)| sum.checked_add(n));
    if total != Some(line.count) || line.count > COUNT_MAX {
        return Err("a histogram does not hold as many values as its line says");
    }
    Distribution::restore(&buckets, line.min, line.max, line.sum, line.saturated)
        .ok_or("a histogram does not fit its minimum, maximum and sum")
}

fn messages(counts: &MessageCounts, rewrite: Rewrite<'_>) -> Messages {
    let groups = counts.groups().map(|(place, message, count)| (rewrite(place), rewrite(message), count));
    let examples = counts.examples().enumerate().filter_map(|(at, example)| {
        let example = example?;
        Some((at, Example { exchange: excerpt(&example.exchange, rewrite), message: rewrite(&example.message) }))
    });
    Messages { groups: groups.collect(), examples: examples.collect(), beyond: counts.beyond() }
}

fn message_counts(line: &Messages) -> Result<MessageCounts, &'static str> {
    let mut counts = MessageCounts::default();
    for (at, (place, message, n)) in line.groups.iter().enumerate() {
        counts.add_counted(place, message, count(*n)?, line.examples.get(&at).cloned());
    }
    counts.add_beyond(count(line.beyond)?);
    Ok(counts)
}

fn named<T, U>(map: &BTreeMap<Arc<str>, T>, rewrite: Rewrite<'_>, value: impl Fn(&T) -> U) -> BTreeMap<String, U> {
    map.iter().map(|(name, of)| (rewrite(name), value(of))).collect()
}

fn count(n: u64) -> Result<u64, &'static str> {
    if n <= COUNT_MAX { Ok(n) } else { Err("a count is larger than a run can be") }
}

fn counts<const N: usize>(all: [u64; N]) -> Result<[u64; N], &'static str> {
    if all.iter().all(|&n| n <= COUNT_MAX) { Ok(all) } else { Err("a count is larger than a run can be") }
}
