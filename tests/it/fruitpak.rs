//! FruitPAK: the application of a users' report, with Redis and PostgreSQL behind it and nginx before three replicas.

use std::{path::Path, time::Duration};

use crate::harness::{Ended, Program, System, TestLab, settle};

/// How much of its script is run here.
const SCALE: &str = "0.1";

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

/// Runs an example, shortened, with values for its variables.
fn run(name: &str, variables: impl Iterator<Item = String>) -> Ended {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("scripts/{name}.rhai"));
    let program = Program::new(["run", "--json", "summary.json", "--seed", "7", "--scale", SCALE]).arg(script);
    let program = variables.fold(program, |program, value| program.arg("-e").arg(value));
    let ended = program.limit(Duration::from_secs(120)).run();
    // How fast it was is the machine's business.
    assert!(matches!(ended.code, Some(0 | 97 | 99)), "{ended}");
    ended
}

/// What holds wherever the script runs: all requests were answered, all checks held, and what the application says of its
/// cache and its queries adds up.
fn assert_sane(ended: &Ended) {
    let figures = ended.figures();
    for phase in figures.phases() {
        assert!(phase.count("offered") > 0 && phase.count("offered") == phase.count("ok"), "{ended}");
        assert!(phase.0["checks"].as_array().expect("checks").iter().all(|check| check["failed"] == 0), "{ended}");
    }
    assert_eq!(figures.phase("first and second").check("the first misses, the second hits")["passed"], 5, "{ended}");
    assert_eq!(figures.phase("N+1").check("one query for each batch, and two")["passed"], 6, "{ended}");
    assert_eq!(figures.phase("page limits").check("501 is refused")["passed"], 5, "{ended}");
    assert_eq!(figures.phase("ab -n 1000 -c 10").count("offered"), 100, "{ended}");
    assert!(ended.stdout.contains("means: a request took "), "{ended}");
    // The pattern has no lock: whoever misses asks the database.
    let stampede = figures.phase("growers/stampede").row("growers stampede");
    assert_eq!(stampede.0["cache"]["misses"], 10, "{ended}");
    let found = &figures.0["experiments"][0];
    assert_eq!(found["blocks"], 2, "{ended}");
    let truth = found["truth"].as_array().expect("what the cache counts");
    assert!(truth.len() == 2 && truth.iter().all(|part| part["verdict"] == "agrees"), "{ended}");
    for slo in ["eager loading does without N+1", "pages have limits", "nothing fails"] {
        assert_eq!(figures.slo(slo)["verdict"], "pass", "{slo}; {ended}");
    }
}

#[test]
fn its_report_is_made_on_the_real_system() {
    let system = System::start("fruitpak");
    let ended = run("fruitpak", system.values());
    assert_sane(&ended);
    // Redis counts each look-up, and nothing else asks it for keys.
    let mut classified = (0, 0);
    for phase in ended.figures().phases() {
        for row in phase.0["requests"].as_array().expect("rows").iter().filter(|row| !row["cache"].is_null()) {
            assert_eq!(row["cache"]["unknown"], 0, "{ended}");
            classified.0 += row["cache"]["hits"].as_u64().expect("a count");
            classified.1 += row["cache"]["misses"].as_u64().expect("a count");
        }
    }
    assert_eq!(classified, keyspace(&system), "{ended}");
}

/// Redis goes down in the middle of the traffic, and comes back empty; and writes are followed until they are read.
#[test]
fn an_outage_of_redis_costs_time_and_nothing_else() {
    let system = System::start("fruitpak");
    let script = r#"
        import "std/auth" as auth;
        import "std/cache" as cache;
        let site = target(env("TARGET"));
        let power = target(env("SWITCH"));
        auth::login_each_user(site, #{ credentials: #{ email: "test@example.com", password: "demo" } });
        let redis = |up| put("/redis", #{ up: up }).on(power);
        cache::experiment("growers", #{
            keys: zipf(40, 0.9), request: |key| get(`/api/growers/${key}`),
            purge: |vu| vu.post("/api/cache/invalidate", #{ prefix: "growers" }),
            rate: 60.per_second, calibrate: (), cold: (), warm: 3.s, settles: "1s", steady: 3.s, pairs: (),
            invalidate: #{
                update: |key, version| put(`/api/growers/${key}`, #{ name: `${version}` }), version: "name",
                writes: 20, poll: 5.ms, within: 1.s,
            },
            outage: #{ before: redis.call(false), after: redis.call(true), during: 3.s, recovery: 5.s },
        });
        slo("nothing fails", #{ errors: "== 0%" });
    "#;
    settle(|checks| {
        let program = Program::new(["run", "--json", "summary.json", "--seed", "7", "outage.rhai"]);
        let program =
            system.values().fold(program.file("outage.rhai", script), |program, value| program.arg("-e").arg(value));
        let ended = program.run();
        assert!(matches!(ended.code, Some(0 | 97)), "{ended}");
        let found = &ended.figures().0["experiments"][0];

        let outage = &found["outage"];
        let number =
            |value: &serde_json::Value| value.as_f64().unwrap_or_else(|| panic!("no number but {value}; {ended}"));
        assert!(number(&outage["before"]["hit_ratio"]) > 0.9, "{ended}");
        // The database answers instead, slower: every request went past the cache, and none failed.
        assert_eq!(
            (number(&outage["during"]["errors"]), outage["during"]["hit_ratio"].is_null()),
            (0.0, true),
            "{ended}"
        );
        assert!(number(&outage["factor_p50"]) > 1.0, "{ended}");
        let bypassed = &ended.figures().phase("growers/outage").row("growers").0["cache"]["bypass"];
        assert_eq!(bypassed.as_u64(), outage["during"]["offered"].as_u64(), "{ended}");
        // It came back empty, and filled again.
        assert_eq!(number(&outage["after"]["errors"]), 0.0, "{ended}");
        // A second that something else disturbed looks like one that has not recovered.
        let recovery = &outage["hit_ratio_recovery_s"];
        checks.holds(recovery.as_f64().is_some_and(|s| s <= 4.0), || format!("hit_ratio_recovery_s: {recovery}"));
        assert!(ended.stdout.contains("outage: without the cache p50"), "{ended}");

        // What was written is forgotten before the write is acknowledged; only a read that is under way may keep the old.
        let writes = &found["invalidation"];
        assert_eq!(writes["writes"], 20, "{ended}");
        assert_eq!((&writes["stale_us"]["count"], &writes["lost"]), (&10.into(), &0.into()), "{ended}");
        assert!(number(&writes["stale_us"]["max"]) <= 1.0 && number(&writes["at_once"]) >= 10.0, "{ended}");
        ended
    });
}

/// Each replica counts for itself: what went to one of them is on its page, and not on another's.
#[test]
fn what_prometheus_reads_agrees_with_what_is_classified() {
    let system = System::start("fruitpak");
    let backends: Vec<&str> = system.value("BACKENDS").split(',').collect();
    let script = r#"
        import "std/auth" as auth;
        import "std/cache" as cache;
        let site = target(env("TARGET"));
        auth::login_each_user(site, #{ credentials: #{ email: "test@example.com", password: "demo" } });
        let of = |outcome| `cache_lookups_total{prefix="growers",outcome="${outcome}"}`;
        cache::experiment("growers", #{
            keys: zipf(300, 0.9), request: |key| get(`/api/growers/${key}`),
            purge: |vu| vu.post("/api/cache/invalidate", #{ prefix: "growers" }),
            truth: prometheus(`${env("COUNTER")}/metrics`, of.call("hit"), of.call("miss")),
            rate: 60.per_second, calibrate: (), cold: 2.s, warm: (), steady: 3.s, pairs: (),
        });
    "#;
    let run = |counter: &str| {
        let counter = format!("COUNTER={counter}");
        let ended = Program::run_against(script, backends[0]).args(["--seed", "7", "-e", &counter]).run();
        assert!(matches!(ended.code, Some(0 | 97)), "{ended}");
        ended
    };
    // No look-up was counted before the first run: its page has no such samples yet.
    let own = run(backends[0]);
    let truth = own.figures().0["experiments"][0]["truth"].as_array().expect("what was counted").clone();
    assert_eq!(truth.len(), 2, "{own}");
    for (part, phase) in truth.iter().zip(["growers/cold", "growers/steady"]) {
        assert_eq!(part["verdict"], "agrees", "{own}");
        let cache = &own.figures().phase(phase).row("growers").0["cache"];
        assert_eq!((&part["hits"], &part["misses"]), (&cache["hits"], &cache["misses"]), "{own}");
        assert!(part["misses"].as_u64() > Some(10), "{own}");
    }
    let others = run(backends[1]);
    let truth = &others.figures().0["experiments"][0]["truth"];
    assert_eq!((&truth[0]["verdict"], &truth[1]["verdict"]), (&"fewer".into(), &"fewer".into()), "{others}");
}

#[test]
fn its_report_is_made_on_the_lab() {
    let lab = TestLab::start();
    let ended = run("fruitpak", std::iter::once(format!("TARGET={}", lab.url())));
    assert_sane(&ended);
}
