//! The report by a user's own template, in the language of Jinja.

use minijinja::{AutoEscape, Environment, Value, value::Serde};

use super::{Summary, words};

/// Work of a template beyond which it is taken for endless.
const FUEL: u64 = 50_000_000;
const NAME: &str = "template";

/// A template that was read.
#[derive(Debug)]
pub struct Template {
    file: String,
    environment: Environment<'static>,
}

impl Template {
    /// Parses `text`; `file` names it in messages, and its ending tells what is escaped: `.html` and `.xml` are
    /// escaped for markup, `.json` for JSON, anything else not at all. What follows the last of `.j2` and
    /// `.jinja` does not count.
    ///
    /// # Errors
    /// What is wrong with it, and on which line.
    pub fn parse(file: &str, text: String) -> Result<Self, String> {
        let mut environment = Environment::new();
        let kind = file.trim_end_matches(".j2").trim_end_matches(".jinja").rsplit('.').next().map(str::to_lowercase);
        let escape = match kind.as_deref() {
            Some("html" | "htm" | "xml") => AutoEscape::Html,
            Some("json") => AutoEscape::Json,
            _ => AutoEscape::None,
        };
        environment.set_auto_escape_callback(move |_| escape.clone());
        environment.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
        environment.set_fuel(Some(FUEL));
        environment.add_filter("duration", |us: Value| -> String {
            u64::try_from(us).map_or_else(|_| words::NOTHING.to_owned(), words::us)
        });
        environment.add_filter("percent", |share: f64| words::percent(share));
        environment.add_template_owned(NAME, text).map_err(|error| explain(file, &error))?;
        Ok(Self { file: file.to_owned(), environment })
    }

    /// Renders a summary. The template's variables are the fields of the JSON summary.
    ///
    /// # Errors
    /// What the template asks for is not there, or it does not end.
    pub fn render(&self, summary: &Summary) -> Result<String, String> {
        let explained = |error| explain(&self.file, &error);
        self.environment.get_template(NAME).and_then(|it| it.render(Value::from(Serde(summary)))).map_err(explained)
    }
}

fn explain(file: &str, error: &minijinja::Error) -> String {
    let line = error.line().map_or_else(String::new, |line| format!(":{line}"));
    let detail = error.detail().map_or_else(String::new, |detail| format!(": {detail}"));
    format!("{file}{line}: {}{detail}\nhelp: the variables are the names of the JSON summary", error.kind())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples::{healthy, hostile};

    fn rendered(file: &str, text: &str) -> Result<String, String> {
        Template::parse(file, text.to_owned())?.render(&healthy())
    }

    #[test]
    fn it_has_the_names_of_the_json() {
        let text = "{% for phase in phases %}{{ phase.name }} {{ phase.offered }} \
                    {{ phase.requests[0].response_us.p95|duration }}\n{% endfor %}{{ verdict }}";
        assert_eq!(rendered("a.txt", text).expect("renders"), "warm-up 60 –\nsustained 3200 8.5ms\nVALID");
    }

    #[test]
    fn mistakes_have_their_line() {
        let error = rendered("a.txt", "one\n{{ nothing.such }}").expect_err("there is no such thing");
        assert!(error.starts_with("a.txt:2: "), "{error}");
        let error = rendered("a.txt", "{% for %}").expect_err("no template");
        assert!(error.starts_with("a.txt:1: "), "{error}");
        let endless = "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}";
        assert!(rendered("a.txt", endless).is_err());
    }

    #[test]
    fn markup_is_escaped_where_the_file_is_markup() {
        let show = |file: &str| {
            let template = Template::parse(file, "{{ title }}".to_owned()).expect("parses");
            template.render(&hostile()).expect("renders")
        };
        assert!(show("a.md").contains("<script>"));
        assert!(!show("a.html").contains("<script>"));
        assert!(!show("a.html.j2").contains("<script>"));
    }
}
