//! One run file of several that are parts of the same run.

use std::{
    collections::BTreeMap,
    fmt,
    io::{self, Read, Seek, Write},
};

use super::{
    Active, End, Manifest, Opened, ReadError, Reading, Tick, Timing, Writer,
    read::{Chunk, PhaseTimes},
};
use crate::measure::{Gauges, Level};

/// Why files are no parts of one run. Each names its file by its place among those given, from 0.
#[derive(Debug)]
pub enum MergeError {
    /// A file cannot be read.
    Read(usize, ReadError),
    /// The result cannot be written.
    Write(io::Error),
    /// It differs from the first in what must be the same: what that is.
    Differs(usize, &'static str),
    /// It and an earlier one hold the same part.
    Overlaps(usize, usize),
}

impl fmt::Display for MergeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(_, error) => write!(f, "{error}"),
            Self::Write(error) => write!(f, "{error}"),
            Self::Differs(_, what) => write!(f, "it has another {what} than the first"),
            Self::Overlaps(..) => f.write_str("it holds a part of the run that another holds too"),
        }
    }
}

impl std::error::Error for MergeError {}

/// A file that is being read, and what it said last.
struct Part<R> {
    opened: Opened<R>,
    next: Option<Chunk>,
    wrong: Option<&'static str>,
    last: Tick,
    times: PhaseTimes,
    end: Option<End>,
}

impl<R: Read + Seek> Part<R> {
    fn new(opened: Opened<R>) -> Result<Self, ReadError> {
        let mut part =
            Self { opened, next: None, wrong: None, last: Tick::default(), times: PhaseTimes::default(), end: None };
        part.advance()?;
        Ok(part)
    }

    fn advance(&mut self) -> Result<Option<Chunk>, ReadError> {
        let chunk = std::mem::replace(&mut self.next, self.opened.next_chunk(&mut self.wrong)?);
        if let Some(chunk) = &chunk {
            self.times.note(chunk);
            self.end = chunk.end.clone().or(self.end.take());
            if let Some(tick) = &chunk.tick {
                self.last = tick.clone();
            }
        }
        Ok(chunk)
    }

    /// The second that the next chunk closes; the last ones close none.
    fn second(&self) -> Option<u64> {
        self.next.as_ref().map(|chunk| chunk.tick.as_ref().map_or(u64::MAX, |tick| tick.second))
    }

    fn is_whole(&self) -> bool {
        self.opened.what_is_missing(self.end.is_some(), self.wrong, 0).is_none()
    }
}

/// Adds parts of one run up, second by second of each part's own clock, and writes the sum. Exact: histograms are
/// added, counts are added. The result ends only if all parts do.
///
/// # Errors
/// The files are no parts of one run, or something cannot be read or written.
pub fn merge<R: Read + Seek, W: Write>(files: Vec<Opened<R>>, out: W) -> Result<(), MergeError> {
    let manifest = manifest(&files)?;
    let mut parts = Vec::new();
    for (at, file) in files.into_iter().enumerate() {
        parts.push(Part::new(file).map_err(|error| MergeError::Read(at, error))?);
    }
    let mut writer = Writer::start(out, &manifest).map_err(MergeError::Write)?;
    while let Some(second) = parts.iter().filter_map(Part::second).min() {
        let mut sum = Chunk::default();
        let mut active: BTreeMap<u16, u64> = BTreeMap::new();
        let mut observations = Vec::new();
        for (at, part) in parts.iter_mut().enumerate() {
            if part.second() != Some(second) {
                continue;
            }
            let chunk = part.advance().map_err(|error| MergeError::Read(at, error))?.unwrap_or_default();
            observations.extend(chunk.tick.iter().flat_map(|tick| tick.observations.iter().cloned()));
            for now in chunk.tick.iter().flat_map(|tick| &tick.active) {
                active.entry(now.phase).and_modify(|start| *start = now.start.min(*start)).or_insert(now.start);
            }
            add(&mut sum, chunk);
        }
        for (&second, phases) in &sum.seconds {
            for (&phase, (figures, gauges)) in phases {
                // The texts were cleared of secrets when they were written first.
                let same = |text: &str| text.to_owned();
                writer.second(second, phase, figures, *gauges, &same).map_err(MergeError::Write)?;
            }
        }
        if second == u64::MAX {
            // What came after the last tick goes with the end.
            continue;
        }
        let last = || parts.iter().map(|part| &part.last);
        let tick = Tick {
            second,
            active: active.into_iter().map(|(phase, start)| Active { phase, start }).collect(),
            names_turned_away: last().map(|tick| tick.names_turned_away).fold(0, u64::saturating_add),
            clock_gap_max: last().map(|tick| tick.clock_gap_max).max().unwrap_or(0),
            clock_gaps: last().map(|tick| tick.clock_gaps).fold(0, u64::saturating_add),
            observations,
            readings: widest(last().flat_map(|tick| tick.readings.iter().cloned())),
        };
        writer.tick(&tick, &[]).map_err(MergeError::Write)?;
    }
    let is_whole = parts.iter().all(Part::is_whole);
    let (ended, end) = finish(parts);
    writer.end(is_whole.then_some(&end), &ended).map_err(MergeError::Write)
}

fn add(sum: &mut Chunk, chunk: Chunk) {
    for (second, phases) in chunk.seconds {
        let known = sum.seconds.entry(second).or_default();
        for (phase, (figures, gauges)) in phases {
            let (all, levels) = known.entry(phase).or_default();
            all.merge(&figures);
            let add = |a: Level, b: Level| Level { now: a.now + b.now, peak: a.peak + b.peak };
            *levels = Gauges {
                in_flight: add(levels.in_flight, gauges.in_flight),
                users: add(levels.users, gauges.users),
                queued: add(levels.queued, gauges.queued),
                // Of several machines, the one that was the busiest.
                cpu: levels.cpu.max(gauges.cpu),
            };
        }
    }
}

/// From the earliest start of a phase to its latest end; the end of the run is that of its parts together.
fn finish<R>(parts: Vec<Part<R>>) -> (Vec<Timing>, End) {
    let count = parts.len().max(1) as f64;
    let mut timings: BTreeMap<u16, Timing> = BTreeMap::new();
    let mut end = End::default();
    for part in parts {
        for (phase, timing) in part.times.finish() {
            let (cpu, script) = (timing.cpu_share / count, timing.script_share / count);
            let known = timings.entry(phase).or_insert(Timing { cpu_share: 0.0, script_share: 0.0, ..timing });
            known.start = known.start.min(timing.start);
            known.stopped = known.stopped.max(timing.stopped);
            known.drained = known.drained.max(timing.drained);
            known.cpu_share += cpu;
            known.script_share += script;
        }
        let Some(own) = part.end else { continue };
        end.cut = end.cut.or(own.cut);
        end.observations.extend(own.observations);
        for (phase, planned) in own.planned {
            let sum = end.planned.entry(phase).or_default();
            *sum = sum.saturating_add(planned);
        }
        end.throttled_share = match (end.throttled_share, own.throttled_share) {
            (Some(a), Some(b)) => Some(a.max(b)),
            (a, b) => a.or(b),
        };
        end.script_stall_max = end.script_stall_max.max(own.script_stall_max);
        let used = |(open, allowed): (u64, u64)| open as f64 / allowed.max(1) as f64;
        end.descriptors = match (end.descriptors, own.descriptors) {
            (Some(a), Some(b)) => Some(if used(b) > used(a) { b } else { a }),
            (a, b) => a.or(b),
        };
        end.clock_gap_max = end.clock_gap_max.max(own.clock_gap_max);
        end.clock_gaps = end.clock_gaps.saturating_add(own.clock_gaps);
        end.readings = widest(end.readings.into_iter().chain(own.readings));
        for note in own.notes {
            if !end.notes.contains(&note) {
                end.notes.push(note);
            }
        }
        end.teardown_error = end.teardown_error.or(own.teardown_error);
    }
    (timings.into_values().collect(), end)
}

/// Each part read the same counter, which counted all of them: the widest reading is of the whole.
fn widest(readings: impl Iterator<Item = Reading>) -> Vec<Reading> {
    let mut kept: Vec<Reading> = Vec::new();
    for reading in readings {
        let same = |known: &&mut Reading| {
            (&known.experiment, &known.source, &known.phase) == (&reading.experiment, &reading.source, &reading.phase)
        };
        match kept.iter_mut().find(same) {
            Some(known) if known.hits + known.misses >= reading.hits + reading.misses => {}
            Some(known) => *known = reading,
            None => kept.push(reading),
        }
    }
    kept
}

/// The manifest of the whole: the first one's, with every part's segments.
fn manifest<R>(files: &[Opened<R>]) -> Result<Manifest, MergeError> {
    let mut whole = files.first().map(|file| file.manifest.clone()).unwrap_or_default();
    for (at, file) in files.iter().enumerate().skip(1) {
        let own = &file.manifest;
        let same = [
            (own.plan_hash == whole.plan_hash, "plan"),
            (own.seed == whole.seed, "seed"),
            (own.loadr == whole.loadr, "version of loadr"),
        ];
        if let Some(&(_, what)) = same.iter().find(|(same, _)| !same) {
            return Err(MergeError::Differs(at, what));
        }
        for segment in &own.segments {
            if whole.segments.first().is_some_and(|first| first.1 != segment.1) {
                return Err(MergeError::Differs(at, "number of parts"));
            }
            if whole.segments.contains(segment) {
                let other = files[..at].iter().position(|other| other.manifest.segments.contains(segment));
                return Err(MergeError::Overlaps(at, other.unwrap_or(0)));
            }
            whole.segments.push(*segment);
        }
        whole.workers = whole.workers.saturating_add(own.workers);
        whole.strict |= own.strict;
        for (key, value) in &own.tags {
            whole.tags.entry(key.clone()).or_insert_with(|| value.clone());
        }
        if own.started_at_ms < whole.started_at_ms {
            whole.started_at_ms = own.started_at_ms;
            whole.started_at.clone_from(&own.started_at);
        }
    }
    whole.segments.sort_unstable();
    Ok(whole)
}
