//! Whether memory grows without end.

use serde::{Deserialize, Serialize};

use super::{Figure, SloResult, Unit, Verdict};
use crate::{
    clock::{self, Nanos, SECOND},
    measure::{Metric, Observed},
    stats::{CONFIDENCE, Start, steady_start, theil_sen},
};

/// Points of the tail that the slope is taken through. Neighbouring samples are alike, and an interval that takes them
/// as independent is too narrow; means of a dozen stretches hardly are.
const STRETCHES: usize = 12;
/// Samples in a stretch, at least.
const SAMPLES_EACH: usize = 2;

/// Growth that is too fast.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LeakLimit {
    /// Bytes.
    pub bytes: f64,
    /// In what.
    pub per: LeakPer,
    /// As the script wrote it.
    pub text: String,
}

/// What growth is held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeakPer {
    /// A minute.
    Minute,
    /// A request, of all that were sent.
    Request,
}

impl LeakLimit {
    /// Reads `1MB/min`, `20kb/request`, `5MB/h`.
    ///
    /// # Errors
    /// It is no size in a time or in a request.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no growth: write \"1MB/min\" or \"20kB/request\"");
        let (size, per) = text.split_once('/').ok_or_else(wrong)?;
        let bytes = clock::parse_size(size.trim()).map_err(|_| wrong())? as f64;
        let (bytes, per) = match per.trim() {
            "s" | "second" => (bytes * 60.0, LeakPer::Minute),
            "min" | "minute" => (bytes, LeakPer::Minute),
            "h" | "hour" => (bytes / 60.0, LeakPer::Minute),
            "request" => (bytes, LeakPer::Request),
            _ => return Err(wrong()),
        };
        Ok(Self { bytes, per, text: text.to_owned() })
    }

    const fn unit(&self) -> Unit {
        match self.per {
            LeakPer::Minute => Unit::BytesPerMinute,
            LeakPer::Request => Unit::BytesPerRequest,
        }
    }
}

/// What a leak check found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LeakFinding {
    /// `LEAK`, `STABLE` or `INCONCLUSIVE`.
    pub word: &'static str,
    /// The growth in the tail, in bytes by the minute or the request.
    pub slope: Option<f64>,
    /// Lower end of its 95 % interval.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// What the three are counted in.
    pub unit: Unit,
    /// Requests that had ended when the memory became stable; 0 is from the start, null if it did not.
    pub stable_from_request: Option<u64>,
    /// The smallest growth that would have been called a leak.
    pub smallest_seen: Option<f64>,
    /// Samples that the slope rests on.
    pub samples: u64,
}

/// Judges the memory of a watch from `from` to `to`.
///
/// The first half is left out, and more where MSER-5 says that the series has settled later: what is allocated while
/// things warm up is no leak. The slope of the rest is Theil and Sen's. It is a LEAK if its whole 95 % interval lies above
/// the limit, STABLE if it lies below, and INCONCLUSIVE otherwise.
pub fn judge_leak(observed: &Observed, watch: u16, limit: &LeakLimit, from: Nanos, to: Nanos) -> LeakFinding {
    let series = observed.series(watch, Metric::Rss, from, to);
    let place = |at: Nanos| match limit.per {
        LeakPer::Minute => at as f64 / (60 * SECOND) as f64,
        LeakPer::Request => observed.requests_at(at),
    };
    let values: Vec<f64> = series.iter().map(|&(_, bytes)| bytes).collect();
    let settled = steady_start(&values);
    let cut = match settled {
        Start::SteadyFrom(cut) => cut.max(series.len() / 2),
        Start::NotSteady | Start::TooShort => series.len() / 2,
    };
    let tail = &series[cut.min(series.len())..];
    let mut finding = LeakFinding {
        word: "INCONCLUSIVE",
        slope: None,
        low: None,
        high: None,
        unit: limit.unit(),
        stable_from_request: None,
        smallest_seen: None,
        samples: tail.len() as u64,
    };
    if tail.len() < STRETCHES * SAMPLES_EACH {
        return finding;
    }
    let mean = |part: &[(Nanos, f64)], of: &dyn Fn(&(Nanos, f64)) -> f64| {
        part.iter().map(of).sum::<f64>() / part.len().max(1) as f64
    };
    let points: Vec<(f64, f64)> = (0..STRETCHES)
        .map(|k| &tail[k * tail.len() / STRETCHES..(k + 1) * tail.len() / STRETCHES])
        .map(|part| (mean(part, &|it| place(it.0)), mean(part, &|it| it.1)))
        .collect();
    let Some(slope) = theil_sen(&points, CONFIDENCE) else { return finding };
    (finding.slope, finding.low, finding.high) = (Some(slope.value), Some(slope.low), Some(slope.high));
    finding.smallest_seen = Some(limit.bytes + (slope.value - slope.low).max(0.0));
    if slope.low > limit.bytes {
        finding.word = "LEAK";
    } else if slope.high < limit.bytes {
        finding.word = "STABLE";
        if let Start::SteadyFrom(cut) = settled {
            let at = series.get(cut).map_or(0, |&(at, _)| at);
            finding.stable_from_request = Some(if cut == 0 { 0 } else { observed.requests_at(at).round() as u64 });
        }
    }
    finding
}

impl LeakFinding {
    /// In words: `STABLE from request 140 on; a growth above 1.2MB/min would have been seen`.
    pub fn text(&self) -> String {
        let stable = match self.stable_from_request {
            Some(0) => ", stable from the start",
            Some(_) => ", stabilised",
            None => "",
        };
        let at = self.stable_from_request.filter(|n| *n > 0).map_or_else(String::new, |n| format!(" at request {n}"));
        let least = 2 * STRETCHES * SAMPLES_EACH;
        let seen = self.smallest_seen.map_or_else(
            || {
                format!(
                    "; {} samples in its second half are too few: look more often, or longer ({least} samples)",
                    self.samples
                )
            },
            |bytes| format!("; the smallest leak this run could have seen is {}", self.unit.text(bytes)),
        );
        format!("{}{stable}{at}{seen}", self.word)
    }

    /// As a row of the SLO table.
    pub fn row(&self, watch: &str, limit: &LeakLimit) -> SloResult {
        let figure = Figure { value: self.slope, low: self.low, high: self.high, at_least: false, unit: self.unit };
        SloResult {
            name: format!("no leak in {watch}"),
            quantity: "slope".to_owned(),
            verdict: match self.word {
                "LEAK" => Verdict::Fail,
                "STABLE" => Verdict::Pass,
                _ => Verdict::Inconclusive,
            },
            target: format!("slope < {}", limit.text),
            figure: self.slope.map(|_| figure),
            samples: self.samples,
            needed: (self.slope.is_none()).then_some((STRETCHES * SAMPLES_EACH) as u64),
            why: Some(self.text()),
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng, rngs::StdRng};

    use super::*;
    use crate::measure::Observation;

    /// A memory that is looked at each second, with 50 requests in each.
    fn memory(bytes: impl Fn(u64) -> f64) -> Observed {
        let mut observed = Observed::default();
        for second in 0..120u64 {
            let at = second * SECOND;
            observed.push(Observation { watch: 0, at, values: vec![(Metric::Rss, bytes(second))] });
            observed.load(at, 50 * second);
        }
        observed
    }

    fn judged(observed: &Observed, limit: &str) -> LeakFinding {
        judge_leak(observed, 0, &LeakLimit::parse(limit).expect(limit), 0, 1_000 * SECOND)
    }

    #[test]
    fn a_leak_is_known_by_request_and_by_minute() {
        // 20 kB a request: 1 MB a second.
        let leak = memory(|second| 50e6 + 1e6 * second as f64);
        let found = judged(&leak, "5kB/request");
        assert_eq!(found.word, "LEAK");
        assert!(found.slope.is_some_and(|slope| (slope / 20e3 - 1.0).abs() < 0.01), "{found:?}");
        let found = judged(&leak, "1MB/min");
        assert!(found.word == "LEAK" && found.slope.is_some_and(|slope| (slope / 60e6 - 1.0).abs() < 0.01));
        assert_eq!(judged(&leak, "100kB/request").word, "STABLE", "slower than what is allowed");
    }

    #[test]
    fn a_plateau_is_stable_from_the_request_where_it_begins() {
        let found = judged(&memory(|second| 50e6 + 1e6 * second.min(30) as f64), "1MB/min");
        assert_eq!(found.word, "STABLE");
        assert!(found.stable_from_request.is_some_and(|n| (1_250..=1_750).contains(&n)), "{found:?}");
        assert_eq!(judged(&memory(|_| 50e6), "1MB/min").stable_from_request, Some(0));
    }

    #[test]
    fn few_samples_say_nothing() {
        let found = judge_leak(&memory(|_| 50e6), 0, &LeakLimit::parse("1MB/min").expect("a limit"), 0, 20 * SECOND);
        assert_eq!((found.word, found.slope), ("INCONCLUSIVE", None));
    }

    #[test]
    fn noise_raises_few_false_alarms_and_hides_no_real_leak() {
        let (mut alarms, mut found) = (0, 0);
        for seed in 0..200u64 {
            let mut random = StdRng::seed_from_u64(seed);
            // Garbage collection: correlated noise of some megabytes around a level.
            let mut noise = 0.0;
            let course: Vec<f64> = (0..120)
                .map(|_| {
                    noise = 0.6 * noise + (random.random::<f64>() - 0.5) * 2e6;
                    noise
                })
                .collect();
            alarms += usize::from(judged(&memory(|at| 80e6 + course[at as usize]), "100kB/min").word == "LEAK");
            let leaking = memory(|at| 80e6 + course[at as usize] + 1e6 * at as f64);
            found += usize::from(judged(&leaking, "100kB/min").word == "LEAK");
        }
        assert!(alarms <= 14, "{alarms} of 200 are no leaks, and were called so");
        assert!(found >= 198, "{found} of 200 leaks were found");
    }

    #[test]
    fn a_limit_is_a_size_in_a_time_or_a_request() {
        for (text, bytes, per) in [
            ("1MB/min", 1e6, LeakPer::Minute),
            ("60MB/h", 1e6, LeakPer::Minute),
            ("20kb/request", 20e3, LeakPer::Request),
        ] {
            assert_eq!(LeakLimit::parse(text).map(|limit| (limit.bytes, limit.per)), Ok((bytes, per)), "{text}");
        }
        for wrong in ["1MB", "fast/min", "1/min/x", "1MB/day", ""] {
            assert!(LeakLimit::parse(wrong).is_err(), "{wrong}");
        }
    }
}
