//! Ingestion of events: a queue of limited length before a worker that stores them. The lab's stand-in for an
//! application behind which a stream and a database stand.

use std::{
    collections::VecDeque,
    num::NonZeroUsize,
    sync::Mutex,
    time::{Duration, Instant},
};

use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use lru::LruCache;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    error::{JsonBody, LabError},
    oauth::Key,
    routes::Endpoint,
    state::{Shared, lock},
};
use crate::clock::{MICROSECOND, Nanos};

/// Events that may wait: beyond it they are turned away.
const CAPACITY: usize = 500;
/// What the worker takes for an event.
const WORK: Nanos = 100 * MICROSECOND;
/// Events remembered; beyond it the oldest are forgotten.
const STORED_MAX: NonZeroUsize = NonZeroUsize::MIN.saturating_add(99_999);
/// The longest text of an event.
const TEXT_MAX: usize = 256;
const X_PROCESS_TIME: HeaderName = HeaderName::from_static("x-process-time");

pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        methods: "POST",
        path: "/events",
        example: "/events",
        doc: "queues {event_id, type, payload}: 202, or 503 while 500 wait; needs an API key; tells X-Process-Time in ms",
        route: || post(ingest),
    },
    Endpoint {
        methods: "GET",
        path: "/events/{id}",
        example: "/events/stats",
        doc: "an event once it is stored, until then 404; /events/stats tells how many wait and are stored",
        route: || get(event),
    },
    Endpoint {
        methods: "POST",
        path: "/events/worker",
        example: "/events/worker",
        doc: "stops and starts what stores events: {running}",
        route: || post(worker),
    },
];

/// The queue and what was stored of it.
#[derive(Debug)]
pub(super) struct Events(Mutex<Parts>);

#[derive(Debug)]
struct Parts {
    waiting: VecDeque<Event>,
    stored: LruCache<String, Event>,
    count: u64,
    running: bool,
    /// When the worker is done with what it has taken.
    busy_until: Nanos,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Event {
    event_id: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    payload: Value,
}

impl Default for Events {
    fn default() -> Self {
        Self(Mutex::new(Parts {
            waiting: VecDeque::new(),
            stored: LruCache::new(STORED_MAX),
            count: 0,
            running: true,
            busy_until: 0,
        }))
    }
}

impl Events {
    pub(super) fn reset(&self) {
        let fresh = Self::default().0.into_inner();
        *lock(&self.0) = fresh.unwrap_or_else(std::sync::PoisonError::into_inner);
    }
}

impl Parts {
    /// Lets the worker do what it would have done until now.
    fn catch_up(&mut self, now: Nanos) {
        while self.running && self.busy_until <= now {
            let Some(event) = self.waiting.pop_front() else {
                self.busy_until = now;
                break;
            };
            self.busy_until += WORK;
            if self.stored.put(event.event_id.clone(), event).is_none() {
                self.count += 1;
            }
        }
    }
}

async fn ingest(_: Key, State(state): State<Shared>, JsonBody(event): JsonBody<Event>) -> Result<Response, LabError> {
    let begun = Instant::now();
    if event.event_id.is_empty() || event.event_id.len() > TEXT_MAX || event.kind.len() > TEXT_MAX {
        return Err(LabError::invalid(format!("`event_id` and `type` are texts of at most {TEXT_MAX} bytes")));
    }
    let id = event.event_id.clone();
    let mut parts = lock(&state.events.0);
    parts.catch_up(state.now());
    if parts.waiting.len() >= CAPACITY {
        let refused = LabError::new(StatusCode::SERVICE_UNAVAILABLE, "queue_full", "too many events wait");
        return Err(refused.with_header(header::RETRY_AFTER, HeaderValue::from_static("1")));
    }
    parts.waiting.push_back(event);
    drop(parts);
    let took = begun.elapsed();
    let body = Json(json!({ "event_id": id, "status": "queued" }));
    Ok((StatusCode::ACCEPTED, [(X_PROCESS_TIME, ms(took))], body).into_response())
}

/// Milliseconds with three decimals.
fn ms(time: Duration) -> String {
    format!("{:.3}", time.as_secs_f64() * 1_000.0)
}

async fn event(State(state): State<Shared>, Path(id): Path<String>) -> Result<Json<Value>, LabError> {
    let mut parts = lock(&state.events.0);
    parts.catch_up(state.now());
    if id == "stats" {
        return Ok(Json(json!({ "waiting": parts.waiting.len(), "capacity": CAPACITY, "stored": parts.count })));
    }
    let found = parts.stored.get(&id).map(|event| json!(event));
    found.map(Json).ok_or_else(|| LabError::not_found("no such event is stored"))
}

#[derive(Debug, Deserialize)]
struct Running {
    running: bool,
}

async fn worker(_: Key, State(state): State<Shared>, JsonBody(wish): JsonBody<Running>) -> Json<Value> {
    let mut parts = lock(&state.events.0);
    let now = state.now();
    parts.catch_up(now);
    if wish.running && !parts.running {
        parts.busy_until = now;
    }
    parts.running = wish.running;
    Json(json!({ "running": parts.running }))
}
