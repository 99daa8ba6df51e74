//! Which connections carry another exchange.

use super::*;

#[tokio::test]
async fn a_connection_is_kept_for_the_next_exchange() {
    let (transport, server) = server(|listener| async move {
        let mut stream = accept(&listener).await;
        for _ in 0..3 {
            answer(&mut stream, OK).await;
        }
    })
    .await;
    let session = transport.session();
    for turn in 0..3 {
        let outcome = transport.exchange(&session, get()).await;
        assert_ok(&outcome, turn > 0);
        assert_eq!(outcome.bytes_sent, GET.len() as u64);
        assert_eq!(outcome.bytes_received, OK.len() as u64);
        assert_eq!(outcome.body_bytes, 2);
        assert!(outcome.response.is_none());
        assert_eq!(session.idle_connections(), 1);
    }
    server.await.expect("one connection carried all three");
}

#[tokio::test]
async fn a_connection_the_server_means_to_close_is_not_kept() {
    const CLOSES: &[u8] = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    const ENDS: &[u8] = b"HTTP/1.1 200 OK\r\n\r\nuntil the end";
    const GARBAGE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\n";
    let (transport, server) = server(|listener| async move {
        for response in [CLOSES, ENDS, GARBAGE] {
            let mut stream = accept(&listener).await;
            answer(&mut stream, response).await;
        }
    })
    .await;
    let session = transport.session();
    for body_bytes in [0, 13, 0] {
        let outcome = transport.exchange(&session, get()).await;
        assert_ok(&outcome, false);
        assert_eq!(outcome.body_bytes, body_bytes);
        assert_eq!(session.idle_connections(), 0);
    }
    server.await.expect("each exchange came over its own connection");
}

#[tokio::test]
async fn an_endpoint_without_keepalive_keeps_nothing() {
    let (transport, server) = server(|listener| async move {
        for _ in 0..2 {
            let mut stream = accept(&listener).await;
            answer(&mut stream, OK).await;
            assert!(!request(&mut stream).await, "the client closes though the server would go on");
        }
    })
    .await;
    let endpoint = Endpoint { keepalive: false, ..Endpoint::new("127.0.0.1", transport.port(TargetId(0))) };
    let transport = transport_to(endpoint);
    let session = transport.session();
    for _ in 0..2 {
        assert_ok(&*transport.exchange(&session, get()).await, false);
    }
    server.await.expect("two connections");
}

#[tokio::test]
async fn a_connection_that_was_closed_while_it_waited_is_replaced() {
    let (answered, mut was_answered) = mpsc::channel(1);
    let (transport, server) = server(|listener| async move {
        for late in [&b""[..], b"HTTP/1.1 408 Request Timeout\r\n\r\n", b""] {
            let mut stream = accept(&listener).await;
            answer(&mut stream, OK).await;
            was_answered.recv().await.expect("the test goes on");
            stream.write_all(late).await.expect("the client still holds the connection");
        }
    })
    .await;
    let session = transport.session();
    for _ in 0..3 {
        assert_ok(&*transport.exchange(&session, get()).await, false);
        assert_eq!(session.idle_connections(), 1);
        answered.send(()).await.expect("the server goes on");
        until_noticed(&session).await;
    }
    server.await.expect("three connections");
}

#[tokio::test]
async fn a_stale_connection_is_reported_and_not_retried() {
    for with_reset in [false, true] {
        let (transport, server) = server(move |listener| async move {
            let mut stream = accept(&listener).await;
            answer(&mut stream, OK).await;
            assert!(request(&mut stream).await);
            if with_reset {
                reset(stream);
            }
        })
        .await;
        let session = transport.session();
        assert_ok(&*transport.exchange(&session, get()).await, false);
        let outcome = transport.exchange(&session, get()).await;
        assert_eq!(kind(&outcome), Some(ErrorKind::StaleConnection), "reset: {with_reset}");
        assert!(outcome.reused);
        assert_eq!((outcome.status, outcome.bytes_received, session.idle_connections()), (0, 0, 0));
        server.await.expect("two requests and no third");
    }
}

#[tokio::test]
async fn a_dropped_future_closes_its_connection() {
    let (asked, was_asked) = oneshot::channel();
    let (transport, server) = server(|listener| async move {
        let mut stream = accept(&listener).await;
        answer(&mut stream, OK).await;
        assert!(request(&mut stream).await);
        asked.send(()).expect("the test waits");
        assert!(!request(&mut stream).await, "the client closes");
    })
    .await;
    let session = transport.session();
    assert_ok(&*transport.exchange(&session, get()).await, false);
    tokio::select! {
        _ = transport.exchange(&session, get()) => panic!("nobody answers"),
        signal = was_asked => signal.expect("the server was asked"),
    }
    assert_eq!(session.idle_connections(), 0);
    server.await.expect("the server saw the end");
}

#[tokio::test]
async fn concurrent_exchanges_have_connections_of_their_own() {
    let (transport, server) = server(|listener| async move {
        let (mut one, mut two) = (accept(&listener).await, accept(&listener).await);
        assert!(request(&mut one).await && request(&mut two).await, "both are under way at once");
        for stream in [&mut one, &mut two] {
            stream.write_all(OK).await.expect("the client reads");
        }
        let (one, two) = (request(&mut one), request(&mut two));
        tokio::pin!(one, two);
        tokio::select! { _ = one => {}, _ = two => {} }
    })
    .await;
    let session = transport.session();
    let (one, two) = tokio::join!(transport.exchange(&session, get()), transport.exchange(&session, get()));
    assert_ok(&one, false);
    assert_ok(&two, false);
    assert_eq!(session.idle_connections(), 2);
    drop(session);
    server.await.expect("the server was content");
}

/// A server that has ended its side and reads on looks like one that is there: the connection is not used again. One that
/// does so while it is asked has closed without an answer.
#[tokio::test]
async fn a_half_closed_connection_is_not_used_again() {
    let (transport, server) = server(|listener| async move {
        let mut first = accept(&listener).await;
        answer(&mut first, OK).await;
        first.shutdown().await.expect("it is open");
        let mut second = accept(&listener).await;
        answer(&mut second, OK).await;
        assert!(!request(&mut first).await, "nothing more is asked there");
        let mut third = accept(&listener).await;
        third.shutdown().await.expect("it is open");
        assert!(request(&mut third).await, "the request comes nevertheless");
        assert!(!request(&mut third).await, "the client closes");
    })
    .await;
    let session = transport.session();
    assert_ok(&*transport.exchange(&session, get()).await, false);
    until_noticed(&session).await;
    assert_ok(&*transport.exchange(&session, get()).await, false);
    let fresh = transport.session();
    let outcome = transport.exchange(&fresh, get()).await;
    assert_eq!(kind(&outcome), Some(ErrorKind::Closed), "{:?}", outcome.failure);
    assert_eq!((outcome.status, fresh.idle_connections()), (0, 0));
    server.await.expect("the server was content");
}
