//! Rate limits: a token bucket (GCRA, by governor) and a fixed window, each per key.

use std::{
    num::{NonZeroU32, NonZeroUsize},
    sync::{Mutex, atomic::AtomicU64, atomic::Ordering::Relaxed},
    time::Duration,
};

use axum::{
    Json,
    extract::{ConnectInfo, FromRequestParts, State},
    http::{HeaderMap, StatusCode, header, request::Parts},
    routing::get,
};
use governor::{
    Quota, RateLimiter,
    clock::{Clock as _, DefaultClock},
    middleware::StateInformationMiddleware,
    state::keyed::HashMapStateStore,
};
use lru::LruCache;
use serde_json::{Value, json};

use super::{
    error::LabError,
    observe::Peer,
    options::LabOptions,
    routes::Endpoint,
    state::{Shared, lock},
};
use crate::clock::{Nanos, Rate, SECOND};

/// Keys remembered; beyond it the longest unused are forgotten.
const KEYS_MAX: usize = 100_000;

pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        methods: "GET",
        path: "/api/limited",
        example: "/api/limited",
        doc: "limited by --limit for each X-Api-Key or address, as a token bucket that refills steadily",
        route: || get(bucket),
    },
    Endpoint {
        methods: "GET",
        path: "/api/limited/window",
        example: "/api/limited/window",
        doc: "the same limit over a fixed window that begins with the first request",
        route: || get(window),
    },
];

type Bucket = RateLimiter<String, HashMapStateStore<String>, DefaultClock, StateInformationMiddleware>;

/// The limiters of a lab.
#[derive(Debug)]
pub(super) struct Limits {
    rate: Rate,
    bucket: Mutex<Bucket>,
    window: Mutex<FixedWindow>,
    pub(super) uploads: Option<Mutex<FixedWindow>>,
    granted: AtomicU64,
    refused: AtomicU64,
}

impl Limits {
    pub(super) fn new(options: &LabOptions) -> Self {
        let hourly = |events: u32| FixedWindow::new(Rate { events: u64::from(events), per: 3_600 * SECOND });
        Self {
            rate: options.limit,
            bucket: Mutex::new(new_bucket(options.limit)),
            window: Mutex::new(FixedWindow::new(options.limit)),
            uploads: options.uploads_per_hour.map(|limit| Mutex::new(hourly(limit))),
            granted: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        }
    }

    pub(super) fn reset(&self) {
        *lock(&self.bucket) = new_bucket(self.rate);
        lock(&self.window).keys.clear();
        if let Some(uploads) = &self.uploads {
            lock(uploads).keys.clear();
        }
        self.granted.store(0, Relaxed);
        self.refused.store(0, Relaxed);
    }

    pub(super) fn stats(&self) -> Value {
        json!({ "granted": self.granted.load(Relaxed), "refused": self.refused.load(Relaxed) })
    }

    fn take_token(&self, key: String) -> Decision {
        let bucket = lock(&self.bucket);
        if bucket.len() >= KEYS_MAX {
            // Keys whose bucket is full again are no different from unknown ones.
            bucket.retain_recent();
        }
        match bucket.check_key(&key) {
            Ok(snapshot) => Ok(u64::from(snapshot.remaining_burst_capacity())),
            Err(not_until) => Err(not_until.wait_time_from(DefaultClock::default().now()).as_nanos() as Nanos),
        }
    }

    fn answer(&self, limit: u64, decision: Decision) -> Result<(HeaderMap, Json<Value>), LabError> {
        match decision {
            Ok(_) => self.granted.fetch_add(1, Relaxed),
            Err(_) => self.refused.fetch_add(1, Relaxed),
        };
        let headers = rate_headers(limit, decision);
        match decision {
            Ok(remaining) => Ok((headers, Json(json!({ "status": "ok", "remaining": remaining })))),
            Err(_) => Err(refusal("the limit of this key is reached").with_headers(&headers)),
        }
    }
}

/// Requests left after this one, or the time to wait for the next.
pub(super) type Decision = Result<u64, Nanos>;

pub(super) fn refusal(message: &str) -> LabError {
    LabError::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", message)
}

/// `Retry-After` rounds up: who waits that long is served.
pub(super) fn rate_headers(limit: u64, decision: Decision) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(3);
    headers.insert("x-ratelimit-limit", limit.into());
    headers.insert("x-ratelimit-remaining", decision.unwrap_or(0).into());
    if let Err(wait) = decision {
        headers.insert(header::RETRY_AFTER, wait.div_ceil(SECOND).max(1).into());
    }
    headers
}

fn new_bucket(rate: Rate) -> Bucket {
    let burst = u32::try_from(rate.events).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MAX);
    // A period of zero is refused where the options are read.
    let period = Duration::from_nanos((rate.per / u64::from(burst.get())).max(1));
    let quota = Quota::with_period(period).map_or_else(|| Quota::per_second(burst), |quota| quota.allow_burst(burst));
    RateLimiter::hashmap(quota).with_middleware()
}

/// At most so many events in a window that begins with a key's first event, and then anew.
#[derive(Debug)]
pub(super) struct FixedWindow {
    rate: Rate,
    /// Start of the window, and the events in it.
    keys: LruCache<String, (Nanos, u64)>,
}

impl FixedWindow {
    pub(super) fn new(rate: Rate) -> Self {
        let capacity = NonZeroUsize::MIN.saturating_add(KEYS_MAX - 1);
        Self { rate, keys: LruCache::new(capacity) }
    }

    /// Begins anew for every key.
    pub(super) fn clear(&mut self) {
        self.keys.clear();
    }

    /// The events that a window holds.
    pub(super) fn limit(&self) -> u64 {
        self.rate.events
    }

    /// Counts an event of `key` at `now` (which never goes back), or refuses it.
    pub(super) fn check(&mut self, now: Nanos, key: String) -> Decision {
        let (start, count) = self.keys.get_or_insert_mut(key, || (now, 0));
        if now.saturating_sub(*start) >= self.rate.per {
            (*start, *count) = (now, 0);
        }
        if *count >= self.rate.events {
            return Err(start.saturating_add(self.rate.per).saturating_sub(now));
        }
        *count += 1;
        Ok(self.rate.events - *count)
    }
}

/// Whose limit a request counts against: its `X-Api-Key`, or else its address.
#[derive(Debug)]
pub(super) struct ApiKey(pub(super) String);

impl FromRequestParts<Shared> for ApiKey {
    type Rejection = LabError;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, LabError> {
        if let Some(key) = parts.headers.get("x-api-key").and_then(|value| value.to_str().ok()) {
            return Ok(Self(format!("key {key}")));
        }
        let peer = parts.extensions.get::<ConnectInfo<Peer>>();
        Ok(Self(peer.map_or_else(String::new, |ConnectInfo(peer)| format!("address {}", peer.ip))))
    }
}

async fn bucket(State(state): State<Shared>, ApiKey(key): ApiKey) -> Result<(HeaderMap, Json<Value>), LabError> {
    let decision = state.limits.take_token(key);
    state.limits.answer(state.limits.rate.events, decision)
}

async fn window(State(state): State<Shared>, ApiKey(key): ApiKey) -> Result<(HeaderMap, Json<Value>), LabError> {
    let decision = lock(&state.limits.window).check(state.now(), key);
    state.limits.answer(state.limits.rate.events, decision)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Rate = Rate { events: 100, per: 60 * SECOND };

    #[test]
    fn a_window_grants_its_limit_and_tells_when_the_next_begins() {
        let mut window = FixedWindow::new(LIMIT);
        for n in 0..100 {
            assert_eq!(window.check(n * SECOND / 10, "a".to_owned()), Ok(99 - n));
        }
        assert_eq!(window.check(20 * SECOND, "a".to_owned()), Err(40 * SECOND));
        assert_eq!(window.check(60 * SECOND - 1, "a".to_owned()), Err(1));
        assert_eq!(window.check(20 * SECOND, "b".to_owned()), Ok(99), "keys do not share");
        assert_eq!(window.check(60 * SECOND, "a".to_owned()), Ok(99));
    }

    #[test]
    fn a_wait_is_rounded_up_to_whole_seconds() {
        for (wait, seconds) in [(1, "1"), (SECOND, "1"), (SECOND + 1, "2")] {
            assert_eq!(rate_headers(5, Err(wait))[header::RETRY_AFTER], seconds);
        }
        assert!(!rate_headers(5, Ok(3)).contains_key(header::RETRY_AFTER));
    }

    #[test]
    fn a_bucket_grants_its_burst_and_then_refuses() {
        let limit = Rate { events: 100, per: 3_600 * SECOND };
        let limits = Limits::new(&LabOptions { limit, ..LabOptions::default() });
        let granted = (0..150).filter(|_| limits.take_token("a".to_owned()).is_ok()).count();
        assert_eq!(granted, 100);
        let wait = limits.take_token("a".to_owned()).expect_err("the burst is used up");
        assert!(wait > 0 && wait <= 36 * SECOND, "{wait}");
        limits.reset();
        assert_eq!(limits.take_token("a".to_owned()), Ok(99));
    }
}
