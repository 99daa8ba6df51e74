//! Values out of a response: by JSONPath, CSS selector, regular expression or header. Nothing is parsed unless
//! asked for; what is made of a body is kept with its response, what is compiled is kept for the worker.

use std::{
    cell::{OnceCell, RefCell},
    num::NonZeroUsize,
    rc::Rc,
};

use lru::LruCache;
use regex::bytes::{Captures, Regex, RegexBuilder};
use rhai::Dynamic;
use scraper::{Html, Selector};
use serde_json::Value;
use serde_json_path::JsonPath;

use super::json;
use crate::{engine::flow::Reply, plan::Source};

/// Compiled patterns of a kind that a worker keeps; a script that makes them up as it goes loses the oldest.
const KEPT: NonZeroUsize = NonZeroUsize::MIN.saturating_add(255);
/// A longer body is not read as HTML: its tree takes many times its size.
const HTML_BYTES_MAX: usize = 8 << 20;
/// A compiled regular expression may take so much memory.
const REGEX_BYTES_MAX: usize = 2 << 20;

/// A worker's compiled patterns.
#[derive(Debug)]
pub(super) struct Patterns {
    paths: Cache<JsonPath>,
    selectors: Cache<Selector>,
    regexes: Cache<Regex>,
}

#[derive(Debug)]
struct Cache<T>(RefCell<LruCache<Box<str>, Rc<T>>>);

impl<T> Cache<T> {
    fn new() -> Self {
        Self(RefCell::new(LruCache::new(KEPT)))
    }

    fn get(&self, text: &str, compile: impl FnOnce(&str) -> Result<T, String>) -> Result<Rc<T>, String> {
        if let Some(known) = self.0.borrow_mut().get(text) {
            return Ok(known.clone());
        }
        let compiled = Rc::new(compile(text)?);
        self.0.borrow_mut().put(text.into(), compiled.clone());
        Ok(compiled)
    }
}

impl Patterns {
    pub(super) fn new() -> Self {
        Self { paths: Cache::new(), selectors: Cache::new(), regexes: Cache::new() }
    }

    pub(super) fn selector(&self, text: &str) -> Result<Rc<Selector>, String> {
        self.selectors.get(text, compile_selector)
    }
}

fn compile_path(path: &str) -> Result<JsonPath, String> {
    // RFC 9535 wants the root spelt out; people leave it away.
    let rooted = match path.as_bytes().first() {
        Some(b'$') => path.to_owned(),
        Some(b'[' | b'.') => format!("${path}"),
        _ => format!("$.{path}"),
    };
    JsonPath::parse(&rooted).map_err(|error| match json::parse_path(path) {
        // Of names and indices alone we can say more than the grammar.
        Err(message) if !path.contains(['?', '*', ':', ',', '(']) => message,
        _ => format!("`{path}` is not a JSONPath: {error}"),
    })
}

fn compile_selector(selector: &str) -> Result<Selector, String> {
    Selector::parse(selector).map_err(|error| format!("`{selector}` is not a CSS selector: {error}"))
}

fn compile_regex(pattern: &str) -> Result<Regex, String> {
    let compiled = RegexBuilder::new(pattern).size_limit(REGEX_BYTES_MAX).build();
    compiled.map_err(|error| {
        // The library draws the place over several lines; its last line says what is wrong.
        let error = error.to_string();
        let reason = error.lines().last().unwrap_or_default().trim_start_matches("error: ");
        format!("`{pattern}` is not a regular expression: {reason}")
    })
}

/// What is wrong with a place that a template saves from, if anything.
pub(in crate::script) fn mistake(source: &Source) -> Option<String> {
    match source {
        Source::Json(path) => json::parse_path(path).err().and_then(|_| compile_path(path).err()),
        Source::Css { selector, .. } => compile_selector(selector).err(),
        Source::Regex { pattern, group } => {
            compile_regex(pattern).and_then(|regex| knows_group(&regex, group.as_deref())).err()
        }
        Source::Header(_) => None,
    }
}

/// What was made of a response's body so far.
#[derive(Debug, Default)]
struct Parsed {
    html: OnceCell<Html>,
    /// None: it is not JSON.
    json: OnceCell<Option<Value>>,
}

fn parsed(reply: &Reply) -> &Parsed {
    let kept = reply.parsed.get_or_init(|| Box::new(Parsed::default()));
    kept.downcast_ref().expect("only this module puts something there")
}

/// The body as its sender meant it: without transfer and content coding.
///
/// # Errors
/// Its compression cannot be undone.
fn body(reply: &Reply) -> Result<&[u8], String> {
    let content = reply.outcome.response.as_ref().map_or(Ok(&[][..]), |response| response.content());
    content.map_err(|failure| format!("the body cannot be read: {failure}"))
}

/// The body as an HTML page. Text that is no HTML is a page with that text.
pub(super) fn html(reply: &Reply) -> Result<&Html, String> {
    let body = body(reply)?;
    if body.len() > HTML_BYTES_MAX {
        return Err(format!("the body has {} bytes; at most {HTML_BYTES_MAX} are read as HTML", body.len()));
    }
    Ok(parsed(reply).html.get_or_init(|| Html::parse_document(&String::from_utf8_lossy(body))))
}

/// Why a path gave nothing.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Miss {
    /// It is not a path, or the body cannot be read.
    Because(String),
    /// The body is not JSON.
    NotJson,
}

/// The first value at a path, if there is one. Names and indices alone are found without the tree.
pub(super) fn json_first(reply: &Reply, patterns: &Patterns, path: &str) -> Result<Option<Dynamic>, Miss> {
    let body = body(reply).map_err(Miss::Because)?;
    if let Ok(parts) = json::parse_path(path) {
        return match json::find(body, &parts) {
            Some(raw) => json::to_dynamic(raw).map(Some).map_err(|_| Miss::NotJson),
            // Not there, or no JSON at all: only the slow way tells.
            None if serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok() => Ok(None),
            None => Err(Miss::NotJson),
        };
    }
    let path = patterns.paths.get(path, compile_path).map_err(Miss::Because)?;
    let tree = tree(reply)?;
    path.query(tree).first().map(dynamic).transpose()
}

/// All values at a path.
pub(super) fn json_all(reply: &Reply, patterns: &Patterns, path: &str) -> Result<Vec<Dynamic>, Miss> {
    let spelt = json::parse_path(path).map(|parts| json::spell(&parts));
    let path = patterns.paths.get(spelt.as_deref().unwrap_or(path), compile_path).map_err(Miss::Because)?;
    let tree = tree(reply)?;
    path.query(tree).iter().map(|value| dynamic(value)).collect()
}

fn tree(reply: &Reply) -> Result<&Value, Miss> {
    let body = body(reply).map_err(Miss::Because)?;
    let tree = parsed(reply).json.get_or_init(|| serde_json::from_slice(body).ok());
    tree.as_ref().ok_or(Miss::NotJson)
}

fn dynamic(value: &Value) -> Result<Dynamic, Miss> {
    rhai::serde::to_dynamic(value).map_err(|_| Miss::NotJson)
}

fn knows_group(regex: &Regex, group: Option<&str>) -> Result<(), String> {
    let known = match group {
        None => true,
        Some(group) => match group.parse::<usize>() {
            Ok(number) => number < regex.captures_len(),
            Err(_) => regex.capture_names().flatten().any(|name| name == group),
        },
    };
    if known { Ok(()) } else { Err(format!("`{regex}` has no group `{}`", group.unwrap_or_default())) }
}

/// The named or numbered group; else the first that took part, or the whole match of a pattern without groups.
fn pick(captures: &Captures<'_>, group: Option<&str>) -> Option<String> {
    let found = match group {
        None if captures.len() == 1 => captures.get(0),
        None => captures.iter().skip(1).flatten().next(),
        Some(group) => match group.parse::<usize>() {
            Ok(number) => captures.get(number),
            Err(_) => captures.name(group),
        },
    };
    found.map(|found| String::from_utf8_lossy(found.as_bytes()).into_owned())
}

/// What a pattern finds in the body, at most `most` times.
///
/// # Errors
/// It is not a pattern, or has no such group.
pub(super) fn regex(
    reply: &Reply,
    patterns: &Patterns,
    pattern: &str,
    group: Option<&str>,
    most: usize,
) -> Result<Vec<String>, String> {
    let regex = patterns.regexes.get(pattern, compile_regex)?;
    knows_group(&regex, group)?;
    let matches = regex.captures_iter(body(reply)?);
    Ok(matches.filter_map(|captures| pick(&captures, group)).take(most).collect())
}

/// The value that a template saves, if the response has it. Null is none.
///
/// # Errors
/// The body is longer than what is read as HTML.
pub(super) fn value(reply: &Reply, patterns: &Patterns, source: &Source) -> Result<Option<Dynamic>, String> {
    let found = match source {
        Source::Json(path) => match json_first(reply, patterns, path) {
            Ok(found) => found,
            Err(Miss::NotJson) => None,
            Err(Miss::Because(message)) => return Err(message),
        },
        Source::Css { selector, attribute } => {
            let selector = patterns.selector(selector)?;
            let element = html(reply)?.select(&selector).next();
            element.and_then(|element| match attribute {
                Some(name) => element.attr(name).map(|value| value.into()),
                None => Some(super::element::text(element).into()),
            })
        }
        Source::Regex { pattern, group } => {
            regex(reply, patterns, pattern, group.as_deref(), 1)?.pop().map(Dynamic::from)
        }
        Source::Header(name) => {
            let field = reply.outcome.response.as_ref().and_then(|response| response.field(name));
            field.map(|value| String::from_utf8_lossy(value).into_owned().into())
        }
    };
    Ok(found.filter(|value| !value.is_unit()))
}
