//! The report for a terminal, a pipe or a log: at most as wide as asked, readable without colour.

mod aims;
mod comparison;
mod experiment;
mod history;
mod outlook;
mod paint;
mod phase;
mod slo;
mod table;
mod text;
mod timeline;
mod trial;
mod watched;
mod width;

pub use comparison::{ab, comparison};
pub use history::history;
pub use outlook::render_outlook;
use paint::{Paint, Tone};
pub use text::fit;
use text::{clean, wrap};
pub use trial::render_trial;
use unicode_width::UnicodeWidthStr;
pub use width::width;

use super::{Summary, curl, words};
use crate::{
    judge::{Severity, Validity, Verdict},
    measure::plain_text,
};

/// Narrower than this, lines are cut.
const WIDTH_MIN: usize = 20;

/// Renders the whole report; no line is wider than `width` columns (at least 20), but for arguments of `curl` that are:
/// those stay whole. `color` adds ANSI colours, which change nothing else.
pub fn render(summary: &Summary, width: usize, color: bool) -> String {
    render_page(summary, width, color, false)
}

/// As [`render`], with every exchange that was kept whole.
pub fn render_with_exemplars(summary: &Summary, width: usize, color: bool) -> String {
    render_page(summary, width, color, true)
}

fn render_page(summary: &Summary, width: usize, color: bool, exemplars: bool) -> String {
    let mut page = Page { exemplars, ..Page::new(width, color) };
    headline(&mut page, summary);
    slo::table(&mut page, &summary.slos);
    if let Some(scale) = &summary.grades {
        page.blank();
        page.prose(0, Tone::Dim, &clean(&scale.about()));
    }
    aims::section(&mut page, summary);
    if let Some(baseline) = &summary.baseline {
        comparison::section(&mut page, baseline);
    }
    for experiment in &summary.experiments {
        experiment::section(&mut page, experiment);
    }
    for phase in &summary.phases {
        phase::section(&mut page, phase, summary);
    }
    for aside in &summary.asides {
        phase::aside(&mut page, aside, summary);
    }
    for watch in &summary.watched {
        watched::section(&mut page, watch);
    }
    custom(&mut page, summary);
    remarks(&mut page, summary);
    let mut text = page.lines.join("\n");
    text.push('\n');
    text
}

/// The report in the making.
struct Page {
    lines: Vec<String>,
    width: usize,
    paint: Paint,
    /// Every exchange that was kept whole is wanted, not only the first that failed.
    exemplars: bool,
}

impl Page {
    fn new(width: usize, color: bool) -> Self {
        Self { lines: Vec::new(), width: width.max(WIDTH_MIN), paint: Paint { color }, exemplars: false }
    }

    /// A line that fits already.
    fn line(&mut self, line: String) {
        self.lines.push(line);
    }

    fn blank(&mut self) {
        self.lines.push(String::new());
    }

    /// A line for a shell, broken between arguments in the shell's way.
    fn shell(&mut self, indent: usize, line: &str) {
        let mut text = String::new();
        for argument in curl::arguments(&plain_text(line)) {
            let room = self.width.saturating_sub(indent + 2 + text.width());
            if !text.is_empty() && argument.width() + 1 > room {
                self.lines.push(format!("{}{text} \\", " ".repeat(indent)));
                text.clear();
                text.push_str("  ");
            } else if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(argument);
        }
        self.lines.push(format!("{}{text}", " ".repeat(indent)));
    }

    /// Prose, broken at spaces; further lines are indented by two more.
    fn prose(&mut self, indent: usize, tone: Tone, text: &str) {
        for line in wrap(text, self.width, indent) {
            let line = self.paint.tone(tone, &line);
            self.lines.push(line);
        }
    }
}

fn headline(page: &mut Page, summary: &Summary) {
    let passed = summary.slos.iter().filter(|slo| slo.verdict == Verdict::Pass).count();
    let count = |verdict: Verdict| summary.slos.iter().filter(|slo| slo.verdict == verdict).count();
    let mut parts = vec![match summary.slos.len() {
        0 => "no SLOs".to_owned(),
        1 => format!("{passed} of 1 SLO passes"),
        all => format!("{passed} of {all} SLOs pass"),
    }];
    match summary.verdict {
        Validity::Valid => {}
        Validity::Suspect => parts.insert(0, "the generator disturbed the figures".to_owned()),
        Validity::Invalid => parts.insert(0, "the figures tell of the generator, not of the target".to_owned()),
    }
    for (verdict, word) in
        [(Verdict::Fail, "failed"), (Verdict::Inconclusive, "inconclusive"), (Verdict::NotRun, "not run")]
    {
        if count(verdict) > 0 {
            parts.push(format!("{} {word}", count(verdict)));
        }
    }
    parts.extend(words::skipped_slos(summary));
    parts.push(format!("exit {} ({})", summary.exit_code, summary.exit_meaning));
    let tone = match summary.verdict {
        Validity::Valid => Tone::Good,
        Validity::Suspect => Tone::Warning,
        Validity::Invalid => Tone::Bad,
    };
    let word = summary.verdict.word();
    for (at, line) in wrap(&format!("{word}  {}", parts.join(" · ")), page.width, 0).into_iter().enumerate() {
        // Only the word is coloured, and it is whole: no line is narrower than it.
        let line = match line.strip_prefix(word) {
            Some(rest) if at == 0 => format!("{}{rest}", page.paint.tone(tone, word)),
            _ => line,
        };
        page.line(line);
    }
    if let Some(title) = &summary.title {
        page.prose(0, Tone::Dim, &clean(title));
    }
    if !summary.unverified.is_empty() {
        let targets = clean(&summary.unverified.join(" "));
        page.prose(0, Tone::Warning, &format!("TLS NOT VERIFIED: any certificate was believed of {targets}"));
    }
    if let Some(reason) = &summary.ended_early {
        page.prose(0, Tone::Warning, &format!("ended early: {}", clean(reason)));
    }
    if let Some(why) = &summary.partial {
        page.prose(0, Tone::Warning, &format!("partial: {}", clean(why)));
    }
    for (at, evidence) in summary.evidence.iter().enumerate() {
        let (mark, tone) = match evidence.severity {
            Severity::Invalid => ("✗", Tone::Bad),
            Severity::Suspect => ("!", Tone::Warning),
            Severity::Note => ("·", Tone::Dim),
        };
        let (what, value) = (clean(&evidence.what), clean(&evidence.value));
        page.prose(0, tone, &format!("{mark} {what}: {value}, should be {}", clean(&evidence.limit)));
        // What helps against several in a row stands below the last of them.
        if summary.evidence.get(at + 1).is_none_or(|next| next.help != evidence.help) {
            page.prose(2, Tone::Plain, &clean(&evidence.help));
        }
    }
}

fn custom(page: &mut Page, summary: &Summary) {
    if !words::has_sums(summary) {
        return;
    }
    page.blank();
    page.prose(0, Tone::Bold, "metrics of the script, over all phases that count");
    for metric in summary.own_metrics(&summary.custom) {
        page.prose(2, Tone::Plain, &format!("{}  {}", clean(metric.name()), words::metric(metric)));
    }
}

fn remarks(page: &mut Page, summary: &Summary) {
    let turned_away = (summary.names_turned_away > 0).then(|| {
        format!(
            "{} times a name or class was filed under (other): there are too many; give requests a `.name(…)`",
            summary.names_turned_away
        )
    });
    let notes: Vec<String> = words::own_notes(summary).map(|note| clean(note)).chain(turned_away).collect();
    if !notes.is_empty() {
        page.blank();
        page.prose(0, Tone::Bold, "notes");
        notes.iter().for_each(|note| page.prose(2, Tone::Plain, note));
    }
    if !summary.author_notes.is_empty() {
        page.blank();
        page.prose(0, Tone::Bold, "notes of the author, not measured");
        summary.author_notes.iter().for_each(|note| page.prose(2, Tone::Plain, &clean(note)));
    }
    if !summary.facts.is_empty() {
        page.blank();
        page.prose(0, Tone::Bold, "facts of the author, not measured");
        for (name, value) in &summary.facts {
            page.prose(2, Tone::Plain, &format!("{}: {}", clean(name), clean(value)));
        }
    }
    page.blank();
    if !summary.tags.is_empty() {
        page.prose(0, Tone::Dim, &format!("tags {}", clean(&words::tags(summary).join(" · "))));
    }
    let hash = words::short_hash(summary);
    page.prose(0, Tone::Dim, &format!("seed {} · plan {hash} · {}", summary.seed, clean(&summary.targets.join(" "))));
}

#[cfg(test)]
mod tests;
