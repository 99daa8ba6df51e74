//! Puts a phase together from what its builders said, and says what does not go together.

use std::time::Duration;

use super::words::phase::{LoadWord, PhaseDraft};
use crate::{
    clock::Rate,
    plan::{Load, Phase, Place, Problem},
};

/// The phase, or what is wrong with it. A draft that is known to be broken gives neither.
pub(super) fn assemble(draft: &PhaseDraft, problems: &mut Vec<Problem>) -> Option<Phase> {
    let before = problems.len();
    let name = &draft.name;
    if draft.mix.is_none() && !draft.broken {
        problems.push(
            Problem::at(&draft.at, format!("phase `{name}` runs nothing"))
                .label("no `.run(…)`")
                .help("add `.run(mix)`, `.run(get(\"/path\"))` or a flow"),
        );
    }
    let load = load(draft, problems);
    if let Some((load, duration)) = &load {
        fits(draft, load, *duration, problems);
    }
    let (load, duration) = load?;
    if problems.len() > before || draft.broken {
        return None;
    }
    let default = Phase::new(name, draft.mix?, load);
    Some(Phase {
        duration,
        arrivals: draft.arrivals.as_ref().map_or(default.arrivals, |set| set.0),
        max_in_flight: draft.max_in_flight.as_ref().map_or(default.max_in_flight, |set| set.0),
        overflow: draft.overflow.as_ref().map_or(default.overflow, |set| set.0),
        think: draft.think.as_ref().map(|set| set.0),
        pace: draft.pace.as_ref().map(|set| set.0),
        throttle: draft.throttle.as_ref().map(|set| set.0),
        warmup: draft.warmup,
        unscaled: draft.unscaled,
        start: draft.start.clone().unwrap_or(default.start),
        drain: draft.drain.unwrap_or(default.drain),
        ends_when: draft.ends_when.clone(),
        if_completed: draft.if_completed.clone(),
        at: draft.at.clone(),
        ..default
    })
}

/// The load model and the phase's length.
fn load(draft: &PhaseDraft, problems: &mut Vec<Problem>) -> Option<(Load, Option<Duration>)> {
    let name = &draft.name;
    let mut users: Option<(u64, Option<u64>)> = None;
    let mut main: Option<(&LoadWord, &Place)> = None;
    for (word, place) in &draft.loads {
        let clash = match word {
            // `users` is a load of its own, and the number of users of `iterations` and `each_user`.
            LoadWord::Users(from, to) => users.replace((*from, *to)).map(|_| "users"),
            other => main.replace((other, place)).map(|(first, _)| first.word()),
        };
        if let Some(first) = clash {
            two_loads(name, first, word.word(), place, problems);
            return None;
        }
    }
    let during = draft.during.as_ref().map(|(length, _)| *length);
    if let Some(place) = &draft.asap
        && !matches!(main, Some((LoadWord::Iterations(_), _)))
    {
        problems.push(
            Problem::at(place, format!("phase `{name}` has `asap` without `iterations`"))
                .help("write `.iterations(1000).asap()`"),
        );
        return None;
    }
    let Some((word, place)) = main else {
        let Some((from, to)) = users else {
            if !draft.broken {
                problems.push(
                    Problem::at(&draft.at, format!("phase `{name}` has no load"))
                        .label("no `.users`, `.rate`, `.stages`, `.burst`, `.iterations` or `.each_user`")
                        .help("add a load, such as `.users(10).during(30.s)`"),
                );
            }
            return None;
        };
        let length = needs_length(draft, "users", problems)?;
        let points = ramp(from, to, length);
        return Some((Load::Users(points), Some(length)));
    };
    let alone = |problems: &mut Vec<Problem>| {
        if users.is_some() {
            two_loads(name, "users", word.word(), place, problems);
        }
        users.is_none()
    };
    match word {
        LoadWord::Rate(from, to) => {
            if !alone(problems) {
                return None;
            }
            let length = needs_length(draft, "rate", problems)?;
            Some((Load::Rate(ramp(*from, *to, length)), Some(length)))
        }
        LoadWord::RateStages(points) => {
            if !alone(problems) {
                return None;
            }
            let per = points.first().map_or(1, |(_, rate)| rate.per);
            staged(draft, points, Rate { events: 0, per }, problems).map(|(points, d)| (Load::Rate(points), Some(d)))
        }
        LoadWord::UserStages(points) => {
            if !alone(problems) {
                return None;
            }
            staged(draft, points, 0, problems).map(|(points, d)| (Load::Users(points), Some(d)))
        }
        LoadWord::Burst(count) => {
            if !alone(problems) {
                return None;
            }
            let every = draft.every.as_ref().map(|set| set.0);
            let times = draft.times.as_ref().map(|set| set.0);
            let times = match (every, times) {
                (None, Some(times)) if times > 1 => {
                    problems.push(
                        Problem::at(place, format!("phase `{name}` has {times} bursts but no time between them"))
                            .help("write `.burst(50).every(10.s).times(6)`"),
                    );
                    return None;
                }
                (Some(every), None) => match during {
                    // The first is released at once, so a length of 30 s holds bursts at 0, 10 and 20 s.
                    Some(length) => u64::try_from(length.as_nanos().div_ceil(every.as_nanos().max(1))).unwrap_or(1),
                    None => {
                        problems.push(
                            Problem::at(place, format!("phase `{name}` does not say how many bursts"))
                                .help("add `.times(6)`, or a length with `.during(60.s)`"),
                        );
                        return None;
                    }
                },
                (_, times) => times.unwrap_or(1),
            };
            Some((Load::Burst { count: *count, every: every.unwrap_or_default(), times }, during))
        }
        LoadWord::Iterations(count) if draft.asap.is_some() => {
            if !alone(problems) {
                return None;
            }
            Some((Load::Asap { count: *count }, during))
        }
        LoadWord::Iterations(count) => {
            Some((Load::Iterations { count: *count, users: constant_users(draft, users, problems)? }, during))
        }
        LoadWord::EachUser(each) => {
            Some((Load::EachUser { each: *each, users: constant_users(draft, users, problems)? }, during))
        }
        LoadWord::Users(..) => None,
    }
}

fn two_loads(name: &str, first: &str, second: &str, place: &Place, problems: &mut Vec<Problem>) {
    let help = if first == second {
        format!("leave one `{first}` out")
    } else {
        "a phase has one load: declare a second phase for the other".to_owned()
    };
    problems.push(
        Problem::at(place, format!("phase `{name}` has two load models: `{first}` and `{second}`"))
            .label("the second load")
            .help(help),
    );
}

fn needs_length(draft: &PhaseDraft, word: &str, problems: &mut Vec<Problem>) -> Option<Duration> {
    if draft.during.is_none() && !draft.broken {
        problems.push(
            Problem::at(&draft.at, format!("phase `{}` has `{word}` but no length", draft.name))
                .label("it would never end")
                .help("add `.during(30.s)`"),
        );
    }
    draft.during.as_ref().map(|(length, _)| *length)
}

fn ramp<T>(from: T, to: Option<T>, length: Duration) -> Vec<(Duration, T)> {
    let mut points = vec![(Duration::ZERO, from)];
    points.extend(to.map(|to| (length, to)));
    points
}

fn staged<T: Copy>(
    draft: &PhaseDraft,
    stages: &[(Duration, T)],
    zero: T,
    problems: &mut Vec<Problem>,
) -> Option<(Vec<(Duration, T)>, Duration)> {
    if let Some((_, place)) = &draft.during {
        problems.push(
            Problem::at(place, format!("phase `{}` has `stages`, which have a length of their own", draft.name))
                .help("leave `.during(…)` out"),
        );
        return None;
    }
    let length = stages.last()?.0;
    let mut points = Vec::with_capacity(stages.len() + 1);
    // A first stage of no length sets the level to start from.
    if !stages.first()?.0.is_zero() {
        points.push((Duration::ZERO, zero));
    }
    points.extend_from_slice(stages);
    Some((points, length))
}

fn constant_users(draft: &PhaseDraft, users: Option<(u64, Option<u64>)>, problems: &mut Vec<Problem>) -> Option<u64> {
    match users {
        None => Some(1),
        Some((users, None)) => Some(users),
        Some((_, Some(_))) => {
            problems.push(
                Problem::at(&draft.at, format!("phase `{}` counts iterations, so its users cannot ramp", draft.name))
                    .help("write `.users(10)` with one number"),
            );
            None
        }
    }
}

/// Options that mean nothing for this load are mistakes, not noise.
fn fits(draft: &PhaseDraft, load: &Load, duration: Option<Duration>, problems: &mut Vec<Problem>) {
    let name = &draft.name;
    let mut only = |word: &str, place: Option<&Place>, fits: bool, what: &str, help: &str| {
        if let Some(place) = place
            && !fits
        {
            problems.push(
                Problem::at(place, format!("`{word}` is for {what}; phase `{name}` is `{}`", load.word())).help(help),
            );
        }
    };
    let open = load.is_open();
    let burst = matches!(load, Load::Burst { .. });
    const CLOSED: &str = "an open phase starts iterations by its rate: use `.users(n)`, or leave it out";
    const OPEN: &str = "a closed phase has as many in flight as users: use `.rate(r)`, or leave it out";
    only("every", draft.every.as_ref().map(|set| &set.1), burst, "bursts", "write `.burst(50).every(10.s)`");
    only("times", draft.times.as_ref().map(|set| &set.1), burst, "bursts", "write `.burst(50).every(10.s).times(6)`");
    let rate = matches!(load, Load::Rate(_));
    only("arrivals", draft.arrivals.as_ref().map(|set| &set.1), rate, "phases with a rate", OPEN);
    only("max_in_flight", draft.max_in_flight.as_ref().map(|set| &set.1), open, "open phases", OPEN);
    only("overflow", draft.overflow.as_ref().map(|set| &set.1), open, "open phases", OPEN);
    only("think", draft.think.as_ref().map(|set| &set.1), !open, "closed phases", CLOSED);
    only("pace", draft.pace.as_ref().map(|set| &set.1), !open, "closed phases", CLOSED);
    only("throttle", draft.throttle.as_ref().map(|set| &set.1), !open, "closed phases", CLOSED);
    if let (Some((_, place)), Load::Burst { every, times, .. }) = (&draft.times, load)
        && duration.is_some_and(|length| every.saturating_mul((*times - 1).min(u64::from(u32::MAX)) as u32) >= length)
    {
        problems.push(
            Problem::at(place, format!("phase `{name}` is too short for its {times} bursts"))
                .help("leave `.during(…)` out: the phase ends after its last burst"),
        );
    }
}
