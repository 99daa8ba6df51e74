//! A virtual user: what it remembers between requests.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use rand_xoshiro::Xoshiro256PlusPlus;

use super::{evidence::Recent, flow::Reply};
use crate::{
    http::{CookieJar, Origin, Refused},
    measure::Witness,
    pace::{Purpose, stream},
    plan::{DataId, DrawContext, Draws, Kept, PhaseId},
    protocol::TargetId,
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
    /// Where it draws from next, until the first draw: many iterations have none. Purpose, phase and number of a
    /// [`stream`].
    turns_to: Cell<Option<(Purpose, u64, u64)>>,
    /// Where its requests go that name no target: the first target, and within a target's own `on_start` and
    /// `on_stop` that one.
    pub target: Cell<TargetId>,
    /// Fields it sends with every request to the target they are for.
    pub fields: RefCell<Vec<Field>>,
    /// Its cookies, from the first one on.
    cookies: RefCell<Option<Box<CookieJar>>>,
    /// The exchange that its iteration had last.
    recent: RefCell<Recent>,
    /// What the script keeps for it.
    pub script: RefCell<Option<Box<dyn Kept>>>,
}

/// A header field of a virtual user, or of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Which target's requests carry it: a token for one server is nobody else's business.
    pub target: TargetId,
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
            turns_to: Cell::new(None),
            target: Cell::new(TargetId(0)),
            fields: RefCell::default(),
            cookies: RefCell::default(),
            recent: RefCell::default(),
            script: RefCell::default(),
        })
    }

    /// Takes up iteration `index` of a phase: from here on, values drawn are that iteration's.
    pub fn begin(&self, phase: PhaseId, index: u64) {
        self.forget();
        self.iteration.set(self.iteration.get() + 1);
        self.phase.set(phase);
        self.ledger.set(phase.0 as u16);
        self.index.set(index);
        self.turns_to.set(Some((Purpose::Iteration, u64::from(phase.0), index)));
    }

    /// Leaves iterations aside (`on_start`, `setup`): values drawn are the user's own.
    pub fn step_aside(&self, purpose: Purpose, ledger: u16) {
        self.forget();
        self.ledger.set(ledger);
        self.index.set(self.id - 1);
        self.turns_to.set(Some((purpose, u64::from(ledger), self.id)));
    }

    /// Its iteration has had this exchange.
    pub(super) fn remember(&self, reply: &Rc<Reply>) {
        *self.recent.borrow_mut() = Recent::Reply(reply.clone());
    }

    /// It goes into a pause: of its last exchange, a few bytes are enough.
    pub(super) fn rest(&self) {
        self.recent.borrow_mut().shrink();
    }

    /// Its iteration is over.
    pub(super) fn forget(&self) {
        *self.recent.borrow_mut() = Recent::Nothing;
    }

    /// Shows the exchange that its iteration had last.
    pub fn with_recent<R>(&self, show: impl FnOnce(Option<&Witness<'_>>) -> R) -> R {
        show(self.recent.borrow().witness().as_ref())
    }

    /// The data set that had no row left for its iteration, if there was one.
    pub fn exhausted(&self) -> Option<DataId> {
        if self.turns_to.get().is_some() { None } else { self.random.borrow().1.exhausted() }
    }

    /// Draws with the random numbers of the moment; `now_ms` is the wall clock, in milliseconds since 1970.
    pub fn draw<R>(&self, now_ms: u64, draw: impl FnOnce(&mut DrawContext<'_>) -> R) -> R {
        let (rng, draws) = &mut *self.random.borrow_mut();
        if let Some((purpose, phase, k)) = self.turns_to.take() {
            *rng = stream(self.seed, purpose, phase, k);
            draws.reset();
        }
        let kept = self.script.borrow();
        draw(&mut DrawContext { rng, index: self.index.get(), now_ms, draws, kept: kept.as_deref() })
    }

    /// Sends a field with every request to `target` from now on, instead of an earlier one of the same name. Line
    /// breaks in the value become spaces.
    pub fn set_field(&self, target: TargetId, name: &str, value: &str) {
        let name: Box<str> = name.to_ascii_lowercase().into();
        let value = value.replace(|c: char| c.is_control() && c != '\t', " ");
        let line = format!("{name}: {value}\r\n").into_bytes().into_boxed_slice();
        let mut fields = self.fields.borrow_mut();
        match fields.iter_mut().find(|field| field.target == target && field.name == name) {
            Some(field) => field.line = line,
            None => fields.push(Field { target, name, line }),
        }
    }

    /// Stops sending a field to `target`.
    pub fn remove_field(&self, target: TargetId, name: &str) {
        self.fields.borrow_mut().retain(|field| field.target != target || !field.name.eq_ignore_ascii_case(name));
    }

    /// Whether it has no cookie at all, which is soon known.
    pub fn has_no_cookies(&self) -> bool {
        self.cookies.borrow().is_none()
    }

    /// Takes the cookie of a `set-cookie` field of a response from `origin`.
    ///
    /// # Errors
    /// Why it was not taken.
    pub fn store_cookie(&self, field: &[u8], origin: &Origin<'_>, now_ms: u64) -> Result<(), Refused> {
        self.cookies.borrow_mut().get_or_insert_default().store(field, origin, now_ms)
    }

    /// Sets a cookie for a host by itself.
    ///
    /// # Errors
    /// It is too long, or there are too many.
    pub fn set_cookie(&self, host: &str, name: &str, value: &str, now_ms: u64) -> Result<(), Refused> {
        self.cookies.borrow_mut().get_or_insert_default().set(host, name, value, now_ms)
    }

    /// Takes a host's cookies of that name away.
    pub fn remove_cookie(&self, host: &str, name: &str) {
        if let Some(jar) = &mut *self.cookies.borrow_mut() {
            jar.remove(host, name);
        }
    }

    /// Takes all its cookies away.
    pub fn clear_cookies(&self) {
        self.cookies.replace(None);
    }

    /// Shows each cookie that a request to `origin` sends: name and value, in order.
    pub fn each_cookie(&self, origin: Origin<'_>, now_ms: u64, mut show: impl FnMut(&str, &str)) {
        if let Some(jar) = &*self.cookies.borrow() {
            jar.matching(origin, now_ms).for_each(|(name, value)| show(name, value));
        }
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
    use crate::plan::DrawError;

    #[test]
    fn a_field_is_replaced_whatever_its_case_and_cannot_smuggle_another() {
        let user = User::new(1, 0);
        user.set_field(TargetId(0), "Authorization", "Bearer a");
        user.set_field(TargetId(0), "authorization", "Bearer b\r\nx-evil: 1");
        user.set_field(TargetId(1), "authorization", "Bearer c");
        let fields = user.fields.borrow();
        assert_eq!(fields.len(), 2);
        assert_eq!(&*fields[0].line, b"authorization: Bearer b  x-evil: 1\r\n");
    }

    #[test]
    fn an_iteration_without_a_draw_remembers_none_of_another() {
        let user = User::new(1, 42);
        let data = DataId(3);
        user.begin(PhaseId(0), 0);
        assert_eq!(user.draw(0, |context| context.draws.note_exhausted(data)), DrawError::Exhausted(data));
        assert_eq!(user.exhausted(), Some(data));
        user.begin(PhaseId(0), 1);
        assert_eq!(user.exhausted(), None);
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
