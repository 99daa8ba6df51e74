//! Traffic does not depend on the number of workers.

use super::*;

/// Every request that reached the server, sorted.
fn traffic(plan: Plan, workers: u64) -> Vec<(Nanos, String)> {
    let log = Log::default();
    run(plan, workers, no_flow, logging(log.clone()));
    let mut log = log.take();
    log.sort();
    log
}

#[test]
fn open_phases_send_the_same_at_the_same_time() {
    for (load, arrivals) in [
        (rate(200), Arrivals::Uniform),
        (rate(200), Arrivals::Poisson),
        (
            Load::Rate(vec![
                (Duration::ZERO, Rate::per_second(10)),
                (Duration::from_secs(3), Rate::per_second(300)),
                (Duration::from_secs(3), Rate::per_second(50)),
            ]),
            Arrivals::Uniform,
        ),
    ] {
        let plan = || {
            let mut plan = plan(load.clone());
            plan.phases[0].duration = Some(Duration::from_secs(5));
            plan.phases[0].arrivals = arrivals;
            plan
        };
        let whole = traffic(plan(), 1);
        assert!(whole.len() > 400);
        assert_eq!(traffic(plan(), 2), whole);
        assert_eq!(traffic(plan(), 4), whole);
    }
}

#[test]
fn shared_iterations_send_the_same_requests() {
    let requests = |workers| {
        let mut counts = BTreeMap::new();
        for (_, line) in traffic(plan(Load::Iterations { count: 501, users: 7 }), workers) {
            *counts.entry(line).or_insert(0) += 1;
        }
        counts
    };
    let whole = requests(1);
    assert_eq!(whole.values().sum::<i32>(), 501);
    for workers in [2, 4, 9] {
        assert_eq!(requests(workers), whole, "{workers} workers");
    }
}

#[test]
fn drawn_values_belong_to_the_iteration() {
    let plan = || {
        let mut plan = plan(rate(100));
        plan.phases[0].duration = Some(Duration::from_secs(2));
        plan.generators = vec![crate::plan::Generator::Uuid, crate::plan::Generator::Seq];
        for template in &mut plan.templates {
            template.path.0.push(crate::plan::Piece::Literal("/".into()));
            template.path.0.push(crate::plan::Piece::Draw(crate::plan::GeneratorId(0), crate::plan::Escape::Path));
            template.query = vec![(
                Text::literal("n"),
                Text(vec![crate::plan::Piece::Draw(crate::plan::GeneratorId(1), crate::plan::Escape::Query)]),
            )];
        }
        plan
    };
    let whole = traffic(plan(), 1);
    assert!(whole[0].1.ends_with("?n=1 HTTP/1.1"), "{}", whole[0].1);
    assert_eq!(traffic(plan(), 2), whole);
    assert_eq!(traffic(plan(), 4), whole);
}

#[test]
fn a_burst_is_released_at_once_by_all() {
    for workers in [1, 2, 4] {
        let log = traffic(plan(Load::Burst { count: 50, every: Duration::from_secs(1), times: 2 }), workers);
        assert_eq!(log.len(), 100);
        assert!(log[..50].iter().all(|&(at, _)| at == log[0].0));
        assert!(log[50..].iter().all(|&(at, _)| at == log[0].0 + SECOND));
    }
}
