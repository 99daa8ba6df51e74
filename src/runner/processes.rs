//! The programs that a plan names: started before the run, stopped after it, whatever way it ends.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    path::PathBuf,
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, channel},
    time::{Duration, Instant},
};

use super::{
    asked::Asked,
    program_log::{self, LogNames},
    readiness::Readiness,
    supervise::{KILL, KILLED_WITHIN, STOP, WORD},
};
use crate::{
    clock::format_nanos,
    http::AddressGuard,
    plan::{Plan, Process},
    script::{Processes, Redactor},
};

/// Between two looks whether a process is ready.
const GLANCE: Duration = Duration::from_millis(20);
/// Longer than this, one likes to know what is waited for.
const SILENCE_MAX: Duration = Duration::from_secs(1);
/// To start a program takes no time; on a busy machine it does.
const START_WITHIN: Duration = Duration::from_secs(20);

/// Processes under way. Dropped, they and all that they have started are stopped, the last one first.
#[derive(Debug, Default)]
pub(super) struct Running(Vec<Started>);

#[derive(Debug)]
struct Started {
    name: String,
    log: PathBuf,
    stop: Duration,
    pid: u32,
    supervisor: Child,
    /// To the supervisor; closed, it ends what it supervises.
    orders: Option<ChildStdin>,
    words: Receiver<String>,
    ended: Option<String>,
    redactor: Redactor,
}

impl Running {
    /// Starts what a plan names, one after the other, each when the one before is ready. `descriptors` is how many each
    /// may have.
    ///
    /// # Errors
    /// One does not start or is not ready in time, for people, with the end of its output.
    pub(super) fn start(
        plan: &Plan,
        shared: &Processes,
        logs: &LogNames,
        descriptors: Option<u64>,
        guard: &AddressGuard,
        redactor: &Redactor,
        say: &dyn Fn(&str),
    ) -> Result<Self, String> {
        let mut running = Self::default();
        for (index, process) in plan.processes.iter().enumerate() {
            say(&format!("starting {}", process.written));
            let mut started = Started::start(process, logs, descriptors, redactor)?;
            let ready = started.until_ready(process, guard);
            if let Ok(shared) = shared.get(index) {
                shared.runs_as(started.pid);
            }
            // Where it is not ready: to be stopped with the others, the last one first.
            running.0.push(started);
            ready?;
            if let Some(started) = running.0.last() {
                let (name, pid) = (&started.name, started.pid);
                say(&format!("{name} runs as process {pid}; its output is in {}", started.shown_log()));
            }
        }
        Ok(running)
    }

    /// Their numbers, in the plan's order.
    pub(super) fn pids(&self) -> Vec<u32> {
        self.0.iter().map(|started| started.pid).collect()
    }

    /// What has ended since the last time, with the end of its output.
    pub(super) fn news(&mut self) -> Vec<String> {
        let alive = self.0.iter_mut().filter(|started| started.ended.is_none());
        let news = alive.filter_map(|started| Some((started.listen()?, started)));
        news.map(|(said, started)| format!("{said}{}", program_log::tail(&started.log, &started.redactor))).collect()
    }

    /// Stops them all; a signal kills them. Gives what is to be noted of the run: what ended by itself, what had to be
    /// killed. `say` is told what is waited for.
    pub(super) fn stop(mut self, say: &dyn Fn(&str)) -> Vec<String> {
        if self.0.is_empty() {
            return Vec::new();
        }
        self.news();
        let asked = Asked::listen();
        let ended = self.0.iter().filter_map(|started| started.ended.clone());
        let mut notes: Vec<String> = ended.collect();
        while let Some(mut started) = self.0.pop() {
            if started.stop(&asked, say) {
                let patience = format_nanos(started.stop.as_nanos() as u64);
                notes.push(match asked.is_asked() {
                    false => format!("{} did not end within {patience} of SIGTERM, and was killed", started.name),
                    true => format!("{} was killed, for loadr got a signal while it waited for its end", started.name),
                });
            }
        }
        notes
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        while self.0.pop().is_some() {}
    }
}

impl Started {
    fn start(
        process: &Process,
        logs: &LogNames,
        descriptors: Option<u64>,
        redactor: &Redactor,
    ) -> Result<Self, String> {
        let failed = |why: &dyn std::fmt::Display| format!("failed to start {}: {why}", process.name);
        if let Some(folder) = process.folder.as_ref().filter(|folder| !folder.is_dir()) {
            return Err(failed(&format!("there is no folder {}", folder.display())));
        }
        if let Some(port) = process.port.filter(|&port| TcpStream::connect(("127.0.0.1", port)).is_ok()) {
            let help = "help: end what is there, or let loadr find a free port: write `{port}` into the command";
            return Err(format!("{}\n{help}", failed(&format!("something listens at 127.0.0.1:{port} already"))));
        }
        let log = logs.create(&process.name).map_err(|error| {
            format!(
                "{}\nhelp: its output goes beside the run file, which `--results FILE` puts elsewhere",
                failed(&error)
            )
        })?;
        let mut command = Command::new(std::env::current_exe().map_err(|error| failed(&error))?);
        let descriptors = descriptors.map_or_else(|| "none".to_owned(), |limit| limit.to_string());
        command.args([WORD, &process.stop.as_millis().to_string(), &descriptors]).arg(&log).args(&process.command);
        command.envs(process.env.iter().map(|(name, value)| (name, value)));
        if let Some(folder) = &process.folder {
            command.current_dir(folder);
        }
        // A group of its own: Ctrl-C on the terminal is for loadr, which stops this one.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut supervisor = command.spawn().map_err(|error| failed(&error))?;
        let orders = supervisor.stdin.take();
        let (sender, words) = channel();
        if let Some(stdout) = supervisor.stdout.take() {
            let lines = BufReader::new(stdout).lines().map_while(Result::ok);
            let thread = std::thread::Builder::new().name("supervisor".to_owned());
            // Where nobody listens any more, nobody needs it.
            thread.spawn(move || lines.for_each(|line| drop(sender.send(line)))).map_err(|error| failed(&error))?;
        }
        let mut started = Self {
            name: process.name.clone(),
            log,
            stop: process.stop,
            pid: 0,
            supervisor,
            orders,
            words,
            ended: None,
            redactor: redactor.clone(),
        };
        match started.words.recv_timeout(START_WITHIN).as_deref().map(|line| line.split_once(' ')) {
            Ok(Some(("pid", number))) => started.pid = number.parse().unwrap_or(0),
            Ok(Some(("failed", why))) => {
                let help = "help: the program is looked for in PATH; no shell reads the command";
                return Err(format!("{}\n{help}", failed(&why.to_lowercase())));
            }
            _ => return Err(failed(&"its supervisor said nothing")),
        }
        Ok(started)
    }

    fn until_ready(&mut self, process: &Process, guard: &AddressGuard) -> Result<(), String> {
        let mut readiness = Readiness::of(process, guard, &self.log)
            .map_err(|why| format!("failed to find out whether {} is ready: {why}", self.name))?;
        let start = Instant::now();
        while !readiness.is_there() {
            let (ended, waited) = match self.words.recv_timeout(GLANCE) {
                Ok(line) => (line.strip_prefix("ended ").map(ToOwned::to_owned), start.elapsed()),
                Err(RecvTimeoutError::Disconnected) => (Some("with its supervisor".to_owned()), start.elapsed()),
                Err(RecvTimeoutError::Timeout) => (None, start.elapsed()),
            };
            let tail = || program_log::tail(&self.log, &self.redactor);
            if let Some(why) = ended {
                let help = if why.ends_with("code 0") {
                    "\nhelp: it must stay in the foreground; most servers have an option for that"
                } else {
                    ""
                };
                return Err(format!("{} ended {why} before it was ready{}{help}", self.name, tail()));
            }
            if waited > process.timeout {
                let limit = format_nanos(process.timeout.as_nanos() as u64);
                let help = "help: `timeout` of `process` says how long it may take, `ready` what is waited for";
                let wanted = readiness.wanted();
                return Err(format!("{} was not ready within {limit}: {wanted}{}\n{help}", self.name, tail()));
            }
        }
        Ok(())
    }

    /// What it has come to, told once.
    fn listen(&mut self) -> Option<String> {
        let why = loop {
            match self.words.try_recv() {
                Ok(line) => {
                    if let Some(why) = line.strip_prefix("ended ") {
                        break why.to_owned();
                    }
                }
                Err(TryRecvError::Empty) => return None,
                Err(TryRecvError::Disconnected) => break "with its supervisor".to_owned(),
            }
        };
        let said = format!("{} ended {why} while the run was on", self.name);
        self.ended = Some(said.clone());
        Some(said)
    }

    /// Lets the supervisor end everything, and waits for that; at once where a signal asks for it. Whether something
    /// had to be killed.
    fn stop(&mut self, asked: &Asked, say: &dyn Fn(&str)) -> bool {
        let Some(mut orders) = self.orders.take() else { return false };
        // Where it is gone, there is nothing to be done.
        let mut order = |order: &str| drop(orders.write_all(order.as_bytes()));
        order(STOP);
        let (start, limit) = (Instant::now(), self.stop + KILLED_WITHIN + Duration::from_secs(3));
        let (mut is_told, mut is_hurried, mut killed) = (false, false, false);
        loop {
            match self.words.recv_timeout(GLANCE) {
                Ok(line) => killed |= line == "killed",
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) if start.elapsed() > limit => {
                    // It is stopped itself, perhaps: there is no reason to wait on.
                    let _ = self.supervisor.kill();
                    break;
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            if !is_told && start.elapsed() > SILENCE_MAX {
                is_told = true;
                let patience = format_nanos(self.stop.as_nanos() as u64);
                say(&format!("waiting for {} to end, {patience} at most; Ctrl-C kills it", self.name));
            }
            if !is_hurried && asked.is_asked() {
                is_hurried = true;
                order(KILL);
            }
        }
        if !self.supervisor.wait().is_ok_and(|status| status.success()) {
            self.kill_group();
        }
        killed
    }

    /// For a supervisor that was killed itself, and could end nothing.
    fn kill_group(&self) {
        let pid = i32::try_from(self.pid).ok().and_then(rustix::process::Pid::from_raw);
        if let Some(pid) = pid {
            // It may have ended meanwhile.
            let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
        }
    }

    fn shown_log(&self) -> String {
        let folder = std::env::current_dir().unwrap_or_default();
        self.log.strip_prefix(folder).unwrap_or(&self.log).display().to_string()
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        if self.orders.is_some() {
            self.stop(&Asked::listen(), &|_| ());
        }
    }
}
