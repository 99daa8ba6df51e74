//! FruitPAK: the application of a users' report, with Redis and PostgreSQL behind it and nginx before three replicas.

use crate::harness::{Program, System};

/// Counters of Redis: hits and misses of keys since its start.
fn keyspace(system: &System) -> (u64, u64) {
    let (host, port) = system.value("REDIS").split_once(':').expect("host:port");
    let output = std::process::Command::new("redis-cli").args(["-h", host, "-p", port, "INFO", "stats"]).output();
    let text = String::from_utf8(output.expect("it is installed").stdout).expect("text");
    let of = |name: &str| {
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        value.and_then(|value| value.trim().parse().ok()).unwrap_or_else(|| panic!("no {name} in {text}"))
    };
    (of("keyspace_hits"), of("keyspace_misses"))
}

#[test]
fn it_does_what_the_report_says_of_it() {
    let system = System::start("fruitpak");
    let script = r#"
        import "std/auth" as auth;
        let site = target(env("TARGET"));
        auth::login_each_user(site, #{ credentials: #{ email: "test@example.com", password: "demo" } });
        let ask = |vu, path| vu.send(get(path).name(path).classify(cache_status()));
        phase("once").run(flow("each", |vu| {
            let miss = ask.call(vu, "/api/growers/?limit=50");
            let hit = ask.call(vu, "/api/growers/?limit=50");
            check("first a miss, then a hit", miss.class == "miss" && hit.class == "hit" && miss.body == hit.body);
            check("a hit asks no database", miss.header("x-query-count") == "2" && hit.header("x-query-count") == "0");
            check("fifty at most", hit.json("items").len() == 50 && hit.json("total") == 2000);
            check("another page is another key", ask.call(vu, "/api/growers/?limit=50&offset=50").class == "miss");
            let one = vu.get("/api/growers/7").json("version");
            vu.put("/api/growers/7", #{ name: "changed" });
            let again = ask.call(vu, "/api/growers/7");
            check("a change is seen at once", again.class == "miss" && again.json("version") == one + 1);
            check("and forgets its page", ask.call(vu, "/api/growers/?limit=50").class == "miss");
            let queries = |path| vu.send(get(path).name(path)).header("x-query-count");
            check("n + 1", queries.call("/api/batches/?loading=lazy") == "52");
            check("eager", queries.call("/api/batches/") == "3");
            check("one pass", queries.call("/api/reconciliation/") == "1");
            check("three scans", queries.call("/api/reconciliation/?how=scans") == "3");
            let owed = |how| vu.get(`/api/reconciliation/?how=${how}`).json("items");
            check("both say the same", owed.call("cte") == owed.call("scans") && owed.call("cte").len() == 50);
            check("of one day", vu.get("/api/batches/intake").json().len() > 0);
            check("no more than 500", vu.send(get("/api/growers/?limit=501").expect(422)).status == 422);
            let replicas = #{};
            for n in 0..12 { replicas[vu.get("/health").header("x-replica")] = n; }
            check("three replicas", replicas.keys().len() == 3);
        })).iterations(1);
        phase("without a token").run(get("/api/growers/").header("Authorization", "Bearer x").expect(401)).iterations(1);
    "#;
    let ended = Program::run_against(script, system.value("TARGET")).run();
    ended.expect(0);
    let phase = ended.figures().phase("once");
    let checks = phase.0["checks"].as_array().expect("checks");
    assert!(checks.len() == 14 && checks.iter().all(|check| check["failed"] == 0), "{ended}");
    // Growers' pages: three misses and a hit; grower 7: missed, and missed again.
    assert_eq!(keyspace(&system), (1, 5), "{ended}");
}
