//! `loadr try`: what was sent, what came, and what became of it.

use crate::harness::{Ended, Program, TestLab};

/// Setup, login, a template, a flow with everything that can happen in one, and teardown.
const RICH: &str = r#"
    //! All of it.
    let shop = target(env("TARGET"));
    let password = secret("PASSWORD");
    setup(|vu| { print("setting up"); #{ version: vu.get("/health").status } });
    teardown(|vu, data| { vu.log(`tearing down ${data.version}`); });
    shop.on_start(|vu| {
        let res = vu.post("/api/auth/login", #{ email: "a@b.c", password: password });
        vu.bearer(res.json("access_token"));
    });
    let login = post("/api/auth/login", #{ email: "x@y.z", password: password }).name("log in")
        .save("token", "$.token_type").check("is JSON", |res| res.json() != ());
    let checkout = flow("checkout", |vu| {
        vu.log(`the password is ${password}`);
        let cart = vu.post("/api/carts", #{ sku: 7, qty: 2 });
        check("cart created", cart.status == 201);
        check("costs nothing", false);
        vu.cart = cart.json("id");
        count("carts");
        vu.get("/lab/status/503");
    });
    let broken = flow("broken", |vu| { let none = (); none.field });
    phase("main").run(mix([[1, login], [1, checkout], [1, broken]])).rate(100.per_second).during(1.s);
    phase("again").run(mix([[1, login], [1, get("/lab/bytes/5000").name("long")]])).users(1).during(1.s);
"#;

fn attempt(script: &str, lab: &TestLab, arguments: &[&str]) -> Ended {
    Program::new(["try", "mix.rhai", "-e", "PASSWORD=demo", "--seed=7"])
        .arg("-e")
        .arg(format!("TARGET={}", lab.url()))
        .args(arguments)
        .file("mix.rhai", script.trim_start())
        .run()
}

fn steps(script: &str, arguments: &[&str]) -> (serde_json::Value, Ended, TestLab) {
    let lab = TestLab::start();
    let ended = attempt(script, &lab, &[&["--json"], arguments].concat());
    let json = serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended}"));
    (json, ended, lab)
}

fn step<'a>(trial: &'a serde_json::Value, name: &str) -> &'a serde_json::Value {
    let steps = trial["steps"].as_array().expect("steps");
    steps.iter().find(|step| step["name"] == name).unwrap_or_else(|| panic!("no step {name} in {trial:#}"))
}

#[test]
fn everything_runs_once_and_is_shown_as_the_target_got_it() {
    let (trial, ended, lab) = steps(RICH, &[]);
    assert_eq!((ended.code, &trial["exit_code"]), (Some(107), &107.into()), "{ended}");
    let names: Vec<_> = trial["steps"].as_array().expect("steps").iter().map(|it| it["name"].clone()).collect();
    assert_eq!(names, ["setup", "on_start", "log in", "checkout", "broken", "long", "teardown"]);
    let acts = trial["steps"].as_array().into_iter().flatten().flat_map(|step| step["acts"].as_array().expect("acts"));
    let sent: Vec<String> = acts
        .filter(|act| act["act"] == "request")
        .map(|act| {
            let url = act["url"].as_str().expect("a URL");
            format!("{} {}", act["method"].as_str().expect("a method"), url.trim_start_matches(&lab.url()))
        })
        .collect();
    let seen: Vec<String> = lab.arrivals().iter().map(|entry| format!("{} {}", entry.method, entry.path)).collect();
    assert_eq!(sent, seen);

    let login = step(&trial, "log in");
    assert_eq!((&login["ok"], &login["phase"], &login["kind"]), (&true.into(), &"main".into(), &"request".into()));
    assert_eq!(login["saved"]["token"], "Bearer", "{login:#}");
    let checks = ["is JSON", "saved token"].map(|name| serde_json::json!({ "name": name, "passed": 1, "failed": 0 }));
    assert_eq!(login["checks"], serde_json::json!(checks));
    let act = &login["acts"][0];
    assert_eq!((&act["status"], &act["reason"]), (&200.into(), &"OK".into()), "{act:#}");
    assert!(act["timings"]["total_ms"].as_f64().is_some_and(|ms| ms > 0.0), "{act:#}");
    assert!(act["response_body"]["text"].as_str().is_some_and(|text| text.contains("\n  \"access_token\"")), "{act:#}");
    let has = |list: &serde_json::Value, name: &str| {
        list.as_array()
            .expect("fields")
            .iter()
            .any(|field| field[0].as_str().is_some_and(|it| it.eq_ignore_ascii_case(name)))
    };
    assert!(has(&act["headers"], "authorization") && has(&act["response_headers"], "content-type"), "{act:#}");

    let checkout = step(&trial, "checkout");
    assert_eq!(checkout["ok"], false);
    assert_eq!(checkout["metrics"]["carts"], 1.0);
    assert!(checkout["saved"]["cart"].is_string() || checkout["saved"]["cart"].is_number(), "{checkout:#}");
    let broken = step(&trial, "broken");
    assert!(
        broken["script_errors"][0]["place"].as_str().is_some_and(|place| place.starts_with("mix.rhai:21:")),
        "{broken:#}"
    );
    assert_eq!(step(&trial, "setup")["value"]["version"], 200);
    assert_eq!(step(&trial, "setup")["acts"][0]["text"], "setting up");
    assert_eq!(step(&trial, "teardown")["acts"][0]["text"], "vu 1: tearing down 200");
    let long = step(&trial, "long");
    assert_eq!(long["acts"][0]["response_body"]["bytes"], 5_000, "kept although no script reads it");
}

#[test]
fn secrets_are_in_no_output() {
    let lab = TestLab::start();
    for arguments in [&[][..], &["--json"], &["--full"]] {
        let script = RICH.replace(
            "checkout\", |vu| {",
            "checkout\", |vu| { vu.kept = key; vu.header(\"x-key\", key); vu.log(key); \
             check(key, false); count(key); vu.get(`/lab/echo?p=${key}`); vu.fail(`bad ${key}`);",
        );
        let script = script.replace("let password", "let key = secret(\"KEY\");\n    let password");
        let ended = attempt(&script, &lab, &[&["-e", "KEY=canary-4411"], arguments].concat());
        assert!(ended.stdout.contains("***"), "{ended}");
        assert!(!ended.stdout.is_empty() && !ended.to_string().contains("canary"), "{ended}");
    }
    assert!(lab.arrivals().iter().any(|entry| entry.path.contains("canary-4411")), "the target does get it");
}

#[test]
fn a_person_reads_it_in_order() {
    let lab = TestLab::start();
    let ended = attempt(RICH, &lab, &[]);
    let text = &ended.stdout;
    let mut from = 0;
    for part in [
        "All of it.",
        "✓ setup",
        "| setting up",
        "→ GET http://",
        "/health",
        "← 200 OK",
        "data() = {\"version\":200}",
        "✓ on_start",
        "✓ log in, of phase main",
        "\"email\": \"x@y.z\"",
        "✓ check is JSON",
        "vu.token = \"Bearer\"",
        "✗ flow checkout, of phase main",
        "| vu 1: the password is ***",
        "← 201 Created",
        "← 503 Service Unavailable",
        "✓ check cart created",
        "✗ check costs nothing",
        "vu.cart =",
        "metric carts = 1",
        "✗ flow broken",
        "✗ script error at mix.rhai:21:",
        "✓ long, of phase again",
        "… of 5kB; all of it with --full",
        "✓ teardown",
        "2 of 7 steps failed · seed 7 · exit 107",
    ] {
        let at = text[from..].find(part).unwrap_or_else(|| panic!("{part} does not follow in {text}"));
        from += at + part.len();
    }
    assert!(!text.contains('\u{1b}') && ended.stderr.is_empty(), "{ended}");
    assert!(attempt(RICH, &lab, &["--color=always"]).stdout.contains('\u{1b}'));
    assert!(!attempt(RICH, &lab, &["--full"]).stdout.contains("all of it with --full"));
}

#[test]
fn one_entry_can_be_chosen() {
    let (trial, ended, lab) = steps(RICH, &["--entry", "log in", "--no-setup", "--no-teardown"]);
    assert_eq!(ended.code, Some(0), "{ended}");
    let names: Vec<_> = trial["steps"].as_array().expect("steps").iter().map(|it| it["name"].clone()).collect();
    assert_eq!(names, ["on_start", "log in"]);
    assert_eq!(lab.seen(), 2);
    let ended = attempt(RICH, &lab, &["--entry", "chekout"]);
    assert_eq!((ended.code, lab.seen()), (Some(2), 2), "{ended}");
    assert!(ended.stderr.contains("did you mean `checkout`"), "{ended}");
}

#[test]
fn the_exit_code_says_what_went_wrong() {
    let with =
        |body: &str| format!("let shop = target(env(\"TARGET\"));\nphase(\"p\").run({body}).users(1).iterations(5);\n");
    for (script, code, reason) in [
        (with("get(\"/health\")"), 0, "everything went as the script expects"),
        (with("get(\"/lab/status/500\")"), 99, "1 of 1 steps failed"),
        (with("get(\"/health\").check(\"no\", |res| false)"), 99, "✗ check no"),
        (with("flow(\"f\", |vu| vu.fail(\"for a reason\"))"), 99, "failed: for a reason"),
        (with("flow(\"f\", |vu| vu.abort(\"enough\"))"), 108, "aborted: enough"),
        (with("get(\"/lab/fixed?ms=5000\").timeout(50.ms)"), 99, "← timeout"),
        (with("get(\"/health\")") + "setup(|vu| { throw \"no\" });", 107, "ended early: setup failed"),
        (with("get(\"/health\")") + "shop.on_start(|vu| vu.fail(\"no\"));", 99, "no virtual user can work"),
        (with("get(\"/health\")") + "phase(\"p\");", 104, "two phases"),
    ] {
        let lab = TestLab::start();
        let ended = attempt(&script, &lab, &[]);
        assert_eq!(ended.code, Some(code), "{script} {ended}");
        assert!(code == 104 || ended.stdout.contains(reason), "{reason}: {ended}");
    }
    let ended = Program::new(["try", "mix.rhai", "-e", "TARGET=http://127.0.0.1:9"])
        .file("mix.rhai", with("get(\"/health\")"))
        .run();
    assert_eq!((ended.code, &*ended.stdout), (Some(1), ""), "{ended}");
}

#[test]
fn requests_of_a_batch_are_shown_in_the_order_they_were_sent() {
    let script = r#"
        let shop = target(env("TARGET"));
        phase("p").run(flow("f", |vu| vu.batch([get("/lab/fixed?ms=60"), get("/lab/fixed?ms=1")]))).users(1).iterations(1);
    "#;
    let (trial, ended, _lab) = steps(script, &[]);
    assert_eq!(ended.code, Some(0), "{ended}");
    let urls: Vec<_> = step(&trial, "f")["acts"].as_array().expect("acts").iter().map(|act| &act["url"]).collect();
    assert!(urls.len() == 2 && urls[0].as_str().is_some_and(|url| url.ends_with("ms=60")), "{urls:?}");
}

#[test]
fn nothing_a_server_says_steers_the_terminal() {
    let lab = TestLab::start();
    let script = "let bad = target(env(\"TARGET\"));\n\
                  phase(\"p\").run(mix([[1, get(\"/garbage\")], [1, flow(\"f\", |vu| vu.log(\"\\u001b[31m\\u0007\"))]])).users(1).iterations(2);";
    let ended = Program::new(["try", "mix.rhai", "-e"])
        .arg(format!("TARGET={}", lab.misbehaving_url()))
        .file("mix.rhai", script)
        .run();
    assert!(!ended.stdout.is_empty() && !ended.stdout.contains(['\u{1b}', '\u{7}']), "{ended}");
}
