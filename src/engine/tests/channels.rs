//! Channels of flows in simulated time, so that what a message is measured from is exact.

use std::{cell::Cell, collections::VecDeque, future::poll_fn, task::Poll};

use super::*;
use crate::{
    engine::{
        LiveChannel,
        flow::{ChannelAnswer, ChannelStep, OpenChannel},
    },
    protocol::{
        Channel, ChannelKind, Ended, ErrorKind, Exchange, Failure, Incoming, Later, Opening, Outcome, Outgoing,
        Payload, Transport,
    },
};

/// What a flow does next; `Open` comes first.
#[derive(Debug, Clone, Copy)]
enum Op {
    Open,
    Send,
    Receive(Nanos),
    /// A message that the script passes over, then one that it waited for.
    Second(Nanos),
    Ping(Nanos),
    Think(Nanos),
    Close,
}

/// A server that opens in 10 ms, answers what it is sent after 20 ms, and says something by itself at these times after
/// the opening; then, perhaps, it ends.
#[derive(Debug, Clone)]
struct Behaviour {
    pushes: Vec<Nanos>,
    ends: Option<(Nanos, bool)>,
}

struct Talking {
    host: Host,
    inner: SimulatedTransport,
    behaviour: Behaviour,
}

impl Transport for Talking {
    type Session = ();

    async fn exchange<'a>(&'a self, session: &'a (), exchange: Exchange<'a>) -> Box<Outcome> {
        self.inner.exchange(session, exchange).await
    }

    async fn open<'a>(&'a self, _: &'a (), _: TargetId) -> Result<(), Failure> {
        Ok(())
    }

    async fn channel<'a>(&'a self, session: &'a (), opening: Opening<'a>) -> (Box<Outcome>, Option<Rc<dyn Channel>>) {
        let outcome = self.exchange(session, opening.exchange).await;
        let now = self.host.now();
        let due = self.behaviour.pushes.iter().map(|after| now + after).collect();
        let ends = self.behaviour.ends.map(|(after, is_clean)| (now + after, is_clean));
        let talk = Talk { host: self.host.clone(), due: RefCell::new(due), ends, ponged: Cell::new(0) };
        (outcome, Some(Rc::new(talk)))
    }
}

struct Talk {
    host: Host,
    /// When messages come, in order.
    due: RefCell<VecDeque<Nanos>>,
    ends: Option<(Nanos, bool)>,
    ponged: Cell<Nanos>,
}

impl Talk {
    fn end(&self) -> Option<Rc<Ended>> {
        let (at, is_clean) = self.ends.filter(|&(at, _)| at <= self.host.now())?;
        let failure = Failure::new(ErrorKind::ChannelClosed, "closed");
        Some(Rc::new(Ended { at, failure, is_clean, code: None, reason: String::new() }))
    }
}

impl Channel for Talk {
    fn send(&self, message: Outgoing) -> Later<'_, Result<Nanos, Rc<Ended>>> {
        let now = self.host.now();
        match message {
            Outgoing::Ping(_) => self.ponged.set(now + 3 * MILLISECOND),
            _ => {
                self.due.borrow_mut().push_back(now + 20 * MILLISECOND);
                self.due.borrow_mut().make_contiguous().sort_unstable();
            }
        }
        let sent = self.end().map_or(Ok(now), Err);
        Box::pin(async move { sent })
    }

    fn next(&self) -> Later<'_, Result<Incoming, Rc<Ended>>> {
        Box::pin(async {
            let due = self.due.borrow().front().copied();
            let at = match (due, self.ends) {
                (Some(due), _) => due,
                (None, Some((end, _))) => end,
                (None, None) => return poll_fn(|_| Poll::Pending).await,
            };
            if at > self.host.now() {
                self.host.sleep_until(at).await;
            }
            match self.due.borrow_mut().pop_front() {
                Some(at) => Ok(Incoming { at, what: Payload::Text, bytes: b"{}".to_vec() }),
                None => Err(self.end().expect("it is over")),
            }
        })
    }

    fn pong(&self, _: u64) -> Later<'_, Result<Nanos, Rc<Ended>>> {
        Box::pin(async {
            self.host.sleep_until(self.ponged.get()).await;
            Ok(self.ponged.get())
        })
    }

    fn waiting(&self) -> usize {
        self.due.borrow().iter().filter(|&&at| at <= self.host.now()).count()
    }

    fn ended(&self) -> Option<Rc<Ended>> {
        self.end()
    }
}

struct Talker(&'static [Op], Rc<RefCell<Recorder>>);

struct TalkerRun {
    ops: VecDeque<Op>,
    live: Option<Rc<LiveChannel>>,
    /// What comes before the next operation.
    then: VecDeque<ChannelStep>,
    recorder: Rc<RefCell<Recorder>>,
}

impl Script for Talker {
    fn begin(&self, _: Call, _: &Rc<User>) -> Box<dyn FlowRun> {
        let ops = self.0.iter().copied().collect();
        Box::new(TalkerRun { ops, live: None, then: VecDeque::new(), recorder: self.1.clone() })
    }

    fn check(&self, _: ClosureId, _: &Rc<Reply>, _: &Rc<User>) -> Result<bool, Fault> {
        Ok(true)
    }

    fn classify(&self, _: ClosureId, _: &Rc<Reply>, _: &Rc<User>) -> Result<String, Fault> {
        Ok(String::new())
    }

    fn save(&self, _: &Save, _: &Rc<Reply>, _: &Rc<User>) -> Result<bool, Fault> {
        Ok(true)
    }
}

impl FlowRun for TalkerRun {
    fn resume(&mut self, answer: Answer) -> Step {
        if let Answer::Channel(answer) = answer
            && let ChannelAnswer::Opened(live) = *answer
        {
            self.live = Some(live);
        }
        let step = self.then.pop_front().or_else(|| self.step());
        match step {
            Some(step) => Step::Channel(Box::new(step)),
            None => match self.ops.pop_front() {
                Some(Op::Think(pause)) => Step::Think(pause),
                _ => Step::Done(End::Completed(serde_json::Value::Null)),
            },
        }
    }
}

impl TalkerRun {
    fn step(&mut self) -> Option<ChannelStep> {
        let op = *self.ops.front()?;
        if matches!(op, Op::Think(_)) {
            return None;
        }
        self.ops.pop_front();
        if matches!(op, Op::Open) {
            let Step::Send(mut request) = get("/ws") else { panic!("a request") };
            request.name = self.recorder.borrow_mut().name(Kind::Request, "talk");
            let (kind, name) = (ChannelKind::WebSocket, "talk".to_owned());
            request.expect = Expect(vec![(200, 200)]);
            let open = OpenChannel { request: *request, kind, name, message_bytes_max: 1_000 };
            return Some(ChannelStep::Open(Box::new(open)));
        }
        let channel = self.live.clone().expect("it was opened");
        let receive = |patience, hold| ChannelStep::Receive { channel: channel.clone(), patience, hold };
        Some(match op {
            Op::Send => ChannelStep::Send { channel, message: Outgoing::Text("x".to_owned()) },
            Op::Receive(patience) => receive(patience, false),
            Op::Second(patience) => {
                self.then.push_back(receive(patience, true));
                self.then.push_back(ChannelStep::Settle { channel: channel.clone() });
                receive(patience, true)
            }
            Op::Ping(patience) => ChannelStep::Ping { channel, patience },
            Op::Open | Op::Think(_) | Op::Close => ChannelStep::Close { channel, code: 1_000, reason: String::new() },
        })
    }
}

/// One flow with these operations.
fn talk(ops: &'static [Op], behaviour: Behaviour) -> PhaseFigures {
    let mut plan = with_flow(plan(Load::Asap { count: 1 }));
    plan.phases[0].drain = Duration::from_secs(5);
    let (figures, _) = simulate(move |host| async move {
        let plan = Rc::new(plan);
        let recorder = Rc::new(RefCell::new(Recorder::new()));
        let inner =
            SimulatedTransport::new(host.clone(), |_, _| crate::engine::sim::Answer::plain(10 * MILLISECOND, 200));
        let worker = Worker::new(WorkerParts {
            transport: Talking { host: host.clone(), inner, behaviour },
            script: Rc::new(Talker(ops, recorder.clone())),
            drawers: Rc::new(Drawers::new(&plan, &[])),
            buffers: BufferPool::default(),
            segment: Segment::WHOLE,
            seed: 1,
            epoch_ms: 0,
            events: Box::new(|_| {}),
            recorder,
            plan,
            host,
        });
        worker.run_phase(PhaseId(0), 0, 0).await;
        let mut totals = Totals::new();
        totals.merge(worker.snapshot(0), 0);
        totals.phase(0).cloned().expect("something happened")
    });
    assert_eq!(figures.unaccounted(), 0, "offered is the sum of the outcomes");
    figures
}

const NOTHING: Behaviour = Behaviour { pushes: Vec::new(), ends: None };

const MS: Nanos = MILLISECOND;

/// Each measure of the channel: its name, then response times in milliseconds, then the words of what failed.
fn rows(figures: &PhaseFigures) -> Vec<(String, Vec<u64>, Vec<&'static str>)> {
    let messages = figures.series.iter().filter(|(key, _)| key.kind == Kind::Message);
    let rows = messages.map(|(key, series)| {
        let name = key.name.strip_prefix("talk: ").unwrap_or(&key.name).to_owned();
        let ok = &series.ok.response;
        let times = match ok.count() {
            0 => vec![],
            1 => vec![ok.max_us().unwrap_or_default() / 1_000],
            n => vec![n, ok.min_us().unwrap_or_default() / 1_000, ok.max_us().unwrap_or_default() / 1_000],
        };
        let failed = series.failures.iter().flat_map(|(kind, failed)| {
            std::iter::repeat_n(kind.word(), usize::try_from(failed.response.count()).unwrap_or_default())
        });
        (name, times, failed.collect())
    });
    rows.collect()
}

#[track_caller]
fn assert_rows(ops: &'static [Op], behaviour: Behaviour, expected: &[(&str, &[u64], &[&str])], ok: bool) {
    let figures = talk(ops, behaviour);
    let expected: Vec<_> =
        expected.iter().map(|(name, times, failed)| ((*name).to_owned(), times.to_vec(), failed.to_vec())).collect();
    assert_eq!(rows(&figures), expected, "{ops:?}");
    assert_eq!(figures.iterations.ok == 1, ok, "{ops:?}: {:?}", figures.iterations);
}

#[test]
fn each_message_is_measured_from_what_it_belongs_to() {
    let pushes = |pushes: &[Nanos]| Behaviour { pushes: pushes.to_vec(), ends: None };
    // A round trip counts from when the step before had ended; a pause of the script is none of it.
    assert_rows(
        &[Op::Open, Op::Think(500 * MS), Op::Send, Op::Receive(SECOND)],
        NOTHING,
        &[("round trip", &[20], &[])],
        true,
    );
    // What came during the pause carries its own time.
    assert_rows(
        &[Op::Open, Op::Think(500 * MS), Op::Receive(SECOND), Op::Receive(SECOND), Op::Receive(SECOND)],
        pushes(&[40 * MS, 100 * MS, 150 * MS]),
        &[("first message", &[50], &[]), ("gap", &[2, 50, 60], &[])],
        true,
    );
    // What came before a message was sent is no answer to it.
    assert_rows(
        &[Op::Open, Op::Think(500 * MS), Op::Send, Op::Receive(SECOND), Op::Receive(SECOND)],
        pushes(&[40 * MS]),
        &[("first message", &[50], &[]), ("round trip", &[20], &[])],
        true,
    );
    // Of two messages the second is filed alone, from the one that was sent.
    assert_rows(
        &[Op::Open, Op::Think(500 * MS), Op::Send, Op::Second(SECOND), Op::Receive(SECOND)],
        pushes(&[505 * MS, 590 * MS]),
        &[("gap", &[70], &[]), ("round trip", &[20], &[])],
        true,
    );
    assert_rows(&[Op::Open, Op::Ping(SECOND), Op::Close], NOTHING, &[("ping", &[3], &[])], true);
}

#[test]
fn a_wait_that_brings_nothing_is_an_error_of_its_row() {
    assert_rows(&[Op::Open, Op::Send, Op::Receive(5 * MS)], NOTHING, &[("round trip", &[], &["timeout"])], false);
    assert_rows(&[Op::Open, Op::Receive(5 * MS)], NOTHING, &[("first message", &[], &["timeout"])], false);
    assert_rows(&[Op::Open, Op::Ping(MS)], NOTHING, &[("ping", &[], &["timeout"])], false);
    // The answer that comes too late is nobody's any more.
    assert_rows(
        &[Op::Open, Op::Send, Op::Receive(5 * MS), Op::Receive(SECOND)],
        NOTHING,
        &[("first message", &[30], &[]), ("round trip", &[], &["timeout"])],
        false,
    );
}

#[test]
fn an_end_is_an_error_where_something_was_owed_or_it_came_without_order() {
    let ends = |after, is_clean| Behaviour { pushes: vec![], ends: Some((after, is_clean)) };
    assert_rows(&[Op::Open, Op::Receive(SECOND)], ends(30 * MS, true), &[], true);
    assert_rows(
        &[Op::Open, Op::Receive(SECOND)],
        ends(30 * MS, false),
        &[("first message", &[], &["channel_closed"])],
        false,
    );
    assert_rows(
        &[Op::Open, Op::Think(100 * MS), Op::Send],
        ends(30 * MS, true),
        &[("round trip", &[], &["channel_closed"])],
        false,
    );
}

#[test]
fn who_is_dropped_in_a_wait_is_interrupted() {
    let figures = talk(&[Op::Open, Op::Receive(3_600 * SECOND)], NOTHING);
    assert_eq!(rows(&figures), [("first message".to_owned(), vec![], vec!["interrupted"])]);
    assert_eq!(figures.iterations.interrupted, 1);
}
