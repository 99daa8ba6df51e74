//! Many connections at once, and what is said where a machine has no room for them.

use std::time::Duration;

use crate::harness::{LabChild, Program, TestLab, until};

/// Each user sends one request to one of four addresses, and waits with its connection open.
const IDLE: &str = r#"
    let flows = [];
    for n in 1..5 {
        let site = target(`http://127.0.0.${n}:${env("PORT")}`);
        flows.push([1, flow(`site ${n}`, |vu| {
            vu.send(get("/health").name("health").on(site));
            vu.think(10.min);
        })]);
    }
    phase("idle").run(mix(flows)).users(parse_int(env("USERS"))).during(10.min).drain(1.ms);
"#;

fn idle(port: u16, users: u32) -> Program {
    Program::run_of(IDLE).args(["-e", &format!("PORT={port}"), "-e", &format!("USERS={users}")])
}

#[test]
fn the_limits_of_client_and_lab_are_raised_as_far_as_they_go() {
    const USERS: u32 = 2_000;
    let lab = LabChild::limited(256, 4_000);
    let running = idle(lab.addr.port(), USERS).descriptors(256, 4_000).start();
    until("every user has its connection", Duration::from_secs(40), || lab.requests() >= u64::from(USERS));
    // All of them are open at the same time, in both processes.
    let open = std::fs::read_dir(format!("/proc/{}/fd", running.pid().as_raw_nonzero())).expect("it runs").count();
    assert!(open >= USERS as usize, "{open}");
    running.signal(rustix::process::Signal::INT);
    running.signal(rustix::process::Signal::INT);
    let ended = running.wait();
    let row = ended.figures().phase("idle").row("health");
    assert_eq!((row.count("ok"), row.errors().len()), (u64::from(USERS), 0), "{ended}");
    assert!(!ended.stderr.contains("descriptors"), "{ended}");
}

#[test]
fn a_limit_that_is_too_low_is_told_before_the_run_and_after_it() {
    let lab = TestLab::start();
    let script = "target(env(\"TARGET\"));\nphase(\"many\").run(get(\"/health\")).users(300).each_user(2);";
    let ended = Program::run_against(script, &lab.url()).descriptors(50, 120).start().wait();
    assert!(ended.stderr.contains("300 virtual users need about"), "{ended}");
    assert!(ended.stderr.contains("may have 120: raise `ulimit -n`, whose hard limit that is"), "{ended}");
    // Those that found no room have failed by the generator's fault, and speak against the run.
    let figures = ended.figures();
    let errors = figures.phase("many").row("GET /health").errors();
    assert!(errors.iter().any(|(kind, count)| *kind == "too_many_files" && *count > 0), "{ended}");
    assert_eq!(figures.verdict(), "INVALID", "{ended}");
}

#[test]
fn descriptors_that_are_nearly_used_up_make_a_run_suspect() {
    let lab = TestLab::start();
    let script = "target(env(\"TARGET\"));\n\
                  let wait = flow(\"wait\", |vu| { vu.get(\"/health\"); vu.think(2500.ms); });\n\
                  phase(\"all\").run(wait).users(150).each_user(1);";
    let probe = Program::run_against(script, &lab.url()).arg("--workers").arg("1").start();
    until("every user has its connection", Duration::from_secs(20), || lab.seen() >= 150);
    let open = std::fs::read_dir(format!("/proc/{}/fd", probe.pid().as_raw_nonzero())).expect("it runs").count();
    probe.wait();
    let limit = u32::try_from(open).expect("some hundred") + 5;
    let ended =
        Program::run_against(script, &lab.url()).arg("--workers").arg("1").descriptors(limit, limit).start().wait();
    let evidence = ended.figures().0["evidence"].to_string();
    assert!(evidence.contains("open descriptors"), "{evidence} {ended}");
    assert_eq!(ended.figures().verdict(), "SUSPECT", "{ended}");
    assert_eq!(ended.figures().phase("all").count("ok"), 150, "{ended}");
}
