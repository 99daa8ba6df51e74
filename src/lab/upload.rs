//! Uploads as multipart forms, with limits of size and number.

use axum::{
    Json,
    extract::{DefaultBodyLimit, Multipart, State, multipart::MultipartError, multipart::MultipartRejection},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::{
    auth::Admitted,
    error::LabError,
    limited::{ApiKey, rate_headers, refusal},
    routes::Endpoint,
    state::{Shared, lock},
};

/// How much of a body that is too large is still read: a client that is cut off in the middle of sending
/// may see a reset in place of the 413.
const DRAIN_MAX: u64 = 64 << 20;

pub(super) const ENDPOINTS: &[Endpoint] = &[Endpoint {
    methods: "POST",
    path: "/api/upload",
    example: "/api/upload",
    doc: "takes the field `file` of a multipart form, answers {name, size, sha256}",
    route: || post(upload).layer(DefaultBodyLimit::disable()),
}];

async fn upload(
    _: Admitted,
    State(state): State<Shared>,
    ApiKey(key): ApiKey,
    form: Result<Multipart, MultipartRejection>,
) -> Result<Response, LabError> {
    let form = form.map_err(|error| LabError::new(error.status(), "bad_form", error.body_text()))?;
    let mut headers = HeaderMap::new();
    if let Some(uploads) = &state.limits.uploads {
        let mut uploads = lock(uploads);
        let decision = uploads.check(state.now(), key);
        headers = rate_headers(uploads.limit(), decision);
        if decision.is_err() {
            return Err(refusal("no more uploads in this hour").with_headers(&headers));
        }
    }
    let file = read(form, state.options.upload_max).await?;
    Ok((StatusCode::CREATED, headers, Json(json!({ "name": file.name, "size": file.size, "sha256": file.sha256 })))
        .into_response())
}

struct Uploaded {
    name: String,
    size: u64,
    sha256: String,
}

async fn read(mut form: Multipart, max: u64) -> Result<Uploaded, LabError> {
    let broken = |error: MultipartError| {
        LabError::new(StatusCode::BAD_REQUEST, "bad_form", format!("failed to read the form: {error}"))
    };
    let mut file = None;
    let mut total = 0u64;
    while let Some(mut field) = form.next_field().await.map_err(broken)? {
        let is_file = field.name() == Some("file");
        let name = field.file_name().unwrap_or("unnamed").to_owned();
        let mut hash = Sha256::new();
        let mut size = 0u64;
        while let Some(chunk) = field.chunk().await.map_err(broken)? {
            size += chunk.len() as u64;
            total += chunk.len() as u64;
            if total > max.saturating_add(DRAIN_MAX) {
                break;
            }
            if is_file && total <= max {
                hash.update(&chunk);
            }
        }
        if total > max.saturating_add(DRAIN_MAX) {
            break;
        }
        if is_file && file.is_none() {
            let sha256 = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
            file = Some(Uploaded { name, size, sha256 });
        }
    }
    if total > max {
        let message = format!("an upload has at most {max} bytes");
        return Err(LabError::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message));
    }
    file.ok_or_else(|| LabError::invalid("the form has no field `file`"))
}
