//! Redis as a target, on a real Redis.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use crate::harness::{Ended, Program, System};

fn run(system: &System, script: &str) -> Ended {
    Program::run_of(script).args(["-e", &format!("REDIS={}", system.value("REDIS"))]).run()
}

/// What Redis itself says.
fn ask(system: &System, command: &str) -> String {
    let mut stream = TcpStream::connect(system.value("REDIS")).expect("it listens");
    stream.write_all(format!("{command}\r\nQUIT\r\n").as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    answer
}

fn counter(system: &System, name: &str) -> u64 {
    let info = ask(system, "INFO stats");
    let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.and_then(|count| count.trim().parse().ok()).unwrap_or_else(|| panic!("no {name} in {info}"))
}

#[test]
fn hits_and_misses_are_those_that_redis_counts() {
    let system = System::start("redis");
    let script = r#"
        let cache = redis(env("REDIS"));
        let key = int(1, 100);
        setup(|vu| { for n in 1..=50 { vu.send(cache.set(`k:${n}`, `v${n}`)); } });
        phase("load").run(mix([
            [3, cache.get(`k:${key}`).name("read")],
            [1, cache.set_ex(`other:${key}`, #{ n: key, text: "x" }, 1500.ms)],
        ])).users(3).iterations(400);
        phase("open").run(cache.incr("count").check("is a number", |res| res.int > 0)).rate(200.per_second).during(500.ms);
        slo("half of it hits", #{ phase: "load", request: "read", hit_ratio: "> 30%" });
        slo("nothing fails", #{ errors: "== 0%", checks: "== 100%" });
    "#;
    let ended = run(&system, script);
    ended.expect(0);
    let figures = ended.figures();
    figures.assert_consistent();
    let load = figures.phase("load");
    let row = |class: &str| {
        let rows = load.0["requests"].as_array().expect("rows").iter();
        rows.filter(|row| row["name"] == "read" && row["class"] == class)
            .map(|row| row["ok"].as_u64().expect("a count"))
            .sum()
    };
    let (hits, misses): (u64, u64) = (row("hit"), row("miss"));
    assert_eq!(hits + misses, 300, "{ended}");
    assert_eq!((hits, misses), (counter(&system, "keyspace_hits"), counter(&system, "keyspace_misses")), "{ended}");
    assert_eq!(load.row("PSETEX other:{…}").count("ok"), 100, "{ended}");
    assert_eq!(load.row("read").0["status"]["ok"], 300, "{ended}");
    assert_eq!(figures.phase("open").row("INCR count").count("ok"), 100, "{ended}");
    assert!(ask(&system, "GET count").contains("100"));
}

#[test]
fn closures_read_replies_of_every_type() {
    let system = System::start("redis");
    let script = r#"
        let cache = redis(env("REDIS")).connections(2);
        phase("main").run(flow("types", |vu| {
            check("simple", vu.send(cache.ping()).value == "PONG");
            check("nil", vu.send(cache.get("nothing")).value == ());
            vu.send(cache.set("user:7", #{ name: "Ann", roles: ["a", "b"] }));
            let res = vu.send(cache.get("user:7").save("name", "$.name"));
            check("json", res.json("roles[1]") == "b" && vu.name == "Ann" && res.class == "hit");
            check("integer", vu.send(cache.incr("n", 5)).value == 5 && vu.send(cache.command("INCRBYFLOAT", "f", 1.5)).value == "1.5");
            vu.send(cache.command("HSET", "h", ["a", 1, "b", "two"]));
            check("list", vu.send(cache.command("HGETALL", "h")).value == ["a", "1", "b", "two"]);
            let wrong = vu.send(cache.command("LPUSH", "h", 1).expect("WRONGTYPE"));
            check("error", wrong.ok && wrong.status == "WRONGTYPE" && wrong.error.contains("wrong kind of value"));
            let all = vu.send(cache.pipeline([cache.set("p", 1), cache.incr("p"), cache.get("p"), cache.get("q")]));
            check("pipeline", all.value == ["OK", 2, "2", ()] && all.status == "ok");
            let half = vu.send(cache.pipeline([cache.ping(), cache.incr("h")]).expect("WRONGTYPE"));
            check("half", half.value[1].error.starts_with("WRONGTYPE"));
            check("info", vu.send(cache.info()).info.total_commands_processed > 5);
            check("ttl", vu.send(cache.set_ex("t", "x", 100)).ok && vu.send(cache.command("ttl", "t")).int > 90);
            check("bytes", vu.send(cache.command("DUMP", "t")).bytes.len() > 3);
            check("del", vu.send(cache.del(["n", "f", "h", "p", "t", "nothing"])).int == 5);
            check("proto", res.proto == "RESP2" && `${res}` == "response(ok, 32 bytes)");
        })).iterations(1);
    "#;
    let ended = run(&system, script);
    ended.expect(0);
    let figures = ended.figures();
    let main = figures.phase("main");
    for check in main.0["checks"].as_array().expect("checks") {
        assert_eq!(check["failed"], 0, "{check} {ended}");
    }
    assert_eq!(main.0["checks"].as_array().map(Vec::len), Some(14), "{ended}");
    assert_eq!(main.row("GET user:{…}").count("ok"), 1, "{ended}");
    assert_eq!(main.0["script_errors"].as_array().map(Vec::len), Some(0), "{ended}");
}

#[test]
fn errors_of_redis_are_told_by_their_words_with_an_example() {
    let system = System::start("redis");
    let script = r#"
        let cache = redis(env("REDIS"));
        setup(|vu| { vu.send(cache.set("text", "no number")); });
        phase("main").run(mix([[1, cache.incr("text")], [1, cache.command("NOSUCH", "thing")]])).users(1).iterations(10);
        slo("errors are counted", #{ request: "INCR text", "status:ERR": "== 5" });
    "#;
    let ended = run(&system, script);
    ended.expect(0);
    let figures = ended.figures();
    let row = figures.phase("main").row("INCR text");
    assert_eq!((row.error("failed_status"), row.0["status"]["ERR"].as_u64()), (5, Some(5)), "{ended}");
    assert!(ended.stdout.contains("ERR ×5"), "{ended}");
    assert!(ended.stdout.contains("value is not an integer"), "{ended}");
    assert!(ended.stdout.contains("redis-cli -u redis://"), "{ended}");
}

#[test]
fn a_password_lets_in_and_is_nowhere() {
    let system = System::start("redis");
    ask(&system, "CONFIG SET requirepass canary-word");
    let place = system.value("REDIS");
    let script = r#"
        let cache = redis(env("URL"));
        phase("main").run(mix([[1, cache.command("ECHO", "canary-word")], [1, cache.command("DBSIZE")]])).iterations(4);
    "#;
    let url = |password: &str| format!("URL=redis://:{password}@{place}/3");
    let ended =
        Program::run_of(script).args(["-e", &url("canary-word"), "--exemplars", "--results", "run.loadr"]).run();
    ended.expect(0);
    assert_eq!(ended.figures().phase("main").count("ok"), 4, "{ended}");
    let shown = format!("{}{}{}", ended.stdout, ended.stderr, ended.figures().0);
    assert!(!shown.contains("canary-word"), "{shown}");
    // Before the run: what the server says is shown.
    let refused = Program::run_of(script).args(["-e", &url("canary-pass")]).run();
    refused.expect(1);
    assert!(refused.stderr.contains("login_refused: WRONGPASS"), "{refused}");
    assert!(!refused.stderr.contains("canary-pass"), "{refused}");
    // In the run: each attempt is an error of its kind.
    let refused = Program::run_of(script).args(["-e", &url("canary-pass"), "--no-preflight"]).run();
    assert_eq!(refused.figures().phase("main").row("DBSIZE").error("login_refused"), 2, "{refused}");
}

#[test]
fn a_server_that_goes_away_is_told_by_kind() {
    let system = System::start("redis");
    let script = r#"
        let cache = redis(env("REDIS"));
        phase("main").run(flow("gone", |vu| {
            check("closed", vu.send(cache.command("SHUTDOWN", "NOSAVE").timeout(5.s)).error == "closed_early");
            let after = vu.send(cache.ping().name("after"));
            check("refused", after.error == "connect_refused" && after.status == 0);
        })).iterations(1);
    "#;
    let ended = run(&system, script);
    let figures = ended.figures();
    let main = figures.phase("main");
    assert_eq!(
        (main.check("closed")["passed"].as_u64(), main.check("refused")["passed"].as_u64()),
        (Some(1), Some(1)),
        "{ended}"
    );
}

#[test]
fn try_and_plan_show_commands_as_they_are_typed() {
    let script = r#"
        let cache = redis(env("REDIS"));
        phase("main").run(mix([[1, cache.set("it's", "a b")], [1, cache.get(`item:${int(5, 5)}`)]])).iterations(2);
    "#;
    let file = |program: Program| program.file("redis.rhai", script);
    let tried = file(Program::new(["try", "redis.rhai", "--demo"])).run();
    tried.expect(0);
    assert!(tried.stdout.contains("→ SET redis://127.0.0.1:"), "{tried}");
    assert!(tried.stdout.contains(r"'it'\''s' 'a b'"), "{tried}");
    assert!(tried.stdout.contains("item:5"), "{tried}");
    assert!(tried.stdout.contains("← ok"), "{tried}");
    let planned =
        file(Program::new(["plan", "redis.rhai", "-e", "REDIS=redis://me:canary-word@127.0.0.1:6399/2"])).run();
    planned.expect(0);
    assert!(planned.stdout.contains("redis://127.0.0.1:6399/2"), "{planned}");
    assert!(planned.stdout.contains("GET item:{…}"), "{planned}");
    assert!(!planned.stdout.contains("canary-word"), "{planned}");
}
