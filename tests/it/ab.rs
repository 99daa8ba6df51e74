//! `loadr ab`: two labs that take turns, of which one is slower.

use loadr::lab::LabOptions;
use serde_json::Value;

use crate::harness::{Ended, Program, TestLab};

const SCRIPT: &str = "let shop = target(env(\"TARGET\"));\n\
    phase(\"warm\").run(get(\"/health\")).users(1).iterations(6).warmup();\n\
    phase(\"main\").run(get(`/api/items/${int(1, 1_000)}`).name(\"item\")).users(10).iterations(1200);\n\
    slo(\"never judged here\", #{ p95: \"< 1us\", abort: true });";

/// A lab that takes so long for each item.
fn lab(ms: u64) -> TestLab {
    let service = format!("{ms}ms").parse().expect("a time");
    TestLab::with(LabOptions { service: Some(service), ..LabOptions::default() })
}

fn ab(script: &str, a: &str, b: &str) -> Program {
    Program::new(["ab", "mix.rhai", "--pairs", "4", "--seed", "7", "--target-a", a, "--target-b", b])
        .file("mix.rhai", script)
}

/// The result, unless the machine was too busy for three valid pairs.
fn result(ended: &Ended) -> Option<Value> {
    let result: Value = serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended}"));
    (ended.code != Some(97)).then_some(result)
}

fn p50(result: &Value) -> &str {
    let figures = result["comparison"]["figures"].as_array().expect("figures");
    let found = figures.iter().find(|figure| figure["name"] == "item" && figure["quantity"] == "p50");
    found.unwrap_or_else(|| panic!("{result:#}"))["verdict"].as_str().expect("a word")
}

#[test]
fn the_slower_of_two_is_found_and_both_get_the_same() {
    let (fast, slow) = (lab(5), lab(60));
    let ended =
        ab(SCRIPT, &fast.url(), &slow.url()).args(["--json", "--results", "blocks", "--html", "page.html"]).run();
    // Every item once, each to both; the warm-up is whole in the first pair, and a quarter in the three others.
    assert_eq!(fast.seen(), 1_200 + 6 + 3 * 2, "{ended}");
    assert_eq!(fast.traffic(), slow.traffic(), "{ended}");
    assert!(ended.stderr.contains("pair 4 of 4"), "{ended}");
    let Some(test) = result(&ended) else { return };
    assert_eq!(ended.code, Some(96), "{ended}");
    assert_eq!(p50(&test), "regression");
    let blocks = test["blocks"].as_array().expect("blocks");
    let of_pair = |pair: usize| -> Vec<&str> {
        blocks.iter().filter(|it| it["pair"] == pair).filter_map(|it| it["side"].as_str()).collect()
    };
    assert!((1..=4).all(|pair| matches!(of_pair(pair)[..], ["A", "B"] | ["B", "A"])), "{blocks:?}");
    assert!(blocks.iter().filter(|it| it["side"] == "A").all(|it| it["offered"] == 300), "{blocks:?}");
    let first = ended.folder().join("blocks/001-a.loadr");
    let report = Program::new(["report"]).arg(&first).run();
    assert!(report.code == Some(0) && report.stdout.contains("300 iterations by 10 users"), "{report}");
    assert!(ended.read("page.html").contains("id=\"about\">"), "{ended}");
    let other_way = ab(SCRIPT, &slow.url(), &fast.url()).arg("--json").run();
    if let Some(test) = result(&other_way) {
        assert_eq!((other_way.code, p50(&test)), (Some(0), "improved"), "{other_way}");
    }
}

#[test]
fn a_target_is_no_slower_than_itself() {
    let lab = lab(20);
    let ended = ab(SCRIPT, &lab.url(), &lab.url()).args(["--margin", "100%"]).run();
    assert!(matches!(ended.code, Some(0 | 97)), "{ended}");
    for part in ["A/B", "item", "pairs of blocks judged", "order "] {
        assert!(part == "A/B" || ended.stdout.contains(part), "{part}: {ended}");
    }
}

#[test]
fn what_cannot_be_cut_or_sent_is_told_before_anything_is_sent() {
    let lab = lab(1);
    let fixed = "target(\"http://127.0.0.1:1\"); phase(\"main\").run(get(\"/\")).iterations(10);";
    let brief = "target(env(\"TARGET\")); phase(\"main\").run(get(\"/health\")).rate(10.per_second).during(700.ms);";
    for (script, more, code, told) in [
        (fixed, &[][..], 104, "must take its target from outside"),
        (brief, &[], 2, "shorter than 200ms"),
        ("phase(", &[], 104, "error"),
        (SCRIPT, &["--pairs", "2"], 2, "--pairs"),
        (SCRIPT, &["--results", "mix.rhai"], 1, "failed to create mix.rhai"),
    ] {
        let ended = ab(script, &lab.url(), &lab.url()).args(more).run();
        assert_eq!(ended.code, Some(code), "{more:?} {ended}");
        assert!(ended.stderr.contains(told), "{told}: {ended}");
    }
    assert_eq!(lab.seen(), 0);
    let gone = ab(SCRIPT, &lab.url(), "http://127.0.0.1:1").run();
    assert_eq!(gone.code, Some(1), "{gone}");
}
