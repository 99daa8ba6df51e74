//! Who has the floor: the virtual user whose script runs on this thread at the moment, and what it may use
//! up before it has to ask for something.

#![expect(unsafe_code, reason = "reaches the yielder of the coroutine that is running; `ask` says why it is sound")]

use std::{
    cell::{Cell, RefCell},
    ptr::NonNull,
    rc::Rc,
};

use corosensei::Yielder;
use rhai::{Dynamic, Engine};

use super::stack::Extent;
use crate::{
    clock::{self, Nanos},
    engine::{
        flow::{Answer, Step},
        user::User,
    },
};

/// A script that runs this long without asking for anything is ended: its worker does nothing else meanwhile.
pub(super) const SPIN_MAX: Nanos = clock::SECOND;
/// What calls and expressions of a script may take of its stack; the rest is for values.
const CALLS_BYTES: usize = 2 << 20;
/// A pause in which it is worth giving back what a stack does not need.
const LONG_PAUSE: Nanos = clock::SECOND;
/// Operations between two looks at the clock.
const CLOCK_STRIDE: u64 = 4_096;

/// What code on one stack may do, for whom.
#[derive(Debug)]
pub(super) struct Ambient {
    /// Whose closure runs; none between two.
    user: RefCell<Option<Rc<User>>>,
    /// How to suspend it; none for a closure that may not wait (a check, a classifier).
    yielder: Cell<Option<NonNull<Yielder<Answer, Step>>>>,
    /// The lowest address of its stack that is known to be in use.
    lowest: Rc<Cell<usize>>,
    /// Below this its stack ends soon.
    floor: usize,
    /// Its stack, if it has one of its own.
    extent: Option<Extent>,
}

thread_local! {
    static CURRENT: RefCell<Option<Rc<Ambient>>> = const { RefCell::new(None) };
    /// Copies of the current ambient's figures, for the check after every operation.
    static FLOOR: Cell<usize> = const { Cell::new(0) };
    static LOWEST: Cell<usize> = const { Cell::new(usize::MAX) };
    /// When the running script was first seen to have used up a stride of operations since it got the floor.
    static BUSY_SINCE: Cell<Option<Nanos>> = const { Cell::new(None) };
    /// What scripts took of this thread so far.
    static SPENT: Cell<Spent> = const { Cell::new(Spent { total: 0, longest: 0 }) };
}

/// Time in script code, in nanoseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spent {
    /// All of it.
    pub total: Nanos,
    /// The longest stretch in which nothing else could run.
    pub longest: Nanos,
}

/// What scripts took of this thread: in total, and the longest stretch since this was asked for last.
pub fn spent() -> Spent {
    let spent = SPENT.get();
    SPENT.set(Spent { longest: 0, ..spent });
    spent
}

impl Ambient {
    /// A run on a stack of its own.
    pub(super) fn on_stack(lowest: Rc<Cell<usize>>, extent: Extent) -> Rc<Self> {
        let floor = extent.base().saturating_sub(CALLS_BYTES);
        Rc::new(Self { user: RefCell::default(), yielder: Cell::new(None), lowest, floor, extent: Some(extent) })
    }

    /// A run on the worker's own stack, which cannot wait.
    pub(super) fn in_place(user: Rc<User>) -> Rc<Self> {
        let (user, lowest) = (RefCell::new(Some(user)), Rc::new(Cell::new(usize::MAX)));
        Rc::new(Self { user, yielder: Cell::new(None), lowest, floor: 0, extent: None })
    }

    /// Whose closure runs next on its stack.
    pub(super) fn serve(&self, user: Option<Rc<User>>) {
        self.user.replace(user);
    }

    /// Whose closure runs.
    pub(super) fn user(&self) -> Option<Rc<User>> {
        self.user.borrow().clone()
    }

    /// The closure on its stack, which has the floor, has ended: the stack keeps no more than it should.
    pub(super) fn rest(&self) {
        if let Some(extent) = &self.extent {
            LOWEST.set(extent.trim(LOWEST.get()));
        }
    }

    /// Notes the yielder of the coroutine that has just started.
    pub(super) fn started(&self, yielder: &Yielder<Answer, Step>) {
        self.yielder.set(Some(NonNull::from(yielder)));
    }

    /// Gives it the floor while `work` runs, from the time that was read last on this thread: whoever resumes a script has
    /// just read it. Its end is read again.
    pub(super) fn enter<R>(self: &Rc<Self>, work: impl FnOnce() -> R) -> R {
        /// Gives the floor back, also when the work panics.
        struct Restore(Option<Rc<Ambient>>, Nanos);
        impl Drop for Restore {
            fn drop(&mut self) {
                let before = self.0.take();
                // What runs within another is a part of that.
                if before.is_none() {
                    let took = clock::read() - self.1;
                    let spent = SPENT.get();
                    SPENT.set(Spent { total: spent.total + took, longest: spent.longest.max(took) });
                }
                let (floor, lowest) =
                    before.as_ref().map_or((0, usize::MAX), |ambient| (ambient.floor, ambient.lowest.get()));
                FLOOR.set(floor);
                if let Some(leaving) = CURRENT.replace(before) {
                    leaving.lowest.set(LOWEST.get());
                }
                LOWEST.set(lowest);
            }
        }
        BUSY_SINCE.set(None);
        let restore = Restore(CURRENT.replace(Some(self.clone())), clock::recent());
        FLOOR.set(self.floor);
        LOWEST.set(self.lowest.get());
        let result = work();
        drop(restore);
        result
    }
}

/// The virtual user that has the floor.
pub(in crate::script) fn current_user() -> Option<Rc<User>> {
    CURRENT.with_borrow(|current| current.as_ref().and_then(|ambient| ambient.user()))
}

/// Suspends the running closure for a pause. None: it may not wait.
pub(super) fn pause(pause: Nanos) -> Option<Answer> {
    if pause >= LONG_PAUSE {
        CURRENT.with_borrow(|current| {
            if let Some(extent) = current.as_ref().and_then(|ambient| ambient.extent.as_ref()) {
                LOWEST.set(extent.settle(LOWEST.get()));
            }
        });
    }
    ask(Step::Think(pause))
}

/// Suspends the running closure with a step until its answer is there. None: it may not wait.
pub(super) fn ask(step: Step) -> Option<Answer> {
    let yielder = CURRENT.with_borrow(|current| current.as_ref().and_then(|ambient| ambient.yielder.get()))?;
    // SAFETY: the pointer was taken from the reference that corosensei lent the coroutine's body, and is valid
    // until that body ends. An ambient with a yielder is current only between `enter` and its end, which is
    // only while the coroutine runs: this code is on its stack, so its body has not ended.
    let yielder = unsafe { yielder.as_ref() };
    Some(yielder.suspend(step))
}

/// What the limits say when they end a script.
pub(super) const TOO_LONG: &str = "the script ran for a second without a request or a pause";
pub(super) const TOO_DEEP: &str = "calls are nested too deeply";

/// Makes an engine end scripts that run too long or too deep.
pub(super) fn limit(engine: &mut Engine) {
    engine.on_progress(|operations| {
        let marker = 0_u8;
        let here = std::ptr::from_ref(&marker) as usize;
        if here < LOWEST.get() {
            LOWEST.set(here);
            if here < FLOOR.get() {
                return Some(Dynamic::from(TOO_DEEP));
            }
        }
        if operations % CLOCK_STRIDE == 0 {
            let now = clock::read();
            match BUSY_SINCE.get() {
                None => BUSY_SINCE.set(Some(now)),
                Some(since) if now - since > SPIN_MAX => return Some(Dynamic::from(TOO_LONG)),
                Some(_) => {}
            }
        }
        None
    });
}
