//! Classes of responses from the headers that caches send.

use super::flow::Reply;

/// The class by the usual cache headers, in this order: `Cache-Status` (RFC 9211, the member nearest to the
/// user), `CF-Cache-Status`, `X-Cache-Status`, `X-Cache`, `X-Varnish` with two ids, `Age` above 0. `unknown`
/// where none is there.
pub(super) fn cache_status(reply: &Reply) -> &'static str {
    let Some(response) = &reply.response else { return "unknown" };
    let field = |name: &str| response.field(name).map(|value| String::from_utf8_lossy(value).to_ascii_lowercase());
    if let Some(value) = field("cache-status") {
        return by_rfc_9211(&value);
    }
    if let Some(class) = ["cf-cache-status", "x-cache-status", "x-cache"].iter().find_map(|name| field(name)) {
        return by_word(&class);
    }
    if let Some(value) = field("x-varnish") {
        return if value.split_whitespace().count() == 2 { "hit" } else { "miss" };
    }
    match field("age").and_then(|value| value.parse::<u64>().ok()) {
        Some(age) if age > 0 => "hit",
        _ => "unknown",
    }
}

fn by_rfc_9211(value: &str) -> &'static str {
    let last = value.rsplit(',').next().unwrap_or_default();
    let mut parameters = last.split(';').skip(1).map(str::trim);
    let has = |name: &str| last.split(';').skip(1).any(|parameter| parameter.trim() == name);
    if has("collapsed") {
        return "collapsed";
    }
    if has("hit") {
        return "hit";
    }
    match parameters.find_map(|parameter| parameter.strip_prefix("fwd=")) {
        Some("bypass" | "method" | "request") => "bypass",
        Some("stale") => {
            if last.contains("fwd-status=304") {
                "revalidated"
            } else {
                "stale"
            }
        }
        Some(_) => "miss",
        None => "unknown",
    }
}

fn by_word(value: &str) -> &'static str {
    // A list runs from the origin to the edge: the last is nearest to the user.
    let last = value.rsplit(',').next().unwrap_or_default().trim();
    for (word, class) in [
        ("revalidated", "revalidated"),
        ("refresh", "revalidated"),
        ("stale", "stale"),
        ("updating", "stale"),
        ("bypass", "bypass"),
        ("pass", "bypass"),
        ("dynamic", "bypass"),
        ("expired", "miss"),
        ("miss", "miss"),
        ("hit", "hit"),
    ] {
        if last.contains(word) {
            return class;
        }
    }
    "unknown"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_member_nearest_to_the_user_decides() {
        for (value, class) in [
            ("origin; fwd=uri-miss, edge; hit", "hit"),
            ("lab; hit; ttl=30", "hit"),
            ("lab; fwd=uri-miss; stored", "miss"),
            ("lab; fwd=uri-miss; collapsed", "collapsed"),
            ("lab; fwd=stale; fwd-status=304", "revalidated"),
            ("lab; fwd=bypass", "bypass"),
            ("lab", "unknown"),
        ] {
            assert_eq!(by_rfc_9211(value), class, "{value}");
        }
    }

    #[test]
    fn words_of_the_usual_caches_are_known() {
        for (value, class) in [
            ("hit", "hit"),
            ("miss, hit", "hit"),
            ("hit from cloudfront", "hit"),
            ("refreshhit from cloudfront", "revalidated"),
            ("tcp_miss", "miss"),
            ("expired", "miss"),
            ("updating", "stale"),
            ("?", "unknown"),
        ] {
            assert_eq!(by_word(value), class, "{value}");
        }
    }
}
