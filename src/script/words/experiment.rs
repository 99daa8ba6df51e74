//! Cache experiments: declaring one, and filing pairs in it. `std/cache` is written with these.

use std::rc::Rc;

use rhai::{Dynamic, Map};

use super::{
    Form::Call as Written,
    Receiver::Global,
    Run,
    Stages::{self, Plan},
    Word,
    data::DataHandle,
    generators::GeneratorHandle,
    meter::MeterHandle,
    phase::PhaseHandle,
};
use crate::{
    judge::{Experiment, ExpiriesPart, InvalidatePart, OutagePart, SizePart, StampedePart, TtlPart},
    plan::{Generator, GeneratorId, Problem, Truth, suggest},
    script::{
        Span,
        call::{Call, describe},
        direct::Registrar,
        quantity::nanos,
        run::{Failed, Shared},
        top_level::Poison,
    },
    stats::Popularity,
};

/// Parts that a phase can play.
const PARTS: &[&str] = &["cold", "warm", "steady", "pairs"];
/// Parts that say more than their phase.
const FURTHER: &[&str] =
    &["ttl", "stampede", "expiries", "invalidate", "users", "working_set", "outage", "truth", "unmarked"];

pub(in crate::script) const WORDS: &[Word] = &[
    Word {
        name: "cache_experiment",
        on: Global,
        form: Written,
        takes: "name: string, parts: map",
        gives: "()",
        usage: "`cache_experiment(\"items\", #{ request: \"item\", keys: keys, steady: \"main\" })`",
        about: "Says which phases play which part in a cache experiment; the report then has a section on it.",
        stages: Plan,
        run: Run::Checked(|call, _, mut args| {
            let parts = call.map(args.remove(1), "a map such as #{ request: \"item\", steady: \"main\" }");
            if let Some((name, parts)) = call.name(&args[0]).zip(parts)
                && let Some(experiment) = experiment(call, name, &parts)
            {
                let mut plan = call.state.plan.borrow_mut();
                if plan.experiments.iter().any(|known| known.name == experiment.name) {
                    drop(plan);
                    call.wrong(
                        format!("there are two experiments named `{}`", experiment.name),
                        "give one another name",
                    );
                } else {
                    plan.experiments.push(experiment);
                    plan.experiment_places.push(call.place());
                }
            }
            Dynamic::UNIT
        }),
    },
    Word {
        name: "paired",
        on: Global,
        form: Written,
        takes: "name: string, block: int, base: Duration, other: Duration",
        gives: "()",
        usage: "`paired(\"items\", vu.iteration, miss.duration, hit.duration)`",
        about: "Files two durations that belong together under a block of an experiment: the first is held against the \
                second.",
        stages: Stages::Run,
        run: Run::Stage(paired),
    },
];

fn paired(engine: &mut Registrar<'_>, name: &'static str, shared: &Rc<Shared>) {
    let with = shared.clone();
    engine.register_fn(name, move |name: &str, block: i64, base: Span, other: Span| -> Result<(), Failed> {
        let block = u64::try_from(block).map_err(|_| format!("paired(\"{name}\", {block}, …): blocks count from 0"))?;
        let nanos = |span: Span| span.0.as_nanos() as u64;
        with.paired(name, block, nanos(base), nanos(other))
    });
}

/// A counter that the experiment is held against.
fn truth(call: &Call<'_>, name: &str, value: &Dynamic) {
    let expected = "`truth: redis_info(\"…\")`, `prometheus(…)` or `endpoint(…)`";
    let Some(MeterHandle(meter)) = value.clone().try_cast::<MeterHandle>() else {
        return call.mismatch(expected, value).unwrap_or_default();
    };
    if meter.figures() != 2 {
        return call.wrong(
            format!("a truth is two figures, hits and misses; `{}` gives {}", meter.label(), meter.figures()),
            "name both: `endpoint(\"/stats\", \"$.hits\", \"$.misses\")`",
        );
    }
    let truth = Truth { experiment: name.to_owned(), meter, at: call.place() };
    call.state.plan.borrow_mut().truths.push(truth);
}

fn experiment(call: &Call<'_>, name: String, parts: &Map) -> Option<Experiment> {
    let before = call.mistakes();
    let mut made = Experiment { name, ..Experiment::default() };
    for (key, value) in parts {
        if value.is_unit() {
            continue;
        }
        match key.as_str() {
            "request" => made.request = call.fixed_text(value)?,
            "keys" => made.keys = keys(call, value),
            part if PARTS.contains(&part) => {
                let phase = phase_name(call, value)?;
                *match part {
                    "cold" => &mut made.cold,
                    "warm" => &mut made.warm,
                    "steady" => &mut made.steady,
                    _ => &mut made.pairs,
                } = Some(phase);
            }
            "ttl" => {
                let [phase, expected] = pair(call, key, value)?;
                let expected_ns = nanos(call.duration(&expected)?);
                made.ttl = Some(TtlPart { phase: phase_name(call, &phase)?, expected_ns });
            }
            "stampede" => {
                let [phase, at_once] = pair(call, key, value)?;
                made.stampede =
                    Some(StampedePart { phase: phase_name(call, &phase)?, at_once: call.count(&at_once, 2)? });
            }
            "expiries" => {
                let expected = "`expiries: [phase, 5.s, 10.ms]`, a list of three";
                let items = call.array(value.clone(), expected)?;
                let [phase, ttl, bin] = items.as_slice() else { return call.mismatch(expected, value) };
                let (ttl_ns, bin_ns) = (nanos(call.duration(ttl)?), nanos(call.duration(bin)?));
                if bin_ns == 0 || bin_ns >= ttl_ns {
                    return call.mismatch(expected, value);
                }
                made.expiries = Some(ExpiriesPart { phase: phase_name(call, phase)?, ttl_ns, bin_ns });
            }
            "invalidate" => {
                let [phase, within] = pair(call, key, value)?;
                let within_ns = nanos(call.duration(&within)?);
                made.invalidate = Some(InvalidatePart { phase: phase_name(call, &phase)?, within_ns });
            }
            "users" => made.users = Some(phase_name(call, value)?),
            "outage" => {
                let [during, recovery] = pair(call, key, value)?;
                let (during, recovery) = (phase_name(call, &during)?, phase_name(call, &recovery)?);
                made.outage = Some(OutagePart { during, recovery });
            }
            "unmarked" => match value.as_bool() {
                Ok(unmarked) => made.unmarked = unmarked,
                Err(_) => return call.mismatch("`unmarked: true`", value),
            },
            "working_set" => {
                for size in call.array(value.clone(), "a list of [keys, phase, phase that fills]")? {
                    let parts = call.array(size, "a list of [keys, phase, phase that fills]")?;
                    let [keys, phase, fill] = parts.as_slice() else {
                        return call.mismatch("a list of [keys, phase, phase that fills]", value);
                    };
                    let fill = if fill.is_unit() { None } else { Some(phase_name(call, fill)?) };
                    made.working_set.push(SizePart {
                        keys: call.count(keys, 1)?,
                        phase: phase_name(call, phase)?,
                        fill,
                    });
                }
            }
            "truth" => truth(call, &made.name, value),
            other => {
                let known = ["request", "keys"].into_iter().chain(PARTS.iter().chain(FURTHER).copied());
                call.problem(
                    Problem::at(&call.place(), format!("an experiment has no part `{other}`"))
                        .help(suggest(other, known, "part")),
                );
            }
        }
    }
    if made.request.is_empty() && call.mistakes() == before {
        call.wrong(
            format!("the experiment `{}` does not say which requests it is about", made.name),
            "add `request: \"…\"`, their name in the report",
        );
    }
    (call.mistakes() == before).then_some(made)
}

/// A phase and what goes with it.
fn pair(call: &Call<'_>, part: &str, value: &Dynamic) -> Option<[Dynamic; 2]> {
    let expected = format!("`{part}: [phase, …]`, a list of two");
    let items = call.array(value.clone(), &expected)?;
    <[Dynamic; 2]>::try_from(items).ok().or_else(|| call.mismatch(&expected, value))
}

/// A phase, or its name.
fn phase_name(call: &Call<'_>, value: &Dynamic) -> Option<String> {
    match value.clone().try_cast::<PhaseHandle>() {
        Some(PhaseHandle(draft)) => Some(draft.borrow().name.clone()),
        None => call.fixed_text(value),
    }
}

/// How keys are drawn, as far as their generator tells.
fn keys(call: &Call<'_>, value: &Dynamic) -> Option<Popularity> {
    if let Some(DataHandle(data)) = value.clone().try_cast::<DataHandle>() {
        // What comes next in a trace is a matter of the file, and not of a law.
        if call.state.plan.borrow().data.get(data.index()).is_some_and(|set| set.columns.len() > 1) {
            call.wrong("`keys` takes single values; these rows are records", "write `keys: trace(\"data/keys.txt\")`");
        }
        return None;
    }
    let Some(GeneratorHandle(id)) = value.clone().try_cast::<GeneratorHandle>() else {
        if !value.is::<Poison>() {
            call.wrong(
                format!("`keys` takes a generator of keys; found {}", describe(value)),
                "write `keys: zipf(5_000, 0.99)`, or `hot_set`, `latest`, `scan`, `int(1, 5_000)`, `trace(\"keys.txt\")`",
            );
        }
        return None;
    };
    law(&call.state.plan.borrow().generators, id)
}

fn law(generators: &[Generator], id: GeneratorId) -> Option<Popularity> {
    match *generators.get(id.index())? {
        Generator::Zipf { n, s } | Generator::Latest { n, s } => Some(Popularity::Zipf { n, s }),
        Generator::HotSet { n, hot_fraction, hot_share } => {
            let hot = ((n as f64 * hot_fraction).round() as u64).clamp(1, n.max(1));
            Some(Popularity::HotSet { n, hot, share: hot_share })
        }
        Generator::Int(low, high) => Some(Popularity::Zipf { n: high.abs_diff(low) + 1, s: 0.0 }),
        Generator::Pick(ref values) => Some(Popularity::Zipf { n: values.len() as u64, s: 0.0 }),
        Generator::Scan(n) => Some(Popularity::Scan { n }),
        Generator::Scrambled { of, .. } => law(generators, of),
        _ => None,
    }
}
