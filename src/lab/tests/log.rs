use std::time::Duration;

use serde_json::json;

use super::*;
use crate::lab::fnv1a;

#[tokio::test]
async fn requests_are_logged_as_they_came() {
    let bench = start_with(LabOptions { log_bodies: true, ..options() }).await;
    bench.get("/health?x=1").await;
    bench.post("/api/carts", json!({ "sku": 1, "qty": 0 })).await;
    bench.get("/nowhere").await;
    let body = json!({ "sku": 1, "qty": 0 }).to_string();
    let log = bench.lab.log().entries();
    let seen: Vec<_> = log.iter().map(|entry| (entry.method, &*entry.path, entry.status)).collect();
    assert_eq!(seen, [("GET", "/health?x=1", 200), ("POST", "/api/carts", 422), ("GET", "/nowhere", 404)]);
    assert_eq!((log[1].body_hash, log[1].body_bytes), (fnv1a(body.as_bytes()), body.len() as u64));
    assert_eq!((log[0].body_hash, &log[0].body), (0, &None));
    assert_eq!(log[1].body.as_deref(), Some(&*body));
    assert!(log.windows(2).all(|pair| pair[0].arrival_ns < pair[1].arrival_ns));
    assert!(log.iter().all(|entry| entry.connection >= 1));

    let lines = bench.get("/lab/log?after=1").await.text().await.expect("a body");
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines.len(), 2, "reading the log is not logged");
    assert_eq!((&lines[0]["n"], &lines[0]["path"], &lines[0]["body"]), (&json!(2), &json!("/api/carts"), &json!(body)));
    let one = bench.get("/lab/log?limit=1").await.text().await.expect("a body");
    assert_eq!(one.lines().count(), 1);

    let stats = bench.json("/lab/stats").await;
    assert_eq!(stats["routes"], json!({ "(unknown)": 1, "/api/carts": 1, "/health": 1 }));
    assert_eq!(stats["log"], json!({ "entries": 3, "over": 0 }));
    bench.send("POST", "/lab/reset").await;
    assert!(bench.lab.log().is_empty());
}

#[tokio::test]
async fn a_long_body_is_hashed_whole_and_kept_in_part() {
    let bench = start_with(LabOptions { log_bodies: true, ..options() }).await;
    let body = "ä".repeat(100_000);
    bench.request("POST", "/lab/echo").body(body.clone()).send().await.expect("an answer");
    let log = bench.lab.log().entries();
    assert_eq!((log[0].body_bytes, log[0].body_hash), (200_000, fnv1a(body.as_bytes())));
    assert_eq!(log[0].body.as_deref().map(str::len), Some(256));
    let silent = start().await;
    silent.request("POST", "/lab/echo").body("x").send().await.expect("an answer");
    assert_eq!((&silent.lab.log().entries()[0].body, silent.lab.log().entries()[0].body_bytes), (&None, 1));
}

#[tokio::test]
async fn who_leaves_early_is_logged_without_a_status() {
    let bench = start().await;
    let request = bench.request("GET", "/lab/fixed?ms=60000").timeout(Duration::from_millis(100));
    assert!(request.send().await.expect_err("it takes a minute").is_timeout());
    while bench.lab.log().is_empty() {
        tokio::task::yield_now().await;
    }
    let log = bench.lab.log().entries();
    assert_eq!((log[0].status, &*log[0].path), (0, "/lab/fixed?ms=60000"));
}

#[tokio::test]
async fn the_log_is_saved_at_a_reset_and_at_the_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("lab.jsonl");
    let bench = start_with(LabOptions { log: Some(path.clone()), ..options() }).await;
    let saved = || std::fs::read_to_string(&path).expect("the log").lines().count();
    bench.get("/health").await;
    bench.send("POST", "/lab/reset").await;
    assert_eq!(saved(), 1);
    bench.get("/health").await;
    bench.lab.shutdown().await.expect("a clean end");
    assert_eq!(saved(), 2);
    let options = LabOptions { log: Some(folder.path().join("missing").join("lab.jsonl")), ..options() };
    assert!(Lab::start(options).await.expect_err("no such folder").to_string().contains("missing"));
}
