//! The report as JUnit's XML: a case for each condition of an SLO, for each check, and for the run itself.

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::{
    Comparison, ScaleSummary, Summary,
    words::{self, compared, percent},
};
use crate::{
    judge::{Change, ExitCode, GoalStatus, NotDoneKind, Validity, Verdict},
    measure::clean_text,
};

/// A case for each figure that was held against the baseline. Where a regression is no failure of the run, it is none
/// here: pipelines go by the cases.
fn baseline(comparison: &Comparison) -> TestSuite {
    let mut suite = TestSuite::new("baseline");
    for figure in &comparison.figures {
        let told = compared(figure);
        let mut said = format!("{} against {}: {}", told.b, told.a, told.change);
        if !told.interval.is_empty() {
            said += &format!(", 95 % interval {}", told.interval);
        }
        if let Some(why) = &figure.why {
            said += &format!("; {why}");
        }
        let skipped = || {
            let mut skipped = TestCaseStatus::skipped();
            skipped.set_message(clean_text(&format!("{}: {said}", figure.verdict.word())));
            skipped
        };
        let status = match figure.verdict {
            Change::Improved | Change::Same => TestCaseStatus::success(),
            Change::Regression if comparison.is_gate => failure(NonSuccessKind::Failure, clean_text(&said)),
            Change::Regression | Change::Inconclusive => skipped(),
        };
        let class = figure.class.as_ref().map_or_else(String::new, |class| format!(" ({class})"));
        let name = format!("{}: {}{class}: {}", figure.phase, figure.name, figure.quantity);
        suite.add_test_case(TestCase::new(clean_text(&name), status));
    }
    suite
}

/// Renders the report. An inconclusive SLO is a skipped case, unless the run was strict about it.
pub(super) fn render(summary: &Summary) -> String {
    let mut report = Report::new(summary.title.as_deref().map_or_else(|| "loadr".to_owned(), clean_text));
    report.add_test_suites([run(summary), slos(summary)]);
    report.add_test_suites(summary.grades.iter().map(|scale| grades(summary, scale)));
    report.add_test_suites(goals(summary));
    report.add_test_suites(summary.baseline.iter().map(baseline));
    report.add_test_suites(summary.phases.iter().filter(|phase| !phase.checks.is_empty()).map(|phase| {
        let mut suite = TestSuite::new(format!("checks in {}", clean_text(&phase.name)));
        suite.add_test_cases(phase.checks.iter().map(|check| {
            let (of, share) = (check.count(), percent(check.share()));
            let first = check.example.as_ref().map(|example| format!("; first: {}", words::excerpt(example)));
            let first = first.unwrap_or_default();
            let status = if check.failed == 0 {
                TestCaseStatus::success()
            } else {
                failure(NonSuccessKind::Failure, format!("{} of {of} failed ({share} passed){first}", check.failed))
            };
            TestCase::new(clean_text(&check.name), status)
        }));
        suite
    }));
    // Text in memory: writing cannot fail for want of room, and no text holds what XML cannot.
    report.to_string().unwrap_or_default()
}

fn run(summary: &Summary) -> TestSuite {
    let evidence = || {
        let lines = summary.evidence.iter().map(|it| format!("{}: {}, should be {}", it.what, it.value, it.limit));
        clean_text(&lines.collect::<Vec<_>>().join("; "))
    };
    let validity = match summary.verdict {
        Validity::Valid | Validity::Suspect => TestCaseStatus::success(),
        Validity::Invalid => failure(NonSuccessKind::Error, evidence()),
    };
    let mut suite = TestSuite::new("run");
    let mut case = TestCase::new("the figures are valid", validity);
    if summary.verdict == Validity::Suspect {
        case.set_system_out(format!("SUSPECT: {}", evidence()));
    }
    suite.add_test_case(case);
    if !summary.unverified.is_empty() {
        // No failure: the script asked for it. No success either.
        let mut skipped = TestCaseStatus::skipped();
        let targets = clean_text(&summary.unverified.join(" "));
        skipped.set_message(format!("TLS NOT VERIFIED: any certificate was believed of {targets}"));
        suite.add_test_case(TestCase::new("certificates were verified", skipped));
    }
    let ended = match &summary.ended_early {
        Some(reason) => failure(NonSuccessKind::Error, clean_text(reason)),
        None => TestCaseStatus::success(),
    };
    suite.add_test_case(TestCase::new("the run was whole", ended));
    for note in &summary.author_notes {
        suite.add_property(("note of the author, not measured", clean_text(note).as_str()));
    }
    for (name, value) in &summary.facts {
        suite.add_property((format!("{}, not measured", clean_text(name)).as_str(), clean_text(value).as_str()));
    }
    if let Some(score) = &summary.score {
        suite.add_property(("score by a rule, not measured", score.text().as_str()));
    }
    suite
}

fn slos(summary: &Summary) -> TestSuite {
    let is_strict = summary.exit_code == ExitCode::Inconclusive.code();
    let mut suite = TestSuite::new("SLOs");
    for (left, word) in [(&summary.skipped, "skipped"), (&summary.not_run, "not run")] {
        for it in left {
            let name = format!("{} {}", it.kind.word(), clean_text(&it.name));
            let reason = clean_text(&it.reason);
            // What was not run though its plan has it fails the run, and so its case.
            let status = if word == "not run" && it.kind == NotDoneKind::Slo {
                failure(NonSuccessKind::Failure, format!("not run: {reason}"))
            } else {
                skipped(format!("{word}: {reason}"))
            };
            suite.add_test_case(TestCase::new(name, status));
        }
    }
    for slo in &summary.slos {
        let mut said = format!("{} is {}", slo.target, slo.actual_text);
        if !slo.interval_text.is_empty() {
            said += &format!(", 95 % interval {}", slo.interval_text);
        }
        if let Some(why) = &slo.why {
            said += &format!("; {why}");
        }
        let status = match slo.verdict {
            Verdict::Pass => TestCaseStatus::success(),
            Verdict::Inconclusive if !is_strict => {
                let mut skipped = TestCaseStatus::skipped();
                skipped.set_message(clean_text(&format!("inconclusive: {said}")));
                skipped
            }
            Verdict::NotRun => {
                let mut skipped = TestCaseStatus::skipped();
                skipped.set_message(clean_text(slo.why.as_deref().unwrap_or("not run")));
                skipped
            }
            Verdict::Inconclusive | Verdict::Fail => failure(NonSuccessKind::Failure, clean_text(&said)),
        };
        let name = format!("{}: {}", clean_text(&slo.name), clean_text(&slo.target));
        suite.add_test_case(TestCase::new(name, status));
    }
    suite
}

/// A case for each row that has a grade. None fails: a grade is no objective.
fn grades(summary: &Summary, scale: &ScaleSummary) -> TestSuite {
    let mut suite = TestSuite::new("grades");
    for phase in &summary.phases {
        for (row, grade) in phase.rows().filter_map(|row| Some((row, row.grade.as_ref()?))) {
            let said = clean_text(&format!("{}; {}", grade.with_interval(), scale.about()));
            let class = row.class.as_ref().map_or_else(String::new, |class| format!(" ({class})"));
            let name = clean_text(&format!("{}: {}{class}", phase.name, row.name));
            let mut case = if grade.grade.is_some() {
                TestCase::new(name, TestCaseStatus::success())
            } else {
                let mut skipped = TestCaseStatus::skipped();
                skipped.set_message(format!("not settled: {said}"));
                TestCase::new(name, skipped)
            };
            case.set_system_out(said);
            suite.add_test_case(case);
        }
    }
    suite
}

/// Goals decide nothing: one that is missed is a skipped case.
fn goals(summary: &Summary) -> Option<TestSuite> {
    let mut suite = TestSuite::new("goals, which decide nothing");
    for goal in &summary.goals {
        let mut said = format!("{}: {}, target {}", goal.status.words(), goal.actual_text, goal.target);
        if let Some(why) = &goal.why {
            said += &format!("; {why}");
        }
        let status = match goal.status {
            GoalStatus::Met => TestCaseStatus::success(),
            _ => skipped(clean_text(&said)),
        };
        suite.add_test_case(TestCase::new(clean_text(&goal.name), status));
    }
    (!summary.goals.is_empty()).then_some(suite)
}

fn skipped(message: String) -> TestCaseStatus {
    let mut status = TestCaseStatus::skipped();
    status.set_message(message);
    status
}

fn failure(kind: NonSuccessKind, message: String) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status.set_message(message);
    status
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples::{aims, healthy, hostile, regressed, troubled};

    #[test]
    fn a_case_for_each_condition_and_check() {
        insta::assert_snapshot!("healthy_junit", render(&healthy()));
        insta::assert_snapshot!("troubled_junit", render(&troubled()));
    }

    #[test]
    fn what_was_not_done_is_no_success() {
        let page = render(&aims());
        insta::assert_snapshot!("aims_junit", page);
    }

    #[test]
    fn a_regression_fails_its_case_where_it_fails_the_run() {
        let mut summary = regressed();
        let page = render(&summary);
        assert!(page.contains("name=\"sustained: item: p50\"") && page.contains("+50.0%"), "{page}");
        assert!(page.matches("<failure").count() == summary.baseline.as_ref().map_or(0, |it| it.regressions), "{page}");
        summary.baseline.iter_mut().for_each(|it| it.is_gate = false);
        let page = render(&summary);
        assert!(!page.contains("<failure") && page.contains("regression: "), "{page}");
    }

    #[test]
    fn hostile_text_is_text() {
        let page = render(&hostile());
        assert!(!page.contains("<script") && !page.contains("]]>") && !page.contains('\u{1b}'), "{page}");
    }
}
