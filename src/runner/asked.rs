//! Whether a signal asked for the end, where nothing else hears of signals.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// See the module.
pub(super) struct Asked(Arc<AtomicBool>);

impl Asked {
    /// Listens from now on, for as long as the process lives.
    pub(super) fn listen() -> Self {
        let asked = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&asked);
        let thread = std::thread::Builder::new().name("signals".to_owned());
        // Without it, a signal is not heard of here.
        let _ = thread.spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            if runtime.is_ok_and(|runtime| runtime.block_on(super::signal()).is_ok()) {
                seen.store(true, Ordering::Relaxed);
            }
        });
        Self(asked)
    }

    pub(super) fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
