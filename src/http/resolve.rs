//! Names to addresses, once per worker and minute instead of once per connection.

use std::{cell::RefCell, net::IpAddr, rc::Rc};

use tokio::sync::Mutex;

use super::system;
use crate::{
    clock::{Clock, Nanos, SECOND},
    protocol::{ErrorKind, Failure},
};

/// The resolver does not say how long an answer holds; this is how long it is used.
const ANSWER_HOLDS: Nanos = 60 * SECOND;
/// How long a failed look-up stands: ten thousand virtual users that start together ask once, not in turn.
const FAILURE_HOLDS: Nanos = SECOND;
/// More addresses of one name are not tried.
const ADDRESSES_MAX: usize = 64;

/// The addresses of one host.
pub type Addresses = Rc<[IpAddr]>;

/// The addresses of one target's host.
#[derive(Debug)]
pub struct Resolver {
    host: String,
    port: u16,
    /// Addresses that need no look-up: a literal's, or those the plan fixed.
    known: Option<Addresses>,
    answer: RefCell<Option<Answer>>,
    /// Held by whoever asks the system, so that nobody else does at the same time.
    asking: Mutex<()>,
}

#[derive(Debug, Clone)]
struct Answer {
    addresses: Result<Addresses, Failure>,
    until: Nanos,
}

/// Addresses, and whether a look-up was needed to have them.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// In the resolver's order; not empty.
    pub addresses: Addresses,
    /// A look-up was waited for.
    pub looked_up: bool,
}

impl Resolver {
    /// A resolver for `host`: a name, an address, or an IPv6 address in brackets. `fixed` addresses replace
    /// any look-up.
    pub fn new(host: &str, port: u16, fixed: &[IpAddr]) -> Self {
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let known: Option<Addresses> = match bare.parse::<IpAddr>() {
            _ if !fixed.is_empty() => Some(fixed.into()),
            Ok(literal) => Some([literal].into()),
            Err(_) => None,
        };
        Self { host: bare.to_owned(), port, known, answer: RefCell::default(), asking: Mutex::default() }
    }

    /// The host's addresses.
    ///
    /// # Errors
    /// `Dns` with the resolver's words; `TooManyFiles` when it had no descriptor left.
    pub async fn addresses(&self, clock: &Clock) -> Result<Resolved, Failure> {
        if let Some(addresses) = &self.known {
            return Ok(Resolved { addresses: addresses.clone(), looked_up: false });
        }
        if let Some(answer) = self.remembered(clock) {
            return answer.map(|addresses| Resolved { addresses, looked_up: false });
        }
        let _asking = self.asking.lock().await;
        // Somebody else may have asked while this one waited.
        let answer = match self.remembered(clock) {
            Some(answer) => answer,
            None => {
                let addresses = self.ask().await;
                let holds = if addresses.is_ok() { ANSWER_HOLDS } else { FAILURE_HOLDS };
                let answer = Answer { addresses: addresses.clone(), until: clock.now().saturating_add(holds) };
                self.answer.replace(Some(answer));
                addresses
            }
        };
        answer.map(|addresses| Resolved { addresses, looked_up: true })
    }

    /// Keeps every look-up waiting for as long as it is held.
    #[cfg(test)]
    pub async fn stall(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.asking.lock().await
    }

    fn remembered(&self, clock: &Clock) -> Option<Result<Addresses, Failure>> {
        let answer = self.answer.borrow();
        answer.as_ref().filter(|answer| clock.now() < answer.until).map(|answer| answer.addresses.clone())
    }

    async fn ask(&self) -> Result<Addresses, Failure> {
        let found = tokio::net::lookup_host((self.host.as_str(), self.port))
            .await
            .map_err(|error| system::while_resolving(&self.host, &error))?;
        let mut addresses: Vec<IpAddr> = Vec::new();
        for address in found.map(|socket| socket.ip()) {
            if addresses.len() < ADDRESSES_MAX && !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        if addresses.is_empty() {
            return Err(Failure::new(ErrorKind::Dns, format!("{}: the name has no address", self.host)));
        }
        Ok(addresses.into())
    }
}

#[cfg(test)]
mod tests {

    use super::*;

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
    }

    #[test]
    fn literals_and_fixed_addresses_need_no_look_up() {
        let clock = Clock::simulated();
        for (host, fixed, expected) in [
            ("127.0.0.1", vec![], "127.0.0.1"),
            ("::1", vec![], "::1"),
            ("[::1]", vec![], "::1"),
            ("shop.invalid", vec![IpAddr::from([127, 0, 0, 2])], "127.0.0.2"),
            ("127.0.0.1", vec![IpAddr::from([127, 0, 0, 3])], "127.0.0.3"),
        ] {
            let resolved = block_on(Resolver::new(host, 80, &fixed).addresses(&clock)).expect(host);
            assert_eq!(resolved.addresses[0].to_string(), expected);
            assert!(!resolved.looked_up);
        }
    }

    #[test]
    fn an_answer_is_used_until_it_no_longer_holds() {
        let clock = Clock::simulated();
        let resolver = Resolver::new("localhost", 80, &[]);
        block_on(async {
            for (now, looked_up) in [(0, true), (ANSWER_HOLDS - 1, false), (ANSWER_HOLDS, true)] {
                clock.set(now);
                let resolved = resolver.addresses(&clock).await.expect("localhost is known everywhere");
                assert!(resolved.addresses.iter().all(|address| address.is_loopback()));
                assert_eq!(resolved.looked_up, looked_up, "at {now}");
            }
        });
    }

    #[test]
    fn a_name_that_does_not_exist_is_a_dns_failure_that_is_remembered() {
        let clock = Clock::real(crate::clock::Origin::now());
        let resolver = Resolver::new("shop.invalid", 80, &[]);
        block_on(async {
            let first = resolver.addresses(&clock).await.expect_err("`.invalid` never resolves");
            assert_eq!(first.kind, ErrorKind::Dns);
            assert!(first.detail.starts_with("shop.invalid: "), "{}", first.detail);
            let answer = resolver.answer.borrow().clone().expect("the failure is remembered");
            assert_eq!(answer.addresses.expect_err("it was a failure"), first);
        });
    }
}
