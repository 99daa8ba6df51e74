//! Environment, secrets, set-up and tear-down, notes.

use rhai::Dynamic;

use super::{
    Form::Call as Written,
    Receiver::Global,
    Run,
    Stages::{Both, Plan},
    Word,
};
use crate::{
    plan::{ClosureId, Problem},
    script::{
        call::{Call, told},
        quantity::{Pace, Span},
        state::{ScriptState, Stage},
    },
};

pub(super) const WORDS: &[Word] = &[
    Word {
        name: "env",
        on: Global,
        form: Written,
        takes: "name: string, default?: any",
        gives: "any",
        usage: "`env(\"NAME\", \"default\")`",
        about: "A variable of the environment, or of `-e NAME=…`.",
        stages: Both,
        run: Run::Checked(|call, _, args| variable(call, &args).map_or(Dynamic::from(""), |(_, value)| value)),
    },
    Word {
        name: "secret",
        on: Global,
        form: Written,
        takes: "name: string, default?: any",
        gives: "any",
        usage: "`secret(\"PASSWORD\")`",
        about: "As `env`, but shown as `***` in everything that loadr writes.",
        stages: Both,
        run: Run::Checked(|call, _, args| {
            let Some((_, value)) = variable(call, &args) else { return Dynamic::from("") };
            call.state.redactor.add(&value.to_string());
            value
        }),
    },
    Word {
        name: "rate",
        on: Global,
        form: Written,
        takes: "text: string",
        gives: "Rate",
        usage: "`rate(\"500/300s\")`",
        about: "A rate from a text.",
        stages: Both,
        run: Run::Checked(|call, _, args| {
            let stand_in = crate::clock::Rate::per_second(1);
            Dynamic::from(Pace(call.rate(&args[0]).unwrap_or(stand_in)))
        }),
    },
    Word {
        name: "duration",
        on: Global,
        form: Written,
        takes: "text: string | Duration",
        gives: "Duration",
        usage: "`duration(env(\"TTL\", \"5s\"))`",
        about: "A duration from a text; one that is a duration already stays as it is.",
        stages: Both,
        run: Run::Checked(|call, _, args| {
            Dynamic::from(Span(call.duration(&args[0]).unwrap_or(std::time::Duration::from_secs(1))))
        }),
    },
    Word {
        name: "setup",
        on: Global,
        form: Written,
        takes: "work: Fn(vu)",
        gives: "()",
        usage: "`setup(|vu| { … })`",
        about: "Runs once before the first phase; what it returns is `data()`.",
        stages: Plan,
        run: Run::Checked(|call, _, args| once(call, &args[0], 1, "|vu| { … }", |plan| &mut plan.setup)),
    },
    Word {
        name: "teardown",
        on: Global,
        form: Written,
        takes: "work: Fn(vu, data)",
        gives: "()",
        usage: "`teardown(|vu, data| { … })`",
        about: "Runs once after the last phase, also after a failure.",
        stages: Plan,
        run: Run::Checked(|call, _, args| once(call, &args[0], 2, "|vu, data| { … }", |plan| &mut plan.teardown)),
    },
    Word {
        name: "note",
        on: Global,
        form: Written,
        takes: "text: string",
        gives: "()",
        usage: "`note(\"after the index was added\")`",
        about: "A note of the author's in the report.",
        stages: Plan,
        run: Run::Checked(|call, _, args| {
            if let Some(text) = call.fixed_text(&args[0]) {
                call.state.plan.borrow_mut().notes.push(text);
            }
            Dynamic::UNIT
        }),
    },
    Word {
        name: "fact",
        on: Global,
        form: Written,
        takes: "name: string, value: any",
        gives: "()",
        usage: "`fact(\"commit\", \"1a2b3c\")`",
        about: "A fact of the author's in the report, marked as not measured.",
        stages: Plan,
        run: Run::Checked(|call, _, args| {
            if let Some(name) = call.name(&args[0]) {
                call.state.plan.borrow_mut().facts.push((name, told(&args[1])));
            }
            Dynamic::UNIT
        }),
    },
];

fn variable(call: &Call<'_>, args: &[Dynamic]) -> Option<(String, Dynamic)> {
    let name = call.fixed_text(&args[0])?;
    if call.stage() == Stage::Plan {
        let environment = &mut call.state.plan.borrow_mut().environment;
        if !environment.contains(&name) {
            environment.push(name.clone());
        }
    }
    let given = lookup(call.state, &name).map(Dynamic::from);
    if let Some(value) = given.or_else(|| args.get(1).cloned()) {
        return Some((name, value));
    }
    call.problem(
        Problem::at(&call.place(), format!("the variable `{name}` has no value"))
            .label("no default either")
            .help(format!("run with `-e {name}=…`, or give a default: `{}({name:?}, \"…\")`", call.word.name)),
    );
    None
}

fn lookup(state: &ScriptState, name: &str) -> Option<String> {
    state.env.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.clone())
}

fn once(
    call: &Call<'_>,
    closure: &Dynamic,
    arity: usize,
    shape: &str,
    slot: fn(&mut crate::plan::Plan) -> &mut Option<ClosureId>,
) -> Dynamic {
    if let Some(closure) = call.closure(closure, arity, shape) {
        let id = call.state.add_closure(closure);
        let twice = slot(&mut call.state.plan.borrow_mut()).replace(id).is_some();
        if twice {
            call.wrong(format!("there are two `{}`", call.word.name), "put both into one closure");
        }
    }
    Dynamic::UNIT
}
