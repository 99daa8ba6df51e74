//! Cookies: kept by each virtual user, sent where they belong, and by nobody else.

use crate::harness::{Ended, Program, TestLab};

fn run(script: &str) -> (TestLab, Ended) {
    let lab = TestLab::start();
    let script = format!("let shop = target(env(\"TARGET\"));\n{script}");
    let ended = Program::run_against(&script, &lab.url()).run();
    (lab, ended)
}

/// Every check of the phase `main` passed, this many times each.
#[track_caller]
fn all_passed(ended: &Ended, checks: &[&str], times: u64) {
    ended.expect(0);
    for name in checks {
        let check = ended.figures().phase("main").check(name);
        assert_eq!((check["passed"].as_u64(), check["failed"].as_u64()), (Some(times), Some(0)), "{name}: {ended}");
    }
}

#[test]
fn a_user_keeps_its_cookies_and_no_others() {
    let (_lab, ended) = run(r#"
        shop.on_start(|vu| { vu.get(`/lab/cookies/set?user=${vu.id}&old=1`).expect(200); });
        phase("main").run(flow("f", |vu| {
            let seen = vu.get("/lab/cookies").json("cookies");
            check("its own", seen.user == `${vu.id}`);
            vu.get("/lab/cookies/set?old=2");
            check("replaced", vu.get("/lab/cookies").json("cookies.old") == "2");
            vu.cookie("mine", 7);
            check("by hand", vu.get("/lab/cookies").json("cookies.mine") == "7");
            vu.cookie("mine", ());
            check("taken away", vu.get("/lab/cookies").json("cookies.mine") == ());
            let sent = vu.send(get("/lab/cookies").cookie("old", "3").cookie("extra", "x")).json("cookies");
            check("the request's own first", sent.old == "3" && sent.extra == "x" && sent.user == `${vu.id}`);
            let sent = vu.send(get("/lab/cookies").header("cookie", "only=this")).json("cookies");
            check("a field replaces the jar", sent.len() == 1 && sent.only == "this");
        })).users(4).iterations(40);
    "#);
    let checks =
        ["its own", "replaced", "by hand", "taken away", "the request's own first", "a field replaces the jar"];
    all_passed(&ended, &checks, 40);
}

#[test]
fn templates_send_and_keep_cookies_without_running_script() {
    let (_lab, ended) = run(r#"
        let n = int(1, 9);
        let traffic = mix([
            [1, get("/lab/cookies/set?k=v").name("set")],
            [1, get("/lab/cookies").name("plain").check("plain", |res| res.json("cookies.k") == "v")],
            [1, get(`/lab/cookies?${n}`).name("drawn").cookie("n", n)
                .check("drawn", |res| res.json("cookies.k") == "v" && res.json("cookies.n") != ())],
        ]);
        phase("first").run(get("/lab/cookies/set?k=v")).users(1).iterations(1).warmup();
        phase("main").run(traffic).users(1).iterations(30);
    "#);
    all_passed(&ended, &["plain", "drawn"], 10);
}

#[test]
fn cookies_can_be_cleared_and_switched_off() {
    let (_lab, ended) = run(r#"
        let quiet = target(env("TARGET")).cookies(false);
        phase("main").run(flow("f", |vu| {
            vu.get("/lab/cookies/set?a=1");
            check("kept", vu.get("/lab/cookies").json("cookies.a") == "1");
            check("not for a target without", vu.send(get("/lab/cookies").on(quiet)).json("cookies").len() == 0);
            vu.clear_cookies();
            check("cleared", vu.get("/lab/cookies").json("cookies").len() == 0);
            vu.send(get("/lab/cookies/set?b=1").on(quiet));
            check("not from a target without", vu.get("/lab/cookies").json("cookies").len() == 0);
        })).users(2).iterations(10);
    "#);
    all_passed(&ended, &["kept", "not for a target without", "cleared", "not from a target without"], 10);
}

#[test]
fn no_cookie_goes_to_another_host() {
    let lab = TestLab::start();
    let port = lab.url().rsplit(':').next().expect("a port").to_owned();
    let ended = Program::run_against(
        r#"
        let shop = target(env("TARGET"));
        let other = target(`http://localhost:${env("PORT")}`).resolve("localhost", "127.0.0.1");
        phase("main").run(flow("f", |vu| {
            vu.get("/lab/cookies/set?a=1");
            vu.cookie("b", 2, other);
            let there = vu.send(get("/lab/cookies").on(other)).json("cookies");
            check("its own only", there.len() == 1 && there.b == "2");
            let here = vu.get("/lab/cookies").json("cookies");
            check("nothing of the other", here.len() == 1 && here.a == "1");
        })).users(1).iterations(5);
        "#,
        &lab.url(),
    )
    .args(["-e", &format!("PORT={port}")])
    .run();
    all_passed(&ended, &["its own only", "nothing of the other"], 5);
}

#[test]
fn a_cookie_bomb_is_bounded_and_counted() {
    let (_lab, ended) = run(r#"
        phase("main").run(flow("f", |vu| {
            for n in 0..60 { vu.get(`/lab/cookies/set?k${n}=v`).expect(200); }
            check("fifty", vu.get("/lab/cookies").json("cookies").len() == 50);
        })).users(1).iterations(1);
    "#);
    all_passed(&ended, &["fifty"], 1);
    let everything = ended.figures().0.to_string();
    assert!(everything.contains("cookies_refused"), "{ended}");
    assert!(ended.stdout.contains("cookies_refused"), "{ended}");
}
