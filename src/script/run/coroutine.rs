//! A closure as a flow: it runs on a stack of its own, and every wait suspends it there.
//!
//! A coroutine runs one flow after the other: between two it is parked, so that a flow starts by a switch of
//! stacks and nothing else.

use std::{
    cell::{Cell, RefCell},
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
};

use corosensei::{Coroutine, CoroutineResult, Yielder};

use super::{
    ambient::Ambient,
    stack::{PooledStack, StackPool},
};
use crate::engine::{
    flow::{Answer, Call, End, Fault, FlowRun, Step},
    user::User,
};

/// What a flow does from its first line to its end.
type Body = dyn Fn(Call, &Rc<User>) -> End;

/// The coroutines of one worker.
#[derive(Clone)]
pub(super) struct CoroutinePool(Rc<Pool>);

struct Pool {
    body: Rc<Body>,
    stacks: StackPool,
    /// Between two flows; used last, taken first.
    #[expect(clippy::vec_box, reason = "each flow takes one out and puts it back: a pointer moves, not the coroutine")]
    parked: RefCell<Vec<Box<Runner>>>,
}

/// A coroutine, at the start of a flow, within it, or parked after it.
struct Runner {
    coroutine: Coroutine<Answer, Step, (), PooledStack>,
    ambient: Rc<Ambient>,
    /// The flow it takes up when it is resumed next.
    next: Rc<Cell<Option<Call>>>,
}

impl CoroutinePool {
    /// A pool whose flows are `body`.
    pub(super) fn new(body: impl Fn(Call, &Rc<User>) -> End + 'static) -> Self {
        Self(Rc::new(Pool { body: Rc::new(body), stacks: StackPool::default(), parked: RefCell::default() }))
    }

    /// A flow that starts when it is first resumed.
    ///
    /// # Errors
    /// The system gives no stack.
    pub(super) fn begin(&self, call: Call, user: Rc<User>) -> std::io::Result<CoroutineRun> {
        let parked = self.0.parked.borrow_mut().pop();
        let runner = match parked {
            Some(runner) => runner,
            None => Box::new(Runner::new(&self.0)?),
        };
        runner.ambient.serve(Some(user));
        runner.next.set(Some(call));
        Ok(CoroutineRun { runner: Some(runner), pool: self.0.clone() })
    }

    /// How many stacks exist, idle or not.
    #[cfg(test)]
    pub(super) fn stacks(&self) -> usize {
        self.0.stacks.stacks()
    }
}

impl Runner {
    fn new(pool: &Pool) -> std::io::Result<Self> {
        let stack = pool.stacks.take()?;
        let ambient = Ambient::on_stack(stack.lowest(), stack.extent());
        let next: Rc<Cell<Option<Call>>> = Rc::default();
        let (body, own, taken) = (pool.body.clone(), ambient.clone(), next.clone());
        let coroutine = Coroutine::with_stack(stack, move |yielder, _start: Answer| {
            own.started(yielder);
            while let Some((call, user)) = taken.take().zip(own.user()) {
                let end = body(call, &user);
                drop(user);
                own.rest();
                hand_over(yielder, end);
            }
        });
        Ok(Self { coroutine, ambient, next })
    }
}

/// Suspends a coroutine whose flow has ended, until there is another: that is all it is resumed with. A function of
/// its own, for the room that it needs is not needed while a flow runs.
#[inline(never)]
fn hand_over(yielder: &Yielder<Answer, Step>, end: End) {
    yielder.suspend(Step::Done(end));
}

/// A closure under way.
pub(super) struct CoroutineRun {
    /// None once the flow has ended.
    runner: Option<Box<Runner>>,
    pool: Rc<Pool>,
}

impl FlowRun for CoroutineRun {
    fn resume(&mut self, answer: Answer) -> Step {
        let Some(runner) = &mut self.runner else { return broken("a flow was resumed after its end") };
        let Runner { coroutine, ambient, .. } = &mut **runner;
        // After a panic the coroutine is done and its locals are gone: nothing half-done can be seen again.
        let resumed = catch_unwind(AssertUnwindSafe(|| ambient.enter(|| coroutine.resume(answer))));
        match resumed {
            Ok(CoroutineResult::Yield(Step::Done(end))) => {
                if let Some(runner) = self.runner.take() {
                    runner.ambient.serve(None);
                    self.pool.parked.borrow_mut().push(runner);
                }
                Step::Done(end)
            }
            Ok(CoroutineResult::Yield(step)) => step,
            Ok(CoroutineResult::Return(())) => broken("a coroutine had no flow to run"),
            Err(panic) => {
                self.runner = None;
                broken(&panic_text(&*panic))
            }
        }
    }
}

fn broken(what: &str) -> Step {
    let message = format!("internal error: {what} (please report it)");
    Step::Done(End::Fault(Fault { at: Default::default(), message }))
}

/// What a panic said.
pub fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned())
}

#[cfg(test)]
mod tests {
    use super::{super::ambient, *};
    use crate::plan::FlowId;

    fn user() -> Rc<User> {
        User::new(1, 42)
    }

    /// A pool whose flows do this.
    fn pool(body: impl Fn() -> End + 'static) -> CoroutinePool {
        CoroutinePool::new(move |_, _| body())
    }

    fn begin(pool: &CoroutinePool, user: Rc<User>) -> CoroutineRun {
        pool.begin(Call::Flow(FlowId(0)), user).expect("a stack")
    }

    fn think(nanos: u64) -> Option<Answer> {
        ambient::ask(Step::Think(nanos))
    }

    #[test]
    fn a_closure_waits_where_it_stands_and_goes_on_there() {
        let pool = pool(|| {
            let first = think(1).is_some();
            let second = think(2).is_some();
            End::Completed(serde_json::json!([first, second]))
        });
        let mut run = begin(&pool, user());
        assert!(matches!(run.resume(Answer::Start), Step::Think(1)));
        assert!(matches!(run.resume(Answer::Rested), Step::Think(2)));
        let Step::Done(End::Completed(value)) = run.resume(Answer::Rested) else { panic!("not done") };
        assert_eq!(value, serde_json::json!([true, true]));
    }

    #[test]
    fn two_closures_take_turns_and_know_who_they_are() {
        let pool = pool(|| {
            think(1);
            End::Completed(serde_json::json!(ambient::current_user().map(|user| user.id)))
        });
        let (mut one, mut two) = (begin(&pool, User::new(1, 0)), begin(&pool, User::new(2, 0)));
        one.resume(Answer::Start);
        two.resume(Answer::Start);
        assert!(matches!(one.resume(Answer::Rested), Step::Done(End::Completed(id)) if id == 1));
        assert!(matches!(two.resume(Answer::Rested), Step::Done(End::Completed(id)) if id == 2));
        assert!(ambient::current_user().is_none());
    }

    #[test]
    fn one_coroutine_runs_flow_after_flow_each_for_its_own_user() {
        let pool = pool(|| {
            think(1);
            End::Completed(serde_json::json!(ambient::current_user().map(|user| user.id)))
        });
        for id in 1..=100 {
            let user = User::new(id, 0);
            let mut run = begin(&pool, user.clone());
            assert!(matches!(run.resume(Answer::Start), Step::Think(1)));
            assert!(matches!(run.resume(Answer::Rested), Step::Done(End::Completed(found)) if found == id));
            assert_eq!((pool.0.parked.borrow().len(), Rc::strong_count(&user)), (1, 1));
            assert!(matches!(run.resume(Answer::Rested), Step::Done(End::Fault(_))));
        }
    }

    #[test]
    fn dropping_a_waiting_closure_releases_what_it_holds_and_its_stack() {
        let token = Rc::new(());
        let held = token.clone();
        let pool = pool(move || {
            let local = held.clone();
            think(1);
            drop(local);
            End::Completed(serde_json::Value::Null)
        });
        let idle = Rc::strong_count(&token);
        for _ in 0..200 {
            let user = user();
            let mut run = begin(&pool, user.clone());
            run.resume(Answer::Start);
            assert!(Rc::strong_count(&token) > idle);
            drop(run);
            assert_eq!((Rc::strong_count(&token), Rc::strong_count(&user)), (idle, 1));
        }
        assert_eq!((pool.stacks(), pool.0.parked.borrow().len()), (32, 0));
        assert!(ambient::current_user().is_none());
        drop(pool);
        assert_eq!(Rc::strong_count(&token), 1);
    }

    #[test]
    fn a_flow_that_is_dropped_before_it_starts_leaves_nothing() {
        let pool = pool(|| End::Completed(serde_json::Value::Null));
        let user = user();
        drop(begin(&pool, user.clone()));
        assert_eq!((pool.0.parked.borrow().len(), Rc::strong_count(&user)), (0, 1));
    }

    #[test]
    fn a_panic_inside_ends_this_closure_alone() {
        let panics = Cell::new(true);
        let pool = pool(move || {
            think(1);
            assert!(!panics.replace(false), "the bug");
            End::Completed(serde_json::Value::Null)
        });
        let mut run = begin(&pool, user());
        run.resume(Answer::Start);
        let Step::Done(End::Fault(fault)) = run.resume(Answer::Rested) else { panic!("not a fault") };
        assert!(fault.message.contains("the bug"), "{}", fault.message);
        assert!(ambient::current_user().is_none());
        let mut next = begin(&pool, user());
        next.resume(Answer::Start);
        assert!(matches!(next.resume(Answer::Rested), Step::Done(End::Completed(_))));
    }

    #[test]
    fn whoever_may_not_wait_is_told_so() {
        let inside = Ambient::in_place(user()).enter(|| think(1));
        assert!(inside.is_none());
    }
}
