//! The report as one page for a browser: nothing is loaded from anywhere, and no script but its own may run.

mod aims;
mod chart;
mod charts;
mod comparison;
mod exhibit;
mod experiment;
pub(super) mod history;
mod scale;
mod view;
mod watched;

use std::sync::LazyLock;

use base64::{Engine, prelude::BASE64_STANDARD};
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value, context, value::Serde};
use sha2::{Digest, Sha256};

use self::comparison::Names;
use super::{AbTest, Comparison, ScaleSummary, Summary, words::tags};
use crate::measure::clean_text;

const PAGE: &str = include_str!("page.html");
const DOCUMENT: &str = include_str!("document.html");
const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.add_filter("clean", |text: String| clean_text(&text));
    environment
});

/// Renders the page.
pub(super) fn render(summary: &Summary) -> String {
    let values = context! {
        it => Value::from(Serde(summary)),
        title => summary.title.as_deref().map_or_else(|| "loadr".to_owned(), clean_text),
        version => env!("CARGO_PKG_VERSION"),
        phases => Value::from(Serde(view::phases(summary))),
        experiments => Value::from(Serde(experiment::experiments(summary))),
        aims => Value::from(Serde(aims::view(summary))),
        watched => Value::from(Serde(watched::watched(summary))),
        remarks => view::remarks(summary),
        grades => summary.grades.as_ref().map(ScaleSummary::about),
        tags => tags(summary).iter().map(|tag| clean_text(tag)).collect::<Vec<_>>(),
        baseline => summary.baseline.as_ref().map(|it| comparison::part(it, Names::BASELINE)),
        style => STYLE,
        script => SCRIPT,
        style_hash => hash(STYLE),
        script_hash => hash(SCRIPT),
    };
    filled(PAGE, values)
}

/// A page about comparisons alone.
pub fn comparisons(comparisons: &[Comparison]) -> String {
    comparison::page(comparisons, Names::FILES)
}

/// A page about two targets that took turns.
pub fn ab(test: &AbTest) -> String {
    comparison::ab_page(test)
}

/// A whole page around what was made already.
fn document(title: &str, word: &str, body: &str) -> String {
    let values = context! {
        title, word, body,
        version => env!("CARGO_PKG_VERSION"),
        style => STYLE,
        script => SCRIPT,
        style_hash => hash(STYLE),
        script_hash => hash(SCRIPT),
    };
    filled(DOCUMENT, values)
}

fn filled(template: &str, values: Value) -> String {
    // The templates are part of the program, and tests render every kind of page with them.
    ENVIRONMENT.render_str(template, values).unwrap_or_else(|error| format!("<!doctype html><p>{error}</p>"))
}

/// What a content security policy calls a text by.
fn hash(text: &str) -> String {
    BASE64_STANDARD.encode(Sha256::digest(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples::{aims, classes, down, experiment, healthy, hostile, regressed, troubled};

    #[test]
    fn a_page_of_every_kind_of_run() {
        for summary in [healthy(), troubled(), down(), classes(), experiment(), regressed(), hostile()] {
            let page = render(&summary);
            assert!(page.trim_end().ends_with("</html>"), "{page}");
            assert!(page.contains(&format!("id=\"verdict\">{}<", summary.verdict.word())));
            assert_eq!(page.matches("<section>").count(), summary.phases.len() + summary.asides.len());
            assert!(!page.contains("none</td>"), "{page}");
        }
    }

    #[test]
    fn a_comparison_is_shown_with_its_verdicts_as_words() {
        let summary = regressed();
        let whole = render(&summary);
        let alone = comparisons(&[summary.baseline.expect("one was made")]);
        for page in [whole, alone] {
            for part in
                ["id=\"comparison\">REGRESSION<", "class=\"left regression\">✗ regression", "main.loadr", "+50.0%"]
            {
                assert!(page.contains(part), "{part}: {page}");
            }
            assert!(page.trim_end().ends_with("</html>") && page.contains("default-src 'none'"), "{page}");
        }
    }

    #[test]
    fn a_history_is_drawn_with_its_changes() {
        let page = history::history(&crate::report::samples::history());
        for part in [
            "id=\"verdict\">REGRESSION<",
            "id=\"changes\"",
            "✗ +",
            "commit &lt;script&gt;",
            "<svg",
            "runs&#x2f;mix-8.loadr",
        ] {
            assert!(page.contains(part), "{part}: {page}");
        }
        assert!(page.trim_end().ends_with("</html>"), "{page}");
    }

    #[test]
    fn an_experiment_is_drawn_and_tabled() {
        let page = render(&experiment());
        for part in ["Experiment items", "Hit ratio over time", "Hits beside misses", "Latency by hit ratio", "10×"] {
            assert!(page.contains(part), "{part}: {page}");
        }
        assert_eq!(page.matches("<section>").count(), 3, "the experiment is none of the phases");
    }

    #[test]
    fn hostile_text_is_text() {
        let page = render(&hostile());
        let body = &page[page.find("<body>").expect("a body")..];
        assert_eq!(body.matches("<script").count(), 1, "only the page's own");
        assert!(!body.contains("<img") && !body.contains('\u{1b}') && !body.contains('\u{202e}'));
    }

    #[test]
    fn goals_are_tabled_with_what_was_left_out_and_the_score() {
        let page = render(&aims());
        for part in [
            "id=\"goals\"",
            "✗ missed",
            "– not measured",
            "– skipped: no cache here",
            "category security audit: done by hand",
            "SLO bursts fit: phase burst was not run",
            "a judgement by a rule, not measured",
            "-0.5 for no runbook, by the author, not measured",
        ] {
            assert!(page.contains(part), "{part}: {page}");
        }
    }

    #[test]
    fn nothing_is_loaded_from_anywhere() {
        let page = render(&healthy());
        for forbidden in ["src=", "href=", "@import", "url(", "http-equiv=\"refresh\""] {
            assert!(!page.contains(forbidden), "{forbidden}");
        }
        assert!(page.contains("default-src 'none'"));
    }
}
