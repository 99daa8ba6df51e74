//! What HTTP is in the world: redirects, compression, shared connections.

use crate::harness::{Ended, Program, TestLab};

fn run(lab: &TestLab, target: &str, rest: &str) -> Ended {
    Program::run_against(&format!("let lab = target(env(\"TARGET\")){target};\n{rest}"), &lab.url()).run()
}

#[test]
fn a_redirected_request_is_one_and_its_exchanges_are_shown() {
    let lab = TestLab::start();
    let ended = run(
        &lab,
        ".redirects(3)",
        "phase(\"main\").run(get(\"/lab/redirect/2\").name(\"r\").expect(200)).users(1).iterations(20);\n\
         slo(\"all\", #{ errors: \"== 0%\", count: \"== 20\" });",
    );
    let phase = ended.figures().phase("main");
    let row = phase.row("r");
    assert_eq!((row.count("ok"), row.count("offered"), lab.seen()), (20, 20, 60), "{ended}");
    assert_eq!(row.0["status"]["200"], 20, "{ended}");
    let hops = phase.0["hops"].as_array().expect("a list");
    let names: Vec<_> = hops.iter().map(|hop| (hop["name"].as_str(), hop["offered"].as_u64())).collect();
    assert_eq!(names, [(Some("r → 1"), Some(20)), (Some("r → 2"), Some(20)), (Some("r → 3"), Some(20))], "{ended}");
    assert_eq!((&hops[0]["status"]["302"], &hops[2]["status"]["200"]), (&20.into(), &20.into()), "{ended}");
    let whole = row.ms("service_us", "max");
    assert!(whole >= hops.iter().map(|hop| hop["service_us"]["min"].as_f64().expect("a time")).sum::<f64>() / 1e3);
    assert_eq!(phase.count("connections_opened") + phase.count("connections_reused"), 60, "{ended}");
    assert!(ended.stdout.contains("r → 3"), "{ended}");
}

#[test]
fn redirects_are_followed_as_far_as_asked() {
    for (target, request, status, error, seen) in [
        ("", "get(\"/lab/redirect/2\")", Some("302"), None, 4),
        (".redirects(5)", "get(\"/lab/redirect/2\").no_redirect()", Some("302"), None, 4),
        (".redirects(1)", "get(\"/lab/redirect/2\")", None, Some("redirect_limit"), 8),
        (".redirects(2)", "get(\"/lab/redirect/2\")", Some("200"), None, 12),
    ] {
        let lab = TestLab::start();
        let ended = run(&lab, target, &format!("phase(\"main\").run({request}.name(\"r\")).users(2).iterations(4);"));
        let row = ended.figures().phase("main").row("r");
        assert_eq!(lab.seen(), seen, "{target} {request}: {ended}");
        match (status, error) {
            (Some(status), _) => assert_eq!(row.0["status"][status], 4, "{ended}"),
            (_, error) => assert_eq!(row.error(error.expect("one of the two")), 4, "{ended}"),
        }
    }
}

#[test]
fn a_closure_follows_too() {
    let lab = TestLab::start();
    let ended = run(
        &lab,
        ".redirects(3)",
        r#"let f = flow("f", |vu| {
               check("followed", vu.get("/lab/redirect/1").status == 200);
               check("not followed", vu.send(get("/lab/redirect/1").no_redirect()).status == 302);
           });
           phase("main").run(f).users(1).iterations(3);
           slo("all", #{ checks: "== 100%" });"#,
    );
    ended.expect(0);
    assert_eq!(lab.seen(), 9, "{ended}");
}

#[test]
fn compressed_answers_are_asked_for_and_read() {
    let lab = TestLab::start();
    let ended = run(
        &lab,
        ".compressed()",
        r#"let f = flow("f", |vu| {
               check("asked for", vu.get("/lab/echo").json("headers")["accept-encoding"].contains("br"));
               let res = vu.get("/lab/gzip?bytes=5000");
               check("read", res.json() != ());
               check("smaller on the wire", res.size < res.bytes.len());
           });
           let one = get("/lab/gzip?bytes=5000").name("one").check("json", |res| res.json() != ());
           phase("main").run(mix([[1, f], [1, one]])).users(1).iterations(4);
           slo("all", #{ checks: "== 100%" });"#,
    );
    ended.expect(0);
    assert_eq!(ended.figures().phase("main").count("ok"), 4, "{ended}");
}

#[test]
fn content_that_grows_too_long_is_an_error_of_its_request() {
    let lab = TestLab::start();
    let ended = run(
        &lab,
        ".compressed().max_body(100.kb)",
        "let r = get(\"/lab/gzip?bytes=20000000\").name(\"r\");\n\
         phase(\"unread\").run(r).users(1).iterations(3);\n\
         phase(\"read\").run(r.check(\"json\", |res| res.json() != ())).users(1).iterations(3);",
    );
    assert_eq!(ended.figures().phase("unread").row("r").count("ok"), 3, "what nobody reads costs nothing: {ended}");
    assert_eq!(ended.figures().phase("read").row("r").error("body_too_large"), 3, "{ended}");
}

#[test]
fn users_share_connections_where_asked() {
    let lab = TestLab::start();
    let ended = run(
        &lab,
        ".connections(3)",
        "phase(\"main\").run(get(\"/lab/fixed?ms=5\").name(\"r\")).users(30).iterations(300);",
    );
    ended.expect(0);
    let phase = ended.figures().phase("main");
    assert_eq!((phase.count("ok"), phase.count("connections_opened")), (300, 3), "{ended}");
}

/// In cleartext, by HTTP/2 from the first byte: shared connections, a batch on one, redirects and cookies as ever.
#[test]
fn http2_in_cleartext_is_what_http1_is() {
    let lab = TestLab::start();
    let ended = run(
        &lab,
        ".http2().redirects(2).compressed()",
        r#"let batch = flow("batch", |vu| {
               let all = vu.batch(["/lab/fixed?ms=20", "/lab/fixed?ms=20", "/lab/redirect/1"]);
               check("answered", all[0].ok && all[1].ok && all[2].status == 200);
               check("by HTTP/2", all[0].proto == "HTTP/2");
               check("compressed", vu.get("/lab/gzip?bytes=5000").json() != ());
               let echo = vu.post("/lab/echo", #{ a: 1 });
               check("the body arrives", echo.json("body").contains("1"));
           });
           phase("main").run(batch).users(3).iterations(12);
           slo("all", #{ checks: "== 100%", errors: "== 0%" });"#,
    );
    ended.expect(0);
    let phase = ended.figures().phase("main");
    assert_eq!((phase.count("connections_opened"), phase.count("connections_reused")), (3, 69), "{ended}");
    assert!(ended.stdout.contains("reused · HTTP/2\n"), "{ended}");

    let lab = TestLab::start();
    let ended = run(
        &lab,
        ".http2().connections(2)",
        "phase(\"main\").run(get(\"/lab/fixed?ms=5\").name(\"r\")).users(30).iterations(300);",
    );
    ended.expect(0);
    let phase = ended.figures().phase("main");
    assert_eq!((phase.count("ok"), phase.count("connections_opened")), (300, 2), "{ended}");
}

/// A login that answers with a redirect and a cookie: the page behind it gets the cookie.
#[test]
fn cookies_set_on_the_way_are_sent_on() {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("its address"));
    let server = std::thread::spawn(move || {
        use std::io::{BufRead, BufReader, Write};
        let mut seen = Vec::new();
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut lines = BufReader::new(stream.try_clone().expect("the same")).lines();
        for answer in [
            "HTTP/1.1 302 Found\r\nLocation: /home\r\nSet-Cookie: sid=new; Path=/\r\nSet-Cookie: old=; Max-Age=0; Path=/\r\n\
             Content-Length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi",
        ] {
            let head = lines.by_ref().map(|line| line.expect("text")).take_while(|line| !line.is_empty());
            seen.push(head.collect::<Vec<_>>());
            stream.write_all(answer.as_bytes()).expect("the client reads");
        }
        seen
    });
    let script = r#"
        let web = target(env("TARGET")).redirects(2);
        let f = flow("f", |vu| {
            vu.cookie("old", "1");
            vu.send(post("/login").cookie("own", "2").name("login").expect(200));
        });
        phase("main").run(f).users(1).iterations(1);
    "#;
    let ended = Program::run_against(script, &url).arg("--no-preflight").run();
    assert_eq!(ended.figures().phase("main").row("login").count("ok"), 1, "{ended}");
    let seen = server.join().expect("the server was content");
    let cookie = |head: &[String]| head.iter().find_map(|line| line.strip_prefix("cookie: ").map(ToOwned::to_owned));
    assert_eq!(cookie(&seen[0]).as_deref(), Some("own=2; old=1"));
    assert!(seen[1][0].starts_with("GET /home "), "{seen:?}");
    assert_eq!(cookie(&seen[1]).as_deref(), Some("own=2; sid=new"), "{seen:?}");
}
