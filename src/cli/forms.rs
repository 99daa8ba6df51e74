//! Which forms of the report are asked for, and the one that goes to standard output.

use super::Color;
use crate::{
    report::{self, Form, Summary, Template},
    runner::Output,
};

/// The report for standard output: by a template, or as the terminal shows it.
///
/// # Errors
/// A text for the user: what the template asks for is not there.
pub(super) fn page(
    summary: &Summary,
    template: Option<&Template>,
    color: Color,
    exemplars: bool,
) -> Result<String, String> {
    let (width, color) = (report::terminal::width(), color.on(&std::io::stdout()));
    match template {
        Some(template) => template.render(summary),
        None if exemplars => Ok(report::terminal::render_with_exemplars(summary, width, color)),
        None => Ok(report::terminal::render(summary, width, color)),
    }
}

/// `markdown`
pub(super) fn parse_form(name: &str) -> Result<&'static Form, String> {
    let known = || report::FORMS.iter().map(|form| form.name).collect::<Vec<_>>().join(", ");
    report::form(name).ok_or_else(|| format!("there is no form `{name}`; known: {}", known()))
}

/// `markdown=FILE`
pub(super) fn parse_output(text: &str) -> Result<Output, String> {
    let (name, path) = text.split_once('=').unwrap_or((text, ""));
    let form = parse_form(name)?;
    match path {
        "" => Err(format!("write {name}=FILE")),
        path => Ok(Output { form, path: path.into() }),
    }
}
