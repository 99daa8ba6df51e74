//! The program under test, as a child with a limit to its life.

use std::{
    ffi::{OsStr, OsString},
    io::Read,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::{figures::Figures, turn::Turn};

/// Seconds that a run may take unless its test says more.
const LIMIT: Duration = Duration::from_secs(60);
/// The program under test.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_loadr");
/// Where scenarios are written, in the test's folder.
const SCRIPT: &str = "scenario.rhai";
/// Where summaries are.
const SUMMARY: &str = "summary.json";

/// A call of `loadr` that is being put together.
#[derive(Debug)]
pub struct Program {
    folder: TempDir,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    limit: Duration,
    alone: bool,
    under: Vec<OsString>,
}

impl Program {
    /// `loadr` with these arguments, in an empty folder.
    pub fn new<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Self {
        Self {
            folder: TempDir::new().expect("a folder"),
            arguments: arguments.into_iter().map(|argument| argument.as_ref().to_owned()).collect(),
            environment: Vec::new(),
            limit: LIMIT,
            alone: false,
            under: Vec::new(),
        }
    }

    /// `loadr run` of a scenario with a seed, whose summary is read afterwards.
    pub fn run_of(script: &str) -> Self {
        let program = Self::new(["run", SCRIPT, "--json", SUMMARY]);
        program.file(SCRIPT, script)
    }

    /// As [`Program::run_of`], with `TARGET` given to the script.
    pub fn run_against(script: &str, target: &str) -> Self {
        Self::run_of(script).arg("-e").arg(format!("TARGET={target}"))
    }

    /// Puts a file into its folder.
    pub fn file(self, name: impl AsRef<Path>, content: impl AsRef<[u8]>) -> Self {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, content).expect("room on the disk");
        self
    }

    /// One more argument.
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// More arguments.
    pub fn args<S: AsRef<OsStr>>(self, arguments: impl IntoIterator<Item = S>) -> Self {
        arguments.into_iter().fold(self, Self::arg)
    }

    /// A variable of its environment.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// How long it may take.
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// It measures time, and is to be the only one to run.
    pub fn alone(mut self) -> Self {
        self.alone = true;
        self
    }

    /// Another program that starts it: it gets the program's path and arguments behind its own.
    pub fn under<S: AsRef<OsStr>>(mut self, program: impl IntoIterator<Item = S>) -> Self {
        self.under = program.into_iter().map(|argument| argument.as_ref().to_owned()).collect();
        self
    }

    /// In a network and with mounts of its own, after `set_up` in a shell.
    pub fn apart(self, set_up: &str) -> Self {
        let set_up = format!("ip link set lo up && {set_up}");
        self.under(["unshare", "--user", "--map-root-user", "--net", "--mount", "sh", "-c", &set_up])
    }

    /// The soft and the hard limit of its descriptors.
    pub fn descriptors(self, soft: u32, hard: u32) -> Self {
        self.under(limits(soft, hard))
    }

    fn command(&self) -> Command {
        let mut words = self.under.iter().map(OsString::as_os_str).chain([PROGRAM.as_ref()]);
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words).args(&self.arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        // What a developer has set must not change what is tested.
        for name in ["NO_COLOR", "COLUMNS", "TERM", "TARGET", "PASSWORD", "RUST_BACKTRACE", "RUST_LOG"] {
            command.env_remove(name);
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs it to its end.
    pub fn run(self) -> Ended {
        self.start().wait()
    }

    /// Starts it.
    pub fn start(self) -> Running {
        self.start_with(Stdio::piped())
    }

    /// Starts it with a standard output of one's own.
    pub fn start_with(self, stdout: Stdio) -> Running {
        let turn = if self.alone { Turn::alone() } else { Turn::shared() };
        let started = Instant::now();
        let mut child = self.command().stdout(stdout).stderr(Stdio::piped()).spawn().expect("the program starts");
        let stdout = child.stdout.take().map(Output::of);
        let stderr = child.stderr.take().map(Output::of);
        Running { child, stdout, stderr, started, limit: self.limit, folder: Arc::new(self.folder), _turn: turn }
    }
}

/// What starts a program with limits to its descriptors, the soft and the hard one.
pub fn limits(soft: u32, hard: u32) -> [String; 6] {
    let script = r#"ulimit -S -n "$1" && ulimit -H -n "$2" && shift 2 && exec "$@""#;
    ["sh", "-c", script, "sh", &soft.to_string(), &hard.to_string()].map(str::to_owned)
}

/// What a child writes, read on a thread of its own, so that the child never waits for its reader.
#[derive(Debug)]
struct Output {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Output {
    fn of(mut from: impl Read + Send + 'static) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&bytes);
        let reader = std::thread::spawn(move || {
            let mut block = [0; 4_096];
            // A child that is killed ends its output as well.
            while let Ok(read @ 1..) = from.read(&mut block) {
                sink.lock().expect("no panic before").extend_from_slice(&block[..read]);
            }
        });
        Self { bytes, reader }
    }

    fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().expect("no panic before")).into_owned()
    }

    fn whole(self) -> String {
        self.reader.join().expect("no panic before");
        let bytes = std::mem::take(&mut *self.bytes.lock().expect("no panic before"));
        String::from_utf8(bytes).expect("output is UTF-8")
    }
}

/// A child under way. Dropped, it is killed.
#[derive(Debug)]
pub struct Running {
    child: Child,
    stdout: Option<Output>,
    stderr: Option<Output>,
    started: Instant,
    limit: Duration,
    folder: Arc<TempDir>,
    _turn: Turn,
}

impl Running {
    /// Its process.
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// The folder it runs in.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("it is still there");
    }

    /// Waits until its standard error holds `text`.
    pub fn until_stderr_says(&self, text: &str) {
        let stderr = self.stderr.as_ref().expect("it is read");
        super::until(text, self.limit, || stderr.so_far().contains(text));
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// It takes longer than its limit, or it panicked, or its summary contradicts itself.
    pub fn wait(mut self) -> Ended {
        let status = self.status();
        let text = |output: Option<Output>| output.map_or_else(String::new, Output::whole);
        let (stdout, stderr) = (text(self.stdout.take()), text(self.stderr.take()));
        assert!(!stderr.contains("panicked"), "{stderr}");
        let summary = self.folder.path().join(SUMMARY);
        let figures = std::fs::read_to_string(&summary).ok().filter(|text| !text.is_empty()).map(|text| {
            let figures = Figures::parse(&text);
            figures.assert_consistent();
            figures
        });
        let folder = self.folder.clone();
        Ended { code: status.code(), stdout, stderr, figures, took: self.started.elapsed(), folder }
    }

    fn status(&mut self) -> ExitStatus {
        let mut status = None;
        let left = self.limit.saturating_sub(self.started.elapsed());
        super::until("the program's end", left.max(Duration::from_secs(1)), || {
            status = self.child.try_wait().expect("its status");
            status.is_some()
        });
        status.expect("it has ended")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended; either way it is reaped.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a child left behind.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code; nothing where a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    /// Its summary, where it wrote one.
    pub figures: Option<Figures>,
    /// From its start to its end.
    pub took: Duration,
    folder: Arc<TempDir>,
}

impl Ended {
    /// Its summary.
    ///
    /// # Panics
    /// There is none.
    #[track_caller]
    pub fn figures(&self) -> &Figures {
        self.figures.as_ref().unwrap_or_else(|| panic!("no summary; {self}"))
    }

    /// The folder it ran in.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A file it left there.
    ///
    /// # Panics
    /// There is none, or it is no text.
    #[track_caller]
    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder().join(name)).unwrap_or_else(|error| panic!("{name}: {error}; {self}"))
    }

    /// Asserts its exit code. Where the machine was too busy for a valid run, 97 stands for 0, 98 and 99:
    /// figures that prove nothing come before what they say.
    #[track_caller]
    pub fn expect(&self, code: i32) {
        let is_noise = matches!(code, 0 | 98 | 99)
            && self.code == Some(97)
            && self.figures.as_ref().is_some_and(|figures| figures.verdict() == "INVALID");
        assert!(self.code == Some(code) || is_noise, "expected exit {code}; {self}");
    }

    /// Exit code, standard output and standard error, without what differs from run to run: for snapshots.
    pub fn transcript(&self) -> String {
        let folder = self.folder.path().to_string_lossy();
        let code = self.code.map_or_else(|| "by a signal".to_owned(), |code| code.to_string());
        let tidy = |text: &str| text.replace(&*folder, "[FOLDER]");
        format!("exit {code}\n--- stdout\n{}--- stderr\n{}", tidy(&self.stdout), tidy(&self.stderr))
    }
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "after {:?}: {}", self.took, self.transcript())
    }
}
