//! What the evaluations of one script share of the processes that it declares: ports and numbers.

use std::{
    net::TcpListener,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

/// Whether programs may be started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Exec {
    /// Nothing is run: declaring them is enough.
    #[default]
    Describe,
    /// They are not allowed; declaring one is a mistake.
    Refuse,
    /// They are started.
    Allow,
}

/// The processes of a script. Clones share them: every worker sees the same ports.
#[derive(Debug, Clone, Default)]
pub struct Processes {
    /// Whether they may be started.
    pub(super) exec: Exec,
    known: Arc<Mutex<Vec<Shared>>>,
}

/// What is known of one process.
#[derive(Debug, Clone)]
pub struct Shared {
    /// A port that was free when it was asked for first.
    pub port: u16,
    pid: Arc<AtomicU32>,
}

impl Shared {
    /// Its number; 0 before it runs.
    pub fn pid(&self) -> u32 {
        self.pid.load(Ordering::Relaxed)
    }

    /// It runs now.
    pub fn runs_as(&self, pid: u32) {
        self.pid.store(pid, Ordering::Relaxed);
    }
}

impl Processes {
    /// None yet.
    pub fn new(exec: Exec) -> Self {
        Self { exec, known: Arc::default() }
    }

    /// The process of this index, in the order of declaration; with a free port when it is asked for first.
    ///
    /// # Errors
    /// The system has no free port.
    pub fn get(&self, index: usize) -> std::io::Result<Shared> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        while known.len() <= index {
            let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
            known.push(Shared { port, pid: Arc::default() });
        }
        Ok(known[index].clone())
    }
}
