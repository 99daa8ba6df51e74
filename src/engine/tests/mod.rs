//! The whole engine in simulated time, against servers whose behaviour is known.

mod accounting;
mod channels;
mod groups;
mod queueing;
mod sharing;

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, sync::Arc, time::Duration};

use super::{
    Event, PhaseEnd, Worker, WorkerParts,
    flow::{Answer, Call, End, Fault, FlowRun, Reply, Request, Script, Step},
    host::{Host, simulate},
    sim::SimulatedTransport,
    user::User,
};
use crate::{
    clock::{MILLISECOND, Nanos, Rate, SECOND},
    measure::{Kind, NameId, PhaseFigures, Recorder, Totals},
    pace::Segment,
    plan::{
        Arrivals, Body, ClosureId, Deal, Drawers, Expect, Flow, FlowId, Load, Mix, MixEntry, MixId, Overflow, Phase,
        PhaseId, Place, Plan, Save, Start, Step as PlanStep, Target, Template, TemplateId, Text,
    },
    protocol::{BufferPool, TargetId},
};

/// A plan of one target, three templates (`GET /a`, `/b`, `/c` by 50/30/20) and one phase.
fn plan(load: Load) -> Plan {
    let url = "http://127.0.0.1:1".parse().expect("a valid address");
    let template = |path: &str| Template {
        name: format!("GET {path}"),
        method: "GET".into(),
        target: TargetId(0),
        path: Text::literal(path),
        query: vec![],
        headers: vec![],
        cookies: vec![],
        body: Body::None,
        timeout: None,
        expect: Expect::default(),
        checks: vec![],
        classify: None,
        saves: vec![],
        no_redirect: false,
        version: None,
        discard_body: false,
        at: Place::default(),
    };
    let entry = |weight, index| MixEntry { weight, step: PlanStep::Template(TemplateId(index)) };
    Plan {
        targets: vec![Target::new(url, Place::default())],
        templates: ["/a", "/b", "/c"].map(template).into(),
        mixes: vec![Mix {
            entries: vec![entry(50.0, 0), entry(30.0, 1), entry(20.0, 2)],
            deal: Deal::Deck,
            at: Place::default(),
        }],
        phases: vec![phase(load)],
        ..Plan::default()
    }
}

fn phase(load: Load) -> Phase {
    Phase::new("p", MixId(0), load)
}

/// A plan with these phases: name, load, start.
pub(super) fn plan_of(phases: &[(&str, Load, Start)]) -> Plan {
    let phases = phases
        .iter()
        .map(|(name, load, start)| Phase { name: (*name).into(), start: start.clone(), ..phase(load.clone()) })
        .collect();
    Plan { phases, ..plan(Load::Asap { count: 1 }) }
}

fn rate(per_second: u64) -> Load {
    Load::Rate(vec![(Duration::ZERO, Rate::per_second(per_second))])
}

/// The plan's only mix consists of one flow.
fn with_flow(mut plan: Plan) -> Plan {
    plan.flows = vec![Flow { name: "f".into(), closure: ClosureId(0), at: Place::default() }];
    plan.mixes[0].entries = vec![MixEntry { weight: 1.0, step: PlanStep::Flow(FlowId(0)) }];
    plan
}

/// A flow written in Rust: the steps of each iteration.
type Steps = Rc<dyn Fn(&User) -> Vec<Step>>;

struct Scripted(Steps, Rc<RefCell<Recorder>>);

struct ScriptedRun {
    steps: std::vec::IntoIter<Step>,
    recorder: Rc<RefCell<Recorder>>,
}

impl FlowRun for ScriptedRun {
    fn resume(&mut self, _answer: Answer) -> Step {
        match self.steps.next() {
            Some(Step::Send(mut request)) => {
                let wire = String::from_utf8_lossy(&request.wire).into_owned();
                let path = wire.split(' ').nth(1).unwrap_or_default();
                request.name = self.recorder.borrow_mut().name(Kind::Request, path);
                Step::Send(request)
            }
            Some(step) => step,
            None => Step::Done(End::Completed(serde_json::Value::Null)),
        }
    }
}

impl Script for Scripted {
    fn begin(&self, _call: Call, user: &Rc<User>) -> Box<dyn FlowRun> {
        Box::new(ScriptedRun { steps: (self.0)(user).into_iter(), recorder: self.1.clone() })
    }

    fn check(&self, _: ClosureId, _: &Rc<Reply>, _: &Rc<User>) -> Result<bool, Fault> {
        Ok(true)
    }

    fn classify(&self, _: ClosureId, _: &Rc<Reply>, _: &Rc<User>) -> Result<String, Fault> {
        Ok("word".into())
    }

    fn save(&self, _: &Save, _: &Rc<Reply>, _: &Rc<User>) -> Result<bool, Fault> {
        Ok(true)
    }
}

fn get(path: &str) -> Step {
    let wire = format!("GET {path} HTTP/1.1\r\n\r\n").into_bytes();
    Step::Send(Box::new(Request {
        name: NameId(0),
        target: TargetId(0),
        body_at: wire.len(),
        wire,
        is_head: false,
        no_redirect: false,
        version: None,
        discard_body: false,
        timeout: 30 * SECOND,
        expect: Expect::default(),
        classify: None,
        checks: vec![],
        saves: vec![],
    }))
}

/// What a simulated run gave.
struct Outcome {
    figures: PhaseFigures,
    ends: Vec<PhaseEnd>,
    events: Vec<Event>,
    took: Nanos,
    /// The most users that were there at once.
    users: u64,
}

impl Outcome {
    /// Figures of one request or flow.
    fn series(&self, name: &str) -> &crate::measure::SeriesFigures {
        let found = self.figures.series.iter().find(|(key, _)| &*key.name == name);
        found.map(|(_, figures)| figures).expect("a series of that name")
    }

    /// Response times of all requests, as percentiles in parts per million.
    fn response(&self, ppm: u32) -> crate::measure::Quantile {
        self.merged().offered_quantile(ppm)
    }

    fn merged(&self) -> crate::measure::SeriesFigures {
        let mut all = crate::measure::SeriesFigures::default();
        for figures in self.figures.series.values() {
            all.merge(figures);
        }
        all
    }
}

/// Runs the plan's only phase with `workers` workers over one server, and whatever `meanwhile` does.
fn run(
    plan: Plan,
    workers: u64,
    steps: impl Fn(&User) -> Vec<Step> + 'static,
    server: impl FnOnce(Host) -> SimulatedTransport + 'static,
) -> Outcome {
    run_with(plan, workers, steps, server, |_, _| {})
}

fn run_with(
    plan: Plan,
    workers: u64,
    steps: impl Fn(&User) -> Vec<Step> + 'static,
    server: impl FnOnce(Host) -> SimulatedTransport + 'static,
    meanwhile: impl FnOnce(Host, Vec<Rc<Worker<SimulatedTransport>>>) + 'static,
) -> Outcome {
    let steps: Steps = Rc::new(steps);
    let ((totals, ends, events), took) = simulate(move |host| async move {
        let plan = Rc::new(plan);
        let transport = server(host.clone());
        let events = Rc::new(RefCell::new(Vec::new()));
        let crew: Vec<_> = (0..workers)
            .map(|index| {
                let events = events.clone();
                let recorder = Rc::new(RefCell::new(Recorder::new()));
                Worker::new(WorkerParts {
                    host: host.clone(),
                    transport: transport.clone(),
                    plan: plan.clone(),
                    script: Rc::new(Scripted(steps.clone(), recorder.clone())),
                    recorder,
                    drawers: Rc::new(Drawers::new(&plan, &[])),
                    buffers: BufferPool::default(),
                    segment: Segment { index, count: workers },
                    seed: 42,
                    epoch_ms: 0,
                    events: Box::new(move |event| events.borrow_mut().push(event)),
                })
            })
            .collect();
        meanwhile(host.clone(), crew.clone());
        futures_util::future::join_all(crew.iter().map(|worker| worker.prepare(PhaseId(0)))).await;
        let start = host.now();
        let ends =
            futures_util::future::join_all(crew.iter().map(|worker| worker.run_phase(PhaseId(0), start, 0))).await;
        let mut totals = Totals::new();
        for (index, worker) in crew.iter().enumerate() {
            totals.merge(worker.snapshot(0), index);
        }
        let events = events.borrow().clone();
        (totals, ends, events)
    });
    let users = totals.gauges(0).users.peak;
    let figures = totals.phase(0).cloned().unwrap_or_default();
    assert_eq!(figures.unaccounted(), 0, "offered is the sum of the outcomes");
    Outcome { figures, ends, events, took, users }
}

fn no_flow(_: &User) -> Vec<Step> {
    vec![]
}

/// A server that answers everything after `service`.
fn steady(service: Nanos) -> impl FnOnce(Host) -> SimulatedTransport {
    move |host| SimulatedTransport::new(host, move |_, _| super::sim::Answer::plain(service, 200))
}

/// What reached the server: path and time of each request.
type Log = Rc<RefCell<Vec<(Nanos, String)>>>;

fn logging(log: Log) -> impl FnOnce(Host) -> SimulatedTransport {
    move |host| {
        SimulatedTransport::new(host, move |now, wire| {
            let line = String::from_utf8_lossy(wire).lines().next().unwrap_or_default().to_owned();
            log.borrow_mut().push((now, line));
            super::sim::Answer::plain(MILLISECOND, 200)
        })
    }
}
