//! The lab: a target server in the binary, to learn and to test against.
//!
//! It has the endpoints of a small shop (login, items behind a cache, carts, uploads, a rate limit), servers
//! of exactly known behaviour under `/lab/` by which a load generator's own figures can be checked
//! (module `service`), and beside them a port that breaks the rules of HTTP (module `misbehave`), and one that speaks
//! Redis' protocol (module `redis`). Every request of HTTP is logged with its arrival ([`RequestLog`]), so that a test can compare what was measured with what happened.
//!
//! `GET /` lists the endpoints; module `routes` holds their table.

mod accept;
mod auth;
mod cache;
mod carts;
mod content;
mod error;
mod events;
mod firs;
mod growers;
mod items;
mod limited;
mod log;
mod misbehave;
mod oauth;
mod observe;
mod options;
mod realtime;
mod redis;
mod routes;
mod run;
mod service;
mod sessions;
mod site;
mod state;
mod timer;
mod tls;
mod upload;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    net::{TcpListener, TcpSocket},
    sync::oneshot,
    task::JoinHandle,
};

pub use log::{Entry, RequestLog, fnv1a};
pub use options::{LabOptions, Service};
pub use run::run_blocking;

use observe::{Accepting, Peer};
use state::{Shared, State};
use tls::Identity;

/// Connections that may wait to be accepted: a burst of thousands arrives at once.
const BACKLOG: u32 = 4_096;
/// How long requests under way may take to end at a shutdown.
const GRACE: Duration = Duration::from_secs(2);
/// How often the log's file is brought up to date.
const FLUSH_EVERY: Duration = Duration::from_secs(1);

/// A running lab. Dropped, it stops accepting; [`Lab::shutdown`] also waits for its end.
#[derive(Debug)]
pub struct Lab {
    addr: SocketAddr,
    misbehaving_addr: SocketAddr,
    redis_addr: SocketAddr,
    authority: Option<String>,
    state: Shared,
    stop: Option<oneshot::Sender<()>>,
    server: Option<JoinHandle<()>>,
    helpers: Vec<JoinHandle<()>>,
}

impl Lab {
    /// Starts a lab on the current runtime. `threads` and `until_stdin_closes` are [`run_blocking`]'s.
    ///
    /// # Errors
    /// The address is taken or not of this machine, the log file cannot be opened, the certificate cannot be made
    /// or its authority's cannot be written, or no thread is left.
    pub async fn start(options: LabOptions) -> io::Result<Self> {
        let listener = listen(options.bind_addr())?;
        let addr = listener.local_addr()?;
        let misbehaving = accept::bind(addr).await?;
        let misbehaving_addr = misbehaving.local_addr()?;
        let redis = accept::bind(addr).await?;
        let redis_addr = redis.local_addr()?;
        let identity = (options.tls || options.tls_ca.is_some()).then(|| Identity::make(addr.ip())).transpose()?;
        let (acceptor, authority) = identity.map(|made| (made.acceptor, made.authority)).unzip();
        if let Some((path, authority)) = options.tls_ca.as_deref().zip(authority.as_deref()) {
            std::fs::write(path, authority).map_err(|error| {
                io::Error::new(error.kind(), format!("failed to write {}: {error}", path.display()))
            })?;
        }
        let state = Arc::new(State::new(options)?);
        state.misbehaving.get_or_init(|| misbehaving_addr);
        state.redis_addr.get_or_init(|| redis_addr);

        let (stop, stopped) = oneshot::channel::<()>();
        let service = routes::router(state.clone()).into_make_service_with_connect_info::<Peer>();
        let accepting = Accepting::new(listener, state.clone(), acceptor);
        let server = tokio::spawn(async move {
            let until_stopped = async {
                // A dropped sender is a signal as well.
                let _ = stopped.await;
            };
            // Serving ends by the signal alone, never with an error.
            let _ = axum::serve(accepting, service).with_graceful_shutdown(until_stopped).await;
        });
        let mut helpers =
            vec![tokio::spawn(misbehave::serve(misbehaving)), tokio::spawn(redis::serve(redis, state.clone()))];
        if state.log_file.is_some() {
            helpers.push(tokio::spawn(flush_regularly(state.clone())));
        }
        Ok(Self {
            addr,
            misbehaving_addr,
            redis_addr,
            authority,
            state,
            stop: Some(stop),
            server: Some(server),
            helpers,
        })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Its address with the scheme it speaks.
    pub fn url(&self) -> String {
        format!("{}://{}", if self.authority.is_some() { "https" } else { "http" }, self.addr)
    }

    /// The certificate of the authority behind its own, in PEM, where it speaks TLS.
    pub fn authority(&self) -> Option<&str> {
        self.authority.as_deref()
    }

    /// Where the server listens that breaks the rules.
    pub fn misbehaving_addr(&self) -> SocketAddr {
        self.misbehaving_addr
    }

    /// Where it speaks Redis' protocol.
    pub fn redis_addr(&self) -> SocketAddr {
        self.redis_addr
    }

    /// The requests so far. A request is in it once its answer's head is on the way.
    pub fn log(&self) -> &RequestLog {
        &self.state.log
    }

    /// Stops accepting, lets requests under way end for at most two seconds, and saves the log.
    ///
    /// # Errors
    /// The log file cannot be written.
    pub async fn shutdown(mut self) -> io::Result<()> {
        self.stop.take();
        if let Some(mut server) = self.server.take()
            && tokio::time::timeout(GRACE, &mut server).await.is_err()
        {
            server.abort();
        }
        self.state.flush_log()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.helpers.iter().for_each(JoinHandle::abort);
    }
}

fn listen(addr: SocketAddr) -> io::Result<TcpListener> {
    let bind = || {
        let socket = if addr.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // A lab that is restarted finds its port in TIME_WAIT.
        #[cfg(unix)]
        socket.set_reuseaddr(true)?;
        socket.bind(addr)?;
        socket.listen(BACKLOG)
    };
    bind().map_err(|error: io::Error| io::Error::new(error.kind(), format!("failed to listen on {addr}: {error}")))
}

async fn flush_regularly(state: Shared) {
    let mut ticks = tokio::time::interval(FLUSH_EVERY);
    loop {
        ticks.tick().await;
        let state = state.clone();
        let flushed = tokio::task::spawn_blocking(move || state.flush_log()).await;
        if let Ok(Err(error)) = flushed {
            eprintln!("failed to write the lab's log: {error}");
        }
    }
}

#[cfg(test)]
mod tests;
