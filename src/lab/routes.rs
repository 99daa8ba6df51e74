//! The table of endpoints, and the pages that tell about the lab itself.

use std::sync::atomic::Ordering::Relaxed;

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    middleware,
    response::{IntoResponse, Response},
    routing::{MethodRouter, get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    auth, carts, content,
    error::{LabError, Params},
    events, firs, growers, items, limited, log,
    misbehave::MISBEHAVIOURS,
    oauth, observe, realtime, service, sessions, site,
    state::Shared,
    upload,
};

/// A row of the table: everything the lab serves over HTTP is one.
#[derive(Debug)]
pub(super) struct Endpoint {
    /// The methods, for the index: `GET, PUT`.
    pub(super) methods: &'static str,
    /// The path as the router knows it, parameters in braces.
    pub(super) path: &'static str,
    /// A path and query that the first of the methods answers.
    pub(super) example: &'static str,
    /// What it does, in a line.
    pub(super) doc: &'static str,
    /// Its handlers.
    pub(super) route: fn() -> MethodRouter<Shared>,
}

/// The endpoints, by module.
pub(super) const ENDPOINTS: &[&[Endpoint]] = &[
    ABOUT,
    auth::ENDPOINTS,
    oauth::ENDPOINTS,
    site::ENDPOINTS,
    items::ENDPOINTS,
    growers::ENDPOINTS,
    carts::ENDPOINTS,
    upload::ENDPOINTS,
    limited::ENDPOINTS,
    events::ENDPOINTS,
    sessions::ENDPOINTS,
    firs::ENDPOINTS,
    service::ENDPOINTS,
    content::ENDPOINTS,
    realtime::ENDPOINTS,
];

const ABOUT: &[Endpoint] = &[
    Endpoint { methods: "GET", path: "/", example: "/", doc: "this index", route: || get(index) },
    Endpoint {
        methods: "GET",
        path: "/health",
        example: "/health",
        doc: "whether the lab is up",
        route: || get(health),
    },
    Endpoint {
        methods: "GET",
        path: "/lab/info",
        example: "/lab/info",
        doc: "version, seed, and the address of the misbehaving server with its paths",
        route: || get(info),
    },
    Endpoint {
        methods: "GET",
        path: "/lab/stats",
        example: "/lab/stats",
        doc: "counters: requests by route, cache, limiter, log",
        route: || get(stats),
    },
    Endpoint {
        methods: "GET",
        path: "/lab/log",
        example: "/lab/log?after=0",
        doc: "requests as JSON lines, those numbered after N, at most `limit` (100000)",
        route: || get(show_log),
    },
    Endpoint {
        methods: "POST",
        path: "/lab/reset",
        example: "/lab/reset",
        doc: "sets log, caches, carts, stall, limiter and random draws back",
        route: || post(reset),
    },
];

/// All endpoints, with the middleware that observes them.
pub(super) fn router(state: Shared) -> Router {
    ENDPOINTS
        .iter()
        .copied()
        .flatten()
        .fold(Router::new(), |router, endpoint| router.route(endpoint.path, (endpoint.route)()))
        .fallback(|| async { LabError::not_found("no such path; GET / lists them") })
        .method_not_allowed_fallback(|| async { LabError::method_not_allowed() })
        .layer(middleware::from_fn_with_state(state.clone(), observe::observe))
        .with_state(state)
}

async fn index() -> Json<Value> {
    let rows = ENDPOINTS.iter().copied().flatten();
    Json(
        rows.map(|row| json!({ "methods": row.methods, "path": row.path, "example": row.example, "doc": row.doc }))
            .collect(),
    )
}

/// A fixed body: the cheapest answer the lab has.
async fn health() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], r#"{"status":"ok"}"#).into_response()
}

async fn info(State(state): State<Shared>) -> Json<Value> {
    let paths: Vec<Value> = MISBEHAVIOURS.iter().map(|row| json!({ "path": row.path, "doc": row.doc })).collect();
    Json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "seed": state.options.seed,
        "misbehaving": state.misbehaving.get(),
        "redis": state.redis_addr.get(),
        "misbehaviours": paths,
    }))
}

async fn stats(State(state): State<Shared>) -> Json<Value> {
    let routes = state.log.routes();
    Json(json!({
        "uptime_ms": state.now() / 1_000_000,
        "connections": state.connections.load(Relaxed),
        "requests": routes.values().sum::<u64>(),
        "routes": routes,
        "cache": state.items.stats(),
        "growers": state.growers.stats(),
        "carts": state.carts.len(),
        "limited": state.limits.stats(),
        "leaked_bytes": state.leak.bytes(),
        "log": { "entries": state.log.len(), "over": state.log.over() },
    }))
}

#[derive(Debug, Deserialize)]
struct LogQuery {
    #[serde(default)]
    after: u64,
    limit: Option<usize>,
}

async fn show_log(State(state): State<Shared>, Params(query): Params<LogQuery>) -> Result<Response, LabError> {
    let (first, entries) = state.log.after(query.after, query.limit.unwrap_or(100_000).min(100_000));
    let mut lines = Vec::new();
    log::write_lines(first, &entries, &mut lines)
        .map_err(|error| LabError::new(StatusCode::INTERNAL_SERVER_ERROR, "log", error.to_string()))?;
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], lines).into_response())
}

async fn reset(State(state): State<Shared>) -> Result<Json<Value>, LabError> {
    state.reset().map_err(|error| {
        LabError::new(StatusCode::INTERNAL_SERVER_ERROR, "log", format!("failed to save the log: {error}"))
    })?;
    Ok(Json(json!({ "status": "reset" })))
}
