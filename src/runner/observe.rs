//! A transport that keeps what it carries, for `loadr try`.

use std::{cell::RefCell, rc::Rc};

use crate::{
    clock::Nanos,
    protocol::{
        Channel, Ended, Exchange, Failure, Incoming, Keep, Later, Opening, Outcome, Outgoing, Payload, TargetId,
        Transport,
    },
    report::Observed,
};

/// What happened, in its order.
#[derive(Debug)]
pub(super) enum Happened {
    /// A request, at the moment it was sent.
    Request(Box<Observed>),
    /// The script said something.
    Said(String),
}

/// A list of what happened. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Journal(Rc<RefCell<Vec<Happened>>>);

impl Journal {
    /// The script says something.
    pub(super) fn say(&self, text: &str) {
        self.0.borrow_mut().push(Happened::Said(text.to_owned()));
    }

    /// A request is sent; gives its place.
    fn sent(&self, exchange: &Exchange<'_>) -> usize {
        let mut happened = self.0.borrow_mut();
        happened.push(Happened::Request(Box::new(Observed::sent(exchange))));
        happened.len() - 1
    }

    /// What it got. The list is taken only between steps, when no exchange is under way.
    fn came(&self, at: usize, outcome: &Outcome) {
        if let Some(Happened::Request(observed)) = self.0.borrow_mut().get_mut(at) {
            observed.came(outcome);
        }
    }

    /// Everything since the last time.
    pub(super) fn take(&self) -> Vec<Happened> {
        std::mem::take(&mut *self.0.borrow_mut())
    }
}

/// Carries exchanges as `inner` does, and notes them down.
pub(super) struct Observing<T> {
    pub(super) inner: T,
    pub(super) journal: Journal,
}

impl<T: Transport> Transport for Observing<T> {
    type Session = T::Session;

    fn session(&self) -> Self::Session {
        self.inner.session()
    }

    async fn exchange<'a>(&'a self, session: &'a Self::Session, exchange: Exchange<'a>) -> Box<Outcome> {
        let at = self.journal.sent(&exchange);
        // Someone wants to read it, even if the script does not.
        let outcome = self.inner.exchange(session, Exchange { keep: Keep::Body, ..exchange }).await;
        self.journal.came(at, &outcome);
        outcome
    }

    async fn channel<'a>(
        &'a self,
        session: &'a Self::Session,
        opening: Opening<'a>,
    ) -> (Box<Outcome>, Option<Rc<dyn Channel>>) {
        let at = self.journal.sent(&opening.exchange);
        let (outcome, channel) = self.inner.channel(session, opening).await;
        self.journal.came(at, &outcome);
        let overheard =
            channel.map(|inner| -> Rc<dyn Channel> { Rc::new(Overheard { inner, journal: self.journal.clone() }) });
        (outcome, overheard)
    }

    async fn open<'a>(&'a self, session: &'a Self::Session, target: TargetId) -> Result<(), Failure> {
        self.inner.open(session, target).await
    }
}

/// A channel whose messages are noted down as they are sent and received.
struct Overheard {
    inner: Rc<dyn Channel>,
    journal: Journal,
}

/// Bytes of a message that are shown.
const SHOWN_BYTES_MAX: usize = 1_000;

impl Overheard {
    fn message(&self, arrow: &str, kind: &str, bytes: &[u8]) {
        let start = &bytes[..bytes.len().min(SHOWN_BYTES_MAX)];
        let more = if start.len() < bytes.len() { "…" } else { "" };
        match std::str::from_utf8(start) {
            Ok(text) => self.journal.say(&format!("{arrow} {kind}{text}{more}")),
            Err(error) if error.valid_up_to() + 4 > start.len() => {
                let text = String::from_utf8_lossy(&start[..error.valid_up_to()]);
                self.journal.say(&format!("{arrow} {kind}{text}{more}"));
            }
            Err(_) => self.journal.say(&format!("{arrow} {kind}{} bytes", bytes.len())),
        }
    }

    fn end(&self, ended: &Ended) {
        self.journal.say(&format!("← {}", ended.failure.detail));
    }
}

impl Channel for Overheard {
    fn send(&self, message: Outgoing) -> Later<'_, Result<Nanos, Rc<Ended>>> {
        match &message {
            Outgoing::Text(text) => self.message("→", "", text.as_bytes()),
            Outgoing::Binary(bytes) => self.message("→", "", bytes),
            Outgoing::Ping(_) => self.journal.say("→ ping"),
            Outgoing::Close(code, reason) => self.journal.say(format!("→ close {code} {reason}").trim_end()),
        }
        self.inner.send(message)
    }

    fn next(&self) -> Later<'_, Result<Incoming, Rc<Ended>>> {
        Box::pin(async {
            let came = self.inner.next().await;
            match &came {
                Ok(Incoming { what: Payload::Event { event, .. }, bytes, .. }) => {
                    self.message("←", &format!("{event}: "), bytes);
                }
                Ok(Incoming { bytes, .. }) => self.message("←", "", bytes),
                Err(ended) => self.end(ended),
            }
            came
        })
    }

    fn pong(&self, ping: u64) -> Later<'_, Result<Nanos, Rc<Ended>>> {
        Box::pin(async move {
            let came = self.inner.pong(ping).await;
            match &came {
                Ok(_) => self.journal.say("← pong"),
                Err(ended) => self.end(ended),
            }
            came
        })
    }

    fn waiting(&self) -> usize {
        self.inner.waiting()
    }

    fn ended(&self) -> Option<Rc<Ended>> {
        self.inner.ended()
    }
}
