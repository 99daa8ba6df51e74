//! The script's own metrics and checks: known values go in, exact figures come out, by phase and for the run.

use serde_json::Value;

use crate::harness::{Ended, Program, TestLab};

/// Iterations 1 to 10 warm up, 11 to 110 are `low`, 111 to 310 are `high`: `nth` numbers them through.
const SCRIPT: &str = r#"
let lab = target(env("TARGET"));
let nth = seq();
let work = flow("work", |vu| {
    let n = nth.next();
    count("all");
    count("numbers", n);
    gauge("level", n);
    timing("took", n.ms);
    check("is small", n <= 100);
});
setup(|vu| { count("all", 7); });
phase("warm-up").run(work).users(6).iterations(10).warmup();
phase("low").run(work).users(6).iterations(100);
phase("high").run(work).users(6).iterations(200);
slo("all", #{ all: "== 300" });
slo("in low", #{ phase: "low", all: "== 100", numbers: "== 6050", level_max: "== 110", took_max: "<= 110ms" });
slo("in high", #{ phase: "high", all: "== 200", took_min: ">= 111ms", took_mean: "== 210500us", level_min: "> 110" });
slo("too much", #{ phase: "low", all: "> 100" });
"#;

#[track_caller]
fn metric<'a>(of: &'a Value, name: &str) -> &'a Value {
    let all = of["custom"].as_array().expect("metrics");
    all.iter().find(|metric| metric["name"] == name).unwrap_or_else(|| panic!("no metric {name} in {all:?}"))
}

/// What was measured must be what iterations `first` to `last` gave.
#[track_caller]
fn holds(of: &Value, first: u64, last: u64) {
    let n = last - first + 1;
    assert_eq!(metric(of, "all")["value"], n, "{of:#}");
    assert_eq!(metric(of, "numbers")["value"], (first + last) * n / 2, "{of:#}");
    let level = metric(of, "level");
    assert_eq!((&level["min"], &level["max"]), (&Value::from(first as f64), &Value::from(last as f64)));
    let latest = level["last"].as_f64().expect("a number");
    assert!((first as f64..=last as f64).contains(&latest), "{level}");
    let took = &metric(of, "took")["us"];
    let exact = [("count", n), ("min", first * 1_000), ("max", last * 1_000), ("mean", (first + last) * 500)];
    for (figure, value) in exact {
        assert_eq!(took[figure].as_f64(), Some(value as f64), "{figure} of {took:#}");
    }
    // The value at rank ⌈n/2⌉, to three significant digits.
    let median = (first + n.div_ceil(2) - 1) as f64 * 1_000.0;
    let shown = took["p50"].as_f64().expect("enough of them");
    assert!((shown - median).abs() <= median / 1_000.0, "p50 {shown} should be {median}");
}

fn run(workers: u64) -> Ended {
    let lab = TestLab::start();
    let ended = Program::run_against(SCRIPT, &lab.url()).args(["--workers", &workers.to_string()]).run();
    // One SLO asks for more than there is.
    ended.expect(99);
    ended
}

#[test]
fn figures_of_phases_and_of_the_run_are_exact_for_any_number_of_workers() {
    for workers in [1, 3] {
        let ended = run(workers);
        let figures = ended.figures();
        holds(figures.phase("warm-up").0, 1, 10);
        holds(figures.phase("low").0, 11, 110);
        holds(figures.phase("high").0, 111, 310);
        holds(&figures.0, 11, 310);
        assert_eq!(metric(figures.aside("setup").0, "all")["value"], 7, "{ended}");
        for check in [("warm-up", 10, 0), ("low", 90, 10), ("high", 0, 200)] {
            let (phase, passed, failed) = check;
            let row = figures.phase(phase).check("is small");
            assert_eq!((row["passed"].as_u64(), row["failed"].as_u64()), (Some(passed), Some(failed)), "{row}");
        }
        let slos = figures.0["slos"].as_array().expect("SLOs");
        for slo in slos {
            assert_eq!(slo["verdict"], if slo["name"] == "too much" { "fail" } else { "pass" }, "{slo:#}");
        }
        assert_eq!(slos.len(), 10, "{ended}");
    }
}

#[test]
fn every_form_shows_them_by_phase() {
    let ended = run(2);
    for line in ["  metric all: 10\n", "  metric all: 100\n", "  metric all: 200\n", "\n  all  300\n"] {
        assert!(ended.stdout.contains(line), "{line:?} in {ended}");
    }
    let file = std::fs::read_dir(ended.folder()).expect("a folder").filter_map(Result::ok).map(|entry| entry.path());
    let file = file.into_iter().find(|path| path.extension().is_some_and(|kind| kind == "loadr")).expect("a run file");
    let report =
        |form: &str| Program::new(["report".as_ref(), file.as_os_str(), "--form".as_ref(), form.as_ref()]).run();
    assert_eq!(report("json").stdout.trim(), ended.read("summary.json").trim(), "of the file");
    for (form, parts) in [
        ("html", ["metric all: 100", "all, over all phases that count: 300"]),
        ("markdown", ["- metric all: 200", "- all, over all phases that count: 300"]),
        (
            "prometheus",
            [
                "loadr_custom_count{phase=\"low\",name=\"numbers\"} 6050\n",
                "loadr_custom_seconds_count{phase=\"high\",name=\"took\"} 200\n",
            ],
        ),
    ] {
        let page = report(form);
        page.expect(0);
        for part in parts {
            assert!(page.stdout.contains(part), "{part} in {form}: {page}");
        }
    }
}

/// One name is one row, wherever a check of that name stands: in closures, on responses, on templates.
#[test]
fn checks_of_one_name_add_up() {
    let lab = TestLab::start();
    let script = r#"
        let lab = target(env("TARGET"));
        let fine = get("/health").check("fine", |res| res.status == 200);
        let other = get("/lab/status/404").name("other").expect(404).check("fine", |res| res.status == 200);
        let visit = flow("visit", |vu| {
            let res = vu.get("/health");
            check("fine", res.ok);
            res.check("fine", false);
            vu.send(other);
        });
        phase("main").run(mix([[1, fine], [1, other], [1, visit]])).users(3).iterations(30);
    "#;
    let ended = Program::run_against(script, &lab.url()).args(["--workers", "3"]).run();
    ended.expect(0);
    let checks = ended.figures().phase("main").0["checks"].as_array().expect("checks").clone();
    assert_eq!(checks.len(), 1, "{checks:?}");
    // 10 each: the template's hold, the other's do not; of a visit one of three.
    assert_eq!((checks[0]["passed"].as_u64(), checks[0]["failed"].as_u64()), (Some(20), Some(30)), "{checks:?}");
}
