//! The report in Prometheus' text format, for a push gateway or a file that is scraped.

use std::{collections::BTreeMap, fmt::Write};

use super::{CustomSummary, Latency, PhaseSummary, RowSummary, Summary};
use crate::{
    judge::{Change, Compared, GoalStatus, Validity, Verdict},
    measure::clean_text,
};

/// Percentiles as Prometheus names them.
const QUANTILES: [(&str, &str); 6] =
    [("0.5", "p50"), ("0.75", "p75"), ("0.9", "p90"), ("0.95", "p95"), ("0.99", "p99"), ("0.999", "p99_9")];

/// Renders the figures of a finished run. What the sample cannot carry is left out.
pub(super) fn render(summary: &Summary) -> String {
    let mut page = Page::default();
    let verdict = match summary.verdict {
        Validity::Valid => 0,
        Validity::Suspect => 1,
        Validity::Invalid => 2,
    };
    page.family("loadr_validity", "gauge", "Whether the figures may be trusted: 0 valid, 1 suspect, 2 invalid.");
    page.sample("loadr_validity", &[], &verdict.to_string());
    page.family("loadr_exit_code", "gauge", "What the command ended with.");
    page.sample("loadr_exit_code", &[], &summary.exit_code.to_string());
    if !summary.unverified.is_empty() {
        page.family("loadr_tls_unverified", "gauge", "Targets of which any certificate was believed: always 1.");
        for target in &summary.unverified {
            page.sample("loadr_tls_unverified", &[("target", target)], "1");
        }
    }
    if !summary.tags.is_empty() {
        let labels: BTreeMap<String, &str> =
            summary.tags.iter().map(|(key, value)| (label(key), value.as_str())).collect();
        let labels: Vec<(&str, &str)> = labels.iter().map(|(key, value)| (key.as_str(), *value)).collect();
        page.family("loadr_tags_info", "gauge", "The labels that the run was given.");
        page.sample("loadr_tags_info", &labels, "1");
    }
    if !summary.slos.is_empty() {
        page.family("loadr_slo_passed", "gauge", "Conditions of SLOs: 1 passed, 0 failed, NaN inconclusive.");
        for slo in &summary.slos {
            let value = match slo.verdict {
                Verdict::Pass => "1",
                Verdict::Fail => "0",
                Verdict::Inconclusive | Verdict::NotRun => "NaN",
            };
            page.sample("loadr_slo_passed", &[("slo", &slo.name), ("target", &slo.target)], value);
        }
    }
    aims(&mut page, summary);
    iterations(&mut page, &summary.phases);
    requests(&mut page, &summary.phases);
    grades(&mut page, summary);
    baseline(&mut page, summary);
    caches(&mut page, &summary.phases);
    custom(&mut page, &summary.phases);
    page.text
}

/// A tag's key as the name of a label, which has no dots and dashes.
fn label(key: &str) -> String {
    format!("tag_{}", key.replace(|c: char| !c.is_ascii_alphanumeric(), "_"))
}

fn iterations(page: &mut Page, phases: &[PhaseSummary]) {
    page.family("loadr_iterations", "gauge", "Iterations of a phase by what became of them.");
    for phase in phases {
        for (outcome, count) in [
            ("ok", phase.ok),
            ("error", phase.errors),
            ("timeout", phase.timeouts),
            ("expired", phase.expired),
            ("dropped", phase.dropped),
            ("interrupted", phase.interrupted),
        ] {
            page.sample("loadr_iterations", &[("phase", &phase.name), ("outcome", outcome)], &count.to_string());
        }
    }
    page.family("loadr_rate_per_second", "gauge", "Iterations a second, asked by the plan and achieved.");
    for phase in phases {
        let mut sample = |of: &str, value: f64| {
            page.sample("loadr_rate_per_second", &[("phase", &phase.name), ("of", of)], &value.to_string());
        };
        if let Some(asked) = phase.rate_asked {
            sample("asked", asked);
        }
        sample("achieved", phase.rate_achieved);
    }
}

/// A duration's family: its name, what it is, and where a row has it.
type Duration = (&'static str, &'static str, fn(&RowSummary) -> &Latency);

fn requests(page: &mut Page, phases: &[PhaseSummary]) {
    let rows = || phases.iter().flat_map(|phase| phase.rows().map(move |row| (phase, row)));
    page.family("loadr_requests", "gauge", "Requests and flows by outcome: ok, or a kind of error.");
    for (phase, row) in rows() {
        let outcomes = std::iter::once(("ok", row.ok)).chain(row.errors.iter().map(|(kind, &n)| (kind.as_str(), n)));
        for (outcome, count) in outcomes {
            let mut labels = labels(phase, row);
            labels.push(("outcome", outcome));
            page.sample("loadr_requests", &labels, &count.to_string());
        }
    }
    let durations: [Duration; 3] = [
        ("loadr_response_seconds", "From due by plan to the last byte.", |row| &row.response_us),
        ("loadr_service_seconds", "From the send to the last byte.", |row| &row.service_us),
        ("loadr_ttfb_seconds", "From the send to the first byte.", |row| &row.ttfb_us),
    ];
    for (name, about, latency) in durations {
        page.family(name, "summary", about);
        for (phase, row) in rows() {
            page.durations(name, &labels(phase, row), latency(row));
        }
    }
}

/// The run held against its baseline.
fn baseline(page: &mut Page, summary: &Summary) {
    let Some(comparison) = &summary.baseline else { return };
    page.family("loadr_baseline_figures", "gauge", "Figures held against the baseline, by what came out.");
    let of = |verdict: Change| comparison.figures.iter().filter(|figure| figure.verdict == verdict).count();
    for verdict in [Change::Regression, Change::Improved, Change::Same, Change::Inconclusive] {
        page.sample("loadr_baseline_figures", &[("verdict", verdict.word())], &of(verdict).to_string());
    }
    let labels = |figure: &'_ Compared| {
        let row = (figure.kind.word(), figure.name.clone());
        [
            ("phase", figure.phase.clone()),
            row,
            ("class", figure.class.clone().unwrap_or_default()),
            ("quantity", figure.quantity.clone()),
        ]
    };
    page.family(
        "loadr_baseline_change",
        "gauge",
        "Changes as shares of the baseline, of errors as differences, with the ends of their 95 % intervals.",
    );
    for figure in &comparison.figures {
        for (of, value) in [("value", figure.change), ("low", figure.low), ("high", figure.high)] {
            let Some(value) = value else { continue };
            let owned = labels(figure);
            let mut labels: Vec<(&str, &str)> = owned.iter().map(|(name, value)| (*name, value.as_str())).collect();
            labels.push(("of", of));
            page.sample("loadr_baseline_change", &labels, &value.to_string());
        }
    }
    page.family("loadr_baseline_verdict", "gauge", "What came out for each figure: always 1.");
    for figure in &comparison.figures {
        let owned = labels(figure);
        let mut labels: Vec<(&str, &str)> = owned.iter().map(|(name, value)| (*name, value.as_str())).collect();
        labels.push(("verdict", figure.verdict.word()));
        page.sample("loadr_baseline_verdict", &labels, "1");
    }
}

/// One line for each grade that a row's interval reaches: a single one is settled.
fn grades(page: &mut Page, summary: &Summary) {
    let Some(scale) = &summary.grades else { return };
    page.family("loadr_grades_info", "gauge", "The rule of the grades: always 1.");
    page.sample("loadr_grades_info", &[("by", &scale.by), ("rule", &scale.rule)], "1");
    let rows = || {
        let all = summary.phases.iter().flat_map(|phase| phase.rows().map(move |row| (phase, row)));
        all.filter_map(|(phase, row)| Some((phase, row, row.grade.as_ref()?)))
    };
    page.family(
        "loadr_grade",
        "gauge",
        "Grades that the 95 % interval of a row reaches: 1 each; one alone is settled.",
    );
    for (phase, row, grade) in rows() {
        for word in &grade.among {
            let labels = [&labels(phase, row)[..], &[("grade", word)]].concat();
            page.sample("loadr_grade", &labels, "1");
        }
    }
    page.family("loadr_grade_seconds", "gauge", "What is graded, with the ends of its 95 % interval.");
    for (phase, row, grade) in rows() {
        for (of, us) in [("value", grade.actual), ("low", grade.low), ("high", grade.high)] {
            let Some(us) = us else { continue };
            let labels = [&labels(phase, row)[..], &[("of", of)]].concat();
            page.sample("loadr_grade_seconds", &labels, &seconds(us));
        }
    }
}

/// What the classes of responses say of a cache.
fn caches(page: &mut Page, phases: &[PhaseSummary]) {
    let rows = || {
        let all = phases.iter().flat_map(|phase| phase.rows().map(move |row| (phase, row)));
        all.filter_map(|(phase, row)| Some((phase, row, row.cache.as_ref()?)))
    };
    if rows().next().is_none() {
        return;
    }
    page.family("loadr_cache_hit_ratio", "gauge", "Hits among look-ups, with the ends of the 95 % interval.");
    for (phase, row, cache) in rows() {
        for (of, value) in [("value", cache.hit_ratio), ("low", cache.low), ("high", cache.high)] {
            let Some(value) = value else { continue };
            let mut labels = labels(phase, row);
            labels.push(("of", of));
            page.sample("loadr_cache_hit_ratio", &labels, &value.to_string());
        }
    }
    page.family("loadr_cache_responses", "gauge", "Responses as expected, by what their class says of a cache.");
    for (phase, row, cache) in rows() {
        for (outcome, count) in [
            ("hit", cache.hits),
            ("miss", cache.misses),
            ("revalidated", cache.revalidated),
            ("collapsed", cache.collapsed),
            ("stale", cache.stale),
            ("bypass", cache.bypass),
            ("unknown", cache.unknown),
        ] {
            let mut labels = labels(phase, row);
            labels.push(("outcome", outcome));
            page.sample("loadr_cache_responses", &labels, &count.to_string());
        }
    }
}

/// The script's own metrics. Their names are labels: the format takes not every character in a name.
fn custom(page: &mut Page, phases: &[PhaseSummary]) {
    let all = || phases.iter().flat_map(|phase| phase.custom.iter().map(move |metric| (phase, metric)));
    let is_there = |wanted: fn(&CustomSummary) -> bool| all().any(|(_, metric)| wanted(metric));
    if is_there(|metric| matches!(metric, CustomSummary::Count { .. })) {
        page.family("loadr_custom_count", "gauge", "Sums of the script's counts.");
        for (phase, metric) in all() {
            if let CustomSummary::Count { name, value } = metric {
                page.sample("loadr_custom_count", &[("phase", &phase.name), ("name", name)], &value.to_string());
            }
        }
    }
    if is_there(|metric| matches!(metric, CustomSummary::Gauge { .. })) {
        page.family("loadr_custom_gauge", "gauge", "The script's gauges: their last, lowest and highest value.");
        for (phase, metric) in all() {
            let CustomSummary::Gauge { name, last, min, max } = metric else { continue };
            for (of, value) in [("last", last), ("min", min), ("max", max)] {
                let labels = [("phase", phase.name.as_str()), ("name", name), ("of", of)];
                page.sample("loadr_custom_gauge", &labels, &value.to_string());
            }
        }
    }
    if is_there(|metric| matches!(metric, CustomSummary::Timing { .. })) {
        page.family("loadr_custom_seconds", "summary", "The script's timings.");
        for (phase, metric) in all() {
            if let CustomSummary::Timing { name, us } = metric {
                page.durations("loadr_custom_seconds", &[("phase", &phase.name), ("name", name)], us);
            }
        }
    }
}

/// Goals, what has no verdict, and what the author says.
fn aims(page: &mut Page, summary: &Summary) {
    if !summary.goals.is_empty() {
        page.family("loadr_goal_met", "gauge", "Goals, which decide nothing: 1 met, 0 missed, NaN not known.");
        for goal in &summary.goals {
            let value = match goal.status {
                GoalStatus::Met => "1",
                GoalStatus::Missed => "0",
                GoalStatus::Inconclusive | GoalStatus::Skipped | GoalStatus::NotMeasured => "NaN",
            };
            page.sample("loadr_goal_met", &[("goal", &goal.name), ("target", &goal.target)], value);
        }
    }
    let left = [(&summary.skipped, "skipped"), (&summary.not_run, "not run")];
    if left.iter().any(|(left, _)| !left.is_empty()) {
        page.family("loadr_left_out", "gauge", "What was not done: always 1.");
        for (left, status) in left {
            for it in left {
                page.sample("loadr_left_out", &[("kind", it.kind.word()), ("name", &it.name), ("status", status)], "1");
            }
        }
    }
    if let Some(value) = summary.score.as_ref().and_then(|score| score.value) {
        page.family("loadr_score", "gauge", "The score by the script's rule. Not measured.");
        page.sample("loadr_score", &[], &value.to_string());
    }
    if !summary.facts.is_empty() {
        page.family("loadr_fact_info", "gauge", "Facts of the author. Not measured.");
        for (name, value) in &summary.facts {
            page.sample("loadr_fact_info", &[("name", name), ("value", value)], "1");
        }
    }
}

fn seconds(us: f64) -> String {
    (us / 1e6).to_string()
}

fn labels<'a>(phase: &'a PhaseSummary, row: &'a RowSummary) -> Vec<(&'static str, &'a str)> {
    vec![("phase", &phase.name), (row.kind.word(), &row.name), ("class", row.class.as_deref().unwrap_or(""))]
}

#[derive(Debug, Default)]
struct Page {
    text: String,
}

impl Page {
    fn family(&mut self, name: &str, kind: &str, about: &str) {
        let _ = writeln!(self.text, "# HELP {name} {about}\n# TYPE {name} {kind}");
    }

    /// The samples of a distribution in a family of kind `summary`.
    fn durations(&mut self, name: &str, labels: &[(&str, &str)], latency: &Latency) {
        for (quantile, percentile) in QUANTILES {
            let Some(us) = latency.get(percentile) else { continue };
            let labels = [labels, &[("quantile", quantile)]].concat();
            self.sample(name, &labels, &seconds(us as f64));
        }
        let sum = latency.mean.unwrap_or(0.0) * latency.count as f64;
        self.sample(&format!("{name}_sum"), labels, &seconds(sum));
        self.sample(&format!("{name}_count"), labels, &latency.count.to_string());
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: &str) {
        let set = labels.iter().filter(|(_, value)| !value.is_empty());
        let labels: Vec<String> = set.map(|(name, value)| format!("{name}=\"{}\"", escape(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.text, "{name}{labels} {value}");
    }
}

/// A label's value as the format wants it, on one line.
fn escape(raw: &str) -> String {
    clean_text(raw).replace('\\', "\\\\").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples::{aims, healthy, hostile, regressed};

    #[test]
    fn families_in_one_piece_each() {
        insta::assert_snapshot!("healthy_prometheus", render(&healthy()));
    }

    #[test]
    fn goals_are_known_by_their_status() {
        let page = render(&aims());
        for line in [
            "loadr_goal_met{goal=\"instant reads\",target=\"< 1ms\"} 0",
            "loadr_goal_met{goal=\"more at once\",target=\"15+ users\"} NaN",
            "loadr_left_out{kind=\"SLO\",name=\"bursts fit\",status=\"not run\"} 1",
            "loadr_score 8",
        ] {
            assert!(page.lines().any(|known| known == line), "{line}: {page}");
        }
    }

    #[test]
    fn a_baseline_has_families_of_its_own() {
        let page = render(&regressed());
        for line in [
            "loadr_baseline_verdict{phase=\"sustained\",request=\"item\",quantity=\"p50\",verdict=\"regression\"} 1",
            "loadr_baseline_change{phase=\"sustained\",request=\"item\",quantity=\"p50\",of=\"low\"} 0.",
        ] {
            assert!(page.contains(line), "{line}: {page}");
        }
        assert!(!render(&healthy()).contains("loadr_baseline"));
    }

    #[test]
    fn hostile_text_stays_in_its_label() {
        for line in render(&hostile()).lines().filter(|line| !line.starts_with('#')) {
            let (head, value) = line.rsplit_once(' ').expect("a value");
            assert!(value.parse::<f64>().is_ok(), "{line}");
            assert!(head.starts_with("loadr_"), "{line}");
        }
    }
}
