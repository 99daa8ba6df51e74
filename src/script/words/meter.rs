//! Figures that somebody else counts, and where they are read.

use rhai::Dynamic;

use super::{CheckedFn, Form::Call as Written, Receiver::Global, Run, Stages::Plan, Word};
use crate::{plan::Meter, script::call::Call};

/// A meter of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeterHandle(pub Meter);

const fn word(
    name: &'static str,
    takes: &'static str,
    usage: &'static str,
    about: &'static str,
    run: CheckedFn,
) -> Word {
    let run = Run::Checked(run);
    Word { name, on: Global, form: Written, takes, gives: "Meter", usage, about, stages: Plan, run }
}

pub(super) const WORDS: &[Word] = &[
    word(
        "redis_info",
        "address: string",
        "`redis_info(\"127.0.0.1:6379\")`",
        "What a Redis server counts itself: hits and misses of its keys, by `INFO`.",
        |call, _, args| {
            let Some(address) = call.fixed_text(&args[0]) else { return Dynamic::UNIT };
            if address.trim().is_empty() || address.starts_with("http") {
                call.wrong(
                    format!("{address:?} is no address of a Redis server"),
                    format!("write {}", call.word.usage),
                );
            }
            Dynamic::from(MeterHandle(Meter::Redis { address }))
        },
    ),
    word(
        "prometheus",
        "url: string, query: string, further?: string",
        "`prometheus(\"http://127.0.0.1:9100/metrics\", \"cache_hits_total\", \"cache_misses_total\")`",
        "Figures of Prometheus: queries of its server, or metrics of a page such as `/metrics`.",
        |call, _, args| {
            let Some(url) = address(call, &args[0]) else { return Dynamic::UNIT };
            let queries = args[1..].iter().filter_map(|query| call.fixed_text(query)).collect();
            Dynamic::from(MeterHandle(Meter::Prometheus { url, queries }))
        },
    ),
    word(
        "endpoint",
        "url: string, path: string, further?: string",
        "`endpoint(\"/stats\", \"$.cache.hits\", \"$.cache.misses\")`",
        "Figures in a JSON document, by their JSONPaths; a path alone is of the first target.",
        |call, _, args| {
            let Some(url) = address(call, &args[0]) else { return Dynamic::UNIT };
            let paths: Vec<String> = args[1..].iter().filter_map(|path| call.fixed_text(path)).collect();
            for path in &paths {
                let whole = if path.starts_with('$') { path.clone() } else { format!("$.{path}") };
                if let Err(error) = serde_json_path::JsonPath::parse(&whole) {
                    call.wrong(format!("{path:?} is not a JSONPath: {error}"), format!("write {}", call.word.usage));
                }
            }
            Dynamic::from(MeterHandle(Meter::Json { url, paths }))
        },
    ),
];

/// An address of HTTP, or a path of the first target.
fn address(call: &Call<'_>, value: &Dynamic) -> Option<String> {
    let text = call.fixed_text(value)?;
    let is_http = url::Url::parse(&text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    if !is_http && !text.starts_with('/') {
        call.wrong(
            format!("{text:?} is no address of HTTP"),
            "write `http://host:port/path`, or a path of the first target such as `/stats`",
        );
        return None;
    }
    Some(text)
}
