//! How a target's requests go over the wire.

use super::{
    Word,
    target::{builder, edit},
};
use crate::{http::Proxy, script::call::Call};

/// Browsers give up after 20; more is no redirect but a walk.
const REDIRECTS_MAX: i64 = 50;
/// More connections than this are a slip of the finger.
const CONNECTIONS_MAX: i64 = 1_000_000;

pub(super) const WORDS: &[Word] = &[
    builder(
        "redirects",
        "n: int",
        "`.redirects(5)`",
        "Follows so many redirects; 0 unless given.",
        |call, this, args| {
            if let Some(n) = number(call, &args[0], 0, REDIRECTS_MAX) {
                edit(call, &this, |target| target.redirects = n as u32);
            }
            this
        },
    ),
    builder("compressed", "", "`.compressed()`", "Asks for compressed responses.", |call, this, _| {
        edit(call, &this, |target| target.compressed = true);
        this
    }),
    builder(
        "proxy",
        "url: string",
        "`.proxy(\"http://127.0.0.1:3128\")`",
        "What requests go through: `http://`, `socks5://` or `socks5h://`.",
        |call, this, args| {
            if let Some(url) = call.fixed_text(&args[0]) {
                match Proxy::parse(&url) {
                    Ok(proxy) => edit(call, &this, |target| target.proxy = Some(proxy)),
                    Err(why) => call.wrong(
                        format!("the address is not a proxy's: {why}"),
                        "write `.proxy(\"http://127.0.0.1:3128\")` or `.proxy(\"socks5://127.0.0.1:1080\")`",
                    ),
                }
            }
            this
        },
    ),
    builder(
        "connections",
        "n: int",
        "`.connections(20)`",
        "So many connections in all, which the virtual users share.",
        |call, this, args| {
            if let Some(n) = number(call, &args[0], 1, CONNECTIONS_MAX) {
                edit(call, &this, |target| target.connections = Some(n));
            }
            this
        },
    ),
];

/// A whole number within bounds.
fn number(call: &Call<'_>, value: &rhai::Dynamic, least: i64, most: i64) -> Option<u64> {
    match value.as_int() {
        Ok(n) if (least..=most).contains(&n) => Some(n as u64),
        Ok(n) => {
            let message = format!("`{}` takes a number from {least} to {most}, not {n}", call.word.name);
            call.wrong(message, format!("write {}", call.word.usage));
            None
        }
        Err(_) => call.mismatch("a whole number", value),
    }
}
