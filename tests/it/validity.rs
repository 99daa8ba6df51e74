//! What makes a run doubtful, provoked: each source of evidence once.

use std::{
    process::{Child, Command},
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::Value;

use crate::harness::{Ended, Program, TestLab, until};

/// The evidence that names `what`.
#[track_caller]
fn evidence<'a>(ended: &'a Ended, what: &str) -> &'a Value {
    let all = ended.figures().0["evidence"].as_array().expect("a list");
    let found = all.iter().find(|it| it["what"].as_str().is_some_and(|name| name.contains(what)));
    found.unwrap_or_else(|| panic!("no evidence of {what}: {ended}"))
}

fn weighs(evidence: &Value, severity: &str) -> bool {
    evidence["severity"] == severity && evidence["help"].as_str().is_some_and(|help| !help.is_empty())
}

/// A CPU that this process may use.
fn a_cpu() -> String {
    let status = std::fs::read_to_string("/proc/self/status").expect("a status");
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).expect("a list of CPUs");
    list.trim().split([',', '-']).next().expect("one at least").to_owned()
}

#[test]
fn a_process_that_stood_still_is_told_by_the_gap_of_its_clock() {
    let lab = TestLab::start();
    let script = "let shop = target(env(\"TARGET\"));\n\
        phase(\"main\").run(get(\"/health\")).rate(100.per_second).during(4.s);";
    let running = Program::run_against(script, &lab.url()).start();
    until("the 50th request", Duration::from_secs(30), || lab.seen() >= 50);
    running.signal(Signal::STOP);
    let stopped = Instant::now();
    until("a gap that nobody could overlook", Duration::from_secs(10), || stopped.elapsed().as_millis() > 1_500);
    running.signal(Signal::CONT);
    let ended = running.wait();
    assert_eq!(ended.code, Some(97), "{ended}");
    let gap = evidence(&ended, "gap in a worker's heartbeat");
    assert!(weighs(gap, "invalid"), "{ended}");
    // Requests that were due meanwhile left late, and were not forgotten.
    assert!(weighs(evidence(&ended, "lateness p99 in main"), "invalid"), "{ended}");
    assert_eq!(ended.figures().phase("main").count("offered"), 400, "{ended}");
    assert!(ended.stdout.starts_with("INVALID"), "{ended}");
}

/// Processes that take all of a CPU that they are given, until they are dropped.
struct Hogs(Vec<Child>);

impl Hogs {
    fn on(cpu: &str, count: usize) -> Self {
        let hog = || Command::new("taskset").args(["-c", cpu, "sh", "-c", "while :; do :; done"]).spawn();
        Self((0..count).map(|_| hog().expect("taskset is there")).collect())
    }
}

impl Drop for Hogs {
    fn drop(&mut self) {
        for hog in &mut self.0 {
            let _ = hog.kill();
            let _ = hog.wait();
        }
    }
}

#[test]
fn a_generator_that_gets_no_cpu_is_late_and_says_so() {
    let lab = TestLab::start();
    let cpu = a_cpu();
    let hogs = Hogs::on(&cpu, 6);
    // Sleeping between requests, it would be let in first each time: it must have work.
    let script = "let shop = target(env(\"TARGET\"));\n\
        let busy = flow(\"busy\", |vu| { let sum = 0; for k in 0..500 { sum += k; } vu.get(\"/health\"); });\n\
        phase(\"main\").run(busy).rate(200.per_second).during(2.s);";
    let ended = Program::run_against(script, &lab.url()).under(["taskset", "-c", &cpu]).alone().run();
    drop(hogs);
    let late = evidence(&ended, "lateness p99 in main");
    assert!(weighs(late, "invalid") || weighs(late, "suspect"), "{ended}");
    assert!(matches!(ended.figures().verdict(), "SUSPECT" | "INVALID"), "{ended}");
    assert_eq!(ended.code == Some(97), ended.figures().verdict() == "INVALID", "{ended}");
}

#[test]
fn a_generator_that_uses_up_its_cpu_says_so() {
    let cpu = a_cpu();
    // Nothing that would wait. How much of its one CPU it gets is the machine's affair; what it says of that is not.
    let script = "let shop = target(env(\"TARGET\"));\n\
        let busy = flow(\"busy\", |vu| { let from = now(); while now() - from < 20 {} });\n\
        phase(\"main\").run(busy).users(4).during(2.s);";
    let lab = TestLab::start();
    let ended = Program::run_against(script, &lab.url()).under(["taskset", "-c", &cpu]).alone().run();
    let used = ended.figures().phase("main").0["timeline"][0]["cpu_share"].as_f64().expect("it is known");
    assert!((0.02..=1.0).contains(&used), "{used} {ended}");
    let evidence = ended.figures().0["evidence"].to_string();
    let is_told = evidence.contains("own CPU");
    assert!(is_told || used < 0.85, "{used} {ended}");
    assert!(!is_told || used > 0.75, "{used} {ended}");
}

#[test]
fn an_expensive_script_is_told_by_its_share_of_the_time() {
    let lab = TestLab::start();
    let cpu = a_cpu();
    // Each iteration is a long stretch of script for one request.
    let script = "let shop = target(env(\"TARGET\"));\n\
        let heavy = flow(\"heavy\", |vu| {\n\
            let from = now(); let sum = 0; while now() - from < 150 { sum += 1; }\n\
            vu.get(\"/health\");\n\
        });\n\
        phase(\"main\").run(heavy).users(2).during(3.s);";
    let ended = Program::run_against(script, &lab.url()).under(["taskset", "-c", &cpu]).alone().run();
    assert!(weighs(evidence(&ended, "time in script code"), "suspect"), "{ended}");
    let stretch = evidence(&ended, "longest stretch of script code");
    assert!(weighs(stretch, "suspect"), "{ended}");
    assert!(matches!(ended.figures().verdict(), "SUSPECT" | "INVALID"), "{ended}");
}

#[test]
fn a_script_of_the_usual_kind_is_no_evidence() {
    let lab = TestLab::start();
    let script = "let shop = target(env(\"TARGET\"));\n\
        let light = flow(\"light\", |vu| { vu.get(\"/health\"); vu.think(5.ms); });\n\
        phase(\"main\").run(light).users(2).during(2.s);";
    let ended = Program::run_against(script, &lab.url()).alone().run();
    let all = ended.figures().0["evidence"].to_string();
    assert!(!all.contains("script") && !all.contains("descriptors"), "{ended}");
}

#[test]
fn a_limit_of_descriptors_is_told_before_and_after() {
    let lab = TestLab::start();
    let script = "let shop = target(env(\"TARGET\"));\n\
        phase(\"main\").run(get(\"/lab/fixed?ms=50\")).users(120).during(3.s);";
    let limited = ["sh", "-c", "ulimit -n 64; exec \"$0\" \"$@\""];
    let ended = Program::run_against(script, &lab.url()).under(limited).run();
    assert_eq!(ended.code, Some(97), "{ended}");
    assert!(ended.stderr.contains("raise `ulimit -n`"), "told before anything is sent: {ended}");
    assert!(weighs(evidence(&ended, "failed as too_many_files in main"), "invalid"), "{ended}");
    let open = evidence(&ended, "open descriptors");
    assert!(weighs(open, "suspect"), "{ended}");
}

#[test]
fn evidence_stays_in_the_run_file() {
    let lab = TestLab::start();
    let script = "let shop = target(env(\"TARGET\"));\n\
        let heavy = flow(\"heavy\", |vu| { let from = now(); while now() - from < 120 {} vu.get(\"/health\"); });\n\
        phase(\"main\").run(heavy).users(1).during(1500.ms);";
    let ended = Program::run_against(script, &lab.url()).args(["--results", "run.loadr"]).run();
    evidence(&ended, "longest stretch of script code");
    let again = Program::new(["report"]).arg(ended.folder().join("run.loadr")).run();
    assert_eq!(again.stdout, ended.stdout);
}

#[test]
fn ports_that_run_out_are_told_before_and_after() {
    // A network of its own, in which twenty connections have a local port.
    let set_up = "echo 40000 40019 > /proc/sys/net/ipv4/ip_local_port_range && exec \"$0\" \"$@\"";
    let script = "target(env(\"TARGET\"));\n\
        let hold = flow(\"hold\", |vu| { vu.get(\"/health\"); vu.think(300.ms); });\n\
        phase(\"main\").run(hold).users(30).iterations(60);";
    let ended = Program::run_of(script).arg("--demo").apart(set_up).run();
    assert!(ended.stderr.contains("30 virtual users need as many local ports, and this machine has 20"), "{ended}");
    assert_eq!(ended.code, Some(97), "{ended}");
    let failed = evidence(&ended, "requests that failed as address_unavailable in main");
    assert!(weighs(failed, "invalid"), "{ended}");
    assert!(ended.stdout.contains("the generator ran out of ports"), "{ended}");
    // Those that had one went on with it.
    assert!(ended.figures().phase("main").row("GET /health").count("ok") >= 20, "{ended}");
}
