//! `vu.group`: steps that belong together, as a row of their own.

use rhai::{Dynamic, EvalAltResult, FnPtr, NativeCallContext};

use super::{
    ambient, innermost,
    shared::{CANNOT_WAIT, Ending, Failed},
    vu::Vu,
};
use crate::engine::flow::Step;

/// Longer names are cut in the report, so they are refused here, in characters.
const NAME_MAX: usize = 200;

/// Runs a closure as a group of steps, and gives its value.
///
/// # Errors
/// What the closure throws: the group has failed then.
pub(super) fn group(ctx: &NativeCallContext<'_>, vu: &Vu, name: &str, steps: &FnPtr) -> Result<Dynamic, Failed> {
    if name.trim().is_empty() || name.chars().count() > NAME_MAX {
        return Err(format!("`group` takes a name of 1 to {NAME_MAX} characters: it is the row in the report").into());
    }
    if ambient::ask(Step::Enter(name.into())).is_none() {
        return Err(CANNOT_WAIT.into());
    }
    let result = steps.call_within_context(ctx, (vu.clone(),));
    ambient::ask(Step::Leave { failed: result.as_ref().is_err_and(|error| says_failure(error)) });
    result
}

/// To stop a user or the run says nothing about the steps so far; everything else does.
fn says_failure(error: &EvalAltResult) -> bool {
    match innermost(error) {
        EvalAltResult::ErrorTerminated(token, _) => {
            !matches!(token.read_lock::<Ending>().as_deref(), Some(Ending::Stop | Ending::Abort(_)))
        }
        _ => true,
    }
}
