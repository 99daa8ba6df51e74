//! Where requests go, and what they all carry.

use std::time::Duration;

use serde::Serialize;

use super::{ClosureId, Place, Protocol, TlsPlan};
use crate::{http::Proxy, protocol::HttpVersion};

/// A server under test, with defaults for every request to it.
#[derive(Debug, Clone, Serialize)]
pub struct Target {
    /// Scheme, host and port; a path is a prefix of every request's, and for a database its name or number. It holds no
    /// password.
    #[serde(serialize_with = "as_text")]
    pub url: url::Url,
    /// Fields of every request, in order.
    pub headers: Vec<(String, String)>,
    /// Time for a whole request; default 30 s.
    pub timeout: Duration,
    /// TLS, where the scheme is `https`.
    pub tls: TlsPlan,
    /// The version of HTTP; default none: over TLS the server's choice, in cleartext HTTP/1.1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<HttpVersion>,
    /// Keep connections open between requests; default true.
    pub keepalive: bool,
    /// Each virtual user keeps and sends its cookies; default true.
    pub cookies: bool,
    /// Redirects that a request follows; default 0: a redirect is a response.
    pub redirects: u32,
    /// Requests ask for compressed responses; default false.
    pub compressed: bool,
    /// Connections that all virtual users share; default none: each has its own.
    pub connections: Option<u64>,
    /// A longer body, also one that was compressed, is an error; default 64 MiB.
    pub body_bytes_max: u64,
    /// Addresses of hosts that are not asked of the resolver: host in lower case, address.
    pub resolve: Vec<(String, std::net::IpAddr)>,
    /// Who its connections are for, where they say so.
    #[serde(skip)]
    pub login: Login,
    /// What stands between.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy: Option<Proxy>,
    /// Runs once for each virtual user before its first iteration.
    pub on_start: Option<ClosureId>,
    /// Runs once for each virtual user after its last iteration.
    pub on_stop: Option<ClosureId>,
    /// Where it was declared.
    #[serde(skip)]
    pub at: Place,
}

fn as_text<S: serde::Serializer>(url: &url::Url, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(url.as_str())
}

impl Target {
    /// A target with every default.
    pub fn new(url: url::Url, at: Place) -> Self {
        Self {
            url,
            headers: Vec::new(),
            timeout: Duration::from_secs(30),
            tls: TlsPlan::default(),
            version: None,
            keepalive: true,
            cookies: true,
            redirects: 0,
            compressed: false,
            connections: None,
            body_bytes_max: 64 << 20,
            resolve: Vec::new(),
            login: Login::default(),
            proxy: None,
            on_start: None,
            on_stop: None,
            at,
        }
    }

    /// What it speaks.
    pub fn protocol(&self) -> Protocol {
        Protocol::of(&self.url)
    }

    /// Scheme, host and port.
    pub fn origin(&self) -> String {
        let mut url = self.url.clone();
        url.set_path("");
        url.as_str().trim_end_matches('/').to_owned()
    }

    /// It is spoken to over TLS.
    pub fn is_secure(&self) -> bool {
        self.protocol().row().secure == Some(self.url.scheme())
    }

    /// Its port, or its protocol's.
    pub fn port(&self) -> u16 {
        match self.protocol().row().port {
            0 => self.url.port_or_known_default().unwrap_or(80),
            port => self.url.port().unwrap_or(port),
        }
    }
}

/// Who a connection is for.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Login {
    /// The user, where one was given.
    pub user: Option<String>,
    /// It must not get into anything that is written or compared.
    pub password: Option<String>,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login").field("user", &self.user).finish_non_exhaustive()
    }
}
