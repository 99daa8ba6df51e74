//! Requests that are no HTTP: all bytes of theirs are their protocol's own, and what a virtual user adds to requests of
//! HTTP (fields, cookies) is not for them.

use super::{Compiled, Part, Parts};
use crate::{
    clock::Nanos,
    plan::{Body, DrawContext, DrawError, Drawers, Target, Template, Text},
    redis,
};

/// The bytes of a body that is a whole request; none for one of HTTP.
pub(super) fn parts(body: &Body) -> Option<Parts> {
    match body {
        Body::Commands(commands) => {
            let mut parts = Parts::default();
            commands.iter().for_each(|arguments| command(&mut parts, arguments));
            Some(parts)
        }
        Body::Statement(_, list) => {
            let mut parts = Parts::default();
            parts.text(list);
            Some(parts)
        }
        Body::None | Body::Text { .. } | Body::Bytes { .. } | Body::Multipart { .. } => None,
    }
}

fn command(parts: &mut Parts, arguments: &[Text]) {
    let mut bytes = Vec::new();
    redis::write_count(&mut bytes, arguments.len());
    for argument in arguments {
        if let Some(literal) = argument.as_literal() {
            redis::write_argument(&mut bytes, literal.as_bytes());
            continue;
        }
        let mut drawn = Parts::default();
        drawn.text(argument);
        parts.bytes(&std::mem::take(&mut bytes));
        parts.0.push(Part::Argument(drawn));
    }
    if !bytes.is_empty() {
        parts.bytes(&bytes);
    }
}

/// Appends an argument whose length is known once it is drawn.
pub(super) fn write_argument(
    parts: &Parts,
    out: &mut Vec<u8>,
    drawers: &Drawers,
    context: &mut DrawContext<'_>,
) -> Result<(), DrawError> {
    let from = out.len();
    parts.write(out, drawers, context)?;
    let length = out.len() - from;
    let mut digits = itoa::Buffer::new();
    let digits = digits.format(length).as_bytes();
    let before = digits.len() + 3;
    out.resize(out.len() + before, 0);
    out.copy_within(from..from + length, from + before);
    out[from] = b'$';
    out[from + 1..from + 1 + digits.len()].copy_from_slice(digits);
    out[from + before - 2..from + before].copy_from_slice(b"\r\n");
    out.extend_from_slice(b"\r\n");
    Ok(())
}

impl Compiled {
    /// A request that is no HTTP.
    pub(super) fn bare(template: &Template, target: &Target, parts: Parts) -> Self {
        let whole = parts.joined().map(|wire| (wire, 0));
        Self {
            name: template.name.clone(),
            target: template.target,
            is_head: false,
            timeout: template.timeout.unwrap_or(target.timeout).as_nanos() as Nanos,
            body_bytes_max: target.body_bytes_max,
            expect: template.expect.clone(),
            checks: template.checks.clone(),
            classify: template.classify.clone(),
            saves: template.saves.clone(),
            redirects: 0,
            version: None,
            discard_body: template.discard_body,
            head: parts,
            defaults: Vec::new(),
            own: Vec::new(),
            cookies: Parts::default(),
            cookie_names: Vec::new(),
            scope: None,
            body: Parts::default(),
            states_length: false,
            whole,
            bare: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        engine::user::User,
        plan::{Escape, Generator, GeneratorId, Piece, Plan},
    };

    fn written(arguments: Vec<Text>, values: &[&str]) -> String {
        let value = |text: &&str| Generator::Pick(vec![crate::plan::Value::Text((*text).to_owned())]);
        let plan = Plan { generators: values.iter().map(value).collect(), ..Plan::default() };
        let drawers = Drawers::new(&plan, &[]);
        let parts = parts(&Body::Commands(vec![arguments])).expect("a command");
        if let Some(whole) = parts.joined() {
            return String::from_utf8(whole).expect("text");
        }
        let user = User::new(1, 1);
        let mut out = Vec::new();
        user.draw(0, |context| parts.write(&mut out, &drawers, context)).expect("values");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn lengths_are_those_of_the_bytes() {
        let draw = |n| Piece::Draw(GeneratorId(n), Escape::None);
        assert_eq!(written(vec![Text::literal("PING")], &[]), "*1\r\n$4\r\nPING\r\n");
        let key = Text(vec![Piece::Literal("item:".into()), draw(0)]);
        assert_eq!(
            written(
                vec![Text::literal("SET"), key, Text(vec![draw(1)]), Text::literal("ü")],
                &["17", "a\r\nbcdefghij"]
            ),
            "*4\r\n$3\r\nSET\r\n$7\r\nitem:17\r\n$12\r\na\r\nbcdefghij\r\n$2\r\nü\r\n"
        );
        assert_eq!(written(vec![Text::literal("ECHO"), Text(vec![draw(0)])], &[""]), "*2\r\n$4\r\nECHO\r\n$0\r\n\r\n");
    }
}
