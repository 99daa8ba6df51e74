//! One request and what it got.

use serde::Serialize;

use super::{Body, Redact};
use crate::{
    clock::{MILLISECOND, Nanos},
    protocol::{Exchange, Outcome, Stamps, described, word_of},
};

/// Fields in their order: name, value.
pub type Headers = Vec<(String, String)>;

/// What went over the wire, as it was.
#[derive(Debug, Clone, Default)]
pub struct Observed {
    /// The target's number.
    pub target: usize,
    wire: Vec<u8>,
    body_at: usize,
    /// What came; nothing for a request that was dropped in the middle.
    outcome: Option<Came>,
}

#[derive(Debug, Clone)]
struct Came {
    status: u16,
    failure: Option<(&'static str, String)>,
    stamps: Stamps,
    reused: bool,
    head: Vec<u8>,
    body: Vec<u8>,
}

impl Observed {
    /// A request that is about to be sent.
    pub fn sent(exchange: &Exchange<'_>) -> Self {
        Self {
            target: usize::from(exchange.target.0),
            wire: exchange.wire.to_vec(),
            body_at: exchange.body_at,
            outcome: None,
        }
    }

    /// What it got.
    pub fn came(&mut self, outcome: &Outcome) {
        let failure = outcome.failure.as_ref().map(|failure| (failure.kind.word(), failure.detail.to_string()));
        let response = outcome.response.as_ref();
        self.outcome = Some(Came {
            status: outcome.status,
            failure,
            stamps: outcome.stamps,
            reused: outcome.reused,
            head: response.map_or_else(Vec::new, |response| response.head().to_vec()),
            body: response.map_or_else(Vec::new, |response| response.body().to_vec()),
        });
    }
}

/// A request and its response.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrialRequest {
    /// The method.
    pub method: String,
    /// The whole URL.
    pub url: String,
    /// Fields that were sent.
    pub headers: Headers,
    /// What was sent behind them.
    pub body: Option<Body>,
    /// The status code; 0 without a response.
    pub status: u16,
    /// The status line's text; of what is no HTTP, the word of its status.
    pub reason: String,
    /// The kind of failure where there is no whole response.
    pub error: Option<&'static str>,
    /// What the system said of it.
    pub error_detail: Option<String>,
    /// Fields that came.
    pub response_headers: Headers,
    /// What came behind them.
    pub response_body: Option<Body>,
    /// How long its parts took.
    pub timings: Timings,
    /// It went over a connection that was open already.
    pub reused: bool,
}

/// Milliseconds; `null` for a part that did not happen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Timings {
    /// Name look-up.
    pub dns_ms: Option<f64>,
    /// TCP connection.
    pub connect_ms: Option<f64>,
    /// TLS handshake.
    pub tls_ms: Option<f64>,
    /// Until the last byte was sent.
    pub send_ms: Option<f64>,
    /// From there to the first byte of the response.
    pub wait_ms: Option<f64>,
    /// From there to the last.
    pub receive_ms: Option<f64>,
    /// The whole.
    pub total_ms: f64,
}

impl Timings {
    fn of(stamps: &Stamps) -> Self {
        let between = |from: Option<Nanos>, to: Option<Nanos>| Some(milliseconds(to?.saturating_sub(from?)));
        let start = Some(stamps.start);
        let connected = stamps.connected.or(stamps.resolved).or(start);
        Self {
            dns_ms: between(start, stamps.resolved),
            connect_ms: between(stamps.resolved.or(start), stamps.connected),
            tls_ms: between(connected, stamps.secured),
            send_ms: between(stamps.secured.or(connected), stamps.sent),
            wait_ms: between(stamps.sent, stamps.first_byte),
            receive_ms: stamps.first_byte.and_then(|first| between(Some(first), Some(stamps.end))),
            total_ms: milliseconds(stamps.end.saturating_sub(stamps.start)),
        }
    }
}

/// To the microsecond: what is below is noise.
pub(super) fn milliseconds(nanos: Nanos) -> f64 {
    (nanos as f64 / MILLISECOND as f64 * 1e3).round() / 1e3
}

impl TrialRequest {
    /// As text. `origin` is the scheme and authority of its target.
    pub fn new(observed: &Observed, origin: &str, full: bool, redact: Redact<'_>) -> Self {
        let (head, body) = observed.wire.split_at(observed.body_at.min(observed.wire.len()));
        let is_bare = observed.body_at == 0;
        let (line, headers) = parse_head(head, redact);
        let mut words = line.split(' ');
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        // What is no HTTP has neither a head nor a body, but a verb and what follows it.
        let (verb, rest) = if is_bare { described(&observed.wire) } else { Default::default() };
        let (method, path) = if is_bare { (verb, format!(" {rest}")) } else { (method.to_owned(), path.to_owned()) };
        let body = if is_bare { &[] } else { body };
        let shown = |bytes: &[u8]| (!bytes.is_empty()).then(|| Body::of(bytes, full, redact));
        let came = observed.outcome.as_ref();
        let (status_line, response_headers) = came.map_or_else(Default::default, |came| parse_head(&came.head, redact));
        let failure = came.and_then(|came| came.failure.as_ref());
        Self {
            method,
            url: redact(format!("{origin}{path}").trim_end()),
            headers,
            body: shown(body),
            status: came.map_or(0, |came| came.status),
            reason: match came.and_then(|came| word_of(came.status)) {
                Some(word) => word.into_owned(),
                None => status_line.splitn(3, ' ').nth(2).unwrap_or_default().to_owned(),
            },
            error: failure.map(|(kind, _)| *kind).or_else(|| came.is_none().then_some("interrupted")),
            error_detail: failure.map(|(_, detail)| redact(detail)),
            response_headers,
            response_body: came.and_then(|came| shown(&came.body)),
            timings: came.map_or_else(Timings::default, |came| Timings::of(&came.stamps)),
            reused: came.is_some_and(|came| came.reused),
        }
    }
}

/// The first line, and the fields behind it.
fn parse_head(head: &[u8], redact: Redact<'_>) -> (String, Headers) {
    let text = redact(&String::from_utf8_lossy(head));
    let mut lines = text.split("\r\n").flat_map(|part| part.split('\n')).filter(|line| !line.is_empty());
    let first = lines.next().unwrap_or_default().to_owned();
    let fields = lines.map(|line| match line.split_once(':') {
        Some((name, value)) => (name.to_owned(), value.trim().to_owned()),
        None => (line.to_owned(), String::new()),
    });
    (first, fields.collect())
}
