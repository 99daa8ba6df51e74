//! Programs that a run starts: ready before it, gone after it, however it ends.

use std::{
    net::{TcpListener, TcpStream},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use crate::harness::{Ended, PROGRAM, Program, until};

/// A script's target, and something to do.
const NOWHERE: &str = "target(\"http://127.0.0.1:9\");\nphase(\"main\").run(get(\"/\")).iterations(1);\n";

/// `loadr run` of a scenario, which may start programs.
fn run_of(script: &str) -> Program {
    Program::run_of(script).args(["--allow-exec", "--results", "run.loadr"])
}

/// A scenario whose target is a lab that it starts, by way of a shell that notes each start and leaves a child.
fn with_lab(ready: &str, rest: &str) -> String {
    format!(
        "let api = process(`sh -c 'echo started >> starts; sleep 1000 & echo child $!; exec {PROGRAM} lab --port {{port}}'`,\n\
         #{{ ready: {ready}, cwd: \".\" }});\n\
         target(api.address); print(api.address);\n{rest}"
    )
}

/// The port of the address that a script printed.
#[track_caller]
fn port(ended: &Ended) -> u16 {
    let (_, rest) = ended.stderr.split_once("http://127.0.0.1:").unwrap_or_else(|| panic!("no address: {ended}"));
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().expect("a port")
}

fn listens(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

/// The children that a log tells of are gone.
#[track_caller]
fn no_child_is_left(log: &str) {
    let children: Vec<i32> = log.lines().filter_map(|line| line.strip_prefix("child ")?.parse().ok()).collect();
    assert!(!children.is_empty(), "{log}");
    for child in children {
        let child = Pid::from_raw(child).expect("a number");
        until("the end of a child", Duration::from_secs(20), || test_kill_process(child).is_err());
    }
}

#[test]
fn the_system_under_test_runs_as_long_as_the_run() {
    let script = with_lab(
        "\"/health\"",
        "setup(|vu| if api.pid < 2 { throw \"no number\" });\n\
         phase(\"main\").run(get(\"/health\")).rate(50.per_second).during(1.s);\n\
         monitor(\"api\", api, #{ every: 100.ms });\n\
         slo(\"all\", #{ errors: \"== 0%\" }); slo(\"there\", #{ monitor: \"api\", threads: \">= 1\" });",
    );
    let ended = run_of(&script).args(["--workers", "2"]).run();
    ended.expect(0);
    let figures = ended.figures();
    assert_eq!(figures.phase("main").count("ok"), 50, "{ended}");
    assert_eq!(figures.slo("there")["verdict"], "pass", "{ended}");
    assert!(!figures.0["notes"].to_string().contains("sh "), "{ended}");
    // Each of three evaluations has declared it; it was started once.
    assert_eq!(ended.read("starts"), "started\n");
    for part in ["starting sh -c 'echo started", "sh runs as process", "run.sh.log"] {
        assert!(ended.stderr.contains(part), "{part}: {ended}");
    }
    assert!(!listens(port(&ended)), "{ended}");
    no_child_is_left(&ended.read("run.sh.log"));
}

#[test]
fn ready_is_an_answer_a_connection_or_what_it_says() {
    for ready in ["\"tcp\"", "regex(\"listens|http://127\")"] {
        let ended = run_of(&with_lab(ready, "phase(\"main\").run(get(\"/health\")).iterations(5);")).run();
        ended.expect(0);
        assert_eq!(ended.figures().phase("main").count("ok"), 5, "{ready}: {ended}");
        assert!(!listens(port(&ended)), "{ready}: {ended}");
    }
}

#[test]
fn without_leave_nothing_is_started() {
    let script = with_lab("\"/health\"", "phase(\"main\").run(get(\"/health\")).iterations(5);");
    let run = Program::run_of(&script).run();
    assert_eq!(run.code, Some(104), "{run}");
    for part in ["may not start `sh -c 'echo started", "--allow-exec", "scenario.rhai:1:11"] {
        assert!(run.stderr.contains(part), "{part}: {run}");
    }
    assert!(!run.folder().join("starts").exists());
    let mut hashes = Vec::new();
    for (command, code) in [("plan", 0), ("plan", 0), ("check", 0), ("try", 1)] {
        let arguments = if command == "plan" { vec!["plan", "s.rhai", "--json"] } else { vec![command, "s.rhai"] };
        let ended = Program::new(arguments).file("s.rhai", &script).run();
        assert_eq!(ended.code, Some(code), "{command}: {ended}");
        assert!(!ended.folder().join("starts").exists(), "{command}: {ended}");
        match command {
            "plan" => {
                let plan: serde_json::Value = serde_json::from_str(&ended.stdout).expect("JSON");
                assert_eq!(plan["processes"][0]["ready"], "when GET /health is answered with 2xx");
                hashes.push(plan["plan_hash"].clone());
            }
            "try" => assert!(ended.stderr.contains("`loadr try` starts nothing: start `sh -c"), "{ended}"),
            _ => {}
        }
    }
    // Its port is another each time, and its traffic the same.
    assert_eq!(hashes[0], hashes[1]);
}

#[test]
fn what_does_not_start_or_is_not_ready_is_told_with_its_output() {
    let taken = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let port = taken.local_addr().expect("its address").port();
    let elsewhere = format!("process(\"sleep 1000\", #{{ port: {port} }})");
    for (process, parts) in [
        ("process(\"no-such-program-anywhere\")", &["failed to start no-such-program-anywhere", "PATH"][..]),
        ("process(\"sleep 1000\", #{ cwd: \"no/such\" })", &["there is no folder", "no/such"]),
        (&*elsewhere, &["listens at 127.0.0.1:", "already"]),
        (
            "process(`sh -c 'echo so far; echo child $$; sleep 1000'`, #{ env: #{ P: \"{port}\" }, timeout: 300.ms })",
            &["sh was not ready within 300ms", "takes no connections", "so far"],
        ),
        (
            "process(`sh -c 'echo {port}; exec sleep 1000'`, #{ ready: \"/health\", timeout: 200.ms })",
            &["sleep", "within 200ms", "GET http://127.0.0.1:", "gets no 2xx"],
        ),
        ("process(\"sleep 1000\", #{ ready: regex(\"fine\"), timeout: 50.ms })", &["fits \"fine\"", "printed nothing"]),
        ("process(`sh -c 'echo broken; exit 3'`, #{ ready: regex(\"fine\") })", &["ended with exit code 3", "broken"]),
        ("process(`sh -c 'kill -9 $$'`, #{ ready: regex(\"fine\") })", &["ended by signal 9"]),
        ("process(\"true\", #{ ready: regex(\"fine\") })", &["ended with exit code 0", "in the foreground"]),
    ] {
        let ended = run_of(&format!("{process};\n{NOWHERE}")).run();
        assert_eq!(ended.code, Some(1), "{process}: {ended}");
        for part in parts {
            assert!(ended.stderr.contains(part) || process.contains(part), "{part}: {ended}");
        }
        if process.contains("child") {
            no_child_is_left(&ended.read("run.sh.log"));
        }
    }
}

#[test]
fn however_the_run_ends_its_processes_end_too() {
    let script = with_lab("\"/health\"", "phase(\"main\").run(get(\"/health\")).rate(20.per_second).during(60.s);");
    for (signal, code) in [(Signal::KILL, None), (Signal::INT, Some(105)), (Signal::TERM, Some(105))] {
        let running = run_of(&script).start();
        // What a run says once it is on.
        running.until_stderr_says("[1/1] main");
        running.signal(signal);
        let ended = running.wait();
        assert_eq!(ended.code, code, "{signal:?}: {ended}");
        let port = port(&ended);
        until("the end of the lab", Duration::from_secs(20), || !listens(port));
        no_child_is_left(&ended.read("run.sh.log"));
    }
}

#[test]
fn loadr_that_is_killed_before_all_is_ready_leaves_nothing() {
    let script =
        format!("process(`sh -c 'echo child $$ > child; sleep 1000'`, #{{ cwd: \".\", port: 1 }});\n{NOWHERE}");
    let running = run_of(&script).start();
    let child = running.folder().join("child");
    until("its start", Duration::from_secs(20), || std::fs::read(&child).is_ok_and(|text| text.ends_with(b"\n")));
    // Not INT, which a shell makes its background jobs ignore.
    running.signal(Signal::TERM);
    let ended = running.wait();
    assert_eq!(ended.code, None, "{ended}");
    no_child_is_left(&ended.read("child"));
}

#[test]
fn what_does_not_want_to_end_is_killed_with_its_children() {
    let script = format!(
        "process(`sh -c 'trap \"\" TERM; sleep 1000 & echo child $!; setsid sh -c \"echo child \\$\\$; exec sleep 1000\" & \
         wait; echo child $$; while true; do sleep 1000; done'`, #{{ ready: regex(\"(?s)child.*child\"), stop: 200.ms }});\n\
         {NOWHERE}"
    );
    let ended = run_of(&script).arg("--no-preflight").run();
    let notes = ended.figures().0["notes"].to_string();
    assert!(notes.contains("sh did not end within 200ms of SIGTERM, and was killed"), "{ended}");
    let log = ended.read("run.sh.log");
    assert!(log.matches("child").count() >= 2, "{log}");
    no_child_is_left(&log);
}

#[test]
fn what_has_left_the_group_is_asked_to_end_too() {
    // A program of another session, and one that it has put into yet another.
    let script = format!(
        "process(`setsid -w sh -c 'trap \"echo asked; exit\" TERM; echo child $$; setsid sleep 1000 & echo child $!; wait'`,\n\
         #{{ ready: regex(\"(?s)child.*child\") }});\n{NOWHERE}"
    );
    let ended = run_of(&script).arg("--no-preflight").run();
    let log = ended.read("run.setsid.log");
    assert!(log.contains("asked") && !ended.figures().0["notes"].to_string().contains("killed"), "{log} {ended}");
    no_child_is_left(&log);
}

#[test]
fn who_does_not_want_to_wait_for_its_end_kills_it() {
    let script = format!(
        "process(`sh -c 'trap \"\" TERM; echo child $$; while true; do sleep 1000; done'`,\n\
         #{{ ready: regex(\"child\"), stop: 10.min }});\n{NOWHERE}"
    );
    let running = run_of(&script).arg("--no-preflight").start();
    running.until_stderr_says("waiting for sh to end, 10m at most");
    running.signal(Signal::INT);
    let ended = running.wait();
    let notes = ended.figures().0["notes"].to_string();
    assert!(notes.contains("sh was killed, for loadr got a signal"), "{ended}");
    no_child_is_left(&ended.read("run.sh.log"));
}

#[test]
fn one_that_ends_while_the_run_is_on_is_told_of() {
    let script = with_lab(
        "\"/health\"",
        "let brief = process(`sh -c 'echo the last word; sleep 0.3; exit 7'`);\n\
         phase(\"main\").run(get(\"/health\")).rate(20.per_second).during(2.s);",
    );
    let ended = run_of(&script).run();
    let said = "sh-2 ended with exit code 7 while the run was on";
    assert!(ended.figures().0["notes"].to_string().contains(said), "{ended}");
    for part in [&format!("warning: {said}"), "the last word", "run.sh-2.log"] {
        assert!(ended.stderr.contains(part), "{part}: {ended}");
    }
}

#[test]
fn a_program_whose_supervisor_is_killed_is_killed_by_loadr() {
    let script = with_lab("\"/health\"", "phase(\"main\").run(get(\"/health\")).rate(20.per_second).during(60.s);");
    let running = run_of(&script).start();
    running.until_stderr_says("[1/1] main");
    let children = format!("/proc/{0}/task/{0}/children", running.pid().as_raw_nonzero());
    let children = std::fs::read_to_string(children).expect("its children");
    let supervisor = children.split_whitespace().find_map(|child| Pid::from_raw(child.parse().ok()?)).expect("a child");
    kill_process(supervisor, Signal::KILL).expect("it is there");
    running.until_stderr_says("warning: sh ended with its supervisor");
    running.signal(Signal::INT);
    let ended = running.wait();
    assert_eq!(ended.code, Some(105), "{ended}");
    let port = port(&ended);
    until("the end of the lab", Duration::from_secs(20), || !listens(port));
    // Its children are nobody's: what is in the group has been sent a signal.
    assert!(ended.figures().0["notes"].to_string().contains("ended with its supervisor"), "{ended}");
}

#[test]
fn it_has_the_limit_of_descriptors_that_loadr_was_given() {
    let script =
        format!("process(`sh -c 'ulimit -S -n; exec sleep 1000'`, #{{ ready: regex(\"\\\\d\") }});\n{NOWHERE}");
    let ended = run_of(&script).arg("--no-preflight").descriptors(512, 2_048).run();
    assert_eq!(ended.read("run.sh.log"), "512\n", "{ended}");
}

#[test]
fn secrets_of_its_environment_are_not_told() {
    let script = format!(
        "process(`sh -c 'echo token $TOKEN; exit 3'`, #{{ ready: regex(\"fine\"), env: #{{ TOKEN: secret(\"TOKEN\") }} }});\n\
         {NOWHERE}"
    );
    let ended = run_of(&script).args(["-e", "TOKEN=s3cr3t-of-the-test"]).run();
    assert_eq!(ended.code, Some(1), "{ended}");
    assert!(ended.stderr.contains("token ***") && !ended.stderr.contains("s3cr3t"), "{ended}");
}
