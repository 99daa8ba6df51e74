//! Exchanges over HTTP/2.

use std::{
    cell::Cell,
    collections::BTreeSet,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use ::h2::{
    RecvStream,
    server::{self, Connection, SendResponse},
};
use bytes::Bytes;
use http::{Request, Response};
use tokio::task::LocalSet;

use super::{secure::Authority, *};
use crate::{
    http::{Tls, TlsOptions},
    protocol::HttpVersion,
};

pub type Stream = (Request<RecvStream>, SendResponse<Bytes>);

/// Runs a test where the transport's tasks can run.
pub async fn local<T>(test: impl Future<Output = T>) -> T {
    LocalSet::new().run_until(test).await
}

/// An endpoint that is spoken to by HTTP/2 without TLS.
pub fn endpoint(port: u16) -> Endpoint {
    Endpoint { version: Some(HttpVersion::Http2), ..Endpoint::new("127.0.0.1", port) }
}

/// A server that does as told with each connection of HTTP/2, one after the other.
pub async fn serving<F: Future<Output = ()> + 'static>(
    connections: usize,
    builder: server::Builder,
    each: impl Fn(Connection<TcpStream, Bytes>) -> F + 'static,
) -> (HttpTransport, JoinHandle<()>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port on loopback");
    let port = listener.local_addr().expect("a bound address").port();
    let server = tokio::task::spawn_local(async move {
        for _ in 0..connections {
            let stream = accept(&listener).await;
            each(builder.handshake(stream).await.expect("HTTP/2")).await;
        }
    });
    (transport_to(endpoint(port)), server)
}

pub async fn next<T>(connection: &mut Connection<T, Bytes>) -> Stream
where
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    connection.accept().await.expect("the client asks").expect("a request")
}

pub fn ok() -> Response<()> {
    Response::builder().header("x-a", "1").header("set-cookie", "k=v").body(()).expect("a response")
}

pub fn answer_with(respond: &mut SendResponse<Bytes>, body: &'static [u8]) {
    let mut body_stream = respond.send_response(ok(), body.is_empty()).expect("the client waits");
    if !body.is_empty() {
        body_stream.send_data(Bytes::from_static(body), true).expect("the client waits");
    }
}

/// Answers until the client goes.
pub async fn answer_all(mut connection: Connection<TcpStream, Bytes>) {
    while let Some(Ok((_, mut respond))) = connection.accept().await {
        answer_with(&mut respond, b"hello");
    }
}

#[tokio::test]
async fn one_connection_carries_a_users_exchanges() {
    local(async {
        let (transport, server) = serving(1, server::Builder::new(), answer_all).await;
        let session = transport.session();
        for turn in 0..3 {
            let outcome = transport.exchange(&session, Exchange { keep: Keep::Body, ..get() }).await;
            assert_ok(&outcome, turn > 0);
            let stamps = &outcome.stamps;
            assert_eq!((stamps.connected.is_some(), stamps.secured), (turn == 0, None));
            let (sent, first_byte) = (stamps.sent.expect("it was sent"), stamps.first_byte.expect("it was answered"));
            assert!(stamps.start <= sent && sent <= first_byte && first_byte <= stamps.end, "{stamps:?}");
            assert_eq!((outcome.negotiated.http, outcome.negotiated.security), (HttpVersion::Http2, None));
            assert_eq!((outcome.bytes_sent, outcome.body_bytes), (GET.len() as u64, 5));
            assert!(outcome.sets_cookies);
            let response = outcome.response.expect("it was to be kept");
            assert_eq!((response.field("X-A"), response.body()), (Some(&b"1"[..]), &b"hello"[..]));
            assert_eq!(response.head(), b"HTTP/2 200\r\nx-a: 1\r\nset-cookie: k=v\r\n\r\n");
            assert_eq!(outcome.bytes_received, response.head().len() as u64 + 5);
        }
        drop(session);
        server.await.expect("one connection, which the client closed");
    })
    .await;
}

#[tokio::test]
async fn exchanges_share_the_connection_up_to_the_servers_limit() {
    local(async {
        let seen = Rc::new((Cell::new(0), Cell::new(0)));
        let counts = seen.clone();
        let mut builder = server::Builder::new();
        builder.max_concurrent_streams(3);
        let (transport, server) = serving(1, builder, move |mut connection| {
            let counts = counts.clone();
            async move {
                // Who never waits would not know how many could be under way at once.
                let mut open = Vec::new();
                for nth in 1..=9 {
                    open.push(next(&mut connection).await.1);
                    let (total, most) = &*counts;
                    total.set(nth);
                    most.set(most.get().max(open.len()));
                    if open.len() == 3 {
                        open.drain(..).for_each(|mut respond| answer_with(&mut respond, b""));
                    }
                }
                while connection.accept().await.is_some() {}
            }
        })
        .await;
        let session = transport.session();
        // The first exchange learns the server's limit.
        let (first, all) = (0..9).map(|_| transport.exchange(&session, get())).fold(
            (None, Vec::new()),
            |(first, mut all), exchange| match first {
                None => (Some(exchange), all),
                first => {
                    all.push(exchange);
                    (first, all)
                }
            },
        );
        let (first, outcomes) = tokio::join!(first.expect("nine"), futures_util::future::join_all(all));
        assert_ok(&first, false);
        outcomes.iter().for_each(|outcome| assert_ok(outcome, true));
        assert_eq!((seen.0.get(), seen.1.get()), (9, 3));
        drop(session);
        server.await.expect("one connection");
    })
    .await;
}

#[tokio::test]
async fn users_share_as_many_connections_as_asked() {
    local(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port on loopback");
        let port = listener.local_addr().expect("a bound address").port();
        let served = Arc::new(AtomicUsize::new(0));
        let connections = served.clone();
        let server = tokio::task::spawn_local(async move {
            loop {
                let stream = accept(&listener).await;
                connections.fetch_add(1, Ordering::Relaxed);
                let connection = server::handshake(stream).await.expect("HTTP/2");
                tokio::task::spawn_local(answer_all(connection));
            }
        });
        let transport = transport_to(Endpoint { connections: Some(2), ..endpoint(port) });
        let users: Vec<_> = (0..6).map(|_| transport.session()).collect();
        for _ in 0..3 {
            let all = users.iter().map(|user| transport.exchange(user, get()));
            let outcomes = futures_util::future::join_all(all).await;
            assert!(outcomes.iter().all(|outcome| outcome.failure.is_none()), "{outcomes:?}");
        }
        assert_eq!(served.load(Ordering::Relaxed), 2);
        server.abort();
    })
    .await;
}

#[tokio::test]
async fn without_keepalive_each_exchange_has_a_connection() {
    local(async {
        let (transport, server) = serving(3, server::Builder::new(), answer_all).await;
        let transport = transport_to(Endpoint { keepalive: false, ..endpoint(transport.port(TargetId(0))) });
        let session = transport.session();
        for _ in 0..3 {
            assert_ok(&*transport.exchange(&session, get()).await, false);
        }
        server.await.expect("three connections");
    })
    .await;
}

#[tokio::test]
async fn a_connection_is_opened_ahead() {
    local(async {
        let (transport, server) = serving(1, server::Builder::new(), answer_all).await;
        let session = transport.session();
        for _ in 0..2 {
            transport.open(&session, TargetId(0)).await.expect("a connection");
        }
        assert_ok(&*transport.exchange(&session, get()).await, true);
        drop(session);
        server.await.expect("one connection");
    })
    .await;
}

#[tokio::test]
async fn large_bodies_pass_whole_in_both_directions() {
    const BYTES: usize = 3 << 20;
    local(async {
        let (transport, server) = serving(1, server::Builder::new(), |mut connection| async move {
            let (request, mut respond) = next(&mut connection).await;
            assert_eq!(request.headers()["content-length"], BYTES.to_string());
            let echo = tokio::task::spawn_local(async move {
                let mut incoming = request.into_body();
                let mut outgoing = respond.send_response(ok(), false).expect("the client waits");
                while let Some(piece) = incoming.data().await {
                    let piece = piece.expect("the client sends");
                    incoming.flow_control().release_capacity(piece.len()).expect("it was received");
                    outgoing.send_data(piece, false).expect("the client reads");
                }
                outgoing.send_data(Bytes::new(), true).expect("the client reads");
            });
            while connection.accept().await.is_some() {}
            echo.await.expect("the echo was content");
        })
        .await;
        let session = transport.session();
        let mut wire = format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {BYTES}\r\n\r\n").into_bytes();
        let body_at = wire.len();
        wire.extend((0..BYTES).map(|at| at as u8));
        let exchange = Exchange { wire: &wire, body_at, keep: Keep::Body, ..get() };
        let outcome = transport.exchange(&session, exchange).await;
        assert_ok(&outcome, false);
        assert_eq!((outcome.bytes_sent, outcome.body_bytes), (wire.len() as u64, BYTES as u64));
        assert!(outcome.response.is_some_and(|response| response.body() == &wire[body_at..]), "it came back as it was");
        drop(session);
        server.await.expect("the server was content");
    })
    .await;
}

/// A server over TLS that speaks what was agreed on, and the versions that were offered to it.
async fn choosing(options: &TlsOptions, authority: &Authority, protocols: &[&str]) -> (Endpoint, JoinHandle<()>) {
    let mut config = authority.server(&["127.0.0.1"]);
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port on loopback");
    let port = listener.local_addr().expect("a bound address").port();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let server = tokio::task::spawn_local(async move {
        loop {
            let Ok(mut stream) = acceptor.accept(accept(&listener).await).await else { continue };
            tokio::task::spawn_local(async move {
                if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
                    let mut connection = server::handshake(stream).await.expect("HTTP/2");
                    while let Some(Ok((_, mut respond))) = connection.accept().await {
                        answer_with(&mut respond, b"hello");
                    }
                    return;
                }
                let mut received = Vec::new();
                while let Ok(byte) = stream.read_u8().await {
                    received.push(byte);
                    if received.ends_with(b"\r\n\r\n") {
                        stream.write_all(OK).await.expect("the client reads");
                        stream.flush().await.expect("the client reads");
                    }
                }
            });
        }
    });
    let tls = Some(Tls::new(options).expect("options that can be used"));
    (Endpoint { tls, ..Endpoint::new("127.0.0.1", port) }, server)
}

#[tokio::test]
async fn over_tls_the_server_chooses_unless_the_script_does() {
    use HttpVersion::{Http1, Http2};
    const NOT_SPOKEN: Option<ErrorKind> = Some(ErrorKind::Http2NotSpoken);
    let both = ["h2", "http/1.1"];
    let (one, none) = (&both[1..], &[][..]);
    for (offered, of_target, of_request, expected, fails) in [
        (&both[..], None, None, Http2, None),
        (&both, Some(Http1), None, Http1, None),
        (&both, Some(Http1), Some(Http2), Http2, None),
        (&both, None, Some(Http1), Http1, None),
        (one, None, None, Http1, None),
        (none, None, None, Http1, None),
        (none, Some(Http2), None, Http1, NOT_SPOKEN),
        (one, Some(Http2), None, Http1, NOT_SPOKEN),
        (&both[..1], Some(Http2), None, Http2, None),
    ] {
        local(async {
            let authority = Authority::new();
            let (endpoint, server) = choosing(&authority.options(), &authority, offered).await;
            let transport = transport_to(Endpoint { version: of_target, ..endpoint });
            let session = transport.session();
            for turn in 0..3 {
                let outcome = transport.exchange(&session, Exchange { version: of_request, ..get() }).await;
                let row = (offered, of_target, of_request, turn);
                assert_eq!(kind(&outcome), fails, "{row:?}: {:?}", outcome.failure);
                if fails.is_none() {
                    assert_ok(&outcome, turn > 0);
                    assert_eq!(outcome.negotiated.http, expected, "{row:?}");
                    assert!(outcome.negotiated.security.is_some());
                    assert_eq!(outcome.stamps.secured.is_some(), turn == 0);
                }
            }
            server.abort();
        })
        .await;
    }
}

/// Nobody knows yet what the server speaks: the first finds out, and each of the others has a connection of its own.
#[tokio::test]
async fn a_batch_to_a_server_without_http2_does_not_queue() {
    local(async {
        let authority = Authority::new();
        let (endpoint, server) = choosing(&authority.options(), &authority, &[]).await;
        let transport = transport_to(endpoint);
        let session = transport.session();
        let all = (0..4).map(|_| transport.exchange(&session, get()));
        let outcomes = futures_util::future::join_all(all).await;
        outcomes.iter().for_each(|outcome| assert_eq!(outcome.failure, None));
        assert!(session.idle_connections() > 1);
        assert_eq!(session.idle_connections(), outcomes.iter().filter(|outcome| !outcome.reused).count());
        server.abort();
    })
    .await;
}

#[tokio::test]
async fn requests_arrive_as_they_were_meant() {
    local(async {
        let (transport, server) = serving(1, server::Builder::new(), |mut connection| async move {
            let (request, mut respond) = next(&mut connection).await;
            assert_eq!((request.method().as_str(), request.uri().path()), ("HEAD", "/a"));
            assert_eq!(request.uri().authority().map(|authority| authority.as_str()), Some("shop.test"));
            let names: BTreeSet<_> = request.headers().keys().map(|name| name.as_str()).collect();
            assert_eq!(names, BTreeSet::from(["x-b"]));
            let response = Response::builder().header("content-length", "1000").body(()).expect("a response");
            respond.send_response(response, true).expect("the client waits");
            while connection.accept().await.is_some() {}
        })
        .await;
        let session = transport.session();
        let wire = b"HEAD /a HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\nX-B: c\r\n\r\n";
        let exchange = Exchange { wire, body_at: wire.len(), is_head: true, body_bytes_max: 10, ..get() };
        assert_ok(&*transport.exchange(&session, exchange).await, false);
        drop(session);
        server.await.expect("the server was content");
    })
    .await;
}
