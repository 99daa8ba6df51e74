//! Scripts and what they read, as arbitrary bytes (see [`crate::fuzz`]).

mod data;

pub use data::data;

pub use super::run::fuzz::json;
use super::{LoadError, LoadOptions, Loaded, load_source};

/// Evaluates a script with these values in its environment, on the stack that [`super::load`] asks for.
pub fn with_script<R: Send>(
    text: &str,
    env: Vec<(String, String)>,
    look: impl FnOnce(Result<Loaded, LoadError>) -> R + Send,
) -> R {
    let options = LoadOptions { env, ..LoadOptions::default() };
    std::thread::scope(|scope| {
        let work = || look(load_source("fuzz.rhai", text, &options));
        let thread = std::thread::Builder::new().stack_size(64 << 20).spawn_scoped(scope, work).expect("a thread");
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Evaluates the bytes as a script.
///
/// Holds: it gives a plan or mistakes, which can be shown, and none of it is an internal error; the same script gives the
/// same plan.
pub fn script(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let once = || {
        with_script(text, Vec::new(), |result| match result {
            Ok(loaded) => Ok(loaded.plan.hash()),
            Err(error) => {
                assert!(!error.problems.is_empty(), "nothing is wrong, and yet it does not load");
                Err(error.render(false))
            }
        })
    };
    let first = once();
    if let Err(told) = &first {
        assert!(!told.contains('\u{1b}'), "no control character of the script reaches a terminal: {told:?}");
    }
    assert_eq!(once(), first);
}
