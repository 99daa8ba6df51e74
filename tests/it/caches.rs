//! Cache experiments against the lab, whose cache counts its own hits.

use std::time::Duration;

use loadr::lab::LabOptions;
use serde_json::Value;

use crate::harness::{Ended, Program, TestLab, until};

const SCRIPT: &str = r#"
    import "std/cache" as cache;
    let shop = target(env("TARGET"));
    cache::experiment("items", #{
        keys:     zipf(2_000, 0.99).scrambled(),
        request:  |key| get(`/api/items/${key}`),
        classify: cache_status(),
        purge:    request("PURGE", "/cache"),
        rate:     150.per_second,
        calibrate: 3, cold: 2.s, warm: 4.s, settles: "4s", steady: 3.s, pairs: 12, pair_keys: 10,
    });
    slo("pays", #{ experiment: "items", hit_ratio: "> 20%", speedup_p50: "> 2x", hit_p50: "< 1s", miss_p50: "> 1ms" });
"#;

fn lab() -> TestLab {
    TestLab::with(LabOptions { origin_delay: Duration::from_millis(25), ..LabOptions::default() })
}

fn get(url: &str) -> Value {
    let url = url.to_owned();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let _ = rustls::crypto::ring::default_provider().install_default();
    runtime.block_on(async {
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        client.get(url).send().await.expect("an answer").json().await.expect("JSON")
    })
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("no number but {value}"))
}

#[test]
fn an_experiment_says_what_the_cache_counts_itself() {
    let lab = lab();
    let program = Program::run_against(SCRIPT, &lab.url()).args(["--seed", "5", "--results", "run.loadr"]);
    let ended = program.args(["--markdown", "run.md", "--html", "run.html"]).run();
    assert!(matches!(ended.code, Some(0 | 97)), "{ended}");
    let summary = &ended.figures().0;
    let found = &summary["experiments"][0];
    let part = |word: &str| {
        let parts = found["parts"].as_array().expect("parts");
        parts.iter().find(|part| part["part"] == word).unwrap_or_else(|| panic!("no part {word}; {ended}"))
    };
    let (cold, steady) = (part("cold"), part("steady"));
    assert!(number(&cold["cache"]["hit_ratio"]) < number(&steady["cache"]["hit_ratio"]), "{ended}");
    // The cache has room for every key: it hits whatever was asked for before.
    let ratio = number(&steady["cache"]["hit_ratio"]);
    assert!((ratio - number(&steady["ceiling"])).abs() < 0.12, "{ended}");
    let median = &found["speedup"][0];
    assert!(number(&median["ratio_low"]) > 1.0, "a miss takes 25 ms longer; {ended}");
    assert!((10_000.0..500_000.0).contains(&number(&median["saved_us"])), "{ended}");
    assert_eq!(found["blocks"], 12, "{ended}");
    for slo in summary["slos"].as_array().expect("SLOs") {
        assert_eq!(slo["verdict"], "pass", "{ended}");
    }

    // Every response has been classified as the cache counted it.
    let (mut hits, mut misses) = (0.0, 0.0);
    for phase in summary["phases"].as_array().expect("phases") {
        for row in phase["requests"].as_array().expect("rows").iter().filter(|row| !row["cache"].is_null()) {
            hits += number(&row["cache"]["hits"]);
            misses += number(&row["cache"]["misses"]) + number(&row["cache"]["collapsed"]);
        }
    }
    let counted = get(&format!("{}/lab/stats", lab.url()));
    let cache = &counted["cache"];
    assert_eq!((hits, misses), (number(&cache["hits"]), number(&cache["misses"])), "{counted} {ended}");

    assert!(ended.stdout.contains("experiment items"), "{ended}");
    assert!(
        ended.read("run.md").contains("### Experiment items") && ended.read("run.html").contains("Hit ratio over time")
    );
    let file = ended.folder().join("run.loadr");
    let again = Program::new(["report".as_ref(), file.as_os_str()]).arg("--json").run();
    let again: Value = serde_json::from_str(&again.stdout).expect("JSON");
    assert_eq!(again["experiments"], summary["experiments"], "a report of the file says the same");
}

/// An experiment of these parts alone.
fn parts(options: &str) -> String {
    format!(
        r#"
        import "std/cache" as cache;
        let shop = target(env("TARGET"));
        cache::experiment("items", #{{
            keys: zipf(400, 0.99), request: |key| get(`/api/items/${{key}}`), purge: request("PURGE", "/cache"),
            calibrate: (), cold: (), steady: (), pairs: (), {options}
        }});"#
    )
}

#[test]
fn lifetimes_and_stampedes_are_found() {
    for coalesce in [false, true] {
        let options = LabOptions {
            origin_delay: Duration::from_millis(60),
            cache_ttl: Duration::from_secs(1),
            coalesce,
            ..LabOptions::default()
        };
        let lab = TestLab::with(options);
        let ended = Program::run_against(&parts("warm: (), ttl: 1.s, stampede: 6, stampedes: 5"), &lab.url()).run();
        assert_eq!(ended.code, Some(0), "{ended}");
        let found = &ended.figures().0["experiments"][0];
        let ttl = &found["ttl"];
        assert!(ttl["hits"].as_u64() > Some(10) && ttl["misses"].as_u64() > Some(10), "{ended}");
        // An age is told when the request leaves; it is looked up a little later.
        assert!(number(&ttl["alive_us"]) <= 1_010_000.0 && number(&ttl["dead_us"]) >= 800_000.0, "{ended}");
        assert_eq!((&ttl["sliding"], &ttl["told_us"]), (&false.into(), &1_000_000.into()), "{ended}");
        let stampede = &found["stampede"];
        assert_eq!((&stampede["rounds"], &stampede["at_once"]), (&5.into(), &6.into()), "{ended}");
        let coalesced = number(&stampede["coalesced"]);
        assert!(if coalesce { coalesced > 0.9 } else { coalesced < 0.3 }, "{ended}");
        assert!(
            ended.stdout.contains("entries hit up to an age of") && ended.stdout.contains("stampede: of 6"),
            "{ended}"
        );
        // What the section has in words is no metric of the script's besides, and purging has no table.
        assert!(!ended.stdout.contains("metric items age"), "{ended}");
        assert!(ended.stdout.contains("\nitems/ttl/purge  1 iteration, ok in "), "{ended}");
    }
}

#[test]
fn a_lifetime_that_is_not_the_expected_one_is_told_with_what_the_responses_say() {
    let script = parts("warm: (), ttl: env(\"TTL\"), ttl_keys: 24");
    let run = |demo: &str, ttl: &str| {
        let ended = Program::run_of(&script).args([demo, "-e", ttl]).run();
        assert_eq!(ended.code, Some(0), "{ended}");
        ended
    };
    let right = run("--demo=cache-ttl=1s,origin-delay=1ms", "TTL=1s");
    assert_eq!(right.figures().0["experiments"][0]["ttl"]["told_us"], 1_000_000, "{right}");
    assert!(right.stdout.contains("told") && !right.stdout.contains("! ttl"), "{right}");
    let wrong = run("--demo", "TTL=1s");
    let found = &wrong.figures().0["experiments"][0];
    assert!(found["ttl"]["dead_us"].is_null() && found["ttl"]["told_us"] == 60_000_000, "{wrong}");
    let warning = found["warnings"][0].as_str().unwrap_or_default();
    assert!(warning.contains("beyond the 1s expected: its responses tell of 1m"), "{wrong}");

    let unknown = Program::run_of(&script).arg("--demo=cache-tl=1s").run();
    assert!(unknown.code == Some(2) && unknown.stderr.contains("'--cache-tl'"), "{unknown}");
}

#[test]
fn the_size_of_the_cache_is_found() {
    let options = LabOptions {
        origin_delay: Duration::from_millis(1),
        cache_capacity: std::num::NonZeroUsize::new(60).expect("some"),
        ..LabOptions::default()
    };
    let lab = TestLab::with(options);
    let sizes = parts("warm: 3.s, settles: \"2s\", rate: 500.per_second, working_set: [30, 400], size_time: 4.s");
    let ended = Program::run_against(&sizes, &lab.url()).args(["--seed", "3"]).run();
    assert!(matches!(ended.code, Some(0 | 97)), "{ended}");
    let found = &ended.figures().0["experiments"][0]["working_set"];
    let capacity = number(&found["capacity"]);
    assert!((35.0..100.0).contains(&capacity), "{capacity} for 60; {ended}");
    assert_eq!(found["at_least"], false, "{ended}");
}

#[test]
fn what_cannot_be_an_experiment_is_said_before_the_run() {
    let head = "import \"std/cache\" as cache;\ntarget(\"http://127.0.0.1:9\");\n";
    let request = "request: |key| get(`/${key}`)";
    for (script, expected) in [
        (format!("cache::experiment(\"x\", #{{ keys: zipf(9, 0.9), {request} }});"), "no key is ever cold"),
        (
            format!("cache::experiment(\"x\", #{{ keys: 7, {request}, purge: get(\"/p\") }});"),
            "`keys` takes a generator of keys; found the number 7",
        ),
        (
            format!("cache::experiment(\"x\", #{{ keys: zipf(9, 0.9), {request}, purges: get(\"/p\") }});"),
            "there is no option `purges`",
        ),
        (
            format!(
                "cache::experiment(\"x\", #{{ keys: trace(\"k\"), {request}, purge: get(\"/p\"), working_set: [1] }});"
            ),
            "a trace has none",
        ),
        (
            format!("cache::experiment(\"x\", #{{ keys: zipf(9, 0.9), {request}, purge: get(\"/p\"), outage: 7 }});"),
            "`outage` takes a map",
        ),
        (
            "phase(\"a\").run(get(\"/\")).iterations(1);\nslo(\"s\", #{ experiment: \"y\", hit_ratio: \"> 1%\" });".to_owned(),
            "about an experiment `y`, which does not exist",
        ),
        (
            "phase(\"a\").run(get(\"/\")).iterations(1);\ncache_experiment(\"y\", #{ request: \"GET /\", steady: \"b\" });"
                .to_owned(),
            "the experiment `y` has no phase `b`",
        ),
        ("phase(\"a\").run(get(\"/\")).users(1).during(1.s).ends_when(\"p95 settles\");".to_owned(), "can settle"),
        ("phase(\"a\").run(get(`/${uuid().scrambled()}`)).iterations(1);".to_owned(), "`scrambled` is for keys"),
    ] {
        let ended = Program::run_of(&format!("{head}{script}")).file("k", "1\n2\n").run();
        assert_eq!(ended.code, Some(104), "{script}: {ended}");
        assert!(ended.stderr.contains(expected), "{script}: {ended}");
    }
}

/// A run that was killed has what its counters said of phases that had ended, and judges nothing that did not happen.
#[test]
fn a_killed_experiment_reports_what_it_had() {
    let lab = lab();
    let script = r#"
        import "std/cache" as cache;
        let shop = target(env("TARGET"));
        cache::experiment("items", #{
            keys: zipf(50, 0.99), request: |key| get(`/api/items/${key}`), purge: request("PURGE", "/cache"),
            truth: endpoint("/lab/stats", "$.cache.hits", "$.cache.misses"),
            calibrate: (), cold: 2.s, warm: (), steady: 60.s, pairs: 10,
        });
        slo("pays", #{ experiment: "items", hit_ratio: "> 20%", speedup_p50: "> 2x" });
    "#;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("run.loadr");
    let report = || Program::new(["report".as_ref(), file.as_os_str()]).arg("--json").run();
    let running = Program::run_against(script, &lab.url()).arg("--results").arg(&file).start();
    running.until_stderr_says("items/steady");
    let looked_up = |report: &Ended| {
        let summary: Value = serde_json::from_str(&report.stdout).unwrap_or_default();
        summary["experiments"][0]["parts"][1]["cache"]["hits"].as_u64()
    };
    until("some seconds of the steady phase in the file", Duration::from_secs(30), || looked_up(&report()) > Some(100));
    running.signal(rustix::process::Signal::KILL);
    running.wait();
    let report = report();
    let summary: Value = serde_json::from_str(&report.stdout).expect("JSON");
    let found = &summary["experiments"][0];
    assert!(summary["partial"].is_string() && summary["exit_code"] == 105, "{report}");
    let truth = found["truth"].as_array().expect("what was counted");
    assert_eq!(
        (truth.len(), &truth[0]["part"], &truth[0]["verdict"]),
        (1, &"cold".into(), &"agrees".into()),
        "{report}"
    );
    let slos = summary["slos"].as_array().expect("SLOs");
    let of = |target: &str| {
        let row = slos.iter().find(|row| row["target"].as_str().is_some_and(|it| it.starts_with(target)));
        row.unwrap_or_else(|| panic!("no {target}; {report}"))["verdict"].clone()
    };
    assert_eq!((of("hit_ratio"), of("speedup")), ("pass".into(), "not_run".into()), "{report}");
}
