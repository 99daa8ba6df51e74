//! Groups and batches, as a script writes them.

use super::*;

/// Runs the flow to its end and gives the groups it entered and left: `>name`, `<`, or `!` for one that failed.
fn groups(body: &str) -> (Vec<String>, End) {
    let result = RefCell::new((Vec::new(), End::StopUser));
    let shared = std::sync::Mutex::new(result);
    with_flow(body, |stage| {
        let mut flow = stage.begin();
        let (mut seen, mut answer) = (Vec::new(), Answer::Start);
        let end = loop {
            answer = match flow.resume(answer) {
                Step::Enter(name) => {
                    seen.push(format!(">{name}"));
                    Answer::Noted
                }
                Step::Leave { failed } => {
                    seen.push(if failed { "!" } else { "<" }.to_owned());
                    Answer::Noted
                }
                Step::Send(_) => Answer::Response(reply(200, "", "{\"id\": 7}")),
                Step::Batch { .. } | Step::Think(_) | Step::Channel(_) => panic!("not asked for"),
                Step::Done(end) => break end,
            };
        };
        *shared.lock().expect("a lock").borrow_mut() = (seen, end);
    });
    shared.into_inner().expect("a lock").into_inner()
}

#[test]
fn a_group_gives_what_its_steps_give() {
    let (seen, end) = groups(
        r#"let limit = 3;
        let id = vu.group("cart", |vu| {
            let id = vu.get("/x").json("id");
            vu.group("pay", |vu| { vu.get(`/pay/${id}`); id + limit })
        });
        if id != 10 { vu.fail(`gave ${id}`); }"#,
    );
    assert_eq!(seen, [">cart", ">pay", "<", "<"]);
    assert_eq!(end, DONE);
}

#[test]
fn a_check_may_look_at_the_user_that_sends_it() {
    with_flow(
        r#"vu.token = "t";
        vu.send(get("/y").check("same user", |res| vu.token == "t"));
        vu.batch([get("/y").check("same user", |res| vu.token == "t")]);"#,
        |stage| {
            assert_eq!(stage.run(200, ""), DONE);
            assert_eq!(stage.check("same user"), (2, 0));
        },
    );
}

#[test]
fn steps_that_use_the_user_outside_are_told_to_take_it() {
    let (_, end) = groups(r#"vu.group("a", || vu.get("/x"));"#);
    assert_eq!(
        fault(end).0,
        "the closure uses the variable that its method is called on; let it take it: `|vu| …` instead of `|| …`"
    );
}

#[test]
fn a_group_fails_with_its_script_and_the_groups_around_it_too() {
    let failed = [">a", ">b", "!", "!"];
    let (seen, end) = groups(r#"vu.group("a", |vu| vu.group("b", |vu| { vu.fail("sold out") }));"#);
    assert_eq!((&*seen, end), (&failed.map(String::from)[..], End::Failed("sold out".into())));
    let (seen, end) = groups(r#"vu.group("a", |vu| vu.group("b", |vu| { throw "odd" }));"#);
    assert_eq!(seen, failed);
    assert!(fault(end).0.contains("odd"));
    // What was caught is not the business of the groups around.
    let (seen, end) = groups(r#"vu.group("a", |vu| { try { vu.group("b", |vu| { throw "odd" }) } catch { } });"#);
    assert_eq!(seen, [">a", ">b", "!", "<"]);
    assert_eq!(end, DONE);
}

#[test]
fn to_stop_within_a_group_is_no_failure() {
    let (seen, end) = groups(r#"vu.group("a", |vu| { vu.stop() });"#);
    assert_eq!((seen, end), (vec![">a".to_owned(), "<".to_owned()], End::StopUser));
    let (seen, end) = groups(r#"vu.group("a", |vu| { vu.abort("enough") });"#);
    assert_eq!((seen, end), (vec![">a".to_owned(), "<".to_owned()], End::AbortRun("enough".into())));
}

#[test]
fn a_group_needs_a_name_and_a_flow() {
    let (seen, end) = groups(r#"vu.group(" ", |vu| 1);"#);
    assert_eq!(seen, Vec::<String>::new());
    assert_eq!(fault(end).0, "`group` takes a name of 1 to 200 characters: it is the row in the report");
    let (seen, end) = groups(r#"let r = get("/").check("c", |res| vu.group("a", |vu| true)); vu.send(r);"#);
    assert_eq!((seen, end), (vec![">a".to_owned(), "<".to_owned()], DONE), "a check that a flow runs may wait");
}

#[test]
fn a_batch_takes_requests_and_paths_in_lists_and_maps() {
    with_flow(
        r#"let list = vu.batch([get("/a"), "/b", post("/c", #{ x: item })]);
        check("list", list.len() == 3 && list[1].json("path") == "/b" && list[2].json("path") == "/c");
        let map = vu.batch(#{ stock: "/stock", price: get("/price").check("priced", |res| res.ok) }, 1);
        check("map", map.stock.json("path") == "/stock" && map.price.json("path") == "/price");
        check("nothing", vu.batch([]).is_empty());"#,
        |stage| {
            let server = |wire: &str| {
                let path = wire.split(' ').nth(1).unwrap_or_default();
                reply(200, "", &format!("{{\"path\": \"{path}\"}}"))
            };
            let (sent, end) = stage.exchange(server);
            assert_eq!(end, DONE);
            assert_eq!(sent.len(), 5);
            assert!(sent[2].ends_with("\r\n\r\n{\"x\":7}"), "{}", sent[2]);
            let checks = stage.figures().checks;
            assert_eq!(checks.len(), 4);
            assert!(checks.values().all(|counts| (counts.passed, counts.failed) == (1, 0)), "{checks:?}");
        },
    );
}

#[test]
fn a_batch_says_how_many_it_sends_at_once() {
    with_flow("vu.batch([\"/a\"]); vu.batch([\"/a\"], 3); vu.batch([\"/a\"], 0);", |stage| {
        let mut flow = stage.begin();
        let replies = || Answer::Responses(vec![reply(200, "", "")]);
        let mut at_once = |answer| match flow.resume(answer) {
            Step::Batch { at_once, .. } => Ok(at_once),
            Step::Done(end) => Err(fault(end).0),
            other => panic!("{other:?}"),
        };
        assert_eq!(at_once(Answer::Start), Ok(20));
        assert_eq!(at_once(replies()), Ok(3));
        assert_eq!(at_once(replies()), Err("`batch` sends 1 to 1000 requests at once, not 0".into()));
    });
}

#[test]
fn a_batch_of_something_else_says_which_entry_is_wrong() {
    for (call, message) in [
        ("vu.batch([get(\"/a\"), 7])", "`batch` takes requests such as get(\"/x\"), or paths; entry 1 is a number"),
        ("vu.batch(#{ a: 10.s })", "`batch` takes requests such as get(\"/x\"), or paths; `a` is a duration"),
        ("vu.batch(7)", "`batch` takes a list or a map of requests such as [get(\"/x\")]; found a number"),
    ] {
        with_flow(&format!("{call};"), |stage| assert_eq!(fault(stage.run(200, "")).0, message));
    }
}

#[test]
fn a_check_that_breaks_leaves_the_rest_of_the_batch_its_say() {
    with_flow(
        r#"vu.batch([get("/a").check("one", |res| 7), get("/b").check("two", |res| res.ok), get("/c")]);"#,
        |stage| {
            let server = |wire: &str| if wire.starts_with("GET /c") { refused() } else { reply(200, "", "") };
            let (sent, end) = stage.exchange(server);
            assert_eq!(sent.len(), 3);
            assert!(fault(end).0.starts_with("a check must give true or false"));
            assert_eq!(stage.check("two"), (1, 0));
        },
    );
}
