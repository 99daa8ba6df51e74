//! What an SLO is about: the rows its selector names, added up.

use super::{CacheCounts, PhaseView, Selector, counts_as_hit};
use crate::{
    clock::Nanos,
    measure::{Block, CheckCounts, Custom, Kind, SeriesFigures, SeriesKey},
};

/// The sum of the selected rows and phases.
#[derive(Debug, Default)]
pub(super) struct Selected {
    pub(super) series: SeriesFigures,
    /// What the classes say of a cache.
    pub(super) cache: CacheCounts,
    /// Consecutive stretches of time, phase after phase.
    pub(super) blocks: Vec<Block>,
    /// Hits and look-ups of the same stretches.
    pub(super) hit_blocks: Vec<(u64, u64)>,
    pub(super) duration: Nanos,
    pub(super) checks: Vec<(String, CheckCounts)>,
    pub(super) custom: Custom,
    /// Rows were found, whether or not they have samples.
    found_rows: bool,
}

impl Selected {
    /// Whether any sample was found.
    pub(super) fn has_samples(&self) -> bool {
        self.found_rows && self.series.offered() > 0
    }
}

/// Adds up what `selector` names. A phase may be named by the part before the `/` of a repeated one.
///
/// # Errors
/// It names a phase that the plan does not have, with a did-you-mean.
pub(super) fn select(selector: &Selector, phases: &[PhaseView<'_>]) -> Result<Selected, String> {
    let chosen = choose_phases(selector, phases)?;
    let mut selected = Selected::default();
    let mut rows = Vec::new();
    for phase in chosen {
        selected.duration += phase.duration;
        for (key, series) in phase.figures.series.iter().filter(|(key, _)| matches(selector, key)) {
            selected.found_rows = true;
            selected.series.merge(series);
            rows.push((key, series));
        }
        selected.blocks.extend(phase.blocks(|key| matches(selector, key)));
        let shares = phase.shares(|key| counts_as_hit(key).filter(|_| matches(selector, key)));
        selected.hit_blocks.extend(shares.iter().map(|share| (share.part, share.whole)));
        for (name, counts) in &phase.figures.checks {
            selected.checks.push((name.to_string(), *counts));
        }
        selected.custom.merge(&phase.figures.custom);
    }
    selected.cache = CacheCounts::of(rows);
    Ok(selected)
}

/// Whether a phase is one of those that the repeat `whole` made: `level/50` of `level`.
pub fn is_part_of(phase: &str, whole: &str) -> bool {
    phase.strip_prefix(whole).is_some_and(|rest| rest.starts_with('/'))
}

fn choose_phases<'a, 'b>(selector: &Selector, phases: &'b [PhaseView<'a>]) -> Result<Vec<&'b PhaseView<'a>>, String> {
    let Some(name) = &selector.phase else {
        return Ok(phases.iter().filter(|phase| !phase.warmup).collect());
    };
    let is_repeat = |phase: &&PhaseView<'_>| is_part_of(phase.name, name);
    let mut chosen: Vec<_> = phases.iter().filter(|phase| phase.name == name).collect();
    if chosen.is_empty() {
        chosen = phases.iter().filter(is_repeat).collect();
    }
    if chosen.is_empty() {
        let known = phases.iter().map(|phase| phase.name);
        return Err(format!("there is no phase `{name}`{}", did_you_mean(name, known)));
    }
    Ok(chosen)
}

fn matches(selector: &Selector, key: &SeriesKey) -> bool {
    let (kind, name) = match (&selector.request, &selector.flow, &selector.group, &selector.message) {
        (.., Some(message)) => (Kind::Message, Some(message)),
        (_, _, Some(group), None) => (Kind::Group, Some(group)),
        (_, Some(flow), None, None) => (Kind::Flow, Some(flow)),
        (request, None, None, None) => (Kind::Request, request.as_ref()),
    };
    key.kind == kind
        && name.is_none_or(|name| **name == *key.name)
        && selector.class.as_ref().is_none_or(|class| key.class.as_deref() == Some(class))
}

/// Why a selector found no sample, with a did-you-mean over the rows that there are.
pub(super) fn nothing_found(selector: &Selector, phases: &[PhaseView<'_>]) -> String {
    let rows = |kind: Kind| {
        let keys = phases.iter().flat_map(|phase| phase.figures.series.keys());
        keys.filter(move |key| key.kind == kind)
    };
    let parts = [
        ("request", &selector.request, rows(Kind::Request).map(|key| &*key.name).collect::<Vec<_>>()),
        ("flow", &selector.flow, rows(Kind::Flow).map(|key| &*key.name).collect()),
        ("group", &selector.group, rows(Kind::Group).map(|key| &*key.name).collect()),
        ("message", &selector.message, rows(Kind::Message).map(|key| &*key.name).collect()),
        ("class", &selector.class, rows(Kind::Request).filter_map(|key| key.class.as_deref()).collect()),
    ];
    for (word, wanted, known) in parts {
        if let Some(wanted) = wanted
            && !known.contains(&wanted.as_str())
        {
            return format!("no samples of {word} `{wanted}`{}", did_you_mean(wanted, known));
        }
    }
    match &selector.phase {
        Some(phase) => format!("no such samples in phase `{phase}`"),
        None => "no samples outside of warm-up phases".to_owned(),
    }
}

/// `; did you mean …?` with the nearest name, if one is near.
pub(super) fn did_you_mean<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let near = known
        .into_iter()
        .map(|name| (strsim::jaro_winkler(wanted, name), name))
        .filter(|&(likeness, _)| likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    near.map_or_else(String::new, |(_, name)| format!("; did you mean `{name}`?"))
}
