//! Prometheus: what its server answers to a query, and the text that programs expose for it.

use super::Control;

/// Whether an address is that of a server, which answers queries: one without a path, or with that of its queries.
/// Everything else is a page of metrics.
pub(super) fn is_server(url: &url::Url) -> bool {
    matches!(url.path(), "" | "/") || url.path().ends_with("/api/v1/query")
}

/// The sum over what a server finds for a query now.
pub(super) async fn query_server(control: &Control, url: &url::Url, query: &str) -> Result<f64, String> {
    let mut url = url.clone();
    if !url.path().ends_with("/api/v1/query") {
        url.set_path("/api/v1/query");
    }
    url.query_pairs_mut().append_pair("query", query);
    let answer = control.get(url).await?;
    found(&answer, query)
}

/// The sum of an answer's samples: `{"data":{"resultType":"vector","result":[{"value":[time,"1"]},…]}}`, or one scalar.
fn found(answer: &[u8], query: &str) -> Result<f64, String> {
    let answer: serde_json::Value =
        serde_json::from_slice(answer).map_err(|error| format!("the answer is no JSON: {error}"))?;
    let result = &answer["data"]["result"];
    let value = |sample: &serde_json::Value| sample.get(1)?.as_str()?.parse::<f64>().ok();
    let numbers: Option<Vec<f64>> = match (answer["data"]["resultType"].as_str(), result.as_array()) {
        (Some("vector"), Some(samples)) => samples.iter().map(|sample| value(&sample["value"])).collect(),
        (Some("scalar"), Some(_)) => value(result).map(|value| vec![value]),
        _ => None,
    };
    match numbers {
        Some(numbers) if !numbers.is_empty() => finite(numbers.iter().sum(), query),
        Some(_) => Err(format!("there is nothing for `{query}`")),
        None => Err(format!("the answer to `{query}` is no number: ask for an instant vector")),
    }
}

/// The sum over the samples of a page that `selector` fits: a metric's name, with labels it must have. A program tells of a
/// label's value once it has counted something under it: until then it is 0.
///
/// # Errors
/// The selector is none, or the page knows no such metric, or none with such labels.
pub(super) fn sum(page: &str, selector: &str) -> Result<f64, String> {
    let wanted = sample(selector).filter(|wanted| wanted.rest.is_empty());
    let wanted =
        wanted.ok_or_else(|| format!("`{selector}` is no metric: write `name` or `name{{label=\"value\"}}`"))?;
    let fits =
        |line: &Sample<'_>| line.name == wanted.name && wanted.labels.iter().all(|label| line.labels.contains(label));
    let (mut total, mut is_there) = (0.0, false);
    let mut others = Vec::new();
    for line in page.lines().filter(|line| !line.starts_with('#')) {
        let Some(found) = sample(line).filter(|found| found.name == wanted.name) else { continue };
        if !fits(&found) {
            others.push(found);
            continue;
        }
        let value = found.rest.split_whitespace().next().and_then(|value| value.parse::<f64>().ok());
        total += value.ok_or_else(|| format!("a sample of `{selector}` has no value"))?;
        is_there = true;
    }
    if is_there {
        return finite(total, selector);
    }
    let has_labels =
        |other: &Sample<'_>| wanted.labels.iter().all(|(name, _)| other.labels.iter().any(|(known, _)| known == name));
    if others.iter().any(has_labels) || (others.is_empty() && is_declared(page, wanted.name)) {
        return Ok(0.0);
    }
    Err(format!("there is no metric `{selector}`"))
}

/// A page says of what type a metric is though it has no samples yet. OpenMetrics leaves `_total` out there.
fn is_declared(page: &str, metric: &str) -> bool {
    let types = page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_whitespace().next());
    types.into_iter().any(|declared| declared == metric || metric.strip_suffix("_total") == Some(declared))
}

fn finite(value: f64, of: &str) -> Result<f64, String> {
    if value.is_finite() { Ok(value) } else { Err(format!("`{of}` is {value}, which is no count")) }
}

/// A line's metric, its labels, and what follows.
struct Sample<'a> {
    name: &'a str,
    labels: Vec<(&'a str, String)>,
    rest: &'a str,
}

fn sample(line: &str) -> Option<Sample<'_>> {
    let line = line.trim();
    let end = line.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | ':'))).unwrap_or(line.len());
    let (name, mut rest) = line.split_at(end);
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let mut labels = Vec::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            rest = rest.trim_start_matches([' ', ',']);
            if let Some(after) = rest.strip_prefix('}') {
                rest = after;
                break;
            }
            let (label, after) = rest.split_once('=')?;
            let (value, after) = quoted(after.trim_start())?;
            labels.push((label.trim(), value));
            rest = after;
        }
    }
    Some(Sample { name, labels, rest: rest.trim() })
}

/// A quoted text with the format's three escapes, and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let inside = text.strip_prefix('"')?;
    let (mut value, mut chars) = (String::new(), inside.char_indices());
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &inside[at + 1..])),
            '\\' => match chars.next()?.1 {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            c => value.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# HELP cache_hits_total Hits.\n# TYPE cache_hits_total counter\n\
        cache_hits_total{cache=\"items\",node=\"a\"} 10\ncache_hits_total{ node=\"b\", cache=\"items\", } 5 1700000000\n\
        cache_hits_total{cache=\"pages \\\"x\\\"\"} 1e2\ncache_misses_total 7\nup NaN\n\
        # TYPE lookups_total counter\n# TYPE evictions counter\n";

    #[test]
    fn samples_of_a_page_are_added_up() {
        for (selector, sum_of) in [
            ("cache_hits_total", 115.0),
            ("cache_hits_total{cache=\"items\"}", 15.0),
            ("cache_hits_total{node=\"b\"}", 5.0),
            ("cache_hits_total{cache=\"pages \\\"x\\\"\"}", 100.0),
            ("cache_misses_total", 7.0),
            // Nothing was counted there yet.
            ("cache_hits_total{node=\"c\"}", 0.0),
            ("lookups_total{outcome=\"hit\"}", 0.0),
            ("evictions_total", 0.0),
        ] {
            assert_eq!(sum(PAGE, selector), Ok(sum_of), "{selector}");
        }
        for (selector, why) in [
            ("cache_hits", "no metric"),
            ("cache_hits_total{nod=\"c\"}", "no metric"),
            ("eviction", "no metric"),
            ("rate(x[5m])", "write `name`"),
            ("up", "NaN"),
        ] {
            assert!(sum(PAGE, selector).is_err_and(|error| error.contains(why)), "{selector}");
        }
    }

    #[test]
    fn answers_of_a_server_are_added_up() {
        let vector = br#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"2"]},{"metric":{},"value":[1,"3.5"]}]}}"#;
        assert_eq!(found(vector, "x"), Ok(5.5));
        let scalar = br#"{"data":{"resultType":"scalar","result":[1,"4"]}}"#;
        assert_eq!(found(scalar, "x"), Ok(4.0));
        for answer in [
            &br#"{"data":{"resultType":"vector","result":[]}}"#[..],
            br#"{"data":{"resultType":"matrix","result":[{"values":[]}]}}"#,
            br#"{"status":"error"}"#,
            b"<html>",
        ] {
            assert!(found(answer, "x").is_err());
        }
    }

    #[test]
    fn an_address_without_a_path_is_a_server() {
        for (url, server) in [
            ("http://h:9090", true),
            ("http://h:9090/", true),
            ("http://h/prometheus/api/v1/query", true),
            ("http://h:9100/metrics", false),
        ] {
            assert_eq!(is_server(&url::Url::parse(url).expect(url)), server, "{url}");
        }
    }
}
