//! Multipart forms (RFC 7578, as browsers write them).

use rhai::{Array, Dynamic};
use sha2::{Digest, Sha256};

use super::{
    body,
    call::Call,
    words::{
        bodies::{Bytes, FilePart, content, guess},
        generators::GeneratorHandle,
    },
};
use crate::plan::{Body, Escape, Part, PartContent, Piece, Text};

/// More parts are a mistake.
const PARTS_MAX: usize = 1_000;

/// A multipart body from a map, or from a list of pairs.
pub(super) fn body(call: &Call<'_>, value: Dynamic) -> Option<Body> {
    let mut parts = Vec::new();
    for (name, value) in body::fields(call, value, "parts such as #{ file: file_part(…), note: \"x\" }")? {
        match value.clone().into_array() {
            // As a browser does with several files of one field.
            Ok(items) if !value.is_blob() => {
                for item in items {
                    parts.push(part(call, &name, &item)?);
                }
            }
            _ => parts.push(part(call, &name, &value)?),
        }
    }
    if parts.is_empty() || parts.len() > PARTS_MAX {
        call.wrong(
            format!("the multipart form has {} parts", parts.len()),
            format!("it has at least one part and at most {PARTS_MAX}"),
        );
        return None;
    }
    let boundary = boundary(&parts);
    Some(Body::Multipart { boundary, parts })
}

fn part(call: &Call<'_>, name: &str, value: &Dynamic) -> Option<Part> {
    let mut head = vec![Piece::Literal("content-disposition: form-data; name=\"".into())];
    head.extend(body::plain(call, &name.into(), Escape::FormName)?.0);
    head.push(Piece::Literal("\"".into()));
    let mut file = |name: &Text, content_type: &str| {
        head.push(Piece::Literal("; filename=\"".into()));
        head.extend(name.0.iter().cloned());
        head.push(Piece::Literal(format!("\"\r\ncontent-type: {content_type}")));
    };
    let content = if let Some(part) = value.read_lock::<FilePart>() {
        file(&part.name, &part.content_type);
        part.content.clone()
    } else if let Some(bytes) = value.read_lock::<Bytes>().filter(|bytes| bytes.name.is_some()) {
        // A whole file keeps its name.
        let name = bytes.name.clone().unwrap_or_default();
        file(&body::plain(call, &name.as_str().into(), Escape::FormName)?, &guess(&name));
        PartContent::Bytes(bytes.bytes.clone())
    } else if is_plain(call, value) {
        PartContent::Text(body::plain(call, value, Escape::None)?)
    } else {
        let content = content(call, value)?;
        head.push(Piece::Literal("\r\ncontent-type: application/octet-stream".into()));
        content
    };
    head.push(Piece::Literal("\r\n\r\n".into()));
    Some(Part { head: super::text::compact(head), content })
}

/// A field of text rather than of bytes.
fn is_plain(call: &Call<'_>, value: &Dynamic) -> bool {
    match value.clone().try_cast::<GeneratorHandle>() {
        Some(handle) => !body::gives_bytes(call, handle),
        None => !value.is_blob() && !value.is::<Bytes>(),
    }
}

/// What stands between the parts: the same for the same parts, so that a seed sends the same bytes; and found in
/// no content but by somebody who looks for it with the power to break SHA-256.
fn boundary(parts: &[Part]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        let texts = [
            Some(&part.head),
            match &part.content {
                PartContent::Text(text) => Some(text),
                PartContent::Bytes(bytes) => {
                    hash.update(bytes);
                    None
                }
            },
        ];
        for piece in texts.into_iter().flatten().flat_map(|text| &text.0) {
            match piece {
                Piece::Literal(text) => hash.update(text.as_bytes()),
                Piece::Draw(id, _) => hash.update(id.0.to_le_bytes()),
            }
        }
    }
    let digits: String = hash.finalize().iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    format!("loadr-{digits}")
}

/// The pairs of a list such as `[["a", 1], ["b", 2]]`.
pub(super) fn pairs(call: &Call<'_>, items: Array, expected: &str) -> Option<Vec<(String, Dynamic)>> {
    items
        .into_iter()
        .map(|item| {
            let pair = call.array(item, expected)?;
            match <[Dynamic; 2]>::try_from(pair) {
                Ok([name, value]) => Some((call.fixed_text(&name)?, value)),
                Err(pair) => call.mismatch("[name, value] pairs", &Dynamic::from(pair)),
            }
        })
        .collect()
}
