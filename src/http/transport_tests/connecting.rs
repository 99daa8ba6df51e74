//! How connections come to stand, or do not.

use super::*;

#[tokio::test]
async fn a_connection_can_be_opened_ahead() {
    let (transport, server) = server(|listener| async move {
        let mut stream = accept(&listener).await;
        answer(&mut stream, OK).await;
    })
    .await;
    let session = transport.session();
    for _ in 0..2 {
        transport.open(&session, TargetId(0)).await.expect("the server listens");
        assert_eq!(session.idle_connections(), 1);
    }
    let outcome = transport.exchange(&session, get()).await;
    assert_ok(&outcome, true);
    assert_eq!(outcome.stamps.connected, None);
    server.await.expect("one connection");
}

#[tokio::test]
async fn a_port_where_nobody_listens_refuses() {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port on loopback");
    let port = listener.local_addr().expect("a bound address").port();
    drop(listener);
    let transport = transport_to(Endpoint {
        fixed_addrs: vec![Ipv4Addr::new(127, 0, 0, 1).into(), Ipv4Addr::new(127, 0, 0, 2).into()],
        ..Endpoint::new("shop.invalid", port)
    });
    let session = transport.session();
    let outcome = transport.exchange(&session, get()).await;
    assert_eq!(kind(&outcome), Some(ErrorKind::ConnectRefused));
    let detail = outcome.failure.expect("it failed").detail;
    assert!(detail.starts_with("127.0.0.2: ") && detail.ends_with("(the last of 2 addresses tried)"), "{detail}");
    assert_eq!((outcome.bytes_sent, outcome.stamps.connected), (0, None));
    let failure = transport.open(&session, TargetId(0)).await.expect_err("nobody listens");
    assert_eq!(failure.kind, ErrorKind::ConnectRefused);
}

#[tokio::test]
async fn the_next_address_is_tried_when_one_refuses() {
    let (transport, server) = server(|listener| async move {
        answer(&mut accept(&listener).await, OK).await;
    })
    .await;
    let transport = transport_to(Endpoint {
        fixed_addrs: vec![Ipv4Addr::new(127, 0, 0, 2).into(), Ipv4Addr::LOCALHOST.into()],
        ..Endpoint::new("shop.invalid", transport.port(TargetId(0)))
    });
    assert_ok(&*transport.exchange(&transport.session(), get()).await, false);
    server.await.expect("the second address was used");
}

#[tokio::test]
async fn a_full_accept_queue_is_a_connect_timeout() {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    socket.bind(&std::net::SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).expect("a free port on loopback");
    socket.listen(0).expect("a listener");
    let address = socket.local_addr().expect("a bound address").as_socket().expect("an IP address");
    // Nobody accepts: the queue holds as many as the system lets it, and the next one's SYN is dropped.
    let mut queued = Vec::new();
    while let Ok(stream) = std::net::TcpStream::connect_timeout(&address, Duration::from_millis(50)) {
        queued.push(stream);
        assert!(queued.len() < 1_000, "the queue never fills");
    }
    for (connect_timeout, timeout) in [(60 * MILLISECOND, 20 * SECOND), (20 * SECOND, 60 * MILLISECOND)] {
        let transport = transport_to(Endpoint {
            connect_timeout: Duration::from_nanos(connect_timeout),
            ..Endpoint::new("127.0.0.1", address.port())
        });
        let outcome = transport.exchange(&transport.session(), Exchange { timeout, ..get() }).await;
        assert_eq!(kind(&outcome), Some(ErrorKind::ConnectTimeout));
        assert!(duration(&outcome) >= 60 * MILLISECOND && duration(&outcome) < 10 * SECOND);
    }
}

#[tokio::test]
async fn ipv6_literals_work_where_the_machine_has_ipv6() {
    let Ok(listener) = TcpListener::bind("[::1]:0").await else { return };
    let port = listener.local_addr().expect("a bound address").port();
    let server = tokio::spawn(async move {
        for _ in 0..2 {
            answer(&mut accept(&listener).await, OK).await;
        }
    });
    for host in ["::1", "[::1]"] {
        let transport = transport_to(Endpoint::new(host, port));
        let outcome = transport.exchange(&transport.session(), get()).await;
        assert_ok(&outcome, false);
        assert_eq!(outcome.stamps.resolved, None, "a literal needs no look-up");
    }
    server.await.expect("the server was content");
}

#[tokio::test]
async fn exchanges_that_may_not_or_cannot_start_say_why() {
    let public = Endpoint {
        fixed_addrs: vec![IpAddr::from([93, 184, 216, 34]), IpAddr::from([169, 254, 169, 254])],
        ..Endpoint::new("shop.example", 80)
    };
    let targets = vec![public, Endpoint::new("shop.invalid", 80)];
    let transport = HttpTransport::new(Clock::real(Origin::now()), targets, AddressGuard::default());
    let session = transport.session();
    for (target, expected) in [(0, ErrorKind::TargetDenied), (1, ErrorKind::Dns), (2, ErrorKind::TargetDenied)] {
        let outcome = transport.exchange(&session, Exchange { target: TargetId(target), ..get() }).await;
        assert_eq!(kind(&outcome), Some(expected), "{:?}", outcome.failure);
        assert_eq!((outcome.status, outcome.bytes_sent, outcome.stamps.sent), (0, 0, None));
        assert!(outcome.stamps.end >= outcome.stamps.start);
    }
}

#[test]
fn ten_thousand_idle_sessions_are_small() {
    assert!(size_of::<Session>() <= 40, "{} bytes", size_of::<Session>());
    let idle = crate::http::transport::IDLE_BYTES + size_of::<tokio::time::Sleep>();
    assert!(idle <= 256, "{idle} bytes a connection that waits");
}

/// Each virtual user has room for one, with what the engine adds.
#[tokio::test]
async fn an_exchange_under_way_is_small() {
    let transport = transport_to(Endpoint::new("127.0.0.1", 1));
    let session = transport.session();
    let under_way = size_of_val(&transport.exchange(&session, get()));
    assert!(under_way <= 680, "{under_way} bytes an exchange under way");
}

/// As a resolver that does not answer: the exchange's own timeout ends the wait, and a later one is not affected.
#[tokio::test]
async fn a_look_up_that_hangs_is_a_timeout_that_says_so() {
    let (transport, server) = server(|listener| async move {
        answer(&mut accept(&listener).await, OK).await;
    })
    .await;
    let transport = transport_to(Endpoint::new("localhost", transport.port(TargetId(0))));
    let session = transport.session();
    let route = transport.route(TargetId(0)).expect("it is the plan's");
    let stalled = route.resolver().stall().await;
    let timeout = 40 * MILLISECOND;
    let outcome = transport.exchange(&session, Exchange { timeout, ..get() }).await;
    assert_eq!(kind(&outcome), Some(ErrorKind::Timeout));
    assert!((timeout..10 * SECOND).contains(&duration(&outcome)), "{} ns", duration(&outcome));
    assert_eq!(outcome.failure.expect("it failed").detail, "localhost was not resolved in time");
    assert_eq!((outcome.stamps.resolved, outcome.stamps.connected), (None, None));
    drop(stalled);
    assert_ok(&*transport.exchange(&session, get()).await, false);
    server.await.expect("the server was content");
}
