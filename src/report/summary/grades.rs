//! Grades as a report shows them: never without the interval, and never without the rule.

use serde::Serialize;

use crate::{
    clock::MICROSECOND,
    judge::{Grade, Grades},
};

/// The scale of a report's grades.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ScaleSummary {
    /// What is graded, such as `p95` or `service_p99`.
    pub by: String,
    /// The grades, the best first.
    pub limits: Vec<GradeLimit>,
    /// What is slower than all of them.
    pub below: String,
    /// All of it in words.
    pub rule: String,
}

/// A grade of the scale.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GradeLimit {
    /// Its word.
    pub grade: String,
    /// The longest time that it is given for, in microseconds.
    pub up_to_us: u64,
}

/// The grade of a row.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GradeSummary {
    /// The grade; null where the interval does not settle it, or the sample cannot carry the percentile.
    pub grade: Option<String>,
    /// The grades that the interval reaches, the best first; none where the percentile is withheld.
    pub among: Vec<String>,
    /// The grade for people: `A`, `A or B`, or a dash.
    pub text: String,
    /// The percentile in microseconds; null where it is withheld.
    pub actual: Option<f64>,
    /// Lower end of its 95 % interval.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// `actual` is a lower bound.
    pub at_least: bool,
    /// `actual` for people.
    pub actual_text: String,
    /// The interval for people.
    pub interval_text: String,
    /// Samples it rests on.
    pub samples: u64,
    /// Samples it would take to settle the grade, where that can be told.
    pub needed: Option<u64>,
}

impl ScaleSummary {
    pub(super) fn of(grades: &Grades) -> Self {
        let limit = |(word, limit): &(String, u64)| GradeLimit { grade: word.clone(), up_to_us: limit / MICROSECOND };
        Self {
            by: grades.by.to_string(),
            limits: grades.limits.iter().map(limit).collect(),
            below: grades.below.clone(),
            rule: grades.rule(),
        }
    }

    pub(super) fn rewrite(&mut self, each: &dyn Fn(&mut String)) {
        self.limits.iter_mut().map(|limit| &mut limit.grade).chain([&mut self.below, &mut self.rule]).for_each(each);
    }

    /// The rule as every form tells it.
    pub fn about(&self) -> String {
        format!("grades by the {}; a row whose 95 % interval reaches several has all of them", self.rule)
    }
}

impl GradeSummary {
    pub(super) fn of(grade: &Grade) -> Self {
        let figure = grade.figure;
        Self {
            grade: match &grade.words[..] {
                [settled] => Some(settled.clone()),
                _ => None,
            },
            among: grade.words.clone(),
            text: in_words(&grade.words),
            actual: figure.value,
            low: figure.low,
            high: figure.high,
            at_least: figure.at_least,
            actual_text: figure.text(),
            interval_text: figure.interval_text(),
            samples: grade.samples,
            needed: grade.needed,
        }
    }

    pub(super) fn rewrite(&mut self, each: &dyn Fn(&mut String)) {
        self.grade.iter_mut().chain(&mut self.among).chain([&mut self.text]).for_each(each);
    }

    /// The grade with the interval that it rests on: `A or B (8.1ms…12ms)`.
    pub fn with_interval(&self) -> String {
        match (&self.interval_text[..], self.actual, self.needed) {
            (_, None, Some(needed)) => format!("{} (needs {needed} samples)", self.text),
            // All of a sample that falls into one bucket: the interval is that one figure.
            ("", ..) => format!("{} ({})", self.text, self.actual_text),
            (interval, ..) => format!("{} ({interval})", self.text),
        }
    }
}

/// `A`, `A or B`, `A, B or C`.
fn in_words(words: &[String]) -> String {
    match words {
        [] => "–".to_owned(),
        [one] => one.clone(),
        [more @ .., last] => format!("{} or {last}", more.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_are_listed_as_people_do() {
        let words = |all: &str| in_words(&all.split_whitespace().map(ToOwned::to_owned).collect::<Vec<_>>());
        assert_eq!([words(""), words("A"), words("A B"), words("A+ A B")], ["–", "A", "A or B", "A+, A or B"]);
    }
}
