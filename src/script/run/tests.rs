//! Scripts as flows of the engine: what they ask for, what they get, and how they end.

use std::{cell::RefCell, rc::Rc};

use super::*;
use crate::{
    measure::{Kind, PhaseFigures, Totals},
    plan::FlowId,
    protocol::{ErrorKind, Failure, Outcome, Response as Received, Stamps},
    script::{LoadError, LoadOptions, load_source},
};

/// A script with one flow of this body, loaded on a stack as deep as a worker's.
fn with_flow(body: &str, test: impl Fn(&Stage) + Send) {
    with_script(&format!("flow(\"f\", |vu| {{\n{body}\n}});"), test);
}

/// Tests a script as it is run, its calls made directly, and as Rhai makes them: nothing may differ.
fn with_script(text: &str, test: impl Fn(&Stage) + Send) {
    let text = format!(
        "let api = target(\"http://127.0.0.1:1\");\nlet item = int(7, 7);\nlet main = {text}\nphase(\"p\").run(main).iterations(1);"
    );
    std::thread::scope(|scope| {
        let worker = std::thread::Builder::new().stack_size(64 << 20).spawn_scoped(scope, move || {
            test(&Stage::new(&text, Calls::Direct));
            test(&Stage::new(&text, Calls::OfRhai));
        });
        worker.expect("a thread").join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
}

struct Stage {
    runtime: Runtime,
    recorder: Rc<RefCell<Recorder>>,
    user: Rc<User>,
}

impl Stage {
    fn new(text: &str, calls: Calls) -> Self {
        Self::try_new(text, calls).unwrap_or_else(|error| panic!("{}", error.render(false)))
    }

    fn try_new(text: &str, calls: Calls) -> Result<Self, LoadError> {
        let options = LoadOptions { env: vec![("TOKEN".into(), "tops3cret".into())], ..LoadOptions::default() };
        let loaded = load_source("test.rhai", text, &options)?;
        let recorder = Rc::new(RefCell::new(Recorder::new()));
        let clock = Clock::real(crate::clock::Origin::now());
        let runtime = Runtime::with_calls(loaded, clock, recorder.clone(), BufferPool::default(), 1_000, calls);
        Ok(Self { runtime, recorder, user: User::new(3, 42) })
    }

    fn begin(&self) -> Box<dyn FlowRun> {
        self.runtime.begin(Call::Flow(FlowId(0)), &self.user)
    }

    /// Runs the flow against a server that answers every request with this, and gives how it ended.
    fn run(&self, status: u16, body: &str) -> End {
        self.exchange(|_| reply(status, "", body)).1
    }

    /// Runs the flow against a server; gives the requests it sent, and how it ended.
    fn exchange(&self, server: impl Fn(&str) -> Rc<Reply>) -> (Vec<String>, End) {
        let mut flow = self.begin();
        let mut sent = Vec::new();
        let mut answer = Answer::Start;
        loop {
            answer = match flow.resume(answer) {
                Step::Send(request) => {
                    let wire = String::from_utf8_lossy(&request.wire).into_owned();
                    let reply = server(&wire);
                    sent.push(wire);
                    Answer::Response(reply)
                }
                Step::Batch { requests, .. } => Answer::Responses(
                    requests
                        .iter()
                        .map(|request| {
                            let wire = String::from_utf8_lossy(&request.wire).into_owned();
                            let reply = server(&wire);
                            sent.push(wire);
                            reply
                        })
                        .collect(),
                ),
                Step::Think(_) => Answer::Rested,
                Step::Enter(_) | Step::Leave { .. } => Answer::Noted,
                Step::Channel(step) => panic!("not asked for: {step:?}"),
                Step::Done(end) => return (sent, end),
            };
        }
    }

    fn figures(&self) -> PhaseFigures {
        let mut totals = Totals::new();
        totals.merge(self.recorder.borrow_mut().take(0), 0);
        totals.phase(0).cloned().unwrap_or_default()
    }

    /// Passed and failed results of a check.
    fn check(&self, name: &str) -> (u64, u64) {
        self.figures().checks.get(name).map_or((0, 0), |counts| (counts.passed, counts.failed))
    }
}

fn reply(status: u16, fields: &str, body: &str) -> Rc<Reply> {
    let head = format!("HTTP/1.1 {status} X\r\n{fields}\r\n");
    let head_len = head.len();
    let stamps =
        Stamps { start: 1_000, sent: Some(2_000), first_byte: Some(3_000_000), end: 5_000_000, ..Stamps::default() };
    let outcome = Outcome {
        status,
        stamps,
        reused: true,
        response: Some(Received::detached((head + body).into_bytes(), head_len)),
        body_bytes: body.len() as u64,
        ..Outcome::default()
    };
    reply_of(outcome, (200..400).contains(&status))
}

fn refused() -> Rc<Reply> {
    let failure = Failure::new(ErrorKind::ConnectRefused, "connection refused");
    reply_of(Outcome { failure: Some(failure), ..Outcome::default() }, false)
}

fn reply_of(outcome: Outcome, expected: bool) -> Rc<Reply> {
    Rc::new(Reply {
        outcome: Box::new(outcome),
        sent: crate::engine::flow::Sent::default(),
        expected: std::cell::Cell::new(expected),
        class: RefCell::new(None),
        parsed: std::cell::OnceCell::new(),
        filed: std::cell::Cell::new(false),
    })
}

const DONE: End = End::Completed(serde_json::Value::Null);

fn fault(end: End) -> (String, u32) {
    match end {
        End::Fault(fault) => (fault.message, fault.at.line),
        other => panic!("not a fault: {other:?}"),
    }
}

#[test]
fn a_login_and_a_call_with_its_token() {
    with_flow(
        r#"let res = vu.post("/login", #{ email: "a@b", n: item, deep: [1, 2.5, true, ()] });
        vu.bearer(res.json("access_token"));
        vu.header("x-run", 7);
        vu.token = res.json("access_token");
        let me = vu.get(`/me/${item}`);
        check("me", me.status == 200 && vu.token == "abc");"#,
        |stage| {
            let (sent, end) = stage.exchange(|_| reply(200, "", r#"{"access_token":"abc"}"#));
            assert_eq!(end, DONE);
            assert!(sent[0].starts_with("POST /login HTTP/1.1\r\nhost: 127.0.0.1:1\r\n"), "{}", sent[0]);
            assert!(sent[0].contains("content-type: application/json\r\n"));
            assert!(sent[0].ends_with(r#"{"deep":[1,2.5,true,null],"email":"a@b","n":7}"#), "{}", sent[0]);
            assert!(sent[1].starts_with("GET /me/7 HTTP/1.1\r\n"));
            assert!(sent[1].contains("authorization: Bearer abc\r\nx-run: 7\r\n"));
            assert_eq!(stage.check("me"), (1, 0));
        },
    );
}

#[test]
fn everything_a_response_can_be_asked() {
    with_flow(
        r#"let r = vu.get("/x");
        check("status", r.status == 201 && r.ok);
        check("header", r.header("X-A") == "1" && r.header("none") == ());
        check("headers", r.headers["x-a"] == "1");
        check("body", r.body == "{\"a\":{\"b\":[10,20]}}" && r.size == 19 && r.bytes.len() == 19);
        check("json", r.json().a.b[1] == 20 && r.json("a.b[-1]") == 20 && r.json("$..b").len() == 2 && r.json("nope") == ());
        check("times", r.duration > 4.ms && r.ttfb < 4.ms && r.timings.receive == 2.ms && r.timings.tls == ());
        check("error", r.error == () && r.class == () && r.proto == "HTTP/1.1");
        r.check("chained", true).expect([200, 201]).expect("2xx");"#,
        |stage| {
            let (_, end) = stage.exchange(|_| reply(201, "X-A: 1\r\n", r#"{"a":{"b":[10,20]}}"#));
            assert_eq!(end, DONE);
            let figures = stage.figures();
            assert_eq!(figures.checks.len(), 8);
            for (name, counts) in &figures.checks {
                assert_eq!((counts.passed, counts.failed), (1, 0), "{name}");
            }
        },
    );
}

#[test]
fn a_failed_request_is_a_response_with_an_error() {
    with_flow(
        r#"let r = vu.get("/x");
        check("seen", r.status == 0 && r.error == "connect_refused" && !r.ok && r.body == "");
        r.json("a");"#,
        |stage| {
            let (_, end) = stage.exchange(|_| refused());
            let (message, line) = fault(end);
            assert_eq!(
                message,
                "there is no body to read: the request failed with connect_refused: connection refused"
            );
            assert_eq!(line, 6);
            assert_eq!(stage.check("seen"), (1, 0));
        },
    );
}

#[test]
fn json_of_what_is_no_json_shows_its_start() {
    with_flow("vu.get(\"/x\").json(\"a\");", |stage| {
        let page = format!("<html>\n{}", "x".repeat(200));
        let (message, _) = fault(stage.run(502, &page));
        assert!(message.starts_with("the body is not JSON (status 502); it starts with: <html> xxx"), "{message}");
        assert!(message.len() < 160);
    });
}

#[test]
fn expect_decides_what_is_an_error_before_the_sample_is_filed() {
    with_flow("let r = vu.get(\"/a\"); r.expect(404); vu.think(1.ms); r.expect(200);", |stage| {
        let answer = reply(404, "", "");
        let seen = answer.clone();
        let mut flow = stage.begin();
        assert!(matches!(flow.resume(Answer::Start), Step::Send(_)));
        assert!(matches!(flow.resume(Answer::Response(answer)), Step::Think(1_000_000)));
        assert!(seen.expected.get());
        seen.filed.set(true);
        assert!(matches!(flow.resume(Answer::Rested), Step::Done(_)));
        assert!(seen.expected.get(), "too late for the sample");
        assert_eq!(stage.check("expected status (200)"), (0, 1));
    });
}

#[test]
fn requests_made_of_templates_are_sent_as_they_are() {
    with_flow(
        r#"let r = vu.send(post(`/items/${item}`, #{ id: item }).name("item").expect(404).header("x", "y")
            .check("found", |res| res.status == 404).classify(|res| "cold"));
        check("class", r.class == "cold");
        let both = vu.batch([get("/a"), get("/b")]);
        check("both", both.len() == 2 && both[1].ok == false);"#,
        |stage| {
            let mut flow = stage.begin();
            let Step::Send(request) = flow.resume(Answer::Start) else { panic!("no request") };
            assert_eq!(request.name, stage.recorder.borrow_mut().name(Kind::Request, "item"));
            assert!(request.expect.accepts(404));
            let wire = String::from_utf8_lossy(&request.wire).into_owned();
            assert!(wire.starts_with("POST /items/7 HTTP/1.1\r\n") && wire.ends_with("\r\n\r\n{\"id\":7}"), "{wire}");
            let Step::Batch { requests, .. } = flow.resume(Answer::Response(reply(404, "", ""))) else {
                panic!("no batch")
            };
            let answers = requests.iter().map(|_| reply(404, "", "")).collect();
            assert!(matches!(flow.resume(Answer::Responses(answers)), Step::Done(End::Completed(_))));
            assert_eq!((stage.check("found").0, stage.runtime.coroutines.stacks() > 0), (1, true));
        },
    );
}

#[test]
fn a_flow_ends_as_it_says() {
    for (body, expected) in [
        ("vu.fail(\"no cart\");", End::Failed("no cart".into())),
        ("vu.stop();", End::StopUser),
        ("vu.abort(\"enough\");", End::AbortRun("enough".into())),
        ("try { vu.fail(\"not caught\"); } catch (e) { }", End::Failed("not caught".into())),
    ] {
        with_flow(body, |stage| assert_eq!(stage.run(200, ""), expected));
    }
}

#[test]
fn mistakes_are_faults_at_their_place() {
    for (body, message, line) in [
        ("let x = 1;\nvu.users(x);", "`users`", 5),
        ("vu.get(\"/x\")\n .json(\"a.b[\");", "`a.b[` has a `[` without its `]`", 5),
        ("throw \"mine\";", "mine", 4),
        ("let a = [1];\na[5]", "", 5),
        ("vu.think(5);", "a pause needs a unit: write 200.ms", 4),
        ("vu.token.len()", "`vu.token` has no value yet", 4),
        ("check(\"x\", 1);", "check(\"x\", …) takes true or false", 4),
        ("vu.post(\"/x\", #{ f: |x| x });", "has no form in JSON", 4),
        ("phase(\"late\");", "belongs to the top level", 4),
    ] {
        with_flow(body, |stage| {
            let (found, at) = fault(stage.run(200, "{}"));
            assert!(found.contains(message), "{body}: {found}");
            assert_eq!(at, line, "{body}: {found}");
        });
    }
}

#[test]
fn a_row_is_of_a_method_a_target_and_the_pattern_of_a_path() {
    let paths = ["/a", "/b", "/c", "/d", "/e", "/f", "/g", "/h", "/i", "/items/17", "/items/18", "/a?page=1", "/a"];
    let calls: String = paths.iter().map(|path| format!("vu.get(\"{path}\"); vu.post(\"{path}\", 1);\n")).collect();
    with_flow(&calls, |stage| {
        let mut flow = stage.begin();
        let mut answer = Answer::Start;
        for path in paths {
            for method in ["GET", "POST"] {
                let Step::Send(request) = flow.resume(answer) else { panic!("no request to {path}") };
                let pattern = if path.contains("items") { "/items/{…}" } else { &path[..2] };
                let row = stage.recorder.borrow_mut().name(Kind::Request, &format!("{method} {pattern}"));
                assert_eq!(request.name, row, "{method} {path}");
                answer = Answer::Response(reply(200, "", "{}"));
            }
        }
    });
}

#[test]
fn an_endless_loop_is_ended() {
    for body in ["loop { }", "let n = 0; while true { n += 1; }", "let s = \"\"; loop { s += \"x\"; }"] {
        with_flow(body, |stage| {
            let (message, line) = fault(stage.run(200, ""));
            assert!(message.contains("operations") || message.contains("second"), "{message}");
            assert!((3..=4).contains(&line), "{line}");
        });
    }
}

#[test]
fn a_generator_made_in_a_closure_is_drawn_where_it_stands() {
    let body =
        "vu.think(normal(20.0, 0.0)); let pause = int(3, 3); let again = pause; vu.think(again); vu.think(pause)";
    with_flow(body, |stage| assert_eq!(stage.run(200, ""), DONE));
    // A number of the script's own has no unit.
    with_flow("vu.think(int(3, 3) + 1);", |stage| {
        let (message, _) = fault(stage.run(200, ""));
        assert!(message.contains("needs a unit"), "{message}");
    });
}

#[test]
fn an_error_within_a_function_names_the_call_that_led_to_it() {
    with_flow("let f = |n| { throw `no ${n}` }; f.call(1);", |stage| {
        let (message, line) = fault(stage.run(200, ""));
        assert!(message.starts_with("no 1"), "{message}");
        assert_eq!(line, 4, "{message}");
    });
    with_flow("import \"std/check\" as c;\nc::has_values(7, [\"a\"])", |stage| {
        let (message, _) = fault(stage.run(200, ""));
        assert!(message.contains("called from (test.rhai:5:"), "{message}");
    });
}

#[test]
fn a_name_that_nobody_set_is_suggested() {
    with_flow("vu.token = 1; vu.tokn", |stage| {
        let (message, _) = fault(stage.run(200, ""));
        assert!(message.contains("did you mean `vu.token`?"), "{message}");
    });
    with_flow("vu.iteraton", |stage| {
        let (message, _) = fault(stage.run(200, ""));
        assert!(message.contains("did you mean `vu.iteration`?"), "{message}");
    });
}

#[test]
fn a_loop_that_waits_may_go_on() {
    with_flow("for i in 0..500 { vu.think(1.ms); }", |stage| assert_eq!(stage.run(200, ""), DONE));
}

#[test]
fn deep_recursion_is_ended() {
    with_script("flow(\"f\", |vu| down(1));\nfn down(n) { down(1 + (2 * (3 + (4 * (5 + n * 0))))) }", |stage| {
        let (message, _) = fault(stage.run(200, ""));
        assert!(message.contains("deep"), "{message}");
        // The stack is whole again.
        let (message, _) = fault(stage.run(200, ""));
        assert!(message.contains("deep"), "{message}");
    });
}

#[test]
fn endless_data_is_ended() {
    for body in [
        "let s = \"x\"; loop { s += s; }",
        "let a = []; loop { a.push(1); }",
        "let a = []; loop { a = [a]; }",
        "let a = []; loop { a = #{ x: [a] }; }",
        "let m = #{}; let i = 0; loop { m[`${i}`] = 1; i += 1; }",
        "\"x\".pad(500_000_000, \"x\");",
    ] {
        with_flow(body, |stage| {
            let (message, _) = fault(stage.run(200, ""));
            assert!(
                ["limit", "operations", "second", "deep"].iter().any(|word| message.contains(word)),
                "{body}: {message}"
            );
        });
    }
}

#[test]
fn a_check_cannot_send() {
    with_flow("vu.send(get(\"/x\").check(\"c\", |res| { res.status == 200 }));", |stage| {
        assert_eq!(stage.run(200, ""), DONE);
    });
    with_script("get(\"/x\").check(\"c\", |res| { later(res) });\nfn later(r) { get(\"/y\"); r.ok }", |stage| {
        let answer = stage.runtime.check(ClosureId(0), &reply(200, "", ""), &stage.user);
        assert_eq!(answer, Ok(true));
    });
    with_script("get(\"/x\").check(\"c\", |res| 5);", |stage| {
        let answer = stage.runtime.check(ClosureId(0), &reply(200, "", ""), &stage.user);
        assert!(answer.is_err_and(|fault| fault.message.contains("true or false")));
    });
}

#[test]
fn dropping_a_flow_in_its_request_releases_it() {
    with_flow("let held = vu.get(\"/a\"); vu.get(\"/b\");", |stage| {
        let first = reply(200, "", "");
        for _ in 0..100 {
            let mut flow = stage.begin();
            flow.resume(Answer::Start);
            assert!(matches!(flow.resume(Answer::Response(first.clone())), Step::Send(_)));
            assert!(Rc::strong_count(&first) > 1, "held by the script");
            drop(flow);
            assert_eq!(Rc::strong_count(&first), 1);
        }
        assert_eq!(stage.run(200, ""), DONE, "others go on");
    });
}

#[test]
fn users_take_turns_without_seeing_each_other() {
    with_flow(
        "vu.name = `user ${vu.id}`;\nvu.think(1.ms);\ncheck(\"own name\", vu.name == `user ${vu.id}`);",
        |stage| {
            let users: Vec<_> = (1..=50).map(|id| User::new(id, 42)).collect();
            let mut flows: Vec<_> = users.iter().map(|user| stage.runtime.begin(Call::Flow(FlowId(0)), user)).collect();
            for flow in &mut flows {
                assert!(matches!(flow.resume(Answer::Start), Step::Think(_)));
            }
            for flow in flows.iter_mut().rev() {
                assert!(matches!(flow.resume(Answer::Rested), Step::Done(End::Completed(_))));
            }
            assert_eq!(stage.check("own name"), (50, 0));
        },
    );
}

#[test]
fn what_setup_returns_is_data_everywhere() {
    with_script(
        "flow(\"f\", |vu| check(\"data\", data().ids[1] == 20));\nsetup(|vu| #{ ids: [10, 20], at: \"x\" });",
        |stage| {
            let setup = stage.runtime.inner.closures.len() - 1;
            let mut run = stage.runtime.begin(Call::Setup(ClosureId(setup as u32)), &stage.user);
            let Step::Done(End::Completed(value)) = run.resume(Answer::Start) else { panic!("not done") };
            assert_eq!(value, serde_json::json!({ "ids": [10, 20], "at": "x" }));
            stage.runtime.set_data(&value);
            assert_eq!(stage.run(200, ""), DONE);
            assert_eq!(stage.check("data"), (1, 0));
        },
    );
}

#[test]
fn setup_cannot_return_what_would_break_others() {
    with_script("flow(\"f\", |vu| 1);\nsetup(|vu| { let a = []; for i in 0..200 { a = [a]; } a });", |stage| {
        let setup = stage.runtime.inner.closures.len() - 1;
        let mut run = stage.runtime.begin(Call::Setup(ClosureId(setup as u32)), &stage.user);
        let Step::Done(end) = run.resume(Answer::Start) else { panic!("not done") };
        let (message, _) = fault(end);
        assert!(message.contains("levels"), "{message}");
    });
}

#[test]
fn a_secret_does_not_show_in_a_fault() {
    with_flow("let t = secret(\"TOKEN\"); vu.get(`/x?k=${t}`); throw `token was ${t}`;", |stage| {
        let (sent, end) = stage.exchange(|_| reply(200, "", ""));
        assert!(sent[0].contains("tops3cret"));
        let (message, _) = fault(end);
        assert!(!message.contains("tops3cret"), "{message}");
    });
}

#[test]
fn the_standard_library_answers_questions_about_responses() {
    let text = r#"flow("f", |vu| {
    let res = vu.get("/x");
    check("family", ask::is_family(res, 2) && !ask::is_family(res, 4));
    check("budget", ask::is_within(res, 1.s) && !ask::is_within(res, 1.us));
    check("values", ask::has_values(res, ["a.b", "$..b"]) && !ask::has_values(res, ["a", "c"]));
    check("header", ask::has_header(res, "X-A") && !ask::has_header(res, "X-B"));
});"#;
    let text = format!("0;\nimport \"std/check\" as ask;\nlet main = {text}");
    with_script(&text, |stage| {
        let (_, end) = stage.exchange(|_| reply(200, "X-A: 1\r\n", r#"{"a":{"b":1}}"#));
        assert_eq!(end, DONE);
        let figures = stage.figures();
        for name in ["family", "budget", "values", "header"] {
            let counts = figures.checks.get(name);
            assert!(counts.is_some_and(|counts| (counts.passed, counts.failed) == (1, 0)), "{name}: {counts:?}");
        }
    });
}

#[test]
fn custom_metrics_are_kept() {
    with_flow("count(\"carts\"); count(\"carts\", 2); gauge(\"queue\", 3); timing(\"render\", 5.ms);", |stage| {
        assert_eq!(stage.run(200, ""), DONE);
        let names: Vec<String> = stage.figures().custom.names().map(str::to_owned).collect();
        assert_eq!(names.len(), 3, "{names:?}");
    });
}

#[test]
fn odd_paths_make_a_valid_request_line() {
    with_flow("vu.get(\"/a b\\r\\nX: 1#f\"); vu.get(\"relative?x=ü\");", |stage| {
        let (sent, end) = stage.exchange(|_| reply(200, "", ""));
        assert_eq!(end, DONE);
        assert!(sent[0].starts_with("GET /a%20b%0D%0AX:%201%23f HTTP/1.1\r\n"), "{}", sent[0]);
        assert!(sent[1].starts_with("GET /relative?x=%C3%BC HTTP/1.1\r\n"), "{}", sent[1]);
    });
}

mod calls;
mod reading;
mod steps;
