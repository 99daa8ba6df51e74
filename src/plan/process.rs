//! Programs that a run starts beside itself: the system under test.

use std::{path::PathBuf, time::Duration};

use super::Plan;

/// A program that is started before the run and stopped after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its name in messages and files: that of the program, and a number where another has it already.
    pub name: String,
    /// The command as the script has it, for people.
    pub written: String,
    /// The program and its arguments; no shell reads them.
    pub command: Vec<String>,
    /// Variables beside those of loadr itself.
    pub env: Vec<(String, String)>,
    /// Where it runs; unless given, in loadr's current folder.
    pub folder: Option<PathBuf>,
    /// The port of its address, where it has one.
    pub port: Option<u16>,
    /// Its port is any that was free.
    pub port_is_drawn: bool,
    /// When it is ready.
    pub ready: Ready,
    /// How long that may take.
    pub timeout: Duration,
    /// How long it may take to end after it was asked to; then it is killed.
    pub stop: Duration,
}

/// When a process is ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ready {
    /// At once.
    Started,
    /// When its port takes connections.
    Tcp,
    /// When a `GET` of this path is answered with 2xx.
    Http(String),
    /// When its output has something that fits.
    Log(String),
}

impl Plan {
    /// A text without the ports that happened to be free: they are others in each run, and shape no traffic.
    pub(super) fn without_drawn_ports(&self, mut text: String) -> String {
        for port in self.processes.iter().filter(|process| process.port_is_drawn).filter_map(|process| process.port) {
            text = text.replace(&format!("127.0.0.1:{port}"), "127.0.0.1:{port}");
        }
        text
    }
}
