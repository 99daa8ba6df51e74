//! The validated scenario: what a script declared, as plain data.
//!
//! A plan holds no script values and no connections. Closures stay with the script; the plan refers to them
//! by [`ClosureId`]. Every worker builds its own plan from the same script, and all must hash alike.

mod ascii;
mod baseline;
mod draw;
mod escape;
mod extent;
mod fake;
mod generator;
mod kept;
mod meter;
mod mix;
mod outline;
mod permute;
mod phase;
mod problem;
mod process;
mod rewrite;
mod rows;
mod skip;
mod slice;
mod spoken;
mod table;
mod target;
mod template;
mod timestamp;
mod tls;
mod validate;
mod watch;

pub use baseline::{Baseline, MARGIN, parse_margin};
pub use draw::{DrawContext, DrawError, Drawers, Draws};
pub use escape::{escape, is_url_safe};
pub use extent::{Extent, Scale, extent_notes};
pub use fake::fake_kinds;
pub use generator::{Generator, Value};
pub use kept::{Kept, KeptValue};
pub use meter::{Meter, Truth};
pub use mix::{Deal, Mix, MixEntry, Step};
pub use outline::{Outline, OutlineEntry};
pub use phase::{Arrivals, Load, Overflow, Phase, Start, Think};
pub use problem::{Lack, Place, Problem, Via};
pub use process::{Process, Ready};
pub use rows::Order;
use serde::{Deserialize, Serialize};
pub use skip::Skip;
pub use slice::Slice;
pub use spoken::{PROTOCOLS, Protocol, ProtocolRow};
pub use table::{Cell, Table, TableBuilder};
pub use target::{Login, Target};
pub use template::{Body, Check, Classify, Escape, Expect, Part, PartContent, Piece, Save, Source, Template, Text};
pub use timestamp::TimestampForm;
pub use tls::{PemFile, TlsPlan};
pub use validate::{nearest, suggest, validate};
pub use watch::{LeakCheck, Number, Probe, Watch, WatchOutline, Watched};

use crate::{
    judge::{Experiment, Goal, Grades, NotDone, Score, Slo},
    protocol::TargetId,
};

macro_rules! ids {
    ($($(#[doc = $doc:literal])+ $name:ident;)+) => {
        $($(#[doc = $doc])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub struct $name(pub u32);

        impl $name {
            /// The index into the plan's list.
            pub const fn index(self) -> usize {
                self.0 as usize
            }
        })+
    };
}

ids! {
    /// A closure of the script, in the order of declaration.
    ClosureId;
    /// An entry of [`Plan::generators`].
    GeneratorId;
    /// An entry of [`Plan::data`].
    DataId;
    /// An entry of [`Plan::templates`].
    TemplateId;
    /// An entry of [`Plan::flows`].
    FlowId;
    /// An entry of [`Plan::mixes`].
    MixId;
    /// An entry of [`Plan::phases`].
    PhaseId;
}

/// Everything a run will do, before it does it.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Plan {
    /// The script's first doc comment, if any.
    pub title: Option<String>,
    /// Where requests go; the first is the default.
    pub targets: Vec<Target>,
    /// Sources of values that templates draw from.
    pub generators: Vec<Generator>,
    /// Tables of rows.
    pub data: Vec<DataSet>,
    /// Requests that run without script.
    pub templates: Vec<Template>,
    /// Named sequences of script.
    pub flows: Vec<Flow>,
    /// Weighted choices of templates and flows.
    pub mixes: Vec<Mix>,
    /// What runs when.
    pub phases: Vec<Phase>,
    /// The factor by which its phases were made shorter or longer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale: Option<Scale>,
    /// What must hold.
    pub slos: Vec<Slo>,
    /// Where each of [`Plan::slos`] was declared.
    #[serde(skip)]
    pub slo_places: Vec<Place>,
    /// How quick requests are, in a word.
    #[serde(skip)]
    pub grades: Option<Grades>,
    /// Cache experiments.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub experiments: Vec<Experiment>,
    /// Where each of them was declared.
    #[serde(skip)]
    pub experiment_places: Vec<Place>,
    /// Counters that experiments are held against.
    #[serde(skip)]
    pub truths: Vec<Truth>,
    /// What the run is held against afterwards.
    #[serde(skip)]
    pub baseline: Option<Baseline>,
    /// What the author hopes for.
    #[serde(skip)]
    pub goals: Vec<Goal>,
    /// Where each of them was declared.
    #[serde(skip)]
    pub goal_places: Vec<Place>,
    /// What the script says to leave out.
    #[serde(skip)]
    pub skips: Vec<Skip>,
    /// What that came to; empty before [`Plan::leave_out`].
    #[serde(skip)]
    pub skipped: Vec<NotDone>,
    /// Programs that are started for the run.
    #[serde(skip)]
    pub processes: Vec<Process>,
    /// What is looked at beside the traffic.
    #[serde(skip)]
    pub watches: Vec<Watch>,
    /// Those of them whose memory must not grow, and where that was declared.
    #[serde(skip)]
    pub leak_checks: Vec<(LeakCheck, Place)>,
    /// How points are taken.
    #[serde(skip)]
    pub score: Option<Score>,
    /// Runs once before the first phase.
    pub setup: Option<ClosureId>,
    /// Runs once after the last phase.
    pub teardown: Option<ClosureId>,
    /// Names of the environment variables the script asked for; never their values.
    pub environment: Vec<String>,
    /// Data sets that closures captured from the top level, and so may take rows from.
    #[serde(skip)]
    pub captured: Vec<(ClosureId, DataId)>,
    /// Notes of the author, for the report.
    pub notes: Vec<String>,
    /// Facts of the author, for the report; marked as not measured.
    pub facts: Vec<(String, String)>,
}

/// A named sequence of script steps.
#[derive(Debug, Clone, Serialize)]
pub struct Flow {
    /// The row it is reported under.
    pub name: String,
    /// What runs.
    pub closure: ClosureId,
    /// Where it was declared.
    #[serde(skip)]
    pub at: Place,
}

/// A table of rows with named columns.
#[derive(Debug, Clone, Serialize)]
pub struct DataSet {
    /// Where it came from, for messages: the path as the script wrote it, or `list`.
    pub source: String,
    /// The columns' names, in order; a list of plain values has the one column `value`.
    pub columns: Vec<String>,
    /// How many rows.
    pub rows: usize,
    /// Which row an iteration gets.
    pub order: Order,
    /// How many rows templates take for one iteration: one for each `.next()` at the top level.
    pub slots: u32,
    /// Hash of its content, so that two machines notice that they read different files.
    pub content_hash: String,
}

impl Plan {
    /// Where requests go that name no target: the first that speaks HTTP.
    pub fn default_target(&self) -> TargetId {
        self.first_of(Protocol::Http).unwrap_or_default()
    }

    /// The first target that speaks a protocol.
    pub fn first_of(&self, protocol: Protocol) -> Option<TargetId> {
        self.targets.iter().position(|target| target.protocol() == protocol).map(|at| TargetId(at as u16))
    }

    /// A hash of everything that shapes the traffic: 64 hexadecimal digits.
    pub fn hash(&self) -> String {
        use sha2::{Digest, Sha256};
        // Serialising plain data into memory cannot fail.
        let text = self.without_drawn_ports(serde_json::to_string(self).unwrap_or_default());
        Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
