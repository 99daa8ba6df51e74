//! From an endpoint to a connection: look-up, permission, TCP, TLS.

use std::{
    cell::Cell,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use tokio::net::TcpStream;

use super::{
    deadline::DeadlineTimer,
    guard::AddressGuard,
    kept::Permits,
    proxy::{Proxy, ProxyKind},
    resolve::{Addresses, Resolved, Resolver},
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
    /// What stands between.
    pub proxy: Option<Proxy>,
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
            proxy: None,
        }
    }
}

impl Endpoint {
    /// Whether this is the server at `origin`.
    pub(super) fn is(&self, origin: &Origin<'_>) -> bool {
        let bare = |host: &str| host.trim_matches(['[', ']']).to_ascii_lowercase();
        let is_http = self.version.is_none_or(HttpVersion::is_http);
        is_http
            && self.tls.is_some() == origin.secure
            && self.port == origin.port
            && bare(&self.host) == bare(origin.host)
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
            // What is known to speak HTTP/2 is the target, not whom it names.
            version: self.version.filter(|&version| same_host || version == HttpVersion::Http1),
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
    pub permits: Permits,
}

/// An endpoint with what is remembered of it.
#[derive(Debug)]
pub struct Route {
    endpoint: Endpoint,
    resolver: Resolver,
    /// Of the proxy's name.
    proxy_resolver: Option<Resolver>,
    /// Place of the address that took the last connection.
    preferred: Cell<usize>,
    /// What the server chose to speak last, where it had the choice.
    chosen: Cell<Option<HttpVersion>>,
    shared: Option<Shared>,
}

/// What a connection is opened for.
#[derive(Debug, Clone, Copy)]
pub struct Wish {
    /// The version of HTTP, or the server's choice.
    pub version: Option<HttpVersion>,
    /// A proxy opens a way to the server, also where it would forward requests.
    pub tunnel: bool,
}

impl From<Option<HttpVersion>> for Wish {
    fn from(version: Option<HttpVersion>) -> Self {
        Self { version, tunnel: false }
    }
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
        let proxy_resolver = endpoint.proxy.as_ref().map(|proxy| Resolver::new(&proxy.host, proxy.port, &[]));
        let shared = endpoint.connections.map(|n| Shared { session: Session::default(), permits: Permits::new(n) });
        Self { endpoint, resolver, proxy_resolver, preferred: Cell::new(0), chosen: Cell::new(None), shared }
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

    /// Of the host's name.
    #[cfg(test)]
    pub fn resolver(&self) -> &Resolver {
        &self.resolver
    }

    /// The endpoint as it was given.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// When a connection must stand that is opened ahead of its first exchange, now. The endpoint's own limit for
    /// connecting is the nearer one unless a look-up hangs.
    pub fn opening_deadline(&self, clock: &Clock) -> Nanos {
        let patience = self.endpoint.connect_timeout.saturating_mul(2);
        clock.now().saturating_add(Nanos::try_from(patience.as_nanos()).unwrap_or(Nanos::MAX))
    }

    /// The proxy that is asked for the whole address in each request, and opens no tunnel.
    pub fn forwarding(&self, version: Option<HttpVersion>) -> Option<&Proxy> {
        let proxy = self.endpoint.proxy.as_ref()?;
        let forwards = proxy.kind == ProxyKind::Http && self.version(version) == Some(HttpVersion::Http1);
        (forwards && self.endpoint.tls.is_none()).then_some(proxy)
    }

    /// Opens a connection for `version`, or for the server's choice, before `deadline`, trying the host's addresses, or the
    /// proxy's, in order. Stamps `resolved`, `connected` and `secured`.
    ///
    /// # Errors
    /// `Dns`, `TargetDenied` if no address may be contacted, `Timeout` during the look-up, else the last address's
    /// failure with the number of addresses tried; of TLS, its own kinds; `Http2NotSpoken`.
    pub async fn connect(
        &self,
        clock: &Clock,
        guard: &AddressGuard,
        wish: impl Into<Wish>,
        deadline: Nanos,
        stamps: &mut Stamps,
    ) -> Result<Opened, Failure> {
        let wish = wish.into();
        let version = self.version(wish.version);
        let host = &self.endpoint.host;
        let mut timer = DeadlineTimer::new(clock, deadline);
        let stream = match self.endpoint.proxy.as_ref().zip(self.proxy_resolver.as_ref()) {
            None => {
                let resolved = resolve(&self.resolver, host, clock, &mut timer, deadline).await?;
                let until = self.stamp_resolved(clock, deadline, stamps, &resolved);
                self.tcp(clock, guard, &mut timer, until, (host, self.endpoint.port), &resolved.addresses).await?
            }
            Some((proxy, resolver)) => {
                let behind = self.behind(proxy, clock, guard, &mut timer, deadline).await?;
                let of_proxy = |failure| proxy.unreachable(failure);
                let resolved = resolve(resolver, &proxy.host, clock, &mut timer, deadline).await.map_err(of_proxy)?;
                let until = self.stamp_resolved(clock, deadline, stamps, &resolved);
                let at = (proxy.host.as_str(), proxy.port);
                let stream =
                    self.tcp(clock, guard, &mut timer, until, at, &resolved.addresses).await.map_err(of_proxy)?;
                if self.forwarding(version).is_some() && !wish.tunnel {
                    stream
                } else {
                    let opened = timer.race(clock, until, proxy.tunnel(stream, &behind, self.endpoint.port)).await;
                    let late = || Failure::new(ErrorKind::ConnectTimeout, format!("{proxy}: opened no way in time"));
                    opened.ok_or_else(late)??
                }
            }
        };
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
            Some(Err(error)) => return Err(tls::handshake_failure(&error, host, version)),
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
        // What is no HTTP is not negotiated.
        let negotiated = match version {
            Some(version) if !version.is_http() => Negotiated { http: version, ..negotiated },
            _ => negotiated,
        };
        Ok(Opened { stream: Stream::Tls(Box::new(stream)), timer, negotiated })
    }

    /// The addresses of the host that this run may contact, for who connects by itself. Stamps `resolved`.
    ///
    /// # Errors
    /// `Dns`, `Timeout` during the look-up, `TargetDenied` if none may be contacted.
    pub async fn addresses(
        &self,
        clock: &Clock,
        guard: &AddressGuard,
        deadline: Nanos,
        stamps: &mut Stamps,
    ) -> Result<Vec<IpAddr>, Failure> {
        let host = &self.endpoint.host;
        let mut timer = DeadlineTimer::new(clock, deadline);
        let resolved = resolve(&self.resolver, host, clock, &mut timer, deadline).await?;
        self.stamp_resolved(clock, deadline, stamps, &resolved);
        let (mut allowed, mut denied) = (Vec::new(), None);
        for &address in resolved.addresses.iter() {
            match guard.check(host, address) {
                Ok(()) => allowed.push(address),
                Err(failure) => denied = Some(failure),
            }
        }
        match denied {
            Some(failure) if allowed.is_empty() => Err(failure),
            _ => Ok(allowed),
        }
    }

    /// Until when the connection must stand.
    fn stamp_resolved(&self, clock: &Clock, deadline: Nanos, stamps: &mut Stamps, resolved: &Resolved) -> Nanos {
        let now = clock.now();
        if resolved.looked_up {
            stamps.resolved = Some(now);
        }
        deadline.min(now.saturating_add(self.patience()))
    }

    /// What a proxy is asked for: the host's name where it resolves names itself, else the host's address. Either way
    /// this run must be allowed to contact it, as far as can be seen from here.
    async fn behind(
        &self,
        proxy: &Proxy,
        clock: &Clock,
        guard: &AddressGuard,
        timer: &mut DeadlineTimer,
        deadline: Nanos,
    ) -> Result<String, Failure> {
        let host = &self.endpoint.host;
        if proxy.resolves() && guard.needs_no_target(host) {
            return Ok(host.clone());
        }
        let addresses = match resolve(&self.resolver, host, clock, timer, deadline).await {
            Ok(resolved) => resolved.addresses,
            Err(failure) if proxy.resolves() && failure.kind == ErrorKind::Dns => {
                let detail = format!(
                    "{host} has no address here, and where the proxy finds one cannot be seen; allow it with --allow-target {host}"
                );
                return Err(Failure::new(ErrorKind::TargetDenied, detail));
            }
            Err(failure) => return Err(failure),
        };
        let mut denied = None;
        for &address in addresses.iter() {
            match guard.check(host, address) {
                Ok(()) if !proxy.resolves() => return Ok(address.to_string()),
                Ok(()) => {}
                Err(failure) => denied = Some(failure),
            }
        }
        denied.map_or_else(|| Ok(host.clone()), Err)
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
        (host, port): (&str, u16),
        addresses: &Addresses,
    ) -> Result<TcpStream, Failure> {
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
            match timer.race(clock, share, TcpStream::connect(SocketAddr::new(address, port))).await {
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

async fn resolve(
    resolver: &Resolver,
    host: &str,
    clock: &Clock,
    timer: &mut DeadlineTimer,
    deadline: Nanos,
) -> Result<Resolved, Failure> {
    let resolved = timer.race(clock, deadline, resolver.addresses(clock)).await;
    resolved.ok_or_else(|| Failure::new(ErrorKind::Timeout, format!("{host} was not resolved in time")))?
}
