//! HdrHistogram's own log format, version 1.3: a file for each phase, a line for each second, row and kind of
//! duration, told apart by tags.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io::{Read, Seek},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use hdrhistogram::{
    Histogram,
    serialization::{Serializer, V2DeflateSerializer},
};

use super::{Opened, ReadError};
use crate::{
    clock::MICROSECOND,
    measure::{Distribution, Kind, SeriesFigures, SeriesKey, buckets::VALUE_US_MAX},
};

/// Lines of a phase's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// The phase's number in the plan.
    pub phase: u16,
    /// Lines with their ends; the first of a phase begin with the head of the file.
    pub text: String,
}

/// Reads the rest of a run file as logs and hands them over piece by piece, in the order of time.
///
/// # Errors
/// The file cannot be read, or `write` cannot write.
pub fn logs<R: Read + Seek, E: From<ReadError>>(
    mut file: Opened<R>,
    mut write: impl FnMut(Log) -> Result<(), E>,
) -> Result<(), E> {
    let head = head(file.manifest.started_at_ms, &file.manifest.loadr);
    let mut begun: BTreeMap<u16, ()> = BTreeMap::new();
    let mut encoder = Encoder::new();
    let mut wrong = None;
    while let Some(chunk) = file.next_chunk(&mut wrong)? {
        for (second, phases) in chunk.seconds {
            for (phase, (figures, _)) in phases {
                let mut text = String::new();
                for (key, series) in &figures.series {
                    rows(&mut text, second, key, series, &mut encoder);
                }
                if text.is_empty() {
                    continue;
                }
                if begun.insert(phase, ()).is_none() {
                    text.insert_str(0, &head);
                }
                write(Log { phase, text })?;
            }
        }
    }
    Ok(())
}

fn head(started_at_ms: u64, loadr: &str) -> String {
    format!(
        "#[Logged with loadr {loadr}; durations in microseconds]\n\
         #[Histogram log format version 1.3]\n\
         #[StartTime: {}.{:03} (seconds since epoch), {}]\n\
         \"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n",
        started_at_ms / 1_000,
        started_at_ms % 1_000,
        super::utc(started_at_ms),
    )
}

/// Puts histograms into the text that HdrHistogram's tools read.
struct Encoder {
    histogram: Histogram<u64>,
    serializer: V2DeflateSerializer,
    bytes: Vec<u8>,
}

impl Encoder {
    fn new() -> Self {
        let histogram = Histogram::new_with_bounds(1, VALUE_US_MAX, 3).expect("1 µs to 1 h with three digits is valid");
        Self { histogram, serializer: V2DeflateSerializer::new(), bytes: Vec::new() }
    }

    fn text(&mut self, all: &Distribution) -> String {
        self.histogram.reset();
        for (top, count) in all.buckets() {
            // The last bucket holds an hour, and its top is beyond.
            self.histogram.saturating_record_n(top.min(VALUE_US_MAX), count);
        }
        self.bytes.clear();
        // Writing to memory cannot fail, nor can there be so many durations that their count has no encoding.
        let _ = self.serializer.serialize(&self.histogram, &mut self.bytes);
        STANDARD.encode(&self.bytes)
    }
}

fn rows(text: &mut String, second: u64, key: &SeriesKey, series: &SeriesFigures, encoder: &mut Encoder) {
    let failures = series.failures.iter().map(|(kind, figures)| (kind.word(), &figures.response));
    let ok = [("response", &series.ok.response), ("service", &series.ok.service), ("ttfb", &series.ok.ttfb)];
    for (what, all) in ok.into_iter().chain(failures) {
        row(text, second, &tag(key, what), all, encoder);
    }
}

fn row(text: &mut String, second: u64, tag: &str, all: &Distribution, encoder: &mut Encoder) {
    let Some(max) = all.max() else { return };
    // By custom the maximum is in milliseconds, whatever the histogram counts in.
    let max_ms = max as f64 / (1_000 * MICROSECOND) as f64;
    let histogram = encoder.text(all);
    // Writing to memory cannot fail.
    let _ = writeln!(text, "Tag={tag},{second}.000,1.000,{max_ms:.3},{histogram}");
}

/// `request:item:hit:response`; what the format cannot hold becomes an underscore.
fn tag(key: &SeriesKey, what: &str) -> String {
    let kind = match key.kind {
        Kind::Request => "request",
        Kind::Flow => "flow",
        Kind::Group => "group",
        Kind::Hop => "hop",
        Kind::Message => "message",
    };
    let parts = [Some(kind), Some(&*key.name), key.class.as_deref(), Some(what)];
    let plain = |c: char| if c.is_whitespace() || c.is_control() || matches!(c, ',' | '"') { '_' } else { c };
    parts.into_iter().flatten().collect::<Vec<_>>().join(":").chars().map(plain).collect()
}
