//! The client of the control plane.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use reqwest::{
    dns::{Addrs, Name, Resolve, Resolving},
    header::HeaderMap,
    redirect::Policy,
};

use super::{ANSWER_MAX, PATIENCE};
use crate::http::{AddressGuard, Tls, TlsOptions};

/// Sends what is not traffic.
#[derive(Debug, Clone)]
pub struct Control {
    client: reqwest::Client,
    guard: Arc<AddressGuard>,
}

impl Control {
    /// A client that contacts what `guard` allows. It knows the system's authorities.
    ///
    /// # Errors
    /// The system has no way to make one, for people.
    pub fn new(guard: AddressGuard) -> Result<Self, String> {
        let guard = Arc::new(guard);
        let tls = Tls::new(&TlsOptions::default())?;
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(Policy::none())
            .retry(reqwest::retry::never())
            .dns_resolver(Guarded(guard.clone()))
            .tls_backend_preconfigured(tls.config_of_http1())
            .timeout(PATIENCE)
            .user_agent(concat!("loadr/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| told(&error))?;
        Ok(Self { client, guard })
    }

    /// The body of a `GET` that is answered with 2xx.
    pub(super) async fn get(&self, url: url::Url) -> Result<Vec<u8>, String> {
        self.exchange(reqwest::Method::GET, url, HeaderMap::new()).await.map(|(_, body)| body)
    }

    /// Fields and body of an answer of 2xx to a request without body.
    pub(super) async fn exchange(
        &self,
        method: reqwest::Method,
        url: url::Url,
        headers: HeaderMap,
    ) -> Result<(HeaderMap, Vec<u8>), String> {
        // A literal address is no name: nobody resolves it.
        if let Some(address) = url.host_str().and_then(|host| host.trim_matches(['[', ']']).parse::<IpAddr>().ok()) {
            self.check(&address.to_string(), address)?;
        }
        let request = self.client.request(method, url).headers(headers);
        let mut response = request.send().await.map_err(|error| told(&error))?;
        if !response.status().is_success() {
            return Err(format!("the answer was {}", response.status()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| told(&error))? {
            if body.len() + chunk.len() > ANSWER_MAX {
                return Err(format!("the answer is larger than {} MiB", ANSWER_MAX >> 20));
            }
            body.extend_from_slice(&chunk);
        }
        Ok((response.headers().clone(), body))
    }

    /// Whether a `GET` is answered with 2xx.
    ///
    /// # Errors
    /// It is not, and why, for people.
    pub async fn succeeds(&self, url: url::Url) -> Result<(), String> {
        self.exchange(reqwest::Method::GET, url, HeaderMap::new()).await.map(drop)
    }

    /// Whether `host`, which is at `address`, may be contacted.
    pub(super) fn check(&self, host: &str, address: IpAddr) -> Result<(), String> {
        self.guard.check(host, address).map_err(|failure| failure.detail.into_owned())
    }
}

/// Names to those of their addresses that may be contacted.
struct Guarded(Arc<AddressGuard>);

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.0.clone();
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let found: Vec<SocketAddr> = tokio::net::lookup_host((host.as_str(), 0)).await?.collect();
            for address in &found {
                guard.check(&host, address.ip()).map_err(|failure| failure.detail.into_owned())?;
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// The innermost cause, which says most. The address is left out: it may hold a password.
fn told(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    if error.is_timeout() { "no answer in time".to_owned() } else { cause.to_string() }
}
