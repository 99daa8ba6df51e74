//! One line about the run while it goes on. Formatting only; drawing is the runner's.

use unicode_width::UnicodeWidthStr;

use super::terminal::fit;
use crate::{
    clock::{Nanos, SECOND, format_nanos},
    measure::{Distribution, Kind, PhaseFigures, Quantile},
};

/// The state of the run, as its line shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct ProgressView<'a> {
    /// The phase under way.
    pub phase: &'a str,
    /// Its number among the phases, from 1.
    pub index: usize,
    /// How many phases there are.
    pub of: usize,
    /// Since its start.
    pub elapsed: Nanos,
    /// To its planned end, if it has one.
    pub left: Option<Nanos>,
    /// No new iterations: those under way are awaited.
    pub draining: bool,
    /// Requests a second, of the last seconds.
    pub rate: f64,
    /// Iterations under way.
    pub in_flight: u64,
    /// Virtual users at work; 0 is not shown.
    pub users: u64,
    /// 95th percentile of the response time, of the last seconds.
    pub p95: Quantile,
    /// Iterations that did not end ok, since the phase's start.
    pub errors: u64,
    /// Iterations since the phase's start.
    pub total: u64,
}

impl ProgressView<'_> {
    /// Requests a second and the 95th percentile of their response time in a window of `seconds`.
    pub fn recent(window: &PhaseFigures, seconds: u64) -> (f64, Quantile) {
        let (mut ok, mut censored, mut offered) = (Distribution::default(), Distribution::default(), 0);
        for (_, series) in window.series.iter().filter(|(key, _)| key.kind == Kind::Request) {
            ok.merge(&series.ok.response);
            censored.merge(&series.censored());
            offered += series.offered();
        }
        (offered as f64 / seconds.max(1) as f64, Quantile::offered(&ok, &censored, 950_000))
    }
}

/// The line, at most `width` columns wide. What matters least is left out first.
pub fn progress_line(view: &ProgressView<'_>, width: usize) -> String {
    let whole = |nanos: Nanos| format_nanos(nanos / SECOND * SECOND);
    let time = match view.left {
        _ if view.draining => "draining".to_owned(),
        Some(left) => format!("{}/{}", whole(view.elapsed), whole(view.elapsed.saturating_add(left))),
        None => whole(view.elapsed),
    };
    let p95 = match view.p95 {
        Quantile::Value(us) => format!("p95 {}", format_nanos(us * 1_000)),
        Quantile::AtLeast(us) => format!("p95 ≥ {}", format_nanos(us * 1_000)),
        Quantile::None => String::new(),
    };
    let users = if view.users > 0 { format!("{} users", view.users) } else { String::new() };
    // In the order of the line, each with how much it matters (less is more).
    let mut parts = vec![
        (0, format!("[{}/{}] {}", view.index, view.of, crate::measure::clean_text(view.phase))),
        (1, time),
        (2, format!("{:.0}/s", view.rate)),
        (3, p95),
        (2, format!("{} not ok", view.errors)),
        (5, users),
        (4, format!("{} in flight", view.in_flight)),
        (6, format!("{} done", view.total)),
    ];
    parts.retain(|(_, text)| !text.is_empty());
    loop {
        let line = parts.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>().join("  ");
        let least = parts.iter().map(|(matters, _)| *matters).max().unwrap_or(0);
        if line.width() <= width || least == 0 {
            return fit(&line, width);
        }
        parts.retain(|(matters, _)| *matters < least);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn view() -> ProgressView<'static> {
        ProgressView {
            phase: "sustained",
            index: 2,
            of: 3,
            elapsed: 12 * SECOND + 345,
            left: Some(18 * SECOND),
            draining: false,
            rate: 499.6,
            in_flight: 12,
            users: 0,
            p95: Quantile::Value(8_530),
            errors: 3,
            total: 6_000,
        }
    }

    #[test]
    fn what_matters_least_goes_first() {
        for (width, line) in [
            (100, "[2/3] sustained  12s/30s  500/s  p95 8.53ms  3 not ok  12 in flight  6000 done"),
            (70, "[2/3] sustained  12s/30s  500/s  p95 8.53ms  3 not ok  12 in flight"),
            (40, "[2/3] sustained  12s/30s"),
            (10, "[2/3] sus…"),
        ] {
            assert_eq!(progress_line(&view(), width), line);
        }
    }

    #[test]
    fn draining_and_lower_bounds_are_told() {
        let view = ProgressView { draining: true, p95: Quantile::AtLeast(30_000_000), ..view() };
        assert!(progress_line(&view, 100).contains("draining  500/s  p95 ≥ 30s"));
    }

    proptest! {
        #[test]
        fn no_line_is_wider_than_asked(name in ".{0,60}", width in 0usize..140) {
            let line = progress_line(&ProgressView { phase: &name, ..view() }, width);
            prop_assert!(line.width() <= width, "{}", line);
            prop_assert!(!line.contains(char::is_control));
        }
    }
}
