//! What must be true of a plan as a whole, checked at once.

use std::{collections::HashMap, time::Duration};

use super::{Generator, Load, Order, Phase, Place, Plan, Problem, Start, Step, Watched, problem::Lack};
use crate::judge::{Selector, is_part_of};

/// Longest phase, in seconds: beyond it per-second series no longer make sense.
const DURATION_MAX: Duration = Duration::from_secs(30 * 24 * 3_600);
/// More virtual users than this are a slip of the finger.
const USERS_MAX: u64 = 10_000_000;

/// Every mistake of a plan that shows only when its parts are seen together: with place, expectation and help.
/// Empty means the plan can run.
pub fn validate(plan: &Plan) -> Vec<Problem> {
    let mut problems = Vec::new();
    targets(plan, &mut problems);
    proxies(plan, &mut problems);
    misfits(plan, &mut problems);
    mixes(plan, &mut problems);
    phases(plan, &mut problems);
    generators(plan, &mut problems);
    data(plan, &mut problems);
    slos(plan, &mut problems);
    goals(plan, &mut problems);
    plan.skip_problems(&mut problems);
    watches(plan, &mut problems);
    experiments(plan, &mut problems);
    problems
}

/// The help for an unknown name: the nearest known one, or all there are.
pub fn suggest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>, noun: &str) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    if let Some(near) = nearest(name, known.iter().copied()) {
        return format!("did you mean `{near}`?");
    }
    match known.len() {
        0 => format!("there is no {noun}"),
        1..=12 => format!("known: {}", known.join(", ")),
        more => format!("known: {}, and {} more", known[..10].join(", "), more - 10),
    }
}

/// The known name that `name` most likely stands for.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = name.to_lowercase();
    let close = |candidate: &str| {
        let candidate = candidate.to_lowercase();
        let score = strsim::jaro_winkler(&wanted, &candidate);
        let distance = strsim::damerau_levenshtein(&wanted, &candidate);
        let limit = (wanted.chars().count().max(candidate.chars().count()) / 3).max(1);
        (distance <= limit || (score > 0.88 && distance <= limit + 1)).then_some((distance, score))
    };
    known
        .into_iter()
        .filter(|candidate| *candidate != name)
        .filter_map(|candidate| close(candidate).map(|(distance, score)| (distance, score, candidate)))
        .min_by(|a, b| a.0.cmp(&b.0).then(b.1.total_cmp(&a.1)))
        .map(|(_, _, candidate)| candidate)
}

fn targets(plan: &Plan, problems: &mut Vec<Problem>) {
    if plan.targets.is_empty() && !plan.phases.is_empty() {
        problems.push(
            Problem::nowhere("the script has no target")
                .help("declare one: `let shop = target(\"http://127.0.0.1:8080\");`")
                .lacking(Lack::Part),
        );
    }
}

/// Requests that their target cannot carry. Without a target, that is what is wrong.
fn misfits(plan: &Plan, problems: &mut Vec<Problem>) {
    for template in &plan.templates {
        if let Some((message, help)) = template.misfit(plan) {
            problems.push(Problem::at(&template.at, message).help(help));
        }
    }
}

/// A proxy that resolves names does not ask the script for addresses.
fn proxies(plan: &Plan, problems: &mut Vec<Problem>) {
    for target in &plan.targets {
        let host = target.url.host_str().unwrap_or_default();
        let fixed = target.resolve.iter().any(|(name, _)| name == host);
        if fixed && target.proxy.as_ref().is_some_and(|proxy| proxy.resolves()) {
            problems.push(
                Problem::at(
                    &target.at,
                    format!("`.resolve` gives an address for {host}, and the proxy resolves it itself"),
                )
                .label("this target has both")
                .help("put the address into the target's URL, or take a proxy of `socks5://`"),
            );
        }
    }
}

fn mixes(plan: &Plan, problems: &mut Vec<Problem>) {
    for mix in &plan.mixes {
        if mix.entries.is_empty() {
            problems.push(
                Problem::at(&mix.at, "the mix has no entries")
                    .label("nothing to run")
                    .help("write `mix([[50, get(\"/a\")], [50, get(\"/b\")]])`"),
            );
        }
        for (index, entry) in mix.entries.iter().enumerate() {
            if !entry.weight.is_finite() || entry.weight <= 0.0 {
                problems.push(
                    Problem::at(&mix.at, format!("entry {} of the mix has a weight of {}", index + 1, entry.weight))
                        .label("here")
                        .help("a weight is a number above 0; leave out what should not run"),
                );
            }
        }
    }
    let mut flows: HashMap<&str, &Place> = HashMap::new();
    for flow in &plan.flows {
        if let Some(first) = flows.insert(&flow.name, &flow.at) {
            problems.push(
                Problem::at(&flow.at, format!("there are two flows named `{}`", flow.name))
                    .label(format!("the first is on line {}", first.line))
                    .help("their figures could not be told apart: give each a name of its own"),
            );
        }
    }
    let mut templates: HashMap<&str, (&str, &Place)> = HashMap::new();
    for step in plan.mixes.iter().flat_map(|mix| &mix.entries) {
        if let Step::Template(id) = step.step {
            let template = &plan.templates[id.index()];
            let (method, first) = *templates.entry(&template.name).or_insert((&template.method, &template.at));
            if method != template.method {
                problems.push(
                    Problem::at(&template.at, format!("two different requests are named `{}`", template.name))
                        .label(format!("the first is on line {}", first.line))
                        .help("their figures could not be told apart: give each a name of its own"),
                );
            }
        }
    }
}

fn phases(plan: &Plan, problems: &mut Vec<Problem>) {
    if plan.phases.is_empty() && plan.skipped.is_empty() {
        problems.push(
            Problem::nowhere("the script has no phase")
                .help("declare one: `phase(\"main\").run(get(\"/\")).users(10).during(30.s);`")
                .lacking(Lack::Part),
        );
    }
    let mut seen: HashMap<&str, &Phase> = HashMap::new();
    for phase in &plan.phases {
        if let Some(first) = seen.get(phase.name.as_str()) {
            problems.push(
                Problem::at(&phase.at, format!("there are two phases named `{}`", phase.name))
                    .label(format!("the first is on line {}", first.at.line))
                    .help("give each phase a name of its own"),
            );
        }
        seen.insert(&phase.name, phase);
        if let Start::Alongside(other) = &phase.start {
            alongside(plan, phase, other, problems);
        }
        if let Some(other) = &phase.if_completed {
            if_completed(plan, phase, other, problems);
        }
        load(phase, problems);
    }
    if !plan.phases.is_empty() && plan.phases.iter().all(|phase| phase.warmup) {
        problems.push(
            Problem::at(&plan.phases[0].at, "every phase is a warm-up: nothing would be measured")
                .help("leave `.warmup()` out of the phases whose figures count")
                .lacking(Lack::Part),
        );
    }
}

fn alongside(plan: &Plan, phase: &Phase, other: &str, problems: &mut Vec<Problem>) {
    match plan.phases.iter().position(|candidate| candidate.name == other) {
        None => problems.push(
            Problem::at(&phase.at, format!("phase `{}` starts alongside `{other}`, which does not exist", phase.name))
                .help(suggest(other, plan.phases.iter().map(|phase| phase.name.as_str()), "phase"))
                .lacking(Lack::Name(other.to_owned())),
        ),
        Some(position) if plan.phases[position].name == phase.name => {
            problems.push(Problem::at(&phase.at, format!("phase `{other}` cannot start alongside itself")));
        }
        Some(position) => {
            let own = plan.phases.iter().position(|candidate| std::ptr::eq(candidate, phase));
            if own.is_some_and(|own| position > own) {
                problems.push(
                    Problem::at(&phase.at, format!("phase `{}` starts alongside a later phase", phase.name))
                        .help(format!("declare `{other}` first, and start it alongside nothing")),
                );
            }
        }
    }
}

fn if_completed(plan: &Plan, phase: &Phase, other: &str, problems: &mut Vec<Problem>) {
    let earlier = plan.phases.iter().take_while(|candidate| !std::ptr::eq(*candidate, phase));
    if earlier.clone().any(|candidate| candidate.name == other) {
        return;
    }
    let names = earlier.map(|candidate| candidate.name.as_str());
    problems.push(
        Problem::at(&phase.at, format!("phase `{}` is to follow `{other}`, which is no phase before it", phase.name))
            .help(suggest(other, names, "phase"))
            .lacking(Lack::Name(other.to_owned())),
    );
}

fn load(phase: &Phase, problems: &mut Vec<Problem>) {
    let mut wrong = |message: String, help: &str| problems.push(Problem::at(&phase.at, message).help(help));
    let name = &phase.name;
    if phase.duration.is_some_and(|length| length > DURATION_MAX) {
        wrong(format!("phase `{name}` is longer than 30 days"), "split it into several runs");
    }
    if phase.duration.is_some_and(|length| length.is_zero()) {
        wrong(format!("phase `{name}` has a length of zero"), "give it a length such as `.during(30.s)`");
    }
    match &phase.load {
        Load::Users(points) => {
            if points.iter().all(|&(_, users)| users == 0) {
                wrong(format!("phase `{name}` has no users"), "give it at least one: `.users(1)`");
            }
            if points.iter().any(|&(_, users)| users > USERS_MAX) {
                wrong(format!("phase `{name}` has more than {USERS_MAX} users"), "use fewer users, or a rate");
            }
        }
        Load::Rate(points) => {
            if points.iter().all(|&(_, rate)| rate.events == 0) {
                wrong(format!("phase `{name}` has a rate of 0"), "give it a rate such as `500.per_second`");
            }
        }
        Load::Burst { count, times, .. } => {
            if *count == 0 || *times == 0 {
                wrong(format!("phase `{name}` is a burst of 0"), "a burst needs at least one iteration: `.burst(50)`");
            }
        }
        Load::Iterations { count, users } | Load::EachUser { each: count, users } => {
            if *count == 0 || *users == 0 {
                wrong(format!("phase `{name}` has nothing to do"), "give it at least one iteration and one user");
            }
        }
        Load::Asap { count } => {
            if *count == 0 {
                wrong(format!("phase `{name}` has nothing to do"), "give it at least one iteration");
            }
        }
    }
    if phase.max_in_flight == 0 {
        wrong(format!("phase `{name}` may have nothing in flight"), "`.max_in_flight(n)` takes a number above 0");
    }
}

fn generators(plan: &Plan, problems: &mut Vec<Problem>) {
    for generator in &plan.generators {
        if let Some(message) = generator.mistake() {
            problems.push(Problem::nowhere(message));
        }
    }
}

impl Generator {
    /// What is wrong with its parameters, if anything.
    pub fn mistake(&self) -> Option<String> {
        // 2^53: up to here a float is exact, and the laws below are computed in floats.
        const KEYS_MAX: u64 = 1 << 53;
        let keys = |n: u64| !(1..=KEYS_MAX).contains(&n);
        let fraction = |x: f64| !(0.0..=1.0).contains(&x);
        match *self {
            Self::Int(low, high) if low > high => Some(format!("int({low}, {high}) is empty: the first is the lower")),
            Self::Float(low, high) if !(low < high && (high - low).is_finite()) => {
                Some(format!("float({low}, {high}) is empty: the first is the lower"))
            }
            Self::Bytes(0) => Some("bytes(0) is nothing to send".to_owned()),
            Self::Bytes(size) if size > 256 << 20 => Some(format!("{size} bytes are too many: at most 256 MiB")),
            Self::Alnum(0) | Self::Hex(0) => Some("a text of 0 characters is always the same".to_owned()),
            Self::Alnum(length) | Self::Hex(length) if length > 1 << 20 => {
                Some(format!("a text of {length} characters is too long: at most {}", 1 << 20))
            }
            Self::Pick(ref values) if values.is_empty() => Some("pick([]) has nothing to pick from".to_owned()),
            Self::PickWeighted(ref entries) if entries.is_empty() => {
                Some("pick_weighted([]) has nothing to pick from".to_owned())
            }
            Self::PickWeighted(ref entries) => entries
                .iter()
                .find(|(weight, _)| !(weight.is_finite() && *weight > 0.0))
                .map(|(weight, _)| format!("a weight is a number above 0, not {weight}")),
            Self::Zipf { n, .. } | Self::Latest { n, .. } | Self::HotSet { n, .. } | Self::Scan(n) if keys(n) => {
                Some("the number of keys is at least 1 and at most 2^53".to_owned())
            }
            Self::Zipf { s, .. } | Self::Latest { s, .. } if !(0.0..=100.0).contains(&s) => {
                Some(format!("the exponent of a Zipf law is from 0 to 100, not {s}"))
            }
            Self::HotSet { hot_fraction, hot_share, .. } if fraction(hot_fraction) || fraction(hot_share) => {
                Some("hot_set(n, hot_fraction, hot_share) takes shares from 0.0 to 1.0".to_owned())
            }
            Self::Normal { mean, sd } if !(mean.is_finite() && sd.is_finite() && sd >= 0.0) => {
                Some(format!("normal({mean}, {sd}) needs finite numbers and a deviation of at least 0"))
            }
            Self::Exponential { mean } if !(mean.is_finite() && mean > 0.0) => {
                Some(format!("exponential({mean}) needs a mean above 0"))
            }
            _ => None,
        }
    }
}

fn data(plan: &Plan, problems: &mut Vec<Problem>) {
    for set in &plan.data {
        if let Order::Zipf(s) = set.order
            && !(0.0..=100.0).contains(&s)
        {
            problems.push(Problem::nowhere(format!("the exponent of a Zipf law is from 0 to 100, not {s}")));
        }
    }
}

fn experiments(plan: &Plan, problems: &mut Vec<Problem>) {
    for (index, experiment) in plan.experiments.iter().enumerate() {
        let at = plan.experiment_places.get(index).cloned().unwrap_or_default();
        let known = || plan.phases.iter().map(|phase| phase.name.as_str());
        for phase in experiment.phases().filter(|phase| !known().any(|known| known == *phase)) {
            problems.push(
                Problem::at(&at, format!("the experiment `{}` has no phase `{phase}`", experiment.name))
                    .help(suggest(phase, known(), "phase"))
                    .lacking(Lack::Name(phase.to_owned())),
            );
        }
    }
}

fn slos(plan: &Plan, problems: &mut Vec<Problem>) {
    let mut seen: HashMap<&str, u32> = HashMap::new();
    for (index, slo) in plan.slos.iter().enumerate() {
        let at = plan.slo_places.get(index).cloned().unwrap_or_default();
        if let Some(line) = seen.insert(&slo.name, at.line) {
            problems.push(
                Problem::at(&at, format!("there are two SLOs named `{}`", slo.name))
                    .label(format!("the first is on line {line}"))
                    .help("give each SLO a name of its own"),
            );
        }
        selects(plan, &slo.selector, &at, &format!("SLO `{}`", slo.name), problems);
        if let Some(name) = &slo.selector.phase
            && let mut about = plan.phases.iter().filter(|phase| phase.name == *name || is_part_of(&phase.name, name))
            && about.clone().next().is_some()
            && about.all(|phase| phase.warmup)
        {
            problems.push(
                Problem::at(&at, format!("the SLO `{}` is about the warm-up phase `{name}`", slo.name))
                    .help("a warm-up is in no SLO: judge another phase, or leave `.warmup()` out"),
            );
        }
    }
}

fn watches(plan: &Plan, problems: &mut Vec<Problem>) {
    for (index, watch) in plan.watches.iter().enumerate() {
        if plan.watches[..index].iter().any(|earlier| earlier.name == watch.name) {
            let problem = Problem::at(&watch.at, format!("two things are watched as `{}`", watch.name));
            problems.push(problem.help("give each a name of its own"));
        }
    }
    for (check, at) in &plan.leak_checks {
        let monitors = plan.watches.iter().filter(|watch| !matches!(watch.what, Watched::Probe(_)));
        let names: Vec<&str> = monitors.map(|watch| watch.name.as_str()).collect();
        if !names.contains(&check.watch.as_str()) {
            problems.push(
                Problem::at(at, format!("no monitor is named `{}`", check.watch))
                    .label("nothing to check for a leak")
                    .help(suggest(&check.watch, names, "monitor"))
                    .lacking(Lack::Name(check.watch.clone())),
            );
        }
    }
}

fn goals(plan: &Plan, problems: &mut Vec<Problem>) {
    for (index, goal) in plan.goals.iter().enumerate() {
        let at = plan.goal_places.get(index).cloned().unwrap_or_default();
        if plan.goals[..index].iter().any(|earlier| earlier.name == goal.name) {
            let problem = Problem::at(&at, format!("there are two goals named `{}`", goal.name));
            problems.push(problem.help("give each goal a name of its own"));
        }
        if let (Some(measure), None) = (&goal.measure, &goal.skipped) {
            selects(plan, &measure.selector, &at, &format!("goal `{}`", goal.name), problems);
        }
    }
}

/// Whether what a selector names is there; `whose` is who selects.
fn selects(plan: &Plan, selector: &Selector, at: &Place, whose: &str, problems: &mut Vec<Problem>) {
    // Closures name requests while they run: then only the run can tell whether a name is right.
    let closed_world = plan.flows.is_empty()
        && plan.targets.iter().all(|target| target.on_start.is_none() && target.on_stop.is_none());
    let mut known = |kind: &str, wanted: &Option<String>, names: Vec<&str>| {
        let Some(wanted) = wanted else { return };
        let article = if kind == "experiment" { "an" } else { "a" };
        let parts = kind == "phase" && names.iter().any(|name| is_part_of(name, wanted));
        if !parts && !names.contains(&wanted.as_str()) {
            problems.push(
                Problem::at(at, format!("the {whose} is about {article} {kind} `{wanted}`, which does not exist"))
                    .label("this would select nothing")
                    .help(suggest(wanted, names, kind))
                    .lacking(Lack::Name(wanted.clone())),
            );
        }
    };
    let experiments = plan.experiments.iter().map(|experiment| experiment.name.as_str()).collect();
    known("experiment", &selector.experiment, experiments);
    known("monitor", &selector.monitor, plan.watches.iter().map(|watch| watch.name.as_str()).collect());
    known("phase", &selector.phase, plan.phases.iter().map(|phase| phase.name.as_str()).collect());
    known("flow", &selector.flow, plan.flows.iter().map(|flow| flow.name.as_str()).collect());
    if closed_world {
        let names = plan.templates.iter().map(|template| template.name.as_str()).collect();
        known("request", &selector.request, names);
    }
}
