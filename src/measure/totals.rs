//! The sum of all workers' snapshots: of the whole run, of the recent seconds, and in blocks of time.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::LazyLock,
};

use super::{
    Course, Distribution, Level, PhaseFigures, SeriesFigures, SeriesKey, Snapshot, course::Courses, dense::Sum,
};

/// Seconds that can be asked for with [`Totals::window`], unless told otherwise.
const RECENT_SECONDS: usize = 60;
/// Blocks of time a phase is kept in; when there are more, they are joined in pairs.
const BLOCKS_MAX: usize = 128;
/// Rows of a phase over all workers; each worker has a limit of its own, but their rows may differ.
const ROWS_MAX: usize = 1_000;

/// All that a run recorded.
#[derive(Debug)]
pub struct Totals {
    phases: BTreeMap<u16, PhaseTotals>,
    recent_seconds: usize,
    names_turned_away: u64,
}

/// Levels of a phase.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Gauges {
    /// Iterations under way.
    pub in_flight: Level,
    /// Virtual users of a closed phase, at work or in a pause.
    pub users: Level,
    /// Arrivals that wait for a place in flight.
    pub queued: Level,
    /// The generator's own CPU in a second, in thousandths of the cores it may use; known when the second is over.
    pub cpu: Option<u16>,
}

/// What some rows did in a stretch of time. Samples near each other are alike, so an interval for a
/// percentile must look at how much such stretches differ.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Block {
    /// Response times of what was answered as expected.
    pub ok: Distribution,
    /// Samples whose answer might still have come.
    pub censored: u64,
    /// Samples that failed in any way; contains the censored ones.
    pub failed: u64,
}

/// A stretch of a phase's time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    /// Its first second, from the run's start.
    pub start_s: u64,
    /// Its length.
    pub seconds: u64,
    /// What happened in it.
    pub block: Block,
}

/// How many of some samples are of a kind, in a stretch of a phase's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// Its first second, from the run's start.
    pub start_s: u64,
    /// Its length.
    pub seconds: u64,
    /// Those of the kind.
    pub part: u64,
    /// All of them; at least 1.
    pub whole: u64,
}

impl Block {
    fn add(&mut self, series: &SeriesFigures) {
        self.ok.merge(&series.ok.response);
        self.censored += series.censored_count();
        self.failed += series.failed();
    }

    fn merge(&mut self, other: &Self) {
        self.ok.merge(&other.ok);
        self.censored += other.censored;
        self.failed += other.failed;
    }
}

#[derive(Debug)]
struct PhaseTotals {
    figures: PhaseFigures,
    /// Ascending by second.
    recent: VecDeque<Second>,
    /// By block number: the second divided by `block_seconds`.
    blocks: BTreeMap<u64, BTreeMap<SeriesKey, Block>>,
    block_seconds: u64,
    /// By the same numbers.
    courses: Courses,
    /// Each worker's levels, as it last told them.
    gauges: BTreeMap<usize, (u64, Gauges)>,
    peak: Gauges,
}

#[derive(Debug)]
struct Second {
    second: u64,
    figures: PhaseFigures,
    /// Sum of the workers' peaks within this second.
    peak: Gauges,
}

impl Default for Totals {
    fn default() -> Self {
        Self::new()
    }
}

impl Totals {
    /// Nothing yet; the last 60 seconds can be asked for.
    pub fn new() -> Self {
        Self::with_recent_seconds(RECENT_SECONDS)
    }

    /// Nothing yet; the last `seconds` can be asked for (at least one).
    pub fn with_recent_seconds(seconds: usize) -> Self {
        Self { phases: BTreeMap::new(), recent_seconds: seconds.max(1), names_turned_away: 0 }
    }

    /// Adds what `worker` recorded in a second.
    pub fn merge(&mut self, snapshot: Snapshot, worker: usize) {
        self.names_turned_away += snapshot.names_turned_away;
        for (phase, figures) in snapshot.phases {
            self.phases.entry(phase).or_default().add(snapshot.second, figures, self.recent_seconds);
        }
        for (phase, gauges) in snapshot.gauges {
            self.phases.entry(phase).or_default().add_gauges(snapshot.second, worker, gauges, self.recent_seconds);
        }
    }

    /// Notes what the generator used up in a second that is over, in thousandths of the cores it may use. A second time
    /// for the same second changes nothing.
    pub fn own_cpu(&mut self, second: u64, permille: u16) {
        for totals in self.phases.values_mut() {
            let Ok(at) = totals.recent.binary_search_by_key(&second, |kept| kept.second) else { continue };
            let Some(kept) = totals.recent.get_mut(at).filter(|kept| kept.peak.cpu.is_none()) else { continue };
            kept.peak.cpu = Some(permille);
            totals.courses.cpu(second / totals.block_seconds, permille);
        }
    }

    /// The figures of a phase; empty ones if nothing happened in it.
    pub fn figures(&self, phase: u16) -> &PhaseFigures {
        static NOTHING: LazyLock<PhaseFigures> = LazyLock::new(PhaseFigures::default);
        self.phase(phase).unwrap_or(&NOTHING)
    }

    /// The figures of a phase, if anything happened in it.
    pub fn phase(&self, phase: u16) -> Option<&PhaseFigures> {
        self.phases.get(&phase).map(|totals| &totals.figures)
    }

    /// Every phase in which something happened.
    pub fn phases(&self) -> impl Iterator<Item = (u16, &PhaseFigures)> {
        self.phases.iter().map(|(&phase, totals)| (phase, &totals.figures))
    }

    /// The figures of a phase from second `from` (included) to `to` (excluded), as far back as they are kept.
    pub fn window(&self, phase: u16, from: u64, to: u64) -> PhaseFigures {
        let mut sum = PhaseFigures::default();
        let recent = self.phases.get(&phase).into_iter().flat_map(|totals| &totals.recent);
        recent.filter(|s| (from..to).contains(&s.second)).for_each(|s| sum.merge(&s.figures));
        sum
    }

    /// What happened in one second, by phase, with the highest levels in it; nothing if it is no longer kept.
    pub fn second(&self, second: u64) -> impl Iterator<Item = (u16, &PhaseFigures, Gauges)> {
        self.phases.iter().filter_map(move |(&phase, totals)| {
            let at = totals.recent.binary_search_by_key(&second, |kept| kept.second).ok()?;
            totals.recent.get(at).map(|kept| (phase, &kept.figures, kept.peak))
        })
    }

    /// The oldest and the newest second that [`Self::second`] may know something of.
    pub fn seconds_kept(&self) -> Option<(u64, u64)> {
        let kept = || self.phases.values().flat_map(|totals| &totals.recent).map(|kept| kept.second);
        Some((kept().min()?, kept().max()?))
    }

    /// The levels of a phase over all workers: now, and the most there were.
    pub fn gauges(&self, phase: u16) -> Gauges {
        let Some(totals) = self.phases.get(&phase) else { return Gauges::default() };
        let now = |level: fn(&Gauges) -> Level| totals.gauges.values().map(|(_, gauges)| level(gauges).now).sum();
        let mut sum = totals.peak;
        sum.in_flight.now = now(|gauges| gauges.in_flight);
        sum.users.now = now(|gauges| gauges.users);
        sum.queued.now = now(|gauges| gauges.queued);
        sum
    }

    /// A phase cut into equal stretches of whole seconds, of the rows that `select` says: at most 128, in
    /// order. Stretches in which nothing happened are left out.
    pub fn blocks(&self, phase: u16, select: impl FnMut(&SeriesKey) -> bool) -> Vec<Block> {
        let all = self.stretches(phase, select).into_iter().map(|stretch| stretch.block);
        all.filter(|block| !block.ok.is_empty() || block.failed > 0).collect()
    }

    /// As [`Totals::blocks`], each with its time. Those in between in which nothing happened are there too, unless
    /// there are very many.
    pub fn stretches(&self, phase: u16, mut select: impl FnMut(&SeriesKey) -> bool) -> Vec<Stretch> {
        let Some(totals) = self.phases.get(&phase) else { return Vec::new() };
        let seconds = totals.block_seconds;
        let mut all: Vec<Stretch> = Vec::with_capacity(totals.blocks.len());
        let mut sum = Sum::new();
        for (&number, rows) in &totals.blocks {
            let mut block = Block::default();
            for (_, of_row) in rows.iter().filter(|(key, _)| select(key)) {
                sum.add(&of_row.ok);
                block.censored += of_row.censored;
                block.failed += of_row.failed;
            }
            block.ok = sum.take();
            if block.ok.is_empty() && block.failed == 0 {
                continue;
            }
            let gap = all.last().map_or(number, |last| last.start_s / seconds + 1)..number;
            if gap.end - gap.start <= BLOCKS_MAX as u64 {
                all.extend(gap.map(|empty| Stretch { start_s: empty * seconds, seconds, block: Block::default() }));
            }
            all.push(Stretch { start_s: number * seconds, seconds, block });
        }
        all
    }

    /// How a phase went beside its rows, in the same stretches as [`Totals::stretches`]: the first second and the length
    /// of each in which anything happened.
    pub fn course(&self, phase: u16) -> impl Iterator<Item = (u64, u64, &Course)> {
        let of_phase = self.phases.get(&phase).map(|totals| (totals.block_seconds, &totals.courses));
        of_phase
            .into_iter()
            .flat_map(|(seconds, courses)| courses.all().map(move |(number, it)| (number * seconds, seconds, it)))
    }

    /// The samples answered as expected in equal stretches of a phase, at most 128: those of rows that `select` gives
    /// true for, among those it gives anything for. Stretches without any are left out.
    pub fn shares(&self, phase: u16, mut select: impl FnMut(&SeriesKey) -> Option<bool>) -> Vec<Share> {
        let Some(totals) = self.phases.get(&phase) else { return Vec::new() };
        let seconds = totals.block_seconds;
        let share = |(&number, rows): (&u64, &BTreeMap<SeriesKey, Block>)| {
            let mut share = Share { start_s: number * seconds, seconds, part: 0, whole: 0 };
            for (key, block) in rows {
                let Some(is_part) = select(key) else { continue };
                share.whole += block.ok.count();
                share.part += if is_part { block.ok.count() } else { 0 };
            }
            (share.whole > 0).then_some(share)
        };
        totals.blocks.iter().filter_map(share).collect()
    }

    /// How often a name or class went to `(other)` because there were too many.
    pub const fn names_turned_away(&self) -> u64 {
        self.names_turned_away
    }
}

impl Default for PhaseTotals {
    fn default() -> Self {
        Self {
            figures: PhaseFigures::default(),
            recent: VecDeque::new(),
            blocks: BTreeMap::new(),
            block_seconds: 1,
            courses: Courses::default(),
            gauges: BTreeMap::new(),
            peak: Gauges::default(),
        }
    }
}

impl PhaseTotals {
    fn add(&mut self, second: u64, mut figures: PhaseFigures, recent_seconds: usize) {
        self.admit(&mut figures);
        // A second without samples makes no block: a run file does not hold it either.
        if !figures.series.is_empty() {
            let block = self.blocks.entry(second / self.block_seconds).or_default();
            for (key, series) in &figures.series {
                block.entry(key.clone()).or_default().add(series);
            }
        }
        self.courses.add(second / self.block_seconds, &figures);
        self.limit_blocks();
        self.figures.merge(&figures);
        if let Some(kept) = self.second(second, recent_seconds) {
            kept.figures.merge(&figures);
        }
    }

    fn add_gauges(&mut self, second: u64, worker: usize, gauges: Gauges, recent_seconds: usize) {
        let known = self.gauges.entry(worker).or_insert((second, gauges));
        if second >= known.0 {
            *known = (second, gauges);
        }
        let Some(kept) = self.second(second, recent_seconds) else { return };
        let mut within = kept.peak;
        within.in_flight.peak += gauges.in_flight.peak;
        within.users.peak += gauges.users.peak;
        within.queued.peak += gauges.queued.peak;
        within.cpu = within.cpu.max(gauges.cpu);
        kept.peak = within;
        self.courses.level(second / self.block_seconds, &within);
        self.limit_blocks();
        if let Some(cpu) = gauges.cpu {
            self.courses.cpu(second / self.block_seconds, cpu);
        }
        self.peak.in_flight.peak = self.peak.in_flight.peak.max(within.in_flight.peak);
        self.peak.users.peak = self.peak.users.peak.max(within.users.peak);
        self.peak.queued.peak = self.peak.queued.peak.max(within.queued.peak);
    }

    /// Files rows beyond the limit under the rest.
    fn admit(&self, figures: &mut PhaseFigures) {
        if self.figures.series.len() + figures.series.len() <= ROWS_MAX {
            return;
        }
        let mut free = ROWS_MAX.saturating_sub(self.figures.series.len());
        let series = std::mem::take(&mut figures.series);
        for (key, row) in series {
            let known = self.figures.series.contains_key(&key);
            let key = if known || free > 0 { key.clone() } else { SeriesKey::other(key.kind) };
            free -= usize::from(!known && free > 0);
            figures.series.entry(key).or_default().merge(&row);
        }
    }

    /// The kept second of that number; none if it is too long ago.
    fn second(&mut self, second: u64, recent_seconds: usize) -> Option<&mut Second> {
        let newest = self.recent.back().map_or(second, |last| last.second.max(second));
        let oldest = (newest + 1).saturating_sub(recent_seconds as u64);
        while self.recent.front().is_some_and(|first| first.second < oldest) {
            self.recent.pop_front();
        }
        if second < oldest {
            return None;
        }
        let at = self.recent.partition_point(|kept| kept.second < second);
        if self.recent.get(at).is_none_or(|kept| kept.second != second) {
            self.recent.insert(at, Second { second, figures: PhaseFigures::default(), peak: Gauges::default() });
        }
        self.recent.get_mut(at)
    }

    fn limit_blocks(&mut self) {
        while self.blocks.len().max(self.courses.len()) > BLOCKS_MAX {
            self.join_blocks();
        }
    }

    fn join_blocks(&mut self) {
        self.block_seconds *= 2;
        self.courses.join();
        for (number, rows) in std::mem::take(&mut self.blocks) {
            let joined = self.blocks.entry(number / 2).or_default();
            for (key, block) in rows {
                joined.entry(key).or_default().merge(&block);
            }
        }
    }
}
