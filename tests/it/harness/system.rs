//! Servers and whole applications that others wrote, as `tests/systems/start` starts them for users too.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, PoisonError, Weak},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// How long one may take to end what it started.
const END_WITHIN: Duration = Duration::from_secs(30);
/// What is shown of each log when a test fails, in lines.
const TAIL: usize = 40;

/// A running system. Dropped, all of its processes end; where the test failed, its logs are shown.
#[derive(Debug)]
pub struct System {
    name: String,
    child: Child,
    values: BTreeMap<String, String>,
    folder: TempDir,
}

impl System {
    /// Starts the system of that name.
    ///
    /// # Panics
    /// It does not start; its own words are on standard error.
    pub fn start(name: &str) -> Self {
        Self::start_with(name, &[])
    }

    /// The system of that name, which tests that run at the same time share: the last one ends it. What they make in it must
    /// have names of its own.
    ///
    /// # Panics
    /// As [`System::start`].
    pub fn shared(name: &'static str) -> Arc<Self> {
        static RUNNING: Mutex<BTreeMap<&str, Weak<System>>> = Mutex::new(BTreeMap::new());
        // Another test that could not start it leaves nothing half done.
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(system) = running.get(name).and_then(Weak::upgrade) {
            return system;
        }
        let system = Arc::new(Self::start(name));
        running.insert(name, Arc::downgrade(&system));
        system
    }

    /// The same, with these in its environment.
    pub fn start_with(name: &str, environment: &[(&str, &str)]) -> Self {
        let folder = TempDir::new().expect("a folder");
        let mut child = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/systems/start"))
            .arg(name)
            .arg("--until-stdin-closes")
            .arg("--folder")
            .arg(folder.path())
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("tests/systems/start: {error}"));
        let stdout = BufReader::new(child.stdout.take().expect("its output"));
        let lines = stdout.lines().map_while(Result::ok).take_while(|line| !line.is_empty());
        let values: BTreeMap<_, _> = lines
            .filter_map(|line| line.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned())))
            .collect();
        let system = Self { name: name.to_owned(), child, values, folder };
        assert!(!system.values.is_empty(), "{name} did not start");
        system
    }

    /// What it tells scripts: `TARGET`, `REDIS` and so on.
    #[track_caller]
    pub fn value(&self, key: &str) -> &str {
        self.values.get(key).unwrap_or_else(|| panic!("{} tells no {key}: {:?}", self.name, self.values))
    }

    /// All of that, as `NAME=VALUE` for `-e`.
    pub fn values(&self) -> impl Iterator<Item = String> {
        self.values.iter().map(|(key, value)| format!("{key}={value}"))
    }

    /// Where its servers keep their files.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Whether it is over, because one of its servers is.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("its status").is_some()
    }

    fn show_logs(&self) {
        let logs = std::fs::read_dir(self.folder.path().join("logs")).into_iter().flatten().flatten();
        for path in logs.map(|entry| entry.path()) {
            let text = std::fs::read(&path).unwrap_or_default();
            let text = String::from_utf8_lossy(&text);
            let lines: Vec<&str> = text.lines().collect();
            let tail = lines[lines.len().saturating_sub(TAIL)..].join("\n");
            eprintln!("--- {} of {}\n{tail}", path.file_name().unwrap_or_default().to_string_lossy(), self.name);
        }
    }
}

impl Drop for System {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.show_logs();
        }
        // It ends what it started when its input closes.
        drop(self.child.stdin.take());
        let asked = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) && asked.elapsed() < END_WITHIN {
            std::thread::park_timeout(Duration::from_millis(5));
        }
        if matches!(self.child.try_wait(), Ok(None)) {
            // A SIGTERM still lets it end the others; the kernel ends them with it in any case.
            let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
