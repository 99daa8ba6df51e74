//! From templates to bytes on the wire.
//!
//! What does not change from request to request is joined ahead: a template without holes is one buffer, sent
//! as it stands.

mod bare;

use std::sync::Arc;

use super::{
    cookies::CookieScope,
    user::{Field, User},
};
use crate::{
    clock::Nanos,
    plan::{
        Body, Check, Classify, DrawContext, DrawError, Drawers, Escape, Expect, GeneratorId, Part as FormPart,
        PartContent, Piece, Plan, Save, Target, Template, Text,
    },
    protocol::{ACCEPTED_CODINGS, HttpVersion, TargetId},
};

/// A template, ready to be sent many times.
#[derive(Debug)]
pub struct Compiled {
    /// See [`Template::name`].
    pub name: String,
    /// Where it goes.
    pub target: TargetId,
    /// The method is HEAD.
    pub is_head: bool,
    /// Time for the whole request.
    pub timeout: Nanos,
    /// A longer body is an error, in bytes.
    pub body_bytes_max: u64,
    /// What is not an error.
    pub expect: Expect,
    /// Counted on every response.
    pub checks: Vec<Check>,
    /// How responses are labelled.
    pub classify: Option<Classify>,
    /// What is extracted.
    pub saves: Vec<Save>,
    /// Redirects that are followed.
    pub redirects: u32,
    /// See [`crate::protocol::Exchange::version`].
    pub version: Option<HttpVersion>,
    /// The body need not be kept.
    pub discard_body: bool,
    /// The request line, `host`, and the template's own fields, each with its CRLF.
    head: Parts,
    /// The target's fields: name in lower case, and line. A virtual user's own field replaces them.
    defaults: Vec<Field>,
    /// Names of the template's own fields, lower case: no others of that name are sent.
    own: Vec<Box<str>>,
    /// The template's own cookies, `; ` between them.
    cookies: Parts,
    /// Their names: the jar's of that name are not sent.
    cookie_names: Vec<Box<str>>,
    /// Where the user's jar adds to them.
    scope: Option<CookieScope>,
    body: Parts,
    /// The body's length is sent even if it is 0.
    states_length: bool,
    /// The whole request, where it has no holes and the user adds nothing; with the body's offset.
    whole: Option<(Vec<u8>, usize)>,
    /// It is no HTTP: `head` is all there is.
    bare: bool,
}

/// Bytes with holes; neighbouring bytes are joined.
#[derive(Debug, Default)]
struct Parts(Vec<Part>);

#[derive(Debug)]
enum Part {
    Bytes(Vec<u8>),
    /// A file that all workers share.
    Shared(Arc<[u8]>),
    Draw(GeneratorId, Escape),
    /// An argument of a command of Redis, with its length before it.
    Argument(Parts),
}

impl Parts {
    fn bytes(&mut self, bytes: &[u8]) {
        match self.0.last_mut() {
            Some(Part::Bytes(last)) => last.extend_from_slice(bytes),
            _ => self.0.push(Part::Bytes(bytes.to_vec())),
        }
    }

    fn text(&mut self, text: &Text) {
        for piece in &text.0 {
            match piece {
                Piece::Literal(literal) => self.bytes(literal.as_bytes()),
                Piece::Draw(generator, escape) => self.0.push(Part::Draw(*generator, *escape)),
            }
        }
    }

    /// Adds one of a list of cookies.
    fn pair(&mut self, write: impl FnOnce(&mut Self)) {
        if !self.0.is_empty() {
            self.bytes(b"; ");
        }
        write(self);
    }

    fn has_holes(&self) -> bool {
        self.0.iter().any(|part| matches!(part, Part::Draw(..) | Part::Argument(_)))
    }

    fn write(&self, out: &mut Vec<u8>, drawers: &Drawers, context: &mut DrawContext<'_>) -> Result<(), DrawError> {
        for part in &self.0 {
            match part {
                Part::Bytes(bytes) => out.extend_from_slice(bytes),
                Part::Shared(bytes) => out.extend_from_slice(bytes),
                Part::Draw(generator, escape) => drawers.write(*generator, *escape, out, context)?,
                Part::Argument(parts) => bare::write_argument(parts, out, drawers, context)?,
            }
        }
        Ok(())
    }

    /// The only part's bytes, where there are no holes.
    fn literal(&self) -> Option<&[u8]> {
        match self.0.as_slice() {
            [] => Some(&[]),
            [Part::Bytes(bytes)] => Some(bytes),
            [Part::Shared(bytes)] => Some(bytes),
            _ => None,
        }
    }

    /// All bytes, where there are no holes.
    fn joined(&self) -> Option<Vec<u8>> {
        let mut all = Vec::new();
        for part in &self.0 {
            match part {
                Part::Bytes(bytes) => all.extend_from_slice(bytes),
                Part::Shared(bytes) => all.extend_from_slice(bytes),
                Part::Draw(..) | Part::Argument(_) => return None,
            }
        }
        Some(all)
    }

    /// Appends a multipart form (RFC 2046, section 5.1.1).
    fn multipart(&mut self, boundary: &str, parts: &[FormPart]) {
        for part in parts {
            self.bytes(format!("--{boundary}\r\n").as_bytes());
            self.text(&part.head);
            match &part.content {
                PartContent::Text(text) => self.text(text),
                PartContent::Bytes(bytes) => self.0.push(Part::Shared(bytes.clone())),
            }
            self.bytes(b"\r\n");
        }
        self.bytes(format!("--{boundary}--\r\n").as_bytes());
    }
}

/// Host and port as the `host` field gives them.
fn authority(target: &Target) -> String {
    let host = target.url.host_str().unwrap_or_default();
    match target.url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

fn defaults(id: TargetId, target: &Target) -> Vec<Field> {
    target
        .headers
        .iter()
        .map(|(name, value)| Field {
            target: id,
            name: name.to_ascii_lowercase().into(),
            line: format!("{name}: {value}\r\n").into_bytes().into(),
        })
        .collect()
}

/// A field of this name is written as it is, whatever the jar holds.
const COOKIE: &str = "cookie";

/// What a request asks of the server's answer, whatever its parts: the fields every HTTP client sends.
const USER_AGENT: &str = concat!("loadr/", env!("CARGO_PKG_VERSION"));

/// The fields that every request has, but for those that the target's own replace, or the request's: it `lacks` the
/// others.
fn standing_fields(target: &Target, lacks: impl Fn(&str) -> bool) -> String {
    let is_free = |name: &str| lacks(name) && !target.headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
    let mut lines = String::new();
    if lacks("host") {
        lines.push_str(&format!("host: {}\r\n", authority(target)));
    }
    if is_free("user-agent") {
        lines.push_str(&format!("user-agent: {USER_AGENT}\r\n"));
    }
    if is_free("accept") {
        lines.push_str("accept: */*\r\n");
    }
    if target.compressed && is_free("accept-encoding") {
        lines.push_str(&format!("accept-encoding: {ACCEPTED_CODINGS}\r\n"));
    }
    if !target.keepalive && lacks("connection") {
        lines.push_str("connection: close\r\n");
    }
    lines
}

impl Compiled {
    /// Compiles a template of a plan.
    pub fn new(template: &Template, plan: &Plan) -> Self {
        let target = &plan.targets[usize::from(template.target.0)];
        if let Some(parts) = bare::parts(&template.body) {
            return Self::bare(template, target, parts);
        }
        let prefix = target.url.path().trim_end_matches('/');
        let mut head = Parts::default();
        head.bytes(format!("{} {prefix}", template.method).as_bytes());
        head.text(&template.path);
        for (position, (name, value)) in template.query.iter().enumerate() {
            let has_query = template.path.0.iter().any(|p| matches!(p, Piece::Literal(text) if text.contains('?')));
            head.bytes(if position == 0 && !has_query { b"?" } else { b"&" });
            head.text(name);
            head.bytes(b"=");
            head.text(value);
        }
        head.bytes(b" HTTP/1.1\r\n");
        let mut own: Vec<Box<str>> =
            template.headers.iter().map(|(name, _)| name.to_ascii_lowercase().into()).collect();
        let writes_cookies = own.iter().any(|name| **name == *COOKIE);
        let lacks = |name: &str| !own.iter().any(|known| **known == *name);
        head.bytes(standing_fields(target, lacks).as_bytes());
        let mut cookies = Parts::default();
        for (name, value) in &template.headers {
            if name.eq_ignore_ascii_case(COOKIE) {
                cookies.pair(|cookies| cookies.text(value));
                continue;
            }
            head.bytes(format!("{name}: ").as_bytes());
            head.text(value);
            head.bytes(b"\r\n");
        }
        for (name, value) in &template.cookies {
            cookies.pair(|cookies| {
                cookies.bytes(format!("{name}=").as_bytes());
                cookies.text(value);
            });
        }
        let mut body = Parts::default();
        let content_type = match &template.body {
            Body::None => None,
            Body::Text { content_type, text } => {
                body.text(text);
                content_type.clone()
            }
            Body::Bytes { content_type, bytes } => {
                body.0.push(Part::Shared(bytes.clone()));
                content_type.clone()
            }
            Body::Multipart { boundary, parts } => {
                body.multipart(boundary, parts);
                Some(format!("multipart/form-data; boundary={boundary}"))
            }
            Body::Commands(_) | Body::Statement(..) => None,
        };
        if let Some(content_type) = content_type
            && lacks("content-type")
        {
            head.bytes(format!("content-type: {content_type}\r\n").as_bytes());
        }
        let states_length = template.body != Body::None || matches!(template.method.as_str(), "POST" | "PUT" | "PATCH");
        let writes_cookies = writes_cookies || target.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(COOKIE));
        let scope = if writes_cookies { None } else { CookieScope::new(target) };
        if !template.cookies.is_empty() {
            own.push(COOKIE.into());
        }
        let lacks = |name: &str| !own.iter().any(|known| **known == *name);
        let defaults = defaults(template.target, target).into_iter().filter(|field| lacks(&field.name)).collect();
        let mut compiled = Self {
            name: template.name.clone(),
            target: template.target,
            is_head: template.method == "HEAD",
            timeout: template.timeout.unwrap_or(target.timeout).as_nanos() as Nanos,
            body_bytes_max: target.body_bytes_max,
            expect: template.expect.clone(),
            checks: template.checks.clone(),
            classify: template.classify.clone(),
            saves: template.saves.clone(),
            redirects: if template.no_redirect { 0 } else { target.redirects },
            version: template.version,
            discard_body: template.discard_body,
            head,
            defaults,
            own,
            cookies,
            cookie_names: template.cookies.iter().map(|(name, _)| name.as_str().into()).collect(),
            scope,
            body,
            states_length,
            whole: None,
            bare: false,
        };
        if let (Some(head), Some(cookies), Some(body)) =
            (compiled.head.joined(), compiled.cookies.joined(), compiled.body.joined())
        {
            let mut wire = head;
            write_cookies(&mut wire, &cookies, b"");
            compiled.finish(&mut wire, &[], &body);
            let body_at = wire.len() - body.len();
            compiled.whole = Some((wire, body_at));
        }
        compiled
    }

    /// Whether the request draws values.
    pub fn has_holes(&self) -> bool {
        self.head.has_holes() || self.cookies.has_holes() || self.body.has_holes()
    }

    /// The request where it is the same every time for a user that adds nothing; with the body's offset.
    pub fn unchanging(&self, user: &User) -> Option<(&[u8], usize)> {
        let (wire, body_at) = self.whole.as_ref()?;
        let adds = (self.scope.is_some() && !user.has_no_cookies())
            || user.fields.borrow().iter().any(|field| field.target == self.target);
        (!adds).then_some((wire, *body_at))
    }

    /// Writes a user's request into the empty `out`; returns the body's offset. `scratch` is an empty buffer for
    /// the body.
    ///
    /// # Errors
    /// A data set has no row left.
    pub fn write(
        &self,
        out: &mut Vec<u8>,
        scratch: &mut Vec<u8>,
        user: &User,
        drawers: &Drawers,
        context: &mut DrawContext<'_>,
    ) -> Result<usize, DrawError> {
        self.head.write(out, drawers, context)?;
        if self.bare {
            return Ok(0);
        }
        let fields = user.fields.borrow();
        let jar = match &self.scope {
            Some(scope) if !user.has_no_cookies() && !replaces_jar(&fields, self.target) => {
                scope.pairs(user, context.now_ms, out, &self.cookie_names)
            }
            _ => Vec::new(),
        };
        match self.cookies.literal() {
            Some(own) => write_cookies(out, own, &jar),
            None => {
                self.cookies.write(scratch, drawers, context)?;
                write_cookies(out, scratch, &jar);
                scratch.clear();
            }
        }
        let body = match self.body.literal() {
            Some(body) => body,
            None => {
                self.body.write(scratch, drawers, context)?;
                scratch.as_slice()
            }
        };
        self.finish(out, &fields, body);
        Ok(out.len() - body.len())
    }

    /// Appends everything after the template's own fields.
    fn finish(&self, out: &mut Vec<u8>, fields: &[Field], body: &[u8]) {
        let fields = || fields.iter().filter(|field| field.target == self.target);
        for default in &self.defaults {
            if !fields().any(|field| field.name == default.name) {
                out.extend_from_slice(&default.line);
            }
        }
        for field in fields() {
            if !self.own.contains(&field.name) {
                out.extend_from_slice(&field.line);
            }
        }
        if self.states_length {
            out.extend_from_slice(b"content-length: ");
            out.extend_from_slice(itoa::Buffer::new().format(body.len()).as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(body);
    }
}

/// Whether a user writes its cookies to a target by itself, with `vu.header("cookie", …)`.
fn replaces_jar(fields: &[Field], target: TargetId) -> bool {
    fields.iter().any(|field| field.target == target && *field.name == *COOKIE)
}

/// Appends one `cookie` field of both (RFC 6265, section 5.4: never two fields), or nothing.
fn write_cookies(out: &mut Vec<u8>, own: &[u8], jar: &[u8]) {
    if own.is_empty() && jar.is_empty() {
        return;
    }
    out.extend_from_slice(b"cookie: ");
    out.extend_from_slice(own);
    if !own.is_empty() && !jar.is_empty() {
        out.extend_from_slice(b"; ");
    }
    out.extend_from_slice(jar);
    out.extend_from_slice(b"\r\n");
}

/// Composes the requests of scripts, whose paths are known only when they run.
#[derive(Debug)]
pub struct Composer {
    targets: Vec<Prepared>,
}

/// What every request to a target starts with.
#[derive(Debug)]
struct Prepared {
    /// The path all paths are appended to.
    prefix: String,
    /// From the end of the request line to the first field that may differ.
    fixed: Vec<u8>,
    defaults: Vec<Field>,
    /// Where the user's jar adds cookies.
    scope: Option<CookieScope>,
    timeout: Nanos,
}

impl Composer {
    /// A composer for a plan's targets.
    pub fn new(plan: &Plan) -> Self {
        let targets = plan
            .targets
            .iter()
            .enumerate()
            .map(|(index, target)| {
                let defaults = defaults(TargetId(index as u16), target);
                let fixed = format!(" HTTP/1.1\r\n{}", standing_fields(target, |_| true));
                Prepared {
                    prefix: target.url.path().trim_end_matches('/').to_owned(),
                    fixed: fixed.into_bytes(),
                    scope: CookieScope::new(target).filter(|_| !defaults.iter().any(|field| *field.name == *COOKIE)),
                    defaults,
                    timeout: target.timeout.as_nanos() as Nanos,
                }
            })
            .collect();
        Self { targets }
    }

    /// The timeout of a target's requests.
    pub fn timeout(&self, target: TargetId) -> Nanos {
        self.targets[usize::from(target.0)].timeout
    }

    /// Writes a user's request without fields of its own into the empty `out`; returns the body's offset. `path`
    /// starts with `/`, may have a query, and may hold anything else: what a request line cannot hold is
    /// percent-encoded.
    pub fn write(
        &self,
        out: &mut Vec<u8>,
        target: TargetId,
        method: &str,
        path: &str,
        (user, now_ms): (&User, u64),
        body: Option<(&str, &[u8])>,
    ) -> usize {
        let prepared = &self.targets[usize::from(target.0)];
        out.extend_from_slice(method.as_bytes());
        out.push(b' ');
        out.extend_from_slice(prepared.prefix.as_bytes());
        write_path(out, path);
        out.extend_from_slice(&prepared.fixed);
        let fields = user.fields.borrow();
        if let Some(scope) = &prepared.scope
            && !user.has_no_cookies()
            && !replaces_jar(&fields, target)
        {
            let pairs = scope.pairs(user, now_ms, out, &[]);
            write_cookies(out, &[], &pairs);
        }
        let fields = || fields.iter().filter(|field| field.target == target);
        for default in &prepared.defaults {
            if !fields().any(|field| field.name == default.name) {
                out.extend_from_slice(&default.line);
            }
        }
        for field in fields() {
            out.extend_from_slice(&field.line);
        }
        let content = body.map_or(&[][..], |(_, bytes)| bytes);
        if let Some((content_type, _)) = body
            && !fields().any(|field| &*field.name == "content-type")
        {
            out.extend_from_slice(b"content-type: ");
            out.extend_from_slice(content_type.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        if body.is_some() || matches!(method, "POST" | "PUT" | "PATCH") {
            out.extend_from_slice(b"content-length: ");
            out.extend_from_slice(itoa::Buffer::new().format(content.len()).as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(content);
        out.len() - content.len()
    }
}

/// Appends a path; bytes that would break the request line (space, control, non-ASCII) and the fragment's `#`
/// are percent-encoded, everything else is the author's own choice.
fn write_path(out: &mut Vec<u8>, path: &str) {
    if !path.starts_with('/') {
        out.push(b'/');
    }
    for &byte in path.as_bytes() {
        if byte > b' ' && byte < 0x7f && byte != b'#' {
            out.push(byte);
        } else {
            const HEX: &[u8; 16] = b"0123456789ABCDEF";
            out.extend_from_slice(&[b'%', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        }
    }
}
