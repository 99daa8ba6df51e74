//! Text with generators in it. Interpolation gives plain text, so a generator writes a mark of two private-use
//! characters around its number, and whoever builds a request splits the text at the marks again.

use crate::plan::{Escape, GeneratorId, Piece, Text, escape, is_url_safe};

const OPEN: char = '\u{E000}';
const CLOSE: char = '\u{E001}';

/// What a generator leaves in an interpolated text.
pub(super) fn mark(id: GeneratorId) -> String {
    format!("{OPEN}{}{CLOSE}", id.0)
}

/// Whether a generator left a mark in the text.
pub(super) fn has_mark(text: &str) -> bool {
    text.contains(OPEN)
}

/// A part of a marked text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part<'a> {
    Literal(&'a str),
    Draw(GeneratorId),
}

/// Splits a text at its marks. What looks like a mark but names none of the `known` generators stays text.
pub(super) fn parts(text: &str, known: usize) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut literal_from = 0;
    let mut search_from = 0;
    while let Some(open) = text[search_from..].find(OPEN).map(|at| at + search_from) {
        let number_from = open + OPEN.len_utf8();
        search_from = number_from;
        let Some(close) = text[number_from..].find(CLOSE).map(|at| at + number_from) else { break };
        let Some(id) = text[number_from..close].parse::<u32>().ok().filter(|&id| (id as usize) < known) else {
            continue;
        };
        if open > literal_from {
            parts.push(Part::Literal(&text[literal_from..open]));
        }
        parts.push(Part::Draw(GeneratorId(id)));
        literal_from = close + CLOSE.len_utf8();
        search_from = literal_from;
    }
    if literal_from < text.len() {
        parts.push(Part::Literal(&text[literal_from..]));
    }
    parts
}

/// A text whose literal parts and drawn values are both escaped for their place.
pub(super) fn escaped(text: &str, how: Escape, known: usize) -> Text {
    build(text, how, known, |literal, out| escape(out, literal, how))
}

/// A path or query that the user wrote as a URL has it: what is legal stays, what is not gets encoded.
pub(super) fn url_part(text: &str, how: Escape, known: usize) -> Text {
    build(text, how, known, |literal, out| {
        for byte in literal.bytes() {
            if is_url_safe(byte) || b"!$&'()*+,;=:@/%?".contains(&byte) {
                out.push(byte);
            } else {
                out.extend_from_slice(format!("%{byte:02X}").as_bytes());
            }
        }
    })
}

fn build(text: &str, how: Escape, known: usize, literal: impl Fn(&str, &mut Vec<u8>)) -> Text {
    Text(
        parts(text, known)
            .into_iter()
            .map(|part| match part {
                Part::Draw(id) => Piece::Draw(id, how),
                Part::Literal(text) => {
                    let mut out = Vec::with_capacity(text.len());
                    literal(text, &mut out);
                    // Escaping keeps UTF-8 whole: it replaces ASCII bytes or encodes all others.
                    Piece::Literal(String::from_utf8_lossy(&out).into_owned())
                }
            })
            .collect(),
    )
}

/// Joins neighbouring literals.
pub(super) fn compact(pieces: Vec<Piece>) -> Text {
    let mut joined: Vec<Piece> = Vec::with_capacity(pieces.len());
    for piece in pieces {
        match (joined.last_mut(), piece) {
            (Some(Piece::Literal(before)), Piece::Literal(text)) => before.push_str(&text),
            (_, piece) => joined.push(piece),
        }
    }
    Text(joined)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_marked_text_is_split_and_escaped() {
        let text = format!("/a b/{}/c", mark(GeneratorId(2)));
        assert_eq!(
            url_part(&text, Escape::Path, 3).0,
            [Piece::Literal("/a%20b/".into()), Piece::Draw(GeneratorId(2), Escape::Path), Piece::Literal("/c".into())]
        );
        // Generator 2 does not exist: the mark is somebody's odd text.
        assert_eq!(parts(&text, 2), [Part::Literal(text.as_str())]);
    }

    proptest! {
        #[test]
        fn splitting_loses_nothing(text in "[a\u{E000}\u{E001}0-9]{0,16}") {
            let joined: String = parts(&text, 5)
                .into_iter()
                .map(|part| match part {
                    Part::Literal(text) => text.to_owned(),
                    // Leading zeros are the one thing a mark does not keep.
                    Part::Draw(id) => mark(id),
                })
                .collect();
            prop_assert_eq!(joined.replace('0', ""), text.replace('0', ""));
        }
    }
}
