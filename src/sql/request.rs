//! A statement and its parameters, as the engine writes them.

use serde_json::Value;

use crate::protocol::{ErrorKind, Failure};

/// Whether a statement gives rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    /// Its rows are read.
    Query,
    /// What counts is how many rows it changed.
    Execute,
}

/// What a statement does to transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Boundary {
    /// It opens one.
    Begin,
    /// It ends one.
    End,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Statement {
    pub(super) verb: Verb,
    pub(super) text: String,
    pub(super) parameters: Vec<Value>,
}

impl Statement {
    /// Reads `["query", "SELECT …", …]`.
    ///
    /// # Errors
    /// `Protocol` for what is no such list.
    pub(super) fn parse(wire: &[u8]) -> Result<Self, Failure> {
        let wrong = || Failure::new(ErrorKind::Protocol, "a request of another protocol cannot be sent to a database");
        let Ok(Value::Array(items)) = serde_json::from_slice(wire) else { return Err(wrong()) };
        let mut items = items.into_iter();
        let (verb, text) = (items.next().ok_or_else(wrong)?, items.next().ok_or_else(wrong)?);
        let verb = if verb == "execute" { Verb::Execute } else { Verb::Query };
        let Value::String(text) = text else { return Err(wrong()) };
        Ok(Self { verb, text, parameters: items.collect() })
    }

    /// What it does to transactions, by its first words.
    pub(super) fn boundary(&self) -> Option<Boundary> {
        let mut words = self.text.split(|c: char| c.is_whitespace() || c == ';').filter(|word| !word.is_empty());
        let is = |word: &str, other: &str| word.eq_ignore_ascii_case(other);
        let first = words.next()?;
        if is(first, "begin") || (is(first, "start") && words.next().is_some_and(|word| is(word, "transaction"))) {
            return Some(Boundary::Begin);
        }
        let ends = ["commit", "end", "abort", "rollback"].iter().any(|other| is(first, other));
        // To a savepoint, it goes on.
        (ends && !words.any(|word| is(word, "to"))).then_some(Boundary::End)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_read_with_their_parameters() {
        let parsed = Statement::parse(br#"["execute","UPDATE a SET b = $1",1.5,"x",null]"#).expect("a statement");
        assert_eq!((parsed.verb, parsed.text.as_str()), (Verb::Execute, "UPDATE a SET b = $1"));
        assert_eq!(parsed.parameters, [Value::from(1.5), "x".into(), Value::Null]);
        for wrong in ["GET / HTTP/1.1\r\n", "[]", "[\"query\"]", "[\"query\",1]", "{}"] {
            assert!(Statement::parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn transactions_are_known_by_their_first_words() {
        for (text, expected) in [
            ("BEGIN", Some(Boundary::Begin)),
            (" begin isolation level serializable", Some(Boundary::Begin)),
            ("start Transaction", Some(Boundary::Begin)),
            ("COMMIT;", Some(Boundary::End)),
            ("ROLLBACK", Some(Boundary::End)),
            ("ROLLBACK TO SAVEPOINT a", None),
            ("START SLAVE", None),
            ("begin;", Some(Boundary::Begin)),
            ("SELECT 1", None),
            ("", None),
        ] {
            let statement = Statement { verb: Verb::Query, text: text.to_owned(), parameters: Vec::new() };
            assert_eq!(statement.boundary(), expected, "{text}");
        }
    }
}
