//! What a run is held against when it has ended.

use std::path::Path;

use super::{
    NotRun, Replayed, RunOptions,
    runs::{described, runs},
};
use crate::{
    judge::{ExitCode, PhaseView, Validity},
    plan::{MARGIN, Plan},
    report::{ComparedPhase, ComparedRun, Comparison},
};

/// The runs of a baseline, read before anything is sent: what can go wrong with them is told at the start.
#[derive(Debug)]
pub(super) struct Baseline {
    runs: Vec<Replayed>,
    margin: f64,
    is_gate: bool,
}

impl Baseline {
    /// The baseline that the command line asks for, or else the script.
    ///
    /// # Errors
    /// A file cannot be read, or holds the run of something else.
    pub(super) fn open(options: &RunOptions, plan: &Plan) -> Result<Option<Self>, NotRun> {
        let declared = plan.baseline.as_ref();
        let (files, from_script) = match (&options.baseline[..], declared) {
            ([], None) if options.fail_on_regression || options.max_regression.is_some() => {
                let message = "there is no baseline that the run could be worse than\n\
                               help: name one with --baseline FILE, or in the script with baseline(\"main.loadr\")";
                return Err(NotRun::new(ExitCode::Usage, message));
            }
            ([], None) => return Ok(None),
            ([], Some(declared)) => (&declared.files[..], true),
            (files, _) => (files, false),
        };
        let refuse = |message: String| {
            let place = match declared {
                Some(declared) if from_script => {
                    // The main script has no name of its own in a place.
                    let file = match &*declared.at.file {
                        "" => options.script.display().to_string(),
                        module => module.to_owned(),
                    };
                    format!("\nit is the baseline of {file}:{}", declared.at.line)
                }
                _ => "\nit is the baseline of the run".to_owned(),
            };
            let help = "help: nothing was sent; a run file is written by `loadr run … --results FILE`";
            NotRun::new(ExitCode::NotStarted, format!("{message}{place}\n{help}"))
        };
        let mut read = Vec::new();
        for file in files {
            read.extend(runs(file).map_err(refuse)?);
        }
        let is_gate = options.fail_on_regression || (from_script && declared.is_some_and(|declared| declared.fail));
        if let Some(run) = read.iter().find(|run| is_gate && run.summary.verdict == Validity::Invalid) {
            return Err(refuse(format!("{} is INVALID: nothing can be worse than it", run.path.display())));
        }
        for run in &read {
            is_of_this(run, plan).map_err(refuse)?;
        }
        let margin = options.max_regression.or(declared.map(|declared| declared.margin)).unwrap_or(MARGIN);
        Ok(Some(Self { runs: read, margin, is_gate }))
    }

    /// Holds a run against it.
    pub(super) fn compare(&self, run: ComparedRun, views: Vec<PhaseView<'_>>) -> Comparison {
        let a = self.runs.iter().map(described).collect();
        let sides: Vec<Vec<PhaseView<'_>>> = self.runs.iter().map(Replayed::views).collect();
        Comparison::of(a, vec![run], (&sides, &[views]), self.margin, self.is_gate)
    }
}

/// Whether anything of the run can be compared at all.
fn is_of_this(run: &Replayed, plan: &Plan) -> Result<(), String> {
    let theirs = ComparedPhase::all(&run.outline);
    let ours = || plan.phases.iter().filter(|phase| !phase.warmup).map(|phase| phase.name.as_str());
    if ours().any(|name| theirs.iter().any(|phase| phase.name == name)) {
        return Ok(());
    }
    let names: Vec<&str> = theirs.iter().map(|phase| phase.name.as_str()).collect();
    Err(format!(
        "{} is a run of something else: its phases are {}; those of the script are {}",
        file_name(&run.path),
        listed(&names),
        listed(&ours().collect::<Vec<_>>()),
    ))
}

fn file_name(path: &Path) -> String {
    path.display().to_string()
}

fn listed(names: &[&str]) -> String {
    if names.is_empty() { "none that count".to_owned() } else { names.join(", ") }
}
