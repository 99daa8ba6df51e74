//! Sessions of an account behind a pool of connections, a rate limit and a limit of uploads: the lab's stand-in for an
//! application with a database.

use std::sync::{
    Mutex,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use axum::{
    Json,
    extract::{
        DefaultBodyLimit, Multipart, State,
        multipart::{MultipartError, MultipartRejection},
    },
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::{Value, json};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::{
    auth::Bearer,
    error::LabError,
    limited::{FixedWindow, rate_headers, refusal},
    options::LabOptions,
    routes::Endpoint,
    state::{Shared, lock},
};
use crate::clock::{Rate, SECOND};

/// Connections of the pool: so many are kept, and so many more are opened at need.
const POOL: u64 = 5;
const OVERFLOW: u64 = 10;
/// Uploads that an account has in an hour.
const UPLOADS: u64 = 10;
/// Sessions of each account.
const SESSIONS: u32 = 30;

pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        methods: "GET",
        path: "/live",
        example: "/live",
        doc: "whether the process is there",
        route: || get(live),
    },
    Endpoint {
        methods: "GET",
        path: "/ready",
        example: "/ready",
        doc: "asks the database that there is not: {status, pool: {size, overflow, in_use, waiting}, memory_kb}",
        route: || get(ready),
    },
    Endpoint {
        methods: "GET",
        path: "/api/sessions/",
        example: "/api/sessions/",
        doc: "30 sessions of the bearer token's account, limited by --limit over a fixed window",
        route: || get(sessions),
    },
    Endpoint {
        methods: "POST",
        path: "/api/sessions/upload",
        example: "/api/sessions/upload",
        doc: "takes the field `file` of a multipart form; 10 an hour for each account",
        route: || post(upload).layer(DefaultBodyLimit::disable()),
    },
];

/// The pool and the limits.
#[derive(Debug)]
pub(super) struct Sessions {
    pool: Semaphore,
    waiting: AtomicU64,
    requests: Mutex<FixedWindow>,
    uploads: Mutex<FixedWindow>,
}

impl Sessions {
    pub(super) fn new(options: &LabOptions) -> Self {
        Self {
            pool: Semaphore::new((POOL + OVERFLOW) as usize),
            waiting: AtomicU64::new(0),
            requests: Mutex::new(FixedWindow::new(options.limit)),
            uploads: Mutex::new(FixedWindow::new(Rate { events: UPLOADS, per: 3_600 * SECOND })),
        }
    }

    pub(super) fn reset(&self) {
        lock(&self.requests).clear();
        lock(&self.uploads).clear();
    }

    fn pool(&self) -> Value {
        let in_use = POOL + OVERFLOW - self.pool.available_permits() as u64;
        let (overflow, waiting) = (in_use.saturating_sub(POOL), self.waiting.load(Relaxed));
        json!({ "size": POOL, "max": POOL + OVERFLOW, "overflow": overflow, "in_use": in_use, "waiting": waiting })
    }
}

/// A connection of the pool, held for the time of a query.
async fn query(state: &Shared) -> Result<(), LabError> {
    let pool = &state.sessions;
    pool.waiting.fetch_add(1, Relaxed);
    let held: Result<SemaphorePermit<'_>, _> = pool.pool.acquire().await;
    pool.waiting.fetch_sub(1, Relaxed);
    // Nobody closes it while the lab serves.
    let _held = held.map_err(|_| LabError::new(StatusCode::SERVICE_UNAVAILABLE, "pool", "the lab is ending"))?;
    state.sleep_until(state.now().saturating_add(state.options.origin_delay.as_nanos() as u64)).await;
    Ok(())
}

async fn live() -> Json<Value> {
    Json(json!({ "status": "alive" }))
}

async fn ready(State(state): State<Shared>) -> Json<Value> {
    Json(json!({ "status": "ready", "pool": state.sessions.pool(), "memory_kb": memory_kb() }))
}

/// Resident memory of this process, in kB; null where the system does not tell.
fn memory_kb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

async fn sessions(Bearer(claims): Bearer, State(state): State<Shared>) -> Result<Response, LabError> {
    let (limit, decision) = {
        let mut requests = lock(&state.sessions.requests);
        (requests.limit(), requests.check(state.now(), claims.sub.clone()))
    };
    let headers = rate_headers(limit, decision);
    if decision.is_err() {
        return Err(refusal("the limit of this account is reached").with_headers(&headers));
    }
    query(&state).await?;
    let row = |id: u32| json!({ "id": id, "user": claims.sub, "patient_id": id % 7, "minutes": 30 + id % 30 });
    let rows: Vec<Value> = (1..=SESSIONS).map(row).collect();
    Ok((headers, Json(json!({ "sessions": rows, "total": SESSIONS }))).into_response())
}

async fn upload(
    Bearer(claims): Bearer,
    State(state): State<Shared>,
    form: Result<Multipart, MultipartRejection>,
) -> Result<Response, LabError> {
    let mut form = form.map_err(|error| LabError::new(error.status(), "bad_form", error.body_text()))?;
    let headers: HeaderMap = {
        let mut uploads = lock(&state.sessions.uploads);
        let decision = uploads.check(state.now(), claims.sub);
        let headers = rate_headers(uploads.limit(), decision);
        if decision.is_err() {
            return Err(refusal("no more uploads in this hour").with_headers(&headers));
        }
        headers
    };
    let broken = |error: MultipartError| LabError::bad_request(format!("failed to read the form: {error}"));
    let mut size = None;
    while let Some(mut field) = form.next_field().await.map_err(broken)? {
        let is_file = field.name() == Some("file");
        let mut bytes = 0u64;
        while let Some(chunk) = field.chunk().await.map_err(broken)? {
            bytes += chunk.len() as u64;
            if bytes > state.options.upload_max {
                return Err(LabError::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "the file is too large"));
            }
        }
        if is_file {
            size = Some(bytes);
        }
    }
    let size = size.ok_or_else(|| LabError::invalid("the form has no field `file`"))?;
    query(&state).await?;
    Ok((StatusCode::CREATED, headers, Json(json!({ "size": size, "status": "queued" }))).into_response())
}
