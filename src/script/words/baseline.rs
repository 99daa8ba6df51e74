//! Earlier runs as a baseline.

use rhai::{Dynamic, Map};

use super::{Form::Call as Written, Receiver::Global, Run, Stages::Plan, Word};
use crate::{
    plan::{Baseline, MARGIN, Problem, parse_margin},
    script::{
        call::Call,
        confine::{Refusal, readable},
        top_level::Poison,
    },
};

const OPTIONS: &[&str] = &["max_regression", "fail"];

pub(super) const WORDS: &[Word] = &[Word {
    name: "baseline",
    on: Global,
    form: Written,
    takes: "files: any, options?: map",
    gives: "()",
    usage: "`baseline(\"main.loadr\")` or `baseline(\"main.loadr\", #{ max_regression: \"5%\" })`",
    about: "Earlier runs that the run must not be worse than.",
    stages: Plan,
    run: Run::Checked(|call, _, mut args| {
        let options = match args.len() {
            1 => Some(Map::new()),
            _ => call.map(args.remove(1), "a map such as #{ max_regression: \"5%\" }"),
        };
        let files = files(call, args.remove(0));
        if let (Some(files), Some(options)) = (files, options)
            && let Some(baseline) = baseline(call, files, &options)
        {
            let twice = call.state.plan.borrow_mut().baseline.replace(baseline).is_some();
            if twice {
                call.wrong("there are two baselines", "name all files in one: `baseline([\"a.loadr\", \"b.loadr\"])`");
            }
        }
        Dynamic::UNIT
    }),
}];

/// The files as the script may read them; whether they are there is looked at before the run.
fn files(call: &Call<'_>, value: Dynamic) -> Option<Vec<String>> {
    let values = if value.is_array() { call.array(value, "a file or a list of files")? } else { vec![value] };
    if values.is_empty() {
        call.wrong("a baseline has no files", format!("write {}", call.word.usage));
        return None;
    }
    let mut files = Vec::new();
    for value in &values {
        let name = call.fixed_text(value)?;
        match readable(call.state, &call.state.folder, &name) {
            Ok(_) | Err(Refusal::Missing(_)) => {
                files.push(call.state.folder.join(&name).to_string_lossy().into_owned());
            }
            Err(Refusal::Outside) => {
                let problem =
                    Problem::at(&call.place(), format!("the file `{name}` lies outside of the script's folder"));
                call.problem(problem.help("allow it with `--allow-read DIR`, or name it with `--baseline FILE`"));
                return None;
            }
        }
    }
    Some(files)
}

fn baseline(call: &Call<'_>, files: Vec<String>, options: &Map) -> Option<Baseline> {
    let mut baseline = Baseline { files, margin: MARGIN, fail: true, at: call.place() };
    let before = call.mistakes();
    for (key, value) in options {
        match key.as_str() {
            "max_regression" => baseline.margin = margin(call, value).unwrap_or(MARGIN),
            "fail" => match value.as_bool() {
                Ok(fail) => baseline.fail = fail,
                Err(_) => call.mismatch("`fail: true` or `fail: false`", value).unwrap_or_default(),
            },
            key => call.unknown_option(key, OPTIONS),
        }
    }
    (call.mistakes() == before).then_some(baseline)
}

fn margin(call: &Call<'_>, value: &Dynamic) -> Option<f64> {
    if value.is::<Poison>() {
        return None;
    }
    let text = value.clone().into_immutable_string().ok();
    match text.as_deref().and_then(parse_margin) {
        Some(share) => Some(share),
        None => call.mismatch("a percentage such as `max_regression: \"5%\"`", value),
    }
}
