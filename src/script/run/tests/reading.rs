//! What a script reads out of a response: paths, pages, patterns, cookies, and what templates save.

use super::*;
use crate::plan::Save;

/// Runs a flow whose checks must all hold, against one response.
#[track_caller]
fn all_hold(fields: &str, body: &str, script: &str) {
    let (fields, body) = (fields.to_owned(), body.to_owned());
    with_flow(&format!("let r = vu.get(\"/x\");\n{script}"), move |stage| {
        let (_, end) = stage.exchange(|_| reply(200, &fields, &body));
        assert_eq!(end, DONE);
        let checks = stage.figures().checks;
        assert!(!checks.is_empty());
        for (name, counts) in &checks {
            assert_eq!((counts.passed > 0, counts.failed), (true, 0), "{name}");
        }
    });
}

const SHOP: &str = r#"{"items": [{"id": 1, "price": 5, "tags": ["a"]}, {"id": 2, "price": 15, "tags": []}],
    "deep": {"id": 9}, "id": 7, "none": null}"#;

#[test]
fn paths_of_all_kinds() {
    all_hold(
        "",
        SHOP,
        r#"check("wildcard", r.json("$.items[*].id") == 1 && r.json_all("$.items[*].id") == [1, 2]);
        check("filter", r.json("$.items[?@.price > 10].id") == 2);
        check("slice", r.json_all("$.items[0:1].price") == [5]);
        check("anywhere", r.json("$..id") == 7 && r.json_all("$..id") == [7, 1, 2, 9]);
        check("without a root", r.json("items[1].price") == 15 && r.json_all("items[1].price") == [15]);
        check("union", r.json_all("$['deep', 'items'].id") == [9] && r.json_all("$[\"id\", 'none']") == [7, ()]);
        check("nowhere", r.json("$.items[?@.price > 99]") == () && r.json_all("$.nothing.at.all") == []);
        check("a function", r.json("$.items[?length(@.tags) == 1].id") == 1);"#,
    );
}

#[test]
fn a_page_is_searched_by_selectors() {
    let page = r##"<!doctype html><title> The shop </title>
        <form id=login><input type=hidden name=csrf value="t&amp;k"><input name=user></form>
        <ul class="list big"><li>one <b>1</b></li><li data-x="2">two</li></ul>"##;
    all_hold(
        "",
        page,
        r##"check("text", r.find("title").text == "The shop" && r.find("li").text == "one 1");
        check("attr", r.find("input[name=csrf]").attr("value") == "t&k" && r.find("input").attr("nothing") == ());
        check("all", r.find_all("li").len() == 2 && r.find_all("li").map(|li| li.attr("data-x")) == [(), "2"]);
        check("within", r.find("ul.big").find("b").text == "1" && r.find("#login").find_all("input").len() == 2);
        check("none", r.find("video") == () && r.find_all("video").is_empty() && r.find("form").find("li") == ());
        check("html", r.find("li").html == "one <b>1</b>" && r.find("b").tag == "b" && `${r.find("b")}` == "<b>1</b>");
        check("optional", r.find("video")?.text == ());"##,
    );
    all_hold("", "no page at all", r#"check("text", r.find("body").text == "no page at all");"#);
}

#[test]
fn a_pattern_gives_its_group() {
    all_hold(
        "",
        "order 17 of ann, order 23 of bob \u{e9}",
        r#"check("whole", r.regex("order \\d+") == "order 17");
        check("group", r.regex("order (\\d+)") == "17" && r.regex("(x)|order (\\d+)") == "17");
        check("named", r.regex("order (?<n>\\d+) of (?<who>\\w+)", "who") == "ann");
        check("numbered", r.regex("order (\\d+) of (\\w+)", 2) == "ann" && r.regex("order (\\d+)", 0) == "order 17");
        check("all", r.regex_all("order (\\d+)") == ["17", "23"]);
        check("none", r.regex("nothing") == () && r.regex_all("nothing") == []);"#,
    );
}

#[test]
fn cookies_and_fields_that_are_there_twice() {
    all_hold(
        "Set-Cookie: sid=a=b; Path=/; HttpOnly\r\nset-cookie: theme=\"dark\"\r\nSet-Cookie: sid=c\r\nX-A: 1\r\nx-a: 2\r\n",
        "",
        r#"check("cookies", r.cookies.sid == "c" && r.cookies.theme == "dark" && r.cookies.len() == 2);
        check("all", r.header_all("X-a") == ["1", "2"] && r.header_all("none") == []);
        check("first", r.header("x-A") == "1" && r.headers["x-a"] == "1");"#,
    );
}

#[test]
fn what_is_no_pattern_says_so() {
    for (call, message) in [
        ("json(\"$[\")", "`$[` has a `[` without its `]`"),
        ("json(\"$.a[?@.b >]\")", "`$.a[?@.b >]` is not a JSONPath: "),
        ("json_all(\"a b\")", "the body is not JSON"),
        ("find(\"li[\")", "`li[` is not a CSS selector: "),
        ("regex(\"(\")", "`(` is not a regular expression: unclosed group"),
        ("regex(\"(a)\", 2)", "`(a)` has no group `2`"),
        ("regex_all(\"(?<a>a)\", \"b\")", "`(?<a>a)` has no group `b`"),
        ("json(\"$.a[*]\")", "the body is not JSON (status 200); it starts with: plain"),
    ] {
        with_flow(&format!("vu.get(\"/x\").{call};"), |stage| {
            let found = fault(stage.run(200, "plain")).0;
            assert!(found.starts_with(message), "{call}: {found}");
        });
    }
}

#[test]
fn a_page_that_is_too_long_is_refused() {
    let page = "x".repeat((8 << 20) + 1);
    with_flow("vu.get(\"/x\").find(\"a\");", move |stage| {
        let found = fault(stage.run(200, &page)).0;
        assert_eq!(found, "the body has 8388609 bytes; at most 8388608 are read as HTML");
    });
}

/// The places a request saves from, and what `vu` has of them afterwards.
fn saved(calls: &str, fields: &str, body: &str) -> (Vec<bool>, String) {
    let kept = std::sync::Mutex::new((Vec::new(), String::new()));
    let (fields, body) = (fields.to_owned(), body.to_owned());
    with_flow(&format!("vu.a = \"old\"; vu.send(get(\"/\"){calls}); vu.log(to_json(vu.vars));"), |stage| {
        let printed = Rc::new(RefCell::new(String::new()));
        let sink = printed.clone();
        stage.runtime.inner.shared.state.set_printer(move |text| *sink.borrow_mut() = text.to_owned());
        let mut flow = stage.begin();
        let Step::Send(request) = flow.resume(Answer::Start) else { panic!("no request") };
        let answer = reply(200, &fields, &body);
        let save = |save: &Save| stage.runtime.save(save, &answer, &stage.user).expect("a place that works");
        let found = request.saves.iter().map(save).collect();
        assert!(matches!(flow.resume(Answer::Response(answer.clone())), Step::Done(_)));
        *kept.lock().expect("a lock") = (found, printed.borrow().clone());
    });
    kept.into_inner().expect("a lock")
}

#[test]
fn a_template_saves_from_all_kinds_of_places() {
    let page = r#"<input name=csrf value=k> <h1> Hi </h1> token=abc7"#;
    let (found, vars) = saved(
        r#".save("a", css("input[name=csrf]", "value")).save("b", css("h1")).save("c", regex("token=(\\w+)"))
        .save("d", regex("(?<t>token)=(\\w+)", "t")).save("e", header("X-Id"))"#,
        "x-id: 5\r\n",
        page,
    );
    assert_eq!(found, [true; 5]);
    assert_eq!(vars, r#"vu 3: {"a":"k","b":"Hi","c":"abc7","d":"token","e":"5"}"#);
    let (found, vars) = saved(r#".save("a", "$.items[?@.id == 2].price").save("b", "$..id")"#, "", SHOP);
    assert_eq!((found, &*vars), (vec![true, true], r#"vu 3: {"a":15,"b":7}"#));
}

#[test]
fn what_is_not_there_takes_the_old_value_away() {
    for place in ["\"$.b\"", "css(\"a\")", "css(\"body\", \"id\")", "regex(\"x+\")", "header(\"x\")", "\"$.none\""] {
        let (found, vars) = saved(&format!(".save(\"a\", {place})"), "", "{\"none\": null}");
        assert_eq!((found, &*vars), (vec![false], "vu 3: {}"), "{place}");
    }
}
