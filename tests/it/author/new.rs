//! `loadr new`: what it writes runs as it is.

use std::time::Duration;

use crate::harness::{Program, TestLab};

const KINDS: [&str; 5] = ["api", "mix", "auth", "cache", "burst"];

/// What `loadr new KIND` writes: names below the folder, and texts.
fn written(kind: &str) -> Vec<(String, String)> {
    let folder = tempfile::tempdir().expect("a folder");
    let script = folder.path().join(format!("{kind}.rhai"));
    let ended = Program::new(["new", kind]).arg(&script).run();
    assert_eq!((ended.code, &*ended.stderr), (Some(0), ""), "{ended}");
    assert!(ended.stdout.contains("loadr try"), "{ended}");
    let read = |path: &std::path::Path| std::fs::read_to_string(path).expect("it was written");
    // The comments name the file as it was called; the tests call it by its own name.
    let text = read(&script).replace(&script.display().to_string(), &format!("{kind}.rhai"));
    let mut files = vec![(format!("{kind}.rhai"), text)];
    for entry in std::fs::read_dir(folder.path().join("data")).into_iter().flatten() {
        let path = entry.expect("an entry").path();
        files.push((format!("data/{}", path.file_name().expect("a name").to_string_lossy()), read(&path)));
    }
    files
}

fn with_files(program: Program, kind: &str, change: impl Fn(&str) -> String) -> Program {
    written(kind).into_iter().fold(program, |program, (name, text)| {
        let text = if name.ends_with(".rhai") { change(&text) } else { text };
        program.file(name, text)
    })
}

#[test]
fn every_template_can_be_tried() {
    for kind in KINDS {
        let script = format!("{kind}.rhai");
        let ended = with_files(Program::new(["try", &script, "--demo"]), kind, str::to_owned).run();
        assert_eq!(ended.code, Some(0), "{kind}: {ended}");
        assert!(ended.stdout.contains("everything went as the script expects"), "{kind}: {ended}");
        let ended = with_files(Program::new(["plan", &script]), kind, str::to_owned).run();
        assert_eq!(ended.code, Some(0), "{kind}: {ended}");
    }
}

/// With every length cut down to a fraction: what it does stays the same.
#[test]
fn every_template_runs() {
    std::thread::scope(|scope| {
        for kind in KINDS {
            scope.spawn(move || {
                let lab = TestLab::start();
                let short =
                    |text: &str| text.replace("10.s)", "500.ms)").replace("5.s)", "300.ms)").replace("2.s)", "100.ms)");
                let program = Program::new(["run", &format!("{kind}.rhai"), "--json", "summary.json", "--quiet", "-e"])
                    .arg(format!("TARGET={}", lab.url()))
                    .limit(Duration::from_secs(60));
                let ended = with_files(program, kind, short).run();
                // A busy machine may miss an SLO or make the run invalid; the script itself must work.
                assert!(matches!(ended.code, Some(0 | 97 | 99)), "{kind}: {ended}");
                for phase in ended.figures().0["phases"].as_array().expect("phases") {
                    assert!(phase["offered"].as_u64().is_some_and(|n| n > 0), "{kind}: {ended}");
                    assert_eq!(phase["errors"], 0, "{kind}: {ended}");
                }
                assert!(lab.seen() > 20, "{kind}");
            });
        }
    });
}

#[test]
fn nothing_is_overwritten() {
    let ended = Program::new(["new", "mix"]).file("data/visitors.csv", "mine").run();
    assert_eq!((ended.code, &*ended.stdout), (Some(1), ""), "{ended}");
    assert!(ended.stderr.contains("visitors.csv exists already; nothing was written"), "{ended}");
    let ended = Program::new(["new"]).file("api.rhai", "mine").run();
    assert_eq!(ended.code, Some(1), "{ended}");
}

#[test]
fn a_folder_is_made_and_the_comments_name_the_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let script = folder.path().join("load/login.rhai");
    let ended = Program::new(["new", "auth"]).arg(&script).run();
    assert_eq!(ended.code, Some(0), "{ended}");
    let text = std::fs::read_to_string(&script).expect("the script");
    assert!(text.contains(&format!("loadr try {} --demo", script.display())), "{text}");
    assert!(folder.path().join("load/data/accounts.csv").exists());
}
