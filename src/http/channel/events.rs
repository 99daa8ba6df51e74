//! A stream of server-sent events that has been opened.

use std::{
    cell::RefCell,
    future::poll_fn,
    io,
    rc::Rc,
    task::{Context, Poll, ready},
};

use tokio::{io::ReadBuf, task::AbortHandle};

use super::{
    inbox::{Inbox, broken, clean},
    sse::{Event, Parser},
};
use crate::{
    clock::{Clock, Nanos},
    http::{
        h1::{Progress, ResponseReader},
        stream::Stream,
        system,
    },
    protocol::{BufferPool, Channel, Ended, ErrorKind, Failure, Incoming, Later, Outgoing, Payload},
};

/// Bytes that are read at once: events are small.
const READ_BYTES: usize = 4 * 1024;

/// See the module.
pub(super) struct EventStream {
    shared: Rc<Shared>,
    task: AbortHandle,
}

struct Shared {
    source: RefCell<Option<Source>>,
    inbox: RefCell<Inbox>,
    clock: Clock,
    pool: BufferPool,
}

/// Where the bytes come from, and how far they were read.
struct Source {
    stream: Stream,
    reader: ResponseReader,
    parser: Parser,
    body: Vec<u8>,
}

impl EventStream {
    /// The stream behind a response whose head `reader` has read; `progress` says whether the body is whole already.
    pub(super) fn start(
        stream: Stream,
        reader: ResponseReader,
        progress: Progress,
        message_bytes_max: usize,
        clock: Clock,
        pool: BufferPool,
    ) -> Self {
        let source = Source { stream, reader, parser: Parser::new(message_bytes_max), body: Vec::new() };
        let shared = Rc::new(Shared { source: RefCell::new(Some(source)), inbox: RefCell::default(), clock, pool });
        let at = shared.clock.now();
        if shared.take(Ok(progress), at).is_some() {
            shared.source.replace(None);
        }
        let reading = shared.clone();
        let task = tokio::task::spawn_local(async move {
            poll_fn(|cx| reading.poll_read(cx)).await;
            reading.source.replace(None);
        });
        Self { shared, task: task.abort_handle() }
    }
}

impl Drop for EventStream {
    fn drop(&mut self) {
        self.task.abort();
        self.shared.source.replace(None);
    }
}

impl Shared {
    /// Reads until the stream ends.
    fn poll_read(&self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.inbox.borrow_mut().poll_room(cx));
            let mut bytes = [0; READ_BYTES];
            let mut buffer = ReadBuf::new(&mut bytes);
            let (at, progress) = {
                let mut source = self.source.borrow_mut();
                let Some(source) = source.as_mut() else { return Poll::Ready(()) };
                let read = ready!(source.stream.poll_read(cx, &mut buffer));
                (self.clock.now(), source.progress(read, buffer.filled(), &self.pool))
            };
            if self.take(progress, at).is_some() {
                return Poll::Ready(());
            }
        }
    }

    /// Takes what a read came to: events go to the inbox, and an end is noted.
    fn take(&self, progress: Result<Progress, Failure>, at: Nanos) -> Option<()> {
        let mut source = self.source.borrow_mut();
        let source = source.as_mut()?;
        let mut inbox = self.inbox.borrow_mut();
        let mut body = std::mem::take(&mut source.body);
        source.reader.drain_body(&mut body);
        let mut events = Vec::new();
        let parsed = source.parser.feed(&body, |event| events.push(event));
        body.clear();
        source.body = body;
        let retry_ms = source.parser.retry_ms();
        for Event { event, data, id } in events {
            inbox.push(Incoming { at, what: Payload::Event { event, id, retry_ms }, bytes: data.into_bytes() });
        }
        let ended = match (parsed, progress) {
            (Err(_), _) => {
                let detail = "an event, or a line of the stream, is longer than allowed";
                broken(at, Failure::new(ErrorKind::MessageTooLarge, detail))
            }
            (Ok(()), Err(failure)) => broken(at, failure),
            (Ok(()), Ok(Progress::Done)) => clean(at, "the stream of events is over"),
            (Ok(()), Ok(Progress::More)) => return None,
        };
        inbox.end(ended);
        Some(())
    }
}

impl Source {
    fn progress(&mut self, read: io::Result<()>, bytes: &[u8], pool: &BufferPool) -> Result<Progress, Failure> {
        match read {
            // An end without TLS's own end may be a part: for a stream that ends with its connection, that counts.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                self.reader.close()?;
                Err(Failure::new(ErrorKind::TruncatedBody, "the connection ended without TLS's end"))
            }
            Err(error) => Err(Failure::new(system::while_connected(&error), error.to_string())),
            Ok(()) if bytes.is_empty() => self.reader.close().map(|()| Progress::Done),
            Ok(()) => self.reader.feed(bytes, pool),
        }
    }
}

impl Channel for EventStream {
    fn send(&self, _message: Outgoing) -> Later<'_, Result<Nanos, Rc<Ended>>> {
        let failure = Failure::new(ErrorKind::Protocol, "nothing can be sent over a stream of events");
        let ended = Rc::new(broken(self.shared.clock.now(), failure));
        Box::pin(async move { Err(ended) })
    }

    fn next(&self) -> Later<'_, Result<Incoming, Rc<Ended>>> {
        Box::pin(poll_fn(|cx| self.shared.inbox.borrow_mut().poll_next(cx)))
    }

    fn pong(&self, ping: u64) -> Later<'_, Result<Nanos, Rc<Ended>>> {
        Box::pin(poll_fn(move |cx| self.shared.inbox.borrow_mut().poll_pong(ping, cx)))
    }

    fn waiting(&self) -> usize {
        self.shared.inbox.borrow().waiting()
    }

    fn ended(&self) -> Option<Rc<Ended>> {
        self.shared.inbox.borrow().ended()
    }
}
