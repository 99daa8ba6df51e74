//! One target under libFuzzer: the one that `LOADR_FUZZ_TARGET` names. `LOADR_FUZZ_LIST` prints the table instead, for
//! `run`: a line for each target, its name and words with tabs between.
#![no_main]

use std::sync::OnceLock;

use loadr::fuzz::{TARGETS, Target};

static TARGET: OnceLock<&'static Target> = OnceLock::new();

fn choose() {
    if std::env::var_os("LOADR_FUZZ_LIST").is_some() {
        for target in TARGETS {
            let words: Vec<String> = target.words.iter().map(|word| quoted(word)).collect();
            println!("{}\t{}", target.name, words.join("\t"));
        }
        std::process::exit(0);
    }
    let name = std::env::var("LOADR_FUZZ_TARGET").expect("LOADR_FUZZ_TARGET names a target");
    let target = TARGETS.iter().find(|target| target.name == name).expect("there is a target of that name");
    TARGET.get_or_init(|| target);
}

/// A word as libFuzzer's dictionaries have it.
fn quoted(word: &str) -> String {
    let bytes = word.bytes().map(|byte| match byte {
        b'"' | b'\\' => format!("\\{}", char::from(byte)),
        b' '..=b'~' => char::from(byte).to_string(),
        _ => format!("\\x{byte:02x}"),
    });
    format!("\"{}\"", bytes.collect::<String>())
}

libfuzzer_sys::fuzz_target!(init: choose(), |data: &[u8]| {
    if let Some(target) = TARGET.get() {
        (target.run)(data);
    }
});
