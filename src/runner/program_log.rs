//! Where the output of a started program goes: a file of bounded length beside the run file, and one with what was
//! before it.

use std::{
    fs::File,
    io::{self, PipeReader, PipeWriter, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use rustix::event::{PollFd, PollFlags, poll};

use super::record::create_beside;
use crate::script::Redactor;

/// Of a log, in bytes: what is longer becomes the earlier part, and the one before that goes.
const FILE_BYTES_MAX: u64 = 32 << 20;
/// A pipe holds no more, unless somebody has made it larger.
const PIPE_BYTES: usize = 64 << 10;
/// Lines that a message quotes.
const LINES_SHOWN: usize = 15;
/// What is read of a log for them.
const TAIL_BYTES: u64 = 16 << 10;
/// Of a line that does not end, what is left out before it is quoted.
const PART_BYTES: usize = 4 << 10;

/// Names of the logs of a run.
#[derive(Debug)]
pub(super) struct LogNames {
    folder: PathBuf,
    stem: String,
    /// The run file has a name of the user's: what is there is written over, as it is.
    is_named: bool,
}

impl LogNames {
    /// Beside a run file.
    pub(super) fn beside(run_file: &Path, is_named: bool) -> Self {
        let stem = run_file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Self { folder: run_file.parent().map(Path::to_owned).unwrap_or_default(), stem, is_named }
    }

    /// An empty log for a program of that name.
    pub(super) fn create(&self, program: &str) -> io::Result<PathBuf> {
        let is_plain = |c: &char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
        let program: String = program.chars().filter(is_plain).take(60).collect();
        let name = format!("{}.{program}.log", self.stem);
        let (path, file) = if self.is_named {
            let path = self.folder.join(name);
            let file = File::create(&path);
            (path, file)
        } else {
            create_beside(&self.folder, &name)
        };
        let told = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        file.map_err(told)?;
        // The part before it is of an earlier run.
        let _ = std::fs::remove_file(earlier(&path));
        std::path::absolute(&path).map_err(told)
    }
}

/// Where what was before is.
fn earlier(log: &Path) -> PathBuf {
    let mut path = log.as_os_str().to_owned();
    path.push(".1");
    path.into()
}

/// From the program's output to its log.
#[derive(Debug)]
pub(super) struct Spool {
    pipe: PipeReader,
    log: Mutex<Log>,
}

#[derive(Debug)]
struct Log {
    path: PathBuf,
    file: File,
    length: u64,
    max: u64,
}

impl Spool {
    /// To a log that is there, and what is to be written to.
    pub(super) fn open(log: &Path) -> io::Result<(Arc<Self>, PipeWriter)> {
        let (pipe, output) = io::pipe()?;
        rustix::io::ioctl_fionbio(&pipe, true)?;
        let file = File::options().append(true).open(log)?;
        let log = Log { path: log.to_owned(), file, length: 0, max: FILE_BYTES_MAX };
        Ok((Arc::new(Self { pipe, log: Mutex::new(log) }), output))
    }

    /// Waits until there is something to copy, or will be nothing any more.
    pub(super) fn wait(&self) -> bool {
        loop {
            match poll(&mut [PollFd::new(&self.pipe, PollFlags::IN)], None) {
                Ok(_) => return true,
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return false,
            }
        }
    }

    /// Copies what there is, but not more than a pipe holds twice: whoever writes without end must not hold this up.
    /// False at the end.
    pub(super) fn drain(&self) -> bool {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let mut block = vec![0; PIPE_BYTES / 4];
        for _ in 0..8 {
            match (&self.pipe).read(&mut block) {
                Ok(0) => return false,
                // On a full disk the output is lost, and the program goes on.
                Ok(length) => drop(log.write(&block[..length])),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
        true
    }
}

impl Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.length + bytes.len() as u64 > self.max {
            std::fs::rename(&self.path, earlier(&self.path))?;
            self.file = File::create_new(&self.path)?;
            self.length = 0;
        }
        self.length += bytes.len() as u64;
        self.file.write_all(bytes)
    }
}

/// All that a log has, for a search; empty if it cannot be read.
pub(super) fn text(log: &Path) -> String {
    let mut text = end_of(&earlier(log), FILE_BYTES_MAX);
    text.extend(end_of(log, FILE_BYTES_MAX));
    String::from_utf8_lossy(&text).into_owned()
}

/// The end of a log, as lines of a message: below what came before.
pub(super) fn tail(log: &Path, redactor: &Redactor) -> String {
    let mut bytes = end_of(log, TAIL_BYTES);
    if (bytes.len() as u64) < TAIL_BYTES {
        bytes = [end_of(&earlier(log), TAIL_BYTES), bytes].concat();
    }
    if bytes.len() as u64 >= TAIL_BYTES {
        // A line that is cut may begin within a secret.
        let whole = bytes.iter().position(|&byte| byte == b'\n').unwrap_or(PART_BYTES);
        bytes.drain(..whole);
    }
    let text = String::from_utf8_lossy(&bytes);
    // Before lines are cut to be shown: of a secret that is cut, the rest would stay.
    let text = redactor.redact(&text);
    let lines = text.lines().map(crate::measure::clean_text).filter(|line| !line.trim().is_empty());
    let lines: Vec<String> = lines.collect();
    if lines.is_empty() {
        return "\nit printed nothing".to_owned();
    }
    let last = &lines[lines.len().saturating_sub(LINES_SHOWN)..];
    format!("\nthe end of its output ({}):\n  {}", log.display(), last.join("\n  "))
}

fn end_of(log: &Path, most: u64) -> Vec<u8> {
    let read = || {
        let mut file = File::open(log)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(most)))?;
        let mut bytes = Vec::new();
        file.take(most).read_to_end(&mut bytes)?;
        Ok::<_, io::Error>(bytes)
    };
    read().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spool(max: u64) -> (tempfile::TempDir, PathBuf, Arc<Spool>, PipeWriter) {
        let folder = tempfile::tempdir().expect("a folder");
        let names = LogNames::beside(&folder.path().join("mix.loadr"), true);
        let log = names.create("api").expect("a log");
        let (spool, output) = Spool::open(&log).expect("a pipe");
        spool.log.lock().expect("no panic before").max = max;
        (folder, log, spool, output)
    }

    #[test]
    fn a_log_is_named_after_run_and_program() {
        let folder = tempfile::tempdir().expect("a folder");
        let run_file = folder.path().join("mix.loadr");
        for (is_named, names) in [(true, ["mix.api.log"; 2]), (false, ["mix.api-2.log", "mix.api-3.log"])] {
            for name in names {
                let log = LogNames::beside(&run_file, is_named).create("a/p\ni").expect("a log");
                assert_eq!(log.file_name().and_then(|name| name.to_str()), Some(name));
            }
        }
        let nowhere = LogNames::beside(&folder.path().join("none/mix.loadr"), true).create("api");
        assert!(nowhere.is_err_and(|error| error.to_string().contains("mix.api.log")));
    }

    #[test]
    fn output_without_end_leaves_two_files_of_bounded_length() {
        let (_folder, log, spool, mut output) = spool(100);
        for number in 0..1_000 {
            writeln!(output, "line {number:04}").expect("room in the pipe");
            assert!(spool.wait() && spool.drain());
        }
        for file in [log.clone(), earlier(&log)] {
            assert!(file.metadata().expect("it is there").len() <= 100, "{}", file.display());
        }
        // The last lines are there whole, over both files.
        let tail = tail(&log, &Redactor::default());
        let wanted: Vec<String> = (985..1_000).map(|number| format!("  line {number:04}")).collect();
        assert!(tail.ends_with(&wanted[wanted.len() - 10..].join("\n")), "{tail}");
        assert!(text(&log).ends_with("line 0999\n"));
        drop(output);
        assert!(!spool.drain());
    }

    #[test]
    fn the_end_of_a_log_is_lines_without_control_characters() {
        let (_folder, log, spool, mut output) = spool(FILE_BYTES_MAX);
        assert_eq!(tail(&log, &Redactor::default()), "\nit printed nothing");
        let text: String = (0..100).map(|number| format!("\x1b[31m{number}\n\n")).collect();
        output.write_all(text.as_bytes()).expect("room in the pipe");
        assert!(spool.drain());
        let tail = tail(&log, &Redactor::default());
        assert!(!tail.contains('\x1b') && tail.ends_with("99"), "{tail:?}");
        assert_eq!(tail.lines().count(), 2 + LINES_SHOWN);
    }
}
