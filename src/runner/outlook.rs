//! What a script would do: its outlook, without sending anything.

use std::{
    net::{IpAddr, ToSocketAddrs},
    path::Path,
};

use super::{NotRun, ScriptOptions, random_seed, scout};
use crate::{
    http::{AddressGuard, Reach, reach},
    plan::{Plan, Target},
    report::{Distance, Outlook, TargetOutlook},
};

/// What `loadr plan` is asked for.
#[derive(Debug, Clone, Default)]
pub struct OutlookOptions {
    /// The scenario.
    pub source: ScriptOptions,
    /// Where traffic comes from; a random one is made, and shown, unless given.
    pub seed: Option<u64>,
    /// How many arrivals are wanted.
    pub schedule: Option<usize>,
    /// Public hosts that may be sent to.
    pub allow_target: Vec<String>,
    /// Colour in messages about mistakes.
    pub color: bool,
}

/// Reads the script and says what it would do. Asks the resolver for the addresses of targets; sends nothing else.
///
/// # Errors
/// The script has mistakes, or cannot be read.
pub fn outlook(options: &OutlookOptions) -> Result<(Outlook, crate::script::Redactor), NotRun> {
    let load = options.source.load_options(None);
    let seed = options.seed.unwrap_or_else(random_seed);
    let schedule = options.schedule;
    let guard = AddressGuard::new(&options.allow_target);
    scout::require(&options.source, &load, options.color, move |loaded| {
        let targets = targets(&loaded.plan, &guard);
        let redactor = loaded.shared.redactor();
        // Before anything is cut to fit a drawing: of a secret that is cut, the rest would stay.
        let mut shown = loaded.plan.clone();
        shown.rewrite_texts(&|text| redactor.redact(text).into_owned());
        let mut outlook = Outlook::new(&shown, &loaded.drawers, seed, schedule, targets);
        outlook.plan_hash = loaded.plan.hash();
        if let Some(baseline) = &mut outlook.baseline {
            // A name may stand for several, separated by commas, where no file has it.
            let is_there =
                |file: &&String| Path::new(file).exists() || file.split(',').all(|file| Path::new(file).exists());
            baseline.missing = baseline.files.iter().filter(|file| !is_there(file)).cloned().collect();
        }
        (outlook, redactor)
    })
}

fn targets(plan: &Plan, guard: &AddressGuard) -> Vec<TargetOutlook> {
    plan.targets
        .iter()
        .map(|target| {
            let (distance, refused) = distance(target, guard);
            TargetOutlook { url: target.url.to_string(), distance, refused }
        })
        .collect()
}

/// The farthest of a host's addresses, and why none of them may be sent to.
fn distance(target: &Target, guard: &AddressGuard) -> (Distance, Option<String>) {
    let host = target.url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let port = target.port();
    let fixed = target.resolve.iter().filter(|(name, _)| name == host).map(|&(_, address)| address);
    let mut addresses: Vec<IpAddr> = fixed.collect();
    if addresses.is_empty() {
        match (host, port).to_socket_addrs() {
            Ok(found) => addresses.extend(found.map(|address| address.ip())),
            Err(error) => return (Distance::Unknown, Some(format!("{host} has no address: {error}"))),
        }
    }
    let farthest = addresses.iter().map(|&address| match reach(address) {
        Reach::Loopback => Distance::Loopback,
        Reach::Private => Distance::Private,
        Reach::Public => Distance::Public,
    });
    let farthest = farthest.max_by_key(|&distance| distance as u8).unwrap_or(Distance::Unknown);
    let checks: Vec<_> = addresses.iter().map(|&address| guard.check(host, address)).collect();
    let is_allowed = checks.iter().any(Result::is_ok);
    let why = checks.into_iter().find_map(Result::err).map(|failure| failure.detail.into_owned());
    (farthest, why.filter(|_| !is_allowed))
}
