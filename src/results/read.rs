//! Reading a run file, whatever is left of it.

use std::{
    collections::BTreeMap,
    fmt,
    io::{Read, Seek},
};

use super::{
    End, FORMAT, Manifest, Tick, Timing, VERSION,
    figures::{SECOND_MAX, phase_figures, series_figures},
    frame::Members,
    wire::Line,
};
use crate::{
    clock::{Nanos, SECOND},
    measure::{Gauges, PhaseFigures, Snapshot, Totals},
};

/// Why a file cannot be read as a run. The text fits after "failed to read FILE: ".
#[derive(Debug)]
pub enum ReadError {
    /// The system says so.
    Io(std::io::Error),
    /// It is something else, or its start is lost.
    NotARun(&'static str),
    /// It is of a later version of the format.
    TooNew(u32, String),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "{error}"),
            Self::NotARun(why) => write!(f, "it is no run file: {why}"),
            Self::TooNew(version, loadr) => {
                write!(f, "it is of version {version} of the format, by loadr {loadr}; this loadr knows {VERSION}")
            }
        }
    }
}

impl std::error::Error for ReadError {}

impl From<std::io::Error> for ReadError {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

/// A run file whose manifest has been read.
#[derive(Debug)]
pub struct Opened<R> {
    /// What ran.
    pub manifest: Manifest,
    members: Members<R>,
}

/// All that could be read.
#[derive(Debug)]
pub struct Loaded {
    /// All figures.
    pub totals: Totals,
    /// Phases that started, by their number; those that were under way at the end of the file end there.
    pub timings: BTreeMap<u16, Timing>,
    /// How it ended; none if the file does not say.
    pub end: Option<End>,
    /// The last tick.
    pub last: Option<Tick>,
    /// Why the figures are not all that were written, if they are not.
    pub partial: Option<String>,
}

/// Reads the manifest.
///
/// # Errors
/// The file cannot be read, is no run file, or is of a later format.
pub fn open<R: Read + Seek>(file: R) -> Result<Opened<R>, ReadError> {
    let mut members = Members::new(file);
    let first = members.next()?;
    if members.damaged > 0 {
        return Err(ReadError::NotARun("it does not start with a manifest, or the manifest is damaged"));
    }
    let first = first.ok_or(ReadError::NotARun(if members.cut { "its start is cut off" } else { "it is empty" }))?;
    let line = first.strip_suffix(b"\n").unwrap_or(&first);
    // The version is looked at before the rest: a later one may say other things.
    let head: serde_json::Value =
        serde_json::from_slice(line).map_err(|_| ReadError::NotARun("its first line is not JSON"))?;
    let head = &head["manifest"];
    if head["format"] != FORMAT {
        return Err(ReadError::NotARun("its first line is no manifest"));
    }
    let version = head["version"].as_u64().and_then(|version| u32::try_from(version).ok()).unwrap_or(u32::MAX);
    if version > VERSION {
        return Err(ReadError::TooNew(version, head["loadr"].as_str().unwrap_or("unknown").to_owned()));
    }
    match serde_json::from_slice(line) {
        Ok(Line::Manifest(manifest)) => Ok(Opened { manifest: *manifest, members }),
        _ => Err(ReadError::NotARun("its manifest is not understood")),
    }
}

/// What one member holds: seconds up to a tick, phases that ended meanwhile, perhaps the end.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    /// Figures by second and phase.
    pub(super) seconds: BTreeMap<u64, BTreeMap<u16, (PhaseFigures, Gauges)>>,
    pub(super) tick: Option<Tick>,
    pub(super) ended: Vec<Timing>,
    pub(super) end: Option<End>,
}

impl<R: Read + Seek> Opened<R> {
    /// The next member that is whole and understood; the first reason why one was not goes to `wrong`.
    pub(super) fn next_chunk(&mut self, wrong: &mut Option<&'static str>) -> Result<Option<Chunk>, ReadError> {
        while let Some(content) = self.members.next()? {
            match Chunk::read(&content) {
                Ok(chunk) => return Ok(Some(chunk)),
                Err(why) => drop(wrong.get_or_insert(why)),
            }
        }
        Ok(None)
    }

    /// Reads the rest and hands over what each second of a phase holds, in the order of time; nothing of it stays in
    /// memory. What is damaged is left out.
    ///
    /// # Errors
    /// The file cannot be read, or `take` fails.
    pub fn each_second<E: From<ReadError>>(
        mut self,
        mut take: impl FnMut(u64, u16, &PhaseFigures, Gauges) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut wrong = None;
        while let Some(chunk) = self.next_chunk(&mut wrong)? {
            for (second, phases) in chunk.seconds {
                for (phase, (figures, gauges)) in phases {
                    take(second, phase, &figures, gauges)?;
                }
            }
        }
        Ok(())
    }

    /// Reads the rest. `on_tick` sees the totals at the end of each second, as the run did; the last
    /// `recent_seconds` can be asked of them.
    ///
    /// # Errors
    /// The file cannot be read. Damage is no error: what is whole is kept, and the rest is told.
    pub fn load(mut self, recent_seconds: usize, mut on_tick: impl FnMut(&Totals, &Tick)) -> Result<Loaded, ReadError> {
        let mut totals = Totals::with_recent_seconds(recent_seconds);
        let (mut phases, mut end, mut last, mut wrong) = (PhaseTimes::default(), None, None::<Tick>, None);
        while let Some(chunk) = self.next_chunk(&mut wrong)? {
            let turned_away = last.as_ref().map_or(0, |tick| tick.names_turned_away);
            let more = chunk.tick.as_ref().map_or(0, |tick| tick.names_turned_away.saturating_sub(turned_away));
            phases.note(&chunk);
            merge_into(&mut totals, chunk.seconds, more);
            end = chunk.end.or(end);
            if let Some(tick) = chunk.tick {
                on_tick(&totals, &tick);
                last = Some(tick);
            }
        }
        let partial = self.what_is_missing(end.is_some(), wrong, phases.stood);
        Ok(Loaded { totals, timings: phases.finish(), end, last, partial })
    }

    pub(super) fn what_is_missing(&self, ended: bool, wrong: Option<&str>, stood: Nanos) -> Option<String> {
        let mut told = Vec::new();
        if !ended {
            let seconds = stood / SECOND;
            told.push(format!("the file ends after {seconds} s, without the run's end"));
        }
        if self.members.damaged > 0 {
            let n = self.members.damaged;
            told.push(format!(
                "{n} part{} of it {} damaged and left out",
                if n == 1 { "" } else { "s" },
                if n == 1 { "is" } else { "are" }
            ));
        }
        if let Some(wrong) = wrong {
            told.push(format!("a part of it is left out because {wrong}"));
        }
        (!told.is_empty()).then(|| told.join("; "))
    }
}

/// When phases started and ended, as far as the file tells.
#[derive(Debug, Default)]
pub(super) struct PhaseTimes {
    starts: BTreeMap<u16, Nanos>,
    timings: BTreeMap<u16, Timing>,
    /// The end of the last second, on the run's clock.
    pub(super) stood: Nanos,
}

impl PhaseTimes {
    pub(super) fn note(&mut self, chunk: &Chunk) {
        for timing in &chunk.ended {
            self.timings.insert(timing.phase, *timing);
        }
        let Some(tick) = &chunk.tick else { return };
        self.stood = (tick.second + 1) * SECOND;
        for active in &tick.active {
            self.starts.entry(active.phase).or_insert(active.start);
        }
    }

    /// What was under way at the end of the file ends there.
    pub(super) fn finish(mut self) -> BTreeMap<u16, Timing> {
        for (phase, start) in self.starts {
            let end = self.stood.max(start);
            let open = Timing { phase, start, stopped: end, drained: end, cpu_share: 0.0, script_share: 0.0 };
            self.timings.entry(phase).or_insert(open);
        }
        self.timings
    }
}

impl Chunk {
    fn read(content: &[u8]) -> Result<Self, &'static str> {
        let mut chunk = Self::default();
        for line in content.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
            match serde_json::from_slice(line).map_err(|_| "a line is not understood")? {
                Line::Phase(line) => {
                    let (figures, gauges) = phase_figures(&line)?;
                    let known = chunk.at(line.second, line.phase)?;
                    known.0.merge(&figures);
                    known.1 = gauges;
                }
                Line::Series(line) => {
                    let (key, series) = series_figures(&line)?;
                    chunk.at(line.second, line.phase)?.0.series.entry(key).or_default().merge(&series);
                }
                Line::Tick(tick) if tick.second > SECOND_MAX => return Err("a second is beyond every run"),
                Line::Tick(tick) => chunk.tick = Some(tick),
                Line::Ended(timing) => chunk.ended.push(timing),
                Line::End(end) => chunk.end = Some(*end),
                Line::Manifest(_) => {}
            }
        }
        Ok(chunk)
    }

    fn at(&mut self, second: u64, phase: u16) -> Result<&mut (PhaseFigures, Gauges), &'static str> {
        if second > SECOND_MAX {
            return Err("a second is beyond every run");
        }
        Ok(self.seconds.entry(second).or_default().entry(phase).or_default())
    }
}

fn merge_into(
    totals: &mut Totals,
    seconds: BTreeMap<u64, BTreeMap<u16, (PhaseFigures, Gauges)>>,
    names_turned_away: u64,
) {
    if names_turned_away > 0 {
        totals.merge(Snapshot { names_turned_away, ..Snapshot::default() }, 0);
    }
    for (second, phases) in seconds {
        let gauges = phases.iter().map(|(&phase, (_, gauges))| (phase, *gauges)).collect();
        let phases = phases.into_iter().map(|(phase, (figures, _))| (phase, figures)).collect();
        totals.merge(Snapshot { second, phases, gauges, names_turned_away: 0 }, 0);
    }
}
