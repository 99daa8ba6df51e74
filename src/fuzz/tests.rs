//! A short run of every target, the same each time: the seeds, and inputs derived from them.
//!
//! `LOADR_FUZZ_TIMES=100 cargo test --lib fuzz` tries a hundred times as many, without any further tool.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use super::{TARGETS, Target, mutate::Mutator};

/// Tries at making an input that breaks something shorter.
const SHRINKS_MAX: usize = 2_000;

fn folder(target: &Target) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/fuzz").join(target.name)
}

/// The files in a target's folder, by name.
fn seeds(target: &Target) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(folder(target)).unwrap_or_else(|error| panic!("{}: {error}", target.name));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    let read = |path: PathBuf| (path.display().to_string(), std::fs::read(&path).expect("a seed can be read"));
    paths.into_iter().map(read).collect()
}

fn breaks(target: &Target, input: &[u8]) -> bool {
    catch_unwind(AssertUnwindSafe(|| (target.run)(input))).is_err()
}

/// A part of the input that breaks the target, too.
fn shrunk(target: &Target, input: &[u8]) -> Vec<u8> {
    let mut input = input.to_vec();
    let mut left = SHRINKS_MAX;
    let mut size = input.len() / 2;
    while size > 0 && left > 0 {
        let mut at = 0;
        while at + size <= input.len() && left > 0 {
            left -= 1;
            let mut shorter = input.clone();
            shorter.drain(at..at + size);
            if breaks(target, &shorter) {
                input = shorter;
            } else {
                at += size;
            }
        }
        size /= 2;
    }
    input
}

fn run(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).expect("a target of that name");
    let seeds = seeds(target);
    for (path, input) in &seeds {
        assert!(!breaks(target, input), "{path} breaks the target {name}: its panic is above");
    }
    let times: u32 = std::env::var("LOADR_FUZZ_TIMES").ok().map_or(1, |times| times.parse().expect("a number"));
    let seeds: Vec<Vec<u8>> = seeds.into_iter().map(|(_, input)| input).collect();
    let mut mutator = Mutator::new(u64::from(times), &seeds, target.words);
    for _ in 0..target.inputs.saturating_mul(times) {
        let input = mutator.next();
        if breaks(target, &input) {
            let input = shrunk(target, &input);
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target").join(format!("fuzz-{name}"));
            std::fs::write(&path, &input).expect("the input can be kept");
            // Once more, for its own panic.
            (target.run)(&input);
            panic!("an input breaks the target {name}, which is in {}; its panic is above", path.display());
        }
    }
}

/// A test of its own for each target, so that they run side by side and fail by name.
macro_rules! targets {
    ($($test:ident $name:literal),* $(,)?) => {
        const TESTED: &[&str] = &[$($name),*];
        $(#[test] fn $test() { run($name); })*
    };
}

targets! {
    response "response",
    rendered "rendered",
    chunked "chunked",
    cookies "cookies",
    exchange "exchange",
    events "events",
    content "content",
    cache_class "cache-class",
    location "location",
    request "request",
    proxy "proxy",
    quantities "quantities",
    data "data",
    json "json",
    script "script",
    run_file "run-file",
}

#[test]
fn every_target_is_tested_and_has_seeds_of_its_own() {
    let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    assert_eq!(TESTED, names);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/fuzz");
    let mut folders: Vec<String> = std::fs::read_dir(root)
        .expect("the seeds are there")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    folders.sort();
    let mut names: Vec<String> = names.into_iter().map(str::to_owned).collect();
    names.sort();
    assert_eq!(folders, names);
}

#[test]
fn a_broken_target_is_found_out_and_its_input_is_short() {
    let broken = Target {
        name: "broken",
        run: |data| assert!(!data.windows(2).any(|two| two == b"[[")),
        words: &["[", "]"],
        inputs: 1_000,
    };
    let seeds = [b"a [ b ] and some more of it".to_vec()];
    let mut mutator = Mutator::new(1, &seeds, broken.words);
    let found = (0..broken.inputs).map(|_| mutator.next()).find(|input| breaks(&broken, input));
    let short = found.map(|input| shrunk(&broken, &input));
    assert_eq!(short.as_deref(), Some(&b"[["[..]));
}
