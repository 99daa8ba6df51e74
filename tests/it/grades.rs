//! Grades of requests, from the script to every form of the report.

use crate::harness::{Program, TestLab};

const SCRIPT: &str = "let shop = target(env(\"TARGET\"));\n\
    let quick = get(\"/lab/fixed?ms=5\").name(\"quick\");\n\
    let slow = get(\"/lab/fixed?ms=60\").name(\"slow\");\n\
    let both = flow(\"both\", |vu| { vu.get(\"/lab/fixed?ms=5\"); });\n\
    phase(\"warm-up\").run(quick).users(1).iterations(120).warmup();\n\
    phase(\"main\").run(mix([[1, quick], [1, slow], [1, both]])).users(6).iterations(600);\n\
    phase(\"short\").run(quick).users(2).iterations(20);\n\
    grades(#{ \"A\": 50.ms, \"A+\": 2.ms, \"C\": 5.s }, #{ below: \"too slow\" });";

#[test]
fn each_request_has_its_grade_in_every_form() {
    let lab = TestLab::start();
    let forms = [
        "--html",
        "page.html",
        "--markdown",
        "page.md",
        "--junit",
        "page.xml",
        "--csv",
        "page.csv",
        "-o",
        "prometheus=page.prom",
    ];
    let ended = Program::run_against(SCRIPT, &lab.url()).args(forms).args(["--results", "run.loadr"]).run();
    ended.expect(0);
    let figures = ended.figures();
    let rule = "p95 of the response time: A+ up to 2ms, A up to 50ms, C up to 5s, too slow beyond";
    assert_eq!(figures.0["grades"]["rule"], rule);
    let grade = |phase: &str, row: &str| figures.phase(phase).row(row).0["grade"].clone();
    // A busy machine may be slower than the limit of A; the lab is never quicker than its delay.
    assert!(["A", "C"].map(Into::into).contains(&grade("main", "quick")["grade"]), "{ended}");
    assert_eq!(grade("main", "slow")["grade"], "C", "{ended}");
    let low = grade("main", "slow")["low"].as_f64().expect("an interval");
    assert!(low >= 60_000.0, "{low} {ended}");
    // Withheld as the percentile is, and none where nothing counts.
    assert_eq!(grade("short", "quick")["text"], "–", "{ended}");
    assert_eq!(grade("short", "quick")["needed"], 100, "{ended}");
    assert!(grade("warm-up", "quick").is_null(), "{ended}");
    assert!(figures.phase("main").0["flows"][0]["grade"].is_null(), "{ended}");

    let interval = grade("main", "slow")["interval_text"].as_str().expect("a text").to_owned();
    for (form, text) in [
        ("terminal", ended.stdout.clone()),
        ("html", ended.read("page.html")),
        ("markdown", ended.read("page.md")),
        ("junit", ended.read("page.xml")),
    ] {
        let told = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for part in [rule, &format!("C ({interval})")] {
            assert!(told.contains(part), "{form} lacks {part}: {text}");
        }
    }
    let table = ended.read("page.csv");
    assert!(table.contains(",C,\"p95 of the response time: A+"), "{table}");
    let page = ended.read("page.prom");
    let line = "loadr_grade{phase=\"main\",request=\"slow\",grade=\"C\"} 1";
    assert!(page.contains(line) && page.contains("loadr_grades_info{by=\"p95\",rule="), "{page}");

    // The run file has the scale.
    let again = Program::new(["report"]).arg(ended.folder().join("run.loadr")).run();
    assert_eq!(again.stdout, ended.stdout);
}
