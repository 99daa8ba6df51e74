//! From a plan's targets to endpoints of the transport.

use std::net::IpAddr;

use crate::{
    http::{Endpoint, Tls, TlsOptions},
    pace::Segment,
    plan::{Plan, Target, TlsPlan},
};

/// Where a plan's targets are, in their order, for the worker that does `segment` of the run.
///
/// # Errors
/// Certificates that cannot be used, for people.
pub(super) fn endpoints(plan: &Plan, segment: Segment) -> Result<Vec<Endpoint>, String> {
    plan.targets.iter().map(|target| endpoint(target, segment)).collect()
}

fn endpoint(target: &Target, segment: Segment) -> Result<Endpoint, String> {
    let host = target.url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let mut endpoint = Endpoint::new(host, target.url.port_or_known_default().unwrap_or(80));
    if target.url.scheme() == "https" {
        endpoint.tls = Some(Tls::new(&options(&target.tls)).map_err(|why| format!("{}: {why}", target.url))?);
    }
    endpoint.version = target.version;
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
