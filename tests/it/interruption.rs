//! Runs that are ended from outside.

use std::{process::Stdio, time::Duration};

use rustix::process::Signal;

use crate::harness::{Program, Running, TestLab, until};

/// Far longer than any test waits. Half of the requests are answered at once, the others after `ms`.
fn endless(ms: u32) -> String {
    format!(
        "let shop = target(env(\"TARGET\"));\n\
         let traffic = mix([[1, get(\"/health\").name(\"quick\")], [1, get(\"/lab/fixed?ms={ms}\").name(\"slow\")]]);\n\
         phase(\"first\").run(traffic).rate(100.per_second).during(10.min);\n\
         phase(\"second\").run(traffic).rate(100.per_second).during(10.min);\n\
         teardown(|vu, data| {{ vu.get(\"/lab/echo?teardown\"); }});"
    )
}

fn started(lab: &TestLab, ms: u32) -> Running {
    let running = Program::run_against(&endless(ms), &lab.url()).limit(Duration::from_secs(30)).start();
    until("the 30th answer", Duration::from_secs(20), || lab.seen() >= 30);
    running
}

fn is_in_log(lab: &TestLab, path: &str) -> bool {
    lab.arrivals().iter().any(|entry| &*entry.path == path)
}

#[test]
fn one_signal_drains_and_reports() {
    for signal in [Signal::INT, Signal::TERM] {
        let lab = TestLab::start();
        let running = started(&lab, 200);
        running.signal(signal);
        let ended = running.wait();
        assert_eq!(ended.code, Some(105), "{signal:?} {ended}");
        let figures = ended.figures();
        assert_eq!(figures.0["exit_code"], 105);
        assert_eq!(figures.0["ended_early"], "interrupted");
        assert_eq!(figures.phases().count(), 1, "what did not run is not shown: {ended}");
        let phase = figures.phase("first");
        // Those under way were waited for, so that all that was sent is reported, and all of it ended well.
        let sent = lab.arrivals().iter().filter(|entry| !entry.path.contains("teardown")).count() as u64;
        assert_eq!((phase.count("offered"), phase.count("ok"), phase.count("interrupted")), (sent, sent, 0), "{ended}");
        assert!(sent >= 30, "{ended}");
        assert!(ended.stdout.contains("first"), "{ended}");
        assert!(is_in_log(&lab, "/lab/echo?teardown"), "teardown runs all the same");
    }
}

#[test]
fn a_second_signal_ends_at_once() {
    let lab = TestLab::start();
    // Nobody wants to wait for these.
    let running = started(&lab, 60_000);
    running.signal(Signal::INT);
    running.until_stderr_says("again to end at once");
    let asked = std::time::Instant::now();
    running.signal(Signal::INT);
    let ended = running.wait();
    assert!(asked.elapsed() < Duration::from_secs(10), "{ended}");
    assert_eq!(ended.code, Some(105), "{ended}");
    let phase = ended.figures().phase("first");
    assert!(phase.count("interrupted") >= 5, "{ended}");
    assert!(phase.count("ok") >= 30, "{ended}");
    assert_eq!(phase.row("slow").count("ok"), 0, "{ended}");
}

#[test]
fn a_signal_during_setup_ends_the_run() {
    let lab = TestLab::start();
    let script = r#"
        let shop = target(env("TARGET"));
        setup(|vu| { vu.get("/health"); vu.get("/lab/fixed?ms=1000"); 1 });
        phase("main").run(get("/lab/echo?main")).rate(100.per_second).during(10.min);
    "#;
    let running = Program::run_against(script, &lab.url()).start();
    until("setup", Duration::from_secs(20), || lab.seen() > 0);
    running.signal(Signal::INT);
    let ended = running.wait();
    assert_eq!(ended.code, Some(105), "{ended}");
    assert!(!is_in_log(&lab, "/lab/echo?main"), "{ended}");
}

#[test]
fn a_reader_that_has_gone_is_no_failure() {
    let lab = TestLab::start();
    let script = r#"
        let shop = target(env("TARGET"));
        phase("main").run(get("/health")).users(2).iterations(50);
    "#;
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let ended = Program::run_against(script, &lab.url()).start_with(Stdio::from(writer)).wait();
    ended.expect(0);
    assert_eq!(ended.figures().phase("main").count("ok"), 50);
}

/// The lab that `--demo` starts must not outlive a run that was killed: it would hold its port for ever.
#[cfg(target_os = "linux")]
#[test]
fn a_killed_run_leaves_no_lab_behind() {
    let running = Program::run_of(&endless(1)).arg("--demo").start();
    let pid = running.pid().as_raw_nonzero();
    let mut labs: Vec<u32> = Vec::new();
    until("the demo's lab", Duration::from_secs(20), || {
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        labs = children.split_whitespace().filter_map(|child| child.parse().ok()).collect();
        !labs.is_empty()
    });
    running.signal(Signal::KILL);
    assert_eq!(running.wait().code, None, "a signal ended it");
    for lab in labs {
        until("the lab's end", Duration::from_secs(10), || has_ended(lab));
    }
}

/// Gone, or dead and not yet reaped by whoever inherited it.
#[cfg(target_os = "linux")]
fn has_ended(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_none_or(|rest| rest.trim().is_empty() || rest.trim_start().starts_with(['Z', 'X']))
}
