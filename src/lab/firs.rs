//! Reports that a slow model writes, read from a database: the lab's stand-in for such an application. How long the
//! database and the model take is known: a query a number of `--origin-delay`s, a generation twenty of them.

use std::{num::NonZeroUsize, sync::Mutex};

use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use lru::LruCache;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    cache::{Lookup, TtlLru},
    content::gzipped,
    error::{JsonBody, LabError, Params},
    log::fnv1a,
    options::LabOptions,
    routes::Endpoint,
    state::{Shared, lock},
};
use crate::clock::Nanos;

/// What a generation takes, in times of the origin.
const GENERATION: u64 = 20;
/// Generations at once; others wait.
const MODELS: usize = 15;
/// Reports there are.
const ROWS: u64 = 20_000;
/// The longest page, and the shortest body that is compressed.
const PAGE_MAX: u64 = 100;
const GZIP_MIN: usize = 1_024;
/// The longest value and key of the cache, and how many it has.
const VALUE_MAX: usize = 64 << 10;
const ENTRIES_MAX: NonZeroUsize = NonZeroUsize::MIN.saturating_add(9_999);
const X_CACHE: HeaderName = HeaderName::from_static("x-cache");

pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        methods: "GET, POST",
        path: "/api/firs",
        example: "/api/firs?limit=3&fields=id,status",
        doc: "a page of reports by `cursor`, some of their `fields`, compressed from 1 KiB on; POST {complaint} files one",
        route: || get(page).post(file),
    },
    Endpoint {
        methods: "GET",
        path: "/api/firs/{id}",
        example: "/api/firs/7",
        doc: "a report, with ETag and Cache-Control; 304 for If-None-Match",
        route: || get(report),
    },
    Endpoint {
        methods: "POST",
        path: "/api/firs/generate",
        example: "/api/firs/generate",
        doc: "a report written for {complaint}: slowly, and from a cache when it was written before",
        route: || post(generate),
    },
    Endpoint {
        methods: "GET",
        path: "/api/db/{engine}/{query}",
        example: "/api/db/postgres/simple?id=7",
        doc: "takes as long as the query: simple, join, aggregate, search, explain or connection, of mysql or postgres",
        route: || get(database),
    },
    Endpoint {
        methods: "GET, PUT, DELETE",
        path: "/api/cache/{key}",
        example: "/api/cache/none?fetch=true",
        doc: "a value of a cache: hit, or 404; with `fetch` it is made and kept; PUT {value, ttl_s} keeps one",
        route: || get(look_up).put(keep).delete(forget),
    },
];

/// What the reports are kept in.
#[derive(Debug)]
pub(super) struct Firs {
    written: Mutex<TtlLru<u64, String>>,
    models: tokio::sync::Semaphore,
    /// Values, and when they go.
    values: Mutex<LruCache<String, (String, Nanos)>>,
}

impl Firs {
    pub(super) fn new(options: &LabOptions) -> Self {
        let ttl = options.cache_ttl.as_nanos() as Nanos;
        Self {
            written: Mutex::new(TtlLru::new(options.cache_capacity, ttl)),
            models: tokio::sync::Semaphore::new(MODELS),
            values: Mutex::new(LruCache::new(ENTRIES_MAX)),
        }
    }

    pub(super) fn reset(&self) {
        lock(&self.written).clear();
        lock(&self.values).clear();
    }
}

/// Waits for a part of the origin's time.
async fn wait(state: &Shared, times: u64, of: u64) {
    let delay = state.options.origin_delay.as_nanos() as Nanos;
    state.sleep_until(state.now().saturating_add(delay * times / of)).await;
}

fn row(id: u64) -> Value {
    let status = ["draft", "filed", "closed"][id as usize % 3];
    json!({
        "id": id, "status": status, "station": format!("Station {}", id % 40), "version": 1,
        "text": format!("On the day in question the complainant of case {id} reported what follows."),
    })
}

async fn report(State(state): State<Shared>, headers: HeaderMap, Path(id): Path<String>) -> Result<Response, LabError> {
    let known = id.parse().ok().filter(|id| (1..=ROWS).contains(id));
    let id = known.ok_or_else(|| LabError::not_found("there is no such report"))?;
    let tag = format!("\"{id}-1\"");
    let kept = [(header::ETAG, tag.clone()), (header::CACHE_CONTROL, "private, max-age=60".to_owned())];
    if headers.get(header::IF_NONE_MATCH).is_some_and(|given| *given == *tag) {
        return Ok((StatusCode::NOT_MODIFIED, kept).into_response());
    }
    wait(&state, 1, 5).await;
    Ok((kept, Json(row(id))).into_response())
}

#[derive(Debug, Deserialize)]
struct PageQuery {
    limit: Option<u64>,
    cursor: Option<u64>,
    fields: Option<String>,
}

async fn page(
    State(state): State<Shared>,
    headers: HeaderMap,
    Params(query): Params<PageQuery>,
) -> Result<Response, LabError> {
    let limit = query.limit.unwrap_or(20);
    if !(1..=PAGE_MAX).contains(&limit) {
        return Err(LabError::invalid(format!("`limit` must be from 1 to {PAGE_MAX}")));
    }
    let after = query.cursor.unwrap_or(0).min(ROWS);
    let last = (after + limit).min(ROWS);
    let wanted: Option<Vec<&str>> = query.fields.as_deref().map(|fields| fields.split(',').collect());
    let items: Vec<Value> = (after + 1..=last)
        .map(|id| {
            let mut row = row(id);
            if let (Some(wanted), Some(fields)) = (&wanted, row.as_object_mut()) {
                fields.retain(|name, _| wanted.contains(&name.as_str()));
            }
            row
        })
        .collect();
    let next = (last < ROWS).then(|| last.to_string());
    wait(&state, 1, 2).await;
    let body = json!({ "items": items, "next_cursor": next }).to_string();
    let json = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let takes = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok());
    if body.len() >= GZIP_MIN && takes.is_some_and(|value| value.contains("gzip")) {
        let failed = |_| LabError::new(StatusCode::INTERNAL_SERVER_ERROR, "gzip", "failed to compress");
        let packed = gzipped(body.as_bytes()).map_err(failed)?;
        return Ok(([json, (header::CONTENT_ENCODING, HeaderValue::from_static("gzip"))], packed).into_response());
    }
    Ok(([json], body).into_response())
}

#[derive(Debug, Deserialize)]
struct Complaint {
    complaint: String,
}

impl Complaint {
    fn check(&self) -> Result<(), LabError> {
        if (10..=5_000).contains(&self.complaint.len()) {
            return Ok(());
        }
        Err(LabError::invalid("a complaint has from 10 to 5000 bytes"))
    }
}

async fn file(State(state): State<Shared>, JsonBody(given): JsonBody<Complaint>) -> Result<Response, LabError> {
    given.check()?;
    wait(&state, 2, 1).await;
    Ok((StatusCode::CREATED, Json(json!({ "id": ROWS + 1, "status": "filed" }))).into_response())
}

async fn generate(State(state): State<Shared>, JsonBody(given): JsonBody<Complaint>) -> Result<Response, LabError> {
    given.check()?;
    let key = fnv1a(given.complaint.as_bytes());
    let found = lock(&state.firs.written).get(state.now(), &key);
    let (text, cache) = match found {
        Lookup::Hit { value, .. } => (value, "HIT"),
        Lookup::Expired | Lookup::Absent => {
            let ending = |_| LabError::new(StatusCode::SERVICE_UNAVAILABLE, "model", "the lab is ending");
            let _turn = state.firs.models.acquire().await.map_err(ending)?;
            wait(&state, GENERATION, 1).await;
            let text = format!("First information report {key:016x}: {}", given.complaint);
            lock(&state.firs.written).put(state.now(), key, text.clone());
            (text, "MISS")
        }
    };
    Ok(([(X_CACHE, HeaderValue::from_static(cache))], Json(json!({ "fir": text }))).into_response())
}

async fn database(
    State(state): State<Shared>,
    Path((engine, query)): Path<(String, String)>,
) -> Result<Json<Value>, LabError> {
    if !["mysql", "postgres"].contains(&engine.as_str()) {
        return Err(LabError::not_found("there are mysql and postgres"));
    }
    let tenths = match query.as_str() {
        "connection" => 0,
        "explain" => 1,
        "simple" => 2,
        "join" => 4,
        "search" => 6,
        "aggregate" => 10,
        _ => return Err(LabError::not_found("there is no such query")),
    };
    wait(&state, tenths, 10).await;
    Ok(Json(json!({ "engine": engine, "query": query, "rows": [{ "id": 1 }] })))
}

#[derive(Debug, Deserialize)]
struct LookUp {
    #[serde(default)]
    fetch: bool,
}

async fn look_up(
    State(state): State<Shared>,
    Path(key): Path<String>,
    Params(how): Params<LookUp>,
) -> Result<Response, LabError> {
    let now = state.now();
    let found = lock(&state.firs.values).get(&key).filter(|(_, until)| now < *until).map(|(value, _)| value.clone());
    let (value, cache) = match found {
        Some(value) => (value, "HIT"),
        None if how.fetch => {
            wait(&state, 1, 5).await;
            let value = format!("made for {key}");
            keep_value(&state, key, value.clone(), 60)?;
            (value, "MISS")
        }
        None => {
            let refused = LabError::not_found("not in the cache");
            return Err(refused.with_header(X_CACHE, HeaderValue::from_static("MISS")));
        }
    };
    Ok(([(X_CACHE, HeaderValue::from_static(cache))], Json(json!({ "value": value }))).into_response())
}

#[derive(Debug, Deserialize)]
struct Keep {
    value: String,
    ttl_s: Option<u64>,
}

async fn keep(
    State(state): State<Shared>,
    Path(key): Path<String>,
    JsonBody(what): JsonBody<Keep>,
) -> Result<StatusCode, LabError> {
    keep_value(&state, key, what.value, what.ttl_s.unwrap_or(60))?;
    Ok(StatusCode::NO_CONTENT)
}

fn keep_value(state: &Shared, key: String, value: String, ttl_s: u64) -> Result<(), LabError> {
    if key.len() + value.len() > VALUE_MAX {
        return Err(LabError::invalid(format!("key and value have at most {VALUE_MAX} bytes")));
    }
    let until = state.now().saturating_add(ttl_s.saturating_mul(crate::clock::SECOND));
    lock(&state.firs.values).put(key, (value, until));
    Ok(())
}

async fn forget(State(state): State<Shared>, Path(key): Path<String>) -> Json<Value> {
    let was = lock(&state.firs.values).pop(&key).is_some();
    Json(json!({ "forgotten": was }))
}
