use std::collections::HashSet;

use super::*;
use crate::lab::{misbehave::MISBEHAVIOURS, routes::ENDPOINTS};

#[tokio::test]
async fn every_endpoint_is_documented_and_answers_its_example() {
    let bench = start().await;
    let mut paths = HashSet::new();
    for row in ENDPOINTS.iter().copied().flatten() {
        assert!(!row.doc.is_empty() && !row.doc.ends_with('.'), "{} has no proper line", row.path);
        assert!(paths.insert(row.path), "{} is there twice", row.path);
        let method = row.methods.split(", ").next().map(|method| if method == "any" { "GET" } else { method });
        let response = bench.send(method.expect("a method"), row.example).await;
        let status = response.status();
        let body = response.text().await.expect("a body");
        // Carts that are not there yet may say so; nothing else may be unknown.
        let unknown = matches!(status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED);
        assert!(!unknown || body.contains("no such cart"), "{} answers {status}: {body}", row.example);
        assert!(!status.is_server_error(), "{} answers {status}: {body}", row.example);
    }
    let index = bench.json("/").await;
    assert_eq!(index.as_array().map(Vec::len), Some(paths.len()));
    let info = bench.json("/lab/info").await;
    assert_eq!(info["misbehaving"], bench.lab.misbehaving_addr().to_string());
    assert_eq!(info["misbehaviours"].as_array().map(Vec::len), Some(MISBEHAVIOURS.len()));
    bench.lab.shutdown().await.expect("a clean end");
}

#[tokio::test]
async fn unknown_paths_and_methods_are_told_in_json() {
    let bench = start().await;
    assert_eq!(bench.json("/health").await["status"], "ok");
    assert_eq!(refused(bench.get("/nowhere").await, StatusCode::NOT_FOUND).await, "not_found");
    let code = StatusCode::METHOD_NOT_ALLOWED;
    assert_eq!(refused(bench.send("DELETE", "/health").await, code).await, "method_not_allowed");
    assert_eq!(refused(bench.send("DELETE", "/api/items/1").await, code).await, "method_not_allowed");
    assert_eq!(refused(bench.get("/cache").await, code).await, "method_not_allowed");
    assert_eq!(refused(bench.get("/lab/fixed").await, StatusCode::BAD_REQUEST).await, "bad_query");
    assert_eq!(refused(bench.get("/lab/fixed?ms=-1").await, StatusCode::BAD_REQUEST).await, "bad_query");
}

#[tokio::test]
async fn both_versions_of_http_are_spoken_without_encryption() {
    let bench = start().await;
    let client = Client::builder().no_proxy().http2_prior_knowledge().build().expect("a client");
    let response = client.get(format!("http://{}/lab/echo", bench.lab.addr())).send().await.expect("an answer");
    assert_eq!(ok(response).await["version"], "HTTP/2.0");
    assert_eq!(bench.json("/lab/echo").await["version"], "HTTP/1.1");
}

#[tokio::test]
async fn an_address_that_is_taken_is_an_error_that_names_it() {
    let bench = start().await;
    let taken = LabOptions { listen: bench.lab.addr(), port: None, ..options() };
    let error = Lab::start(taken).await.expect_err("the port is taken");
    assert!(error.to_string().contains(&bench.lab.addr().to_string()), "{error}");
}
