//! One request or transaction, as a worker saw it.

use std::fmt;

use super::{ClassId, NameId};
use crate::{clock::Nanos, protocol::ErrorKind};

/// One request, or one flow's transaction: when it was due, what became of it.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// Index of the phase in the plan.
    pub phase: u16,
    /// The row it is filed under; says as well whether it is a request or a flow.
    pub name: NameId,
    /// The response's class.
    pub class: ClassId,
    /// What became of it.
    pub result: SampleResult,
    /// The status code, or 0 without a response.
    pub status: u16,
    /// When it was due.
    pub planned: Nanos,
    /// When it was sent. Of no meaning for a sample that never started.
    pub started: Nanos,
    /// When the first byte of the response was read.
    pub first_byte: Option<Nanos>,
    /// When it was over; for a sample without an end of its own, when it was given up.
    pub end: Nanos,
    /// Bytes written.
    pub bytes_sent: u64,
    /// Bytes read.
    pub bytes_received: u64,
}

impl Sample {
    /// From due to over.
    pub const fn response(&self) -> Nanos {
        self.end.saturating_sub(self.planned)
    }

    /// From sent to over.
    pub const fn service(&self) -> Nanos {
        self.end.saturating_sub(self.started)
    }

    /// From sent to the first byte of the response.
    pub const fn ttfb(&self) -> Option<Nanos> {
        match self.first_byte {
            Some(at) => Some(at.saturating_sub(self.started)),
            None => None,
        }
    }
}

/// What became of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SampleResult {
    /// Answered as expected.
    Ok,
    /// Answered with a status code that was not expected.
    FailedStatus,
    /// A transaction whose script or whose requests failed.
    Failed,
    /// No whole, valid answer.
    Error(ErrorKind),
    /// Waited for a place in flight until its timeout had passed; never sent.
    Expired,
    /// Found no place in flight and was not to wait; never sent.
    Dropped,
    /// Under way when the run or the phase's drain ended.
    Interrupted,
}

impl SampleResult {
    /// The way it failed, if it did.
    pub const fn failure(self) -> Option<FailureKind> {
        Some(match self {
            Self::Ok => return None,
            Self::FailedStatus => FailureKind::Status,
            Self::Failed => FailureKind::Failed,
            Self::Error(kind) => FailureKind::Error(kind),
            Self::Expired => FailureKind::Expired,
            Self::Dropped => FailureKind::Dropped,
            Self::Interrupted => FailureKind::Interrupted,
        })
    }
}

/// A result other than ok; each has histograms of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FailureKind {
    /// A status code that was not expected.
    Status,
    /// A transaction whose script or whose requests failed.
    Failed,
    /// No whole, valid answer.
    Error(ErrorKind),
    /// Never sent: its timeout passed while it waited for a place in flight.
    Expired,
    /// Never sent: no place in flight.
    Dropped,
    /// Given up at the end of the run or the phase.
    Interrupted,
}

impl FailureKind {
    /// Its duration is a lower bound: the answer might have come later. Such samples rank above every value in
    /// the offered percentiles.
    pub const fn is_censored(self) -> bool {
        match self {
            Self::Status | Self::Failed => false,
            Self::Error(kind) => kind.is_timeout(),
            Self::Expired | Self::Dropped | Self::Interrupted => true,
        }
    }

    /// It was sent, so there is a service time (a lower one where it is censored).
    pub const fn was_sent(self) -> bool {
        matches!(self, Self::Status | Self::Failed | Self::Error(_))
    }

    /// Every kind.
    pub fn all() -> impl Iterator<Item = Self> {
        let own = [Self::Status, Self::Failed, Self::Expired, Self::Dropped, Self::Interrupted];
        ErrorKind::ALL.iter().map(|&kind| Self::Error(kind)).chain(own)
    }

    /// The kind of that [`word`](Self::word).
    pub fn from_word(word: &str) -> Option<Self> {
        Self::all().find(|kind| kind.word() == word)
    }

    /// The word for it in reports and files.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Status => "failed_status",
            Self::Failed => "failed",
            Self::Error(kind) => kind.word(),
            Self::Expired => "expired",
            Self::Dropped => "dropped",
            Self::Interrupted => "interrupted",
        }
    }

    /// What a user should look at first.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Status => "the target answered, but not as expected: look at the status codes",
            Self::Failed => "a request in it failed, or its script did: see the requests and the script errors",
            Self::Error(kind) => kind.advice(),
            Self::Expired => "the target was too slow for the offered rate: arrivals waited longer than their timeout",
            Self::Dropped => "the target was too slow for the offered rate: `max_in_flight` was reached",
            Self::Interrupted => "still under way when the phase's drain ended: raise `.drain(d)`",
        }
    }
}

impl From<ErrorKind> for FailureKind {
    fn from(kind: ErrorKind) -> Self {
        Self::Error(kind)
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// What became of an iteration. With [`offered`](super::Recorder::offered) on the other side, the sum of these
/// is what was offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IterationResult {
    /// Every request as expected, and the script did not fail it.
    Ok,
    /// A request or the script failed.
    Failed,
    /// It failed because a request timed out.
    Timeout,
    /// Never started: it waited for a place in flight until its timeout had passed.
    Expired,
    /// Never started: no place in flight.
    Dropped,
    /// Under way when the run or the phase's drain ended.
    Interrupted,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_failures_are_distinct() {
        let mut words: Vec<_> = FailureKind::all().map(FailureKind::word).collect();
        assert!(FailureKind::all().all(|kind| FailureKind::from_word(kind.word()) == Some(kind)));
        let count = words.len();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), count);
    }

    #[test]
    fn what_might_still_have_come_is_censored() {
        assert!(FailureKind::Error(ErrorKind::Timeout).is_censored());
        assert!(FailureKind::Dropped.is_censored());
        assert!(!FailureKind::Error(ErrorKind::Reset).is_censored());
        assert!(!FailureKind::Status.is_censored());
    }
}
