//! Grades: a word for how quick a request is, by limits that the script names.

use serde::{Deserialize, Serialize};

use super::{
    Figure, Quantity,
    estimate::{self, Estimate},
};
use crate::{
    clock::{MICROSECOND, Nanos, format_nanos},
    measure::{Block, Distribution, SeriesFigures},
};

/// The word for what is slower than every limit, unless the script has another.
pub const BELOW: &str = "F";

/// A scale of grades.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Grades {
    /// The percentile that is graded: of the response time, the service time, or the time to first byte.
    pub by: Quantity,
    /// Each grade with the longest time that it is given for, in nanoseconds; the best first, never empty.
    pub limits: Vec<(String, Nanos)>,
    /// What is slower than all of them.
    pub below: String,
}

/// What a row gets.
#[derive(Debug, Clone, PartialEq)]
pub struct Grade {
    /// The grades that the interval reaches, the best first: one where it settles the grade. None where the
    /// sample cannot carry the percentile.
    pub words: Vec<String>,
    /// The percentile with its interval.
    pub figure: Figure,
    /// Samples it rests on.
    pub samples: u64,
    /// Samples that it would take to settle the grade, where that can be told.
    pub needed: Option<u64>,
}

impl Grades {
    /// Whether a quantity can be graded: a percentile of a time, which has an interval.
    pub const fn can_be_by(quantity: &Quantity) -> bool {
        matches!(quantity, Quantity::Response(_) | Quantity::Service(_) | Quantity::Ttfb(_))
    }

    /// The rule in words: `p95 of the response time: A+ up to 5ms, A up to 10ms, F beyond`.
    pub fn rule(&self) -> String {
        let of = match self.by {
            Quantity::Service(_) => "service time",
            Quantity::Ttfb(_) => "time to first byte",
            _ => "response time",
        };
        let percentile = self.by.to_string();
        let percentile = percentile.rsplit('_').next().unwrap_or_default();
        let limits = self.limits.iter().map(|(word, limit)| format!("{word} up to {}", format_nanos(*limit)));
        let limits: Vec<String> = limits.collect();
        format!("{percentile} of the {of}: {}, {} beyond", limits.join(", "), self.below)
    }

    /// Grades the samples of a row. `blocks` say how much stretches of time differ. None where nothing was answered
    /// and nothing might have been.
    pub fn grade(&self, series: &SeriesFigures, blocks: &[Block], confidence: f64) -> Option<Grade> {
        let (known, censored, ppm) = match self.by {
            Quantity::Service(ppm) => (&series.ok.service, series.unanswered_service(), ppm),
            Quantity::Ttfb(ppm) => (&series.ok.ttfb, Distribution::default(), ppm),
            Quantity::Response(ppm) => (&series.ok.response, series.censored(), ppm),
            _ => return None,
        };
        let against = |limit: f64| estimate::percentile(known, &censored, blocks, ppm, limit, confidence);
        let Estimate { figure, n, .. } = against(0.0);
        if n == 0 {
            return None;
        }
        let place = |us: f64| {
            let within = |(_, limit): &(String, Nanos)| us <= *limit as f64 / MICROSECOND as f64;
            self.limits.iter().position(within).unwrap_or(self.limits.len())
        };
        let best = place(figure.low.unwrap_or(0.0));
        let worst = place(figure.high.unwrap_or(f64::INFINITY));
        let Some(value) = figure.value else {
            let needed = against(0.0).needed;
            return Some(Grade { words: Vec::new(), figure, samples: n, needed });
        };
        let words = (best..=worst).filter_map(|at| self.word(at)).map(ToOwned::to_owned).collect();
        // Of the limits within the interval, the nearest is the hardest to tell from.
        let distance = |limit: f64| (limit / MICROSECOND as f64 - value).abs();
        let between = self.limits.get(best..worst).unwrap_or_default().iter().map(|&(_, limit)| limit as f64);
        let nearest = between.min_by(|a, b| distance(*a).total_cmp(&distance(*b)));
        let needed = nearest.and_then(|limit| against(limit).needed).map(|needed| needed.max(n + 1));
        Some(Grade { words, figure, samples: n, needed })
    }

    fn word(&self, at: usize) -> Option<&str> {
        let words = self.limits.iter().map(|(word, _)| word).chain([&self.below]);
        words.map(String::as_str).nth(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock::MILLISECOND,
        measure::{FailureFigures, FailureKind},
        protocol::ErrorKind,
    };

    fn scale(by: &str) -> Grades {
        let limit = |word: &str, ms: u64| (word.to_owned(), ms * MILLISECOND);
        Grades {
            by: Quantity::parse(by).expect("a quantity").expect("one of loadr's own"),
            limits: vec![limit("A+", 5), limit("A", 10), limit("B", 50)],
            below: BELOW.to_owned(),
        }
    }

    /// As many response times, spread evenly from one to another number of microseconds.
    fn spread(n: u64, from_us: u64, to_us: u64) -> SeriesFigures {
        let mut series = SeriesFigures::default();
        for k in 0..n {
            let ns = (from_us + (to_us - from_us) * k / n) * MICROSECOND;
            series.ok.response.record(ns);
            series.ok.service.record(ns / 4);
        }
        series
    }

    fn words(by: &str, series: &SeriesFigures) -> Vec<String> {
        scale(by).grade(series, &[], 0.95).expect("samples").words
    }

    #[test]
    fn the_interval_settles_a_grade_or_does_not() {
        for (n, from, to, expected) in [
            (10_000, 1_000, 4_000, &["A+"][..]),
            (10_000, 6_000, 9_000, &["A"]),
            (200, 1_000, 10_400, &["A", "B"]),
            (10_000, 60_000, 90_000, &["F"]),
            // Nothing but its largest: at the limit is within it.
            (10_000, 5_000, 5_001, &["A+"]),
        ] {
            assert_eq!(words("p95", &spread(n, from, to)), expected, "{n} {from} {to}");
        }
        assert_eq!(words("service_p95", &spread(10_000, 6_000, 9_000)), ["A+"]);
    }

    #[test]
    fn one_that_is_not_settled_says_what_it_needs() {
        let grade = scale("p95").grade(&spread(200, 1_000, 10_400), &[], 0.95).expect("samples");
        assert!(grade.needed.is_some_and(|needed| needed > 200), "{grade:?}");
        let more = spread(grade.needed.expect("it can be told") * 4, 1_000, 10_400);
        assert_eq!(words("p95", &more), ["A"], "enough of the same settle it");
    }

    #[test]
    fn what_the_sample_cannot_carry_has_no_grade() {
        let grade = scale("p95").grade(&spread(20, 1_000, 2_000), &[], 0.95).expect("samples");
        assert_eq!((grade.words.len(), grade.needed), (0, Some(100)));
        assert_eq!(scale("p95").grade(&SeriesFigures::default(), &[], 0.95), None);
    }

    #[test]
    fn what_never_answered_is_worse_than_every_limit() {
        let mut series = spread(1_000, 1_000, 2_000);
        let mut lost = FailureFigures::default();
        (0..200).for_each(|_| lost.response.record(30_000 * MILLISECOND));
        series.failures.insert(FailureKind::Error(ErrorKind::Timeout), lost);
        assert_eq!(words("p95", &series), ["F"]);
        // Where only a bound is known, the grade is open to what is worse.
        let short = series.failures.values_mut().next().expect("the timeouts");
        *short = FailureFigures::default();
        (0..200).for_each(|_| short.response.record(6 * MILLISECOND));
        assert_eq!(words("p95", &series), ["A", "B", "F"]);
    }

    #[test]
    fn the_rule_says_what_is_graded_and_how() {
        let rule = "p95 of the response time: A+ up to 5ms, A up to 10ms, B up to 50ms, F beyond";
        assert_eq!(scale("p95").rule(), rule);
        assert!(scale("ttfb_p50").rule().starts_with("p50 of the time to first byte: "));
    }
}
