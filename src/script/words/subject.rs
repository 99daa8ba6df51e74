//! What the words are about: the order of the reference, and where the guide goes on.

use super::{
    Receiver::{self, Data, Global, Phase, Process, Request, Score, Target, Vu},
    Word, aims, baseline, bodies, data, defaults, encoding, experiment, extract, generators, grades, meter, mix, other,
    phase, process, redis, request, slo, sql, target, target_http, target_tls, units, watch,
};
use crate::script::run;

/// A section of the guide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guide {
    /// A file of `src/docs`.
    pub page: &'static str,
    /// The heading of the section, as it stands there.
    pub heading: &'static str,
}

impl Guide {
    /// The section as a link from another page of the guide.
    pub fn link(self) -> String {
        let kept = self.heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        let anchor = kept.collect::<String>().to_lowercase().replace(' ', "-");
        format!("{}#{anchor}", self.page)
    }
}

/// Words that belong together.
#[derive(Debug)]
pub struct Subject {
    /// What they are about.
    pub title: &'static str,
    /// Where to read on.
    pub guide: Guide,
    tables: &'static [&'static [Word]],
}

impl Subject {
    /// Its words, in the order of their tables.
    pub fn words(&self) -> impl Iterator<Item = &'static Word> + Clone + use<> {
        self.tables.iter().copied().flatten()
    }
}

const fn on(
    title: &'static str,
    page: &'static str,
    heading: &'static str,
    tables: &'static [&'static [Word]],
) -> Subject {
    Subject { title, guide: at(page, heading), tables }
}

/// All tables.
pub const SUBJECTS: &[Subject] = &[
    on("Targets", "requests.md", "Targets", &[target::WORDS, target_http::WORDS]),
    on("Redis", "databases.md", "Redis", &[redis::WORDS]),
    on("SQL", "databases.md", "SQL", &[sql::WORDS]),
    on("TLS", "requests.md", "TLS", &[target_tls::WORDS]),
    on("Requests", "requests.md", "Templates", &[request::WORDS, request::CARRIAGE_WORDS]),
    on("Bodies", "requests.md", "Bodies", &[bodies::WORDS]),
    on("Places in a response", "requests.md", "Templates", &[extract::WORDS]),
    on("Generators", "requests.md", "Generators", &[generators::WORDS]),
    on("Data sets", "requests.md", "Data sets", &[data::WORDS]),
    on("Mixes and flows", "requests.md", "Mixes", &[mix::WORDS]),
    on("Phases", "phases.md", "Load models", &[phase::WORDS]),
    on("Objectives", "report.md", "SLOs", &[slo::WORDS, grades::WORDS]),
    on("Goals, skips, a score", "report.md", "Goals", &[aims::WORDS]),
    on("Beside the traffic", "monitor.md", "Processes", &[watch::WORDS, process::WORDS]),
    on("Baselines", "compare.md", "A baseline", &[baseline::WORDS]),
    on("Cache experiments", "cache.md", "Experiments of your own", &[experiment::WORDS]),
    on("Counters of others", "cache.md", "Held against a counter", &[meter::WORDS]),
    on(
        "Virtual users",
        "flows.md",
        "`vu`, the virtual user",
        &[run::VU_WORDS, run::IDENTITY_WORDS, run::CHANNEL_WORDS],
    ),
    on("Responses", "flows.md", "Responses", &[run::RESPONSE_WORDS]),
    on("Replies of databases", "databases.md", "Replies", &[run::REPLY_WORDS]),
    on("Elements of a page", "flows.md", "Responses", &[run::ELEMENT_WORDS]),
    on("WebSockets", "realtime.md", "WebSockets", &[run::WEBSOCKET_WORDS, run::MESSAGE_WORDS]),
    on("Server-sent events", "realtime.md", "Server-sent events", &[run::EVENTS_WORDS, run::EVENT_WORDS]),
    on("Checks and metrics", "flows.md", "Checks and metrics of your own", &[run::GLOBAL_WORDS]),
    on("Encodings and signatures", "flows.md", "Encodings and signatures", &[encoding::WORDS]),
    on("Units", "phases.md", "Durations, rates", &[units::WORDS]),
    on("Environment, set-up, notes", "requests.md", "Environment", &[other::WORDS]),
    on("Options of functions", "stdlib.md", "Modules of your own", &[defaults::WORDS]),
];

/// Words that another section explains than their subject's.
const ELSEWHERE: &[(Receiver, &[&str], Guide)] = &[
    (Global, &["setup", "teardown", "data"], at("flows.md", "Setup and teardown")),
    (Global, &["secret"], at("safety.md", "Secrets")),
    (Global, &["grades"], at("report.md", "Grades")),
    (Global, &["note", "fact"], at("report.md", "The rows")),
    (Global, &["skip"], at("report.md", "What was skipped, and what was not run")),
    (Global, &["score"], at("report.md", "A score")),
    (Score, &["deduct"], at("report.md", "A score")),
    (Global, &["process"], at("monitor.md", "Starting the system under test")),
    (Process, &["address", "pid"], at("monitor.md", "Starting the system under test")),
    (Global, &["probe"], at("monitor.md", "Probes")),
    (Global, &["leak_check"], at("monitor.md", "Leaks")),
    (Global, &["rate", "duration"], at("phases.md", "Durations, rates")),
    (Global, &["url_encode"], at("flows.md", "Encodings and signatures")),
    (Global, &["cache_status", "header"], at("requests.md", "Classes")),
    (Global, &["saved"], at("requests.md", "Values of earlier responses")),
    (Global, &["flow"], at("flows.md", "Flows: several steps of one virtual user")),
    (Target, &["cookies"], at("requests.md", "Cookies")),
    (Target, &["redirects"], at("requests.md", "Redirects")),
    (Target, &["compressed"], at("requests.md", "Compression")),
    (Target, &["on_start", "on_stop"], at("flows.md", "Login")),
    (Request, &["classify"], at("requests.md", "Classes")),
    (Request, &["cookie"], at("requests.md", "Cookies")),
    (Request, &["no_redirect"], at("requests.md", "Redirects")),
    (Request, &["expect"], at("requests.md", "What counts as an error")),
    (Vu, &["websocket"], at("realtime.md", "WebSockets")),
    (Vu, &["events"], at("realtime.md", "Server-sent events")),
    (Vu, &["batch"], at("flows.md", "Batches")),
    (Vu, &["group"], at("flows.md", "Groups")),
    (Vu, &["cookie", "clear_cookies"], at("requests.md", "Cookies")),
    (Phase, &["alongside", "at", "if_completed"], at("phases.md", "Order")),
    (Phase, &["ends_when", "drain"], at("phases.md", "How a phase ends")),
    (Phase, &["warmup"], at("phases.md", "Warm-up")),
    (Phase, &["repeat"], at("phases.md", "One phase for each value")),
    (Phase, &["arrivals", "max_in_flight", "overflow"], at("phases.md", "Options of open phases")),
    (Phase, &["think", "pace", "throttle"], at("phases.md", "Options of closed phases")),
    (Data, &["unique", "then_cycle"], at("data.md", "Every row exactly once")),
];

const fn at(page: &'static str, heading: &'static str) -> Guide {
    Guide { page, heading }
}

/// Where the guide explains a word of a subject.
pub fn guide_to(word: &Word, subject: &Subject) -> Guide {
    let here = |(on, names, _): &&(Receiver, &[&str], Guide)| *on == word.on && names.contains(&word.name);
    ELSEWHERE.iter().find(here).map_or(subject.guide, |(.., guide)| *guide)
}

/// Every word of the language: what is registered, what messages know, what reference pages list.
pub fn words() -> impl Iterator<Item = &'static Word> + Clone {
    SUBJECTS.iter().flat_map(Subject::words)
}
