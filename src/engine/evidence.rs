//! The exchange that a failure is told with: the one it is about, or the last one before it in its iteration.

use std::rc::Rc;

use super::flow::{Reply, Sent};
use crate::{
    clock::Nanos,
    measure::{ANSWER_BYTES_MAX, Witness},
    protocol::{HttpVersion, Outcome, Response, Stamps},
};

/// Bytes of a request that are remembered over a pause: its request line is in them.
const WIRE_BYTES_MAX: usize = 160;
/// Bytes of an answer that are remembered over a pause.
const REMEMBERED_BYTES_MAX: usize = 120;

/// A request while its bytes are at hand.
#[derive(Debug, Clone, Copy)]
pub(super) struct SentView<'a> {
    pub(super) target: u16,
    pub(super) wire: &'a [u8],
    pub(super) body_at: usize,
    /// Redirects that it follows at most.
    pub(super) redirects: u32,
}

impl<'a> SentView<'a> {
    pub(super) fn of(sent: &'a Sent) -> Self {
        Self { target: sent.target.0, wire: sent.wire.bytes(), body_at: sent.body_at, redirects: sent.redirects }
    }

    pub(super) fn with_outcome(self, outcome: &'a Outcome) -> Witness<'a> {
        Witness {
            target: self.target,
            wire: self.wire,
            body_at: self.body_at,
            redirects: self.redirects,
            http2: outcome.negotiated.http == HttpVersion::Http2,
            status: outcome.status,
            error: outcome.failure.as_ref().map(|failure| failure.kind.word()),
            stamps: outcome.stamps,
            answer: outcome.response.as_ref().map_or(&[], Response::known_content),
        }
    }

    pub(super) fn with_reply(self, reply: &'a Reply) -> Witness<'a> {
        Witness {
            target: self.target,
            wire: self.wire,
            body_at: self.body_at,
            redirects: self.redirects,
            http2: reply.outcome.negotiated.http == HttpVersion::Http2,
            status: reply.outcome.status,
            error: reply.failed().map(|failure| failure.kind.word()),
            stamps: reply.outcome.stamps,
            answer: reply.outcome.response.as_ref().map_or(&[], Response::known_content),
        }
    }
}

impl Reply {
    /// This exchange as evidence; none where its request is kept elsewhere.
    pub fn witness(&self) -> Option<Witness<'_>> {
        let sent = SentView::of(&self.sent);
        (!sent.wire.is_empty()).then(|| sent.with_reply(self))
    }
}

/// The exchange that a virtual user's iteration had last.
#[derive(Debug, Default)]
pub(super) enum Recent {
    /// It had none yet.
    #[default]
    Nothing,
    /// Whole: nothing is copied as long as the script goes on.
    Reply(Rc<Reply>),
    /// A few bytes of it: thousands of virtual users may be in a pause, and their buffers serve others meanwhile.
    Remembered(Box<Remembered>),
}

#[derive(Debug)]
pub(super) struct Remembered {
    target: u16,
    http2: bool,
    /// It is no HTTP.
    is_bare: bool,
    status: u16,
    error: Option<&'static str>,
    end: Nanos,
    /// The start of the request, then that of the answer.
    bytes: Box<[u8]>,
    wire_bytes: usize,
}

impl Recent {
    /// Gives its buffers back for the length of a pause.
    pub(super) fn shrink(&mut self) {
        let Self::Reply(reply) = self else { return };
        let Some(witness) = reply.witness() else { return };
        let is_bare = witness.body_at == 0;
        let line = witness.wire.split(|&byte| byte == b'\n' && !is_bare).next().unwrap_or_default();
        let wire = &line[..line.len().min(WIRE_BYTES_MAX)];
        let answer = &witness.answer[..witness.answer.len().min(REMEMBERED_BYTES_MAX)];
        const { assert!(REMEMBERED_BYTES_MAX <= ANSWER_BYTES_MAX) };
        let remembered = Remembered {
            target: witness.target,
            http2: witness.http2,
            is_bare,
            status: witness.status,
            error: witness.error,
            end: witness.stamps.end,
            bytes: [wire, answer].concat().into(),
            wire_bytes: wire.len(),
        };
        *self = Self::Remembered(Box::new(remembered));
    }

    /// The exchange as evidence.
    pub(super) fn witness(&self) -> Option<Witness<'_>> {
        match self {
            Self::Nothing => None,
            Self::Reply(reply) => reply.witness(),
            Self::Remembered(it) => {
                let (wire, answer) = it.bytes.split_at(it.wire_bytes);
                Some(Witness {
                    target: it.target,
                    wire,
                    body_at: if it.is_bare { 0 } else { wire.len() },
                    redirects: 0,
                    http2: it.http2,
                    status: it.status,
                    error: it.error,
                    stamps: Stamps { end: it.end, ..Stamps::default() },
                    answer,
                })
            }
        }
    }
}
