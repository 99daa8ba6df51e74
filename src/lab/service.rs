//! Servers whose behaviour is known exactly, so that what a load generator reports can be checked: fixed and
//! random service times, a single-server queue, a stall, a loss system.
//!
//! Departures are computed from arrival stamps, not from when a task happened to run, and every answer tells
//! its own truth in nanoseconds. Answers leave within about 0.1 ms of their departure (see
//! [`super::timer`]) where a processor is free.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    sync::Mutex,
};

use axum::{Extension, Json, extract::State, http::StatusCode, routing::any};
use rand::{RngExt, SeedableRng, seq::SliceRandom};
use rand_distr::Exp1;
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    error::{LabError, Millis, Params},
    log::fnv1a,
    observe::Arrival,
    routes::Endpoint,
    state::{Shared, lock, stall_end},
};
use crate::clock::{MILLISECOND, Nanos, SECOND};

/// The longest permutation, and how many different ones are kept.
const PERMUTATION_MAX: u32 = 1_000_000;
const PERMUTATIONS_MAX: usize = 16;
/// The longest line of the queue, in time: who would wait longer is turned away.
const BACKLOG_MAX: Nanos = 3_600 * SECOND;
/// The most servers of the loss system.
const SLOTS_MAX: usize = 100_000;

pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        methods: "any",
        path: "/lab/fixed",
        example: "/lab/fixed?ms=0.2",
        doc: "takes exactly `ms`, however many at once",
        route: || any(fixed),
    },
    Endpoint {
        methods: "any",
        path: "/lab/exponential",
        example: "/lab/exponential?mean_ms=0.2",
        doc: "takes an exponential time of mean `mean_ms`, however many at once",
        route: || any(exponential),
    },
    Endpoint {
        methods: "any",
        path: "/lab/permuted",
        example: "/lab/permuted?n=3",
        doc: "takes 1 to `n` ms: each of them once in any n requests in a row, in a random order",
        route: || any(permuted),
    },
    Endpoint {
        methods: "any",
        path: "/lab/queue",
        example: "/lab/queue?ms=0.2",
        doc: "one server, first come first served, busy for `ms` or for an exponential time of `mean_ms`",
        route: || any(queue),
    },
    Endpoint {
        methods: "any",
        path: "/lab/stall",
        example: "/lab/stall?at_s=60&for_ms=1",
        doc: "answers at once, but for a stall of `for_ms` that begins `at_s` after the first request",
        route: || any(stall),
    },
    Endpoint {
        methods: "any",
        path: "/lab/slots",
        example: "/lab/slots?k=2&ms=0.2",
        doc: "`k` servers, each busy for `ms`; answers 503 at once when all are",
        route: || any(slots),
    },
];

/// Seeded random times: the i-th draw of a stream is the same in every run.
#[derive(Debug)]
pub(super) struct Draws {
    seed: u64,
    random: Mutex<Xoshiro256PlusPlus>,
}

impl Draws {
    /// `stream` keeps draws for different purposes independent of each other.
    pub(super) fn new(seed: u64, stream: &str) -> Self {
        let seed = seed ^ fnv1a(stream.as_bytes());
        Self { seed, random: Mutex::new(Xoshiro256PlusPlus::seed_from_u64(seed)) }
    }

    pub(super) fn reset(&self) {
        *lock(&self.random) = Xoshiro256PlusPlus::seed_from_u64(self.seed);
    }

    /// The next exponential time of this mean.
    pub(super) fn exponential(&self, mean: Nanos) -> Nanos {
        let unit: f64 = lock(&self.random).sample(Exp1);
        (unit * mean as f64).round() as Nanos
    }
}

/// The state of the servers.
#[derive(Debug)]
pub(super) struct Services {
    seed: u64,
    exponential: Draws,
    queue_draws: Draws,
    queue: Mutex<SingleServer>,
    permutations: Mutex<HashMap<u32, Permutation>>,
    stall_first: Mutex<Option<Nanos>>,
    slots: Mutex<LossSystem>,
}

impl Services {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            seed,
            exponential: Draws::new(seed, "exponential"),
            queue_draws: Draws::new(seed, "queue"),
            queue: Mutex::default(),
            permutations: Mutex::default(),
            stall_first: Mutex::default(),
            slots: Mutex::default(),
        }
    }

    pub(super) fn reset(&self) {
        self.exponential.reset();
        self.queue_draws.reset();
        *lock(&self.queue) = SingleServer::default();
        lock(&self.permutations).clear();
        *lock(&self.stall_first) = None;
        *lock(&self.slots) = LossSystem::default();
    }
}

/// One server that works first come, first served.
#[derive(Debug, Default)]
struct SingleServer {
    free_at: Nanos,
}

impl SingleServer {
    /// When a request leaves: Lindley's recursion, departure = max(arrival, previous departure) + service.
    fn admit(&mut self, arrival: Nanos, service: Nanos) -> Nanos {
        self.free_at = self.free_at.max(arrival) + service;
        self.free_at
    }
}

/// Servers without a waiting room (M/G/k/k): who finds all of them busy is lost.
#[derive(Debug, Default)]
struct LossSystem {
    departures: BinaryHeap<Reverse<Nanos>>,
}

impl LossSystem {
    /// When a request leaves, or nothing where all `k` servers are busy at its arrival.
    fn admit(&mut self, arrival: Nanos, service: Nanos, k: usize) -> Option<Nanos> {
        while self.departures.peek().is_some_and(|Reverse(departure)| *departure <= arrival) {
            self.departures.pop();
        }
        (self.departures.len() < k).then(|| {
            self.departures.push(Reverse(arrival + service));
            arrival + service
        })
    }
}

/// The numbers 1 to n in a random order, again and again.
#[derive(Debug)]
struct Permutation {
    order: Vec<u32>,
    next: usize,
}

impl Permutation {
    fn new(n: u32, seed: u64) -> Self {
        let mut order: Vec<u32> = (1..=n).collect();
        order.shuffle(&mut Xoshiro256PlusPlus::seed_from_u64(seed ^ fnv1a(b"permuted") ^ u64::from(n)));
        Self { order, next: 0 }
    }

    fn draw(&mut self) -> u32 {
        let value = self.order[self.next];
        self.next = (self.next + 1) % self.order.len();
        value
    }
}

/// Waits for the departure, then tells arrival, departure and service time.
async fn depart(state: &Shared, arrival: Nanos, departure: Nanos, service: Nanos) -> Json<Value> {
    state.sleep_until(departure).await;
    Json(json!({ "arrival_ns": arrival, "departure_ns": departure, "service_ns": service }))
}

#[derive(Debug, Deserialize)]
struct FixedQuery {
    ms: Millis,
}

async fn fixed(
    State(state): State<Shared>,
    Extension(Arrival(arrival)): Extension<Arrival>,
    Params(query): Params<FixedQuery>,
) -> Json<Value> {
    let service = query.ms.as_nanos();
    depart(&state, arrival, arrival + service, service).await
}

#[derive(Debug, Deserialize)]
struct ExponentialQuery {
    mean_ms: Millis,
}

async fn exponential(
    State(state): State<Shared>,
    Extension(Arrival(arrival)): Extension<Arrival>,
    Params(query): Params<ExponentialQuery>,
) -> Json<Value> {
    let service = state.services.exponential.exponential(query.mean_ms.as_nanos());
    depart(&state, arrival, arrival + service, service).await
}

#[derive(Debug, Deserialize)]
struct PermutedQuery {
    n: u32,
}

async fn permuted(
    State(state): State<Shared>,
    Extension(Arrival(arrival)): Extension<Arrival>,
    Params(query): Params<PermutedQuery>,
) -> Result<Json<Value>, LabError> {
    if !(1..=PERMUTATION_MAX).contains(&query.n) {
        return Err(LabError::bad_request(format!("`n` must be from 1 to {PERMUTATION_MAX}")));
    }
    let ms = {
        let mut permutations = lock(&state.services.permutations);
        if permutations.len() >= PERMUTATIONS_MAX && !permutations.contains_key(&query.n) {
            return Err(LabError::bad_request(format!("at most {PERMUTATIONS_MAX} different `n`, until a reset")));
        }
        let seed = state.services.seed;
        permutations.entry(query.n).or_insert_with(|| Permutation::new(query.n, seed)).draw()
    };
    let service = u64::from(ms) * MILLISECOND;
    Ok(depart(&state, arrival, arrival + service, service).await)
}

#[derive(Debug, Deserialize)]
struct QueueQuery {
    ms: Option<Millis>,
    mean_ms: Option<Millis>,
}

async fn queue(
    State(state): State<Shared>,
    Extension(Arrival(arrival)): Extension<Arrival>,
    Params(query): Params<QueueQuery>,
) -> Result<Json<Value>, LabError> {
    let (departure, service) = {
        // Drawn under the lock, so that the i-th request in line gets the i-th draw.
        let mut server = lock(&state.services.queue);
        let service = match (query.ms, query.mean_ms) {
            (Some(ms), None) => ms.as_nanos(),
            (None, Some(mean)) => state.services.queue_draws.exponential(mean.as_nanos()),
            _ => return Err(LabError::bad_request("either `ms` or `mean_ms` is needed")),
        };
        if server.free_at > arrival.saturating_add(BACKLOG_MAX) {
            let message = "the line is longer than an hour; POST /lab/reset clears it";
            return Err(LabError::new(StatusCode::SERVICE_UNAVAILABLE, "queue_full", message));
        }
        (server.admit(arrival, service), service)
    };
    Ok(depart(&state, arrival, departure, service).await)
}

#[derive(Debug, Deserialize)]
struct StallQuery {
    at_s: f64,
    for_ms: Millis,
}

async fn stall(
    State(state): State<Shared>,
    Extension(Arrival(arrival)): Extension<Arrival>,
    Params(query): Params<StallQuery>,
) -> Result<Json<Value>, LabError> {
    if !(0.0..=86_400.0).contains(&query.at_s) {
        return Err(LabError::bad_request("`at_s` must be from 0 to 86400"));
    }
    let first = {
        let mut first = lock(&state.services.stall_first);
        let earliest = first.map_or(arrival, |earlier| earlier.min(arrival));
        *first = Some(earliest);
        earliest
    };
    let at = (query.at_s * SECOND as f64).round() as Nanos;
    let departure = stall_end(arrival, first, at, query.for_ms.as_nanos()).unwrap_or(arrival);
    Ok(depart(&state, arrival, departure, 0).await)
}

#[derive(Debug, Deserialize)]
struct SlotsQuery {
    k: usize,
    ms: Millis,
}

async fn slots(
    State(state): State<Shared>,
    Extension(Arrival(arrival)): Extension<Arrival>,
    Params(query): Params<SlotsQuery>,
) -> Result<Json<Value>, LabError> {
    if !(1..=SLOTS_MAX).contains(&query.k) {
        return Err(LabError::bad_request(format!("`k` must be from 1 to {SLOTS_MAX}")));
    }
    let service = query.ms.as_nanos();
    let admitted = lock(&state.services.slots).admit(arrival, service, query.k);
    match admitted {
        Some(departure) => Ok(depart(&state, arrival, departure, service).await),
        None => Err(LabError::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "all servers are busy")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Lindley: the wait of a request is max(0, wait before + service before − time between).
        #[test]
        fn departures_follow_from_waits(jobs in prop::collection::vec((0u64..1_000, 0u64..1_000), 1..100)) {
            let mut server = SingleServer::default();
            let (mut arrival, mut wait, mut before) = (0u64, 0u64, None::<u64>);
            for (gap, service) in jobs {
                arrival += gap;
                if let Some(service_before) = before {
                    wait = (wait + service_before).saturating_sub(gap);
                }
                prop_assert_eq!(server.admit(arrival, service), arrival + wait + service);
                before = Some(service);
            }
        }

        #[test]
        fn a_loss_system_never_has_more_than_k_in_service(
            gaps in prop::collection::vec(0u64..100, 1..200), k in 1usize..5, service in 1u64..300,
        ) {
            let mut system = LossSystem::default();
            let mut served: Vec<Nanos> = Vec::new();
            let mut arrival = 0;
            for gap in gaps {
                arrival += gap;
                let busy = served.iter().filter(|departure| **departure > arrival).count();
                let admitted = system.admit(arrival, service, k);
                prop_assert_eq!(admitted, (busy < k).then_some(arrival + service));
                served.extend(admitted);
            }
        }

        #[test]
        fn a_permutation_holds_each_number_once_in_every_round(n in 1u32..300, seed: u64) {
            let mut permutation = Permutation::new(n, seed);
            for _ in 0..2 {
                let mut round: Vec<u32> = (0..n).map(|_| permutation.draw()).collect();
                round.sort_unstable();
                prop_assert_eq!(round, (1..=n).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn draws_repeat_from_the_seed_and_have_the_mean_asked_for() {
        let draws = Draws::new(7, "x");
        let first: Vec<Nanos> = (0..20_000).map(|_| draws.exponential(1_000_000)).collect();
        let mean = first.iter().sum::<u64>() as f64 / first.len() as f64;
        // The standard error is mean/√n = 0.7 %; five of them.
        assert!((mean / 1e6 - 1.0).abs() < 0.035, "{mean}");
        draws.reset();
        assert_eq!(draws.exponential(1_000_000), first[0]);
        assert_ne!(Draws::new(8, "x").exponential(1_000_000), first[0]);
        assert_ne!(Draws::new(7, "y").exponential(1_000_000), first[0]);
    }
}
