//! `vu.batch`: several requests at once.

use rhai::{Array, Dynamic, EvalAltResult, ImmutableString, Map, NativeCallContext};

use super::{
    ambient,
    response::Response,
    shared::{CANNOT_WAIT, Failed, Shared},
    vu::{Vu, examine},
};
use crate::{
    engine::flow::{Answer, Request as Filled, Step},
    script::{Request, words::friendly_type},
};

/// Requests of one batch that are under way at the same time, unless the script says otherwise: each may need
/// a connection of its own.
const AT_ONCE: usize = 20;
/// More at the same time than this is a burst of many users, not a batch of one.
const AT_ONCE_MAX: i64 = 1_000;

/// One of them, and what it is called in a map.
enum Entry {
    /// From `get(…)` and its kin, with what it brings along.
    Made(Request),
    /// A path to get.
    Path(ImmutableString),
}

impl Entry {
    fn new(value: Dynamic) -> Result<Self, String> {
        if let Some(path) = value.read_lock::<ImmutableString>() {
            return Ok(Self::Path(path.clone()));
        }
        let found = friendly_type(value.type_name()).unwrap_or(value.type_name()).to_owned();
        value.try_cast::<Request>().map(Self::Made).ok_or(found)
    }

    fn fill(&self, shared: &Shared, vu: &Vu) -> Result<Filled, Failed> {
        match self {
            Self::Made(request) => {
                let template = request.template(vu.0.target.get(), &shared.state.plan.borrow());
                shared.fill(&vu.0, &template)
            }
            Self::Path(path) => Ok(shared.plain(&vu.0, "GET", path, None)),
        }
    }
}

/// `vu.batch([…])` and `vu.batch(#{…})`: a list gives a list, in its order, a map gives a map of its keys.
/// `at_once` limits how many are under way at the same time.
///
/// # Errors
/// Something that is no request; a check or a classifier of one of them that failed, after all were sent.
pub(super) fn batch(
    ctx: &NativeCallContext<'_>,
    shared: &Shared,
    vu: &Vu,
    requests: Dynamic,
    at_once: Option<i64>,
) -> Result<Dynamic, Failed> {
    let at_once = match at_once {
        None => AT_ONCE,
        Some(n @ 1..=AT_ONCE_MAX) => n as usize,
        Some(n) => return Err(format!("`batch` sends 1 to {AT_ONCE_MAX} requests at once, not {n}").into()),
    };
    if requests.is_map() {
        let (keys, values): (Vec<_>, Array) = requests.cast::<Map>().into_iter().unzip();
        let entries = entries(values, |at| format!("`{}`", keys[at]))?;
        let responses = send(ctx, shared, vu, &entries, at_once)?;
        return Ok(Dynamic::from_map(keys.into_iter().zip(responses).collect()));
    }
    match requests.into_array() {
        Ok(values) => {
            let entries = entries(values, |at| format!("entry {at}"))?;
            Ok(Dynamic::from_array(send(ctx, shared, vu, &entries, at_once)?))
        }
        Err(found) => {
            let found = friendly_type(found).unwrap_or(found);
            Err(format!("`batch` takes a list or a map of requests such as [get(\"/x\")]; found {found}").into())
        }
    }
}

fn entries(values: Array, place: impl Fn(usize) -> String) -> Result<Vec<Entry>, Failed> {
    let entry = |(at, value)| {
        Entry::new(value).map_err(|found| {
            format!("`batch` takes requests such as get(\"/x\"), or paths; {} is {found}", place(at)).into()
        })
    };
    values.into_iter().enumerate().map(entry).collect()
}

fn send(
    ctx: &NativeCallContext<'_>,
    shared: &Shared,
    vu: &Vu,
    entries: &[Entry],
    at_once: usize,
) -> Result<Array, Failed> {
    let requests = entries.iter().map(|entry| entry.fill(shared, vu)).collect::<Result<Vec<_>, Failed>>()?;
    let replies = match ambient::ask(Step::Batch { requests, at_once }) {
        Some(Answer::Responses(replies)) => replies,
        Some(_) => return Err("internal error: an answer that was not asked for".into()),
        None => return Err(CANNOT_WAIT.into()),
    };
    let responses: Vec<Response> = replies.into_iter().map(Response).collect();
    // A check that fails to run leaves the others their say.
    let mut first_error: Option<Box<EvalAltResult>> = None;
    for (entry, response) in entries.iter().zip(&responses) {
        if let Entry::Made(request) = entry
            && let Err(error) = examine(ctx, shared, vu, request, response)
        {
            first_error.get_or_insert(error);
        }
    }
    match first_error {
        Some(error) => Err(error),
        None => Ok(responses.into_iter().map(Dynamic::from).collect()),
    }
}
