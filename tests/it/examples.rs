//! The example scripts: each runs against the lab, shortened from outside, and does what its first lines say.

use std::path::PathBuf;

use loadr::{clock::parse_rate, lab::LabOptions};

use crate::harness::{Ended, Program, TestLab};

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts"))
}

/// Runs an example with values for its variables.
fn run(name: &str, lab: &TestLab, variables: &[&str]) -> Ended {
    let script = folder().join(format!("{name}.rhai"));
    let program = Program::new(["run", "--json", "summary.json", "--workers", "1", "--seed", "7"]).arg(script);
    let program = program.arg("-e").arg(format!("TARGET={}", lab.url()));
    variables.iter().fold(program, |program, variable| program.arg("-e").arg(variable)).run()
}

/// Runs an example that is made to be shortened as a whole, in so much of its time.
fn scaled_run(name: &str, lab: &TestLab, scale: &str, variables: &[&str]) -> Ended {
    let script = folder().join(format!("{name}.rhai"));
    let program = Program::new(["run", "--json", "summary.json", "--workers", "1", "--seed", "7", "--scale", scale]);
    let program = program.arg(script).arg("-e").arg(format!("TARGET={}", lab.url()));
    variables.iter().fold(program, |program, variable| program.arg("-e").arg(variable)).run()
}

/// What it sent went well, and its checks held. How fast that was is the machine's business.
#[track_caller]
fn assert_went_well(ended: &Ended) {
    assert!(matches!(ended.code, Some(0 | 97 | 99)), "{ended}");
    for phase in ended.figures().phases() {
        assert!(phase.count("offered") > 0, "{ended}");
        assert_eq!(phase.count("offered"), phase.count("ok"), "{ended}");
        assert!(phase.0["checks"].as_array().expect("checks").iter().all(|check| check["failed"] == 0), "{ended}");
    }
}

#[test]
fn each_is_tested_and_says_what_it_proves() {
    let tests = concat!(
        include_str!("examples.rs"),
        include_str!("real_caches.rs"),
        include_str!("fruitpak.rs"),
        include_str!("sql.rs")
    );
    let scripts = std::fs::read_dir(folder()).expect("the examples");
    for path in scripts.map(|entry| entry.expect("an entry").path()) {
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        // The first of all has tests of its own.
        if path.extension().is_none_or(|extension| extension != "rhai") || name == "mix" {
            continue;
        }
        assert!(tests.contains(&format!("run({name:?}, ")), "{name} is not tested");
        let text = std::fs::read_to_string(&path).expect("a script");
        assert!(text.starts_with("//! ") && text.contains("//! What the report proves: "), "{name} does not say it");
    }
}

#[test]
fn users_are_accounts_of_a_file() {
    let lab = TestLab::start();
    let ended = run("users", &lab, &["LENGTH=1s"]);
    assert_went_well(&ended);
    assert_eq!(ended.figures().phase("visitors").check("it is the account that logged in")["passed"], 20);
    assert!(ended.figures().aside("on_start").row("POST /api/auth/login").count("ok") > 0, "{ended}");
}

#[test]
fn memory_is_watched_and_what_is_not_is_skipped() {
    let lab = TestLab::start();
    let pid = format!("PID={}", std::process::id());
    let ended = run("memory", &lab, &["LENGTH=1s", "EVERY=100ms", &pid]);
    assert_went_well(&ended);
    let watched = ended.figures().0["watched"].as_array().expect("what was watched");
    assert_eq!(watched.iter().map(|it| it["name"].as_str()).collect::<Vec<_>>(), [Some("answers"), Some("server")]);
    assert_eq!(ended.figures().slo("it counts")["verdict"], "pass");
    assert_eq!(ended.figures().0["goals"][1]["status"], "not_measured");
    let ended = run("memory", &lab, &["LENGTH=1s", "EVERY=100ms"]);
    assert_eq!(ended.figures().0["skipped"][0]["name"], "memory", "{ended}");
}

#[test]
fn a_cache_is_experimented_with() {
    let options = LabOptions {
        origin_delay: std::time::Duration::from_millis(5),
        cache_ttl: std::time::Duration::from_secs(2),
        ..LabOptions::default()
    };
    let lab = TestLab::with(options);
    let ended = run("cache", &lab, &["LENGTH=1s", "WARM=1s", "STEADY=1s"]);
    assert_went_well(&ended);
    let found = &ended.figures().0["experiments"][0];
    assert_eq!(found["blocks"], 20, "{ended}");
    assert!(found["speedup"][0]["ratio_low"].as_f64() > Some(1.0), "{ended}");
    assert!(found["ttl"]["misses"].as_u64() > Some(5), "{ended}");
    assert_eq!(found["working_set"]["sizes"].as_array().map(Vec::len), Some(3), "{ended}");
}

#[test]
fn tokens_are_renewed_when_they_expire() {
    let lab = TestLab::start();
    let ended = run("refresh", &lab, &["LENGTH=1500ms"]);
    assert_went_well(&ended);
    let page = ended.figures().phase("pages");
    assert!(page.row("POST /api/auth/refresh").count("ok") > 0, "{ended}");
    // Every 401 was followed by one renewal, and by nothing else.
    let refused = page.row("GET /api/me").status(401);
    assert_eq!(ended.figures().metric("tokens renewed")["value"].as_u64(), Some(refused), "{ended}");
    assert_eq!(page.row("GET /api/me").count("offered"), page.count("offered") + refused, "{ended}");
}

#[test]
fn plain_requests_carry_what_their_user_got() {
    let lab = TestLab::start();
    let ended = run("saved", &lab, &["LENGTH=1s"]);
    assert_went_well(&ended);
    let (visitors, start) = (ended.figures().phase("visitors"), ended.figures().aside("on_start"));
    assert_eq!((visitors.row("cart").count("ok"), visitors.row("me").count("ok")), (35, 15), "{ended}");
    assert_eq!(start.check("saved token")["failed"], 0, "{ended}");
    assert_eq!(start.check("saved cart")["passed"].as_u64(), Some(start.row("new cart").count("ok")), "{ended}");
}

#[test]
fn listings_are_walked_without_doubles() {
    let lab = TestLab::start();
    let ended = run("pagination", &lab, &["ROUNDS=4"]);
    assert_went_well(&ended);
    let walk = ended.figures().phase("walk");
    assert_eq!((walk.row("page by cursor").count("ok"), walk.row("page by offset").count("ok")), (20, 10), "{ended}");
    assert_eq!(ended.figures().metric("items seen")["value"], 2_000, "{ended}");
}

#[test]
fn the_limiter_of_the_lab_is_honest() {
    let lab = TestLab::start();
    let ended = run("rate-limit", &lab, &[]);
    assert_went_well(&ended);
    assert!(ended.stderr.contains(" passed, then 429 with Retry-After 1s: bucket"), "{ended}");
    // The bucket refills while the probe goes on.
    assert!(ended.figures().metric("limit first refused")["last"].as_f64() >= Some(100.0), "{ended}");
    assert_eq!(ended.figures().phase("probe").check("limit: Retry-After is honest")["passed"], 1, "{ended}");
}

#[test]
fn a_window_is_told_from_a_bucket() {
    let limit = parse_rate("5/2s").expect("a rate");
    let lab = TestLab::with(LabOptions { limit, ..LabOptions::default() });
    let script = r#"
        import "std/limits" as limits;
        target(env("TARGET"));
        let probe = |path, kind| flow(kind, |vu| {
            let limit = limits::probe(vu, #{ request: path, name: kind });
            check(`${kind}: five pass`, limit.first_refused >= 5);
            check(`${kind}: is one`, limit.kind == kind);
            check(`${kind}: is honest`, limit.honest);
        });
        phase("window").run(probe.call("/api/limited/window", "window")).iterations(1);
        phase("bucket").run(probe.call("/api/limited", "bucket")).iterations(1);
    "#;
    let ended = Program::run_against(script, &lab.url()).run();
    assert_went_well(&ended);
}

#[test]
fn the_staircase_finds_the_capacity() {
    let lab = TestLab::start();
    let ended = run("staircase", &lab, &["HOLD=2500ms"]);
    assert!(matches!(ended.code, Some(0 | 97 | 99)), "{ended}");
    assert!(ended.stdout.contains("it ended by `ends_when`"), "{ended}");
    assert!(ended.stdout.contains("staircase/400: left out"), "more than 200 a second cannot pass: {ended}");
}

#[test]
fn a_soak_has_parts_that_can_be_compared() {
    let lab = TestLab::start();
    let ended = run("soak", &lab, &["PART=500ms"]);
    assert_went_well(&ended);
    let offered: Vec<u64> = ended.figures().phases().map(|phase| phase.count("offered")).collect();
    assert_eq!(offered, [25, 25, 25, 25], "{ended}");
}

#[test]
fn the_background_goes_on_beside_the_others() {
    let lab = TestLab::start();
    let ended = run("background", &lab, &["LENGTH=1s"]);
    assert_went_well(&ended);
    let figures = ended.figures();
    assert_eq!(figures.phase("background").count("offered"), 100, "{ended}");
    assert_eq!(figures.phase("crowd").count("offered"), 150, "{ended}");
    let starts = ["background", "crowd", "report job"].map(|name| figures.phase(name).seconds("start_s"));
    assert!(starts.iter().all(|start| (start - starts[0]).abs() < 0.01), "they start together: {ended}");
    assert!(figures.phase("report job").count("offered") <= 21, "the throttle holds: {ended}");
}

#[test]
fn redis_is_read_written_and_asked_in_pipelines() {
    let lab = TestLab::start();
    let redis = format!("REDIS={}", lab.redis());
    let ended = run("redis", &lab, &["LENGTH=500ms", "KEYS=200", "RATE=200/s", &redis]);
    assert_went_well(&ended);
    let figures = ended.figures();
    assert_eq!(figures.phase("mixed").count("offered"), 100, "{ended}");
    // Ten keys a pipeline, and none of them was missing.
    let reads = figures.phase("pipelines").count("ok") * 10 + figures.phase("mixed").row("read").count("ok");
    assert!(ended.stderr.contains(&format!("Redis counted {reads} hits and 0 misses")), "{reads}: {ended}");
}

#[test]
fn metrics_of_the_script_are_judged() {
    let lab = TestLab::start();
    let ended = run("metrics", &lab, &["LENGTH=1s"]);
    assert_went_well(&ended);
    assert_eq!(ended.figures().metric("orders")["value"], 20, "{ended}");
    assert!(ended.figures().metric("revenue_cents")["value"].as_u64() > Some(20 * 99), "{ended}");
    let slo = ended.figures().slo("orders come through");
    // A second is too short to be sure of 99 % of the checks.
    assert!(slo["verdict"] == "pass" || slo["verdict"] == "inconclusive", "{ended}");
    assert_eq!(ended.figures().0["facts"]["shop"], "the lab", "{ended}");
}

#[test]
fn uploads_arrive_whole() {
    let lab = TestLab::start();
    let ended = run("upload", &lab, &["LENGTH=1s"]);
    assert_went_well(&ended);
    let uploads = ended.figures().phase("uploads");
    assert_eq!(uploads.check("arrived whole")["passed"], uploads.row("upload").count("offered"));
    assert!(uploads.row("upload").count("bytes_sent") > 5 * 100_000, "{ended}");
}

#[test]
fn users_get_through_the_login_form() {
    let lab = TestLab::start();
    let ended = run("login-form", &lab, &["LENGTH=1s"]);
    assert_went_well(&ended);
    let visitors = ended.figures().phase("visitors");
    assert_eq!(visitors.check("the account is shown")["passed"], 10);
    assert_eq!(visitors.row("POST /login").status(303), 10);
}

#[test]
fn events_are_taken_in_and_a_full_queue_says_so() {
    let lab = TestLab::start();
    let ended = scaled_run("event_ingestion", &lab, "0.05", &[]);
    assert_went_well(&ended);
    let figures = ended.figures();
    let sizes =
        ["size/100", "size/250", "size/500", "size/1000"].map(|size| figures.phase(size).row("event").status(202));
    assert_eq!(sizes, [5, 13, 25, 50], "{ended}");
    let full = figures.phase("backpressure").row("event");
    assert_eq!((full.status(202), full.status(503)), (501, 1), "{ended}");
    assert_eq!(figures.phase("burst").count("ok"), 50, "{ended}");
    assert_eq!(figures.slo("strangers do not")["verdict"], "pass", "{ended}");
    assert_eq!(figures.phase("single").check("tells its own time")["passed"], 10, "{ended}");
}

#[test]
fn sessions_are_limited_as_promised() {
    let lab = TestLab::with(LabOptions { limit: parse_rate("100/2s").expect("a rate"), ..LabOptions::default() });
    let ended = scaled_run("therapybridge", &lab, "0.005", &[]);
    assert_went_well(&ended);
    let figures = ended.figures();
    let limited = figures.phase("rate limit").row("limited");
    // The window is so short that on a slow machine another may begin within the 150.
    assert_eq!(limited.status(200) + limited.status(429), 150, "{ended}");
    assert_eq!(ended.figures().metric("first 429")["min"], 101.0, "{ended}");
    assert_eq!(figures.phase("rate limit").check("Retry-After is honest")["passed"], 1, "{ended}");
    let uploads = figures.phase("uploads").row("upload");
    assert_eq!((uploads.status(201), uploads.status(429)), (10, 2), "{ended}");
    assert_eq!(figures.phase("pool").count("ok"), 1_000, "{ended}");
    assert!(ended.figures().metric("memory of the server, MB")["max"].as_f64() > Some(1.0), "{ended}");
}

#[test]
fn families_of_operations_have_their_thresholds() {
    let lab = TestLab::start();
    let ended = scaled_run("afirgen", &lab, "0.01", &[]);
    assert_went_well(&ended);
    let figures = ended.figures();
    let names: Vec<_> = figures.phases().map(|phase| phase.0["name"].as_str().expect("a name").to_owned()).collect();
    let of = |category: &str| names.iter().filter(|name| name.starts_with(category)).count();
    assert_eq!([of("api/"), of("db/"), of("cache/"), of("load/")], [9, 12, 11, 1], "{ended}");
    let cached = figures.phase("api/generate cached");
    assert_eq!(cached.row("cached").status(200), 6, "{ended}");
    assert!(figures.phase("api/generate new").row("new").ms("service_us", "min") >= 100.0, "{ended}");
    assert_eq!(figures.phase("cache/expiry").check("is gone after its time")["passed"], 20, "{ended}");
}

#[test]
fn messages_and_events_are_measured_beside_requests() {
    let lab = TestLab::start();
    let ended = run("realtime", &lab, &["LENGTH=1s"]);
    assert_went_well(&ended);
    let phase = ended.figures().phase("trading floor");
    assert_eq!(phase.message("chat: round trip").count("ok"), 45, "{ended}");
    assert_eq!(phase.message("prices: first event").count("ok"), 5, "{ended}");
    assert_eq!(phase.message("prices: gap").count("ok"), 20, "{ended}");
}
