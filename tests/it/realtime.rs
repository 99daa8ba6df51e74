//! WebSockets and server-sent events: what is measured, what each fault is called, and that nothing hangs or leaks.

use loadr::lab::LabOptions;

use crate::harness::{Ended, Program, TestLab};

/// A script whose one flow has these steps; three iterations of one user.
fn flow(steps: &str) -> String {
    format!(
        "let shop = target(env(\"TARGET\")).timeout(5.s);\n\
         phase(\"main\").run(flow(\"it\", |vu| {{\n{steps}\n}})).users(1).iterations(3).drain(500.ms);"
    )
}

fn run(steps: &str, url: &str) -> Ended {
    Program::run_against(&flow(steps), url).run()
}

#[track_caller]
fn all_went_well(ended: &Ended) {
    ended.expect(0);
    let phase = ended.figures().phase("main");
    assert_eq!(phase.count("ok"), 3, "{ended}");
    let checks = phase.0["checks"].as_array().expect("checks");
    assert!(!checks.is_empty() && checks.iter().all(|check| check["failed"] == 0), "{ended}");
}

const TALK: &str = r##"
    let ws = vu.websocket(get("/ws/echo?ms=20").name("chat"), #{ subprotocols: ["v9.lab", "v2.lab"] });
    check("open", !ws.closed && ws.response.status == 101);
    check("subprotocol", ws.response.header("sec-websocket-protocol") == "v2.lab");
    let json = ws.request(#{ op: "join", room: 7 }, 2.s);
    check("json", json.kind == "text" && json.json("room") == 7 && json.json().op == "join");
    check("timed", json.duration >= 20.ms && json.ok && json.error == ());
    ws.send("héllo");
    check("text", ws.receive().text == "héllo");
    let binary = ws.request(blob(300, 7));
    check("binary", binary.kind == "binary" && binary.size == 300 && binary.bytes[299] == 7);
    for n in 1..4 { ws.send(#{ n: n }); }
    check("passes over", ws.receive(2.s, |message| message.json("n") == 3).json("n") == 3);
    check("pong", ws.ping() < 2.s);
    check("nothing waits", ws.waiting == 0);
    ws.close(4000, "bored");
    check("closed", ws.closed);
"##;

#[test]
fn messages_go_and_come_and_are_measured() {
    let lab = TestLab::start();
    let ended = run(TALK, &lab.url());
    all_went_well(&ended);
    let phase = ended.figures().phase("main");
    assert_eq!((phase.row("chat").count("ok"), phase.requests(), lab.seen()), (3, 3, 3), "{ended}");
    assert_eq!(phase.row("chat").0["status"]["101"], 3, "{ended}");
    let trips = phase.message("chat: round trip");
    assert_eq!((trips.count("ok"), trips.count("offered")), (12, 12), "{ended}");
    assert!(trips.ms("response_us", "min") >= 20.0, "{ended}");
    assert_eq!(phase.message("chat: ping").count("ok"), 3, "{ended}");
    assert!(ended.stdout.contains("chat: round trip"), "{ended}");
}

#[test]
fn channels_are_opened_over_tls_with_the_users_own_fields_and_cookies() {
    let lab = TestLab::with(LabOptions { tls: true, ..LabOptions::default() });
    let steps = r#"
        vu.get("/lab/cookies/set?sid=abc");
        let ws = vu.websocket("/ws/echo");
        check("echo", ws.request("over tls").text == "over tls");
        check("secured", ws.response.timings.tls != ());
        let events = vu.events("/sse/ticks?count=2&ms=1");
        check("events", events.next().json("n") == 1 && events.next().id == "2");
    "#;
    let script = flow(steps).replace("target(env(\"TARGET\"))", "target(env(\"TARGET\")).ca(\"ca.pem\")");
    let ended = Program::run_against(&script, &lab.url()).file("ca.pem", lab.authority()).run();
    all_went_well(&ended);
    assert_eq!(ended.figures().phase("main").message("WS /ws/echo: round trip").count("ok"), 3, "{ended}");
}

#[test]
fn messages_that_nobody_asked_for_are_measured_from_the_one_before() {
    let lab = TestLab::start();
    let steps = r#"
        let ws = vu.websocket(get("/ws/ticks?count=4&ms=30").name("ticks"));
        let first = ws.receive(2.s);
        check("first", first.json("n") == 1);
        // What comes while the script is elsewhere carries its own time.
        vu.think(200.ms);
        check("they wait", ws.waiting == 3);
        check("even", ws.receive().duration < 150.ms && ws.receive().ok && ws.receive().ok);
        let end = ws.receive();
        check("an end in good order", end.kind == "close" && end.code == 1000 && end.error == "channel_closed");
        check("over", ws.closed && !end.ok);
    "#;
    let ended = run(steps, &lab.url());
    all_went_well(&ended);
    let phase = ended.figures().phase("main");
    assert_eq!(phase.message("ticks: first message").count("ok"), 3, "{ended}");
    let gaps = phase.message("ticks: gap");
    assert_eq!((gaps.count("ok"), gaps.count("offered")), (9, 9), "{ended}");
    assert!(gaps.ms("response_us", "max") < 150.0, "the pause does not show: {ended}");
}

#[test]
fn events_are_read_as_they_come() {
    let lab = TestLab::start();
    let steps = r#"
        let events = vu.events(get("/sse/ticks?count=4&ms=25").name("prices"));
        let first = events.next(2.s);
        check("first", first.event == "tick" && first.id == "1" && first.json("n") == 1 && first.retry == ());
        check("wanted", events.next(2.s, |event| event.id == "3").data == "{\"n\":3}");
        check("last", events.next().ok);
        let end = events.next();
        check("end", !end.ok && end.error == "channel_closed" && end.event == () && events.closed);
        let other = vu.events("/sse/ticks?count=1000&ms=5");
        other.next();
        other.close();
        check("closed", other.closed);
    "#;
    let ended = run(steps, &lab.url());
    all_went_well(&ended);
    let phase = ended.figures().phase("main");
    assert_eq!(phase.row("prices").count("ok"), 3, "{ended}");
    let first = phase.message("prices: first event");
    assert!(first.count("ok") == 3 && first.ms("response_us", "min") >= 25.0, "{ended}");
    // From the first to the third, from the third to the fourth.
    let gaps = phase.message("prices: gap");
    assert!(gaps.count("ok") == 6 && gaps.ms("response_us", "max") >= 50.0, "{ended}");
    assert_eq!(phase.message("SSE /sse/ticks: first event").count("ok"), 3, "{ended}");
}

/// Path of the port that misbehaves, what is awaited, the row, and its kind of error.
const FAULTS: &[(&str, &str, &str, &str)] = &[
    ("/ws/reset", "ws", "round trip", "reset"),
    ("/ws/gone", "ws", "round trip", "channel_closed"),
    ("/ws/not-utf-8", "ws", "round trip", "protocol"),
    ("/ws/nonsense", "ws", "round trip", "protocol"),
    ("/ws/huge", "ws", "round trip", "message_too_large"),
    ("/ws/never", "ws", "round trip", "timeout"),
    ("/sse/truncated", "events", "gap", "truncated_body"),
    ("/sse/reset?ms=1", "events", "gap", "reset"),
    ("/sse/endless-line", "events", "first event", "message_too_large"),
];

#[test]
fn each_fault_of_a_channel_has_its_kind_and_the_user_goes_on() {
    let lab = TestLab::start();
    for (path, kind, row, error) in FAULTS {
        let steps = match *kind {
            "ws" => format!(
                "let ws = vu.websocket(get(\"{path}\").name(\"it\")); if ws.send(\"x\") {{ \
                 let message = ws.receive(300.ms); check(\"told\", message.error == \"{error}\"); }}"
            ),
            _ => format!(
                "let events = vu.events(get(\"{path}\").name(\"it\")); let event = events.next(2.s); \
                 if event.ok {{ event = events.next(2.s); }} check(\"told\", event.error == \"{error}\");"
            ),
        };
        let ended = run(&steps, &lab.misbehaving_url());
        let phase = ended.figures().phase("main");
        assert_eq!(phase.row("it").count("ok"), 3, "{path}: {ended}");
        let row = phase.message(&format!("it: {row}"));
        assert_eq!(row.error(error), 3, "{path}: {ended}");
        assert_eq!(phase.count("ok"), 0, "{path}: {ended}");
        assert!(phase.messages("script_errors").is_empty(), "{path}: {ended}");
    }
}

#[test]
fn what_does_not_open_says_why() {
    let lab = TestLab::start();
    for (url, steps, row, error) in [
        (lab.url(), "vu.websocket(\"/lab/status/403\")", "WS /lab/status/{…}", "failed_status"),
        (lab.url(), "vu.websocket(\"/health\")", "WS /health", "failed_status"),
        (lab.misbehaving_url(), "vu.websocket(\"/ws/wrong-key\")", "WS /ws/wrong-key", "protocol"),
        (lab.misbehaving_url(), "vu.websocket(\"/close\")", "WS /close", "closed_early"),
        (lab.misbehaving_url(), "vu.websocket(get(\"/never\").timeout(100.ms))", "WS /never", "timeout"),
        (lab.misbehaving_url(), "vu.websocket(\"/huge-head\")", "WS /huge-head", "head_too_large"),
        (lab.url(), "vu.events(\"/health\")", "SSE /health", "protocol"),
        (lab.url(), "vu.events(\"/lab/status/500\")", "SSE /lab/status/{…}", "failed_status"),
        ("http://127.0.0.1:1".to_owned(), "vu.events(\"/\")", "SSE /", "connect_refused"),
    ] {
        let steps = format!("let it = {steps}; check(\"closed\", it.closed && !it.response.ok);");
        let ended = Program::run_against(&flow(&steps), &url).arg("--no-preflight").run();
        let phase = ended.figures().phase("main");
        assert_eq!(phase.row(row).error(error), 3, "{ended}");
        assert_eq!(
            (phase.count("errors") + phase.count("timeouts"), phase.check("closed")["passed"].as_u64()),
            (3, Some(3)),
            "{ended}"
        );
    }
    let ended = run("let ws = vu.websocket(\"/lab/status/403\"); ws.send(\"x\");", &lab.url());
    let phase = ended.figures().phase("main");
    let errors = phase.messages("script_errors");
    assert!(errors.len() == 1 && errors[0].1.contains("was not opened: the answer was status 403"), "{ended}");
}

#[test]
fn a_close_that_owes_an_answer_is_an_error_with_its_code_and_reason() {
    let lab = TestLab::start();
    let steps = r#"
        let ws = vu.websocket(get("/ws/close?code=1011&reason=out%20of%20order").name("it"));
        let end = ws.request("anybody there?");
        check("told", end.code == 1011 && end.reason == "out of order" && end.error == "channel_closed");
        try { ws.receive(); } catch (error) { check("over", `${error}`.contains("has ended: closed with code 1011")); }
    "#;
    let ended = run(steps, &lab.url());
    let phase = ended.figures().phase("main");
    assert_eq!(phase.message("it: round trip").error("channel_closed"), 3, "{ended}");
    for check in ["told", "over"] {
        assert_eq!(phase.check(check)["passed"], 3, "{ended}");
    }
    assert!(ended.stdout.contains("closed with code 1011: out of order"), "{ended}");
}

/// A drain ends waits without an end, and the connections behind them.
#[test]
fn who_waits_at_the_end_of_a_drain_is_interrupted() {
    let lab = TestLab::start();
    let script = r#"
        target(env("TARGET"));
        let wait = flow("wait", |vu| { let ws = vu.websocket(get("/ws/never").name("it")); ws.receive(1.h); });
        phase("main").run(wait).burst(20).drain(300.ms);
    "#;
    let ended = Program::run_against(script, &lab.misbehaving_url()).run();
    let phase = ended.figures().phase("main");
    assert_eq!((phase.count("interrupted"), phase.row("it").count("ok")), (20, 20), "{ended}");
    assert_eq!(phase.message("it: first message").error("interrupted"), 20, "{ended}");
    assert!(ended.took.as_secs() < 20, "{ended}");
}

/// A WebSocket that a user keeps is there in its next iteration; one that it does not keep closes with its flow.
#[test]
fn a_websocket_lives_as_long_as_somebody_holds_it() {
    let lab = TestLab::start();
    let script = r#"
        let shop = target(env("TARGET"));
        shop.on_start(|vu| { vu.ws = vu.websocket("/ws/echo"); });
        let talk = flow("talk", |vu| { check("still open", vu.ws.request("x", 2.s).text == "x"); });
        phase("main").run(talk).users(2).iterations(40);
    "#;
    let ended = Program::run_against(script, &lab.url()).run();
    ended.expect(0);
    assert_eq!(ended.figures().phase("main").check("still open")["passed"], 40, "{ended}");
    assert_eq!(lab.seen(), 2, "{ended}");

    // More sockets than descriptors, if each stayed.
    let script = r#"
        target(env("TARGET"));
        let talk = flow("talk", |vu| { vu.websocket("/ws/echo").send("x"); vu.events("/sse/ticks?count=100"); });
        phase("main").run(talk).users(10).iterations(1500);
    "#;
    let ended = Program::run_against(script, &lab.url()).run();
    ended.expect(0);
    let phase = ended.figures().phase("main");
    assert_eq!((phase.count("ok"), phase.requests()), (1_500, 3_000), "{ended}");
}

/// Waits of no time at all do not keep a worker for themselves.
#[test]
fn a_script_that_asks_again_and_again_leaves_others_their_turn() {
    let lab = TestLab::start();
    let script = r#"
        target(env("TARGET"));
        let busy = flow("busy", |vu| {
            let ws = vu.websocket("/ws/ticks?count=1&ms=100");
            while !ws.closed { if ws.receive(0.s).kind == "text" { break; } }
        });
        phase("main").run(mix([[1, busy], [1, get("/health")]])).users(2).iterations(8);
    "#;
    let ended = Program::run_against(script, &lab.url()).arg("--workers").arg("1").run();
    let phase = ended.figures().phase("main");
    assert_eq!(phase.row("GET /health").count("ok"), 4, "{ended}");
    assert!(phase.message("WS /ws/ticks: first message").count("ok") == 4, "{ended}");
}

#[test]
fn rows_of_messages_are_judged_by_name() {
    let lab = TestLab::start();
    let script = r#"
        target(env("TARGET"));
        let talk = flow("talk", |vu| { vu.websocket(get("/ws/echo?ms=30").name("chat")).request("x"); });
        phase("main").run(talk).users(2).iterations(200);
        slo("fast", #{ message: "chat: round trip", p50: "< 1ms" });
        slo("there", #{ message: "chat: round trip", count: "== 200", errors: "== 0%" });
        slo("misspelt", #{ message: "chat: round tripp", p50: "< 1s" });
    "#;
    let ended = Program::run_against(script, &lab.url()).run();
    let slo = |name: &str| ended.figures().slo(name)["verdict"].as_str().map(str::to_owned);
    assert_eq!((slo("fast").as_deref(), slo("there").as_deref()), (Some("fail"), Some("pass")), "{ended}");
    assert_eq!(slo("misspelt").as_deref(), Some("fail"), "{ended}");
    let said = ended.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("did you mean `chat: round trip`?"), "{ended}");
}

#[test]
fn mistakes_are_told_with_what_is_known() {
    let lab = TestLab::start();
    for (steps, part) in [
        (
            "vu.websocket(\"/ws/echo\", #{ subprotocol: \"a\" });",
            "`websocket` has no option `subprotocol`; did you mean",
        ),
        ("vu.events(\"/sse/ticks\", #{ subprotocols: \"a\" });", "`events` has no option `subprotocols`"),
        ("vu.websocket(\"/ws/echo\", #{ subprotocols: \"a b\" });", "`a b` is no name of a subprotocol"),
        ("vu.websocket(post(\"/ws/echo\"));", "a GET request opens it, not POST"),
        ("vu.websocket(7);", "a path such as"),
        ("vu.websocket(\"/ws/echo\").receive(2);", "a time needs a unit: write `2.s`"),
        ("vu.websocket(\"/ws/echo\").close(7);", "a close code is 1000"),
        ("vu.websocket(\"/ws/echo\").request(\"x\").json();", "the message is not JSON; it starts with: x"),
        ("vu.websocket(\"/ws/echo\").recieve();", "did you mean `receive`?"),
        (
            "let ws = vu.websocket(\"/ws/echo\"); ws.close(); ws.send(\"x\");",
            "the WebSocket is closed; ask `.closed` before",
        ),
        ("vu.events(\"/sse/ticks\").next(1.s, |event| 7);", "the closure of a wait gives true or false"),
    ] {
        let ended = run(steps, &lab.url());
        let said = format!("{} {}", ended.stdout, ended.stderr);
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(matches!(ended.code, Some(104 | 107)) && said.contains(part), "no {part:?}: {ended}");
    }
}

#[test]
fn a_trial_shows_each_message() {
    let lab = TestLab::start();
    let steps = r#"
        let ws = vu.websocket("/ws/echo");
        ws.request(#{ password: secret("PASSWORD", "hush-hush") });
        ws.ping();
        ws.close();
        let events = vu.events("/sse/ticks?count=1");
        events.next();
    "#;
    let ended = Program::new(["try", "it.rhai"])
        .file("it.rhai", flow(steps))
        .arg("-e")
        .arg(format!("TARGET={}", lab.url()))
        .run();
    assert_eq!(ended.code, Some(0), "{ended}");
    for part in [
        "/ws/echo",
        "101 Switching Protocols",
        "→ {\"password\":\"",
        "← {\"password\":\"",
        "→ ping",
        "← pong",
        "→ close 1000",
        "← tick: {\"n\":1}",
    ] {
        assert!(ended.stdout.contains(part), "no {part:?}: {ended}");
    }
    assert!(!ended.to_string().contains("hush-hush"), "{ended}");
}
