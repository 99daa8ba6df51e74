//! Other ways in than a login: OAuth 2.0 client credentials (RFC 6749, section 4.4) and API keys.

use std::time::Duration;

use axum::{
    Form, Json,
    extract::{FromRequestParts, State, rejection::FormRejection},
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use base64::Engine as _;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{error::LabError, routes::Endpoint, state::Shared};

/// What every API key begins with.
const KEY_PREFIX: &str = "key-";

pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        methods: "POST",
        path: "/oauth/token",
        example: "/oauth/token",
        doc: "an OAuth 2.0 token for a form of grant_type=client_credentials; any client_id, the client_secret is \
              the password; `ttl_s` makes it short-lived",
        route: || post(token),
    },
    Endpoint {
        methods: "GET",
        path: "/api/keyed",
        example: "/api/keyed?api_key=key-1",
        doc: "needs an API key, in the header X-Api-Key or as `api_key` of the query: any that begins with `key-`",
        route: || get(keyed),
    },
];

#[derive(Debug, Deserialize)]
struct TokenRequest {
    grant_type: String,
    client_id: Option<String>,
    client_secret: Option<String>,
    scope: Option<String>,
    ttl_s: Option<u64>,
}

/// Errors have the form of RFC 6749, section 5.2, not the lab's own.
fn refuse(status: StatusCode, error: &str, description: &str) -> Response {
    let mut response = (status, Json(json!({ "error": error, "error_description": description }))).into_response();
    if status == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic"));
    }
    response
}

async fn token(
    State(state): State<Shared>,
    headers: HeaderMap,
    form: Result<Form<TokenRequest>, FormRejection>,
) -> Result<Response, LabError> {
    let Form(form) = match form {
        Ok(form) => form,
        Err(error) => return Ok(refuse(StatusCode::BAD_REQUEST, "invalid_request", &error.body_text())),
    };
    if form.grant_type != "client_credentials" {
        let description = "only client_credentials is served here";
        return Ok(refuse(StatusCode::BAD_REQUEST, "unsupported_grant_type", description));
    }
    let given = basic(&headers).or(form.client_id.zip(form.client_secret));
    let Some((client, secret)) = given.filter(|(client, _)| !client.is_empty()) else {
        return Ok(refuse(StatusCode::UNAUTHORIZED, "invalid_client", "no client_id and client_secret"));
    };
    if secret != state.options.password {
        return Ok(refuse(StatusCode::UNAUTHORIZED, "invalid_client", "the client_secret is wrong"));
    }
    let ttl = form.ttl_s.map_or(state.options.token_ttl, Duration::from_secs);
    let mut answer = state.auth.access(&client, ttl)?;
    answer["scope"] = form.scope.unwrap_or_default().into();
    // RFC 6749, section 5.1.
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(answer)).into_response())
}

/// Name and password of the Basic scheme (RFC 7617).
fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let (scheme, encoded) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let bytes = base64::engine::general_purpose::STANDARD.decode(encoded.trim()).ok()?;
    let text = String::from_utf8(bytes).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
    text.split_once(':').map(|(name, password)| (name.to_owned(), password.to_owned()))
}

/// The key of a request; without a proper one it is answered 401.
pub(super) struct Key(pub(super) String);

impl FromRequestParts<Shared> for Key {
    type Rejection = LabError;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, LabError> {
        let header = parts.headers.get("x-api-key").and_then(|value| value.to_str().ok()).map(ToOwned::to_owned);
        let query = parts.uri.query().unwrap_or_default();
        let pair = || url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "api_key");
        let key = header.or_else(|| pair().map(|(_, key)| key.into_owned()));
        key.filter(|key| key.starts_with(KEY_PREFIX)).map(Self).ok_or_else(|| {
            let message = format!("an API key is needed, one that begins with `{KEY_PREFIX}`");
            LabError::new(StatusCode::UNAUTHORIZED, "unauthorized", message)
        })
    }
}

async fn keyed(Key(key): Key) -> Json<Value> {
    Json(json!({ "status": "ok", "key": key }))
}
