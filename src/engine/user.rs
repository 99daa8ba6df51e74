//! A virtual user: what it remembers between requests.

use std::{
    any::Any,
    cell::{Cell, RefCell},
    rc::Rc,
};

use rand_xoshiro::Xoshiro256PlusPlus;

use crate::{
    pace::{Purpose, stream},
    plan::{DrawContext, Draws, PhaseId},
};

/// The part of a virtual user that scripts see.
pub struct User {
    /// Unique in the run, from 1.
    pub id: u64,
    seed: u64,
    /// The iterations it has begun.
    pub iteration: Cell<u64>,
    /// The phase it works in.
    pub phase: Cell<PhaseId>,
    /// The row its figures are filed under: a phase, or one of the asides (login, setup).
    pub ledger: Cell<u16>,
    /// The number of its iteration within the phase, over all segments; what generators count by.
    pub index: Cell<u64>,
    random: RefCell<(Xoshiro256PlusPlus, Draws)>,
    /// Fields it sends with every request.
    pub fields: RefCell<Vec<Field>>,
    /// What the script keeps for it.
    pub script: RefCell<Option<Box<dyn Any>>>,
}

/// A header field of a virtual user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Lower case.
    pub name: Box<str>,
    /// The whole line, with its CRLF.
    pub line: Box<[u8]>,
}

impl User {
    /// A user that has done nothing yet.
    pub fn new(id: u64, seed: u64) -> Rc<Self> {
        Rc::new(Self {
            id,
            seed,
            iteration: Cell::new(0),
            phase: Cell::new(PhaseId(0)),
            ledger: Cell::new(0),
            index: Cell::new(id - 1),
            random: RefCell::new((stream(seed, Purpose::User, 0, id), Draws::default())),
            fields: RefCell::default(),
            script: RefCell::default(),
        })
    }

    /// Takes up iteration `index` of a phase: from here on, values drawn are that iteration's.
    pub fn begin(&self, phase: PhaseId, index: u64) {
        self.iteration.set(self.iteration.get() + 1);
        self.phase.set(phase);
        self.ledger.set(phase.0 as u16);
        self.index.set(index);
        self.reseed(stream(self.seed, Purpose::Iteration, u64::from(phase.0), index));
    }

    /// Leaves iterations aside (`on_start`, `setup`): values drawn are the user's own.
    pub fn step_aside(&self, purpose: Purpose, ledger: u16) {
        self.ledger.set(ledger);
        self.index.set(self.id - 1);
        self.reseed(stream(self.seed, purpose, u64::from(ledger), self.id));
    }

    fn reseed(&self, stream: Xoshiro256PlusPlus) {
        let (random, draws) = &mut *self.random.borrow_mut();
        *random = stream;
        draws.reset();
    }

    /// Draws with the random numbers of the moment; `now_ms` is the wall clock, in milliseconds since 1970.
    pub fn draw<R>(&self, now_ms: u64, draw: impl FnOnce(&mut DrawContext<'_>) -> R) -> R {
        let (rng, draws) = &mut *self.random.borrow_mut();
        draw(&mut DrawContext { rng, index: self.index.get(), now_ms, draws })
    }

    /// Sends a field with every request from now on, instead of an earlier one of the same name. Line breaks
    /// in the value become spaces.
    pub fn set_field(&self, name: &str, value: &str) {
        let name: Box<str> = name.to_ascii_lowercase().into();
        let value = value.replace(|c: char| c.is_control() && c != '\t', " ");
        let line = format!("{name}: {value}\r\n").into_bytes().into_boxed_slice();
        let mut fields = self.fields.borrow_mut();
        match fields.iter_mut().find(|field| field.name == name) {
            Some(field) => field.line = line,
            None => fields.push(Field { name, line }),
        }
    }

    /// Stops sending a field.
    pub fn remove_field(&self, name: &str) {
        self.fields.borrow_mut().retain(|field| !field.name.eq_ignore_ascii_case(name));
    }
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("User").field("id", &self.id).field("phase", &self.phase).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use rand::Rng;

    use super::*;

    #[test]
    fn a_field_is_replaced_whatever_its_case_and_cannot_smuggle_another() {
        let user = User::new(1, 0);
        user.set_field("Authorization", "Bearer a");
        user.set_field("authorization", "Bearer b\r\nx-evil: 1");
        let fields = user.fields.borrow();
        assert_eq!(fields.len(), 1);
        assert_eq!(&*fields[0].line, b"authorization: Bearer b  x-evil: 1\r\n");
    }

    #[test]
    fn an_iterations_draws_do_not_depend_on_the_user() {
        let draw = |id| {
            let user = User::new(id, 42);
            user.begin(PhaseId(1), 17);
            user.draw(0, |context| context.rng.next_u64())
        };
        assert_eq!(draw(1), draw(99));
    }
}
