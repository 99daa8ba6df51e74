//! From an endpoint to a connection: look-up, permission, TCP, TLS.

use std::{
    cell::Cell,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use tokio::{net::TcpStream, sync::Semaphore};

use super::{
    deadline::DeadlineTimer,
    guard::AddressGuard,
    resolve::{Addresses, Resolver},
    stream::Stream,
    system,
    tls::{self, Tls, TlsOptions},
    transport::Session,
};
use crate::{
    clock::{Clock, Nanos},
    protocol::{ErrorKind, Failure, HttpVersion, Negotiated, Origin, Stamps},
};

/// Where a target's exchanges go, and how its connections are opened.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// A name, an address, or an IPv6 address in brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// TLS over the connection.
    pub tls: Option<Tls>,
    /// The version of HTTP that is spoken; over TLS the server's choice unless given, else HTTP/1.1.
    pub version: Option<HttpVersion>,
    /// Connections stay open for the next exchange.
    pub keepalive: bool,
    /// So many connections are shared by all sessions, instead of each session having its own.
    pub connections: Option<usize>,
    /// For TCP, to all addresses together, and again for TLS; an exchange's own timeout may end it sooner.
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
            tls: None,
            version: None,
            keepalive: true,
            connections: None,
            connect_timeout: Duration::from_secs(10),
            fixed_addrs: Vec::new(),
        }
    }
}

impl Endpoint {
    /// Whether this is the server at `origin`.
    pub(super) fn is(&self, origin: &Origin<'_>) -> bool {
        let bare = |host: &str| host.trim_matches(['[', ']']).to_ascii_lowercase();
        self.tls.is_some() == origin.secure && self.port == origin.port && bare(&self.host) == bare(origin.host)
    }

    /// The server at `origin`, spoken to as this one is. A client's certificate is for one server alone.
    ///
    /// # Errors
    /// Certificates that cannot be used, for people.
    pub(super) fn elsewhere(&self, origin: &Origin<'_>) -> Result<Self, String> {
        let same_host = self.host.trim_matches(['[', ']']).eq_ignore_ascii_case(origin.host.trim_matches(['[', ']']));
        let tls = match &self.tls {
            _ if !origin.secure => None,
            Some(tls) => Some(tls.for_strangers()?),
            None => Some(Tls::new(&TlsOptions::default())?),
        };
        Ok(Self {
            host: origin.host.to_owned(),
            port: origin.port,
            tls,
            fixed_addrs: if same_host { self.fixed_addrs.clone() } else { Vec::new() },
            ..self.clone()
        })
    }
}

/// Connections that all sessions share.
#[derive(Debug)]
pub struct Shared {
    /// Where they wait.
    pub session: Session,
    /// One for each of them.
    pub permits: Semaphore,
}

/// An endpoint with what is remembered of it.
#[derive(Debug)]
pub struct Route {
    endpoint: Endpoint,
    resolver: Resolver,
    /// Place of the address that took the last connection.
    preferred: Cell<usize>,
    /// What the server chose to speak last, where it had the choice.
    chosen: Cell<Option<HttpVersion>>,
    shared: Option<Shared>,
}

/// A connection that stands and has carried nothing yet.
#[derive(Debug)]
pub struct Opened {
    /// Its bytes.
    pub stream: Stream,
    /// Its timer; armed already.
    pub timer: DeadlineTimer,
    /// What it agreed on with the server.
    pub negotiated: Negotiated,
}

impl Route {
    /// A route of which nothing is known yet.
    pub fn new(endpoint: Endpoint) -> Self {
        let resolver = Resolver::new(&endpoint.host, endpoint.port, &endpoint.fixed_addrs);
        let shared = endpoint.connections.map(|n| Shared {
            session: Session::default(),
            permits: Semaphore::new(n.clamp(1, Semaphore::MAX_PERMITS)),
        });
        Self { endpoint, resolver, preferred: Cell::new(0), chosen: Cell::new(None), shared }
    }

    /// The version for an exchange that asks for `version`, where that is not the server's choice.
    pub fn version(&self, version: Option<HttpVersion>) -> Option<HttpVersion> {
        let in_cleartext = || self.endpoint.tls.is_none().then_some(HttpVersion::Http1);
        version.or(self.endpoint.version).or_else(in_cleartext)
    }

    /// An exchange may go by HTTP/2: it must, or the server may choose and has not chosen otherwise.
    pub fn may_be_http2(&self, version: Option<HttpVersion>) -> bool {
        self.version(version).or(self.chosen.get()) != Some(HttpVersion::Http1)
    }

    /// The connections that all sessions share, where they do.
    pub fn shared(&self) -> Option<&Shared> {
        self.shared.as_ref()
    }

    /// The endpoint as it was given.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Opens a connection for `version`, or for the server's choice, before `deadline`, trying the host's addresses in
    /// order. Stamps `resolved`, `connected` and `secured`.
    ///
    /// # Errors
    /// `Dns`, `TargetDenied` if no address may be contacted, `Timeout` during the look-up, else the last address's
    /// failure with the number of addresses tried; of TLS, its own kinds; `Http2NotSpoken`.
    pub async fn connect(
        &self,
        clock: &Clock,
        guard: &AddressGuard,
        version: Option<HttpVersion>,
        deadline: Nanos,
        stamps: &mut Stamps,
    ) -> Result<Opened, Failure> {
        let version = self.version(version);
        let host = &self.endpoint.host;
        let mut timer = DeadlineTimer::new(clock, deadline);
        let resolved = timer
            .race(clock, deadline, self.resolver.addresses(clock))
            .await
            .ok_or_else(|| Failure::new(ErrorKind::Timeout, format!("{host} was not resolved in time")))??;
        let begin = clock.now();
        if resolved.looked_up {
            stamps.resolved = Some(begin);
        }
        let until = deadline.min(begin.saturating_add(self.patience()));
        let stream = self.tcp(clock, guard, &mut timer, until, &resolved.addresses).await?;
        // A request that needs two writes must not wait for the first one's acknowledgement.
        // Where the system refuses, the connection works nevertheless.
        let _ = stream.set_nodelay(true);
        let connected = clock.now();
        stamps.connected = Some(connected);
        let Some(tls) = &self.endpoint.tls else {
            let http = version.unwrap_or_default();
            let negotiated = Negotiated { http, ..Negotiated::default() };
            return Ok(Opened { stream: Stream::Plain(stream), timer, negotiated });
        };
        let until = deadline.min(connected.saturating_add(self.patience()));
        let name = tls::server_name(host)?;
        let stream = match timer.race(clock, until, tls.connector(version).connect(name, stream)).await {
            Some(Ok(stream)) => stream,
            Some(Err(error)) => return Err(tls::handshake_failure(&error, host)),
            None => {
                return Err(Failure::new(ErrorKind::TlsTimeout, format!("{host}: the handshake was not done in time")));
            }
        };
        stamps.secured = Some(clock.now());
        let negotiated = tls::negotiated(stream.get_ref().1);
        match version {
            None => self.chosen.set(Some(negotiated.http)),
            Some(HttpVersion::Http2) if negotiated.http != HttpVersion::Http2 => {
                let detail = format!("{host}: HTTP/2 was offered in the handshake, and not taken");
                return Err(Failure::new(ErrorKind::Http2NotSpoken, detail));
            }
            Some(_) => {}
        }
        Ok(Opened { stream: Stream::Tls(Box::new(stream)), timer, negotiated })
    }

    fn patience(&self) -> Nanos {
        Nanos::try_from(self.endpoint.connect_timeout.as_nanos()).unwrap_or(Nanos::MAX)
    }

    /// Opens a TCP connection to the first of `addresses` that takes it.
    async fn tcp(
        &self,
        clock: &Clock,
        guard: &AddressGuard,
        timer: &mut DeadlineTimer,
        until: Nanos,
        addresses: &Addresses,
    ) -> Result<TcpStream, Failure> {
        let Endpoint { host, port, .. } = &self.endpoint;
        let (mut failure, mut tried) = (None, 0usize);
        // The address that took the last connection comes first: one that is dead costs its share of the time
        // once, and not at every connection.
        let first = self.preferred.get().min(addresses.len().saturating_sub(1));
        let order = (first..addresses.len()).chain(0..first);
        for (step, at) in order.enumerate() {
            let address = addresses[at];
            if let Err(denied) = guard.check(host, address) {
                failure.get_or_insert(denied);
                continue;
            }
            tried += 1;
            // Each address gets its share of the time that is left, so that one that does not answer leaves
            // time for the others.
            let left = (addresses.len() - step) as u64;
            let now = clock.now();
            let share = now + until.saturating_sub(now) / left;
            match timer.race(clock, share, TcpStream::connect(SocketAddr::new(address, *port))).await {
                Some(Ok(stream)) => {
                    self.preferred.set(at);
                    return Ok(stream);
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
