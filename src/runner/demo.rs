//! The embedded lab as a process of its own: what it uses up is not the generator's.

use std::{
    io::{BufRead, BufReader},
    process::{Child, ChildStdin, Command, Stdio},
};

use super::NotRun;
use crate::judge::ExitCode;

/// A running lab. It ends when this value is dropped, and also if this process dies: it watches its standard
/// input.
#[derive(Debug)]
pub struct Demo {
    /// Its address, such as `http://127.0.0.1:40001`.
    pub url: String,
    /// Where it speaks Redis' protocol, such as `127.0.0.1:40002`.
    pub redis: String,
    child: Child,
    _until_closed: Option<ChildStdin>,
}

impl Demo {
    /// Starts the lab on a free port where one is wanted, with further arguments of `loadr lab`.
    ///
    /// # Errors
    /// The program cannot be started again, or the lab says nothing.
    pub fn start_for(wanted: Option<&[String]>) -> Result<Option<Self>, NotRun> {
        let demo = wanted.map(Self::start).transpose();
        demo.map_err(|error| NotRun::new(ExitCode::NotStarted, format!("failed to start the lab: {error}")))
    }

    fn start(arguments: &[String]) -> std::io::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["lab", "--port", "0", "--until-stdin-closes"])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (mut line, mut second) = (String::new(), String::new());
        if let Some(stdout) = child.stdout.take() {
            let mut lines = BufReader::new(stdout);
            lines.read_line(&mut line)?;
            lines.read_line(&mut second)?;
        }
        let url = line.split_whitespace().find(|word| word.starts_with("http"));
        let redis = second.split_whitespace().next_back();
        let Some((url, redis)) = url.zip(redis) else {
            let _ = child.kill();
            let _ = child.wait();
            return Err(std::io::Error::other("the lab did not say where it listens"));
        };
        Ok(Self { url: url.to_owned(), redis: redis.to_owned(), _until_closed: child.stdin.take(), child })
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        self._until_closed = None;
        // It may have ended already; either way it is reaped.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
