//! The transport against small scripted servers on loopback.

mod connecting;
mod http2;
mod http2_faults;
mod keeping;
mod reading;
mod secure;
mod sharing;

use std::{
    future::Future,
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

use super::{AddressGuard, Endpoint, HttpTransport, Session};
use crate::{
    clock::{Clock, MILLISECOND, Nanos, Origin, SECOND},
    protocol::{ErrorKind, Exchange, Keep, Outcome, TargetId, Transport},
};

pub const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n";
pub const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";

pub fn get() -> Exchange<'static> {
    Exchange {
        target: TargetId(0),
        wire: GET,
        body_at: GET.len(),
        is_head: false,
        timeout: 20 * SECOND,
        keep: Keep::Nothing,
        body_bytes_max: u64::MAX,
        version: None,
    }
}

pub fn transport_to(endpoint: Endpoint) -> HttpTransport {
    HttpTransport::new(Clock::real(Origin::now()), vec![endpoint], AddressGuard::default())
}

/// A server that does what `script` says; its task is awaited at the end of a test, which passes its panics on.
pub async fn server<F: Future<Output = ()> + Send + 'static>(
    script: impl FnOnce(TcpListener) -> F,
) -> (HttpTransport, JoinHandle<()>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port on loopback");
    let port = listener.local_addr().expect("a bound address").port();
    (transport_to(Endpoint::new("127.0.0.1", port)), tokio::spawn(script(listener)))
}

pub async fn accept(listener: &TcpListener) -> TcpStream {
    listener.accept().await.expect("a connection").0
}

/// Reads a request without body; false when the client closed instead.
pub async fn request(stream: &mut TcpStream) -> bool {
    let mut received = Vec::new();
    while !received.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => received.push(byte),
            Err(_) => return false,
        }
    }
    true
}

/// Reads a request and answers with `response`.
pub async fn answer(stream: &mut TcpStream, response: &[u8]) {
    assert!(request(stream).await, "the client closed instead of asking");
    stream.write_all(response).await.expect("the client reads");
}

/// Closes with a reset instead of an orderly end.
pub fn reset(stream: TcpStream) {
    socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("linger can be set");
}

pub fn kind(outcome: &Outcome) -> Option<ErrorKind> {
    outcome.failure.as_ref().map(|failure| failure.kind)
}

pub fn duration(outcome: &Outcome) -> Nanos {
    outcome.stamps.end - outcome.stamps.start
}

#[track_caller]
pub fn assert_ok(outcome: &Outcome, reused: bool) {
    assert_eq!(outcome.failure, None);
    assert_eq!((outcome.status, outcome.reused), (200, reused));
}

/// Waits until the reactor has seen that the server closed the session's connection, or sent something on it.
pub async fn until_noticed(session: &Session) {
    while session.is_quiet() {
        tokio::task::yield_now().await;
    }
}
