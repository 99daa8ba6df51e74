//! Runs against runs, as reports show it.

use serde::Serialize;

use crate::judge::{Change, Compared, ExitCode, Side, Validity, compare};

/// What is known of a run that is compared.
#[derive(Debug, Clone, PartialEq, Serialize)]
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
}

/// A baseline and what it is compared with. The names are those of the JSON form: additions only.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// The runs of the baseline.
    pub a: Vec<ComparedRun>,
    /// The runs that are held against it.
    pub b: Vec<ComparedRun>,
    /// A smaller change is none, as a share.
    pub margin: f64,
    /// How many figures got worse.
    pub regressions: usize,
    /// How many got better.
    pub improvements: usize,
    /// How many could not be told.
    pub inconclusive: usize,
    /// The code the command ends with.
    pub exit_code: u8,
    /// What a reader should know before believing any of it.
    pub notes: Vec<String>,
    /// Every figure of every row that both sides have.
    pub figures: Vec<Compared>,
}

impl Comparison {
    /// Compares two sides; `a` and `b` say which runs `sides` come from.
    pub fn of(a: Vec<ComparedRun>, b: Vec<ComparedRun>, sides: (&Side<'_>, &Side<'_>), margin: f64) -> Self {
        let figures = compare(sides.0, sides.1, margin);
        let count = |verdict: Change| figures.iter().filter(|figure| figure.verdict == verdict).count();
        let regressions = count(Change::Regression);
        let is_invalid = a.iter().chain(&b).any(|run| run.verdict == Validity::Invalid);
        let exit = match regressions {
            // What makes figures worthless comes before what they say.
            _ if is_invalid => ExitCode::Invalid,
            0 => ExitCode::Passed,
            _ => ExitCode::Regression,
        };
        let mut notes = notes(&a, &b);
        if figures.is_empty() {
            notes.push("no row is on both sides: nothing was compared".to_owned());
        }
        Self {
            margin,
            regressions,
            improvements: count(Change::Improved),
            inconclusive: count(Change::Inconclusive),
            exit_code: exit.code(),
            notes,
            figures,
            a,
            b,
        }
    }
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
