//! What a reply says of its success, as one number for every protocol.
//!
//! HTTP's codes stand for themselves. Other protocols have words: those of Redis' errors, the states of SQL. Each has a
//! number from 1000 on, so that rows, files and conditions treat them alike, and all that is shown is the word.

use std::borrow::Cow;

/// A reply of another protocol than HTTP that is no error.
pub const DONE: u16 = 1_000;
/// What [`DONE`] is called.
const DONE_WORD: &str = "ok";

/// Errors of Redis by the word they begin with. The order is that of their numbers: additions go to the end.
const REDIS: &[&str] = &[
    "ERR",
    "WRONGTYPE",
    "NOAUTH",
    "WRONGPASS",
    "NOPERM",
    "OOM",
    "BUSY",
    "LOADING",
    "READONLY",
    "MOVED",
    "ASK",
    "CLUSTERDOWN",
    "CROSSSLOT",
    "TRYAGAIN",
    "MASTERDOWN",
    "NOREPLICAS",
    "MISCONF",
    "NOSCRIPT",
    "EXECABORT",
    "BUSYKEY",
    "BUSYGROUP",
    "NOGROUP",
    "UNKILLABLE",
    "NOTBUSY",
    "INPROG",
    "NOGOODSLAVE",
    "NOPROTO",
    "UNBLOCKED",
    "UNKNOWN",
];
/// The number of the first of them.
const REDIS_FROM: u16 = 1_001;
/// An error that begins with no known word.
const REDIS_OTHER: u16 = 1_999;
const REDIS_OTHER_WORD: &str = "error";

/// States of SQL that are told apart within their class. The order is that of their numbers: additions go to the end.
const SQL: &[&str] = &[
    "02000", "08001", "08004", "08006", "08P01", "0A000", "21000", "22001", "22003", "22007", "22008", "22012",
    "22023", "22025", "22P02", "22P03", "23502", "23503", "23505", "23514", "23P01", "25001", "25006", "25P01",
    "25P02", "25P03", "28000", "28P01", "34000", "3D000", "3F000", "40001", "40002", "40003", "40P01", "42501",
    "42601", "42602", "42622", "42701", "42702", "42703", "42704", "42723", "42725", "42803", "42804", "42809",
    "42883", "42P01", "42P02", "42P07", "42P18", "42S01", "42S02", "42S21", "42S22", "53100", "53200", "53300",
    "53400", "54000", "54001", "54011", "55000", "55006", "55P03", "57000", "57014", "57P01", "57P02", "57P03",
    "57P05", "58000", "58030", "70100", "HY000", "P0001", "P0002", "P0003", "P0004", "XX000", "XX001", "XX002",
];
/// The number of the first of them.
const SQL_FROM: u16 = 4_000;
/// A class of states, by its two characters: so many classes there can be.
const CLASS_FROM: u16 = 2_000;
const CLASSES: u16 = 36 * 36;

/// The status of an error of Redis, by its text.
pub fn redis_status(error: &[u8]) -> u16 {
    let word = error.split(|byte| byte.is_ascii_whitespace()).next().unwrap_or_default();
    REDIS.iter().position(|known| known.as_bytes() == word).map_or(REDIS_OTHER, |at| REDIS_FROM + at as u16)
}

/// The status of a state of SQL: its own where it is known, else that of its class. None for what is no state.
pub fn sql_status(state: &str) -> Option<u16> {
    if state.len() != 5 {
        return None;
    }
    if let Some(at) = SQL.iter().position(|known| *known == state) {
        return Some(SQL_FROM + at as u16);
    }
    let digits: Option<Vec<u16>> = state.chars().map(digit).collect();
    let digits = digits?;
    Some(CLASS_FROM + digits[0] * 36 + digits[1])
}

fn digit(c: char) -> Option<u16> {
    (c.is_ascii_digit() || c.is_ascii_uppercase()).then(|| c.to_digit(36).unwrap_or(0) as u16)
}

/// The status that people call `word`: `ok`, a word of Redis' errors, a state of SQL. HTTP's codes are numbers.
pub fn status_of(word: &str) -> Option<u16> {
    match word {
        DONE_WORD => Some(DONE),
        REDIS_OTHER_WORD => Some(REDIS_OTHER),
        word => match REDIS.iter().position(|known| *known == word) {
            Some(at) => Some(REDIS_FROM + at as u16),
            None => sql_status(word),
        },
    }
}

/// The word of a status that is no code of HTTP.
pub fn word_of(status: u16) -> Option<Cow<'static, str>> {
    let nth = |table: &[&'static str], from: u16| table.get(usize::from(status - from)).map(|&word| word.into());
    match status {
        DONE => Some(DONE_WORD.into()),
        REDIS_OTHER => Some(REDIS_OTHER_WORD.into()),
        REDIS_FROM..REDIS_OTHER => nth(REDIS, REDIS_FROM),
        CLASS_FROM.. if status < CLASS_FROM + CLASSES => {
            let class = status - CLASS_FROM;
            let shown = |n: u16| char::from_digit(u32::from(n), 36).unwrap_or('0').to_ascii_uppercase();
            Some(format!("{}{}000", shown(class / 36), shown(class % 36)).into())
        }
        SQL_FROM.. => nth(SQL, SQL_FROM),
        _ => None,
    }
}

/// A status as people read it.
pub fn status_text(status: u16) -> Cow<'static, str> {
    word_of(status).unwrap_or_else(|| status.to_string().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_has_a_number_of_its_own_and_back() {
        let mut seen = std::collections::BTreeSet::new();
        for word in REDIS.iter().chain(SQL).chain(&[DONE_WORD, REDIS_OTHER_WORD]) {
            let status = status_of(word).expect(word);
            assert!(seen.insert(status), "{word}");
            assert_eq!(status_text(status), *word);
        }
    }

    #[test]
    fn errors_of_redis_are_known_by_their_first_word() {
        for (error, word) in [
            ("WRONGTYPE Operation against a key", "WRONGTYPE"),
            ("ERR unknown command", "ERR"),
            ("ERR", "ERR"),
            ("MYSCRIPT said no", "error"),
            ("", "error"),
        ] {
            assert_eq!(status_text(redis_status(error.as_bytes())), word, "{error}");
        }
    }

    #[test]
    fn a_state_without_a_row_is_its_class() {
        for (state, word) in [("23505", "23505"), ("23999", "23000"), ("ZZ123", "ZZ000"), ("00000", "00000")] {
            assert_eq!(sql_status(state).map(status_text).as_deref(), Some(word), "{state}");
        }
        for no_state in ["", "2350", "235056", "2350x", "ab123", "äöüß"] {
            assert_eq!(sql_status(no_state), None, "{no_state}");
        }
    }

    #[test]
    fn codes_of_http_are_numbers() {
        for code in [0, 100, 200, 404, 599, 999] {
            assert_eq!(status_text(code), code.to_string());
        }
    }
}
