//! The scripts of users' reports on the systems they were written about, which run here with all they need.

use std::time::Duration;

use crate::harness::{Ended, Program, System};

/// Runs the script of that name on the system of that name, in a part of its time.
fn run(name: &str, environment: &[(&str, &str)], scale: &str) -> Ended {
    let system = System::start_with(name, environment);
    let script = format!("{}/scripts/{name}.rhai", env!("CARGO_MANIFEST_DIR"));
    let program = Program::new(["run", &script, "--json", "summary.json", "--seed", "7", "--scale", scale]);
    let program = system.values().fold(program, |program, value| program.arg("-e").arg(value));
    program.limit(Duration::from_secs(180)).run()
}

/// Everything was answered as the script expects, and every check held. How fast is the machine's business.
#[track_caller]
fn assert_right(ended: &Ended) {
    assert!(matches!(ended.code, Some(0 | 97 | 99)), "{ended}");
    for phase in ended.figures().phases() {
        assert_eq!(phase.count("offered"), phase.count("ok"), "{ended}");
        assert!(phase.0["checks"].as_array().expect("checks").iter().all(|check| check["failed"] == 0), "{ended}");
    }
}

#[test]
fn events_get_in_and_a_full_stream_turns_them_away() {
    let ended = run("event_ingestion", &[], "0.05");
    assert_right(&ended);
    let figures = ended.figures();
    assert_eq!(figures.phase("burst").row("event").status(202), 50, "{ended}");
    let full = figures.phase("backpressure").row("event");
    assert_eq!(full.status(503), 1, "{ended}");
    assert!(full.status(202) >= 400, "{ended}");
    // The server's own time is a part of what its client sees.
    let own = ended.figures().metric("server time")["us"]["min"].as_f64().expect("a time");
    assert!(own > 100.0, "{ended}");
    assert!(own < figures.phase("single").row("event").ms("service_us", "max") * 1_000.0, "{ended}");
    assert_eq!(figures.phase("without a key").row("without a key").status(401), 3, "{ended}");
}

#[test]
fn limits_admit_what_they_promise_and_the_pool_keeps_its_size() {
    // A window that is long enough for 150 requests on a busy machine, and short enough to wait for its end.
    let ended = run("therapybridge", &[("WINDOW_S", "6")], "0.01");
    assert_right(&ended);
    let figures = ended.figures();
    assert_eq!(ended.figures().metric("first 429")["min"], 101.0, "{ended}");
    let limited = figures.phase("rate limit").row("limited");
    assert_eq!(limited.status(200) + limited.status(429), 150, "{ended}");
    assert_eq!(figures.phase("rate limit").check("Retry-After is honest")["passed"], 1, "{ended}");
    let uploads = figures.phase("uploads").row("upload");
    assert_eq!((uploads.status(201), uploads.status(429)), (10, 2), "{ended}");
    let in_use = ended.figures().metric("connections in use")["max"].as_f64().expect("a figure");
    assert!((1.0..=15.0).contains(&in_use), "{ended}");
    assert!(ended.figures().metric("memory of the server, MB")["min"].as_f64() > Some(20.0), "{ended}");
    // Beside the traffic, the same pool by a probe, and the process behind the API.
    let watched = |watch: usize, phase: &str, metric: &str| {
        let phases = ended.figures().0["watched"][watch]["phases"].as_array().expect("phases");
        let metrics =
            phases.iter().find(|it| it["phase"] == phase).map(|it| it["metrics"].as_array().expect("metrics"));
        let row = metrics.expect("the phase").iter().find(|it| it["metric"] == metric);
        row.unwrap_or_else(|| panic!("no {metric} in {phase}; {ended}"))["peak"].as_f64().expect("a peak")
    };
    assert!((1.0..=15.0).contains(&watched(0, "pool", "value")), "{ended}");
    assert!(watched(1, "rate limit", "rss") > 20e6, "{ended}");
    assert!(ended.figures().0["watched"][1]["leak"]["word"].is_string(), "{ended}");
    assert_eq!(ended.figures().slo("the pool's peak")["verdict"], "pass", "{ended}");
}

#[test]
fn both_databases_answer_and_a_cached_report_is_quicker() {
    let ended = run("afirgen", &[("MODEL_MS", "50")], "0.02");
    assert_right(&ended);
    let figures = ended.figures();
    for engine in ["mysql", "postgres"] {
        for query in ["simple", "join", "aggregate", "search", "explain", "connection"] {
            let name = format!("db/{engine} {query}");
            assert_eq!(figures.phase(&name).row(&name).status(200), 12, "{ended}");
        }
    }
    let (cached, new) = (figures.phase("api/generate cached"), figures.phase("api/generate new"));
    assert!(new.row("new").ms("service_us", "min") >= 50.0, "{ended}");
    assert!(cached.row("cached").ms("service_us", "min") < new.row("new").ms("service_us", "min"), "{ended}");
    assert_eq!(figures.phase("api/unchanged").row("api/unchanged").status(304), 12, "{ended}");
    // Of Redis itself, the same families without the way to it: filled in order, so 12 of 200 keys are there.
    assert_eq!(figures.phase("redis/set").row("redis/set").count("ok"), 12, "{ended}");
    assert_eq!(figures.phase("redis/miss").row("redis/miss").count("ok"), 12, "{ended}");
    assert_eq!(figures.phase("cache/expiry").check("is gone after its time")["passed"], 20, "{ended}");
}
