use proptest::prelude::*;

use super::*;
use crate::{
    judge::Selector,
    measure::{Kind, SampleResult, synthetic::Synthetic},
    protocol::ErrorKind,
};

/// Twenty quiet seconds of 100 requests `item` each, from 1 to 9 ms.
fn quiet() -> Synthetic {
    let mut run = Synthetic::new();
    for _ in 0..20 {
        run.spread(0, "item", 100, 1, 9);
        run.tick();
    }
    run
}

fn slo(selector: Selector, conditions: &[(&str, &str)]) -> Slo {
    let parse = |(name, text): &(&str, &str)| {
        let quantity = Quantity::parse(name).expect("a quantity").unwrap_or(Quantity::Custom((*name).to_owned()));
        Condition::parse(quantity, text).expect("a condition")
    };
    Slo { name: "row".into(), selector, conditions: conditions.iter().map(parse).collect(), abort: false, over: None }
}

fn judge_with(run: &Synthetic, selector: Selector, conditions: &[(&str, &str)]) -> Vec<SloResult> {
    let view = |index: u16, name: &'static str, warmup: bool| {
        Some(PhaseView {
            name,
            index,
            open: true,
            warmup,
            duration: 20 * SECOND,
            planned: None,
            figures: run.totals.phase(index)?,
            totals: Some(&run.totals),
        })
    };
    let views: Vec<_> = [view(0, "sustained", false), view(1, "warm-up", true)].into_iter().flatten().collect();
    evaluate(&slo(selector, conditions), &views, 0.95)
}

fn judge(run: &Synthetic, name: &str, text: &str) -> SloResult {
    judge_with(run, Selector::default(), &[(name, text)]).remove(0)
}

#[test]
fn clear_cases_are_clear_and_close_ones_are_not() {
    let run = quiet();
    for (name, text, verdict) in [
        ("p95", "< 10ms", Verdict::Pass),
        ("p95", "< 5ms", Verdict::Fail),
        ("p95", "< 8.5ms", Verdict::Inconclusive),
        ("p50", "> 2ms", Verdict::Pass),
        ("service_p95", "< 9ms", Verdict::Pass),
        ("ttfb_p50", "< 5ms", Verdict::Pass),
        ("p99.9", "< 1s", Verdict::Inconclusive),
        ("mean", "< 6ms", Verdict::Pass),
        ("mean", "< 4ms", Verdict::Fail),
        ("max", "< 9ms", Verdict::Pass),
        ("min", ">= 1ms", Verdict::Pass),
        ("errors", "< 1%", Verdict::Pass),
        ("errors", "== 0%", Verdict::Pass),
        ("errors", "<= 0%", Verdict::Pass),
        ("errors", "< 0.1%", Verdict::Inconclusive),
        ("ok", ">= 99%", Verdict::Pass),
        ("ok", "== 100%", Verdict::Pass),
        ("rps", "> 99/s", Verdict::Pass),
        ("rps", "> 101/s", Verdict::Fail),
        ("count", "== 2000", Verdict::Pass),
        ("status:200", "== 2000", Verdict::Pass),
        ("status:500", "== 0", Verdict::Pass),
    ] {
        let result = judge(&run, name, text);
        assert_eq!(result.verdict, verdict, "{name} {text}: {result:?}");
        assert_eq!(result.needed.is_some(), verdict == Verdict::Inconclusive, "{result:?}");
    }
}

#[test]
fn an_inconclusive_result_names_the_samples_it_needs() {
    let result = judge(&quiet(), "p99.9", "< 1s");
    assert_eq!((result.needed, result.samples), (Some(5_000), 2_000));
    assert_eq!(result.figure.map(|figure| figure.value), Some(None), "withheld");
    // Nothing failed, so the interval's upper end falls below 0.1 % at n = 3 688; see the table of sample sizes.
    let result = judge(&quiet(), "errors", "< 0.1%");
    assert!(result.needed.is_some_and(|needed| (3_000..5_000).contains(&needed)), "{result:?}");
}

#[test]
fn few_samples_can_fail_a_percentile_but_not_pass_it() {
    let mut run = Synthetic::new();
    run.spread(0, "item", 40, 100, 200);
    run.tick();
    assert_eq!(judge(&run, "p95", "< 10ms").verdict, Verdict::Fail);
    assert_eq!(judge(&run, "p95", "< 1s").verdict, Verdict::Inconclusive);
}

#[test]
fn what_never_answered_fails_a_latency_target() {
    let mut run = quiet();
    for _ in 0..200 {
        run.request(0, 0, "item", "", SampleResult::Error(ErrorKind::Timeout), 30 * SECOND);
    }
    run.tick();
    let result = judge(&run, "p99", "< 1s");
    assert_eq!(result.verdict, Verdict::Fail);
    let figure = result.figure.expect("samples");
    assert!(figure.at_least && figure.high.is_none(), "{figure:?}");
    assert_eq!(figure.text(), "≥ 30s");
    assert_eq!(judge(&run, "p50", "< 10ms").verdict, Verdict::Pass);
    assert_eq!(judge(&run, "max", "< 60s").verdict, Verdict::Inconclusive);
}

#[test]
fn refused_connections_do_not_make_latency_look_good() {
    let mut run = Synthetic::new();
    for _ in 0..100 {
        run.request(0, 0, "item", "", SampleResult::Error(ErrorKind::ConnectRefused), 100_000);
    }
    run.tick();
    assert_ne!(judge(&run, "p95", "< 10ms").verdict, Verdict::Pass);
    assert_eq!(judge(&run, "errors", "< 1%").verdict, Verdict::Fail);
}

#[test]
fn a_slow_stretch_makes_the_interval_honest() {
    let mut run = Synthetic::new();
    for second in 0..40 {
        if second == 7 {
            run.spread(0, "item", 100, 500, 600)
        } else {
            run.spread(0, "item", 100, 1, 2)
        }
        run.tick();
    }
    // 100 of 4 000 requests are slow: independent samples would put the p97 safely on the fast side.
    let result = judge(&run, "p97", "< 10ms");
    assert_eq!(result.verdict, Verdict::Inconclusive, "{result:?}");
}

#[test]
fn an_slo_that_selects_nothing_fails_with_help() {
    let mut run = quiet();
    run.sample(Kind::Flow, 0, "checkout", "", SampleResult::Ok, 1_000);
    run.tick();
    let named = |request: Option<&str>, flow: Option<&str>, phase: Option<&str>| Selector {
        request: request.map(Into::into),
        flow: flow.map(Into::into),
        phase: phase.map(Into::into),
        ..Selector::default()
    };
    for (selector, message) in [
        (named(Some("itme"), None, None), "no samples of request `itme`; did you mean `item`?"),
        (named(None, Some("chekout"), None), "no samples of flow `chekout`; did you mean `checkout`?"),
        (named(None, None, Some("sustain")), "there is no phase `sustain`; did you mean `sustained`?"),
        (named(Some("checkout"), None, None), "no samples of request `checkout`"),
    ] {
        let result = judge_with(&run, selector, &[("p95", "< 1s")]).remove(0);
        assert_eq!((result.verdict, result.why.as_deref()), (Verdict::Fail, Some(message)));
    }
    assert_eq!(judge(&run, "hit_ratio", "> 1%").verdict, Verdict::Fail);
    assert_eq!(judge(&run, "checks", "> 1%").verdict, Verdict::Fail);
    assert_eq!(judge(&run, "orders", "> 1").verdict, Verdict::Fail);
}

#[test]
fn warm_up_counts_only_where_it_is_named() {
    let mut run = quiet();
    run.spread(1, "item", 500, 1_000, 2_000);
    run.tick();
    assert_eq!(judge(&run, "p95", "< 10ms").verdict, Verdict::Pass);
    let selector = Selector { phase: Some("warm-up".into()), ..Selector::default() };
    assert_eq!(judge_with(&run, selector, &[("p95", "< 10ms")])[0].verdict, Verdict::Fail);
}

#[test]
fn goodput_takes_the_slos_own_objective() {
    let run = quiet();
    // Half of the answers take at most 5 ms.
    let results = judge_with(&run, Selector::default(), &[("p50", "< 5ms"), ("goodput", "> 90%")]);
    let figure = results[1].figure.expect("samples");
    assert!(figure.value.is_some_and(|share| (share - 0.5).abs() < 0.02), "{figure:?}");
    assert_eq!(results[1].verdict, Verdict::Fail);
}

#[test]
fn classes_give_a_hit_ratio_and_rows_of_their_own() {
    let mut run = Synthetic::new();
    for second in 0..10u64 {
        for k in 0..100 {
            let (class, ms) = if k % 5 == 0 { ("miss", 20) } else { ("hit", 2) };
            run.request(0, 0, "item", class, SampleResult::Ok, ms * 1_000_000 + second);
        }
        run.request(0, 0, "item", "unknown", SampleResult::Ok, 1_000_000);
        run.tick();
    }
    let result = judge(&run, "hit_ratio", "> 75%");
    assert_eq!(result.verdict, Verdict::Pass, "{result:?}");
    assert_eq!(result.figure.and_then(|figure| figure.value), Some(0.8));
    let hits = Selector { class: Some("hit".into()), ..Selector::default() };
    assert_eq!(judge_with(&run, hits, &[("p95", "< 5ms")])[0].verdict, Verdict::Pass);
}

#[test]
fn checks_are_shares_of_their_results() {
    let mut run = Synthetic::new();
    for k in 0..1_000 {
        run.recorder.check(0, "has id", k % 10 != 0, None);
        run.recorder.check(0, "fast", true, None);
    }
    run.tick();
    assert_eq!(judge(&run, "check:has id", "> 85%").verdict, Verdict::Pass);
    assert_eq!(judge(&run, "check:has id", "> 95%").verdict, Verdict::Fail);
    assert_eq!(judge(&run, "checks", "== 100%").verdict, Verdict::Fail);
    let typo = judge(&run, "check:has-id", "> 85%");
    assert_eq!(typo.why.as_deref(), Some("no check `has-id` ran; did you mean `has id`?"));
}

#[test]
fn a_window_ends_a_phase_by_its_estimate() {
    let mut run = Synthetic::new();
    run.spread(0, "item", 60, 900, 1_500);
    run.tick();
    let figures = run.totals.window(0, 0, 1);
    let condition = |name: &str, text: &str| {
        Condition::parse(Quantity::parse(name).expect("known").expect("own"), text).expect("valid")
    };
    assert!(holds_now(&condition("p95", "> 1s"), &figures, SECOND));
    assert!(!holds_now(&condition("p95", "> 2s"), &figures, SECOND));
    assert!(holds_now(&condition("rps", "> 50/s"), &figures, SECOND));
    assert!(!holds_now(&condition("p95", "> 1s"), &PhaseFigures::default(), SECOND));
}

proptest! {
    #[test]
    fn no_condition_passes_and_fails_at_once(ms in 1u64..40, per_mille in 1u64..999) {
        let run = quiet();
        for (name, value) in [("p95", format!("{ms}ms")), ("mean", format!("{ms}ms")), ("ok", format!("{per_mille}%"))] {
            let value = if name == "ok" { format!("{}.{}%", per_mille / 10, per_mille % 10) } else { value };
            let below = judge(&run, name, &format!("< {value}")).verdict;
            let above = judge(&run, name, &format!(">= {value}")).verdict;
            prop_assert!(matches!(
                (below, above),
                (Verdict::Pass, Verdict::Fail) | (Verdict::Fail, Verdict::Pass)
                    | (Verdict::Inconclusive, Verdict::Inconclusive)
            ), "{} {}: {:?} {:?}", name, value, below, above);
        }
    }
}
