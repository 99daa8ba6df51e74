//! What is looked at beside the traffic: processes, and values of responses.

use std::time::Duration;

use rhai::{Dynamic, Map};

use super::{
    Form::Call as Written,
    Receiver::Global,
    Run,
    Stages::Plan,
    Word,
    meter::MeterHandle,
    process::ProcessHandle,
    request::{Extract, Request},
};
use crate::{
    judge::LeakLimit,
    plan::{Body, LeakCheck, Meter, Number, Piece, Probe, Source, Text, Watch, Watched},
    script::{
        call::{Call, describe},
        run::mistake,
        top_level::Poison,
    },
};

/// Something that a monitor looks at.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceHandle(pub Watched);

/// Time between two looks of a monitor, unless the script says otherwise.
const EVERY_USUAL: Duration = Duration::from_secs(1);
/// Looks in quicker succession would be load themselves.
const EVERY_LEAST: Duration = Duration::from_millis(10);

pub(super) const WORDS: &[Word] = &[
    Word {
        name: "monitor",
        on: Global,
        form: Written,
        takes: "name: string, source: Source | Meter | Process, options?: map",
        gives: "()",
        usage: "`monitor(\"api\", process_name(\"uvicorn\"))` or `monitor(\"api\", pid(4711), #{ every: 250.ms })`",
        about: "Looks at what processes use (processor, memory, disk, descriptors, threads) each second, beside the \
                traffic: a table by phase, the cost of a request, and SLOs by `monitor`.",
        stages: Plan,
        run: Run::Checked(|call, _, mut args| {
            let options = if args.len() > 2 {
                call.map(args.remove(2), "a map such as #{ every: 250.ms }")
            } else {
                Some(Map::new())
            };
            let source = source(call, &args[1]);
            if let (Some(name), Some(what), Some(options)) = (call.name(&args[0]), source, options)
                && let Some(every) = every_option(call, &options)
            {
                call.state.plan.borrow_mut().watches.push(Watch { name, what, every, at: call.place() });
            }
            Dynamic::UNIT
        }),
    },
    Word {
        name: "pid",
        on: Global,
        form: Written,
        takes: "id: int",
        gives: "Source",
        usage: "`pid(4711)`",
        about: "A process by its number, with its children.",
        stages: Plan,
        run: Run::Checked(|call, _, args| {
            // A number may come from the environment, as a text.
            let number = args[0].read_lock::<rhai::ImmutableString>().and_then(|text| text.trim().parse::<u64>().ok());
            let number = number.or_else(|| call.count(&args[0], 1));
            match number.and_then(|id| i32::try_from(id).ok()) {
                Some(id) if id > 0 => Dynamic::from(SourceHandle(Watched::Pid(id.unsigned_abs()))),
                _ => Dynamic::from(Poison),
            }
        }),
    },
    Word {
        name: "process_name",
        on: Global,
        form: Written,
        takes: "name: string",
        gives: "Source",
        usage: "`process_name(\"uvicorn\")`",
        about: "All processes whose program has this name, with their children.",
        stages: Plan,
        run: Run::Checked(|call, _, args| named(call, &args[0], Watched::Named)),
    },
    Word {
        name: "cgroup",
        on: Global,
        form: Written,
        takes: "path: string",
        gives: "Source",
        usage: "`cgroup(\"system.slice/postgresql.service\")`",
        about: "A control group (version 2), by its folder below `/sys/fs/cgroup`.",
        stages: Plan,
        run: Run::Checked(|call, _, args| {
            if args[0].to_string().contains("..") {
                call.wrong("a control group lies below `/sys/fs/cgroup`", format!("write {}", call.word.usage));
            }
            named(call, &args[0], Watched::Group)
        }),
    },
    Word {
        name: "probe",
        on: Global,
        form: Written,
        takes: "name: string, request: Request, path: string | Extract, every?: Duration",
        gives: "()",
        usage: "`probe(\"pool\", get(\"/health\"), \"$.pool.in_use\", 100.ms)`",
        about: "Looks at a number in the answer to a request, beside the traffic: by a JSONPath, `header(…)`, \
                `regex(…)`, or the name of a metric in Prometheus' text format. Its requests are in no figure.",
        stages: Plan,
        run: Run::Checked(|call, _, args| {
            let name = call.name(&args[0]);
            let number = number(call, &args[2]);
            let every = args.get(3).map_or(Some(EVERY_USUAL), |value| every(call, value));
            let request = asked(call, &args[1]);
            if let (Some(name), Some(number), Some(every), Some(request)) = (name, number, every, request) {
                let what = Watched::Probe(Probe { number, ..request });
                call.state.plan.borrow_mut().watches.push(Watch { name, what, every, at: call.place() });
            }
            Dynamic::UNIT
        }),
    },
    Word {
        name: "leak_check",
        on: Global,
        form: Written,
        takes: "name: string, options: map",
        gives: "()",
        usage: "`leak_check(\"api\", #{ max_slope: \"1MB/min\" })`",
        about: "Judges whether the memory of a monitor grows without end: LEAK, STABLE or INCONCLUSIVE, a row of the SLO \
                table. `max_slope` is by time, or by request: `\"20kB/request\"`.",
        stages: Plan,
        run: Run::Checked(|call, _, mut args| {
            let options = call.map(args.remove(1), "a map such as #{ max_slope: \"1MB/min\" }");
            if let Some((watch, options)) = call.name(&args[0]).zip(options)
                && let Some(limit) = limit(call, &options)
            {
                call.state.plan.borrow_mut().leak_checks.push((LeakCheck { watch, limit }, call.place()));
            }
            Dynamic::UNIT
        }),
    },
];

fn named(call: &Call<'_>, value: &Dynamic, of: fn(String) -> Watched) -> Dynamic {
    match call.name(value) {
        Some(name) => Dynamic::from(SourceHandle(of(name))),
        None => Dynamic::from(Poison),
    }
}

fn source(call: &Call<'_>, value: &Dynamic) -> Option<Watched> {
    match value.clone().try_cast::<MeterHandle>() {
        Some(MeterHandle(Meter::Redis { .. })) => {
            call.wrong(
                "a monitor looks at one number; `redis_info` has two, hits and misses",
                "it is a `truth` of `std/cache`: see the guide to cache experiments",
            );
            return None;
        }
        Some(MeterHandle(meter)) => return Some(Watched::Meter(meter)),
        None => {}
    }
    if let Some(process) = value.clone().try_cast::<ProcessHandle>() {
        let name = call.state.plan.borrow().processes[process.index].name.clone();
        return Some(Watched::Started(process.index, name));
    }
    match value.clone().try_cast::<SourceHandle>() {
        Some(SourceHandle(what)) => Some(what),
        None => call.mismatch("something to watch such as `pid(…)` or `process_name(…)`", value),
    }
}

fn every_option(call: &Call<'_>, options: &Map) -> Option<Duration> {
    if let Some(key) = options.keys().find(|key| *key != "every") {
        call.unknown_option(key, &["every"]);
        return None;
    }
    options.get("every").map_or(Some(EVERY_USUAL), |value| every(call, value))
}

fn every(call: &Call<'_>, value: &Dynamic) -> Option<Duration> {
    let every = call.duration(value)?;
    if every < EVERY_LEAST {
        call.wrong(
            "a look every 10 ms is the most: more would be load themselves",
            format!("write {}", call.word.usage),
        );
        return None;
    }
    Some(every)
}

fn number(call: &Call<'_>, value: &Dynamic) -> Option<Number> {
    let source = match value.clone().try_cast::<Extract>() {
        Some(Extract::From(Source::Css { .. }) | Extract::CacheStatus) => {
            return call.mismatch("a JSONPath, `header(…)`, `regex(…)` or a metric's name", value);
        }
        Some(Extract::From(source)) => source,
        None => {
            let path = call.fixed_text(value)?;
            if !path.starts_with('$') {
                let is_metric =
                    path.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && !path.contains(['.', ' ']);
                if !is_metric {
                    call.wrong(
                        format!("{path:?} is neither a JSONPath nor the name of a metric"),
                        format!("a JSONPath begins with `$.`: \"$.{path}\""),
                    );
                    return None;
                }
                return Some(Number::Metric(path));
            }
            Source::Json(path)
        }
    };
    if let Some(message) = mistake(&source) {
        call.wrong(message, format!("write {}", call.word.usage));
        return None;
    }
    Some(Number::At(source))
}

/// The request of a probe: always the same, and without a body.
fn asked(call: &Call<'_>, value: &Dynamic) -> Option<Probe> {
    let Some(Request(draft)) = value.clone().try_cast::<Request>() else {
        return call.mismatch("a request such as `get(\"/health\")`", value);
    };
    let template = &draft.template;
    let fixed = |text: &Text| {
        let piece = |piece: &Piece| match piece {
            Piece::Literal(text) => Some(text.clone()),
            Piece::Draw(..) => None,
        };
        text.0.iter().map(piece).collect::<Option<String>>()
    };
    let query: Option<Vec<String>> =
        template.query.iter().map(|(name, value)| Some(format!("{}={}", fixed(name)?, fixed(value)?))).collect();
    let headers: Option<Vec<(String, String)>> =
        template.headers.iter().map(|(name, value)| Some((name.clone(), fixed(value)?))).collect();
    let (Some(mut path), Some(query), Some(headers), Body::None) =
        (fixed(&template.path), query, headers, &template.body)
    else {
        call.wrong(
            format!("`probe` takes a request that is always the same and has no body; found {}", describe(value)),
            format!("write {}", call.word.usage),
        );
        return None;
    };
    if !query.is_empty() {
        path = format!("{path}{}{}", if path.contains('?') { '&' } else { '?' }, query.join("&"));
    }
    let target = draft.target.unwrap_or(crate::protocol::TargetId(0));
    let number = Number::Metric(String::new());
    Some(Probe { target, method: template.method.clone(), path, headers, number })
}

fn limit(call: &Call<'_>, options: &Map) -> Option<LeakLimit> {
    if let Some(key) = options.keys().find(|key| *key != "max_slope") {
        call.unknown_option(key, &["max_slope"]);
        return None;
    }
    let Some(value) = options.get("max_slope") else {
        call.wrong("`leak_check` does not say how much growth is allowed", format!("write {}", call.word.usage));
        return None;
    };
    let text = call.fixed_text(value)?;
    LeakLimit::parse(&text).map_err(|message| call.wrong(message, format!("write {}", call.word.usage))).ok()
}
