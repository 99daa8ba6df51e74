//! From what a run left, in memory or in its file, to a summary: verdicts, validity, exit code.

use std::collections::BTreeMap;

use super::baseline::Baseline;
use crate::{
    clock::Nanos,
    engine::{Aside, arrival_plan},
    judge::{self, Ending, GeneratorHealth, NotDone, NotDoneKind, PhaseSpan, Watch, Watching},
    measure::{Observed, Totals},
    pace::Segment,
    plan::{Outline, Phase},
    report::{ComparedRun, Comparison, PhaseTiming, Summary, SummaryInput, phase_views},
    results::{Cut, End, Timing},
    stats::CONFIDENCE,
};

/// All that a summary is concluded from.
pub(super) struct Ran<'a> {
    pub(super) outline: &'a Outline,
    pub(super) plan_hash: &'a str,
    pub(super) seed: u64,
    /// `--tag`
    pub(super) tags: &'a BTreeMap<String, String>,
    /// `--strict`
    pub(super) strict: bool,
    pub(super) totals: &'a Totals,
    pub(super) timings: &'a BTreeMap<u16, Timing>,
    /// What was seen beside the traffic.
    pub(super) observed: &'a Observed,
    pub(super) end: &'a End,
    /// Why the figures are not all that were measured.
    pub(super) partial: Option<&'a str>,
    pub(super) against: Against<'a>,
}

/// What the run is held against.
pub(super) enum Against<'a> {
    Nothing,
    /// Runs that have been read, and what is to be said of this one.
    Baseline(&'a Baseline, ComparedRun),
    /// What came out when the run ended.
    Known(Comparison),
}

pub(super) fn conclude(ran: &Ran<'_>, watch: &Watch) -> Summary {
    let outline = ran.outline;
    let timings = phase_timings(ran.timings, ran.end);
    let views = phase_views(outline, ran.totals, &timings);
    let mut slos = watch.finish(&views, CONFIDENCE);
    judge::take_back(&outline.slos, &mut slos, &outline.left_out());
    let mut not_run = phases_not_run(ran);
    let planned = outline.phases.iter().filter(|phase| !phase.left_out).map(|phase| phase.name.as_str());
    let slos_not_run = judge::mark_not_run(&outline.slos, &mut slos, &outline.experiments, planned, &not_run);
    let slo_not_run = !slos_not_run.is_empty();
    not_run.extend(slos_not_run);
    let names: Vec<String> = outline.watches.iter().map(|watch| watch.name.clone()).collect();
    let spans = spans(outline, &timings);
    let watching = Watching { observed: ran.observed, names: &names, spans: &spans };
    judge::judge_watched(&outline.slos, &mut slos, &watching);
    for check in &outline.leak_checks {
        if let Some(watch) = names.iter().position(|name| *name == check.watch) {
            let finding = judge::judge_leak(ran.observed, watch as u16, &check.limit, 0, Nanos::MAX);
            slos.push(finding.row(&check.watch, &check.limit));
        }
    }
    let (validity, evidence) = judge::assess(&views, &health(ran));
    let comparison = match &ran.against {
        Against::Nothing => None,
        Against::Known(comparison) => Some(comparison.clone()),
        Against::Baseline(baseline, run) => {
            Some(baseline.compare(ComparedRun { verdict: validity, ..run.clone() }, views))
        }
    };
    let cut = ran.end.cut.as_ref();
    let ending = Ending {
        aborted: matches!(cut, Some(Cut::Aborted(_))),
        interrupted: matches!(cut, Some(Cut::Interrupted)) || ran.partial.is_some(),
        script_failed_everywhere: matches!(cut, Some(Cut::SetupFailed(_))) || failed_everywhere(ran),
        strict: ran.strict,
        slo_not_run,
        regressed: comparison.as_ref().is_some_and(Comparison::fails),
    };
    let mut notes = ran.end.notes.clone();
    if let Some(error) = &ran.end.teardown_error {
        notes.push(format!("teardown failed: {error}"));
    }
    let ended_early = cut.map(told);
    let first_aside = outline.phases.len();
    let asides: Vec<(u16, &str)> =
        Aside::ALL.iter().enumerate().map(|(index, aside)| ((first_aside + index) as u16, aside.word())).collect();
    Summary::build(&SummaryInput {
        outline,
        totals: ran.totals,
        timings: &timings,
        asides: &asides,
        slos: &slos,
        not_run: &not_run,
        watching,
        validity,
        evidence: &evidence,
        baseline: comparison.as_ref(),
        seed: ran.seed,
        plan_hash: ran.plan_hash,
        tags: ran.tags,
        exit: judge::exit_code(validity, &slos, ending),
        ended_early: ended_early.as_deref(),
        partial: ran.partial,
        notes: &notes,
        readings: &ran.end.readings,
    })
}

/// When phases ran, as what is watched is aligned to them.
fn spans<'a>(outline: &'a Outline, timings: &[PhaseTiming]) -> Vec<PhaseSpan<'a>> {
    let span = |timing: &PhaseTiming| {
        let phase = outline.phases.get(usize::from(timing.phase))?;
        let end = timing.drained.max(timing.stopped);
        Some(PhaseSpan { name: &phase.name, warmup: phase.warmup, start: timing.start, end })
    };
    timings.iter().filter_map(span).collect()
}

fn told(cut: &Cut) -> String {
    match cut {
        Cut::Interrupted => "interrupted".to_owned(),
        Cut::Aborted(reason) => format!("aborted: {reason}"),
        Cut::SetupFailed(reason) => format!("setup failed: {reason}"),
        Cut::Broken(reason) => format!("internal error: {reason}"),
    }
}

/// Phases of the plan that never began.
fn phases_not_run(ran: &Ran<'_>) -> Vec<NotDone> {
    let why = |phase: &Phase| match (&ran.end.cut, ran.partial, &phase.if_completed) {
        _ if phase.left_out => "others were asked for by --phase".to_owned(),
        (Some(cut), ..) => format!("the run ended before it: {}", told(cut)),
        (None, Some(_), _) => "the run file ends before it".to_owned(),
        (None, None, Some(other)) => format!("{other} did not go on to its end"),
        (None, None, None) => "the run ended before it".to_owned(),
    };
    let phases = ran.outline.phases.iter().enumerate();
    let missing = phases.filter(|(at, _)| !ran.timings.contains_key(&(*at as u16)));
    missing
        .map(|(_, phase)| NotDone { name: phase.name.clone(), kind: NotDoneKind::Phase, reason: why(phase) })
        .collect()
}

/// When phases ran, as reports take it.
pub(super) fn phase_timings(timings: &BTreeMap<u16, Timing>, end: &End) -> Vec<PhaseTiming> {
    let timing = |timing: &Timing| PhaseTiming {
        phase: timing.phase,
        start: timing.start,
        stopped: timing.stopped.max(timing.start),
        drained: timing.drained,
        planned: end.planned.get(&timing.phase).copied(),
    };
    timings.values().map(timing).collect()
}

/// Arrivals of these parts of the run that were due until each open phase stopped.
pub(super) fn planned_arrivals(
    outline: &Outline,
    timings: &BTreeMap<u16, Timing>,
    segments: &[Segment],
    seed: u64,
) -> BTreeMap<u16, u64> {
    let of_phase = |timing: &Timing| {
        let phase = outline.phases.get(usize::from(timing.phase))?;
        let ran = timing.stopped.saturating_sub(timing.start);
        let parts: Option<u64> = segments.iter().map(|&part| planned(phase, timing.phase, part, seed, ran)).sum();
        Some((timing.phase, parts?))
    };
    timings.values().filter_map(of_phase).collect()
}

fn planned(phase: &Phase, number: u16, segment: Segment, seed: u64, ran: Nanos) -> Option<u64> {
    let arrivals = arrival_plan(phase, ran)?;
    Some(match arrivals.count() {
        Some(count) => segment.share(count),
        None => arrivals.arrivals(segment, seed, u64::from(number)).count() as u64,
    })
}

fn health(ran: &Ran<'_>) -> GeneratorHealth {
    let is_measured = |timing: &&Timing| {
        ran.outline.phases.get(usize::from(timing.phase)).is_some_and(|phase| !phase.warmup) && timing.cpu_share > 0.0
    };
    let length = |timing: &Timing| timing.drained.saturating_sub(timing.start) as f64;
    let measured = || ran.timings.values().filter(is_measured);
    let weights: f64 = measured().map(length).sum();
    let cpu: f64 = measured().map(|timing| timing.cpu_share * length(timing)).sum();
    let script: f64 = measured().map(|timing| timing.script_share * length(timing)).sum();
    GeneratorHealth {
        cpu_share: (weights > 0.0).then(|| cpu / weights),
        throttled_share: ran.end.throttled_share,
        clock_gap_max: ran.end.clock_gap_max,
        clock_gaps: ran.end.clock_gaps,
        script_share: (weights > 0.0).then(|| script / weights),
        script_stall_max: ran.end.script_stall_max,
        descriptors: ran.end.descriptors,
    }
}

/// Whether there were iterations, and each of them ended in an error of the script.
fn failed_everywhere(ran: &Ran<'_>) -> bool {
    let phases = || ran.timings.keys().map(|&phase| ran.totals.figures(phase));
    let offered: u64 = phases().map(|figures| figures.offered).sum();
    let ok: u64 = phases().map(|figures| figures.iterations.ok).sum();
    let script_errors: u64 = phases().map(|figures| figures.script_errors.total()).sum();
    offered > 0 && ok == 0 && script_errors >= offered
}
