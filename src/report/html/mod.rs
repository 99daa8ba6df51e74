//! The report as one page for a browser: nothing is loaded from anywhere, and no script but its own may run.

mod chart;
mod charts;
mod scale;
mod view;

use std::sync::LazyLock;

use base64::{Engine, prelude::BASE64_STANDARD};
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value, context, value::Serde};
use sha2::{Digest, Sha256};

use super::Summary;
use crate::measure::clean_text;

const PAGE: &str = include_str!("page.html");
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
        remarks => view::remarks(summary),
        style => STYLE,
        script => SCRIPT,
        style_hash => hash(STYLE),
        script_hash => hash(SCRIPT),
    };
    // The template is part of the program, and a test renders every kind of summary with it.
    ENVIRONMENT.render_str(PAGE, values).unwrap_or_else(|error| format!("<!doctype html><p>{error}</p>"))
}

/// What a content security policy calls a text by.
fn hash(text: &str) -> String {
    BASE64_STANDARD.encode(Sha256::digest(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples::{classes, down, healthy, hostile, troubled};

    #[test]
    fn a_page_of_every_kind_of_run() {
        for summary in [healthy(), troubled(), down(), classes(), hostile()] {
            let page = render(&summary);
            assert!(page.trim_end().ends_with("</html>"), "{page}");
            assert!(page.contains(&format!("id=\"verdict\">{}<", summary.verdict.word())));
            assert_eq!(page.matches("<section>").count(), summary.phases.len() + summary.asides.len());
            assert!(!page.contains("none</td>"), "{page}");
        }
    }

    #[test]
    fn hostile_text_is_text() {
        let page = render(&hostile());
        let body = &page[page.find("<body>").expect("a body")..];
        assert_eq!(body.matches("<script").count(), 1, "only the page's own");
        assert!(!body.contains("<img") && !body.contains('\u{1b}') && !body.contains('\u{202e}'));
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
