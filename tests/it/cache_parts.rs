//! The further parts of cache experiments, each against a lab of which the answer is known.

use std::{num::NonZero, time::Duration};

use loadr::lab::LabOptions;
use serde_json::Value;

use crate::harness::{Ended, Program, TestLab};

const MS: fn(u64) -> Duration = Duration::from_millis;

/// An experiment of these parts alone.
pub(crate) fn script(head: &str, options: &str) -> String {
    format!(
        r#"
        import "std/cache" as cache;
        let shop = target(env("TARGET"));
        {head}
        cache::experiment("items", #{{
            keys: zipf(400, 0.99), purge: request("PURGE", "/cache"), calibrate: (), cold: (), warm: (), {options}
        }});"#
    )
}

pub(crate) const ITEM: &str = "request: |key| get(`/api/items/${key}`)";
const LOGIN: &str = r#"shop.on_start(|vu| {
    vu.bearer(vu.post("/api/auth/login", #{ email: "a@example.com", password: "demo" }).json("access_token"));
});"#;

pub(crate) fn run(lab: &TestLab, script: &str) -> Ended {
    let ended = Program::run_against(script, &lab.url()).args(["--seed", "11"]).run();
    assert!(matches!(ended.code, Some(0 | 97)), "{ended}");
    ended
}

pub(crate) fn found(ended: &Ended) -> Value {
    ended.figures().0["experiments"][0].clone()
}

pub(crate) fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("no number but {value}"))
}

pub(crate) fn warns(found: &Value, of: &str) -> bool {
    found["warnings"].as_array().expect("warnings").iter().any(|text| text.as_str().is_some_and(|it| it.contains(of)))
}

fn lab(options: LabOptions) -> TestLab {
    TestLab::with(LabOptions { origin_delay: MS(5).max(options.origin_delay), ..options })
}

#[test]
fn the_ratio_of_the_classes_is_held_against_the_caches_own_counter() {
    let lab = lab(LabOptions::default());
    let steady = "steady: 2.s, pairs: (), truth: endpoint(\"/lab/stats\", \"cache.hits\", \"$.cache.misses\")";
    let agreeing = run(&lab, &script("", &format!("{ITEM}, {steady}")));
    let truth = &found(&agreeing)["truth"][0];
    assert_eq!((&truth["verdict"], &truth["part"]), (&"agrees".into(), &"steady".into()), "{agreeing}");
    assert_eq!(number(&truth["hits"]) + number(&truth["misses"]), number(&truth["looked_up"]), "{agreeing}");
    assert!(agreeing.stdout.contains("they agree"), "{agreeing}");

    // Somebody else asks the same cache meanwhile.
    let others =
        r#"phase("others").run(get("/api/items/7")).rate(60.per_second).during(2.s).alongside("items/steady");"#;
    let foreign = run(&lab, &format!("{}{others}", script("", &format!("{ITEM}, {steady}"))));
    let all = found(&foreign);
    assert_eq!(all["truth"][0]["verdict"], "foreign_traffic", "{foreign}");
    assert!(warns(&all, "foreign traffic"), "{foreign}");

    // Classes that are wrong.
    let wrong = format!("{ITEM}, {steady}, classify: |res| if res.class == () {{ \"hit\" }} else {{ \"miss\" }}");
    let wrong = run(&lab, &script("", &wrong));
    assert_eq!(found(&wrong)["truth"][0]["verdict"], "disagrees", "{wrong}");
    assert!(warns(&found(&wrong), "the classes do not say"), "{wrong}");
}

#[test]
fn a_counter_that_cannot_be_read_is_known_before_the_run() {
    let lab = lab(LabOptions::default());
    for (truth, why) in [
        ("endpoint(\"/lab/stats\", \"cache.hits\", \"cache.nothing\")", "0 values at `cache.nothing`"),
        ("endpoint(\"/lab/status/404\", \"a\", \"b\")", "the answer was 404"),
        ("redis_info(\"127.0.0.1:1\")", "connection refused"),
        ("prometheus(\"/lab/stats\", \"cache_hits_total\", \"b\")", "no metric `cache_hits_total`"),
    ] {
        let text = script("", &format!("{ITEM}, steady: 1.s, pairs: (), truth: {truth}"));
        let ended = Program::run_against(&text, &lab.url()).run();
        assert_eq!(ended.code, Some(1), "{truth}: {ended}");
        assert!(ended.stderr.contains(why) && ended.stderr.contains("help: "), "{truth}: {ended}");
    }
    let public = script(
        "",
        &format!("{ITEM}, steady: 1.s, pairs: (), truth: endpoint(\"http://93.184.216.34/x\", \"a\", \"b\")"),
    );
    let ended = Program::run_against(&public, &lab.url()).run();
    assert!(ended.code == Some(1) && ended.stderr.contains("--allow-target 93.184.216.34"), "{ended}");
}

#[test]
fn what_is_no_truth_is_a_mistake_of_the_script() {
    for (truth, why) in [
        ("7", "`truth: redis_info"),
        ("endpoint(\"/x\", \"$.hits\")", "gives 1"),
        ("endpoint(\"ftp://x\", \"$.hits\", \"$.misses\")", "no address of HTTP"),
        ("endpoint(\"/x\", \"$..[\", \"$.misses\")", "not a JSONPath"),
        ("redis_info(\"\")", "no address of a Redis server"),
    ] {
        let text = script("", &format!("{ITEM}, steady: 1.s, pairs: (), truth: {truth}"));
        let ended = Program::run_against(&text, "http://127.0.0.1:9").run();
        assert_eq!(ended.code, Some(104), "{truth}: {ended}");
        assert!(ended.stderr.contains(why), "{truth}: {ended}");
    }
}

/// Twelve writes, the price being the version.
fn writes(lab: &TestLab, more: &str) -> Ended {
    let update = "update: |key, version| put(`/api/items/${key}`, #{ price_cents: version }), version: \"price_cents\"";
    let options = format!(
        "{ITEM}, steady: (), pairs: (), {more}\n invalidate: #{{ {update}, writes: 12, poll: 5.ms, within: 1.s }}"
    );
    run(lab, &script(LOGIN, &options))
}

#[test]
fn writes_are_followed_until_they_are_read() {
    let fresh = writes(&lab(LabOptions::default()), "");
    let it = &found(&fresh)["invalidation"];
    assert_eq!((&it["writes"], &it["at_once"], &it["stale_reads"]), (&12.into(), &12.into(), &0.into()), "{fresh}");

    // The cache goes on for 150 ms with what it has; entries that were not there cannot be stale.
    let late = writes(&lab(LabOptions { stale_for: MS(150), ..LabOptions::default() }), "");
    let it = &found(&late)["invalidation"];
    assert_eq!((&it["writes"], &it["lost"], &it["unseen"]), (&12.into(), &0.into(), &0.into()), "{late}");
    let window = &it["stale_us"];
    assert!(number(&window["min"]) >= 145_000.0 && number(&window["max"]) < 400_000.0, "{late}");
    assert!(number(&it["stale_reads"]) > 6.0 && late.stdout.contains("stale after a write: p50"), "{late}");
}

#[test]
fn writes_that_are_lost_or_overtaken_are_told_apart() {
    let every = NonZero::new(4);
    let past = "baseline: |key| get(`/api/items/${key}?nocache=1`),";
    let lossy = writes(&lab(LabOptions { lose_every: every, ..LabOptions::default() }), past);
    let it = &found(&lossy)["invalidation"];
    assert_eq!((&it["writes"], &it["lost"], &it["stale_to_the_end"]), (&12.into(), &3.into(), &0.into()), "{lossy}");
    assert!(warns(&found(&lossy), "3 of 12 writes were acknowledged and are lost"), "{lossy}");

    // A read that was under way stores what it had found before the write: every other write races one.
    let racy = writes(&lab(LabOptions { racy: true, origin_delay: MS(30), ..LabOptions::default() }), past);
    let it = &found(&racy)["invalidation"];
    assert_eq!((&it["writes"], &it["lost"]), (&12.into(), &0.into()), "{racy}");
    assert!(number(&it["stale_to_the_end"]) >= 1.0 || number(&it["came_back"]) >= 1.0, "{racy}");
    assert!(
        warns(&found(&racy), "though the origin has them") || warns(&found(&racy), "old version came back"),
        "{racy}"
    );
}
