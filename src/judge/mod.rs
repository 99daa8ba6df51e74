//! Judgement: SLOs and the validity of a run, from measured figures alone. Pure: no clock, no I/O.
//!
//! Verdicts have three values. A figure is compared with its target by both ends of its 95 % interval: where
//! they disagree, the run cannot say, and the result names how many samples would.

mod cache;
mod compare;
mod condition;
mod custom;
mod estimate;
mod evaluate;
mod exit;
mod experiment;
mod figure;
mod goal;
mod grades;
mod history;
mod inline;
mod leak;
mod left_out;
mod not_done;
mod pairs;
mod score;
mod select;
mod slo;
mod truth;
mod validity;
mod view;
mod watch;
mod watched;

pub use cache::{CacheCounts, UNKNOWN_DOUBTFUL, UNKNOWN_MAX, counts_as_hit};
pub use compare::{Change, Compared, Side, compare, unmatched};
pub use condition::QUANTITIES;
pub use estimate::percentile_widening;
pub use evaluate::{SloResult, Verdict, evaluate, holds_now};
pub use exit::{Ending, ExitCode, exit_code};
pub use experiment::{
    Experiment, ExpiriesPart, InvalidatePart, OutagePart, SizePart, StampedePart, TtlPart, aim, has_settled, speedup,
};
pub use figure::{Figure, Unit, percent_word};
pub use goal::{Goal, GoalResult, GoalStatus, judge_goal};
pub use grades::{BELOW, Grade, Grades};
pub use history::{RUNS_MIN, RunFigure, Shift, Trend, run_figures, trends};
pub use leak::{LeakFinding, LeakLimit, LeakPer, judge_leak};
pub use left_out::take_back;
pub use not_done::{NotDone, NotDoneKind, mark_not_run};
pub use pairs::{PAIRS_MIN, compare_pairs};
pub use score::{Deduction, Score, ScoreResult, judge_score};
pub use select::is_part_of;
pub use slo::{Condition, Op, Quantity, Selector, Slo};
pub use truth::{Agreement, HitCount, agreement};
pub use validity::{Evidence, GeneratorHealth, Severity, Validity, assess};
pub use view::PhaseView;
pub use watch::Watch;
pub use watched::{PhaseSpan, Statistic, Watching, judge_watched, per_request};
