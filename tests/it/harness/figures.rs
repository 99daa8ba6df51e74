//! The JSON summary, with panics that show what is missing.

use serde_json::Value;

/// A whole summary.
#[derive(Debug, Clone)]
pub struct Figures(pub Value);

/// One of its phases, or what was measured beside them.
#[derive(Debug, Clone, Copy)]
pub struct Phase<'a>(pub &'a Value);

/// A request or flow of a phase.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a>(pub &'a Value);

#[track_caller]
fn count(value: &Value, field: &str) -> u64 {
    value[field].as_u64().unwrap_or_else(|| panic!("no count {field} in {value:#}"))
}

#[track_caller]
fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value[field].as_array().unwrap_or_else(|| panic!("no list {field} in {value:#}"))
}

#[track_caller]
fn named<'a>(value: &'a Value, field: &str, name: &str) -> &'a Value {
    let found = list(value, field).iter().find(|item| item["name"] == name);
    found.unwrap_or_else(|| panic!("no {name:?} among the {field} of {value:#}"))
}

impl Figures {
    #[track_caller]
    pub fn parse(text: &str) -> Self {
        Self(serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text}")))
    }

    #[track_caller]
    pub fn verdict(&self) -> &str {
        self.0["verdict"].as_str().expect("a verdict")
    }

    /// A metric of the script's, of the whole run.
    #[track_caller]
    pub fn metric(&self, name: &str) -> &Value {
        named(&self.0, "custom", name)
    }

    #[track_caller]
    pub fn phase(&self, name: &str) -> Phase<'_> {
        Phase(named(&self.0, "phases", name))
    }

    #[track_caller]
    pub fn aside(&self, name: &str) -> Phase<'_> {
        Phase(named(&self.0, "asides", name))
    }

    pub fn phases(&self) -> impl Iterator<Item = Phase<'_>> {
        list(&self.0, "phases").iter().map(Phase)
    }

    #[track_caller]
    pub fn slo(&self, name: &str) -> &Value {
        named(&self.0, "slos", name)
    }

    /// The summary is as its schema says. Offered is the sum of the outcomes, in each phase and each row.
    #[track_caller]
    pub fn assert_consistent(&self) {
        let schema: Value = serde_json::from_str(loadr::report::SUMMARY_SCHEMA).expect("the schema is JSON");
        let mistakes = super::schema::mistakes(&schema, &self.0);
        assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
        for phase in self.phases() {
            let outcomes = ["ok", "errors", "timeouts", "expired", "dropped", "interrupted"];
            let sum: u64 = outcomes.iter().map(|outcome| phase.count(outcome)).sum();
            assert_eq!(phase.count("offered"), sum, "{:#}", phase.0);
            let end = phase.seconds("start_s") + phase.seconds("duration_s") + phase.seconds("drain_s");
            let course = list(phase.0, "timeline");
            let last = course.last().map_or(0.0, |point| point["start_s"].as_f64().expect("a time"));
            // A course is told by whole seconds.
            assert!(last < end + 1.0, "its course goes on at {last} s after its end at {end} s: {:#}", phase.0);
            let taken: u64 = course.iter().map(|point| count(point, "offered")).sum();
            assert_eq!(phase.count("offered"), taken, "its course has others than it: {:#}", phase.0);
        }
        for phase in self.phases().chain(list(&self.0, "asides").iter().map(Phase)) {
            for row in ["requests", "messages", "flows", "groups"].iter().flat_map(|rows| list(phase.0, rows)).map(Row)
            {
                let failed: u64 = row.errors().iter().map(|(_, count)| count).sum();
                assert_eq!(row.count("offered"), row.count("ok") + failed, "{:#}", row.0);
            }
        }
    }
}

impl<'a> Phase<'a> {
    #[track_caller]
    pub fn count(self, field: &str) -> u64 {
        count(self.0, field)
    }

    #[track_caller]
    pub fn seconds(self, field: &str) -> f64 {
        self.0[field].as_f64().unwrap_or_else(|| panic!("no {field} in {:#}", self.0))
    }

    #[track_caller]
    pub fn row(self, name: &str) -> Row<'a> {
        Row(named(self.0, "requests", name))
    }

    #[track_caller]
    pub fn flow(self, name: &str) -> Row<'a> {
        Row(named(self.0, "flows", name))
    }

    #[track_caller]
    pub fn group(self, name: &str) -> Row<'a> {
        Row(named(self.0, "groups", name))
    }

    #[track_caller]
    pub fn message(self, name: &str) -> Row<'a> {
        Row(named(self.0, "messages", name))
    }

    #[track_caller]
    pub fn check(self, name: &str) -> &'a Value {
        named(self.0, "checks", name)
    }

    /// Script errors or failure reasons: place, message, count.
    #[track_caller]
    pub fn messages(self, field: &str) -> Vec<(&'a str, &'a str, u64)> {
        let text = |value: &'a Value| value.as_str().expect("text");
        let items = list(self.0, field).iter();
        items.map(|item| (text(&item["place"]), text(&item["message"]), count(item, "count"))).collect()
    }

    /// Requests of all rows.
    #[track_caller]
    pub fn requests(self) -> u64 {
        let rows = list(self.0, "requests").iter().filter(|row| row["class"].is_null());
        rows.map(|row| count(row, "offered")).sum()
    }
}

impl<'a> Row<'a> {
    #[track_caller]
    pub fn count(self, field: &str) -> u64 {
        count(self.0, field)
    }

    /// A duration in milliseconds, such as `("response_us", "p95")`.
    #[track_caller]
    pub fn ms(self, of: &str, figure: &str) -> f64 {
        let value = self.0[of][figure].as_f64();
        value.unwrap_or_else(|| panic!("no {figure} of {of} in {:#}", self.0)) / 1_000.0
    }

    /// What went wrong, by kind.
    #[track_caller]
    pub fn errors(self) -> Vec<(&'a str, u64)> {
        let kinds = self.0["errors"].as_object().expect("errors");
        kinds.iter().map(|(kind, count)| (kind.as_str(), count.as_u64().expect("a count"))).collect()
    }

    #[track_caller]
    pub fn error(self, kind: &str) -> u64 {
        self.0["errors"][kind].as_u64().unwrap_or(0)
    }

    #[track_caller]
    pub fn status(self, code: u16) -> u64 {
        self.0["status"][code.to_string()].as_u64().unwrap_or(0)
    }
}
