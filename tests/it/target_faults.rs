//! Targets that are not there, go away, or break the rules of HTTP.

use std::time::Duration;

use crate::harness::{LabChild, Program, TestLab, dead_addr, until};

/// The URL of an address at which nothing listens.
fn dead_url() -> String {
    format!("http://{}", dead_addr())
}

const STEADY: &str = r#"
    let shop = target(env("TARGET")).timeout(2.s);
    phase("steady").run(get("/health")).rate(200.per_second).during(4.s);
    slo("nothing fails", #{ errors: "< 1%" });
"#;

#[test]
fn a_target_that_is_not_there_is_told_before_the_run() {
    let ended = Program::run_against(STEADY, &dead_url()).run();
    assert_eq!(ended.code, Some(1), "{ended}");
    assert!(ended.took < Duration::from_secs(5), "{ended}");
    assert_eq!(ended.stdout, "");
    for part in ["cannot be reached", "refused", "help: ", "--demo"] {
        assert!(ended.stderr.contains(part), "no {part:?} in {ended}");
    }
}

#[test]
fn a_host_without_address_is_told_before_the_run() {
    let ended = Program::run_against(STEADY, "http://no-such-host.invalid").run();
    assert_eq!(ended.code, Some(1), "{ended}");
    assert!(ended.stderr.contains("no-such-host.invalid") && ended.stderr.contains("help: "), "{ended}");
}

#[test]
fn without_preflight_each_refusal_is_counted() {
    let ended = Program::run_against(STEADY, &dead_url()).arg("--no-preflight").run();
    ended.expect(99);
    let row = ended.figures().phase("steady").row("GET /health");
    assert_eq!((row.count("offered"), row.error("connect_refused")), (800, 800), "{ended}");
    let failure = &row.0["failures"][0];
    assert_eq!(failure["kind"], "connect_refused");
    assert!(!failure["examples"].as_array().expect("examples").is_empty(), "{ended}");
}

#[test]
fn a_target_that_dies_in_mid_run_is_reported_and_not_waited_for() {
    let mut lab = LabChild::start();
    let running = Program::run_against(STEADY, &lab.url).limit(Duration::from_secs(20)).start();
    until("the 200th request", Duration::from_secs(15), || lab.requests() >= 200);
    lab.kill();
    let ended = running.wait();
    ended.expect(99);
    let phase = ended.figures().phase("steady");
    let row = phase.row("GET /health");
    assert_eq!(row.count("offered"), 800, "the plan goes on: {ended}");
    assert!(row.count("ok") >= 200, "{ended}");
    assert!(row.error("connect_refused") > 0, "{ended}");
    let known = ["connect_refused", "reset", "closed_early", "stale_connection", "truncated_head", "truncated_body"];
    assert!(row.errors().iter().all(|(kind, _)| known.contains(kind)), "{ended}");
    assert_eq!(row.count("ok") + row.errors().iter().map(|(_, count)| count).sum::<u64>(), 800);
}

/// What each path of the misbehaving server must be reported as; nothing where its answer is a valid one.
const MISBEHAVIOURS: [(&str, Option<&str>); 15] = [
    ("/close", Some("closed_early")),
    ("/reset", Some("reset")),
    ("/half-head", Some("truncated_head")),
    ("/truncated-body", Some("truncated_body")),
    ("/truncated-chunk", Some("truncated_body")),
    ("/bad-chunk", Some("protocol")),
    ("/garbage", Some("protocol")),
    ("/huge-head", Some("head_too_large")),
    ("/endless-body", Some("body_too_large")),
    ("/double-length", Some("protocol")),
    ("/one-byte", None),
    ("/early-hints", None),
    ("/no-length", None),
    ("/never", Some("timeout")),
    ("/slow?ms=50", None),
];

#[test]
fn each_misbehaviour_has_its_kind() {
    let lab = TestLab::start();
    let phases: String = MISBEHAVIOURS
        .iter()
        .map(|(path, _)| format!("phase(\"{path}\").run(get(\"{path}\").timeout(500.ms)).users(2).iterations(6);\n"))
        .collect();
    // 200 kB: a body without end is cut there.
    let script = format!("let bad = target(env(\"TARGET\")).max_body(200.kb);\n{phases}");
    let ended = Program::run_against(&script, &lab.misbehaving_url()).run();
    ended.expect(0);
    let actual: Vec<_> = MISBEHAVIOURS
        .iter()
        .map(|(path, _)| {
            let row = ended.figures().phase(path).row(&format!("GET {}", path.trim_end_matches("?ms=50")));
            (*path, row.count("ok"), row.errors())
        })
        .collect();
    let expected: Vec<_> = MISBEHAVIOURS
        .iter()
        .map(|(path, kind)| match kind {
            Some(kind) => (*path, 0, vec![(*kind, 6)]),
            None => (*path, 6, vec![]),
        })
        .collect();
    assert_eq!(actual, expected);
}

#[test]
fn timeouts_are_lower_bounds_of_the_percentiles() {
    let lab = TestLab::start();
    // One in ten is never answered in time.
    let script = r#"
        let shop = target(env("TARGET")).timeout(300.ms);
        let traffic = mix([[9, get("/lab/fixed?ms=1").name("x")], [1, get("/lab/fixed?ms=5000").name("x")]]);
        phase("open").run(traffic).rate(200.per_second).during(3.s);
        slo("fast", #{ p95: "< 200ms" });
    "#;
    let ended = Program::run_against(script, &lab.url()).run();
    ended.expect(99);
    let phase = ended.figures().phase("open");
    assert_eq!((phase.count("offered"), phase.count("ok"), phase.count("timeouts")), (600, 540, 60), "{ended}");
    let row = phase.row("x");
    assert_eq!(row.error("timeout"), 60);
    let response = &row.0["response_us"];
    assert_eq!((response["count"].as_u64(), response["censored"].as_u64()), (Some(540), Some(60)), "{ended}");
    let at_least = response["at_least"].as_array().expect("a list");
    assert!(at_least.iter().any(|name| name == "p95") && !at_least.iter().any(|name| name == "p50"), "{ended}");
    assert!(row.ms("response_us", "p95") >= 300.0, "{ended}");
    assert!(ended.stdout.contains("≥"), "{ended}");
    assert_eq!(ended.figures().slo("fast")["at_least"], true);
}

#[test]
fn what_waits_longer_than_its_timeout_expires() {
    let lab = TestLab::start();
    // One place, held for 200 ms by each: of 50 arrivals in a second, five are served and the rest waits too long.
    let script = r#"
        let shop = target(env("TARGET")).timeout(400.ms);
        phase("open").run(get("/lab/fixed?ms=200").name("x")).rate(50.per_second).during(2.s).max_in_flight(1);
    "#;
    let ended = Program::run_against(script, &lab.url()).run();
    let phase = ended.figures().phase("open");
    assert_eq!(phase.count("offered"), 100, "{ended}");
    assert!(phase.count("expired") >= 80, "{ended}");
    assert_eq!(phase.count("ok") + phase.count("timeouts") + phase.count("expired"), 100, "{ended}");
    assert_eq!(lab.seen() as u64, phase.count("ok") + phase.count("timeouts"), "expired arrivals are not sent");
}

/// What the generator runs out of is no fault of the target: the verdict says so.
#[cfg(target_os = "linux")]
#[test]
fn a_generator_without_descriptors_proves_nothing() {
    use rustix::process::{Resource, Rlimit, prlimit};
    let lab = TestLab::start();
    let script = r#"
        let shop = target(env("TARGET")).no_keepalive();
        phase("main").run(get("/health")).rate(100.per_second).during(3.s);
    "#;
    let running = Program::run_against(script, &lab.url()).start();
    until("the 50th request", Duration::from_secs(15), || lab.seen() >= 50);
    // Whatever is open stays open; nothing can be added.
    let none = Rlimit { current: Some(3), maximum: Some(3) };
    prlimit(Some(running.pid()), Resource::Nofile, none).expect("it is ours");
    let ended = running.wait();
    ended.expect(97);
    let row = ended.figures().phase("main").row("GET /health");
    assert!(row.error("too_many_files") > 100 && row.count("ok") >= 50, "{ended}");
    assert_eq!(ended.figures().0["verdict"], "INVALID", "{ended}");
    for part in ["requests that failed as too_many_files in main", "this is the generator's limit", "ulimit -n"] {
        assert!(ended.stdout.contains(part), "no {part:?} in {ended}");
    }
}

#[test]
fn a_connection_that_is_closed_after_each_answer_is_opened_anew() {
    let lab = TestLab::start();
    let script = r#"
        let bad = target(env("TARGET"));
        phase("closing").run(get("/no-length")).users(3).iterations(30);
    "#;
    let ended = Program::run_against(script, &lab.misbehaving_url()).run();
    ended.expect(0);
    let phase = ended.figures().phase("closing");
    assert_eq!(phase.count("ok"), 30, "{ended}");
    assert!(phase.count("connections_opened") >= 27, "{ended}");
}

/// The server promises to keep the connection and closes it. Whoever has sent the next request by then cannot know:
/// that is counted as what it is, and nothing else is.
#[test]
fn a_broken_promise_to_keep_a_connection_has_its_own_kind() {
    let lab = TestLab::start();
    let script = r#"
        let bad = target(env("TARGET"));
        phase("main").run(get("/close-after")).users(3).iterations(60);
    "#;
    let ended = Program::run_against(script, &lab.misbehaving_url()).run();
    ended.expect(0);
    let row = ended.figures().phase("main").row("GET /close-after");
    assert_eq!(row.count("ok") + row.error("stale_connection"), 60, "{ended}");
    assert!(row.count("ok") >= 3, "the first request of a connection is always answered: {ended}");
}

/// Answers every question of a resolver with SERVFAIL.
const FAILING_RESOLVER: &str = "import socket\n\
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n\
    s.bind(('127.0.0.1', 53))\n\
    print('ready', flush=True)\n\
    while True:\n    \
        q, a = s.recvfrom(512)\n    \
        s.sendto(q[:2] + b'\\x81\\x82' + q[4:6] + bytes(6) + q[12:], a)\n";

#[test]
fn a_resolver_that_fails_is_no_answer_and_told() {
    // A network and a resolver of its own; the fifo tells when that answers.
    let set_up = "echo nameserver 127.0.0.1 > resolv && mount --bind resolv /etc/resolv.conf \
        && mkfifo ready && { python3 failing.py > ready & } && read _ < ready && { \"$0\" \"$@\"; code=$?; kill $!; exit $code; }";
    let script = "target(\"http://shop.example:8080\");\n\
        phase(\"main\").run(get(\"/health\")).users(2).iterations(4);";
    let program = |more: &[&str]| {
        let run = Program::run_of(script).file("failing.py", FAILING_RESOLVER).apart(set_up);
        run.args(["--allow-target", "shop.example"]).args(more).run()
    };
    let before = program(&[]);
    before.expect(1);
    assert!(before.stderr.contains("the target shop.example:8080 has no address"), "{before}");
    let ended = program(&["--no-preflight"]);
    ended.expect(0);
    let row = ended.figures().phase("main").row("GET /health");
    assert_eq!(row.errors(), [("dns", 4)], "{ended}");
    assert!(ended.stdout.contains("check the host's name and the resolver"), "{ended}");
}
