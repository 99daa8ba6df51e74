//! The figures of one row: one request or flow, one class, in one phase.

use std::{collections::BTreeMap, sync::Arc};

use super::{Distribution, Exemplars, FailureKind, Kind, OTHER, Quantile};

/// Which row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesKey {
    /// Request or flow.
    pub kind: Kind,
    /// Its name.
    pub name: Arc<str>,
    /// The class of its responses.
    pub class: Option<Arc<str>>,
}

impl SeriesKey {
    /// The row that takes what is beyond the limit of rows.
    pub(super) fn other(kind: Kind) -> Self {
        Self { kind, name: OTHER.into(), class: None }
    }
}

/// Figures of one row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SeriesFigures {
    /// Those that were answered as expected.
    pub ok: OkFigures,
    /// The others, each way of failing apart.
    pub failures: BTreeMap<FailureKind, FailureFigures>,
    /// Responses by status code. Codes beyond the number that is kept apart are counted under 0.
    pub status: BTreeMap<u16, u64>,
    /// Bytes written.
    pub bytes_sent: u64,
    /// Bytes read.
    pub bytes_received: u64,
    /// Exchanges that are kept whole.
    pub exemplars: Exemplars,
}

/// Durations of what was answered as expected.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OkFigures {
    /// From due to over; its count is the number of answers.
    pub response: Distribution,
    /// From sent to over.
    pub service: Distribution,
    /// From sent to the first byte.
    pub ttfb: Distribution,
}

impl OkFigures {
    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Self) {
        self.response.merge(&other.response);
        self.service.merge(&other.service);
        self.ttfb.merge(&other.ttfb);
    }
}

/// One way of failing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FailureFigures {
    /// From due to over, or a lower bound of it; its count is the number of failures.
    pub response: Distribution,
    /// From sent to over; empty for what was never sent.
    pub service: Distribution,
    /// What the system said of the first few.
    pub examples: Vec<String>,
}

/// Examples kept for one way of failing.
pub(super) const EXAMPLES_MAX: usize = 3;

impl FailureFigures {
    /// Adds all of `other`. Of the examples, the first to arrive stay.
    pub fn merge(&mut self, other: &Self) {
        self.response.merge(&other.response);
        self.service.merge(&other.service);
        let free = EXAMPLES_MAX.saturating_sub(self.examples.len());
        self.examples.extend(other.examples.iter().take(free).cloned());
    }
}

impl SeriesFigures {
    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Self) {
        self.ok.merge(&other.ok);
        for (&kind, figures) in &other.failures {
            self.failures.entry(kind).or_default().merge(figures);
        }
        for (&status, &count) in &other.status {
            *self.status.entry(status).or_default() += count;
        }
        self.bytes_sent += other.bytes_sent;
        self.bytes_received += other.bytes_received;
        self.exemplars.merge(&other.exemplars);
    }

    /// Samples, however they ended.
    pub fn offered(&self) -> u64 {
        self.ok_count() + self.failed()
    }

    /// Samples answered as expected.
    pub const fn ok_count(&self) -> u64 {
        self.ok.response.count()
    }

    /// Samples that ended in any other way.
    pub fn failed(&self) -> u64 {
        self.failures.values().map(|figures| figures.response.count()).sum()
    }

    /// Failures of one kind.
    pub fn count(&self, kind: FailureKind) -> u64 {
        self.failures.get(&kind).map_or(0, |figures| figures.response.count())
    }

    /// Lower bounds of those whose answer might still have come.
    pub fn censored(&self) -> Distribution {
        let mut all = Distribution::default();
        let censored = self.failures.iter().filter(|(kind, _)| kind.is_censored());
        censored.for_each(|(_, figures)| all.merge(&figures.response));
        all
    }

    /// Lower bounds of the service times of those of them that were sent.
    pub fn unanswered_service(&self) -> Distribution {
        let mut all = Distribution::default();
        let sent = self.failures.iter().filter(|(kind, _)| kind.is_censored() && kind.was_sent());
        sent.for_each(|(_, figures)| all.merge(&figures.service));
        all
    }

    /// How many of [`Self::censored`] there are.
    pub fn censored_count(&self) -> u64 {
        self.failures.iter().filter(|(kind, _)| kind.is_censored()).map(|(_, f)| f.response.count()).sum()
    }

    /// The quantile of the response time over what was answered as expected and what never was.
    pub fn offered_quantile(&self, ppm: u32) -> Quantile {
        Quantile::offered(&self.ok.response, &self.censored(), ppm)
    }
}
