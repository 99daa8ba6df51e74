//! The report in its other forms, as files that a run leaves.

use crate::harness::{Program, TestLab};

const SCRIPT: &str = r#"
    //! Two kinds of requests.
    target(env("TARGET"));
    let traffic = mix([[1, get("/health").check("is there", |res| res.ok)], [1, get("/lab/status/503")]]);
    phase("main").run(traffic).iterations(40).users(2);
    slo("nothing fails", #{ errors: "< 1%" });
"#;

#[test]
fn each_form_is_a_file() {
    let lab = TestLab::start();
    let ended = Program::run_against(SCRIPT, &lab.url())
        .args(["--markdown", "comment.md", "--junit", "junit.xml", "--csv", "table.csv"])
        .args(["-o", "prometheus=metrics.prom", "--out", "text=report.txt"])
        .run();
    ended.expect(99);
    let read = |name: &str| ended.read(name);
    assert!(read("comment.md").contains("| ✗ | nothing fails |"), "{}", read("comment.md"));
    assert!(read("junit.xml").contains("<failure message=\"errors &lt; 1% is 50%"), "{}", read("junit.xml"));
    assert!(read("table.csv").lines().any(|line| line.starts_with("main,false,request,GET /lab/status/503,,20,0,20,")));
    let metrics = read("metrics.prom");
    assert!(
        metrics.contains("loadr_requests{phase=\"main\",request=\"GET /health\",outcome=\"ok\"} 20\n"),
        "{metrics}"
    );
    assert!(read("report.txt").contains("nothing fails"));
}

#[test]
fn a_template_is_the_report() {
    let lab = TestLab::start();
    let ended = Program::run_against(SCRIPT, &lab.url())
        .file("short.txt", "{% for row in phases[0].requests %}{{ row.name }}={{ row.offered }};{% endfor %}")
        .args(["--template", "short.txt"])
        .run();
    ended.expect(99);
    assert_eq!(ended.stdout.trim(), "GET /health=20;GET /lab/status/503=20;");
}

#[test]
fn a_run_file_gives_the_same_forms() {
    let lab = TestLab::start();
    let ended = Program::run_against(SCRIPT, &lab.url())
        .args(["--results", "run.loadr", "--csv", "table.csv", "--template", "names.txt"])
        .file("names.txt", "{{ phases[0].name }}")
        .run();
    ended.expect(99);
    let report = |arguments: &[&str]| {
        let file = ended.folder().join("run.loadr");
        let program = Program::new(["report"]).arg(file).args(arguments).file("names.txt", "{{ phases[0].name }}");
        let made = program.run();
        made.expect(0);
        made
    };
    assert_eq!(report(&["--form", "csv"]).stdout, ended.read("table.csv"));
    assert_eq!(report(&["-o", "csv=again.csv"]).read("again.csv"), ended.read("table.csv"));
    assert_eq!(report(&["--template", "names.txt"]).stdout, ended.stdout);
}

#[test]
fn what_would_fail_at_the_end_fails_at_the_start() {
    let lab = TestLab::start();
    let before = lab.seen();
    for (arguments, said) in [
        (&["-o", "markdown=no/such/folder/a.md"][..], "failed to create no/such/folder/a.md"),
        (&["--junit", "same", "--csv", "same"], "same cannot hold both"),
        (&["--template", "missing.txt"], "failed to read missing.txt"),
    ] {
        let ended = Program::run_against(SCRIPT, &lab.url()).args(arguments).run();
        ended.expect(1);
        assert!(ended.stderr.contains(said), "{ended}");
    }
    let ended = Program::run_against(SCRIPT, &lab.url()).args(["-o", "pdf=a.pdf"]).run();
    ended.expect(2);
    assert!(ended.stderr.contains("there is no form `pdf`"), "{ended}");
    assert_eq!(lab.seen(), before, "nothing was sent");
}

#[test]
fn the_schema_of_the_summary_is_printed() {
    let ended = Program::new(["report", "--schema"]).run();
    assert!(ended.code == Some(0) && ended.stdout == loadr::report::SUMMARY_SCHEMA, "{ended}");
    let neither = Program::new(["report"]).run();
    assert_eq!(neither.code, Some(2), "{neither}");
}
