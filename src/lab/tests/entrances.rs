//! Tokens, keys and sessions: each way in, and each way to be refused.

use serde_json::json;

use super::*;

#[tokio::test]
async fn a_token_ends_by_logout_and_by_time() {
    let bench = start().await;
    let login = async |body: Value| {
        let tokens = ok(bench.post("/api/auth/login", body).await).await;
        tokens["access_token"].as_str().expect("a token").to_owned()
    };
    let me = async |token: &str| {
        let response = bench.request("GET", "/api/me").bearer_auth(token).send().await;
        response.expect("an answer").status()
    };
    let one = login(json!({ "email": "a@b.c", "password": "demo" })).await;
    let other = login(json!({ "email": "a@b.c", "password": "demo" })).await;
    let out = bench.request("POST", "/api/auth/logout").bearer_auth(&one).send().await.expect("an answer");
    assert_eq!(out.status(), StatusCode::NO_CONTENT);
    assert_eq!((me(&one).await, me(&other).await), (StatusCode::UNAUTHORIZED, StatusCode::OK));

    let brief = login(json!({ "email": "a@b.c", "password": "demo", "ttl_s": 1 })).await;
    let patience = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while me(&brief).await == StatusCode::OK {
        assert!(std::time::Instant::now() < patience, "a token of a second does not expire");
    }
}

#[tokio::test]
async fn client_credentials_come_in_the_form_or_by_basic() {
    let bench = start().await;
    let ask = async |fields: &[(&str, &str)], basic: Option<(&str, &str)>| {
        let mut request = bench.request("POST", "/oauth/token");
        if let Some((name, password)) = basic {
            request = request.basic_auth(name, Some(password));
        }
        let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(form);
        request.send().await.expect("an answer")
    };
    let grant = ("grant_type", "client_credentials");
    let whole = [grant, ("client_id", "shop"), ("client_secret", "demo"), ("scope", "read"), ("ttl_s", "5")];
    let answer = ask(&whole, None).await;
    assert_eq!(header(&answer, "cache-control"), "no-store");
    let answer = ok(answer).await;
    assert_eq!((&answer["expires_in"], &answer["scope"]), (&json!(5), &json!("read")));
    let token = answer["access_token"].as_str().expect("a token");
    let me = bench.request("GET", "/api/me").bearer_auth(token).send().await.expect("an answer");
    assert_eq!(ok(me).await["email"], "shop");
    assert!(ok(ask(&[grant], Some(("shop", "demo"))).await).await["access_token"].is_string());

    let (bad, unauthorized) = (StatusCode::BAD_REQUEST, StatusCode::UNAUTHORIZED);
    assert_eq!(refused(ask(&[grant], Some(("shop", "x"))).await, unauthorized).await, "invalid_client");
    assert_eq!(refused(ask(&[grant], None).await, unauthorized).await, "invalid_client");
    assert_eq!(refused(ask(&[("grant_type", "password")], None).await, bad).await, "unsupported_grant_type");
    assert_eq!(refused(ask(&[], None).await, bad).await, "invalid_request");
}

#[tokio::test]
async fn a_key_is_taken_from_the_header_or_the_query() {
    let bench = start().await;
    assert_eq!(bench.json("/api/keyed?api_key=key-7").await["key"], "key-7");
    let by_header = bench.request("GET", "/api/keyed").header("x-api-key", "key-8").send().await;
    assert_eq!(ok(by_header.expect("an answer")).await["key"], "key-8");
    for target in ["/api/keyed", "/api/keyed?api_key=other"] {
        refused(bench.get(target).await, StatusCode::UNAUTHORIZED).await;
    }
}

#[tokio::test]
async fn the_form_wants_its_own_session_and_a_login_makes_a_new_one() {
    let bench = start().await;
    let value = |response: &Response| -> String {
        let cookie = header(response, "set-cookie").split(';').next().expect("a pair");
        cookie.strip_prefix("lab_session=").expect("the session's cookie").to_owned()
    };
    let page = bench.get("/login").await;
    let visitor = value(&page);
    let html = page.text().await.expect("a page");
    let csrf = html.split("name=\"csrf\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
    let csrf = csrf.expect("a hidden field").to_owned();
    let send = async |session: &str, csrf: &str, password: &str| {
        let form = format!("email=%3Cb%3E%40b.c&password={password}&csrf={csrf}");
        let request = bench.request("POST", "/login").header("cookie", format!("a=b; lab_session={session}"));
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(form);
        request.send().await.expect("an answer")
    };
    refused(send(&visitor, "forged", "demo").await, StatusCode::FORBIDDEN).await;
    refused(send("unknown", &csrf, "demo").await, StatusCode::FORBIDDEN).await;
    assert_eq!(send(&visitor, &csrf, "wrong").await.status(), StatusCode::UNAUTHORIZED);
    let entered = send(&visitor, &csrf, "demo").await;
    assert_eq!((entered.status(), header(&entered, "location")), (StatusCode::SEE_OTHER, "/account"));
    let session = value(&entered);
    assert_ne!(session, visitor);

    let account = async |session: &str| {
        let request = bench.request("GET", "/account").header("cookie", format!("lab_session={session}"));
        request.send().await.expect("an answer")
    };
    let inside = account(&session).await;
    assert_eq!(inside.status(), StatusCode::OK);
    assert!(inside.text().await.expect("a page").contains("&lt;b&gt;@b.c"));
    for outside in [&visitor, "unknown"] {
        let answer = account(outside).await;
        assert_eq!((answer.status(), header(&answer, "location")), (StatusCode::SEE_OTHER, "/login"));
    }
}
