//! Whole scripts: what they declare, and what a mistake looks like on a terminal.

mod aims;
mod mistakes;
mod plans;
mod processes;
mod slices;

use super::{LoadError, LoadOptions, Loaded, load_source};

/// Loads a script on a stack of the size that [`super::load`] asks for, and shows its mistakes.
fn with_script<R: Send>(text: &str, look: impl FnOnce(Result<Loaded, LoadError>) -> R + Send) -> R {
    with_options(text, &LoadOptions::default(), look)
}

fn with_options<R: Send>(
    text: &str,
    options: &LoadOptions,
    look: impl FnOnce(Result<Loaded, LoadError>) -> R + Send,
) -> R {
    std::thread::scope(|scope| {
        std::thread::Builder::new()
            .stack_size(64 << 20)
            .spawn_scoped(scope, || look(load_source("mix.rhai", text, options)))
            .expect("a thread")
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// The rendered mistakes of a script that must not load.
pub(super) fn mistakes(text: &str) -> String {
    with_script(text, |result| match result {
        Ok(loaded) => panic!("the script loads: {:?}", loaded.plan),
        Err(error) => error.render(false),
    })
}

/// Something about the script, which must load.
pub(super) fn loaded<R: Send>(text: &str, look: impl FnOnce(Loaded) -> R + Send) -> R {
    with_script(text, |result| match result {
        Ok(loaded) => look(loaded),
        Err(error) => panic!("{}", error.render(false)),
    })
}
