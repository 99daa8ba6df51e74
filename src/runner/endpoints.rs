//! From a plan's targets to endpoints of the transport.

use std::net::IpAddr;

use crate::{
    clock::Clock,
    http::{AddressGuard, Endpoint, Tls, TlsOptions},
    pace::Segment,
    plan::{Plan, Protocol, Target, TlsPlan},
    protocol::{BufferPool, Link, TargetId},
    redis::{self, RedisLink, Scratch},
    sql::{self, Dialect, SqlLink},
};

/// Where a plan's targets are, in their order, for the worker that does `segment` of the run.
///
/// # Errors
/// Certificates that cannot be used, for people.
pub(super) fn endpoints(plan: &Plan, segment: Segment) -> Result<Vec<Endpoint>, String> {
    plan.targets.iter().map(|target| endpoint(target, segment)).collect()
}

/// What carries the exchanges of those targets of a plan that do not speak HTTP. `endpoints` are those of all targets.
pub(super) fn links(
    plan: &Plan,
    endpoints: &[Endpoint],
    clock: &Clock,
    guard: &AddressGuard,
    buffers: &BufferPool,
) -> Vec<(TargetId, Box<dyn Link>)> {
    let mut scratch = None;
    let link = |(at, target): (usize, &Target)| {
        let endpoint = endpoints[at].clone();
        let sql_link = |dialect, endpoint| -> Box<dyn Link> {
            let login = sql_login(target);
            Box::new(SqlLink::new(clock.clone(), guard.clone(), endpoint, dialect, login, buffers.clone()))
        };
        let link: Box<dyn Link> = match target.protocol() {
            Protocol::Http => return None,
            Protocol::Postgres => sql_link(Dialect::Postgres, endpoint),
            Protocol::Mysql => sql_link(Dialect::Mysql, endpoint),
            Protocol::Redis => {
                let scratch = scratch.get_or_insert_with(|| Scratch::new(buffers.clone()));
                Box::new(RedisLink::new(clock.clone(), guard.clone(), endpoint, redis_login(target), scratch.clone()))
            }
        };
        Some((TargetId(at as u16), link))
    };
    plan.targets.iter().enumerate().filter_map(link).collect()
}

fn sql_login(target: &Target) -> sql::Login {
    let database = target.url.path().trim_matches('/');
    let database = percent_encoding::percent_decode_str(database).decode_utf8_lossy().into_owned();
    sql::Login {
        user: target.login.user.clone(),
        password: target.login.password.clone(),
        database: Some(database).filter(|name| !name.is_empty()),
    }
}

fn redis_login(target: &Target) -> redis::Login {
    let database = target.url.path().trim_matches('/').parse().unwrap_or(0);
    redis::Login { user: target.login.user.clone(), password: target.login.password.clone(), database }
}

fn endpoint(target: &Target, segment: Segment) -> Result<Endpoint, String> {
    let host = target.url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let mut endpoint = Endpoint::new(host, target.port());
    if target.is_secure() {
        endpoint.tls = Some(Tls::new(&options(&target.tls)).map_err(|why| format!("{}: {why}", target.url))?);
    }
    endpoint.version = target.protocol().row().spoken.or(target.version);
    endpoint.proxy.clone_from(&target.proxy);
    endpoint.keepalive = target.keepalive;
    // A worker without any could send nothing.
    endpoint.connections = target.connections.map(|n| usize::try_from(segment.share(n).max(1)).unwrap_or(usize::MAX));
    endpoint.fixed_addrs = fixed(target, host);
    Ok(endpoint)
}

/// The addresses that the script gives for a target's host.
fn fixed(target: &Target, host: &str) -> Vec<IpAddr> {
    target.resolve.iter().filter(|(name, _)| name == host).map(|&(_, address)| address).collect()
}

fn options(plan: &TlsPlan) -> TlsOptions {
    TlsOptions {
        authority: plan.authority.as_ref().map(|file| file.bytes.clone()),
        identity: plan.identity.as_ref().map(|(chain, key)| (chain.bytes.clone(), key.bytes.clone())),
        verify: plan.verify,
        resume: plan.resume,
    }
}
