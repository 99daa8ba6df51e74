//! The link against small scripted servers on loopback.

use std::net::Ipv4Addr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use super::{Login, RedisLink, Scratch};
use crate::{
    clock::{Clock, MILLISECOND, Origin, SECOND},
    http::{AddressGuard, Endpoint},
    protocol::{BufferPool, ErrorKind, Exchange, HttpVersion, Keep, Link, Outcome, TargetId, status_text},
};

const PING: &[u8] = b"*1\r\n$4\r\nPING\r\n";
const GET: &[u8] = b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n";

fn exchange(wire: &[u8]) -> Exchange<'_> {
    Exchange {
        target: TargetId(0),
        wire,
        body_at: 0,
        is_head: false,
        timeout: 20 * SECOND,
        keep: Keep::Body,
        body_bytes_max: 1 << 20,
        version: None,
    }
}

async fn server<F: Future<Output = ()> + Send + 'static>(
    script: impl FnOnce(TcpListener) -> F,
) -> (Endpoint, JoinHandle<()>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port on loopback");
    let port = listener.local_addr().expect("a bound address").port();
    let endpoint = Endpoint { version: Some(HttpVersion::Redis), ..Endpoint::new("127.0.0.1", port) };
    (endpoint, tokio::spawn(script(listener)))
}

fn link(endpoint: Endpoint, login: Login) -> RedisLink {
    let clock = Clock::real(Origin::now());
    RedisLink::new(clock, AddressGuard::default(), endpoint, login, Scratch::new(BufferPool::default()))
}

async fn accept(listener: &TcpListener) -> TcpStream {
    listener.accept().await.expect("a connection").0
}

/// Reads what is expected, and answers.
async fn answer(stream: &mut TcpStream, expected: &[u8], reply: &[u8]) {
    let mut received = vec![0; expected.len()];
    stream.read_exact(&mut received).await.expect("the client asks");
    assert_eq!(String::from_utf8_lossy(&received), String::from_utf8_lossy(expected));
    stream.write_all(reply).await.expect("the client reads");
}

fn told(outcome: &Outcome) -> String {
    let body = outcome.response.as_ref().map_or(&[][..], |response| response.body());
    match &outcome.failure {
        Some(failure) => failure.kind.to_string(),
        None => format!("{} {}", status_text(outcome.status), String::from_utf8_lossy(body)),
    }
}

#[tokio::test]
async fn commands_share_a_connection() {
    let (endpoint, server) = server(|listener| async move {
        let mut stream = accept(&listener).await;
        answer(&mut stream, PING, b"+PONG\r\n").await;
        answer(&mut stream, GET, b"$-1\r\n").await;
        answer(&mut stream, GET, b"-WRONGTYPE no\r\n").await;
        answer(&mut stream, &[PING, GET].concat(), b"+PONG\r\n$1\r\nv\r\n").await;
    })
    .await;
    let link = link(endpoint, Login::default());
    let session = link.session();
    let mut all = Vec::new();
    for wire in [PING, GET, GET, &[PING, GET].concat()] {
        let outcome = link.exchange(&session, exchange(wire)).await;
        assert_eq!(outcome.reused, !all.is_empty());
        assert_eq!(outcome.bytes_sent, wire.len() as u64);
        assert_eq!(outcome.negotiated.http, HttpVersion::Redis);
        all.push(told(&outcome));
    }
    assert_eq!(all, ["ok PONG", "ok ", "WRONGTYPE WRONGTYPE no", "ok [\"PONG\",\"v\"]"]);
    server.await.expect("one connection carried all");
}

#[tokio::test]
async fn what_nobody_reads_is_not_kept_but_an_error_is() {
    let (endpoint, server) = server(|listener| async move {
        let mut stream = accept(&listener).await;
        answer(&mut stream, PING, b"+PONG\r\n").await;
        answer(&mut stream, PING, b"-ERR why\r\n").await;
    })
    .await;
    let link = link(endpoint, Login::default());
    let session = link.session();
    let quiet = Exchange { keep: Keep::Nothing, ..exchange(PING) };
    let outcome = link.exchange(&session, quiet).await;
    assert!(outcome.response.is_none());
    assert_eq!(outcome.body_bytes, 4);
    assert_eq!(told(&link.exchange(&session, quiet).await), "ERR ERR why");
    server.await.expect("both were asked");
}

#[tokio::test]
async fn replies_may_come_in_any_pieces() {
    let whole = format!("*2\r\n${}\r\n{}\r\n:7\r\n", 100_000, "x".repeat(100_000));
    let (endpoint, server) = server(|listener| async move {
        let mut stream = accept(&listener).await;
        answer(&mut stream, GET, b"").await;
        for piece in whole.as_bytes().chunks(9_001) {
            stream.write_all(piece).await.expect("the client reads");
            tokio::task::yield_now().await;
        }
    })
    .await;
    let link = link(endpoint, Login::default());
    let session = link.session();
    let outcome = link.exchange(&session, exchange(GET)).await;
    let body = outcome.response.expect("a reply").body().to_vec();
    assert_eq!((outcome.failure, body.len()), (None, 100_006));
    assert!(body.ends_with(b"xx\",7]"));
    server.await.expect("all was read");
}

#[tokio::test]
async fn each_way_of_failing_has_its_kind() {
    for (reply, timeout, expected) in [
        (&b""[..], 20 * SECOND, ErrorKind::Closed),
        (b"$5\r\nhel", 20 * SECOND, ErrorKind::TruncatedBody),
        (b"HTTP/1.1 400 Bad Request\r\n", 20 * SECOND, ErrorKind::Protocol),
        (b"$99999999\r\n", 20 * SECOND, ErrorKind::BodyTooLarge),
        (b"hold", 50 * MILLISECOND, ErrorKind::Timeout),
        (b"hold+PON", 50 * MILLISECOND, ErrorKind::Timeout),
    ] {
        let (endpoint, server) = server(move |listener| async move {
            let mut stream = accept(&listener).await;
            let holds = reply.starts_with(b"hold");
            answer(&mut stream, PING, reply.strip_prefix(b"hold").unwrap_or(reply)).await;
            if holds {
                assert_eq!(stream.read(&mut [0; 8]).await.expect("an end"), 0, "the client gave up");
            }
        })
        .await;
        let link = link(endpoint, Login::default());
        let session = link.session();
        let outcome = link.exchange(&session, Exchange { timeout, ..exchange(PING) }).await;
        assert_eq!(outcome.failure.as_ref().map(|failure| failure.kind), Some(expected));
        assert_eq!(outcome.status, 0);
        assert!(outcome.stamps.end >= outcome.stamps.start);
        drop(outcome);
        server.await.expect("it was asked");
    }
}

#[tokio::test]
async fn a_connection_that_the_server_closes_is_replaced_or_stale() {
    let (endpoint, server) = server(|listener| async move {
        let mut stream = accept(&listener).await;
        answer(&mut stream, PING, b"+PONG\r\n").await;
        // Closed once the next command is on its way.
        let mut received = vec![0; PING.len()];
        stream.read_exact(&mut received).await.expect("the client asks");
        drop(stream);
        answer(&mut accept(&listener).await, PING, b"+PONG\r\n").await;
    })
    .await;
    let link = link(endpoint, Login::default());
    let session = link.session();
    let mut all = Vec::new();
    for _ in 0..3 {
        all.push(told(&link.exchange(&session, exchange(PING)).await));
    }
    assert_eq!(all, ["ok PONG", "stale_connection", "ok PONG"]);
    server.await.expect("two connections");
}

#[tokio::test]
async fn a_login_comes_first_and_may_be_refused() {
    let login = || Login { user: None, password: Some("pw".to_owned()), database: 2 };
    const AUTH: &[u8] = b"*2\r\n$4\r\nAUTH\r\n$2\r\npw\r\n";
    const SELECT: &[u8] = b"*2\r\n$6\r\nSELECT\r\n$1\r\n2\r\n";
    let (endpoint, server) = server(|listener| async move {
        let mut stream = accept(&listener).await;
        answer(&mut stream, AUTH, b"+OK\r\n").await;
        answer(&mut stream, SELECT, b"+OK\r\n").await;
        answer(&mut stream, PING, b"+PONG\r\n").await;
        answer(&mut accept(&listener).await, AUTH, b"-WRONGPASS no\r\n").await;
    })
    .await;
    let link = link(endpoint, login());
    let (session, other) = (link.session(), link.session());
    link.open(&session).await.expect("it lets us in");
    assert_eq!(told(&link.exchange(&session, exchange(PING)).await), "ok PONG");
    let outcome = link.exchange(&other, exchange(PING)).await;
    assert_eq!(outcome.failure.map(|failure| failure.to_string()).as_deref(), Some("login_refused: WRONGPASS no"));
    server.await.expect("two connections");
}

#[tokio::test]
async fn shared_connections_are_waited_for() {
    let (endpoint, server) = server(|listener| async move {
        let mut stream = accept(&listener).await;
        for _ in 0..3 {
            answer(&mut stream, PING, b"+PONG\r\n").await;
        }
    })
    .await;
    let link = link(Endpoint { connections: Some(1), ..endpoint }, Login::default());
    let sessions = [link.session(), link.session(), link.session()];
    let all = sessions.iter().map(|session| link.exchange(session, exchange(PING)));
    for outcome in futures_util::future::join_all(all).await {
        assert_eq!(told(&outcome), "ok PONG");
    }
    server.await.expect("one connection");
}

#[tokio::test]
async fn a_request_of_another_protocol_is_not_sent() {
    let (endpoint, server) = server(|listener| async move {
        drop(listener);
    })
    .await;
    let link = link(endpoint, Login::default());
    let outcome = link.exchange(&link.session(), Exchange { body_at: 18, ..exchange(b"GET / HTTP/1.1\r\n\r\n") }).await;
    assert_eq!(told(&outcome), "protocol");
    server.await.expect("nobody came");
}
