//! A WebSocket (RFC 6455) that has been opened. Frames are a library's; what becomes of them is here.

use std::{
    cell::RefCell,
    future::poll_fn,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker, ready},
};

use futures_util::{Sink, Stream as _};
use tokio::task::AbortHandle;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error, Message,
        error::{CapacityError, ProtocolError},
        protocol::{CloseFrame, Role, WebSocketConfig, frame::coding::CloseCode},
    },
};

use super::inbox::{Inbox, broken};
use crate::{
    clock::{Clock, Nanos},
    http::{stream::Stream, system},
    protocol::{Channel, Ended, ErrorKind, Failure, Incoming, Later, Outgoing, Payload},
};

/// The library's buffer for reading, in bytes: ten thousand sockets that wait must stay small.
const READ_BUFFER_BYTES: usize = 4 * 1024;

/// See the module.
pub(super) struct WebSocket {
    shared: Rc<Shared>,
    task: AbortHandle,
}

struct Shared {
    socket: RefCell<Option<WebSocketStream<Stream>>>,
    inbox: RefCell<Inbox>,
    clock: Clock,
}

impl WebSocket {
    /// A socket over a connection that has been upgraded, with what was read of it already.
    pub(super) async fn start(stream: Stream, ahead: Vec<u8>, message_bytes_max: usize, clock: Clock) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            // Each message is a write of its own: it is stamped when the kernel has it.
            .write_buffer_size(0)
            .max_message_size(Some(message_bytes_max))
            .max_frame_size(Some(message_bytes_max));
        let socket = WebSocketStream::from_partially_read(stream, ahead, Role::Client, Some(config)).await;
        let shared = Rc::new(Shared { socket: RefCell::new(Some(socket)), inbox: RefCell::default(), clock });
        let reading = shared.clone();
        let task = tokio::task::spawn_local(async move { poll_fn(|cx| reading.poll_read(cx)).await });
        Self { shared, task: task.abort_handle() }
    }
}

impl Drop for WebSocket {
    /// Tells the server that it goes, as far as that needs no waiting, and closes the connection.
    fn drop(&mut self) {
        self.task.abort();
        if self.shared.ended().is_none() {
            self.shared.leave(CloseCode::Away);
        }
        self.shared.socket.replace(None);
    }
}

impl Shared {
    /// Reads until the connection ends; answers to pings and to a close go out on the way.
    fn poll_read(&self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            // Whoever waits for the server's close takes messages out, too.
            ready!(self.inbox.borrow_mut().poll_room(cx));
            let read = {
                let mut socket = self.socket.borrow_mut();
                let Some(socket) = socket.as_mut() else { return Poll::Ready(()) };
                ready!(Pin::new(socket).poll_next(cx))
            };
            let at = self.clock.now();
            match read {
                Some(Ok(message)) => self.take(message, at),
                Some(Err(error)) => {
                    let code = match &error {
                        Error::Capacity(_) => Some(CloseCode::Size),
                        Error::Utf8(_) => Some(CloseCode::Invalid),
                        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => None,
                        Error::Protocol(_) => Some(CloseCode::Protocol),
                        _ => None,
                    };
                    if let Some(code) = code {
                        self.leave(code);
                    }
                    self.end(at, error);
                    return Poll::Ready(());
                }
                None => {
                    self.end(at, Error::ConnectionClosed);
                    return Poll::Ready(());
                }
            }
        }
    }

    fn take(&self, message: Message, at: Nanos) {
        let mut inbox = self.inbox.borrow_mut();
        match message {
            Message::Text(text) => {
                inbox.push(Incoming { at, what: Payload::Text, bytes: text.as_str().as_bytes().to_vec() });
            }
            Message::Binary(bytes) => inbox.push(Incoming { at, what: Payload::Binary, bytes: bytes.to_vec() }),
            Message::Pong(bytes) => {
                if let Ok(number) = <[u8; 8]>::try_from(&bytes[..]) {
                    inbox.pong(u64::from_be_bytes(number), at);
                }
            }
            Message::Close(frame) => inbox.end(closed(at, frame)),
            // The library answers a ping; frames of its own it shows to nobody.
            Message::Ping(_) | Message::Frame(_) => {}
        }
    }

    fn end(&self, at: Nanos, error: Error) {
        self.inbox.borrow_mut().end(broken(at, failure(error)));
        self.socket.replace(None);
    }

    fn ended(&self) -> Option<Rc<Ended>> {
        self.inbox.borrow().ended()
    }

    /// Sends a close frame if the kernel takes it at once.
    fn leave(&self, code: CloseCode) {
        let Ok(mut socket) = self.socket.try_borrow_mut() else { return };
        if let Some(socket) = socket.as_mut() {
            let mut socket = Pin::new(socket);
            let frame = CloseFrame { code, reason: "".into() };
            // Who has gone already needs no farewell.
            let _ = socket.as_mut().start_send(Message::Close(Some(frame)));
            let _ = socket.poll_flush(&mut Context::from_waker(Waker::noop()));
        }
    }

    fn poll_send(&self, message: &mut Option<Message>, cx: &mut Context<'_>) -> Poll<Result<Nanos, Rc<Ended>>> {
        if let Some(ended) = self.ended() {
            return Poll::Ready(Err(ended));
        }
        let sent = {
            let mut socket = self.socket.borrow_mut();
            match socket.as_mut().map(Pin::new) {
                Some(mut socket) => ready!(poll_whole(&mut socket, message, cx)),
                None => Err(Error::AlreadyClosed),
            }
        };
        let now = self.clock.now();
        Poll::Ready(sent.map(|()| now).map_err(|error| {
            self.end(now, error);
            // It has just been noted; a reader may have noted another before.
            self.ended().unwrap_or_else(|| Rc::new(broken(now, failure(Error::AlreadyClosed))))
        }))
    }
}

fn poll_whole(
    socket: &mut Pin<&mut WebSocketStream<Stream>>,
    message: &mut Option<Message>,
    cx: &mut Context<'_>,
) -> Poll<Result<(), Error>> {
    if message.is_some() {
        ready!(socket.as_mut().poll_ready(cx))?;
        if let Some(message) = message.take() {
            socket.as_mut().start_send(message)?;
        }
    }
    socket.as_mut().poll_flush(cx)
}

impl Channel for WebSocket {
    fn send(&self, message: Outgoing) -> Later<'_, Result<Nanos, Rc<Ended>>> {
        let mut message = Some(match message {
            Outgoing::Text(text) => Message::text(text),
            Outgoing::Binary(bytes) => Message::binary(bytes),
            Outgoing::Ping(number) => Message::Ping(number.to_be_bytes().to_vec().into()),
            Outgoing::Close(code, reason) => {
                Message::Close(Some(CloseFrame { code: CloseCode::from(code), reason: reason.into() }))
            }
        });
        Box::pin(poll_fn(move |cx| self.shared.poll_send(&mut message, cx)))
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
        self.shared.ended()
    }
}

/// An end by a close frame.
fn closed(at: Nanos, frame: Option<CloseFrame>) -> Ended {
    let (code, reason) =
        frame.map_or((None, String::new()), |frame| (Some(frame.code.into()), frame.reason.to_string()));
    let detail = match code {
        None => "closed without a code".to_owned(),
        Some(code) if reason.is_empty() => format!("closed with code {code}"),
        Some(code) => format!("closed with code {code}: {reason}"),
    };
    let failure = Failure::new(ErrorKind::ChannelClosed, detail);
    Ended { at, failure, is_clean: matches!(code, None | Some(1_000)), code, reason }
}

/// What an error of the library means.
fn failure(error: Error) -> Failure {
    match error {
        Error::Capacity(CapacityError::MessageTooLong { size, max_size }) => Failure::new(
            ErrorKind::MessageTooLarge,
            format!("a message of {size} bytes, more than the limit of {max_size}"),
        ),
        Error::Utf8(_) => Failure::new(ErrorKind::Protocol, "a text message is not UTF-8"),
        Error::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => ended_without_close(),
        Error::Io(error) => Failure::new(system::while_connected(&error), error.to_string()),
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)
        | Error::ConnectionClosed
        | Error::AlreadyClosed => ended_without_close(),
        other => {
            let text = other.to_string();
            let text = text.strip_prefix("WebSocket protocol error: ").unwrap_or(&text);
            Failure::new(ErrorKind::Protocol, text.to_ascii_lowercase())
        }
    }
}

fn ended_without_close() -> Failure {
    Failure::new(ErrorKind::ChannelClosed, "the connection ended without a close frame")
}
