//! The words for channels: what opens them on `vu`, and what a script may do with them.

use std::rc::Rc;

use rhai::{Dynamic, Engine, Map, NativeCallContext};

use super::{
    channel::{self, Events, Wait, WebSocket},
    message::word,
    response::Response,
    shared::{Failed, Shared},
    vu::Vu,
};
use crate::{
    engine::LiveChannel,
    protocol::ChannelKind,
    script::{
        direct::Registrar,
        words::{
            Form::{Call, Property},
            Receiver, Word,
        },
    },
};

/// What both kinds of channel are to their words.
trait Held: Clone + 'static {
    fn live(&self) -> &Rc<LiveChannel>;
}

impl Held for WebSocket {
    fn live(&self) -> &Rc<LiveChannel> {
        &self.0
    }
}

impl Held for Events {
    fn live(&self) -> &Rc<LiveChannel> {
        &self.0
    }
}

fn register_closed<H: Held>(engine: &mut Registrar<'_>, name: &'static str, _: &Rc<Shared>) {
    // What has come still waits to be asked for.
    engine.register_get(name, |it: &mut H| it.live().is_over() || !(it.live().is_open() || it.live().waiting() > 0));
}

fn register_waiting<H: Held>(engine: &mut Registrar<'_>, name: &'static str, _: &Rc<Shared>) {
    engine.register_get(name, |it: &mut H| it.live().waiting() as i64);
}

fn register_response<H: Held>(engine: &mut Registrar<'_>, name: &'static str, _: &Rc<Shared>) {
    engine.register_get(name, |it: &mut H| Response(it.live().opened.clone()));
}

fn register_open<H: Held>(
    engine: &mut Registrar<'_>,
    name: &'static str,
    shared: &Rc<Shared>,
    kind: ChannelKind,
    hold: fn(Rc<LiveChannel>) -> H,
) {
    let with = shared.clone();
    engine.register_fn(name, move |ctx: NativeCallContext<'_>, vu: &mut Vu, by: Dynamic| {
        channel::open(&ctx, &with, vu, kind, (by, Map::new())).map(hold)
    });
    let with = shared.clone();
    engine.register_fn(name, move |ctx: NativeCallContext<'_>, vu: &mut Vu, by: Dynamic, options: Map| {
        channel::open(&ctx, &with, vu, kind, (by, options)).map(hold)
    });
}

/// What opens channels.
pub(in crate::script) const VU_WORDS: &[Word] = &[
    word(
        Receiver::Vu,
        (Call, "websocket", "by: string | Request, options?: map"),
        "WebSocket",
        "`vu.websocket(\"/chat\")` or `vu.websocket(get(\"/chat\").bearer(token), #{ subprotocols: \"v2.chat\" })`",
        "Opens a WebSocket and waits until it is open, or refused. It closes with its last use: at the end of the flow, \
         unless it is kept in `vu`.",
        |engine, name, shared| register_open(engine, name, shared, ChannelKind::WebSocket, WebSocket),
    ),
    word(
        Receiver::Vu,
        (Call, "events", "by: string | Request, options?: map"),
        "Events",
        "`vu.events(\"/prices\")`",
        "Opens a stream of server-sent events and waits for the head of its response.",
        |engine, name, shared| register_open(engine, name, shared, ChannelKind::Events, Events),
    ),
];

/// What a script may do with a WebSocket.
pub(in crate::script) const WEBSOCKET_WORDS: &[Word] = &[
    word(
        Receiver::WebSocket,
        (Call, "send", "data: any"),
        "bool",
        "`ws.send(\"hello\")` or `ws.send(#{ op: \"join\", room: 7 })`",
        "Sends a message: a text, bytes, or another value as JSON; says whether that worked.",
        |engine, name, shared| {
            let with = shared.clone();
            engine.register_fn(name, move |ws: &mut WebSocket, data: Dynamic| channel::send(&with, ws, &data));
        },
    ),
    word(
        Receiver::WebSocket,
        (Call, "request", "data: any, timeout?: Duration | Fn(message), wanted?: Fn(message)"),
        "Message",
        "`ws.request(#{ op: \"ping\" }, 2.s)` or `ws.request(#{ id: 7 }, |message| message.json(\"id\") == 7)`",
        "Sends a message and waits for the next one, or for the one that a closure accepts: a round trip.",
        |engine, name, shared| {
            let with = shared.clone();
            engine.register_fn(name, move |ctx: NativeCallContext<'_>, ws: &mut WebSocket, data: Dynamic| {
                channel::exchange(&ctx, &with, ws, &data, &Wait::of([])?)
            });
            let with = shared.clone();
            engine.register_fn(
                name,
                move |ctx: NativeCallContext<'_>, ws: &mut WebSocket, data: Dynamic, a: Dynamic| {
                    channel::exchange(&ctx, &with, ws, &data, &Wait::of([a])?)
                },
            );
            let with = shared.clone();
            engine.register_fn(
                name,
                move |ctx: NativeCallContext<'_>, ws: &mut WebSocket, data: Dynamic, a: Dynamic, b: Dynamic| {
                    channel::exchange(&ctx, &with, ws, &data, &Wait::of([a, b])?)
                },
            );
        },
    ),
    word(
        Receiver::WebSocket,
        (Call, "receive", "timeout?: Duration | Fn(message), wanted?: Fn(message)"),
        "Message",
        "`ws.receive(2.s)` or `ws.receive(2.s, |message| message.json(\"type\") == \"done\")`",
        "Waits for the next message, or for the one that a closure accepts; the timeout is the request's unless given.",
        |engine, name, _| {
            engine.register_fn(name, |ctx: NativeCallContext<'_>, ws: &mut WebSocket| {
                channel::receive(&ctx, ws, &Wait::of([])?)
            });
            engine.register_fn(name, |ctx: NativeCallContext<'_>, ws: &mut WebSocket, a: Dynamic| {
                channel::receive(&ctx, ws, &Wait::of([a])?)
            });
            engine.register_fn(name, |ctx: NativeCallContext<'_>, ws: &mut WebSocket, a: Dynamic, b: Dynamic| {
                channel::receive(&ctx, ws, &Wait::of([a, b])?)
            });
        },
    ),
    word(
        Receiver::WebSocket,
        (Call, "ping", "timeout?: Duration"),
        "Duration",
        "`ws.ping()`",
        "Sends a ping and waits for its pong; gives how long that took, `()` if none came.",
        |engine, name, _| {
            engine.register_fn(name, |ws: &mut WebSocket| channel::ping(ws, None));
            engine.register_fn(name, |ws: &mut WebSocket, timeout: Dynamic| {
                channel::ping(ws, Some(channel::patience(&timeout)?))
            });
        },
    ),
    word(
        Receiver::WebSocket,
        (Call, "close", "code?: int, reason?: string"),
        "()",
        "`ws.close()` or `ws.close(4000, \"bored\")`",
        "Closes it in good order, with code 1000 unless given; waits at most 2 s for the server's answer.",
        |engine, name, _| {
            engine.register_fn(name, |ws: &mut WebSocket| channel::close(&ws.0, 1_000, ""));
            engine.register_fn(name, |ws: &mut WebSocket, code: i64| channel::close(&ws.0, code, ""));
            engine.register_fn(name, |ws: &mut WebSocket, code: i64, reason: &str| channel::close(&ws.0, code, reason));
        },
    ),
    word(
        Receiver::WebSocket,
        (Property, "closed", ""),
        "bool",
        "`ws.closed`",
        "Nothing more comes: it was closed or refused, or has ended and all that came was received.",
        register_closed::<WebSocket>,
    ),
    word(
        Receiver::WebSocket,
        (Property, "waiting", ""),
        "int",
        "`ws.waiting`",
        "How many messages have come and were not received yet.",
        register_waiting::<WebSocket>,
    ),
    word(
        Receiver::WebSocket,
        (Property, "response", ""),
        "Response",
        "`ws.response.status`",
        "What the request got that opened it: status 101 where it is open.",
        register_response::<WebSocket>,
    ),
];

/// What a script may do with a stream of events.
pub(in crate::script) const EVENTS_WORDS: &[Word] = &[
    word(
        Receiver::Events,
        (Call, "next", "timeout?: Duration | Fn(event), wanted?: Fn(event)"),
        "Event",
        "`events.next(2.s)` or `events.next(2.s, |event| event.event == \"done\")`",
        "Waits for the next event, or for the one that a closure accepts; the timeout is the request's unless given.",
        |engine, name, _| {
            engine.register_fn(name, |ctx: NativeCallContext<'_>, events: &mut Events| {
                channel::next(&ctx, events, &Wait::of([])?)
            });
            engine.register_fn(name, |ctx: NativeCallContext<'_>, events: &mut Events, a: Dynamic| {
                channel::next(&ctx, events, &Wait::of([a])?)
            });
            engine.register_fn(name, |ctx: NativeCallContext<'_>, events: &mut Events, a: Dynamic, b: Dynamic| {
                channel::next(&ctx, events, &Wait::of([a, b])?)
            });
        },
    ),
    word(
        Receiver::Events,
        (Call, "close", ""),
        "()",
        "`events.close()`",
        "Closes its connection.",
        |engine, name, _| {
            engine.register_fn(name, |events: &mut Events| -> Result<(), Failed> {
                channel::close(&events.0, 1_000, "")
            });
        },
    ),
    word(
        Receiver::Events,
        (Property, "closed", ""),
        "bool",
        "`events.closed`",
        "Nothing more comes: it was closed or refused, or has ended and all that came was taken.",
        register_closed::<Events>,
    ),
    word(
        Receiver::Events,
        (Property, "waiting", ""),
        "int",
        "`events.waiting`",
        "How many events have come and were not taken yet.",
        register_waiting::<Events>,
    ),
    word(
        Receiver::Events,
        (Property, "response", ""),
        "Response",
        "`events.response.status`",
        "The head of the response that the events are in.",
        register_response::<Events>,
    ),
];

/// Registers what is no word: the texts of the types.
pub(super) fn register(engine: &mut Engine) {
    engine
        .register_fn("to_string", |_: &mut WebSocket| "websocket")
        .register_fn("to_string", |_: &mut Events| "events");
}
