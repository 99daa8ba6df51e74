//! A virtual user's cookies, as RFC 6265 has them. Pure: the time is an argument, so that they expire by the
//! run's clock, also where that is simulated. (This is why the jar is our own: `cookie_store` asks the wall clock
//! and has no bounds. The grammar of the field is the crate `cookie`'s.)
//!
//! A jar is for one virtual user and is bounded, because a server can fill it.

use cookie::{Cookie as Parsed, Expiration};

/// Cookies of one host; more are refused.
pub const COOKIES_PER_HOST_MAX: usize = 50;
/// Name and value of a cookie, in bytes; a longer one is refused. Browsers have the same limit.
pub const COOKIE_BYTES_MAX: usize = 4_096;
/// All names and values of a jar, in bytes; what does not fit is refused.
pub const JAR_BYTES_MAX: usize = 64 * 1024;

/// Where a request goes, as far as cookies care. Ports make no difference to them (RFC 6265, section 8.5).
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// The host in lower case, without its port.
    pub host: &'a str,
    /// The request's path; anything from a `?` on is left out of account.
    pub path: &'a str,
    /// It goes over TLS.
    pub secure: bool,
}

impl Origin<'_> {
    fn path(&self) -> &str {
        self.path.split('?').next().unwrap_or_default()
    }

    /// RFC 6265, section 5.1.4.
    fn default_path(&self) -> &str {
        match self.path().rfind('/') {
            Some(at) if at > 0 && self.path.starts_with('/') => &self.path[..at],
            _ => "/",
        }
    }
}

/// Why a cookie was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// It is no cookie: without a name, or not text.
    Malformed,
    /// It is for a host that the response did not come from.
    ForeignDomain,
    /// It is longer than [`COOKIE_BYTES_MAX`].
    TooLong,
    /// The host has [`COOKIES_PER_HOST_MAX`] already, or the jar is full.
    TooMany,
}

/// See the module.
#[derive(Debug, Default)]
pub struct CookieJar {
    /// Those with longer paths first, among equals the older first: the order in which they are sent.
    cookies: Vec<Cookie>,
    bytes: usize,
}

#[derive(Debug)]
struct Cookie {
    name: Box<str>,
    value: Box<str>,
    domain: Box<str>,
    /// Subdomains do not get it.
    host_only: bool,
    path: Box<str>,
    secure: bool,
    /// Milliseconds since 1970; none lives as long as its user.
    expires_ms: Option<u64>,
}

impl Cookie {
    fn bytes(&self) -> usize {
        self.name.len() + self.value.len()
    }

    fn is_alive(&self, now_ms: u64) -> bool {
        self.expires_ms.is_none_or(|end| end > now_ms)
    }

    fn is_for(&self, origin: &Origin<'_>, now_ms: u64) -> bool {
        (origin.secure || !self.secure)
            && (*self.domain == *origin.host || (!self.host_only && is_within(origin.host, &self.domain)))
            && path_matches(origin.path(), &self.path)
            && self.is_alive(now_ms)
    }

    /// It is the same cookie, maybe with another value (RFC 6265, section 5.3, step 11).
    fn replaces(&self, other: &Self) -> bool {
        self.name == other.name && self.domain == other.domain && self.path == other.path
    }
}

impl CookieJar {
    /// Takes the cookie of a `set-cookie` field; one that has expired takes the one it names away.
    ///
    /// # Errors
    /// Why it was not taken.
    pub fn store(&mut self, field: &[u8], origin: &Origin<'_>, now_ms: u64) -> Result<(), Refused> {
        let text = std::str::from_utf8(field).map_err(|_| Refused::Malformed)?;
        let parsed = Parsed::parse(text).map_err(|_| Refused::Malformed)?;
        let (domain, host_only) = domain_of(&parsed, origin)?;
        let path = parsed.path().filter(|path| path.starts_with('/')).unwrap_or_else(|| origin.default_path());
        self.put(
            Cookie {
                name: parsed.name().into(),
                value: parsed.value().into(),
                domain,
                host_only,
                path: path.into(),
                secure: parsed.secure() == Some(true),
                expires_ms: expiry(&parsed, now_ms),
            },
            now_ms,
        )
    }

    /// Sets a cookie for a host and all its paths, until it is removed.
    ///
    /// # Errors
    /// It is too long, or there are too many.
    pub fn set(&mut self, host: &str, name: &str, value: &str, now_ms: u64) -> Result<(), Refused> {
        self.put(
            Cookie {
                name: name.into(),
                value: value.into(),
                domain: host.into(),
                host_only: true,
                path: "/".into(),
                secure: false,
                expires_ms: None,
            },
            now_ms,
        )
    }

    /// Takes a host's cookies of that name away.
    pub fn remove(&mut self, host: &str, name: &str) {
        self.retain(|cookie| *cookie.name != *name || *cookie.domain != *host);
    }

    /// Takes all cookies away.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Whether there are none, expired ones counted.
    pub fn is_empty(&self) -> bool {
        self.cookies.is_empty()
    }

    /// What a request to `origin` sends, in order: names and values.
    pub fn matching<'a>(&'a self, origin: Origin<'a>, now_ms: u64) -> impl Iterator<Item = (&'a str, &'a str)> {
        let fitting = self.cookies.iter().filter(move |cookie| cookie.is_for(&origin, now_ms));
        fitting.map(|cookie| (&*cookie.name, &*cookie.value))
    }

    fn retain(&mut self, keep: impl Fn(&Cookie) -> bool) {
        self.cookies.retain(keep);
        self.bytes = self.cookies.iter().map(Cookie::bytes).sum();
    }

    fn put(&mut self, cookie: Cookie, now_ms: u64) -> Result<(), Refused> {
        if cookie.bytes() > COOKIE_BYTES_MAX || cookie.path.len() > COOKIE_BYTES_MAX {
            return Err(Refused::TooLong);
        }
        let before = self.cookies.iter().position(|known| cookie.replaces(known));
        if !cookie.is_alive(now_ms) {
            if let Some(at) = before {
                self.bytes -= self.cookies.remove(at).bytes();
            }
            return Ok(());
        }
        let replaced = before.map_or(0, |at| self.cookies[at].bytes());
        if self.is_full_for(&cookie, replaced) {
            // Expired ones are looked for only when there is need of room.
            self.retain(|known| known.is_alive(now_ms) || cookie.replaces(known));
            if self.is_full_for(&cookie, replaced) {
                return Err(Refused::TooMany);
            }
        }
        self.bytes = self.bytes - replaced + cookie.bytes();
        match self.cookies.iter_mut().find(|known| cookie.replaces(known)) {
            Some(known) => *known = cookie,
            None => {
                let at = self.cookies.partition_point(|known| known.path.len() >= cookie.path.len());
                self.cookies.insert(at, cookie);
            }
        }
        Ok(())
    }

    fn is_full_for(&self, cookie: &Cookie, replaced: usize) -> bool {
        let of_host = || self.cookies.iter().filter(|known| known.domain == cookie.domain).count();
        self.bytes - replaced + cookie.bytes() > JAR_BYTES_MAX || (replaced == 0 && of_host() >= COOKIES_PER_HOST_MAX)
    }
}

/// The domain of a cookie, and whether it is for that host alone. Without a list of public suffixes, a domain of
/// one label (`com`) is the one that is known to be too wide.
fn domain_of(parsed: &Parsed<'_>, origin: &Origin<'_>) -> Result<(Box<str>, bool), Refused> {
    let asked = parsed.domain().map(|domain| domain.trim_start_matches('.').to_ascii_lowercase());
    match asked.filter(|domain| !domain.is_empty()) {
        None => Ok((origin.host.into(), true)),
        Some(domain) if domain == origin.host => Ok((domain.into(), !is_name(origin.host))),
        Some(domain) if domain.contains('.') && is_within(origin.host, &domain) => Ok((domain.into(), false)),
        Some(_) => Err(Refused::ForeignDomain),
    }
}

/// When a cookie expires: `Max-Age` counts before `Expires` (RFC 6265, section 5.3, step 3).
fn expiry(parsed: &Parsed<'_>, now_ms: u64) -> Option<u64> {
    if let Some(age) = parsed.max_age() {
        let ms = u64::try_from(age.whole_milliseconds().max(0)).unwrap_or(u64::MAX);
        return Some(now_ms.saturating_add(ms));
    }
    match parsed.expires()? {
        Expiration::Session => None,
        Expiration::DateTime(at) => Some(u64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or(0)),
    }
}

/// Whether a host is a name rather than an address.
fn is_name(host: &str) -> bool {
    !host.starts_with('[') && host.parse::<std::net::IpAddr>().is_err()
}

/// Whether `host` is a subdomain of `domain`.
fn is_within(host: &str, domain: &str) -> bool {
    is_name(host) && host.strip_suffix(domain).is_some_and(|labels| labels.ends_with('.'))
}

/// RFC 6265, section 5.1.4.
fn path_matches(path: &str, prefix: &str) -> bool {
    match path.strip_prefix(prefix) {
        Some(rest) => rest.is_empty() || prefix.ends_with('/') || rest.starts_with('/'),
        None => false,
    }
}

#[cfg(test)]
#[path = "cookie_tests.rs"]
mod tests;
