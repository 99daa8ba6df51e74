use super::*;
use crate::measure::synthetic::Synthetic;

fn slo(name: &str, text: &str, abort: bool, over: Option<u64>) -> Slo {
    let quantity = Quantity::parse(name).expect("a quantity").expect("one of our own");
    Slo {
        name: "row".into(),
        selector: crate::judge::Selector::default(),
        conditions: vec![Condition::parse(quantity, text).expect("a condition")],
        abort,
        over,
    }
}

fn with_views<R>(run: &Synthetic, judge: impl FnOnce(&[PhaseView<'_>]) -> R) -> R {
    let views: Vec<_> = run.totals.phase(0).map_or_else(Vec::new, |figures| {
        vec![PhaseView {
            name: "sustained",
            index: 0,
            open: true,
            warmup: false,
            duration: 60 * SECOND,
            planned: None,
            figures,
            totals: Some(&run.totals),
        }]
    });
    judge(&views)
}

/// Runs `seconds`, slow from second `slow` to `slow + 10`, and says when the watch first found a failure.
fn first_failure(slo: &Slo, seconds: u64, slow: u64) -> (Option<u64>, Vec<SloResult>) {
    let (mut run, mut watch, mut found) = (Synthetic::new(), Watch::new(std::slice::from_ref(slo)), None);
    for second in 0..seconds {
        let (from, to) = if (slow..slow + 10).contains(&second) { (400, 500) } else { (1, 2) };
        run.spread(0, "item", 200, from, to);
        run.tick();
        let failed = with_views(&run, |views| watch.tick(views, second));
        if !failed.is_empty() {
            found = found.or(Some(second));
        }
    }
    (found, with_views(&run, |views| watch.finish(views, 0.95)))
}

#[test]
fn a_window_sees_what_the_whole_does_not() {
    let slo = slo("p50", "< 10ms", false, Some(5 * SECOND));
    let (_, results) = first_failure(&slo, 60, 30);
    assert_eq!(results[0].verdict, Verdict::Fail);
    assert!(results[0].why.as_deref().is_some_and(|why| why.starts_with("worst window: second 2")), "{results:?}");
    let whole = Slo { over: None, ..slo };
    assert_eq!(first_failure(&whole, 60, 30).1[0].verdict, Verdict::Pass);
}

#[test]
fn a_run_ends_when_a_failure_is_certain_and_not_before() {
    assert_eq!(first_failure(&slo("p50", "< 10ms", true, None), 20, 100).0, None);
    // Slow from the start: certain as soon as there are blocks enough to know how much seconds differ.
    assert!(first_failure(&slo("p50", "< 10ms", true, None), 20, 0).0.is_some());
    assert_eq!(first_failure(&slo("p50", "< 10ms", false, None), 20, 0).0, None, "it was not asked to");
    assert_eq!(first_failure(&slo("max", "< 10ms", true, None), 20, 12).0, Some(12));
    let window = first_failure(&slo("p95", "< 10ms", true, Some(4 * SECOND)), 40, 20).0;
    assert!(window.is_some_and(|second| (20..24).contains(&second)), "{window:?}");
}

#[test]
fn a_count_that_may_still_grow_ends_nothing() {
    for (name, text) in [("count", ">= 100000"), ("rps", "> 10000/s"), ("max", "> 10s")] {
        assert_eq!(first_failure(&slo(name, text, true, None), 10, 100).0, None, "{name}");
    }
    assert!(first_failure(&slo("count", "< 500", true, None), 10, 100).0.is_some());
}

#[test]
fn a_run_shorter_than_the_window_is_judged_whole() {
    let (_, results) = first_failure(&slo("p50", "< 10ms", false, Some(60 * SECOND)), 5, 100);
    assert_eq!((results[0].verdict, &results[0].why), (Verdict::Pass, &None));
}
