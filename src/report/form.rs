//! The forms a report can be written in. The table is the registry: the command line, the guide and the tests
//! read it.

use super::{Summary, csv, html, json, junit, markdown, prometheus, terminal};

/// A form of the report.
#[derive(Debug)]
pub struct Form {
    /// Its word, as in `-o markdown=FILE`.
    pub name: &'static str,
    /// What it is for: a sentence.
    pub about: &'static str,
    /// Renders it.
    pub render: fn(&Summary) -> String,
}

/// How wide a report is that goes into a file.
const FILE_COLUMNS: usize = 120;

/// Every form but a user's own template.
pub const FORMS: &[Form] = &[
    Form { name: "json", about: "The summary for programs; its names are an interface.", render: json },
    Form { name: "html", about: "A page for a browser, in one file, with charts.", render: html::render },
    Form { name: "markdown", about: "A comment for a pull request.", render: markdown::render },
    Form { name: "junit", about: "A test report: a case for each SLO and check.", render: junit::render },
    Form { name: "csv", about: "A table for spreadsheets: a row for each request.", render: csv::render },
    Form {
        name: "timeline",
        about: "A table for spreadsheets: a row for each stretch of time.",
        render: csv::timeline::render,
    },
    Form { name: "prometheus", about: "Prometheus' text format.", render: prometheus::render },
    Form { name: "text", about: "What the terminal shows, without colour.", render: text },
];

/// The form of that name.
pub fn form(name: &str) -> Option<&'static Form> {
    FORMS.iter().find(|form| form.name == name)
}

fn text(summary: &Summary) -> String {
    terminal::render(summary, FILE_COLUMNS, false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples::{classes, down, experiment, healthy, hostile, regressed, troubled};

    #[test]
    fn every_form_renders_every_run() {
        for form in FORMS {
            assert!(form.about.ends_with('.'), "{}", form.name);
            for summary in [healthy(), troubled(), down(), classes(), experiment(), regressed(), hostile()] {
                let page = (form.render)(&summary);
                assert!(!page.is_empty(), "{}", form.name);
                let is_bad = |c: char| c.is_control() && !matches!(c, '\n' | '\r');
                assert!(!page.contains(is_bad), "{}: {page:?}", form.name);
            }
        }
    }
}
