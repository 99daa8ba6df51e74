//! A run again, from its file: the same totals, the same looks of the judges, the same conclusion.

use std::{
    collections::BTreeMap,
    fs::File,
    io::BufReader,
    path::{Path, PathBuf},
};

use super::{
    conclude::{Against, Ran, conclude, planned_arrivals},
    conduct::longest_window,
    timings_at,
    watching::{note_end, note_load},
};
use crate::{
    engine::Aside,
    judge::{Grades, PhaseView, Slo, Watch},
    measure::{Observed, Totals},
    pace::Segment,
    plan::Outline,
    report::{self, Summary},
    results::{self, End, Manifest, Opened, Timing},
};

/// A run file that has been read.
#[derive(Debug)]
pub struct Replayed {
    /// Where it is.
    pub path: PathBuf,
    /// What ran.
    pub manifest: Manifest,
    /// Its plan's outline.
    pub outline: Outline,
    /// All figures.
    pub totals: Totals,
    /// When its phases ran.
    pub timings: BTreeMap<u16, Timing>,
    /// The summary, as the run printed it.
    pub summary: Summary,
}

impl Replayed {
    /// The name of what has this number in the totals: a phase, or what is outside of phases.
    pub fn name_of(&self, number: u16) -> &str {
        let number = usize::from(number);
        let aside = || Aside::ALL.get(number.checked_sub(self.outline.phases.len())?).map(|aside| aside.word());
        self.outline.phases.get(number).map(|phase| phase.name.as_str()).or_else(aside).unwrap_or_default()
    }

    /// Its phases, as judges see them.
    pub fn views(&self) -> Vec<PhaseView<'_>> {
        let timing = |timing: &Timing| report::PhaseTiming {
            phase: timing.phase,
            start: timing.start,
            stopped: timing.stopped.max(timing.start),
            drained: timing.drained,
            planned: None,
        };
        let timings: Vec<_> = self.timings.values().map(timing).collect();
        report::phase_views(&self.outline, &self.totals, &timings)
    }
}

/// Opens a run file.
///
/// # Errors
/// A text that names the file and the cause.
pub fn open(path: &Path) -> Result<Opened<BufReader<File>>, String> {
    let told = |error: &dyn std::fmt::Display| format!("failed to read {}: {error}", path.display());
    let file = File::open(path).map_err(|error| told(&error))?;
    results::open(BufReader::new(file)).map_err(|error| told(&error))
}

/// Reads a run file and concludes as the run did.
///
/// # Errors
/// A text that names the file and the cause.
pub fn replay(path: &Path) -> Result<Replayed, String> {
    replay_as(path, None)
}

/// Other objectives than the run had; what is empty stays the run's.
#[derive(Debug, Default)]
pub(super) struct Objectives {
    pub(super) slos: Vec<Slo>,
    pub(super) grades: Option<Grades>,
    /// Inconclusive SLOs are not good enough.
    pub(super) strict: bool,
}

/// As [`replay`], judged by `objectives` where there are any.
pub(super) fn replay_as(path: &Path, objectives: Option<Objectives>) -> Result<Replayed, String> {
    let told = |error: &dyn std::fmt::Display| format!("failed to read {}: {error}", path.display());
    let opened = open(path)?;
    let manifest = opened.manifest.clone();
    let mut outline: Outline = serde_json::from_value(manifest.outline.clone())
        .map_err(|error| told(&format!("its outline is of another version of loadr ({}): {error}", manifest.loadr)))?;
    let is_strict = manifest.strict || objectives.as_ref().is_some_and(|it| it.strict);
    let is_anew = objectives.as_ref().is_some_and(|it| !it.slos.is_empty());
    if let Some(objectives) = objectives {
        if is_anew {
            outline.slos = objectives.slos;
        }
        outline.grades = objectives.grades.or(outline.grades);
    }
    let mut watch = Watch::new(&outline.slos);
    let mut observed = Observed::default();
    let loaded = opened.load(longest_window(&outline.phases, &outline.slos), |totals, tick| {
        tick.observations.iter().for_each(|sample| observed.push(sample.clone()));
        note_load(&mut observed, totals, tick.second);
        let active: Vec<_> = tick.active.iter().map(|active| (active.phase, active.start)).collect();
        // What it would abort for ended the run when it ran; here only the windows count.
        watch.tick(&report::phase_views(&outline, totals, &timings_at(&active, tick.second)), tick.second);
    });
    let loaded = loaded.map_err(|error| told(&error))?;
    let mut end = loaded.end.unwrap_or_else(|| {
        let last = loaded.last.unwrap_or_default();
        let parts = manifest.segments.iter().filter(|(_, count)| *count > 0);
        let segments: Vec<Segment> = parts.map(|&(index, count)| Segment { index, count }).collect();
        End {
            planned: planned_arrivals(&outline, &loaded.timings, &segments, manifest.seed),
            clock_gap_max: last.clock_gap_max,
            clock_gaps: last.clock_gaps,
            readings: last.readings,
            ..End::default()
        }
    });
    if is_anew {
        end.notes.push("judged anew: these SLOs are not those that the run had".to_owned());
    }
    note_end(&mut observed, &loaded.totals, &loaded.timings);
    end.observations.iter().for_each(|sample| observed.push(sample.clone()));
    let summary = conclude(
        &Ran {
            outline: &outline,
            plan_hash: &manifest.plan_hash,
            seed: manifest.seed,
            tags: &manifest.tags,
            strict: is_strict,
            totals: &loaded.totals,
            timings: &loaded.timings,
            observed: &observed,
            end: &end,
            partial: loaded.partial.as_deref(),
            against: known(&end),
        },
        &watch,
    );
    Ok(Replayed { path: path.to_owned(), manifest, outline, totals: loaded.totals, timings: loaded.timings, summary })
}

/// What came out when the run was held against its baseline. What another version of loadr wrote may be unknown.
fn known(end: &End) -> Against<'_> {
    let comparison = end.comparison.clone().and_then(|comparison| serde_json::from_value(comparison).ok());
    comparison.map_or(Against::Nothing, Against::Known)
}
