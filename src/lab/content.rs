//! Answers of every kind of content: statuses, sizes, redirects, cookies, compression, slow bodies, and a leak.

use std::{collections::BTreeMap, io::Write, sync::Mutex};

use axum::{
    Json,
    body::{Body, Bytes},
    extract::{Path, RawQuery, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{AppendHeaders, IntoResponse, Response},
    routing::{any, get},
};
use flate2::{Compression, write::GzEncoder};
use futures_util::stream;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    error::{LabError, Millis, Params},
    routes::Endpoint,
    state::{Shared, lock},
};
use crate::clock::format_size;

/// The largest body of `/lab/bytes`.
const BYTES_MAX: u64 = 1 << 30;
/// The largest body of `/lab/gzip` before compression, and of `/lab/drip`.
const EXPANDED_MAX: usize = 64 << 20;
/// The largest body that `/lab/echo` reads.
const ECHO_MAX: usize = 1 << 20;
/// What `/lab/leak` may hold in all.
const LEAK_MAX: usize = 1 << 30;
/// It is held in blocks of so many bytes: one for each request would be rounded up to what the allocator likes, and more
/// would be leaked than was asked for.
const LEAK_BLOCK: usize = 1 << 20;
/// Pieces that `/lab/drip` sends at most.
const DRIPS_MAX: usize = 1_000;

/// What `/lab/bytes` sends, over and over.
static FILLER: [u8; 64 << 10] = [b'x'; 64 << 10];

pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        methods: "any",
        path: "/lab/status/{code}",
        example: "/lab/status/418",
        doc: "answers with the status, from 200 to 599",
        route: || any(status),
    },
    Endpoint {
        methods: "GET",
        path: "/lab/bytes/{n}",
        example: "/lab/bytes/100000",
        doc: "a body of n bytes, at most 1 GiB",
        route: || get(bytes),
    },
    Endpoint {
        methods: "any",
        path: "/lab/echo",
        example: "/lab/echo?a=1",
        doc: "the request as JSON: method, path, query, headers, body",
        route: || any(echo),
    },
    Endpoint {
        methods: "GET",
        path: "/lab/redirect/{n}",
        example: "/lab/redirect/1",
        doc: "n redirects (302) in a row, then 200",
        route: || get(redirect),
    },
    Endpoint {
        methods: "GET",
        path: "/lab/cookies/set",
        example: "/lab/cookies/set?k=v",
        doc: "sets each query parameter as a cookie",
        route: || get(set_cookies),
    },
    Endpoint {
        methods: "GET",
        path: "/lab/cookies",
        example: "/lab/cookies",
        doc: "the cookies of the request as JSON",
        route: || get(cookies),
    },
    Endpoint {
        methods: "GET",
        path: "/lab/gzip",
        example: "/lab/gzip?bytes=1000",
        doc: "JSON that unpacks to about `bytes` (1000, at most 64 MiB), always compressed",
        route: || get(gzip),
    },
    Endpoint {
        methods: "any",
        path: "/lab/leak",
        example: "/lab/leak?bytes=10",
        doc: "keeps `bytes` (20000) of memory for each request, at most 1 GiB in all, until a reset",
        route: || any(leak),
    },
    Endpoint {
        methods: "GET",
        path: "/lab/drip",
        example: "/lab/drip?bytes=10&ms=2",
        doc: "a body of `bytes` that arrives evenly over `ms`",
        route: || get(drip),
    },
];

async fn status(Path(code): Path<String>) -> Result<Response, LabError> {
    let status = code.parse::<u16>().ok().filter(|code| (200..600).contains(code));
    let status = status
        .and_then(|code| StatusCode::from_u16(code).ok())
        .ok_or_else(|| LabError::bad_request("a status is a number from 200 to 599"))?;
    let mut response = match status {
        // RFC 9110: these three have no content.
        StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED => status.into_response(),
        _ => (status, Json(json!({ "status": status.as_u16() }))).into_response(),
    };
    match status {
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        StatusCode::UNAUTHORIZED => {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        _ if status.is_redirection() && status != StatusCode::NOT_MODIFIED => {
            response.headers_mut().insert(header::LOCATION, HeaderValue::from_static("/health"));
        }
        _ => {}
    }
    Ok(response)
}

async fn bytes(Path(n): Path<String>) -> Result<Response, LabError> {
    let n = n.parse::<u64>().ok().filter(|n| *n <= BYTES_MAX);
    let n = n.ok_or_else(|| LabError::bad_request(format!("a size is a number of bytes up to {BYTES_MAX}")))?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream")),
        (header::CONTENT_LENGTH, n.into()),
    ];
    if n <= FILLER.len() as u64 {
        return Ok((headers, Bytes::from_static(&FILLER[..n as usize])).into_response());
    }
    let pieces = stream::unfold(n, |left| async move {
        let size = left.min(FILLER.len() as u64);
        (size > 0).then(|| (Ok::<_, std::io::Error>(Bytes::from_static(&FILLER[..size as usize])), left - size))
    });
    Ok((headers, Body::from_stream(pieces)).into_response())
}

async fn echo(request: Request) -> Result<Json<Value>, LabError> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, ECHO_MAX).await.map_err(|_| {
        LabError::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", format!("the body has more than {ECHO_MAX} bytes"))
    })?;
    let mut headers: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for (name, value) in &parts.headers {
        headers.entry(name.as_str()).or_default().push(String::from_utf8_lossy(value.as_bytes()));
    }
    let headers: BTreeMap<_, _> = headers.into_iter().map(|(name, values)| (name, values.join(", "))).collect();
    let query: Vec<(String, String)> = parse_query(parts.uri.query());
    Ok(Json(json!({
        "method": parts.method.as_str(),
        "path": parts.uri.path(),
        "query": query.into_iter().collect::<BTreeMap<_, _>>(),
        "version": format!("{:?}", parts.version),
        "headers": headers,
        "body": String::from_utf8_lossy(&body),
        "body_bytes": body.len(),
        "json": serde_json::from_slice::<Value>(&body).unwrap_or(Value::Null),
    })))
}

fn parse_query(query: Option<&str>) -> Vec<(String, String)> {
    url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned().collect()
}

async fn redirect(Path(n): Path<String>) -> Result<Response, LabError> {
    let n = n.parse::<u32>().map_err(|_| LabError::bad_request("a number of redirects is needed"))?;
    Ok(match n.checked_sub(1) {
        Some(left) => (StatusCode::FOUND, [(header::LOCATION, format!("/lab/redirect/{left}"))]).into_response(),
        None => Json(json!({ "status": "arrived" })).into_response(),
    })
}

async fn set_cookies(RawQuery(query): RawQuery) -> Result<Response, LabError> {
    let pairs = parse_query(query.as_deref());
    // RFC 6265: the octets of a cookie's value; its name has no `=` either.
    let is_plain = |text: &str| text.bytes().all(|b| b.is_ascii_graphic() && !b"\",;\\".contains(&b));
    if pairs.iter().any(|(name, value)| name.is_empty() || name.contains('=') || !is_plain(name) || !is_plain(value)) {
        return Err(LabError::bad_request("cookies are visible ASCII without \" , ; \\, and names without ="));
    }
    let set = pairs.iter().map(|(name, value)| (header::SET_COOKIE, format!("{name}={value}; Path=/")));
    let body = Json(json!({ "set": pairs.iter().cloned().collect::<BTreeMap<_, _>>() }));
    Ok((AppendHeaders(set.collect::<Vec<_>>()), body).into_response())
}

async fn cookies(headers: HeaderMap) -> Json<Value> {
    let cookies: BTreeMap<&str, &str> = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .collect();
    Json(json!({ "cookies": cookies }))
}

#[derive(Debug, Deserialize)]
struct GzipQuery {
    bytes: Option<usize>,
}

async fn gzip(Params(query): Params<GzipQuery>) -> Result<Response, LabError> {
    let bytes = query.bytes.unwrap_or(1_000);
    if bytes > EXPANDED_MAX {
        return Err(LabError::bad_request(format!("`bytes` is at most {EXPANDED_MAX}")));
    }
    // The largest takes a tenth of a second: off the threads that serve.
    let packed = tokio::task::spawn_blocking(move || pack(bytes)).await;
    let failed = || LabError::new(StatusCode::INTERNAL_SERVER_ERROR, "gzip", "failed to compress");
    let packed = packed.map_err(|_| failed())?.map_err(|_| failed())?;
    Ok(([(header::CONTENT_TYPE, "application/json"), (header::CONTENT_ENCODING, "gzip")], packed).into_response())
}

/// A body as `Content-Encoding: gzip` has it.
pub(super) fn gzipped(body: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body)?;
    encoder.finish()
}

fn pack(bytes: usize) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(br#"{"gzipped":true,"filler":""#)?;
    let mut left = bytes;
    while left > 0 {
        let size = left.min(FILLER.len());
        encoder.write_all(&FILLER[..size])?;
        left -= size;
    }
    encoder.write_all(br#""}"#)?;
    encoder.finish()
}

/// Memory that is held on purpose, for leak detectors to find.
#[derive(Debug, Default)]
pub(super) struct Leak {
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    blocks: Vec<Vec<u8>>,
    bytes: usize,
}

impl Leak {
    pub(super) fn bytes(&self) -> usize {
        lock(&self.held).bytes
    }

    pub(super) fn reset(&self) {
        *lock(&self.held) = Held::default();
    }

    /// Holds so many bytes more, written to so that they are resident; whether there was room.
    fn grow(&self, bytes: usize) -> bool {
        let mut held = lock(&self.held);
        if bytes > LEAK_MAX - held.bytes {
            return false;
        }
        held.bytes += bytes;
        let mut left = bytes;
        while left > 0 {
            match held.blocks.last_mut() {
                Some(block) if block.len() < LEAK_BLOCK => {
                    let part = left.min(LEAK_BLOCK - block.len());
                    block.resize(block.len() + part, 1);
                    left -= part;
                }
                _ => held.blocks.push(Vec::with_capacity(LEAK_BLOCK)),
            }
        }
        true
    }
}

#[derive(Debug, Deserialize)]
struct LeakQuery {
    bytes: Option<usize>,
}

async fn leak(State(state): State<Shared>, Params(query): Params<LeakQuery>) -> Result<Json<Value>, LabError> {
    if !state.leak.grow(query.bytes.unwrap_or(20_000)) {
        let message = format!("no more than {} are leaked; POST /lab/reset frees them", format_size(LEAK_MAX as u64));
        return Err(LabError::new(StatusCode::INSUFFICIENT_STORAGE, "leak_full", message));
    }
    Ok(Json(json!({ "leaked_bytes": state.leak.bytes() })))
}

#[derive(Debug, Deserialize)]
struct DripQuery {
    bytes: usize,
    ms: Millis,
}

async fn drip(State(state): State<Shared>, Params(query): Params<DripQuery>) -> Result<Response, LabError> {
    let bytes = query.bytes;
    if bytes > EXPANDED_MAX {
        return Err(LabError::bad_request(format!("`bytes` is at most {EXPANDED_MAX}")));
    }
    let (start, length) = (state.now(), query.ms.as_nanos());
    let pieces = bytes.clamp(1, DRIPS_MAX);
    let drips = stream::unfold((state, 0), move |(state, piece)| async move {
        if piece == pieces {
            return None;
        }
        // Piece i of n ends at byte i·bytes/n and is due at i·length/n: multiplied first, so that nothing is lost.
        let size = bytes * (piece + 1) / pieces - bytes * piece / pieces;
        state.sleep_until(start + length * (piece as u64 + 1) / pieces as u64).await;
        let chunk = if size <= FILLER.len() { Bytes::from_static(&FILLER[..size]) } else { vec![b'x'; size].into() };
        Some((Ok::<_, std::io::Error>(chunk), (state, piece + 1)))
    });
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream")),
        (header::CONTENT_LENGTH, bytes.into()),
    ];
    Ok((headers, Body::from_stream(drips)).into_response())
}
