//! A phase while it runs, on one worker.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::Rc,
};

use slab::Slab;
use tokio::sync::Notify;

use super::host::Task;
use crate::{
    clock::Nanos,
    pace::{Dealer, Segment},
    plan::{Phase, PhaseId, Step},
};

/// An iteration that is due: what, when, and since when the worker knows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Work {
    /// Its number within the phase, over all segments.
    pub(super) k: u64,
    /// The entry of the mix, for the achieved mix.
    pub(super) entry: usize,
    /// What it does.
    pub(super) step: Step,
    /// When it was due.
    pub(super) planned: Nanos,
    /// When the worker took notice of it.
    pub(super) dispatched: Nanos,
}

/// Why a phase takes no new iterations any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Halt {
    /// It goes on.
    No,
    /// No new iterations; those under way may end.
    Drain,
    /// Iterations under way are dropped too.
    Kill,
}

/// State of a running phase.
#[derive(Debug)]
pub(super) struct PhaseRun {
    pub(super) id: PhaseId,
    pub(super) plan: Phase,
    pub(super) start: Nanos,
    /// The number in the whole run of the phase's iteration 0.
    pub(super) base: u64,
    pub(super) segment: Segment,
    pub(super) dealer: RefCell<Dealer>,
    pub(super) steps: Vec<Step>,
    pub(super) in_flight: Cell<u64>,
    /// Users of a closed phase that are there, at work or in a pause.
    pub(super) users: Cell<u64>,
    /// One more than the highest iteration number taken up.
    pub(super) taken: Cell<u64>,
    /// Iterations taken up by this segment of a closed phase.
    pub(super) own_iterations: Cell<u64>,
    pub(super) queue: RefCell<VecDeque<Work>>,
    tasks: RefCell<Slab<Task>>,
    halt: Cell<Halt>,
    halted: Notify,
    idle: Notify,
}

impl PhaseRun {
    pub(super) fn new(
        id: PhaseId,
        plan: Phase,
        start: Nanos,
        base: u64,
        segment: Segment,
        dealer: Dealer,
        steps: Vec<Step>,
    ) -> Rc<Self> {
        Rc::new(Self {
            id,
            plan,
            start,
            base,
            segment,
            dealer: RefCell::new(dealer),
            steps,
            in_flight: Cell::new(0),
            users: Cell::new(0),
            taken: Cell::new(0),
            own_iterations: Cell::new(0),
            queue: RefCell::default(),
            tasks: RefCell::default(),
            halt: Cell::new(Halt::No),
            halted: Notify::new(),
            idle: Notify::new(),
        })
    }

    /// The row its figures are filed under.
    pub(super) fn ledger(&self) -> u16 {
        self.id.0 as u16
    }

    /// Iteration `k`, dealt.
    pub(super) fn work(&self, k: u64, planned: Nanos, dispatched: Nanos) -> Work {
        self.taken.set(self.taken.get().max(k + 1));
        let entry = self.dealer.borrow_mut().entry(k);
        Work { k, entry, step: self.steps[entry], planned, dispatched }
    }

    /// Whether new iterations may start.
    pub(super) fn goes_on(&self) -> bool {
        self.halt.get() == Halt::No
    }

    pub(super) fn halt(&self, how: Halt) {
        if how == Halt::Kill || self.halt.get() == Halt::No {
            self.halt.set(how);
            self.halted.notify_waiters();
        }
    }

    pub(super) fn is_killed(&self) -> bool {
        self.halt.get() == Halt::Kill
    }

    /// Resolves when the phase takes no new iterations.
    pub(super) async fn stopped(&self) {
        while self.goes_on() {
            let change = self.halted.notified();
            if self.goes_on() {
                change.await;
            }
        }
    }

    /// Resolves when iterations under way are to be dropped.
    pub(super) async fn killed(&self) {
        while !self.is_killed() {
            let change = self.halted.notified();
            if !self.is_killed() {
                change.await;
            }
        }
    }

    /// Keeps the handle of a task that ends with [`PhaseRun::task_ended`], so that it can be dropped.
    pub(super) fn start_task(&self, spawn: impl FnOnce(usize) -> Task) {
        let mut tasks = self.tasks.borrow_mut();
        let entry = tasks.vacant_entry();
        let task = spawn(entry.key());
        entry.insert(task);
    }

    /// A task is done or dropped.
    pub(super) fn task_ended(&self, key: usize) {
        self.tasks.borrow_mut().try_remove(key);
        self.wake_if_idle();
    }

    fn is_idle(&self) -> bool {
        self.tasks.borrow().is_empty()
    }

    fn wake_if_idle(&self) {
        if self.is_idle() {
            self.idle.notify_waiters();
        }
    }

    /// Resolves when no task of the phase is left.
    pub(super) async fn all_done(&self) {
        while !self.is_idle() {
            let change = self.idle.notified();
            if !self.is_idle() {
                change.await;
            }
        }
    }

    /// Drops every task where it stands; they are gone when [`PhaseRun::all_done`] resolves.
    pub(super) fn abort_tasks(&self) {
        for (_, task) in self.tasks.borrow().iter() {
            task.abort();
        }
    }
}
