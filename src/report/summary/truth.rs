//! What the cache counted itself, beside what its responses said.

use serde::Serialize;

use super::PartSummary;
use crate::{
    judge::{Agreement, HitCount, agreement},
    report::words::percent,
    results::Reading,
};

/// A part of an experiment, held against a counter.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TruthSummary {
    /// What counted, without credentials.
    pub source: String,
    /// `cold`, `warm` or `steady`.
    pub part: &'static str,
    /// Hits that were counted while it ran.
    pub hits: u64,
    /// Misses.
    pub misses: u64,
    /// Counted hits among counted look-ups; null without any.
    pub hit_ratio: Option<f64>,
    /// The ratio by the classes of responses.
    pub classified: Option<f64>,
    /// Look-ups by the classes of responses.
    pub looked_up: u64,
    /// `agrees`, `foreign_traffic`, `fewer`, `disagrees` or `unknown`.
    pub verdict: Agreement,
    /// Why it could not be read.
    pub error: Option<String>,
}

/// The readings of an experiment, in the order of its parts.
pub(super) fn truth(experiment: &str, parts: &[PartSummary], readings: &[Reading]) -> Vec<TruthSummary> {
    let of_part = |part: &PartSummary| {
        let reading = readings.iter().find(|it| it.experiment == experiment && it.phase == part.phase)?;
        let counted = HitCount { hits: reading.hits, looked_up: reading.hits.saturating_add(reading.misses) };
        let classified = HitCount { hits: part.cache.hits, looked_up: part.cache.looked_up() };
        let verdict = match reading.error {
            Some(_) => Agreement::Unknown,
            None => agreement(classified, part.cache.low.zip(part.cache.high), counted),
        };
        Some(TruthSummary {
            source: reading.source.clone(),
            part: part.part,
            hits: reading.hits,
            misses: reading.misses,
            hit_ratio: counted.ratio(),
            classified: part.cache.hit_ratio,
            looked_up: classified.looked_up,
            verdict,
            error: reading.error.clone(),
        })
    };
    parts.iter().filter_map(of_part).collect()
}

impl TruthSummary {
    /// For people.
    pub fn text(&self) -> String {
        let counted = self.hits.saturating_add(self.misses);
        let head = format!("truth, {}: {}", self.part, self.source);
        if let Some(error) = &self.error {
            return format!("{head} could not be read: {error}");
        }
        let ratio =
            self.hit_ratio.map_or_else(|| "nothing".to_owned(), |ratio| format!("{} of {counted}", percent(ratio)));
        let own = self.classified.map_or_else(|| "no ratio".to_owned(), percent);
        let said = match self.verdict {
            Agreement::Agrees => "they agree".to_owned(),
            Agreement::ForeignTraffic => {
                format!("{} look-ups are not of this run", counted.saturating_sub(self.looked_up))
            }
            Agreement::Fewer => format!("{} look-ups did not get there", self.looked_up.saturating_sub(counted)),
            Agreement::Disagrees => "they disagree".to_owned(),
            Agreement::Unknown => "nothing to hold against it".to_owned(),
        };
        format!("{head} counted {ratio}; responses say {own} of {}: {said}", self.looked_up)
    }

    /// What it makes doubtful.
    pub fn warning(&self) -> Option<String> {
        let why = match self.verdict {
            Agreement::Agrees => return None,
            Agreement::ForeignTraffic => {
                "foreign traffic: others use the cache, or each request looks up more than one key, so the counter says \
                 nothing of this run alone"
            }
            Agreement::Fewer => {
                "the counter saw fewer look-ups than were made: something before it answers, or it is another cache's"
            }
            Agreement::Disagrees => {
                "the classes do not say what the cache counted: look at how responses are classified"
            }
            Agreement::Unknown => match self.error {
                Some(_) => "the counter could not be read",
                None => return None,
            },
        };
        Some(format!("{}: {why}", self.part))
    }
}
