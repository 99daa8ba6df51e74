//! `.save` and `saved`: what a response had goes into the requests that the same virtual user sends after it.

use crate::harness::{Program, TestLab};

#[test]
fn a_token_is_saved_at_login_and_sent_by_plain_requests() {
    let lab = TestLab::start();
    let script = r#"
        let shop = target(env("TARGET"));
        let users = list(["ann@example.com", "bob@example.com", "cid@example.com"]);
        let login = post("/api/auth/login").save("token", "$.access_token").name("login");
        shop.on_start(|vu| {
            vu.send(login.json(#{ email: users.next(), password: "demo" }));
        });
        let me = get("/api/me").bearer(saved("token")).expect(200)
            .check("is known", |res| res.json("email") != ());
        phase("main").run(me).users(3).iterations(30);
    "#;
    let ended = Program::run_against(script, &lab.url()).run();
    ended.expect(0);
    let main = ended.figures().phase("main");
    assert_eq!((main.count("offered"), main.count("ok")), (30, 30), "{ended}");
    assert_eq!(main.check("is known")["passed"], 30, "{ended}");
    let checks = ended.figures().aside("on_start").check("saved token");
    assert_eq!(checks["passed"], 3, "{ended}");
}

#[test]
fn a_saved_value_fits_every_place_of_a_request() {
    let lab = TestLab::start();
    // What comes back is what was sent: the first request's answer holds the values for the second.
    let script = r##"
        let lab = target(env("TARGET"));
        let first = post("/lab/echo", #{ n: 7, x: 2.5, yes: true, text: "a b&\"c\"", list: [1, "two"], map: #{ k: 1 } })
            .save("n", "$.json.n").save("x", "$.json.x").save("yes", "$.json.yes").save("text", "$.json.text")
            .save("list", "$.json.list").save("map", "$.json.map").save("kind", header("content-type"));
        lab.on_start(|vu| { vu.send(first); });
        let second = post("/lab/echo", #{
            n: saved("n"), x: saved("x"), yes: saved("yes"), text: saved("text"), list: saved("list"), map: saved("map"),
            within: `<${saved("text")}>`,
        }).query("q", saved("text")).query("l", saved("list")).header("x-n", saved("n")).cookie("c", saved("n"))
            .bearer(saved("x")).header("x-kind", saved("kind"))
            .check("json", |res| res.json("json.n") == 7 && res.json("json.x") == 2.5 && res.json("json.yes")
                && res.json("json.text") == "a b&\"c\"" && res.json("json.within") == "<a b&\"c\">")
            .check("json of its own", |res| res.json("json.list[1]") == "two" && res.json("json.map.k") == 1)
            .check("query", |res| res.json("query.q") == "a b&\"c\"" && res.json("query.l") == "[1,\"two\"]")
            .check("headers", |res| res.json("headers.x-n") == "7" && res.json("headers.cookie") == "c=7"
                && res.json("headers.authorization") == "Bearer 2.5" && res.json("headers.x-kind") == "application/json");
        let form = post("/lab/echo").form(#{ t: saved("text"), n: saved("n") })
            .check("form", |res| res.json("body") == "n=7&t=a%20b%26%22c%22");
        let item = get(`/api/items/${saved("n")}`).check("path", |res| res.json("id") == "7" || res.json("id") == 7);
        phase("main").run(mix([[1, second], [1, form], [1, item]])).users(2).iterations(12);
    "##;
    let ended = Program::run_against(script, &lab.url()).run();
    ended.expect(0);
    let main = ended.figures().phase("main");
    assert_eq!(main.count("ok"), 12, "{ended}");
    for (name, count) in [("json", 4), ("json of its own", 4), ("query", 4), ("headers", 4), ("form", 4), ("path", 4)] {
        assert_eq!(main.check(name)["passed"], count, "{name}: {ended}");
    }
}

#[test]
fn flows_send_templates_with_saved_values_and_read_them() {
    let lab = TestLab::start();
    let script = r#"
        target(env("TARGET"));
        let create = post("/api/carts", #{ sku: 1, qty: 1 }).expect(201).save("cart", "$.id").name("create");
        let pay = post(`/api/carts/${saved("cart")}/pay`).expect(200).name("pay");
        phase("main").run(flow("buy", |vu| {
            vu.send(create);
            check("is the property", saved("cart") == vu.cart);
            vu.send(pay);
            // Made here, drawn here.
            vu.send(get(`/api/carts/${saved("cart")}`).name("look").expect(200));
            vu.list = [1, 2];
            check("is no text", saved("list").len() == 2);
        })).users(2).iterations(10);
    "#;
    let ended = Program::run_against(script, &lab.url()).run();
    ended.expect(0);
    let main = ended.figures().phase("main");
    for name in ["create", "pay", "look"] {
        assert_eq!(main.row(name).count("ok"), 10, "{name}: {ended}");
    }
    assert_eq!(main.check("is the property")["passed"], 10, "{ended}");
    assert_eq!(main.check("is no text")["passed"], 10, "{ended}");
}

#[test]
fn a_value_that_was_not_saved_fails_the_iteration_and_sends_nothing() {
    let lab = TestLab::start();
    let script = r#"
        target(env("TARGET"));
        let login = post("/api/auth/login", #{ email: "ann@example.com", password: "wrong" }).name("login")
            .expect(401).save("token", "$.access_token");
        let me = get("/api/me").bearer(saved("token")).name("me");
        phase("plain").run(me).users(2).iterations(6);
        phase("open").run(me).rate(50.per_second).during(200.ms);
        phase("flow").run(flow("visit", |vu| { vu.send(login); vu.send(me); })).iterations(3);
        phase("closure").run(flow("ask", |vu| { vu.send(login); let token = saved("token"); })).iterations(4);
    "#;
    let ended = Program::run_against(script, &lab.url()).run();
    let reason = "nothing is saved as `token` for this virtual user yet";
    let figures = ended.figures();
    for (name, offered) in [("plain", 6), ("open", 10)] {
        let phase = figures.phase(name);
        assert_eq!((phase.count("offered"), phase.count("errors")), (offered, offered), "{name}: {ended}");
        let failures = phase.0["failure_reasons"].as_array().expect("reasons");
        assert_eq!((&failures[0]["message"], &failures[0]["count"]), (&reason.into(), &offered.into()), "{ended}");
    }
    for (name, offered) in [("flow", 3), ("closure", 4)] {
        let phase = figures.phase(name);
        assert_eq!(phase.count("errors"), offered, "{name}: {ended}");
        let errors = phase.0["script_errors"].as_array().expect("script errors");
        assert_eq!(errors.len(), 1, "{ended}");
        assert_eq!(errors[0]["count"], offered, "{ended}");
        assert!(errors[0]["message"].as_str().is_some_and(|message| message.contains(reason)), "{ended}");
    }
    assert!(lab.arrivals().iter().all(|entry| &*entry.path != "/api/me"), "something was sent without its token");
    assert!(ended.stdout.contains(reason), "the report does not say why: {ended}");
}

#[test]
fn try_shows_what_was_saved_and_plan_shows_a_hole() {
    let lab = TestLab::start();
    let script = r#"
        let lab = target(env("TARGET"));
        let create = post("/api/carts", #{ sku: 1, qty: 1 }).expect(201).save("cart", "$.id");
        lab.on_start(|vu| { vu.send(create); });
        phase("main").run(get(`/api/carts/${saved("cart")}`).expect(200)).rate(10.per_second).during(1.s);
    "#;
    let target = format!("TARGET={}", lab.url());
    let ended = Program::new(["try", "s.rhai", "-e", &target]).file("s.rhai", script).run();
    assert_eq!(ended.code, Some(0), "{ended}");
    let ended = Program::new(["plan", "s.rhai", "--schedule=2", "-e", &target]).file("s.rhai", script).run();
    assert_eq!(ended.code, Some(0), "{ended}");
    assert!(ended.stdout.contains("/api/carts/{…}"), "{ended}");
}
