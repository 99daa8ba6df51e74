//! The same seed sends the same traffic, however the work is shared out.

use std::collections::BTreeMap;

use crate::harness::{Program, TestLab};

type Traffic = BTreeMap<(String, String, u64), usize>;

const DRAWS: &str = r#"
    let shop = target(env("TARGET"));
    let rows = csv("rows.csv");
    let unique = jsonl("lines.jsonl").unique();
    let key = zipf(500, 0.99);
    let id = uuid();
    let n = seq();
    let traffic = mix([
        [3, get(`/lab/echo?id=${id}&n=${n}&k=${key}`).name("template")],
        [2, post("/lab/echo", #{ mail: rows.next().email, line: unique.next().line, word: alnum(8), k: key, odds: float(0, 1) }).name("body")],
        [2, flow("closure", |vu| {
            let row = rows.next();
            vu.post(`/lab/echo?c=${row.name}`, #{ id: uuid(), n: n, mail: row.email, side: pick(["l", "r"]) });
            vu.get(`/lab/echo?again=${key}`);
        })],
    ]);
"#;

const LOADS: [(&str, &str); 4] = [
    ("open", "phase(\"open\").run(traffic).rate(210.per_second).during(1.s);"),
    ("poisson", "phase(\"open\").run(traffic).rate(200.per_second).arrivals(\"poisson\").during(1.s);"),
    ("burst", "phase(\"burst\").run(traffic).burst(70);"),
    ("iterations", "phase(\"count\").run(traffic).users(8).iterations(210);"),
];

fn traffic(load: &str, arguments: &[&str]) -> Traffic {
    let rows: String = (0..37).map(|row| format!("mail{row}@example.com,name{row}\n")).collect();
    let lines: String = (0..900).map(|line| format!("{{\"line\":{line}}}\n")).collect();
    let lab = TestLab::start();
    let ended = Program::run_against(&format!("{DRAWS}\n{load}"), &lab.url())
        .file("rows.csv", format!("email,name\n{rows}"))
        .file("lines.jsonl", lines)
        .args(arguments)
        .run();
    ended.expect(0);
    let traffic = lab.traffic();
    let reported: u64 = ended.figures().phases().map(|phase| phase.requests()).sum();
    assert_eq!(traffic.values().sum::<usize>() as u64, reported, "{ended}");
    traffic
}

fn sum(parts: impl IntoIterator<Item = Traffic>) -> Traffic {
    let mut sum = Traffic::new();
    parts.into_iter().flatten().for_each(|(request, count)| *sum.entry(request).or_default() += count);
    sum
}

/// What is in one and not in the other, a few of each.
fn difference(one: &Traffic, other: &Traffic) -> String {
    let only = |a: &Traffic, b: &Traffic| {
        a.iter()
            .filter(|(key, count)| b.get(key) != Some(count))
            .take(4)
            .map(|it| format!("{it:?}"))
            .collect::<Vec<_>>()
    };
    format!("only in one: {:#?}\nonly in the other: {:#?}", only(one, other), only(other, one))
}

#[track_caller]
fn assert_same(what: &str, one: &Traffic, other: &Traffic) {
    assert!(one == other, "{what}: {}", difference(one, other));
}

#[test]
fn whatever_the_number_of_workers() {
    for (name, load) in LOADS {
        let one = traffic(load, &["--seed=11", "--workers=1"]);
        assert!(one.len() > 50, "{name}: the requests differ from each other");
        for workers in ["--workers=2", "--workers=4"] {
            assert_same(&format!("{name} {workers}"), &one, &traffic(load, &["--seed=11", workers]));
        }
    }
}

#[test]
fn whatever_the_number_of_machines() {
    for (name, load) in LOADS {
        let whole = traffic(load, &["--seed=12"]);
        let half = |segment| traffic(load, &["--seed=12", "--segment", segment]);
        assert_same(&format!("{name} in halves"), &whole, &sum([half("1/2"), half("2/2")]));
    }
    let thirds =
        ["1/3", "2/3", "3/3"].map(|segment| traffic(LOADS[0].1, &["--seed=12", "--workers=2", "--segment", segment]));
    assert_same("thirds", &traffic(LOADS[0].1, &["--seed=12"]), &sum(thirds));
}

#[test]
fn another_seed_sends_other_traffic() {
    for (name, load) in LOADS {
        let (one, other) = (traffic(load, &["--seed=13"]), traffic(load, &["--seed=14"]));
        assert_ne!(one, other, "{name}");
    }
}

#[test]
fn a_later_phase_goes_on_where_the_one_before_ended() {
    let load = "phase(\"first\").run(traffic).rate(70.per_second).during(1.s);\n\
                phase(\"second\").run(traffic).users(3).iterations(70);";
    assert_same(
        "two phases",
        &traffic(load, &["--seed=15", "--workers=1"]),
        &traffic(load, &["--seed=15", "--workers=4"]),
    );
}
