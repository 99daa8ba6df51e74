//! Connections that all users share, and servers that redirects lead to.

use super::*;
use crate::protocol::Origin;

#[tokio::test]
async fn so_many_connections_serve_all_users() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port on loopback");
    let port = listener.local_addr().expect("a bound address").port();
    let server = tokio::spawn(async move {
        let serve = async |mut stream: TcpStream| {
            for _ in 0..3 {
                answer(&mut stream, OK).await;
            }
        };
        let (first, second) = (accept(&listener).await, accept(&listener).await);
        tokio::join!(serve(first), serve(second));
    });
    let transport = transport_to(Endpoint { connections: Some(2), ..Endpoint::new("127.0.0.1", port) });
    let users: Vec<_> = (0..6).map(|_| transport.session()).collect();
    let outcomes = futures_util::future::join_all(users.iter().map(|user| transport.exchange(user, get()))).await;
    assert!(outcomes.iter().all(|outcome| outcome.failure.is_none()), "{outcomes:?}");
    assert_eq!(outcomes.iter().filter(|outcome| outcome.reused).count(), 4);
    assert!(users.iter().all(|user| user.idle_connections() == 0));
    server.await.expect("two connections carried all six");
}

#[tokio::test]
async fn who_waits_too_long_for_a_connection_times_out() {
    let (closed, until_closed) = oneshot::channel::<()>();
    let (transport, server) = server(|listener| async move {
        let mut stream = accept(&listener).await;
        assert!(request(&mut stream).await);
        let _ = until_closed.await;
        stream.write_all(OK).await.expect("the client reads");
    })
    .await;
    let port = transport.port(TargetId(0));
    let transport = transport_to(Endpoint { connections: Some(1), ..Endpoint::new("127.0.0.1", port) });
    let (first, second) = (transport.session(), transport.session());
    let (held, late) = tokio::join!(transport.exchange(&first, get()), async {
        let late = transport.exchange(&second, Exchange { timeout: 50 * MILLISECOND, ..get() }).await;
        closed.send(()).expect("the server waits");
        late
    });
    assert_ok(&held, false);
    assert_eq!((kind(&late), late.bytes_sent), (Some(ErrorKind::Timeout), 0));
    assert!(duration(&late) >= 50 * MILLISECOND);
    server.await.expect("one connection");
}

#[tokio::test]
async fn redirects_lead_to_targets_to_this_machine_and_nowhere_else() {
    let targets = vec![Endpoint::new("shop.example", 80), Endpoint::new("127.0.0.1", 8080)];
    let transport =
        HttpTransport::new(Clock::real(crate::clock::Origin::now()), targets, AddressGuard::new(["cdn.example"]));
    let to = |secure, host, port| transport.elsewhere(TargetId(0), &Origin { secure, host, port });
    assert_eq!(to(false, "SHOP.example", 80), Ok(TargetId(0)));
    assert_eq!(to(false, "127.0.0.1", 8080), Ok(TargetId(1)));
    // Another port of a host that is named, this machine, and what was allowed: one new target each.
    assert_eq!(to(true, "shop.example", 443), Ok(TargetId(2)));
    assert_eq!(to(false, "[::1]", 9), Ok(TargetId(3)));
    assert_eq!(to(false, "cdn.example", 80), Ok(TargetId(4)));
    assert_eq!(to(true, "shop.example", 443), Ok(TargetId(2)));
    for host in ["other.example", "10.0.0.1", "169.254.169.254", "shop.example.evil"] {
        assert_eq!(to(false, host, 80).map_err(|failure| failure.kind), Err(ErrorKind::TargetDenied), "{host}");
    }
    let mut last = Ok(TargetId(0));
    for port in 1..=200 {
        last = to(false, "localhost", port);
    }
    assert_eq!(last.map_err(|failure| failure.kind), Err(ErrorKind::TargetDenied), "their number is limited");
}
