//! Requests that the engine sends without running script: literal text with places where a generator draws.

use std::{sync::Arc, time::Duration};

use serde::Serialize;

use super::{ClosureId, GeneratorId, Place, Plan, Protocol};
use crate::protocol::{DONE, HttpVersion, TargetId};

/// A request with holes.
#[derive(Debug, Clone, Serialize)]
pub struct Template {
    /// The row it is reported under.
    pub name: String,
    /// The method, upper case.
    pub method: String,
    /// Where it goes.
    pub target: TargetId,
    /// Path, with a leading `/` and without a query; percent-encoded where literal.
    pub path: Text,
    /// Query parameters, in order.
    pub query: Vec<(Text, Text)>,
    /// Fields, in order; they replace the target's of the same name.
    pub headers: Vec<(String, Text)>,
    /// Cookies, in order, beside those of the virtual user's jar; they replace the jar's of the same name.
    pub cookies: Vec<(String, Text)>,
    /// The body.
    pub body: Body,
    /// Time for the whole request, if not the target's.
    pub timeout: Option<Duration>,
    /// What is not an error.
    pub expect: Expect,
    /// Counted on every response, never fatal.
    pub checks: Vec<Check>,
    /// How responses are labelled.
    pub classify: Option<Classify>,
    /// What is extracted into the virtual user.
    pub saves: Vec<Save>,
    /// A redirect is a response, whatever the target says.
    pub no_redirect: bool,
    /// The version of HTTP, if not the target's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<HttpVersion>,
    /// The script never reads the body.
    pub discard_body: bool,
    /// Where it was declared.
    #[serde(skip)]
    pub at: Place,
}

/// Text with holes: the pieces, joined.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Text(pub Vec<Piece>);

/// A part of a [`Text`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Piece {
    /// As it stands, already escaped for its place.
    Literal(String),
    /// A value drawn for each request.
    Draw(GeneratorId, Escape),
}

/// How a drawn value is written at its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Escape {
    /// As it is (a text body).
    None,
    /// Percent-encoded as a part of a path segment.
    Path,
    /// Percent-encoded as a query parameter or form value.
    Query,
    /// As a field value: control characters become spaces.
    Header,
    /// As a JSON value: a number stays a number, text gets quotes.
    JsonValue,
    /// Within the quotes of a JSON string.
    JsonString,
    /// Within the quotes of a name in a multipart form.
    FormName,
}

impl Template {
    /// It is a request of HTTP.
    pub fn is_http(&self) -> bool {
        self.protocol() == Protocol::Http
    }

    /// What its target must speak.
    pub fn protocol(&self) -> Protocol {
        match &self.body {
            Body::Commands(_) => Protocol::Redis,
            Body::Statement(protocol, _) => *protocol,
            Body::None | Body::Text { .. } | Body::Bytes { .. } | Body::Multipart { .. } => Protocol::Http,
        }
    }

    /// Why its target cannot carry it, if so: what is wrong, and what would help.
    pub fn misfit(&self, plan: &Plan) -> Option<(String, String)> {
        let target = plan.targets.get(usize::from(self.target.0))?;
        let (own, other) = (self.protocol().row(), target.protocol().row());
        (own.protocol != other.protocol).then(|| {
            let message =
                format!("the request `{}` is of {}, and its target speaks {}", self.name, own.name, other.name);
            (message, format!("declare the server it is for, such as `{}`", own.usage))
        })
    }

    /// The generators that it draws from, in the order of its parts; one for each hole.
    pub fn generators(&self) -> impl Iterator<Item = GeneratorId> {
        let (text, parts, commands) = match &self.body {
            Body::Text { text, .. } | Body::Statement(_, text) => (Some(text), &[][..], &[][..]),
            Body::Multipart { parts, .. } => (None, parts.as_slice(), &[][..]),
            Body::Commands(commands) => (None, &[][..], commands.as_slice()),
            Body::None | Body::Bytes { .. } => (None, &[][..], &[][..]),
        };
        let parts = parts.iter().flat_map(|part| match &part.content {
            PartContent::Text(text) => [Some(&part.head), Some(text)],
            PartContent::Bytes(_) => [Some(&part.head), None],
        });
        let body = text.into_iter().chain(parts.flatten());
        let query = self.query.iter().flat_map(|(name, value)| [name, value]);
        let headers = self.headers.iter().map(|(_, value)| value);
        let cookies = self.cookies.iter().map(|(_, value)| value);
        // The path of a request that is not HTTP is a part of its name alone.
        let path = self.is_http().then_some(&self.path);
        let texts = path.into_iter().chain(query).chain(headers).chain(cookies).chain(body);
        let texts = texts.chain(commands.iter().flatten());
        texts.flat_map(|text| &text.0).filter_map(|piece| match piece {
            Piece::Draw(generator, _) => Some(*generator),
            Piece::Literal(_) => None,
        })
    }
}

impl Text {
    /// Text without holes.
    pub fn literal(text: impl Into<String>) -> Self {
        Self(vec![Piece::Literal(text.into())])
    }

    /// The text if it has no holes.
    pub fn as_literal(&self) -> Option<String> {
        self.0
            .iter()
            .map(|piece| match piece {
                Piece::Literal(text) => Some(text.as_str()),
                Piece::Draw(..) => None,
            })
            .collect()
    }

    /// For people: holes are shown as `{…}`.
    pub fn display(&self) -> String {
        self.0
            .iter()
            .map(|piece| match piece {
                Piece::Literal(text) => text.as_str(),
                Piece::Draw(..) => "{…}",
            })
            .collect()
    }
}

/// A template's body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Body {
    /// None, and no `content-length` but where the method asks for one.
    None,
    /// Text or JSON, with holes.
    Text {
        /// The `content-type`, if the template's fields name none.
        content_type: Option<String>,
        /// The body.
        text: Text,
    },
    /// Bytes as they are.
    Bytes {
        /// The `content-type`, if the template's fields name none.
        content_type: Option<String>,
        /// The body.
        #[serde(serialize_with = "as_hash")]
        bytes: Arc<[u8]>,
    },
    /// Commands of Redis, each a list of arguments: no HTTP at all.
    Commands(Vec<Vec<Text>>),
    /// A statement of SQL in that dialect and its parameters, as a list in JSON: no HTTP at all.
    Statement(Protocol, Text),
    /// A form with files.
    Multipart {
        /// Stands between the parts.
        boundary: String,
        /// The parts, in order.
        parts: Vec<Part>,
    },
}

/// A part of a multipart form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Part {
    /// Its fields and the blank line after them.
    pub head: Text,
    /// What is in it.
    pub content: PartContent,
}

/// What is in a part of a form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum PartContent {
    /// Text or drawn bytes, with holes.
    Text(Text),
    /// Bytes as they are.
    Bytes(#[serde(serialize_with = "as_hash")] Arc<[u8]>),
}

/// A plan is hashed as text: of bytes, which may be many, their own hash stands there.
fn as_hash<S: serde::Serializer>(bytes: &Arc<[u8]>, serializer: S) -> Result<S::Ok, S::Error> {
    use sha2::{Digest, Sha256};
    let digits: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    serializer.serialize_str(&digits)
}

/// Which status codes are not an error.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Expect(
    /// Inclusive ranges; empty is the default, 200 to 399, and what is no error of other protocols.
    pub Vec<(u16, u16)>,
);

impl Expect {
    /// Whether `status` is as expected.
    pub fn accepts(&self, status: u16) -> bool {
        if self.0.is_empty() {
            return (200..400).contains(&status) || status == DONE;
        }
        self.0.iter().any(|&(low, high)| (low..=high).contains(&status))
    }
}

/// A named question about a response, answered by a closure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// The row it is counted under.
    pub name: String,
    /// `|res| …`, true or false.
    pub closure: ClosureId,
}

/// How a response gets its class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Classify {
    /// The value of a field, lower case; `unknown` where it is absent.
    Header(String),
    /// The usual cache headers, in their order.
    CacheStatus,
    /// `|res| "word"`.
    Closure(ClosureId),
}

/// A value extracted from a response into a property of the virtual user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Save {
    /// The property.
    pub property: String,
    /// Where it is found.
    pub from: Source,
}

/// A place in a response.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Source {
    /// A JSONPath (RFC 9535) into the body; the first value it names.
    Json(String),
    /// The first element of an HTML body that a CSS selector fits.
    Css {
        /// The selector.
        selector: String,
        /// An attribute of the element, else its text.
        attribute: Option<String>,
    },
    /// What a regular expression finds first in the body.
    Regex {
        /// The pattern.
        pattern: String,
        /// The name or number of a group; else the first group, or the whole match.
        group: Option<String>,
    },
    /// The first field of that name, in lower case.
    Header(String),
}
