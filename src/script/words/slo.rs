//! SLOs.

use rhai::{Dynamic, Map};

use super::{Form::Call as Written, Receiver::Global, Run, Stages::Plan, Word};
use crate::{
    judge::{Condition, QUANTITIES, Quantity, Selector, Slo},
    measure::Metric,
    plan::{Problem, nearest, suggest},
    protocol::status_of,
    script::{
        call::{Call, describe},
        quantity::{Span, nanos},
        top_level::Poison,
    },
};

const SELECTORS: &[&str] =
    &["phase", "request", "flow", "group", "message", "class", "status", "experiment", "monitor"];
const SETTINGS: &[&str] = &["abort", "over"];
const GOAL_SETTINGS: &[&str] = &["before", "target", "figure"];

pub(super) const WORDS: &[Word] = &[Word {
    name: "slo",
    on: Global,
    form: Written,
    takes: "name: string, options: map",
    gives: "()",
    usage: "`slo(\"fast\", #{ phase: \"main\", p95: \"< 10ms\" })`",
    about: "What must hold: a row of the SLO table. It is about what `phase`, `request`, `flow`, `group`, `message`, \
            `class` or `status` select, and states conditions on `p50` to `p99.99`, `mean`, `min`, `max`, the same of `service_` and \
            `ttfb_`, on `errors`, `ok`, `rps`, `goodput`, `count`, `checks`, `check:NAME`, `status:429`, `hit_ratio` or a \
            metric of your own. `abort: true` ends the run as soon as it is certain to fail, `over: 10.s` judges windows.",
    stages: Plan,
    run: Run::Checked(|call, _, mut args| {
        let options = call.map(args.remove(1), "a map such as #{ p95: \"< 10ms\" }");
        let name = call.name(&args[0]);
        if let Some((name, options)) = name.zip(options)
            && let Some(slo) = slo(call, name, &options)
        {
            let mut plan = call.state.plan.borrow_mut();
            plan.slos.push(slo);
            plan.slo_places.push(call.place());
        }
        Dynamic::UNIT
    }),
}];

fn slo(call: &Call<'_>, name: String, options: &Map) -> Option<Slo> {
    let mut slo = Slo { name, selector: Selector::default(), conditions: Vec::new(), abort: false, over: None };
    let before = call.mistakes();
    for (key, value) in options {
        if select(call, &mut slo.selector, key, value) {
            continue;
        }
        match key.as_str() {
            "abort" => match value.as_bool() {
                Ok(abort) => slo.abort = abort,
                Err(_) => call.mismatch("`abort: true` or `abort: false`", value).unwrap_or_default(),
            },
            "over" => slo.over = call.duration(value).map(nanos),
            key if is_watched(options) => slo.conditions.push(watched(call, key, value)?),
            key => match condition(call, key, value) {
                Some(condition) => slo.conditions.push(condition),
                None => return None,
            },
        }
    }
    let others = [&slo.selector.request, &slo.selector.flow, &slo.selector.group, &slo.selector.class];
    let is_mixed = others.iter().any(|other| other.is_some()) || slo.abort || slo.over.is_some();
    if slo.selector.monitor.is_some() && is_mixed {
        call.wrong(
            "an SLO about what is watched takes `phase` beside `monitor`, and nothing else",
            "it is judged when the run is over: leave the others out",
        );
    }
    let failed = call.mistakes() > before;
    if slo.conditions.is_empty() && !failed {
        call.problem(
            Problem::at(&call.place(), format!("the SLO `{}` has no condition", slo.name))
                .label("nothing could fail")
                .help("add one, such as `p95: \"< 10ms\"` or `errors: \"< 1%\"`"),
        );
        return None;
    }
    (!failed).then_some(slo)
}

/// Whether an SLO is about something that is watched beside the traffic.
fn is_watched(options: &Map) -> bool {
    options.contains_key("monitor")
}

/// A condition on something that is watched.
fn watched(call: &Call<'_>, key: &str, value: &Dynamic) -> Option<Condition> {
    let Some(quantity) = Quantity::watched(key) else {
        let known = Metric::ALL.iter().map(|metric| metric.word()).filter(|word| *word != "value");
        let known = known.chain(["avg", "min", "peak", "last", "cpu_per_request", "rss_peak"]);
        call.problem(
            Problem::at(&call.place(), format!("an SLO about what is watched has no quantity `{key}`"))
                .help(suggest(key, known, "quantity")),
        );
        return None;
    };
    let text = call.fixed_text(value)?;
    Condition::parse(quantity, &text)
        .map_err(|message| {
            let problem = Problem::at(&call.place(), format!("`{key}: {text:?}` is not a condition: {message}"));
            let help = "write a comparison and a unit, such as `cpu: \"< 80%\"` or `rss_peak: \"< 200MB\"`";
            call.problem(problem.help(help));
        })
        .ok()
}

/// Takes up a selector; false if the option is none.
pub(super) fn select(call: &Call<'_>, selector: &mut Selector, key: &str, value: &Dynamic) -> bool {
    let slot = match key {
        "phase" => &mut selector.phase,
        "request" => &mut selector.request,
        "flow" => &mut selector.flow,
        "group" => &mut selector.group,
        "message" => &mut selector.message,
        "class" => &mut selector.class,
        "experiment" => &mut selector.experiment,
        "monitor" if call.word.name == "slo" => &mut selector.monitor,
        "status" => {
            selector.status = status(call, value);
            return true;
        }
        _ => return false,
    };
    *slot = call.fixed_text(value);
    true
}

fn status(call: &Call<'_>, value: &Dynamic) -> Option<u16> {
    if let Some(status) = value.read_lock::<rhai::ImmutableString>().and_then(|word| status_of(&word)) {
        return Some(status);
    }
    match value.as_int().ok().and_then(|status| u16::try_from(status).ok()) {
        Some(status @ 100..=599) => Some(status),
        _ => call.mismatch("a status code such as `status: 429`", value),
    }
}

/// Reads a condition of an SLO or a goal; an unknown option is a mistake.
pub(super) fn condition(call: &Call<'_>, key: &str, value: &Dynamic) -> Option<Condition> {
    let quantity = match Quantity::parse(key) {
        Ok(Some(Quantity::Check(name))) if never_checked(call, &name) => return None,
        Ok(Some(quantity)) => quantity,
        Ok(None) if is_metric(call, key) => Quantity::Custom(key.to_owned()),
        Ok(None) => {
            unknown(call, key);
            return None;
        }
        Err(message) => {
            call.wrong(message, format!("write {}", call.word.usage));
            return None;
        }
    };
    let Some(text) = value.clone().try_cast::<rhai::ImmutableString>() else {
        if value.is::<Poison>() {
            return None;
        }
        let example = if value.is::<Span>() || value.is_int() || value.is_float() {
            format!("write `{key}: \"< {value}\"`, with its unit")
        } else {
            format!("write `{key}: \"< 10ms\"`")
        };
        call.problem(
            Problem::at(&call.place(), format!("`{key}` takes a condition in a text; found {}", describe(value)))
                .help(example),
        );
        return None;
    };
    Condition::parse(quantity, &text)
        .map_err(|message| {
            let problem = Problem::at(&call.place(), format!("`{key}: {text:?}` is not a condition: {message}"));
            call.problem(
                problem.help("write a comparison and a unit, such as \"< 10ms\", \">= 99.9%\" or \"> 1000/s\""),
            );
        })
        .ok()
}

/// Reports a check that the script never makes. A name that is put together while it runs can be any.
fn never_checked(call: &Call<'_>, name: &str) -> bool {
    if call.state.of_run.is_some() {
        // The run knows.
        return false;
    }
    let sources = call.state.sources.borrow();
    let mut known: Vec<String> = Vec::new();
    for (word, prefix) in [("check(", ""), (".save(", "saved ")] {
        let calls = sources.all().flat_map(|text| text.match_indices(word).map(|(at, _)| &text[at + word.len()..]));
        for arguments in calls {
            let Some((name, _)) = arguments.trim_start().strip_prefix('"').and_then(|rest| rest.split_once('"')) else {
                return false;
            };
            known.push(format!("{prefix}{name}"));
        }
    }
    let is_known = known.iter().any(|known| known == name);
    if !is_known {
        let help = match known.as_slice() {
            [] => format!("count one: `check({name:?}, res.ok)`, or `.check({name:?}, |res| res.ok)` of a request"),
            _ => suggest(name, known.iter().map(String::as_str), "check"),
        };
        let problem = Problem::at(&call.place(), format!("the script makes no check `{name}`"));
        call.problem(problem.label("this would select nothing").help(help));
    }
    !is_known
}

/// Whether the script names a metric of its own so: in `count`, `gauge` or `timing`, as a text.
fn is_metric(call: &Call<'_>, key: &str) -> bool {
    let base = key.rsplit_once('_').filter(|(_, statistic)| {
        matches!(*statistic, "mean" | "min" | "max" | "count")
            || statistic.strip_prefix('p').is_some_and(|percent| percent.starts_with(|c: char| c.is_ascii_digit()))
    });
    let sources = call.state.sources.borrow();
    let of_run = |name: &str| call.state.of_run.iter().flat_map(|names| names.iter()).any(|known| known == name);
    [Some(key), base.map(|(base, _)| base)].into_iter().flatten().any(|name| sources.names(name) || of_run(name))
}

fn unknown(call: &Call<'_>, key: &str) {
    let settings = if call.word.name == "slo" { SETTINGS } else { GOAL_SETTINGS };
    let known = || SELECTORS.iter().chain(settings).chain(QUANTITIES).copied();
    let help = match nearest(key, known()) {
        Some(_) => suggest(key, known(), "option"),
        None => {
            "known: phase, request, flow, group, message, class, status, experiment, abort, over, p50…p99.99, mean, min, max, errors, ok, \
                 rps, goodput, count, checks, hit_ratio, hit_p95, miss_p95, speedup_p50, and metrics named by `count`, `gauge` or `timing`"
                .to_owned()
        }
    };
    let noun = if call.word.name == "slo" { "an SLO" } else { "a goal" };
    call.problem(Problem::at(&call.place(), format!("{noun} has no option `{key}`")).help(help));
}
