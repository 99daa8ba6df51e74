//! Between a virtual user's cookie jar and its requests: what a request sends, and what a response sets.

use super::user::User;
use crate::{http::Origin, plan::Target, protocol::Response};

/// The counter of a phase for cookies that a jar did not take: foreign, malformed, too long or too many.
pub const REFUSED_COUNTER: &str = "cookies_refused";

/// A target whose cookies are kept.
#[derive(Debug, Clone)]
pub struct CookieScope {
    host: Box<str>,
    secure: bool,
}

impl CookieScope {
    /// None where the target's cookies are not kept.
    pub fn new(target: &Target) -> Option<Self> {
        let host = target.url.host_str()?;
        target.cookies.then(|| Self { host: host.into(), secure: target.url.scheme() == "https" })
    }

    /// The scope of a server that a redirect leads to.
    pub fn of(url: &url::Url) -> Option<Self> {
        Some(Self { host: url.host_str()?.into(), secure: url.scheme() == "https" })
    }

    /// The pairs that a request adds to those it has of its own (`own` are their names): `a=b; c=d`, often
    /// nothing. The request line is the start of `wire`.
    pub fn pairs(&self, user: &User, now_ms: u64, wire: &[u8], own: &[Box<str>]) -> Vec<u8> {
        let mut pairs = Vec::new();
        user.each_cookie(self.origin(wire), now_ms, |name, value| {
            if !own.iter().any(|known| **known == *name) {
                if !pairs.is_empty() {
                    pairs.extend_from_slice(b"; ");
                }
                pairs.extend_from_slice(name.as_bytes());
                pairs.push(b'=');
                pairs.extend_from_slice(value.as_bytes());
            }
        });
        pairs
    }

    /// Takes the cookies of the response to the request in `wire`; gives how many were refused.
    pub fn keep(&self, user: &User, now_ms: u64, wire: &[u8], response: &Response) -> u64 {
        let origin = self.origin(wire);
        let fields = response.fields().filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"));
        fields.filter(|(_, value)| user.store_cookie(value, &origin, now_ms).is_err()).count() as u64
    }

    fn origin<'a>(&'a self, wire: &'a [u8]) -> Origin<'a> {
        let path = wire.split(|&byte| byte == b' ').nth(1).unwrap_or_default();
        // A path on the wire is ASCII: everything else is percent-encoded.
        Origin { host: &self.host, path: std::str::from_utf8(path).unwrap_or("/"), secure: self.secure }
    }
}
