//! Secrets: in none of what a run leaves behind, wherever the script puts them and however they are written.

use std::path::{Path, PathBuf};

use crate::harness::{Ended, Program, TestLab};

/// It has something to escape for every place.
const CANARY: &str = "c4na/ry+k&y \"q\" <x>é='9";

/// Every place where a script can put a text.
const SCRIPT: &str = r##"
let key = secret("CANARY");
let shop = target(env("TARGET")).header("x-key", `k ${key}`).basic("user", key);
note(`the key is ${key}`);
fact(`fact ${key}`, key);
teardown(|vu, data| { throw `down with ${key}`; });
shop.on_start(|vu| { vu.cookie("session", url_encode(key)); vu.token = key; });

let echo = post("/lab/echo", #{ key: key, list: [key] }).query("key", key).bearer(key).name(`request ${key}`)
    .check(`check ${key}`, |res| { res.body.contains("nothing") })
    .classify(|res| `class ${key}`).timeout(10.s);
let form = post("/lab/echo").form(#{ key: key }).header("x-text", key).cookie("k", url_encode(key));
let path = get(`/lab/status/404?key=${key}`);
let parts = post("/lab/echo").multipart(#{ key: key, file: file_part(`${key}.txt`, key, "text/plain") });
let long = alnum(90);

let talk = flow(`flow ${key}`, |vu| {
    let res = vu.send(echo);
    check(`said ${key}`, res.ok);
    count(`count ${key}`, 1); gauge(`gauge ${key}`, 1.0); timing(`timing ${key}`, 5.ms);
    vu.log(`log ${key}`); print(key); debug(key);
    vu.group(`group ${key}`, |vu| vu.get(`/lab/cookies?key=${url_encode(key)}`));
    vu.get(`/lab/status/500?${url_encode(key)}`);
});
let thrower = flow("thrower", |vu| { throw `no luck with ${key}`; });
let reader = flow("reader", |vu| { vu.send(post("/lab/echo").text(`${"x".len()} ${key} is no JSON`)).headers[key]; });
let cutter = flow("cutter", |vu| { vu.fail(`${long}${long}${key}`); });
let chars = flow("chars", |vu| { count(`${alnum(190)}${key}`, 1); });
let parser = flow("parser", |vu| { vu.get("/lab/bytes/10").json(key); });
let teller = flow("teller", |vu| {
    let res = vu.send(post(`/lab/echo?at=${url_encode(key)}`).text(`${key}${"y".len()}`).header("x-canary", key));
    vu.think(1.ms);
    check("told", false); res.check("told of it", false);
    throw `no ${res.body}`;
});
// What is cut off may end within the secret.
let cut = flow("cut", |vu| {
    for pad in [170, 180, 190, 195, 580, 590, 597] {
        let text = "";
        for n in 0..pad { text += "-"; }
        let res = vu.send(post("/lab/echo").text(`${text}${key}`).header("x-pad", `${text}${key}`).name(`cut ${pad}`));
        check(`cut at ${pad}`, false);
        vu.think(1.ms);
        check(`cut after a pause at ${pad}`, false);
    }
    vu.get(`/lab/status/404?${"-".len()}${key}`);
});
let failer = flow("failer", |vu| { vu.fail(`failed with ${key}`); });
let traffic = mix([
    [1, echo], [1, form], [1, path], [1, parts], [1, talk], [1, thrower], [1, reader], [1, cutter], [1, chars],
    [1, parser], [1, failer], [1, teller], [1, cut],
]);
phase(`phase ${key}`).run(traffic).users(2).iterations(52);
phase("aborted").run(flow("abort", |vu| vu.abort(`aborted with ${key}`))).users(1).iterations(1);
slo(`slo ${key}`, #{ request: `request ${key}`, p95: "< 10s" });
"##;

/// A script that asks for its secret in closures only, when the run has long begun.
const LATE: &str = r##"
let shop = target(env("TARGET"));
shop.on_start(|vu| {
    let res = vu.post("/lab/echo", #{ email: "ann@example.com", password: secret("CANARY") });
    check("on_start", false);
    vu.log(`logged in by ${secret("CANARY")}`);
});
let talk = flow("talk", |vu| {
    let key = secret("CANARY");
    let res = vu.send(post(`/lab/echo?key=${url_encode(key)}`).text(key).name("talk"));
    check(`said ${key}`, false);
    throw `no ${res.body}`;
});
phase("main").run(talk).users(3).iterations(9);
"##;

/// What is run with the script, besides `loadr run` itself; add a line for what else leaves something behind. Files
/// go into the folder, all of which is searched.
const ALSO: &[&[&str]] = &[
    &["report", "run.loadr"],
    &["report", "run.loadr", "--exemplars"],
    &["report", "run.loadr", "--json"],
    &["report", "run.loadr", "--form", "html"],
    &["report", "run.loadr", "--form", "markdown"],
    &["report", "run.loadr", "--form", "junit"],
    &["report", "run.loadr", "--form", "csv"],
    &["report", "run.loadr", "--form", "prometheus"],
    &["plan", "script.rhai", "--schedule=20"],
    &["plan", "script.rhai", "--json"],
    &["check", "script.rhai"],
    &["try", "script.rhai", "--full"],
    &["try", "script.rhai", "--json"],
];

/// Texts that would show the secret: as it is, encoded for URLs in several ways, in JSON, and the part of it that
/// base64 gives wherever it stands.
fn traces() -> Vec<(String, &'static str)> {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let json = serde_json::to_string(CANARY).expect("JSON");
    let encoded = percent_encoding::utf8_percent_encode(CANARY, percent_encoding::NON_ALPHANUMERIC).to_string();
    let mut traces = vec![
        (CANARY.to_owned(), "plain"),
        ("c4na/ry+k".to_owned(), "the start of it"),
        (json.trim_matches('"').to_owned(), "JSON"),
        (encoded.clone(), "URL"),
        (encoded.to_lowercase(), "URL in lower case"),
        ("c4na%2F".to_owned(), "URL, its start"),
        ("c4na%2f".to_owned(), "URL in lower case, its start"),
        ("c4na\\/".to_owned(), "JSON of another kind"),
    ];
    for before in ["", "x", "xy"] {
        let all = STANDARD.encode(format!("{before}{CANARY}"));
        // Four letters from either end are no secret's alone.
        let core = all[4..all.len() - 4].to_owned();
        traces.push((core.replace('+', "-").replace('/', "_"), "base64 for URLs"));
        traces.push((core, "base64"));
    }
    traces
}

#[track_caller]
fn search(what: &str, content: &[u8]) {
    let text = String::from_utf8_lossy(content);
    for (trace, how) in traces() {
        if let Some(at) = text.find(&trace) {
            let start = text[..at].char_indices().rev().nth(80).map_or(0, |(index, _)| index);
            let end = text[at..].char_indices().nth(120).map_or(text.len(), |(index, _)| at + index);
            panic!("{what} shows the secret ({how}): …{}…", &text[start..end]);
        }
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn said(ended: &Ended) {
    search("standard output", ended.stdout.as_bytes());
    search("standard error", ended.stderr.as_bytes());
}

/// Runs a script and all that can be done with it, searches what was said and written, and gives the summary.
#[track_caller]
fn searched(script: &str, code: i32, least_requests: usize) -> String {
    let lab = TestLab::start();
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    std::fs::write(at("script.rhai"), script).expect("written");
    let target = format!("TARGET={}", lab.url());
    let ended = Program::new(["run", &at("script.rhai"), "--json", &at("summary.json"), "--results", &at("run.loadr")])
        .args(["-e", &target, "--workers", "2"])
        .env("CANARY", CANARY)
        .run();
    assert_eq!(ended.code, Some(code), "{ended}");
    assert!(lab.seen() >= least_requests, "{ended}");
    said(&ended);
    for arguments in ALSO {
        let arguments = arguments.iter().map(|argument| match argument.contains('.') {
            true => at(argument),
            false => (*argument).to_owned(),
        });
        let ended = Program::new(arguments).env("CANARY", CANARY).env("TARGET", &lab.url()).run();
        assert_ne!(ended.code, Some(2), "a usage that there is: {ended}");
        said(&ended);
    }
    let written = files(folder.path());
    assert!(written.len() >= 3, "{written:?}");
    for path in written {
        search(&path.display().to_string(), &std::fs::read(&path).expect("a file"));
    }
    std::fs::read_to_string(at("summary.json")).expect("a summary")
}

#[test]
fn no_artefact_of_a_run_shows_a_secret() {
    // The script aborts.
    let summary = searched(SCRIPT, 108, 20);
    for place in ["phase ***", "request ***", "check ***", "count ***", "flow ***", "slo ***", "failed with ***"] {
        assert!(summary.contains(place), "the secret never got to {place:?}: {summary}");
    }
}

#[test]
fn a_secret_that_a_closure_asks_for_is_none_the_less_one() {
    // Every iteration ends with a mistake.
    let summary = searched(LATE, 107, 12);
    assert!(summary.contains("said ***"), "{summary}");
}

#[test]
fn no_mistake_of_a_script_shows_a_secret() {
    for script in [
        "let key = secret(\"CANARY\"); target(key);",
        "let key = secret(\"CANARY\"); throw `no ${key}`;",
        "let key = secret(\"CANARY\"); target(\"http://127.0.0.1:1\"); get(key); csv(key); phase(\"a\").users(key);",
        "let key = secret(\"CANARY\"); let map = #{}; map[key]; key.frobnicate(key);",
        "let key = secret(\"CANARY\"); target(\"http://127.0.0.1:1\"); slo(key, #{ phase: key, p95: \"< 1ms\" });",
    ] {
        let ended = Program::run_of(script).env("CANARY", CANARY).run();
        assert_eq!(ended.code, Some(104), "{ended}");
        said(&ended);
    }
}
