//! The link to a database: which connection a statement of a virtual user goes by, and what becomes of its transaction.

use std::{cell::Cell, rc::Rc};

use super::{
    connection::Connection,
    request::{Boundary, Statement},
    rows::Rows,
    server::{Dialect, Login, Server},
};
use crate::{
    clock::{Clock, Nanos},
    http::{AddressGuard, Endpoint, Kept, Pool, Route},
    protocol::{Boxed, BufferPool, ErrorKind, Exchange, Failure, Link, LinkSession, Negotiated, Outcome, Stamps},
};

/// See the module.
#[derive(Debug)]
pub struct SqlLink {
    server: Rc<Server>,
    buffers: BufferPool,
    /// The connections that all sessions share, where they do.
    shared: Option<Pool<Connection>>,
}

/// What a virtual user keeps.
#[derive(Debug, Default)]
struct SqlSession {
    kept: Kept<Connection>,
    /// The transaction under way is no more: its connection broke. What belongs to it must not run by itself.
    lost: Cell<bool>,
}

impl SqlLink {
    /// A link to the server at `endpoint`, which must name what it speaks.
    pub fn new(
        clock: Clock,
        guard: AddressGuard,
        endpoint: Endpoint,
        dialect: Dialect,
        login: Login,
        buffers: BufferPool,
    ) -> Self {
        let shared = endpoint.connections.map(Pool::new);
        let server = Server { clock, guard, route: Route::new(endpoint), dialect, login };
        Self { server: Rc::new(server), buffers, shared }
    }

    async fn carry(&self, own: &SqlSession, exchange: Exchange<'_>) -> Outcome {
        let clock = &self.server.clock;
        let start = clock.now();
        let deadline = start.saturating_add(exchange.timeout);
        let mut stamps = Stamps { start, ..Stamps::default() };
        let carried = self.carry_by(own, &exchange, deadline, &mut stamps).await;
        let unsent = |failure| Outcome { failure: Some(failure), ..Outcome::default() };
        let outcome = carried.unwrap_or_else(unsent);
        stamps.end = clock.now();
        Outcome { stamps, negotiated: Negotiated { http: self.server.dialect.spoken(), security: None }, ..outcome }
    }

    /// All of the outcome but its stamps and what was negotiated. The error says why nothing was sent.
    async fn carry_by(
        &self,
        own: &SqlSession,
        exchange: &Exchange<'_>,
        deadline: Nanos,
        stamps: &mut Stamps,
    ) -> Result<Outcome, Failure> {
        let statement = Statement::parse(exchange.wire)?;
        let boundary = statement.boundary();
        if self.shared.is_some() && boundary == Some(Boundary::Begin) {
            let detail = "a transaction needs a connection of its own: leave `.connections(n)` of the target out";
            return Err(Failure::new(ErrorKind::Protocol, detail));
        }
        own.drop_closed();
        own.still_whole(boundary)?;
        let _permit = Pool::permit_of(self.shared.as_ref(), &self.server.clock, deadline).await?;
        let kept = self.shared.as_ref().map_or(&own.kept, Pool::kept);
        let (mut connection, reused) = match kept.take(|connection| connection.is_quiet()) {
            Some(connection) => (connection, true),
            None => {
                // What follows a `BEGIN` that was never sent must not run by itself.
                own.lost.set(boundary == Some(Boundary::Begin));
                (self.server.connect(deadline, stamps).await?, false)
            }
        };
        let before = connection.bytes();
        let was_in_transaction = connection.in_transaction;
        let mut rows = Rows::new(exchange.keep, exchange.body_bytes_max);
        let ended = connection.run(&statement, &mut rows, deadline, &self.server.clock, stamps).await;
        let after = connection.bytes();
        let (bytes_sent, bytes_received) = (after.0 - before.0, after.1 - before.1);
        let mut outcome = Outcome { bytes_sent, bytes_received, reused, ..Outcome::default() };
        own.lost.set(match boundary {
            Some(Boundary::Begin) => !matches!(ended, Some(Ok(_))),
            Some(Boundary::End) => false,
            None => was_in_transaction && !matches!(ended, Some(Ok(_))),
        });
        match ended {
            None => {
                outcome.failure = Some(Failure::new(ErrorKind::Timeout, "the statement was not done in time"));
                let (server, underway) = (self.server.clone(), connection.underway());
                tokio::task::spawn_local(async move { server.end(underway).await });
            }
            Some(Err(failure)) => outcome.failure = Some(stale(failure, reused, bytes_received)),
            Some(Ok(ended)) => {
                (outcome.status, outcome.body_bytes, outcome.response) =
                    rows.finish(statement.verb, &ended, &self.buffers);
                if self.server.route.endpoint().keepalive || connection.in_transaction {
                    kept.put(connection);
                }
            }
        }
        Ok(outcome)
    }
}

impl SqlSession {
    /// Drops connections that the server has closed since. A transaction that was open on one is lost.
    fn drop_closed(&self) {
        self.kept.retain(|connection| {
            let is_quiet = connection.is_quiet();
            if !is_quiet && connection.in_transaction {
                self.lost.set(true);
            }
            is_quiet
        });
    }

    /// Refuses what belongs to a transaction that is no more. A new one may begin, and the end of the old one is noted.
    fn still_whole(&self, boundary: Option<Boundary>) -> Result<(), Failure> {
        let was_lost = self.lost.get();
        if boundary.is_some() {
            self.lost.set(false);
        }
        if was_lost && boundary != Some(Boundary::Begin) {
            let detail = "not sent: the transaction that it belongs to was lost with its connection";
            return Err(Failure::new(ErrorKind::Closed, detail));
        }
        Ok(())
    }
}

/// A connection that had been closed while it waited.
fn stale(failure: Failure, reused: bool, received: u64) -> Failure {
    match failure.kind {
        ErrorKind::Closed | ErrorKind::Reset if reused && received == 0 => {
            Failure::new(ErrorKind::StaleConnection, "the kept-alive connection was closed before any answer")
        }
        _ => failure,
    }
}

impl Link for SqlLink {
    fn session(&self) -> LinkSession {
        Rc::new(SqlSession::default())
    }

    fn exchange<'a>(&'a self, session: &'a LinkSession, exchange: Exchange<'a>) -> Boxed<'a, Outcome> {
        Box::pin(async move {
            // A session of another link would be a mistake of ours; a connection for this exchange alone serves.
            let none = SqlSession::default();
            self.carry(session.downcast_ref().unwrap_or(&none), exchange).await
        })
    }

    fn open<'a>(&'a self, session: &'a LinkSession) -> Boxed<'a, Result<(), Failure>> {
        Box::pin(async move {
            let clock = &self.server.clock;
            let deadline = self.server.route.opening_deadline(clock);
            let _permit = Pool::permit_of(self.shared.as_ref(), clock, deadline).await?;
            let own = session.downcast_ref().map(|own: &SqlSession| &own.kept);
            let Some(kept) = self.shared.as_ref().map(Pool::kept).or(own) else { return Ok(()) };
            let connection = match kept.take(|connection| connection.is_quiet()) {
                Some(connection) => connection,
                None => self.server.connect(deadline, &mut Stamps::default()).await?,
            };
            kept.put(connection);
            Ok(())
        })
    }

    fn rest(&self, session: &LinkSession) {
        let Some(own) = session.downcast_ref::<SqlSession>() else { return };
        own.lost.set(false);
        // The server rolls back what was begun on a connection that is closed.
        own.kept.retain(|connection| !connection.in_transaction);
    }
}
