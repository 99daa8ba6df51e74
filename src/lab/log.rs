//! The log of requests: what arrived when, and what was answered. Compact, bounded, never formatted on the
//! path of a request.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde::Serialize;

use crate::clock::Nanos;

/// Bytes of a body that `--log-bodies` keeps.
pub(super) const BODY_TEXT_MAX: usize = 256;

/// Entries are kept in blocks, so that growth never copies (and stalls on) what is there already.
const BLOCK: usize = 8_192;

/// Entries that the file takes at a time: copied under the lock that requests need, so not many.
const BATCH: usize = 512;

/// One request as the server saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// When the head had been read, in nanoseconds since the lab's start.
    pub arrival_ns: Nanos,
    /// From arrival until the head of the answer was ready; a body that drips ends later.
    pub service_ns: Nanos,
    /// The method; `OTHER` for one that the lab does not know.
    pub method: &'static str,
    /// Path and query.
    pub path: Box<str>,
    /// The status of the answer; 0 where the client left before there was one.
    pub status: u16,
    /// The connection it came on: connections are counted from 1.
    pub connection: u32,
    /// Bytes of the request's body that were read.
    pub body_bytes: u64,
    /// [`fnv1a`] of those bytes; 0 where there was no body.
    pub body_hash: u64,
    /// The start of the body, at most 256 bytes, with `--log-bodies`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<Box<str>>,
}

/// A line of the log as JSON: an [`Entry`] and its number.
#[derive(Debug, Serialize)]
struct Line<'a> {
    n: u64,
    #[serde(flatten)]
    entry: &'a Entry,
}

/// The 64-bit FNV-1a hash (draft-eastlake-fnv): short, and computed alike in any language.
pub fn fnv1a(bytes: &[u8]) -> u64 {
    fnv1a_continue(0xcbf2_9ce4_8422_2325, bytes)
}

/// Carries a [`fnv1a`] hash on over further bytes.
pub(super) fn fnv1a_continue(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// The log in memory. Entries are numbered from 1 in the order in which requests ended; a reset drops entries
/// but does not start the numbers again.
#[derive(Debug)]
pub struct RequestLog {
    capacity: usize,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    blocks: Vec<Vec<Entry>>,
    /// Entries dropped by resets: the number of the first one kept, less one.
    dropped: u64,
    len: usize,
    over: u64,
    routes: HashMap<Box<str>, u64>,
}

impl RequestLog {
    pub(super) fn new(capacity: usize) -> Self {
        Self { capacity, kept: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an entry, and counts it for `route`; beyond the capacity it is only counted.
    pub(super) fn push(&self, route: &str, entry: Entry) {
        let mut kept = self.lock();
        match kept.routes.get_mut(route) {
            Some(count) => *count += 1,
            None => {
                kept.routes.insert(route.into(), 1);
            }
        }
        if kept.len >= self.capacity {
            kept.over += 1;
            return;
        }
        kept.len += 1;
        match kept.blocks.last_mut().filter(|block| block.len() < BLOCK) {
            Some(block) => block.push(entry),
            None => {
                let mut block = Vec::with_capacity(BLOCK);
                block.push(entry);
                kept.blocks.push(block);
            }
        }
    }

    /// Entries kept.
    pub fn len(&self) -> usize {
        self.lock().len
    }

    /// Whether no entry is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Requests that were counted but not kept, because the log was full.
    pub fn over(&self) -> u64 {
        self.lock().over
    }

    /// Requests of each route, since the start or the last reset.
    pub fn routes(&self) -> std::collections::BTreeMap<String, u64> {
        self.lock().routes.iter().map(|(route, count)| (route.to_string(), *count)).collect()
    }

    /// A copy of all entries, in the order in which the requests ended.
    pub fn entries(&self) -> Vec<Entry> {
        self.after(0, usize::MAX).1
    }

    /// At most `max` entries with a number greater than `after`, and the number of the first of them.
    pub(super) fn after(&self, after: u64, max: usize) -> (u64, Vec<Entry>) {
        let kept = self.lock();
        let first = after.max(kept.dropped);
        let skip = usize::try_from(first - kept.dropped).unwrap_or(usize::MAX);
        // All blocks but the last are full, so that an entry's place follows from its number.
        let entries = kept.blocks.iter().skip(skip / BLOCK).flatten().skip(skip % BLOCK).take(max).cloned().collect();
        (first + 1, entries)
    }

    /// Drops all entries and counts.
    pub(super) fn clear(&self) {
        let freed = {
            let mut kept = self.lock();
            let dropped = kept.dropped + kept.len as u64;
            std::mem::replace(&mut *kept, Kept { dropped, ..Kept::default() })
        };
        drop(freed);
    }
}

/// Entries as JSON lines, the first of them with number `first`.
pub(super) fn write_lines(first: u64, entries: &[Entry], mut out: impl Write) -> io::Result<()> {
    for (n, entry) in (first..).zip(entries) {
        serde_json::to_writer(&mut out, &Line { n, entry })?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

/// The file that `--log` names: entries are appended, each once.
#[derive(Debug)]
pub(super) struct LogFile {
    open: Mutex<OpenFile>,
}

#[derive(Debug)]
struct OpenFile {
    out: BufWriter<File>,
    written: u64,
}

impl LogFile {
    /// Opens the file, creating it where it does not exist.
    ///
    /// # Errors
    /// It cannot be opened for writing.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = File::options().create(true).append(true).open(path).map_err(|error| {
            io::Error::new(error.kind(), format!("failed to open the log {}: {error}", path.display()))
        })?;
        Ok(Self { open: Mutex::new(OpenFile { out: BufWriter::new(file), written: 0 }) })
    }

    /// Appends what `log` has got since the last time, and flushes.
    ///
    /// # Errors
    /// The disk is full or failing.
    pub(super) fn append_new(&self, log: &RequestLog) -> io::Result<()> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let (first, entries) = log.after(open.written, BATCH);
            if entries.is_empty() {
                return open.out.flush();
            }
            write_lines(first, &entries, &mut open.out)?;
            open.written = first - 1 + entries.len() as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(arrival_ns: Nanos) -> Entry {
        Entry {
            arrival_ns,
            service_ns: 5,
            method: "GET",
            path: "/x?y=1".into(),
            status: 200,
            connection: 1,
            body_bytes: 0,
            body_hash: 0,
            body: None,
        }
    }

    #[test]
    fn the_hash_is_the_published_one() {
        // Test vectors of the FNV draft.
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
        assert_eq!(fnv1a_continue(fnv1a(b"foo"), b"bar"), fnv1a(b"foobar"));
    }

    #[test]
    fn entries_are_found_by_number_across_blocks_and_resets() {
        let log = RequestLog::new(100_000);
        (0..20_000).for_each(|n| log.push("/x", entry(n)));
        let (first, entries) = log.after(8_191, 3);
        assert_eq!(
            (first, entries.iter().map(|e| e.arrival_ns).collect::<Vec<_>>()),
            (8_192, vec![8_191, 8_192, 8_193])
        );
        assert_eq!(log.after(16_384, usize::MAX).1.len(), 3_616);
        assert!(log.after(20_000, 9).1.is_empty());
        assert!(log.after(u64::MAX - 1, 9).1.is_empty());
        log.clear();
        assert!(log.is_empty());
        log.push("/x", entry(7));
        assert_eq!(log.after(0, 9).0, 20_001);
        assert_eq!(log.routes(), [("/x".to_owned(), 1)].into());
    }

    #[test]
    fn a_full_log_counts_what_it_does_not_keep() {
        let log = RequestLog::new(2);
        (0..5).for_each(|n| log.push("/x", entry(n)));
        assert_eq!((log.len(), log.over(), log.routes()["/x"]), (2, 3, 5));
    }

    #[test]
    fn a_file_gets_each_entry_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("lab.jsonl");
        let log = RequestLog::new(100);
        let file = LogFile::open(&path).expect("a file");
        log.push("/x", entry(1));
        file.append_new(&log).expect("room on the disk");
        log.push("/x", entry(2));
        file.append_new(&log).expect("room on the disk");
        file.append_new(&log).expect("room on the disk");
        log.clear();
        log.push("/x", entry(3));
        file.append_new(&log).expect("room on the disk");
        let text = std::fs::read_to_string(&path).expect("the file");
        let lines: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        let numbers: Vec<_> = lines.iter().map(|line| (line["n"].as_u64(), line["arrival_ns"].as_u64())).collect();
        assert_eq!(numbers, [(Some(1), Some(1)), (Some(2), Some(2)), (Some(3), Some(3))]);
        assert_eq!(lines[0]["path"], "/x?y=1");
    }
}
