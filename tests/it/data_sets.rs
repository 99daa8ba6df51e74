//! Data sets: each row where it belongs, whoever asks for it.

use std::collections::BTreeMap;

use crate::harness::{Program, TestLab};

fn users(rows: usize) -> String {
    (0..rows).fold(String::from("name\n"), |text, n| format!("{text}user-{n}\n"))
}

/// How often the lab saw each row in a path.
fn rows_seen(lab: &TestLab) -> BTreeMap<String, usize> {
    let mut seen = BTreeMap::new();
    for entry in lab.arrivals() {
        if let Some((_, row)) = entry.path.split_once("row=") {
            *seen.entry(row.to_owned()).or_default() += 1;
        }
    }
    seen
}

#[test]
fn a_unique_row_is_used_once_by_all_workers_of_all_segments() {
    const ROWS: usize = 203;
    let template = "let row = csv(\"users.csv\").unique().next();
        phase(\"main\").run(get(`/lab/echo?row=${row.name}`)).users(8).during(5.min);";
    let closure = "let rows = csv(\"users.csv\").unique();
        phase(\"main\").run(flow(\"f\", |vu| { vu.get(`/lab/echo?row=${rows.next().name}`); })).users(8).during(5.min);";
    let open = "let row = csv(\"users.csv\").unique().next();
        phase(\"main\").run(get(`/lab/echo?row=${row.name}`)).rate(400.per_second).during(5.min);";
    for script in [template, closure, open] {
        let lab = TestLab::start();
        let segment = |part: &str| {
            Program::run_against(&format!("target(env(\"TARGET\"));\n{script}"), &lab.url())
                .file("users.csv", users(ROWS))
                .args(["--workers", "4", "--segment", part])
                .start()
        };
        let (one, two) = (segment("1/2"), segment("2/2"));
        for ended in [one.wait(), two.wait()] {
            ended.expect(0);
            let notes = ended.figures().0["notes"].to_string();
            assert!(notes.contains("main: every row of `users.csv` was used; the phase ended there"), "{ended}");
            assert!(ended.stdout.contains("every row of `users.csv`"), "{ended}");
            let phase = ended.figures().phase("main");
            assert_eq!(phase.count("errors"), 0, "running out is no error: {ended}");
            assert!(phase.messages("script_errors").is_empty(), "{ended}");
        }
        let seen = rows_seen(&lab);
        assert_eq!(seen.len(), ROWS, "{script}");
        assert!(seen.values().all(|times| *times == 1), "{script}: {seen:?}");
    }
}

#[test]
fn rows_may_start_again_when_all_were_used() {
    let lab = TestLab::start();
    let ended = Program::run_against(
        "target(env(\"TARGET\"));
        let row = csv(\"users.csv\").unique().then_cycle().next();
        phase(\"main\").run(get(`/lab/echo?row=${row.name}`)).users(3).iterations(20);",
        &lab.url(),
    )
    .file("users.csv", users(10))
    .arg("--workers=4")
    .run();
    ended.expect(0);
    let seen = rows_seen(&lab);
    assert!(seen.len() == 10 && seen.values().all(|times| *times == 2), "{seen:?}");
}

#[test]
fn a_data_set_may_be_written_in_its_own_way() {
    let lab = TestLab::start();
    let ended = Program::run_against(
        r##"target(env("TARGET"));
        let rows = csv("users.txt", #{ delimiter: ";", header: false, columns: ["id", "name"], comment: "#" });
        let row = rows.next();
        phase("main").run(get(`/lab/echo?row=${row.id}-${row.name}`)).users(1).iterations(2);"##,
        &lab.url(),
    )
    .file("users.txt", "\u{feff}# the users\r\n1;\"Ann; Lee\"\r\n2;Bo\r\n")
    .run();
    ended.expect(0);
    assert_eq!(rows_seen(&lab).into_keys().collect::<Vec<_>>(), ["1-Ann%3B%20Lee", "2-Bo"]);
}
