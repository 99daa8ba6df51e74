//! What a cache experiment found.

use serde::Serialize;

use super::{
    BaselineSummary, CacheSummary, ExpiriesSummary, InvalidationSummary, Latency, OutageSummary, StampedeSummary,
    TruthSummary, TtlSummary, UnmarkedSummary, UsersSummary, WorkingSetSummary, WorthSummary,
    experiment_parts::{stampede, ttl, working_set},
    experiment_warnings::warnings,
    expiries::expiries,
    invalidation::invalidation,
    outage::outage,
    truth::truth,
    unmarked::unmarked,
    users::users,
    worth::{baseline, worth},
};
use crate::{
    clock::MICROSECOND,
    judge::{CacheCounts, Condition, Experiment, Op, PhaseView, Quantity, Slo, counts_as_hit, percent_word, speedup},
    measure::{Distribution, Kind, Pair, Share},
    results::Reading,
    stats::{CONFIDENCE, Mixture, Popularity, samples_to_show, wilson},
};

/// Percentiles that hits and misses are compared at, in parts per million.
const PERCENTILES: [u32; 3] = [500_000, 950_000, 990_000];
/// Hit ratios that the table of effective latencies has.
const RATIOS: [f64; 7] = [0.0, 0.5, 0.8, 0.9, 0.95, 0.99, 1.0];

/// What an experiment found. Durations are in microseconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ExperimentSummary {
    /// Its name.
    pub name: String,
    /// The row of its requests.
    pub request: String,
    /// Hit ratios of its phases of ordinary traffic, in their order.
    pub parts: Vec<PartSummary>,
    /// The same ratios by a counter that is not the generator's.
    pub truth: Vec<TruthSummary>,
    /// The hit ratio over time.
    pub course: Vec<CoursePoint>,
    /// How hits and misses compare, side by side in blocks of pairs.
    pub speedup: Vec<SpeedupSummary>,
    /// Service times of hits of the pairs; of the steady phase without pairs.
    pub hit_us: Latency,
    /// The same of misses.
    pub miss_us: Latency,
    /// Where those times are from: `pairs` or `steady`.
    pub times_from: &'static str,
    /// Blocks of pairs.
    pub blocks: usize,
    /// The latency that a mix of those hits and misses has, by hit ratio.
    pub effective: Vec<EffectiveSummary>,
    /// The hit ratio that a target of the latency needs.
    pub needs: Vec<NeedSummary>,
    /// The ratio of the steady phase where responses do not tell of the cache.
    pub unmarked: Option<UnmarkedSummary>,
    /// The same keys without the cache.
    pub baseline: Option<BaselineSummary>,
    /// What another point of the hit ratio brings.
    pub worth: Option<WorthSummary>,
    /// At which age entries expire.
    pub ttl: Option<TtlSummary>,
    /// What becomes of many requests of an absent key.
    pub stampede: Option<StampedeSummary>,
    /// What happens when the entry of a hot key expires.
    pub expiries: Option<ExpiriesSummary>,
    /// What became of writes.
    pub invalidation: Option<InvalidationSummary>,
    /// Whether one user gets what was stored for another.
    pub users: Option<UsersSummary>,
    /// The hit ratio by the number of keys.
    pub working_set: Option<WorkingSetSummary>,
    /// The same traffic without the cache, and how it comes back.
    pub outage: Option<OutageSummary>,
    /// What makes its figures doubtful.
    pub warnings: Vec<String>,
}

/// The hit ratio of a part.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PartSummary {
    /// `cold`, `warm` or `steady`.
    pub part: &'static str,
    /// The phase that plays it.
    pub phase: String,
    /// Its classes.
    pub cache: CacheSummary,
    /// The highest ratio that any cache reaches with these keys, on average: none can have what is asked for the first
    /// time. Null where the law of the keys is not known.
    pub ceiling: Option<f64>,
}

/// The hit ratio in a stretch of time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CoursePoint {
    /// The part it is of.
    pub part: &'static str,
    /// Its start, in seconds from the run's.
    pub start_s: u64,
    /// Its length.
    pub seconds: u64,
    /// Hits among look-ups.
    pub hit_ratio: f64,
    /// Lower end of Wilson's 95 % interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// The highest ratio that any cache reaches in it.
    pub ceiling: Option<f64>,
}

/// Misses against hits at a percentile. Null where there are too few pairs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SpeedupSummary {
    /// Such as `p50`.
    pub percentile: String,
    /// The misses' percentile over the hits'.
    pub ratio: Option<f64>,
    /// Lower end of its 95 % interval.
    pub ratio_low: Option<f64>,
    /// Upper end.
    pub ratio_high: Option<f64>,
    /// What a hit saves.
    pub saved_us: Option<f64>,
    /// Lower end of its 95 % interval.
    pub saved_low_us: Option<f64>,
    /// Upper end.
    pub saved_high_us: Option<f64>,
    /// Pairs that it needs.
    pub needed: Option<u64>,
}

/// The latency at a hit ratio.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EffectiveSummary {
    /// The ratio.
    pub hit_ratio: f64,
    /// It is the one of the steady phase.
    pub measured: bool,
    /// Mean.
    pub mean_us: f64,
    /// Percentiles; null where hits or misses are too few.
    pub p50_us: Option<u64>,
    /// See `p50_us`.
    pub p95_us: Option<u64>,
    /// See `p50_us`.
    pub p99_us: Option<u64>,
}

/// The hit ratio that a target needs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NeedSummary {
    /// Such as `p95 < 10ms`.
    pub target: String,
    /// The ratio from which it is met; 0 if misses meet it too, null if hits do not either.
    pub hit_ratio: Option<f64>,
}

/// (value, count), ascending.
type Histogram = Vec<(u64, u64)>;

/// Hits and misses as the tables rest on.
struct Arms {
    hit: Distribution,
    miss: Distribution,
}

impl ExperimentSummary {
    /// Of what was recorded. `slos` that are about it tell which targets are of interest.
    pub(super) fn of(experiment: &Experiment, phases: &[PhaseView<'_>], slos: &[Slo], readings: &[Reading]) -> Self {
        let phase = |name: &str| phases.iter().find(|phase| phase.name == name);
        let mut summary =
            Self { name: experiment.name.clone(), request: experiment.request.clone(), ..Self::default() };
        let mut seen = 0;
        for (part, name) in experiment.traffic() {
            if let Some(view) = phase(name) {
                summary.add_part(experiment, part, view, &mut seen);
            }
        }
        let pairs: Vec<Pair> = experiment
            .pairs
            .as_deref()
            .and_then(phase)
            .map(|view| view.figures.pairs.blocks(&experiment.name).cloned().collect())
            .unwrap_or_default();
        let steady = experiment.steady.as_deref().and_then(phase);
        let arms = match (pairs.is_empty(), steady) {
            (true, Some(view)) => Arms::of_classes(experiment, view),
            _ => Arms::of_pairs(&pairs),
        };
        summary.times_from = if pairs.is_empty() { "steady" } else { "pairs" };
        summary.blocks = pairs.len();
        if let Some(view) = experiment.pairs.as_deref().and_then(phase) {
            let of = |ppm: &u32| speedup_summary(&view.figures.pairs, &experiment.name, *ppm);
            summary.speedup = PERCENTILES.iter().map(of).collect();
            summary.baseline = baseline(experiment, &view.figures.pairs);
        }
        let none = Distribution::default();
        summary.hit_us = Latency::estimate(&arms.hit, &none, &[]);
        summary.miss_us = Latency::estimate(&arms.miss, &none, &[]);
        summary.unmarked = unmarked(experiment, &arms.hit, &arms.miss, steady);
        let estimated = summary.unmarked.as_ref().and_then(|it| it.hit_ratio);
        let ratio = summary.steady().and_then(|part| part.cache.hit_ratio).or(estimated);
        let looked_up = steady.filter(|_| estimated.is_some()).map_or_else(
            || summary.steady().map_or(0, |part| part.cache.looked_up()),
            |view| requests_of(experiment, view),
        );
        summary.worth = worth(&arms.hit, &arms.miss, steady, looked_up, ratio);
        summary.effective = arms.effective(ratio);
        summary.needs = arms.needs(&experiment.name, slos);
        summary.truth = truth(&experiment.name, &summary.parts, readings);
        summary.ttl = ttl(experiment, phases);
        summary.stampede = stampede(experiment, phases);
        let calibrated = arms.miss.mean().filter(|_| !pairs.is_empty());
        summary.expiries = expiries(experiment, phases, calibrated);
        summary.invalidation = invalidation(experiment, phases);
        summary.users = users(experiment, phases);
        summary.outage = outage(experiment, phases);
        summary.working_set = working_set(experiment, phases);
        summary.warnings = warnings(experiment, &summary, &pairs, phases);
        summary
    }

    /// What is said of it in a line each.
    pub fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.unmarked.iter().map(UnmarkedSummary::text).collect();
        lines.extend(self.truth.iter().map(TruthSummary::text));
        lines.extend(self.worth.iter().map(WorthSummary::text));
        lines.extend(self.baseline.iter().map(BaselineSummary::text));
        lines.extend(self.ttl.iter().map(TtlSummary::text));
        lines.extend(self.stampede.iter().map(StampedeSummary::text));
        lines.extend(self.expiries.iter().map(ExpiriesSummary::text));
        lines.extend(self.invalidation.iter().flat_map(InvalidationSummary::lines));
        lines.extend(self.users.iter().map(UsersSummary::text));
        lines.extend(self.working_set.iter().map(WorkingSetSummary::text));
        lines.extend(self.outage.iter().flat_map(OutageSummary::lines));
        lines
    }

    /// The steady part.
    pub fn steady(&self) -> Option<&PartSummary> {
        self.parts.iter().find(|part| part.part == "steady")
    }

    fn add_part(&mut self, experiment: &Experiment, part: &'static str, view: &PhaseView<'_>, seen: &mut u64) {
        let is_row = |key: &crate::measure::SeriesKey| key.kind == Kind::Request && *key.name == *experiment.request;
        let counts = CacheCounts::of(view.figures.series.iter().filter(|(key, _)| is_row(key)));
        let shares = view.shares(|key| counts_as_hit(key).filter(|_| is_row(key)));
        let blocks: Vec<(u64, u64)> = shares.iter().map(|share| (share.part, share.whole)).collect();
        let ceiling = |before: u64, draws: u64| experiment.keys.map(|keys: Popularity| keys.ceiling(before, draws));
        let before = *seen;
        for Share { start_s, seconds, part: hits, whole } in shares {
            let interval = wilson(hits as f64, whole as f64, CONFIDENCE);
            self.course.push(CoursePoint {
                part,
                start_s,
                seconds,
                hit_ratio: hits as f64 / whole as f64,
                low: interval.low,
                high: interval.high,
                ceiling: ceiling(*seen, whole),
            });
            *seen += whole;
        }
        self.parts.push(PartSummary {
            part,
            phase: view.name.to_owned(),
            cache: CacheSummary::new(&counts, counts.hit_ratio(&blocks, CONFIDENCE)),
            ceiling: ceiling(before, counts.looked_up()).filter(|_| counts.looked_up() > 0),
        });
    }
}

/// Requests of the experiment that were answered as expected.
fn requests_of(experiment: &Experiment, view: &PhaseView<'_>) -> u64 {
    let rows = view.figures.series.iter();
    let rows = rows.filter(|(key, _)| key.kind == Kind::Request && *key.name == *experiment.request);
    rows.map(|(_, series)| series.ok_count()).sum()
}

impl Arms {
    fn of_pairs(pairs: &[Pair]) -> Self {
        let (mut hit, mut miss) = (Distribution::default(), Distribution::default());
        for pair in pairs {
            miss.merge(&pair.base);
            hit.merge(&pair.other);
        }
        Self { hit, miss }
    }

    fn of_classes(experiment: &Experiment, view: &PhaseView<'_>) -> Self {
        let of = |class: &str| {
            let mut all = Distribution::default();
            for (key, series) in &view.figures.series {
                if *key.name == *experiment.request && key.class.as_deref() == Some(class) {
                    all.merge(&series.ok.service);
                }
            }
            all
        };
        Self { hit: of("hit"), miss: of("miss") }
    }

    fn histograms(&self) -> (Histogram, Histogram) {
        (self.hit.buckets().collect(), self.miss.buckets().collect())
    }

    /// The latency at each of the usual ratios, and at the one that was measured.
    fn effective(&self, measured: Option<f64>) -> Vec<EffectiveSummary> {
        let (Some(hit), Some(miss)) = (self.hit.mean(), self.miss.mean()) else { return Vec::new() };
        let (hits, misses) = self.histograms();
        let mix = Mixture { first: &hits, second: &misses };
        let fewest = self.hit.count().min(self.miss.count());
        let at = |(hit_ratio, measured): (f64, bool)| {
            let percentile = |ppm: u32| mix.quantile(hit_ratio, ppm).filter(|_| fewest >= samples_to_show(ppm));
            EffectiveSummary {
                hit_ratio,
                measured,
                mean_us: (hit_ratio * hit + (1.0 - hit_ratio) * miss) / MICROSECOND as f64,
                p50_us: percentile(500_000),
                p95_us: percentile(950_000),
                p99_us: percentile(990_000),
            }
        };
        // The measured one stands for a usual one that is printed alike.
        let is_free = |ratio: &&f64| measured.is_none_or(|measured| (measured - **ratio).abs() >= 0.000_5);
        let mut ratios: Vec<(f64, bool)> = RATIOS.iter().filter(is_free).map(|&ratio| (ratio, false)).collect();
        ratios.extend(measured.map(|ratio| (ratio, true)));
        ratios.sort_by(|a, b| a.0.total_cmp(&b.0));
        ratios.into_iter().map(at).collect()
    }

    /// The ratio from which each percentile is a hit's, and what targets of SLOs need.
    fn needs(&self, experiment: &str, slos: &[Slo]) -> Vec<NeedSummary> {
        if self.hit.is_empty() || self.miss.is_empty() {
            return Vec::new();
        }
        let (hits, misses) = self.histograms();
        let mix = Mixture { first: &hits, second: &misses };
        let about = slos.iter().filter(|slo| slo.selector.experiment.as_deref() == Some(experiment));
        let of = |condition: &Condition| match (&condition.quantity, condition.op) {
            (Quantity::Response(ppm), Op::Less | Op::AtMost) => Some(NeedSummary {
                target: format!("{} {}", condition.quantity, condition.text),
                hit_ratio: mix.weight_for(*ppm, (condition.value / MICROSECOND as f64) as u64),
            }),
            _ => None,
        };
        let mut needs: Vec<NeedSummary> = about.flat_map(|slo| &slo.conditions).filter_map(of).collect();
        // A percentile that is as quick as the slowest hit.
        if let (Some(&(slowest, _)), Some(&(quickest, _))) = (hits.last(), misses.first())
            && slowest < quickest
        {
            needs.extend(PERCENTILES.iter().map(|&ppm| NeedSummary {
                target: format!("{} is a hit", percent_word(ppm)),
                hit_ratio: mix.weight_for(ppm, slowest),
            }));
        }
        needs
    }
}

fn speedup_summary(pairs: &crate::measure::Pairs, name: &str, ppm: u32) -> SpeedupSummary {
    let contrast = speedup(pairs, name, ppm, CONFIDENCE);
    let us = |value: f64| (value * 10.0).round() / 10.0;
    SpeedupSummary {
        percentile: percent_word(ppm),
        ratio: contrast.map(|it| it.ratio.value),
        ratio_low: contrast.map(|it| it.ratio.low),
        ratio_high: contrast.map(|it| it.ratio.high),
        saved_us: contrast.map(|it| us(it.difference.value)),
        saved_low_us: contrast.map(|it| us(it.difference.low)),
        saved_high_us: contrast.map(|it| us(it.difference.high)),
        needed: contrast.is_none().then(|| samples_to_show(ppm)),
    }
}
