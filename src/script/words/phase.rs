//! Phases: builders that collect, in any order, what [`super::super::phases`] puts together at the end.

use std::{cell::RefCell, rc::Rc, time::Duration};

use rhai::{Dynamic, FnPtr};

pub(in crate::script) use super::phase_draft::LoadWord;
pub use super::phase_draft::{PhaseDraft, PhaseHandle};
use super::{
    CheckedFn,
    Form::Call as Written,
    Receiver::{Global, Phase as OnPhase},
    Run,
    Stages::Plan,
    Word,
    generators::GeneratorHandle,
    mix::runnable,
    this,
};
use crate::{
    judge::{Condition, Quantity},
    plan::{Arrivals, Overflow, Place, Problem, Start, Think, suggest},
    script::{call::Call, quantity::Pace},
};

const fn builder(
    name: &'static str,
    takes: &'static str,
    usage: &'static str,
    about: &'static str,
    run: CheckedFn,
) -> Word {
    let run = Run::Checked(run);
    Word { name, on: OnPhase, form: Written, takes, gives: "Phase", usage, about, stages: Plan, run }
}

pub(super) const WORDS: &[Word] = &[
    Word {
        name: "phase",
        on: Global,
        form: Written,
        takes: "name: string",
        gives: "Phase",
        usage: "`phase(\"main\").run(mix).rate(100.per_second).during(30.s)`",
        about: "A stretch of the run with one load model; phases follow each other.",
        stages: Plan,
        run: Run::Checked(|call, _, args| {
            let name = call.name(&args[0]);
            let draft = PhaseDraft {
                broken: name.is_none(),
                name: name.unwrap_or_default(),
                at: call.place(),
                ..PhaseDraft::default()
            };
            let draft = Rc::new(RefCell::new(draft));
            call.state.phases.borrow_mut().push(draft.clone());
            Dynamic::from(PhaseHandle(draft))
        }),
    },
    builder("run", "what: Mix | Request | Flow", "`.run(traffic)`", "What its iterations do.", |call, phase, args| {
        let mix = runnable(call, &args[0]);
        let twice = with(phase.clone(), mix, |draft, mix| draft.mix.replace(mix).is_some());
        if twice == Some(true) {
            call.wrong("the phase has two `run`", "put both into one mix, or declare two phases");
        }
        phase
    }),
    builder(
        "users",
        "from: int, to?: int",
        "`.users(10)` or `.users(1, 100)`",
        "Closed: that many virtual users loop.",
        {
            |call, phase, args| {
                let least = if args.len() == 2 { 0 } else { 1 };
                let from = call.count(&args[0], least);
                let to = args.get(1).map(|to| call.count(to, 0));
                load(call, phase, from.zip(flip(to)).map(|(from, to)| LoadWord::Users(from, to)))
            }
        },
    ),
    builder(
        "rate",
        "from: Rate, to?: Rate",
        "`.rate(500.per_second)` or `.rate(10.per_second, 500.per_second)`",
        "Open: arrivals at that rate, whatever the server does.",
        |call, phase, args| {
            let from = call.rate(&args[0]);
            let to = args.get(1).map(|to| call.rate(to));
            let word = from.zip(flip(to)).filter(|(from, to)| {
                let zero = from.events == 0 && to.is_none_or(|to| to.events == 0);
                if zero {
                    call.wrong("a rate of 0 sends nothing", "give it a rate such as `500.per_second`");
                }
                !zero
            });
            load(call, phase, word.map(|(from, to)| LoadWord::Rate(from, to)))
        },
    ),
    builder(
        "stages",
        "stages: list",
        "`.stages([[30.s, 100.per_second], [60.s, 500.per_second]])`",
        "A piecewise ramp from 0: each stage goes linearly to its rate, or number of users.",
        |call, phase, mut args| {
            let word = stages(call, args.remove(0));
            load(call, phase, word)
        },
    ),
    builder("burst", "n: int", "`.burst(50)`", "That many iterations, released together.", |call, phase, args| {
        let count = call.count(&args[0], 1);
        load(call, phase, count.map(LoadWord::Burst))
    }),
    builder(
        "every",
        "gap: Duration",
        "`.burst(50).every(10.s).times(6)`",
        "From one burst to the next.",
        |call, phase, args| put(call, phase, positive(call, &args[0]), |draft| &mut draft.every),
    ),
    builder("times", "n: int", "`.burst(50).every(10.s).times(6)`", "How many bursts.", |call, phase, args| {
        put(call, phase, call.count(&args[0], 1), |draft| &mut draft.times)
    }),
    builder("iterations", "n: int", "`.iterations(1000)`", "Exactly that many iterations in total.", {
        |call, phase, args| {
            let count = call.count(&args[0], 1);
            load(call, phase, count.map(LoadWord::Iterations))
        }
    }),
    builder("each_user", "n: int", "`.users(10).each_user(5)`", "Exactly that many iterations of each user.", {
        |call, phase, args| {
            let count = call.count(&args[0], 1);
            load(call, phase, count.map(LoadWord::EachUser))
        }
    }),
    builder("asap", "", "`.iterations(1000).asap()`", "As fast as possible, in order.", |call, phase, _| {
        with(phase.clone(), Some(call.place()), |draft, place| draft.asap = Some(place));
        phase
    }),
    builder("during", "length: Duration", "`.during(30.s)`", "Its length.", |call, phase, args| {
        put(call, phase, positive(call, &args[0]), |draft| &mut draft.during)
    }),
    builder(
        "ends_when",
        "condition: string",
        "`.ends_when(\"p99 > 1s over 10s\")`",
        "May end it sooner.",
        |call, phase, args| {
            let condition = ends_when(call, &args[0]);
            with(phase.clone(), condition, |draft, condition| draft.ends_when = Some(condition));
            phase
        },
    ),
    builder(
        "arrivals",
        "spacing: string",
        "`.arrivals(\"poisson\")`",
        "Spacing of an open phase: \"uniform\" unless given, or \"poisson\".",
        |call, phase, args| {
            let choices = [("uniform", Arrivals::Uniform), ("poisson", Arrivals::Poisson)];
            put(call, phase, choice(call, &args[0], &choices), |draft| &mut draft.arrivals)
        },
    ),
    builder(
        "max_in_flight",
        "n: int",
        "`.max_in_flight(1000)`",
        "How many iterations of an open phase may be under way at once; 10 000 unless given.",
        |call, phase, args| put(call, phase, call.count(&args[0], 1), |draft| &mut draft.max_in_flight),
    ),
    builder(
        "overflow",
        "what: string",
        "`.overflow(\"drop\")`",
        "What becomes of arrivals beyond the cap: \"queue\" unless given, \"drop\" or \"abort\".",
        {
            |call, phase, args| {
                let choices = [("queue", Overflow::Queue), ("drop", Overflow::Drop), ("abort", Overflow::Abort)];
                put(call, phase, choice(call, &args[0], &choices), |draft| &mut draft.overflow)
            }
        },
    ),
    builder(
        "think",
        "pause: Duration | Generator",
        "`.think(200.ms)` or `.think(normal(200, 50))`",
        "A user's pause after an iteration; a generator is drawn, in milliseconds.",
        {
            |call, phase, args| {
                let think = match args[0].clone().try_cast::<GeneratorHandle>() {
                    Some(generator) => Some(Think::Drawn(generator.0)),
                    None => call.duration(&args[0]).map(Think::Fixed),
                };
                put(call, phase, think, |draft| &mut draft.think)
            }
        },
    ),
    builder(
        "pace",
        "cycle: Duration",
        "`.pace(1.s)`",
        "From the start of one iteration of a user to the start of its next.",
        |call, phase, args| put(call, phase, positive(call, &args[0]), |draft| &mut draft.pace),
    ),
    builder(
        "throttle",
        "ceiling: Rate",
        "`.throttle(100.per_second)`",
        "Ceiling on the iterations of a closed phase.",
        |call, phase, args| {
            let rate = call.rate(&args[0]).filter(|rate| {
                if rate.events == 0 {
                    call.wrong("a rate of 0 sends nothing", "give it a rate such as `100.per_second`");
                }
                rate.events > 0
            });
            put(call, phase, rate, |draft| &mut draft.throttle)
        },
    ),
    builder("warmup", "", "`.warmup()`", "Left out of every total and SLO.", |_, phase, _| {
        with(phase.clone(), Some(()), |draft, ()| draft.warmup = true);
        phase
    }),
    builder("unscaled", "", "`.unscaled()`", "Left as it is by `--scale`.", |_, phase, _| {
        with(phase.clone(), Some(()), |draft, ()| draft.unscaled = true);
        phase
    }),
    builder(
        "alongside",
        "other: string | Phase",
        "`.alongside(\"other\")`",
        "Starts with another phase.",
        |call, phase, args| {
            let start = phase_name(call, &args[0]);
            with(phase.clone(), start, |draft, name| draft.start = Some(Start::Alongside(name)));
            phase
        },
    ),
    builder(
        "at",
        "offset: Duration",
        "`.at(10.s)`",
        "Starts at an offset from the first phase.",
        |call, phase, args| {
            with(phase.clone(), call.duration(&args[0]), |draft, offset| draft.start = Some(Start::At(offset)));
            phase
        },
    ),
    builder(
        "if_completed",
        "other: string | Phase",
        "`.if_completed(\"step 1\")`",
        "Left out if that earlier phase was ended before its time, or left out itself.",
        |call, phase, args| {
            with(phase.clone(), phase_name(call, &args[0]), |draft, name| draft.if_completed = Some(name));
            phase
        },
    ),
    builder(
        "drain",
        "time: Duration",
        "`.drain(10.s)`",
        "How long iterations under way may finish; 30 s unless given.",
        |call, phase, args| {
            with(phase.clone(), call.duration(&args[0]), |draft, drain| draft.drain = Some(drain));
            phase
        },
    ),
    builder(
        "repeat",
        "values: list, change: Fn(phase, value)",
        "`.repeat([100, 250], |p, n| p.iterations(n))`",
        "One phase for each value.",
        repeat,
    ),
];

/// `None` for a missing argument that is fine, `Some(None)` for one that was wrong.
fn flip<T>(value: Option<Option<T>>) -> Option<Option<T>> {
    match value {
        None => Some(None),
        Some(None) => None,
        Some(Some(value)) => Some(Some(value)),
    }
}

/// A phase, named by itself or by its name.
fn phase_name(call: &Call<'_>, value: &Dynamic) -> Option<String> {
    match value.clone().try_cast::<PhaseHandle>() {
        Some(other) => Some(other.0.borrow().name.clone()),
        None => call.name(value),
    }
}

fn with<T, R>(phase: Dynamic, value: Option<T>, change: impl FnOnce(&mut PhaseDraft, T) -> R) -> Option<R> {
    let PhaseHandle(draft) = this(&phase);
    let mut draft = draft.borrow_mut();
    match value {
        Some(value) => Some(change(&mut draft, value)),
        None => {
            draft.broken = true;
            None
        }
    }
}

fn load(call: &Call<'_>, phase: Dynamic, word: Option<LoadWord>) -> Dynamic {
    with(phase.clone(), word, |draft, word| draft.loads.push((word, call.place())));
    phase
}

fn put<T>(
    call: &Call<'_>,
    phase: Dynamic,
    value: Option<T>,
    slot: fn(&mut PhaseDraft) -> &mut Option<(T, Place)>,
) -> Dynamic {
    let twice = with(phase.clone(), value, |draft, value| slot(draft).replace((value, call.place())).is_some());
    if twice == Some(true) {
        call.wrong(format!("the phase has two `{}`", call.word.name), "leave one out");
    }
    phase
}

fn positive(call: &Call<'_>, value: &Dynamic) -> Option<Duration> {
    let span = call.duration(value)?;
    if span.is_zero() {
        call.wrong(format!("`{}` takes a duration above 0", call.word.name), format!("write {}", call.word.usage));
        return None;
    }
    Some(span)
}

fn choice<T: Copy>(call: &Call<'_>, value: &Dynamic, choices: &[(&'static str, T)]) -> Option<T> {
    let text = call.fixed_text(value)?;
    let found = choices.iter().find(|(name, _)| *name == text).map(|&(_, choice)| choice);
    if found.is_none() {
        let all: Vec<String> = choices.iter().map(|(name, _)| format!("{name:?}")).collect();
        call.problem(
            Problem::at(&call.place(), format!("`{}` knows no {text:?}", call.word.name))
                .label(format!("expected {}", all.join(" or ")))
                .help(suggest(&text, choices.iter().map(|(name, _)| *name), "choice")),
        );
    }
    found
}

fn stages(call: &Call<'_>, value: Dynamic) -> Option<LoadWord> {
    const EXPECTED: &str = "a list of [duration, rate] or [duration, users] pairs";
    let items = call.array(value, EXPECTED)?;
    if items.is_empty() {
        return call.mismatch(EXPECTED, &Dynamic::from(items));
    }
    let (mut users, mut rates, mut clock) = (Vec::new(), Vec::new(), Duration::ZERO);
    for item in items {
        let Some([length, level]) = item.clone().into_array().ok().and_then(|pair| <[Dynamic; 2]>::try_from(pair).ok())
        else {
            return call.mismatch(EXPECTED, &item);
        };
        clock = clock.saturating_add(call.duration(&length)?);
        if level.is_int() {
            users.push((clock, call.count(&level, 0)?));
        } else if level.is::<Pace>() || level.is_string() {
            rates.push((clock, call.rate(&level)?));
        } else {
            return call.mismatch(EXPECTED, &level);
        }
    }
    match (users.is_empty(), rates.is_empty()) {
        (true, false) => Some(LoadWord::RateStages(rates)),
        (false, true) => Some(LoadWord::UserStages(users)),
        _ => {
            call.wrong(
                "some stages have a rate and some a number of users",
                "a phase is open (rates) or closed (users): declare two phases",
            );
            None
        }
    }
}

/// `"p99 > 1s over 10s"`: a condition, and the window it is judged over (10 s if none is named). `"hit_ratio settles"`
/// holds when the ratio has stopped moving.
fn ends_when(call: &Call<'_>, value: &Dynamic) -> Option<(Condition, Duration)> {
    let text = call.fixed_text(value)?;
    let (condition, window) = text.split_once(" over ").unwrap_or((&text, "10s"));
    let parse = || -> Result<(Condition, Duration), String> {
        let condition = condition.trim();
        let split = condition.find(['<', '>', '=', ' ']).ok_or_else(|| format!("{text:?} has no comparison"))?;
        let (name, rest) = condition.split_at(split);
        let quantity = Quantity::parse(name)?.ok_or_else(|| {
            let help = suggest(name, crate::judge::QUANTITIES.iter().copied(), "quantity");
            format!("`{name}` is not a quantity: {help}")
        })?;
        let window = crate::clock::parse_duration(window).map_err(|error| error.to_string())?;
        if rest.trim() == "settles" {
            if quantity != Quantity::HitRatio {
                return Err(format!("only `hit_ratio` can settle, not `{name}`"));
            }
            let op = crate::judge::Op::Settles;
            return Ok((Condition { quantity, op, value: 0.0, text: op.symbol().to_owned() }, window));
        }
        Ok((Condition::parse(quantity, rest)?, window))
    };
    parse().map_err(|message| call.wrong(message, format!("write {}", call.word.usage))).ok()
}

fn repeat(call: &Call<'_>, phase: Dynamic, mut args: Vec<Dynamic>) -> Dynamic {
    let PhaseHandle(template) = this(&phase);
    let closure = call.closure(&args[1], 2, "|p, n| p.iterations(n)");
    let values = call.array(args.remove(0), "a list of values");
    let (Some(closure), Some(values)) = (closure, values) else {
        template.borrow_mut().broken = true;
        return phase;
    };
    if values.is_empty() {
        call.wrong("`repeat` has no values", format!("write {}", call.word.usage));
        template.borrow_mut().broken = true;
        return phase;
    }
    template.borrow_mut().repeated = true;
    let ptr: FnPtr = closure.ptr;
    for value in values {
        let mut copy = template.borrow().clone();
        copy.repeated = false;
        copy.name = format!("{}/{value}", copy.name);
        let copy = Rc::new(RefCell::new(copy));
        call.state.phases.borrow_mut().push(copy.clone());
        let phase = Dynamic::from(PhaseHandle(copy.clone()));
        if let Err(error) = ptr.call_within_context::<Dynamic>(call.ctx, (phase, value)) {
            copy.borrow_mut().broken = true;
            call.problem(crate::script::explain::explain(&error, call.state, call.ctx.call_source()));
            break;
        }
    }
    phase
}
