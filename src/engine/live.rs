//! A channel that a flow has opened, as its script holds it, and what its messages are measured from.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use super::flow::Reply;
use crate::{
    clock::Nanos,
    measure::{Kind, NameId, Recorder, Sample},
    protocol::{Channel, ChannelKind, Ended, Payload},
};

/// See the module. It is open until it is dropped, closed, or ended by the server.
pub struct LiveChannel {
    /// What opened it, or did not.
    pub opened: Rc<Reply>,
    /// What is spoken over it.
    pub kind: ChannelKind,
    /// How long anything over it may take unless the script says otherwise.
    pub timeout: Nanos,
    name: Box<str>,
    channel: RefCell<Option<Rc<dyn Channel>>>,
    opening: Base,
    /// The last message that was not answered.
    asked: Cell<Option<Base>>,
    /// When the last message came.
    last: Cell<Option<Nanos>>,
    pings: Cell<u64>,
    rows: [Cell<Option<NameId>>; MEASURES],
    /// The sample of the last message, until the script has said that it waited for it.
    held: RefCell<Option<(Measure, Sample)>>,
    /// The script has been told of its end.
    is_over: Cell<bool>,
}

/// When something was due, and when it began.
#[derive(Debug, Clone, Copy)]
pub(super) struct Base {
    pub(super) planned: Nanos,
    pub(super) started: Nanos,
}

/// What a message is measured from: a row of its channel each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Measure {
    /// The message that was sent last.
    RoundTrip,
    /// The start of the request that opened the channel.
    First,
    /// The message before it.
    Gap,
    /// A ping; the message is its pong.
    Ping,
}

const MEASURES: usize = 4;

impl Measure {
    /// The word for it, behind the channel's name.
    const fn word(self, kind: ChannelKind) -> &'static str {
        match (self, kind) {
            (Self::RoundTrip, _) => "round trip",
            (Self::First, ChannelKind::WebSocket) => "first message",
            (Self::First, ChannelKind::Events) => "first event",
            (Self::Gap, _) => "gap",
            (Self::Ping, _) => "ping",
        }
    }
}

/// What a wait for a message came to.
#[derive(Debug)]
pub struct Arrival {
    /// What came.
    pub what: What,
    /// The message as the body of a response, and why there is none.
    pub reply: Rc<Reply>,
    /// How long the script waited for it.
    pub waited: Nanos,
}

/// What came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A message.
    Message(Payload),
    /// The channel's end.
    End {
        /// The server's close code.
        code: Option<u16>,
        /// The server's reason.
        reason: String,
    },
    /// Nothing, in time.
    Nothing,
}

impl LiveChannel {
    pub(super) fn new(
        opened: Rc<Reply>,
        (kind, name): (ChannelKind, &str),
        channel: Option<Rc<dyn Channel>>,
        opening: Base,
        timeout: Nanos,
    ) -> Self {
        Self {
            opened,
            kind,
            timeout,
            name: name.into(),
            channel: RefCell::new(channel),
            opening,
            asked: Cell::new(None),
            last: Cell::new(None),
            pings: Cell::new(0),
            rows: [const { Cell::new(None) }; MEASURES],
            held: RefCell::new(None),
            is_over: Cell::new(false),
        }
    }

    /// It was opened and has not ended, as far as is known; what has come may still wait.
    pub fn is_open(&self) -> bool {
        self.channel().is_some_and(|channel| channel.ended().is_none())
    }

    /// The script knows that nothing more comes: it was closed, its end was told, or it was never opened.
    pub fn is_over(&self) -> bool {
        self.is_over.get() || self.channel.borrow().is_none()
    }

    /// How it ended, where the server or the network ended it.
    pub fn ended(&self) -> Option<Rc<Ended>> {
        self.channel().and_then(|channel| channel.ended())
    }

    /// Messages that have come and nobody has asked for.
    pub fn waiting(&self) -> usize {
        self.channel().map_or(0, |channel| channel.waiting())
    }

    pub(super) fn channel(&self) -> Option<Rc<dyn Channel>> {
        self.channel.borrow().clone()
    }

    /// Closes the connection.
    pub(super) fn let_go(&self) {
        self.channel.replace(None);
        self.is_over.set(true);
    }

    pub(super) fn told_end(&self) {
        self.is_over.set(true);
    }

    /// A message was sent: the next one that comes answers it.
    pub(super) fn ask(&self, base: Base) {
        self.asked.set(Some(base));
    }

    /// Whether a message was sent that nothing has answered.
    pub(super) fn is_asked(&self) -> bool {
        self.asked.get().is_some()
    }

    /// Nobody waits for the answer any more.
    pub(super) fn give_up(&self) {
        self.asked.set(None);
    }

    /// What a message that came at `at` is measured from. One that came before the last was sent is no answer to it.
    pub(super) fn measure(&self, at: Option<Nanos>) -> (Measure, Base) {
        let answered = self.asked.get().filter(|asked| at.is_none_or(|at| at >= asked.started));
        match (answered, self.last.get()) {
            (Some(asked), _) => (Measure::RoundTrip, asked),
            (None, Some(last)) => (Measure::Gap, Base { planned: last, started: last }),
            (None, None) => (Measure::First, self.opening),
        }
    }

    /// A message that came at `at` was what the script waited for.
    pub(super) fn came(&self, measure: Measure, at: Nanos) {
        self.last.set(Some(at));
        if measure == Measure::RoundTrip {
            self.asked.set(None);
        }
    }

    pub(super) fn hold(&self, measure: Measure, sample: Sample) {
        self.held.replace(Some((measure, sample)));
    }

    pub(super) fn take_held(&self) -> Option<(Measure, Sample)> {
        self.held.take()
    }

    pub(super) fn next_ping(&self) -> u64 {
        self.pings.set(self.pings.get() + 1);
        self.pings.get()
    }

    /// The row of what is measured so.
    pub(super) fn row(&self, measure: Measure, recorder: &mut Recorder) -> NameId {
        let row = &self.rows[measure as usize];
        row.get().unwrap_or_else(|| {
            let id = recorder.name(Kind::Message, &format!("{}: {}", self.name, measure.word(self.kind)));
            row.set(Some(id));
            id
        })
    }
}

impl std::fmt::Debug for LiveChannel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LiveChannel").field("name", &self.name).field("kind", &self.kind).finish_non_exhaustive()
    }
}
