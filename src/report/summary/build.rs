//! From totals to a summary.

use std::collections::BTreeMap;

use super::{
    CheckSummary, ExampleSummary, ExcerptSummary, ExperimentSummary, GoalSummary, Latency, MessageSummary, MixSummary,
    PhaseSummary, ScaleSummary, SloSummary, Summary, WatchSummary,
    connections::negotiated,
    custom::custom_metrics,
    rows::rows,
    timeline::{Planned, timeline},
};
use crate::{
    clock::{Nanos, SECOND},
    judge::{Evidence, ExitCode, NotDone, PhaseView, SloResult, Validity, Watching, judge_score},
    measure::{Custom, Example, Kind, MessageCounts, PhaseFigures, Totals},
    plan::{Load, Outline, OutlineEntry, Phase, extent_notes},
    report::{Comparison, describe},
    results::Reading,
};

/// When a phase ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PhaseTiming {
    /// Index of the phase in the plan.
    pub phase: u16,
    /// Its start, on the run's clock.
    pub start: Nanos,
    /// When it took no new iterations any more.
    pub stopped: Nanos,
    /// When its last iteration had ended.
    pub drained: Nanos,
    /// Iterations that were due by plan from start to stop; none for a phase that has no plan of its own.
    pub planned: Option<u64>,
}

impl PhaseTiming {
    /// What a rate is taken over: for a load of a length of its own, the time it took new iterations; for one of
    /// a number of iterations, all the time until the last had ended.
    fn duration(&self, load: &Load) -> Nanos {
        let end = match load {
            Load::Users(_) | Load::Rate(_) => self.stopped,
            Load::Burst { .. } | Load::Iterations { .. } | Load::EachUser { .. } | Load::Asap { .. } => self.drained,
        };
        end.saturating_sub(self.start)
    }
}

/// All that a summary is made of.
#[derive(Debug)]
pub struct SummaryInput<'a> {
    /// What was to be done.
    pub outline: &'a Outline,
    /// What was recorded.
    pub totals: &'a Totals,
    /// The phases that ran.
    pub timings: &'a [PhaseTiming],
    /// Figures outside of the plan's phases (setup, logins, teardown): their number in the totals and name.
    pub asides: &'a [(u16, &'a str)],
    /// Verdicts.
    pub slos: &'a [SloResult],
    /// What the plan has and the run never reached.
    pub not_run: &'a [NotDone],
    /// What was watched beside the traffic.
    pub watching: Watching<'a>,
    /// What the figures are worth.
    pub validity: Validity,
    /// What speaks against them.
    pub evidence: &'a [Evidence],
    /// The seed of everything drawn.
    pub seed: u64,
    /// The plan's hash.
    pub plan_hash: &'a str,
    /// Labels of the run.
    pub tags: &'a BTreeMap<String, String>,
    /// The run held against its baseline.
    pub baseline: Option<&'a Comparison>,
    /// The code the command will end with.
    pub exit: ExitCode,
    /// Why the run ended before its plan did.
    pub ended_early: Option<&'a str>,
    /// Why the figures are not all that were measured.
    pub partial: Option<&'a str>,
    /// What happened besides.
    pub notes: &'a [String],
    /// What counters beside the traffic said of phases.
    pub readings: &'a [Reading],
}

/// The phases that ran, as a judge sees them.
pub fn phase_views<'a>(outline: &'a Outline, totals: &'a Totals, timings: &[PhaseTiming]) -> Vec<PhaseView<'a>> {
    let view = |timing: &PhaseTiming| {
        let phase = outline.phases.get(usize::from(timing.phase))?;
        Some(PhaseView {
            name: &phase.name,
            index: timing.phase,
            open: matches!(phase.load, Load::Rate(_)),
            warmup: phase.warmup,
            duration: timing.duration(&phase.load),
            planned: timing.planned,
            figures: totals.figures(timing.phase),
            totals: Some(totals),
        })
    };
    timings.iter().filter_map(view).collect()
}

impl Summary {
    /// The summary of a run.
    pub fn build(input: &SummaryInput<'_>) -> Self {
        let outline = input.outline;
        let ran = |timing: &PhaseTiming| Some((outline.phases.get(usize::from(timing.phase))?, *timing));
        let mut phases: Vec<_> = input.timings.iter().filter_map(ran).collect();
        phases.sort_by_key(|(_, timing)| timing.phase);
        let mut custom = Custom::default();
        for (phase, timing) in &phases {
            if !phase.warmup {
                custom.merge(&input.totals.figures(timing.phase).custom);
            }
        }
        let happened = |(index, _): &&(u16, &str)| input.totals.phase(*index).is_some();
        Self {
            verdict: input.validity,
            evidence: input.evidence.to_vec(),
            exit_code: input.exit.code(),
            exit_meaning: input.exit.meaning(),
            ended_early: input.ended_early.map(ToOwned::to_owned),
            partial: input.partial.map(ToOwned::to_owned),
            title: outline.title.clone(),
            seed: input.seed,
            plan_hash: input.plan_hash.to_owned(),
            tags: input.tags.clone(),
            scale: outline.scale,
            left_out: outline.left_out().into_iter().map(ToOwned::to_owned).collect(),
            targets: outline.targets.clone(),
            unverified: outline.unverified.clone(),
            slos: input.slos.iter().map(slo).collect(),
            grades: outline.grades.as_ref().map(ScaleSummary::of),
            goals: goals(input),
            skipped: outline.skipped.clone(),
            not_run: input.not_run.to_vec(),
            score: outline.score.as_ref().map(|score| judge_score(score, input.slos, &outline.skipped, input.validity)),
            experiments: experiments(input),
            baseline: input.baseline.cloned(),
            phases: phases.iter().map(|(phase, timing)| planned_phase(input, phase, *timing)).collect(),
            asides: input.asides.iter().filter(happened).map(|(index, name)| aside(input, *index, name)).collect(),
            watched: WatchSummary::all(outline, &input.watching),
            custom: custom_metrics(&custom),
            notes: unverified_note(&outline.unverified)
                .into_iter()
                .chain(extent_notes(outline.scale, &outline.phases))
                .chain(outline.notes.iter().chain(input.notes).cloned())
                .collect(),
            author_notes: outline.notes.clone(),
            facts: outline.facts.iter().cloned().collect::<BTreeMap<_, _>>(),
            names_turned_away: input.totals.names_turned_away(),
        }
    }
}

fn goals(input: &SummaryInput<'_>) -> Vec<GoalSummary> {
    let views = phase_views(input.outline, input.totals, input.timings);
    input.outline.goals.iter().map(|goal| GoalSummary::of(goal, &views)).collect()
}

fn experiments(input: &SummaryInput<'_>) -> Vec<ExperimentSummary> {
    let views = phase_views(input.outline, input.totals, input.timings);
    let of = |experiment| ExperimentSummary::of(experiment, &views, &input.outline.slos, input.readings);
    input.outline.experiments.iter().map(of).collect()
}

/// Every form of the report shows notes, so every one is marked.
fn unverified_note(targets: &[String]) -> Option<String> {
    let targets = (!targets.is_empty()).then(|| targets.join(" "))?;
    Some(format!("TLS was not verified: any certificate was believed of {targets}"))
}

fn slo(result: &SloResult) -> SloSummary {
    let figure = result.figure;
    SloSummary {
        name: result.name.clone(),
        quantity: result.quantity.clone(),
        verdict: result.verdict,
        target: result.target.clone(),
        actual: figure.and_then(|figure| figure.value),
        low: figure.and_then(|figure| figure.low),
        high: figure.and_then(|figure| figure.high),
        unit: figure.map(|figure| figure.unit),
        at_least: figure.is_some_and(|figure| figure.at_least),
        actual_text: figure.map_or_else(|| "–".to_owned(), |figure| figure.text()),
        interval_text: figure.map_or_else(String::new, |figure| figure.interval_text()),
        samples: result.samples,
        needed: result.needed,
        why: result.why.clone(),
    }
}

fn planned_phase(input: &SummaryInput<'_>, phase: &Phase, timing: PhaseTiming) -> PhaseSummary {
    let outline = input.outline;
    let figures = input.totals.figures(timing.phase);
    let duration = timing.duration(&phase.load);
    let planned = Planned { phase, start: timing.start, stopped: timing.stopped };
    let mut summary = measured(input, timing.phase, figures, duration, Some(planned));
    let seconds = |nanos: Nanos| nanos as f64 / SECOND as f64;
    summary.name.clone_from(&phase.name);
    summary.load = phase.load.word();
    summary.load_text = describe(phase);
    summary.is_open = phase.load.is_open();
    summary.warmup = phase.warmup;
    summary.start_s = seconds(timing.start);
    summary.duration_s = seconds(duration);
    summary.drain_s = seconds(timing.drained.saturating_sub(timing.start + duration));
    summary.planned = timing.planned;
    summary.rate_asked = match &phase.load {
        Load::Rate(points) => match points[..] {
            [(_, rate)] => Some(rate.as_per_second()),
            _ => timing.planned.filter(|_| duration > 0).map(|planned| planned as f64 / seconds(duration)),
        },
        _ => None,
    };
    if let Some(entries) = outline.mixes.get(phase.mix.index()) {
        let weights: f64 = entries.iter().map(|entry| entry.weight).sum();
        let entry = |(at, entry): (usize, &OutlineEntry)| {
            let dealt = figures.deals.get(at).copied().unwrap_or(0);
            MixSummary {
                name: entry.name.clone(),
                asked: entry.weight / weights,
                achieved: dealt as f64 / figures.offered.max(1) as f64,
                dealt,
            }
        };
        summary.mix = entries.iter().enumerate().map(entry).collect();
    }
    summary
}

fn aside(input: &SummaryInput<'_>, index: u16, name: &str) -> PhaseSummary {
    PhaseSummary { name: name.to_owned(), ..measured(input, index, input.totals.figures(index), 0, None) }
}

/// What is the same for a phase and an aside: everything that was measured.
fn measured(
    input: &SummaryInput<'_>,
    index: u16,
    figures: &PhaseFigures,
    duration: Nanos,
    planned: Option<Planned<'_>>,
) -> PhaseSummary {
    let outline = input.outline;
    let requests: Vec<&str> = outline.requests.iter().map(String::as_str).collect();
    let flows: Vec<&str> = outline.flows.iter().map(String::as_str).collect();
    let counts = figures.iterations;
    let started = figures.offered.saturating_sub(counts.expired + counts.dropped);
    let gauges = input.totals.gauges(index);
    let rows = |kind: Kind, order: &[&str]| rows(input, index, figures, duration, kind, order);
    PhaseSummary {
        name: String::new(),
        load: "aside",
        load_text: String::new(),
        is_open: false,
        warmup: false,
        start_s: 0.0,
        duration_s: 0.0,
        drain_s: 0.0,
        planned: None,
        offered: figures.offered,
        ok: counts.ok,
        errors: counts.failed,
        timeouts: counts.timeout,
        expired: counts.expired,
        dropped: counts.dropped,
        interrupted: counts.interrupted,
        rate_asked: None,
        rate_achieved: if duration == 0 { 0.0 } else { started as f64 * SECOND as f64 / duration as f64 },
        lateness_us: Latency::record(&figures.lateness),
        backlog_us: Latency::record(&figures.backlog),
        requests: rows(Kind::Request, &requests),
        flows: rows(Kind::Flow, &flows),
        groups: rows(Kind::Group, &[]),
        hops: rows(Kind::Hop, &[]),
        messages: rows(Kind::Message, &[]),
        checks: figures
            .checks
            .iter()
            .map(|(name, counts)| CheckSummary {
                name: name.to_string(),
                passed: counts.passed,
                failed: counts.failed,
                example: figures.check_examples.get(name).map(ExcerptSummary::of),
            })
            .collect(),
        custom: custom_metrics(&figures.custom),
        mix: Vec::new(),
        timeline: timeline(input.totals, index, planned),
        connections_opened: figures.connections.opened,
        connections_reused: figures.connections.reused,
        negotiated: negotiated(&figures.connections),
        connect_us: Latency::record(&figures.connections.connect),
        tls_us: Latency::record(&figures.connections.tls),
        in_flight_peak: gauges.in_flight.peak,
        users_peak: gauges.users.peak,
        script_errors: messages(&figures.script_errors),
        failure_reasons: messages(&figures.failure_reasons),
    }
}

fn messages(counts: &MessageCounts) -> Vec<MessageSummary> {
    let group = |((place, message, count), example): ((&str, &str, u64), Option<&Example>)| MessageSummary {
        place: place.to_owned(),
        message: message.to_owned(),
        count,
        example: example.map(ExampleSummary::of),
    };
    let mut all: Vec<_> = counts.groups().zip(counts.examples()).map(group).collect();
    all.sort_by_key(|message| std::cmp::Reverse(message.count));
    if counts.beyond() > 0 {
        all.push(MessageSummary {
            place: String::new(),
            message: "further messages, too many to tell apart".to_owned(),
            count: counts.beyond(),
            example: None,
        });
    }
    all
}
