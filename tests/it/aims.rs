//! Goals, skips and scores in a run: what was not done has not passed, and says so in every form.

use crate::harness::{Program, TestLab};

const SHOP: &str = "let shop = target(env(\"TARGET\")); let item = get(\"/health\").name(\"item\");\n\
    phase(\"main\").run(item).users(2).iterations(200);\n";

#[test]
fn every_form_tells_what_was_measured_skipped_and_not_run() {
    let lab = TestLab::start();
    let script = format!(
        "{SHOP}\
         goal(\"quick\", #{{ before: \"15-20 s\", target: \"< 10s\", request: \"item\" }});\n\
         goal(\"quicker than light\", #{{ before: \"1 s\", target: \"< 1us\", phase: \"main\" }});\n\
         goal(\"more users\", #{{ before: \"5\", target: \"15+\" }});\n\
         slo(\"fine\", #{{ errors: \"== 0\" }}); slo(\"missed\", #{{ p50: \"< 1us\" }});\n\
         if env(\"DATABASE\", \"\") == \"\" {{ skip(\"database\", \"no DATABASE was given\"); }}\n\
         phase(\"uploads\").run(post(\"/lab/echo\")).users(1).iterations(10);\n\
         slo(\"uploads are quick\", #{{ phase: \"uploads\", p95: \"< 1s\" }});\n\
         skip(\"uploads\", \"no storage here\");\n\
         score(10).deduct(0.5, \"no runbook\");\n\
         note(\"run on a laptop\"); fact(\"coverage\", \"46 %\");"
    );
    let forms = ["--html=r.html", "--markdown=r.md", "--junit=r.xml"];
    let ended = Program::run_against(&script, &lab.url()).args(forms).run();
    assert_eq!((ended.code, lab.seen()), (Some(99), 200), "{ended}");
    let figures = ended.figures();
    figures.assert_consistent();
    let status = |at: usize| figures.0["goals"][at]["status"].as_str().expect("a status").to_owned();
    assert_eq!([status(0), status(1), status(2)], ["met", "missed", "not_measured"]);
    assert_eq!(figures.0["skipped"].as_array().map(Vec::len), Some(3), "{:#}", figures.0["skipped"]);
    assert_eq!(figures.0["score"]["value"], 8.0, "{:#}", figures.0["score"]);
    assert_eq!(figures.phases().count(), 1);
    for part in ["1 of 2 SLOs pass · 1 failed · 1 skipped", "not measured", "SLO uploads are quick", "8 of 10"] {
        assert!(ended.stdout.contains(part), "{part}: {ended}");
    }
    for (file, parts) in [
        ("r.html", ["15-20 s", "phase uploads: no storage here", "coverage: 46 % (not measured)"]),
        ("r.md", ["15-20 s", "no storage here", "Note of the author (not measured): run on a laptop"]),
        ("r.xml", ["skipped: no storage here", "coverage, not measured", "skipped: no DATABASE was given"]),
    ] {
        let text = ended.read(file);
        for part in parts {
            assert!(text.contains(part), "{part} in {file}: {text}");
        }
    }
    // With a database, it is not left out.
    let given = Program::run_against(&script, &lab.url()).args(["-e", "DATABASE=here"]).run();
    assert_eq!(given.figures().0["skipped"].as_array().map(Vec::len), Some(2), "{given}");
}

#[test]
fn an_slo_of_a_phase_that_never_began_is_not_run_and_fails_the_run() {
    let lab = TestLab::start();
    let script = format!(
        "{SHOP}phase(\"first\").run(get(\"/lab/status/503\").name(\"x\")).rate(50.per_second).during(60.s)\n\
             .ends_when(\"errors > 50% over 1s\");\n\
         phase(\"second\").run(item).users(1).iterations(5).if_completed(\"first\");\n\
         slo(\"of the second\", #{{ phase: \"second\", p95: \"< 9s\" }}); slo(\"of main\", #{{ phase: \"main\", ok: \"== 100%\" }});\n\
         score(10);"
    );
    let ended = Program::run_against(&script, &lab.url()).run();
    ended.expect(99);
    let figures = ended.figures();
    let left: Vec<_> = figures.0["not_run"].as_array().into_iter().flatten().map(|it| it["name"].clone()).collect();
    assert_eq!(left, ["second", "of the second"], "{ended}");
    assert_eq!(figures.slo("of the second")["verdict"], "not_run", "{ended}");
    assert_eq!(figures.0["score"]["value"], 9.0);
    assert!(ended.stdout.contains("not run") && ended.stdout.contains("first did not go on to its end"), "{ended}");
}
