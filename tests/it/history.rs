//! `loadr history`, on runs of the built binary.

use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{Program, TestLab};

const RUNS: usize = 14;
const FROM: usize = 7;

#[test]
fn a_folder_of_runs_shows_when_it_became_slower() {
    let (lab, folder) = (TestLab::start(), TempDir::new().expect("a folder"));
    for number in 0..RUNS {
        let (ms, commit) = if number < FROM { (5, "good") } else { (60, "bad") };
        let script = format!(
            "target(env(\"TARGET\")); fact(\"commit\", \"{commit}\");\n\
             phase(\"main\").run(get(\"/lab/fixed?ms={ms}\").name(\"item\")).users(10).iterations(100);"
        );
        // Names do not tell the order: the time does.
        let file = folder.path().join(format!("{:02}.loadr", RUNS - number));
        Program::run_against(&script, &lab.url()).args(["--workers", "1", "--results"]).arg(file).run().expect(0);
    }
    std::fs::write(folder.path().join("broken.loadr"), "no run").expect("a file");
    let ended =
        Program::new(["history", "--json", "--fail-on-regression", "--html", "page.html"]).arg(folder.path()).run();
    let history: Value = serde_json::from_str(&ended.stdout).expect("JSON");
    let (runs, left_out) = (history["runs"].as_array().expect("runs"), history["left_out"].as_array().expect("a list"));
    assert!(left_out.iter().any(|run| run["file"].as_str().is_some_and(|it| it.ends_with("broken.loadr"))), "{ended}");
    assert!(runs.is_sorted_by_key(|run| run["started_at"].as_str().map(ToOwned::to_owned)), "{ended}");
    // A busy machine may have made some runs invalid.
    if runs.len() < RUNS {
        assert_eq!(runs.len() + left_out.len(), RUNS + 1, "{ended}");
        return;
    }
    assert_eq!(ended.code, Some(96), "{ended}");
    let trends = history["trends"].as_array().expect("trends");
    let p50 = trends.iter().find(|it| it["quantity"] == "p50").expect("a trend");
    assert_eq!((&p50["phase"], &p50["name"], &p50["kind"]), (&"main".into(), &"item".into(), &"request".into()));
    let changes = p50["changes"].as_array().expect("changes");
    assert_eq!(changes.len(), 1, "{p50:#}");
    assert_eq!((changes[0]["at"].as_u64(), &changes[0]["verdict"]), (Some(FROM as u64), &"regression".into()));
    let beside = changes[0]["beside"].to_string();
    assert!(beside.contains("another plan") && beside.contains("commit bad"), "{beside}");
    assert!(ended.read("page.html").contains("commit bad"));
    let shown = Program::new(["history"]).arg(folder.path()).run();
    assert_eq!(shown.code, Some(0), "{shown}");
    for part in
        ["REGRESSION", "✗ item p50 in main", "with it came: another plan, commit bad", "broken.loadr is left out"]
    {
        assert!(shown.stdout.replace("\n    ", " ").contains(part), "{part}: {shown}");
    }
}

#[test]
fn what_has_no_history_is_told() {
    let folder = TempDir::new().expect("a folder");
    let empty = Program::new(["history"]).arg(folder.path()).run();
    assert!(empty.code == Some(1) && empty.stderr.contains("no run files"), "{empty}");
    std::fs::write(folder.path().join("a.loadr"), "no run").expect("a file");
    let broken = Program::new(["history"]).arg(folder.path()).run();
    assert!(broken.code == Some(1) && broken.stderr.contains("no run to look at"), "{broken}");
    let none = Program::new(["history"]).run();
    assert_eq!(none.code, Some(2), "{none}");
}
