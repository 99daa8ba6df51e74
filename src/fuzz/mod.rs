//! Fuzzing: what is fed arbitrary bytes, and what must hold then. Not part of the program.
//!
//! [`TARGETS`] is the table. A target is a function that panics where something is wrong; it stands with what it
//! needs to see. They are driven twice: by `cargo test`, on the seeds in `tests/data/fuzz` and a few thousand inputs
//! derived from them (`tests`), and for as long as one likes by `tests/fuzz/run`, guided by coverage. An input that
//! once broke a target goes into its seeds.

mod content;
mod quantities;
mod request;

#[cfg(test)]
mod mutate;
#[cfg(test)]
mod tests;

use crate::{engine, http, results, script};

/// Something that takes arbitrary bytes.
#[derive(Debug)]
pub struct Target {
    /// Its name, and that of the folder of its seeds.
    pub name: &'static str,
    /// Panics if something does not hold.
    pub run: fn(&[u8]),
    /// What its inputs are made of.
    pub words: &'static [&'static str],
    /// Inputs that a short run tries; fewer where one takes long.
    pub inputs: u32,
}

const HEAD: &[&str] = &[
    "HTTP/1.1 200 OK\r\n",
    "HTTP/1.0 ",
    "HTTP/1.1 100 Continue\r\n\r\n",
    "204",
    "304",
    "101",
    "\r\n",
    "\r\n\r\n",
    "\n",
    "Content-Length: ",
    "Transfer-Encoding: chunked\r\n",
    "identity",
    "Connection: close\r\n",
    "keep-alive",
    "Set-Cookie: a=b\r\n",
    "0\r\n\r\n",
    "5\r\nhello\r\n",
    ";x=\"y\"",
    ", ",
    "18446744073709551615",
    "2000",
    "2001",
];

const COOKIE: &[&str] = &[
    "a=b",
    "; ",
    "Path=/a",
    "Domain=.shop.test",
    "Domain=test",
    "Secure",
    "HttpOnly",
    "Max-Age=",
    "Expires=Thu, 01 Jan 1970 00:00:00 GMT",
    "SameSite=Lax",
    "\n",
    "=",
    "\"",
    "%3B",
    "9223372036854775807",
];

const CACHE: &[&str] = &[
    "Cache-Status: ",
    "X-Cache: ",
    "CF-Cache-Status: ",
    "X-Cache-Status: ",
    "X-Cache-Hits: ",
    "X-Varnish: ",
    "X-Vercel-Cache: ",
    "Server-Timing: ",
    "Age: ",
    "\n",
    "edge; hit",
    "; fwd=stale",
    "; fwd-status=304",
    "; ttl=-1",
    "; collapsed",
    "=?0",
    "cdn-cache-hit",
    ";desc=",
    "HIT",
    "MISS from ",
    "TCP_REFRESH_FAIL",
    ", ",
    "(a b)",
];

const EVENTS: &[&str] = &[
    "data: a\n\n",
    "data",
    "event: b\n",
    "id: 1\n",
    "retry: 250\n",
    ": ",
    "\r\n",
    "\r",
    "\n",
    "\0",
    "\u{feff}",
    "  ",
    "é",
    "0123456789abcdefghijklmnopqrstuvwxyz",
];

const FRAME: &[&str] = &[
    // HEADERS that end the stream, with `:status: 200`.
    "\x01\x05\x01\x01\u{8}",
    // DATA that ends it, GOAWAY, RST_STREAM, WINDOW_UPDATE, PING, CONTINUATION.
    "\x00\x01\x01\x05hello",
    "\x07\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00\x00",
    "\x03\x00\x01\x04\x00\x00\x00\x07",
    "\x08\x00\x00\x04\x00\x00\x00\x01",
    "\x06\x00\x00\x08pingpong",
    "\x09\x04\x01\x00",
    "\x04\x00\x00\x06\x00\x04\x7f\x7f\x7f\x7f",
    "content-length",
    "set-cookie",
    "HTTP/1.1 200 OK\r\n",
    "Content-Length: 5\r\n",
    "\r\n\r\n",
];

const JSON: &[&str] = &[
    "{\"a\":",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\\"",
    "\\u00e9",
    "\\",
    "null",
    "true",
    "-1.5e3",
    "1e999",
    "\n",
    "$",
    "..a",
    "a.b",
    "[0]",
    "[-1]",
    "[\"a b\"]",
    " ",
    "\u{feff}",
    "é",
    "18446744073709551616",
];

const CSV: &[&str] = &[
    "a,b\n",
    ",",
    ";",
    "\t",
    "|",
    "\"",
    "\"\"",
    "'",
    "\r\n",
    "\n",
    "#",
    "\u{feff}",
    " ",
    "é",
    "{\"a\":1}\n",
    "[{\"a\":null}]",
];

const URL: &[&str] = &[
    "http://",
    "https://[::1]:8443/",
    "//host/",
    "socks5h://",
    "user:pass@",
    "127.0.0.1",
    ":99999",
    "/../",
    "?",
    "#",
    "%0d%0a",
    "%00",
    "\0",
    "\r\n",
    "é",
    "x-own",
    "GET",
    "javascript:",
    "\\",
    "\"",
    "{}",
];

const UNIT: &[&str] = &[
    "1",
    "0",
    ".",
    "_",
    "ns",
    "us",
    "µs",
    "ms",
    "s",
    "m",
    "min",
    "h",
    "d",
    "/",
    "/s",
    "/300s",
    "kB",
    "GiB",
    "%",
    "<",
    ">=",
    "== ",
    "x",
    " ",
    "-",
    "e9",
    "9999999999999999999999999999",
    "18446744073709551616",
];

const SCRIPT: &[&str] = &[
    "target(\"http://127.0.0.1:1\");\n",
    "phase(\"p\")",
    ".run(get(\"/a\"))",
    ".users(1)",
    ".rate(1.per_second)",
    ".during(1.s)",
    "mix([[1, get(\"/\")]])",
    "flow(\"f\", |vu| { vu.get(\"/\"); })",
    "slo(\"s\", #{ p95: \"< 1ms\" });\n",
    "let x = ",
    "zipf(10, 0.99)",
    "int(1, 2)",
    "list([1, 2]).next()",
    "`/${x}`",
    "env(\"A\", \"b\")",
    "import \"std/cache\" as cache;\n",
    "cache::experiment(\"e\", #{});\n",
    "loop { ",
    "fn f(a) { f(a) } f(1);\n",
    " }",
    "(",
    ")",
    "[",
    "]",
    ";",
    ".",
    "9223372036854775807",
    "-1",
    "1.0",
    "()",
    "\"",
    "//",
];

const RUN_FILE: &[&str] = &[
    "{\"phase\":{\"second\":0,\"phase\":0,",
    "{\"series\":{\"second\":0,\"phase\":0,\"kind\":\"request\",\"name\":\"a\",",
    "{\"tick\":{\"second\":0,",
    "{\"end\":{",
    "\"response\":{\"count\":1,\"min\":1,\"max\":1,\"sum\":1,\"histogram\":\"",
    "\"offered\":",
    "\"failures\":{\"timeout\":",
    "\"}",
    "}}\n",
    "\n",
    "\n\n",
    "18446744073709551615",
    "-1",
    "1e308",
    "null",
    "[]",
    "\x1f\u{8}\x08\x04",
];

/// All targets.
pub const TARGETS: &[Target] = &[
    Target { name: "response", run: http::fuzz::response, words: HEAD, inputs: 3_000 },
    Target { name: "rendered", run: http::fuzz::rendered, words: HEAD, inputs: 3_000 },
    Target { name: "chunked", run: http::fuzz::chunked, words: HEAD, inputs: 5_000 },
    Target { name: "cookies", run: http::fuzz::cookies, words: COOKIE, inputs: 1_000 },
    Target { name: "exchange", run: http::fuzz::exchange, words: FRAME, inputs: 1_000 },
    Target { name: "events", run: http::fuzz::events, words: EVENTS, inputs: 5_000 },
    Target { name: "content", run: content::content, words: &["gzip", "\x1f\u{8}\x08"], inputs: 2_000 },
    Target { name: "cache-class", run: engine::fuzz::cache_class, words: CACHE, inputs: 5_000 },
    Target { name: "location", run: engine::fuzz::location, words: URL, inputs: 3_000 },
    Target { name: "request", run: request::request, words: URL, inputs: 100 },
    Target { name: "proxy", run: request::proxy, words: URL, inputs: 3_000 },
    Target { name: "quantities", run: quantities::quantities, words: UNIT, inputs: 5_000 },
    Target { name: "data", run: script::fuzz::data, words: CSV, inputs: 5_000 },
    Target { name: "json", run: script::fuzz::json, words: JSON, inputs: 5_000 },
    Target { name: "script", run: script::fuzz::script, words: SCRIPT, inputs: 60 },
    Target { name: "run-file", run: results::fuzz::run_file, words: RUN_FILE, inputs: 500 },
];
