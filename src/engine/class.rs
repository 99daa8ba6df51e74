//! Classes of responses from the headers that caches send.

use sfv::{BareItem, List, ListEntry, Parameters, Parser};

use super::flow::Reply;
use crate::protocol::Response;

/// Reads a class from one family of headers; nothing where it does not decide.
type Reader = fn(&Response) -> Option<&'static str>;

/// The families, in their order: the first that decides wins.
const READERS: &[Reader] = &[
    cache_status_field,
    |response| by_word(&last_member(response, "cf-cache-status")?),
    |response| by_word(&last_member(response, "x-cache-status")?),
    |response| by_word(&last_member(response, "x-cache")?),
    |response| by_word(&last_member(response, "x-vercel-cache")?),
    |response| Some(if last_member(response, "x-cache-hits")?.parse::<u64>().ok()? > 0 { "hit" } else { "miss" }),
    |response| Some(if last_member(response, "x-varnish")?.split_whitespace().count() == 2 { "hit" } else { "miss" }),
    // An age of 0 proves nothing: it may be fresh from the origin.
    |response| (last_member(response, "age")?.parse::<u64>().ok()? > 0).then_some("hit"),
    server_timing,
    redis_reply,
];

/// The class by the usual cache headers, in this order: `Cache-Status` (RFC 9211, the member nearest to the
/// user), `CF-Cache-Status`, `X-Cache-Status`, `X-Cache`, `X-Vercel-Cache`, `X-Cache-Hits`, `X-Varnish` with two
/// ids, `Age` above 0, `Server-Timing` with a metric `cache` or `cdn-cache`; of a reply of Redis, whether it is nil. `unknown` where none of them decides.
pub(super) fn cache_status(reply: &Reply) -> &'static str {
    reply.outcome.response.as_ref().map_or("unknown", of_response)
}

pub(super) fn of_response(response: &Response) -> &'static str {
    READERS.iter().find_map(|read| read(response)).unwrap_or("unknown")
}

/// A key that is there is a hit, and one that is not is a miss.
fn redis_reply(response: &Response) -> Option<&'static str> {
    match response.head().strip_prefix(b"REDIS ")?.split(|&byte| byte == b'\r').next()? {
        b"bulk" => Some("hit"),
        b"nil" => Some("miss"),
        _ => None,
    }
}

/// A list runs from the origin to the edge, and a further field of the name goes on with it: its last member is
/// the one nearest to the user. Lower case.
fn last_member(response: &Response, name: &str) -> Option<String> {
    let value = response.fields().filter(|(field, _)| field.eq_ignore_ascii_case(name)).last()?.1;
    let text = String::from_utf8_lossy(value).to_ascii_lowercase();
    let last = text.rsplit(',').next().unwrap_or_default().trim();
    (!last.is_empty()).then(|| last.to_owned())
}

fn cache_status_field(response: &Response) -> Option<&'static str> {
    let values = response.fields().filter(|(field, _)| field.eq_ignore_ascii_case("cache-status"));
    let whole: Vec<&[u8]> = values.map(|(_, value)| value).collect();
    if whole.is_empty() {
        return None;
    }
    by_rfc_9211(&whole.join(&b", "[..]))
}

/// By the parameters of RFC 9211, section 2. What is no valid list is ignored, as RFC 9651 asks.
fn by_rfc_9211(value: &[u8]) -> Option<&'static str> {
    let list: List = Parser::new(value).parse().ok()?;
    let params = match list.last()? {
        ListEntry::Item(item) => &item.params,
        ListEntry::InnerList(inner) => &inner.params,
    };
    let is_set = |name: &str| matches!(params.get(name), Some(BareItem::Boolean(true)));
    let number = |name: &str| match params.get(name) {
        Some(BareItem::Integer(number)) => Some(i64::from(*number)),
        _ => None,
    };
    if is_set("collapsed") {
        return Some("collapsed");
    }
    if is_set("hit") {
        // What is served beyond its freshness says so by a lifetime below zero.
        return Some(if number("ttl").is_some_and(|ttl| ttl < 0) { "stale" } else { "hit" });
    }
    Some(match word(params, "fwd")?.as_str() {
        "bypass" | "method" | "request" => "bypass",
        "stale" if number("fwd-status") == Some(304) => "revalidated",
        _ => "miss",
    })
}

fn word(params: &Parameters, name: &str) -> Option<String> {
    match params.get(name)? {
        BareItem::Token(token) => Some(token.as_str().to_owned()),
        BareItem::String(text) => Some(text.as_str().to_owned()),
        _ => None,
    }
}

/// By what caches call it, in lower case: nginx, Cloudflare, CloudFront, Fastly, Squid, Akamai, Vercel.
fn by_word(value: &str) -> Option<&'static str> {
    // Squid and CloudFront name the host, which may be called anything.
    let value = value.split(" from ").next().unwrap_or_default();
    let words = [
        // Akamai and Squid: a refresh that failed serves what was there, one that found a change is a fetch.
        ("refresh_fail", "stale"),
        ("refresh_miss", "miss"),
        ("refresh_modified", "miss"),
        ("revalidated", "revalidated"),
        ("refresh", "revalidated"),
        ("stale", "stale"),
        ("updating", "stale"),
        ("pass", "bypass"),
        ("dynamic", "bypass"),
        ("uncacheable", "bypass"),
        ("none", "bypass"),
        ("expired", "miss"),
        ("miss", "miss"),
        ("prerender", "hit"),
        ("hit", "hit"),
    ];
    words.into_iter().find(|(word, _)| value.contains(word)).map(|(_, class)| class)
}

/// `cache;desc=hit`, `cdn-cache; desc=MISS`, or CloudFront's `cdn-cache-hit`.
fn server_timing(response: &Response) -> Option<&'static str> {
    let values = response.fields().filter(|(field, _)| field.eq_ignore_ascii_case("server-timing"));
    let text: Vec<String> = values.map(|(_, value)| String::from_utf8_lossy(value).to_ascii_lowercase()).collect();
    // The last is the one nearest to the user.
    text.iter().flat_map(|line| line.split(',')).rev().find_map(|metric| {
        let mut parts = metric.split(';').map(str::trim);
        let name = parts.next()?;
        match name.strip_prefix("cdn-cache-") {
            Some(word) => by_word(word),
            None if matches!(name, "cache" | "cdn-cache") => {
                let desc = parts.find_map(|part| part.strip_prefix("desc=").map(|desc| desc.trim_matches('"')))?;
                by_word(desc)
            }
            None => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(fields: &str) -> &'static str {
        let head = format!("HTTP/1.1 200 OK\r\n{}\r\n\r\n", fields.replace('\n', "\r\n"));
        of_response(&Response::detached(head.clone().into_bytes(), head.len()))
    }

    #[test]
    fn each_family_of_headers_is_read() {
        for (fields, expected) in [
            // RFC 9211: the member nearest to the user is the last.
            ("Cache-Status: origin; fwd=uri-miss, edge; hit", "hit"),
            ("Cache-Status: origin; hit\nCache-Status: edge; fwd=vary-miss; stored", "miss"),
            ("Cache-Status: lab; hit; ttl=30", "hit"),
            ("Cache-Status: lab; hit; ttl=-3", "stale"),
            ("Cache-Status: lab; fwd=uri-miss; stored", "miss"),
            ("Cache-Status: \"a, b\"; hit; detail=\"x; fwd=miss\"", "hit"),
            ("Cache-Status: lab; fwd=uri-miss; collapsed", "collapsed"),
            ("Cache-Status: lab; fwd=uri-miss; collapsed=?0", "miss"),
            ("Cache-Status: lab; fwd=stale; fwd-status=304", "revalidated"),
            ("Cache-Status: lab; fwd=stale; fwd-status=200; stored", "miss"),
            ("Cache-Status: lab; fwd=partial", "miss"),
            ("Cache-Status: lab; fwd=bypass", "bypass"),
            ("Cache-Status: lab; fwd=method", "bypass"),
            ("Cache-Status: lab; fwd=request", "bypass"),
            ("Cache-Status: lab", "unknown"),
            ("Cache-Status: ;;; no list\nX-Cache: HIT", "hit"),
            // Cloudflare.
            ("CF-Cache-Status: HIT", "hit"),
            ("CF-Cache-Status: EXPIRED", "miss"),
            ("CF-Cache-Status: REVALIDATED", "revalidated"),
            ("CF-Cache-Status: UPDATING", "stale"),
            ("CF-Cache-Status: DYNAMIC", "bypass"),
            ("CF-Cache-Status: NONE/UNKNOWN", "bypass"),
            // nginx, as it is usually exposed.
            ("X-Cache-Status: MISS", "miss"),
            ("X-Cache-Status: BYPASS", "bypass"),
            ("X-Cache-Status: STALE", "stale"),
            ("X-Cache-Status: EXPIRED", "miss"),
            // X-Cache of Fastly, CloudFront, Squid, Akamai.
            ("X-Cache: MISS, HIT", "hit"),
            ("X-Cache: HIT, MISS", "miss"),
            ("X-Cache: Hit from cloudfront", "hit"),
            ("X-Cache: RefreshHit from cloudfront", "revalidated"),
            ("X-Cache: MISS from hit.example", "miss"),
            ("X-Cache: TCP_MEM_HIT from a23", "hit"),
            ("X-Cache: TCP_REFRESH_HIT", "revalidated"),
            ("X-Cache: TCP_REFRESH_MISS", "miss"),
            ("X-Cache: TCP_REFRESH_FAIL_HIT", "stale"),
            ("X-Cache: Error from cloudfront", "unknown"),
            ("X-Vercel-Cache: PRERENDER", "hit"),
            ("X-Cache-Hits: 0, 3", "hit"),
            ("X-Cache-Hits: 3, 0", "miss"),
            ("X-Varnish: 32770 5", "hit"),
            ("X-Varnish: 32770", "miss"),
            ("Age: 12", "hit"),
            ("Age: 0", "unknown"),
            ("Age: soon", "unknown"),
            ("Server-Timing: db;dur=3, cache;desc=\"Hit\"", "hit"),
            ("Server-Timing: cdn-cache; desc=MISS", "miss"),
            ("Server-Timing: cdn-upstream-layer;desc=\"EDGE\", cdn-cache-miss", "miss"),
            ("Server-Timing: db;dur=3", "unknown"),
            ("Content-Type: text/plain", "unknown"),
        ] {
            assert_eq!(class(fields), expected, "{fields}");
        }
    }

    #[test]
    fn a_reply_of_redis_is_a_hit_unless_it_is_nil() {
        for (head, expected) in [("REDIS bulk", "hit"), ("REDIS nil", "miss"), ("REDIS integer", "unknown")] {
            let head = format!("{head}\r\n\r\n");
            assert_eq!(of_response(&Response::detached(head.clone().into_bytes(), head.len())), expected, "{head}");
        }
    }

    #[test]
    fn the_first_family_that_decides_wins() {
        let all = [
            ("Cache-Status: a; fwd=bypass", "bypass"),
            ("CF-Cache-Status: STALE", "stale"),
            ("X-Cache-Status: REVALIDATED", "revalidated"),
            ("X-Cache: MISS", "miss"),
            ("X-Cache-Hits: 1", "hit"),
            ("X-Varnish: 7", "miss"),
            ("Age: 5", "hit"),
        ];
        for from in 0..all.len() {
            // Whatever their order in the response.
            let fields: Vec<&str> = all[from..].iter().rev().map(|(field, _)| *field).collect();
            assert_eq!(class(&fields.join("\n")), all[from].1, "{fields:?}");
        }
    }
}
