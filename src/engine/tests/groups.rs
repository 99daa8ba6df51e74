//! Groups of steps as rows, and batches.

use super::*;
use crate::engine::sim::Answer;

fn enter(name: &str) -> Step {
    Step::Enter(name.into())
}

const LEAVE: Step = Step::Leave { failed: false };

/// One flow a second, for `seconds`.
fn one_flow_a_second(seconds: u64) -> Plan {
    let mut plan = with_flow(plan(rate(1)));
    plan.phases[0].duration = Some(Duration::from_secs(seconds));
    plan
}

fn paths() -> impl FnOnce(Host) -> SimulatedTransport {
    |host| {
        SimulatedTransport::new(host, |_, wire| match std::str::from_utf8(wire).unwrap_or_default().split(' ').nth(1) {
            Some("/bad") => Answer::plain(5 * MILLISECOND, 500),
            Some("/late") => Answer::plain(60 * SECOND, 200),
            Some("/slow") => Answer::plain(100 * MILLISECOND, 200),
            _ => Answer::plain(5 * MILLISECOND, 200),
        })
    }
}

#[test]
fn a_group_lasts_from_its_first_step_to_its_last() {
    let steps = |_: &User| {
        vec![
            get("/before"),
            enter("cart"),
            get("/a"),
            Step::Think(200 * MILLISECOND),
            enter("pay"),
            get("/b"),
            LEAVE,
            LEAVE,
            get("/after"),
        ]
    };
    let outcome = run(one_flow_a_second(3), 1, steps, paths());
    let row = |name: &str| {
        let ok = &outcome.series(name).ok;
        (ok.response.count(), ok.response.max_us(), ok.service.max_us())
    };
    // Without the pause, a transaction's service time is that of its requests.
    assert_eq!(row("cart"), (3, Some(210_000), Some(10_000)));
    assert_eq!(row("cart/pay"), (3, Some(5_000), Some(5_000)));
    assert_eq!(row("f"), (3, Some(220_000), Some(20_000)));
    let kinds: Vec<_> = outcome.figures.series.keys().map(|key| (key.kind, &*key.name)).collect();
    assert!(kinds.contains(&(Kind::Group, "cart/pay")), "{kinds:?}");
}

#[test]
fn a_group_fails_with_its_requests_and_so_do_those_around_it() {
    let steps = |_: &User| {
        vec![
            enter("outer"),
            enter("good"),
            get("/good"),
            LEAVE,
            enter("bad"),
            get("/bad"),
            LEAVE,
            LEAVE,
            enter("late"),
            get("/late"),
            LEAVE,
            enter("thrown"),
            Step::Leave { failed: true },
        ]
    };
    let outcome = run(one_flow_a_second(1), 1, steps, paths());
    let of = |name: &str| {
        let series = outcome.series(name);
        let kinds: Vec<&str> = series.failures.keys().map(|kind| kind.word()).collect();
        (series.ok_count(), kinds)
    };
    assert_eq!(of("outer"), (0, vec!["failed"]));
    assert_eq!(of("outer/good"), (1, vec![]));
    assert_eq!(of("outer/bad"), (0, vec!["failed"]));
    assert_eq!(of("late"), (0, vec!["timeout"]));
    assert_eq!(of("thrown"), (0, vec!["failed"]));
}

#[test]
fn groups_that_are_open_when_their_flow_is_dropped_are_interrupted() {
    let mut plan = one_flow_a_second(2);
    plan.phases[0].drain = Duration::from_secs(1);
    let steps = |_: &User| vec![enter("a"), get("/x"), enter("b"), Step::Think(60 * SECOND), LEAVE, LEAVE];
    let outcome = run(plan, 1, steps, paths());
    for name in ["a", "a/b", "f"] {
        let series = outcome.series(name);
        let kinds: Vec<_> = series.failures.keys().map(|kind| kind.word()).collect();
        assert_eq!((series.offered(), kinds), (2, vec!["interrupted"]), "{name}");
    }
    assert_eq!(outcome.series("/x").ok_count(), 2);
}

#[test]
fn a_script_that_ends_within_a_group_ends_the_group() {
    let steps = |_: &User| vec![enter("a"), get("/x"), Step::Done(End::Failed("sold out".into()))];
    let outcome = run(one_flow_a_second(1), 1, steps, paths());
    assert_eq!(outcome.series("a").failed(), 1);
}

fn batch(paths: &[&str], at_once: usize) -> Step {
    let requests = paths
        .iter()
        .map(|path| match get(path) {
            Step::Send(request) => *request,
            other => panic!("{other:?}"),
        })
        .collect();
    Step::Batch { requests, at_once }
}

#[test]
fn a_batch_is_sent_at_once_and_one_that_fails_leaves_the_others_alone() {
    let log = Log::default();
    let seen = log.clone();
    let server = move |host: Host| {
        SimulatedTransport::new(host, move |now, wire| {
            let line = String::from_utf8_lossy(wire).lines().next().unwrap_or_default().to_owned();
            let status = if line.contains("/bad") { 500 } else { 200 };
            seen.borrow_mut().push((now, line));
            Answer::plain(10 * MILLISECOND, status)
        })
    };
    let steps = |_: &User| vec![batch(&["/a", "/bad", "/c", "/d", "/e"], 3)];
    let outcome = run(one_flow_a_second(1), 1, steps, server);
    let times: Vec<Nanos> = log.borrow().iter().map(|(at, _)| at / MILLISECOND).collect();
    assert_eq!(times, [0, 0, 0, 10, 10], "three at once, then the other two");
    // All were planned for the same moment: those that waited for a place say so.
    assert_eq!(outcome.figures.series.values().map(|series| series.offered()).sum::<u64>(), 6);
    assert_eq!(outcome.series("f").failed(), 1);
    assert_eq!(outcome.merged().failed(), 2);
    assert_eq!(outcome.merged().ok.response.max_us(), Some(20_000));
    assert_eq!(outcome.merged().ok.service.max_us(), Some(10_000));
}

#[test]
fn a_slow_request_of_a_batch_does_not_hold_the_places_of_the_others() {
    let steps = |_: &User| vec![batch(&["/slow", "/a", "/b", "/c", "/d", "/e", "/f", "/g"], 2)];
    let outcome = run(one_flow_a_second(1), 1, steps, paths());
    assert_eq!(outcome.series("f").ok.response.max_us(), Some(100_000));
}
