//! Connections that stay: WebSockets, and a stream of server-sent events.

use std::{convert::Infallible, time::Duration};

use axum::{
    extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade},
    http::{HeaderValue, header},
    response::{
        IntoResponse, Response,
        sse::{Event, Sse},
    },
    routing::get,
};
use futures_util::stream;
use serde::Deserialize;
use serde_json::json;

use super::{
    error::{LabError, Millis, Params},
    routes::Endpoint,
};

/// Messages or events that one connection gets at most.
const COUNT_MAX: u64 = 1_000_000;
/// The longest message that is read.
const MESSAGE_MAX: usize = 1 << 20;
/// Subprotocols that the lab speaks, which is to say that it agrees to.
const SUBPROTOCOLS: [&str; 2] = ["v1.lab", "v2.lab"];

pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        methods: "GET",
        path: "/ws/echo",
        example: "/ws/echo?ms=1",
        doc: "a WebSocket that sends each message back, after `ms` (0); subprotocols `v1.lab`, `v2.lab`",
        route: || get(echo),
    },
    Endpoint {
        methods: "GET",
        path: "/ws/ticks",
        example: "/ws/ticks?count=3&ms=1",
        doc: "a WebSocket that sends `count` (10) messages `{\"n\":…}` by itself, `ms` (10) apart, then closes",
        route: || get(ticks),
    },
    Endpoint {
        methods: "GET",
        path: "/ws/close",
        example: "/ws/close?code=1011&reason=out%20of%20order",
        doc: "a WebSocket that closes at the first message, with `code` (1011) and `reason`",
        route: || get(close),
    },
    Endpoint {
        methods: "GET",
        path: "/sse/ticks",
        example: "/sse/ticks?count=3&ms=1",
        doc: "`count` (10) server-sent events `tick`, `ms` (10) apart, with ids from 1 and data `{\"n\":…}`",
        route: || get(events),
    },
];

#[derive(Debug, Deserialize)]
struct Course {
    count: Option<u64>,
    ms: Option<Millis>,
}

impl Course {
    fn count(&self) -> u64 {
        self.count.unwrap_or(10).min(COUNT_MAX)
    }

    fn gap(&self, otherwise_ms: u64) -> Duration {
        self.ms.map_or(Duration::from_millis(otherwise_ms), |ms| Duration::from_nanos(ms.as_nanos()))
    }
}

async fn pause(gap: Duration) {
    if !gap.is_zero() {
        tokio::time::sleep(gap).await;
    }
}

fn agreed(upgrade: WebSocketUpgrade) -> WebSocketUpgrade {
    upgrade.protocols(SUBPROTOCOLS).max_message_size(MESSAGE_MAX)
}

async fn echo(Params(course): Params<Course>, upgrade: WebSocketUpgrade) -> Response {
    let gap = course.gap(0);
    agreed(upgrade).on_upgrade(move |mut socket| async move {
        // A peer that goes ends the loop, whichever way it goes. Pings and closes are answered by the library.
        while let Some(Ok(message)) = socket.recv().await {
            if matches!(message, Message::Text(_) | Message::Binary(_)) {
                pause(gap).await;
                if socket.send(message).await.is_err() {
                    break;
                }
            }
        }
    })
}

async fn ticks(Params(course): Params<Course>, upgrade: WebSocketUpgrade) -> Response {
    let (count, gap) = (course.count(), course.gap(10));
    agreed(upgrade).on_upgrade(move |mut socket| async move {
        for n in 1..=count {
            pause(gap).await;
            if socket.send(Message::text(json!({ "n": n }).to_string())).await.is_err() {
                return;
            }
        }
        farewell(socket, 1_000, String::new()).await;
    })
}

#[derive(Debug, Deserialize)]
struct Farewell {
    code: Option<u16>,
    reason: Option<String>,
}

async fn close(Params(with): Params<Farewell>, upgrade: WebSocketUpgrade) -> Result<Response, LabError> {
    let code = with.code.unwrap_or(1_011);
    let reason = with.reason.unwrap_or_default();
    if !(1_000..5_000).contains(&code) || reason.len() > 123 {
        return Err(LabError::bad_request("a close code is from 1000 to 4999, and a reason has at most 123 bytes"));
    }
    Ok(agreed(upgrade).on_upgrade(move |mut socket| async move {
        if let Some(Ok(_)) = socket.recv().await {
            farewell(socket, code, reason).await;
        }
    }))
}

/// Closes, and waits for the peer's answer: who closes first would take it back with a reset.
async fn farewell(mut socket: WebSocket, code: u16, reason: String) {
    if socket.send(Message::Close(Some(CloseFrame { code, reason: reason.into() }))).await.is_ok() {
        while let Some(Ok(_)) = socket.recv().await {}
    }
}

async fn events(Params(course): Params<Course>) -> Response {
    let (count, gap) = (course.count(), course.gap(10));
    let events = stream::unfold(0, move |n| async move {
        if n >= count {
            return None;
        }
        pause(gap).await;
        let n = n + 1;
        let data = json!({ "n": n }).to_string();
        let event = Event::default().event("tick").id(n.to_string()).data(data);
        Some((Ok::<_, Infallible>(event), n))
    });
    let mut response = Sse::new(events).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
