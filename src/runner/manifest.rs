//! The manifest of a run, from what is known at its start.

use std::path::Path;

use super::{
    RunOptions, health,
    runs::{machine_text, part_text},
};
use crate::{
    judge::Validity,
    pace::Segment,
    plan::{Outline, Plan},
    report::{ComparedPhase, ComparedRun},
    results::{FORMAT, Machine, Manifest, SourceScript, VERSION, utc},
    script::Redactor,
};

/// What a comparison says of the run, but for what its figures are worth.
pub(super) fn compared(facts: &Facts<'_>, file: Option<&Path>) -> ComparedRun {
    ComparedRun {
        file: file.map_or_else(|| "this run".to_owned(), |file| file.display().to_string()),
        started_at: utc(facts.started_at_ms),
        loadr: env!("CARGO_PKG_VERSION").to_owned(),
        plan_hash: facts.plan.hash(),
        seed: facts.seed,
        verdict: Validity::Valid,
        partial: None,
        machine: machine_text(&machine()),
        part: part_text(&[(facts.segment.index, facts.segment.count)]),
        phases: ComparedPhase::all(facts.outline),
    }
}

pub(super) struct Facts<'a> {
    pub(super) options: &'a RunOptions,
    pub(super) plan: &'a Plan,
    pub(super) outline: &'a Outline,
    pub(super) seed: u64,
    pub(super) segment: Segment,
    pub(super) workers: usize,
    pub(super) started_at_ms: u64,
}

pub(super) fn manifest(facts: &Facts<'_>, redactor: &Redactor) -> Manifest {
    let options = facts.options;
    let redact = |text: &str| redactor.redact(text).into_owned();
    // Plain data with text keys: it always has a form in JSON.
    let outline = serde_json::to_value(facts.outline).unwrap_or_default();
    Manifest {
        format: FORMAT.to_owned(),
        version: VERSION,
        loadr: env!("CARGO_PKG_VERSION").to_owned(),
        name: redact(&run_name(options)),
        started_at: utc(facts.started_at_ms),
        started_at_ms: facts.started_at_ms,
        script: SourceScript {
            file: redact(&options.script.file_name().unwrap_or_default().to_string_lossy()),
            sha256: source_hash(options),
        },
        plan_hash: facts.plan.hash(),
        seed: facts.seed,
        segments: vec![(facts.segment.index, facts.segment.count)],
        workers: facts.workers as u64,
        strict: options.strict,
        tags: options.tags.iter().map(|(key, value)| (redact(key), redact(value))).collect(),
        arguments: options.arguments.iter().map(|text| redact(&without_value(text, facts.plan))).collect(),
        machine: machine(),
        outline: rewritten(outline, &redact),
    }
}

/// The script's name without its folder and extension.
pub(super) fn run_name(options: &RunOptions) -> String {
    options.script.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// An argument as it may be kept. What the script did not ask for by `env` may be a secret under a name that was
/// misspelt, so its value goes.
fn without_value(argument: &str, plan: &Plan) -> String {
    let (flag, pair) = match ["-e", "--env="].iter().find(|flag| argument.starts_with(**flag)) {
        Some(flag) => argument.split_at(flag.len()),
        None => ("", argument),
    };
    match pair.split_once('=') {
        Some((name, _)) if (flag.is_empty() && name.starts_with('-')) => argument.to_owned(),
        Some((name, _)) if !plan.environment.iter().any(|known| known == name) => format!("{flag}{name}=***"),
        _ => argument.to_owned(),
    }
}

fn source_hash(options: &RunOptions) -> String {
    use sha2::{Digest, Sha256};
    // The script has been read before: if it is gone by now, its hash is not known.
    let Ok(source) = std::fs::read(&options.script) else { return String::new() };
    Sha256::digest(&source).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Every text in a value, and every key, without secrets.
fn rewritten(value: serde_json::Value, rewrite: &dyn Fn(&str) -> String) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::String(text) => Value::String(rewrite(&text)),
        Value::Array(items) => items.into_iter().map(|item| rewritten(item, rewrite)).collect(),
        // Keys are the format's own; the script has none.
        Value::Object(fields) => fields.into_iter().map(|(key, field)| (key, rewritten(field, rewrite))).collect(),
        other => other,
    }
}

pub(super) fn machine() -> Machine {
    let name = rustix::system::uname();
    let text = |part: &std::ffi::CStr| part.to_string_lossy().into_owned();
    let line = |file: &str, key: &str| {
        let all = std::fs::read_to_string(file).ok()?;
        let line = all.lines().find(|line| line.starts_with(key))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let kib = line("/proc/meminfo", "MemTotal").and_then(|text| text.trim_end_matches(" kB").parse::<u64>().ok());
    Machine {
        system: format!("{} {}", text(name.sysname()), text(name.release())),
        arch: std::env::consts::ARCH.to_owned(),
        cpu: line("/proc/cpuinfo", "model name"),
        cores: health::cores() as u64,
        memory_bytes: kib.map(|kib| kib * 1_024),
    }
}
