//! [`HttpTransport`]: exchanges over HTTP, and the connections a virtual user keeps between them.

use std::{
    cell::{OnceCell, RefCell},
    rc::Rc,
};

use futures_util::future::Either;
use tokio::sync::SemaphorePermit;

use super::{
    carrying::Carrying,
    connect::{Endpoint, Route},
    either::Way,
    guard::AddressGuard,
    h1::{Connection, Scratch},
    h2::Lane,
    proxy::Proxy,
};
use crate::{
    clock::{Clock, Nanos},
    protocol::{
        BufferPool, Channel, ErrorKind, Exchange, Failure, HttpVersion, Link, LinkSession, Opening, Origin, Outcome,
        Stamps, TargetId, Transport,
    },
};

/// Servers that redirects may lead to, beyond the plan's targets.
const ELSEWHERE_MAX: usize = 64;
/// More connections of one session do not wait; those that are too many are closed.
const IDLE_MAX: usize = 256;

/// The transport of one worker. Its futures run on that worker's current-thread runtime, within a `LocalSet` or a
/// `LocalRuntime` where a server may speak HTTP/2.
#[derive(Debug)]
pub struct HttpTransport {
    pub(super) clock: Clock,
    pub(super) guard: AddressGuard,
    routes: Vec<Rc<Route>>,
    /// Servers that redirects led to; their numbers follow those of the plan's targets.
    elsewhere: RefCell<Vec<Rc<Route>>>,
    /// What carries the exchanges of targets that do not speak HTTP.
    links: Vec<(TargetId, Box<dyn Link>)>,
    pub(super) scratch: Scratch,
}

/// The open connections of one virtual user. Cheap while they wait: no buffers.
#[derive(Debug, Default)]
pub struct Session {
    /// Used last, taken first: its state is the warmest, on both sides.
    idle: RefCell<Vec<Idle>>,
    /// What only some targets need.
    rare: OnceCell<Box<Rare>>,
}

#[derive(Debug, Default)]
struct Rare {
    /// Connections of HTTP/2, for targets that may speak it.
    lanes: RefCell<Vec<(TargetId, Rc<Lane>)>>,
    /// What it keeps of targets that do not speak HTTP.
    links: RefCell<Vec<(TargetId, LinkSession)>>,
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
            // Most users talk to one target.
            let last = idle.pop_if(|idle| idle.target == target);
            let Idle { mut connection, .. } = match last {
                Some(last) => last,
                None => {
                    let at = idle.iter().rposition(|idle| idle.target == target)?;
                    idle.remove(at)
                }
            };
            if connection.is_quiet() {
                return Some(connection);
            }
        }
    }

    /// The connections of HTTP/2 to a target, of which so many are shared.
    pub(super) fn lane(&self, target: TargetId, shared: Option<usize>) -> Rc<Lane> {
        let mut lanes = self.rare.get_or_init(Box::default).lanes.borrow_mut();
        if let Some((_, lane)) = lanes.iter().find(|(of, _)| *of == target) {
            return lane.clone();
        }
        let lane = Rc::new(Lane::new(shared));
        lanes.push((target, lane.clone()));
        lane
    }

    /// What this session keeps of a link.
    fn of_link(&self, target: TargetId, link: &dyn Link) -> LinkSession {
        let mut links = self.rare.get_or_init(Box::default).links.borrow_mut();
        if let Some((_, session)) = links.iter().find(|(of, _)| *of == target) {
            return session.clone();
        }
        let session = link.session();
        links.push((target, session.clone()));
        session
    }

    pub(super) fn put(&self, target: TargetId, connection: Connection) {
        let mut idle = self.idle.borrow_mut();
        if idle.len() < IDLE_MAX {
            // Most users have one connection, and there may be ten thousands of users.
            idle.reserve_exact(1);
            idle.push(Idle { target, connection });
        }
    }
}

impl HttpTransport {
    /// A transport to `targets`, whose places are their [`TargetId`]s.
    pub fn new(clock: Clock, targets: Vec<Endpoint>, guard: AddressGuard) -> Self {
        let routes = targets.into_iter().map(|endpoint| Rc::new(Route::new(endpoint))).collect();
        Self { clock, guard, routes, elsewhere: RefCell::default(), links: Vec::new(), scratch: Scratch::default() }
    }

    /// With what carries the exchanges of targets that do not speak HTTP. Their endpoints must name what they speak.
    #[must_use]
    pub fn with_links(self, links: Vec<(TargetId, Box<dyn Link>)>) -> Self {
        Self { links, ..self }
    }

    fn link(&self, target: TargetId) -> Option<&dyn Link> {
        self.links.iter().find(|(of, _)| *of == target).map(|(_, link)| &**link)
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

    pub(super) fn route(&self, target: TargetId) -> Result<Rc<Route>, Failure> {
        let at = usize::from(target.0);
        let known = self.routes.get(at).cloned();
        known
            .or_else(|| self.elsewhere.borrow().get(at - self.routes.len()).cloned())
            .ok_or_else(|| Failure::new(ErrorKind::TargetDenied, format!("the plan has no target number {}", target.0)))
    }

    /// The session whose connections an exchange may use, and the right to use one of them: the virtual user's own,
    /// or the one that all share, where that is asked for. Waits for a connection to be free.
    pub(super) async fn lend<'a>(
        &self,
        route: &'a Route,
        own: &'a Session,
        deadline: Nanos,
    ) -> Result<(&'a Session, Option<SemaphorePermit<'a>>), Failure> {
        let Some(shared) = route.shared() else { return Ok((own, None)) };
        let permit = match shared.permits.free() {
            Some(permit) => permit,
            None => Box::pin(shared.permits.wait(&self.clock, deadline)).await?,
        };
        Ok((&shared.session, Some(permit)))
    }
}

impl Transport for HttpTransport {
    type Session = Session;

    // Inlined with what it calls: the future is made where it stays, and not moved there.
    #[inline(always)]
    fn exchange<'a>(&'a self, session: &'a Session, exchange: Exchange<'a>) -> impl Future<Output = Box<Outcome>> {
        let start = self.clock.now();
        match self.carry_at_once(session, &exchange, start) {
            Some(carrying) => Either::Left(carrying),
            // Boxed: what most exchanges are made of shall not grow by it.
            None => Either::Right(Box::pin(self.exchange_anyhow(session, exchange, start))),
        }
    }

    async fn channel<'a>(
        &'a self,
        _session: &'a Session,
        opening: Opening<'a>,
    ) -> (Box<Outcome>, Option<Rc<dyn Channel>>) {
        // Boxed: what is rare shall not make room for itself in every virtual user.
        Box::pin(self.open_channel(&opening)).await
    }

    fn elsewhere(&self, from: TargetId, to: &Origin<'_>) -> Result<TargetId, Failure> {
        let extra = self.elsewhere.borrow();
        let is_it = |route: &Rc<Route>| route.endpoint().is(to);
        if let Some(at) = self.routes.iter().chain(extra.iter()).position(is_it) {
            return Ok(TargetId(at as u16));
        }
        drop(extra);
        let from = self.route(from)?;
        // A host that the script names may be asked at another port; of others, only those that need no name.
        let is_named = self.routes.iter().any(|route| route.endpoint().host.eq_ignore_ascii_case(to.host));
        if !is_named && !self.guard.needs_no_target(to.host) {
            let detail = format!("the redirect leads to {}, which no `target` of the script names", to.host);
            return Err(Failure::new(ErrorKind::TargetDenied, detail));
        }
        let mut extra = self.elsewhere.borrow_mut();
        if extra.len() >= ELSEWHERE_MAX || self.routes.len() + extra.len() >= usize::from(u16::MAX) {
            let detail = format!("redirects led to more than {ELSEWHERE_MAX} servers beside the script's targets");
            return Err(Failure::new(ErrorKind::TargetDenied, detail));
        }
        let endpoint = from.endpoint().elsewhere(to).map_err(|why| Failure::new(ErrorKind::Tls, why))?;
        extra.push(Rc::new(Route::new(endpoint)));
        Ok(TargetId((self.routes.len() + extra.len() - 1) as u16))
    }

    fn rest(&self, session: &Session) {
        // HTTP leaves nothing half done: what was cut off has closed its connection.
        let Some(rare) = session.rare.get() else { return };
        for (target, kept) in rare.links.borrow().iter() {
            if let Some(link) = self.link(*target) {
                link.rest(kept);
            }
        }
    }

    async fn open<'a>(&'a self, session: &'a Session, target: TargetId) -> Result<(), Failure> {
        let route = self.route(target)?;
        if let Some(link) = self.link(target) {
            let session = session.of_link(target, link);
            return link.open(&session).await;
        }
        let deadline = route.opening_deadline(&self.clock);
        let mut stamps = Stamps::default();
        if route.may_be_http2(None)
            && let Some(way) =
                Box::pin(self.connect_either(&route, session, target, None, deadline, &mut stamps)).await?
        {
            if let Way::Http1 { session, connection, .. } = way {
                session.put(target, connection);
            }
            return Ok(());
        }
        let (session, _permit) = self.lend(&route, session, deadline).await?;
        if let Some(connection) = session.take(target) {
            session.put(target, connection);
            return Ok(());
        }
        let opened = Box::pin(route.connect(&self.clock, &self.guard, None, deadline, &mut stamps)).await?;
        if opened.negotiated.http == HttpVersion::Http1 {
            session.put(target, Connection::new(opened));
        }
        Ok(())
    }
}

impl HttpTransport {
    /// What nearly all exchanges are: over a connection that waits for one.
    #[inline(always)]
    fn carry_at_once<'a>(
        &'a self,
        session: &'a Session,
        exchange: &Exchange<'a>,
        start: Nanos,
    ) -> Option<Carrying<'a>> {
        let route = self.routes.get(usize::from(exchange.target.0))?;
        if route.may_be_http2(exchange.version)
            || route.shared().is_some()
            || route.forwarding(exchange.version).is_some()
        {
            return None;
        }
        let connection = session.take(exchange.target)?;
        let deadline = start.saturating_add(exchange.timeout);
        let stamps = Stamps { start, ..Stamps::default() };
        Some(self.carry((connection, true), route, session, exchange, deadline, stamps))
    }

    /// Carries an exchange, whatever that takes.
    async fn exchange_anyhow(&self, session: &Session, exchange: Exchange<'_>, start: Nanos) -> Box<Outcome> {
        let deadline = start.saturating_add(exchange.timeout);
        let stamps = Stamps { start, ..Stamps::default() };
        let route = match self.route(exchange.target) {
            Ok(route) => route,
            Err(failure) => return self.unsent(failure, stamps),
        };
        if route.may_be_http2(exchange.version) {
            if let Some(link) = self.link(exchange.target) {
                let session = session.of_link(exchange.target, link);
                return Box::new(link.exchange(&session, exchange).await);
            }
            // Boxed, as what else is rare: those that wait for a shared connection shall not make room for it.
            return Box::pin(self.exchange_by_either(&route, session, &exchange, deadline, stamps)).await;
        }
        if let Some(proxy) = route.forwarding(exchange.version) {
            return Box::pin(self.exchange_forwarded(proxy, &route, session, &exchange, deadline, stamps)).await;
        }
        self.exchange_by_http1(&route, session, &exchange, deadline, stamps).await
    }

    pub(super) async fn exchange_by_http1(
        &self,
        route: &Route,
        session: &Session,
        exchange: &Exchange<'_>,
        deadline: Nanos,
        mut stamps: Stamps,
    ) -> Box<Outcome> {
        let (session, _permit) = match self.lend(route, session, deadline).await {
            Ok(lent) => lent,
            Err(failure) => return self.unsent(failure, stamps),
        };
        let connection = match session.take(exchange.target) {
            Some(connection) => (connection, true),
            None => {
                let connect = route.connect(&self.clock, &self.guard, exchange.version, deadline, &mut stamps);
                match Box::pin(connect).await {
                    Ok(opened) if opened.negotiated.http == HttpVersion::Http2 => {
                        // It chose HTTP/1.1 before: a server that was replaced.
                        let carried = self.carry_by_http2(opened, route, session, exchange, deadline, stamps);
                        return Box::pin(carried).await;
                    }
                    Ok(opened) => (Connection::new(opened), false),
                    Err(failure) => return self.unsent(failure, stamps),
                }
            }
        };
        self.carry(connection, route, session, exchange, deadline, stamps).await
    }

    /// Carries an exchange by a proxy that is asked for the whole address.
    async fn exchange_forwarded(
        &self,
        proxy: &Proxy,
        route: &Route,
        session: &Session,
        exchange: &Exchange<'_>,
        deadline: Nanos,
        stamps: Stamps,
    ) -> Box<Outcome> {
        let (wire, body_at) = proxy.forward(route.endpoint(), exchange);
        let exchange = Exchange { wire: &wire, body_at, ..*exchange };
        let mut outcome = self.exchange_by_http1(route, session, &exchange, deadline, stamps).await;
        // No server but a proxy answers so.
        if outcome.failure.is_none() && outcome.status == 407 {
            outcome.status = 0;
            outcome.failure = Some(proxy.unauthorized());
        }
        outcome
    }

    /// The outcome of an exchange that had no connection.
    pub(super) fn unsent(&self, failure: Failure, stamps: Stamps) -> Box<Outcome> {
        let stamps = Stamps { end: self.clock.now(), ..stamps };
        Box::new(Outcome { failure: Some(failure), stamps, ..Outcome::default() })
    }
}
