//! Run files as arbitrary bytes (see [`crate::fuzz`]).

use std::io::Cursor;

use super::{FORMAT, Loaded, Manifest, VERSION, Writer, frame, open, wire::Tick};

/// More seconds are not compared.
const SECONDS_MAX: usize = 50;

/// Reads the bytes after the first as a run file. If the first byte is even they are the file itself; else they are
/// the lines in it, within a container that is whole and after a manifest that is right.
///
/// Holds: what is read can be written, and is read alike again.
pub fn run_file(data: &[u8]) {
    let Some((&how, bytes)) = data.split_first() else { return };
    let file = if how & 1 == 0 { bytes.to_vec() } else { with_lines(bytes) };
    let Some(loaded) = load(&file) else { return };
    let Some((first, last)) = loaded.totals.seconds_kept() else { return };
    let mut writer = Writer::start(Vec::new(), &manifest()).expect("memory");
    for second in first..=last.min(first + SECONDS_MAX as u64) {
        for (phase, figures, gauges) in loaded.totals.second(second) {
            writer.second(second, phase, figures, gauges, &str::to_owned).expect("memory");
        }
        writer.tick(&Tick { second, ..Tick::default() }, &[]).expect("memory");
    }
    let again = load(writer.get_ref()).expect("a file that was just written");
    assert_eq!(again.partial.as_deref().map(|why| why.contains("damaged") || why.contains("left out")), Some(false));
    for second in first..=last.min(first + SECONDS_MAX as u64) {
        let written: Vec<_> = loaded.totals.second(second).map(|(phase, figures, _)| (phase, figures)).collect();
        let read: Vec<_> = again.totals.second(second).map(|(phase, figures, _)| (phase, figures)).collect();
        assert_eq!(read, written, "second {second}");
    }
}

fn load(file: &[u8]) -> Option<Loaded> {
    let opened = open(Cursor::new(file)).ok()?;
    Some(opened.load(SECONDS_MAX, |_, _| {}).expect("memory does not fail"))
}

fn manifest() -> Manifest {
    Manifest { format: FORMAT.to_owned(), version: VERSION, segments: vec![(0, 1)], ..Manifest::default() }
}

/// A file of one member for each paragraph.
fn with_lines(lines: &[u8]) -> Vec<u8> {
    let start = Writer::start(Vec::new(), &manifest()).expect("memory");
    let mut file = start.get_ref().clone();
    let mut paragraph = Vec::new();
    for line in lines.split(|&byte| byte == b'\n').chain([&b""[..]]) {
        if !line.is_empty() {
            paragraph.extend_from_slice(line);
            paragraph.push(b'\n');
        } else if !paragraph.is_empty() {
            file.extend_from_slice(&frame::member(&paragraph).expect("it is short"));
            paragraph.clear();
        }
    }
    file
}
