use proptest::prelude::*;

use super::*;

const HOST: &str = "shop.example.com";

fn at<'a>(host: &'a str, path: &'a str) -> Origin<'a> {
    Origin { host, path, secure: false }
}

fn sent(jar: &CookieJar, origin: Origin<'_>, now_ms: u64) -> String {
    jar.matching(origin, now_ms).map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
}

/// A jar that got these fields from `HOST` and `/a/b?q` at time 1000.
fn jar(fields: &[&str]) -> CookieJar {
    let mut jar = CookieJar::default();
    for field in fields {
        jar.store(field.as_bytes(), &at(HOST, "/a/b?q=/x"), 1_000).expect("a good cookie");
    }
    jar
}

#[test]
fn a_cookie_goes_where_its_attributes_say() {
    for (field, host, path, expected) in [
        ("k=v", HOST, "/a/b", true),
        ("k=v", HOST, "/a", true),
        ("k=v", HOST, "/", false),
        ("k=v", HOST, "/ab", false),
        ("k=v", "example.com", "/a/b", false),
        ("k=v", "x.shop.example.com", "/a/b", false),
        ("k=v; Path=/", HOST, "/", true),
        ("k=v; Path=/", HOST, "/any?x", true),
        ("k=v; Path=no-slash", HOST, "/a/c", true),
        ("k=v; Path=/a/b/", HOST, "/a/b", false),
        ("k=v; Path=/a/b/", HOST, "/a/b/c", true),
        ("k=v; Path=/; Domain=example.com", "api.example.com", "/", true),
        ("k=v; Path=/; Domain=.Example.COM", "api.example.com", "/", true),
        ("k=v; Path=/; Domain=example.com", "example.com", "/", true),
        ("k=v; Path=/; Domain=example.com", "notexample.com", "/", false),
        ("k=v; Path=/; Domain=", HOST, "/", true),
        ("k=v; Path=/; Secure", HOST, "/", false),
    ] {
        assert_eq!(sent(&jar(&[field]), at(host, path), 1_000) == "k=v", expected, "{field} to {host}{path}");
    }
    let secure = Origin { secure: true, ..at(HOST, "/") };
    assert_eq!(sent(&jar(&["k=v; Path=/; Secure"]), secure, 1_000), "k=v");
}

#[test]
fn foreign_and_wide_domains_are_refused() {
    for (host, domain) in [
        (HOST, "other.com"),
        (HOST, "com"),
        (HOST, "x.shop.example.com"),
        ("10.0.0.1", "0.0.1"),
        ("127.0.0.1", "1"),
        ("[::1]", "1]"),
    ] {
        let field = format!("k=v; Domain={domain}");
        let stored = CookieJar::default().store(field.as_bytes(), &at(host, "/"), 0);
        assert_eq!(stored, Err(Refused::ForeignDomain), "{domain} from {host}");
    }
    let mut jar = CookieJar::default();
    jar.store(b"k=v; Domain=127.0.0.1", &at("127.0.0.1", "/"), 0).expect("its own address");
    assert_eq!(sent(&jar, at("127.0.0.1", "/"), 0), "k=v");
}

#[test]
fn what_is_no_cookie_is_refused() {
    for field in ["", "=v", "novalue", ";;"] {
        assert_eq!(CookieJar::default().store(field.as_bytes(), &at(HOST, "/"), 0), Err(Refused::Malformed), "{field}");
    }
    assert_eq!(CookieJar::default().store(b"k=\xff", &at(HOST, "/"), 0), Err(Refused::Malformed));
}

#[test]
fn cookies_expire_by_the_time_they_are_given() {
    for (field, lives_at, dead_at) in [
        ("k=v; Path=/; Max-Age=2", 2_999, 3_000),
        // Max-Age counts before Expires.
        ("k=v; Path=/; Max-Age=2; Expires=Thu, 01 Jan 2099 00:00:00 GMT", 2_999, 3_000),
        ("k=v; Path=/; Expires=Thu, 01 Jan 1970 00:00:05 GMT", 4_999, 5_000),
    ] {
        let jar = jar(&[field]);
        assert_eq!(sent(&jar, at(HOST, "/"), lives_at), "k=v", "{field}");
        assert_eq!(sent(&jar, at(HOST, "/"), dead_at), "", "{field}");
    }
    assert_eq!(sent(&jar(&["k=v; Path=/"]), at(HOST, "/"), u64::MAX), "k=v", "a session cookie stays");
    assert_eq!(sent(&jar(&["k=v; Path=/; Expires=nonsense"]), at(HOST, "/"), u64::MAX), "k=v");
}

#[test]
fn a_cookie_is_replaced_and_deleted_by_its_name_domain_and_path() {
    let mut jar = jar(&["k=1; Path=/", "other=x; Path=/", "k=2; Path=/", "k=deep; Path=/a"]);
    assert_eq!(sent(&jar, at(HOST, "/a"), 1_000), "k=deep; k=2; other=x", "longer paths first, then the older");
    jar.store(b"k=; Path=/; Max-Age=0", &at(HOST, "/"), 1_000).expect("taken");
    assert_eq!(sent(&jar, at(HOST, "/a"), 1_000), "k=deep; other=x");
    jar.store(b"k=; Path=/a; Expires=Thu, 01 Jan 1970 00:00:00 GMT", &at(HOST, "/"), 1_000).expect("taken");
    assert_eq!(sent(&jar, at(HOST, "/a"), 1_000), "other=x");
    jar.set(HOST, "mine", "1", 1_000).expect("room");
    jar.remove(HOST, "other");
    assert_eq!(sent(&jar, at(HOST, "/a"), 1_000), "mine=1");
    jar.clear();
    assert!(jar.is_empty() && jar.bytes == 0);
}

#[test]
fn a_jar_is_bounded_in_number_and_in_bytes() {
    let mut jar = CookieJar::default();
    let mut put = |name: &str, bytes: usize, more: &str, now_ms| {
        let field = format!("{name}={}; Path=/{more}", "x".repeat(bytes - name.len()));
        jar.store(field.as_bytes(), &at(HOST, "/"), now_ms)
    };
    assert_eq!(put("long", COOKIE_BYTES_MAX + 1, "", 0), Err(Refused::TooLong));
    for n in 0..COOKIES_PER_HOST_MAX {
        put(&format!("k{n}"), 10, "; Max-Age=5", 0).expect("room");
    }
    assert_eq!(put("one-more", 10, "", 0), Err(Refused::TooMany));
    put("k0", 20, "; Max-Age=5", 0).expect("a replacement takes no room");
    put("one-more", 10, "", 6_000).expect("the others have expired");
    let most = JAR_BYTES_MAX / COOKIE_BYTES_MAX;
    for n in 0..most - 1 {
        put(&format!("big{n}"), COOKIE_BYTES_MAX, "", 6_000).expect("room");
    }
    assert_eq!(put("last", COOKIE_BYTES_MAX, "", 6_000), Err(Refused::TooMany));
    assert!(jar.bytes <= JAR_BYTES_MAX);
}

proptest! {
    #[test]
    fn no_field_breaks_a_jar(fields in prop::collection::vec("(a|b|c)=.{0,20}(; (Path|Domain|Max-Age|Expires)=.{0,8})?", 0..80)) {
        let mut jar = CookieJar::default();
        for (now, field) in fields.iter().enumerate() {
            let _ = jar.store(field.as_bytes(), &at(HOST, "/a"), now as u64);
            prop_assert!(jar.bytes <= JAR_BYTES_MAX && jar.cookies.len() <= 3 * COOKIES_PER_HOST_MAX);
            prop_assert_eq!(jar.bytes, jar.cookies.iter().map(Cookie::bytes).sum::<usize>());
        }
    }
}
