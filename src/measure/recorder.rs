//! A worker's books: one per thread, no lock, some tens of nanoseconds a sample.

mod exhibit;
mod phase;
mod row;

use phase::{Messages, PhaseRecord};
use row::Row;

use super::{
    ClassId, FailureKind, Gauges, IterationResult, Kind, NameId, PhaseFigures, Sample, SeriesKey, Witness, clean_text,
    mask, names::Names, rewrite::Rewrites,
};
use crate::{
    clock::Nanos,
    protocol::{Negotiated, Stamps, status_text, word_of},
};

/// No row yet.
const VACANT: u32 = u32::MAX;

/// Records what one worker does, and hands it over once a second.
#[derive(Debug)]
pub struct Recorder {
    names: Names,
    phases: Vec<PhaseRecord>,
    /// Row of phase, name, class: `index[phase][name][class]`, grown as they appear.
    index: Vec<Vec<Vec<u32>>>,
    rows: Vec<Row>,
    /// Keys and rows of the last two samples that differed, the last first: most samples follow one of their own
    /// kind, or their flow and its request take turns.
    last: [((u16, NameId, ClassId), u32); 2],
    /// Rows with something to hand over.
    dirty: Vec<u32>,
    rewrites: Rewrites,
    /// By phase, how many rows keep exchanges whole.
    keeping: Vec<usize>,
    /// The next take is the last.
    closing: bool,
    /// See [`Recorder::mute`].
    is_muted: bool,
}

/// Rows of a phase, of a worker, that keep exchanges whole.
const KEEPING_MAX: usize = 100;

impl Default for Recorder {
    fn default() -> Self {
        Self::new()
    }
}

/// What a worker recorded since the last one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Snapshot {
    /// The second of the run in which it was taken.
    pub second: u64,
    /// Figures by phase; only phases in which something happened.
    pub phases: Vec<(u16, PhaseFigures)>,
    /// Levels by phase, where they are or were above 0.
    pub gauges: Vec<(u16, Gauges)>,
    /// How often a name or class went to `(other)` because there were too many.
    pub names_turned_away: u64,
}

impl Recorder {
    /// A recorder with nothing in it.
    pub fn new() -> Self {
        mask::prepare();
        Self {
            names: Names::new(),
            phases: Vec::new(),
            index: Vec::new(),
            rows: Vec::new(),
            last: [((u16::MAX, NameId(u32::MAX), ClassId(u16::MAX)), VACANT); 2],
            dirty: Vec::new(),
            rewrites: Rewrites::default(),
            keeping: Vec::new(),
            closing: false,
            is_muted: false,
        }
    }

    /// Files no sample and no iteration from now on: what recording costs is what a run takes less then.
    pub fn mute(&mut self) {
        self.is_muted = true;
    }

    /// Rewrites each long text from now on before it is cut: who takes secrets out of a report later finds only
    /// whole ones.
    pub fn rewrite_long(&mut self, rewrite: impl Fn(&str) -> String + 'static) {
        self.rewrites.set_whole(rewrite);
    }

    /// Rewrites from now on what is kept of exchanges. Such a text may be the start of a longer one.
    pub fn rewrite_starts(&mut self, rewrite: impl Fn(&str) -> String + 'static) {
        self.rewrites.set_start(rewrite);
    }

    /// The next take is the last: it gives all that waits for a better moment.
    pub fn close(&mut self) {
        self.closing = true;
    }

    /// The number of a row. Beyond 500 rows a worker, that of `(other)`. Ask once and keep it: this is a
    /// look-up by text.
    pub fn name(&mut self, kind: Kind, text: &str) -> NameId {
        self.names.name(kind, &self.rewrites.long(text))
    }

    /// The row of the `n`th exchange of a redirected request, counted from 1.
    pub fn hop(&mut self, request: NameId, n: u32) -> NameId {
        let (_, name) = self.names.text(request);
        self.names.name(Kind::Hop, &format!("{name} → {n}"))
    }

    /// The number of a class; that of no class for an empty text, and `(other)` beyond 64 classes a worker.
    pub fn class(&mut self, text: &str) -> ClassId {
        self.names.class(&self.rewrites.long(text))
    }

    /// Files one sample. True: its exchange is one of those that are kept whole, so [`Self::keep`] it.
    #[inline]
    pub fn record(&mut self, sample: &Sample) -> bool {
        if self.is_muted {
            return false;
        }
        self.row(sample.phase, sample.name, sample.class).record(sample)
    }

    /// Keeps the exchange of the sample that was filed last.
    pub fn keep(&mut self, sample: &Sample, witness: &Witness<'_>) {
        self.row(sample.phase, sample.name, sample.class).keep(sample, witness);
    }

    /// An iteration was due and taken up; `entry` is its entry of the phase's mix.
    #[inline]
    pub fn offered(&mut self, phase: u16, entry: usize) {
        if self.is_muted {
            return;
        }
        self.phase(phase).offered(entry);
    }

    /// An offered iteration is over.
    #[inline]
    pub fn iteration(&mut self, phase: u16, result: IterationResult) {
        if self.is_muted {
            return;
        }
        self.phase(phase).iteration(result);
    }

    /// How long after it was due an iteration was dispatched.
    #[inline]
    pub fn lateness(&mut self, phase: u16, nanos: Nanos) {
        if self.is_muted {
            return;
        }
        self.phase(phase).lateness.record(nanos);
    }

    /// How long a dispatched iteration waited for a place in flight.
    #[inline]
    pub fn backlog(&mut self, phase: u16, nanos: Nanos) {
        if self.is_muted {
            return;
        }
        self.phase(phase).backlog.record(nanos);
    }

    /// Counts the result of a check, of the exchange `of` if there is one.
    pub fn check(&mut self, phase: u16, name: &str, passed: bool, of: Option<&Witness<'_>>) {
        let name = self.rewrites.long(name);
        let example = || of.map(|witness| witness.excerpt(&self.rewrites));
        at_least(&mut self.phases, usize::from(phase), PhaseRecord::default).check(&name, passed, example);
    }

    /// Adds to a custom count.
    pub fn count(&mut self, phase: u16, name: &str, n: u64) {
        let name = self.rewrites.long(name);
        self.phase(phase).count(&name, n);
    }

    /// Sets a custom gauge at `at`.
    pub fn gauge(&mut self, phase: u16, name: &str, value: f64, at: Nanos) {
        let name = self.rewrites.long(name);
        self.phase(phase).gauge(&name, value, at);
    }

    /// Adds a duration to a custom timing.
    pub fn timing(&mut self, phase: u16, name: &str, nanos: Nanos) {
        let name = self.rewrites.long(name);
        self.phase(phase).timing(&name, nanos);
    }

    /// Adds a pair of durations to a block of those of that name.
    pub fn pair(&mut self, phase: u16, name: &str, block: u64, base: Nanos, other: Nanos) {
        let name = self.rewrites.long(name);
        self.phase(phase).pair(&name, block, base, other);
    }

    /// Counts a run-time error of the script. `place` is `file:line:column` as a person reads it; `after` is the
    /// exchange that ended last before it in the same iteration.
    pub fn script_error(&mut self, phase: u16, place: &str, message: &str, after: Option<&Witness<'_>>) {
        self.message(phase, Messages::ScriptErrors, place, message, after);
    }

    /// Counts an iteration that failed for a reason that is no request's, such as `vu.fail(reason)`.
    pub fn failure(&mut self, phase: u16, reason: &str, after: Option<&Witness<'_>>) {
        self.message(phase, Messages::Failures, "", reason, after);
    }

    fn message(&mut self, phase: u16, of: Messages, place: &str, message: &str, after: Option<&Witness<'_>>) {
        let message = self.rewrites.long(message);
        let example = || after.map(|witness| witness.excerpt(&self.rewrites));
        let record = at_least(&mut self.phases, usize::from(phase), PhaseRecord::default);
        record.message(of, place, &message, example);
    }

    /// Keeps what the system said of a failure, if it is among the first of its kind in its row. Counts
    /// nothing: the sample does.
    pub fn error_example(&mut self, phase: u16, name: NameId, kind: impl Into<FailureKind>, detail: &str) {
        let detail = self.rewrites.long(detail);
        self.row(phase, name, ClassId::NONE).example(kind.into(), || clean_text(&detail));
    }

    /// Keeps an unexpected status as an example of its row: the code, or what else `said` the error was.
    pub fn status_example<'a>(&mut self, phase: u16, name: NameId, status: u16, said: impl FnOnce() -> &'a [u8]) {
        if word_of(status).is_some() {
            let text = String::from_utf8_lossy(said()).into_owned();
            let text = if text.is_empty() { status_text(status).into_owned() } else { text };
            return self.error_example(phase, name, FailureKind::Status, &text);
        }
        self.row(phase, name, ClassId::NONE).example(FailureKind::Status, || format!("status {status}"));
    }

    /// A request went over a connection that was open already.
    #[inline]
    pub fn reused(&mut self, phase: u16, negotiated: Negotiated) {
        if self.is_muted {
            return;
        }
        self.phase(phase).connections.reused(negotiated);
    }

    /// A request opened its connection, at the times that `stamps` tell.
    pub fn opened(&mut self, phase: u16, stamps: &Stamps, negotiated: Negotiated) {
        self.phase(phase).connections.opened(stamps, negotiated);
    }

    /// Iterations under way in this worker.
    #[inline]
    pub fn in_flight(&mut self, phase: u16, n: u64) {
        if self.is_muted {
            return;
        }
        self.phase(phase).gauges.in_flight.set(n);
    }

    /// Virtual users at work in this worker.
    #[inline]
    pub fn users(&mut self, phase: u16, n: u64) {
        self.phase(phase).gauges.users.set(n);
    }

    /// What this worker has at hand: iterations under way, virtual users at work, arrivals that wait for a place.
    pub fn load(&mut self, phase: u16, in_flight: u64, users: u64, queued: u64) {
        if self.is_muted {
            return;
        }
        let gauges = &mut self.phase(phase).gauges;
        gauges.in_flight.set(in_flight);
        gauges.users.set(users);
        gauges.queued.set(queued);
    }

    /// Everything since the last take. Costs next to nothing where nothing happened.
    pub fn take(&mut self, second: u64) -> Snapshot {
        let mut phases: Vec<_> = self.phases.iter_mut().map(PhaseRecord::take).collect();
        self.dirty.retain(|&at| {
            let row = &mut self.rows[at as usize];
            let (phase, name, class) = row.key;
            let class = self.names.class_text(class);
            let Some(figures) = row.take(self.closing, class.as_deref(), &self.rewrites) else {
                return row.holds_memory();
            };
            let (kind, name) = self.names.text(name);
            let key = SeriesKey { kind, name, class };
            phases[usize::from(phase)].series.insert(key, figures);
            true
        });
        let phases = phases.into_iter().enumerate().filter(|(_, figures)| !figures.is_empty());
        Snapshot {
            second,
            phases: phases.map(|(phase, figures)| (phase as u16, figures)).collect(),
            gauges: self
                .phases
                .iter_mut()
                .enumerate()
                .filter_map(|(at, p)| Some((at as u16, p.take_gauges()?)))
                .collect(),
            names_turned_away: self.names.take_turned_away(),
        }
    }

    #[inline]
    fn phase(&mut self, phase: u16) -> &mut PhaseRecord {
        let at = usize::from(phase);
        if at >= self.phases.len() {
            self.phases.resize_with(at + 1, PhaseRecord::default);
        }
        &mut self.phases[at]
    }

    #[inline]
    fn row(&mut self, phase: u16, name: NameId, class: ClassId) -> &mut Row {
        let key = (phase, name, class);
        let at = match self.last {
            [(known, at), _] if known == key => at,
            [_, (known, at)] if known == key => {
                self.last.swap(0, 1);
                at
            }
            _ => self.find_row(key),
        };
        let row = &mut self.rows[at as usize];
        if !row.dirty {
            row.dirty = true;
            self.dirty.push(at);
        }
        row
    }

    fn find_row(&mut self, key: (u16, NameId, ClassId)) -> u32 {
        let (phase, name, class) = key;
        // An id that this recorder never gave would make the index as large as the id.
        let name = self.names.known(name);
        let class = self.names.known_class(class);
        self.phase(phase);
        let by_name = at_least(&mut self.index, usize::from(phase), Vec::new);
        let by_class = at_least(by_name, name.0 as usize, Vec::new);
        let slot = at_least(by_class, usize::from(class.0), || VACANT);
        if *slot == VACANT {
            *slot = self.rows.len() as u32;
            let keeping = at_least(&mut self.keeping, usize::from(phase), || 0);
            let keeps = *keeping < KEEPING_MAX && self.names.text(name).0 == Kind::Request;
            *keeping += usize::from(keeps);
            self.rows.push(Row::new((phase, name, class), keeps));
        }
        self.last = [(key, *slot), self.last[0]];
        *slot
    }
}

/// The entry at `at`, after growing the list to it.
fn at_least<T>(list: &mut Vec<T>, at: usize, fill: impl FnMut() -> T) -> &mut T {
    if at >= list.len() {
        list.resize_with(at + 1, fill);
    }
    &mut list[at]
}

#[cfg(test)]
mod tests;
