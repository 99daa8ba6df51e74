//! `loadr compare`, on runs of the built binary.

use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{Ended, Program, TestLab};

/// A run against answers that take so many milliseconds.
fn run(lab: &TestLab, folder: &Path, name: &str, ms: u32, status: u32) -> PathBuf {
    let file = folder.join(name);
    let script = format!(
        "let shop = target(env(\"TARGET\"));\n\
         phase(\"warm\").run(get(\"/health\")).users(1).iterations(5).warmup();\n\
         phase(\"main\").run(mix([[9, get(\"/lab/fixed?ms={ms}\").name(\"item\")], [1, get(\"/lab/status/{status}\").name(\"other\")]]))\
         .users(20).iterations(600);"
    );
    Program::run_against(&script, &lab.url()).arg("--results").arg(&file).run().expect(0);
    file
}

fn compare<S: AsRef<std::ffi::OsStr>>(sides: &[S], more: &[&str]) -> Ended {
    Program::new(["compare"]).args(sides).args(more).run()
}

/// Asserts an exit code; 97 stands for it where a machine was too busy for a valid run.
#[track_caller]
fn expect(ended: &Ended, code: i32) {
    let is_noise = ended.code == Some(97) && ended.stdout.contains("INVALID");
    assert!(ended.code == Some(code) || is_noise, "expected exit {code}; {ended}");
}

fn verdict(ended: &Ended, name: &str, quantity: &str) -> String {
    figure(ended, name, quantity)["verdict"].as_str().expect("a word").to_owned()
}

fn figure(ended: &Ended, name: &str, quantity: &str) -> Value {
    let all: Value = serde_json::from_str(&ended.stdout).expect("JSON");
    let figures = all["comparisons"][0]["figures"].as_array().expect("figures");
    let found = figures.iter().find(|figure| figure["name"] == name && figure["quantity"] == quantity);
    found.unwrap_or_else(|| panic!("no {name} {quantity}: {ended}")).clone()
}

#[test]
fn a_slower_target_is_a_regression_and_a_faster_one_none() {
    let (lab, folder) = (TestLab::start(), TempDir::new().expect("a folder"));
    let (fast, slow) = (run(&lab, folder.path(), "a.loadr", 10, 200), run(&lab, folder.path(), "b.loadr", 80, 503));
    let worse = compare(&[&fast, &slow], &["--json"]);
    expect(&worse, 96);
    assert_eq!(verdict(&worse, "item", "p50"), "regression");
    assert_eq!(verdict(&worse, "other", "errors"), "regression");
    assert!(!worse.stdout.contains("\"warm\""), "warm-up phases are not compared: {worse}");
    let better = compare(&[&slow, &fast], &["--json"]);
    expect(&better, 0);
    assert_eq!(verdict(&better, "item", "p50"), "improved");
    let shown = compare(&[&fast, &slow], &[]);
    for part in ["item", "p50", "✗ regression", "one run on each side", "the plans differ"] {
        assert!(shown.stdout.contains(part), "{part}: {shown}");
    }
    // On a busy machine the interval of a run against itself is wide.
    let itself = compare(&[&fast, &fast], &["--json", "--margin", "100%"]);
    expect(&itself, 0);
    assert_eq!(verdict(&itself, "item", "p50"), "same", "{itself}");
}

#[test]
fn folders_are_repeats() {
    let (lab, folder) = (TestLab::start(), TempDir::new().expect("a folder"));
    for (side, ms) in [("old", 5), ("new", 100)] {
        let side = folder.path().join(side);
        std::fs::create_dir(&side).expect("a folder");
        for name in ["1.loadr", "2.loadr", "3.loadr"] {
            run(&lab, &side, name, ms, 200);
        }
    }
    let (old, new) = (folder.path().join("old"), folder.path().join("new"));
    let ended = compare(&[&old, &new], &["--json"]);
    expect(&ended, 96);
    assert_eq!(verdict(&ended, "item", "p50"), "regression", "{ended}");
    let shown = compare(&[&old, &new], &[]);
    assert!(shown.stdout.contains("A: 3 runs") && !shown.stdout.contains("one run on each side"), "{shown}");
    let history = compare(&[old, new.join("2.loadr")], &["--json"]);
    // Whether three runs bound where a fourth would lie is the machine's doing; what they are held against is not.
    let p50 = figure(&history, "item", "p50");
    assert!(p50["change"].as_f64() > Some(1.0) && p50["low"].is_number() && p50["verdict"] != "improved", "{history}");
}

#[test]
fn what_cannot_be_compared_is_told() {
    let folder = TempDir::new().expect("a folder");
    let empty = compare(&[folder.path(), folder.path()], &[]);
    assert!(empty.code == Some(1) && empty.stderr.contains("no run files"), "{empty}");
    let missing = compare(&["no.loadr", "no.loadr"], &[]);
    assert!(missing.code == Some(1) && missing.stderr.contains("no.loadr"), "{missing}");
    let margin = compare(&["a", "b"], &["--margin", "much"]);
    assert!(margin.code == Some(2) && margin.stderr.contains("such as 5%"), "{margin}");
}
