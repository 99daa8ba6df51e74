//! Groups of steps within a flow, while they are open. Each is a row beside the requests, from its first step
//! to its last; one within another is named `outer/inner`.

use super::{
    iteration::{Mishap, Unfinished},
    worker::Worker,
};
use crate::{
    clock::Nanos,
    measure::{ClassId, Kind, Sample},
    protocol::Transport,
};

/// The open groups of one flow, outermost first. Those that are open when the flow is dropped are filed as
/// interrupted.
pub(super) struct Groups<'a, T: Transport> {
    worker: &'a Worker<T>,
    ledger: u16,
    /// The names of all open groups, with slashes between them.
    path: String,
    open: Vec<Open<'a, T>>,
}

struct Open<'a, T: Transport> {
    whole: Unfinished<'a, T>,
    started: Nanos,
    /// What the flow had spent in pauses before.
    paused_before: Nanos,
    /// The length of the path without this group.
    path_before: usize,
    mishap: Mishap,
}

impl<'a, T: Transport> Groups<'a, T> {
    pub(super) fn new(worker: &'a Worker<T>, ledger: u16) -> Self {
        Self { worker, ledger, path: String::new(), open: Vec::new() }
    }

    /// A group begins. `planned` is when the step before it ended, and `paused` what the flow has spent in
    /// pauses so far.
    pub(super) fn enter(&mut self, name: &str, planned: Nanos, paused: Nanos) {
        let path_before = self.path.len();
        if !self.path.is_empty() {
            self.path.push('/');
        }
        self.path.push_str(name);
        let name = self.worker.recorder.borrow_mut().name(Kind::Group, &self.path);
        self.open.push(Open {
            whole: Unfinished { worker: self.worker, ledger: self.ledger, name, planned, finished: false },
            started: self.worker.host.now(),
            paused_before: paused,
            path_before,
            mishap: Mishap::None,
        });
    }

    /// Something went wrong in the innermost group; those around it learn of it when it is over.
    pub(super) fn note(&mut self, mishap: Mishap) {
        if let Some(open) = self.open.last_mut() {
            open.mishap = open.mishap.max(mishap);
        }
    }

    /// The innermost group is over.
    pub(super) fn leave(&mut self, failed: bool, paused: Nanos) {
        let Some(mut open) = self.open.pop() else { return };
        self.path.truncate(open.path_before);
        if failed {
            open.mishap = open.mishap.max(Mishap::Failed);
        }
        self.note(open.mishap);
        let within = paused - open.paused_before;
        let whole = &mut open.whole;
        self.worker.recorder.borrow_mut().record(&Sample {
            phase: self.ledger,
            name: whole.name,
            class: ClassId::NONE,
            result: open.mishap.of_transaction(),
            status: 0,
            planned: whole.planned,
            // Its service time is that of its requests and its script: without the pauses.
            started: open.started + within,
            first_byte: None,
            end: self.worker.host.now(),
            bytes_sent: 0,
            bytes_received: 0,
        });
        whole.finished = true;
    }

    /// Ends all that are open: their script ended without leaving them.
    pub(super) fn leave_all(&mut self, paused: Nanos) {
        while !self.open.is_empty() {
            self.leave(true, paused);
        }
    }
}
