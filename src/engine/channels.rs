//! What a flow does with channels: each step is a wait of its own, measured and filed.

use std::{
    cell::{Cell, OnceCell, RefCell},
    pin::pin,
    rc::Rc,
};

use futures_util::future::{Either, select};

use super::{
    evidence::SentView,
    flow::{ChannelAnswer, ChannelStep, OpenChannel, Reply, Sent},
    host,
    iteration::{Mishap, Pending, Unfinished, into_reply, mishap_of},
    live::{Arrival, Base, LiveChannel, Measure, What},
    vu::Vu,
    worker::Worker,
};
use crate::{
    clock::{Nanos, SECOND},
    measure::{ClassId, Sample, SampleResult},
    plan::Expect,
    protocol::{
        ChannelKind, Ended, ErrorKind, Exchange, Failure, Incoming, Keep, Later, Opening, Outcome, Outgoing, Response,
        Stamps, Transport,
    },
};

/// How long a server may take to answer a close.
const CLOSE_PATIENCE: Nanos = 2 * SECOND;

/// What a step came to.
pub(super) struct Done {
    pub(super) answer: ChannelAnswer,
    pub(super) ended: Nanos,
    pub(super) mishap: Mishap,
}

/// Who does something over a channel, and since when.
#[derive(Clone, Copy)]
struct At {
    ledger: u16,
    planned: Nanos,
}

impl<T: Transport> Worker<T> {
    /// Carries out one step.
    pub(super) async fn channel(&self, ledger: u16, vu: &Vu<T>, planned: Nanos, step: ChannelStep) -> Done {
        let at = At { ledger, planned };
        match step {
            ChannelStep::Open(open) => self.open_channel(at, vu, *open).await,
            ChannelStep::Send { channel, message } => self.send_message(at, &channel, message).await,
            ChannelStep::Receive { channel, patience, hold } => self.receive(at, &channel, patience, hold).await,
            ChannelStep::Settle { channel } => {
                if let Some((measure, sample)) = channel.take_held() {
                    channel.came(measure, sample.end);
                    self.recorder.borrow_mut().record(&sample);
                }
                Done { answer: ChannelAnswer::Done(None), ended: planned, mishap: Mishap::None }
            }
            ChannelStep::Ping { channel, patience } => self.ping(at, &channel, patience).await,
            ChannelStep::Close { channel, code, reason } => self.close(&channel, code, reason).await,
        }
    }

    async fn open_channel(&self, at: At, vu: &Vu<T>, open: OpenChannel) -> Done {
        let OpenChannel { mut request, kind, name, message_bytes_max } = open;
        let body_bytes_max = self.plan.targets[usize::from(request.target.0)].body_bytes_max;
        if request.expect == Expect::default() {
            let opens = if kind == ChannelKind::WebSocket { 101 } else { 200 };
            request.expect = Expect(vec![(opens, opens)]);
        }
        let exchange = Exchange {
            target: request.target,
            wire: &request.wire,
            body_at: request.body_at,
            is_head: false,
            timeout: request.timeout,
            keep: Keep::Body,
            body_bytes_max,
            version: None,
        };
        let At { ledger, planned } = at;
        let mut unfinished = Unfinished { worker: self, ledger, name: request.name, planned, finished: false };
        let opening = Opening { exchange, kind, message_bytes_max };
        let (outcome, channel) = self.transport.channel(&vu.session, opening).await;
        unfinished.finished = true;
        self.note_exchange(ledger, request.name, vu, &exchange, &outcome);
        let wire = self.buffers.lend(request.wire);
        let sent = Sent { target: request.target, wire, body_at: request.body_at, redirects: 0 };
        let reply = into_reply(outcome, sent, &request.expect, body_bytes_max);
        let view = SentView::of(&reply.sent);
        self.examine(ledger, &reply, view, vu, &request.checks, request.classify.as_ref(), &request.saves);
        self.file_reply(ledger, &Pending { name: request.name, planned, reply: reply.clone() }, view);
        vu.user.remember(&reply);
        let base = Base { planned, started: reply.outcome.stamps.start };
        let (ended, mishap) = (reply.outcome.stamps.end, mishap_of(&reply));
        let live = LiveChannel::new(reply, (kind, &name), channel, base, request.timeout);
        Done { answer: ChannelAnswer::Opened(Rc::new(live)), ended, mishap }
    }

    async fn send_message(&self, at: At, live: &LiveChannel, message: Outgoing) -> Done {
        let started = self.host.now();
        let base = Base { planned: at.planned, started };
        let Some(channel) = live.channel() else { return self.gone() };
        let bytes = message.len() as u64;
        let mut waiting = self.waiting(at, live, Measure::RoundTrip, base);
        let sent = self.within(started.saturating_add(live.timeout), channel.send(message)).await;
        waiting.finished = true;
        let ended = self.host.now();
        let failure = match sent {
            Some(Ok(_)) => {
                live.ask(base);
                return Done { answer: ChannelAnswer::Done(None), ended, mishap: Mishap::None };
            }
            Some(Err(end)) => {
                live.told_end();
                end.failure.clone()
            }
            None => Failure::new(ErrorKind::Timeout, format!("a message of {bytes} bytes was not taken in time")),
        };
        let mishap = self.file_failure(at, live, (Measure::RoundTrip, base), &failure, ended);
        Done { answer: ChannelAnswer::Done(Some(failure)), ended, mishap }
    }

    async fn receive(&self, at: At, live: &LiveChannel, patience: Nanos, hold: bool) -> Done {
        let started = self.host.now();
        let Some(channel) = live.channel() else { return self.gone() };
        let (measure, base) = live.measure(None);
        let mut waiting = self.waiting(at, live, measure, base);
        let came = self.within(started.saturating_add(patience), channel.next()).await;
        waiting.finished = true;
        match came {
            Some(Ok(message)) => {
                let ended = message.at.max(started);
                let (measure, base) = live.measure(Some(message.at));
                let sample = self.sample(at, live, (measure, base), SampleResult::Ok, message.at);
                let sample = Sample { bytes_received: message.bytes.len() as u64, ..sample };
                if hold {
                    live.hold(measure, sample);
                } else {
                    live.came(measure, message.at);
                    self.recorder.borrow_mut().record(&sample);
                }
                let Incoming { what, bytes, .. } = message;
                let reply = arrived(base, sample.end, bytes, None);
                let arrival = Arrival { what: What::Message(what), reply, waited: self.host.now() - started };
                Done { answer: ChannelAnswer::Arrival(Box::new(arrival)), ended, mishap: Mishap::None }
            }
            Some(Err(end)) => {
                live.told_end();
                // An end in good order is no error where nothing was owed.
                let mishap = if end.is_clean && !live.is_asked() {
                    Mishap::None
                } else {
                    self.file_failure(at, live, (measure, base), &end.failure, end.at.max(base.started))
                };
                let Ended { code, reason, failure, .. } = (*end).clone();
                let reply = arrived(base, end.at, Vec::new(), Some(failure));
                let waited = self.host.now() - started;
                let arrival = Arrival { what: What::End { code, reason }, reply, waited };
                Done { answer: ChannelAnswer::Arrival(Box::new(arrival)), ended: end.at.max(started), mishap }
            }
            None => {
                // A script that asks again and again for what is there at once must not keep the worker for itself.
                host::yield_now().await;
                let ended = self.host.now();
                let failure = Failure::new(ErrorKind::Timeout, "nothing came in time");
                let mishap = self.file_failure(at, live, (measure, base), &failure, ended);
                live.give_up();
                let reply = arrived(base, ended, Vec::new(), Some(failure));
                let arrival = Arrival { what: What::Nothing, reply, waited: ended - started };
                Done { answer: ChannelAnswer::Arrival(Box::new(arrival)), ended, mishap }
            }
        }
    }

    async fn ping(&self, at: At, live: &LiveChannel, patience: Nanos) -> Done {
        let started = self.host.now();
        let base = Base { planned: at.planned, started };
        let Some(channel) = live.channel() else { return self.gone() };
        let number = live.next_ping();
        let mut waiting = self.waiting(at, live, Measure::Ping, base);
        let both: Later<'_, Result<Nanos, Rc<Ended>>> = Box::pin(async {
            channel.send(Outgoing::Ping(number)).await?;
            channel.pong(number).await
        });
        let ponged = self.within(started.saturating_add(patience), both).await;
        waiting.finished = true;
        let failure = match ponged {
            Some(Ok(ended)) => {
                let sample = self.sample(at, live, (Measure::Ping, base), SampleResult::Ok, ended);
                self.recorder.borrow_mut().record(&sample);
                return Done { answer: ChannelAnswer::Ponged(Ok(ended - started)), ended, mishap: Mishap::None };
            }
            Some(Err(end)) => {
                live.told_end();
                end.failure.clone()
            }
            None => Failure::new(ErrorKind::Timeout, "no pong came in time"),
        };
        host::yield_now().await;
        let ended = self.host.now();
        let mishap = self.file_failure(at, live, (Measure::Ping, base), &failure, ended);
        Done { answer: ChannelAnswer::Ponged(Err(failure)), ended, mishap }
    }

    /// Says good-bye, and closes once the server has answered it or its time is over.
    async fn close(&self, live: &LiveChannel, code: u16, reason: String) -> Done {
        if let Some(channel) = live.channel().filter(|_| live.kind == ChannelKind::WebSocket) {
            let until = self.host.now().saturating_add(live.timeout.min(CLOSE_PATIENCE));
            let farewell: Later<'_, ()> = Box::pin(async {
                if channel.send(Outgoing::Close(code, reason)).await.is_ok() {
                    while channel.next().await.is_ok() {}
                }
            });
            self.within(until, farewell).await;
        }
        live.let_go();
        Done { answer: ChannelAnswer::Done(None), ended: self.host.now(), mishap: Mishap::None }
    }

    async fn within<R>(&self, deadline: Nanos, work: Later<'_, R>) -> Option<R> {
        let late = pin!(self.host.sleep_until(deadline));
        match select(work, late).await {
            Either::Left((value, _)) => Some(value),
            Either::Right(_) => None,
        }
    }

    /// Counts a wait that is dropped in the middle.
    fn waiting(&self, at: At, live: &LiveChannel, measure: Measure, base: Base) -> Unfinished<'_, T> {
        let name = live.row(measure, &mut self.recorder.borrow_mut());
        Unfinished { worker: self, ledger: at.ledger, name, planned: base.planned, finished: false }
    }

    fn sample(
        &self,
        at: At,
        live: &LiveChannel,
        (measure, base): (Measure, Base),
        result: SampleResult,
        end: Nanos,
    ) -> Sample {
        Sample {
            phase: at.ledger,
            name: live.row(measure, &mut self.recorder.borrow_mut()),
            class: ClassId::NONE,
            result,
            status: 0,
            planned: base.planned,
            started: base.started,
            first_byte: None,
            end,
            bytes_sent: 0,
            bytes_received: 0,
        }
    }

    fn file_failure(
        &self,
        at: At,
        live: &LiveChannel,
        measured: (Measure, Base),
        failure: &Failure,
        end: Nanos,
    ) -> Mishap {
        let sample = self.sample(at, live, measured, SampleResult::Error(failure.kind), end);
        let mut recorder = self.recorder.borrow_mut();
        recorder.record(&sample);
        recorder.error_example(at.ledger, sample.name, failure.kind, &failure.detail);
        if failure.kind.is_timeout() { Mishap::Timeout } else { Mishap::Failed }
    }

    /// There is no channel: who asks knows that.
    fn gone(&self) -> Done {
        let failure = Failure::new(ErrorKind::ChannelClosed, "it is not open");
        Done { answer: ChannelAnswer::Done(Some(failure)), ended: self.host.now(), mishap: Mishap::Failed }
    }
}

/// A message as a response: its bytes are the body.
fn arrived(base: Base, end: Nanos, bytes: Vec<u8>, failure: Option<Failure>) -> Rc<Reply> {
    let end = end.max(base.started);
    let expected = Cell::new(failure.is_none());
    let outcome = Outcome {
        stamps: Stamps { start: base.started, end, ..Stamps::default() },
        reused: true,
        body_bytes: bytes.len() as u64,
        response: failure.is_none().then(|| Response::detached(bytes, 0)),
        failure,
        ..Outcome::default()
    };
    Rc::new(Reply {
        outcome: Box::new(outcome),
        sent: Sent::default(),
        expected,
        class: RefCell::new(None),
        parsed: OnceCell::new(),
        filed: Cell::new(true),
    })
}
