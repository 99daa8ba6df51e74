//! `loadr report FILE --slo …`: a run that has been, judged by other objectives than it had.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::harness::{Ended, Figures, Program, TestLab};

const SCRIPT: &str = "let shop = target(env(\"TARGET\"));\n\
    let item = get(\"/lab/fixed?ms=20\").name(\"item\").check(\"is ok\", |res| res.status == 200);\n\
    let visit = flow(\"visit\", |vu| { vu.get(\"/health\"); count(\"orders\", 1); });\n\
    phase(\"warm-up\").run(item).users(2).iterations(10).warmup();\n\
    phase(\"main\").run(mix([[3, item], [1, visit]])).rate(150.per_second).during(2.s);\n\
    slo(\"hopeless\", #{ p50: \"< 1us\" });";

struct Run {
    folder: TempDir,
    file: PathBuf,
}

fn ran() -> Run {
    let (lab, folder) = (TestLab::start(), TempDir::new().expect("a folder"));
    let file = folder.path().join("run.loadr");
    let ended = Program::run_against(SCRIPT, &lab.url()).arg("--results").arg(&file).run();
    ended.expect(99);
    Run { folder, file }
}

fn report(file: &Path, more: &[&str]) -> Ended {
    Program::new(["report".as_ref(), file.as_os_str()]).args(more).run()
}

/// The report ends with a code of its judgement, or with 97 where the machine was too busy for the run to be valid.
#[track_caller]
fn expect(ended: &Ended, code: i32) {
    assert!(ended.code == Some(code) || ended.code == Some(97) && ended.stdout.contains("INVALID"), "{code} {ended}");
}

#[test]
fn slos_on_a_line_take_the_place_of_the_runs_own() {
    let run = ran();
    assert_eq!(report(&run.file, &[]).code, Some(0), "without --slo the code is that of the reading");
    for (slo, code, verdict) in [
        ("p95: < 10s, phase: main, request: item", 0, "pass"),
        ("p95 < 1us", 99, "fail"),
        ("p50: < 10s, over: 1s", 0, "pass"),
        ("check:is ok: > 90%", 0, "pass"),
        ("orders: > 10", 0, "pass"),
        ("orders: > 100000", 99, "fail"),
        ("p99.9: < 10s", 0, "inconclusive"),
    ] {
        let ended = report(&run.file, &["--slo", slo, "--json"]);
        expect(&ended, code);
        let figures = Figures::parse(&ended.stdout);
        assert_eq!(figures.slo(slo)["verdict"], verdict, "{slo} {ended}");
        assert_eq!(figures.0["slos"].as_array().map(Vec::len), Some(1), "the run's own are gone");
        assert!(figures.0["notes"].to_string().contains("judged anew"), "{ended}");
    }
    expect(&report(&run.file, &["--slo", "p99.9: < 10s", "--strict"]), 98);
    let both = report(&run.file, &["--slo", "errors: < 50%", "--slo", "name: too strict, p50: < 1us"]);
    expect(&both, 99);
    assert!(both.stdout.contains("too strict") && both.stdout.contains("1 of 2 SLOs pass"), "{both}");
}

#[test]
fn one_that_selects_nothing_fails_with_what_may_be_meant() {
    let run = ran();
    for (slo, meant) in [
        ("p95: < 1s, phase: mian", "did you mean `main`?"),
        ("p95: < 1s, request: itme", "did you mean `item`?"),
        ("p95: < 1s, flow: vist", "did you mean `visit`?"),
        ("check:is okay: > 1%", "did you mean `is ok`?"),
    ] {
        let ended = report(&run.file, &["--slo", slo]);
        expect(&ended, 99);
        let told = ended.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(told.contains(meant), "{slo} {ended}");
    }
    for (slo, told) in [
        ("p95: < 10", "has no unit"),
        ("oders: > 1", "did you mean `orders`?"),
        ("p95: < 1s, experiment: items", "an experiment `items`, which the run did not have"),
        ("p95: < 1s, phase: warm-up", "a warm-up is in no SLO"),
    ] {
        let ended = report(&run.file, &["--slo", slo]);
        assert_eq!(ended.code, Some(2), "{slo} {ended}");
        assert!(ended.stderr.contains(told) && ended.stderr.contains("help: "), "{slo} {ended}");
    }
}

#[test]
fn a_script_lends_its_slos_and_grades() {
    let run = ran();
    let script = |name: &str, text: &str| {
        let path = run.folder.path().join(name);
        std::fs::write(&path, text).expect("room on the disk");
        path.to_string_lossy().into_owned()
    };
    // The run's own script with other limits, and one that has nothing but objectives.
    let whole = script("whole.rhai", &SCRIPT.replace("< 1us", "< 10s"));
    let ended = report(&run.file, &["--slo", &whole, "-e", "TARGET=http://127.0.0.1:1"]);
    expect(&ended, 0);
    let objectives = "slo(\"fast\", #{ phase: \"main\", request: \"item\", p95: env(\"LIMIT\") });\n\
                      slo(\"sold\", #{ orders: \"> 1\", \"check:is ok\": \"> 1%\" });\n\
                      grades(#{ A: 10.s });";
    let alone = script("objectives.rhai", objectives);
    let ended = report(&run.file, &["--slo", &alone, "-e", "LIMIT=< 10s"]);
    expect(&ended, 0);
    assert!(ended.stdout.contains("3 of 3 SLOs pass"), "{ended}");
    assert!(ended.stdout.contains("A up to 10s") && ended.stdout.contains("A ("), "{ended}");
    expect(&report(&run.file, &["--slo", &alone, "-e", "LIMIT=< 1us"]), 99);

    let graded = script("grades.rhai", "grades(#{ quick: 10.s });");
    let ended = report(&run.file, &["--slo", &graded]);
    expect(&ended, 99);
    assert!(ended.stdout.contains("hopeless") && ended.stdout.contains("quick ("), "the run's SLOs stay: {ended}");

    for (name, text, code, told) in [
        ("empty.rhai", "let x = 1;", 104, "declares no SLO and no grades"),
        ("wrong.rhai", "slo(\"a\", #{ p95: \"< 10\" });", 104, "has no unit"),
        ("odd.rhai", "slo(\"a\", #{ oders: \"> 1\" });", 104, "no option `oders`"),
    ] {
        let ended = report(&run.file, &["--slo", &script(name, text)]);
        assert_eq!(ended.code, Some(code), "{ended}");
        assert!(ended.stderr.contains(told), "{ended}");
    }
    let missing = report(&run.file, &["--slo", "no/such.rhai"]);
    assert_eq!(missing.code, Some(1), "{missing}");
}

#[test]
fn what_is_left_of_a_run_is_judged_too() {
    let run = ran();
    let bytes = std::fs::read(&run.file).expect("the run file");
    let partial = run.folder.path().join("partial.loadr");
    std::fs::write(&partial, &bytes[..bytes.len() - 40]).expect("room on the disk");
    for (slo, verdict) in [("p50: < 10s", "pass"), ("p50: < 1us", "fail")] {
        let ended = report(&partial, &["--slo", slo, "--json"]);
        assert_eq!(ended.code, Some(105), "as a run that was interrupted: {ended}");
        assert_eq!(Figures::parse(&ended.stdout).slo(slo)["verdict"], verdict, "{ended}");
        assert!(ended.stderr.contains("is partial"), "{ended}");
    }
}
