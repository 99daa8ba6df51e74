//! [`HttpTransport`]: exchanges over HTTP/1.1, and the connections a virtual user keeps between them.

use std::{cell::RefCell, future::poll_fn};

use super::{
    connect::{Endpoint, Route},
    guard::AddressGuard,
    h1::{Connection, Request, Scratch},
};
use crate::{
    clock::{Clock, Nanos},
    protocol::{BufferPool, ErrorKind, Exchange, Failure, Negotiated, Outcome, Stamps, TargetId, Transport},
};

/// More connections of one session do not wait; those that are too many are closed.
const IDLE_MAX: usize = 256;

/// The HTTP/1.1 transport of one worker. Its futures run on that worker's current-thread runtime.
#[derive(Debug)]
pub struct HttpTransport {
    clock: Clock,
    guard: AddressGuard,
    routes: Vec<Route>,
    scratch: Scratch,
}

/// The open connections of one virtual user. Cheap while they wait: no buffers.
#[derive(Debug, Default)]
pub struct Session {
    /// Used last, taken first: its state is the warmest, on both sides.
    idle: RefCell<Vec<Idle>>,
}

#[derive(Debug)]
struct Idle {
    target: TargetId,
    connection: Connection,
}

/// Memory of a connection that waits, beside its timer and what the reactor holds, in bytes.
#[cfg(test)]
pub const IDLE_BYTES: usize = size_of::<Idle>();

impl Session {
    /// Connections that wait for an exchange.
    pub fn idle_connections(&self) -> usize {
        self.idle.borrow().len()
    }

    /// No connection that waits was closed, or got bytes.
    #[cfg(test)]
    pub fn is_quiet(&self) -> bool {
        self.idle.borrow_mut().iter_mut().all(|idle| idle.connection.is_quiet())
    }

    /// The connection to `target` that was used last, leaving out those that the server has closed since.
    fn take(&self, target: TargetId) -> Option<Connection> {
        let mut idle = self.idle.borrow_mut();
        loop {
            let at = idle.iter().rposition(|idle| idle.target == target)?;
            let mut connection = idle.remove(at).connection;
            if connection.is_quiet() {
                return Some(connection);
            }
        }
    }

    fn put(&self, target: TargetId, connection: Connection) {
        let mut idle = self.idle.borrow_mut();
        if idle.len() < IDLE_MAX {
            idle.push(Idle { target, connection });
        }
    }
}

impl HttpTransport {
    /// A transport to `targets`, whose places are their [`TargetId`]s.
    pub fn new(clock: Clock, targets: Vec<Endpoint>, guard: AddressGuard) -> Self {
        let routes = targets.into_iter().map(Route::new).collect();
        Self { clock, guard, routes, scratch: Scratch::default() }
    }

    /// The buffers that responses are read into; whoever composes requests may use them too.
    pub fn buffers(&self) -> BufferPool {
        self.scratch.pool.clone()
    }

    /// The port of a target.
    #[cfg(test)]
    pub fn port(&self, target: TargetId) -> u16 {
        self.routes[usize::from(target.0)].endpoint().port
    }

    fn route(&self, target: TargetId) -> Result<&Route, Failure> {
        self.routes
            .get(usize::from(target.0))
            .ok_or_else(|| Failure::new(ErrorKind::TargetDenied, format!("the plan has no target number {}", target.0)))
    }

    async fn connect(&self, target: TargetId, deadline: Nanos, stamps: &mut Stamps) -> Result<Connection, Failure> {
        self.route(target)?.connect(&self.clock, &self.guard, deadline, stamps).await
    }
}

impl Transport for HttpTransport {
    type Session = Session;

    async fn exchange<'a>(&'a self, session: &'a Session, exchange: Exchange<'a>) -> Outcome {
        let start = self.clock.now();
        let deadline = start.saturating_add(exchange.timeout);
        let mut stamps = Stamps { start, ..Stamps::default() };
        let target = exchange.target;

        let (mut connection, reused) = match session.take(target) {
            Some(connection) => (connection, true),
            None => match self.connect(target, deadline, &mut stamps).await {
                Ok(connection) => (connection, false),
                Err(failure) => {
                    stamps.end = self.clock.now();
                    return unsent(failure, stamps);
                }
            },
        };
        let mut request = Request::new(&self.clock, &self.scratch, &exchange, deadline, reused);
        let negotiated = connection.negotiated();
        // The connection is this future's own until the response is whole: dropping the future closes it.
        let result = poll_fn(|cx| connection.poll(&mut request, &mut stamps, cx)).await;

        if result.is_ok()
            && request.leaves_reusable()
            && self.route(target).is_ok_and(|route| route.endpoint().keepalive)
        {
            session.put(target, connection);
        }
        let (bytes_sent, reader) = (request.written() as u64, request.reader);
        Outcome {
            status: if result.is_ok() { reader.status() } else { 0 },
            failure: result.err(),
            stamps,
            bytes_sent,
            bytes_received: reader.received(),
            body_bytes: reader.body_bytes(),
            reused,
            negotiated,
            sets_cookies: reader.sets_cookies(),
            response: reader.into_response(&self.scratch.pool),
        }
    }

    async fn open<'a>(&'a self, session: &'a Session, target: TargetId) -> Result<(), Failure> {
        if let Some(connection) = session.take(target) {
            session.put(target, connection);
            return Ok(());
        }
        // The endpoint's own limit for connecting is the nearer one unless a look-up hangs.
        let patience = self.route(target)?.endpoint().connect_timeout.saturating_mul(2);
        let patience = Nanos::try_from(patience.as_nanos()).unwrap_or(Nanos::MAX);
        let deadline = self.clock.now().saturating_add(patience);
        let connection = self.connect(target, deadline, &mut Stamps::default()).await?;
        session.put(target, connection);
        Ok(())
    }
}

/// The outcome of an exchange that had no connection.
fn unsent(failure: Failure, stamps: Stamps) -> Outcome {
    Outcome {
        status: 0,
        failure: Some(failure),
        stamps,
        bytes_sent: 0,
        bytes_received: 0,
        body_bytes: 0,
        reused: false,
        negotiated: Negotiated::default(),
        sets_cookies: false,
        response: None,
    }
}
