//! Latency against what queueing theory says it must be.

use rand_distr::{Distribution, Exp1};

use super::{super::sim::Answer, *};
use crate::{measure::Quantile, pace::Purpose};

/// Within a share of the expected value, in microseconds.
fn near(found: Quantile, expected_us: f64, tolerance: f64) {
    let Quantile::Value(found) = found else { panic!("{found:?} is not a value") };
    assert!((found as f64 / expected_us - 1.0).abs() <= tolerance, "found {found} µs, expected {expected_us} µs");
}

fn stalled(host: Host) -> SimulatedTransport {
    let (from, to) = (10 * SECOND, 12 * SECOND);
    SimulatedTransport::new(host, move |now, _| {
        let wait = if (from..to).contains(&now) { to - now } else { 0 };
        Answer::plain(wait + MILLISECOND, 200)
    })
}

#[test]
fn a_stall_shows_whole_in_the_response_time() {
    // 500/s for 20 s with a stall of 2 s: P(q) = stall − (1 − q)·20 s.
    let mut plan = plan(rate(500));
    plan.phases[0].duration = Some(Duration::from_secs(20));
    let outcome = run(plan, 2, no_flow, stalled);
    assert_eq!(outcome.figures.offered, 10_000);
    near(outcome.response(950_000), 1_001_000.0, 0.01);
    near(outcome.response(990_000), 1_801_000.0, 0.01);
    near(outcome.response(1_000_000), 2_001_000.0, 0.01);
}

#[test]
fn a_cap_with_a_queue_changes_service_time_alone() {
    let mut plan = plan(rate(500));
    plan.phases[0].duration = Some(Duration::from_secs(20));
    plan.phases[0].max_in_flight = 10;
    let outcome = run(plan, 2, no_flow, stalled);
    near(outcome.response(990_000), 1_810_000.0, 0.01);
    let service = outcome.merged().ok.service;
    // Ten requests saw the stall; all others, once sent, were fast.
    assert_eq!(service.quantile(990_000), Some(1_000));
    near(Quantile::Value(outcome.figures.backlog.max_us().unwrap_or(0)), 2_000_000.0, 0.02);
}

#[test]
fn dropped_arrivals_stay_in_the_percentiles() {
    let mut plan = plan(rate(500));
    plan.phases[0].duration = Some(Duration::from_secs(20));
    plan.phases[0].max_in_flight = 10;
    plan.phases[0].overflow = Overflow::Drop;
    let outcome = run(plan, 1, no_flow, stalled);
    // From 10.020 s, when ten are in flight, to 12.000 s: they end a millisecond later.
    assert_eq!(outcome.figures.iterations.dropped, 991);
    assert_eq!(outcome.figures.iterations.ok, 9_009);
    assert!(matches!(outcome.response(950_000), Quantile::AtLeast(_)), "{:?}", outcome.response(950_000));
    near(outcome.response(890_000), 1_000.0, 0.01);
}

#[test]
fn an_overload_is_seen_as_such() {
    // 100/s of 1 s each with 50 places for 20 s: twice the capacity, so the last waits 20 s.
    let mut plan = plan(rate(100));
    plan.phases[0].duration = Some(Duration::from_secs(20));
    plan.phases[0].max_in_flight = 50;
    let outcome = run(plan, 2, no_flow, steady(SECOND));
    near(outcome.response(500_000), 10_500_000.0, 0.02);
    near(outcome.response(1_000_000), 20_500_000.0, 0.05);
    assert_eq!(outcome.merged().ok.service.max_us(), Some(1_000_000));
}

#[test]
fn waits_longer_than_the_timeout_expire() {
    let mut plan = plan(rate(100));
    plan.phases[0].duration = Some(Duration::from_secs(20));
    plan.phases[0].max_in_flight = 50;
    plan.targets[0].timeout = Duration::from_secs(5);
    let outcome = run(plan, 2, no_flow, steady(SECOND));
    let counts = &outcome.figures.iterations;
    assert!(counts.expired > 500, "{counts:?}");
    assert_eq!(counts.ok + counts.expired, 2_000);
    assert!(matches!(outcome.response(990_000), Quantile::AtLeast(5_000_000..)), "{:?}", outcome.response(990_000));
}

/// Response times by Lindley's recursion over the arrivals of the plan.
fn replay(arrivals: &[Nanos], mut service: impl FnMut() -> Nanos) -> Vec<Nanos> {
    let mut free_at = 0;
    arrivals
        .iter()
        .map(|&at| {
            free_at = free_at.max(at) + service();
            free_at - at
        })
        .collect()
}

fn poisson(per_second: u64, seconds: u64) -> (Plan, Vec<Nanos>) {
    let mut plan = plan(rate(per_second));
    plan.phases[0].duration = Some(Duration::from_secs(seconds));
    plan.phases[0].arrivals = Arrivals::Poisson;
    let curve = crate::pace::RateCurve::new(&[(0, Rate::per_second(per_second))], seconds * SECOND);
    let arrivals = crate::pace::ArrivalPlan::Paced(curve, crate::pace::Spacing::Poisson)
        .arrivals(Segment::WHOLE, 42, 0)
        .map(|arrival| arrival.due)
        .collect();
    (plan, arrivals)
}

fn quantile(sorted: &[Nanos], q: f64) -> f64 {
    sorted[((q * sorted.len() as f64).ceil() as usize).max(1) - 1] as f64 / 1e3
}

#[test]
fn m_d_1_agrees_with_its_replay_request_by_request() {
    let (plan, arrivals) = poisson(140, 60);
    let mut truth = replay(&arrivals, || 5 * MILLISECOND);
    truth.sort_unstable();
    let outcome = run(plan, 2, no_flow, |host| SimulatedTransport::single_server(host, || 5 * MILLISECOND));
    assert_eq!(outcome.figures.offered, truth.len() as u64);
    for (ppm, q) in [(500_000, 0.5), (950_000, 0.95), (990_000, 0.99), (1_000_000, 1.0)] {
        near(outcome.response(ppm), quantile(&truth, q), 0.002);
    }
    // And the theory: the mean wait of M/D/1 is ρD/2(1 − ρ) = 5.83 ms at ρ = 0.7.
    let mean = outcome.merged().ok.response.mean().unwrap_or_default() / 1e6;
    assert!((9.9..11.9).contains(&mean), "{mean} ms");
}

#[test]
fn m_m_1_has_an_exponential_response_time() {
    let (plan, _) = poisson(100, 600);
    let mut random = crate::pace::stream(7, Purpose::Frame, 0, 0);
    let outcome = run(plan, 1, no_flow, move |host| {
        SimulatedTransport::single_server(host, move || {
            let draw: f64 = Exp1.sample(&mut random);
            (draw * 5e6) as Nanos
        })
    });
    // μ = 200/s, λ = 100/s: T ~ Exp(100/s), mean 10 ms, p95 29.96 ms.
    let mean = outcome.merged().ok.response.mean().unwrap_or_default() / 1e6;
    assert!((9.5..10.5).contains(&mean), "{mean} ms");
    near(outcome.response(950_000), 29_960.0, 0.06);
}

#[test]
fn closed_users_obey_the_response_time_law() {
    // N = 20 users, think 100 ms, one server of 5 ms: saturated at 200/s, R = N/X − Z.
    let mut plan = plan(Load::Users(vec![(Duration::ZERO, 20)]));
    plan.phases[0].duration = Some(Duration::from_secs(60));
    plan.phases[0].think = Some(crate::plan::Think::Fixed(Duration::from_millis(100)));
    let outcome = run(plan, 2, no_flow, |host| SimulatedTransport::single_server(host, || 5 * MILLISECOND));
    let throughput = outcome.figures.iterations.ok as f64 / 60.0;
    let response = outcome.merged().ok.response.mean().unwrap_or_default() / 1e9;
    assert!((response - (20.0 / throughput - 0.1)).abs() < 0.001, "R = {response}, X = {throughput}");
}
