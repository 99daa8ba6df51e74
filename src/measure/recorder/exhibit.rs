//! Which exchanges of a row a worker keeps whole.
//!
//! A sample is compared with one number. Those that enter are copied as they are; text is made of them when they are
//! handed over, which is in takes number 1, 2, 4, 8 and so on of those in which something waits, and when the row falls
//! silent: a target that grows slower with each request must not fill the run file with ever slower examples.

use crate::{
    clock::Nanos,
    measure::{
        Exemplars, FailureKind, Sample, Witness,
        exemplar::{EXEMPLARS_MAX, Kept},
        rewrite::Rewrites,
    },
};

#[derive(Debug)]
pub(super) struct Exhibit {
    /// Slower ones enter; the largest number there is where none are kept.
    floor: Nanos,
    /// The response times of the slowest so far.
    slowest: Vec<Nanos>,
    /// Ways of failing that have been kept.
    failing: Vec<(FailureKind, u16)>,
    /// What has not been handed over: slow ones, and failing ones.
    waiting: [Vec<Kept>; 2],
    /// Takes that found something waiting.
    takes: u32,
}

impl Exhibit {
    /// Nothing yet; `keeps` is false for rows of which nothing is kept.
    pub(super) const fn new(keeps: bool) -> Self {
        Self {
            floor: if keeps { 0 } else { Nanos::MAX },
            slowest: Vec::new(),
            failing: Vec::new(),
            waiting: [Vec::new(), Vec::new()],
            takes: 0,
        }
    }

    /// Whether an exchange that was answered as expected is one to keep.
    #[inline]
    pub(super) const fn is_slow(&self, response: Nanos) -> bool {
        response > self.floor
    }

    /// Whether one that failed is.
    #[inline]
    pub(super) fn is_new(&self, kind: FailureKind, status: u16) -> bool {
        self.failing.len() < EXEMPLARS_MAX && self.floor < Nanos::MAX && !self.failing.contains(&(kind, status))
    }

    /// Keeps one of either.
    pub(super) fn keep(&mut self, sample: &Sample, witness: &Witness<'_>) {
        if let Some(kind) = sample.result.failure() {
            self.failing.push((kind, sample.status));
            let mut kept = Kept::default();
            kept.fill(sample, witness);
            self.waiting[1].push(kept);
            return;
        }
        let response = sample.response();
        match self.slowest.iter().position(|&known| known == self.floor).filter(|_| self.slowest.len() >= EXEMPLARS_MAX)
        {
            Some(least) => self.slowest[least] = response,
            None => self.slowest.push(response),
        }
        if self.slowest.len() >= EXEMPLARS_MAX {
            self.floor = self.slowest.iter().copied().min().unwrap_or(0);
        }
        let waiting = &mut self.waiting[0];
        if waiting.len() < EXEMPLARS_MAX {
            waiting.push(Kept::default());
        } else {
            // The least of them is below the floor now.
            waiting.sort_unstable_by_key(|kept| std::cmp::Reverse(kept.response()));
        }
        if let Some(last) = waiting.last_mut() {
            last.fill(sample, witness);
        }
    }

    /// Gives what waits, if it is time.
    pub(super) fn hand_over(&mut self, now: bool, to: &mut Exemplars, class: Option<&str>, rewrites: &Rewrites) {
        if self.waiting.iter().all(Vec::is_empty) {
            return;
        }
        self.takes += 1;
        if now || self.takes.is_power_of_two() {
            let all = self.waiting.iter_mut().flat_map(|waiting| waiting.drain(..));
            all.for_each(|kept| to.add(kept.exemplar(class, rewrites)));
        }
    }
}
