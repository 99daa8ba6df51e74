//! How HTTP/2 fails.

use std::{cell::Cell, rc::Rc};

use ::h2::{Reason, server};
use bytes::Bytes;
use http::Response;

use super::{
    http2::{answer_all, answer_with, endpoint, local, next, ok, serving},
    *,
};

#[tokio::test]
async fn a_server_that_goes_is_left_after_what_is_under_way() {
    local(async {
        let (transport, server) = serving(2, server::Builder::new(), |mut connection| async move {
            let (_, mut first) = next(&mut connection).await;
            let (_, mut second) = next(&mut connection).await;
            // Both are below the last stream that is promised an answer.
            connection.graceful_shutdown();
            answer_with(&mut first, b"hello");
            answer_with(&mut second, b"hello");
            while connection.accept().await.is_some() {}
        })
        .await;
        let session = transport.session();
        for _ in 0..2 {
            let both = tokio::join!(transport.exchange(&session, get()), transport.exchange(&session, get()));
            assert_ok(&both.0, false);
            assert_ok(&both.1, true);
        }
        drop(session);
        server.await.expect("two connections");
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_is_shut_down_has_its_kind_and_reason() {
    local(async {
        let (transport, server) = serving(1, server::Builder::new(), |mut connection| async move {
            let _unanswered = next(&mut connection).await;
            connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
            while connection.accept().await.is_some() {}
        })
        .await;
        let session = transport.session();
        let outcome = transport.exchange(&session, get()).await;
        let failure = outcome.failure.expect("no answer");
        assert_eq!(failure.kind, ErrorKind::GoAway, "{failure}");
        assert!(failure.detail.contains("ENHANCE_YOUR_CALM"), "{failure}");
        assert_eq!((outcome.status, outcome.bytes_received), (0, 0));
        drop(session);
        server.await.expect("the server was content");
    })
    .await;
}

/// Frames by hand: GOAWAY that promises an answer, and then the end without one.
#[tokio::test]
async fn a_broken_promise_to_answer_is_the_servers_going() {
    const SETTINGS: &[u8] = b"\0\0\0\x04\0\0\0\0\0";
    const GOAWAY: &[u8] = b"\0\0\x0b\x07\0\0\0\0\0\0\0\0\x01\0\0\0\x0bcya";
    local(async {
        let (transport, server) = server(|listener| async move {
            let mut stream = accept(&listener).await;
            stream.write_all(SETTINGS).await.expect("the client reads");
            until_asked(&mut stream).await;
            stream.write_all(GOAWAY).await.expect("the client reads");
            stream.shutdown().await.expect("an end");
            while stream.read_u8().await.is_ok() {}
        })
        .await;
        let transport = transport_to(endpoint(transport.port(TargetId(0))));
        let session = transport.session();
        let outcome = transport.exchange(&session, get()).await;
        let failure = outcome.failure.expect("no answer");
        assert_eq!(failure.kind, ErrorKind::GoAway, "{failure}");
        assert!(failure.detail.contains("ENHANCE_YOUR_CALM") && failure.detail.contains("cya"), "{failure}");
        server.await.expect("the server was content");
    })
    .await;
}

/// Reads frames until one of HEADERS has come.
async fn until_asked(stream: &mut TcpStream) {
    stream.read_exact(&mut [0; 24]).await.expect("a preface");
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await.expect("a frame");
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        stream.read_exact(&mut vec![0; length]).await.expect("its content");
        if head[3] == 1 {
            return;
        }
    }
}

#[tokio::test]
async fn a_stream_that_is_reset_leaves_the_others_alone() {
    local(async {
        let (transport, server) = serving(1, server::Builder::new(), |mut connection| async move {
            next(&mut connection).await.1.send_reset(Reason::REFUSED_STREAM);
            let (_, mut respond) = next(&mut connection).await;
            let mut body = respond.send_response(ok(), false).expect("the client waits");
            body.send_data(Bytes::from_static(b"hel"), false).expect("the client waits");
            // It waits for the data to be read, which the reset would take away.
            std::future::poll_fn(|cx| {
                let _ = connection.poll_closed(cx);
                if body.capacity() == 0 { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
            })
            .await;
            body.send_reset(Reason::INTERNAL_ERROR);
            answer_all(connection).await;
        })
        .await;
        let session = transport.session();
        for (turn, reason) in ["REFUSED_STREAM", "INTERNAL_ERROR"].into_iter().enumerate() {
            let outcome = transport.exchange(&session, get()).await;
            let failure = outcome.failure.expect("no answer");
            assert_eq!((failure.kind, outcome.reused, outcome.status), (ErrorKind::StreamReset, turn > 0, 0));
            assert!(failure.detail.contains(reason), "{failure}");
        }
        assert_ok(&*transport.exchange(&session, get()).await, true);
        drop(session);
        server.await.expect("one connection");
    })
    .await;
}

#[tokio::test]
async fn connections_that_end_have_their_kinds() {
    // After so many answers, and so far into the next.
    for (answers, into_body, with_reset, expected) in [
        (0, false, false, ErrorKind::Closed),
        (0, false, true, ErrorKind::Reset),
        (1, false, false, ErrorKind::StaleConnection),
        (1, false, true, ErrorKind::StaleConnection),
        (0, true, false, ErrorKind::TruncatedBody),
        (1, true, false, ErrorKind::TruncatedBody),
    ] {
        local(async {
            let (transport, server) = server(move |listener| async move {
                let stream = accept(&listener).await;
                let handle = socket2::SockRef::from(&stream).try_clone().expect("a second handle");
                let mut connection = server::handshake(stream).await.expect("HTTP/2");
                for _ in 0..answers {
                    answer_with(&mut next(&mut connection).await.1, b"hello");
                }
                let (_, mut respond) = next(&mut connection).await;
                if into_body {
                    let mut body = respond.send_response(ok(), false).expect("the client waits");
                    body.send_data(Bytes::from_static(b"hel"), false).expect("the client waits");
                    // Flushed once the connection has nothing left to do.
                    std::future::poll_fn(|cx| {
                        let _ = connection.poll_closed(cx);
                        std::task::Poll::Ready(())
                    })
                    .await;
                }
                if with_reset {
                    handle.set_linger(Some(Duration::ZERO)).expect("linger can be set");
                } else {
                    handle.shutdown(std::net::Shutdown::Write).expect("an end");
                }
                drop((respond, connection, handle));
            })
            .await;
            let transport = transport_to(endpoint(transport.port(TargetId(0))));
            let session = transport.session();
            for _ in 0..answers {
                assert_eq!(transport.exchange(&session, get()).await.failure, None);
            }
            let outcome = transport.exchange(&session, get()).await;
            let row = (answers, into_body, with_reset);
            assert_eq!(kind(&outcome), Some(expected), "{row:?}: {:?}", outcome.failure);
            assert_eq!((outcome.status, outcome.body_bytes), (0, if into_body { 3 } else { 0 }), "{row:?}");
            server.await.expect("the server was content");
        })
        .await;
    }
}

#[tokio::test]
async fn a_server_of_http1_is_found_out() {
    local(async {
        let (transport, server) = server(|listener| async move {
            let mut stream = accept(&listener).await;
            stream.read_exact(&mut [0; 24]).await.expect("a preface");
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").await.expect("the client reads");
            while stream.read_u8().await.is_ok() {}
        })
        .await;
        let transport = transport_to(endpoint(transport.port(TargetId(0))));
        let outcome = transport.exchange(&transport.session(), get()).await;
        assert_eq!(kind(&outcome), Some(ErrorKind::Http2NotSpoken), "{:?}", outcome.failure);
        server.await.expect("the server was content");
    })
    .await;
}

#[tokio::test]
async fn frames_that_break_the_rules_have_their_kind() {
    // SETTINGS, then DATA on a stream that does not exist.
    const BROKEN: &[u8] = b"\0\0\0\x04\0\0\0\0\0\0\0\x01\0\0\0\0\0\x09x";
    local(async {
        let (transport, server) = server(|listener| async move {
            let mut stream = accept(&listener).await;
            stream.write_all(BROKEN).await.expect("the client reads");
            while stream.read_u8().await.is_ok() {}
        })
        .await;
        let transport = transport_to(endpoint(transport.port(TargetId(0))));
        let outcome = transport.exchange(&transport.session(), get()).await;
        assert_eq!(kind(&outcome), Some(ErrorKind::Protocol), "{:?}", outcome.failure);
        server.await.expect("the server was content");
    })
    .await;
}

#[tokio::test]
async fn a_window_that_stays_shut_is_a_timeout_that_says_so() {
    local(async {
        let mut builder = server::Builder::new();
        builder.initial_window_size(1_000);
        let (transport, server) = serving(1, builder, |mut connection| async move {
            answer_with(&mut next(&mut connection).await.1, b"");
            let unread = next(&mut connection).await;
            answer_all(connection).await;
            drop(unread);
        })
        .await;
        let session = transport.session();
        // It has not said how little it takes before.
        assert_ok(&*transport.exchange(&session, get()).await, false);
        let mut wire = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n".to_vec();
        let body_at = wire.len();
        wire.resize(body_at + 5_000, b'x');
        let timeout = 50 * MILLISECOND;
        let outcome = transport.exchange(&session, Exchange { wire: &wire, body_at, timeout, ..get() }).await;
        assert_eq!((kind(&outcome), outcome.stamps.sent), (Some(ErrorKind::Timeout), None));
        assert!(duration(&outcome) >= timeout && duration(&outcome) < 5 * SECOND);
        assert_eq!(outcome.bytes_sent, body_at as u64 + 1_000);
        let detail = outcome.failure.map(|failure| failure.detail).unwrap_or_default();
        assert!(detail.contains("flow control") && detail.contains("1000 of 5000"), "{detail}");
        // Only its stream is lost.
        assert_ok(&*transport.exchange(&session, get()).await, true);
        drop(session);
        server.await.expect("one connection");
    })
    .await;
}

#[tokio::test]
async fn who_is_never_answered_times_out_and_so_does_who_waits_for_a_stream() {
    local(async {
        let mut builder = server::Builder::new();
        builder.max_concurrent_streams(1);
        let (transport, server) = serving(1, builder, |mut connection| async move {
            answer_with(&mut next(&mut connection).await.1, b"");
            let unanswered = next(&mut connection).await;
            while connection.accept().await.is_some() {}
            drop(unanswered);
        })
        .await;
        let session = transport.session();
        assert_ok(&*transport.exchange(&session, get()).await, false);
        let short = || Exchange { timeout: 50 * MILLISECOND, ..get() };
        let (asked, waited) =
            tokio::join!(transport.exchange(&session, short()), transport.exchange(&session, short()));
        assert_eq!((kind(&asked), kind(&waited)), (Some(ErrorKind::Timeout), Some(ErrorKind::Timeout)));
        assert_eq!((asked.stamps.sent.is_some(), waited.stamps.sent), (true, None));
        assert_eq!(waited.bytes_sent, 0);
        drop(session);
        server.await.expect("one connection");
    })
    .await;
}

#[tokio::test]
async fn answers_beyond_the_limits_have_their_kinds() {
    let long = |bytes: usize| Response::builder().header("x-long", "x".repeat(bytes)).body(()).expect("a response");
    let many = || {
        let fields = (0..200).fold(Response::builder(), |builder, n| builder.header(format!("x-{n}"), "1"));
        fields.body(()).expect("a response")
    };
    let announced = || Response::builder().header("content-length", "5000000").body(()).expect("a response");
    type Make = Box<dyn Fn() -> Response<()>>;
    let rows: [(Make, ErrorKind); 6] = [
        (Box::new(move || long(70_000)), ErrorKind::HeadTooLarge),
        (Box::new(many), ErrorKind::HeadTooLarge),
        (Box::new(announced), ErrorKind::BodyTooLarge),
        (Box::new(ok), ErrorKind::BodyTooLarge),
        // Beyond what is read at all.
        (Box::new(move || long(2 << 20)), ErrorKind::Protocol),
        (
            Box::new(|| Response::builder().header("content-length", "3").body(()).expect("a response")),
            ErrorKind::Protocol,
        ),
    ];
    for (make, expected) in rows {
        local(async {
            let (transport, server) = serving(1, server::Builder::new(), move |mut connection| {
                let response = make();
                async move {
                    let (_, mut respond) = next(&mut connection).await;
                    let mut body = respond.send_response(response, false).expect("the client waits");
                    let _ = body.send_data(Bytes::from_static(&[b'x'; 2_000]), true);
                    answer_all(connection).await;
                }
            })
            .await;
            let session = transport.session();
            let outcome = transport.exchange(&session, Exchange { body_bytes_max: 1_000, ..get() }).await;
            assert_eq!(kind(&outcome), Some(expected), "{:?}", outcome.failure);
            assert_eq!(outcome.status, 0);
            drop(session);
            server.await.expect("the server was content");
        })
        .await;
    }
}

#[tokio::test]
async fn interim_answers_are_passed_over_and_limited() {
    for (interim, expected) in [(3, None), (1_000, Some(ErrorKind::Protocol))] {
        local(async {
            let (transport, server) = serving(1, server::Builder::new(), move |mut connection| async move {
                let (_, mut respond) = next(&mut connection).await;
                let hints = || Response::builder().status(103).header("link", "</a>").body(()).expect("a response");
                for _ in 0..interim {
                    respond.send_informational(hints()).expect("the client waits");
                }
                answer_with(&mut respond, b"");
                while connection.accept().await.is_some() {}
            })
            .await;
            let session = transport.session();
            let outcome = transport.exchange(&session, get()).await;
            assert_eq!(kind(&outcome), expected, "{:?}", outcome.failure);
            drop(session);
            server.await.expect("the server was content");
        })
        .await;
    }
}

/// A server that refuses a body before it has read it (RFC 9113, section 8.1).
#[tokio::test]
async fn an_answer_before_the_body_is_sent_counts() {
    local(async {
        let mut builder = server::Builder::new();
        builder.initial_window_size(1_000);
        let (transport, server) = serving(1, builder, |mut connection| async move {
            let (request, mut respond) = next(&mut connection).await;
            respond
                .send_response(Response::builder().status(413).body(()).expect("a response"), true)
                .expect("it waits");
            drop((request, respond));
            answer_all(connection).await;
        })
        .await;
        let session = transport.session();
        let mut wire = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n".to_vec();
        let body_at = wire.len();
        wire.resize(body_at + 5_000, b'x');
        let outcome = transport.exchange(&session, Exchange { wire: &wire, body_at, ..get() }).await;
        assert_eq!((outcome.failure, outcome.status), (None, 413));
        assert_ok(&*transport.exchange(&session, get()).await, true);
        drop(session);
        server.await.expect("one connection");
    })
    .await;
}

#[tokio::test]
async fn a_dropped_future_resets_its_stream_alone() {
    local(async {
        let (reset, was_reset) = oneshot::channel();
        let reset = Rc::new(Cell::new(Some(reset)));
        let (asked, mut was_asked) = mpsc::channel(1);
        let (transport, server) = serving(1, server::Builder::new(), move |mut connection| {
            let (reset, asked) = (reset.clone(), asked.clone());
            async move {
                let (_, mut respond) = next(&mut connection).await;
                asked.send(()).await.expect("the test waits");
                let reason = std::future::poll_fn(|cx| {
                    let _ = connection.poll_closed(cx);
                    respond.poll_reset(cx)
                });
                let reason = reason.await.expect("the stream ends by itself");
                reset.take().expect("one stream").send(reason).expect("the test waits");
                answer_all(connection).await;
            }
        })
        .await;
        let session = transport.session();
        tokio::select! {
            _ = transport.exchange(&session, get()) => panic!("nobody answers"),
            signal = was_asked.recv() => signal.expect("the server was asked"),
        }
        assert_eq!(was_reset.await.expect("the server tells"), Reason::CANCEL);
        assert_ok(&*transport.exchange(&session, get()).await, true);
        drop(session);
        server.await.expect("one connection");
    })
    .await;
}
