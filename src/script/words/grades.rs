//! Grades.

use rhai::{Dynamic, Map};

use super::{Form::Call as Written, Receiver::Global, Run, Stages::Plan, Word};
use crate::{
    clock::{Nanos, format_nanos},
    judge::{BELOW, Grades, Quantity},
    plan::Problem,
    script::{call::Call, quantity::nanos, top_level::Poison},
};

const OPTIONS: &[&str] = &["by", "below"];
/// The percentile that is graded unless the script says another.
const USUAL: Quantity = Quantity::Response(950_000);
/// A grade stands in a narrow column.
const WORD_CHARS_MAX: usize = 20;

pub(super) const WORDS: &[Word] = &[Word {
    name: "grades",
    on: Global,
    form: Written,
    takes: "limits: map, options?: map",
    gives: "()",
    usage: "`grades(#{ \"A+\": 5.ms, \"A\": 10.ms, \"B\": 50.ms })`",
    about: "A grade for each request of the phases that count: the longest time that each grade is given for. It is the \
            95th percentile of the response time that is graded, or what `by` says: `by: \"p99\"`, `\"service_p95\"`, \
            `\"ttfb_p50\"`. What is slower than all has the grade F, or the one of `below`. Where the 95 % interval \
            reaches several grades, the report shows them all.",
    stages: Plan,
    run: Run::Checked(|call, _, mut args| {
        let options = match args.len() {
            1 => Some(Map::new()),
            _ => call.map(args.remove(1), "a map of options such as #{ by: \"p99\" }"),
        };
        let limits = call.map(args.remove(0), "a map of limits such as #{ \"A\": 10.ms, \"B\": 50.ms }");
        if let (Some(limits), Some(options)) = (limits, options)
            && let Some(grades) = grades(call, &limits, &options)
        {
            let twice = call.state.plan.borrow_mut().grades.replace(grades).is_some();
            if twice {
                call.wrong("there are two scales of grades", "a report has one: put all limits into it");
            }
        }
        Dynamic::UNIT
    }),
}];

fn grades(call: &Call<'_>, limits: &Map, options: &Map) -> Option<Grades> {
    let before = call.mistakes();
    let mut grades = Grades { by: USUAL, limits: Vec::new(), below: BELOW.to_owned() };
    for (key, value) in options {
        match key.as_str() {
            "by" => grades.by = by(call, value).unwrap_or(USUAL),
            "below" => grades.below = call.fixed_text(value).filter(|word| is_word(call, word)).unwrap_or_default(),
            key => call.unknown_option(key, OPTIONS),
        }
    }
    if limits.is_empty() {
        call.problem(
            Problem::at(&call.place(), "`grades` has no grades")
                .label("there is nothing to give")
                .help(format!("write {}", call.word.usage)),
        );
    }
    for (word, limit) in limits {
        let Some(limit) = limit_of(call, word, limit) else { continue };
        if is_word(call, word) {
            grades.limits.push((word.to_string(), limit));
        }
    }
    // A map has no order of its own: the shortest limit is the best grade.
    grades.limits.sort_by_key(|(_, limit)| *limit);
    apart(call, &grades);
    (call.mistakes() == before).then_some(grades)
}

/// Reports grades that could not be told apart.
fn apart(call: &Call<'_>, grades: &Grades) {
    for pair in grades.limits.windows(2) {
        let [(one, limit), (other, same)] = pair else { continue };
        if limit == same {
            let text = format!("the grades `{one}` and `{other}` have the same limit, {}", format_nanos(*limit));
            call.wrong(text, "give the better one a shorter time");
        }
    }
    if grades.limits.iter().any(|(word, _)| *word == grades.below) {
        call.wrong(
            format!("the grade `{}` has a limit, and is what is slower than all of them too", grades.below),
            "give the slowest another word: `grades(#{ … }, #{ below: \"too slow\" })`",
        );
    }
}

fn by(call: &Call<'_>, value: &Dynamic) -> Option<Quantity> {
    let text = call.fixed_text(value)?;
    match Quantity::parse(&text) {
        Ok(Some(quantity)) if Grades::can_be_by(&quantity) => Some(quantity),
        Err(message) => {
            call.wrong(message, "write `by: \"p95\"`");
            None
        }
        Ok(_) => {
            call.problem(
                Problem::at(&call.place(), format!("`{text}` cannot be graded"))
                    .label("not a percentile of a time")
                    .help("a grade rests on an interval: write `by: \"p95\"`, \"service_p95\" or \"ttfb_p95\""),
            );
            None
        }
    }
}

fn limit_of(call: &Call<'_>, word: &str, value: &Dynamic) -> Option<Nanos> {
    if value.is::<Poison>() {
        return None;
    }
    let limit = nanos(call.duration(value)?);
    if limit == 0 {
        call.wrong(format!("nothing could get the grade `{word}`: its limit is 0"), "give it a time, such as 5.ms");
        return None;
    }
    Some(limit)
}

fn is_word(call: &Call<'_>, word: &str) -> bool {
    let fits = !word.trim().is_empty() && word.chars().count() <= WORD_CHARS_MAX;
    if !fits {
        call.wrong(
            format!("a grade is a word of 1 to {WORD_CHARS_MAX} characters, not {word:?}"),
            format!("write {}", call.word.usage),
        );
    }
    fits
}
