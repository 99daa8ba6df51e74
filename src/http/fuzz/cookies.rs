//! Any lines as `set-cookie` fields.

use cookie::Cookie;

use crate::http::{COOKIE_BYTES_MAX, COOKIES_PER_HOST_MAX, CookieJar, JAR_BYTES_MAX, Origin, Refused};

const HOSTS: [&str; 6] = ["shop.test", "a.shop.test", "b.a.shop.test", "other.test", "127.0.0.1", "[::1]"];
const PATHS: [&str; 4] = ["/", "/a", "/a/b?c", "/ab"];

/// Keeps the lines of `data` in a jar, each as a field of a response from one of a few hosts.
///
/// Holds: the limits; a cookie is sent only where RFC 6265 lets it go; what is sent is what the crate `cookie` reads, and
/// nothing of it can begin another cookie or field.
pub fn cookies(data: &[u8]) {
    let mut jar = CookieJar::default();
    for (number, line) in data.split(|&byte| byte == b'\n').enumerate().take(300) {
        let Some((&place, field)) = line.split_first() else { continue };
        // What a field can hold, by the parsers of both versions.
        if field.iter().any(|&byte| (byte < b' ' && byte != b'\t') || byte == 0x7f) {
            continue;
        }
        let origin = origin(place);
        let now_ms = number as u64;
        alone(field, &origin, now_ms);
        let _ = jar.store(field, &origin, now_ms);
        limits(&jar, now_ms);
    }
}

fn origin(place: u8) -> Origin<'static> {
    let place = usize::from(place);
    Origin { host: HOSTS[place % 6], path: PATHS[place / 6 % 4], secure: place & 0x80 != 0 }
}

fn all_origins() -> impl Iterator<Item = Origin<'static>> {
    let paths = |host| PATHS.into_iter().map(move |path| (host, path));
    let places = HOSTS.into_iter().flat_map(paths);
    places.flat_map(|(host, path)| [false, true].map(|secure| Origin { host, path, secure }))
}

/// A field alone in a jar.
fn alone(field: &[u8], from: &Origin<'_>, now_ms: u64) {
    let mut jar = CookieJar::default();
    let stored = jar.store(field, from, now_ms);
    let Some(parsed) = std::str::from_utf8(field).ok().and_then(|text| Cookie::parse(text).ok()) else {
        assert_eq!(stored, Err(Refused::Malformed));
        return;
    };
    let domain = parsed.domain().map(|domain| domain.trim_start_matches('.').to_ascii_lowercase());
    let domain = domain.filter(|domain| !domain.is_empty());
    for to in all_origins() {
        for (name, value) in jar.matching(to, now_ms) {
            assert_eq!((name, value), (parsed.name(), parsed.value()));
            assert!(!name.is_empty() && name.len() + value.len() <= COOKIE_BYTES_MAX);
            let sent = format!("{name}={value}");
            assert!(!sent.contains([';', '\r', '\n', '\0']), "{sent:?} is one pair");
            assert!(to.secure || parsed.secure() != Some(true), "a secure cookie goes over TLS alone");
            match &domain {
                None => assert_eq!(to.host, from.host),
                Some(domain) => {
                    let within = |host: &str| host == domain || host.ends_with(&format!(".{domain}"));
                    assert!(within(to.host) && within(from.host), "{} to {}", from.host, to.host);
                }
            }
            if let Some(path) = parsed.path().filter(|path| path.starts_with('/')) {
                assert!(to.path.starts_with(path), "{path} for {}", to.path);
            }
            let lives = parsed.max_age().is_none_or(|age| age.is_positive());
            assert!(lives, "a cookie of no age is none");
        }
        if let Some(age) = parsed.max_age() {
            let after = u64::try_from(age.whole_milliseconds().max(0)).unwrap_or(u64::MAX).saturating_add(now_ms);
            assert_eq!(jar.matching(to, after).count(), 0, "it has expired");
        }
    }
}

fn limits(jar: &CookieJar, now_ms: u64) {
    for to in all_origins() {
        let sent: Vec<_> = jar.matching(to, now_ms).collect();
        let bytes: usize = sent.iter().map(|(name, value)| name.len() + value.len()).sum();
        // A host gets its own, and those of the domains that it is in.
        let domains = to.host.split('.').count();
        assert!(sent.len() <= COOKIES_PER_HOST_MAX * domains && bytes <= JAR_BYTES_MAX);
    }
}
