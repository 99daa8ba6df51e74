//! Plain functions of the run stage.

use std::rc::Rc;

use rhai::Dynamic;

use super::shared::{Failed, Shared};
use crate::script::{
    Span,
    direct::Registrar,
    words::{
        Form::Call,
        Receiver::Global,
        Run,
        Stages::{self, Both},
        Word,
    },
};

const fn word(
    name: &'static str,
    takes: &'static str,
    gives: &'static str,
    usage: &'static str,
    about: &'static str,
    register: fn(&mut Registrar<'_>, &'static str, &Rc<Shared>),
) -> Word {
    Word { name, on: Global, form: Call, takes, gives, usage, about, stages: Stages::Run, run: Run::Stage(register) }
}

/// Functions that need a virtual user, and some that need nothing.
pub(in crate::script) const WORDS: &[Word] = &[
    word(
        "check",
        "name: string, passed: bool",
        "bool",
        "`check(\"cart created\", res.status == 201)`",
        "Counts what holds and what does not; never fatal. Gives `passed`.",
        |engine, name, shared| {
            let with = shared.clone();
            engine.register_fn(name, move |name: &str, passed: Dynamic| with.check(name, &passed));
        },
    ),
    word(
        "count",
        "name: string, n?: int",
        "()",
        "`count(\"sold\", 3)`",
        "Adds to a counter of the report; 1 if no number is given.",
        |engine, name, shared| {
            let with = shared.clone();
            engine.register_fn(name, move |name: &str, n: i64| with.count(name, n));
            let with = shared.clone();
            engine.register_fn(name, move |name: &str| with.count(name, 1));
        },
    ),
    word(
        "gauge",
        "name: string, value: number",
        "()",
        "`gauge(\"queue\", res.json(\"waiting\"))`",
        "Sets a level of the report: its last, least and greatest value are shown.",
        |engine, name, shared| {
            let with = shared.clone();
            engine.register_fn(name, move |name: &str, value: f64| with.gauge(name, value));
            let with = shared.clone();
            engine.register_fn(name, move |name: &str, value: i64| with.gauge(name, value as f64));
        },
    ),
    word(
        "timing",
        "name: string, length: Duration",
        "()",
        "`timing(\"render\", res.duration)`",
        "Adds a duration to a distribution of the report.",
        |engine, name, shared| {
            let with = shared.clone();
            engine.register_fn(name, move |name: &str, span: Span| with.timing(name, span));
        },
    ),
    word("data", "", "any", "`data().token`", "What `setup` returned.", |engine, name, shared| {
        let with = shared.clone();
        engine.register_fn(name, move || with.data.borrow().clone());
    }),
    word("now", "", "int", "`now()`", "Milliseconds since 1970.", |engine, name, shared| {
        let with = shared.clone();
        engine.register_fn(name, move || with.state.wall_ms() as i64);
    }),
    Word {
        name: "url_encode",
        on: Global,
        form: Call,
        takes: "text: string",
        gives: "string",
        usage: "`url_encode(\"a b&c\")`",
        about: "Percent-encodes a text for a path or a query.",
        stages: Both,
        run: Run::Exact(|engine, name| {
            engine.register_fn(name, |text: &str| {
                percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
            });
        }),
    },
    Word {
        name: "print",
        on: Global,
        form: Call,
        takes: "value: any",
        gives: "()",
        usage: "`print(res.body)`",
        about: "Writes a line to stderr, secrets taken out.",
        stages: Both,
        run: Run::Language,
    },
];

impl Shared {
    pub(in crate::script) fn paired(&self, name: &str, block: u64, base: u64, other: u64) -> Result<(), Failed> {
        let user = self.user()?;
        self.recorder.borrow_mut().pair(user.ledger.get(), name, block, base, other);
        Ok(())
    }

    fn check(&self, name: &str, passed: &Dynamic) -> Result<bool, Failed> {
        let Ok(passed) = passed.as_bool() else {
            return Err(format!("check(\"{name}\", …) takes true or false; found {}", passed.type_name()).into());
        };
        let user = self.user()?;
        if passed {
            self.recorder.borrow_mut().check(user.ledger.get(), name, true, None);
        } else {
            user.with_recent(|last| self.recorder.borrow_mut().check(user.ledger.get(), name, false, last));
        }
        Ok(passed)
    }

    fn timing(&self, name: &str, span: Span) -> Result<(), Failed> {
        let user = self.user()?;
        self.recorder.borrow_mut().timing(user.ledger.get(), name, span.0.as_nanos() as u64);
        Ok(())
    }

    fn count(&self, name: &str, n: i64) -> Result<(), Failed> {
        let n = u64::try_from(n).map_err(|_| format!("count(\"{name}\", {n}): a counter only grows"))?;
        let user = self.user()?;
        self.recorder.borrow_mut().count(user.ledger.get(), name, n);
        Ok(())
    }

    fn gauge(&self, name: &str, value: f64) -> Result<(), Failed> {
        let user = self.user()?;
        self.recorder.borrow_mut().gauge(user.ledger.get(), name, value, self.clock.now());
        Ok(())
    }
}
