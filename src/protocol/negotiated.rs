//! What client and server agreed on when a connection was opened.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The version of HTTP that is spoken over a connection, or what else is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum HttpVersion {
    /// HTTP/1.1, or 1.0 where the server answers so.
    #[default]
    #[serde(rename = "HTTP/1.1")]
    Http1,
    /// HTTP/2.
    #[serde(rename = "HTTP/2")]
    Http2,
    /// Redis' own, in its second version.
    #[serde(rename = "RESP2")]
    Redis,
    /// PostgreSQL's own.
    #[serde(rename = "PostgreSQL")]
    Postgres,
    /// MySQL's own, which MariaDB speaks too.
    #[serde(rename = "MySQL")]
    Mysql,
}

impl HttpVersion {
    /// The name for it in scripts and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Http1 => "HTTP/1.1",
            Self::Http2 => "HTTP/2",
            Self::Redis => "RESP2",
            Self::Postgres => "PostgreSQL",
            Self::Mysql => "MySQL",
        }
    }

    /// It is HTTP, in whatever version.
    pub const fn is_http(self) -> bool {
        matches!(self, Self::Http1 | Self::Http2)
    }
}

/// The version of TLS under it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum TlsVersion {
    /// TLS 1.2.
    #[serde(rename = "TLS 1.2")]
    Tls12,
    /// TLS 1.3.
    #[serde(rename = "TLS 1.3")]
    Tls13,
}

impl TlsVersion {
    /// The name for it in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tls12 => "TLS 1.2",
            Self::Tls13 => "TLS 1.3",
        }
    }
}

/// A cipher suite by its number in IANA's registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CipherSuite(pub u16);

impl fmt::Display for CipherSuite {
    /// IANA's name, or the number where it is not known.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match rustls::CipherSuite::from(self.0).as_str() {
            // rustls marks the suites of TLS 1.3, whose names IANA begins like all others.
            Some(name) => f.write_str(&name.replace("TLS13_", "TLS_")),
            None => write!(f, "0x{:04x}", self.0),
        }
    }
}

/// How a connection is secured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Security {
    /// The version of TLS.
    pub version: TlsVersion,
    /// How bytes are encrypted.
    pub cipher: CipherSuite,
    /// The handshake went on from an earlier connection's, without certificates.
    pub resumed: bool,
}

/// What was agreed on for a connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Negotiated {
    /// What is spoken over it.
    pub http: HttpVersion,
    /// How it is secured, if it is.
    pub security: Option<Security>,
}

impl fmt::Display for Negotiated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(security) = &self.security else { return write!(f, "{} in cleartext", self.http.name()) };
        write!(f, "{} over {}, {}", self.http.name(), security.version.name(), security.cipher)?;
        f.write_str(if security.resumed { ", resumed" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_agreed_on_reads_as_one_line() {
        let security = |cipher, resumed| Security { version: TlsVersion::Tls13, cipher: CipherSuite(cipher), resumed };
        for (negotiated, expected) in [
            (Negotiated::default(), "HTTP/1.1 in cleartext"),
            (
                Negotiated { http: HttpVersion::Http2, security: Some(security(0x1302, false)) },
                "HTTP/2 over TLS 1.3, TLS_AES_256_GCM_SHA384",
            ),
            (
                Negotiated { http: HttpVersion::Http1, security: Some(security(0xfafa, true)) },
                "HTTP/1.1 over TLS 1.3, 0xfafa, resumed",
            ),
        ] {
            assert_eq!(negotiated.to_string(), expected);
        }
    }
}
