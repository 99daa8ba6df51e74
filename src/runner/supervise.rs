//! A process between loadr and a program that it starts. However loadr ends, by a signal that nothing can catch too,
//! this one notices: its standard input is closed. Then it ends everything that the program started.

use std::{
    collections::HashSet,
    ffi::OsString,
    io::{Read, Write},
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    time::{Duration, Instant},
};

use rustix::{
    io::Errno,
    process::{Pid, Signal, WaitOptions, WaitStatus, kill_process, kill_process_group, wait},
};

use super::program_log::Spool;
use crate::http::set_descriptor_limit;

/// What comes first on the command line.
pub const WORD: &str = "__supervise";

/// The order to end everything; so is the end of standard input.
pub(super) const STOP: &str = "s";
/// The order to have no more patience.
pub(super) const KILL: &str = "k";

/// Between two looks at what has come to this process since the last.
const GLANCE: Duration = Duration::from_millis(10);
/// What is killed and still there after that will not go.
pub(super) const KILLED_WITHIN: Duration = Duration::from_secs(2);

/// What is asked for: `PATIENCE_MS DESCRIPTORS LOG PROGRAM ARGUMENTS…`.
struct Order {
    /// From SIGTERM to SIGKILL.
    patience: Duration,
    /// How many the program may have; loadr may have more.
    descriptors: Option<u64>,
    /// Where the program's output goes.
    log: PathBuf,
    program: OsString,
    arguments: Vec<OsString>,
}

enum Event {
    /// loadr wants the end, or is gone.
    Over,
    /// It wants the end at once.
    Kill,
    /// The program has ended, and how.
    Ended(String),
    /// Nothing that it started is left.
    NoneLeft,
}

/// Runs a program until standard input says so or ends. Says on standard output `pid N`, or `failed WHY`; `ended WHY` when the
/// program ends; and `killed` if something had to be. Gives the code to exit with.
pub fn supervise(arguments: impl Iterator<Item = OsString>) -> u8 {
    let Some(order) = Order::read(arguments) else { return 2 };
    // What loses its parent becomes a child of this process, also if it has left the group: all of it can be ended
    // and waited for. Where the system has no such thing, the group has to do.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
    let (sender, events) = channel();
    let begun = listen(sender.clone()).and_then(|()| {
        let (spool, output) = Spool::open(&order.log)?;
        let child = order.start(output)?;
        let started = reap(Pid::from_child(&child), sender).and_then(|()| copy(&spool));
        Ok((child, spool, started))
    });
    let (child, spool, started) = match begun {
        Ok(begun) => begun,
        Err(error) => {
            say(&format!("failed {error}"));
            return 1;
        }
    };
    let program = Pid::from_child(&child);
    if started.is_err() {
        // Without threads nobody would notice its end.
        let _ = kill_process_group(program, Signal::KILL);
        say("failed the system gives no thread");
        return 1;
    }
    say(&format!("pid {}", child.id()));
    let mut some_left = true;
    loop {
        match events.recv() {
            Ok(Event::Ended(why)) => {
                // Whoever hears of it may want to quote what it said last.
                spool.drain();
                say(&format!("ended {why}"));
            }
            Ok(Event::NoneLeft) => some_left = false,
            Ok(Event::Over | Event::Kill) | Err(_) => break,
        }
    }
    if some_left && end(program, order.patience, &events) {
        say("killed");
    }
    spool.drain();
    0
}

impl Order {
    fn read(mut arguments: impl Iterator<Item = OsString>) -> Option<Self> {
        let patience = Duration::from_millis(arguments.next()?.to_str()?.parse().ok()?);
        let descriptors = arguments.next()?.to_str()?.parse().ok();
        let (log, program) = (arguments.next()?.into(), arguments.next()?);
        Some(Self { patience, descriptors, log, program, arguments: arguments.collect() })
    }

    fn start(&self, output: std::io::PipeWriter) -> std::io::Result<Child> {
        if let Some(limit) = self.descriptors {
            set_descriptor_limit(limit);
        }
        Command::new(&self.program)
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .process_group(0)
            .spawn()
    }
}

fn thread(name: &str, work: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work).map(drop)
}

/// Notices that loadr is gone, and signals to this process: whoever ends it means what it supervises.
fn listen(sender: Sender<Event>) -> std::io::Result<()> {
    let other = sender.clone();
    thread("input", move || {
        // An error is an end as well.
        for byte in std::io::stdin().lock().bytes().map_while(Result::ok) {
            let order = if [byte] == *KILL.as_bytes() { Event::Kill } else { Event::Over };
            if sender.send(order).is_err() {
                return;
            }
        }
        let _ = sender.send(Event::Over);
    })?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    thread("signals", move || {
        if runtime.block_on(super::signal()).is_ok() {
            let _ = other.send(Event::Over);
        }
    })
}

/// Takes the status of everything that ends.
fn reap(program: Pid, sender: Sender<Event>) -> std::io::Result<()> {
    thread("reaper", move || {
        loop {
            let news = match wait(WaitOptions::empty()) {
                Ok(Some((pid, status))) if pid == program => Event::Ended(how(status)),
                Ok(_) | Err(Errno::INTR) => continue,
                Err(_) => Event::NoneLeft,
            };
            let is_last = matches!(news, Event::NoneLeft);
            if sender.send(news).is_err() || is_last {
                return;
            }
        }
    })
}

fn how(status: WaitStatus) -> String {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => format!("with exit code {code}"),
        (None, Some(signal)) => format!("by signal {signal}"),
        (None, None) => "somehow".to_owned(),
    }
}

fn copy(spool: &Arc<Spool>) -> std::io::Result<()> {
    let spool = Arc::clone(spool);
    thread("output", move || while spool.wait() && spool.drain() {})
}

/// Ends everything that the program started: asks, waits, kills. Whether it had to kill.
fn end(group: Pid, patience: Duration, events: &Receiver<Event>) -> bool {
    let start = Instant::now();
    // What has left the group comes to this process when its parent has ended: each is asked when it is here.
    let mut asked = HashSet::new();
    let mut ask = || {
        for stray in strays(group).into_iter().filter(|&stray| asked.insert(stray)) {
            let _ = kill_process(stray, Signal::TERM);
        }
    };
    // It may have ended by itself meanwhile, as any may that is sent a signal here.
    let _ = kill_process_group(group, Signal::TERM);
    while start.elapsed() < patience {
        ask();
        match next_within(GLANCE, events) {
            Next::NoneLeft => return false,
            Next::Kill => break,
            Next::Nothing => {}
        }
    }
    let start = Instant::now();
    while start.elapsed() < KILLED_WITHIN {
        let _ = kill_process_group(group, Signal::KILL);
        for stray in strays(group) {
            let _ = kill_process(stray, Signal::KILL);
        }
        if next_within(GLANCE, events) == Next::NoneLeft {
            break;
        }
    }
    true
}

#[derive(Debug, PartialEq, Eq)]
enum Next {
    NoneLeft,
    Kill,
    Nothing,
}

fn next_within(patience: Duration, events: &Receiver<Event>) -> Next {
    match events.recv_timeout(patience) {
        // Its sender is gone once nothing is left.
        Ok(Event::NoneLeft) | Err(RecvTimeoutError::Disconnected) => Next::NoneLeft,
        Ok(Event::Kill) => Next::Kill,
        Ok(Event::Over | Event::Ended(_)) | Err(RecvTimeoutError::Timeout) => Next::Nothing,
    }
}

/// Where a process is not given what its children leave, the group has to do.
#[cfg(not(target_os = "linux"))]
const fn strays(_: Pid) -> Vec<Pid> {
    Vec::new()
}

/// Children of this process in other groups than the program's.
#[cfg(target_os = "linux")]
fn strays(group: Pid) -> Vec<Pid> {
    let tasks = procfs::process::Process::myself().and_then(|own| own.tasks());
    let children = tasks.into_iter().flatten().flatten().filter_map(|task| task.children().ok()).flatten();
    let pids = children.filter_map(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
    pids.filter(|&pid| rustix::process::getpgid(Some(pid)).is_ok_and(|other| other != group)).collect()
}

/// Tells loadr; if it is gone, nobody needs to know.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
