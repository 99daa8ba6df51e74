//! What one iteration of each entry did, for a terminal. Text of servers and scripts is made harmless: it is data.

use super::{
    Page,
    paint::Tone,
    text::{clean, fit},
};
use crate::{
    clock::{MILLISECOND, Nanos, format_nanos, format_size},
    protocol::{DONE, word_of},
    report::{Act, Body, Headers, Timings, Trial, TrialRequest, TrialStep},
};

/// Renders a trial. Lines of prose are at most `width` columns wide; fields and bodies are as long as they are, so
/// that they can be copied.
pub fn render_trial(trial: &Trial, width: usize, color: bool) -> String {
    let mut page = Page::new(width, color);
    if let Some(title) = &trial.title {
        page.prose(0, Tone::Bold, &clean(title));
    }
    for step in &trial.steps {
        page.blank();
        section(&mut page, step);
    }
    page.blank();
    footer(&mut page, trial);
    let mut text = page.lines.join("\n");
    text.push('\n');
    text
}

fn milliseconds(ms: f64) -> String {
    format_nanos((ms * MILLISECOND as f64).round() as Nanos)
}

fn section(page: &mut Page, step: &TrialStep) {
    let (mark, tone) = if step.ok { ("✓", Tone::Good) } else { ("✗", Tone::Bad) };
    let name = match step.kind {
        "flow" => format!("flow {}", clean(&step.name)),
        _ => clean(&step.name),
    };
    let phase = step.phase.as_ref().map_or_else(String::new, |phase| format!(", of phase {}", clean(phase)));
    page.prose(0, tone, &format!("{mark} {name}{phase}  {}", milliseconds(step.took_ms)));
    for act in &step.acts {
        match act {
            Act::Request(request) => exchange(page, request),
            Act::Log { text } => {
                for line in text.lines() {
                    page.line(format!("  | {}", clean(line)));
                }
            }
        }
    }
    for check in &step.checks {
        let (mark, tone) = if check.failed == 0 { ("✓", Tone::Good) } else { ("✗", Tone::Bad) };
        let counts = match (check.passed, check.failed) {
            (1, 0) | (0, 1) => String::new(),
            (passed, 0) => format!(": {passed} passed"),
            (passed, failed) => format!(": {passed} passed, {failed} failed"),
        };
        page.prose(2, tone, &format!("{mark} check {}{counts}", clean(&check.name)));
    }
    for (name, value) in &step.saved {
        page.prose(2, Tone::Plain, &format!("vu.{} = {}", clean(name), fit(&clean(&value.to_string()), 200)));
    }
    if let Some(value) = step.value.as_ref().filter(|value| !value.is_null()) {
        page.prose(2, Tone::Plain, &format!("data() = {}", fit(&clean(&value.to_string()), 200)));
    }
    for (name, value) in &step.metrics {
        page.prose(2, Tone::Plain, &format!("metric {} = {value}", clean(name)));
    }
    for reason in &step.failures {
        page.prose(2, Tone::Bad, &format!("✗ failed: {}", clean(reason)));
    }
    for error in &step.script_errors {
        page.prose(2, Tone::Bad, &format!("✗ script error at {}: {}", clean(&error.place), clean(&error.message)));
    }
}

fn exchange(page: &mut Page, request: &TrialRequest) {
    page.line(page.paint.tone(Tone::Bold, &format!("  → {} {}", clean(&request.method), clean(&request.url))));
    message(page, &request.headers, request.body.as_ref());
    let timings = timings(&request.timings, request.reused);
    match (request.error, &request.error_detail) {
        (Some(kind), detail) => {
            let detail = detail.as_ref().map_or_else(String::new, |detail| format!(": {}", clean(detail)));
            page.prose(2, Tone::Bad, &format!("← {kind}{detail} · {timings}"));
        }
        (None, _) => {
            let is_good = request.status < 400 || request.status == DONE;
            let tone = if is_good { Tone::Good } else { Tone::Warning };
            let status = match word_of(request.status) {
                Some(word) => format!("← {word}"),
                None => format!("← {} {}", request.status, clean(&request.reason)),
            };
            page.prose(2, tone, &format!("{} · {timings}", status.trim_end()));
        }
    }
    message(page, &request.response_headers, request.response_body.as_ref());
}

fn timings(timings: &Timings, reused: bool) -> String {
    let parts = [
        ("dns", timings.dns_ms),
        ("connect", timings.connect_ms),
        ("tls", timings.tls_ms),
        ("send", timings.send_ms),
        ("wait", timings.wait_ms),
        ("receive", timings.receive_ms),
    ];
    let parts: Vec<String> =
        parts.iter().filter_map(|(word, ms)| Some(format!("{word} {}", milliseconds((*ms)?)))).collect();
    let connection = if reused { ", open connection" } else { "" };
    format!("{} ({}{connection})", milliseconds(timings.total_ms), parts.join(", "))
}

fn message(page: &mut Page, headers: &Headers, body: Option<&Body>) {
    const INDENT: &str = "      ";
    for (name, value) in headers {
        let line = page.paint.tone(Tone::Dim, &format!("{INDENT}{}: {}", clean(name), clean(value)));
        page.line(line);
    }
    let Some(body) = body else { return };
    if !headers.is_empty() {
        page.blank();
    }
    match &body.text {
        None => {
            let text = format!("{INDENT}({} that are no text)", format_size(body.bytes));
            page.line(page.paint.tone(Tone::Dim, &text));
        }
        Some(text) => {
            for line in text.lines() {
                // Cleaning takes the indent of JSON away.
                let own = " ".repeat(line.len() - line.trim_start_matches(' ').len());
                page.line(format!("{INDENT}{own}{}", clean(line)).trim_end().to_owned());
            }
            if body.cut {
                let text = format!("{INDENT}… of {}; all of it with --full", format_size(body.bytes));
                page.line(page.paint.tone(Tone::Dim, &text));
            }
        }
    }
}

fn footer(page: &mut Page, trial: &Trial) {
    if let Some(reason) = &trial.ended_early {
        page.prose(0, Tone::Bad, &format!("ended early: {}", clean(reason)));
    }
    let failed = trial.steps.iter().filter(|step| !step.ok).count();
    let (tone, text) = match failed {
        0 if trial.ended_early.is_none() => (Tone::Good, "everything went as the script expects".to_owned()),
        0 => (Tone::Bad, "not everything could be tried".to_owned()),
        n => (Tone::Bad, format!("{n} of {} steps failed", trial.steps.len())),
    };
    page.prose(0, tone, &format!("{text} · seed {} · exit {}", trial.seed, trial.exit_code));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_does_nothing() {
        let mut step = TrialStep::new("flow", "a\u{1b}[31mb", Some("p\u{7}"));
        step.acts.push(Act::Log { text: "x\u{1b}]0;title\u{7}\r\ny\u{202e}z".to_owned() });
        step.failures.push("\u{1b}[2J".to_owned());
        let trial = Trial {
            title: Some("t\u{1b}".to_owned()),
            seed: 1,
            plan_hash: String::new(),
            exit_code: 99,
            steps: vec![step],
            ended_early: Some("\u{9b}31m".to_owned()),
        };
        let text = render_trial(&trial, 80, false);
        let is_harmless = |c: char| c == '\n' || !(c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c));
        assert!(text.chars().all(is_harmless), "{text:?}");
    }
}
