//! `loadr plan`: what it foretells is what a run does.

use crate::harness::{Ended, Program, TestLab};

/// Every kind of phase, on one axis.
const RICH: &str = r#"
    //! A day in the life of a shop.
    let shop = target(env("TARGET", "http://127.0.0.1:9"));
    let users = csv("users.csv").unique();
    let item = zipf(500, 0.99);
    let key = secret("API_KEY", "canary-31");
    note("the first draft");
    let traffic = mix([
        [5, get(`/api/items/${item}`).name("item").header("x-key", key)],
        [3, post("/api/auth/login", #{ email: users.next().email }).name("log in")],
        [2, flow("checkout", |vu| { vu.get("/health"); })],
    ]);
    phase("warm-up").run(traffic).users(1, 10).during(5.s).warmup().pace(1.s);
    phase("sustained").run(traffic).rate(50.per_second).during(20.s).max_in_flight(100).overflow("drop");
    phase("probe").run(get("/health")).users(1).during(20.s).alongside("sustained").throttle(2.per_second);
    phase("ramp").run(traffic).stages([[10.s, 100.per_second], [5.s, 10.per_second]]).ends_when("p99 > 1s over 10s");
    phase("bursts").run(traffic).burst(50).every(5.s).times(3).drain(2.s);
    phase("count").run(traffic).users(5).iterations(100);
    phase("steps").run(traffic).repeat([10, 20], |p, n| p.rate(`${n}/1s`).during(4.s));
    phase("late").run(get("/health")).burst(10).at(30.s);
    slo("reads stay fast", #{ phase: "sustained", request: "item", p95: "< 10ms", p99: "< 25ms" });
    slo("nothing fails", #{ errors: "< 1%", abort: true, over: 10.s });
"#;

fn users(rows: usize) -> String {
    let mails = (0..rows).map(|n| format!("user{n}@example.org\n"));
    std::iter::once("email\n".to_owned()).chain(mails).collect()
}

fn plan(script: &str, arguments: &[&str]) -> Ended {
    Program::new(["plan", "mix.rhai", "--seed=7"])
        .args(arguments)
        .file("mix.rhai", script.trim_start())
        .file("users.csv", users(400))
        .run()
}

/// The transcript without the plan's hash, which changes with every field of a plan.
fn transcript(ended: &Ended) -> String {
    let lines = ended.transcript();
    let tidy = |line: &str| match line.split_once(" · plan ") {
        Some((before, _)) => format!("{before} · plan [HASH]\n"),
        None => format!("{line}\n"),
    };
    lines.lines().map(tidy).collect()
}

fn json(script: &str, arguments: &[&str]) -> serde_json::Value {
    let ended = plan(script, &[&["--json"], arguments].concat());
    assert_eq!((ended.code, &*ended.stderr), (Some(0), ""), "{ended}");
    serde_json::from_str(&ended.stdout).expect("JSON")
}

#[test]
fn a_plan_is_drawn() {
    let ended = plan(RICH, &["--schedule=5"]);
    insta::assert_snapshot!(transcript(&ended));
    assert!(ended.stdout.lines().all(|line| unicode_width::UnicodeWidthStr::width(line) <= 80), "{ended}");
    assert!(!ended.stdout.contains('\u{1b}') && !ended.stdout.contains("canary"), "{ended}");
    let coloured = plan(RICH, &["--schedule=5", "--color=always"]).stdout;
    assert!(coloured.contains('\u{1b}'));
}

#[test]
fn a_plan_of_one_burst_is_drawn() {
    let script = "let shop = target(\"http://127.0.0.1:9\");\nphase(\"all\").run(get(\"/\")).burst(1);\n";
    insta::assert_snapshot!(transcript(&plan(script, &[])));
}

#[test]
fn mistakes_are_told_as_a_run_tells_them() {
    let script = "let shop = target(\"http://127.0.0.1:9\");\nphase(\"all\").run(get(\"/\")).brust(1);\n";
    let ended = plan(script, &[]);
    assert_eq!((ended.code, &*ended.stdout), (Some(104), ""), "{ended}");
    assert!(ended.stderr.contains("did you mean `burst`"), "{ended}");
    let ended = Program::new(["plan", "no.rhai"]).run();
    assert_eq!(ended.code, Some(1), "{ended}");
}

#[test]
fn how_far_a_target_is_and_whether_it_is_refused_is_told() {
    for (url, arguments, distance, refused) in [
        ("http://127.0.0.1:9", &[][..], "loopback", false),
        ("http://10.1.2.3", &[], "private", false),
        ("http://192.0.2.1", &[], "public", true),
        ("http://192.0.2.1", &["--allow-target=192.0.2.1"], "public", false),
        ("http://169.254.169.254", &["--allow-target=169.254.169.254"], "private", true),
        ("http://no-such-host.invalid", &[], "unknown", true),
    ] {
        let script = format!("let shop = target(\"{url}\");\nphase(\"all\").run(get(\"/\")).burst(1);\n");
        let plan = json(&script, arguments);
        let target = &plan["targets"][0];
        assert_eq!(
            (&target["distance"], target["refused"].is_string()),
            (&distance.into(), refused),
            "{url}: {target}"
        );
    }
}

/// Phases whose counts a plan can tell, over templates and flows alike.
const COUNTED: &str = r#"
    let shop = target(env("TARGET", "http://127.0.0.1:9"));
    let traffic = mix([[5, get("/lab/echo?a").name("a")], [3, get("/lab/echo?b").name("b")], [2, flow("c", |vu| { vu.get("/lab/echo?c"); })]]);
    phase("open").run(traffic).rate(101.per_second).during(1.s);
    phase("poisson").run(traffic).rate(100.per_second).arrivals("poisson").during(1.s);
    phase("ramp").run(traffic).rate(10.per_second, 90.per_second).during(1.s);
    phase("dice").run(mix([[1, get("/lab/echo?x").name("x")], [2, get("/lab/echo?y").name("y")]]).random()).burst(31).every(300.ms).times(3);
    phase("count").run(traffic).users(3).iterations(37);
    phase("each").run(traffic).users(3).each_user(7);
"#;

#[test]
fn expected_counts_are_those_of_the_run() {
    let lab = TestLab::start();
    let ended = Program::run_against(COUNTED, &lab.url()).arg("--seed=7").run();
    let plan = json(COUNTED, &[]);
    for phase in plan["phases"].as_array().expect("phases") {
        let name = phase["name"].as_str().expect("a name");
        let ran = ended.figures().phase(name);
        assert_eq!(phase["iterations"]["is"], "exact", "{name}");
        assert_eq!(phase["iterations"]["count"], ran.0["offered"], "{name}: {ended}");
        for entry in phase["entries"].as_array().expect("entries") {
            let of = if entry["kind"] == "flow" { "flows" } else { "requests" };
            let rows = ran.0[of].as_array().expect("rows");
            let row = rows.iter().find(|row| row["name"] == entry["name"]).expect("a row of that name");
            assert_eq!(entry["iterations"]["count"], row["offered"], "{name}: {entry}");
        }
    }
}

/// Everything that can be drawn for a path, after phases of every kind whose counts are known.
const DRAWN: &str = r#"
    let shop = target(env("TARGET", "http://127.0.0.1:9"));
    let users = csv("users.csv").unique();
    let user = users.next();
    let traffic = mix([
        [2, get(`/lab/echo?u=${uuid()}&n=${seq()}`).name("ids")],
        [2, get(`/lab/echo?k=${zipf(500, 0.99)}&w=${alnum(6)}`).name("keys")],
        [1, get("/lab/echo").query("mail", user.email).query("odds", float(0, 1)).name("row")],
    ]);
    phase("count").run(traffic).users(2).iterations(10);
    phase("open").run(traffic).rate(60.per_second).arrivals("poisson").during(1.s);
    phase("burst").run(traffic).burst(20);
"#;

#[test]
fn the_schedule_is_what_the_target_gets() {
    let lab = TestLab::start();
    let plan = json(DRAWN, &["--schedule=50"]);
    let schedule = plan["schedule"]["arrivals"].as_array().expect("arrivals").clone();
    assert_eq!(schedule.len(), 50);
    assert_eq!(plan["schedule"]["closed"], serde_json::json!(["count"]));
    let ended = Program::run_against(DRAWN, &lab.url())
        .arg("--seed=7")
        .args(["--workers=3"])
        .file("users.csv", users(400))
        .run();
    assert_eq!(ended.figures().phase("open").0["errors"], 0, "{ended}");
    let arrivals = lab.arrivals();
    // How long after its time each came, from an origin of the lab's own.
    let mut delays = Vec::new();
    for row in &schedule {
        let path = row["path"].as_str().expect("a path");
        let mut sent = arrivals.iter().filter(|entry| *entry.path == *path);
        let entry = sent.next().unwrap_or_else(|| panic!("{path} was never sent; {ended}"));
        assert_eq!(entry.method, row["method"].as_str().expect("a method"));
        if row["phase"] == "open" {
            delays.push(entry.arrival_ns as f64 / 1e9 - row["due_s"].as_f64().expect("a time"));
        }
    }
    delays.sort_by(f64::total_cmp);
    let spread = delays[delays.len() / 2] - delays[0];
    assert!(spread < 0.03, "half of the arrivals are {spread} s and more off the schedule: {delays:?}");
    let open: Vec<&str> =
        schedule.iter().filter(|row| row["phase"] == "open").filter_map(|row| row["path"].as_str()).collect();
    assert!(open.len() > 20, "{open:?}");
    let unique: std::collections::BTreeSet<_> = open.iter().collect();
    assert_eq!(unique.len(), open.len(), "each request of this script is unlike the others");
}

#[test]
fn rows_that_run_out_are_foretold() {
    let script = r#"
        let shop = target(env("TARGET", "http://127.0.0.1:9"));
        let users = csv("users.csv").unique();
        let user = users.next();
        phase("first").run(get("/lab/echo")).burst(150);
        phase("second").run(get(`/lab/echo?mail=${user.email}`).name("row")).rate(1000.per_second).during(1.s);
    "#;
    let out = &json(script, &[])["data"][0];
    // Rows go by the number of the iteration in the run: 150 of 400 are passed over by the first phase.
    assert_eq!(out["runs_out"]["phase"], "second", "{out}");
    assert_eq!(out["runs_out"]["after_iterations"], 250, "{out}");
    assert_eq!(out["runs_out"]["certain"], true, "{out}");
    let lab = TestLab::start();
    let ended = Program::run_against(script, &lab.url()).arg("--workers=1").file("users.csv", users(400)).run();
    let sent = lab.arrivals().iter().filter(|entry| entry.path.contains("mail=")).count();
    assert_eq!(sent, 250, "{ended}");

    let enough = json(&script.replace("during(1.s)", "during(250.ms)"), &[]);
    assert_eq!(enough["data"][0]["runs_out"], serde_json::Value::Null);
    assert_eq!(enough["data"][0]["needed"], serde_json::json!({ "count": 400, "is": "exact" }));
    let closed = json(&script.replace("rate(1000.per_second)", "users(5)"), &[]);
    assert_eq!(closed["data"][0]["runs_out"]["certain"], false, "{closed}");
    let by_closure =
        script.replace("get(`/lab/echo?mail=${user.email}`).name(\"row\")", "flow(\"f\", |vu| users.next())");
    assert_eq!(json(&by_closure, &[])["data"][0]["runs_out"]["after_iterations"], 250);
}

#[test]
fn nothing_is_sent() {
    let lab = TestLab::start();
    let script = COUNTED.replace("http://127.0.0.1:9", &lab.url());
    assert_eq!((plan(&script, &["--schedule"]).code, lab.seen()), (Some(0), 0));
}
