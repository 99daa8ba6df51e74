//! A run that is held against an earlier one when it has ended.

use std::path::{Path, PathBuf};

use crate::harness::{Ended, Program, TestLab};

/// A scenario against answers that take so many milliseconds.
fn script(ms: u32, more: &str) -> String {
    format!(
        "let shop = target(env(\"TARGET\"));\n\
         phase(\"warm\").run(get(\"/health\")).users(1).iterations(5).warmup();\n\
         phase(\"main\").run(get(\"/lab/fixed?ms={ms}\").name(\"item\")).users(20).iterations(600);\n{more}"
    )
}

/// An earlier run, in a file.
fn earlier(lab: &TestLab, folder: &Path, ms: u32) -> PathBuf {
    let file = folder.join("main.loadr");
    Program::run_against(&script(ms, ""), &lab.url()).arg("--results").arg(&file).run().expect(0);
    file
}

/// Asserts an exit code; 97 stands for it where a machine was too busy for a valid run.
#[track_caller]
fn expect(ended: &Ended, code: i32) {
    let is_noise = ended.code == Some(97) && ended.figures.as_ref().is_some_and(|it| it.verdict() == "INVALID");
    assert!(ended.code == Some(code) || is_noise, "expected exit {code}; {ended}");
}

#[track_caller]
fn p50(ended: &Ended) -> String {
    let figures = ended.figures().0["baseline"]["figures"].as_array().expect("a comparison").clone();
    let found = figures.iter().find(|figure| figure["name"] == "item" && figure["quantity"] == "p50");
    found.unwrap_or_else(|| panic!("{ended}"))["verdict"].as_str().expect("a word").to_owned()
}

#[test]
fn a_slower_target_is_a_regression_in_every_form() {
    let (lab, folder) = (TestLab::start(), tempfile::TempDir::new().expect("a folder"));
    let main = earlier(&lab, folder.path(), 10);
    let forms = ["--results", "now.loadr", "--html", "page.html", "--markdown", "comment.md", "--junit", "report.xml"];
    let slower = Program::run_against(&script(80, ""), &lab.url()).arg("--baseline").arg(&main).args(forms);
    let slower = slower.arg("--fail-on-regression").run();
    expect(&slower, 96);
    assert_eq!(p50(&slower), "regression");
    let baseline = &slower.figures().0["baseline"];
    assert!(baseline["is_gate"] == true && baseline["regressions"].as_u64() >= Some(3), "{baseline:#}");
    for part in ["against the baseline", "REGRESSION", "✗ regression", "main.loadr", "one run on each side"] {
        assert!(slower.stdout.contains(part), "{part}: {slower}");
    }
    assert!(slower.read("page.html").contains("class=\"left regression\">✗ regression"));
    assert!(
        slower.read("comment.md").contains("| ✗ regression | main | item | p50 |"),
        "{}",
        slower.read("comment.md")
    );
    let junit = slower.read("report.xml");
    assert!(junit.contains("<testsuite name=\"baseline\"") && junit.contains("<failure"), "{junit}");
    // The run's file has it too, after the baseline is gone.
    std::fs::remove_file(&main).expect("it was there");
    let again = Program::new(["report", "--json"]).arg(slower.folder().join("now.loadr")).run();
    let again: serde_json::Value = serde_json::from_str(&again.stdout).expect("JSON");
    assert_eq!(again, slower.figures().0);
}

#[test]
fn without_the_option_a_regression_is_told_and_no_failure() {
    let (lab, folder) = (TestLab::start(), tempfile::TempDir::new().expect("a folder"));
    let main = earlier(&lab, folder.path(), 10);
    let slower = Program::run_against(&script(80, ""), &lab.url()).arg("--baseline").arg(&main).run();
    expect(&slower, 0);
    assert_eq!(p50(&slower), "regression");
    let faster = Program::run_against(&script(2, ""), &lab.url());
    let faster = faster.arg("--baseline").arg(folder.path()).arg("--fail-on-regression").run();
    expect(&faster, 0);
    assert_eq!(p50(&faster), "improved");
}

#[test]
fn the_script_names_its_baseline_and_what_is_too_much() {
    let (lab, folder) = (TestLab::start(), tempfile::TempDir::new().expect("a folder"));
    let main = std::fs::read(earlier(&lab, folder.path(), 10)).expect("a run file");
    for (options, code) in [("", 96), (", #{ fail: false }", 0), (", #{ max_regression: \"1000%\" }", 0)] {
        let script = script(60, &format!("baseline(\"old/main.loadr\"{options});"));
        let ended = Program::run_against(&script, &lab.url()).file("old/main.loadr", &main).run();
        expect(&ended, code);
        assert!(ended.figures().0["baseline"]["a"][0]["file"] == "old/main.loadr", "{ended}");
    }
}

#[test]
fn a_phase_with_another_load_is_not_judged() {
    let (lab, folder) = (TestLab::start(), tempfile::TempDir::new().expect("a folder"));
    let main = earlier(&lab, folder.path(), 10);
    let other = script(80, "phase(\"more\").run(get(\"/health\")).iterations(200);").replace("users(20)", "users(19)");
    let ended = Program::run_against(&other, &lab.url()).arg("--baseline").arg(&main).arg("--fail-on-regression").run();
    expect(&ended, 0);
    assert_eq!(p50(&ended), "inconclusive");
    for note in ["main is not judged: its load was", "by 19 users", "only in B, compared with nothing"] {
        assert!(ended.stdout.replace('\n', " ").contains(note), "{note}: {ended}");
    }
}

#[test]
fn what_is_no_baseline_is_told_before_anything_is_sent() {
    let lab = TestLab::start();
    let folder = tempfile::TempDir::new().expect("a folder");
    let foreign = folder.path().join("foreign.loadr");
    let elsewhere = "target(env(\"TARGET\")); phase(\"elsewhere\").run(get(\"/health\")).iterations(20);";
    Program::run_against(elsewhere, &lab.url()).arg("--results").arg(&foreign).run().expect(0);
    let before = lab.seen();
    let foreign = foreign.to_string_lossy().into_owned();
    for (more, arguments, code, told) in [
        ("", &["--baseline", "no.loadr"][..], 1, "no.loadr: no such file"),
        ("", &["--baseline", "scenario.rhai"], 1, "it is no run file"),
        ("", &["--baseline", &foreign], 1, "its phases are elsewhere; those of the script are main"),
        ("", &["--fail-on-regression"], 2, "no baseline"),
        ("", &["--max-regression", "5"], 2, "such as 5%"),
        ("baseline(\"no.loadr\");", &[], 1, "it is the baseline of scenario.rhai:4"),
        ("baseline(\"../no.loadr\");", &[], 104, "lies outside of the script's folder"),
        ("baseline(\"a.loadr\", #{ max: \"5%\" });", &[], 104, "has no option `max`"),
        ("baseline(\"a.loadr\", #{ max_regression: 5 });", &[], 104, "a percentage such as"),
        ("baseline([]);", &[], 104, "has no files"),
        ("baseline(\"a\"); baseline(\"b\");", &[], 104, "two baselines"),
    ] {
        let ended = Program::run_against(&script(1, more), &lab.url()).args(arguments).run();
        assert_eq!(ended.code, Some(code), "{more} {arguments:?} {ended}");
        assert!(ended.stderr.to_lowercase().contains(&told.to_lowercase()), "{told}: {ended}");
    }
    assert_eq!(lab.seen(), before, "something was sent");
}

#[test]
fn the_plan_shows_what_a_run_would_be_held_against() {
    let script = "let shop = target(\"http://127.0.0.1:1\");\n\
        phase(\"main\").run(get(\"/\")).users(1).iterations(1);\n\
        baseline([\"main.loadr\", \"gone.loadr\"], #{ max_regression: \"7%\" });";
    let plan = |more: &[&str]| {
        let program = Program::new(["plan", "mix.rhai"]).file("mix.rhai", script).file("main.loadr", "");
        let ended = program.args(more).run();
        assert_eq!(ended.code, Some(0), "{ended}");
        ended.stdout.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let shown = plan(&[]);
    assert!(shown.contains("main.loadr, ") && shown.contains("less than 7% is no change"), "{shown}");
    assert!(shown.contains("a regression fails the run (exit 96)"), "{shown}");
    assert!(shown.contains("gone.loadr is not there") && !shown.contains("main.loadr is not there"), "{shown}");
    let json: serde_json::Value = serde_json::from_str(&plan(&["--json"])).expect("JSON");
    assert_eq!(json["baseline"]["max_regression"], 0.07, "{json:#}");
}
