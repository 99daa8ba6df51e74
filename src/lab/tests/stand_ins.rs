use serde_json::json;

use super::*;
use crate::clock::parse_rate;

fn of_key(bench: &Bench, method: &str, path: &str, body: &Value) -> RequestBuilder {
    bench.request(method, path).header("x-api-key", "key-1").json(body)
}

#[tokio::test]
async fn events_are_stored_one_after_the_other_and_the_queue_has_an_end() {
    let bench = start().await;
    let event = |id: usize| json!({ "event_id": format!("e{id}"), "type": "click", "payload": { "n": id } });
    assert_eq!(refused(bench.post("/events", event(0)).await, StatusCode::UNAUTHORIZED).await, "unauthorized");
    ok(of_key(&bench, "POST", "/events/worker", &json!({ "running": false })).send().await.expect("an answer")).await;
    for id in 0..500 {
        let response = of_key(&bench, "POST", "/events", &event(id)).send().await.expect("an answer");
        assert!(header(&response, "x-process-time").parse::<f64>().is_ok_and(|ms| ms < 1_000.0));
        assert_eq!(response.status(), StatusCode::ACCEPTED, "{id}");
    }
    let full = of_key(&bench, "POST", "/events", &event(500)).send().await.expect("an answer");
    assert_eq!(header(&full, "retry-after"), "1");
    assert_eq!(refused(full, StatusCode::SERVICE_UNAVAILABLE).await, "queue_full");
    assert_eq!(bench.json("/events/stats").await, json!({ "waiting": 500, "capacity": 500, "stored": 0 }));
    assert_eq!(refused(bench.get("/events/e7").await, StatusCode::NOT_FOUND).await, "not_found");
    ok(of_key(&bench, "POST", "/events/worker", &json!({ "running": true })).send().await.expect("an answer")).await;
    // 500 take 50 ms.
    while bench.json("/events/stats").await["waiting"] != 0 {}
    assert_eq!(bench.json("/events/e7").await["payload"]["n"], 7);
}

#[tokio::test]
async fn sessions_have_a_limit_for_each_account_and_uploads_their_own() {
    let limit = parse_rate("3/h").expect("a rate");
    let bench = start_with(LabOptions { limit, ..options() }).await;
    let login = |email: &'static str| bench.post("/api/auth/login", json!({ "email": email, "password": "demo" }));
    let token = |answer: &Value| answer["access_token"].as_str().expect("a token").to_owned();
    let (ann, bob) = (token(&ok(login("a@x").await).await), token(&ok(login("b@x").await).await));
    let list = |token: &str| bench.request("GET", "/api/sessions/").bearer_auth(token).send();
    for left in ["2", "1", "0"] {
        let answer = list(&ann).await.expect("an answer");
        assert_eq!(header(&answer, "x-ratelimit-remaining"), left);
        assert_eq!(ok(answer).await["total"], 30);
    }
    let answer = list(&ann).await.expect("an answer");
    assert_eq!((header(&answer, "x-ratelimit-limit"), header(&answer, "retry-after")), ("3", "3600"));
    assert_eq!(refused(answer, StatusCode::TOO_MANY_REQUESTS).await, "rate_limited");
    assert_eq!(list(&bob).await.expect("an answer").status(), StatusCode::OK, "accounts do not share");
    assert_eq!(bench.get("/api/sessions/").await.status(), StatusCode::UNAUTHORIZED);

    let upload = || {
        let body = "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nabc\r\n--x--\r\n";
        let request = bench.request("POST", "/api/sessions/upload").bearer_auth(&ann);
        request.header("content-type", "multipart/form-data; boundary=x").body(body).send()
    };
    for _ in 0..10 {
        assert_eq!(ok(upload().await.expect("an answer")).await["size"], 3);
    }
    assert_eq!(upload().await.expect("an answer").status(), StatusCode::TOO_MANY_REQUESTS);
    let ready = bench.json("/ready").await;
    let pool = json!({ "size": 5, "max": 15, "overflow": 0, "in_use": 0, "waiting": 0 });
    assert_eq!(ready["pool"], pool);
    assert_eq!(bench.json("/live").await["status"], "alive");
}

#[tokio::test]
async fn a_pool_has_no_more_connections_than_it_may() {
    let delay = std::time::Duration::from_millis(200);
    let bench = start_with(LabOptions { origin_delay: delay, ..options() }).await;
    let answer = ok(bench.post("/api/auth/login", json!({ "email": "a@x", "password": "demo" })).await).await;
    let token = answer["access_token"].as_str().expect("a token");
    let lists = (0..20).map(|_| bench.request("GET", "/api/sessions/").bearer_auth(token).send());
    let lists = tokio::spawn(futures_util::future::join_all(lists.collect::<Vec<_>>()));
    let pool = loop {
        let pool = bench.json("/ready").await["pool"].clone();
        if pool["waiting"] == 5 {
            break pool;
        }
        assert!(!lists.is_finished(), "20 requests never had 5 of them wait: {pool}");
    };
    assert_eq!((&pool["in_use"], &pool["overflow"]), (&json!(15), &json!(10)));
    assert!(lists.await.expect("they end").iter().all(Result::is_ok));
}

#[tokio::test]
async fn reports_are_written_once_and_pages_go_on_by_cursor() {
    let bench = start().await;
    let complaint = json!({ "complaint": "a bicycle was stolen" });
    for expected in ["MISS", "HIT"] {
        let answer = bench.post("/api/firs/generate", complaint.clone()).await;
        assert_eq!(header(&answer, "x-cache"), expected);
        assert!(ok(answer).await["fir"].as_str().expect("a text").contains("bicycle"));
    }
    assert_eq!(bench.post("/api/firs", complaint).await.status(), StatusCode::CREATED);
    let short = json!({ "complaint": "short" });
    assert_eq!(refused(bench.post("/api/firs", short).await, StatusCode::UNPROCESSABLE_ENTITY).await, "invalid");

    let page = bench.json("/api/firs?limit=2&fields=id,status").await;
    assert_eq!(page["items"], json!([{ "id": 1, "status": "filed" }, { "id": 2, "status": "closed" }]));
    assert_eq!(page["next_cursor"], "2");
    assert_eq!(bench.json("/api/firs?limit=2&cursor=19999").await["next_cursor"], Value::Null);
    let packed = bench.request("GET", "/api/firs?limit=50").header("accept-encoding", "gzip").send().await;
    assert_eq!(header(&packed.expect("an answer"), "content-encoding"), "gzip");

    let one = bench.get("/api/firs/7").await;
    let tag = header(&one, "etag").to_owned();
    assert_eq!(header(&one, "cache-control"), "private, max-age=60");
    let again = bench.request("GET", "/api/firs/7").header("if-none-match", tag).send().await.expect("an answer");
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    assert_eq!(bench.get("/api/firs/20001").await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn values_are_kept_until_their_time_is_over_or_they_are_forgotten() {
    let bench = start().await;
    let put = |key: &str, ttl: u64| {
        bench.request("PUT", &format!("/api/cache/{key}")).json(&json!({ "value": "v", "ttl_s": ttl })).send()
    };
    assert_eq!(bench.get("/api/cache/a").await.status(), StatusCode::NOT_FOUND);
    assert_eq!(put("a", 60).await.expect("an answer").status(), StatusCode::NO_CONTENT);
    assert_eq!(bench.json("/api/cache/a").await["value"], "v");
    put("b", 0).await.expect("an answer");
    assert_eq!(header(&bench.get("/api/cache/b").await, "x-cache"), "MISS");
    assert_eq!(ok(bench.send("DELETE", "/api/cache/a").await).await["forgotten"], true);
    for expected in ["MISS", "HIT"] {
        assert_eq!(header(&bench.get("/api/cache/a?fetch=true").await, "x-cache"), expected);
    }
    assert_eq!(bench.json("/api/db/mysql/join").await["query"], "join");
    assert_eq!(bench.get("/api/db/oracle/join").await.status(), StatusCode::NOT_FOUND);
}
