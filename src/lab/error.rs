//! Errors as the lab answers them: a status and a small JSON body.

use axum::{
    Json,
    extract::{FromRequest, FromRequestParts, Query, Request, rejection::JsonRejection, rejection::QueryRejection},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, request::Parts},
    response::{AppendHeaders, IntoResponse, Response},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::json;

/// An answer other than success: `{"error": code, "message": text}`.
#[derive(Debug)]
pub(super) struct LabError {
    status: StatusCode,
    code: &'static str,
    message: String,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl LabError {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), headers: Vec::new() }
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", message)
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", message)
    }

    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    pub(super) fn method_not_allowed() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "this path has no such method; see GET /")
    }

    pub(super) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(super) fn with_headers(self, headers: &HeaderMap) -> Self {
        headers.iter().fold(self, |error, (name, value)| error.with_header(name.clone(), value.clone()))
    }
}

impl IntoResponse for LabError {
    fn into_response(self) -> Response {
        (self.status, AppendHeaders(self.headers), Json(json!({ "error": self.code, "message": self.message })))
            .into_response()
    }
}

impl From<JsonRejection> for LabError {
    fn from(rejection: JsonRejection) -> Self {
        Self::new(rejection.status(), "bad_json", rejection.body_text())
    }
}

impl From<QueryRejection> for LabError {
    fn from(rejection: QueryRejection) -> Self {
        Self::new(rejection.status(), "bad_query", rejection.body_text())
    }
}

/// A JSON body; what cannot be read is answered 400, 413, 415 or 422 in JSON.
#[derive(Debug)]
pub(super) struct JsonBody<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = LabError;

    async fn from_request(request: Request, state: &S) -> Result<Self, LabError> {
        let Json(value) = Json::from_request(request, state).await?;
        Ok(Self(value))
    }
}

/// The query; what cannot be read is answered 400 in JSON.
#[derive(Debug)]
pub(super) struct Params<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = LabError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, LabError> {
        let Query(value) = Query::from_request_parts(parts, state).await?;
        Ok(Self(value))
    }
}

/// A span in milliseconds as a query gives it: decimal, from 0 to ten minutes.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(try_from = "f64")]
pub(super) struct Millis(f64);

impl Millis {
    /// Rounded to whole nanoseconds.
    pub(super) fn as_nanos(self) -> u64 {
        (self.0 * 1e6).round() as u64
    }
}

impl TryFrom<f64> for Millis {
    type Error = &'static str;

    fn try_from(ms: f64) -> Result<Self, Self::Error> {
        if (0.0..=600_000.0).contains(&ms) { Ok(Self(ms)) } else { Err("must be from 0 to 600000 milliseconds") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_are_bounded_and_may_be_decimal() {
        assert_eq!(Millis::try_from(0.2).map(Millis::as_nanos), Ok(200_000));
        for bad in [-1.0, f64::NAN, f64::INFINITY, 600_001.0] {
            assert!(Millis::try_from(bad).is_err(), "{bad}");
        }
    }
}
