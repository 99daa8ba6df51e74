//! Iterations to look at: one virtual user does what it is told, one thing after the other. Everything runs and is
//! filed as in a run; only who decides what comes next is another.

use std::rc::Rc;

use super::{
    iteration::After,
    phase_run::{PhaseRun, Work},
    user::User,
    vu::{Standing, Vu},
    worker::Worker,
};
use crate::{
    pace::{Dealer, Deck, Segment},
    plan::PhaseId,
    protocol::Transport,
};

/// See the module.
pub struct Trial<T: Transport> {
    worker: Rc<Worker<T>>,
    vu: Rc<Vu<T>>,
    done: u64,
}

impl<T: Transport> Trial<T> {
    /// A trial with a virtual user that has done nothing yet.
    pub fn new(worker: &Rc<Worker<T>>) -> Self {
        Self { worker: worker.clone(), vu: worker.take_vu(), done: 0 }
    }

    /// The virtual user.
    pub fn user(&self) -> &Rc<User> {
        &self.vu.user
    }

    /// Whether its `on_start` is still to come. A virtual user that has left (`vu.stop()`) is replaced by another.
    pub fn is_new(&mut self) -> bool {
        if self.vu.standing.get() == Standing::Gone {
            self.vu = self.worker.take_vu();
        }
        self.vu.standing.get() == Standing::New
    }

    /// Runs `on_start`, if it has not run. False: it failed, and no iteration can run.
    pub async fn log_in(&self) -> bool {
        self.worker.log_in(&self.vu).await
    }

    /// Runs one iteration of an entry of a phase's mix, and files it under that phase.
    pub async fn iterate(&mut self, phase: PhaseId, entry: usize) {
        let plan = self.worker.plan().clone();
        let of_phase = plan.phases[phase.index()].clone();
        let steps: Vec<_> = plan.mixes[of_phase.mix.index()].entries.iter().map(|entry| entry.step).collect();
        let now = self.worker.host.now();
        let work = Work { k: 0, entry, step: steps[entry], planned: now, dispatched: now };
        // Nothing is dealt: the entry is given.
        let dealer = Dealer::new(Deck::new(&[1.0]), 0, 0);
        let run = PhaseRun::new(phase, of_phase, now, self.done, Segment::WHOLE, dealer, steps);
        self.done += 1;
        let (after, _) = self.worker.iterate(&run, &self.vu, work, now).await;
        if after == After::Leave {
            self.vu.standing.set(Standing::Gone);
        }
    }

    /// Runs `on_stop`.
    pub async fn log_out(&self) {
        self.worker.log_out(&self.vu).await;
    }
}
