//! `loadr check`

use crate::harness::Program;

const RIGHT: &str =
    "let shop = target(\"http://127.0.0.1:9\");\nphase(\"main\").run(get(\"/\")).users(1).during(1.s);\n";
const WRONG: &str = "let shop = target(\"http://127.0.0.1:9\");\n\
                     let key = secret(\"API_KEY\");\n\
                     phase(\"main\").run(get(\"/\")).users(0).during(1.s);\n\
                     phase(\"ma\\u001b[31min\").run(get(\"/\")).rate(5.per_second);\n\
                     slo(\"fast\", #{ phase: \"mian\", p95: \"< 10ms\" });\n";

fn both(arguments: &[&str]) -> Program {
    Program::new(["check", "right.rhai", "wrong.rhai", "-e", "API_KEY=canary-77"])
        .args(arguments)
        .file("right.rhai", RIGHT)
        .file("wrong.rhai", WRONG)
}

#[test]
fn every_mistake_of_every_script_is_shown() {
    insta::assert_snapshot!(both(&[]).run().transcript());
}

#[test]
fn an_editor_gets_places_and_help() {
    let ended = both(&["--format", "json"]).run();
    insta::assert_snapshot!(ended.transcript());
    let list: serde_json::Value = serde_json::from_str(&ended.stdout).expect("JSON");
    let lines: Vec<_> = WRONG.lines().collect();
    for row in list.as_array().expect("a list").iter().filter(|row| row["line"] != 0) {
        let line = lines[row["line"].as_u64().expect("a line") as usize - 1];
        let (from, to) = (row["column"].as_u64().expect("from"), row["end_column"].as_u64().expect("to"));
        assert!(from >= 1 && from < to && to as usize <= line.chars().count() + 1, "{row}");
    }
}

#[test]
fn nothing_is_wrong_with_a_right_script() {
    for (arguments, stdout) in [
        (&[][..], "right.rhai: right\n"),
        (&["--quiet"], ""),
        (&["--format=json"], "[]\n"),
        (&["--format=json", "-q"], "[]\n"),
    ] {
        let ended = Program::new(["check", "right.rhai"]).args(arguments).file("right.rhai", RIGHT).run();
        assert_eq!((ended.code, &*ended.stdout, &*ended.stderr), (Some(0), stdout, ""), "{arguments:?}");
    }
}

#[test]
fn a_script_that_is_missing_is_a_mistake_like_others() {
    let ended = Program::new(["check", "no.rhai", "right.rhai"]).file("right.rhai", RIGHT).run();
    assert_eq!(ended.code, Some(104), "{ended}");
    assert!(ended.stdout.contains("failed to read `no.rhai`") && ended.stdout.contains("right.rhai: right"), "{ended}");
}

#[test]
fn nothing_is_sent() {
    let lab = crate::harness::TestLab::start();
    let script = RIGHT.replace("http://127.0.0.1:9", &lab.url());
    let ended = Program::new(["check", "mix.rhai"]).file("mix.rhai", script).run();
    assert_eq!((ended.code, lab.seen()), (Some(0), 0), "{ended}");
}
