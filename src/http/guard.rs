//! Which addresses this run may contact. Asked at each connect, so that neither DNS nor a redirect leads
//! elsewhere.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::protocol::{ErrorKind, Failure};

/// Services that hand a cloud machine's own credentials to whoever asks. Refused always: no load test needs
/// them, and a script from elsewhere might want them.
const CREDENTIAL_SERVICES: &[IpAddr] = &[
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 2)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
];

/// Decides by address whether a connection may be opened. Loopback needs nothing, private networks need a
/// target that names the host (which every endpoint has), public addresses need the host to be allowed.
#[derive(Debug, Clone, Default)]
pub struct AddressGuard {
    public_hosts: Vec<String>,
}

/// How far an address is from this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// This machine.
    Loopback,
    /// A network that is not routed publicly: private use, link-local, carrier NAT, benchmarking.
    Private,
    /// Anything else.
    Public,
}

impl AddressGuard {
    /// A guard that lets `public_hosts` be contacted wherever they are: names or addresses, as given to
    /// `--allow-target`.
    pub fn new(public_hosts: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        Self { public_hosts: public_hosts.into_iter().map(|host| canonical(host.as_ref())).collect() }
    }

    /// Whether `host` may be sent to though no target names it: this machine, and what was allowed by name.
    pub fn needs_no_target(&self, host: &str) -> bool {
        let host = canonical(host);
        let is_loopback = host.parse().is_ok_and(|address| reach(address) == Reach::Loopback);
        is_loopback || host == "localhost" || self.public_hosts.contains(&host)
    }

    /// Whether `host`, which is at `address`, may be contacted.
    ///
    /// # Errors
    /// `TargetDenied`, with the address and the way to allow it.
    pub fn check(&self, host: &str, address: IpAddr) -> Result<(), Failure> {
        if CREDENTIAL_SERVICES.contains(&embedded(address)) {
            let detail = format!("{address} is a cloud machine's credential service; it is never contacted");
            return Err(Failure::new(ErrorKind::TargetDenied, detail));
        }
        match reach(address) {
            Reach::Loopback | Reach::Private => Ok(()),
            Reach::Public if self.public_hosts.contains(&canonical(host)) => Ok(()),
            Reach::Public => {
                let detail = format!("{host} is at the public address {address}; allow it with --allow-target {host}");
                Err(Failure::new(ErrorKind::TargetDenied, detail))
            }
        }
    }
}

/// How far `address` is from this machine.
pub fn reach(address: IpAddr) -> Reach {
    match embedded(address) {
        // Linux takes the unspecified address for this machine.
        address if address.is_loopback() || address.is_unspecified() => Reach::Loopback,
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            let carrier_nat = a == 100 && b & 0xc0 == 64;
            let benchmarking = a == 198 && b & 0xfe == 18;
            if v4.is_private() || v4.is_link_local() || carrier_nat || benchmarking {
                Reach::Private
            } else {
                Reach::Public
            }
        }
        IpAddr::V6(v6) if v6.is_unique_local() || v6.is_unicast_link_local() => Reach::Private,
        IpAddr::V6(_) => Reach::Public,
    }
}

/// The IPv4 address that an IPv6 address stands for (mapped, or of the NAT64 prefix 64:ff9b::/96), or itself.
fn embedded(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    if let Some(v4) = v6.to_ipv4_mapped() {
        return IpAddr::V4(v4);
    }
    match v6.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
            IpAddr::V4(Ipv4Addr::new(a, b, c, d))
        }
        _ => address,
    }
}

/// A host as it is compared: lower case, without the root's dot and without an IPv6 literal's brackets.
fn canonical(host: &str) -> String {
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let host = host.strip_suffix('.').unwrap_or(host);
    match host.parse::<IpAddr>() {
        Ok(address) => address.to_string(),
        Err(_) => host.to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(guard: &AddressGuard, host: &str, address: &str) -> bool {
        let address = address.parse().expect("the address in the table is one");
        guard.check(host, address).is_ok()
    }

    #[test]
    fn addresses_are_told_apart_by_their_reach() {
        for (address, expected, why) in [
            ("127.0.0.1", Reach::Loopback, "this machine"),
            ("127.9.9.9", Reach::Loopback, "the whole of 127/8"),
            ("::1", Reach::Loopback, "this machine, IPv6"),
            ("::ffff:127.0.0.1", Reach::Loopback, "mapped"),
            ("0.0.0.0", Reach::Loopback, "Linux connects to itself"),
            ("10.1.2.3", Reach::Private, "RFC 1918"),
            ("172.31.0.1", Reach::Private, "RFC 1918, the last of 172.16/12"),
            ("172.32.0.1", Reach::Public, "just beyond 172.16/12"),
            ("192.168.1.1", Reach::Private, "RFC 1918"),
            ("169.254.7.7", Reach::Private, "link-local"),
            ("100.64.0.1", Reach::Private, "carrier NAT"),
            ("100.128.0.1", Reach::Public, "just beyond carrier NAT"),
            ("198.19.0.1", Reach::Private, "benchmarking"),
            ("fd12::1", Reach::Private, "unique local"),
            ("fe80::1", Reach::Private, "link-local, IPv6"),
            ("64:ff9b::a01:203", Reach::Private, "10.1.2.3 behind NAT64"),
            ("93.184.216.34", Reach::Public, "anything else"),
            ("2606:2800::1", Reach::Public, "anything else, IPv6"),
        ] {
            assert_eq!(reach(address.parse().expect(address)), expected, "{address}: {why}");
        }
    }

    #[test]
    fn public_addresses_need_their_host_to_be_allowed() {
        let none = AddressGuard::default();
        assert!(allowed(&none, "localhost", "127.0.0.1"));
        assert!(allowed(&none, "db.lan", "10.0.0.7"));
        assert!(!allowed(&none, "example.com", "93.184.216.34"));

        let some = AddressGuard::new(["Example.COM.", "[2606:2800:0::1]"]);
        assert!(allowed(&some, "example.com", "93.184.216.34"));
        assert!(allowed(&some, "2606:2800::1", "2606:2800::1"));
        assert!(!allowed(&some, "www.example.com", "93.184.216.34"), "another name at the same address");
    }

    #[test]
    fn credential_services_are_never_contacted() {
        for address in
            ["169.254.169.254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "fd00:ec2::254", "169.254.170.2"]
        {
            let guard = AddressGuard::new([address, "metadata"]);
            assert!(!allowed(&guard, address, address), "{address}");
            assert!(!allowed(&guard, "metadata", address), "{address} by name");
        }
    }
}
