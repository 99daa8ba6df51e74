//! From an endpoint to a connection: look-up, permission, TCP.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use tokio::net::TcpStream;

use super::{deadline::DeadlineTimer, guard::AddressGuard, h1::Connection, resolve::Resolver, stream::Stream, system};
use crate::{
    clock::{Clock, Nanos},
    protocol::{ErrorKind, Failure, Stamps},
};

/// Where a target's exchanges go, and how its connections are opened.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// A name, an address, or an IPv6 address in brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// TLS over the connection.
    pub tls: bool,
    /// Connections stay open for the next exchange.
    pub keepalive: bool,
    /// For all addresses together; an exchange's own timeout may end it sooner.
    pub connect_timeout: Duration,
    /// Used instead of a look-up, in order; empty for none.
    pub fixed_addrs: Vec<IpAddr>,
}

impl Endpoint {
    /// An endpoint without TLS that keeps connections open, with 10 s to connect.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self {
            host: host.into(),
            port,
            tls: false,
            keepalive: true,
            connect_timeout: Duration::from_secs(10),
            fixed_addrs: Vec::new(),
        }
    }
}

/// An endpoint with what is remembered of it.
#[derive(Debug)]
pub struct Route {
    endpoint: Endpoint,
    resolver: Resolver,
}

impl Route {
    /// A route of which nothing is known yet.
    pub fn new(endpoint: Endpoint) -> Self {
        let resolver = Resolver::new(&endpoint.host, endpoint.port, &endpoint.fixed_addrs);
        Self { endpoint, resolver }
    }

    /// The endpoint as it was given.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Opens a connection before `deadline`, trying the host's addresses in order. Stamps `resolved` and
    /// `connected`.
    ///
    /// # Errors
    /// `Tls` for an endpoint that needs it, `Dns`, `TargetDenied` if no address may be contacted, `Timeout` during
    /// the look-up, else the last address's failure with the number of addresses tried.
    pub async fn connect(
        &self,
        clock: &Clock,
        guard: &AddressGuard,
        deadline: Nanos,
        stamps: &mut Stamps,
    ) -> Result<Connection, Failure> {
        let Endpoint { host, port, .. } = &self.endpoint;
        if self.endpoint.tls {
            return Err(Failure::new(ErrorKind::Tls, "this transport speaks cleartext only"));
        }
        let mut timer = DeadlineTimer::new(clock, deadline);
        let resolved = timer
            .race(clock, deadline, self.resolver.addresses(clock))
            .await
            .ok_or_else(|| Failure::new(ErrorKind::Timeout, format!("{host} was not resolved in time")))??;
        let begin = clock.now();
        if resolved.looked_up {
            stamps.resolved = Some(begin);
        }
        let patience = Nanos::try_from(self.endpoint.connect_timeout.as_nanos()).unwrap_or(Nanos::MAX);
        let until = deadline.min(begin.saturating_add(patience));

        let (mut failure, mut tried) = (None, 0usize);
        for (at, &address) in resolved.addresses.iter().enumerate() {
            if let Err(denied) = guard.check(host, address) {
                failure.get_or_insert(denied);
                continue;
            }
            tried += 1;
            // Each address gets its share of the time that is left, so that one that does not answer leaves
            // time for the others.
            let left = (resolved.addresses.len() - at) as u64;
            let now = clock.now();
            let share = now + until.saturating_sub(now) / left;
            match timer.race(clock, share, TcpStream::connect(SocketAddr::new(address, *port))).await {
                Some(Ok(stream)) => {
                    // A request that needs two writes must not wait for the first one's acknowledgement.
                    // Where the system refuses, the connection works nevertheless.
                    let _ = stream.set_nodelay(true);
                    stamps.connected = Some(clock.now());
                    return Ok(Connection::new(Stream::Plain(stream), timer));
                }
                Some(Err(error)) => {
                    failure = Some(Failure::new(system::while_connecting(&error), format!("{address}: {error}")));
                }
                None => {
                    failure = Some(Failure::new(ErrorKind::ConnectTimeout, format!("{address}: no answer in time")));
                }
            }
        }
        let mut failure = failure.unwrap_or_else(|| Failure::new(ErrorKind::Dns, format!("{host} has no address")));
        if tried > 1 {
            failure.detail = format!("{} (the last of {tried} addresses tried)", failure.detail).into();
        }
        Err(failure)
    }
}
