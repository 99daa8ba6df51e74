//! One row of a worker's books.

use super::exhibit::Exhibit;
use crate::measure::{
    ClassId, FailureFigures, FailureKind, NameId, OkFigures, Sample, SeriesFigures, Witness, rewrite::Rewrites,
    series::EXAMPLES_MAX, tally::Tally,
};

/// Status codes of one row that are kept apart; a hostile server could send 900.
const STATUS_MAX: usize = 32;

#[derive(Debug, Default)]
struct OkTallies {
    response: Tally,
    service: Tally,
    ttfb: Tally,
}

#[derive(Debug, Default)]
struct FailureTallies {
    response: Tally,
    service: Tally,
    examples: Vec<String>,
    examples_ever: usize,
}

#[derive(Debug)]
pub(super) struct Row {
    pub(super) key: (u16, NameId, ClassId),
    /// It is in the recorder's list of rows to take from.
    pub(super) dirty: bool,
    ok: Option<Box<OkTallies>>,
    /// Few, so a list is quicker than a map.
    failures: Vec<(FailureKind, Box<FailureTallies>)>,
    status: Vec<(u16, u64)>,
    bytes_sent: u64,
    bytes_received: u64,
    /// Exchanges that are kept whole.
    exhibit: Exhibit,
    /// Takes in a row that found nothing.
    idle: u8,
}

/// A row that stays idle for so many takes has given its counters back, and leaves the recorder's list.
const IDLE_MAX: u8 = 8;

impl Row {
    /// `keeps` says whether exchanges are kept whole.
    pub(super) fn new(key: (u16, NameId, ClassId), keeps: bool) -> Self {
        Self {
            key,
            dirty: false,
            ok: None,
            failures: Vec::new(),
            status: Vec::new(),
            bytes_sent: 0,
            bytes_received: 0,
            exhibit: Exhibit::new(keeps),
            idle: 0,
        }
    }

    /// Files a sample. True: its exchange is one to keep.
    #[inline]
    pub(super) fn record(&mut self, sample: &Sample) -> bool {
        self.bytes_sent += sample.bytes_sent;
        self.bytes_received += sample.bytes_received;
        if sample.status != 0 {
            self.status(sample.status);
        }
        match sample.result.failure() {
            None => {
                let ok = self.ok.get_or_insert_default();
                ok.response.record(sample.response());
                ok.service.record(sample.service());
                if let Some(ttfb) = sample.ttfb() {
                    ok.ttfb.record(ttfb);
                }
                self.exhibit.is_slow(sample.response())
            }
            Some(kind) => {
                let failure = self.failure(kind);
                failure.response.record(sample.response());
                if kind.was_sent() {
                    failure.service.record(sample.service());
                }
                self.exhibit.is_new(kind, sample.status)
            }
        }
    }

    /// Keeps an exchange.
    #[cold]
    pub(super) fn keep(&mut self, sample: &Sample, witness: &Witness<'_>) {
        self.exhibit.keep(sample, witness);
    }

    pub(super) fn example(&mut self, kind: FailureKind, text: impl FnOnce() -> String) {
        let failure = self.failure(kind);
        if failure.examples_ever < EXAMPLES_MAX {
            failure.examples_ever += 1;
            failure.examples.push(text());
        }
    }

    fn status(&mut self, status: u16) {
        let position = |wanted| self.status.iter().position(|&(known, _)| known == wanted);
        // Codes beyond the limit share the entry of 0, which no response has.
        let full = self.status.len() >= STATUS_MAX;
        let (status, at) = match position(status) {
            None if full => (0, position(0)),
            at => (status, at),
        };
        match at {
            Some(at) => self.status[at].1 += 1,
            None => self.status.push((status, 1)),
        }
    }

    fn failure(&mut self, kind: FailureKind) -> &mut FailureTallies {
        let at = self.failures.iter().position(|(known, _)| *known == kind).unwrap_or_else(|| {
            self.failures.push((kind, Box::default()));
            self.failures.len() - 1
        });
        &mut self.failures[at].1
    }

    /// Everything since the last take, or nothing. `is_last`: no other take follows.
    pub(super) fn take(&mut self, is_last: bool, class: Option<&str>, rewrites: &Rewrites) -> Option<SeriesFigures> {
        let mut figures = SeriesFigures::default();
        if let Some(ok) = &mut self.ok {
            figures.ok = OkFigures { response: ok.response.take(), service: ok.service.take(), ttfb: ok.ttfb.take() };
        }
        for (kind, failure) in &mut self.failures {
            let taken = FailureFigures {
                response: failure.response.take(),
                service: failure.service.take(),
                examples: std::mem::take(&mut failure.examples),
            };
            if !taken.response.is_empty() || !taken.examples.is_empty() {
                figures.failures.insert(*kind, taken);
            }
        }
        for (status, count) in &mut self.status {
            if *count > 0 {
                figures.status.insert(*status, std::mem::take(count));
            }
        }
        figures.bytes_sent = std::mem::take(&mut self.bytes_sent);
        figures.bytes_received = std::mem::take(&mut self.bytes_received);
        let is_idle = figures == SeriesFigures::default();
        self.exhibit.hand_over(is_last || is_idle, &mut figures.exemplars, class, rewrites);
        if is_idle && figures.exemplars.is_empty() {
            self.idle += 1;
            return None;
        }
        self.idle = 0;
        Some(figures)
    }

    /// Whether the row must be asked again, so that its tallies can let go of their counters.
    pub(super) fn holds_memory(&mut self) -> bool {
        if self.idle < IDLE_MAX {
            return true;
        }
        self.idle = 0;
        self.dirty = false;
        false
    }
}
