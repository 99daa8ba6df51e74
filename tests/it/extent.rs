//! A part of a scenario: phases that are shorter, and some of them left out.

use crate::harness::{Ended, Program, TestLab};

const SCRIPT: &str = r#"
    target(env("TARGET"));
    let page = get("/health");
    phase("read").run(page.name("read")).repeat([100, 400], |p, n| p.iterations(n).users(2));
    phase("write").run(post("/api/carts", #{ sku: int(1, 500), qty: 1 }).name("write")).rate(100.per_second).during(4.s);
    phase("limit").run(get("/api/limited").header("x-api-key", "a").expect([200, 429]).name("limited"))
        .iterations(150).asap().unscaled();
    slo("reads", #{ phase: "read", p50: "< 10s" });
    slo("writes", #{ phase: "write", p50: "< 10s", errors: "== 0%" });
    slo("right", #{ errors: "< 5%" });
    slo("limited rows", #{ request: "limited", count: "== 150" });
"#;

fn run(arguments: &[&str]) -> (TestLab, Ended) {
    let lab = TestLab::start();
    let ended = Program::run_against(SCRIPT, &lab.url()).args(["--seed", "7"]).args(arguments).run();
    (lab, ended)
}

fn verdicts(ended: &Ended) -> Vec<(String, String)> {
    let slos = ended.figures().0["slos"].as_array().expect("SLOs");
    let text = |value: &serde_json::Value| value.as_str().expect("text").to_owned();
    slos.iter().map(|slo| (text(&slo["name"]), text(&slo["verdict"]))).collect()
}

fn verdict<'a>(verdicts: &'a [(String, String)], name: &str) -> &'a str {
    &verdicts.iter().find(|(known, _)| known == name).expect("an SLO of that name").1
}

#[test]
fn a_scaled_run_is_as_heavy_and_less_long() {
    let (lab, ended) = run(&["--scale", "0.1", "--results", "run.loadr"]);
    let figures = ended.figures();
    let offered = |name: &str| figures.phase(name).count("offered");
    assert_eq!([offered("read/100"), offered("read/400"), offered("write"), offered("limit")], [10, 40, 40, 150]);
    assert!((figures.phase("write").seconds("rate_asked") - 100.0).abs() < 1e-9, "{ended}");
    assert_eq!(lab.arrivals().len(), 240);
    assert_eq!(figures.0["scale"], 0.1);
    assert!(ended.stdout.contains("0.1 times those of the script"), "{ended}");
    // The report of the file says it too.
    let again = Program::new(["report"]).arg(ended.folder().join("run.loadr")).run();
    assert!(again.stdout.contains("0.1 times those of the script"), "{again}");
}

#[test]
fn what_is_left_out_is_no_pass_and_no_failure() {
    let (lab, ended) = run(&["--phase", "read/1*", "--phase", "limit", "--strict"]);
    let figures = ended.figures();
    let ran: Vec<_> = figures.phases().map(|phase| phase.0["name"].as_str().expect("a name").to_owned()).collect();
    assert_eq!(ran, ["read/100", "limit"]);
    assert_eq!(lab.arrivals().len(), 250);
    assert_eq!(figures.0["left_out"], serde_json::json!(["read/400", "write"]));
    let found = verdicts(&ended);
    assert_eq!(verdict(&found, "reads"), "not_run", "a part of the repeat is no proof of the whole: {ended}");
    assert_eq!(verdict(&found, "writes"), "not_run", "{ended}");
    assert_eq!(verdict(&found, "limited rows"), "pass", "{ended}");
    assert!(matches!(ended.code, Some(0 | 97)), "{ended}");
    assert!(ended.stdout.contains("(--phase): read/400, write"), "{ended}");
}

#[test]
fn a_pattern_of_nothing_is_a_mistake() {
    let lab = TestLab::start();
    let ended = Program::run_against(SCRIPT, &lab.url()).args(["--phase", "wrote"]).run();
    ended.expect(104);
    assert!(
        ended.stderr.contains("no phase is called `wrote`") && ended.stderr.contains("did you mean `write`?"),
        "{ended}"
    );
    Program::run_against(SCRIPT, &lab.url()).args(["--scale", "0"]).run().expect(2);
    assert_eq!(lab.arrivals().len(), 0);
}

#[test]
fn the_plan_shows_the_part_that_would_run() {
    let plan = Program::new([
        "plan",
        "scenario.rhai",
        "-e",
        "TARGET=http://127.0.0.1:9",
        "--phase",
        "write",
        "--scale",
        "0.5",
    ]);
    let ended = plan.file("scenario.rhai", SCRIPT).run();
    ended.expect(0);
    assert!(ended.stdout.contains("write") && ended.stdout.contains("for 2s"), "{ended}");
    assert!(ended.stdout.contains("0.5 times those of the script"), "{ended}");
}
