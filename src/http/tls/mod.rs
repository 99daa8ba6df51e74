//! TLS: what a target asks of it, and what its failures mean.

mod config;
mod failure;
mod verify;

use std::sync::Arc;

pub use config::{check_authority, check_identity};
pub(super) use failure::{handshake_failure, kind_within};
use rustls::{ClientConfig, ProtocolVersion};

use crate::protocol::{CipherSuite, Failure, HttpVersion, Negotiated, Security, TlsVersion};

/// A text of certificates, or of a key, in PEM.
pub type Pem = Arc<[u8]>;

/// What a target asks of TLS.
#[derive(Debug, Clone)]
pub struct TlsOptions {
    /// The authorities whose certificates are believed, in place of the system's.
    pub authority: Option<Pem>,
    /// A certificate chain and its key, shown to servers that ask.
    pub identity: Option<(Pem, Pem)>,
    /// Certificates are verified.
    pub verify: bool,
    /// New connections go on from the handshakes of earlier ones.
    pub resume: bool,
}

impl Default for TlsOptions {
    fn default() -> Self {
        Self { authority: None, identity: None, verify: true, resume: true }
    }
}

/// TLS to one target, ready for handshakes. What it remembers of them, for resumption, is this worker's own.
#[derive(Debug, Clone)]
pub struct Tls {
    options: TlsOptions,
    /// Offers HTTP/1.1 alone.
    http1: Arc<ClientConfig>,
    /// Offers HTTP/2 alone.
    http2: Arc<ClientConfig>,
    /// Offers both, and leaves the choice to the server.
    any: Arc<ClientConfig>,
    /// Offers nothing: for what is not HTTP.
    other: Arc<ClientConfig>,
}

impl Tls {
    /// TLS as `options` ask.
    ///
    /// # Errors
    /// A text is no PEM, or a key does not belong to its certificate; for people, lower case.
    pub fn new(options: &TlsOptions) -> Result<Self, String> {
        let config = config::client_config(options)?;
        // What is remembered for resumption belongs to all of them.
        let offering = |protocols: &[&[u8]]| {
            let mut config = config.clone();
            config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
            Arc::new(config)
        };
        Ok(Self {
            options: options.clone(),
            http1: offering(&[b"http/1.1"]),
            http2: offering(&[b"h2"]),
            any: offering(&[b"h2", b"http/1.1"]),
            other: offering(&[]),
        })
    }

    /// A configuration that offers HTTP/1.1 alone, for a client that is not of this crate.
    pub fn config_of_http1(&self) -> ClientConfig {
        ClientConfig::clone(&self.http1)
    }

    /// The same for another server, which is not shown the certificate.
    pub(super) fn for_strangers(&self) -> Result<Self, String> {
        Self::new(&TlsOptions { identity: None, ..self.options.clone() })
    }

    /// Shakes hands for a version of HTTP, or for the one that the server prefers.
    pub(super) fn connector(&self, version: Option<HttpVersion>) -> tokio_rustls::TlsConnector {
        let config = match version {
            Some(HttpVersion::Http1) => &self.http1,
            Some(HttpVersion::Http2) => &self.http2,
            None => &self.any,
            Some(HttpVersion::Redis | HttpVersion::Postgres | HttpVersion::Mysql) => &self.other,
        };
        tokio_rustls::TlsConnector::from(config.clone())
    }
}

/// The name that a server's certificate must be for.
///
/// # Errors
/// `Tls` for what can be no certificate's name.
pub(super) fn server_name(host: &str) -> Result<rustls::pki_types::ServerName<'static>, Failure> {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    // The root's dot belongs to the name of the host, but not to that in a certificate.
    rustls::pki_types::ServerName::try_from(bare.strip_suffix('.').unwrap_or(bare).to_owned())
        .map_err(|_| Failure::new(crate::protocol::ErrorKind::Tls, format!("{host} can be no certificate's name")))
}

/// What a finished handshake agreed on.
pub(super) fn negotiated(connection: &rustls::ClientConnection) -> Negotiated {
    let http = match connection.alpn_protocol() {
        Some(b"h2") => HttpVersion::Http2,
        _ => HttpVersion::Http1,
    };
    let version = match connection.protocol_version() {
        Some(ProtocolVersion::TLSv1_3) => TlsVersion::Tls13,
        _ => TlsVersion::Tls12,
    };
    let cipher = connection.negotiated_cipher_suite().map_or(0, |suite| u16::from(suite.suite()));
    let resumed = connection.handshake_kind() == Some(rustls::HandshakeKind::Resumed);
    Negotiated { http, security: Some(Security { version, cipher: CipherSuite(cipher), resumed }) }
}
