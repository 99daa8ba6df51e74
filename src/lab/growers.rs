//! A packhouse's business: listings that are paged, two of them cached. The lab's stand-in for an application with a
//! database, which says in `X-Query-Count` how many queries it would have needed.

use std::sync::Mutex;

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    auth::Bearer,
    cache::{Lookup, TtlLru},
    error::{JsonBody, LabError, Params},
    options::LabOptions,
    routes::Endpoint,
    state::{Shared, lock},
};
use crate::clock::Nanos;

/// A page, unless `limit` is given.
const PAGE: u32 = 50;
/// The longest page.
const PAGE_MAX: u32 = 500;
/// Of the origin's time, what each query beyond the first takes: one in so many.
const FURTHER_QUERY: u64 = 20;
const X_CACHE: HeaderName = HeaderName::from_static("x-cache");
const X_QUERY_COUNT: HeaderName = HeaderName::from_static("x-query-count");

pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        methods: "GET",
        path: "/api/growers/",
        example: "/api/growers/?limit=3&offset=10",
        doc: "a page of growers, cached; like all of these listings it needs a bearer token",
        route: || get(growers),
    },
    Endpoint {
        methods: "GET, PUT",
        path: "/api/growers/{id}",
        example: "/api/growers/7",
        doc: "a grower, cached; PUT {name} changes it, and nothing of growers stays cached",
        route: || get(grower).put(change),
    },
    Endpoint {
        methods: "GET",
        path: "/api/packhouses/",
        example: "/api/packhouses/",
        doc: "a page of packhouses, cached",
        route: || get(packhouses),
    },
    Endpoint {
        methods: "GET",
        path: "/api/batches/",
        example: "/api/batches/?loading=lazy",
        doc: "a page of batches with their growers: in three queries, or with `loading=lazy` in one more for each batch",
        route: || get(batches),
    },
    Endpoint {
        methods: "GET",
        path: "/api/payments/",
        example: "/api/payments/",
        doc: "a page of payments",
        route: || get(payments),
    },
    Endpoint {
        methods: "GET",
        path: "/api/reconciliation/",
        example: "/api/reconciliation/?how=scans",
        doc: "whom the business owes: in one query, or with `how=scans` in three",
        route: || get(reconciliation),
    },
    Endpoint {
        methods: "POST",
        path: "/api/cache/invalidate",
        example: "/api/cache/invalidate",
        doc: "forgets what is cached under {prefix}: `growers`, `packhouses` or `*`",
        route: || post(invalidate),
    },
    Endpoint {
        methods: "GET",
        path: "/cache/stats",
        example: "/cache/stats",
        doc: "hits, misses and entries of these listings' cache",
        route: || get(|State(state): State<Shared>| async move { Json(state.growers.stats()) }),
    },
];

/// A listing: how many rows it has, and what they are.
#[derive(Debug)]
struct Listing {
    rows: u32,
    row: fn(u32) -> Value,
}

const GROWERS: Listing = Listing {
    rows: 2_000,
    row: |id| json!({ "id": id, "name": format!("Grower {id}"), "region": region(id), "version": 1, "batches": 30 }),
};
const PACKHOUSES: Listing = Listing {
    rows: 40,
    row: |id| json!({ "id": id, "name": format!("Packhouse {id}"), "region": region(id), "capacity_kg": 50_000 + id * 1_000 }),
};
const BATCHES: Listing = Listing {
    rows: 60_000,
    row: |id| json!({ "id": id, "grower": format!("Grower {}", 1 + id % GROWERS.rows), "weight_kg": 200 + id % 300 }),
};
const PAYMENTS: Listing = Listing {
    rows: 20_000,
    row: |id| json!({ "id": id, "grower_id": 1 + id % GROWERS.rows, "amount_cents": 10_000 + id * 7_919 % 90_000 }),
};
const OWED: Listing = Listing {
    rows: 120,
    row: |id| json!({ "grower_id": id, "name": format!("Grower {id}"), "owed_cents": 500_000 - id * 100 }),
};

fn region(id: u32) -> &'static str {
    ["north", "south", "east", "west"][id as usize % 4]
}

/// What is cached, and what was changed.
#[derive(Debug)]
pub(super) struct Growers {
    capacity: std::num::NonZeroUsize,
    ttl: Nanos,
    delay: Nanos,
    parts: Mutex<Parts>,
}

#[derive(Debug)]
struct Parts {
    growers: TtlLru<String, Bytes>,
    packhouses: TtlLru<String, Bytes>,
    /// Names and versions of growers that were changed; at most as many as there are growers.
    changed: std::collections::HashMap<u32, (String, u32)>,
    hits: u64,
    misses: u64,
}

/// Which cache a listing is kept in.
type Cache = fn(&mut Parts) -> &mut TtlLru<String, Bytes>;
const OF_GROWERS: Cache = |parts| &mut parts.growers;
const OF_PACKHOUSES: Cache = |parts| &mut parts.packhouses;

impl Growers {
    pub(super) fn new(options: &LabOptions) -> Self {
        let (capacity, ttl) = (options.cache_capacity, options.cache_ttl.as_nanos() as Nanos);
        let delay = options.origin_delay.as_nanos() as Nanos;
        Self { capacity, ttl, delay, parts: Mutex::new(Parts::new(capacity, ttl)) }
    }

    pub(super) fn reset(&self) {
        *lock(&self.parts) = Parts::new(self.capacity, self.ttl);
    }

    pub(super) fn stats(&self) -> Value {
        let parts = lock(&self.parts);
        let entries = parts.growers.len() + parts.packhouses.len();
        json!({ "hits": parts.hits, "misses": parts.misses, "entries": entries })
    }
}

impl Parts {
    fn new(capacity: std::num::NonZeroUsize, ttl: Nanos) -> Self {
        let (growers, packhouses) = (TtlLru::new(capacity, ttl), TtlLru::new(capacity, ttl));
        Self { growers, packhouses, changed: std::collections::HashMap::new(), hits: 0, misses: 0 }
    }

    fn grower(&self, id: u32) -> Value {
        let mut row = (GROWERS.row)(id);
        if let Some((name, version)) = self.changed.get(&id) {
            row["name"] = json!(name);
            row["version"] = json!(version);
        }
        row
    }
}

/// An answer, what the cache had to do with it, and its number of queries.
struct Answer {
    body: Bytes,
    cache: Option<&'static str>,
    queries: u32,
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut headers = HeaderMap::with_capacity(3);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(X_QUERY_COUNT, self.queries.into());
        if let Some(cache) = self.cache {
            headers.insert(X_CACHE, HeaderValue::from_static(cache));
        }
        (headers, self.body).into_response()
    }
}

#[derive(Debug, Deserialize)]
struct Page {
    limit: Option<u32>,
    #[serde(default)]
    offset: u32,
    #[serde(default)]
    loading: String,
    #[serde(default)]
    how: String,
}

impl Page {
    fn limit(&self) -> Result<u32, LabError> {
        let limit = self.limit.unwrap_or(PAGE);
        let is_page = (1..=PAGE_MAX).contains(&limit);
        is_page.then_some(limit).ok_or_else(|| LabError::invalid(format!("`limit` must be from 1 to {PAGE_MAX}")))
    }
}

/// Waits as long as so many queries take.
async fn ask_database(state: &Shared, queries: u32) {
    let delay = state.growers.delay;
    let took = delay.saturating_add(delay / FURTHER_QUERY * u64::from(queries.saturating_sub(1)));
    state.sleep_until(state.now().saturating_add(took)).await;
}

/// A value through a cache, by its key; `make` is what the database would answer.
async fn through(
    state: &Shared,
    cache: Cache,
    key: String,
    queries: u32,
    make: impl FnOnce(&Parts) -> Value,
) -> Answer {
    {
        let mut parts = lock(&state.growers.parts);
        if let Lookup::Hit { value: body, .. } = cache(&mut parts).get(state.now(), &key) {
            parts.hits += 1;
            return Answer { body, cache: Some("HIT"), queries: 0 };
        }
        parts.misses += 1;
    }
    ask_database(state, queries).await;
    let mut parts = lock(&state.growers.parts);
    let body: Bytes = make(&parts).to_string().into();
    cache(&mut parts).put(state.now(), key, body.clone());
    Answer { body, cache: Some("MISS"), queries }
}

/// A page of a listing, whose rows `row` makes.
fn page_of(listing: &Listing, limit: u32, offset: u32, row: impl Fn(u32) -> Value) -> Value {
    let first = offset.min(listing.rows) + 1;
    let last = (first - 1).saturating_add(limit).min(listing.rows);
    let items: Vec<Value> = (first..=last).map(row).collect();
    json!({ "items": items, "total": listing.rows, "limit": limit, "offset": offset })
}

/// A page that is not cached.
async fn fresh(state: &Shared, listing: &Listing, page: &Page, queries: u32) -> Result<Answer, LabError> {
    let limit = page.limit()?;
    ask_database(state, queries).await;
    let body = page_of(listing, limit, page.offset, listing.row).to_string().into();
    Ok(Answer { body, cache: None, queries })
}

async fn growers(_: Bearer, State(state): State<Shared>, Params(page): Params<Page>) -> Result<Answer, LabError> {
    let (limit, offset) = (page.limit()?, page.offset);
    let make = |parts: &Parts| page_of(&GROWERS, limit, offset, |id| parts.grower(id));
    Ok(through(&state, OF_GROWERS, format!("list {limit} {offset}"), 2, make).await)
}

async fn packhouses(_: Bearer, State(state): State<Shared>, Params(page): Params<Page>) -> Result<Answer, LabError> {
    let (limit, offset) = (page.limit()?, page.offset);
    let make = |_: &Parts| page_of(&PACKHOUSES, limit, offset, PACKHOUSES.row);
    Ok(through(&state, OF_PACKHOUSES, format!("list {limit} {offset}"), 2, make).await)
}

async fn batches(_: Bearer, State(state): State<Shared>, Params(page): Params<Page>) -> Result<Answer, LabError> {
    let queries = if page.loading == "lazy" { 2 + page.limit()? } else { 3 };
    fresh(&state, &BATCHES, &page, queries).await
}

async fn payments(_: Bearer, State(state): State<Shared>, Params(page): Params<Page>) -> Result<Answer, LabError> {
    fresh(&state, &PAYMENTS, &page, 2).await
}

async fn reconciliation(
    _: Bearer,
    State(state): State<Shared>,
    Params(page): Params<Page>,
) -> Result<Answer, LabError> {
    fresh(&state, &OWED, &page, if page.how == "scans" { 3 } else { 1 }).await
}

fn id_of(id: &str) -> Result<u32, LabError> {
    let known = id.parse().ok().filter(|id| (1..=GROWERS.rows).contains(id));
    known.ok_or_else(|| LabError::not_found("there is no such grower"))
}

async fn grower(_: Bearer, State(state): State<Shared>, Path(id): Path<String>) -> Result<Answer, LabError> {
    let id = id_of(&id)?;
    Ok(through(&state, OF_GROWERS, format!("one {id}"), 1, |parts| parts.grower(id)).await)
}

#[derive(Debug, Deserialize)]
struct Change {
    name: String,
}

async fn change(
    _: Bearer,
    State(state): State<Shared>,
    Path(id): Path<String>,
    JsonBody(change): JsonBody<Change>,
) -> Result<Json<Value>, LabError> {
    let id = id_of(&id)?;
    if change.name.is_empty() || change.name.len() > 200 {
        return Err(LabError::invalid("a name has from 1 to 200 bytes"));
    }
    ask_database(&state, 1).await;
    let mut parts = lock(&state.growers.parts);
    let version = parts.changed.get(&id).map_or(1, |(_, version)| *version) + 1;
    parts.changed.insert(id, (change.name, version));
    parts.growers.clear();
    Ok(Json(parts.grower(id)))
}

#[derive(Debug, Deserialize)]
struct Forget {
    prefix: String,
}

async fn invalidate(_: Bearer, State(state): State<Shared>, JsonBody(what): JsonBody<Forget>) -> Json<Value> {
    let mut parts = lock(&state.growers.parts);
    let of = |cache: &mut TtlLru<String, Bytes>, name: &str| {
        if [name, "*"].contains(&what.prefix.as_str()) { cache.clear() } else { 0 }
    };
    let forgotten = of(&mut parts.growers, "growers") + of(&mut parts.packhouses, "packhouses");
    Json(json!({ "forgotten": forgotten }))
}
