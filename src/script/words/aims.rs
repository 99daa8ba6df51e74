//! What stands beside the measured figures: goals, what is left out, and a score by a rule.

use rhai::{Dynamic, Map};

use super::{
    Form::Call as Written,
    Receiver::{Global, Score as OnScore},
    Run,
    Stages::Plan,
    Word,
    slo::{condition, select},
};
use crate::{
    judge::{Condition, Goal, Quantity, Score, Selector, Slo},
    plan::{Problem, Skip},
    script::{
        call::{Call, told},
        top_level::Poison,
    },
};

/// The score of the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScoreHandle;

const SCORE_OPTIONS: &[&str] = &["failed", "inconclusive", "not_run", "skipped"];

pub(super) const WORDS: &[Word] = &[
    Word {
        name: "goal",
        on: Global,
        form: Written,
        takes: "name: string, options: map",
        gives: "()",
        usage: "`goal(\"faster pages\", #{ before: \"15-20 s\", target: \"< 10s\", phase: \"main\" })`",
        about: "What is hoped for, beside what was before: a row of the table of goals, which decides nothing. `target` is \
                held against the p95, or the quantity that `figure` names, of what is selected as in `slo`; without \
                selection and figure it is not measured.",
        stages: Plan,
        run: Run::Checked(|call, _, mut args| {
            let options = call.map(args.remove(1), "a map such as #{ before: \"15-20 s\", target: \"< 10s\" }");
            if let Some((name, options)) = call.name(&args[0]).zip(options)
                && let Some(goal) = goal(call, name, &options)
            {
                let mut plan = call.state.plan.borrow_mut();
                plan.goals.push(goal);
                plan.goal_places.push(call.place());
            }
            Dynamic::UNIT
        }),
    },
    Word {
        name: "skip",
        on: Global,
        form: Written,
        takes: "name: string, reason: string",
        gives: "()",
        usage: "`skip(\"uploads\", \"no storage on this machine\")`",
        about: "Leaves a phase, an SLO, a goal or an experiment out, with all that is about it; a name that nothing has is \
                a category of the author's. It is reported as skipped, with its reason, and never counts as passed.",
        stages: Plan,
        run: Run::Checked(|call, _, args| {
            if let Some((name, reason)) = call.name(&args[0]).zip(reason(call, &args[1])) {
                call.state.plan.borrow_mut().skips.push(Skip { name, reason, at: call.place() });
            }
            Dynamic::UNIT
        }),
    },
    Word {
        name: "score",
        on: Global,
        form: Written,
        takes: "max: number, options?: map",
        gives: "Score",
        usage: "`score(10)` or `score(10, #{ failed: 2 })`",
        about: "A score in the report, with its rule: SLOs that failed, are inconclusive, were not run or were skipped \
                take points (`failed`, `inconclusive`, `not_run`, `skipped`), and so does `.deduct`.",
        stages: Plan,
        run: Run::Checked(|call, _, mut args| {
            let options = match args.len() {
                1 => Some(Map::new()),
                _ => call.map(args.remove(1), "a map such as #{ failed: 2 }"),
            };
            let Some(score) = options.and_then(|options| score(call, &args[0], &options)) else {
                return Dynamic::from(Poison);
            };
            if call.state.plan.borrow_mut().score.replace(score).is_some() {
                call.wrong("there are two scores", "a run has one: put the deductions into it");
            }
            Dynamic::from(ScoreHandle)
        }),
    },
    Word {
        name: "deduct",
        on: OnScore,
        form: Written,
        takes: "points: number, reason: string",
        gives: "Score",
        usage: "`.deduct(0.5, \"no runbook\")`",
        about: "Takes points by the author's word; the report says that it is not measured.",
        stages: Plan,
        run: Run::Checked(|call, score, args| {
            if let Some((points, reason)) = points(call, &args[0]).zip(reason(call, &args[1]))
                && let Some(score) = &mut call.state.plan.borrow_mut().score
            {
                score.deductions.push((points, reason));
            }
            score
        }),
    },
];

fn reason(call: &Call<'_>, value: &Dynamic) -> Option<String> {
    let reason = call.fixed_text(value)?;
    if reason.trim().is_empty() {
        call.wrong(format!("`{}` needs a reason", call.word.name), format!("write {}", call.word.usage));
        return None;
    }
    Some(reason)
}

fn points(call: &Call<'_>, value: &Dynamic) -> Option<f64> {
    let points = call.number(value)?;
    if !(points.is_finite() && points >= 0.0) {
        call.wrong(format!("points are numbers from 0 on, not {points}"), format!("write {}", call.word.usage));
        return None;
    }
    Some(points)
}

fn score(call: &Call<'_>, max: &Dynamic, options: &Map) -> Option<Score> {
    let before = call.mistakes();
    let max = points(call, max)?;
    if max == 0.0 {
        call.wrong("a score of 0 points says nothing", format!("write {}", call.word.usage));
        return None;
    }
    let mut score = Score::new(max);
    if let Some(failed) = options.get("failed").and_then(|value| points(call, value)) {
        // Half of it for what is doubtful, unless the script says otherwise.
        (score.failed, score.not_run, score.inconclusive, score.skipped) = (failed, failed, failed / 2.0, failed / 2.0);
    }
    for (key, value) in options {
        let slot = match key.as_str() {
            "failed" => continue,
            "inconclusive" => &mut score.inconclusive,
            "not_run" => &mut score.not_run,
            "skipped" => &mut score.skipped,
            key => {
                call.unknown_option(key, SCORE_OPTIONS);
                continue;
            }
        };
        *slot = points(call, value).unwrap_or_default();
    }
    (call.mistakes() == before).then_some(score)
}

fn goal(call: &Call<'_>, name: String, options: &Map) -> Option<Goal> {
    let mistakes = call.mistakes();
    let mut selector = Selector::default();
    let (mut before, mut target, mut figure, mut is_selected) = (None, None, None, false);
    let mut conditions = Vec::new();
    for (key, value) in options {
        if select(call, &mut selector, key, value) {
            is_selected = true;
            continue;
        }
        match key.as_str() {
            // A number, or a duration, is told as it is written.
            "before" if value.is::<Poison>() => return None,
            "before" => before = Some(told(value)),
            "target" => target = call.fixed_text(value),
            "figure" => figure = call.fixed_text(value),
            key => conditions.push(condition(call, key, value)?),
        }
    }
    if call.mistakes() > mistakes {
        return None;
    }
    if conditions.len() > 1 || (target.is_some() && !conditions.is_empty()) {
        call.wrong(
            format!("the goal `{name}` has more than one target"),
            "declare a goal for each: one row, one figure",
        );
        return None;
    }
    let (target, condition) = match (target, conditions.pop()) {
        (None, Some(condition)) => (format!("{} {}", condition.quantity, condition.text), Some(condition)),
        (Some(target), _) => {
            let condition = match &figure {
                Some(figure) => Some(of_figure(call, figure, &target)?),
                None if is_selected => Some(usual(call, &target)?),
                None => None,
            };
            (target, condition)
        }
        (None, None) => {
            call.problem(
                Problem::at(&call.place(), format!("the goal `{name}` has no target"))
                    .help("add one, such as `target: \"< 10s\"` or `p95: \"< 10s\"`"),
            );
            return None;
        }
    };
    let measure = condition.map(|condition| Slo {
        name: name.clone(),
        selector,
        conditions: vec![condition],
        abort: false,
        over: None,
    });
    Some(Goal { name, before, target, measure, skipped: None })
}

fn of_figure(call: &Call<'_>, figure: &str, target: &str) -> Option<Condition> {
    condition(call, figure, &Dynamic::from(target.to_owned()))
}

/// A target without a figure is one of the p95.
fn usual(call: &Call<'_>, target: &str) -> Option<Condition> {
    Condition::parse(Quantity::Response(950_000), target)
        .map_err(|message| {
            call.problem(
                Problem::at(&call.place(), format!("`target: {target:?}` is no condition on the p95: {message}"))
                    .help("say which figure it is about, such as `figure: \"errors\"` or `figure: \"rps\"`"),
            );
        })
        .ok()
}
