//! What can be known to fail is tried before the run.

use std::{collections::HashSet, net::ToSocketAddrs, time::Duration};

use super::counters::Counters;
use super::endpoints::links;
use crate::{
    clock::{Clock, Origin},
    engine::outline::groups,
    http::{AddressGuard, Endpoint, HttpTransport, local_ports, raise_descriptor_limit},
    plan::{Load, PhaseId, Plan, Protocol, Start, Target},
    protocol::{BufferPool, TargetId, Transport},
};

/// How long a target may take to accept the first connection.
const PATIENCE: Duration = Duration::from_secs(5);
/// Descriptors that are not connections.
const SPARE_DESCRIPTORS: u64 = 200;

/// Raises the limit of descriptors to what the system allows. Tells of the limits of this machine that the plan's
/// virtual users are beyond, with what to do.
pub(super) fn limits(plan: &Plan, workers: usize) -> Vec<String> {
    let allowed = raise_descriptor_limit();
    let users = users_at_once(plan);
    let needed = users + SPARE_DESCRIPTORS + 10 * workers as u64;
    let few_descriptors = allowed.filter(|&allowed| allowed < needed).map(|allowed| {
        format!(
            "{users} virtual users need about {needed} descriptors, and this process may have {allowed}: raise `ulimit -n`, \
             whose hard limit that is (`ulimit -Hn {needed}` as root, `LimitNOFILE=` of a service, `--ulimit nofile=` of a \
             container)"
        )
    });
    // Every address and port has local ports of its own. A proxy's address is one for all of its targets.
    let servers: HashSet<_> = plan.targets.iter().map(server).collect();
    let few_ports = local_ports().map(|ports| ports * servers.len().max(1) as u64).filter(|&ports| ports < users);
    let few_ports = few_ports.map(|ports| {
        format!(
            "{users} virtual users need as many local ports, and this machine has {ports} for {}: widen them with \
             `sysctl net.ipv4.ip_local_port_range=\"1024 65535\"`, or spread the users over targets at several addresses",
            if servers.len() == 1 { "the target's address".to_owned() } else { format!("the {} targets", servers.len()) }
        )
    });
    few_descriptors.into_iter().chain(few_ports).collect()
}

/// Whom connections for a target go to.
fn server(target: &Target) -> (String, u16) {
    match &target.proxy {
        Some(proxy) => (proxy.host.clone(), proxy.port),
        None => {
            (target.url.host_str().unwrap_or_default().to_owned(), target.url.port_or_known_default().unwrap_or(80))
        }
    }
}

/// The most virtual users that phases ask for which run side by side.
fn users_at_once(plan: &Plan) -> u64 {
    let users = |phase: PhaseId| users_max(&plan.phases[phase.index()].load);
    // Those that start at an offset may run beside any.
    let by_time = |start: &Start| matches!(start, Start::At(_));
    let beside: u64 =
        plan.phases.iter().filter(|phase| by_time(&phase.start)).map(|phase| users_max(&phase.load)).sum();
    let group = |group: &Vec<PhaseId>| group.iter().map(|&phase| users(phase)).sum::<u64>();
    beside + groups(plan).iter().map(group).max().unwrap_or(0)
}

/// The most virtual users that a load model asks for by itself.
fn users_max(load: &Load) -> u64 {
    match load {
        Load::Users(points) => points.iter().map(|&(_, users)| users).max().unwrap_or(0),
        Load::Rate(_) => 0,
        Load::Burst { count, .. } | Load::Asap { count } => *count,
        Load::Iterations { users, .. } | Load::EachUser { users, .. } => *users,
    }
}

/// Connects once to every target, and shakes hands where it speaks TLS.
///
/// # Errors
/// What to tell the user, for the first target that cannot be reached.
pub(super) fn reach_targets(plan: &Plan, endpoints: Vec<Endpoint>, guard: &AddressGuard) -> Result<(), String> {
    let all = endpoints.clone();
    for (at, endpoint) in endpoints.into_iter().enumerate() {
        let target = TargetId(at as u16);
        if endpoint.proxy.is_some() {
            open(plan, target, &all, guard)?;
            continue;
        }
        let speaks = plan.targets[at].protocol();
        let Endpoint { host, port, .. } = &endpoint;
        let addresses: Vec<_> = match (host.as_str(), *port).to_socket_addrs() {
            Ok(addresses) => addresses.collect(),
            Err(error) => {
                let or = if speaks == Protocol::Http { ", or give the target with -e TARGET=http://…" } else { "" };
                return Err(format!("the target {host}:{port} has no address: {error}\nhelp: check the name{or}"));
            }
        };
        let mut last = format!("{host} has no address");
        let mut help = match speaks {
            Protocol::Http => "start it, give another with -e TARGET=http://…, or try the embedded lab with --demo",
            _ => "start it, or give another address; --no-preflight runs nevertheless",
        };
        let reached = addresses.iter().any(|address| {
            if let Err(failure) = guard.check(host, address.ip()) {
                last = failure.detail.into_owned();
                help =
                    "loadr sends to this machine and private networks; ask whoever runs the target before you allow it";
                return false;
            }
            match std::net::TcpStream::connect_timeout(address, PATIENCE) {
                Ok(_) => true,
                Err(error) => {
                    // Of several addresses, one that may be sent to and does not answer is what to look at.
                    last = error.to_string().to_lowercase();
                    false
                }
            }
        });
        if !reached {
            return Err(format!(
                "the target {host}:{port} cannot be reached: {last}\n\
                 help: {help}"
            ));
        }
        if endpoint.tls.is_some() || speaks != Protocol::Http {
            open(plan, target, &all, guard)?;
        }
    }
    Ok(())
}

/// Reads each counter once.
///
/// # Errors
/// What to tell the user, for the first that cannot be read.
pub(super) fn read_counters(counters: &Counters) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("failed to start a runtime: {error}"))?;
    runtime.block_on(counters.try_all())
}

/// Opens a connection the way a run will.
fn open(plan: &Plan, target: TargetId, endpoints: &[Endpoint], guard: &AddressGuard) -> Result<(), String> {
    let endpoint = &endpoints[usize::from(target.0)];
    let speaks = plan.targets[usize::from(target.0)].protocol();
    let name = format!("{}:{}", endpoint.host, endpoint.port);
    let what = match &endpoint.proxy {
        Some(proxy) => format!("the target {name} is not reached through {proxy}"),
        None if speaks != Protocol::Http => {
            format!("the target {name} is reached, but does not take us in as {}", speaks.row().name)
        }
        None => format!("the target {name} is reached, but no secure connection comes to stand"),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("failed to start a runtime: {error}"))?;
    let clock = Clock::real(Origin::now());
    let in_time = |endpoint: &Endpoint| Endpoint { connect_timeout: PATIENCE, ..endpoint.clone() };
    let endpoints: Vec<Endpoint> = endpoints.iter().map(in_time).collect();
    let links = links(plan, &endpoints, &clock, guard, &BufferPool::default());
    let transport = HttpTransport::new(clock, endpoints, guard.clone()).with_links(links);
    let session = transport.session();
    let opened = tokio::task::LocalSet::new().block_on(&runtime, transport.open(&session, target));
    opened.map_err(|failure| {
        let advice = failure.kind.advice();
        format!(
            "{what} ({failure})\n\
             help: {advice}; --no-preflight runs nevertheless"
        )
    })
}
