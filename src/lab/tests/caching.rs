//! What loadr says of a cache against what theory says: the lab's cache behind the whole engine, in simulated time.

use std::{cell::RefCell, num::NonZeroUsize, rc::Rc, time::Duration};

use rand::SeedableRng;
use rand_distr::{Distribution, Zipf};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::{
    clock::{MILLISECOND, Nanos, Rate, SECOND},
    engine::{
        Worker, WorkerParts,
        flow::{Call, Fault, FlowRun, Reply, Script},
        host::simulate,
        sim::{Answer, SimulatedTransport},
        user::User,
    },
    judge::CacheCounts,
    lab::cache::{Lookup, TtlLru},
    measure::{Recorder, Totals},
    pace::Segment,
    plan::{
        Arrivals, Body, Classify, ClosureId, Deal, Drawers, Escape, Expect, Generator, GeneratorId, Load, Mix,
        MixEntry, MixId, Phase, PhaseId, Piece, Place, Plan, Save, Step, Target, Template, TemplateId, Text,
    },
    protocol::{BufferPool, TargetId},
    stats::Popularity,
};

/// A script without closures.
struct Templates;

impl Script for Templates {
    fn begin(&self, _: Call, _: &Rc<User>) -> Box<dyn FlowRun> {
        unreachable!("the plan has no flows")
    }

    fn check(&self, _: ClosureId, _: &Rc<Reply>, _: &Rc<User>) -> Result<bool, Fault> {
        Ok(true)
    }

    fn classify(&self, _: ClosureId, _: &Rc<Reply>, _: &Rc<User>) -> Result<String, Fault> {
        Ok("unknown".to_owned())
    }

    fn save(&self, _: &Save, _: &Rc<Reply>, _: &Rc<User>) -> Result<bool, Fault> {
        Ok(true)
    }
}

/// `get("/{keys}").classify(cache_status())`, at Poisson arrivals.
fn plan(keys: Generator, per_second: u64, length: Duration) -> Plan {
    let url = "http://127.0.0.1:1".parse().expect("a valid address");
    let template = Template {
        name: "item".into(),
        method: "GET".into(),
        target: TargetId(0),
        path: Text(vec![Piece::Literal("/".into()), Piece::Draw(GeneratorId(0), Escape::Path)]),
        query: vec![],
        headers: vec![],
        cookies: vec![],
        body: Body::None,
        timeout: None,
        expect: Expect::default(),
        checks: vec![],
        classify: Some(Classify::CacheStatus),
        saves: vec![],
        no_redirect: false,
        discard_body: false,
        version: None,
        at: Place::default(),
    };
    let load = Load::Rate(vec![(Duration::ZERO, Rate::per_second(per_second))]);
    let phase = Phase { duration: Some(length), arrivals: Arrivals::Poisson, ..Phase::new("steady", MixId(0), load) };
    let entry = MixEntry { weight: 1.0, step: Step::Template(TemplateId(0)) };
    Plan {
        targets: vec![Target::new(url, Place::default())],
        generators: vec![keys],
        templates: vec![template],
        mixes: vec![Mix { entries: vec![entry], deal: Deal::Deck, at: Place::default() }],
        phases: vec![phase],
        ..Plan::default()
    }
}

fn key(wire: &[u8]) -> u64 {
    let text = String::from_utf8_lossy(wire);
    text.split(' ').nth(1).and_then(|path| path.trim_start_matches('/').parse().ok()).expect("a key")
}

/// What the classes of a run against that cache add up to.
fn measured(plan: Plan, mut cache: TtlLru<u64, ()>) -> CacheCounts {
    let (totals, _) = simulate(move |host| async move {
        let plan = Rc::new(plan);
        let transport = SimulatedTransport::new(host.clone(), move |now: Nanos, wire: &[u8]| {
            let key = key(wire);
            let (head, after): (&'static [u8], Nanos) = if matches!(cache.get(now, &key), Lookup::Hit { .. }) {
                (b"HTTP/1.1 200 OK\r\ncache-status: lab; hit\r\n\r\n", MILLISECOND)
            } else {
                cache.put(now, key, ());
                (b"HTTP/1.1 200 OK\r\ncache-status: lab; fwd=uri-miss; stored\r\n\r\n", 20 * MILLISECOND)
            };
            Answer { after, status: 200, head, body: Vec::new() }
        });
        let worker = Worker::new(WorkerParts {
            host: host.clone(),
            transport,
            plan: plan.clone(),
            script: Rc::new(Templates),
            recorder: Rc::new(RefCell::new(Recorder::new())),
            drawers: Rc::new(Drawers::new(&plan, &[])),
            buffers: BufferPool::default(),
            segment: Segment::WHOLE,
            seed: 42,
            epoch_ms: 0,
            events: Box::new(|_| {}),
        });
        worker.prepare(PhaseId(0)).await;
        worker.run_phase(PhaseId(0), host.now(), 0).await;
        let mut totals = Totals::new();
        totals.merge(worker.snapshot(0), 0);
        totals
    });
    CacheCounts::of(&totals.figures(0).series)
}

fn ratio(counts: &CacheCounts) -> f64 {
    let figure = counts.hit_ratio(&[], 0.95).expect("a ratio");
    figure.value.expect("a value")
}

#[test]
fn an_lru_meets_the_hit_ratio_of_che() {
    let (n, s, capacity) = (1_000, 0.99, 100);
    let mut cache = TtlLru::new(NonZeroUsize::new(capacity).expect("some"), Nanos::MAX);
    // Full before it is measured.
    let law = Zipf::new(n as f64, s).expect("a law");
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
    for _ in 0..5_000 {
        let key = law.sample(&mut rng) as u64;
        if !matches!(cache.get(0, &key), Lookup::Hit { .. }) {
            cache.put(0, key, ());
        }
    }
    let counts = measured(plan(Generator::Zipf { n, s }, 400, Duration::from_secs(100)), cache);
    let expected = Popularity::Zipf { n, s }.lru_hit_ratio(capacity as u64);
    assert!(counts.looked_up() > 39_000, "{counts:?}");
    assert!((ratio(&counts) - expected).abs() < 0.01, "{} for {expected}", ratio(&counts));
}

#[test]
fn entries_that_expire_meet_the_hit_ratio_of_their_rate() {
    let (rate, ttl) = (2, 3);
    let cache = TtlLru::new(NonZeroUsize::MIN, ttl * SECOND);
    let counts = measured(plan(Generator::Int(1, 1), rate, Duration::from_secs(20_000)), cache);
    let asked = (rate * ttl) as f64;
    let expected = asked / (1.0 + asked);
    assert!((ratio(&counts) - expected).abs() < 0.006, "{} for {expected}", ratio(&counts));
}
