//! Files that scripts name, read once for all workers of a process: tables of rows, and bytes to send.

mod csv;
mod json;
mod lines;

use std::{
    collections::HashMap,
    fs::File,
    hash::Hash,
    io::{BufReader, Read, Seek},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

pub use self::csv::CsvOptions;
pub(super) use self::json::{VALUE_COLUMN, json_rows};
use crate::plan::Table;

/// Larger files belong into a database, in bytes.
const DATA_BYTES_MAX: u64 = 2 << 30;
/// A larger file is not sent, in bytes: each request in flight holds it.
const BODY_BYTES_MAX: u64 = 256 << 20;
/// What is read at once, in bytes.
const READ_BYTES: usize = 256 * 1024;

/// The files read so far.
#[derive(Debug, Default)]
pub struct DataCache {
    tables: Known<(PathBuf, Format), Arc<Table>>,
    bodies: Known<PathBuf, Arc<[u8]>>,
}

/// How a data file is written.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Format {
    /// Comma-separated values.
    Csv(CsvOptions),
    /// One JSON array.
    Json,
    /// One JSON value a line.
    JsonLines,
    /// One text a line.
    Lines,
}

/// Why a file cannot be used: fits after "failed to read `…`: ".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataError {
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: String,
}

fn error(message: impl Into<String>, help: impl Into<String>) -> DataError {
    DataError { message: message.into(), help: help.into() }
}

fn unreadable(why: std::io::Error) -> DataError {
    error(why.to_string().to_lowercase(), "check the path and its permissions")
}

/// What was made of each key so far.
#[derive(Debug)]
struct Known<K, V>(Mutex<HashMap<K, Result<V, DataError>>>);

impl<K, V> Default for Known<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash, V: Clone> Known<K, V> {
    fn get(&self, key: K, make: impl FnOnce() -> Result<V, DataError>) -> Result<V, DataError> {
        // The lock is held meanwhile: a second worker waits for what the first makes instead of making its own.
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry(key).or_insert_with(make).clone()
    }
}

impl DataCache {
    /// The table in that file; `path` is canonical.
    ///
    /// # Errors
    /// The file cannot be read, is too large, is empty, or is not of its format.
    pub fn table(&self, path: &Path, format: &Format) -> Result<Arc<Table>, DataError> {
        self.tables.get((path.to_owned(), format.clone()), || {
            let (mut file, size) = open(path)?;
            if size > DATA_BYTES_MAX {
                return Err(error("it is larger than 2 GiB", "split it, or take a sample of it"));
            }
            let table = parse(&mut file, size, format)?;
            if table.rows() == 0 {
                return Err(error("it has no rows", "put at least one row into it"));
            }
            Ok(Arc::new(table))
        })
    }

    /// The bytes of that file; `path` is canonical.
    ///
    /// # Errors
    /// The file cannot be read, or is too large.
    pub fn body(&self, path: &Path) -> Result<Arc<[u8]>, DataError> {
        self.bodies.get(path.to_owned(), || {
            let (mut file, size) = open(path)?;
            if size > BODY_BYTES_MAX {
                return Err(error("it is larger than 256 MiB", "send a smaller one"));
            }
            let mut bytes = Vec::with_capacity(size as usize);
            file.read_to_end(&mut bytes).map_err(unreadable)?;
            Ok(bytes.into())
        })
    }
}

/// Opens a file, and tells how long it is. What is no file (a pipe, a device) might never end.
fn open(path: &Path) -> Result<(File, u64), DataError> {
    let about = std::fs::metadata(path).map_err(unreadable)?;
    if !about.is_file() {
        return Err(error(if about.is_dir() { "it is a folder" } else { "it is no regular file" }, "name a file"));
    }
    Ok((File::open(path).map_err(unreadable)?, about.len()))
}

pub(super) fn parse(file: &mut (impl Read + Seek), size: u64, format: &Format) -> Result<Table, DataError> {
    let file = std::cell::RefCell::new(file);
    match format {
        Format::Csv(options) => {
            csv::parse(BufReader::with_capacity(READ_BYTES, &mut **file.borrow_mut()), size, options)
        }
        Format::Json => json::table(|take| {
            let mut file = file.borrow_mut();
            file.rewind().map_err(unreadable)?;
            json::array(WithoutMark::new(&mut **file), take)
        }),
        Format::JsonLines => json::table(|take| {
            let mut file = file.borrow_mut();
            file.rewind().map_err(unreadable)?;
            json::lines(BufReader::with_capacity(READ_BYTES, WithoutMark::new(&mut **file)), take)
        }),
        Format::Lines => {
            lines::parse(BufReader::with_capacity(READ_BYTES, WithoutMark::new(&mut **file.borrow_mut())), size)
        }
    }
}

/// Leaves out the byte order mark that some editors write.
struct WithoutMark<R>(std::io::Chain<std::io::Cursor<Vec<u8>>, R>);

impl<R: Read> WithoutMark<R> {
    fn new(mut input: R) -> Self {
        let mut start = Vec::new();
        // What cannot be read now cannot be read later either, and is reported then.
        let _ = (&mut input).take(3).read_to_end(&mut start);
        if start == b"\xef\xbb\xbf" {
            start.clear();
        }
        Self(std::io::Cursor::new(start).chain(input))
    }
}

impl<R: Read> Read for WithoutMark<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(buffer)
    }
}

#[cfg(test)]
mod tests;
