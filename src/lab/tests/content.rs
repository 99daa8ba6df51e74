use std::io::Read;

use serde_json::json;

use super::*;

#[tokio::test]
async fn any_status_can_be_had() {
    let bench = start().await;
    for code in [200, 204, 304, 404, 418, 429, 503, 599] {
        assert_eq!(bench.get(&format!("/lab/status/{code}")).await.status().as_u16(), code);
    }
    assert_eq!(header(&bench.get("/lab/status/503").await, "retry-after"), "1");
    assert_eq!(header(&bench.send("POST", "/lab/status/307").await, "location"), "/health");
    for bad in ["100", "600", "x"] {
        refused(bench.get(&format!("/lab/status/{bad}")).await, StatusCode::BAD_REQUEST).await;
    }
}

#[tokio::test]
async fn bodies_have_the_size_asked_for() {
    let bench = start().await;
    for size in [0, 1, 65_536, 65_537, 1_000_003] {
        let response = bench.get(&format!("/lab/bytes/{size}")).await;
        assert_eq!(header(&response, "content-length"), size.to_string());
        assert_eq!(response.bytes().await.expect("a body").len(), size);
    }
    refused(bench.get("/lab/bytes/9999999999").await, StatusCode::BAD_REQUEST).await;
}

#[tokio::test]
async fn echo_tells_the_request_as_it_came() {
    let bench = start().await;
    let request = bench.request("PATCH", "/lab/echo?a=1&b=x%20y").header("x-one", "1").header("x-one", "2");
    let echo = ok(request.json(&json!({ "k": [1] })).send().await.expect("an answer")).await;
    assert_eq!((&echo["method"], &echo["path"]), (&json!("PATCH"), &json!("/lab/echo")));
    assert_eq!(echo["query"], json!({ "a": "1", "b": "x y" }));
    assert_eq!(echo["headers"]["x-one"], "1, 2");
    assert_eq!((&echo["body"], &echo["json"]), (&json!(r#"{"k":[1]}"#), &json!({ "k": [1] })));
    let large = bench.request("POST", "/lab/echo").body(vec![0; (1 << 20) + 1]).send().await.expect("an answer");
    refused(large, StatusCode::PAYLOAD_TOO_LARGE).await;
}

#[tokio::test]
async fn redirects_lead_down_to_an_answer() {
    let bench = start().await;
    let first = bench.get("/lab/redirect/2").await;
    assert_eq!((first.status(), header(&first, "location")), (StatusCode::FOUND, "/lab/redirect/1"));
    assert_eq!(bench.json("/lab/redirect/0").await["status"], "arrived");
}

#[tokio::test]
async fn cookies_are_set_and_seen() {
    let bench = start().await;
    let set = bench.get("/lab/cookies/set?a=1&b=2%3D%3D").await;
    let cookies: Vec<_> = set.headers().get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["a=1; Path=/", "b=2==; Path=/"]);
    refused(bench.get("/lab/cookies/set?a=%3Bx").await, StatusCode::BAD_REQUEST).await;
    let seen = bench.request("GET", "/lab/cookies").header("cookie", "a=1; b=2==").send().await.expect("an answer");
    assert_eq!(ok(seen).await["cookies"], json!({ "a": "1", "b": "2==" }));
}

#[tokio::test]
async fn compressed_answers_unpack_to_json() {
    let bench = start().await;
    let response = bench.get("/lab/gzip?bytes=200000").await;
    assert_eq!(header(&response, "content-encoding"), "gzip");
    let packed = response.bytes().await.expect("a body");
    assert!(packed.len() < 20_000, "{}", packed.len());
    let mut text = String::new();
    flate2::read::GzDecoder::new(&packed[..]).read_to_string(&mut text).expect("gzip");
    let value: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(value["filler"].as_str().map(str::len), Some(200_000));
    refused(bench.get("/lab/gzip?bytes=999999999").await, StatusCode::BAD_REQUEST).await;
}

#[tokio::test]
async fn a_leak_grows_until_a_reset() {
    let bench = start().await;
    bench.get("/lab/leak").await;
    assert_eq!(bench.json("/lab/leak?bytes=5").await["leaked_bytes"], 20_005);
    refused(bench.get("/lab/leak?bytes=2000000000").await, StatusCode::INSUFFICIENT_STORAGE).await;
    bench.send("POST", "/lab/reset").await;
    assert_eq!(bench.json("/lab/stats").await["leaked_bytes"], 0);
}

#[tokio::test]
async fn a_drip_takes_its_time_and_is_complete() {
    let bench = start().await;
    let start = std::time::Instant::now();
    let response = bench.get("/lab/drip?bytes=1003&ms=80").await;
    assert_eq!(response.bytes().await.expect("a body").len(), 1_003);
    assert!(start.elapsed() >= std::time::Duration::from_millis(80));
    assert!(bench.get("/lab/drip?bytes=0&ms=0").await.bytes().await.expect("a body").is_empty());
}
