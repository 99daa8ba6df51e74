//! Looking at things beside the traffic: what processes use, a number in an answer, and what others count (a Redis
//! server, Prometheus, a JSON document).
//!
//! These requests are the control plane. They are in no figure, do not share connections with the load, and go
//! through a client of their own that follows no redirect, tries nothing twice and uses no proxy. They may go where
//! the traffic may: the same guard looks at each address.

mod control;
mod exposition;
mod probe;
mod redis;
mod sampler;
#[cfg(target_os = "linux")]
mod usage;
#[cfg(not(target_os = "linux"))]
#[path = "usage_elsewhere.rs"]
mod usage;

use std::time::Duration;

pub use control::Control;
pub use sampler::{News, Sampler};

use crate::plan::Meter;

/// How long a reading may take.
const PATIENCE: Duration = Duration::from_secs(3);
/// An answer larger than this is not read.
const ANSWER_MAX: usize = 8 << 20;

impl Control {
    /// The figures of a meter, in its order. `base` is what a path without a host belongs to.
    ///
    /// # Errors
    /// Why there are none, for people: fits after "failed to read …: ".
    pub async fn read(&self, meter: &Meter, base: Option<&url::Url>) -> Result<Vec<f64>, String> {
        let figures = async {
            match meter {
                Meter::Redis { address } => redis::keyspace(self, address).await,
                Meter::Prometheus { url, queries } => {
                    let url = address(url, base)?;
                    if exposition::is_server(&url) {
                        let mut figures = Vec::new();
                        for query in queries {
                            figures.push(exposition::query_server(self, &url, query).await?);
                        }
                        return Ok(figures);
                    }
                    let page = self.get(url).await?;
                    let page = String::from_utf8_lossy(&page);
                    queries.iter().map(|query| exposition::sum(&page, query)).collect()
                }
                Meter::Json { url, paths } => {
                    let answer = self.get(address(url, base)?).await?;
                    let document: serde_json::Value =
                        serde_json::from_slice(&answer).map_err(|error| format!("the answer is no JSON: {error}"))?;
                    paths.iter().map(|path| number_at(&document, path)).collect()
                }
            }
        };
        tokio::time::timeout(PATIENCE, figures)
            .await
            .map_err(|_| format!("no answer within {} s", PATIENCE.as_secs()))?
    }
}

fn address(text: &str, base: Option<&url::Url>) -> Result<url::Url, String> {
    let url = match base {
        Some(base) if text.starts_with('/') => base.join(text),
        _ => url::Url::parse(text),
    };
    url.map_err(|error| format!("`{text}` is no address: {error}"))
}

/// The one number at a JSONPath; a path without `$` starts at the document.
fn number_at(document: &serde_json::Value, path: &str) -> Result<f64, String> {
    let whole = if path.starts_with('$') { path.to_owned() } else { format!("$.{path}") };
    let parsed =
        serde_json_path::JsonPath::parse(&whole).map_err(|error| format!("`{path}` is no JSONPath: {error}"))?;
    let found = parsed.query(document).all();
    let [value] = found.as_slice() else {
        return Err(format!("there are {} values at `{path}`, not one", found.len()));
    };
    let number = value.as_f64().or_else(|| value.as_str().and_then(|text| text.trim().parse().ok()));
    number.ok_or_else(|| format!("what is at `{path}` is no number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_found_by_its_path() {
        let document = serde_json::json!({ "cache": { "hits": 7, "text": "12.5", "list": [1, 2] } });
        assert_eq!(number_at(&document, "cache.hits"), Ok(7.0));
        assert_eq!(number_at(&document, "$.cache.text"), Ok(12.5));
        for (path, why) in [
            ("cache.misses", "0 values"),
            ("$.cache.list[*]", "2 values"),
            ("cache.list", "no number"),
            ("$..[", "no JSONPath"),
        ] {
            assert!(number_at(&document, path).is_err_and(|error| error.contains(why)), "{path}");
        }
    }

    #[test]
    fn a_path_is_of_the_target() {
        let base = url::Url::parse("http://127.0.0.1:8080/api").ok();
        assert_eq!(address("/stats", base.as_ref()).map(String::from), Ok("http://127.0.0.1:8080/stats".to_owned()));
        assert!(address("/stats", None).is_err());
    }
}
