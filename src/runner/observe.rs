//! A transport that keeps what it carries, for `loadr try`.

use std::{cell::RefCell, rc::Rc};

use crate::{
    protocol::{Exchange, Failure, Keep, Outcome, TargetId, Transport},
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

    async fn exchange<'a>(&'a self, session: &'a Self::Session, exchange: Exchange<'a>) -> Outcome {
        let at = {
            let mut happened = self.journal.0.borrow_mut();
            happened.push(Happened::Request(Box::new(Observed::sent(&exchange))));
            happened.len() - 1
        };
        // Someone wants to read it, even if the script does not.
        let outcome = self.inner.exchange(session, Exchange { keep: Keep::Body, ..exchange }).await;
        // The list is taken only between steps, when no exchange is under way.
        if let Some(Happened::Request(observed)) = self.journal.0.borrow_mut().get_mut(at) {
            observed.came(&outcome);
        }
        outcome
    }

    async fn open<'a>(&'a self, session: &'a Self::Session, target: TargetId) -> Result<(), Failure> {
        self.inner.open(session, target).await
    }
}
