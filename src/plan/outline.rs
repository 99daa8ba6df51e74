//! What a report needs to know of a plan: it goes into the run file, so that a report can be made again.

use serde::{Deserialize, Serialize};

use super::{LeakCheck, Phase, Plan, Scale, Step, WatchOutline};
use crate::judge::{Experiment, Goal, Grades, NotDone, Score, Slo};

/// A plan without what is sent: names, loads, weights and objectives, but no path, header, body or row of data.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Outline {
    /// The script's first doc comment, if any.
    pub title: Option<String>,
    /// Where requests go, without credentials.
    pub targets: Vec<String>,
    /// Those of them whose certificates are not verified.
    #[serde(default)]
    pub unverified: Vec<String>,
    /// Names of requests, in the order of declaration.
    pub requests: Vec<String>,
    /// Names of flows, in the order of declaration.
    pub flows: Vec<String>,
    /// The entries of each mix; a phase names its mix by index.
    pub mixes: Vec<Vec<OutlineEntry>>,
    /// What runs when.
    pub phases: Vec<Phase>,
    /// The factor by which phases were made shorter or longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<Scale>,
    /// What must hold.
    pub slos: Vec<Slo>,
    /// How quick requests are, in a word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grades: Option<Grades>,
    /// Cache experiments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub experiments: Vec<Experiment>,
    /// What the author hopes for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub goals: Vec<Goal>,
    /// What the script left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<NotDone>,
    /// What is looked at beside the traffic.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub watches: Vec<WatchOutline>,
    /// Those of them whose memory must not grow.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leak_checks: Vec<LeakCheck>,
    /// How points are taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<Score>,
    /// Notes of the author.
    pub notes: Vec<String>,
    /// Facts of the author.
    pub facts: Vec<(String, String)>,
}

/// An entry of a mix.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutlineEntry {
    /// The request or flow.
    pub name: String,
    /// Any positive number.
    pub weight: f64,
}

impl Outline {
    /// The outline of a plan.
    pub fn of(plan: &Plan) -> Self {
        let requests: Vec<String> = plan.templates.iter().map(|template| template.name.clone()).collect();
        let flows: Vec<String> = plan.flows.iter().map(|flow| flow.name.clone()).collect();
        let name = |step: Step| match step {
            Step::Template(id) => requests.get(id.index()),
            Step::Flow(id) => flows.get(id.index()),
        };
        let mixes = plan.mixes.iter().map(|mix| {
            let entries = mix.entries.iter();
            let entry = |entry: &super::MixEntry| OutlineEntry {
                name: name(entry.step).cloned().unwrap_or_default(),
                weight: entry.weight,
            };
            entries.map(entry).collect()
        });
        Self {
            title: plan.title.clone(),
            targets: plan.targets.iter().map(|target| without_credentials(&target.url)).collect(),
            unverified: unverified(plan),
            mixes: mixes.collect(),
            requests,
            flows,
            phases: plan.phases.clone(),
            scale: plan.scale,
            slos: plan.slos.clone(),
            grades: plan.grades.clone(),
            experiments: plan.experiments.clone(),
            goals: plan.goals.clone(),
            skipped: plan.skipped.clone(),
            watches: plan.watches.iter().map(WatchOutline::of).collect(),
            leak_checks: plan.leak_checks.iter().map(|(check, _)| check.clone()).collect(),
            score: plan.score.clone(),
            notes: plan.notes.clone(),
            facts: plan.facts.clone(),
        }
    }

    /// Names of the phases that are not run because others were asked for.
    pub fn left_out(&self) -> Vec<&str> {
        self.phases.iter().filter(|phase| phase.left_out).map(|phase| phase.name.as_str()).collect()
    }
}

fn unverified(plan: &Plan) -> Vec<String> {
    let targets = plan.targets.iter().filter(|target| target.is_secure() && !target.tls.verify);
    targets.map(|target| without_credentials(&target.url)).collect()
}

fn without_credentials(url: &url::Url) -> String {
    let mut url = url.clone();
    // Fails only for addresses that cannot hold any.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.into()
}
