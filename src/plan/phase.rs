//! What runs when, and by which load model.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{GeneratorId, MixId, Place};
use crate::{clock::Rate, judge::Condition};

/// A stretch of the run with one load model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Phase {
    /// Unique name.
    pub name: String,
    /// What its iterations do.
    pub mix: MixId,
    /// The load model.
    pub load: Load,
    /// Its length, for the models that have one of their own choosing; the others end when their work is done.
    pub duration: Option<Duration>,
    /// Spacing of an open phase.
    pub arrivals: Arrivals,
    /// Iterations of an open phase under way at once; default 10 000.
    pub max_in_flight: u64,
    /// What becomes of an arrival beyond that.
    pub overflow: Overflow,
    /// Pause after each iteration of a closed phase.
    pub think: Option<Think>,
    /// Fixed cycle of an iteration of a closed phase.
    pub pace: Option<Duration>,
    /// Ceiling on a closed phase's iterations.
    pub throttle: Option<Rate>,
    /// Shown, but left out of every total and SLO.
    pub warmup: bool,
    /// When it starts.
    pub start: Start,
    /// How long iterations may finish after the end; default 30 s.
    pub drain: Duration,
    /// Ends it before its time: the condition, and the window it is judged over.
    pub ends_when: Option<(Condition, Duration)>,
    /// Left out unless this phase went on to its planned end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub if_completed: Option<String>,
    /// `--scale` leaves it as it is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unscaled: bool,
    /// Not run, because `--phase` asks for others.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub left_out: bool,
    /// Where it was declared.
    #[serde(skip)]
    pub at: Place,
}

/// Iterations of an open phase under way at once, unless the script says otherwise.
const MAX_IN_FLIGHT: u64 = 10_000;
/// How long iterations may finish after the end of their phase, unless the script says otherwise.
const DRAIN: Duration = Duration::from_secs(30);

impl Phase {
    /// A phase in which a script says nothing but this.
    pub fn new(name: impl Into<String>, mix: MixId, load: Load) -> Self {
        Self {
            name: name.into(),
            mix,
            load,
            duration: None,
            arrivals: Arrivals::Uniform,
            max_in_flight: MAX_IN_FLIGHT,
            overflow: Overflow::Queue,
            think: None,
            pace: None,
            throttle: None,
            warmup: false,
            start: Start::AfterPrevious,
            drain: DRAIN,
            ends_when: None,
            if_completed: None,
            unscaled: false,
            left_out: false,
            at: Place::default(),
        }
    }
}

/// A load model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Load {
    /// Closed: virtual users loop; their number goes linearly through these points: time from the phase's
    /// start, users. One point is a constant.
    Users(Vec<(Duration, u64)>),
    /// Open: arrivals at a rate that goes linearly through these points: time from the phase's start, rate.
    /// One point is a constant. Two points at the same time are a step.
    Rate(Vec<(Duration, Rate)>),
    /// Iterations released together, on opened connections.
    Burst {
        /// How many at a time.
        count: u64,
        /// From one release to the next.
        every: Duration,
        /// How many releases.
        times: u64,
    },
    /// That many iterations in total, shared by the users.
    Iterations {
        /// Iterations.
        count: u64,
        /// Virtual users at work at once.
        users: u64,
    },
    /// That many iterations for each user.
    EachUser {
        /// Iterations of each.
        each: u64,
        /// Virtual users.
        users: u64,
    },
    /// That many iterations, all due at once, started in order as fast as the generator can.
    Asap {
        /// Iterations.
        count: u64,
    },
}

impl Load {
    /// The word for it in reports.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Users(_) => "closed",
            Self::Rate(_) => "open",
            Self::Burst { .. } => "burst",
            Self::Iterations { .. } => "iterations",
            Self::EachUser { .. } => "each_user",
            Self::Asap { .. } => "asap",
        }
    }

    /// Iterations start by plan, whatever the server does.
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Rate(_) | Self::Burst { .. } | Self::Asap { .. })
    }
}

/// Spacing of arrivals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Arrivals {
    /// Even.
    Uniform,
    /// Independent: exponential gaps.
    Poisson,
}

/// What becomes of an arrival when `max_in_flight` iterations are under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Overflow {
    /// It waits, and expires after the timeout of its request.
    Queue,
    /// It is counted as dropped.
    Drop,
    /// The phase ends.
    Abort,
}

/// A pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Think {
    /// Always as long.
    Fixed(Duration),
    /// Drawn, in milliseconds.
    Drawn(GeneratorId),
}

/// When a phase starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Start {
    /// When all before it have ended and drained.
    AfterPrevious,
    /// With another phase.
    Alongside(String),
    /// At an offset from the run's first phase.
    At(Duration),
}
