//! An item as it is asked for: through the cache, which fetches it from a slow origin.

use axum::{
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use tokio::sync::watch;

use super::{super::cache::Lookup, Key, parse_id};
use crate::{
    clock::SECOND,
    lab::{
        auth::{Admitted, Bearer},
        error::{LabError, Params},
        state::{Shared, lock},
    },
};

/// What the origin answers, and the cache keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Bytes,
}

/// How an answer came about: the value of `X-Cache`, and of `Cache-Status` (RFC 9211).
pub(super) struct Served {
    answer: Answer,
    x_cache: &'static str,
    cache_status: String,
    age: Option<u64>,
}

impl IntoResponse for Served {
    fn into_response(self) -> Response {
        let mut headers = HeaderMap::with_capacity(4);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert("x-cache", HeaderValue::from_static(self.x_cache));
        if let Ok(value) = HeaderValue::from_str(&self.cache_status) {
            headers.insert("cache-status", value);
        }
        if let Some(age) = self.age {
            headers.insert(header::AGE, age.into());
        }
        (self.answer.status, headers, self.answer.body).into_response()
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct ShowQuery {
    #[serde(default)]
    nocache: u8,
    #[serde(default)]
    stamp: u8,
    #[serde(default)]
    personal: u8,
}

/// What is asked for.
#[derive(Debug, Clone)]
struct Asked {
    key: Key,
    /// The number of the fetch goes into the answer.
    stamped: bool,
    /// Whom the answer is for, if it is for somebody.
    viewer: Option<String>,
}

/// What a lookup leads to.
enum Next {
    Answer(Served),
    /// Ask the origin for this request alone.
    Fetch {
        cache_status: String,
        /// Of the cache that keeps the answer; none where none does.
        generation: Option<u64>,
        x_cache: &'static str,
    },
    /// Wait for a fetch that requests share.
    Share {
        cache_status: String,
        fetched: watch::Receiver<Option<Answer>>,
    },
}

pub(super) async fn show(
    _: Admitted,
    State(state): State<Shared>,
    Path(id): Path<String>,
    Params(query): Params<ShowQuery>,
    bearer: Result<Bearer, LabError>,
) -> Result<Served, LabError> {
    let id = parse_id(&id)?;
    let viewer = if query.personal == 0 { None } else { Some(bearer?.0.sub) };
    // A cache that leaks does not look at who asks.
    let owner = viewer.clone().filter(|_| !state.options.leaky);
    let asked = Asked { key: Key { id, owner }, stamped: query.stamp != 0, viewer };
    let next = if query.nocache != 0 { bypass(&state) } else { look_up(&state, &asked) };
    let (answer, cache_status, x_cache) = match next {
        Next::Answer(served) => return Ok(served),
        Next::Fetch { cache_status, generation, x_cache } => {
            (fetch(&state, &asked, generation).await, cache_status, x_cache)
        }
        Next::Share { cache_status, mut fetched } => {
            // The sender is lost only when the lab shuts down during the fetch.
            let gone = || LabError::new(StatusCode::BAD_GATEWAY, "origin", "the origin did not answer");
            let answer = fetched.wait_for(Option::is_some).await.map_err(|_| gone())?.clone();
            (answer.ok_or_else(gone)?, cache_status, "MISS")
        }
    };
    Ok(Served { answer, x_cache, cache_status, age: None })
}

fn bypass(state: &Shared) -> Next {
    lock(&state.items.catalogue).counts.bypassed += 1;
    Next::Fetch { cache_status: "lab; fwd=bypass".to_owned(), generation: None, x_cache: "BYPASS" }
}

fn look_up(state: &Shared, asked: &Asked) -> Next {
    let now = state.now();
    let ttl = state.items.ttl;
    let mut catalogue = lock(&state.items.catalogue);
    if catalogue.down {
        drop(catalogue);
        return bypass(state);
    }
    let why = match catalogue.cache.get(now, &asked.key) {
        Lookup::Hit { value: answer, age } => {
            catalogue.counts.hits += 1;
            let cache_status = format!("lab; hit; ttl={}", (ttl - age) / SECOND);
            return Next::Answer(Served { answer, x_cache: "HIT", cache_status, age: Some(age / SECOND) });
        }
        Lookup::Expired => {
            catalogue.counts.expired += 1;
            "stale"
        }
        Lookup::Absent => "uri-miss",
    };
    catalogue.counts.misses += 1;
    if let Some(fetched) = catalogue.pending.get(&asked.key).cloned() {
        catalogue.counts.collapsed += 1;
        return Next::Share { cache_status: "lab; fwd=uri-miss; collapsed".to_owned(), fetched };
    }
    let cache_status = format!("lab; fwd={why}; stored; ttl={}", ttl / SECOND);
    let generation = catalogue.generation;
    if !state.items.coalesce {
        return Next::Fetch { cache_status, generation: Some(generation), x_cache: "MISS" };
    }
    let (sender, fetched) = watch::channel(None);
    catalogue.pending.insert(asked.key.clone(), fetched.clone());
    // In a task of its own: others wait for it, even if this client leaves.
    let (state, asked) = (state.clone(), asked.clone());
    tokio::spawn(async move {
        let answer = fetch(&state, &asked, Some(generation)).await;
        let mut catalogue = lock(&state.items.catalogue);
        if catalogue.generation == generation {
            catalogue.pending.remove(&asked.key);
        }
        drop(catalogue);
        sender.send_replace(Some(answer));
    });
    Next::Share { cache_status, fetched }
}

/// Asks the origin, and stores the answer if the cache is still of the generation given.
async fn fetch(state: &Shared, asked: &Asked, store: Option<u64>) -> Answer {
    let id = asked.key.id;
    let options = &state.options;
    let stamp = |fetches: u64| asked.stamped.then_some(fetches);
    let viewer = asked.viewer.as_deref();
    let (number, early) = {
        let mut catalogue = lock(&state.items.catalogue);
        catalogue.counts.fetches += 1;
        let number = catalogue.counts.fetches;
        // A racy origin reads first and takes its time then; a change in between is overtaken.
        (number, options.racy.then(|| catalogue.render(id, viewer, stamp(number))))
    };
    let drift = options.origin_drift.as_nanos() as u64 * (number - 1);
    state.sleep_until(state.now().saturating_add(state.items.delay).saturating_add(drift)).await;
    let mut catalogue = lock(&state.items.catalogue);
    let fails = options.origin_errors.is_some_and(|every| id.is_multiple_of(every.get()));
    let answer = if fails {
        let body = Bytes::from_static(b"{\"error\":\"the origin fails for this item\"}");
        Answer { status: StatusCode::INTERNAL_SERVER_ERROR, body }
    } else {
        let body = early.unwrap_or_else(|| catalogue.render(id, viewer, stamp(number)));
        Answer { status: StatusCode::OK, body }
    };
    if store == Some(catalogue.generation) && !catalogue.down {
        catalogue.cache.put(state.now(), asked.key.clone(), answer.clone());
    }
    answer
}
