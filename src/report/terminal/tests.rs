use std::time::Duration;

use proptest::prelude::*;
use unicode_width::UnicodeWidthStr;

use super::*;
use crate::{
    clock::MILLISECOND,
    measure::synthetic::Synthetic,
    plan::Load,
    report::{
        samples::{aims, classes, down, experiment, healthy, hostile, regressed, troubled},
        summary::tests::{phase, plan, slo, summary, sustained},
    },
};

/// A snapshot, after checking that no line is wider than asked and none ends in spaces.
fn shown(summary: &Summary, width: usize) -> String {
    let text = render(summary, width, false);
    assert_fits(&text, width);
    text
}

/// No line is wider, but for arguments of curl.
#[track_caller]
fn assert_fits(text: &str, width: usize) {
    let mut is_shell = false;
    for line in text.lines() {
        assert_eq!(line, line.trim_end());
        is_shell = is_shell || ["curl ", "printf "].iter().any(|start| line.trim_start().starts_with(start));
        if !is_shell {
            assert!(line.width() <= width, "{} columns: {line}", line.width());
        }
        is_shell &= line.ends_with(" \\");
    }
}

#[test]
fn a_healthy_run() {
    insta::assert_snapshot!("healthy_80", shown(&healthy(), 80));
    insta::assert_snapshot!("healthy_120", shown(&healthy(), 120));
    insta::assert_snapshot!("healthy_80_colour", render(&healthy(), 80, true).replace('\x1b', "^["));
}

#[test]
fn a_cache_experiment() {
    insta::assert_snapshot!("experiment_80", shown(&experiment(), 80));
}

#[test]
fn a_failing_slo_and_an_inconclusive_one() {
    insta::assert_snapshot!("failing_80", shown(&troubled(), 80));
}

#[test]
fn a_run_that_is_slower_than_its_baseline() {
    insta::assert_snapshot!("regressed_100", shown(&regressed(), 100));
}

#[test]
fn a_history_with_a_change() {
    let text = history(&crate::report::samples::history(), 100, false);
    assert!(text.lines().all(|line| line.width() <= 100), "{text}");
    insta::assert_snapshot!("history_100", text);
}

#[test]
fn an_invalid_run() {
    let mut run = Synthetic::new();
    for _ in 0..20 {
        run.spread(0, "item", 100, 1, 9);
        run.recorder.lateness(0, 12 * MILLISECOND);
        run.recorder.lateness(0, 14 * MILLISECOND);
        run.tick();
    }
    let plan = plan(&["item"], vec![sustained(150)], vec![slo("fast", None, &[("p95", "< 10ms")])]);
    insta::assert_snapshot!("invalid_80", shown(&summary(&run, &plan, &[Some(3_000)]), 80));
}

#[test]
fn everything_down() {
    insta::assert_snapshot!("everything_down_80", shown(&down(), 80));
}

#[test]
fn a_burst_with_few_samples() {
    let mut run = Synthetic::new();
    run.spread(0, "item", 50, 20, 130);
    run.tick();
    let load = Load::Burst { count: 50, every: Duration::ZERO, times: 1 };
    let plan = plan(&["item"], vec![phase("burst", load)], vec![slo("fast", None, &[("p99", "< 1s")])]);
    insta::assert_snapshot!("burst_80", shown(&summary(&run, &plan, &[Some(50)]), 80));
}

#[test]
fn classes_flows_and_metrics_of_the_script() {
    insta::assert_snapshot!("classes_80", shown(&classes(), 80));
}

#[test]
fn hostile_text_does_nothing() {
    let text = shown(&hostile(), 80);
    assert!(!text.contains(|c: char| c.is_control() && c != '\n'));
    assert!(!text.contains('\u{202e}'));
    insta::assert_snapshot!("hostile_80", text);
}

#[test]
fn an_empty_run_is_a_report_too() {
    let plan = plan(&["item"], Vec::new(), Vec::new());
    insta::assert_snapshot!("empty_80", shown(&summary(&Synthetic::new(), &plan, &[]), 80));
}

/// The text without its colours.
fn without_colour(text: &str) -> String {
    let mut parts = text.split("\x1b[");
    let mut plain = parts.next().unwrap_or("").to_owned();
    parts.for_each(|part| plain.push_str(part.split_once('m').map_or("", |(_, rest)| rest)));
    plain
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn at_any_width_lines_fit_and_colours_change_nothing(width in 20usize..200) {
        for summary in [healthy(), hostile()] {
            let plain = shown(&summary, width);
            prop_assert_eq!(without_colour(&render(&summary, width, true)), plain);
        }
    }
}

#[test]
fn goals_and_what_was_left_out() {
    let text = shown(&aims(), 100);
    insta::assert_snapshot!("aims_100", &text[..text.find("\nsustained  open").expect("phases")]);
    (20..60).for_each(|width| drop(shown(&aims(), width)));
}
