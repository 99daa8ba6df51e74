//! Values of PostgreSQL: parameters as text, which the server reads as the type it wants, and columns as JSON.

use std::error::Error;

use bytes::{BufMut, BytesMut};
use serde_json::Value;
use tokio_postgres::types::{Format, FromSql, IsNull, Kind, ToSql, Type, to_sql_checked};

use crate::sql::rows::{bytes_value, hex, number};

/// A parameter. As text it may stand for any type: the server knows which it wants.
#[derive(Debug)]
pub(super) struct Parameter<'a>(pub(super) &'a Value);

impl ToSql for Parameter<'_> {
    fn to_sql(&self, wanted: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match (self.0, wanted.kind()) {
            (Value::Null, _) => return Ok(IsNull::Yes),
            (Value::Array(items), Kind::Array(_)) => out.put_slice(array(items).as_bytes()),
            (Value::String(text), _) => out.put_slice(text.as_bytes()),
            (other, _) => out.put_slice(other.to_string().as_bytes()),
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    to_sql_checked!();
}

/// A list as the server reads arrays: `{1,"two",NULL}`.
fn array(items: &[Value]) -> String {
    let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    let item = |item: &Value| match item {
        Value::Null => "NULL".to_owned(),
        Value::Array(items) => array(items),
        Value::String(text) => quoted(text),
        Value::Object(_) => quoted(&item.to_string()),
        Value::Bool(_) | Value::Number(_) => item.to_string(),
    };
    format!("{{{}}}", items.iter().map(item).collect::<Vec<_>>().join(","))
}

/// A column of a row.
#[derive(Debug, PartialEq)]
pub(super) struct Cell(pub(super) Value);

impl<'a> FromSql<'a> for Cell {
    fn from_sql(of: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(read(of, raw)?))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(Value::Null))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

fn read(of: &Type, raw: &[u8]) -> Result<Value, Box<dyn Error + Sync + Send>> {
    match of.kind() {
        Kind::Array(_) => {
            let items: Vec<Cell> = FromSql::from_sql(of, raw)?;
            return Ok(items.into_iter().map(|item| item.0).collect());
        }
        Kind::Enum(_) => return Ok(bytes_value(raw)),
        Kind::Domain(within) => return read(within, raw),
        _ => {}
    }
    Ok(match *of {
        Type::BOOL => bool::from_sql(of, raw)?.into(),
        Type::INT2 => i16::from_sql(of, raw)?.into(),
        Type::INT4 => i32::from_sql(of, raw)?.into(),
        Type::INT8 => i64::from_sql(of, raw)?.into(),
        Type::OID => u32::from_sql(of, raw)?.into(),
        Type::FLOAT4 => f64::from(f32::from_sql(of, raw)?).into(),
        Type::FLOAT8 => f64::from_sql(of, raw)?.into(),
        Type::NUMERIC => numeric(raw).ok_or("a number of another form")?,
        Type::JSON => serde_json::from_slice(raw)?,
        // A version, and the text.
        Type::JSONB => serde_json::from_slice(raw.get(1..).unwrap_or_default())?,
        Type::BYTEA => hex(raw),
        Type::UUID => uuid(raw),
        Type::DATE => date(i32::from_sql(&Type::INT4, raw)?.into()).into(),
        Type::TIMESTAMP => timestamp(i64::from_sql(&Type::INT8, raw)?, "").into(),
        Type::TIMESTAMPTZ => timestamp(i64::from_sql(&Type::INT8, raw)?, "Z").into(),
        Type::TIME => clock(i64::from_sql(&Type::INT8, raw)?).into(),
        Type::VOID => Value::Null,
        Type::XML => bytes_value(raw),
        // Texts of any kind.
        _ if <&str as FromSql>::accepts(of) => bytes_value(raw),
        // Other types in their binary form, unless the statement casts them to text.
        _ => hex(raw),
    })
}

fn uuid(raw: &[u8]) -> Value {
    let digits: String = raw.iter().map(|byte| format!("{byte:02x}")).collect();
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| digits.get(part).unwrap_or_default());
    parts.join("-").into()
}

/// Groups of four decimal digits, as the server stores them: how many, the weight of the first, sign, scale.
fn numeric(raw: &[u8]) -> Option<Value> {
    let mut words = raw.chunks_exact(2).map(|two| u16::from_be_bytes([two[0], two[1]]));
    let mut word = || words.next();
    let (count, weight, sign, scale) = (word()?, word()? as i16, word()?, usize::from(word()?));
    let groups: Option<Vec<u16>> = (0..count).map(|_| word()).collect();
    let groups = groups?;
    let minus = match sign {
        0 => "",
        0x4000 => "-",
        _ => return Some("NaN".into()),
    };
    let group = |at: i32| usize::try_from(at).ok().and_then(|at| groups.get(at)).copied().unwrap_or(0);
    let weight = i32::from(weight);
    let whole: String =
        (0..=weight.max(0)).map(|at| format!("{:04}", if weight < 0 { 0 } else { group(at) })).collect();
    let whole = whole.trim_start_matches('0');
    let behind: String = (0..scale.div_ceil(4) as i32).map(|at| format!("{:04}", group(weight + 1 + at))).collect();
    let whole = if whole.is_empty() { "0" } else { whole };
    let point = if scale > 0 { "." } else { "" };
    Some(number(&format!("{minus}{whole}{point}{}", behind.get(..scale).unwrap_or(&behind))))
}

const DAY_US: i64 = 86_400_000_000;
/// From 1970 to 2000, where the server's time begins.
const DAYS_TO_2000: i64 = 10_957;

/// Days since 2000 as `2024-02-29`.
fn date(days: i64) -> String {
    let (year, month, day) = civil(days + DAYS_TO_2000);
    format!("{year:04}-{month:02}-{day:02}")
}

/// Microseconds since 2000 as `2024-02-29T12:00:00.5`.
fn timestamp(us: i64, zone: &str) -> String {
    match us {
        i64::MAX => "infinity".to_owned(),
        i64::MIN => "-infinity".to_owned(),
        us => format!("{}T{}{zone}", date(us.div_euclid(DAY_US)), clock(us.rem_euclid(DAY_US))),
    }
}

/// Microseconds since midnight.
fn clock(us: i64) -> String {
    let seconds = us / 1_000_000;
    let text = format!("{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60);
    match us % 1_000_000 {
        0 => text,
        part => format!("{text}.{}", format!("{part:06}").trim_end_matches('0')),
    }
}

/// Year, month and day of a day since 1970, in the Gregorian calendar (Howard Hinnant, "chrono-Compatible Low-Level Date
/// Algorithms", `civil_from_days`).
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, of_year - (153 * shifted + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        for (us, expected) in [
            (0, "2000-01-01T00:00:00"),
            (-1, "1999-12-31T23:59:59.999999"),
            (59 * DAY_US + 1_500_000, "2000-02-29T00:00:01.5"),
            (8_825 * DAY_US, "2024-02-29T00:00:00"),
            (i64::MAX, "infinity"),
        ] {
            assert_eq!(timestamp(us, ""), expected);
        }
    }

    #[test]
    fn numbers_keep_their_digits() {
        let raw = |words: &[u16]| words.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<u8>>();
        for (words, expected) in [
            (&[1, 0, 0, 0, 42][..], Value::from(42)),
            (&[2, 0, 0, 2, 12, 5000], Value::from(12.5)),
            (&[2, 1, 0x4000, 0, 1, 2345], Value::from(-12_345)),
            (&[1, (-1_i16) as u16, 0, 2, 500], Value::from(0.05)),
            (&[0, 0, 0, 0], Value::from(0)),
            (&[1, 1, 0, 0, 3], Value::from(30_000)),
            (&[0, 0, 0xc000, 0], Value::from("NaN")),
        ] {
            assert_eq!(numeric(&raw(words)), Some(expected), "{words:?}");
        }
        assert_eq!(numeric(&[1, 2]), None);
    }

    #[test]
    fn lists_are_arrays_where_the_server_wants_one() {
        let list = serde_json::json!([1, "a \"b\" \\c", null, [true, 2.5], {"k": "v"}]);
        let written = |wanted: &Type| {
            let mut out = BytesMut::new();
            Parameter(&list).to_sql(wanted, &mut out).expect("a parameter");
            String::from_utf8_lossy(&out).into_owned()
        };
        assert_eq!(written(&Type::TEXT_ARRAY), r#"{1,"a \"b\" \\c",NULL,{true,2.5},"{\"k\":\"v\"}"}"#);
        assert_eq!(written(&Type::JSONB), list.to_string());
    }

    #[test]
    fn types_without_a_reading_are_shown_in_hexadecimal() {
        assert_eq!(read(&Type::INTERVAL, &[0, 1]).ok(), Some("\\x0001".into()));
        assert_eq!(read(&Type::VARCHAR, b"abc").ok(), Some("abc".into()));
        assert_eq!(read(&Type::VOID, b"").ok(), Some(Value::Null));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_of_a_column_break_the_reader(raw in proptest::collection::vec(proptest::num::u8::ANY, 0..40)) {
            for of in [Type::NUMERIC, Type::UUID, Type::JSONB, Type::TIMESTAMP, Type::DATE, Type::INT4_ARRAY, Type::TEXT] {
                let _ = read(&of, &raw);
            }
        }
    }
}
