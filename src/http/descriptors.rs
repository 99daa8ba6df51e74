//! File descriptors and local ports: how many this process may have. Each connection takes one of both.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// How many this process may have at present, none where there is no limit.
pub fn descriptor_limit() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}

/// Sets the soft limit; what it starts from now on has it too.
pub fn set_descriptor_limit(soft: u64) {
    let limit = getrlimit(Resource::Nofile);
    // Where that is refused, the old limit stays.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(soft), ..limit });
}

/// Raises the soft limit of descriptors to the hard one, which any process may; gives the limit that holds then, none
/// where there is none.
pub fn raise_descriptor_limit() -> Option<u64> {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        limit.current = limit.maximum;
        // Where that is refused, the old limit stays.
        let _ = setrlimit(Resource::Nofile, limit);
    }
    getrlimit(Resource::Nofile).current
}

/// Local ports that connections to one address and port can have, where the system tells.
pub fn local_ports() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
    let mut ends = text.split_whitespace().map(str::parse::<u64>);
    let (Some(Ok(first)), Some(Ok(last))) = (ends.next(), ends.next()) else { return None };
    last.checked_sub(first).map(|others| others + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_the_hard_one_afterwards() {
        let raised = raise_descriptor_limit();
        assert_eq!(raised, getrlimit(Resource::Nofile).maximum);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn ports_are_counted() {
        assert!(local_ports().is_some_and(|ports| ports > 1_000));
    }
}
