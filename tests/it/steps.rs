//! Steps of a flow that belong together, in the report and in what the server saw.

use std::collections::BTreeSet;

use crate::harness::{Ended, Program, TestLab};

fn run(rest: &str) -> (TestLab, Ended) {
    let lab = TestLab::start();
    let ended = Program::run_against(&format!("let shop = target(env(\"TARGET\"));\n{rest}"), &lab.url()).run();
    (lab, ended)
}

#[test]
fn groups_are_rows_that_slos_can_judge() {
    let (_lab, ended) = run(r#"
        let shopping = flow("shopping", |vu| {
            vu.group("checkout", |vu| {
                vu.get("/lab/fixed?ms=10");
                vu.think(50.ms);
                vu.group("pay", |vu| vu.get("/health").expect(200));
            });
            vu.group("broken", |vu| vu.get("/lab/status/503"));
        });
        phase("main").run(shopping).users(2).iterations(20);
        slo("paying is quick", #{ group: "checkout/pay", p50: "< 5s", errors: "== 0" });
        slo("nothing breaks", #{ group: "broken", errors: "< 50%" });
        slo("nobody has that", #{ group: "check", errors: "< 50%" });
    "#);
    ended.expect(99);
    ended.figures().assert_consistent();
    let phase = ended.figures().phase("main");
    let group = |name: &str| phase.group(name);
    assert_eq!(
        ["checkout", "checkout/pay"].map(|name| (group(name).count("offered"), group(name).count("ok"))),
        [(20, 20), (20, 20)]
    );
    assert_eq!((group("broken").count("offered"), group("broken").count("ok")), (20, 0));
    // All of it, and without the pause.
    assert!(group("checkout").ms("response_us", "min") >= 60.0, "{ended}");
    assert!(group("checkout").ms("service_us", "min") >= 10.0, "{ended}");
    let paused = group("checkout").ms("response_us", "min") - group("checkout").ms("service_us", "min");
    assert!(paused >= 49.0, "{ended}");
    let verdict = |name: &str| ended.figures().slo(name)["verdict"].clone();
    assert_eq!(["paying is quick", "nothing breaks", "nobody has that"].map(verdict), ["pass", "fail", "fail"]);
    assert!(ended.stdout.contains("group checkout/pay") && ended.stdout.contains("flow shopping"), "{ended}");
    assert!(ended.stdout.contains("no samples of group `check`; did you mean"), "{ended}");
}

#[test]
fn a_group_that_is_cut_off_is_interrupted() {
    let (_lab, ended) = run(r#"
        phase("main").run(flow("f", |vu| {
            vu.group("outer", |vu| { vu.get("/health"); vu.group("inner", |vu| vu.think(1.h)); });
        })).users(3).during(300.ms).drain(100.ms);
    "#);
    let phase = ended.figures().phase("main");
    for row in [phase.group("outer"), phase.group("outer/inner"), phase.flow("f")] {
        assert_eq!(row.errors(), [("interrupted", 3)], "{ended}");
    }
    assert_eq!(phase.row("GET /health").count("ok"), 3);
}

#[test]
fn a_batch_is_at_the_server_at_once() {
    let (lab, ended) = run(r#"
        phase("main").run(flow("f", |vu| {
            let parts = [];
            for n in 0..6 { parts.push(get(`/lab/fixed?ms=400&n=${n}`).name("part")); }
            let page = vu.batch(parts);
            check("in order", page.len() == 6 && page.all(|res| res.ok));
            let slow = vu.batch(["/lab/fixed?ms=100&few=1", "/lab/status/503?few=2", "/lab/fixed?ms=100&few=3"], 1);
            check("the others came", slow[0].ok && !slow[1].ok && slow[2].ok);
        })).users(1).iterations(1);
    "#);
    let phase = ended.figures().phase("main");
    assert_eq!(["in order", "the others came"].map(|name| phase.check(name)["failed"].clone()), [0, 0], "{ended}");
    let arrivals = lab.arrivals();
    let (six, few): (Vec<_>, Vec<_>) = arrivals.iter().partition(|entry| entry.path.contains("&n="));
    assert_eq!((six.len(), few.len()), (6, 3));
    let first_answer = six.iter().map(|entry| entry.arrival_ns + entry.service_ns).min().expect("six");
    assert!(six.iter().all(|entry| entry.arrival_ns < first_answer), "all six arrive before one is answered: {six:?}");
    assert_eq!(six.iter().map(|entry| entry.connection).collect::<BTreeSet<_>>().len(), 6);
    for pair in few.windows(2) {
        assert!(pair[0].arrival_ns + pair[0].service_ns <= pair[1].arrival_ns, "one after the other: {few:?}");
    }
    assert_eq!(few.iter().map(|entry| entry.connection).collect::<BTreeSet<_>>().len(), 1);
}
