//! What a run says, for people and for programs. Every format renders the same [`Summary`].
//!
//! Text that may come from a server or a script is data here: it is stripped of control characters before
//! it is shown.

mod ab;
mod comparison;
mod csv;
mod curl;
mod form;
mod history;
mod html;
mod json;
mod junit;
mod load;
mod markdown;
mod means;
mod outlook;
mod progress;
mod prometheus;
#[cfg(test)]
mod samples;
mod summary;
mod template;
pub mod terminal;
mod trial;
mod words;

pub use ab::{AbBlock, AbInput, AbTest};
pub use comparison::{ComparedPhase, ComparedRun, Comparison};
pub use csv::{seconds_head, seconds_rows};
pub use form::{FORMS, Form, form};
pub use history::{History, HistoryChange, HistoryRun, HistoryTrend, LeftOut};
pub use html::{ab as ab_html, comparisons as comparisons_html, history::history as history_html};
pub use json::{SUMMARY_SCHEMA, comparisons_json, json};
pub use load::describe;
pub use markdown::{ab as ab_markdown, comparisons as comparisons_markdown};
pub use outlook::{
    Arrival, BaselineOutlook, Count, DataOutlook, Distance, EntryOutlook, Outlook, PhaseOutlook, ProcessOutlook,
    RunsOut, Schedule, Shape, SloOutlook, TargetOutlook,
};
pub use progress::{ProgressView, progress_line};
pub use summary::{
    BaselineSummary, CacheSummary, CheckSummary, CoursePoint, CustomSummary, EffectiveSummary, ExampleSummary,
    ExcerptSummary, ExemplarSummary, ExperimentSummary, ExpiriesSummary, FailureSummary, GoalSummary, GradeLimit,
    GradeSummary, InvalidationSummary, Latency, MessageSummary, MetricSummary, MixSummary, NeedSummary,
    NegotiatedSummary, OutagePhaseSummary, OutageSummary, PartSummary, PhaseSummary, PhaseTiming, RowSummary,
    ScaleSummary, SizeSummary, SloSummary, SpeedupSummary, StampedeSummary, Summary, SummaryInput, TimelinePoint,
    TruthSummary, TtlSummary, UnmarkedSummary, UsersSummary, WatchCourse, WatchPhase, WatchSummary, WorkingSetSummary,
    WorthSummary, phase_views,
};
pub use template::Template;
pub use trial::{Act, Body, Headers, Observed, Timings, Trial, TrialCheck, TrialError, TrialRequest, TrialStep};
