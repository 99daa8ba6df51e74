//! The job that loadr is for: the shop of `scripts/mix.rhai`, whole.

use crate::harness::{Figures, Program, TestLab};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/mix.rhai");

fn program() -> Program {
    Program::new(["run", SCRIPT, "--json", "summary.json", "--seed", "7"]).limit(std::time::Duration::from_secs(120))
}

fn assert_exact(figures: &Figures) {
    let names: Vec<_> = figures.phases().map(|phase| phase.0["name"].clone()).collect();
    assert_eq!(names, ["warm-up", "sustained", "burst"]);
    for (name, load, offered, [health, item, checkout]) in
        [("sustained", "open", 15_000, [7_500, 4_500, 3_000]), ("burst", "burst", 50, [25, 15, 10])]
    {
        let phase = figures.phase(name);
        assert_eq!(phase.0["load"], load);
        assert_eq!(phase.0["warmup"], false);
        assert_eq!((phase.count("planned"), phase.count("offered"), phase.count("ok")), (offered, offered, offered));
        for (row, expected) in [(phase.row("GET /health"), health), (phase.row("item"), item)] {
            assert_eq!((row.count("offered"), row.status(200)), (expected, expected), "{name}");
        }
        let created = phase.row("POST /api/carts");
        assert_eq!((created.count("offered"), created.status(201)), (checkout, checkout), "{name}");
        assert_eq!(phase.flow("checkout").count("offered"), checkout, "{name}");
        assert_eq!(phase.check("cart created")["passed"], checkout, "{name}");
        assert_eq!(phase.requests(), offered + checkout, "a checkout sends two requests in {name}");
        let dealt: Vec<_> = phase.0["mix"].as_array().expect("a mix").iter().map(|entry| &entry["dealt"]).collect();
        assert_eq!(dealt, [&health, &item, &checkout], "{name}");
    }
    // Every user thinks 200 ms in its checkout, which is no service of the target's.
    let checkout = figures.phase("sustained").flow("checkout");
    assert!(checkout.ms("response_us", "min") >= 200.0);
    assert!(checkout.ms("service_us", "min") < 200.0);
    let sustained = figures.phase("sustained");
    assert!((sustained.seconds("duration_s") - 30.0).abs() < 0.5);
    assert!((sustained.seconds("rate_achieved") - 500.0).abs() < 10.0);
    let warmup = figures.phase("warm-up");
    assert_eq!(warmup.0["warmup"], true);
    assert_eq!(warmup.0["is_open"], false);
    // 18,060 requests are in phases that count; what the SLO over all of them rests on is just these.
    assert_eq!(figures.slo("nothing fails")["samples"], sustained.requests() + figures.phase("burst").requests());
    assert_eq!(figures.slo("reads stay fast")["samples"], 4_500);
}

#[test]
fn the_demo_runs_whole() {
    let ended = program().arg("--demo").run();
    // How fast reads are is the machine's business here, not the test's.
    assert!(matches!(ended.code, Some(0 | 97 | 99)), "{ended}");
    let figures = ended.figures();
    assert_exact(figures);
    assert_eq!(figures.0["exit_code"].as_i64(), ended.code.map(i64::from));
    assert_eq!(figures.verdict() == "INVALID", ended.code == Some(97), "{ended}");
    assert_eq!(figures.slo("nothing fails")["verdict"], "pass");
    for phase in ["warm-up", "sustained", "burst", "on_start"] {
        assert!(ended.stdout.lines().any(|line| line.starts_with(phase)), "no {phase} in {ended}");
    }
}

#[test]
fn the_server_saw_what_is_reported() {
    let lab = TestLab::start();
    let ended = program().arg("-e").arg(format!("TARGET={}", lab.url())).run();
    let figures = ended.figures();
    assert_exact(figures);
    let arrivals = lab.arrivals();
    let seen = |is_it: &dyn Fn(&str) -> bool| arrivals.iter().filter(|entry| is_it(&entry.path)).count() as u64;
    let reported = |name: &str| figures.phases().map(|phase| phase.row(name).count("offered")).sum::<u64>();
    assert_eq!(seen(&|path| path == "/health"), reported("GET /health"));
    assert_eq!(seen(&|path| path.starts_with("/api/items/")), reported("item"));
    assert_eq!(seen(&|path| path == "/api/carts"), reported("POST /api/carts"));
    assert_eq!(
        seen(&|path| path.ends_with("/pay")),
        figures.phases().map(|phase| phase.flow("checkout").count("ok")).sum::<u64>()
    );
    let logins = figures.aside("on_start").row("POST /api/auth/login");
    assert_eq!(seen(&|path| path == "/api/auth/login"), logins.count("offered"));
    // A login for each user, of which a slow machine needs more at a time, and not one for each iteration.
    assert!((11..1_500).contains(&logins.count("ok")), "{ended}");
    assert_eq!(arrivals.len() as u64, figures.phases().map(|phase| phase.requests()).sum::<u64>() + logins.count("ok"));
}
