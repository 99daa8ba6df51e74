//! What happens to every request: it is stamped, perhaps stalled, and logged.

use std::sync::{Arc, Mutex};

use axum::{
    body::{Body, HttpBody},
    extract::{ConnectInfo, MatchedPath, Request, State, connect_info::Connected},
    middleware::Next,
    response::Response,
    serve::{IncomingStream, Listener},
};
use futures_util::TryStreamExt;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
};
use tokio_rustls::TlsAcceptor;

use super::{
    log::{BODY_TEXT_MAX, Entry, fnv1a, fnv1a_continue},
    state::{Shared, lock},
    tls::{self, Io},
};
use crate::clock::Nanos;

/// Methods that the log names; others are `OTHER`.
const METHODS: &[&str] = &["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "PURGE", "TRACE", "CONNECT"];

/// Paths by which a test steers the lab: not part of the load, so neither logged nor stalled.
const CONTROL: &[&str] = &["/lab/log", "/lab/stats", "/lab/info", "/lab/reset"];

/// When a request arrived: the moment its head had been read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrival(pub(super) Nanos);

/// The other end of a connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer {
    pub(super) ip: std::net::IpAddr,
    connection: u32,
}

/// Accepts connections, numbers them, switches Nagle's algorithm off, and secures them where it has TLS.
#[derive(Debug)]
pub(super) struct Accepting {
    listener: TcpListener,
    state: Shared,
    handshakes: Option<Handshakes>,
}

/// Handshakes under way: none of them holds up the next connection.
struct Handshakes {
    acceptor: TlsAcceptor,
    done: UnboundedReceiver<(Io, Peer)>,
    sender: UnboundedSender<(Io, Peer)>,
}

impl std::fmt::Debug for Handshakes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Handshakes")
    }
}

impl Accepting {
    /// Accepts from `listener`, over TLS if there is an `acceptor`.
    pub(super) fn new(listener: TcpListener, state: Shared, acceptor: Option<TlsAcceptor>) -> Self {
        let handshakes = acceptor.map(|acceptor| {
            let (sender, done) = unbounded_channel();
            Handshakes { acceptor, done, sender }
        });
        Self { listener, state, handshakes }
    }
}

async fn accept_plain(listener: &TcpListener, state: &Shared) -> (TcpStream, Peer) {
    loop {
        match listener.accept().await {
            Ok((stream, addr)) => {
                // A connection that is gone already fails here; reading from it will tell.
                let _ = stream.set_nodelay(true);
                let before = state.connections.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                return (stream, Peer { ip: addr.ip(), connection: (before + 1) as u32 });
            }
            // Out of descriptors, most likely: they come back as connections close.
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(10)).await,
        }
    }
}

impl Listener for Accepting {
    type Io = Io;
    type Addr = Peer;

    async fn accept(&mut self) -> (Io, Peer) {
        let Some(handshakes) = &mut self.handshakes else {
            let (stream, peer) = accept_plain(&self.listener, &self.state).await;
            return (Io::Plain(stream), peer);
        };
        loop {
            tokio::select! {
                Some(secured) = handshakes.done.recv() => return secured,
                (stream, peer) = accept_plain(&self.listener, &self.state) => {
                    let (acceptor, sender) = (handshakes.acceptor.clone(), handshakes.sender.clone());
                    tokio::spawn(async move {
                        if let Some(stream) = tls::secure(acceptor, stream).await {
                            // A lab that has ended takes no more.
                            let _ = sender.send((stream, peer));
                        }
                    });
                }
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Peer> {
        Ok(Peer { ip: self.listener.local_addr()?.ip(), connection: 0 })
    }
}

impl Connected<IncomingStream<'_, Accepting>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Accepting>) -> Self {
        *stream.remote_addr()
    }
}

/// The middleware around every route.
pub(super) async fn observe(
    State(state): State<Shared>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    mut request: Request,
    next: Next,
) -> Response {
    if CONTROL.contains(&request.uri().path()) {
        return next.run(request).await;
    }
    let arrival = state.now();
    request.extensions_mut().insert(Arrival(arrival));
    let mut ticket = Ticket {
        arrival,
        method: METHODS.iter().find(|name| **name == request.method().as_str()).unwrap_or(&"OTHER"),
        path: request.uri().path_and_query().map_or("", |path| path.as_str()).into(),
        route: request.extensions().get::<MatchedPath>().cloned(),
        connection: peer.connection,
        status: 0,
        digest: None,
        state,
    };
    if !request.body().is_end_stream() {
        let digest = Arc::new(Mutex::new(Digest::default()));
        ticket.digest = Some(Arc::clone(&digest));
        let keep = if ticket.state.options.log_bodies { BODY_TEXT_MAX } else { 0 };
        request = request.map(|body| watch(body, digest, keep));
    }
    if let Some(end) = ticket.state.stall_end(arrival) {
        ticket.state.sleep_until(end).await;
    }
    let served = ticket.state.options.service.is_some() && !ticket.path.starts_with("/lab/");
    if served && let Some(time) = ticket.state.service_time() {
        ticket.state.sleep_until(ticket.state.now().saturating_add(time)).await;
    }
    let response = next.run(request).await;
    ticket.status = response.status().as_u16();
    response
}

/// Hashes a body as it is read, without holding it up.
fn watch(body: Body, digest: Arc<Mutex<Digest>>, keep: usize) -> Body {
    Body::from_stream(body.into_data_stream().inspect_ok(move |chunk| lock(&digest).update(chunk, keep)))
}

#[derive(Debug, Default)]
struct Digest {
    bytes: u64,
    hash: Option<u64>,
    start: Vec<u8>,
}

impl Digest {
    fn update(&mut self, chunk: &[u8], keep: usize) {
        self.bytes += chunk.len() as u64;
        self.hash = Some(self.hash.map_or_else(|| fnv1a(chunk), |hash| fnv1a_continue(hash, chunk)));
        let room = keep.saturating_sub(self.start.len()).min(chunk.len());
        self.start.extend_from_slice(&chunk[..room]);
    }
}

/// A request under way. It is logged when dropped: after its answer, or when the client gave up and the
/// server let go of it.
#[derive(Debug)]
struct Ticket {
    state: Shared,
    arrival: Nanos,
    method: &'static str,
    path: Box<str>,
    route: Option<MatchedPath>,
    connection: u32,
    status: u16,
    digest: Option<Arc<Mutex<Digest>>>,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let (body_bytes, body_hash, body) = match self.digest.as_ref().map(|digest| lock(digest)) {
            Some(digest) => {
                let text = (!digest.start.is_empty()).then(|| String::from_utf8_lossy(&digest.start).into());
                (digest.bytes, digest.hash.unwrap_or(0), text)
            }
            None => (0, 0, None),
        };
        let entry = Entry {
            arrival_ns: self.arrival,
            service_ns: self.state.now().saturating_sub(self.arrival),
            method: self.method,
            path: std::mem::take(&mut self.path),
            status: self.status,
            connection: self.connection,
            body_bytes,
            body_hash,
            body,
        };
        self.state.log.push(self.route.as_ref().map_or("(unknown)", MatchedPath::as_str), entry);
    }
}
