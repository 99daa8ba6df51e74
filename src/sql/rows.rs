//! What a statement gave: rows as JSON, or the error of the server.

use serde::Serializer;
use serde_json::Value;

use super::request::Verb;
use crate::protocol::{BufferPool, DONE, ErrorKind, Failure, Keep, Response, sql_status};

/// What a state counts as that is none: servers send five characters.
const STATE_OTHER: &str = "HY000";

/// Rows as they come, written down where somebody reads them.
#[derive(Debug)]
pub(super) struct Rows {
    keep: Keep,
    bytes_max: u64,
    count: u64,
    /// A list in JSON, but for its end; where nobody reads it, the row that came last.
    json: Vec<u8>,
    /// How long the list is so far.
    pub(super) bytes: u64,
}

/// How a statement ended, as far as the server decides.
#[derive(Debug)]
pub(super) enum Ended {
    /// It changed so many rows.
    Done {
        /// As the server counts.
        affected: u64,
    },
    /// The server refused.
    Refused {
        /// Five characters of SQLSTATE.
        state: String,
        /// For people.
        message: String,
    },
}

impl Ended {
    /// The statement has another number of parameters than were given, or none where one is due.
    pub(super) fn miscounted(wanted: usize, given: usize) -> Self {
        let message = format!("the statement has {wanted} parameters, and {given} were given");
        Self::Refused { state: "07001".to_owned(), message }
    }
}

impl Rows {
    pub(super) fn new(keep: Keep, bytes_max: u64) -> Self {
        Self { keep, bytes_max, count: 0, json: Vec::new(), bytes: 0 }
    }

    /// Adds a row of columns with names and values.
    ///
    /// # Errors
    /// `BodyTooLarge` beyond the limit.
    pub(super) fn push<N: AsRef<str>>(&mut self, row: impl IntoIterator<Item = (N, Value)>) -> Result<(), Failure> {
        self.count += 1;
        if self.keep < Keep::Body {
            self.json.clear();
        }
        let before = self.json.len();
        self.json.push(if self.count == 1 { b'[' } else { b',' });
        let row = row.into_iter().map(|(name, value)| (Name(name), value));
        // Writing JSON into memory cannot fail.
        let _ = serde_json::Serializer::new(&mut self.json).collect_map(row);
        self.bytes += (self.json.len() - before) as u64;
        if self.bytes > self.bytes_max {
            let detail = format!("the rows are longer than the limit of {} bytes", self.bytes_max);
            return Err(Failure::new(ErrorKind::BodyTooLarge, detail));
        }
        Ok(())
    }

    /// The status, how long the list of rows is, and what of it is kept.
    pub(super) fn finish(mut self, verb: Verb, ended: &Ended, pool: &BufferPool) -> (u16, u64, Option<Response>) {
        match ended {
            Ended::Done { affected } => {
                let end = if self.count == 0 { &b"[]"[..] } else { b"]" };
                let length = self.bytes + end.len() as u64;
                if self.keep == Keep::Nothing {
                    return (DONE, length, None);
                }
                let mut bytes = pool.take();
                let word = if verb == Verb::Query { "query" } else { "execute" };
                let head = format!("SQL {word}\r\nrows: {}\r\naffected: {affected}\r\n\r\n", self.count);
                bytes.extend_from_slice(head.as_bytes());
                if self.keep == Keep::Body {
                    self.json.extend_from_slice(end);
                    bytes.extend_from_slice(&self.json);
                }
                (DONE, length, Some(pool.response(bytes, head.len())))
            }
            // What an error says is shown, whoever asked for the rows.
            Ended::Refused { state, message } => {
                let mut bytes = pool.take();
                let status = sql_status(state).or_else(|| sql_status(STATE_OTHER)).unwrap_or_default();
                let head = format!("SQL error\r\nstate: {state}\r\n\r\n");
                bytes.extend_from_slice(head.as_bytes());
                bytes.extend_from_slice(format!("{state}: {message}").as_bytes());
                let length = (bytes.len() - head.len()) as u64;
                (status, length, Some(pool.response(bytes, head.len())))
            }
        }
    }
}

/// A column's name as a key of JSON.
struct Name<N>(N);

impl<N: AsRef<str>> serde::Serialize for Name<N> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.0.as_ref())
    }
}

/// Bytes of a column that are no text: in hexadecimal, as PostgreSQL shows them.
pub(super) fn bytes_value(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => Value::from(text),
        Err(_) => hex(bytes),
    }
}

/// `\x0a1b`.
pub(super) fn hex(bytes: &[u8]) -> Value {
    let mut text = String::with_capacity(2 + bytes.len() * 2);
    text.push_str("\\x");
    for byte in bytes {
        text.extend([byte >> 4, byte & 15].map(|digit| char::from_digit(u32::from(digit), 16).unwrap_or('0')));
    }
    Value::from(text)
}

/// Digits as a number where JSON has one for them.
pub(super) fn number(digits: &str) -> Value {
    let whole = digits.parse::<i64>().map(Value::from);
    whole.or_else(|_| digits.parse::<f64>().map(Value::from)).unwrap_or_else(|_| Value::from(digits))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::status_text;

    fn told(keep: Keep, rows: &[i64], ended: &Ended) -> String {
        let mut all = Rows::new(keep, 1_000);
        for n in rows {
            all.push([("n", Value::from(*n))]).expect("room");
        }
        let (status, bytes, response) = all.finish(Verb::Query, ended, &BufferPool::default());
        let body = response.map(|response| {
            let field = |name| response.field(name).map(|value| String::from_utf8_lossy(value).into_owned());
            format!("{:?} {}", field("rows"), String::from_utf8_lossy(response.body()))
        });
        format!("{} {bytes} {}", status_text(status), body.unwrap_or_default()).trim_end().to_owned()
    }

    #[test]
    fn rows_are_a_list_in_json() {
        let done = || Ended::Done { affected: 2 };
        assert_eq!(told(Keep::Body, &[1, 2], &done()), "ok 17 Some(\"2\") [{\"n\":1},{\"n\":2}]");
        assert_eq!(told(Keep::Head, &[1, 2], &done()), "ok 17 Some(\"2\")");
        assert_eq!(told(Keep::Nothing, &[], &done()), "ok 2");
        assert_eq!(told(Keep::Body, &[], &done()), "ok 2 Some(\"0\") []");
        let refused = Ended::Refused { state: "23505".into(), message: "duplicate key".into() };
        assert_eq!(told(Keep::Nothing, &[], &refused), "23505 20 None 23505: duplicate key");
        let odd = Ended::Refused { state: "?".into(), message: "odd".into() };
        assert!(told(Keep::Nothing, &[], &odd).starts_with("HY000 "));
    }

    #[test]
    fn too_many_rows_are_an_error_whoever_reads_them() {
        for keep in [Keep::Body, Keep::Head, Keep::Nothing] {
            let mut rows = Rows::new(keep, 100);
            let failed = (0..100).find_map(|n| rows.push([("n", Value::from(n))]).err());
            assert_eq!(failed.map(|failure| failure.kind), Some(ErrorKind::BodyTooLarge));
            assert!((100..120).contains(&rows.bytes), "{rows:?}");
        }
    }

    #[test]
    fn values_keep_what_json_can_hold() {
        assert_eq!(number("12"), Value::from(12));
        assert_eq!(number("12.50"), Value::from(12.5));
        assert_eq!(number("NaN").as_f64(), None);
        assert_eq!(bytes_value(b"abc"), "abc");
        assert_eq!(bytes_value(&[0xff, 0x0a]), "\\xff0a");
    }
}
