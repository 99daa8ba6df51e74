//! A number in the answer to a request, asked for beside the traffic.

use std::time::Duration;

use regex::Regex;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json_path::JsonPath;

use super::{Control, exposition};
use crate::plan::{Number, Probe, Source};

/// A probe, ready to be sent.
pub(super) struct Prepared {
    method: reqwest::Method,
    url: url::Url,
    headers: HeaderMap,
    finder: Finder,
}

enum Finder {
    Json(JsonPath),
    Header(HeaderName),
    Regex(Regex, Option<String>),
    Metric(String),
}

impl Prepared {
    /// A probe of a target: its address, and the fields that all its requests have.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub(super) fn new(probe: &Probe, base: &url::Url, fields: &[(String, String)]) -> Result<Self, String> {
        let prefix = base.path().trim_end_matches('/');
        let url = base.join(&format!("{prefix}{}", probe.path)).map_err(|error| format!("no address: {error}"))?;
        let mut headers = HeaderMap::new();
        for (name, value) in fields.iter().chain(&probe.headers) {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|error| error.to_string())?;
            headers.insert(name, HeaderValue::from_str(value).map_err(|error| error.to_string())?);
        }
        let finder = match &probe.number {
            Number::At(Source::Json(path)) => Finder::Json(JsonPath::parse(path).map_err(|error| error.to_string())?),
            Number::At(Source::Header(name)) => {
                Finder::Header(HeaderName::from_bytes(name.as_bytes()).map_err(|error| error.to_string())?)
            }
            Number::At(Source::Regex { pattern, group }) => {
                Finder::Regex(Regex::new(pattern).map_err(|error| error.to_string())?, group.clone())
            }
            Number::At(Source::Css { .. }) => return Err("a probe reads no page".to_owned()),
            Number::Metric(name) => Finder::Metric(name.clone()),
        };
        let method = reqwest::Method::from_bytes(probe.method.as_bytes()).map_err(|error| error.to_string())?;
        Ok(Self { method, url, headers, finder })
    }

    /// Asks, and finds the number.
    ///
    /// # Errors
    /// Why there is none, for people.
    pub(super) async fn ask(&self, control: &Control, patience: Duration) -> Result<f64, String> {
        let answer = control.exchange(self.method.clone(), self.url.clone(), self.headers.clone());
        let (headers, body) =
            tokio::time::timeout(patience, answer).await.map_err(|_| "no answer in time".to_owned())??;
        self.finder.find(&headers, &body)
    }
}

impl Finder {
    fn find(&self, headers: &HeaderMap, body: &[u8]) -> Result<f64, String> {
        match self {
            Self::Json(path) => {
                let document: serde_json::Value =
                    serde_json::from_slice(body).map_err(|error| format!("the answer is no JSON: {error}"))?;
                let found = path.query(&document).first().ok_or("there is nothing at that path")?;
                let text = found.as_str().map(ToOwned::to_owned);
                found.as_f64().map_or_else(|| number(&text.unwrap_or_else(|| found.to_string())), Ok)
            }
            Self::Header(name) => {
                let value = headers.get(name).ok_or_else(|| format!("the answer has no field `{name}`"))?;
                number(value.to_str().map_err(|_| "the field is no text".to_owned())?)
            }
            Self::Regex(regex, group) => {
                let text = String::from_utf8_lossy(body);
                let found = regex.captures(&text).ok_or("nothing fits the regular expression")?;
                let part = match group {
                    Some(group) => group.parse::<usize>().map_or_else(|_| found.name(group), |at| found.get(at)),
                    None => found.get(1).or_else(|| found.get(0)),
                };
                number(part.ok_or("the group is not part of what was found")?.as_str())
            }
            Self::Metric(selector) => exposition::sum(&String::from_utf8_lossy(body), selector),
        }
    }
}

/// The number that a text begins with: `12.5`, `12.5 MB`.
fn number(text: &str) -> Result<f64, String> {
    let text = text.trim();
    let end =
        text.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '-' | '+' | 'e' | 'E'))).unwrap_or(text.len());
    let value = text[..end].parse::<f64>().ok().filter(|value| value.is_finite());
    value.ok_or_else(|| format!("{:?} is no number", text.chars().take(40).collect::<String>()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::TargetId;

    fn found(number: Number, fields: &[(&str, &str)], body: &str) -> Result<f64, String> {
        let probe = Probe {
            target: TargetId(0),
            method: "GET".into(),
            path: "/health?deep=1".into(),
            headers: Vec::new(),
            number,
        };
        let base = url::Url::parse("http://h:1/app/").map_err(|error| error.to_string())?;
        let prepared = Prepared::new(&probe, &base, &[])?;
        assert_eq!(prepared.url.as_str(), "http://h:1/app/health?deep=1");
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|error| error.to_string())?;
            headers.insert(name, HeaderValue::from_str(value).map_err(|error| error.to_string())?);
        }
        prepared.finder.find(&headers, body.as_bytes())
    }

    #[test]
    fn a_number_is_found_wherever_it_is() {
        let json = |path: &str| Number::At(Source::Json(path.into()));
        let regex = |pattern: &str| Number::At(Source::Regex { pattern: pattern.into(), group: None });
        let body = r#"{"pool": {"in_use": 7, "text": "8.5 MB", "list": []}}"#;
        assert_eq!(found(json("$.pool.in_use"), &[], body), Ok(7.0));
        assert_eq!(found(json("$.pool.text"), &[], body), Ok(8.5));
        assert_eq!(found(Number::At(Source::Header("x-pool".into())), &[("x-pool", "3")], ""), Ok(3.0));
        assert_eq!(found(regex(r"in use: (\d+)"), &[], "pool in use: 12 of 20"), Ok(12.0));
        assert_eq!(found(Number::Metric("pool{state=\"used\"}".into()), &[], "pool{state=\"used\"} 4\n"), Ok(4.0));
        for (number, body, why) in [
            (json("$.none"), body, "nothing at that path"),
            (json("$.pool.list"), body, "no number"),
            (json("$.a"), "<html>", "no JSON"),
            (regex("x"), "abc", "nothing fits"),
            (Number::Metric("up".into()), "down 1", "no metric `up`"),
            (Number::At(Source::Header("x-pool".into())), "", "no field `x-pool`"),
        ] {
            assert!(found(number, &[], body).is_err_and(|error| error.contains(why)), "{why}");
        }
    }
}
