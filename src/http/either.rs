//! Exchanges of which it is the server's choice, or the script's, that they go by HTTP/2.

use std::rc::Rc;

use tokio::sync::SemaphorePermit;

use super::{
    connect::{Opened, Route},
    deadline::DeadlineTimer,
    h1, h2,
    transport::{HttpTransport, Session},
};
use crate::{
    clock::Nanos,
    protocol::{ErrorKind, Exchange, Failure, HttpVersion, Outcome, Stamps, TargetId},
};

/// A connection, by the version that is spoken over it.
pub enum Way<'a> {
    /// A stream of it is free, or will be.
    Http2 {
        /// It may carry others meanwhile.
        connection: Rc<h2::Connection>,
        /// Another exchange has opened it.
        reused: bool,
    },
    /// Just opened.
    Http1 {
        /// Where it waits afterwards.
        session: &'a Session,
        /// The connection.
        connection: h1::Connection,
        /// The right to use it, where it is shared.
        permit: Option<SemaphorePermit<'a>>,
    },
}

impl HttpTransport {
    /// Carries an exchange by HTTP/2, or by HTTP/1.1 where that turns out to be the server's choice.
    pub(super) async fn exchange_by_either(
        &self,
        route: &Route,
        session: &Session,
        exchange: &Exchange<'_>,
        deadline: Nanos,
        mut stamps: Stamps,
    ) -> Box<Outcome> {
        let way = self.connect_either(route, session, exchange.target, exchange.version, deadline, &mut stamps).await;
        match way {
            Ok(Some(Way::Http2 { connection, reused })) => {
                let tools = (&self.clock, &self.scratch.pool);
                h2::exchange(connection, exchange, tools, deadline, stamps, reused).await
            }
            Ok(Some(Way::Http1 { session, connection, permit })) => {
                let outcome = self.carry((connection, false), route, session, exchange, deadline, stamps).await;
                drop(permit);
                outcome
            }
            // While this one waited, the server chose HTTP/1.1 for another.
            Ok(None) => self.exchange_by_http1(route, session, exchange, deadline, stamps).await,
            Err(failure) => self.unsent(failure, stamps),
        }
    }

    /// A connection for an exchange that may go by HTTP/2: one that stands, or a new one. None where it has turned out
    /// that the server speaks HTTP/1.1.
    pub(super) async fn connect_either<'a>(
        &self,
        route: &'a Route,
        own: &'a Session,
        target: TargetId,
        version: Option<HttpVersion>,
        deadline: Nanos,
        stamps: &mut Stamps,
    ) -> Result<Option<Way<'a>>, Failure> {
        let connect = async |stamps| route.connect(&self.clock, &self.guard, version, deadline, stamps).await;
        let session = route.shared().map_or(own, |shared| &shared.session);
        let by_http1 = |opened| Way::Http1 {
            session,
            connection: h1::Connection::new(opened),
            permit: route.shared().and_then(|shared| shared.permits.free()),
        };
        if !route.endpoint().keepalive {
            let opened = connect(stamps).await?;
            return Ok(Some(match opened.negotiated.http {
                HttpVersion::Http2 => {
                    let connection = h2::handshake(opened, &self.clock, deadline).await?;
                    Way::Http2 { connection, reused: false }
                }
                _ => by_http1(opened),
            }));
        }
        let lane = session.lane(target, route.endpoint().connections);
        let mut permit = None;
        while route.may_be_http2(version) {
            match lane.way(permit.take()) {
                h2::Way::Kept(connection) => return Ok(Some(Way::Http2 { connection, reused: true })),
                h2::Way::Open(permit) => {
                    let opened = connect(stamps).await?;
                    if opened.negotiated.http == HttpVersion::Http1 {
                        // Those who wait for a stream of it shall not.
                        lane.announce();
                        return Ok(Some(by_http1(opened)));
                    }
                    let connection = h2::handshake(opened, &self.clock, deadline).await?;
                    lane.add(connection.clone(), Some(permit));
                    return Ok(Some(Way::Http2 { connection, reused: false }));
                }
                h2::Way::Wait => {
                    let mut timer = DeadlineTimer::new(&self.clock, deadline);
                    let late = || Failure::new(ErrorKind::Timeout, "no connection was opened in time");
                    permit = timer.race(&self.clock, deadline, lane.change()).await.ok_or_else(late)?;
                }
            }
        }
        Ok(None)
    }

    /// Carries an exchange over a connection that has turned out to speak HTTP/2.
    pub(super) async fn carry_by_http2(
        &self,
        opened: Opened,
        route: &Route,
        session: &Session,
        exchange: &Exchange<'_>,
        deadline: Nanos,
        stamps: Stamps,
    ) -> Box<Outcome> {
        let connection = match h2::handshake(opened, &self.clock, deadline).await {
            Ok(connection) => connection,
            Err(failure) => return self.unsent(failure, stamps),
        };
        if route.endpoint().keepalive {
            session.lane(exchange.target, route.endpoint().connections).add(connection.clone(), None);
        }
        let tools = (&self.clock, &self.scratch.pool);
        h2::exchange(connection, exchange, tools, deadline, stamps, false).await
    }
}
