//! The report as a comment of a pull request: GitHub's Markdown, short, the verdict first, details folded away.

mod aims;
mod comparison;
mod experiment;
mod watched;

use std::fmt::Write;

use super::{
    AbTest, Comparison, PhaseSummary, RowSummary, SloSummary, Summary,
    means::both_means,
    words::{
        self, figure, has_sums, interval, mark, metric, outcomes, percent, rate, row_name, seconds, short_hash, tags,
        us,
    },
};
use crate::{
    judge::{Severity, Validity, Verdict},
    measure::{clean_text, plain_text},
};

/// A comment of GitHub's holds 65 536 characters.
const BYTES_MAX: usize = 60_000;

/// Renders the report; never longer than fits into a comment. What is cut is said.
pub(super) fn render(summary: &Summary) -> String {
    let mut page = String::new();
    headline(&mut page, summary);
    slos(&mut page, &summary.slos);
    if let Some(scale) = &summary.grades {
        let _ = writeln!(page, "Requests have {}.\n", text(&scale.about()));
    }
    aims::section(&mut page, summary);
    if let Some(baseline) = &summary.baseline {
        comparison::section(&mut page, baseline);
    }
    for experiment in &summary.experiments {
        experiment::section(&mut page, experiment);
    }
    let mut left_out = 0;
    for phase in summary.phases.iter().chain(&summary.asides) {
        let text = section(phase, summary);
        if page.len() + text.len() > BYTES_MAX {
            left_out += 1;
        } else {
            page.push_str(&text);
        }
    }
    if left_out > 0 {
        let _ = writeln!(page, "{left_out} phases are left out: the comment would be too long.\n");
    }
    for watch in &summary.watched {
        watched::section(&mut page, watch);
    }
    remarks(&mut page, summary);
    page
}

/// Renders comparisons that stand for themselves.
pub fn comparisons(comparisons: &[Comparison]) -> String {
    let mut page = String::from("### Comparison\n\n");
    comparisons.iter().for_each(|one| comparison::section(&mut page, one));
    page
}

/// Renders two targets that took turns.
pub fn ab(test: &AbTest) -> String {
    let mut page = format!("### A/B test\n\n{}\n\n", test.about());
    comparison::section(&mut page, &test.comparison);
    page
}

fn headline(page: &mut String, summary: &Summary) {
    let sign = match summary.exit_code {
        0 => "✅",
        _ => "❌",
    };
    let passed = summary.slos.iter().filter(|slo| slo.verdict == Verdict::Pass).count();
    let title = summary.title.as_deref().map_or_else(|| "Load test".to_owned(), text);
    let _ = writeln!(page, "### {sign} {title}\n");
    let _ = writeln!(
        page,
        "**{}** · {passed} of {} SLO conditions pass{} · exit {} ({})\n",
        summary.verdict.word(),
        summary.slos.len(),
        words::skipped_slos(summary).map_or_else(String::new, |part| format!(" · {part}")),
        summary.exit_code,
        summary.exit_meaning,
    );
    if let Some(reason) = &summary.ended_early {
        let _ = writeln!(page, "> Ended early: {}\n", text(reason));
    }
    let all = summary.verdict != Validity::Valid;
    let mut shown = summary.evidence.iter().filter(|evidence| all || evidence.severity != Severity::Note).peekable();
    while let Some(evidence) = shown.next() {
        let (what, value, limit) = (text(&evidence.what), text(&evidence.value), text(&evidence.limit));
        // What helps against several in a row stands with the last of them.
        let help = match shown.peek() {
            Some(next) if next.help == evidence.help => String::new(),
            _ => format!(" {}", text(&evidence.help)),
        };
        let _ = writeln!(page, "> {what}: {value}, should be {limit}.{help}\n");
    }
}

fn slos(page: &mut String, slos: &[SloSummary]) {
    if slos.is_empty() {
        return;
    }
    page.push_str("| | SLO | target | actual | 95 % interval |\n|---|---|---|--:|---|\n");
    for slo in slos {
        let _ = writeln!(
            page,
            "| {} | {} | {} | {} | {} |",
            mark(slo.verdict),
            text(&slo.name),
            text(&slo.target),
            text(&slo.actual_text),
            text(&slo.interval_text),
        );
    }
    page.push('\n');
    for slo in slos.iter().filter(|slo| slo.verdict != Verdict::Pass) {
        if let Some(why) = &slo.why {
            let _ = writeln!(page, "- {} ({}): {}", text(&slo.name), text(&slo.target), text(why));
        }
    }
    page.push('\n');
}

fn section(phase: &PhaseSummary, summary: &Summary) -> String {
    let mut page = String::new();
    if phase.is_chore() {
        let (name, length) = (text(&phase.name), seconds(phase.duration_s));
        let _ = writeln!(page, "**{name}**: 1 iteration, ok in {length}; warm-up, not counted\n");
        return page;
    }
    let counts: Vec<String> = outcomes(phase).iter().map(|(word, n)| format!("{word} {n}")).collect();
    let warmup = if phase.warmup { ", warm-up, not counted" } else { "" };
    let aside = if phase.load == "aside" { " (not counted)" } else { "" };
    let _ = writeln!(
        page,
        "<details{}><summary><b>{}</b>{aside} {}{warmup}: {}</summary>\n",
        if phase.warmup || phase.load == "aside" { "" } else { " open" },
        text(&phase.name),
        text(&phase.load_text),
        counts.join(", "),
    );
    if let Some(asked) = phase.rate_asked {
        let _ = writeln!(
            page,
            "Rate asked {}, achieved {} in {}; lateness p99 {}.\n",
            rate(asked),
            rate(phase.rate_achieved),
            seconds(phase.duration_s),
            phase.lateness_us.p99.map_or_else(|| "–".to_owned(), us),
        );
    } else if phase.rate_achieved > 0.0 {
        let _ = writeln!(page, "Rate {} in {}.\n", rate(phase.rate_achieved), seconds(phase.duration_s));
    }
    if let Some(means) = both_means(phase) {
        let _ = writeln!(page, "Closed; {means}.\n");
    }
    table(&mut page, phase);
    for row in phase.rows().filter(|row| row.class.is_none()) {
        if let Some(cache) = &row.cache {
            let _ = writeln!(page, "- {}: {}", text(&row.name), cache.text());
            for warning in cache.warnings() {
                let _ = writeln!(page, "  - **Doubtful**: {warning}");
            }
        }
        for failure in &row.failures {
            let _ =
                writeln!(page, "- {} × `{}` in {}: {}", failure.count, failure.kind, text(&row.name), failure.advice);
        }
    }
    let failing = phase.requests.iter().filter_map(|row| Some((row, row.failing.first()?)));
    for (row, first) in failing {
        let (name, what) = (text(&row.name), text_of(&words::exemplar(first)));
        let curl = text_of(&first.curl);
        let _ = writeln!(page, "- first failure of {name}: {what}<br><code>{curl}</code>");
    }
    for error in &phase.script_errors {
        let (place, message) = (text(&error.place), text(&error.message));
        let example = words::example(error).map_or_else(String::new, |example| format!(" ({})", text_of(&example)));
        let _ = writeln!(page, "- {} × script error at {place}: {message}{example}", error.count);
    }
    for reason in &phase.failure_reasons {
        let example = words::example(reason).map_or_else(String::new, |example| format!(" ({})", text_of(&example)));
        let _ = writeln!(page, "- {} × failed: {}{example}", reason.count, text(&reason.message));
    }
    for check in &phase.checks {
        let share = percent(check.share());
        let sign = if check.failed == 0 { "✓" } else { "✗" };
        let first = check.example.as_ref().map(|example| format!(" (first: {})", text_of(&words::excerpt(example))));
        let first = first.unwrap_or_default();
        let _ = writeln!(page, "- {sign} check {}: {share} of {}{first}", text(&check.name), check.count());
    }
    for custom in summary.own_metrics(&phase.custom) {
        let _ = writeln!(page, "- metric {}: {}", text(custom.name()), metric(custom));
    }
    page.push_str("\n</details>\n\n");
    page
}

fn table(page: &mut String, phase: &PhaseSummary) {
    let rows: Vec<&RowSummary> = phase.rows().collect();
    if rows.is_empty() {
        return;
    }
    let title = if phase.is_open { "response time" } else { "request" };
    let has_grades = rows.iter().any(|row| row.grade.is_some());
    let (head, rule) = if has_grades { (" grade (95 % interval) |", "---|") } else { ("", "") };
    let _ = writeln!(
        page,
        "| {title} | offered | failed | p50 | p95 | 95 % interval of p95 | p99 | max | service p95 |{head}"
    );
    let _ = writeln!(page, "|---|--:|--:|--:|--:|---|--:|--:|--:|{rule}");
    for row in rows {
        let name = match &row.class {
            Some(class) => format!("↳ {}", text(class)),
            None => text(&row_name(row)),
        };
        let response = &row.response_us;
        let grade = match &row.grade {
            Some(grade) => format!(" {} |", text(&grade.with_interval())),
            None if has_grades => " |".to_owned(),
            None => String::new(),
        };
        let _ = writeln!(
            page,
            "| {name} | {} | {} | {} | {} | {} | {} | {} | {} |{grade}",
            row.offered,
            row.offered - row.ok,
            figure(response, "p50"),
            figure(response, "p95"),
            interval(response, "p95"),
            figure(response, "p99"),
            figure(response, "max"),
            figure(&row.service_us, "p95"),
        );
    }
    page.push('\n');
}

fn remarks(page: &mut String, summary: &Summary) {
    if has_sums(summary) {
        for custom in summary.own_metrics(&summary.custom) {
            let _ = writeln!(page, "- {}, over all phases that count: {}", text(custom.name()), metric(custom));
        }
    }
    for note in words::own_notes(summary) {
        let _ = writeln!(page, "- Note: {}", text(note));
    }
    for note in &summary.author_notes {
        let _ = writeln!(page, "- Note of the author (not measured): {}", text(note));
    }
    for (name, value) in &summary.facts {
        let _ = writeln!(page, "- {}: {} (not measured)", text(name), text(value));
    }
    let hash = short_hash(summary);
    let targets: Vec<String> = summary.targets.iter().map(|target| text(target)).collect();
    let tags: String = tags(summary).iter().map(|tag| format!(" · {}", text(tag))).collect();
    let _ = writeln!(page, "\n<sub>loadr · seed {} · plan {hash} · {}{tags}</sub>", summary.seed, targets.join(" "));
}

/// Text of a script or a server: it must start no markup, mention nobody, and link nowhere. Entities say so in
/// Markdown, in its tables and in the HTML within it alike; backslashes would not.
fn text(raw: &str) -> String {
    text_of(&clean_text(raw))
}

/// The same of a text whose parts have been cut already.
fn text_of(raw: &str) -> String {
    let clean = plain_text(raw);
    let mut out = String::with_capacity(clean.len());
    for (at, c) in clean.char_indices() {
        let starts_link = || {
            let rest = &clean[at..];
            rest.starts_with("://") || (rest.starts_with('.') && clean[..at].to_ascii_lowercase().ends_with("www"))
        };
        match c {
            '&' | '<' | '>' | '@' | '#' | '\\' | '`' | '*' | '_' | '[' | ']' | '!' | '|' | '~' | '$' => {
                let _ = write!(out, "&#{};", u32::from(c));
            }
            ':' | '.' if starts_link() => {
                let _ = write!(out, "&#{};", u32::from(c));
            }
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples::{aims, experiment, healthy, hostile, regressed, troubled};

    #[test]
    fn a_healthy_run() {
        insta::assert_snapshot!(render(&healthy()));
    }

    #[test]
    fn a_cache_experiment() {
        let page = render(&experiment());
        insta::assert_snapshot!(&page[..page.find("<details").expect("phases")]);
    }

    #[test]
    fn goals_and_what_was_left_out() {
        let page = render(&aims());
        insta::assert_snapshot!(&page[..page.find("<details").expect("phases")]);
    }

    #[test]
    fn a_troubled_run() {
        insta::assert_snapshot!(render(&troubled()));
    }

    #[test]
    fn a_regression() {
        insta::assert_snapshot!(render(&regressed()));
    }

    #[test]
    fn hostile_text_is_text() {
        let page = render(&hostile());
        for forbidden in ["<script", "<img", "](", "@admin", "](http", "\n# ", "http://evil"] {
            assert!(!page.contains(forbidden), "{forbidden:?} in {page}");
        }
        let rows = page.lines().filter(|line| line.starts_with("| ")).map(|line| line.matches('|').count());
        assert!(rows.into_iter().all(|bars| matches!(bars, 6 | 7 | 9 | 10 | 11)), "{page}");
    }

    #[test]
    fn it_fits_into_a_comment() {
        let mut summary = healthy();
        summary.phases = std::iter::repeat_n(summary.phases[1].clone(), 500).collect();
        let page = render(&summary);
        assert!(page.len() < 65_000, "{}", page.len());
        assert!(page.contains("phases are left out"));
    }
}
