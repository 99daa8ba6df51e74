//! Figures that somebody else counts: where they are read, beside the traffic.

use super::Place;

/// Where figures are read. Reading them is no part of the load: it counts in no figure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meter {
    /// A Redis server's own figures, by its command `INFO`.
    Redis {
        /// `host:port`, or `redis://user:password@host:port`.
        address: String,
    },
    /// Figures of Prometheus: of its server, or of a page of metrics in its format.
    Prometheus {
        /// The server, or the page.
        url: String,
        /// What is asked for: queries of a server, names of metrics of a page.
        queries: Vec<String>,
    },
    /// Figures in a JSON document.
    Json {
        /// Where it is; a path is of the first target.
        url: String,
        /// JSONPaths of the figures.
        paths: Vec<String>,
    },
}

impl Meter {
    /// As a report names it: without credentials.
    pub fn label(&self) -> String {
        let bare = |address: &str| {
            let (scheme, rest) = address.split_once("://").map_or(("", address), |(scheme, rest)| (scheme, rest));
            let authority = rest.find(['/', '?', '#']).unwrap_or(rest.len());
            let host = rest[..authority].rfind('@').map_or(0, |at| at + 1);
            // A query may hold a token.
            let end = rest.find(['?', '#']).unwrap_or(rest.len());
            let scheme = if scheme.is_empty() { String::new() } else { format!("{scheme}://") };
            format!("{scheme}{}", &rest[host..end.max(host)])
        };
        match self {
            Self::Redis { address } => format!("Redis at {}", bare(address)),
            Self::Prometheus { url, .. } => format!("Prometheus at {}", bare(url)),
            Self::Json { url, .. } => bare(url),
        }
    }

    /// How many figures it gives.
    pub const fn figures(&self) -> usize {
        match self {
            Self::Redis { .. } => 2,
            Self::Prometheus { queries, .. } => queries.len(),
            Self::Json { paths, .. } => paths.len(),
        }
    }
}

/// A counter of hits and misses that an experiment is held against.
#[derive(Debug, Clone, PartialEq)]
pub struct Truth {
    /// The experiment.
    pub experiment: String,
    /// Hits first, then misses.
    pub meter: Meter,
    /// Where it was declared.
    pub at: Place,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_has_no_credentials() {
        for (address, label) in [
            ("127.0.0.1:6379", "Redis at 127.0.0.1:6379"),
            ("redis://app:pass@word@cache:6379/2", "Redis at redis://cache:6379/2"),
            ("app:word@cache:6379", "Redis at cache:6379"),
        ] {
            assert_eq!(Meter::Redis { address: address.into() }.label(), label);
        }
        let page = Meter::Json { url: "http://u:p@h:1/stats@x?token=abc".into(), paths: Vec::new() };
        assert_eq!(page.label(), "http://h:1/stats@x");
        assert_eq!(Meter::Json { url: "/lab/stats".into(), paths: Vec::new() }.label(), "/lab/stats");
    }
}
