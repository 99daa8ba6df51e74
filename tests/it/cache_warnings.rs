//! What makes the figures of a cache experiment doubtful, each provoked on a lab that is wrong in just that way.

use std::{num::NonZero, time::Duration};

use loadr::lab::LabOptions;

use crate::{
    cache_parts::{ITEM, found, number, run, script, warns},
    harness::{TestLab, settle},
};

const MS: fn(u64) -> Duration = Duration::from_millis;

/// Two users, whose answers have their names in them.
const TWO: &str = r#"
    let token = |vu, email| vu.post("/api/auth/login", #{ email: email, password: "demo" }).json("access_token");
    setup(|vu| #{ a: token.call(vu, "a@example.com"), b: token.call(vu, "b@example.com") });
"#;
const AS_EACH: &str = "steady: (), pairs: (), user_keys: 6,
    users: [|request| request.bearer(data().a), |request| request.bearer(data().b)]";

#[test]
fn one_users_answer_that_another_gets_is_told_and_nothing_else_is() {
    let personal = "request: |key| get(`/api/items/${key}?personal=1`)";
    let keeping = TestLab::start();
    let leaking = TestLab::with(LabOptions { leaky: true, ..LabOptions::default() });
    for (lab, request, field, leaks) in [
        (&keeping, personal, "kept_apart", false),
        (&leaking, personal, "leaked", true),
        (&leaking, ITEM, "alike", false),
        (&leaking, "request: |key| get(`/api/items/${key}?personal=1&stamp=1`)", "untold", false),
    ] {
        let ended = run(lab, &script(TWO, &format!("{request}, {AS_EACH}")));
        let all = found(&ended);
        assert_eq!(all["users"][field], 6, "{field}: {ended}");
        assert_eq!(warns(&all, "one user's body was served to another"), leaks, "{field}: {ended}");
    }
}

#[test]
fn errors_that_the_cache_serves_are_no_hits() {
    let lab = TestLab::with(LabOptions { origin_errors: NonZero::new(5), ..LabOptions::default() });
    let ended = run(&lab, &script("", &format!("{ITEM}, steady: 2.s, pairs: ()")));
    let all = found(&ended);
    assert!(warns(&all, "failed responses came from the cache"), "{ended}");
    assert!(number(&all["parts"][0]["cache"]["failed_hits"]) > 0.0, "{ended}");
}

#[test]
fn scarce_classes_other_bodies_and_drift_are_told() {
    let lab = TestLab::with(LabOptions { origin_drift: Duration::from_micros(400), ..LabOptions::default() });
    let request = "request: |key| get(`/api/items/${key}?stamp=1`)";
    let options = format!("{request}, rate: 50.per_second, steady: 2.s, pairs: 12, pair_keys: 8");
    let ended = run(&lab, &script("", &options));
    let all = found(&ended);
    assert!(warns(&all, "only "), "{ended}");
    assert!(warns(&all, "keys whose hit has another body than their miss"), "{ended}");
    assert!(warns(&all, "misses drift by +"), "{ended}");
    // The ratio allows for the drift, and still finds that hits are quicker.
    assert!(number(&all["speedup"][0]["ratio_low"]) > 1.0, "{ended}");
}

#[test]
fn entries_that_expire_within_the_phase_are_told() {
    let lab = TestLab::with(LabOptions { cache_ttl: Duration::from_secs(1), ..LabOptions::default() });
    let ended = run(&lab, &script("", &format!("{ITEM}, steady: 2.s, pairs: (), ttl: 1.s, ttl_keys: 24")));
    assert!(warns(&found(&ended), "entries expire within the phase"), "{ended}");
}

#[test]
fn a_purge_that_does_nothing_is_told() {
    let lab = TestLab::start();
    let options = format!("{ITEM}, steady: (), pairs: 8, pair_keys: 5, keys: zipf(20, 0.5)");
    let text = script("", &options).replace("request(\"PURGE\", \"/cache\")", "get(\"/health\")");
    let text = text.replacen("keys: zipf(400, 0.99), ", "", 1);
    let ended = run(&lab, &text);
    assert!(warns(&found(&ended), "does the purge work?"), "{ended}");
}

#[test]
fn a_cache_that_was_not_empty_is_above_its_ceiling() {
    let lab = TestLab::start();
    // A cache that nobody empties, and that was filled before.
    let first = run(
        &lab,
        &script("", &format!("{ITEM}, keys: zipf(40, 0.5), steady: 2.s, pairs: ()")).replacen(
            "keys: zipf(400, 0.99), ",
            "",
            1,
        ),
    );
    assert!(!warns(&found(&first), "above what these keys allow"), "{first}");
    let text = script("", &format!("{ITEM}, keys: zipf(40, 0.5), steady: 1.s, pairs: ()"));
    let text =
        text.replacen("keys: zipf(400, 0.99), ", "", 1).replace("request(\"PURGE\", \"/cache\")", "get(\"/health\")");
    let second = run(&lab, &text);
    assert!(warns(&found(&second), "above what these keys allow"), "{second}");
}

#[test]
fn without_a_cache_everything_is_slower_and_comes_back() {
    let lab = TestLab::with(LabOptions { origin_delay: MS(20), ..LabOptions::default() });
    let power = "outage: #{ before: put(\"/cache\", #{ up: false }), after: put(\"/cache\", #{ up: true }), \
                 during: 2.s, recovery: 6.s }";
    let options =
        format!("{ITEM}, rate: 150.per_second, keys: zipf(30, 0.99), steady: 3.s, pairs: (), settles: \"1s\", {power}");
    settle(|checks| {
        let ended = run(&lab, &script("", &options).replacen("keys: zipf(400, 0.99), ", "", 1));
        let outage = &found(&ended)["outage"];
        assert!(number(&outage["factor_p50"]) > 5.0, "{ended}");
        assert!(number(&outage["during"]["response_us"]["p50"]) >= 20_000.0, "{ended}");
        assert_eq!(
            (number(&outage["during"]["errors"]), outage["during"]["hit_ratio"].is_null()),
            (0.0, true),
            "{ended}"
        );
        // A second that something else disturbed looks like one that has not recovered.
        for (figure, most) in [("recovery_s", 3.0), ("hit_ratio_recovery_s", 4.0)] {
            checks
                .holds(outage[figure].as_f64().is_some_and(|s| s <= most), || format!("{figure}: {}", outage[figure]));
        }
        assert!(ended.stdout.contains("outage: without the cache p50"), "{ended}");
        // None of it is in a total.
        let outages = ended.figures().0["phases"].as_array().expect("phases").clone();
        assert!(
            outages
                .iter()
                .filter(|phase| phase["name"].as_str().is_some_and(|name| name.contains("outage")))
                .all(|phase| phase["warmup"] == true)
        );
        ended
    });
}

#[test]
fn a_baseline_tells_from_which_ratio_the_cache_pays() {
    let lab = TestLab::with(LabOptions { origin_delay: MS(10), ..LabOptions::default() });
    let options = "request: |key| get(`/api/items/${key}`), steady: 2.s, pairs: 10, pair_keys: 10,
        baseline: |key| get(`/api/items/${key}?nocache=1`)";
    let ended = run(&lab, &script("", options));
    let all = found(&ended);
    assert!(number(&all["baseline"]["us"]["p50"]) >= 10_000.0, "{ended}");
    // Here a miss costs what the origin does: the cache pays at once, or nearly.
    assert!(number(&all["baseline"]["break_even"]) < 0.3, "{ended}");
    let worth = &all["worth"];
    let saved = number(&worth["saved_us_per_point"]);
    assert!((70.0..250.0).contains(&saved), "{ended}");
    assert!((number(&worth["origin_per_s_per_point"]) * 100.0 - number(&worth["rate"])).abs() < 1e-6, "{ended}");
    assert!(ended.stdout.contains("each point of the hit ratio saves"), "{ended}");
}

#[test]
fn a_ratio_is_estimated_where_responses_do_not_tell() {
    let lab = TestLab::with(LabOptions { origin_delay: MS(60), ..LabOptions::default() });
    let parts = "rate: 100.per_second, steady: 4.s, pairs: 10, pair_keys: 10, classify: (), \
                 truth: endpoint(\"/lab/stats\", \"cache.hits\", \"cache.misses\")";
    let ended = run(&lab, &script("", &format!("{ITEM}, {parts}")));
    let all = found(&ended);
    let unmarked = &all["unmarked"];
    let truth = &all["truth"][0];
    // The lab's own count is what it should be.
    let ratio = number(&truth["hits"]) / (number(&truth["hits"]) + number(&truth["misses"]));
    assert!(number(&unmarked["separation"]) > 0.8, "{ended}");
    let estimate = number(&unmarked["hit_ratio"]);
    assert!((estimate - ratio).abs() < 0.15, "{estimate} for {ratio}; {ended}");
    assert!(ended.stdout.contains("hit ratio estimated from times"), "{ended}");

    // An origin as quick as the cache: nothing to tell them apart by.
    let quick = TestLab::with(LabOptions { origin_delay: MS(0), ..LabOptions::default() });
    let ended = run(&quick, &script("", &format!("{ITEM}, {parts}")));
    let why = found(&ended)["unmarked"]["withheld"].as_str().map(str::to_owned).unwrap_or_default();
    // What is left between them is the scheduler's doing, and may look like either.
    assert!(why.contains("too alike times") || why.contains("misfit"), "{why}; {ended}");
}

/// λ = 200/s and G = 0.25 s: 1 + λG = 51 requests reach the origin at each expiry. One expiry's number has a standard
/// deviation of 7, so the mean of six is within 8 of that in 99 of 100 runs.
#[test]
fn each_expiry_of_a_hot_key_costs_as_many_fetches_as_arithmetic_says() {
    let lab =
        TestLab::with(LabOptions { origin_delay: MS(250), cache_ttl: Duration::from_secs(1), ..LabOptions::default() });
    let parts = "steady: (), pairs: 8, pair_keys: 1, ttl: 1.s, ttl_keys: 1, expiries: 6, expiry_rate: 200.per_second";
    let ended = run(&lab, &script("", &format!("{ITEM}, {parts}")));
    let found = &found(&ended)["expiries"];
    assert!(number(&found["expiries"]) >= 6.0, "{ended}");
    assert!((50.0..56.0).contains(&number(&found["uncoalesced"])), "{ended}");
    assert!((number(&found["misses_per_expiry"]) - 51.0).abs() < 8.0, "{ended}");
    assert!(number(&found["coalesced"]) < 0.2, "{ended}");
}

#[test]
fn expiries_of_a_hot_key_let_all_through_or_one() {
    for coalesce in [false, true] {
        let lab = TestLab::with(LabOptions {
            origin_delay: MS(120),
            cache_ttl: Duration::from_secs(1),
            coalesce,
            ..LabOptions::default()
        });
        let parts =
            "steady: (), pairs: 8, pair_keys: 3, ttl: 1.s, ttl_keys: 1, expiries: 6, expiry_rate: 100.per_second";
        let ended = run(&lab, &script("", &format!("{ITEM}, {parts}")));
        let expiries = &found(&ended)["expiries"];
        assert!(number(&expiries["expiries"]) >= 5.0, "{ended}");
        // λ = 100/s and G = .12 s: 13 without coalescing, and their standard deviation over five is 1.6.
        let (misses, expected) = (number(&expiries["misses_per_expiry"]), number(&expiries["uncoalesced"]));
        assert!((11.5..17.0).contains(&expected), "{ended}");
        if coalesce {
            assert!((misses - 1.0).abs() < 0.01 && number(&expiries["coalesced"]) > 0.99, "{ended}");
        } else {
            assert!((misses - expected).abs() < 5.0 && number(&expiries["coalesced"]) < 0.4, "{ended}");
        }
        // Only those who wait for the origin are slow.
        assert!(number(&expiries["after_us"]["max"]) >= 100_000.0, "{ended}");
    }
}
