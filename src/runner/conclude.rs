//! From what the workers left to a summary: verdicts, validity, exit code.

use super::{
    RunOptions,
    conduct::{Conducted, Cut},
};
use crate::{
    clock::Nanos,
    engine::{Aside, arrival_plan},
    judge::{self, Ending, GeneratorHealth, Watch},
    pace::Segment,
    plan::{PhaseId, Plan},
    report::{PhaseTiming, Summary, SummaryInput, phase_views},
    stats::CONFIDENCE,
};

pub(super) fn conclude(plan: &Plan, options: &RunOptions, seed: u64, conducted: &Conducted, watch: &Watch) -> Summary {
    let segment = options.segment.unwrap_or(Segment::WHOLE);
    let timings: Vec<PhaseTiming> = conducted
        .timings
        .iter()
        .map(|(&id, timing)| PhaseTiming {
            phase: id.0 as u16,
            start: timing.start,
            stopped: timing.stopped.max(timing.start),
            drained: timing.drained,
            planned: planned(plan, id, segment, seed, timing.stopped.saturating_sub(timing.start)),
        })
        .collect();
    let views = phase_views(plan, &conducted.totals, &timings);
    let slos = watch.finish(&views, CONFIDENCE);
    let (validity, evidence) = judge::assess(&views, &health(plan, conducted));
    let ending = Ending {
        aborted: matches!(conducted.cut, Some(Cut::Aborted(_))),
        interrupted: conducted.cut == Some(Cut::Interrupted),
        script_failed_everywhere: matches!(conducted.cut, Some(Cut::SetupFailed(_))) || failed_everywhere(conducted),
        strict: options.strict,
        regressed: false,
    };
    let mut notes = conducted.notes.clone();
    if let Some(error) = &conducted.teardown_error {
        notes.push(format!("teardown failed: {error}"));
    }
    let ended_early = conducted.cut.as_ref().map(|cut| match cut {
        Cut::Interrupted => "interrupted".to_owned(),
        Cut::Aborted(reason) => format!("aborted: {reason}"),
        Cut::SetupFailed(reason) => format!("setup failed: {reason}"),
        Cut::Broken(reason) => format!("internal error: {reason}"),
    });
    let first_aside = plan.phases.len();
    let asides: Vec<(u16, &str)> =
        Aside::ALL.iter().enumerate().map(|(index, aside)| ((first_aside + index) as u16, aside.word())).collect();
    Summary::build(&SummaryInput {
        plan,
        totals: &conducted.totals,
        timings: &timings,
        asides: &asides,
        slos: &slos,
        validity,
        evidence: &evidence,
        seed,
        plan_hash: &plan.hash(),
        exit: judge::exit_code(validity, &slos, ending),
        ended_early: ended_early.as_deref(),
        notes: &notes,
    })
}

/// Arrivals of this process that were due until the phase stopped.
fn planned(plan: &Plan, phase: PhaseId, segment: Segment, seed: u64, ran: Nanos) -> Option<u64> {
    let arrivals = arrival_plan(&plan.phases[phase.index()], ran)?;
    Some(match arrivals.count() {
        Some(count) => segment.share(count),
        None => arrivals.arrivals(segment, seed, u64::from(phase.0)).count() as u64,
    })
}

fn health(plan: &Plan, conducted: &Conducted) -> GeneratorHealth {
    let measured =
        || conducted.timings.iter().filter(|(id, _)| !plan.phases[id.index()].warmup).map(|(_, timing)| timing);
    let weights: f64 = measured().map(|timing| (timing.drained - timing.start) as f64).sum();
    let cpu: f64 = measured().map(|timing| timing.cpu_share * (timing.drained - timing.start) as f64).sum();
    GeneratorHealth {
        cpu_share: (weights > 0.0).then(|| cpu / weights),
        throttled_share: conducted.throttled_share,
        clock_gap_max: conducted.gaps.iter().copied().max().unwrap_or(0),
        clock_gaps: conducted.gaps.len() as u64,
        ..GeneratorHealth::default()
    }
}

/// Whether there were iterations, and each of them ended in an error of the script.
fn failed_everywhere(conducted: &Conducted) -> bool {
    let phases = || conducted.timings.keys().map(|id| conducted.totals.figures(id.0 as u16));
    let offered: u64 = phases().map(|figures| figures.offered).sum();
    let ok: u64 = phases().map(|figures| figures.iterations.ok).sum();
    let script_errors: u64 = phases().map(|figures| figures.script_errors.total()).sum();
    offered > 0 && ok == 0 && script_errors >= offered
}
