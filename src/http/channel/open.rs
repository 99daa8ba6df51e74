//! The exchange that opens a channel: over a connection of its own, by HTTP/1.1.

use std::{io, rc::Rc};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::{events::EventStream, websocket::WebSocket};
use crate::{
    http::{
        connect::{Opened, Wish},
        h1::{Progress, ResponseReader},
        stream::Stream,
        system,
        transport::HttpTransport,
    },
    protocol::{Channel, ChannelKind, ErrorKind, Failure, HttpVersion, Keep, Opening, Outcome, Response, Stamps},
};

/// Bytes that are read at once: heads are small, and what follows one belongs to the channel.
const READ_BYTES: usize = 4 * 1024;

/// A connection whose answer has been read as far as it tells what comes next.
struct Answered {
    stream: Stream,
    reader: ResponseReader,
    progress: Progress,
    /// Bytes behind the response.
    ahead: Vec<u8>,
}

impl HttpTransport {
    /// Carries the exchange that opens a channel.
    pub(in crate::http) async fn open_channel(&self, opening: &Opening<'_>) -> (Box<Outcome>, Option<Rc<dyn Channel>>) {
        let start = self.clock.now();
        let deadline = start.saturating_add(opening.exchange.timeout);
        let mut stamps = Stamps { start, ..Stamps::default() };
        let route = match self.route(opening.exchange.target) {
            Ok(route) => route,
            Err(failure) => return (self.unsent(failure, stamps), None),
        };
        // A proxy that forwards requests need not know of the other protocol (RFC 6455, section 4.1).
        let is_socket = opening.kind == ChannelKind::WebSocket;
        let wish = Wish { version: Some(HttpVersion::Http1), tunnel: is_socket };
        let opened = match route.connect(&self.clock, &self.guard, wish, deadline, &mut stamps).await {
            Ok(opened) => opened,
            Err(failure) => return (self.unsent(failure, stamps), None),
        };
        let proxy = route.forwarding(wish.version).filter(|_| !is_socket);
        let forwarded = proxy.map(|proxy| proxy.forward(route.endpoint(), &opening.exchange).0);
        let wire = forwarded.as_deref().unwrap_or(opening.exchange.wire);

        let Opened { stream, mut timer, negotiated } = opened;
        let mut outcome = self.unsent(Failure::new(ErrorKind::Timeout, ""), stamps);
        outcome.negotiated = negotiated;
        let answered = {
            let asking = self.ask(stream, wire, opening, &mut outcome);
            timer.race(&self.clock, deadline, asking).await
        };
        outcome.stamps.end = self.clock.now();
        let late = || Failure::new(ErrorKind::Timeout, "no whole response in time");
        let Answered { stream, mut reader, progress, ahead } = match answered.unwrap_or_else(|| Err(late())) {
            Ok(answered) => answered,
            Err(failure) => {
                outcome.failure = Some(failure);
                return (outcome, None);
            }
        };
        outcome.failure = None;
        outcome.status = reader.status();
        outcome.bytes_received = reader.received() - ahead.len() as u64;
        outcome.sets_cookies = reader.sets_cookies();
        let head = reader.final_head().to_vec();
        let response = Response::detached(head.clone(), head.len());
        if proxy.is_some() && outcome.status == 407 {
            outcome.status = 0;
            outcome.failure = proxy.map(|proxy| proxy.unauthorized());
        }
        let fits = match opening.kind {
            ChannelKind::WebSocket if outcome.status == 101 => is_upgraded(wire, &response),
            ChannelKind::Events if outcome.status == 200 => is_event_stream(&response),
            _ => {
                outcome.body_bytes = reader.body_bytes();
                outcome.response = reader.take_response(&self.scratch.pool);
                return (outcome, None);
            }
        };
        outcome.response = Some(response);
        if let Err(failure) = fits {
            outcome.failure = Some(failure);
            outcome.status = 0;
            return (outcome, None);
        }
        let clock = self.clock.clone();
        let channel: Rc<dyn Channel> = match opening.kind {
            ChannelKind::WebSocket => Rc::new(WebSocket::start(stream, ahead, opening.message_bytes_max, clock).await),
            ChannelKind::Events => {
                let (max, pool) = (opening.message_bytes_max, self.scratch.pool.clone());
                Rc::new(EventStream::start(stream, reader, progress, max, clock, pool))
            }
        };
        (outcome, Some(channel))
    }

    /// Sends the request and reads the answer: of a channel that opens its head, of another all of it.
    async fn ask(
        &self,
        mut stream: Stream,
        wire: &[u8],
        opening: &Opening<'_>,
        outcome: &mut Outcome,
    ) -> Result<Answered, Failure> {
        let broke = |error: io::Error| Failure::new(system::while_connected(&error), error.to_string());
        let written = async {
            stream.write_all(wire).await?;
            stream.flush().await
        };
        // The server may have answered and closed without waiting for the rest: read on.
        let write_error = written.await.err();
        if write_error.is_none() {
            outcome.stamps.sent = Some(self.clock.now());
            outcome.bytes_sent = wire.len() as u64;
        }
        // A stream of events has no length that could be too much; another answer has.
        let mut reader = ResponseReader::new(Keep::Body, false, u64::MAX);
        let body_bytes_max = opening.exchange.body_bytes_max;
        let mut bytes = vec![0; READ_BYTES];
        loop {
            let read = match stream.read(&mut bytes).await {
                Ok(0) => {
                    let closed = reader.close();
                    match (closed, write_error) {
                        (Ok(()), _) => {
                            return Ok(Answered { stream, reader, progress: Progress::Done, ahead: Vec::new() });
                        }
                        (Err(_), Some(error)) if reader.received() == 0 => return Err(broke(error)),
                        (Err(failure), _) => return Err(failure),
                    }
                }
                Ok(read) => read,
                Err(error) => return Err(broke(error)),
            };
            outcome.stamps.first_byte.get_or_insert_with(|| self.clock.now());
            let (progress, used) = reader.feed_part(&bytes[..read], &self.scratch.pool)?;
            outcome.bytes_received = reader.received();
            let opens = opening.kind == ChannelKind::Events && reader.status() == 200;
            if !opens && reader.body_bytes() > body_bytes_max {
                let detail = format!("the body is longer than the limit of {body_bytes_max} bytes");
                return Err(Failure::new(ErrorKind::BodyTooLarge, detail));
            }
            if progress == Progress::Done || opens {
                return Ok(Answered { stream, reader, progress, ahead: bytes[used..read].to_vec() });
            }
        }
    }
}

/// Whether the server's answer is the upgrade that was asked for (RFC 6455, section 4.1).
fn is_upgraded(wire: &[u8], response: &Response) -> Result<(), Failure> {
    let wrong = |detail: &str| Err(Failure::new(ErrorKind::Protocol, detail.to_owned()));
    let request = Response::detached(wire.to_vec(), wire.len());
    let has_member = |name: &str, word: &[u8]| {
        let members = response.field(name).unwrap_or_default().split(|&byte| byte == b',');
        members.map(<[u8]>::trim_ascii).any(|member| member.eq_ignore_ascii_case(word))
    };
    if !has_member("upgrade", b"websocket") || !has_member("connection", b"upgrade") {
        return wrong("the answer is status 101, but no upgrade to WebSocket");
    }
    let key = request.field("sec-websocket-key").unwrap_or_default();
    if response.field("sec-websocket-accept") != Some(derive_accept_key(key).as_bytes()) {
        return wrong("the answer's sec-websocket-accept is not that of the request's key");
    }
    if response.field("sec-websocket-extensions").is_some_and(|value| !value.is_empty()) {
        return wrong("the server wants an extension that was not offered");
    }
    let offered = request.field("sec-websocket-protocol").unwrap_or_default();
    match response.field("sec-websocket-protocol") {
        Some(chosen) if !offered.split(|&byte| byte == b',').any(|one| one.trim_ascii() == chosen) => {
            wrong("the server chose a subprotocol that was not offered")
        }
        _ => Ok(()),
    }
}

/// Whether the answer is a stream of events, in a form that can be read as it comes.
fn is_event_stream(response: &Response) -> Result<(), Failure> {
    let content_type = String::from_utf8_lossy(response.field("content-type").unwrap_or_default()).into_owned();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("text/event-stream") {
        let found = if essence.is_empty() { "no content-type" } else { essence };
        return Err(Failure::new(ErrorKind::Protocol, format!("the answer is {found}, not text/event-stream")));
    }
    match response.field("content-encoding") {
        Some(coding) if !coding.eq_ignore_ascii_case(b"identity") => {
            Err(Failure::new(ErrorKind::ContentEncoding, "the stream is compressed, which was not asked for"))
        }
        _ => Ok(()),
    }
}
