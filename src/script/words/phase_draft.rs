//! A phase under construction: what its builders have said so far.

use std::{cell::RefCell, rc::Rc, time::Duration};

use crate::{
    clock::Rate,
    judge::Condition,
    plan::{Arrivals, MixId, Overflow, Place, Start, Think},
};

/// A phase under construction.
#[derive(Debug, Clone)]
pub struct PhaseHandle(pub Rc<RefCell<PhaseDraft>>);

/// What the builders said of a phase.
#[derive(Debug, Clone, Default)]
pub struct PhaseDraft {
    pub(in crate::script) name: String,
    pub(in crate::script) at: Place,
    pub(in crate::script) mix: Option<MixId>,
    pub(in crate::script) loads: Vec<(LoadWord, Place)>,
    pub(in crate::script) asap: Option<Place>,
    pub(in crate::script) every: Option<(Duration, Place)>,
    pub(in crate::script) times: Option<(u64, Place)>,
    pub(in crate::script) during: Option<(Duration, Place)>,
    pub(in crate::script) arrivals: Option<(Arrivals, Place)>,
    pub(in crate::script) max_in_flight: Option<(u64, Place)>,
    pub(in crate::script) overflow: Option<(Overflow, Place)>,
    pub(in crate::script) think: Option<(Think, Place)>,
    pub(in crate::script) pace: Option<(Duration, Place)>,
    pub(in crate::script) throttle: Option<(Rate, Place)>,
    pub(in crate::script) warmup: bool,
    pub(in crate::script) unscaled: bool,
    pub(in crate::script) start: Option<Start>,
    pub(in crate::script) drain: Option<Duration>,
    pub(in crate::script) ends_when: Option<(Condition, Duration)>,
    pub(in crate::script) if_completed: Option<String>,
    /// A builder got a wrong argument, and that is reported: what is missing here is not worth a message.
    pub(in crate::script) broken: bool,
    /// `.repeat` made phases of it; it is none itself.
    pub(in crate::script) repeated: bool,
}

/// A word that names a load.
#[derive(Debug, Clone)]
pub(in crate::script) enum LoadWord {
    Users(u64, Option<u64>),
    Rate(Rate, Option<Rate>),
    UserStages(Vec<(Duration, u64)>),
    RateStages(Vec<(Duration, Rate)>),
    Burst(u64),
    Iterations(u64),
    EachUser(u64),
}

impl LoadWord {
    pub(in crate::script) fn word(&self) -> &'static str {
        match self {
            Self::Users(..) => "users",
            Self::Rate(..) => "rate",
            Self::UserStages(_) | Self::RateStages(_) => "stages",
            Self::Burst(_) => "burst",
            Self::Iterations(_) => "iterations",
            Self::EachUser(_) => "each_user",
        }
    }
}
