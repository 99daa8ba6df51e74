//! Known servers against known arithmetic: what is reported must be what happened.

use std::time::Duration;

use loadr::{clock::MILLISECOND, lab::Entry};

use crate::harness::{Checks, Program, TestLab, settle};

/// The value at rank ⌈q·n⌉, q in percent.
fn quantile(sorted: &[f64], percent: usize) -> f64 {
    sorted[(sorted.len() * percent).div_ceil(100) - 1]
}

fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values
}

fn ms(nanos: u64) -> f64 {
    nanos as f64 / MILLISECOND as f64
}

/// A stall of 2 s in 20 s at a constant rate. Who arrives t seconds before its end waits for t, so that a share
/// of 2/20 waits for 0 to 2 s: the quantile q of the response is 2 s − (1 − q)·20 s. The same stall is seen
/// without a cap and with one, at which arrivals wait in loadr and not in the server.
#[test]
fn a_stall_is_seen_by_all_who_were_due() {
    let script = r#"
        let shop = target(env("TARGET"));
        let stalled = get("/lab/stall?at_s=10&for_ms=2000").name("stalled");
        phase("parallel").run(stalled).rate(500.per_second).during(20.s);
        phase("capped").run(stalled).rate(500.per_second).during(20.s).max_in_flight(10).alongside("parallel");
    "#;
    settle(|checks| {
        let lab = TestLab::start();
        let ended = Program::run_against(script, &lab.url()).arg("--seed=1").alone().run();
        for (name, slack) in [("parallel", 25.0), ("capped", 100.0)] {
            let phase = ended.figures().phase(name);
            let row = phase.row("stalled");
            assert_eq!(
                (phase.count("offered"), phase.count("ok"), row.count("ok")),
                (10_000, 10_000, 10_000),
                "{ended}"
            );
            for (figure, expected) in [("p95", 1_000.0), ("p99", 1_800.0), ("max", 2_000.0)] {
                // After a stall a cap makes those behind wait until those before them have been served.
                let actual = row.ms("response_us", figure);
                checks.between(&format!("{name} {figure}"), actual, expected * 0.98 - 5.0, expected * 1.02 + slack);
            }
            // The median arrives while the server answers at once.
            checks.between(&format!("{name} p50"), row.ms("response_us", "p50"), 0.0, 5.0);
            checks.between(&format!("{name} mean"), row.ms("response_us", "mean"), 98.0, 102.0 + slack);
        }
        let service = |name: &str, figure| ended.figures().phase(name).row("stalled").ms("service_us", figure);
        checks.near("service p99 without a cap", service("parallel", "p99"), 1_800.0, 50.0);
        // Ten requests were in flight, all others waited here: their backlog is not the server's time.
        checks.between("service p99 with a cap", service("capped", "p99"), 0.0, 25.0);
        checks.near("service max with a cap", service("capped", "max"), 2_000.0, 50.0);
        let backlog = &ended.figures().phase("capped").0["backlog_us"];
        checks.between("backlog", backlog["max"].as_f64().unwrap_or(0.0) / 1_000.0, 1_900.0, 2_100.0);
        ended
    });
}

/// M/D/1: the response is compared with Lindley's recursion over the arrivals that the server itself stamped.
#[test]
fn a_queue_agrees_with_its_replay() {
    let script = r#"
        let shop = target(env("TARGET"));
        phase("queue").run(get("/lab/queue?ms=5").name("queue")).rate(140.per_second).arrivals("poisson").during(20.s);
    "#;
    settle(|checks| {
        let lab = TestLab::start();
        let ended = Program::run_against(script, &lab.url()).arg("--seed=3").alone().run();
        let arrivals: Vec<Entry> = lab.arrivals();
        let mut free_at = 0;
        let stays = arrivals.iter().map(|entry| {
            free_at = entry.arrival_ns.max(free_at) + 5 * MILLISECOND;
            ms(free_at - entry.arrival_ns)
        });
        let stays = sorted(stays.collect());
        let phase = ended.figures().phase("queue");
        let row = phase.row("queue");
        assert_eq!((row.count("ok"), phase.count("planned")), (stays.len() as u64, stays.len() as u64), "{ended}");
        // Poisson: 2,800 ± 5 standard deviations.
        checks.near("arrivals", stays.len() as f64, 2_800.0, 265.0);
        for (figure, percent) in [("p50", 50), ("p95", 95)] {
            let expected = quantile(&stays, percent);
            checks.near(&format!("service {figure}"), row.ms("service_us", figure), expected, 1.0);
            checks.between(
                &format!("response {figure}"),
                row.ms("response_us", figure),
                expected - 0.1,
                expected + 1.5,
            );
        }
        // Nobody is served before his service is over.
        checks.between("min", row.ms("service_us", "min"), 5.0, 7.0);
        ended
    });
}

/// Rate times time, to the request; and spread over that time as planned.
#[test]
fn open_phases_send_exactly_what_is_due() {
    for (rate, seconds) in [(50, 4), (200, 4), (1_000, 4), (5_000, 3)] {
        let script = format!(
            "let shop = target(env(\"TARGET\"));\n\
             phase(\"open\").run(get(\"/health\")).rate({rate}.per_second).during({seconds}.s);"
        );
        settle(|checks| {
            let lab = TestLab::start();
            let ended = Program::run_against(&script, &lab.url()).alone().run();
            let expected = rate * seconds;
            let phase = ended.figures().phase("open");
            let counts = ["planned", "offered", "ok"].map(|field| phase.count(field));
            assert_eq!(counts, [expected; 3], "{ended}");
            assert_eq!(lab.seen() as u64, expected);
            let arrivals = lab.arrivals();
            let span = ms(arrivals[arrivals.len() - 1].arrival_ns - arrivals[0].arrival_ns);
            // The last is due one gap before the end.
            let due = seconds as f64 * 1_000.0 - 1_000.0 / rate as f64;
            checks.near(&format!("the span at {rate}/s"), span, due, 20.0);
            let half = arrivals
                .partition_point(|entry| entry.arrival_ns - arrivals[0].arrival_ns < seconds * 500 * MILLISECOND);
            checks.near(
                &format!("half-time at {rate}/s"),
                half as f64,
                expected as f64 / 2.0,
                1.0 + rate as f64 * 0.02,
            );
            ended
        });
    }
}

/// A server that takes 1, 2, … 1000 ms, each once: every quantile is known exactly.
#[test]
fn quantiles_are_those_of_the_service_times() {
    let script = r#"
        let shop = target(env("TARGET"));
        phase("permuted").run(get("/lab/permuted?n=1000").name("permuted")).rate(250.per_second).during(4.s);
    "#;
    settle(|checks| {
        let lab = TestLab::start();
        let ended = Program::run_against(script, &lab.url()).alone().run();
        let row = ended.figures().phase("permuted").row("permuted");
        assert_eq!(row.count("ok"), 1_000, "{ended}");
        for (figure, expected) in
            [("p50", 500.0), ("p75", 750.0), ("p90", 900.0), ("p95", 950.0), ("p99", 990.0), ("max", 1_000.0)]
        {
            for of in ["service_us", "response_us"] {
                // Three significant digits, and never sooner than the server.
                let actual = row.ms(of, figure);
                checks.between(&format!("{of} {figure}"), actual, expected * 0.999, expected * 1.001 + 2.0);
            }
        }
        checks.near("mean", row.ms("service_us", "mean"), 500.5, 1.5);
        checks.between("min", row.ms("service_us", "min"), 1.0, 3.0);
        ended
    });
}

/// M/D/10/10 with 7 Erlang offered: Erlang's B says that 7.87 % find all servers busy.
#[test]
fn a_loss_system_loses_erlangs_share() {
    let script = r#"
        let shop = target(env("TARGET"));
        phase("loss").run(get("/lab/slots?k=10&ms=20").name("slots")).rate(350.per_second).arrivals("poisson").during(15.s);
    "#;
    settle(|checks| {
        let lab = TestLab::start();
        let ended = Program::run_against(script, &lab.url()).arg("--seed=5").alone().run();
        let row = ended.figures().phase("loss").row("slots");
        let arrivals = lab.arrivals();
        let lost = arrivals.iter().filter(|entry| entry.status == 503).count() as u64;
        let counts = [row.status(503), row.status(200), row.count("ok"), row.count("offered")];
        let all = arrivals.len() as u64;
        assert_eq!(counts, [lost, all - lost, all - lost, all], "{ended}");
        // The band in which 99 % of such runs end.
        checks.between("share lost", lost as f64 / all as f64, 0.063, 0.094);
        ended
    });
}

/// Constant overload: what waits too long is counted, and the percentiles know of it.
#[test]
fn overload_is_counted_and_never_vanishes() {
    let script = |overflow: &str| {
        format!(
            "let shop = target(env(\"TARGET\"));\n\
             phase(\"over\").run(get(\"/lab/fixed?ms=200\").name(\"slow\")).rate(100.per_second).during(4.s)\n\
                 .max_in_flight(10).overflow(\"{overflow}\");"
        )
    };
    // Ten places of 200 ms take 50/s of 100/s.
    let lab = TestLab::start();
    let dropping = Program::run_against(&script("drop"), &lab.url()).alone().run();
    let phase = dropping.figures().phase("over");
    assert_eq!((phase.count("offered"), phase.count("ok") + phase.count("dropped")), (400, 400), "{dropping}");
    assert_eq!(lab.seen() as u64, phase.count("ok"));
    let mut checks = Checks::default();
    checks.near("dropped", phase.count("dropped") as f64, 200.0, 30.0);
    // Half of the offered have no time at all: the p95 is a lower bound.
    let at_least = phase.row("slow").0["response_us"]["at_least"].as_array().cloned().unwrap_or_default();
    checks.holds(at_least.iter().any(|name| name == "p95"), || format!("p95 is no lower bound: {at_least:?}"));
    checks.assert(&dropping);

    let lab = TestLab::start();
    let queueing = Program::run_against(&script("queue"), &lab.url()).alone().limit(Duration::from_secs(30)).run();
    let phase = queueing.figures().phase("over");
    assert_eq!((phase.count("offered"), phase.count("ok"), lab.seen()), (400, 400, 400), "{queueing}");
    let row = phase.row("slow");
    let mut checks = Checks::default();
    // The last of 400 leaves after 8 s, 4 s after it was due.
    checks.between("response max", row.ms("response_us", "max"), 3_900.0, 4_700.0);
    checks.between("service p95", row.ms("service_us", "p95"), 200.0, 240.0);
    checks.assert(&queueing);
}
