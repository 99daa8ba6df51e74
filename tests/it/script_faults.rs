//! Scripts that fail at run time: counted by their place, and never anybody else's problem.

use std::time::Duration;

use crate::harness::{Ended, Program, TestLab};

fn run(script: &str) -> (TestLab, Ended) {
    let lab = TestLab::start();
    let script = format!("let shop = target(env(\"TARGET\"));\n{script}");
    let ended = Program::run_against(&script, &lab.url()).run();
    (lab, ended)
}

fn seen(lab: &TestLab, path: &str) -> usize {
    lab.arrivals().iter().filter(|entry| &*entry.path == path).count()
}

#[test]
fn errors_are_grouped_by_place_and_others_go_on() {
    let (lab, ended) = run(r#"
        let traffic = mix([
            [2, get("/health")],
            [1, flow("throws", |vu| { vu.get("/lab/echo?before"); throw `no stock of ${vu.iteration}`; })],
            [1, flow("no method", |vu| { let x = 1; x.users(1); })],
        ]);
        phase("main").run(traffic).users(4).iterations(80);
    "#);
    ended.expect(0);
    let phase = ended.figures().phase("main");
    assert_eq!((phase.count("offered"), phase.count("ok"), phase.count("errors")), (80, 40, 40), "{ended}");
    assert_eq!(phase.row("GET /health").count("ok"), 40);
    assert_eq!(seen(&lab, "/lab/echo?before"), 20, "what a closure sent before it failed counts");
    let errors = phase.messages("script_errors");
    for (line, part) in [(5, "no stock"), (6, "users")] {
        let place = format!("scenario.rhai:{line}:");
        let of_line: Vec<_> = errors.iter().filter(|(at, ..)| at.starts_with(&place)).collect();
        assert_eq!(of_line.iter().map(|(.., count)| count).sum::<u64>(), 20, "{place} {errors:?}");
        assert!(of_line.iter().all(|(_, message, _)| message.contains(part)), "{errors:?}");
        assert!(ended.stdout.contains(&place), "{ended}");
    }
}

#[test]
fn loops_and_recursion_without_end_are_stopped() {
    let (_lab, ended) = run(r#"
        fn deeper(n) { deeper(n + 1) + 1 }
        let traffic = mix([
            [2, get("/health")],
            [1, flow("loop", |vu| { loop { } })],
            [1, flow("recursion", |vu| deeper(0))],
        ]);
        phase("main").run(traffic).users(4).iterations(16);
    "#);
    // Such a loop does hold up its worker meanwhile: the run may call itself suspect for it.
    ended.expect(0);
    let phase = ended.figures().phase("main");
    assert_eq!((phase.count("ok"), phase.count("errors")), (8, 8), "{ended}");
    let errors = phase.messages("script_errors");
    assert_eq!(errors.iter().map(|(.., count)| count).sum::<u64>(), 8, "{errors:?}");
    assert_eq!(phase.flow("loop").count("ok") + phase.flow("recursion").count("ok"), 0);
}

#[test]
fn what_a_response_does_not_hold_is_an_error_of_the_script() {
    let (_lab, ended) = run(r#"
        let traffic = mix([
            [1, get("/health")],
            [1, flow("not json", |vu| { vu.get("/lab/bytes/200").json("a"); })],
        ]);
        phase("main").run(traffic).users(2).iterations(20);
    "#);
    ended.expect(0);
    let errors = ended.figures().phase("main").messages("script_errors");
    assert_eq!(errors.len(), 1, "{ended}");
    assert!(errors[0].0.starts_with("scenario.rhai:5:") && errors[0].2 == 10, "{errors:?}");
}

#[test]
fn a_script_that_fails_in_every_iteration_is_no_measurement() {
    let (_lab, ended) = run(r#"
        phase("main").run(flow("bad", |vu| { vu.get("/health"); throw "always"; })).users(2).iterations(20);
    "#);
    assert_eq!(ended.code, Some(107), "{ended}");
    assert_eq!(ended.figures().phase("main").count("errors"), 20);
    assert_eq!(ended.figures().0["exit_code"], 107);
}

#[test]
fn abort_ends_the_run() {
    let (lab, ended) = run(r#"
        phase("main").run(flow("f", |vu| {
            vu.get("/health");
            if vu.iteration == 5 { vu.abort("the shop is closed"); }
        })).users(1).during(10.min);
        phase("never").run(get("/lab/echo?never")).users(1).iterations(5);
        teardown(|vu, data| { vu.get("/lab/echo?teardown"); });
    "#);
    assert_eq!(ended.code, Some(108), "{ended}");
    assert!(ended.took < Duration::from_secs(20), "{ended}");
    assert_eq!(ended.figures().0["ended_early"], "aborted: the shop is closed");
    assert_eq!((seen(&lab, "/lab/echo?never"), seen(&lab, "/lab/echo?teardown")), (0, 1));
}

#[test]
fn fail_is_counted_with_its_reason() {
    let (_lab, ended) = run(r#"
        let traffic = mix([
            [1, get("/health")],
            [1, flow("f", |vu| { vu.get("/lab/echo"); vu.fail("sold out"); vu.get("/lab/echo?after"); })],
        ]);
        phase("main").run(traffic).users(3).iterations(60);
    "#);
    ended.expect(0);
    let phase = ended.figures().phase("main");
    assert_eq!((phase.count("ok"), phase.count("errors")), (30, 30), "{ended}");
    assert!(phase.messages("script_errors").is_empty(), "a decision is no error of the script: {ended}");
    let reasons = phase.messages("failure_reasons");
    assert_eq!(reasons.iter().map(|(_, reason, count)| (*reason, *count)).collect::<Vec<_>>(), [("sold out", 30)]);
    assert_eq!(phase.requests(), 60, "nothing is sent after a failure");
}

#[test]
fn stop_ends_one_user() {
    let (lab, ended) = run(r#"
        phase("main").run(flow("f", |vu| {
            vu.get("/health");
            if vu.iteration == 3 { vu.stop(); }
        })).users(4).during(2.s);
    "#);
    ended.expect(0);
    let offered = ended.figures().phase("main").count("offered");
    assert_eq!(lab.seen() as u64, offered, "{ended}");
    assert!((12..=20).contains(&offered), "four or five by each of four users: {ended}");
}

#[test]
fn a_failing_setup_ends_the_run_and_is_cleaned_up_after() {
    let (lab, ended) = run(r#"
        setup(|vu| { vu.get("/lab/echo?setup"); throw "no fixtures"; });
        teardown(|vu, data| { vu.get("/lab/echo?teardown"); });
        phase("main").run(get("/lab/echo?main")).users(1).iterations(5);
    "#);
    assert_eq!(ended.code, Some(107), "{ended}");
    let counts = ["setup", "main", "teardown"].map(|part| seen(&lab, &format!("/lab/echo?{part}")));
    assert_eq!(counts, [1, 0, 1], "{ended}");
    let why = ended.figures().0["ended_early"].as_str().expect("a reason");
    assert!(why.contains("setup") && why.contains("no fixtures"), "{why}");
}

#[test]
fn setup_and_teardown_frame_the_run() {
    let (lab, ended) = run(r#"
        setup(|vu| { vu.get("/lab/echo?setup"); #{ token: "abc" } });
        teardown(|vu, data| { vu.get(`/lab/echo?down=${data.token}`); });
        phase("main").run(flow("f", |vu| { vu.get(`/lab/echo?main=${data().token}`); })).users(2).iterations(20);
    "#);
    ended.expect(0);
    let paths: Vec<_> = lab.arrivals().into_iter().map(|entry| entry.path).collect();
    assert_eq!(&*paths[0], "/lab/echo?setup");
    assert_eq!(&*paths[21], "/lab/echo?down=abc");
    assert!(paths[1..21].iter().all(|path| &**path == "/lab/echo?main=abc"), "{paths:?}");
    assert_eq!(ended.figures().phase("main").requests(), 20, "setup and teardown count in no phase");
}

#[test]
fn a_failing_teardown_is_told() {
    let (_lab, ended) = run(r#"
        teardown(|vu, data| { throw "left behind"; });
        phase("main").run(get("/health")).users(1).iterations(5);
    "#);
    ended.expect(0);
    assert!(ended.figures().0["notes"].to_string().contains("left behind"), "{ended}");
}

#[test]
fn a_failing_login_is_told_and_stops_nobody_else() {
    let (lab, ended) = run(r#"
        shop.on_start(|vu| {
            let res = vu.post("/api/auth/login", #{ email: "user1@example.com", password: "wrong" });
            vu.bearer(res.json("access_token"));
            throw "not logged in";
        });
        phase("main").run(get("/health")).users(3).iterations(12);
    "#);
    ended.expect(0);
    let phase = ended.figures().phase("main");
    assert_eq!((phase.count("offered"), phase.count("errors"), phase.requests()), (12, 12, 0), "{ended}");
    assert!(phase.messages("failure_reasons").iter().any(|(_, reason, _)| reason.contains("on_start")), "{ended}");
    let logins = ended.figures().aside("on_start").row("POST /api/auth/login");
    assert_eq!(logins.count("offered"), seen(&lab, "/api/auth/login") as u64, "{ended}");
    assert_eq!((logins.count("ok"), logins.status(401)), (0, logins.count("offered")), "{ended}");
    let errors = ended.figures().aside("on_start").messages("script_errors");
    assert!(!errors.is_empty(), "{ended}");
}
