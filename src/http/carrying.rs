//! An exchange on its way over a connection of HTTP/1.1.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use super::{
    connect::Route,
    h1::{Connection, Request},
    transport::{HttpTransport, Session},
};
use crate::{
    clock::Nanos,
    protocol::{BufferPool, Exchange, Outcome, Stamps, TargetId},
};

/// Ready with the outcome; the connection goes to its session then, if it can carry another exchange.
///
/// No async function: of those, arguments that live on take their room twice, and each request under way has it.
#[derive(Debug)]
pub struct Carrying<'a> {
    pool: &'a BufferPool,
    session: &'a Session,
    target: TargetId,
    keepalive: bool,
    reused: bool,
    stamps: Stamps,
    request: Request<'a>,
    /// It is this future's own until the response is whole: dropping the future closes it. None after its end, when
    /// nobody asks.
    connection: Option<Connection>,
}

impl HttpTransport {
    /// Carries an exchange, with what was stamped so far, over a connection that `reused` says it had before.
    #[inline(always)]
    pub(super) fn carry<'a>(
        &'a self,
        (connection, reused): (Connection, bool),
        route: &Route,
        session: &'a Session,
        exchange: &Exchange<'a>,
        deadline: Nanos,
        stamps: Stamps,
    ) -> Carrying<'a> {
        Carrying {
            pool: &self.scratch.pool,
            session,
            target: exchange.target,
            keepalive: route.endpoint().keepalive,
            reused,
            stamps,
            request: Request::new(&self.clock, &self.scratch, exchange, deadline, reused),
            connection: Some(connection),
        }
    }
}

impl Future for Carrying<'_> {
    type Output = Box<Outcome>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Box<Outcome>> {
        let Self { pool, session, request, stamps, keepalive, target, reused, connection: place } = self.get_mut();
        let Some(connection) = place else { return Poll::Pending };
        let result = ready!(connection.poll(request, stamps, cx));
        let negotiated = connection.negotiated();
        if let Some(connection) = place.take()
            && *keepalive
            && result.is_ok()
            && request.leaves_reusable()
        {
            session.put(*target, connection);
        }
        let bytes_sent = request.written() as u64;
        let reader = &mut request.reader;
        Poll::Ready(Box::new(Outcome {
            status: if result.is_ok() { reader.status() } else { 0 },
            failure: result.err(),
            stamps: *stamps,
            bytes_sent,
            bytes_received: reader.received(),
            body_bytes: reader.body_bytes(),
            reused: *reused,
            negotiated,
            sets_cookies: reader.sets_cookies(),
            response: reader.take_response(pool),
        }))
    }
}
