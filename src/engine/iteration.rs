//! One iteration: a native template, or a flow driven step by step.

use std::{
    cell::{Cell, OnceCell, RefCell},
    rc::Rc,
};

use futures_util::stream::{self, StreamExt};

use super::{
    cookies::{CookieScope, REFUSED_COUNTER},
    evidence::SentView,
    flow::{Answer, Call, End, Fault, FlowRun, Reply, Request, Sent, Step},
    groups::Groups,
    phase_run::{Halt, PhaseRun, Work},
    render::Compiled,
    user::User,
    vu::{Standing, Vu},
    worker::{Aside, Event, Prepared, Worker},
};
use crate::{
    clock::Nanos,
    measure::{ClassId, IterationResult, NameId, Recorder, Sample, SampleResult, Witness},
    pace::Purpose,
    plan::{Check, Classify, ClosureId, DrawError, Expect, Protocol, Save, Step as PlanStep},
    protocol::{ErrorKind, Exchange, Failure, Keep, Outcome, TargetId, Transport},
};

/// What a virtual user does after an iteration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    /// It goes on.
    GoOn,
    /// It does no more in this phase.
    Leave,
}

/// How far a request or a flow got, for those that are dropped in the middle.
pub(super) struct Unfinished<'a, T: Transport> {
    pub(super) worker: &'a Worker<T>,
    pub(super) ledger: u16,
    pub(super) name: NameId,
    pub(super) planned: Nanos,
    pub(super) finished: bool,
}

impl<T: Transport> Drop for Unfinished<'_, T> {
    fn drop(&mut self) {
        if !self.finished {
            self.worker.recorder.borrow_mut().record(&Sample {
                phase: self.ledger,
                name: self.name,
                class: ClassId::NONE,
                result: SampleResult::Interrupted,
                status: 0,
                planned: self.planned,
                started: self.planned,
                first_byte: None,
                end: self.worker.host.now(),
                bytes_sent: 0,
                bytes_received: 0,
            });
        }
    }
}

/// Counts an iteration that is dropped in the middle; whatever became of it, its connections rest.
struct UnfinishedIteration<'a, T: Transport> {
    worker: &'a Worker<T>,
    vu: &'a Vu<T>,
    ledger: u16,
    finished: bool,
}

impl<T: Transport> Drop for UnfinishedIteration<'_, T> {
    fn drop(&mut self) {
        self.worker.transport.rest(&self.vu.session);
        if !self.finished {
            self.worker.recorder.borrow_mut().iteration(self.ledger, IterationResult::Interrupted);
        }
    }
}

/// A response whose sample waits for what the script says about it.
pub(super) struct Pending {
    pub(super) name: NameId,
    pub(super) planned: Nanos,
    pub(super) reply: Rc<Reply>,
}

/// What has gone wrong in a flow so far; the worst is what the iteration counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mishap {
    None,
    Failed,
    Timeout,
}

impl Mishap {
    /// What a transaction ends as whose steps went wrong like this.
    pub(super) fn of_transaction(self) -> SampleResult {
        match self {
            Self::None => SampleResult::Ok,
            Self::Failed => SampleResult::Failed,
            Self::Timeout => SampleResult::Error(ErrorKind::Timeout),
        }
    }
}

/// How a flow went.
struct Driven {
    mishap: Mishap,
    end: End,
    /// What it spent in pauses of its script.
    paused: Nanos,
}

impl<T: Transport> Worker<T> {
    /// Runs one iteration, which starts now, to its end and counts it. Says what comes after, and when it ended.
    pub(super) async fn iterate(&self, run: &PhaseRun, vu: &Vu<T>, work: Work, started: Nanos) -> (After, Nanos) {
        let ledger = run.ledger();
        let mut unfinished = UnfinishedIteration { worker: self, vu, ledger, finished: false };
        vu.user.begin(run.id, run.base + work.k);
        let (result, after, ended) = match work.step {
            PlanStep::Template(id) => match self.run_template(ledger, vu, &work, &self.templates[id.index()]).await {
                Ok((result, ended)) => (result, After::GoOn, ended),
                Err(_) if vu.user.exhausted().is_some() => return self.run_dry(run, vu),
                // Nothing was sent: what the request needs is not there.
                Err(error) => {
                    self.recorder.borrow_mut().failure(ledger, &error.to_string(), None);
                    (IterationResult::Failed, After::GoOn, self.host.now())
                }
            },
            PlanStep::Flow(id) => {
                let name = self.flow_names[id.index()];
                let mut whole = Unfinished { worker: self, ledger, name, planned: work.planned, finished: false };
                let flow = self.script.begin(Call::Flow(id), &vu.user);
                let Driven { mishap, end, paused } = self.drive(flow, ledger, vu, work.planned).await;
                if matches!(end, End::Fault(_)) && vu.user.exhausted().is_some() {
                    return self.run_dry(run, vu);
                }
                let (result, after) = self.conclude(ledger, vu, mishap, &end);
                vu.user.forget();
                // Read when the script gave the floor back.
                let ended = self.host.recent();
                self.recorder.borrow_mut().record(&Sample {
                    phase: ledger,
                    name,
                    class: ClassId::NONE,
                    result: match result {
                        IterationResult::Ok => SampleResult::Ok,
                        IterationResult::Timeout => SampleResult::Error(ErrorKind::Timeout),
                        _ => SampleResult::Failed,
                    },
                    status: 0,
                    planned: whole.planned,
                    // Its service time is that of its requests and its script: without the pauses.
                    started: started + paused,
                    first_byte: None,
                    end: ended,
                    bytes_sent: 0,
                    bytes_received: 0,
                });
                whole.finished = true;
                if after == After::Leave {
                    vu.standing.set(Standing::Gone);
                }
                (result, after, ended)
            }
        };
        unfinished.finished = true;
        self.recorder.borrow_mut().iteration(ledger, result);
        (after, ended)
    }

    /// An iteration found no row left: it counts as interrupted, and this worker takes up no more of the phase. The
    /// others go on: what rows they have does not depend on how fast this one was.
    fn run_dry(&self, run: &PhaseRun, vu: &Vu<T>) -> (After, Nanos) {
        run.halt(Halt::Drain);
        if let Some(data) = vu.user.exhausted() {
            self.tell(Event::Exhausted(run.id, data));
        }
        (After::GoOn, self.host.now())
    }

    /// Brings a new virtual user to the point where it may work. False: it cannot.
    pub(super) async fn log_in(&self, vu: &Vu<T>) -> bool {
        if vu.standing.get() != Standing::New {
            return vu.standing.get() == Standing::Ready;
        }
        let mut fine = true;
        for &(target, closure) in &self.on_start {
            fine &= self.run_hook(target, closure, Aside::OnStart, vu).await.is_ok();
        }
        vu.standing.set(if fine { Standing::Ready } else { Standing::Gone });
        fine
    }

    /// Lets a virtual user run its `on_stop`.
    pub(super) async fn log_out(&self, vu: &Vu<T>) {
        if vu.standing.replace(Standing::Gone) == Standing::Ready {
            for &(target, closure) in &self.on_stop {
                // What went wrong has been counted; nothing follows that could fail.
                let _ = self.run_hook(target, closure, Aside::OnStop, vu).await;
            }
        }
    }

    /// Runs a target's own closure, whose requests go to that target where they name no other.
    async fn run_hook(
        &self,
        target: TargetId,
        closure: ClosureId,
        aside: Aside,
        vu: &Vu<T>,
    ) -> Result<serde_json::Value, String> {
        let speaks_http = self.plan.targets[usize::from(target.0)].protocol() == Protocol::Http;
        let before = vu.user.target.replace(if speaks_http { target } else { self.plan.default_target() });
        let result = self.run_aside(Call::Hook(closure), aside, vu).await;
        vu.user.target.set(before);
        result
    }

    /// Runs a closure that counts in no figure. The error says why it did not complete.
    pub(super) async fn run_aside(&self, call: Call, aside: Aside, vu: &Vu<T>) -> Result<serde_json::Value, String> {
        let ledger = self.ledger_of(aside);
        let purpose = if matches!(aside, Aside::OnStart | Aside::OnStop) { Purpose::User } else { Purpose::Frame };
        vu.user.step_aside(purpose, ledger);
        let flow = self.script.begin(call, &vu.user);
        let Driven { end, .. } = self.drive(flow, ledger, vu, self.host.now()).await;
        self.conclude(ledger, vu, Mishap::None, &end);
        vu.user.forget();
        match end {
            End::Completed(value) => Ok(value),
            End::Failed(reason) | End::AbortRun(reason) => Err(reason),
            End::Fault(fault) => Err(describe(&fault)),
            End::StopUser => Err("the virtual user was stopped".to_owned()),
        }
    }

    /// Counts how a flow ended.
    fn conclude(&self, ledger: u16, vu: &Vu<T>, mishap: Mishap, end: &End) -> (IterationResult, After) {
        let by_requests = match mishap {
            Mishap::None => IterationResult::Ok,
            Mishap::Failed => IterationResult::Failed,
            Mishap::Timeout => IterationResult::Timeout,
        };
        match end {
            End::Completed(_) => (by_requests, After::GoOn),
            End::Failed(reason) => {
                vu.user.with_recent(|last| self.recorder.borrow_mut().failure(ledger, reason, last));
                (IterationResult::Failed, After::GoOn)
            }
            End::Fault(fault) => {
                vu.user.with_recent(|last| self.fault(ledger, fault, last));
                (IterationResult::Failed, After::GoOn)
            }
            End::StopUser => (by_requests, After::Leave),
            End::AbortRun(reason) => {
                self.tell(Event::Abort(reason.clone()));
                (by_requests, After::Leave)
            }
        }
    }

    /// The error says what there was not to send it with.
    async fn run_template(
        &self,
        ledger: u16,
        vu: &Vu<T>,
        work: &Work,
        prepared: &Prepared,
    ) -> Result<(IterationResult, Nanos), DrawError> {
        let compiled = &prepared.compiled;
        let mut drawn = Vec::new();
        let (wire, body_at) = match compiled.unchanging(&vu.user) {
            Some(unchanging) => unchanging,
            None => {
                drawn = self.buffers.take();
                match self.draw_wire(&mut drawn, vu, compiled) {
                    Ok(body_at) => (drawn.as_slice(), body_at),
                    Err(error) => {
                        self.buffers.give(drawn);
                        return Err(error);
                    }
                }
            }
        };
        let exchange = Exchange {
            target: compiled.target,
            wire,
            body_at,
            is_head: compiled.is_head,
            timeout: compiled.timeout,
            keep: prepared.keep,
            body_bytes_max: compiled.body_bytes_max,
            version: compiled.version,
        };
        let result = self.run_rendered(ledger, vu, work, prepared, &exchange).await;
        self.buffers.give(drawn);
        Ok(result)
    }

    /// Writes a template's request with values of its generators; gives where its body starts.
    fn draw_wire(&self, wire: &mut Vec<u8>, vu: &Vu<T>, compiled: &Compiled) -> Result<usize, DrawError> {
        let mut scratch = self.buffers.take();
        let written = vu
            .user
            .draw(self.wall_ms(), |context| compiled.write(wire, &mut scratch, &vu.user, &self.drawers, context));
        self.buffers.give(scratch);
        written
    }

    async fn run_rendered(
        &self,
        ledger: u16,
        vu: &Vu<T>,
        work: &Work,
        prepared: &Prepared,
        exchange: &Exchange<'_>,
    ) -> (IterationResult, Nanos) {
        let compiled = &prepared.compiled;
        let outcome = self.request(ledger, prepared.name, vu, work.planned, exchange, compiled.redirects).await;
        let sent = SentView {
            target: exchange.target.0,
            wire: exchange.wire,
            body_at: exchange.body_at,
            redirects: compiled.redirects,
        };
        if prepared.keep == Keep::Nothing {
            let failure = outcome.failure.as_ref();
            let expected = failure.is_none() && compiled.expect.accepts(outcome.status);
            self.file(ledger, prepared.name, ClassId::NONE, work.planned, (&outcome, failure), expected, || {
                sent.with_outcome(&outcome)
            });
            return (iteration_result(failure, expected), outcome.stamps.end);
        }
        let reply = into_reply(outcome, Sent::default(), &compiled.expect, compiled.body_bytes_max);
        self.examine(ledger, &reply, sent, vu, &compiled.checks, compiled.classify.as_ref(), &compiled.saves);
        self.file_reply(ledger, &Pending { name: prepared.name, planned: work.planned, reply: reply.clone() }, sent);
        (iteration_result(reply.failed(), reply.expected.get()), reply.outcome.stamps.end)
    }

    /// Keeps the cookies of an exchange that has ended, and the example of its failure.
    pub(super) fn note_exchange(
        &self,
        ledger: u16,
        name: NameId,
        vu: &Vu<T>,
        exchange: &Exchange<'_>,
        outcome: &Outcome,
    ) {
        if outcome.sets_cookies {
            self.keep_cookies(ledger, &vu.user, exchange, outcome);
        }
        if let Some(failure) = &outcome.failure {
            self.recorder.borrow_mut().error_example(ledger, name, failure.kind, &failure.detail);
        }
    }

    fn keep_cookies(&self, ledger: u16, user: &User, exchange: &Exchange<'_>, outcome: &Outcome) {
        if let Some(scope) = self.scope_of(exchange) {
            self.keep_cookies_in(scope, ledger, user, exchange.wire, outcome);
        }
    }

    /// Where the cookies of an exchange belong. Of servers that are no targets of the plan, who follows a redirect to
    /// them knows.
    pub(super) fn scope_of(&self, exchange: &Exchange<'_>) -> Option<&CookieScope> {
        self.scopes.get(usize::from(exchange.target.0)).and_then(Option::as_ref)
    }

    pub(super) fn keep_cookies_in(
        &self,
        scope: &CookieScope,
        ledger: u16,
        user: &User,
        wire: &[u8],
        outcome: &Outcome,
    ) {
        if let Some(response) = &outcome.response {
            let refused = scope.keep(user, self.wall_ms(), wire, response);
            if refused > 0 {
                self.recorder.borrow_mut().count(ledger, REFUSED_COUNTER, refused);
            }
        }
    }

    /// Runs what a request brings with it over its response.
    #[expect(clippy::too_many_arguments, reason = "all that a request brings with it")]
    pub(super) fn examine(
        &self,
        ledger: u16,
        reply: &Rc<Reply>,
        sent: SentView<'_>,
        vu: &Vu<T>,
        checks: &[Check],
        classify: Option<&Classify>,
        saves: &[Save],
    ) {
        let fault = |fault: &Fault| self.fault(ledger, fault, Some(&sent.with_reply(reply)));
        let count = |name: &str, passed: bool| {
            let witness = (!passed).then(|| sent.with_reply(reply));
            self.recorder.borrow_mut().check(ledger, name, passed, witness.as_ref());
        };
        for save in saves {
            let found = self.script.save(save, reply, &vu.user).unwrap_or_else(|error| {
                fault(&error);
                false
            });
            count(&format!("saved {}", save.property), found);
        }
        if reply.outcome.failure.is_some() {
            checks.iter().for_each(|check| count(&check.name, false));
            return;
        }
        let class = match classify {
            None => None,
            Some(Classify::Header(name)) => Some(header_class(reply, name)),
            Some(Classify::CacheStatus) => Some(super::class::cache_status(reply).to_owned()),
            Some(Classify::Closure(closure)) => match self.script.classify(*closure, reply, &vu.user) {
                Ok(word) => Some(word),
                Err(error) => {
                    fault(&error);
                    Some("unknown".to_owned())
                }
            },
        };
        if let Some(class) = class {
            *reply.class.borrow_mut() = Some(class.into());
        }
        for check in checks {
            let passed = self.script.check(check.closure, reply, &vu.user).unwrap_or_else(|error| {
                fault(&error);
                false
            });
            count(&check.name, passed);
        }
    }

    /// Counts a mistake of the script, and shows the exchange it came after.
    fn fault(&self, ledger: u16, fault: &Fault, after: Option<&Witness<'_>>) {
        self.recorder.borrow_mut().script_error(ledger, &place(&fault.at), &fault.message, after);
    }

    /// Drives a flow to its end. Requests are planned when the step before them ended.
    async fn drive(&self, mut flow: Box<dyn FlowRun>, ledger: u16, vu: &Vu<T>, planned: Nanos) -> Driven {
        let mut planned = planned;
        let mut paused = 0;
        let mut groups = Groups::new(self, ledger);
        let mut answer = Answer::Start;
        // One request is the rule: it takes no list.
        let mut single: Option<Pending> = None;
        let mut batch: Vec<Pending> = Vec::new();
        let mut mishap = Mishap::None;
        loop {
            let step = flow.resume(answer);
            let mut file = |pending: &Pending| {
                self.file_reply(ledger, pending, SentView::of(&pending.reply.sent));
                let went = mishap_of(&pending.reply);
                groups.note(went);
                mishap = mishap.max(went);
            };
            if let Some(pending) = single.take() {
                file(&pending);
            }
            if !batch.is_empty() {
                std::mem::take(&mut batch).iter().for_each(file);
            }
            match step {
                Step::Done(end) => {
                    groups.leave_all(paused);
                    return Driven { mishap, end, paused };
                }
                Step::Think(pause) => {
                    vu.user.rest();
                    let from = self.host.now();
                    let until = from + pause;
                    self.host.sleep_until(until).await;
                    paused += self.host.now() - from;
                    planned = until;
                    answer = Answer::Rested;
                }
                Step::Enter(name) => {
                    groups.enter(&name, planned, paused);
                    answer = Answer::Noted;
                }
                Step::Leave { failed } => {
                    groups.leave(failed, paused);
                    answer = Answer::Noted;
                }
                Step::Send(request) => {
                    let sent = self.send(ledger, vu, planned, request).await;
                    planned = sent.reply.outcome.stamps.end;
                    vu.user.remember(&sent.reply);
                    answer = Answer::Response(sent.reply.clone());
                    single = Some(sent);
                }
                Step::Channel(step) => {
                    // On the heap, as a request, and more so: few users have channels.
                    let done = Box::pin(self.channel(ledger, vu, planned, *step)).await;
                    planned = done.ended;
                    groups.note(done.mishap);
                    mishap = mishap.max(done.mishap);
                    answer = Answer::Channel(Box::new(done.answer));
                }
                Step::Batch { requests, at_once } => {
                    // On the heap: few users send batches, and room for one is as much again as the rest.
                    let sent = Box::pin(self.send_all(ledger, vu, planned, requests, at_once)).await;
                    if let Some(last) = sent.iter().max_by_key(|pending| pending.reply.outcome.stamps.end) {
                        planned = last.reply.outcome.stamps.end;
                        vu.user.remember(&last.reply);
                    }
                    answer = Answer::Responses(sent.iter().map(|pending| pending.reply.clone()).collect());
                    batch = sent;
                }
            }
        }
    }

    /// Sends requests that are all planned for the same moment; gives what they got in their order.
    async fn send_all(
        &self,
        ledger: u16,
        vu: &Vu<T>,
        planned: Nanos,
        requests: Vec<Request>,
        at_once: usize,
    ) -> Vec<Pending> {
        let numbered = requests.into_iter().enumerate();
        let all =
            numbered.map(|(at, request)| async move { (at, self.send(ledger, vu, planned, Box::new(request)).await) });
        // Not in order, or a slow one at the head would keep the places of those behind it.
        let mut sent: Vec<_> = stream::iter(all).buffer_unordered(at_once.max(1)).collect().await;
        sent.sort_unstable_by_key(|(at, _)| *at);
        sent.into_iter().map(|(_, pending)| pending).collect()
    }

    async fn send(&self, ledger: u16, vu: &Vu<T>, planned: Nanos, mut request: Box<Request>) -> Pending {
        let name = request.name;
        let body_bytes_max = self.plan.targets[usize::from(request.target.0)].body_bytes_max;
        let exchange = Exchange {
            target: request.target,
            wire: &request.wire,
            body_at: request.body_at,
            is_head: request.is_head,
            timeout: request.timeout,
            keep: if request.discard_body { Keep::Head } else { Keep::Body },
            body_bytes_max,
            version: request.version,
        };
        let follow = if request.no_redirect { 0 } else { self.plan.targets[usize::from(request.target.0)].redirects };
        let outcome = self.request(ledger, name, vu, planned, &exchange, follow).await;
        let sent = Sent {
            target: request.target,
            wire: self.buffers.lend(std::mem::take(&mut request.wire)),
            body_at: request.body_at,
            redirects: follow,
        };
        let reply = into_reply(outcome, sent, &request.expect, body_bytes_max);
        let sent = SentView::of(&reply.sent);
        self.examine(ledger, &reply, sent, vu, &request.checks, request.classify.as_ref(), &request.saves);
        Pending { name, planned, reply }
    }

    pub(super) fn file_reply(&self, ledger: u16, pending: &Pending, sent: SentView<'_>) {
        let class = match &*pending.reply.class.borrow() {
            Some(word) => self.recorder.borrow_mut().class(word),
            None => ClassId::NONE,
        };
        let reply = &pending.reply;
        let measured = (&*reply.outcome, reply.failed());
        self.file(ledger, pending.name, class, pending.planned, measured, reply.expected.get(), || {
            sent.with_reply(reply)
        });
        pending.reply.filed.set(true);
    }

    #[expect(clippy::too_many_arguments, reason = "what a sample is made of")]
    fn file<'a>(
        &self,
        ledger: u16,
        name: NameId,
        class: ClassId,
        planned: Nanos,
        (outcome, failure): (&Outcome, Option<&Failure>),
        expected: bool,
        witness: impl Fn() -> Witness<'a>,
    ) {
        let mut recorder = self.recorder.borrow_mut();
        if failure.is_none() && !expected {
            recorder.status_example(ledger, name, outcome.status, || witness().answer);
        }
        count_connection(&mut recorder, ledger, outcome);
        let sample = Sample {
            phase: ledger,
            name,
            class,
            result: match failure {
                Some(failure) => SampleResult::Error(failure.kind),
                None if expected => SampleResult::Ok,
                None => SampleResult::FailedStatus,
            },
            status: outcome.status,
            planned,
            started: outcome.stamps.start,
            first_byte: outcome.stamps.first_byte,
            end: outcome.stamps.end,
            bytes_sent: outcome.bytes_sent,
            bytes_received: outcome.bytes_received,
        };
        if recorder.record(&sample) {
            recorder.keep(&sample, &witness());
        }
    }
}

/// Counts the connection that an exchange went over, if there was one.
pub(super) fn count_connection(recorder: &mut Recorder, ledger: u16, outcome: &Outcome) {
    if outcome.reused {
        recorder.reused(ledger, outcome.negotiated);
    } else if outcome.stamps.connected.is_some() {
        recorder.opened(ledger, &outcome.stamps, outcome.negotiated);
    }
}

pub(super) fn into_reply(mut outcome: Box<Outcome>, sent: Sent, expect: &Expect, body_bytes_max: u64) -> Rc<Reply> {
    if let Some(response) = &mut outcome.response {
        response.limit_content(body_bytes_max);
    }
    let expected = outcome.failure.is_none() && expect.accepts(outcome.status);
    if outcome.failure.is_some() {
        outcome.status = 0;
    }
    Rc::new(Reply {
        outcome,
        sent,
        expected: Cell::new(expected),
        class: RefCell::new(None),
        parsed: OnceCell::new(),
        filed: Cell::new(false),
    })
}

pub(super) fn mishap_of(reply: &Reply) -> Mishap {
    match reply.failed() {
        Some(failure) if failure.kind.is_timeout() => Mishap::Timeout,
        Some(_) => Mishap::Failed,
        None if reply.expected.get() => Mishap::None,
        None => Mishap::Failed,
    }
}

fn iteration_result(failure: Option<&Failure>, expected: bool) -> IterationResult {
    match failure {
        Some(failure) if failure.kind.is_timeout() => IterationResult::Timeout,
        Some(_) => IterationResult::Failed,
        None if expected => IterationResult::Ok,
        None => IterationResult::Failed,
    }
}

fn header_class(reply: &Reply, name: &str) -> String {
    let value = reply.outcome.response.as_ref().and_then(|response| response.field(name));
    value.map_or_else(|| "unknown".to_owned(), |value| String::from_utf8_lossy(value).to_ascii_lowercase())
}

fn place(at: &crate::plan::Place) -> String {
    let file = if at.file.is_empty() { "script" } else { &at.file };
    if at.line == 0 { file.to_owned() } else { format!("{file}:{}:{}", at.line, at.column) }
}

fn describe(fault: &Fault) -> String {
    format!("{} ({})", fault.message, place(&fault.at))
}
