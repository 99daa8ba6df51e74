//! Runs one after the other, as reports show them.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    judge::{Change, ExitCode, RUNS_MIN, RunFigure, Shift, Trend, trends},
    measure::Kind,
};

/// A run of a history.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HistoryRun {
    /// Its file.
    pub file: String,
    /// When it started, in UTC.
    pub started_at: String,
    /// The version of loadr that ran.
    pub loadr: String,
    /// The plan's hash.
    pub plan_hash: String,
    /// The machine, in a word: system, processor, cores.
    pub machine: String,
    /// Facts of the script's author, such as a commit.
    pub facts: BTreeMap<String, String>,
}

/// A run that is not in the history.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LeftOut {
    /// Its file.
    pub file: String,
    /// Why.
    pub why: String,
}

/// A change of a figure's level, with what else changed then.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HistoryChange {
    /// The change.
    #[serde(flatten)]
    pub shift: Shift,
    /// The file of the first run of the new level.
    pub file: String,
    /// When that run started, in UTC.
    pub started_at: String,
    /// What differs between that run and the one before it: plan, machine, version, facts.
    pub beside: Vec<String>,
}

/// A figure over all runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HistoryTrend {
    /// The figure.
    #[serde(flatten)]
    pub trend: Trend,
    /// Where its level changed; in place of the trend's own list, which has no more than places.
    pub changes: Vec<HistoryChange>,
}

/// A folder's runs, in the order of time. The names are those of the JSON form: additions only.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct History {
    /// A smaller change is none, as a share.
    pub margin: f64,
    /// How many figures are worse now than before their last change.
    pub regressions: usize,
    /// How many are better.
    pub improvements: usize,
    /// The code the command ends with.
    pub exit_code: u8,
    /// What a reader should know.
    pub notes: Vec<String>,
    /// The runs, the oldest first.
    pub runs: Vec<HistoryRun>,
    /// Runs whose figures prove nothing, or are not whole.
    pub left_out: Vec<LeftOut>,
    /// Every figure of every row.
    pub trends: Vec<HistoryTrend>,
}

impl History {
    /// Looks for changes. `runs` are in the order of time, each with its figures; `phases` in the order to show.
    pub fn of(
        runs: Vec<(HistoryRun, Vec<RunFigure>)>,
        left_out: Vec<LeftOut>,
        phases: &[String],
        margin: f64,
        is_gate: bool,
    ) -> Self {
        let (runs, figures): (Vec<HistoryRun>, Vec<Vec<RunFigure>>) = runs.into_iter().unzip();
        let with_cause = |mut trend: Trend| {
            let changes = std::mem::take(&mut trend.changes);
            let changes = changes.into_iter().map(|shift| change(shift, &runs, &trend)).collect();
            HistoryTrend { trend, changes }
        };
        let trends: Vec<HistoryTrend> = trends(&figures, phases, margin).into_iter().map(with_cause).collect();
        let last = |verdict: Change| {
            trends.iter().filter(|it| it.changes.last().is_some_and(|last| last.shift.verdict == verdict)).count()
        };
        let (regressions, improvements) = (last(Change::Regression), last(Change::Improved));
        let mut notes = Vec::new();
        if runs.len() < RUNS_MIN {
            notes.push(format!("{} runs: changes are looked for from {RUNS_MIN} on", runs.len()));
        }
        let exit = if is_gate && regressions > 0 { ExitCode::Regression } else { ExitCode::Passed };
        Self { margin, regressions, improvements, exit_code: exit.code(), notes, runs, left_out, trends }
    }

    /// A word for the whole.
    pub fn word(&self) -> &'static str {
        match self.regressions {
            0 => "NO REGRESSION",
            _ => "REGRESSION",
        }
    }

    /// The counts in words.
    pub fn counts(&self) -> String {
        format!(
            "{} runs · {} figures · {} worse and {} better than before their last change",
            self.runs.len(),
            self.trends.len(),
            self.regressions,
            self.improvements
        )
    }

    /// As JSON, indented, without a newline at its end.
    pub fn json(&self) -> String {
        // Plain data with text keys: writing it into memory cannot fail.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }
}

impl HistoryTrend {
    /// The row's name as a table shows it.
    pub fn row(&self) -> String {
        let name = match self.trend.kind {
            Kind::Flow => format!("flow {}", self.trend.name),
            Kind::Group => format!("group {}", self.trend.name),
            Kind::Request | Kind::Hop | Kind::Message => self.trend.name.clone(),
        };
        match &self.trend.class {
            Some(class) => format!("{name} ({class})"),
            None => name,
        }
    }

    /// A change in words: `+20.1%`, for shares `+2.5pp`.
    pub fn change_text(&self, change: &HistoryChange) -> String {
        super::words::change(self.trend.unit, change.shift.change)
    }
}

fn change(shift: Shift, runs: &[HistoryRun], trend: &Trend) -> HistoryChange {
    let run = &runs[shift.at];
    // Runs without the figure say nothing; what they brought may have changed it all the same.
    let before = (0..shift.at).rev().find(|&at| trend.values[at].is_some()).map(|at| &runs[at]);
    let beside = before.map_or_else(Vec::new, |before| differences(before, run));
    HistoryChange { shift, file: run.file.clone(), started_at: run.started_at.clone(), beside }
}

fn differences(before: &HistoryRun, after: &HistoryRun) -> Vec<String> {
    let mut all = Vec::new();
    if before.plan_hash != after.plan_hash {
        all.push("another plan".to_owned());
    }
    if before.machine != after.machine {
        all.push(format!("another machine: {}", after.machine));
    }
    if before.loadr != after.loadr {
        all.push(format!("loadr {} after {}", after.loadr, before.loadr));
    }
    for (name, value) in &after.facts {
        if before.facts.get(name) != Some(value) {
            all.push(format!("{name} {value}"));
        }
    }
    all
}
