//! What SLOs do to the exit code and to the run.

use crate::harness::{Ended, Program, TestLab};

fn run(rest: &str, arguments: &[&str]) -> (TestLab, Ended) {
    let lab = TestLab::start();
    let script = format!("let shop = target(env(\"TARGET\"));\n{rest}");
    let ended = Program::run_against(&script, &lab.url()).args(arguments).run();
    (lab, ended)
}

const HUNDRED: &str = "phase(\"main\").run(get(\"/lab/fixed?ms=20\").name(\"x\")).users(5).iterations(100);\n";

#[test]
fn the_exit_code_tells_the_verdict() {
    // At 100 samples a p99 cannot be said, and the p95 lies far from both limits.
    for (slo, arguments, verdict, code) in [
        ("p95: \"< 5s\"", &[][..], "pass", 0),
        ("p95: \"< 10ms\"", &[], "fail", 99),
        ("p95: \"< 10ms\"", &["--strict"], "fail", 99),
        ("errors: \"== 0\"", &[], "pass", 0),
        ("rps: \"> 100000/s\"", &[], "fail", 99),
        ("\"p99.9\": \"< 5s\"", &[], "inconclusive", 0),
        ("\"p99.9\": \"< 5s\"", &["--strict"], "inconclusive", 98),
    ] {
        let (_lab, ended) = run(&format!("{HUNDRED} slo(\"it holds\", #{{ {slo} }});"), arguments);
        ended.expect(code);
        let judged = ended.figures().slo("it holds");
        assert_eq!(judged["verdict"], verdict, "{slo} {ended}");
        assert_eq!(judged["needed"].is_u64(), verdict == "inconclusive", "{slo} {judged:#}");
        assert!(ended.stdout.contains("it holds") && ended.stdout.contains(verdict), "{ended}");
    }
}

#[test]
fn one_that_fails_is_enough() {
    let (_lab, ended) =
        run(&format!("{HUNDRED} slo(\"good\", #{{ p95: \"< 5s\" }}); slo(\"bad\", #{{ p50: \"< 1ms\" }});"), &[]);
    ended.expect(99);
    assert_eq!(ended.figures().slo("good")["verdict"], "pass");
    assert_eq!(ended.figures().slo("bad")["verdict"], "fail");
}

#[test]
fn warm_up_phases_are_judged_by_none() {
    let (_lab, ended) = run(
        "phase(\"warm-up\").run(get(\"/lab/status/500\")).users(1).iterations(20).warmup();\n\
         phase(\"main\").run(get(\"/health\")).users(1).iterations(200);\n\
         slo(\"nothing fails\", #{ errors: \"== 0\" });",
        &[],
    );
    ended.expect(0);
    assert_eq!(ended.figures().phase("warm-up").count("errors"), 20);
    assert_eq!(ended.figures().slo("nothing fails")["samples"], 200);
}

#[test]
fn a_phase_ends_when_its_condition_holds() {
    let (lab, ended) = run(
        "phase(\"failing\").run(get(\"/lab/status/503\").name(\"x\")).rate(50.per_second).during(60.s)\n\
             .ends_when(\"errors > 50% over 2s\");\n\
         phase(\"after\").run(get(\"/health\")).users(1).iterations(10);",
        &[],
    );
    ended.expect(0);
    let failing = ended.figures().phase("failing");
    assert!((1.5..10.0).contains(&failing.seconds("duration_s")), "{ended}");
    assert_eq!(failing.count("offered") + 10, lab.seen() as u64);
    assert_eq!(ended.figures().phase("after").count("ok"), 10, "the run goes on");
    let notes = ended.figures().0["notes"].to_string();
    assert!(notes.contains("failing") && notes.contains("ends_when"), "{ended}");
}

#[test]
fn an_slo_may_end_the_run() {
    let (_lab, ended) = run(
        "phase(\"failing\").run(get(\"/lab/status/500\").name(\"x\")).rate(100.per_second).during(60.s);\n\
         phase(\"never\").run(get(\"/health\")).users(1).iterations(10);\n\
         slo(\"few errors\", #{ errors: \"< 1%\", abort: true });",
        &[],
    );
    assert_eq!(ended.code, Some(108), "{ended}");
    assert!(ended.took.as_secs() < 30, "{ended}");
    assert_eq!(ended.figures().phases().count(), 1, "{ended}");
    let why = ended.figures().0["ended_early"].as_str().expect("a reason");
    assert!(why.contains("few errors"), "{ended}");
}

#[test]
fn one_that_selects_nothing_is_a_mistake_of_the_plan() {
    for (selector, meant) in [("phase: \"mian\"", "main"), ("request: \"y\"", "x"), ("flow: \"x\"", "")] {
        let (lab, ended) = run(&format!("{HUNDRED} slo(\"odd\", #{{ {selector}, p95: \"< 1s\" }});"), &[]);
        assert_eq!(ended.code, Some(104), "{selector} {ended}");
        assert!(ended.stderr.contains(meant) && ended.stderr.contains("help: "), "{selector} {ended}");
        assert_eq!(lab.seen(), 0, "nothing is sent");
    }
}

#[test]
fn one_about_a_class_that_never_came_fails() {
    let (_lab, ended) = run(&format!("{HUNDRED} slo(\"hits\", #{{ class: \"hit\", p95: \"< 5s\" }});"), &[]);
    assert!(matches!(ended.code, Some(99 | 104)), "{ended}");
}
