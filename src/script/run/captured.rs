//! What a closure captured, where that is the virtual user.
//!
//! Rhai shares a captured variable between the closure and its surroundings, and locks it for the length of a
//! method call on it: `vu.send(request)` would lock the `vu` that the request's check looks at. Every copy of a
//! virtual user is the same one, so a closure can as well have a copy of its own.

use rhai::FnPtr;

use super::vu::Vu;

/// Gives a closure copies of the virtual users that it captured.
pub(in crate::script) fn own_users(closure: &mut FnPtr) {
    if !closure.curry().iter().any(rhai::Dynamic::is_shared) {
        return;
    }
    for value in closure.iter_curry_mut() {
        let own = value.flatten_clone();
        if own.is::<Vu>() {
            *value = own;
        }
    }
}
