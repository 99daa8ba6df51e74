//! A server that exists only in simulated time: the other half of a run without sockets.

use std::{cell::RefCell, rc::Rc};

use super::host::Host;
use crate::{
    clock::Nanos,
    protocol::{ErrorKind, Exchange, Failure, Keep, Negotiated, Outcome, Response, Stamps, TargetId, Transport},
};

/// What a simulated server does with a request.
#[derive(Debug, Clone)]
pub struct Answer {
    /// From the request's arrival to the end of the response.
    pub after: Nanos,
    /// The status code.
    pub status: u16,
    /// Status line, fields, blank line.
    pub head: &'static [u8],
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// An empty response with a status.
    pub fn plain(after: Nanos, status: u16) -> Self {
        Self { after, status, head: b"HTTP/1.1 200 OK\r\n\r\n", body: Vec::new() }
    }
}

/// The behaviour of a simulated server: a function of the time of arrival and the request's bytes.
type Behaviour = dyn FnMut(Nanos, &[u8]) -> Answer;

/// Carries exchanges to a function instead of a socket.
#[derive(Clone)]
pub struct SimulatedTransport {
    host: Host,
    server: Rc<RefCell<Behaviour>>,
}

impl SimulatedTransport {
    /// A transport whose server is `behaviour`.
    pub fn new(host: Host, behaviour: impl FnMut(Nanos, &[u8]) -> Answer + 'static) -> Self {
        Self { host, server: Rc::new(RefCell::new(behaviour)) }
    }

    /// The usual servers of queueing theory: one after the other, `service` each.
    pub fn single_server(host: Host, mut service: impl FnMut() -> Nanos + 'static) -> Self {
        let mut free_at = 0;
        Self::new(host, move |now, _| {
            free_at = free_at.max(now) + service();
            Answer::plain(free_at - now, 200)
        })
    }
}

impl Transport for SimulatedTransport {
    type Session = ();

    async fn exchange<'a>(&'a self, _session: &'a (), exchange: Exchange<'a>) -> Box<Outcome> {
        let start = self.host.now();
        let answer = (self.server.borrow_mut())(start, exchange.wire);
        let in_time = answer.after <= exchange.timeout;
        let end = start + answer.after.min(exchange.timeout);
        self.host.sleep_until(end).await;
        let mut bytes = answer.head.to_vec();
        bytes.extend_from_slice(&answer.body);
        let sets_cookies =
            in_time && answer.head.split(|&byte| byte == b'\n').any(|line| line.starts_with(b"set-cookie:"));
        let kept = exchange.keep > Keep::Nothing || sets_cookies;
        let response = (in_time && kept).then(|| Response::detached(bytes, answer.head.len()));
        Box::new(Outcome {
            status: if in_time { answer.status } else { 0 },
            failure: (!in_time).then(|| Failure::new(ErrorKind::Timeout, "no answer in time")),
            stamps: Stamps { start, sent: Some(start), first_byte: in_time.then_some(end), end, ..Stamps::default() },
            bytes_sent: exchange.wire.len() as u64,
            bytes_received: 0,
            body_bytes: answer.body.len() as u64,
            reused: true,
            negotiated: Negotiated::default(),
            sets_cookies,
            response,
        })
    }

    async fn open<'a>(&'a self, _session: &'a (), _target: TargetId) -> Result<(), Failure> {
        Ok(())
    }
}
