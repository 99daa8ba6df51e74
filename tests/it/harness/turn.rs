//! Who may use the machine. Tests that measure time have it to themselves; all others share it.

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

static MACHINE: RwLock<()> = RwLock::new(());

/// Held for as long as a run lasts. One thread holds at most one.
#[derive(Debug)]
#[expect(dead_code, reason = "held, not read")]
pub enum Turn {
    Shared(RwLockReadGuard<'static, ()>),
    Alone(RwLockWriteGuard<'static, ()>),
}

impl Turn {
    /// Waits until nobody wants the machine alone.
    pub fn shared() -> Self {
        // A test that failed leaves nothing behind that the next could trip over.
        Self::Shared(MACHINE.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until nobody else uses the machine.
    pub fn alone() -> Self {
        Self::Alone(MACHINE.write().unwrap_or_else(PoisonError::into_inner))
    }
}
