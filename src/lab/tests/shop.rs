use std::time::Duration;

use serde_json::json;

use super::*;
use crate::clock::{Rate, SECOND};

async fn token(bench: &Bench) -> String {
    let tokens = ok(bench.post("/api/auth/login", json!({ "email": "a@b.c", "password": "demo" })).await).await;
    tokens["access_token"].as_str().expect("a token").to_owned()
}

#[tokio::test]
async fn login_gives_tokens_that_open_and_renew() {
    let bench = start().await;
    let tokens = ok(bench.post("/api/auth/login", json!({ "email": "a@b.c", "password": "demo" })).await).await;
    assert_eq!((&tokens["token_type"], &tokens["expires_in"]), (&json!("Bearer"), &json!(900)));
    let access = tokens["access_token"].as_str().expect("a token");
    let refresh = tokens["refresh_token"].as_str().expect("a token");

    let me = bench.request("GET", "/api/me").bearer_auth(access).send().await.expect("an answer");
    assert_eq!(ok(me).await["email"], "a@b.c");
    let renewed = ok(bench.post("/api/auth/refresh", json!({ "refresh_token": refresh })).await).await;
    assert!(renewed["access_token"].is_string());

    let unauthorized = StatusCode::UNAUTHORIZED;
    refused(bench.get("/api/me").await, unauthorized).await;
    for wrong in [refresh, "nonsense", ""] {
        let me = bench.request("GET", "/api/me").bearer_auth(wrong).send().await.expect("an answer");
        assert_eq!(header(&me, "www-authenticate"), "Bearer");
        refused(me, unauthorized).await;
    }
    refused(bench.post("/api/auth/refresh", json!({ "refresh_token": access })).await, unauthorized).await;
    let wrong = bench.post("/api/auth/login", json!({ "email": "a@b.c", "password": "x" })).await;
    assert_eq!(refused(wrong, unauthorized).await, "bad_credentials");
}

#[tokio::test]
async fn malformed_bodies_are_the_clients_fault() {
    let bench = start().await;
    refused(bench.post("/api/auth/login", json!({ "email": "a" })).await, StatusCode::UNPROCESSABLE_ENTITY).await;
    let broken = bench.request("POST", "/api/auth/login").header("content-type", "application/json").body("{");
    refused(broken.send().await.expect("an answer"), StatusCode::BAD_REQUEST).await;
    let plain = bench.request("POST", "/api/auth/login").body("x").send().await.expect("an answer");
    refused(plain, StatusCode::UNSUPPORTED_MEDIA_TYPE).await;
}

#[tokio::test]
async fn items_are_cached_purged_and_changed() {
    let bench = start().await;
    let miss = bench.get("/api/items/42").await;
    assert_eq!(
        (header(&miss, "x-cache"), header(&miss, "cache-status")),
        ("MISS", "lab; fwd=uri-miss; stored; ttl=60")
    );
    assert_eq!(header(&miss, "age"), "");
    let first = ok(miss).await;
    assert_eq!((&first["id"], &first["version"]), (&json!(42), &json!(1)));
    let hit = bench.get("/api/items/42").await;
    assert_eq!(header(&hit, "x-cache"), "HIT");
    let age: u64 = header(&hit, "age").parse().expect("seconds");
    let ttl = header(&hit, "cache-status").strip_prefix("lab; hit; ttl=").map(str::parse::<u64>);
    // Both are rounded down, so that together they lack a second.
    assert_eq!(ttl, Some(Ok(59 - age)));
    assert_eq!(ok(hit).await, first);

    let bypass = bench.get("/api/items/42?nocache=1").await;
    assert_eq!((header(&bypass, "x-cache"), header(&bypass, "cache-status")), ("BYPASS", "lab; fwd=bypass"));

    refused(
        bench.request("PUT", "/api/items/42").json(&json!({})).send().await.expect("an answer"),
        StatusCode::UNAUTHORIZED,
    )
    .await;
    let change =
        bench.request("PUT", "/api/items/42").bearer_auth(token(&bench).await).json(&json!({ "price_cents": 7 }));
    let changed = ok(change.send().await.expect("an answer")).await;
    assert_eq!((&changed["version"], &changed["price_cents"]), (&json!(2), &json!(7)));
    let again = bench.get("/api/items/42").await;
    assert_eq!(header(&again, "x-cache"), "MISS");
    assert_eq!(ok(again).await, changed);

    assert_eq!(ok(bench.send("PURGE", "/api/items/42").await).await["purged"], 1);
    assert_eq!(ok(bench.send("PURGE", "/api/items/42").await).await["purged"], 0);
    bench.get("/api/items/1").await;
    bench.get("/api/items/2").await;
    assert_eq!(ok(bench.send("PURGE", "/cache").await).await["purged"], 2);

    for unknown in ["0", "1000001", "-1", "x", "99999999999"] {
        refused(bench.get(&format!("/api/items/{unknown}")).await, StatusCode::NOT_FOUND).await;
    }
    let cache = bench.json("/lab/stats").await["cache"].clone();
    let count = |name: &str| cache[name].as_u64();
    assert_eq!(
        (count("hits"), count("misses"), count("bypassed"), count("origin_fetches")),
        (Some(1), Some(4), Some(1), Some(5))
    );
}

#[tokio::test]
async fn an_expired_item_is_fetched_anew() {
    let bench = start_with(LabOptions { cache_ttl: Duration::ZERO, ..options() }).await;
    bench.get("/api/items/1").await;
    let expired = bench.get("/api/items/1").await;
    assert_eq!(
        (header(&expired, "x-cache"), header(&expired, "cache-status")),
        ("MISS", "lab; fwd=stale; stored; ttl=0")
    );
}

#[tokio::test]
async fn the_least_recently_used_item_leaves_a_full_cache() {
    let capacity = std::num::NonZeroUsize::new(2).expect("two");
    let bench = start_with(LabOptions { cache_capacity: capacity, ..options() }).await;
    for id in [1, 2, 1, 3] {
        bench.get(&format!("/api/items/{id}")).await;
    }
    for (id, expected) in [(1, "HIT"), (3, "HIT"), (2, "MISS")] {
        assert_eq!(header(&bench.get(&format!("/api/items/{id}")).await, "x-cache"), expected, "{id}");
    }
}

async fn stampede(coalesce: bool) -> (Vec<String>, u64) {
    let origin_delay = Duration::from_millis(300);
    let bench = start_with(LabOptions { coalesce, origin_delay, ..options() }).await;
    let requests = (0..8).map(|_| bench.get("/api/items/9"));
    let responses = futures_util::future::join_all(requests).await;
    let statuses = responses.iter().map(|response| header(response, "cache-status").to_owned()).collect();
    (statuses, bench.json("/lab/stats").await["cache"]["origin_fetches"].as_u64().expect("a count"))
}

#[tokio::test]
async fn concurrent_misses_share_a_fetch_only_when_told_to() {
    let (statuses, fetches) = stampede(true).await;
    assert_eq!(fetches, 1);
    assert_eq!(statuses.iter().filter(|status| status.contains("collapsed")).count(), 7, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| status.contains("; stored; ttl=")).count(), 1, "{statuses:?}");
    let (statuses, fetches) = stampede(false).await;
    assert_eq!(fetches, 8, "{statuses:?}");
}

#[tokio::test]
async fn listings_page_by_offset_and_by_cursor() {
    let bench = start().await;
    let page = bench.json("/api/items?limit=3&offset=10").await;
    let ids = |page: &Value| -> Vec<u64> {
        page["items"].as_array().expect("items").iter().filter_map(|item| item["id"].as_u64()).collect()
    };
    assert_eq!((ids(&page), &page["total"]), (vec![11, 12, 13], &json!(1_000_000)));
    let first = bench.json("/api/items?limit=2&cursor=").await;
    let cursor = first["next_cursor"].as_str().expect("there is more");
    let second = bench.json(&format!("/api/items?limit=2&cursor={cursor}")).await;
    assert_eq!((ids(&first), ids(&second)), (vec![1, 2], vec![3, 4]));
    assert_eq!(ids(&bench.json("/api/items?offset=999999").await), [1_000_000]);
    assert!(ids(&bench.json("/api/items?offset=4000000000").await).is_empty());
    refused(bench.get("/api/items?limit=101").await, StatusCode::BAD_REQUEST).await;
    refused(bench.get("/api/items?cursor=forged").await, StatusCode::BAD_REQUEST).await;
}

#[tokio::test]
async fn a_cart_is_paid_once() {
    let bench = start().await;
    let created = bench.post("/api/carts", json!({ "sku": 17, "qty": 2 })).await;
    assert_eq!((created.status(), header(&created, "location")), (StatusCode::CREATED, "/api/carts/1"));
    let cart = ok(created).await;
    assert_eq!(cart, json!({ "id": 1, "sku": 17, "qty": 2, "status": "open" }));
    assert_eq!(bench.json("/api/carts/1").await, cart);
    assert_eq!(ok(bench.send("POST", "/api/carts/1/pay").await).await["status"], "paid");
    assert_eq!(refused(bench.send("POST", "/api/carts/1/pay").await, StatusCode::CONFLICT).await, "already_paid");
    assert_eq!(bench.json("/api/carts/1").await["status"], "paid");
    refused(bench.send("POST", "/api/carts/2/pay").await, StatusCode::NOT_FOUND).await;
    assert_eq!(ok(bench.post("/api/carts", json!({ "sku": "SKU-1", "qty": 1 })).await).await["sku"], "SKU-1");
    refused(bench.post("/api/carts", json!({ "sku": "a", "qty": 0 })).await, StatusCode::UNPROCESSABLE_ENTITY).await;
    refused(bench.post("/api/carts", json!({ "sku": "", "qty": 1 })).await, StatusCode::UNPROCESSABLE_ENTITY).await;
}

#[tokio::test]
async fn the_shop_can_demand_a_login() {
    let bench = start_with(LabOptions { require_login: true, ..options() }).await;
    refused(bench.get("/api/items/1").await, StatusCode::UNAUTHORIZED).await;
    refused(bench.post("/api/carts", json!({ "sku": 1, "qty": 1 })).await, StatusCode::UNAUTHORIZED).await;
    let item = bench.request("GET", "/api/items/1").bearer_auth(token(&bench).await).send().await;
    assert_eq!(item.expect("an answer").status(), StatusCode::OK);
    assert_eq!(bench.get("/health").await.status(), StatusCode::OK);
}

fn form(bytes: usize) -> Vec<u8> {
    let head = "--cut\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nhi\r\n\
        --cut\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\nContent-Type: audio/wav\r\n\r\n";
    [head.as_bytes(), &vec![b'a'; bytes], b"\r\n--cut--\r\n"].concat()
}

async fn upload(bench: &Bench, body: Vec<u8>) -> Response {
    let request = bench.request("POST", "/api/upload").header("content-type", "multipart/form-data; boundary=cut");
    request.body(body).send().await.expect("an answer")
}

#[tokio::test]
async fn uploads_are_hashed_and_limited_in_size() {
    let bench = start_with(LabOptions { upload_max: 3_000_000, ..options() }).await;
    let small = upload(&bench, form(3)).await;
    assert_eq!(small.status(), StatusCode::CREATED);
    // SHA-256 of "aaa".
    let sha256 = "9834876dcfb05cb167a5c24953eba58c4ac89b1adf57f28f2f9d09af107ee8f0";
    assert_eq!(ok(small).await, json!({ "name": "a.wav", "size": 3, "sha256": sha256 }));
    assert_eq!(ok(upload(&bench, form(2_999_000)).await).await["size"], 2_999_000, "more than axum's own limit");
    assert_eq!(refused(upload(&bench, form(5_000_000)).await, StatusCode::PAYLOAD_TOO_LARGE).await, "too_large");
    refused(upload(&bench, b"--cut--\r\n".to_vec()).await, StatusCode::UNPROCESSABLE_ENTITY).await;
    refused(upload(&bench, b"--cut\r\nbroken".to_vec()).await, StatusCode::BAD_REQUEST).await;
    refused(bench.post("/api/upload", json!({})).await, StatusCode::BAD_REQUEST).await;
}

#[tokio::test]
async fn uploads_are_limited_in_number() {
    let bench = start_with(LabOptions { uploads_per_hour: Some(2), ..options() }).await;
    for remaining in ["1", "0"] {
        assert_eq!(header(&upload(&bench, form(1)).await, "x-ratelimit-remaining"), remaining);
    }
    let third = upload(&bench, form(1)).await;
    let wait: u64 = header(&third, "retry-after").parse().expect("seconds");
    assert!((3_500..=3_600).contains(&wait), "{wait}");
    refused(third, StatusCode::TOO_MANY_REQUESTS).await;
}

#[tokio::test]
async fn the_hundred_and_first_request_is_refused() {
    // By the hour, so that no token comes back during the test.
    let limit = Rate { events: 100, per: 3_600 * SECOND };
    let bench = start_with(LabOptions { limit, ..options() }).await;
    for (path, wait_max) in [("/api/limited", 36), ("/api/limited/window", 3_600)] {
        for n in 1..=100u64 {
            let response = bench.get(path).await;
            assert_eq!(response.status(), StatusCode::OK, "request {n} to {path}");
            assert_eq!(header(&response, "x-ratelimit-limit"), "100");
            assert_eq!(header(&response, "x-ratelimit-remaining"), (100 - n).to_string());
        }
        let refused_one = bench.get(path).await;
        let wait: u64 = header(&refused_one, "retry-after").parse().expect("seconds");
        assert!((1..=wait_max).contains(&wait), "{path}: {wait}");
        assert_eq!(refused(refused_one, StatusCode::TOO_MANY_REQUESTS).await, "rate_limited");
        let other = bench.request("GET", path).header("x-api-key", "other").send().await.expect("an answer");
        assert_eq!(other.status(), StatusCode::OK, "another key has a limit of its own");
    }
    assert_eq!(bench.json("/lab/stats").await["limited"], json!({ "granted": 202, "refused": 2 }));
    bench.send("POST", "/lab/reset").await;
    assert_eq!(bench.get("/api/limited").await.status(), StatusCode::OK);
}
