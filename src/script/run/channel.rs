//! WebSockets and streams of events, as scripts hold them: what opens one, and what is done over it.

use std::rc::Rc;

use rhai::{Array, Dynamic, FnPtr, ImmutableString, Map, NativeCallContext};

use super::{
    ambient,
    body::{self, Content},
    message::{Event, Message},
    response::Response,
    shared::{CANNOT_WAIT, Failed, Shared},
    vu::{Vu, examine},
};
use crate::{
    clock::{self, Nanos},
    engine::{
        Arrival, LiveChannel, What,
        flow::{Answer, ChannelAnswer, ChannelStep, OpenChannel, Request as Filled, Step},
        opening::opening,
    },
    plan::suggest,
    protocol::{ChannelKind, Outgoing},
    script::{Request, Span, words::friendly_type},
};

/// A WebSocket in a script; clones are the same one.
#[derive(Debug, Clone)]
pub(in crate::script) struct WebSocket(pub(super) Rc<LiveChannel>);

/// A stream of server-sent events in a script; clones are the same one.
#[derive(Debug, Clone)]
pub(in crate::script) struct Events(pub(super) Rc<LiveChannel>);

/// Options of `vu.websocket`, for messages and the guide.
pub(in crate::script) const WEBSOCKET_OPTIONS: &[&str] = &["subprotocols", "max_message"];
/// Options of `vu.events`.
pub(in crate::script) const EVENTS_OPTIONS: &[&str] = &["max_message"];

/// A longer message ends its channel unless the script says otherwise, in bytes.
const MESSAGE_BYTES_MAX: usize = 1 << 20;

/// Opens a channel by a path or a request, and waits until it is open or refused.
///
/// # Errors
/// A request that cannot open one, options that are none, a check of the request that fails to run.
pub(super) fn open(
    ctx: &NativeCallContext<'_>,
    shared: &Shared,
    vu: &Vu,
    kind: ChannelKind,
    (by, options): (Dynamic, Map),
) -> Result<Rc<LiveChannel>, Failed> {
    let options = Options::read(kind, &options)?;
    let scheme = if kind == ChannelKind::WebSocket { "WS" } else { "SSE" };
    let (mut request, name, made) = if let Some(path) = by.read_lock::<ImmutableString>() {
        let name = shared.row_name(scheme, vu.0.target.get(), &path);
        (shared.plain(&vu.0, "GET", &path, None), name, None)
    } else {
        let request = by.clone().try_cast::<Request>().ok_or_else(|| {
            let found = friendly_type(by.type_name()).unwrap_or(by.type_name());
            format!("a path such as \"/live\" or a request such as get(\"/live\") opens it; found {found}")
        })?;
        let template = request.template(vu.0.target.get(), &shared.state.plan.borrow());
        if template.method != "GET" {
            return Err(format!("a GET request opens it, not {}", template.method).into());
        }
        let name = match template.name.strip_prefix("GET ") {
            Some(rest) if !request.0.named => format!("{scheme} {rest}"),
            _ => template.name.clone(),
        };
        (shared.fill(&vu.0, &template)?, name, Some(request))
    };
    upgrade(shared, &mut request, kind, &name, &options.subprotocols)?;
    let open = OpenChannel { request, kind, name, message_bytes_max: options.message_bytes_max };
    let live = match ask(ChannelStep::Open(Box::new(open)))? {
        ChannelAnswer::Opened(live) => live,
        _ => return Err(UNASKED.into()),
    };
    if let Some(request) = made {
        examine(ctx, shared, vu, &request, &Response(live.opened.clone()))?;
    }
    Ok(live)
}

/// Gives a request the fields that open a channel, and the row of its channel.
fn upgrade(
    shared: &Shared,
    request: &mut Filled,
    kind: ChannelKind,
    name: &str,
    subprotocols: &str,
) -> Result<(), Failed> {
    if request.body_at < request.wire.len() {
        return Err("a request that opens it has no body".into());
    }
    let speaks_http = {
        let plan = shared.state.plan.borrow();
        plan.targets.get(usize::from(request.target.0)).is_some_and(|target| target.url.scheme().starts_with("http"))
    };
    if !speaks_http {
        return Err(
            "a channel is opened by HTTP, and its target speaks another protocol; name one with `.on(target)`".into()
        );
    }
    let wire = opening(&request.wire, kind, subprotocols);
    shared.buffers.give(std::mem::replace(&mut request.wire, wire));
    request.body_at = request.wire.len();
    request.name = shared.recorder.borrow_mut().name(crate::measure::Kind::Request, name);
    Ok(())
}

struct Options {
    subprotocols: String,
    message_bytes_max: usize,
}

impl Options {
    fn read(kind: ChannelKind, given: &Map) -> Result<Self, Failed> {
        let (word, known) = match kind {
            ChannelKind::WebSocket => ("websocket", WEBSOCKET_OPTIONS),
            ChannelKind::Events => ("events", EVENTS_OPTIONS),
        };
        let mut options = Self { subprotocols: String::new(), message_bytes_max: MESSAGE_BYTES_MAX };
        for (name, value) in given {
            match name.as_str() {
                option if !known.contains(&option) => {
                    let help = suggest(option, known.iter().copied(), "option of that kind");
                    return Err(format!("`{word}` has no option `{option}`; {help}").into());
                }
                "subprotocols" => options.subprotocols = subprotocols(value)?,
                _ => options.message_bytes_max = size(value)?,
            }
        }
        Ok(options)
    }
}

fn subprotocols(value: &Dynamic) -> Result<String, Failed> {
    let names = value.clone().try_cast::<Array>().unwrap_or_else(|| vec![value.clone()]);
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let is_token = |name: &String| crate::script::draft::is_token(name);
    match names.iter().find(|name| !is_token(name)) {
        Some(wrong) => {
            Err(format!("`{wrong}` is no name of a subprotocol: it is a word such as \"graphql-ws\"").into())
        }
        None => Ok(names.join(", ")),
    }
}

fn size(value: &Dynamic) -> Result<usize, Failed> {
    let parsed = match value.read_lock::<ImmutableString>() {
        Some(text) => clock::parse_size(&text).map_err(|error| error.to_string())?,
        None => value.as_int().ok().and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(0),
    };
    match usize::try_from(parsed) {
        Ok(bytes @ 1..=0x4000_0000) => Ok(bytes),
        _ => Err("`max_message` takes a size such as 1.mb, at most 1 GiB".into()),
    }
}

const UNASKED: &str = "internal error: an answer that was not asked for";

fn ask(step: ChannelStep) -> Result<ChannelAnswer, Failed> {
    match ambient::ask(Step::Channel(Box::new(step))) {
        Some(Answer::Channel(answer)) => Ok(*answer),
        Some(_) => Err(UNASKED.into()),
        None => Err(CANNOT_WAIT.into()),
    }
}

/// Refuses what needs a channel of which the script knows that it is over.
fn alive(live: &LiveChannel) -> Result<(), Failed> {
    if !live.is_over() {
        return Ok(());
    }
    let what = if live.kind == ChannelKind::WebSocket { "the WebSocket" } else { "the stream of events" };
    let why = match (live.ended(), live.opened.failed()) {
        (_, Some(failure)) => format!("was not opened: {failure}"),
        (Some(ended), None) => format!("has ended: {}", ended.failure.detail),
        (None, None) if live.opened.expected.get() => "is closed".to_owned(),
        (None, None) => format!("was not opened: the answer was status {}", live.opened.outcome.status),
    };
    Err(format!("{what} {why}; ask `.closed` before").into())
}

/// Sends a message: a text, bytes, or anything else as JSON. Says whether that worked.
pub(super) fn send(shared: &Shared, socket: &WebSocket, data: &Dynamic) -> Result<bool, Failed> {
    alive(&socket.0)?;
    let user = shared.user()?;
    let mut content = shared.buffers.take();
    let message = match body::write(&mut content, data, shared, &user)? {
        Content::Bytes => Outgoing::Binary(content.clone()),
        Content::Json | Content::Text => Outgoing::Text(String::from_utf8_lossy(&content).into_owned()),
    };
    shared.buffers.give(content);
    match ask(ChannelStep::Send { channel: socket.0.clone(), message })? {
        ChannelAnswer::Done(failure) => Ok(failure.is_none()),
        _ => Err(UNASKED.into()),
    }
}

/// What a wait is for.
pub(super) struct Wait {
    patience: Option<Nanos>,
    wanted: Option<FnPtr>,
}

impl Wait {
    /// From arguments: a duration, a closure, or both.
    pub(super) fn of(arguments: impl IntoIterator<Item = Dynamic>) -> Result<Self, Failed> {
        let mut wait = Self { patience: None, wanted: None };
        for argument in arguments {
            match argument.clone().try_cast::<FnPtr>() {
                Some(closure) if wait.wanted.is_none() => wait.wanted = Some(closure),
                Some(_) => return Err("a wait takes one closure".into()),
                None if wait.patience.is_none() => wait.patience = Some(patience(&argument)?),
                None => return Err("a wait takes one duration".into()),
            }
        }
        Ok(wait)
    }
}

/// A duration such as `2.s`, or a text such as `"2s"`.
pub(super) fn patience(value: &Dynamic) -> Result<Nanos, Failed> {
    if let Some(span) = value.read_lock::<Span>() {
        return Ok(Nanos::try_from(span.0.as_nanos()).unwrap_or(Nanos::MAX));
    }
    if let Some(text) = value.read_lock::<ImmutableString>() {
        let span = clock::parse_duration(&text).map_err(|error| error.to_string())?;
        return Ok(Nanos::try_from(span.as_nanos()).unwrap_or(Nanos::MAX));
    }
    if value.is_int() || value.is_float() {
        return Err(format!("a time needs a unit: write `{value}.s` or `{value}.ms`").into());
    }
    Err("a wait takes a duration such as 2.s, or a closure such as |message| message.text == \"go\"".into())
}

/// Waits for a message; with a closure, for the one that it accepts, passing over others.
fn wait_for(
    ctx: &NativeCallContext<'_>,
    live: &Rc<LiveChannel>,
    wait: &Wait,
    show: impl Fn(Rc<Arrival>) -> Dynamic,
) -> Result<Rc<Arrival>, Failed> {
    alive(live)?;
    let mut left = wait.patience.unwrap_or(live.timeout);
    loop {
        let step = ChannelStep::Receive { channel: live.clone(), patience: left, hold: wait.wanted.is_some() };
        let arrival: Rc<Arrival> = match ask(step)? {
            ChannelAnswer::Arrival(arrival) => Rc::from(arrival),
            _ => return Err(UNASKED.into()),
        };
        let (Some(wanted), What::Message(_)) = (&wait.wanted, &arrival.what) else { return Ok(arrival) };
        let answer: Dynamic = wanted.call_within_context(ctx, (show(arrival.clone()),))?;
        let fits =
            answer.as_bool().map_err(|found| format!("the closure of a wait gives true or false, not {found}"))?;
        if fits {
            ask(ChannelStep::Settle { channel: live.clone() })?;
            return Ok(arrival);
        }
        left = left.saturating_sub(arrival.waited);
    }
}

pub(super) fn receive(ctx: &NativeCallContext<'_>, socket: &WebSocket, wait: &Wait) -> Result<Message, Failed> {
    wait_for(ctx, &socket.0, wait, |arrival| Dynamic::from(Message(arrival))).map(Message)
}

pub(super) fn next(ctx: &NativeCallContext<'_>, events: &Events, wait: &Wait) -> Result<Event, Failed> {
    wait_for(ctx, &events.0, wait, |arrival| Dynamic::from(Event(arrival))).map(Event)
}

/// Sends a message and waits for the next one.
pub(super) fn exchange(
    ctx: &NativeCallContext<'_>,
    shared: &Shared,
    socket: &WebSocket,
    data: &Dynamic,
    wait: &Wait,
) -> Result<Message, Failed> {
    send(shared, socket, data)?;
    receive(ctx, socket, wait)
}

/// How long a ping and its pong took; nothing where none came.
pub(super) fn ping(socket: &WebSocket, patience: Option<Nanos>) -> Result<Dynamic, Failed> {
    alive(&socket.0)?;
    let patience = patience.unwrap_or(socket.0.timeout);
    match ask(ChannelStep::Ping { channel: socket.0.clone(), patience })? {
        ChannelAnswer::Ponged(Ok(nanos)) => Ok(Dynamic::from(Span(std::time::Duration::from_nanos(nanos)))),
        ChannelAnswer::Ponged(Err(_)) | ChannelAnswer::Done(_) => Ok(Dynamic::UNIT),
        _ => Err(UNASKED.into()),
    }
}

/// Closes a channel; one that is closed stays so.
pub(super) fn close(live: &Rc<LiveChannel>, code: i64, reason: &str) -> Result<(), Failed> {
    let code =
        u16::try_from(code).ok().filter(|code| matches!(code, 1_000 | 1_001 | 1_003 | 1_007..=1_011 | 3_000..=4_999));
    let code = code.ok_or("a close code is 1000, or one of the application's: 3000 to 4999")?;
    if reason.len() > 123 {
        return Err("a close reason has at most 123 bytes".into());
    }
    ask(ChannelStep::Close { channel: live.clone(), code, reason: reason.to_owned() }).map(|_| ())
}
