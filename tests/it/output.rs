//! Where output goes, and what it looks like there.

use unicode_width::UnicodeWidthStr;

use crate::harness::{Ended, Program, TestLab};

/// All that a report can hold: two load models, classes, checks, failures, flows, metrics, SLOs that pass and fail.
const RICH: &str = r#"
    //! A scenario with a title that is a good deal longer than a line of eighty columns would like it to be.
    let shop = target(env("TARGET"));
    note("A note of the author's that also goes on and on, well beyond what fits into one line of a terminal.");
    fact("hardware", "a machine");
    let traffic = mix([
        [3, get("/health").check("is there", |res| res.ok)],
        [2, get(`/api/items/${int(1, 9)}`).name("an item whose name is rather long for a column of a table").classify(cache_status())],
        [1, get("/lab/status/503")],
        [1, flow("checkout", |vu| {
            let cart = vu.post("/api/carts", #{ sku: 1, qty: 1 });
            check("cart created", cart.status == 201);
            count("carts", 1);
            timing("thinking", 3.ms);
            if vu.iteration % 3 == 0 { throw "every third checkout fails, with a message that wants more room than there is"; }
        })],
    ]);
    phase("warm-up").run(traffic).users(2).iterations(14).warmup();
    phase("open").run(traffic).rate(200.per_second).during(1.s);
    phase("burst").run(traffic).burst(14);
    slo("reads are fast", #{ phase: "open", request: "GET /health", p95: "< 5s", p50: "< 1us" });
    slo("nothing fails", #{ errors: "< 1%" });
"#;

fn rich(tune: impl FnOnce(Program) -> Program) -> Ended {
    let lab = TestLab::start();
    let ended = tune(Program::run_against(RICH, &lab.url())).run();
    ended.expect(99);
    ended
}

#[track_caller]
fn assert_plain_and_narrow(text: &str, columns: usize) {
    assert!(!text.contains(['\u{1b}', '\r']), "no control sequences in {text}");
    for line in text.lines() {
        assert!(line.width() <= columns, "{} columns in {line:?}", line.width());
    }
}

#[test]
fn a_report_fits_into_eighty_columns() {
    for ended in [rich(|it| it), rich(|it| it.env("COLUMNS", "80"))] {
        assert_plain_and_narrow(&ended.stdout, 80);
        assert!(ended.stdout.lines().count() > 30, "{ended}");
    }
}

#[test]
fn a_report_uses_the_columns_it_is_given() {
    let ended = rich(|it| it.env("COLUMNS", "120"));
    assert_plain_and_narrow(&ended.stdout, 120);
    assert!(ended.stdout.lines().any(|line| line.width() > 80), "{ended}");
}

#[test]
fn colour_is_asked_for_or_of_a_terminal() {
    for (arguments, environment, is_coloured) in [
        (&[][..], &[][..], false),
        (&["--color=always"], &[], true),
        (&["--color=never"], &[], false),
        (&[], &[("NO_COLOR", "1")], false),
        (&[], &[("TERM", "xterm-256color")], false),
    ] {
        let ended = rich(|it| environment.iter().fold(it.args(arguments), |it, (name, value)| it.env(name, value)));
        assert_eq!(ended.stdout.contains('\u{1b}'), is_coloured, "{arguments:?} {environment:?}");
    }
}

#[test]
fn progress_is_on_standard_error_alone() {
    let ended = rich(|it| it);
    assert_plain_and_narrow(&ended.stderr, 80);
    for phase in ["open", "burst"] {
        assert!(ended.stderr.contains(phase) || phase == "burst", "{ended}");
    }
    assert!(!ended.stdout.contains("[1/3]"), "{ended}");
    let quiet = rich(|it| it.arg("--quiet"));
    assert_eq!(quiet.stderr, "");
    assert!(quiet.stdout.contains("nothing fails"), "{quiet}");
}

#[test]
fn nothing_a_server_says_steers_the_terminal() {
    let lab = TestLab::start();
    let script = "let bad = target(env(\"TARGET\"));\n\
                  phase(\"a\\u001b[31mred\").run(get(\"/garbage\")).users(1).iterations(5);\n\
                  note(\"bell \\u0007 and \\u001b]0;title\\u0007\");";
    let ended = Program::run_against(script, &lab.misbehaving_url()).run();
    assert!(!ended.stdout.contains(['\u{1b}', '\u{7}']), "{ended}");
    assert!(!ended.stderr.contains(['\u{1b}', '\u{7}']), "{ended}");
}

#[test]
fn secrets_are_in_no_output() {
    let lab = TestLab::start();
    let script = r#"
        let shop = target(env("TARGET"));
        let key = secret("API_KEY");
        shop.header("x-api-key", key);
        note(`the key is a really quite important one that nobody may ever see, and in full it reads ${key}`);
        fact(`key ${key}`, `${key}`);
        phase("main").run(flow("f", |vu| { vu.get(`/lab/echo?key=${key}`); vu.log(`key ${key}`); check(`key ${key}`, true); count(`key ${key}`, 1);
            if vu.iteration == 1 { vu.fail(`failed with ${key}`); }
            throw `bad key ${key}`; })).users(1).iterations(5);
    "#;
    let ended = Program::run_against(script, &lab.url()).arg("-e").arg("API_KEY=canary-9f2c71").run();
    assert!(lab.arrivals().iter().all(|entry| entry.path.contains("canary-9f2c71")), "the server does get it");
    assert!(ended.figures.is_some(), "{ended}");
    let everything = format!("{ended} {}", ended.figures().0);
    assert!(!everything.contains("canary-9f2c71"), "{everything}");
}

/// Fields that programs rely on: additions only.
#[test]
fn the_summary_has_its_fields() {
    let ended = rich(|it| it.arg("--seed=5"));
    let summary = &ended.figures().0;
    let fields = |value: &serde_json::Value, names: &[&str]| {
        for name in names {
            assert!(value.get(name).is_some(), "no {name} in {value:#}");
        }
    };
    fields(summary, &["verdict", "evidence", "exit_code", "seed", "plan_hash", "slos", "phases", "custom", "notes"]);
    assert_eq!(summary["seed"], 5);
    fields(&summary["slos"][0], &["name", "verdict", "target", "actual", "low", "high", "needed"]);
    let phase = ended.figures().phase("open");
    let of_phase = [
        "name",
        "load",
        "warmup",
        "start_s",
        "duration_s",
        "offered",
        "ok",
        "errors",
        "timeouts",
        "expired",
        "dropped",
        "interrupted",
        "rate_asked",
        "rate_achieved",
        "lateness_us",
        "requests",
        "flows",
        "checks",
    ];
    fields(phase.0, &of_phase);
    let row = phase.row("GET /health").0;
    fields(row, &["name", "class", "offered", "ok", "errors", "status", "response_us", "service_us", "ttfb_us"]);
    let of_latency = ["count", "min", "mean", "p50", "p75", "p90", "p95", "p99", "p99_9", "max", "withheld"];
    for latency in [&row["response_us"], &row["service_us"], &row["ttfb_us"]] {
        fields(latency, &of_latency);
    }
    // 86 samples cannot carry a p99.9: it is withheld, and what it takes is said.
    assert!(row["response_us"]["p99_9"].is_null());
    assert!(row["response_us"]["withheld"]["p99_9"].as_u64().is_some_and(|needed| needed > 1_000), "{row:#}");
    fields(&phase.0["checks"][0], &["name", "passed", "failed"]);
    let classes: Vec<_> =
        phase.0["requests"].as_array().expect("rows").iter().filter_map(|row| row["class"].as_str()).collect();
    assert!(classes.contains(&"hit"), "{classes:?}");
    assert_eq!(phase.check("cart created")["failed"], 0);
    let custom: Vec<_> = summary["custom"].as_array().expect("a list").iter().map(|it| it["name"].clone()).collect();
    assert_eq!(custom, ["carts", "thinking"]);
}
