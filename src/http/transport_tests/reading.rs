//! What comes of one exchange: whole answers, broken ones, none in time.

use super::*;

#[tokio::test]
async fn steps_are_stamped_in_their_order() {
    let (mut transport, server) = server(|listener| async move {
        let mut stream = accept(&listener).await;
        for _ in 0..2 {
            answer(&mut stream, OK).await;
        }
    })
    .await;
    transport = transport_to(Endpoint::new("localhost", transport.port(TargetId(0))));
    let session = transport.session();

    let stamps = transport.exchange(&session, get()).await.stamps;
    let steps = [Some(stamps.start), stamps.resolved, stamps.connected, stamps.sent, stamps.first_byte];
    let steps: Vec<Nanos> = steps.into_iter().flatten().chain([stamps.end]).collect();
    assert_eq!(steps.len(), 6, "every step of a cleartext exchange happened: {stamps:?}");
    assert!(steps.is_sorted(), "{stamps:?}");
    assert_eq!(stamps.secured, None);

    let again = transport.exchange(&session, get()).await.stamps;
    assert_eq!((again.resolved, again.connected), (None, None), "neither happens on an open connection");
    assert!(stamps.end <= again.start && Some(again.start) <= again.sent && again.sent <= again.first_byte);
    server.await.expect("the server was content");
}

#[tokio::test]
async fn a_connection_that_breaks_has_its_kind() {
    let half_head = &b"HTTP/1.1 200 OK\r\nContent-"[..];
    let half_body = &b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"[..];
    for (sent, with_reset, expected) in [
        (&b""[..], false, ErrorKind::Closed),
        (b"", true, ErrorKind::Reset),
        (half_head, false, ErrorKind::TruncatedHead),
        (half_head, true, ErrorKind::Reset),
        (half_body, false, ErrorKind::TruncatedBody),
        (half_body, true, ErrorKind::Reset),
        (b"220 mail\r\n", false, ErrorKind::Protocol),
    ] {
        let (transport, server) = server(move |listener| async move {
            let mut stream = accept(&listener).await;
            answer(&mut stream, sent).await;
            if with_reset {
                reset(stream);
            }
        })
        .await;
        let session = transport.session();
        let outcome = transport.exchange(&session, Exchange { keep: Keep::Head, ..get() }).await;
        assert_eq!(kind(&outcome), Some(expected), "{:?}, reset: {with_reset}", String::from_utf8_lossy(sent));
        assert_eq!((outcome.status, session.idle_connections()), (0, 0));
        assert_eq!(outcome.stamps.first_byte.is_some(), outcome.bytes_received > 0);
        server.await.expect("the server was content");
    }
}

#[tokio::test]
async fn a_timeout_ends_the_exchange_and_its_connection() {
    for begun in [&b""[..], b"HTTP/1.1 200", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"] {
        let (transport, server) = server(move |listener| async move {
            let mut stream = accept(&listener).await;
            answer(&mut stream, OK).await;
            answer(&mut stream, begun).await;
            assert!(!request(&mut stream).await, "the client closes");
        })
        .await;
        let session = transport.session();
        // Arms the connection's timer for much later than the second exchange needs it.
        assert_ok(&*transport.exchange(&session, get()).await, false);
        let timeout = 30 * MILLISECOND;
        let outcome = transport.exchange(&session, Exchange { timeout, ..get() }).await;
        assert_eq!(kind(&outcome), Some(ErrorKind::Timeout));
        assert!((timeout..10 * SECOND).contains(&duration(&outcome)), "{} ns", duration(&outcome));
        assert_eq!((outcome.status, outcome.reused, session.idle_connections()), (0, true, 0));
        server.await.expect("the server was content");
    }
}

#[tokio::test]
async fn a_timer_that_fires_for_an_earlier_exchange_is_moved() {
    let (transport, server) = server(|listener| async move {
        let mut stream = accept(&listener).await;
        answer(&mut stream, OK).await;
        answer(&mut stream, b"").await;
        assert!(!request(&mut stream).await, "the client closes");
    })
    .await;
    let session = transport.session();
    let (short, long) = (40 * MILLISECOND, 90 * MILLISECOND);
    let first = transport.exchange(&session, Exchange { timeout: short, ..get() }).await;
    if first.failure.is_some() {
        // A machine too busy for 40 ms on loopback shows nothing here.
        server.abort();
        return;
    }
    let second = transport.exchange(&session, Exchange { timeout: long, ..get() }).await;
    assert_eq!(kind(&second), Some(ErrorKind::Timeout));
    assert!(duration(&second) >= long, "{} ns", duration(&second));
    server.await.expect("the server was content");
}

/// A socket that is always readable keeps the exchange from asking its timer, which here would fire in an hour.
#[tokio::test]
async fn a_deadline_is_noticed_between_reads() {
    let (asked, was_asked) = oneshot::channel();
    let (late, is_late) = oneshot::channel();
    let (transport, server) = server(|listener| async move {
        let mut stream = accept(&listener).await;
        assert!(request(&mut stream).await);
        asked.send(()).expect("the test waits");
        is_late.await.expect("the test goes on");
        stream.write_all(b"HTTP/1.1 200 OK\r\n").await.expect("the client reads");
        assert!(!request(&mut stream).await, "the client closes");
    })
    .await;
    let clock = Clock::simulated();
    let endpoint = Endpoint::new("127.0.0.1", transport.port(TargetId(0)));
    let transport = HttpTransport::new(clock.clone(), vec![endpoint], AddressGuard::default());
    let (session, timeout) = (transport.session(), 3_600 * SECOND);
    let (outcome, ()) = tokio::join!(transport.exchange(&session, Exchange { timeout, ..get() }), async {
        was_asked.await.expect("the server was asked");
        clock.set(timeout);
        late.send(()).expect("the server waits");
    });
    assert_eq!(kind(&outcome), Some(ErrorKind::Timeout));
    assert_eq!(duration(&outcome), timeout);
    server.await.expect("the server was content");
}

#[tokio::test]
async fn a_body_without_end_still_times_out() {
    let (transport, server) = server(|listener| async move {
        let mut stream = accept(&listener).await;
        answer(&mut stream, b"HTTP/1.1 200 OK\r\n\r\n").await;
        let block = vec![b'x'; 1 << 20];
        while stream.write_all(&block).await.is_ok() {}
    })
    .await;
    let outcome = transport.exchange(&transport.session(), Exchange { timeout: 50 * MILLISECOND, ..get() }).await;
    assert_eq!(kind(&outcome), Some(ErrorKind::Timeout));
    assert!(outcome.body_bytes > 0);
    server.await.expect("the client closed");
}

#[tokio::test]
async fn an_answer_before_the_whole_request_is_read() {
    const REFUSES: &[u8] = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n";
    let wire = [b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 33554432\r\n\r\n", &[b'x'; 32 << 20][..]].concat();
    for holds in [true, false] {
        let (answered, was_answered) = oneshot::channel::<()>();
        let (transport, server) = server(move |listener| async move {
            let mut stream = accept(&listener).await;
            answer(&mut stream, REFUSES).await;
            if holds {
                // Neither reads on nor closes: the client has to see the answer while it waits to write.
                was_answered.await.expect("the test goes on");
            }
            // Dropped with unread bytes, the connection is reset behind the answer.
        })
        .await;
        let session = transport.session();
        let exchange = Exchange { wire: &wire, body_at: wire.len() - (32 << 20), ..get() };
        let outcome = transport.exchange(&session, exchange).await;
        assert_eq!(outcome.failure, None, "holds: {holds}");
        assert_eq!((outcome.status, outcome.stamps.sent), (413, None));
        assert!(outcome.bytes_sent < wire.len() as u64);
        assert_eq!(session.idle_connections(), 0, "half a request is on the connection");
        // Where the server did not wait, nobody listens any more.
        let _ = answered.send(());
        server.await.expect("the server was content");
    }
}

#[tokio::test]
async fn responses_without_body_leave_the_connection_usable() {
    let (transport, server) = server(|listener| async move {
        let mut stream = accept(&listener).await;
        answer(&mut stream, b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n").await;
        answer(&mut stream, b"HTTP/1.1 204 No Content\r\n\r\n").await;
        answer(&mut stream, b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n").await;
        answer(&mut stream, b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n").await;
        stream.write_all(OK).await.expect("the client waits for the final response");
    })
    .await;
    let session = transport.session();
    for (turn, status) in [200, 204, 304, 200].into_iter().enumerate() {
        let outcome = transport.exchange(&session, Exchange { is_head: turn == 0, ..get() }).await;
        assert_eq!((outcome.status, outcome.failure), (status, None));
        assert_eq!(outcome.reused, turn > 0);
        assert_eq!(outcome.body_bytes, if turn == 3 { 2 } else { 0 });
    }
    server.await.expect("one connection");
}

#[tokio::test]
async fn large_bodies_are_counted_or_kept_whole() {
    let body: Vec<u8> = (0..5_000_000u32).map(|at| (at % 251) as u8).collect();
    let plain = [&b"HTTP/1.1 200 OK\r\nContent-Length: 5000000\r\n\r\n"[..], &body].concat();
    let mut chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for chunk in body.chunks(70_000) {
        chunked.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        chunked.extend_from_slice(chunk);
        chunked.extend_from_slice(b"\r\n");
    }
    chunked.extend_from_slice(b"0\r\n\r\n");
    let (transport, server) = server(|listener| async move {
        let mut stream = accept(&listener).await;
        for response in [&plain, &plain, &chunked, &chunked] {
            answer(&mut stream, response).await;
        }
    })
    .await;
    let session = transport.session();
    for (turn, keep) in [Keep::Nothing, Keep::Body, Keep::Head, Keep::Body].into_iter().enumerate() {
        let outcome = transport.exchange(&session, Exchange { keep, ..get() }).await;
        assert_ok(&outcome, turn > 0);
        assert_eq!(outcome.body_bytes, 5_000_000);
        assert_eq!(outcome.response.is_some(), keep > Keep::Nothing);
        if let Some(response) = outcome.response {
            assert!(response.body() == if keep == Keep::Body { &body[..] } else { &[] }, "{keep:?}");
            assert!(response.field("content-length").or(response.field("transfer-encoding")).is_some());
        }
        assert!(outcome.stamps.first_byte < Some(outcome.stamps.end));
    }
    server.await.expect("one connection");
}

#[tokio::test]
async fn a_body_above_the_limit_is_an_error() {
    let (transport, server) = server(|listener| async move {
        let mut stream = accept(&listener).await;
        answer(&mut stream, OK).await;
    })
    .await;
    let outcome = transport.exchange(&transport.session(), Exchange { body_bytes_max: 1, ..get() }).await;
    assert_eq!(kind(&outcome), Some(ErrorKind::BodyTooLarge));
    server.await.expect("the server was content");
}
