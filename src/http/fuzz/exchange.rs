//! Any bytes as what a server says, over a connection of its own.

use std::cell::OnceCell;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    runtime::Runtime,
    task::LocalSet,
};

use super::BODY_BYTES_MAX;
use crate::{
    clock::{Clock, Origin, SECOND},
    http::{AddressGuard, Endpoint, HttpTransport},
    protocol::{ErrorKind, Exchange, HttpVersion, Keep, Outcome, TargetId, Transport},
};

const REQUEST: &[u8] = b"GET /a HTTP/1.1\r\nhost: fuzz.test\r\n\r\n";
/// The settings that a server of HTTP/2 begins with.
const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
/// The server closes once it has said everything, so nobody waits for this.
const TIMEOUT_S: u64 = 10;

/// What all exchanges of a thread share.
struct World {
    runtime: Runtime,
    listener: TcpListener,
    transport: HttpTransport,
}

thread_local! {
    static WORLD: OnceCell<World> = const { OnceCell::new() };
}

/// Answers a request with the bytes after the first, then closes. The first says whether HTTP/2 is spoken, whether the
/// server begins as it should and whether it breaks off; of HTTP/2, the bytes are frames: type, flags, stream, length
/// and payload, with one byte for each number.
///
/// Holds: the exchange ends with the connection, not by its timeout, as a response or with a failure; sizes keep to
/// their limits.
pub fn exchange(data: &[u8]) {
    let Some((&flags, said)) = data.split_first() else { return };
    let said = &said[..said.len().min(8_000)];
    let is_http2 = flags & 1 == 1;
    let answer = if is_http2 { frames(said, flags & 2 == 0) } else { said.to_vec() };
    let outcome = WORLD.with(|world| {
        let world = world.get_or_init(World::new);
        LocalSet::new().block_on(&world.runtime, world.exchange(is_http2, &answer, flags & 4 != 0))
    });
    let kind = outcome.failure.as_ref().map(|failure| failure.kind);
    assert_ne!(kind, Some(ErrorKind::Timeout), "it waits for a server that has gone: {:?}", outcome.failure);
    assert_eq!(outcome.status == 0, kind.is_some(), "{outcome:?}");
    assert!(kind.is_some() || (200..=999).contains(&outcome.status) || outcome.status == 101, "{}", outcome.status);
    assert!(kind.is_some() || outcome.body_bytes <= BODY_BYTES_MAX, "{}", outcome.body_bytes);
    assert!(outcome.stamps.end >= outcome.stamps.start);
}

/// Frames from their short form; what is left at the end is sent as it is.
fn frames(mut said: &[u8], begins_well: bool) -> Vec<u8> {
    let mut wire = if begins_well { SETTINGS.to_vec() } else { Vec::new() };
    while let [kind, flags, stream, len, rest @ ..] = said {
        let (payload, after) = rest.split_at(rest.len().min(usize::from(*len)));
        wire.extend_from_slice(&[0, 0, payload.len() as u8, *kind, *flags, 0, 0, 0, *stream]);
        wire.extend_from_slice(payload);
        said = after;
    }
    wire.extend_from_slice(said);
    wire
}

impl World {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let endpoint = |version| Endpoint { version: Some(version), ..Endpoint::new("127.0.0.1", port) };
        let targets = vec![endpoint(HttpVersion::Http1), endpoint(HttpVersion::Http2)];
        let transport = HttpTransport::new(Clock::real(Origin::now()), targets, AddressGuard::default());
        Self { runtime, listener, transport }
    }

    async fn exchange(&self, is_http2: bool, answer: &[u8], breaks_off: bool) -> Box<Outcome> {
        let session = self.transport.session();
        let exchange = Exchange {
            target: TargetId(u16::from(is_http2)),
            wire: REQUEST,
            body_at: REQUEST.len(),
            is_head: false,
            timeout: TIMEOUT_S * SECOND,
            keep: Keep::Body,
            body_bytes_max: BODY_BYTES_MAX,
            version: None,
        };
        let (outcome, _server) =
            tokio::join!(self.transport.exchange(&session, exchange), self.serve(answer, breaks_off));
        outcome
    }

    /// Takes a connection, which stands until it is dropped.
    async fn serve(&self, answer: &[u8], breaks_off: bool) -> Option<TcpStream> {
        let (mut stream, _) = self.listener.accept().await.ok()?;
        let mut request = [0; 1_024];
        // What the client makes of the connection is its outcome's to tell.
        let _ = stream.read(&mut request).await;
        let _ = stream.write_all(answer).await;
        if breaks_off {
            let _ = socket2::SockRef::from(&stream).set_linger(Some(std::time::Duration::ZERO));
            return None;
        }
        let _ = stream.shutdown().await;
        Some(stream)
    }
}
