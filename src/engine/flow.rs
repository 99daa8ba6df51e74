//! The seam between the engine and a script: a flow is a machine that asks for one thing at a time.
//!
//! The engine resumes it with the answer to what it asked before; it runs until it asks again or is done.
//! How it keeps its place between two steps (a coroutine, a state machine of a test) is its own affair.
//! Dropping it ends it where it stands.

use std::{
    any::Any,
    cell::{Cell, OnceCell, RefCell},
    rc::Rc,
};

use crate::{
    clock::Nanos,
    measure::NameId,
    plan::{ClosureId, Expect, FlowId, Place, Save},
    protocol::{ChannelKind, Failure, HttpVersion, Lent, Outcome, Outgoing, TargetId},
};

use super::{
    live::{Arrival, LiveChannel},
    user::User,
};

/// What the engine asks of a script.
pub trait Script {
    /// Starts a closure for a virtual user. Nothing of it runs before the first [`FlowRun::resume`].
    fn begin(&self, call: Call, user: &Rc<User>) -> Box<dyn FlowRun>;

    /// Asks a template's check about a response.
    ///
    /// # Errors
    /// The closure failed or gave no boolean.
    fn check(&self, closure: ClosureId, response: &Rc<Reply>, user: &Rc<User>) -> Result<bool, Fault>;

    /// Asks a template's classifier for a response's class.
    ///
    /// # Errors
    /// The closure failed or gave no word.
    fn classify(&self, closure: ClosureId, response: &Rc<Reply>, user: &Rc<User>) -> Result<String, Fault>;

    /// Extracts a value from a response into a property of the user; a property whose value is not there is
    /// taken away. Says whether it was there.
    ///
    /// # Errors
    /// The body is longer than what is searched.
    fn save(&self, save: &Save, response: &Rc<Reply>, user: &Rc<User>) -> Result<bool, Fault>;
}

/// Which closure, and what it is given.
#[derive(Debug, Clone, PartialEq)]
pub enum Call {
    /// A flow of a mix.
    Flow(FlowId),
    /// A target's `on_start` or `on_stop`.
    Hook(ClosureId),
    /// `setup`; its value is in [`End::Completed`].
    Setup(ClosureId),
    /// `teardown`, with what `setup` returned.
    Teardown(ClosureId),
}

/// A started closure.
pub trait FlowRun {
    /// Runs to the next step. Not called again after [`Step::Done`]. Must not panic: a panic inside the script
    /// is [`Fault`]'s affair.
    fn resume(&mut self, answer: Answer) -> Step;
}

/// What a flow asks for.
#[derive(Debug)]
pub enum Step {
    /// One request.
    Send(Box<Request>),
    /// Several at once.
    Batch {
        /// Answered in this order.
        requests: Vec<Request>,
        /// So many under way at the same time, at least one.
        at_once: usize,
    },
    /// A pause, in nanoseconds.
    Think(Nanos),
    /// A group of steps begins, of this name; within another group.
    Enter(Box<str>),
    /// The group entered last is over.
    Leave {
        /// Its script failed, whatever its requests did.
        failed: bool,
    },
    /// Something with a channel.
    Channel(Box<ChannelStep>),
    /// Nothing more.
    Done(End),
}

/// The answer to a [`Step`].
#[derive(Debug)]
pub enum Answer {
    /// There was no step yet.
    Start,
    /// To [`Step::Send`].
    Response(Rc<Reply>),
    /// To [`Step::Batch`], in its order.
    Responses(Vec<Rc<Reply>>),
    /// To [`Step::Think`].
    Rested,
    /// To [`Step::Enter`] and [`Step::Leave`].
    Noted,
    /// To [`Step::Channel`].
    Channel(Box<ChannelAnswer>),
}

/// What a flow does with a channel: a WebSocket, or a stream of events.
#[derive(Debug)]
pub enum ChannelStep {
    /// Opens one.
    Open(Box<OpenChannel>),
    /// Sends a message.
    Send {
        /// Over this one.
        channel: Rc<LiveChannel>,
        /// The message.
        message: Outgoing,
    },
    /// Waits for a message.
    Receive {
        /// From this one.
        channel: Rc<LiveChannel>,
        /// For so long.
        patience: Nanos,
        /// It is filed only when the script says so, by [`ChannelStep::Settle`].
        hold: bool,
    },
    /// The message that came last was the one that was waited for.
    Settle {
        /// Over this one.
        channel: Rc<LiveChannel>,
    },
    /// Sends a ping and waits for its pong.
    Ping {
        /// Over this one.
        channel: Rc<LiveChannel>,
        /// For so long.
        patience: Nanos,
    },
    /// Closes it in good order.
    Close {
        /// This one.
        channel: Rc<LiveChannel>,
        /// The close code.
        code: u16,
        /// Why.
        reason: String,
    },
}

/// A channel to be opened.
#[derive(Debug)]
pub struct OpenChannel {
    /// The request that opens it, with all it needs.
    pub request: Request,
    /// What is opened.
    pub kind: ChannelKind,
    /// The start of the names of its messages' rows.
    pub name: String,
    /// See [`crate::protocol::Opening::message_bytes_max`].
    pub message_bytes_max: usize,
}

/// The answer to a [`ChannelStep`].
#[derive(Debug)]
pub enum ChannelAnswer {
    /// To [`ChannelStep::Open`]; open or not.
    Opened(Rc<LiveChannel>),
    /// To [`ChannelStep::Receive`].
    Arrival(Box<Arrival>),
    /// To [`ChannelStep::Ping`]: how long it took.
    Ponged(Result<Nanos, Failure>),
    /// To the others: what went wrong, if something did.
    Done(Option<Failure>),
}

/// How a flow ended.
#[derive(Debug, Clone, PartialEq)]
pub enum End {
    /// By itself, with the closure's value where that is of use (`setup`).
    Completed(serde_json::Value),
    /// By `vu.fail(reason)`.
    Failed(String),
    /// By a mistake in the script.
    Fault(Fault),
    /// By `vu.stop()`: this virtual user does no more.
    StopUser,
    /// By `vu.abort(reason)`: the run ends.
    AbortRun(String),
}

/// A mistake in a script that showed while it ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The innermost place.
    pub at: Place,
    /// What is wrong, lower case, without a full stop.
    pub message: String,
}

/// A request that a script composed.
#[derive(Debug)]
pub struct Request {
    /// The row it is reported under.
    pub name: NameId,
    /// Where it goes.
    pub target: TargetId,
    /// See [`crate::protocol::Exchange::wire`]. The buffer returns to the worker's pool.
    pub wire: Vec<u8>,
    /// See [`crate::protocol::Exchange::body_at`].
    pub body_at: usize,
    /// See [`crate::protocol::Exchange::is_head`].
    pub is_head: bool,
    /// A redirect is a response, whatever the target says.
    pub no_redirect: bool,
    /// See [`crate::protocol::Exchange::version`].
    pub version: Option<HttpVersion>,
    /// Nobody reads the body.
    pub discard_body: bool,
    /// Time for the whole request.
    pub timeout: Nanos,
    /// What is not an error.
    pub expect: Expect,
    /// How the response is labelled.
    pub classify: Option<crate::plan::Classify>,
    /// Checks that the request brings with it.
    pub checks: Vec<crate::plan::Check>,
    /// What is extracted.
    pub saves: Vec<Save>,
}

/// What a request got, as scripts see it. A script may still say what it expected; the sample is filed with
/// that when the script asks for its next step.
#[derive(Debug)]
pub struct Reply {
    /// What the exchange came to; of a failure without a status.
    pub outcome: Box<Outcome>,
    /// What was sent; empty where who asks has it anyway.
    pub sent: Sent,
    /// Whether the request ended as expected, by what is known so far.
    pub expected: Cell<bool>,
    /// The class, where there is one.
    pub class: RefCell<Option<Rc<str>>>,
    /// What a script has made of the body so far, so that it is made once.
    pub parsed: OnceCell<Box<dyn Any>>,
    /// The sample has been filed: what is said from now on comes too late for it.
    pub filed: Cell<bool>,
}

/// A request as it was sent.
#[derive(Debug, Default)]
pub struct Sent {
    /// Where it went.
    pub target: TargetId,
    /// See [`crate::protocol::Exchange::wire`].
    pub wire: Lent,
    /// See [`crate::protocol::Exchange::body_at`].
    pub body_at: usize,
    /// Redirects that it followed at most.
    pub redirects: u32,
}

impl Reply {
    /// Why the request failed: there was no whole response, or its content could not be read by who tried.
    pub fn failed(&self) -> Option<&Failure> {
        let outcome = &self.outcome;
        outcome.failure.as_ref().or_else(|| outcome.response.as_ref()?.content_failure())
    }
}
