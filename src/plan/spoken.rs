//! What targets speak: a row for each protocol.

use serde::Serialize;

use crate::protocol::HttpVersion;

/// A protocol that targets speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Protocol {
    /// HTTP, of whatever version.
    Http,
    /// Redis' own.
    Redis,
    /// PostgreSQL's own.
    Postgres,
    /// MySQL's own, which MariaDB speaks too.
    Mysql,
}

/// What there is to know of a protocol.
#[derive(Debug)]
pub struct ProtocolRow {
    /// Which.
    pub protocol: Protocol,
    /// Its name.
    pub name: &'static str,
    /// The schemes of its addresses, the usual one first.
    pub schemes: &'static [&'static str],
    /// Which of them is over TLS, if one is.
    pub secure: Option<&'static str>,
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
        schemes: &["http", "https"],
        secure: Some("https"),
        port: 0,
        spoken: None,
        usage: "target(\"http://127.0.0.1:8080\")",
    },
    ProtocolRow {
        protocol: Protocol::Redis,
        name: "Redis",
        schemes: &["redis", "rediss"],
        secure: Some("rediss"),
        port: 6_379,
        spoken: Some(HttpVersion::Redis),
        usage: "redis(\"127.0.0.1:6379\")",
    },
    ProtocolRow {
        protocol: Protocol::Postgres,
        name: "PostgreSQL",
        schemes: &["postgres", "postgresql"],
        secure: None,
        port: 5_432,
        spoken: Some(HttpVersion::Postgres),
        usage: "postgres(\"postgres://user:password@127.0.0.1:5432/app\")",
    },
    ProtocolRow {
        protocol: Protocol::Mysql,
        name: "MySQL",
        schemes: &["mysql", "mariadb"],
        secure: None,
        port: 3_306,
        spoken: Some(HttpVersion::Mysql),
        usage: "mysql(\"mysql://user:password@127.0.0.1:3306/app\")",
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
