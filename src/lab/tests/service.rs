use std::time::{Duration, Instant};

use futures_util::future::join_all;

use super::*;
use crate::clock::{MILLISECOND, SECOND};

fn nanos(answer: &Value, name: &str) -> u64 {
    answer[name].as_u64().unwrap_or_else(|| panic!("no {name} in {answer}"))
}

/// The answers in the order of their arrival.
async fn together(bench: &Bench, target: &str, count: usize) -> Vec<Value> {
    let mut answers = join_all((0..count).map(|_| bench.json(target))).await;
    answers.sort_by_key(|answer| nanos(answer, "arrival_ns"));
    answers
}

#[tokio::test]
async fn a_fixed_time_is_kept_by_all_at_once() {
    let bench = start().await;
    let start = Instant::now();
    let answers = together(&bench, "/lab/fixed?ms=150.5", 8).await;
    assert!(start.elapsed() >= Duration::from_micros(150_500));
    for answer in &answers {
        assert_eq!(nanos(answer, "service_ns"), 150_500_000);
        assert_eq!(nanos(answer, "departure_ns") - nanos(answer, "arrival_ns"), 150_500_000);
    }
    for entry in bench.lab.log().entries() {
        assert!(entry.service_ns >= 150_500_000, "{entry:?}");
    }
}

#[tokio::test]
async fn the_queue_obeys_lindleys_recursion() {
    for target in ["/lab/queue?ms=3", "/lab/queue?mean_ms=2"] {
        let bench = start().await;
        let mut answers = together(&bench, target, 10).await;
        answers.extend(together(&bench, target, 5).await);
        // Two connections' arrivals may be stamped in one order and queued in the other, were there two threads.
        let mut previous = 0;
        for answer in &answers {
            let expected = nanos(answer, "arrival_ns").max(previous) + nanos(answer, "service_ns");
            assert_eq!(nanos(answer, "departure_ns"), expected, "{target}");
            previous = expected;
        }
        let services: u64 = answers.iter().map(|answer| nanos(answer, "service_ns")).sum();
        assert!(bench.lab.log().entries().iter().map(|entry| entry.service_ns).max() >= Some(services / 3));
        refused(bench.get("/lab/queue").await, StatusCode::BAD_REQUEST).await;
    }
}

#[tokio::test]
async fn a_line_of_more_than_an_hour_takes_nobody() {
    let bench = start().await;
    // Ten minutes each, and none of these clients waits for its turn.
    for _ in 0..8 {
        let request = bench.request("GET", "/lab/queue?ms=600000").timeout(Duration::from_millis(50));
        let _ = request.send().await;
    }
    let full = bench.get("/lab/queue?ms=1").await;
    assert_eq!(refused(full, StatusCode::SERVICE_UNAVAILABLE).await, "queue_full");
}

#[tokio::test]
async fn exponential_times_repeat_from_the_seed() {
    let mut draws = Vec::new();
    for _ in 0..2 {
        let bench = start().await;
        for _ in 0..2 {
            let mut times = Vec::new();
            for _ in 0..5 {
                times.push(nanos(&bench.json("/lab/exponential?mean_ms=0.5").await, "service_ns"));
            }
            draws.push(times);
            bench.send("POST", "/lab/reset").await;
        }
    }
    assert!(draws.windows(2).all(|pair| pair[0] == pair[1]), "{draws:?}");
    let other = start_with(LabOptions { seed: 2, ..options() }).await;
    assert_ne!(nanos(&other.json("/lab/exponential?mean_ms=0.5").await, "service_ns"), draws[0][0]);
}

#[tokio::test]
async fn a_permutation_serves_each_time_once() {
    let bench = start().await;
    let mut times: Vec<u64> =
        together(&bench, "/lab/permuted?n=40", 40).await.iter().map(|answer| nanos(answer, "service_ns")).collect();
    times.sort_unstable();
    assert_eq!(times, (1..=40).map(|ms| ms * MILLISECOND).collect::<Vec<_>>());
    refused(bench.get("/lab/permuted?n=0").await, StatusCode::BAD_REQUEST).await;
    for n in 1..16 {
        bench.json(&format!("/lab/permuted?n={n}")).await;
    }
    refused(bench.get("/lab/permuted?n=16").await, StatusCode::BAD_REQUEST).await;
}

#[tokio::test]
async fn slots_refuse_at_once_what_finds_them_busy() {
    let bench = start().await;
    let responses = join_all((0..8).map(|_| bench.get("/lab/slots?k=3&ms=500"))).await;
    let busy = responses.iter().filter(|response| response.status() == StatusCode::SERVICE_UNAVAILABLE).count();
    assert_eq!(busy, 5);
    let log = bench.lab.log().entries();
    assert!(log.iter().all(|entry| (entry.status == 200) == (entry.service_ns >= 500 * MILLISECOND)), "{log:?}");
    assert_eq!(bench.get("/lab/slots?k=3&ms=1").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_stall_ends_for_all_at_the_same_time() {
    let bench = start().await;
    let target = "/lab/stall?at_s=0&for_ms=250";
    let answers = together(&bench, target, 5).await;
    let end = nanos(&answers[0], "arrival_ns") + 250 * MILLISECOND;
    assert!(answers.iter().all(|answer| nanos(answer, "departure_ns") == end), "{answers:?}");
    let after = bench.json(target).await;
    assert_eq!(nanos(&after, "departure_ns"), nanos(&after, "arrival_ns"));
    bench.send("POST", "/lab/reset").await;
    let again = bench.json(target).await;
    assert_eq!(nanos(&again, "departure_ns"), nanos(&again, "arrival_ns") + 250 * MILLISECOND);
}

#[tokio::test]
async fn the_whole_server_stalls_when_told_to() {
    let length = Duration::from_millis(250);
    let bench = start_with(LabOptions { stall_at: Some(Duration::ZERO), stall_for: Some(length), ..options() }).await;
    join_all((0..4).map(|_| bench.get("/health"))).await;
    bench.get("/health").await;
    let log = bench.lab.log().entries();
    let first = log.iter().map(|entry| entry.arrival_ns).min().expect("entries");
    for entry in &log {
        let in_stall = entry.arrival_ns < first + 250 * MILLISECOND;
        let answered = entry.arrival_ns + entry.service_ns;
        assert!(!in_stall || answered >= first + 250 * MILLISECOND, "{entry:?}");
    }
    assert!(log.last().is_some_and(|entry| entry.arrival_ns >= first + 250 * MILLISECOND));
}

#[tokio::test]
async fn a_service_time_is_added_to_the_shop_alone() {
    let bench = start_with(LabOptions { service: "30ms".parse().ok(), ..options() }).await;
    bench.get("/health").await;
    bench.get("/lab/fixed?ms=0").await;
    let log = bench.lab.log().entries();
    assert!(log[0].service_ns >= 30 * MILLISECOND && log[1].service_ns < SECOND, "{log:?}");
    let exponential = start_with(LabOptions { service: "exponential:1ms".parse().ok(), ..options() }).await;
    assert_eq!(exponential.get("/api/items/1").await.status(), StatusCode::OK);
}
