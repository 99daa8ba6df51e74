//! Whether the generator did its part: a run in which it was the bottleneck proves nothing of the target.

use serde::{Deserialize, Serialize};

use super::PhaseView;
use crate::{
    clock::{MILLISECOND, Nanos, format_nanos},
    measure::{Distribution, FailureKind, Kind},
    protocol::ErrorKind,
};

/// What the figures are worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Validity {
    /// Nothing speaks against them.
    Valid,
    /// The generator disturbed them somewhat.
    Suspect,
    /// They tell of the generator, not of the target.
    Invalid,
}

impl Validity {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Valid => "VALID",
            Self::Suspect => "SUSPECT",
            Self::Invalid => "INVALID",
        }
    }
}

/// How much a piece of evidence weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing; changes no verdict.
    Note,
    /// Makes the run suspect.
    Suspect,
    /// Makes the run invalid.
    Invalid,
}

/// Something that speaks against the figures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// What was looked at, such as `lateness p99 in sustained`.
    pub what: String,
    /// What was found, for people.
    pub value: String,
    /// What would have been fine, for people, such as `at most 1ms`.
    pub limit: String,
    /// How much it weighs.
    pub severity: Severity,
    /// What to do about it.
    pub help: String,
}

/// What the runner observed of its own process. `None` is unknown, and speaks neither for nor against.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct GeneratorHealth {
    /// CPU time used by this process while measured phases ran, as a share of all cores it may use, from 0 to 1.
    pub cpu_share: Option<f64>,
    /// Share of the time in which the control group was kept from running, from 0 to 1.
    pub throttled_share: Option<f64>,
    /// The longest gap between two beats of a worker's heart, beyond its period.
    pub clock_gap_max: Nanos,
    /// Gaps of more than 100 ms.
    pub clock_gaps: u64,
    /// Share of the workers' time spent in script code, from 0 to 1.
    pub script_share: Option<f64>,
    /// The longest that script code kept its worker from anything else.
    pub script_stall_max: Nanos,
    /// The most descriptors that were open, and how many may be.
    pub descriptors: Option<(u64, u64)>,
}

/// Lateness below this never matters.
const LATENESS_FLOOR: Nanos = MILLISECOND;
/// Lateness below this makes no run invalid: against a target that answers in microseconds, it would be half of
/// the median on any machine with neighbours.
const LATENESS_INVALID_FLOOR: Nanos = 5 * MILLISECOND;
/// A gap in a worker's heartbeat from this on is told.
const GAP_MAX: Nanos = 100 * MILLISECOND;
/// More of the requests than this that fail by the generator's own limits make a run invalid.
const EXHAUSTED_MAX: f64 = 0.01;
/// Fewer arrivals say nothing of a share of them.
const ARRIVALS_MIN: u64 = 20;

/// Weighs what speaks against a run. Warm-up phases do not count. The heaviest evidence comes first.
///
/// | what | suspect | invalid |
/// |---|---|---|
/// | lateness p99 of an open phase | > 10 % of the response p50, and > 1 ms | > 50 %, and > 5 ms |
/// | arrivals dispatched of those due, in an open phase | < 99 % | < 95 % |
/// | own CPU, of the cores available | > 80 % | > 95 % |
/// | time the control group was kept from running | > 5 % | > 20 % |
/// | one stretch of script code | > 100 ms | |
/// | time in script code | > 50 % | |
/// | gap in a worker's heartbeat | > 100 ms | > 1 s |
/// | open descriptors of those allowed | > 90 % | |
/// | requests that failed for want of the generator's ports or descriptors | any | > 1 % |
///
/// What the target could not take (expired, dropped, timed out) is no evidence: it was dispatched.
pub fn assess(phases: &[PhaseView<'_>], health: &GeneratorHealth) -> (Validity, Vec<Evidence>) {
    let mut evidence = Vec::new();
    for phase in phases.iter().filter(|phase| phase.open && !phase.warmup) {
        evidence.extend(lateness(phase));
        evidence.extend(dispatched(phase));
    }
    for phase in phases.iter().filter(|phase| !phase.warmup) {
        evidence.extend(exhausted(phase));
    }
    evidence.extend(own_resources(health));
    evidence.sort_by_key(|found| std::cmp::Reverse(found.severity));
    let validity = match evidence.first().map(|found| found.severity) {
        Some(Severity::Invalid) => Validity::Invalid,
        Some(Severity::Suspect) => Validity::Suspect,
        Some(Severity::Note) | None => Validity::Valid,
    };
    (validity, evidence)
}

fn lateness(phase: &PhaseView<'_>) -> Option<Evidence> {
    let late = phase.figures.lateness.quantile(990_000)? * 1_000;
    let mut response = Distribution::default();
    let requests = phase.figures.series.iter().filter(|(key, _)| key.kind == Kind::Request);
    requests.for_each(|(_, series)| response.merge(&series.ok.response));
    // Where nothing was answered there is no response time to disturb.
    let median = response.quantile(500_000)? * 1_000;
    let suspect = LATENESS_FLOOR.max(median / 10);
    let invalid = LATENESS_INVALID_FLOOR.max(median / 2);
    (late > suspect).then(|| Evidence {
        what: format!("lateness p99 in {}", phase.name),
        value: format_nanos(late),
        limit: format!("at most {} (10% of the response p50, or 1ms)", format_nanos(suspect)),
        severity: if late > invalid { Severity::Invalid } else { Severity::Suspect },
        help: "requests left later than planned: give the generator more cores, or ask less of its script".to_owned(),
    })
}

fn dispatched(phase: &PhaseView<'_>) -> Option<Evidence> {
    let planned = phase.planned.filter(|&planned| planned >= ARRIVALS_MIN)?;
    let share = phase.figures.offered as f64 / planned as f64;
    (share < 0.99).then(|| Evidence {
        what: format!("arrivals dispatched in {}", phase.name),
        value: format!("{} of {planned} ({:.1}%)", phase.figures.offered, share * 100.0),
        limit: "at least 99%".to_owned(),
        severity: if share < 0.95 { Severity::Invalid } else { Severity::Suspect },
        help: "the generator could not keep up with the plan: lower the rate, or add cores or machines".to_owned(),
    })
}

fn exhausted(phase: &PhaseView<'_>) -> impl Iterator<Item = Evidence> {
    let requests = || phase.figures.series.iter().filter(|(key, _)| key.kind == Kind::Request);
    let offered: u64 = requests().map(|(_, series)| series.offered()).sum();
    let failed = move |kind| -> u64 { requests().map(|(_, series)| series.count(FailureKind::Error(kind))).sum() };
    let kinds = ErrorKind::ALL.iter().copied().filter(|kind| kind.is_generators());
    kinds.filter_map(move |kind| {
        let n = Some(failed(kind)).filter(|&n| n > 0)?;
        let share = n as f64 / offered.max(1) as f64;
        let severity = if share > EXHAUSTED_MAX { Severity::Invalid } else { Severity::Suspect };
        let what = format!("requests that failed as {kind} in {}", phase.name);
        let value = format!("{n} of {offered} ({:.1}%)", share * 100.0);
        Some(evidence(&what, value, "none: this is the generator's limit".to_owned(), severity, kind.advice()))
    })
}

fn own_resources(health: &GeneratorHealth) -> impl Iterator<Item = Evidence> {
    let share = |what: &str, value: Option<f64>, suspect: f64, invalid: f64, help: &str| {
        let value = value.filter(|&value| value > suspect)?;
        let severity = if value > invalid { Severity::Invalid } else { Severity::Suspect };
        let percent = |share: f64| format!("{:.0}%", share * 100.0);
        Some(evidence(what, percent(value), format!("at most {}", percent(suspect)), severity, help))
    };
    let span = |what: &str, value: Nanos, limit: Nanos, severity: Severity, help: &str| {
        (value > limit)
            .then(|| evidence(what, format_nanos(value), format!("at most {}", format_nanos(limit)), severity, help))
    };
    let gap = if health.clock_gap_max > 10 * GAP_MAX { Severity::Invalid } else { Severity::Suspect };
    let gaps = format!("longest gap in a worker's heartbeat ({} in all)", health.clock_gaps);
    let descriptors = health.descriptors.map(|(open, allowed)| open as f64 / allowed.max(1) as f64);
    [
        share("own CPU", health.cpu_share, 0.8, 0.95, "the generator was busy itself: lower the load, or add cores"),
        share(
            "time throttled by the control group",
            health.throttled_share,
            0.05,
            0.2,
            "raise the container's CPU limit",
        ),
        span(
            &gaps,
            health.clock_gap_max,
            GAP_MAX,
            gap,
            "the machine was suspended or overcommitted: use a quieter one",
        ),
        span(
            "longest stretch of script code",
            health.script_stall_max,
            GAP_MAX,
            Severity::Suspect,
            "move work out of the script's loops, or into templates",
        ),
        share("time in script code", health.script_share, 0.5, f64::INFINITY, "use templates instead of closures"),
        share("open descriptors", descriptors, 0.9, f64::INFINITY, "raise `ulimit -n`"),
    ]
    .into_iter()
    .flatten()
}

fn evidence(what: &str, value: String, limit: String, severity: Severity, help: &str) -> Evidence {
    Evidence { what: what.to_owned(), value, limit, severity, help: help.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::{IterationResult, NameId, PhaseFigures, Recorder, Sample, SampleResult};

    fn figures(response: Nanos, late: Nanos, offered: u64) -> PhaseFigures {
        let mut recorder = Recorder::new();
        let name = recorder.name(Kind::Request, "item");
        for _ in 0..offered {
            recorder.offered(0, 0);
            recorder.iteration(0, IterationResult::Ok);
            recorder.lateness(0, late);
            recorder.record(&sample(name, SampleResult::Ok, response));
        }
        recorder.take(0).phases.remove(0).1
    }

    fn sample(name: NameId, result: SampleResult, end: Nanos) -> Sample {
        Sample {
            phase: 0,
            name,
            class: crate::measure::ClassId::NONE,
            result,
            status: 200,
            planned: 0,
            started: 0,
            first_byte: None,
            end,
            bytes_sent: 0,
            bytes_received: 0,
        }
    }

    fn judge(figures: &PhaseFigures, planned: u64, health: GeneratorHealth) -> (Validity, Vec<Evidence>) {
        let view = PhaseView {
            name: "sustained",
            index: 0,
            open: true,
            warmup: false,
            duration: 1_000_000_000,
            planned: Some(planned),
            figures,
            totals: None,
        };
        assess(&[view], &health)
    }

    #[test]
    fn lateness_is_held_against_the_response_time() {
        for (response_ms, late_us, expected) in [
            (2, 900, Validity::Valid),
            (2, 1_100, Validity::Suspect),
            (2, 5_100, Validity::Invalid),
            (20, 1_900, Validity::Valid),
            (20, 2_100, Validity::Suspect),
            (20, 11_000, Validity::Invalid),
        ] {
            let figures = figures(response_ms * MILLISECOND, late_us * 1_000, 100);
            assert_eq!(judge(&figures, 100, GeneratorHealth::default()).0, expected, "{response_ms} {late_us}");
        }
    }

    #[test]
    fn what_was_due_must_have_been_dispatched() {
        let figures = figures(MILLISECOND, 0, 970);
        for (planned, expected) in [(970, Validity::Valid), (990, Validity::Suspect), (1_100, Validity::Invalid)] {
            assert_eq!(judge(&figures, planned, GeneratorHealth::default()).0, expected, "{planned}");
        }
    }

    #[test]
    fn errors_that_are_the_generators_are_held_against_it() {
        for (kind, failed, expected) in [
            (ErrorKind::ConnectRefused, 500, Validity::Valid),
            (ErrorKind::AddressUnavailable, 1, Validity::Suspect),
            (ErrorKind::TooManyFiles, 10, Validity::Suspect),
            (ErrorKind::TooManyFiles, 50, Validity::Invalid),
        ] {
            let mut recorder = Recorder::new();
            let name = recorder.name(Kind::Request, "item");
            for k in 0..1_000 {
                let result = if k < failed { SampleResult::Error(kind) } else { SampleResult::Ok };
                recorder.offered(0, 0);
                recorder.iteration(0, IterationResult::Ok);
                recorder.record(&sample(name, result, MILLISECOND));
            }
            let figures = recorder.take(0).phases.remove(0).1;
            let (validity, evidence) = judge(&figures, 1_000, GeneratorHealth::default());
            assert_eq!(validity, expected, "{kind} {failed}");
            if expected != Validity::Valid {
                assert!(evidence[0].what.contains(kind.word()) && evidence[0].help == kind.advice(), "{evidence:?}");
            }
        }
    }

    #[test]
    fn the_generators_own_limits_count() {
        let figures = figures(MILLISECOND, 0, 100);
        let healthy = GeneratorHealth::default();
        for (health, expected) in [
            (GeneratorHealth { cpu_share: Some(0.85), ..healthy }, Validity::Suspect),
            (GeneratorHealth { cpu_share: Some(0.96), ..healthy }, Validity::Invalid),
            (GeneratorHealth { clock_gap_max: 150 * MILLISECOND, ..healthy }, Validity::Suspect),
            (GeneratorHealth { clock_gap_max: 5_000 * MILLISECOND, ..healthy }, Validity::Invalid),
            (GeneratorHealth { descriptors: Some((950, 1_000)), ..healthy }, Validity::Suspect),
            (GeneratorHealth { cpu_share: Some(0.5), descriptors: Some((3, 1_000)), ..healthy }, Validity::Valid),
        ] {
            assert_eq!(judge(&figures, 100, health).0, expected, "{health:?}");
        }
    }

    #[test]
    fn the_heaviest_evidence_comes_first() {
        let figures = figures(20 * MILLISECOND, 3 * MILLISECOND, 100);
        let health = GeneratorHealth { cpu_share: Some(0.99), ..GeneratorHealth::default() };
        let (_, evidence) = judge(&figures, 100, health);
        assert_eq!(evidence.iter().map(|e| e.severity).collect::<Vec<_>>(), [Severity::Invalid, Severity::Suspect]);
    }
}
