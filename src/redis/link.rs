//! A Redis server, and the connections to it.

use std::{cell::RefCell, future::poll_fn, rc::Rc};

use super::{
    connection::{Connection, Request},
    login::Login,
};
use crate::{
    clock::{Clock, Nanos},
    http::{AddressGuard, Endpoint, Kept, Pool, Route},
    protocol::{
        Boxed, BufferPool, DONE, ErrorKind, Exchange, Failure, Keep, Link, LinkSession, Outcome, Stamps, TargetId,
    },
};

/// Size of the memory that all connections of a worker read into, in bytes.
const SCRATCH_BYTES: usize = 64 * 1024;
/// The reply to a login is a line.
const LOGIN_BYTES_MAX: u64 = 64 * 1024;

/// What the links of a worker share: connections that wait hold no memory for reading.
#[derive(Debug)]
pub struct Scratch {
    pub(super) bytes: RefCell<Box<[u8]>>,
    pub(super) pool: BufferPool,
}

impl Scratch {
    /// With the worker's buffers.
    pub fn new(pool: BufferPool) -> Rc<Self> {
        Rc::new(Self { bytes: RefCell::new(vec![0; SCRATCH_BYTES].into_boxed_slice()), pool })
    }
}

/// See the module.
#[derive(Debug)]
pub struct RedisLink {
    clock: Clock,
    guard: AddressGuard,
    route: Route,
    login: Login,
    scratch: Rc<Scratch>,
    /// The connections that all sessions share, where they do.
    shared: Option<Pool<Connection>>,
}

impl RedisLink {
    /// A link to the server at `endpoint`, which must name what it speaks.
    pub fn new(clock: Clock, guard: AddressGuard, endpoint: Endpoint, login: Login, scratch: Rc<Scratch>) -> Self {
        let shared = endpoint.connections.map(Pool::new);
        Self { clock, guard, route: Route::new(endpoint), login, scratch, shared }
    }

    async fn carry(&self, own: &Kept<Connection>, exchange: Exchange<'_>) -> Outcome {
        let start = self.clock.now();
        let deadline = start.saturating_add(exchange.timeout);
        let mut stamps = Stamps { start, ..Stamps::default() };
        let carried = self.carry_by(own, &exchange, deadline, &mut stamps).await;
        let unsent = |failure| Outcome { failure: Some(failure), ..Outcome::default() };
        let outcome = carried.unwrap_or_else(unsent);
        if (outcome.bytes_sent, outcome.bytes_received) == (0, 0) {
            stamps.end = self.clock.now();
        }
        Outcome { stamps, ..outcome }
    }

    /// All of the outcome but its stamps. The error says why there was no connection.
    async fn carry_by(
        &self,
        own: &Kept<Connection>,
        exchange: &Exchange<'_>,
        deadline: Nanos,
        stamps: &mut Stamps,
    ) -> Result<Outcome, Failure> {
        if exchange.body_at > 0 {
            return Err(Failure::new(ErrorKind::Protocol, "a request of HTTP cannot be sent to Redis"));
        }
        let _permit = Pool::permit_of(self.shared.as_ref(), &self.clock, deadline).await?;
        let idle = self.shared.as_ref().map_or(own, Pool::kept);
        let (mut connection, reused) = match idle.take(Connection::is_quiet) {
            Some(connection) => (connection, true),
            None => (self.connect(deadline, stamps).await?, false),
        };
        let mut request = Request::new(&self.clock, &self.scratch, exchange, deadline, reused);
        let negotiated = connection.negotiated;
        // The connection is this future's own until the reply is whole: dropping the future closes it.
        let result = poll_fn(|cx| connection.poll(&mut request, stamps, cx)).await;
        let (bytes_sent, bytes_received) = request.bytes();
        let (came, failure) = match result {
            Ok(came) => (Some(came), None),
            Err(failure) => (None, Some(failure)),
        };
        if came.as_ref().is_some_and(|came| came.is_last) && self.route.endpoint().keepalive {
            idle.put(connection);
        }
        Ok(Outcome {
            status: came.as_ref().map_or(0, |came| came.judged.status),
            body_bytes: came.as_ref().map_or(0, |came| came.judged.body_bytes),
            response: came.and_then(|came| came.response),
            failure,
            bytes_sent,
            bytes_received,
            reused,
            negotiated,
            ..Outcome::default()
        })
    }

    /// A connection that has said who it is. What that takes is a part of connecting.
    async fn connect(&self, deadline: Nanos, stamps: &mut Stamps) -> Result<Connection, Failure> {
        let opened = self.route.connect(&self.clock, &self.guard, None, deadline, stamps).await?;
        let mut connection = Connection::new(opened);
        for wire in self.login.commands() {
            let exchange = Exchange {
                target: TargetId(0),
                wire: &wire,
                body_at: 0,
                is_head: false,
                timeout: 0,
                keep: Keep::Body,
                body_bytes_max: LOGIN_BYTES_MAX,
                version: None,
            };
            let mut aside = Stamps::default();
            let mut request = Request::new(&self.clock, &self.scratch, &exchange, deadline, false);
            let came = poll_fn(|cx| connection.poll(&mut request, &mut aside, cx)).await?;
            if came.judged.status != DONE {
                let text = came.response.as_ref().map_or(&[][..], |response| response.body());
                return Err(Failure::new(ErrorKind::LoginRefused, String::from_utf8_lossy(text).into_owned()));
            }
        }
        Ok(connection)
    }
}

impl Link for RedisLink {
    fn session(&self) -> LinkSession {
        Rc::new(Kept::<Connection>::default())
    }

    fn exchange<'a>(&'a self, session: &'a LinkSession, exchange: Exchange<'a>) -> Boxed<'a, Outcome> {
        Box::pin(async move {
            // A session of another link would be a mistake of ours; a connection for this exchange alone serves.
            let none = Kept::default();
            self.carry(session.downcast_ref().unwrap_or(&none), exchange).await
        })
    }

    fn open<'a>(&'a self, session: &'a LinkSession) -> Boxed<'a, Result<(), Failure>> {
        Box::pin(async move {
            let deadline = self.route.opening_deadline(&self.clock);
            let _permit = Pool::permit_of(self.shared.as_ref(), &self.clock, deadline).await?;
            let own = session.downcast_ref::<Kept<Connection>>();
            let Some(idle) = self.shared.as_ref().map(Pool::kept).or(own) else { return Ok(()) };
            let connection = match idle.take(Connection::is_quiet) {
                Some(connection) => connection,
                None => self.connect(deadline, &mut Stamps::default()).await?,
            };
            idle.put(connection);
            Ok(())
        })
    }
}
