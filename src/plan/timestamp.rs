//! Points in time as texts.

use serde::Serialize;
use time::OffsetDateTime;

/// How `timestamp()` is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum TimestampForm {
    /// Milliseconds since 1970.
    Milliseconds,
    /// Seconds since 1970.
    Seconds,
    /// `2026-11-21T13:24:32.123Z` (RFC 3339, UTC).
    Iso,
    /// `Sat, 21 Nov 2026 13:24:32 GMT` (RFC 9110).
    Http,
}

impl TimestampForm {
    /// The words for them in scripts.
    pub const WORDS: &'static [(&'static str, Self)] =
        &[("ms", Self::Milliseconds), ("s", Self::Seconds), ("iso", Self::Iso), ("http", Self::Http)];
}

/// A time as RFC 3339 has it, from milliseconds since 1970.
pub(super) fn iso(ms: u64) -> String {
    let Some(at) = moment(ms) else { return String::new() };
    let (year, month, day) = (at.year(), u8::from(at.month()), at.day());
    let (hour, minute, second) = at.to_hms();
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", at.millisecond())
}

/// A time as HTTP fields have it, from milliseconds since 1970.
pub(super) fn http(ms: u64) -> String {
    let Some(at) = moment(ms) else { return String::new() };
    let (weekday, month) = (at.weekday().to_string(), at.month().to_string());
    let (hour, minute, second) = at.to_hms();
    let (day, year) = (at.day(), at.year());
    format!("{:.3}, {day:02} {:.3} {year:04} {hour:02}:{minute:02}:{second:02} GMT", weekday, month)
}

/// None after the year 9999.
fn moment(ms: u64) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_the_standards_have_them() {
        for (ms, as_iso, as_http) in [
            (0, "1970-01-01T00:00:00.000Z", "Thu, 01 Jan 1970 00:00:00 GMT"),
            (784_111_777_050, "1994-11-06T08:49:37.050Z", "Sun, 06 Nov 1994 08:49:37 GMT"),
            (1_709_164_800_000, "2024-02-29T00:00:00.000Z", "Thu, 29 Feb 2024 00:00:00 GMT"),
        ] {
            assert_eq!((iso(ms), http(ms)), (as_iso.to_owned(), as_http.to_owned()));
        }
        assert_eq!(iso(u64::MAX), "");
    }
}
