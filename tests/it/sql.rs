//! SQL as a target, on a real PostgreSQL and a real MariaDB.

use std::{fs, net::TcpListener, time::Duration};

use crate::harness::{Ended, Program, System, until};

/// A script for either: `DECLARE` makes the target, `«1»` is the mark of the first parameter.
fn written(key: &str, script: &str) -> String {
    let (word, marks) = match key {
        "POSTGRES" => ("postgres", ["$1", "$2", "$3", "$4", "$5", "$6"]),
        _ => ("mysql", ["?"; 6]),
    };
    let script = script.replace("DECLARE", &format!("{word}(env(\"URL\"))"));
    (1..=6).fold(script, |script, n| script.replace(&format!("«{n}»"), marks[n - 1]))
}

fn run_at(url: &str, key: &str, script: &str, more: &[&str]) -> Ended {
    Program::run_of(&written(key, script)).args(["-e", &format!("URL={url}"), "--exemplars"]).args(more).run()
}

fn run(system: &System, key: &str, script: &str) -> Ended {
    run_at(system.value(key), key, script, &[])
}

#[track_caller]
fn assert_checks_held(ended: &Ended, count: usize) {
    let figures = ended.figures();
    let main = figures.phase("main");
    let checks = main.0["checks"].as_array().expect("checks");
    assert!(checks.iter().all(|check| check["failed"] == 0), "{ended}");
    assert_eq!(checks.len(), count, "{ended}");
    assert_eq!(main.0["script_errors"].as_array().map(Vec::len), Some(0), "{ended}");
}

const SERVERS: [(&str, &str); 2] = [("postgres", "POSTGRES"), ("mariadb", "MYSQL")];

#[test]
fn statements_are_templates_and_rows_reach_the_script() {
    let script = r#"
        let db = DECLARE;
        let item = int(1, 50);
        setup(|vu| {
            vu.send(db.execute("CREATE TABLE goods (id INT PRIMARY KEY, name VARCHAR(40), price DECIMAL(10,2), stock INT)"));
            for n in 1..=50 { vu.send(db.execute("INSERT INTO goods VALUES («1», «2», «3», «4»)", [n, `item ${n}`, n * 1.5, 1000])); }
        });
        let read = db.query("SELECT id, name, price FROM goods WHERE id = «1»", [item]).name("read")
            .check("one row", |res| res.rows.len() == 1 && res.rows[0].name == `item ${res.json("[0].id")}`)
            .save("last", "$[0].id");
        let sell = db.execute("UPDATE goods SET stock = stock - 1 WHERE id = «1»", [item]).name("sell")
            .check("one changed", |res| res.affected == 1);
        phase("main").run(mix([[3, read], [1, sell]])).users(3).iterations(80);
        phase("open").run(db.query("SELECT COUNT(*) AS n FROM goods")).rate(50.per_second).during(500.ms);
        phase("burst").run(read).burst(5);
        phase("left").run(flow("left", |vu| {
            let left = vu.send(db.query("SELECT SUM(stock) AS n FROM goods")).rows[0].n;
            if left != 50_000 - 20 { vu.fail(`${left} are left`); }
        })).iterations(1);
        slo("nothing fails", #{ errors: "== 0%", checks: "== 100%" });
    "#;
    for (name, key) in SERVERS {
        let system = System::shared(name);
        let ended = run(&system, key, script);
        ended.expect(0);
        let figures = ended.figures();
        figures.assert_consistent();
        assert_eq!(figures.phase("main").row("read").count("ok"), 60, "{ended}");
        assert_eq!(figures.phase("main").row("read").0["status"]["ok"], 60, "{ended}");
        assert_eq!(figures.phase("open").row("SELECT COUNT(*) AS n FROM goods").count("ok"), 25, "{ended}");
        assert_eq!(figures.phase("burst").row("read").count("ok"), 5, "{ended}");
        assert_eq!(figures.phase("left").count("ok"), 1, "{ended}");
        assert!(ended.stdout.contains("-- ["), "parameters are shown: {ended}");
    }
}

#[test]
fn values_keep_their_types_and_errors_their_states() {
    let script = r#"
        let db = DECLARE;
        phase("main").run(flow("types", |vu| {
            vu.send(db.execute("CREATE TABLE t (id INT PRIMARY KEY, f DOUBLE PRECISION, s TEXT, d DECIMAL(10,2), day DATE, at TIMESTAMP)"));
            let made = vu.send(db.execute("INSERT INTO t VALUES («1», «2», «3», «4», «5», «6»)",
                [7, 1.25, "it's «quoted»", 12.5, "2024-02-29", "2024-02-29 01:02:03.5"]));
            check("affected", made.affected == 1 && made.rows.len() == 0);
            let row = vu.send(db.query("SELECT * FROM t")).rows[0];
            check("types", row.id == 7 && row.f == 1.25 && row.s == "it's «quoted»" && row.d == 12.5 && row.day == "2024-02-29");
            check("timestamp", row.at.starts_with("2024-02-29T01:02:0"));
            check("null", vu.send(db.query("SELECT NULL AS n")).rows[0].n == ());
            check("in place of null", vu.send(db.query("SELECT COUNT(*) AS n FROM t WHERE s = «1»", [()])).rows[0].n == 0);
            let twice = vu.send(db.execute("INSERT INTO t (id) VALUES («1»)", [7]).expect(["ok", "23505", "23000"]));
            check("state", twice.ok && twice.status.starts_with("23") && twice.error.starts_with("23"));
            let few = vu.send(db.query("SELECT «1» + 1", []).expect("07001"));
            check("too few parameters", few.error.contains("1 parameters, and 0 were given"));
            vu.send(db.execute("BEGIN"));
            vu.send(db.execute("DELETE FROM t"));
            vu.send(db.execute("ROLLBACK"));
            check("rolled back", vu.send(db.query("SELECT id FROM t")).json("[0].id") == 7);
            check("empty", vu.send(db.query("SELECT id FROM t WHERE id = 0")).rows.len() == 0);
            vu.send(db.query("SELECT nothing FROM nowhere").name("wrong"));
        })).iterations(1);
    "#;
    for (name, key) in SERVERS {
        let system = System::shared(name);
        let ended = run(&system, key, script);
        assert_checks_held(&ended, 9);
        let figures = ended.figures();
        assert_eq!(figures.phase("main").row("wrong").error("failed_status"), 1, "{ended}");
        let status = if key == "POSTGRES" { "42P01" } else { "42S02" };
        assert_eq!(figures.phase("main").row("wrong").0["status"][status], 1, "{ended}");
    }
}

#[test]
fn postgres_reads_parameters_as_what_the_statement_wants() {
    let script = r#"
        let db = DECLARE;
        fn one(vu, db, sql, value) { vu.send(db.query(`SELECT ${sql} AS v`, [value])).rows[0].v }
        phase("main").run(flow("types", |vu| {
            check("array", one(vu, db, "$1::int[]", [1, (), 3]) == [1, (), 3]);
            check("any", vu.send(db.query("SELECT 2 = ANY($1::int[]) AS v", [[1, 2]])).rows[0].v);
            check("json", one(vu, db, "$1::jsonb", #{ a: [1, "x"] }) == #{ a: [1, "x"] });
            check("uuid", one(vu, db, "$1::uuid", "0c0f3b4e-0000-4000-8000-00000000000a") == "0c0f3b4e-0000-4000-8000-00000000000a");
            check("numeric", one(vu, db, "$1::numeric(10,2)", -12.5) == -12.5);
            check("time", one(vu, db, "$1::timestamptz", "2024-02-29 01:02:03+01") == "2024-02-29T00:02:03Z");
            check("bytes", one(vu, db, "$1::bytea", "\\x0aff") == "\\x0aff");
            vu.send(db.execute("CREATE TYPE mood AS ENUM ('fine', 'low')"));
            check("enum", one(vu, db, "$1::mood", "fine") == "fine");
            check("wrong", vu.send(db.query("SELECT $1::int AS v", ["x"]).expect("22P02")).ok);
        })).iterations(1);
    "#;
    let system = System::shared("postgres");
    let ended = run(&system, "POSTGRES", script);
    assert_checks_held(&ended, 9);
    assert!(ended.figures().phase("main").count("ok") == 1, "{ended}");
}

#[test]
fn a_statement_that_takes_too_long_is_a_timeout_and_the_server_is_told() {
    let script = r#"
        let db = DECLARE;
        phase("main").run(flow("slow", |vu| {
            check("late", vu.send(db.query("SELECT SLEEP").timeout(300.ms)).error == "timeout");
            check("goes on", vu.send(db.query("SELECT 1 AS n")).rows[0].n == 1);
            let left = 1;
            for n in 0..200 {
                left = vu.send(db.query("COUNT").name("count")).rows[0].n;
                if left == 0 { break; }
                vu.think(20.ms);
            }
            check("ended", left == 0);
        })).iterations(1);
    "#;
    let words = [
        (
            "pg_sleep(60)",
            "SELECT count(*) AS n FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sl%' AND state = 'active'",
        ),
        ("SLEEP(60)", "SELECT COUNT(*) AS n FROM information_schema.PROCESSLIST WHERE INFO LIKE 'SELECT SLEEP%'"),
    ];
    for ((name, key), (sleep, count)) in SERVERS.into_iter().zip(words) {
        let system = System::shared(name);
        let script = script.replace("SELECT SLEEP", &format!("SELECT {sleep}")).replace("COUNT", count);
        assert_checks_held(&run(&system, key, &script), 3);
    }
}

#[test]
fn what_a_flow_leaves_of_a_transaction_does_not_last() {
    let script = r#"
        let db = DECLARE;
        setup(|vu| {
            vu.send(db.execute("CREATE TABLE accounts (id INT PRIMARY KEY, n INT)"));
            vu.send(db.execute("INSERT INTO accounts VALUES (1, 100), (2, 100)"));
        });
        fn read(vu, db, id) { vu.send(db.query("SELECT n FROM accounts WHERE id = «1»", [id])).rows[0].n }
        // Each second iteration of a user leaves one open; what the others change is not within it.
        phase("left").run(flow("left", |vu| {
            if vu.iteration % 2 == 0 {
                vu.send(db.execute("BEGIN"));
                vu.send(db.execute("UPDATE accounts SET n = 0 WHERE id = 1"));
                vu.fail("half way");
            }
            vu.send(db.execute("UPDATE accounts SET n = n + 1 WHERE id = 1"));
        })).users(1).iterations(4);
        phase("main").run(flow("lost", |vu| {
            check("rolled back", read(vu, db, 1) == 102);
            vu.send(db.execute("BEGIN"));
            vu.send(db.execute("UPDATE accounts SET n = 0 WHERE id = 2"));
            check("killed", !vu.send(db.execute("KILL")).ok);
            let next = vu.send(db.execute("UPDATE accounts SET n = 7 WHERE id = 2").name("next"));
            check("not by itself", next.status == 0 && next.error != ());
            let end = vu.send(db.execute("COMMIT"));
            check("no commit", end.error == "closed_early");
            check("unchanged", read(vu, db, 2) == 100);
            vu.send(db.execute("BEGIN"));
            vu.send(db.execute("UPDATE accounts SET n = n - 1 WHERE id = 2"));
            vu.send(db.execute("COMMIT"));
        })).iterations(1);
        phase("after").run(flow("after", |vu| {
            let kept = vu.send(db.query("SELECT n FROM accounts WHERE id = 2")).rows[0].n;
            if kept != 99 { vu.fail(`${kept}`); }
        })).iterations(1);
    "#;
    for ((name, key), kill) in
        SERVERS.into_iter().zip(["SELECT pg_terminate_backend(pg_backend_pid())", "KILL CONNECTION_ID()"])
    {
        let system = System::shared(name);
        let ended = run(&system, key, &script.replace("KILL", kill));
        assert_checks_held(&ended, 5);
        let figures = ended.figures();
        assert_eq!(figures.phase("left").count("ok"), 2, "{ended}");
        assert_eq!(figures.phase("after").count("ok"), 1, "{ended}");
    }
}

#[test]
fn shared_connections_bound_the_load_and_failures_have_their_kinds() {
    let script = r#"
        let db = DECLARE.connections(2);
        phase("main").run(db.query("SELECT 1 AS n")).users(8).iterations(200);
        phase("begin").run(db.execute("BEGIN")).iterations(1);
    "#;
    for (name, key) in SERVERS {
        let system = System::shared(name);
        let ended = run(&system, key, script);
        ended.expect(0);
        let figures = ended.figures();
        assert_eq!(figures.phase("main").count("ok"), 200, "{ended}");
        let opened = figures.phase("main").0["connections"]["opened"].as_u64();
        assert!(opened <= Some(2), "{ended}");
        assert_eq!(figures.phase("begin").row("BEGIN").error("protocol"), 1, "{ended}");
        assert!(ended.stdout.contains("a transaction needs a connection of its own"), "{ended}");

        let url = system.value(key).to_owned();
        let nowhere = run_at(&url.replace("/app", "/no_such_database"), key, script, &[]);
        nowhere.expect(1);
        assert!(nowhere.stderr.contains("login_refused"), "{nowhere}");
        // Nothing listens where somebody did just now.
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
        let (login, _) = url.split_once('@').expect("a user");
        let gone = run_at(&format!("{login}@{free}/app"), key, script, &["--no-preflight"]);
        assert_eq!(gone.figures().phase("main").row("SELECT 1 AS n").error("connect_refused"), 200, "{gone}");
    }
}

#[test]
fn a_password_lets_in_and_is_nowhere() {
    let script = r#"
        let db = DECLARE;
        phase("main").run(mix([[1, db.query("SELECT 'canary-word' AS w")], [1, db.query("SELECT 1 AS n")]])).iterations(4);
    "#;
    for (name, key) in SERVERS {
        let system = System::shared(name);
        let make = match key {
            "POSTGRES" => "CREATE ROLE canary LOGIN PASSWORD 'canary-word'",
            _ => "CREATE USER 'canary'@'127.0.0.1' IDENTIFIED BY 'canary-word'",
        };
        let once = |sql: &str| {
            run(&system, key, &format!("let db = DECLARE; phase(\"a\").run(db.execute(\"{sql}\")).iterations(1);"))
        };
        assert_eq!(once(make).figures().phase("a").count("ok"), 1);
        if key == "POSTGRES" {
            let rules = system.folder().join("postgres/data/pg_hba.conf");
            fs::write(rules, "host all canary 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n")
                .expect("a file");
            once("SELECT pg_reload_conf()").expect(0);
        }
        let (scheme, place) = if key == "POSTGRES" { ("postgres", "/app") } else { ("mysql", "") };
        let (_, rest) = system.value(key).rsplit_once('@').expect("a user");
        let host = rest.strip_suffix("/app").expect("a database");
        let url = |login: &str| format!("{scheme}://{login}{host}{place}");

        // The server reads its rules anew some time after it was told.
        let refused = || run_at(&url("canary:canary-pass@"), key, script, &[]);
        until("a password to be asked for", Duration::from_secs(10), || refused().code == Some(1));
        let refused = refused();
        assert!(refused.stderr.contains("login_refused: 28"), "{refused}");
        assert!(!refused.stderr.contains("canary-pass"), "{refused}");
        let refused = run_at(&url("canary:canary-pass@"), key, script, &["--no-preflight"]);
        assert_eq!(refused.figures().phase("main").row("SELECT 1 AS n").error("login_refused"), 2, "{refused}");
        let refused = run_at(&url("canary@"), key, script, &[]);
        assert!(refused.stderr.contains("login_refused"), "{refused}");

        let ended = run_at(&url("canary:canary-word@"), key, script, &["--results", "run.loadr"]);
        ended.expect(0);
        assert_eq!(ended.figures().phase("main").count("ok"), 4, "{ended}");
        let file = ended.folder().join("run.loadr");
        let reported = Program::new(["report", &file.to_string_lossy(), "--exemplars"]).run();
        assert!(reported.stdout.contains("SELECT 1 AS n"), "{reported}");
        let tried = |command: &str| {
            Program::new([command, "sql.rhai", "-e", &format!("URL={}", url("canary:canary-word@"))])
                .file("sql.rhai", written(key, script))
                .run()
        };
        let (tried, planned) = (tried("try"), tried("plan"));
        tried.expect(0);
        assert!(tried.stdout.contains("→ QUERY "), "{tried}");
        let shown = format!("{}{}{}{reported}{tried}{planned}", ended.stdout, ended.stderr, ended.figures().0);
        assert!(!shown.contains("canary-word"), "{shown}");
    }
}

#[test]
fn the_script_of_the_guide_holds_what_it_promises() {
    let page = include_str!("../../src/docs/databases.md");
    let block = |start: &str| {
        let block = page.split("```").find(|block| block.contains(start)).unwrap_or_else(|| panic!("no block {start}"));
        block.split_once('\n').map(|(_, script)| script).expect("a script")
    };
    let system = System::shared("postgres");
    let run = |script: &str, more: &[&str]| {
        Program::run_of(script).args(["-e", &format!("DATABASE={}", system.value("POSTGRES"))]).args(more).run()
    };
    let ended = run(block("//! A table under reads and writes"), &["--scale", "0.05"]);
    ended.expect(0);
    let load = ended.figures().phase("load").0.clone();
    assert!(load["offered"] == 300 && load["errors"] == 0, "{ended}");
    let ended = run(block("let buy = flow"), &["--scale", "0.02"]);
    ended.expect(0);
    let buyers = &ended.figures().phase("buyers").0;
    assert!(buyers["ok"].as_u64() > Some(10) && buyers["errors"] == 0, "{ended}");
}

/// The example script of that name, shortened.
fn example_run(name: &str, database: &str) -> Ended {
    let script = format!("{}/scripts/{name}.rhai", env!("CARGO_MANIFEST_DIR"));
    let database = format!("DATABASE={database}");
    Program::new(["run", &script, "--json", "summary.json", "-e", &database, "-e", "LENGTH=500ms", "-e", "RATE=100/s"])
        .run()
}

#[test]
fn the_example_loses_no_sale() {
    for (name, key) in SERVERS {
        let system = System::shared(name);
        let ended = example_run("database", system.value(key));
        // How quick reads are is the machine's business.
        assert!(matches!(ended.code, Some(0 | 97 | 99)), "{ended}");
        let figures = ended.figures();
        let (statements, sales) = (figures.phase("statements"), figures.phase("sales"));
        assert_eq!(statements.row("read").count("ok"), 40, "{ended}");
        assert!(sales.count("ok") > 20, "{ended}");
        assert_eq!(sales.check("was in stock")["failed"], 0, "{ended}");
        assert_eq!(figures.phase("books").check("no sale is lost")["passed"], 1, "{ended}");
        assert!(figures.metric("items sold")["max"].as_f64() >= Some(20.0), "{ended}");
    }
}
