use serde_json::json;

use super::*;

/// A lab, and a token for it.
async fn started() -> (Bench, String) {
    let bench = start().await;
    let tokens = ok(bench.post("/api/auth/login", json!({ "email": "a@b.c", "password": "demo" })).await).await;
    let token = tokens["access_token"].as_str().expect("a token").to_owned();
    (bench, token)
}

/// What a listing says: `X-Cache`, `X-Query-Count`, and its body.
async fn asked(bench: &Bench, token: &str, path: &str) -> (String, String, Value) {
    let response = bench.request("GET", path).bearer_auth(token).send().await.expect("an answer");
    let told = (header(&response, "x-cache").to_owned(), header(&response, "x-query-count").to_owned());
    (told.0, told.1, ok(response).await)
}

#[tokio::test]
async fn growers_are_cached_until_one_changes_or_they_are_forgotten() {
    let (bench, token) = started().await;
    let told = async |path: &str| {
        let (cache, queries, _) = asked(&bench, &token, path).await;
        format!("{cache} {queries}")
    };
    for path in ["/api/growers/", "/api/growers/?limit=10", "/api/growers/7", "/api/packhouses/"] {
        assert!(told(path).await.starts_with("MISS "), "{path}");
        assert_eq!(told(path).await, "HIT 0", "{path}");
    }
    let change = bench.request("PUT", "/api/growers/7").bearer_auth(&token).json(&json!({ "name": "New" }));
    let changed = ok(change.send().await.expect("an answer")).await;
    assert_eq!((&changed["name"], &changed["version"]), (&json!("New"), &json!(2)));
    let (cache, _, grower) = asked(&bench, &token, "/api/growers/7").await;
    assert_eq!((cache.as_str(), &grower["version"]), ("MISS", &json!(2)));
    assert_eq!(told("/api/packhouses/").await, "HIT 0", "they have nothing to do with it");

    for (prefix, forgotten) in [("packhouses", 1), ("nosuch", 0), ("*", 1)] {
        let forget = bench.request("POST", "/api/cache/invalidate").bearer_auth(&token);
        let answer = ok(forget.json(&json!({ "prefix": prefix })).send().await.expect("an answer")).await;
        assert_eq!(answer["forgotten"], forgotten, "{prefix}");
    }
    assert_eq!(bench.json("/cache/stats").await["hits"], 5);
    let stats = bench.json("/lab/stats").await;
    assert_eq!(stats["growers"], json!({ "hits": 5, "misses": 5, "entries": 0 }));
}

#[tokio::test]
async fn pages_have_a_limit_and_an_end() {
    let (bench, token) = started().await;
    for (path, items, first) in [
        ("/api/growers/", 50, 1),
        ("/api/growers/?limit=500&offset=1900", 100, 1901),
        ("/api/batches/?limit=500&offset=100", 500, 101),
        ("/api/payments/?offset=19999", 1, 20_000),
    ] {
        let (_, _, page) = asked(&bench, &token, path).await;
        assert_eq!(page["items"].as_array().map(Vec::len), Some(items), "{path}");
        assert_eq!(page["items"][0]["id"], first, "{path}");
    }
    for path in ["/api/growers/?limit=501", "/api/batches/?limit=0"] {
        let response = bench.request("GET", path).bearer_auth(&token).send().await.expect("an answer");
        refused(response, StatusCode::UNPROCESSABLE_ENTITY).await;
    }
    let unknown = bench.request("GET", "/api/growers/2001").bearer_auth(&token).send().await.expect("an answer");
    refused(unknown, StatusCode::NOT_FOUND).await;
    refused(bench.get("/api/payments/").await, StatusCode::UNAUTHORIZED).await;
}

#[tokio::test]
async fn queries_are_counted_as_they_would_be() {
    let (bench, token) = started().await;
    for (path, queries) in [
        ("/api/batches/", "3"),
        ("/api/batches/?loading=lazy", "52"),
        ("/api/batches/?loading=lazy&limit=100", "102"),
        ("/api/reconciliation/", "1"),
        ("/api/reconciliation/?how=scans", "3"),
        ("/api/payments/", "2"),
    ] {
        assert_eq!(asked(&bench, &token, path).await.1, queries, "{path}");
    }
}
