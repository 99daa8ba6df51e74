//! Runs against runs, as reports show it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::describe;
use crate::{
    judge::{Change, Compared, ExitCode, Side, Validity, compare, unmatched},
    plan::{Outline, Phase},
};

/// Rows that a note names; of more it gives the number.
const NAMED_MAX: usize = 5;

/// What is known of a run that is compared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ComparedRun {
    /// Its file.
    pub file: String,
    /// When it started, in UTC.
    pub started_at: String,
    /// The version of loadr that ran.
    pub loadr: String,
    /// The plan's hash.
    pub plan_hash: String,
    /// The seed.
    pub seed: u64,
    /// What its figures are worth.
    pub verdict: Validity,
    /// Why they are not all that were measured.
    pub partial: Option<String>,
    /// The machine, in a word: system, processor, cores.
    pub machine: String,
    /// Which part of the run it is, such as `1/2`; null for a whole one.
    #[serde(default)]
    pub part: Option<String>,
    /// Its phases that count.
    #[serde(default)]
    pub phases: Vec<ComparedPhase>,
}

/// A phase of a run that is compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComparedPhase {
    /// Its name.
    pub name: String,
    /// Its load in words, without its length.
    pub load: String,
}

impl ComparedPhase {
    /// Those of an outline, without warm-up phases.
    pub fn all(outline: &Outline) -> Vec<Self> {
        let phase = |phase: &Phase| Self {
            name: phase.name.clone(),
            load: describe(&Phase { duration: None, ..phase.clone() }),
        };
        outline.phases.iter().filter(|phase| !phase.warmup).map(phase).collect()
    }
}

/// A baseline and what it is compared with. The names are those of the JSON form: additions only.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The runs of the baseline.
    pub a: Vec<ComparedRun>,
    /// The runs that are held against it.
    pub b: Vec<ComparedRun>,
    /// A smaller change is none, as a share.
    pub margin: f64,
    /// A regression is a failure: it decides on the exit code.
    #[serde(default)]
    pub is_gate: bool,
    /// How many figures got worse.
    pub regressions: usize,
    /// How many got better.
    pub improvements: usize,
    /// How many could not be told.
    pub inconclusive: usize,
    /// Runs on each side that would probably tell what these cannot.
    #[serde(default)]
    pub runs_needed: Option<u64>,
    /// The code that it asks for.
    pub exit_code: u8,
    /// What a reader should know before believing any of it.
    pub notes: Vec<String>,
    /// Every figure of every row that both sides have.
    pub figures: Vec<Compared>,
}

impl Comparison {
    /// Compares two sides; `a` and `b` say which runs `sides` come from.
    pub fn of(
        a: Vec<ComparedRun>,
        b: Vec<ComparedRun>,
        sides: (&Side<'_>, &Side<'_>),
        margin: f64,
        is_gate: bool,
    ) -> Self {
        let mut figures = compare(sides.0, sides.1, margin);
        let mut notes = notes(&a, &b);
        notes.extend(withdraw(&mut figures, &a, &b));
        notes.extend(alone(sides));
        if figures.is_empty() {
            notes.push("no row is on both sides: nothing was compared".to_owned());
        }
        Self::concluded(a, b, margin, is_gate, notes, figures)
    }

    /// Counts what the figures say.
    pub(super) fn concluded(
        a: Vec<ComparedRun>,
        b: Vec<ComparedRun>,
        margin: f64,
        is_gate: bool,
        notes: Vec<String>,
        figures: Vec<Compared>,
    ) -> Self {
        let count = |verdict: Change| figures.iter().filter(|figure| figure.verdict == verdict).count();
        let regressions = count(Change::Regression);
        let is_invalid = a.iter().chain(&b).any(|run| run.verdict == Validity::Invalid);
        let exit = match regressions {
            // What makes figures worthless comes before what they say.
            _ if is_invalid => ExitCode::Invalid,
            1.. if is_gate => ExitCode::Regression,
            _ => ExitCode::Passed,
        };
        let open = figures.iter().filter(|figure| figure.verdict == Change::Inconclusive);
        Self {
            margin,
            is_gate,
            regressions,
            improvements: count(Change::Improved),
            inconclusive: count(Change::Inconclusive),
            runs_needed: open.filter_map(|figure| figure.runs_needed).max(),
            exit_code: exit.code(),
            notes,
            figures,
            a,
            b,
        }
    }

    /// Whether it makes the run that it belongs to a failure.
    pub fn fails(&self) -> bool {
        self.exit_code == ExitCode::Regression.code()
    }

    /// A word for the whole.
    pub fn word(&self) -> &'static str {
        match self.regressions {
            _ if self.exit_code == ExitCode::Invalid.code() => "INVALID",
            0 => "NO REGRESSION",
            _ => "REGRESSION",
        }
    }

    /// The counts in words: `2 worse · 1 better · 7 the same · 3 cannot be told`.
    pub fn counts(&self) -> String {
        let same = self.figures.len() - self.regressions - self.improvements - self.inconclusive;
        format!(
            "{} worse · {} better · {same} the same · {} cannot be told",
            self.regressions, self.improvements, self.inconclusive
        )
    }

    /// Why figures cannot be told, where it is not the spread, each once.
    pub fn reasons(&self) -> Vec<&str> {
        let open = self.figures.iter().filter(|figure| figure.verdict == Change::Inconclusive);
        let mut reasons: Vec<&str> = open.filter_map(|figure| figure.why.as_deref()).collect();
        reasons.sort_unstable();
        reasons.dedup();
        reasons
    }

    /// Passes each text that a script or a server had a say in through `rewrite`.
    pub fn rewrite_texts(&mut self, rewrite: &dyn Fn(&str) -> String) {
        let each = |text: &mut String| *text = rewrite(text);
        for run in self.a.iter_mut().chain(&mut self.b) {
            each(&mut run.file);
            run.partial.iter_mut().for_each(each);
            run.phases.iter_mut().flat_map(|phase| [&mut phase.name, &mut phase.load]).for_each(each);
        }
        self.notes.iter_mut().for_each(each);
        for figure in &mut self.figures {
            [&mut figure.phase, &mut figure.name]
                .into_iter()
                .chain(&mut figure.class)
                .chain(&mut figure.why)
                .for_each(each);
        }
    }
}

/// Takes back what is said of phases whose load is another: what was asked of the target may be why it answered
/// otherwise.
fn withdraw(figures: &mut [Compared], a: &[ComparedRun], b: &[ComparedRun]) -> Vec<String> {
    let mut loads: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for phase in a.iter().chain(b).flat_map(|run| &run.phases) {
        let known = loads.entry(&phase.name).or_default();
        if !known.contains(&phase.load.as_str()) {
            known.push(&phase.load);
        }
    }
    let mut notes = Vec::new();
    for (phase, loads) in loads.iter().filter(|(_, loads)| loads.len() > 1) {
        let of_phase = figures.iter_mut().filter(|figure| figure.phase == **phase);
        let mut seen = false;
        for figure in of_phase {
            seen = true;
            figure.verdict = Change::Inconclusive;
            figure.runs_needed = None;
            figure.why = Some("the phase had another load".to_owned());
        }
        if seen {
            notes.push(format!("{phase} is not judged: its load was {}", loads.join(" against ")));
        }
    }
    notes
}

/// What is on one side only.
fn alone((a, b): (&Side<'_>, &Side<'_>)) -> Vec<String> {
    let [left, right] = unmatched(a, b);
    let note = |side: &str, rows: Vec<(String, String)>| {
        let names: Vec<String> =
            rows.iter().take(NAMED_MAX).map(|(phase, name)| format!("{name} in {phase}")).collect();
        let more = rows.len().saturating_sub(NAMED_MAX);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        (!rows.is_empty()).then(|| format!("only in {side}, compared with nothing: {}{more}", names.join(", ")))
    };
    note("A", left).into_iter().chain(note("B", right)).collect()
}

fn notes(a: &[ComparedRun], b: &[ComparedRun]) -> Vec<String> {
    let mut notes = Vec::new();
    let all = || a.iter().chain(b);
    for run in all() {
        match run.verdict {
            Validity::Valid => {}
            Validity::Suspect => notes.push(format!("{} is SUSPECT: its generator disturbed the figures", run.file)),
            Validity::Invalid => {
                notes.push(format!("{} is INVALID: its figures tell of the generator, not of the target", run.file));
            }
        }
        if let Some(why) = &run.partial {
            notes.push(format!("{} is partial: {why}", run.file));
        }
    }
    let differs = |of: fn(&ComparedRun) -> &str| all().any(|run| a.first().is_some_and(|first| of(first) != of(run)));
    if differs(|run| run.part.as_deref().unwrap_or("whole")) {
        notes.push("not all of the runs are whole, or the same part of one: `loadr merge` adds parts up".to_owned());
    }
    if differs(|run| &run.plan_hash) {
        notes.push("the plans differ: what was sent may be why figures do".to_owned());
    }
    if differs(|run| &run.machine) {
        notes.push("the runs come from different machines".to_owned());
    }
    if differs(|run| &run.loadr) {
        notes.push("the runs come from different versions of loadr".to_owned());
    }
    if a.len() == 1 && b.len() == 1 {
        notes.push(
            "one run on each side: how much runs differ by themselves is not known; several on each side tell"
                .to_owned(),
        );
    }
    notes
}
