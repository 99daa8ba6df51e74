//! The run file while the run goes on: written on a thread of its own, so that a slow disk delays nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use super::conduct::View;
use crate::{
    measure::{Gauges, Observation, PhaseFigures, Totals},
    results::{Active, End, Manifest, Tick, Timing, Writer},
    script::Redactor,
};

/// What was written is forced to the disk that often.
const SYNC_EVERY: Duration = Duration::from_secs(5);
/// Seconds that may wait for the disk; what waits longer is still in the totals for a minute.
const WAITING_MAX: usize = 16;

/// What the thread writes at once.
#[derive(Default)]
struct Batch {
    seconds: Vec<(u64, u16, PhaseFigures, Gauges)>,
    ended: Vec<Timing>,
    tick: Option<Tick>,
    end: Option<End>,
}

/// A run file being written.
pub(super) struct Recording {
    pub(super) path: PathBuf,
    batches: Option<SyncSender<Box<Batch>>>,
    thread: Option<JoinHandle<()>>,
    failure: Arc<Mutex<Option<String>>>,
    told: bool,
    /// The first second that has not been handed to the thread.
    next: u64,
    /// Phases whose end has been handed over.
    ended: BTreeSet<u16>,
    /// What was seen beside the traffic and has not been handed over.
    unwritten: Vec<Observation>,
}

impl Recording {
    /// Writes the manifest to `file`, and starts the thread. Failures are told by [`Self::news`] and at the end.
    pub(super) fn start(path: PathBuf, file: io::Result<File>, manifest: &Manifest, redactor: Redactor) -> Self {
        let failure = Arc::new(Mutex::new(None));
        let mut recording = Self {
            path,
            batches: None,
            thread: None,
            failure: failure.clone(),
            told: false,
            next: 0,
            ended: BTreeSet::new(),
            unwritten: Vec::new(),
        };
        let begun = file.and_then(|file| Writer::start(Synced::new(file), manifest)).and_then(|writer| {
            let (sender, receiver) = sync_channel(WAITING_MAX);
            let thread = std::thread::Builder::new().name("run-file".to_owned());
            let thread = thread.spawn(move || {
                if let Err(error) = write_all(writer, &receiver, &redactor) {
                    set(&failure, error.to_string());
                }
            })?;
            Ok((sender, thread))
        });
        match begun {
            Ok((sender, thread)) => (recording.batches, recording.thread) = (Some(sender), Some(thread)),
            Err(error) => set(&recording.failure, error.to_string()),
        }
        recording
    }

    /// A second is complete.
    pub(super) fn update(&mut self, view: &View<'_>, seen: &[Observation]) {
        let gap_max = view.gaps.iter().copied().max().unwrap_or(0);
        let active = view.phases.iter().map(|&(id, start)| Active { phase: id.0 as u16, start });
        let tick = Tick {
            second: view.second,
            active: active.collect(),
            names_turned_away: view.totals.names_turned_away(),
            clock_gap_max: gap_max,
            clock_gaps: view.gaps.len() as u64,
            observations: self.unwritten.iter().chain(seen).cloned().collect(),
            readings: view.readings.to_vec(),
        };
        let new = view.ended.iter().filter(|timing| !self.ended.contains(&timing.phase));
        let batch = Batch {
            seconds: self.seconds(view.totals, view.second),
            ended: new.copied().collect(),
            tick: Some(tick),
            end: None,
        };
        let ended: Vec<u16> = batch.ended.iter().map(|timing| timing.phase).collect();
        match self.batches.as_ref().map(|batches| batches.try_send(Box::new(batch))) {
            Some(Ok(())) => {
                self.next = view.second + 1;
                self.ended.extend(ended);
                self.unwritten.clear();
            }
            // The disk is slow: the seconds stay in the totals, and go with a later tick.
            Some(Err(TrySendError::Full(_))) => self.unwritten.extend_from_slice(seen),
            None => {}
            Some(Err(TrySendError::Disconnected(_))) => self.batches = None,
        }
    }

    /// What has just gone wrong, told once.
    pub(super) fn news(&mut self) -> Option<String> {
        let failure = self.failure.lock().ok()?.clone()?;
        let first = !std::mem::replace(&mut self.told, true);
        first.then(|| {
            let path = self.path.display();
            format!(
                "warning: failed to write the run file {path}: {failure}\n\
                 the run goes on, but `loadr report` will not have all of it"
            )
        })
    }

    /// Writes the rest and the end, and waits until it is on the disk.
    ///
    /// # Errors
    /// What went wrong, now or before, for a person.
    pub(super) fn finish(mut self, totals: &Totals, timings: &BTreeMap<u16, Timing>, end: &End) -> Result<(), String> {
        let newest = totals.seconds_kept().map_or(0, |(_, newest)| newest);
        let new = timings.values().filter(|timing| !self.ended.contains(&timing.phase));
        let batch = Batch {
            ended: new.copied().collect(),
            seconds: self.seconds(totals, newest),
            tick: None,
            end: Some(End {
                observations: self.unwritten.iter().chain(&end.observations).cloned().collect(),
                ..end.clone()
            }),
        };
        if let Some(batches) = self.batches.take() {
            // A thread that is gone has left its reason.
            let _ = batches.send(Box::new(batch));
        }
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            set(&self.failure, "its thread panicked; please report it".to_owned());
        }
        let failure = self.failure.lock().map_or(None, |mut failure| failure.take());
        failure.map_or(Ok(()), Err)
    }

    /// Figures of the seconds up to `to` that have not been handed over.
    fn seconds(&self, totals: &Totals, to: u64) -> Vec<(u64, u16, PhaseFigures, Gauges)> {
        if self.batches.is_none() {
            return Vec::new();
        }
        let Some((oldest, _)) = totals.seconds_kept() else { return Vec::new() };
        if oldest > self.next && self.next > 0 {
            set(&self.failure, "the disk was too slow: some seconds are missing".to_owned());
        }
        (self.next.max(oldest)..=to)
            .flat_map(|second| totals.second(second).map(move |(phase, all, peak)| (second, phase, all.clone(), peak)))
            .collect()
    }
}

fn set(failure: &Mutex<Option<String>>, text: String) {
    if let Ok(mut failure) = failure.lock() {
        // The first is the cause of the others.
        failure.get_or_insert(text);
    }
}

fn write_all(mut writer: Writer<Synced>, batches: &Receiver<Box<Batch>>, redactor: &Redactor) -> io::Result<()> {
    let rewrite = |text: &str| redactor.redact(text).into_owned();
    while let Ok(batch) = batches.recv() {
        for (second, phase, figures, gauges) in &batch.seconds {
            writer.second(*second, *phase, figures, *gauges, &rewrite)?;
        }
        if let Some(tick) = &batch.tick {
            let mut tick = tick.clone();
            tick.readings.iter_mut().for_each(|reading| reading.rewrite_texts(&rewrite));
            writer.tick(&tick, &batch.ended)?;
        }
        if let Some(end) = &batch.end {
            let mut end = end.clone();
            end.rewrite_texts(&rewrite);
            writer.end(Some(&end), &batch.ended)?;
            writer.get_ref().file.sync_all()?;
        }
    }
    Ok(())
}

/// A file that is forced to the disk now and then, when something has been written.
struct Synced {
    file: File,
    synced: Instant,
}

impl Synced {
    fn new(file: File) -> Self {
        Self { file, synced: Instant::now() }
    }
}

impl Write for Synced {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.synced.elapsed() >= SYNC_EVERY {
            self.file.sync_data()?;
            self.synced = Instant::now();
        }
        Ok(())
    }
}

/// Creates the file of a run that was given no name, beside files of the same second.
pub(super) fn create_beside(folder: &Path, name: &str) -> (PathBuf, io::Result<File>) {
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, "loadr"));
    let mut path = folder.join(name);
    let mut file = File::create_new(&path);
    for number in 2..100 {
        match &file {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                path = folder.join(format!("{stem}-{number}.{extension}"));
                file = File::create_new(&path);
            }
            _ => break,
        }
    }
    (path, file)
}
