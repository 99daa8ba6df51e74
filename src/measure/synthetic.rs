//! Made-up runs for tests: the real recorder and totals, fed with samples that a test names.

use super::{ClassId, IterationResult, Kind, Recorder, Sample, SampleResult, Totals, Witness};
use crate::{
    clock::{MILLISECOND, Nanos, SECOND},
    protocol::{ErrorKind, Negotiated, Stamps},
};

/// A run in the making, with one worker.
pub(crate) struct Synthetic {
    pub(crate) recorder: Recorder,
    pub(crate) totals: Totals,
    second: u64,
}

impl Synthetic {
    pub(crate) fn new() -> Self {
        Self { recorder: Recorder::new(), totals: Totals::with_recent_seconds(600), second: 0 }
    }

    /// An exchange of which the bytes are at hand, over at the end of this second.
    pub(crate) fn witness<R>(&self, wire: &str, status: u16, answer: &str, show: impl FnOnce(&Witness<'_>) -> R) -> R {
        let stamps = Stamps { end: (self.second + 1) * SECOND, ..Stamps::default() };
        show(&Witness {
            target: 0,
            wire: wire.as_bytes(),
            body_at: wire.find("\r\n\r\n").map_or(wire.len(), |at| at + 4),
            redirects: 0,
            http2: false,
            status,
            error: None,
            stamps,
            answer: answer.as_bytes(),
        })
    }

    /// Files a request that took `ns`, and keeps its exchange.
    pub(crate) fn kept(&mut self, phase: u16, name: &str, wire: &str, result: SampleResult, ns: Nanos, answer: &str) {
        let planned = self.second * SECOND;
        let sample = Sample {
            phase,
            name: self.recorder.name(Kind::Request, name),
            class: ClassId::NONE,
            result,
            status: if result == SampleResult::Ok { 200 } else { 503 },
            planned,
            started: planned + ns / 10,
            first_byte: Some(planned + ns / 10 * 9),
            end: planned + ns,
            bytes_sent: 100,
            bytes_received: 1_000,
        };
        if self.recorder.record(&sample) {
            let stamps = Stamps { sent: Some(planned + ns / 5), first_byte: sample.first_byte, ..Stamps::default() };
            let mut recorder = std::mem::take(&mut self.recorder);
            self.witness(wire, sample.status, answer, |witness| {
                recorder.keep(&sample, &Witness { stamps, ..*witness })
            });
            self.recorder = recorder;
        }
    }

    /// Files a sample that was due at the start of this second; its first byte came at nine tenths.
    pub(crate) fn sample(&mut self, kind: Kind, phase: u16, name: &str, class: &str, result: SampleResult, ns: Nanos) {
        let planned = self.second * SECOND;
        let started = planned + ns / 10;
        let answered = matches!(result, SampleResult::Ok | SampleResult::FailedStatus);
        let status = match result {
            SampleResult::Ok if kind == Kind::Request => 200,
            SampleResult::FailedStatus => 503,
            _ => 0,
        };
        let sample = Sample {
            phase,
            name: self.recorder.name(kind, name),
            class: if class.is_empty() { ClassId::NONE } else { self.recorder.class(class) },
            result,
            status,
            planned,
            started,
            first_byte: answered.then_some(planned + ns / 10 * 9),
            end: planned + ns,
            bytes_sent: 100,
            bytes_received: if answered { 1_000 } else { 0 },
        };
        self.recorder.record(&sample);
    }

    /// An iteration of one request, with all that belongs to it.
    pub(crate) fn request(
        &mut self,
        phase: u16,
        entry: usize,
        name: &str,
        class: &str,
        result: SampleResult,
        ns: Nanos,
    ) {
        self.recorder.offered(phase, entry);
        self.recorder.lateness(phase, 20_000 + ns % 30_000);
        self.recorder.backlog(phase, ns % 10_000);
        if ns.is_multiple_of(50) {
            self.recorder.opened(phase, &Stamps::default(), Negotiated::default());
        } else {
            self.recorder.reused(phase, Negotiated::default());
        }
        self.sample(Kind::Request, phase, name, class, result, ns);
        self.recorder.iteration(
            phase,
            match result {
                SampleResult::Ok => IterationResult::Ok,
                SampleResult::Error(ErrorKind::Timeout) => IterationResult::Timeout,
                SampleResult::Expired => IterationResult::Expired,
                SampleResult::Dropped => IterationResult::Dropped,
                SampleResult::Interrupted => IterationResult::Interrupted,
                _ => IterationResult::Failed,
            },
        );
    }

    /// `n` iterations of one request that end ok, with response times spread evenly from `from_ms` to `to_ms`.
    pub(crate) fn spread(&mut self, phase: u16, name: &str, n: u64, from_ms: u64, to_ms: u64) {
        for k in 0..n {
            let ns = (from_ms * n + (to_ms - from_ms) * k) * MILLISECOND / n;
            self.request(phase, 0, name, "", SampleResult::Ok, ns);
        }
    }

    /// Ends the second.
    pub(crate) fn tick(&mut self) {
        self.totals.merge(self.recorder.take(self.second), 0);
        self.second += 1;
    }
}
