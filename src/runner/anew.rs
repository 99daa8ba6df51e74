//! A run that has been, held against other objectives than it had.

use std::path::Path;

use super::{
    NotRun, Replayed, ScriptOptions, replay,
    replay::{Objectives, replay_as},
    scout,
};
use crate::{
    judge::{ExitCode, Slo, aim, is_part_of},
    plan::{Outline, suggest},
    script::Redactor,
};

/// What a run is judged by.
#[derive(Debug, Clone, Default)]
pub struct AnewOptions {
    /// Scripts, of which the SLOs and grades count, and SLOs on one line.
    pub slos: Vec<String>,
    /// What the scripts are given; their path is left open.
    pub source: ScriptOptions,
    /// Inconclusive SLOs are not good enough.
    pub strict: bool,
    /// Colour in messages about mistakes.
    pub color: bool,
}

/// Reads a run file and judges it by these objectives instead of its own. What is not named anew (SLOs, or grades)
/// stays as the run had it.
///
/// # Errors
/// The file cannot be read, an SLO is none, or a script has mistakes.
pub fn judge_anew(path: &Path, options: &AnewOptions) -> Result<Replayed, NotRun> {
    let refuse = |message: String| NotRun::new(ExitCode::NotStarted, message);
    let as_it_was = replay(path).map_err(refuse)?;
    let mut metrics: Vec<String> =
        as_it_was.totals.phases().flat_map(|(_, figures)| figures.custom.names()).map(ToOwned::to_owned).collect();
    metrics.sort_unstable();
    metrics.dedup();
    let mut objectives = Objectives { strict: options.strict, ..Objectives::default() };
    let mut redactors = Vec::new();
    for wanted in &options.slos {
        if is_script(wanted) {
            redactors.push(from_script(wanted, options, &metrics, &mut objectives)?);
        } else {
            let wrong = |message: String| {
                let help = "write an SLO such as \"p95: < 10ms, phase: sustained\", or name a script (.rhai)";
                NotRun::new(ExitCode::Usage, format!("`--slo {wanted:?}`: {message}\nhelp: {help}"))
            };
            objectives.slos.push(Slo::parse(wanted, &metrics).map_err(wrong)?);
        }
    }
    aim(&mut objectives.slos, &as_it_was.outline.experiments);
    for slo in &objectives.slos {
        can_be_judged(slo, &as_it_was.outline).map_err(|message| NotRun::new(ExitCode::Usage, message))?;
    }
    let mut judged = replay_as(path, Some(objectives)).map_err(refuse)?;
    for redactor in redactors {
        judged.summary.rewrite_texts(&|text| redactor.redact(text).into_owned());
    }
    Ok(judged)
}

fn is_script(wanted: &str) -> bool {
    let path = Path::new(wanted);
    path.extension().is_some_and(|extension| extension == "rhai") || path.is_file()
}

fn from_script(
    path: &str,
    options: &AnewOptions,
    metrics: &[String],
    objectives: &mut Objectives,
) -> Result<Redactor, NotRun> {
    let source = ScriptOptions { script: path.into(), ..options.source.clone() };
    let mut load = source.load_options(None);
    load.of_run = Some(metrics.into());
    let scout::Scouted { plan, redactor } = scout::scout(&source, &load, options.color)?;
    if plan.slos.is_empty() && plan.grades.is_none() {
        let help = "help: write slo(\"fast\", #{ p95: \"< 10ms\" })";
        return Err(NotRun::new(ExitCode::Script, format!("{path} declares no SLO and no grades\n{help}")));
    }
    objectives.slos.extend(plan.slos);
    if plan.grades.is_some() {
        objectives.grades = plan.grades;
    }
    Ok(redactor)
}

/// What would be judged as something else than it says, is not judged.
fn can_be_judged(slo: &Slo, outline: &Outline) -> Result<(), String> {
    if let Some(wanted) = &slo.selector.experiment {
        let known = || outline.experiments.iter().map(|it| it.name.as_str());
        if !known().any(|known| known == wanted) {
            let help = suggest(wanted, known(), "experiment");
            return Err(format!(
                "the SLO `{}` is about an experiment `{wanted}`, which the run did not have\nhelp: {help}",
                slo.name
            ));
        }
    }
    let Some(wanted) = &slo.selector.phase else { return Ok(()) };
    let mut about = outline.phases.iter().filter(|it| it.name == *wanted || is_part_of(&it.name, wanted)).peekable();
    if about.peek().is_some() && about.all(|phase| phase.warmup) {
        return Err(format!(
            "the SLO `{}` is about the warm-up phase `{wanted}`\nhelp: a warm-up is in no SLO: judge another phase",
            slo.name
        ));
    }
    Ok(())
}
