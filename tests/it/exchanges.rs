//! Exchanges beside the figures: what came before a mistake, with which response a check failed first, and the slowest
//! and the first failing requests as lines that a shell runs.

use std::process::Command;

use serde_json::Value;

use crate::harness::{Ended, Program, TestLab};

fn run(rest: &str, arguments: &[&str]) -> (TestLab, Ended) {
    let lab = TestLab::start();
    let script = format!("let shop = target(env(\"TARGET\"));\n{rest}");
    let ended = Program::run_against(&script, &lab.url()).args(arguments).run();
    (lab, ended)
}

#[track_caller]
fn of_message<'a>(ended: &'a Ended, field: &str, part: &str) -> &'a Value {
    let all = ended.figures().phase("main").0[field].as_array().expect("messages");
    let found = all.iter().find(|it| it["message"].as_str().is_some_and(|message| message.contains(part)));
    &found.unwrap_or_else(|| panic!("no {part:?} in {all:?}"))["example"]
}

#[track_caller]
fn shows(example: &Value, method: &str, path: &str, status: u64, body: &str) {
    let is = (example["method"].as_str(), example["path"].as_str(), example["status"].as_u64());
    assert_eq!(is, (Some(method), Some(path), Some(status)), "{example:#}");
    assert!(example["body"].as_str().is_some_and(|text| text.contains(body)), "{body:?} in {example:#}");
}

#[test]
fn a_mistake_is_told_with_the_exchange_before_it() {
    let (lab, ended) = run(
        r#"
        let steps = [
            |vu| { vu.get("/health"); vu.get("/lab/status/404?a=1"); throw "at once"; },
            |vu| { vu.get("/lab/echo?a=2"); vu.think(1.ms); throw "after a pause"; },
            |vu| { vu.batch(["/lab/fixed?ms=60", "/health"]); throw "after a batch"; },
            |vu| { vu.group("g", |vu| { vu.post("/lab/echo?a=3", #{ a: 3 }); throw "in a group"; }); },
            |vu| { vu.get("/lab/bytes/20").json("a"); },
            |vu| { vu.get("/lab/echo?a=4"); vu.fail("given up"); },
            |vu| { throw "without any"; },
        ];
        let entries = [];
        for (step, n) in steps { entries.push([1, flow(`f${n}`, step)]); }
        entries.push([1, get("/lab/status/409").name("t").check("c", |res| { throw "in a check" })]);
        phase("main").run(mix(entries)).users(2).iterations(80);
        "#,
        &["--workers", "2"],
    );
    for (part, method, path, status, body) in [
        ("at once", "GET", "/lab/status/404?a=1", 404, ""),
        ("after a pause", "GET", "/lab/echo?a=2", 200, "\"a\":\"2\""),
        ("after a batch", "GET", "/lab/fixed?ms=60", 200, ""),
        ("in a group", "POST", "/lab/echo?a=3", 200, "\"a\":\"3\""),
        ("is not JSON", "GET", "/lab/bytes/20", 200, ""),
        ("in a check", "GET", "/lab/status/409", 409, ""),
    ] {
        shows(of_message(&ended, "script_errors", part), method, path, status, body);
    }
    shows(of_message(&ended, "failure_reasons", "given up"), "GET", "/lab/echo?a=4", 200, "\"a\":\"4\"");
    assert!(of_message(&ended, "script_errors", "without any").is_null(), "{ended}");
    shows(&ended.figures().phase("main").check("c")["example"], "GET", "/lab/status/409", 409, "");
    assert!(ended.stdout.contains("after GET /lab/status/404?a=1 → 404"), "{ended}");
    drop(lab);
}

#[test]
fn a_check_shows_with_what_it_failed_first() {
    let (_lab, ended) = run(
        r#"
        let nth = seq();
        let visit = flow("visit", |vu| {
            let n = nth.next();
            let first = vu.get(`/lab/echo?n=${n}`);
            let second = vu.get("/health");
            check("plain", n < 5);
            first.check("of the first", n < 8);
            check("holds", true);
        });
        let saved = get("/lab/status/404").name("saved").save("token", "$.token");
        phase("main").run(visit).users(1).iterations(20);
        phase("saves").run(saved).users(1).iterations(3);
        "#,
        &["--workers", "1"],
    );
    let check = |name: &str| &ended.figures().phase("main").check(name)["example"];
    shows(check("plain"), "GET", "/health", 200, "");
    shows(check("of the first"), "GET", "/lab/echo?n=8", 200, "\"n\":\"8\"");
    assert!(check("holds").is_null());
    shows(&ended.figures().phase("saves").check("saved token")["example"], "GET", "/lab/status/404", 404, "");
    assert!(ended.stdout.contains("first: GET /health → 200"), "{ended}");
}

fn lines(row: &Value, which: &str) -> Vec<Value> {
    row[which].as_array().expect("a list").clone()
}

#[track_caller]
fn replay(line: &str) -> u64 {
    // The tail goes behind the last argument.
    let script = format!("{line} -o /dev/null -w '%{{http_code}}'");
    let output = Command::new("sh").args(["-c", &script]).env("TOKEN", "t0ken-of-mine").output().expect("a shell");
    let text = String::from_utf8_lossy(&output.stdout);
    text.parse().unwrap_or_else(|_| panic!("{line}: {text} {}", String::from_utf8_lossy(&output.stderr)))
}

#[test]
fn a_shell_sends_the_same_again() {
    let (lab, ended) = run(
        r#"
        let nth = seq();
        let odd = "it's \"odd\": $HOME `x` %d \\ \n\ttab é 日本";
        let talk = flow("talk", |vu| {
            vu.bearer("t0ken-of-mine");
            vu.send(get(`/lab/fixed?ms=${nth.next() % 7}`).name("fixed"));
            vu.send(post("/lab/echo").text(odd).header("x-odd", "it's $HOME").name("text"));
            vu.send(put("/lab/echo").query("q", "a b&c{d}").json(#{ name: "O'Hara", n: [1, 2] }).name("json"));
            vu.send(post("/lab/echo").form(#{ a: "x y", b: "ä" }).name("form"));
            vu.send(post("/lab/echo").name("empty"));
            vu.send(delete("/lab/echo").name("delete"));
            vu.send(head("/health").name("head"));
            vu.send(get("/lab/status/503").name("bad"));
        });
        let errors = mix([[1, get("/lab/status/404").name("bad")], [1, get("/lab/status/500").name("bad")]]);
        phase("main").run(talk).users(2).iterations(30);
        phase("errors").run(errors).users(1).iterations(20);
        "#,
        &["--workers", "2", "--exemplars"],
    );
    let figures = ended.figures();
    let before = lab.arrivals();
    for name in ["fixed", "text", "json", "form", "empty", "delete", "head"] {
        let row = figures.phase("main").row(name);
        let slowest = lines(row.0, "slowest");
        assert_eq!(slowest.len(), 3, "{name} {ended}");
        let response: Vec<u64> = slowest.iter().map(|it| it["response_us"].as_u64().expect("a time")).collect();
        assert_eq!(Some(response[0]), row.0["response_us"]["max"].as_u64(), "{name}: the slowest is the maximum");
        assert!(response.is_sorted_by(|a, b| a >= b), "{response:?}");
        for it in &slowest {
            let at = |field: &str| it[field].as_u64().unwrap_or_else(|| panic!("no {field} in {it:#}"));
            let stamps = ["planned_us", "started_us", "sent_us", "first_byte_us", "end_us"].map(at);
            assert!(stamps.is_sorted(), "{stamps:?}");
            // Each is rounded by itself.
            assert!((at("end_us") - at("planned_us")).abs_diff(at("response_us")) <= 1, "{it:#}");
            assert!(at("response_us") >= at("service_us"), "{it:#}");
        }
        let line = slowest[0]["curl"].as_str().expect("a line");
        assert!(!line.contains("t0ken-of-mine") && line.contains("$TOKEN"), "{line}");
        let arrivals = lab.seen();
        assert_eq!(Some(replay(line)), slowest[0]["status"].as_u64(), "{line}");
        assert_eq!(lab.seen(), arrivals + 1, "{line}");
        // The bytes of the body and all that the log of the lab has are those of the run.
        let sent = lab.arrivals().last().cloned().expect("an entry");
        let of_run = before
            .iter()
            .any(|entry| (entry.method, &entry.path, entry.body_bytes) == (sent.method, &sent.path, sent.body_bytes));
        assert!(of_run, "{line}: {sent:?}");
    }
    let failing = lines(figures.phase("errors").row("bad").0, "failing");
    let mut statuses: Vec<u64> = failing.iter().map(|it| it["status"].as_u64().expect("a status")).collect();
    for it in &failing {
        let line = it["curl"].as_str().expect("a line");
        assert_eq!(Some(replay(line)), it["status"].as_u64(), "{line}");
        assert_eq!(it["error"], "failed_status");
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [404, 500], "the first of each way to fail");
    assert_eq!(lines(figures.phase("main").row("bad").0, "failing").len(), 1);
    assert!(lines(figures.phase("main").row("bad").0, "slowest").is_empty());
    for part in ["slowest of fixed", "first to fail of bad", "curl -sSi", "$TOKEN"] {
        assert!(ended.stdout.contains(part), "{part:?} in {ended}");
    }
    let file = std::fs::read_dir(ended.folder()).expect("a folder").filter_map(Result::ok).map(|entry| entry.path());
    let file = file.into_iter().find(|path| path.extension().is_some_and(|kind| kind == "loadr")).expect("a run file");
    let again = Program::new(["report".as_ref(), file.as_os_str(), "--exemplars".as_ref()]).run();
    assert_eq!(again.stdout, ended.stdout, "the run file has them too");
    for (form, part) in [("html", "<pre>curl -sSi"), ("markdown", "- first failure of bad:")] {
        let page = Program::new(["report".as_ref(), file.as_os_str(), "--form".as_ref(), form.as_ref()]).run();
        assert!(page.stdout.contains(part), "{form}: {page}");
    }
}

/// Tokens that no script called a secret, and cookies: a server gave them.
#[test]
fn no_credential_is_left_in_what_is_kept() {
    let (lab, ended) = run(
        r#"
        shop.on_start(|vu| {
            let res = vu.post("/api/auth/login", #{ email: "ann@example.com", password: "demo" });
            vu.token = res.json("access_token");
            vu.bearer(vu.token);
            vu.cookie("sid", "c00kie-of-mine");
        });
        let talk = flow("talk", |vu| {
            vu.send(post("/lab/echo").text(`I am ${vu.token}`));
            vu.get(`/lab/status/404?access_token=${vu.token}`);
            check("never", false);
            throw "x";
        });
        phase("main").run(talk).users(2).iterations(20);
        "#,
        &["--exemplars"],
    );
    shows(of_message(&ended, "script_errors", "x"), "GET", "/lab/status/404?access_token=***", 404, "");
    assert!(ended.stdout.contains("$TOKEN") && ended.stdout.contains("$COOKIE"), "{ended}");
    let summary = ended.read("summary.json");
    // A JSON web token starts so.
    for page in [&summary, &ended.stdout] {
        assert!(!page.contains("eyJ") && !page.contains("c00kie-of-mine") && !page.contains("\"demo\""), "{page}");
    }
    drop(lab);
}
