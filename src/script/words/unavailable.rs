//! Words of the language that this version cannot carry out: known, and refused with their place.

use rhai::Dynamic;

use super::{
    Form::Call as Written,
    Receiver::{Global, Request, Target},
    Run,
    Stages::Both,
    Word,
};
use crate::{plan::Problem, script::call::Call};

const fn word(on: super::Receiver, name: &'static str, takes: &'static str, about: &'static str) -> Word {
    let gives = match on {
        Target => "Target",
        Request => "Request",
        _ => "any",
    };
    let run = Run::Checked(refuse);
    Word { name, on, form: Written, takes, gives, usage: "nothing: leave it out", about, stages: Both, run }
}

pub(super) const WORDS: &[Word] =
    &[word(Global, "process", "command: string, options?: map", "Starting the system under test.")];

fn refuse(call: &Call<'_>, receiver: Dynamic, _: Vec<Dynamic>) -> Dynamic {
    call.problem(
        Problem::at(&call.place(), format!("`{}` is not available in this version", call.word.name))
            .label("known, but not yet carried out")
            .help("leave it out: loadr does not ignore what it cannot do"),
    );
    receiver
}
