//! Everything that was offered is counted once, whatever becomes of it.

use super::*;
use crate::plan::Think;

#[test]
fn a_mix_of_500_is_exact() {
    let mut plan = plan(rate(500));
    plan.phases[0].duration = Some(Duration::from_secs(1));
    let outcome = run(plan, 3, no_flow, steady(MILLISECOND));
    assert_eq!(outcome.figures.deals, [250, 150, 100]);
    assert_eq!(outcome.series("GET /b").offered(), 150);
}

#[test]
fn users_share_exactly_the_iterations() {
    for workers in [1, 2, 4] {
        let outcome = run(plan(Load::Iterations { count: 100, users: 3 }), workers, no_flow, steady(MILLISECOND));
        assert_eq!(outcome.figures.iterations.ok, 100);
    }
    let outcome = run(plan(Load::EachUser { each: 4, users: 5 }), 2, no_flow, steady(MILLISECOND));
    assert_eq!(outcome.figures.iterations.ok, 20);
    let outcome = run(plan(Load::Asap { count: 150 }), 2, no_flow, steady(MILLISECOND));
    assert_eq!((outcome.figures.iterations.ok, outcome.took), (150, MILLISECOND));
}

#[test]
fn concurrency_is_what_was_asked() {
    // 100 iterations of 10 ms by 5 users take 200 ms.
    let outcome = run(plan(Load::Iterations { count: 100, users: 5 }), 1, no_flow, steady(10 * MILLISECOND));
    assert_eq!(outcome.took, 200 * MILLISECOND);
}

#[test]
fn users_come_and_go_by_the_curve() {
    let points = vec![(Duration::ZERO, 0), (Duration::from_secs(10), 10), (Duration::from_secs(20), 0)];
    let mut plan = plan(Load::Users(points));
    plan.phases[0].duration = Some(Duration::from_secs(20));
    let outcome = run(plan, 2, no_flow, steady(10 * MILLISECOND));
    // The area under the triangle is 100 user-seconds: 10 000 iterations of 10 ms.
    assert!((9_900..10_150).contains(&outcome.figures.iterations.ok), "{:?}", outcome.figures.iterations);
    assert!(outcome.took >= 20 * SECOND);
    assert_eq!(outcome.users, 10);
}

#[test]
fn think_time_and_pace_shape_a_closed_phase() {
    let closed = |think, pace| {
        let mut plan = plan(Load::Users(vec![(Duration::ZERO, 2)]));
        plan.phases[0].duration = Some(Duration::from_secs(10));
        plan.phases[0].think = think;
        plan.phases[0].pace = pace;
        run(plan, 1, no_flow, steady(100 * MILLISECOND)).figures.iterations.ok
    };
    assert_eq!(closed(None, None), 200);
    assert_eq!(closed(Some(Think::Fixed(Duration::from_millis(400))), None), 40);
    assert_eq!(closed(None, Some(Duration::from_millis(500))), 40);
}

#[test]
fn a_throttle_is_a_ceiling() {
    let mut plan = plan(Load::Users(vec![(Duration::ZERO, 10)]));
    plan.phases[0].duration = Some(Duration::from_secs(10));
    plan.phases[0].throttle = Some(Rate::per_second(50));
    let outcome = run(plan, 2, no_flow, steady(MILLISECOND));
    let done = outcome.figures.iterations.ok;
    assert!((490..=502).contains(&done), "{done}");
    // Those who wait for their turn are there as well.
    assert_eq!(outcome.users, 10);
}

#[test]
fn what_is_under_way_after_the_drain_is_interrupted() {
    let mut plan = plan(rate(10));
    plan.phases[0].duration = Some(Duration::from_secs(1));
    plan.phases[0].drain = Duration::from_secs(1);
    let outcome = run(plan, 2, no_flow, steady(20 * SECOND));
    assert_eq!(outcome.figures.iterations.interrupted, 10);
    assert_eq!(outcome.merged().offered(), 10);
    assert_eq!(outcome.took, 2 * SECOND);
}

#[test]
fn a_flow_counts_its_requests_and_itself() {
    let mut plan = with_flow(plan(rate(10)));
    plan.phases[0].duration = Some(Duration::from_secs(1));
    let steps = |_: &User| vec![get("/one"), Step::Think(200 * MILLISECOND), get("/two")];
    let outcome = run(plan, 2, steps, steady(5 * MILLISECOND));
    assert_eq!(outcome.series("/one").ok_count(), 10);
    assert_eq!(outcome.series("/two").ok.response.max_us(), Some(5_000), "planned when the pause was over");
    assert_eq!(outcome.series("f").ok.response.max_us(), Some(210_000));
}

#[test]
fn a_flow_dropped_in_its_pause_is_interrupted_once() {
    let mut plan = with_flow(plan(rate(10)));
    plan.phases[0].duration = Some(Duration::from_secs(1));
    plan.phases[0].drain = Duration::from_secs(1);
    let steps = |_: &User| vec![get("/one"), Step::Think(60 * SECOND), get("/two")];
    let outcome = run(plan, 1, steps, steady(5 * MILLISECOND));
    assert_eq!(outcome.figures.iterations.interrupted, 10);
    assert_eq!(outcome.series("/one").ok_count(), 10);
    assert_eq!(outcome.series("f").failed(), 10);
}

#[test]
fn a_failed_request_fails_its_flow_and_a_timeout_is_told_apart() {
    let mut plan = with_flow(plan(rate(10)));
    plan.phases[0].duration = Some(Duration::from_secs(1));
    let outcome = run(
        plan,
        1,
        |_| vec![get("/x")],
        |host| {
            let mut turn = 0;
            SimulatedTransport::new(host, move |_, _| {
                turn += 1;
                match turn {
                    1..=3 => super::super::sim::Answer::plain(MILLISECOND, 500),
                    4 => super::super::sim::Answer::plain(60 * SECOND, 200),
                    _ => super::super::sim::Answer::plain(MILLISECOND, 200),
                }
            })
        },
    );
    let counts = &outcome.figures.iterations;
    assert_eq!((counts.failed, counts.timeout, counts.ok), (3, 1, 6));
}

#[test]
fn the_first_stop_drains_and_the_second_does_not() {
    let stopped = |kill: bool| {
        let mut plan = plan(rate(10));
        plan.phases[0].duration = Some(Duration::from_secs(60));
        run_with(plan, 2, no_flow, steady(5 * SECOND), move |host, crew| {
            let clock = host.clone();
            host.spawn(async move {
                clock.sleep_until(2 * SECOND).await;
                crew.iter().for_each(|worker| worker.stop(None));
                if kill {
                    clock.sleep_until(3 * SECOND).await;
                    crew.iter().for_each(|worker| worker.kill());
                }
            });
        })
    };
    let drained = stopped(false);
    assert_eq!((drained.figures.iterations.ok, drained.figures.iterations.interrupted), (20, 0));
    assert!(drained.took < 8 * SECOND);
    let killed = stopped(true);
    assert_eq!((killed.figures.iterations.ok, killed.figures.iterations.interrupted), (0, 20));
    assert_eq!(killed.took, 3 * SECOND);
}

#[test]
fn too_many_in_flight_may_end_the_phase() {
    let mut plan = plan(rate(100));
    plan.phases[0].duration = Some(Duration::from_secs(10));
    plan.phases[0].max_in_flight = 5;
    plan.phases[0].overflow = Overflow::Abort;
    let outcome = run(plan, 1, no_flow, steady(SECOND));
    assert_eq!(outcome.events, [Event::Overflow(PhaseId(0))]);
    assert_eq!((outcome.figures.iterations.ok, outcome.figures.iterations.dropped), (5, 1));
}

#[test]
fn a_user_that_stops_makes_room_for_another() {
    let mut plan = with_flow(plan(rate(10)));
    plan.phases[0].duration = Some(Duration::from_secs(1));
    let seen = Rc::new(RefCell::new(Vec::new()));
    let ids = seen.clone();
    let steps = move |user: &User| {
        ids.borrow_mut().push(user.id);
        vec![Step::Done(End::StopUser)]
    };
    let outcome = run(plan, 1, steps, steady(MILLISECOND));
    assert_eq!(outcome.figures.iterations.ok, 10);
    assert_eq!(*seen.borrow(), (1..=10).collect::<Vec<_>>());
}

#[test]
fn a_script_may_end_the_run() {
    let mut plan = with_flow(plan(rate(1)));
    plan.phases[0].duration = Some(Duration::from_secs(1));
    let outcome = run(plan, 1, |_| vec![Step::Done(End::AbortRun("enough".into()))], steady(1));
    assert_eq!(outcome.events, [Event::Abort("enough".into())]);
}

#[test]
fn phases_say_how_many_iterations_they_took() {
    let mut plan = plan(rate(10));
    plan.phases[0].duration = Some(Duration::from_secs(1));
    let outcome = run(plan, 2, no_flow, steady(1));
    assert_eq!(outcome.ends.iter().map(|end| end.taken).max(), Some(10));
    let names: Vec<Arc<str>> = outcome.figures.series.keys().map(|key| key.name.clone()).collect();
    assert_eq!(names.len(), 3);
}
