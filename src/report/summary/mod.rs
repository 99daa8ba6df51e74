//! The figures of a run, as every report shows them. The names are those of the JSON summary, which is an
//! interface: additions only.

mod build;
mod cache;
mod connections;
mod custom;
mod exchanges;
mod experiment;
mod experiment_parts;
mod experiment_warnings;
mod expiries;
mod goals;
mod grades;
mod invalidation;
mod latency;
mod outage;
mod rows;
#[cfg(test)]
pub(super) mod tests;
mod texts;
mod timeline;
mod told;
mod truth;
mod unmarked;
mod users;
mod watched;
mod worth;

use std::collections::BTreeMap;

pub use build::{PhaseTiming, SummaryInput, phase_views};
pub use cache::CacheSummary;
pub use custom::CustomSummary;
pub use exchanges::{ExampleSummary, ExcerptSummary, ExemplarSummary};
pub use experiment::{CoursePoint, EffectiveSummary, ExperimentSummary, NeedSummary, PartSummary, SpeedupSummary};
pub use experiment_parts::{SizeSummary, StampedeSummary, TtlSummary, WorkingSetSummary};
pub use expiries::ExpiriesSummary;
pub use goals::GoalSummary;
pub use grades::{GradeLimit, GradeSummary, ScaleSummary};
pub use invalidation::InvalidationSummary;
pub use latency::Latency;
pub use outage::{OutagePhaseSummary, OutageSummary};
use serde::Serialize;
pub use timeline::TimelinePoint;
pub use truth::TruthSummary;
pub use unmarked::UnmarkedSummary;
pub use users::UsersSummary;
pub use watched::{MetricSummary, WatchCourse, WatchPhase, WatchSummary};
pub use worth::{BaselineSummary, WorthSummary};

use crate::{
    judge::{Evidence, ExitCode, NotDone, ScoreResult, Unit, Validity, Verdict},
    measure::Kind,
    plan::Scale,
    report::Comparison,
};

/// Everything a report shows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// What the figures are worth.
    pub verdict: Validity,
    /// What speaks against them, the heaviest first.
    pub evidence: Vec<Evidence>,
    /// The code the command ends with.
    pub exit_code: u8,
    /// What that means.
    pub exit_meaning: &'static str,
    /// Why the run ended before its plan did.
    pub ended_early: Option<String>,
    /// Why the figures are not all that were measured: the run file they come from is not whole.
    pub partial: Option<String>,
    /// The script's first doc comment.
    pub title: Option<String>,
    /// The seed of everything drawn.
    pub seed: u64,
    /// A hash of everything that shapes the traffic.
    pub plan_hash: String,
    /// Labels that the run was given by `--tag`.
    pub tags: BTreeMap<String, String>,
    /// The factor of `--scale`, by which phases were made shorter or longer.
    pub scale: Option<Scale>,
    /// Phases that were left out because `--phase` asked for others.
    pub left_out: Vec<String>,
    /// Where requests went, without credentials.
    pub targets: Vec<String>,
    /// Those of them whose certificates were not verified.
    pub unverified: Vec<String>,
    /// One entry for each condition of each SLO.
    pub slos: Vec<SloSummary>,
    /// The scale by which rows of requests have grades, where the script has one.
    pub grades: Option<ScaleSummary>,
    /// What the author hopes for, and what became of it. Decides nothing.
    pub goals: Vec<GoalSummary>,
    /// What the script left out, with its reasons.
    pub skipped: Vec<NotDone>,
    /// What the plan has and the run never reached.
    pub not_run: Vec<NotDone>,
    /// A judgement by the script's rule, where it has one. Not measured.
    pub score: Option<ScoreResult>,
    /// What each cache experiment found.
    pub experiments: Vec<ExperimentSummary>,
    /// The run held against its baseline, where it has one.
    pub baseline: Option<Comparison>,
    /// Phases that ran, in the plan's order.
    pub phases: Vec<PhaseSummary>,
    /// What was measured outside of phases (setup, logins, teardown); counts in no total and no SLO.
    pub asides: Vec<PhaseSummary>,
    /// What was watched beside the traffic.
    pub watched: Vec<WatchSummary>,
    /// The script's own metrics, over all phases but warm-up.
    pub custom: Vec<CustomSummary>,
    /// What a reader should know: of the script's author, and of the run.
    pub notes: Vec<String>,
    /// Those of the notes that are the author's. Not measured.
    pub author_notes: Vec<String>,
    /// Facts of the script's author. Not measured.
    pub facts: BTreeMap<String, String>,
    /// How often a name or class was filed under `(other)` because there were too many.
    pub names_turned_away: u64,
}

impl Summary {
    /// The run file could not be written: that is what the command ends with, unless something worse was found.
    pub fn not_saved(&mut self) {
        if self.exit_code == ExitCode::Passed.code() {
            self.exit_code = ExitCode::NotSaved.code();
            self.exit_meaning = ExitCode::NotSaved.meaning();
        }
    }
}

/// A condition of an SLO.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SloSummary {
    /// The SLO's name.
    pub name: String,
    /// What was judged, such as `p95`.
    pub quantity: String,
    /// The verdict.
    pub verdict: Verdict,
    /// The condition, such as `p95 < 10ms`.
    pub target: String,
    /// What was measured, in `unit`; withheld where the sample cannot carry it.
    pub actual: Option<f64>,
    /// Lower end of the 95 % interval.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// What the three are counted in.
    pub unit: Option<Unit>,
    /// `actual` is a lower bound.
    pub at_least: bool,
    /// `actual` for people.
    pub actual_text: String,
    /// The interval for people; empty where there is none.
    pub interval_text: String,
    /// Samples it rests on.
    pub samples: u64,
    /// Samples it would take to say more.
    pub needed: Option<u64>,
    /// Why it failed or could not be said.
    pub why: Option<String>,
}

/// A phase.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PhaseSummary {
    /// Its name.
    pub name: String,
    /// `open`, `closed`, `burst`, `iterations`, `each_user`, `asap`; `aside` for what is outside of phases.
    pub load: &'static str,
    /// The load in words.
    pub load_text: String,
    /// Iterations started by plan, whatever the server did: latency counts from the planned start.
    pub is_open: bool,
    /// Shown, but in no total and no SLO.
    pub warmup: bool,
    /// Its start, in seconds from the run's.
    pub start_s: f64,
    /// How long it took new iterations, in seconds; for a load of a number of iterations, until all had ended.
    pub duration_s: f64,
    /// How long it then took for the last to end, in seconds.
    pub drain_s: f64,
    /// Iterations that were due by plan, where the plan says.
    pub planned: Option<u64>,
    /// Iterations taken up; the sum of the following six.
    pub offered: u64,
    /// Those that ended ok.
    pub ok: u64,
    /// In which a request or the script failed.
    pub errors: u64,
    /// In which a request timed out.
    pub timeouts: u64,
    /// Which waited for a place in flight longer than their timeout.
    pub expired: u64,
    /// Which found no place in flight.
    pub dropped: u64,
    /// Which were under way when the drain ended.
    pub interrupted: u64,
    /// Iterations a second, by plan.
    pub rate_asked: Option<f64>,
    /// Iterations a second that were started.
    pub rate_achieved: f64,
    /// From due to dispatched.
    pub lateness_us: Latency,
    /// From dispatched to started.
    pub backlog_us: Latency,
    /// Rows of requests: for each name the sum over its classes (`class` is null), then each class.
    pub requests: Vec<RowSummary>,
    /// Rows of flows.
    pub flows: Vec<RowSummary>,
    /// Rows of groups of steps, nested ones as `outer/inner`.
    pub groups: Vec<RowSummary>,
    /// Rows of the exchanges that redirected requests consist of, in their order; the requests' own rows hold
    /// the whole.
    pub hops: Vec<RowSummary>,
    /// Rows of messages of WebSockets and of events, by what they are measured from.
    pub messages: Vec<RowSummary>,
    /// Checks by name.
    pub checks: Vec<CheckSummary>,
    /// The script's own metrics.
    pub custom: Vec<CustomSummary>,
    /// What the mix asked for, and what was dealt.
    pub mix: Vec<MixSummary>,
    /// Its course over all requests.
    pub timeline: Vec<TimelinePoint>,
    /// Requests that opened a connection.
    pub connections_opened: u64,
    /// Requests that found one open.
    pub connections_reused: u64,
    /// What client and target agreed on, the most frequent first.
    pub negotiated: Vec<NegotiatedSummary>,
    /// Opening a TCP connection, without the look-up of its name.
    pub connect_us: Latency,
    /// TLS handshakes.
    pub tls_us: Latency,
    /// The most iterations under way at once.
    pub in_flight_peak: u64,
    /// The most virtual users of a closed phase that were there at once, at work or in a pause.
    pub users_peak: u64,
    /// Run-time errors of the script, by place and message.
    pub script_errors: Vec<MessageSummary>,
    /// Why iterations failed where no request did.
    pub failure_reasons: Vec<MessageSummary>,
}

impl PhaseSummary {
    /// All rows: requests with their hops, messages, flows, groups.
    pub fn rows(&self) -> impl Iterator<Item = &RowSummary> {
        let steps = self.requests.iter().chain(&self.hops).chain(&self.messages);
        steps.chain(&self.flows).chain(&self.groups)
    }
}

/// What was agreed on for connections.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NegotiatedSummary {
    /// `HTTP/1.1` or `HTTP/2`.
    pub protocol: &'static str,
    /// `TLS 1.2` or `TLS 1.3`; null in cleartext.
    pub tls: Option<&'static str>,
    /// IANA's name of the cipher suite.
    pub cipher: Option<String>,
    /// Connections that were opened so; 0 where such a one was only used.
    pub connections: u64,
    /// Those of them whose handshake went on from an earlier one.
    pub resumed: u64,
}

/// A request, a flow, a group, or messages of a kind.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RowSummary {
    /// Its name.
    pub name: String,
    /// Request, flow, group, hop or message.
    pub kind: Kind,
    /// The class of its responses; null is the sum over all.
    pub class: Option<String>,
    /// How often.
    pub offered: u64,
    /// How often it ended as expected.
    pub ok: u64,
    /// How often it ended otherwise, by kind.
    pub errors: BTreeMap<String, u64>,
    /// Responses by status code; `other` is beyond the number that is kept apart.
    pub status: BTreeMap<String, u64>,
    /// Offered a second of the phase.
    pub rate: f64,
    /// From due to over.
    pub response_us: Latency,
    /// From sent to over.
    pub service_us: Latency,
    /// From sent to the first byte.
    pub ttfb_us: Latency,
    /// Bytes written.
    pub bytes_sent: u64,
    /// Bytes read.
    pub bytes_received: u64,
    /// The ways it failed, with what the system said of the first few.
    pub failures: Vec<FailureSummary>,
    /// What its classes say of a cache; only of the sum over all classes, and null where they say nothing.
    pub cache: Option<CacheSummary>,
    /// Its grade; only of requests in phases that count, and null without a scale or samples.
    pub grade: Option<GradeSummary>,
    /// The slowest exchanges that were answered as expected, the slowest first; of all classes together.
    pub slowest: Vec<ExemplarSummary>,
    /// The first exchange of each way of failing, in the order of time; of all classes together.
    pub failing: Vec<ExemplarSummary>,
}

/// A way of failing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FailureSummary {
    /// Its word.
    pub kind: &'static str,
    /// How often.
    pub count: u64,
    /// What to look at first.
    pub advice: &'static str,
    /// What the system said of the first few.
    pub examples: Vec<String>,
}

/// A check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckSummary {
    /// Its name.
    pub name: String,
    /// How often it held.
    pub passed: u64,
    /// How often it did not.
    pub failed: u64,
    /// The first exchange with which it did not.
    pub example: Option<ExcerptSummary>,
}

impl CheckSummary {
    /// How often it was made.
    pub const fn count(&self) -> u64 {
        self.passed + self.failed
    }

    /// The share that held.
    pub fn share(&self) -> f64 {
        self.passed as f64 / self.count().max(1) as f64
    }
}

/// An entry of a phase's mix.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MixSummary {
    /// The request or flow.
    pub name: String,
    /// Its weight over the sum of weights.
    pub asked: f64,
    /// Its share of what was dealt.
    pub achieved: f64,
    /// How often it was dealt.
    pub dealt: u64,
}

/// A message and how often it came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MessageSummary {
    /// `file:line:column`, or empty.
    pub place: String,
    /// The message.
    pub message: String,
    /// How often.
    pub count: u64,
    /// One of them, with the exchange that its iteration had last.
    pub example: Option<ExampleSummary>,
}
