//! Mixes and flows.

use rhai::Dynamic;

use super::{
    Form::Call as Written,
    Receiver::{Global, Mix as OnMix},
    Run,
    Stages::Plan,
    Word,
    request::Request,
    this,
};
use crate::{
    plan::{Deal, Flow, FlowId, Mix, MixEntry, MixId, Problem, Step},
    script::{
        call::{Call, describe},
        top_level::Poison,
    },
};

/// A mix of the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MixHandle(pub MixId);

/// A flow of the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlowHandle(pub FlowId);

pub(super) const WORDS: &[Word] = &[
    Word {
        name: "mix",
        on: Global,
        form: Written,
        takes: "entries: list",
        gives: "Mix",
        usage: "`mix([[50, get(\"/a\")], [50, get(\"/b\")]])`",
        about: "A weighted choice of requests and flows.",
        stages: Plan,
        run: Run::Checked(|call, _, mut args| declare(call, args.remove(0))),
    },
    Word {
        name: "random",
        on: OnMix,
        form: Written,
        takes: "",
        gives: "Mix",
        usage: "`.random()`",
        about: "Draws each iteration by itself instead of dealing from a deck.",
        stages: Plan,
        run: Run::Checked(|call, mix, _| {
            let MixHandle(id) = this(&mix);
            call.state.plan.borrow_mut().mixes[id.index()].deal = Deal::Random;
            mix
        }),
    },
    Word {
        name: "flow",
        on: Global,
        form: Written,
        takes: "name: string, steps: Fn(vu)",
        gives: "Flow",
        usage: "`flow(\"checkout\", |vu| { … })`",
        about: "A named sequence of steps.",
        stages: Plan,
        run: Run::Checked(|call, _, args| {
            let name = call.name(&args[0]).unwrap_or_default();
            let Some(closure) = call.closure(&args[1], 1, "|vu| { … }") else {
                // A mistake that is reported: a flow without steps stands in where an entry is needed.
                return Dynamic::from(Poison);
            };
            let closure = call.state.add_closure(closure);
            let mut plan = call.state.plan.borrow_mut();
            plan.flows.push(Flow { name, closure, at: call.place() });
            Dynamic::from(FlowHandle(FlowId((plan.flows.len() - 1) as u32)))
        }),
    },
];

fn declare(call: &Call<'_>, entries: Dynamic) -> Dynamic {
    let items = call.array(entries, "a list of [weight, request or flow] pairs");
    let empty = items.as_ref().is_some_and(Vec::is_empty);
    let entries: Vec<MixEntry> = items
        .unwrap_or_default()
        .into_iter()
        .enumerate()
        .filter_map(|(index, item)| entry(call, index + 1, item))
        .collect();
    let mut plan = call.state.plan.borrow_mut();
    // An empty list is the validator's to report; a list whose entries were all wrong is reported already.
    let entries = if entries.is_empty() && !empty {
        vec![MixEntry { weight: 1.0, step: Step::Flow(FlowId(0)) }]
    } else {
        entries
    };
    plan.mixes.push(Mix { entries, deal: Deal::Deck, at: call.place() });
    Dynamic::from(MixHandle(MixId((plan.mixes.len() - 1) as u32)))
}

fn entry(call: &Call<'_>, number: usize, item: Dynamic) -> Option<MixEntry> {
    const HELP: &str = "write `[30, get(\"/path\")]` or `[20, flow(\"name\", |vu| { … })]`";
    if item.is::<Poison>() {
        return None;
    }
    let found = describe(&item);
    let Some([weight, step]) = item.into_array().ok().and_then(|pair| <[Dynamic; 2]>::try_from(pair).ok()) else {
        call.wrong(format!("entry {number} of the mix is not a [weight, request or flow] pair; found {found}"), HELP);
        return None;
    };
    let place = step.clone().try_cast::<Request>().map_or_else(|| call.place(), |request| request.place().clone());
    let weight = match weight.as_int().map(|weight| weight as f64).or_else(|_| weight.as_float()) {
        Ok(weight) if weight.is_finite() && weight > 0.0 => Some(weight),
        Ok(weight) => {
            call.problem(
                Problem::at(&place, format!("entry {number} of the mix has a weight of {weight}"))
                    .label("this would never run")
                    .help("a weight is a number above 0; leave out what should not run"),
            );
            None
        }
        Err(_) if weight.is::<Poison>() => None,
        Err(_) => {
            let found = describe(&weight);
            call.problem(
                Problem::at(&place, format!("the weight of entry {number} of the mix is no number; found {found}"))
                    .help(HELP),
            );
            None
        }
    };
    let step = step_of(call, &step, number)?;
    Some(MixEntry { weight: weight.unwrap_or(1.0), step })
}

fn step_of(call: &Call<'_>, value: &Dynamic, number: usize) -> Option<Step> {
    if let Some(request) = value.clone().try_cast::<Request>() {
        return Some(Step::Template(request.0.register(call.state)));
    }
    if let Some(flow) = value.clone().try_cast::<FlowHandle>() {
        return Some(Step::Flow(flow.0));
    }
    if !value.is::<Poison>() {
        call.wrong(
            format!("entry {number} of the mix is no request and no flow; found {}", describe(value)),
            "write `[30, get(\"/path\")]` or `[20, flow(\"name\", |vu| { … })]`",
        );
    }
    None
}

/// What `.run(…)` takes: a mix, or a request or flow by itself.
pub(super) fn runnable(call: &Call<'_>, value: &Dynamic) -> Option<MixId> {
    if let Some(mix) = value.clone().try_cast::<MixHandle>() {
        return Some(mix.0);
    }
    let step = if let Some(request) = value.clone().try_cast::<Request>() {
        Step::Template(request.0.register(call.state))
    } else if let Some(flow) = value.clone().try_cast::<FlowHandle>() {
        Step::Flow(flow.0)
    } else if value.is::<Poison>() {
        Step::Flow(FlowId(0))
    } else {
        return call.mismatch("a mix, a request or a flow", value);
    };
    let mut plan = call.state.plan.borrow_mut();
    plan.mixes.push(Mix { entries: vec![MixEntry { weight: 1.0, step }], deal: Deal::Deck, at: call.place() });
    Some(MixId((plan.mixes.len() - 1) as u32))
}
