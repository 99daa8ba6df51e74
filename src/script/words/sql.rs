//! SQL: targets that speak it, and statements as requests.

use rhai::Dynamic;

use super::{
    Form::Call as Written,
    Receiver::{Global, Target as OnTarget},
    Run,
    Stages::{Both, Plan},
    Word,
    database::{self, Given},
    request::Request,
    target::TargetHandle,
    this,
};
use crate::{
    plan::{Body, Piece, Protocol, Text},
    script::{body, call::Call, draft::RequestDraft, state::Stage, text::has_mark},
};

/// A longer statement is no name any more, in characters.
const NAME_CHARS_MAX: usize = 80;
/// Stands for a value in the name of a row.
const HOLE: &str = "{…}";

const fn declaration(name: &'static str, usage: &'static str, about: &'static str, run: super::CheckedFn) -> Word {
    let (takes, run) = ("url: string", Run::Checked(run));
    Word { name, on: Global, form: Written, takes, gives: "Target", usage, about, stages: Plan, run }
}

const fn statement(name: &'static str, usage: &'static str, about: &'static str, run: super::CheckedFn) -> Word {
    let (takes, run) = ("statement: string, parameters?: list", Run::Checked(run));
    Word { name, on: OnTarget, form: Written, takes, gives: "Request", usage, about, stages: Both, run }
}

pub(super) const WORDS: &[Word] = &[
    declaration(
        "postgres",
        "`postgres(\"postgres://user:password@127.0.0.1:5432/app\")`",
        "A PostgreSQL server.",
        |call, _, args| declare(call, &args[0], Protocol::Postgres),
    ),
    declaration(
        "mysql",
        "`mysql(\"mysql://user:password@127.0.0.1:3306/app\")`",
        "A MySQL or MariaDB server.",
        |call, _, args| declare(call, &args[0], Protocol::Mysql),
    ),
    statement(
        "query",
        "`db.query(\"SELECT name FROM items WHERE id = $1\", [7])`",
        "SQL: a statement whose rows are read; `$1` marks a parameter, `?` for MySQL.",
        |call, this, args| make(call, &this, "query", &args),
    ),
    statement(
        "execute",
        "`db.execute(\"UPDATE items SET stock = stock - 1 WHERE id = $1\", [7])`",
        "SQL: a statement that changes rows; see `res.affected`.",
        |call, this, args| make(call, &this, "execute", &args),
    ),
];

fn declare(call: &Call<'_>, url: &Dynamic, protocol: Protocol) -> Dynamic {
    let given = call.fixed_text(url).and_then(|url| Given::parse(call, protocol, &url));
    if given.as_ref().is_some_and(|given| given.url.path().trim_matches('/').contains('/')) {
        call.wrong(
            "the address has more than the name of a database behind the host",
            format!("write {}", call.word.usage),
        );
    }
    database::declare(call, given, protocol)
}

fn make(call: &Call<'_>, target: &Dynamic, verb: &str, args: &[Dynamic]) -> Dynamic {
    let handle: TargetHandle = this(target);
    let dialect = database::expect_sql(call, handle);
    let text = call.text(&args[0]).map(String::from);
    if text.as_ref().is_some_and(|text| text.trim().is_empty()) {
        call.wrong("the statement is empty", format!("write {}", call.word.usage));
    }
    let text = text.unwrap_or_default();
    if has_mark(&text) {
        call.wrong(
            "a generator stands within the statement",
            "give it as a parameter: `db.query(\"SELECT … WHERE id = $1\", [item])`; the statement is prepared once",
        );
    }
    let mut list: rhai::Array = vec![Dynamic::from(verb.to_owned()), Dynamic::from(text.clone())];
    if let Some(parameters) = args.get(1) {
        list.extend(call.array(parameters.clone(), "a list of parameters").unwrap_or_default());
    }
    let json = body::json(call, &Dynamic::from(list)).unwrap_or_else(|| Text(vec![Piece::Literal("[]".into())]));
    let shown = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let shown = if call.stage() == Stage::Run { pattern(&shown) } else { shown };
    let (first, rest) = shown.split_once(' ').unwrap_or((&shown, ""));
    let mut name: String = rest.chars().take(NAME_CHARS_MAX).collect();
    if name.len() < rest.len() {
        name.push('…');
    }
    let mut draft = RequestDraft::new(&first.to_uppercase(), Text::literal(name), call.place());
    draft.template.body = Body::Statement(dialect, json);
    draft.target = Some(handle.0);
    Dynamic::from(Request(draft.into()))
}

/// A statement without the values that are written into it, for the name of its row: in a closure each value would make a
/// row of its own. Parameters such as `$1` and names such as `t2` stay.
fn pattern(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let within_name = out.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$');
        let length = match first {
            // A doubled quote within it is a literal beside it: both become one.
            '\'' => rest[1..].find('\'').map_or(rest.len(), |end| end + 2),
            '0'..='9' if !within_name => rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len()),
            _ => 0,
        };
        if length == 0 {
            out.push(first);
        } else if !out.ends_with(HOLE) {
            out.push_str(HOLE);
        }
        rest = &rest[length.max(first.len_utf8())..];
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_of_one_kind_make_one_row() {
        for (text, shown) in [
            ("SELECT * FROM t2 WHERE id = 17 AND price > 1.5", "SELECT * FROM t2 WHERE id = {…} AND price > {…}"),
            ("INSERT INTO t VALUES ('it''s', 7)", "INSERT INTO t VALUES ({…}, {…})"),
            ("SELECT $1, ?, \"a1\"", "SELECT $1, ?, \"a1\""),
            ("SELECT 'never closed", "SELECT {…}"),
            ("SELECT 'ünï', é1", "SELECT {…}, é1"),
            ("", ""),
        ] {
            assert_eq!(pattern(text), shown);
        }
    }
}
