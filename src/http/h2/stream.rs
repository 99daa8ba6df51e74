//! One exchange on a stream of its own.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker, ready},
};

use ::h2::{
    Error, RecvStream, SendStream,
    client::{ResponseFuture, SendRequest},
};
use bytes::Bytes;

use super::{connection::Connection, failure, received::Received, wire::Flush};
use crate::{
    clock::{Clock, Nanos},
    http::deadline::DeadlineTimer,
    protocol::{BufferPool, ErrorKind, Exchange, Failure, Outcome, Stamps},
};

/// The most of a body that is handed to a connection at once, in bytes.
const PIECE_BYTES: usize = 64 * 1024;

/// Carries an exchange over a connection, `reused` if another has opened it. Dropped, it resets its stream; the
/// connection stays.
pub async fn exchange(
    connection: Rc<Connection>,
    exchange: &Exchange<'_>,
    (clock, pool): (&Clock, &BufferPool),
    deadline: Nanos,
    mut stamps: Stamps,
    reused: bool,
) -> Box<Outcome> {
    let mut call = Call {
        timer: Some(connection.lend_timer(clock, deadline)),
        connection,
        clock,
        pool,
        head_len: exchange.body_at,
        body: &exchange.wire[exchange.body_at..],
        deadline,
        reused,
        sender: None,
        flush: None,
        sending: None,
        written: 0,
        answer: Answer::None,
        received: Received::new(exchange.keep, exchange.body_bytes_max),
    };
    let result = match call.begin(exchange) {
        Ok(()) => poll_fn(|cx| call.poll(&mut stamps, cx)).await,
        Err(failure) => Err(failure),
    };
    stamps.end = if result.is_ok() { call.connection.traffic.read_at.get() } else { clock.now() };
    // What came before a stamp was taken came with the same read.
    stamps.end = stamps.end.max(stamps.first_byte.unwrap_or_default()).max(stamps.sent.unwrap_or_default());
    Box::new(Outcome {
        status: if result.is_ok() { call.received.status } else { 0 },
        failure: result.err(),
        stamps,
        bytes_sent: if stamps.sent.is_some() || call.written > 0 { (call.head_len + call.written) as u64 } else { 0 },
        bytes_received: call.received.bytes,
        body_bytes: call.received.body_bytes,
        reused,
        negotiated: call.connection.negotiated(),
        sets_cookies: call.received.sets_cookies,
        response: std::mem::replace(&mut call.received, Received::new(exchange.keep, 0)).into_response(pool),
    })
}

/// How far the answer is.
enum Answer {
    None,
    Head(ResponseFuture),
    Body(RecvStream),
}

/// An exchange on its way.
struct Call<'a> {
    connection: Rc<Connection>,
    clock: &'a Clock,
    pool: &'a BufferPool,
    timer: Option<DeadlineTimer>,
    head_len: usize,
    body: &'a [u8],
    deadline: Nanos,
    reused: bool,
    /// This stream's own handle: it tells when the stream was opened, which waits where the server allows no more.
    sender: Option<SendRequest<Bytes>>,
    /// Where all of the request waits for the connection's task to write it, with what others send at the same time.
    flush: Option<Flush>,
    /// Where the body goes, until all of it has.
    sending: Option<SendStream<Bytes>>,
    written: usize,
    answer: Answer,
    received: Received,
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        if let Some(timer) = self.timer.take() {
            self.connection.return_timer(timer);
        }
    }
}

impl Call<'_> {
    fn begin(&mut self, exchange: &Exchange<'_>) -> Result<(), Failure> {
        let request = self.connection.converter.convert(&exchange.wire[..exchange.body_at])?;
        let mut sender = self.connection.sender();
        let ends = self.body.is_empty();
        let (answer, sending) = sender.send_request(request, ends).map_err(|error| self.failed(&error))?;
        self.sender = Some(sender);
        self.answer = Answer::Head(answer);
        if !ends {
            self.sending = Some(sending);
        }
        Ok(())
    }

    fn poll(&mut self, stamps: &mut Stamps, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        if stamps.sent.is_none() && self.flush.is_none() {
            let stopped = self.poll_send(cx);
            if stopped.is_ok() && self.sending.is_none() && self.connection.has_room() {
                self.flush = Some(self.connection.traffic.next_flush());
            } else {
                self.connection.driver.turn();
                self.note_sent(stamps, cx);
            }
            if let Err(error) = stopped {
                // The server may have answered without waiting for the rest.
                let outcome = self.poll_receive(stamps, cx);
                return if outcome.is_pending() { Poll::Ready(Err(self.failed(&error))) } else { outcome };
            }
        }
        let received = self.poll_receive(stamps, cx);
        if let Some(sent) = self.flush.as_ref().and_then(|flush| flush.get()) {
            // What was read in the same turn may have been stamped before.
            stamps.sent = Some(stamps.first_byte.map_or(sent, |first_byte| sent.min(first_byte)));
            self.flush = None;
            self.sender = None;
        }
        if received.is_ready() {
            return received;
        }
        let Some(timer) = &mut self.timer else { return Poll::Pending };
        timer.poll(self.clock, self.deadline, cx).map(|()| Err(self.timed_out()))
    }

    /// Hands over as much of the body as the server's windows allow.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        while let Some(sending) = &mut self.sending {
            let left = &self.body[self.written..];
            sending.reserve_capacity(left.len().min(PIECE_BYTES));
            if sending.capacity() == 0 {
                match sending.poll_capacity(cx) {
                    Poll::Ready(Some(outcome)) => drop(outcome?),
                    // The server wants no more of it.
                    Poll::Ready(None) => self.sending = None,
                    Poll::Pending => return Ok(()),
                }
                continue;
            }
            let piece = &left[..left.len().min(sending.capacity())];
            let ends = piece.len() == left.len();
            sending.send_data(Bytes::copy_from_slice(piece), ends)?;
            self.written += piece.len();
            if ends {
                self.sending = None;
            }
        }
        Ok(())
    }

    /// Stamps the request as sent, if all of it was handed to the kernel.
    fn note_sent(&mut self, stamps: &mut Stamps, cx: &mut Context<'_>) {
        let is_opened = self.sender.as_mut().is_some_and(|sender| matches!(sender.poll_ready(cx), Poll::Ready(Ok(()))));
        if is_opened && self.written == self.body.len() && !self.connection.traffic.is_blocked.get() {
            stamps.sent = Some(self.clock.now());
            self.sender = None;
        }
    }

    fn poll_receive(&mut self, stamps: &mut Stamps, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        loop {
            match &mut self.answer {
                Answer::None => return Poll::Pending,
                Answer::Head(answer) => {
                    while let Poll::Ready(Some(Ok(interim))) = answer.poll_informational(cx) {
                        stamps.first_byte.get_or_insert(self.connection.traffic.read_at.get());
                        let (parts, ()) = interim.into_parts();
                        if let Err(failure) = self.received.interim(&parts) {
                            return Poll::Ready(Err(failure));
                        }
                    }
                    let (parts, body) = match ready!(Pin::new(answer).poll(cx)) {
                        Ok(response) => response.into_parts(),
                        Err(error) => return Poll::Ready(Err(self.failed(&error))),
                    };
                    stamps.first_byte.get_or_insert(self.connection.traffic.read_at.get());
                    let ends = body.is_end_stream();
                    let taken = self.received.head(&parts, !ends, self.pool);
                    if taken.is_err() || ends {
                        return Poll::Ready(taken);
                    }
                    self.answer = Answer::Body(body);
                }
                Answer::Body(body) => match ready!(body.poll_data(cx)) {
                    None => return Poll::Ready(Ok(())),
                    Some(Ok(piece)) => {
                        // Fails only for more than was received.
                        let _ = body.flow_control().release_capacity(piece.len());
                        let taken = self.received.body(&piece);
                        if taken.is_err() || body.is_end_stream() {
                            return Poll::Ready(taken);
                        }
                        // A body without end keeps data ready, and the timer would never be asked.
                        if self.clock.now() >= self.deadline {
                            return Poll::Ready(Err(self.timed_out()));
                        }
                    }
                    Some(Err(error)) => return Poll::Ready(Err(self.failed(&error))),
                },
            }
        }
    }

    /// What an error of this stream means.
    fn failed(&self, error: &Error) -> Failure {
        // A connection's end looks alike to all its streams; why it ended, the connection knows.
        let mut cx = Context::from_waker(Waker::noop());
        let of_connection = match self.connection.sender().poll_ready(&mut cx) {
            Poll::Ready(Err(known)) if error.is_io() => Some(known),
            _ => None,
        };
        let error = of_connection.as_ref().unwrap_or(error);
        let mut failure = failure::of_connection(error, &self.connection.traffic);
        let breaks_off = matches!(failure.kind, ErrorKind::Closed | ErrorKind::Reset);
        if breaks_off && self.received.status > 0 {
            let bytes = self.received.body_bytes;
            return Failure::new(
                ErrorKind::TruncatedBody,
                format!("the connection ended after {bytes} bytes of the body"),
            );
        }
        if breaks_off && self.reused && self.received.bytes == 0 {
            let detail = "the connection had waited, and ended before any answer";
            return Failure::new(ErrorKind::StaleConnection, detail);
        }
        failure.detail = format!("{}, {}", failure.detail, self.position()).into();
        failure
    }

    fn timed_out(&self) -> Failure {
        let stalled = self.sending.as_ref().is_some_and(|sending| sending.capacity() == 0);
        let why = match &self.sender {
            Some(_) if stalled && self.written < self.body.len() => ": the target's flow control let no more through",
            Some(_) if self.written == self.body.len() => ": no stream was free, or the target reads nothing",
            _ => "",
        };
        Failure::new(ErrorKind::Timeout, format!("no whole response in time, {}{why}", self.position()))
    }

    /// How far the exchange got, for a person.
    fn position(&self) -> String {
        let (sent, whole, received) = (self.written, self.body.len(), self.received.bytes);
        if sent < whole {
            format!("{sent} of {whole} bytes of the body sent, {received} received")
        } else {
            format!("request sent, {received} bytes received")
        }
    }
}
