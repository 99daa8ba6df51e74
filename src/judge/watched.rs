//! SLOs about what is watched beside the traffic.

use super::{Figure, Quantity, Slo, SloResult, Unit, Verdict, is_part_of, select::did_you_mean};
use crate::{
    clock::Nanos,
    measure::{Metric, MetricLevel, Observed},
};

/// Which figure of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Statistic {
    /// The mean over the time.
    Avg,
    /// The lowest sample.
    Min,
    /// The highest sample.
    Peak,
    /// The last sample.
    Last,
    /// Growth by the request.
    PerRequest,
}

impl Statistic {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Avg => "avg",
            Self::Min => "min",
            Self::Peak => "peak",
            Self::Last => "last",
            Self::PerRequest => "per_request",
        }
    }
}

/// When a phase ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PhaseSpan<'a> {
    /// Its name.
    pub name: &'a str,
    /// It counts in no SLO that does not name it.
    pub warmup: bool,
    /// Its start, on the run's clock.
    pub start: Nanos,
    /// When its last iteration had ended.
    pub end: Nanos,
}

/// What was watched, and when.
#[derive(Debug, Clone, Copy)]
pub struct Watching<'a> {
    /// All samples.
    pub observed: &'a Observed,
    /// Names of what is watched, by index.
    pub names: &'a [String],
    /// The phases that ran.
    pub spans: &'a [PhaseSpan<'a>],
}

impl Metric {
    /// What a figure of it is counted in: of a counter, its rate.
    pub const fn unit(self) -> Unit {
        match self {
            Self::Cpu => Unit::Share,
            Self::Rss | Self::Pss => Unit::Bytes,
            Self::DiskRead | Self::DiskWrite | Self::NetReceived | Self::NetSent => Unit::BytesPerSecond,
            Self::Descriptors | Self::Threads | Self::Processes => Unit::Count,
            Self::Value => Unit::Any,
        }
    }
}

impl Quantity {
    /// A figure of something watched: `cpu`, `rss_peak`, `cpu_per_request`; of a probe `avg`, `min`, `peak`, `last`.
    pub fn watched(name: &str) -> Option<Self> {
        let statistic = |word: &str| {
            Some(match word {
                "avg" => Statistic::Avg,
                "min" => Statistic::Min,
                "peak" | "max" => Statistic::Peak,
                "last" => Statistic::Last,
                "per_request" => Statistic::PerRequest,
                _ => return None,
            })
        };
        let metric = |word: &str| Metric::ALL.iter().copied().find(|metric| metric.word() == word);
        if let Some(of_value) = statistic(name).filter(|it| *it != Statistic::PerRequest) {
            return Some(Self::Watched(Metric::Value, of_value));
        }
        if let Some(metric) = metric(name) {
            return Some(Self::Watched(metric, Statistic::Avg));
        }
        Metric::ALL.iter().find_map(|metric| {
            let rest = name.strip_prefix(metric.word())?.strip_prefix('_')?;
            let statistic = statistic(rest).filter(|it| *it != Statistic::PerRequest || metric.is_counter())?;
            Some(Self::Watched(*metric, statistic))
        })
    }
}

/// A metric of one watch over some phases, each for itself.
fn levels(watching: &Watching<'_>, watch: u16, metric: Metric, spans: &[&PhaseSpan<'_>]) -> Vec<MetricLevel> {
    spans.iter().filter_map(|span| watching.observed.level(watch, metric, span.start, span.end)).collect()
}

/// Growth of a counter by the request: between the first and the last look of each phase.
pub fn per_request(observed: &Observed, watch: u16, metric: Metric, spans: &[&PhaseSpan<'_>]) -> Option<f64> {
    let (mut grown, mut requests) = (0.0, 0.0);
    for span in spans {
        let Some(level) = observed.level(watch, metric, span.start, span.end) else { continue };
        let (first, last) = observed.span(watch, metric, span.start, span.end)?;
        grown += level.total?;
        requests += observed.requests_at(last) - observed.requests_at(first);
    }
    (requests >= 1.0).then(|| grown / requests)
}

/// Judges SLOs with a `monitor` selector; `results` has one entry for each condition of each of `slos`, in their order.
pub fn judge_watched(slos: &[Slo], results: &mut [SloResult], watching: &Watching<'_>) {
    let owners = slos.iter().flat_map(|slo| slo.conditions.iter().map(move |condition| (slo, condition)));
    for ((slo, condition), result) in owners.zip(results) {
        let (Some(name), Quantity::Watched(metric, statistic)) = (&slo.selector.monitor, &condition.quantity) else {
            continue;
        };
        if result.verdict == Verdict::NotRun {
            continue;
        }
        match figure(watching, name, slo.selector.phase.as_deref(), *metric, *statistic) {
            Ok((figure, samples)) => {
                let holds = figure
                    .value
                    .is_some_and(|value| condition.op.holds(value, super::evaluate::in_unit(condition, figure.unit)));
                result.verdict = if holds { Verdict::Pass } else { Verdict::Fail };
                (result.figure, result.samples, result.needed) = (Some(figure), samples, None);
                let is_bound = *statistic == Statistic::Peak;
                result.why =
                    is_bound.then(|| "the highest that was seen; between two looks it may be higher".to_owned());
            }
            Err(why) => (result.verdict, result.figure, result.why) = (Verdict::Fail, None, Some(why)),
        }
    }
}

fn figure(
    watching: &Watching<'_>,
    name: &str,
    phase: Option<&str>,
    metric: Metric,
    statistic: Statistic,
) -> Result<(Figure, u64), String> {
    let watch = watching.names.iter().position(|known| known == name);
    let watch = watch.ok_or_else(|| {
        format!("nothing watched is named `{name}`{}", did_you_mean(name, watching.names.iter().map(String::as_str)))
    })? as u16;
    let wanted = |span: &&PhaseSpan<'_>| match phase {
        Some(phase) => span.name == phase || is_part_of(span.name, phase),
        None => !span.warmup,
    };
    let spans: Vec<&PhaseSpan<'_>> = watching.spans.iter().filter(wanted).collect();
    let levels = levels(watching, watch, metric, &spans);
    let samples: u64 = levels.iter().map(|level| level.samples).sum();
    let values = |of: fn(&MetricLevel) -> f64| levels.iter().map(of);
    let value = match statistic {
        _ if samples == 0 => None,
        Statistic::Avg => Some(levels.iter().map(|it| it.avg * it.samples as f64).sum::<f64>() / samples as f64),
        Statistic::Min => Some(values(|it| it.min).fold(f64::INFINITY, f64::min)),
        Statistic::Peak => Some(values(|it| it.peak).fold(f64::NEG_INFINITY, f64::max)),
        Statistic::Last => levels.last().map(|level| level.last),
        Statistic::PerRequest => per_request(watching.observed, watch, metric, &spans),
    };
    let value = value.ok_or_else(|| format!("`{name}` has no samples of `{}` there", metric.word()))?;
    let figure = match (metric, statistic) {
        (Metric::Cpu, Statistic::PerRequest) => Figure::exact(value * 1e6, Unit::Us),
        (_, Statistic::PerRequest) => Figure::exact(value, Unit::BytesPerRequest),
        _ => Figure::exact(value, metric.unit()),
    };
    Ok((Figure { at_least: statistic == Statistic::Peak, ..figure }, samples))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock::SECOND,
        judge::{Condition, Selector},
        measure::Observation,
    };

    fn judged(key: &str, text: &str, phase: Option<&str>) -> SloResult {
        let mut observed = Observed::default();
        for second in 0..20u64 {
            let values = vec![
                (Metric::Cpu, 0.5 * second as f64),
                (Metric::Rss, 50e6 + 1e6 * (second % 5) as f64),
                (Metric::Value, second as f64),
            ];
            observed.push(Observation { watch: 0, at: second * SECOND, values });
            observed.load(second * SECOND, 100 * second);
        }
        let quantity = Quantity::watched(key).expect(key);
        let slo = Slo {
            name: "s".into(),
            selector: Selector { monitor: Some("api".into()), phase: phase.map(Into::into), ..Selector::default() },
            conditions: vec![Condition::parse(quantity, text).expect(text)],
            abort: false,
            over: None,
        };
        let spans = [
            PhaseSpan { name: "warm", warmup: true, start: 0, end: 9 * SECOND },
            PhaseSpan { name: "main", warmup: false, start: 10 * SECOND, end: 19 * SECOND },
        ];
        let watching = Watching { observed: &observed, names: &["api".to_owned()], spans: &spans };
        let mut results = super::super::evaluate(&slo, &[], 0.95);
        judge_watched(&[slo], &mut results, &watching);
        results.remove(0)
    }

    #[test]
    fn figures_are_of_the_phases_that_are_asked_for() {
        for (key, text, phase, verdict, actual) in [
            ("cpu", "< 80%", None, Verdict::Pass, "50%"),
            ("cpu", "< 40%", None, Verdict::Fail, "50%"),
            ("cpu_per_request", "< 6ms", None, Verdict::Pass, "5ms"),
            ("rss", "< 60MB", None, Verdict::Pass, "52MB"),
            ("rss_peak", "< 53MB", None, Verdict::Fail, "≥ 54MB"),
            ("peak", "<= 9", Some("warm"), Verdict::Pass, "≥ 9"),
            ("avg", "> 14", None, Verdict::Pass, "14.5"),
            ("last", "== 19", Some("main"), Verdict::Pass, "19"),
        ] {
            let result = judged(key, text, phase);
            let figure = result.figure.map(|figure| figure.text());
            assert_eq!((result.verdict, figure.as_deref()), (verdict, Some(actual)), "{key} {text}: {result:?}");
        }
        let nothing = judged("descriptors", "< 5", None);
        assert_eq!((nothing.verdict, nothing.figure), (Verdict::Fail, None));
    }

    #[test]
    fn only_what_grows_has_a_figure_by_the_request() {
        assert_eq!(Quantity::watched("rss_per_request"), None);
        assert!(Quantity::watched("net_sent_per_request").is_some() && Quantity::watched("p95").is_none());
    }
}
