//! A catalogue of a million items behind a cache and a slow origin: what cache experiments run against.

mod show;

use std::{collections::HashMap, sync::Mutex};

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State},
    http::Method,
    routing::{get, put},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::watch;

use self::show::{Answer, show};
use super::{
    auth::{Admitted, Bearer},
    cache::TtlLru,
    error::{JsonBody, LabError, Params},
    options::LabOptions,
    routes::Endpoint,
    state::{Shared, lock},
};
use crate::clock::Nanos;

/// Items have ids from 1 to this.
const ITEMS: u32 = 1_000_000;
/// The longest page of a listing.
const PAGE_MAX: u32 = 100;

pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        methods: "GET",
        path: "/api/items",
        example: "/api/items?limit=3&offset=10",
        doc: "a page of items by `limit` and `offset`, or by `cursor` (empty for the first page)",
        route: || get(list),
    },
    Endpoint {
        methods: "GET, PUT, PURGE",
        path: "/api/items/{id}",
        example: "/api/items/42",
        doc: "an item, through the cache (`nocache=1` goes past it, `stamp=1` puts the number of the fetch in, `personal=1` \
              whose bearer token it was); PUT {name, price_cents} needs a bearer token",
        route: || get(show).put(update).fallback(purge_item),
    },
    Endpoint {
        methods: "PURGE, PUT",
        path: "/cache",
        example: "/cache",
        doc: "PURGE empties the cache; PUT {up: false} takes it down, {up: true} starts it again, empty",
        route: || put(power).fallback(purge_all),
    },
];

/// An item as it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Item {
    id: u32,
    sku: String,
    name: String,
    price_cents: u32,
    version: u32,
}

impl Item {
    /// The item before anybody changed it: a pure function of its id.
    fn original(id: u32) -> Self {
        let price_cents = 99 + id.wrapping_mul(2_654_435_761) % 20_000;
        Self { id, sku: format!("SKU-{id:07}"), name: format!("Item {id}"), price_cents, version: 1 }
    }
}

/// An item with what a request asks for besides.
#[derive(Debug, Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    item: Item,
    #[serde(skip_serializing_if = "Option::is_none")]
    viewer: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fetch: Option<u64>,
}

/// The catalogue and what is before it.
#[derive(Debug)]
pub(super) struct Items {
    capacity: std::num::NonZeroUsize,
    ttl: Nanos,
    delay: Nanos,
    coalesce: bool,
    catalogue: Mutex<Catalogue>,
}

/// One lock for origin and cache, so that a change can never be overtaken by a fetch that read the old version.
#[derive(Debug)]
struct Catalogue {
    cache: TtlLru<Key, Answer>,
    /// Items that differ from [`Item::original`]; at most as many as there are items.
    changed: HashMap<u32, Item>,
    /// Fetches under way that others may share; empty until one is done.
    pending: HashMap<Key, watch::Receiver<Option<Answer>>>,
    /// The cache does not answer: every request goes to the origin.
    down: bool,
    /// Changes that were acknowledged.
    changes: u64,
    /// Raised by every reset, so that a fetch from before it stores nothing.
    generation: u64,
    counts: Counts,
}

/// What an entry is kept under.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    id: u32,
    /// Whom the answer is for, where it is for one alone.
    owner: Option<String>,
}

impl Key {
    fn of(id: u32) -> Self {
        Self { id, owner: None }
    }
}

/// What the cache did.
#[derive(Debug, Default, Clone, Copy)]
struct Counts {
    hits: u64,
    misses: u64,
    expired: u64,
    collapsed: u64,
    bypassed: u64,
    fetches: u64,
}

impl Items {
    pub(super) fn new(options: &LabOptions) -> Self {
        let (capacity, ttl) = (options.cache_capacity, options.cache_ttl.as_nanos() as Nanos);
        Self {
            capacity,
            ttl,
            delay: options.origin_delay.as_nanos() as Nanos,
            coalesce: options.coalesce,
            catalogue: Mutex::new(Catalogue::new(capacity, ttl)),
        }
    }

    pub(super) fn reset(&self) {
        let mut catalogue = lock(&self.catalogue);
        let generation = catalogue.generation + 1;
        *catalogue = Catalogue { generation, ..Catalogue::new(self.capacity, self.ttl) };
    }

    pub(super) fn stats(&self) -> Value {
        let catalogue = lock(&self.catalogue);
        let counts = catalogue.counts;
        json!({
            "hits": counts.hits,
            "misses": counts.misses,
            "expired": counts.expired,
            "collapsed": counts.collapsed,
            "bypassed": counts.bypassed,
            "origin_fetches": counts.fetches,
            "entries": catalogue.cache.len(),
            "evictions": catalogue.cache.evictions(),
        })
    }
}

impl Catalogue {
    fn new(capacity: std::num::NonZeroUsize, ttl: Nanos) -> Self {
        Self {
            cache: TtlLru::new(capacity, ttl),
            changed: HashMap::new(),
            pending: HashMap::new(),
            down: false,
            changes: 0,
            generation: 0,
            counts: Counts::default(),
        }
    }

    fn item(&self, id: u32) -> Item {
        self.changed.get(&id).cloned().unwrap_or_else(|| Item::original(id))
    }

    fn render(&self, id: u32, viewer: Option<&str>, stamp: Option<u64>) -> Bytes {
        let shown = Shown { item: self.item(id), viewer, fetch: stamp };
        // A struct of numbers and texts cannot fail to serialise.
        serde_json::to_vec(&shown).unwrap_or_default().into()
    }
}

fn parse_id(id: &str) -> Result<u32, LabError> {
    id.parse().ok().filter(|id| (1..=ITEMS).contains(id)).ok_or_else(|| LabError::not_found("there is no such item"))
}

#[derive(Debug, Deserialize)]
struct Change {
    name: Option<String>,
    price_cents: Option<u32>,
}

async fn update(
    _: Bearer,
    State(state): State<Shared>,
    Path(id): Path<String>,
    JsonBody(change): JsonBody<Change>,
) -> Result<Json<Item>, LabError> {
    let id = parse_id(&id)?;
    if change.name.as_ref().is_some_and(|name| name.is_empty() || name.len() > 200) {
        return Err(LabError::invalid("a name has from 1 to 200 bytes"));
    }
    let mut catalogue = lock(&state.items.catalogue);
    let mut item = catalogue.item(id);
    item.version += 1;
    item.name = change.name.unwrap_or(item.name);
    item.price_cents = change.price_cents.unwrap_or(item.price_cents);
    catalogue.changes += 1;
    if state.options.lose_every.is_some_and(|every| catalogue.changes.is_multiple_of(every.get())) {
        // Acknowledged, and forgotten.
        return Ok(Json(item));
    }
    catalogue.changed.insert(id, item.clone());
    let generation = catalogue.generation;
    if state.options.stale_for.is_zero() {
        catalogue.cache.remove(&Key::of(id));
    } else {
        drop(catalogue);
        let end = state.now().saturating_add(state.options.stale_for.as_nanos() as Nanos);
        tokio::spawn(async move {
            state.sleep_until(end).await;
            let mut catalogue = lock(&state.items.catalogue);
            if catalogue.generation == generation {
                catalogue.cache.remove(&Key::of(id));
            }
        });
    }
    Ok(Json(item))
}

#[derive(Debug, Deserialize)]
struct Power {
    up: bool,
}

async fn power(State(state): State<Shared>, JsonBody(power): JsonBody<Power>) -> Json<Value> {
    let mut catalogue = lock(&state.items.catalogue);
    catalogue.down = !power.up;
    let lost = catalogue.cache.clear();
    Json(json!({ "up": power.up, "lost": lost }))
}

async fn purge_item(
    method: Method,
    State(state): State<Shared>,
    Path(id): Path<String>,
) -> Result<Json<Value>, LabError> {
    demand_purge(&method)?;
    let id = parse_id(&id)?;
    let was_cached = lock(&state.items.catalogue).cache.remove(&Key::of(id));
    Ok(Json(json!({ "purged": u8::from(was_cached) })))
}

async fn purge_all(method: Method, State(state): State<Shared>) -> Result<Json<Value>, LabError> {
    demand_purge(&method)?;
    let count = lock(&state.items.catalogue).cache.clear();
    Ok(Json(json!({ "purged": count })))
}

/// `PURGE` is no method that the router could be told of.
fn demand_purge(method: &Method) -> Result<(), LabError> {
    if method.as_str() == "PURGE" { Ok(()) } else { Err(LabError::method_not_allowed()) }
}

#[derive(Debug, Deserialize)]
struct ListQuery {
    limit: Option<u32>,
    #[serde(default)]
    offset: u32,
    cursor: Option<String>,
}

async fn list(
    _: Admitted,
    State(state): State<Shared>,
    Params(query): Params<ListQuery>,
) -> Result<Json<Value>, LabError> {
    let limit = query.limit.unwrap_or(20);
    if !(1..=PAGE_MAX).contains(&limit) {
        return Err(LabError::bad_request(format!("`limit` must be from 1 to {PAGE_MAX}")));
    }
    let skip = match query.cursor.as_deref() {
        None | Some("") => query.offset,
        Some(cursor) => read_cursor(cursor).ok_or_else(|| LabError::bad_request("`cursor` is none the lab gave"))?,
    };
    let first = skip.min(ITEMS) + 1;
    let last = (first - 1).saturating_add(limit).min(ITEMS);
    let catalogue = lock(&state.items.catalogue);
    let items: Vec<Item> = (first..=last).map(|id| catalogue.item(id)).collect();
    drop(catalogue);
    Ok(Json(match query.cursor {
        None => json!({ "items": items, "total": ITEMS, "limit": limit, "offset": query.offset }),
        Some(_) => json!({ "items": items, "next_cursor": (last < ITEMS).then(|| write_cursor(last)) }),
    }))
}

/// A cursor names the last item of its page, in a form that nobody is tempted to count with.
fn write_cursor(last: u32) -> String {
    format!("c{:x}", last.rotate_left(7) ^ 0x5eed_cafe)
}

fn read_cursor(cursor: &str) -> Option<u32> {
    let number = u32::from_str_radix(cursor.strip_prefix('c')?, 16).ok()?;
    Some((number ^ 0x5eed_cafe).rotate_right(7)).filter(|last| *last <= ITEMS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_the_text_and_a_forged_one_is_found_out() {
        for last in [1, 20, 999, ITEMS] {
            assert_eq!(read_cursor(&write_cursor(last)), Some(last));
        }
        for forged in ["", "c", "20", "cffffffff", "czz"] {
            assert_eq!(read_cursor(forged), None, "{forged}");
        }
    }
}
