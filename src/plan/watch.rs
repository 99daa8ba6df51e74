//! What is looked at beside the traffic, and how often.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Meter, Place, Source};
use crate::{clock::Nanos, judge::LeakLimit, protocol::TargetId};

/// Something that is watched for the whole run. It shapes no traffic and counts in no figure of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Watch {
    /// Its name in reports and SLOs.
    pub name: String,
    /// What is watched.
    pub what: Watched,
    /// Time between two looks.
    pub every: Duration,
    /// Where it was declared.
    pub at: Place,
}

/// What can be watched.
#[derive(Debug, Clone, PartialEq)]
pub enum Watched {
    /// A process by its number, with its children.
    Pid(u32),
    /// Processes by their program's name, with their children.
    Named(String),
    /// One of the plan's processes, by index and name, with its children.
    Started(usize, String),
    /// A control group, by its folder below `/sys/fs/cgroup`.
    Group(String),
    /// What somebody else counts: the first of its figures.
    Meter(Meter),
    /// A number in the answer to a request.
    Probe(Probe),
}

/// A request of the control plane, and the number in its answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Probe {
    /// Which target, for its address and fields.
    pub target: TargetId,
    /// The method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Fields of its own.
    pub headers: Vec<(String, String)>,
    /// Where the number is.
    pub number: Number,
}

/// Where a number is in an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Number {
    /// A place in the response.
    At(Source),
    /// A metric of Prometheus' text format: `name`, or `name{label="value"}`.
    Metric(String),
}

impl Watched {
    /// In words, without credentials.
    pub fn describe(&self) -> String {
        match self {
            Self::Pid(id) => format!("process {id} and its children"),
            Self::Named(name) => format!("processes named {name}, and their children"),
            Self::Started(_, name) => format!("{name} that the run started, and its children"),
            Self::Group(path) => format!("control group {path}"),
            Self::Meter(meter) => meter.label(),
            Self::Probe(probe) => {
                let path = probe.path.split('?').next().unwrap_or_default();
                format!("{} {path}", probe.method)
            }
        }
    }
}

/// What a report needs to know of a watch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WatchOutline {
    /// Its name.
    pub name: String,
    /// What is watched, in words.
    pub about: String,
    /// Time between two looks, in nanoseconds.
    pub every_ns: Nanos,
    /// It is a value of a response, not a process.
    pub is_probe: bool,
}

impl WatchOutline {
    pub(super) fn of(watch: &Watch) -> Self {
        Self {
            name: watch.name.clone(),
            about: watch.what.describe(),
            every_ns: watch.every.as_nanos() as Nanos,
            is_probe: matches!(watch.what, Watched::Probe(_)),
        }
    }
}

/// A watch whose memory must not grow without end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LeakCheck {
    /// The watch.
    pub watch: String,
    /// The growth that is too fast.
    pub limit: LeakLimit,
}
