//! A closure as a flow: it runs on a stack of its own, and every wait suspends it there.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
};

use corosensei::{Coroutine, CoroutineResult, stack::Stack};

use super::{
    ambient::Ambient,
    stack::{PooledStack, StackPool},
};
use crate::engine::{
    flow::{Answer, End, Fault, FlowRun, Step},
    user::User,
};

/// A closure under way.
pub(super) struct CoroutineRun {
    coroutine: Coroutine<Answer, Step, End, PooledStack>,
    ambient: Rc<Ambient>,
}

impl CoroutineRun {
    /// A coroutine that runs `body` when it is first resumed.
    ///
    /// # Errors
    /// The system gives no stack.
    pub(super) fn new(pool: &StackPool, user: Rc<User>, body: impl FnOnce() -> End + 'static) -> std::io::Result<Self> {
        let stack = pool.take()?;
        let ambient = Ambient::on_stack(user, stack.lowest(), stack.base().get());
        let inner = ambient.clone();
        let coroutine = Coroutine::with_stack(stack, move |yielder, _start: Answer| {
            inner.started(yielder);
            body()
        });
        Ok(Self { coroutine, ambient })
    }
}

impl FlowRun for CoroutineRun {
    fn resume(&mut self, answer: Answer) -> Step {
        let Self { coroutine, ambient } = self;
        // After a panic the coroutine is done and its locals are gone: nothing half-done can be seen again.
        let resumed = catch_unwind(AssertUnwindSafe(|| ambient.enter(|| coroutine.resume(answer))));
        match resumed {
            Ok(CoroutineResult::Yield(step)) => step,
            Ok(CoroutineResult::Return(end)) => Step::Done(end),
            Err(panic) => Step::Done(End::Fault(Fault {
                at: Default::default(),
                message: format!("internal error: {} (please report it)", panic_text(&*panic)),
            })),
        }
    }
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

    fn user() -> Rc<User> {
        User::new(1, 42)
    }

    fn think(nanos: u64) -> Option<Answer> {
        ambient::ask(Step::Think(nanos))
    }

    #[test]
    fn a_closure_waits_where_it_stands_and_goes_on_there() {
        let pool = StackPool::default();
        let mut run = CoroutineRun::new(&pool, user(), || {
            let first = think(1).is_some();
            let second = think(2).is_some();
            End::Completed(serde_json::json!([first, second]))
        })
        .expect("a stack");
        assert!(matches!(run.resume(Answer::Start), Step::Think(1)));
        assert!(matches!(run.resume(Answer::Rested), Step::Think(2)));
        let Step::Done(End::Completed(value)) = run.resume(Answer::Rested) else { panic!("not done") };
        assert_eq!(value, serde_json::json!([true, true]));
    }

    #[test]
    fn two_closures_take_turns_and_know_who_they_are() {
        let pool = StackPool::default();
        let start = |id| {
            CoroutineRun::new(&pool, User::new(id, 0), || {
                think(1);
                End::Completed(serde_json::json!(ambient::current_user().map(|user| user.id)))
            })
            .expect("a stack")
        };
        let (mut one, mut two) = (start(1), start(2));
        one.resume(Answer::Start);
        two.resume(Answer::Start);
        assert!(matches!(one.resume(Answer::Rested), Step::Done(End::Completed(id)) if id == 1));
        assert!(matches!(two.resume(Answer::Rested), Step::Done(End::Completed(id)) if id == 2));
        assert!(ambient::current_user().is_none());
    }

    #[test]
    fn dropping_a_waiting_closure_releases_what_it_holds_and_its_stack() {
        let pool = StackPool::default();
        let token = Rc::new(());
        for _ in 0..200 {
            let held = token.clone();
            let mut run = CoroutineRun::new(&pool, user(), move || {
                let local = held.clone();
                think(1);
                drop(local);
                End::Completed(serde_json::Value::Null)
            })
            .expect("a stack");
            run.resume(Answer::Start);
            assert!(Rc::strong_count(&token) > 1);
            drop(run);
            assert_eq!(Rc::strong_count(&token), 1);
        }
        assert_eq!(pool.stacks(), 32);
        assert!(ambient::current_user().is_none());
    }

    #[test]
    fn a_panic_inside_ends_this_closure_alone() {
        let pool = StackPool::default();
        let mut run = CoroutineRun::new(&pool, user(), || {
            think(1);
            panic!("the bug")
        })
        .expect("a stack");
        run.resume(Answer::Start);
        let Step::Done(End::Fault(fault)) = run.resume(Answer::Rested) else { panic!("not a fault") };
        assert!(fault.message.contains("the bug"), "{}", fault.message);
        assert!(ambient::current_user().is_none());
        let mut next = CoroutineRun::new(&pool, user(), || End::Completed(serde_json::Value::Null)).expect("a stack");
        assert!(matches!(next.resume(Answer::Start), Step::Done(End::Completed(_))));
    }

    #[test]
    fn whoever_may_not_wait_is_told_so() {
        let inside = Ambient::in_place(user()).enter(|| think(1));
        assert!(inside.is_none());
    }
}
