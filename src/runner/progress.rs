//! Progress on standard error: one line that is redrawn on a terminal, a line now and then elsewhere.

use std::{
    io::{IsTerminal, Write},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::conduct::{View, Watcher};
use crate::{
    clock::{Nanos, SECOND},
    engine::outline::planned_duration,
    plan::{PhaseId, Plan},
    report::{ProgressView, progress_line, terminal},
    script::Redactor,
};

/// Between two lines where nothing can be redrawn.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// Seconds that the figures of the moment are taken over.
const RECENT_SECONDS: u64 = 2;

/// See the module.
pub(super) struct Progress {
    phases: Vec<(String, Option<Nanos>)>,
    quiet: bool,
    redactor: Redactor,
    bar: Option<ProgressBar>,
    last_line: Option<(Vec<PhaseId>, Instant)>,
}

impl Progress {
    pub(super) fn new(plan: &Plan, quiet: bool, redactor: Redactor) -> Self {
        let phases = plan.phases.iter().enumerate();
        let phases = phases.map(|(index, phase)| {
            (redactor.redact(&phase.name).into_owned(), planned_duration(plan, PhaseId(index as u32)))
        });
        let bar = (!quiet && std::io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            // A template without fields of its own cannot be wrong.
            bar.set_style(ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar
        });
        Self { phases: phases.collect(), quiet, redactor, bar, last_line: None }
    }

    /// A line that stays.
    pub(super) fn note(&self, line: &str) {
        let line = &*self.redactor.redact(line);
        match &self.bar {
            _ if self.quiet => {}
            Some(bar) => bar.suspend(|| eprint_line(line)),
            None => eprint_line(line),
        }
    }

    /// A line that stays, and that `--quiet` does not silence: something is lost.
    pub(super) fn warn(&self, line: &str) {
        let line = &*self.redactor.redact(line);
        match &self.bar {
            Some(bar) => bar.suspend(|| eprint_line(line)),
            None => eprint_line(line),
        }
    }

    /// Clears the line.
    pub(super) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn line(&self, view: &View<'_>) -> Option<String> {
        let &(id, start) = view.phases.last()?;
        let (name, duration) = self.phases.get(id.index())?;
        let elapsed = view.now.saturating_sub(start);
        let end = view.second + 1;
        let window = view.totals.window(id.0 as u16, end.saturating_sub(RECENT_SECONDS), end);
        let (rate, p95) = ProgressView::recent(&window, RECENT_SECONDS.min(elapsed / SECOND + 1));
        let figures = view.totals.figures(id.0 as u16);
        let gauges = view.totals.gauges(id.0 as u16);
        let over = duration.is_some_and(|duration| elapsed > duration);
        let line = ProgressView {
            phase: name,
            index: id.index() + 1,
            of: self.phases.len(),
            elapsed,
            left: duration.map(|duration| duration.saturating_sub(elapsed)),
            draining: view.draining || over,
            rate,
            in_flight: gauges.in_flight.now,
            users: gauges.users.now,
            p95,
            errors: figures.iterations.not_ok(),
            total: figures.iterations.total(),
        };
        // The last column stays free: some terminals wrap when it is written.
        Some(progress_line(&line, terminal::width().saturating_sub(1)))
    }
}

impl Watcher for Progress {
    fn update(&mut self, view: &View<'_>) {
        if self.quiet {
            return;
        }
        let Some(line) = self.line(view) else { return };
        if let Some(bar) = &self.bar {
            bar.set_message(line);
            bar.tick();
            return;
        }
        let active: Vec<PhaseId> = view.phases.iter().map(|&(id, _)| id).collect();
        let is_due = self.last_line.as_ref().is_none_or(|(shown, at)| *shown != active || at.elapsed() >= LINE_EVERY);
        if is_due {
            eprint_line(&line);
            self.last_line = Some((active, Instant::now()));
        }
    }

    fn say(&mut self, line: &str) {
        self.note(line);
    }
}

/// Standard error may be closed: then nobody reads.
fn eprint_line(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
