//! What targets speak: a row for each protocol.

use crate::protocol::HttpVersion;

/// A protocol that targets speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP, of whatever version.
    Http,
    /// Redis' own.
    Redis,
}

/// What there is to know of a protocol.
#[derive(Debug)]
pub struct ProtocolRow {
    /// Which.
    pub protocol: Protocol,
    /// Its name.
    pub name: &'static str,
    /// The schemes of its addresses: in cleartext, over TLS.
    pub schemes: [&'static str; 2],
    /// Used where an address names no port; 0 where its schemes differ in that.
    pub port: u16,
    /// How its connections are shown; none where that is found out.
    pub spoken: Option<HttpVersion>,
    /// How a target of it is declared.
    pub usage: &'static str,
}

/// Every protocol.
pub const PROTOCOLS: &[ProtocolRow] = &[
    ProtocolRow {
        protocol: Protocol::Http,
        name: "HTTP",
        schemes: ["http", "https"],
        port: 0,
        spoken: None,
        usage: "target(\"http://127.0.0.1:8080\")",
    },
    ProtocolRow {
        protocol: Protocol::Redis,
        name: "Redis",
        schemes: ["redis", "rediss"],
        port: 6_379,
        spoken: Some(HttpVersion::Redis),
        usage: "redis(\"127.0.0.1:6379\")",
    },
];

impl Protocol {
    /// Its row.
    pub fn row(self) -> &'static ProtocolRow {
        // Every protocol has one: a test counts them.
        PROTOCOLS.iter().find(|row| row.protocol == self).unwrap_or(&PROTOCOLS[0])
    }

    /// The protocol of an address.
    pub fn of(url: &url::Url) -> Self {
        let is_its = |row: &&ProtocolRow| row.schemes.contains(&url.scheme());
        PROTOCOLS.iter().find(is_its).map_or(Self::Http, |row| row.protocol)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_protocol_has_a_row_and_schemes_of_its_own() {
        for row in PROTOCOLS {
            assert_eq!(row.protocol.row().name, row.name);
            for scheme in row.schemes {
                let url = url::Url::parse(&format!("{scheme}://host:1")).expect("an address");
                assert_eq!(Protocol::of(&url), row.protocol, "{scheme}");
            }
        }
    }
}
