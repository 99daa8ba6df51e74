//! The shape of the source: who may import whom, and what pure modules may not touch. What is broken is shown
//! with its file and line.

mod paths;

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

use paths::{Named, Source, flat, line};
use proc_macro2::TokenTree;

/// The only module that knows the script language, and reads the modules shipped with it.
const SCRIPT: &str = "script";

/// Functions of their arguments: no clock, no I/O, no async.
const PURE: [&str; 4] = ["judge", "measure", "pace", "stats"];

/// What a pure module must not name.
const IMPURE: [&str; 13] = [
    "tokio",
    "std::env",
    "std::fs",
    "std::net",
    "std::os",
    "std::process",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
    "clock::Clock",
    "crate::clock::Clock",
    "rand::random",
    "rand::rng",
];

/// The layers as `src/lib.rs` draws them, top first; siblings stand on one line.
struct Layers(Vec<Vec<String>>);

impl Layers {
    fn drawn_in(lib: &str) -> Self {
        let drawing =
            lib.lines().skip_while(|line| *line != "//! ```text").skip(1).take_while(|line| *line != "//! ```");
        let names = |line: &str| line.trim_start_matches("//!").split('|').map(|name| name.trim().to_owned()).collect();
        Self(drawing.map(names).collect())
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().flatten().map(String::as_str)
    }

    /// How far below the top a module stands.
    fn depth(&self, module: &str) -> Option<usize> {
        self.0.iter().position(|siblings| siblings.iter().any(|name| name == module))
    }

    /// Imports that do not point downwards.
    fn check(&self, source: &Source) -> Vec<String> {
        let Some(own) = source.module.first() else { return Vec::new() };
        let Some(depth) = self.depth(own) else {
            return vec![format!("{}: module {own} is not among the layers in src/lib.rs", source.file)];
        };
        let wrong = |named: &Named| {
            let (root, path) = named.segments.split_first()?;
            if root != "crate" {
                return None;
            }
            let told = named.segments.join("::");
            let Some(other) = path.first() else {
                return Some(format!("{own} names the crate's root: name the module"));
            };
            match self.depth(other) {
                _ if other == own => None,
                Some(below) if below > depth => None,
                Some(same) if same == depth => Some(format!("{own} imports {told}, of its sibling {other}")),
                Some(_) => Some(format!("{own} imports {told}, from above")),
                None => Some(format!("{own} imports {told}, which is in no module of the layers")),
            }
        };
        complaints(source, wrong)
    }
}

fn complaints(source: &Source, wrong: impl Fn(&Named) -> Option<String>) -> Vec<String> {
    let place = |named: &Named, text| format!("{}:{}: {text}", source.file, named.line);
    source.named().iter().filter_map(|named| wrong(named).map(|text| place(named, text))).collect()
}

/// Only `script` knows Rhai, and only it reads `stdlib`.
fn check_script_language(source: &Source) -> Vec<String> {
    if source.module.first().is_some_and(|own| own == SCRIPT) {
        return Vec::new();
    }
    let mut broken = complaints(source, |named| {
        let rhai = named.segments.first().is_some_and(|root| root == "rhai");
        rhai.then(|| format!("only {SCRIPT} may use {}", named.segments.join("::")))
    });
    let tokens = flat(&source.tokens);
    for three in tokens.windows(3) {
        if let [TokenTree::Ident(word), TokenTree::Punct(_), TokenTree::Group(group)] = three
            && word.to_string().starts_with("include_")
            && group.to_string().contains("stdlib/")
        {
            broken.push(format!("{}:{}: only {SCRIPT} may read stdlib", source.file, line(&three[0])));
        }
    }
    broken
}

/// Pure modules name no clock, no I/O and no async. A path counts too if what it imports holds one
/// of them: `use std::time;` opens the way to `time::Instant`. Of our own `clock`, which has units too, a
/// pure module may import all but the clock itself.
fn check_purity(source: &Source) -> Vec<String> {
    let Some(own) = source.module.first().filter(|own| PURE.contains(&own.as_str())) else { return Vec::new() };
    let mut broken = complaints(source, |named| {
        let glob = named.segments.last().is_some_and(|word| word == "*");
        let path = &named.segments[..named.segments.len() - usize::from(glob)];
        let touches = |impure: &&str| {
            let opens = glob || !impure.starts_with("crate::") || path.len() >= impure.split("::").count();
            opens && impure.split("::").zip(path).all(|(a, b)| a == b)
        };
        let impure = IMPURE.iter().find(|impure| touches(impure))?;
        Some(format!("{own} is pure, yet it names {} ({impure})", named.segments.join("::")))
    });
    for tree in flat(&source.tokens) {
        if let TokenTree::Ident(word) = &tree
            && (word == "async" || word == "await")
        {
            broken.push(format!("{}:{}: {own} is pure, yet it has {word}", source.file, line(&tree)));
        }
    }
    broken
}

/// `unsafe` stands only in files whose head says so and why, by `#![expect(unsafe_code, reason = "…")]`.
fn check_unsafe(source: &Source) -> Vec<String> {
    let told = source.tokens.clone().into_iter().take_while(|tree| !matches!(tree, TokenTree::Ident(_))).any(|tree| {
        let text = tree.to_string().replace(char::is_whitespace, "");
        text.starts_with("[expect(unsafe_code,reason=")
    });
    let uses = |tree: &TokenTree| matches!(tree, TokenTree::Ident(word) if word == "unsafe");
    let place = |tree| format!("{}:{}: unsafe in a file whose head does not tell why", source.file, line(&tree));
    if told { Vec::new() } else { flat(&source.tokens).into_iter().filter(uses).map(place).collect() }
}

/// Every Rust file below `src`, parsed.
fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.join("src")];
    let mut files: Vec<PathBuf> = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of the source can be read") {
            let path = entry.expect("an entry of the source can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    let parse = |path: &PathBuf| {
        let text = fs::read_to_string(path).expect("a source file can be read");
        let file = path.strip_prefix(root).expect("it is below the root").to_string_lossy().replace('\\', "/");
        Source::parse(&file, &text).expect("a source file is Rust")
    };
    let mut sources: Vec<Source> = files.iter().map(parse).collect();
    let renamed: HashMap<String, Vec<String>> = sources.iter().flat_map(Source::renamed).collect();
    for source in &mut sources {
        if let Some(module) = renamed.get(&source.file) {
            source.module.clone_from(module);
        }
    }
    sources
}

fn layers() -> Layers {
    Layers::drawn_in(include_str!("../../src/lib.rs"))
}

fn assert_none(broken: impl Iterator<Item = String>) {
    let broken: Vec<String> = broken.collect();
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn each_module_imports_only_from_below() {
    let layers = layers();
    assert_none(sources().iter().flat_map(|source| layers.check(source)));
}

#[test]
fn the_drawing_holds_every_module_and_no_other() {
    let lib = include_str!("../../src/lib.rs");
    let mut declared: Vec<&str> =
        lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    let layers = layers();
    let mut drawn: Vec<&str> = layers.names().collect();
    declared.sort_unstable();
    drawn.sort_unstable();
    assert_eq!(drawn, declared);
}

#[test]
fn only_the_script_module_knows_the_script_language() {
    assert_none(sources().iter().flat_map(check_script_language));
}

#[test]
fn pure_modules_touch_no_clock_and_no_world() {
    assert_none(sources().iter().flat_map(check_purity));
}

#[test]
fn unsafe_code_stands_only_where_the_file_says_why() {
    assert_none(sources().iter().flat_map(check_unsafe));
}

mod rules {
    //! The rules themselves, on text that breaks them and text that only looks like it.

    use super::*;

    fn source(file: &str, text: &str) -> Source {
        Source::parse(file, text).expect("the sample is Rust")
    }

    fn imports(file: &str, text: &str) -> Vec<String> {
        let lib = "//! ```text\n//! cli\n//! script | report\n//! plan\n//! clock\n//! ```\n//! cargo";
        Layers::drawn_in(lib).check(&source(file, text))
    }

    #[test]
    fn an_import_from_above_is_told_with_its_line() {
        assert_eq!(
            imports("src/plan/mix.rs", "//! doc\n\nuse crate::cli::Args;"),
            ["src/plan/mix.rs:3: plan imports crate::cli::Args, from above"]
        );
    }

    #[test]
    fn an_import_of_a_sibling_is_told() {
        assert_eq!(
            imports("src/report/mod.rs", "fn f() { crate::script::load() }"),
            ["src/report/mod.rs:1: report imports crate::script::load, of its sibling script"]
        );
    }

    #[test]
    fn imports_hide_nowhere() {
        for text in [
            "use crate::{clock::Nanos, cli};",
            "use crate::{clock::{Nanos, Rate}, {cli::{Args}}};",
            "use crate::cli as other;",
            "pub(crate) use crate::cli::*;",
            "use super::super::cli::Args;",
            "use super::{super::cli, Mix};",
            "use ::loadr::x; type A = Vec<crate::cli::Args>;",
            "macro_rules! m { () => { $crate::cli::run() } }",
            "fn f() { println!(\"{}\", crate::cli::NAME) }",
            "mod inner { fn f() { super::super::super::cli::run() } }",
            "impl crate::cli::Run for X {}",
            "use crate::*;",
            "use crate as root;",
            "use crate::{self as root};",
            "use crate::nowhere::X;",
        ] {
            assert_eq!(imports("src/plan/mix.rs", text).len(), 1, "{text}");
        }
    }

    #[test]
    fn imports_from_below_and_from_the_module_itself_pass() {
        for text in [
            "use crate::clock::Nanos;",
            "use super::{Mix, super::clock::Rate};",
            "use crate::{clock::{self, Nanos}, plan::Phase};",
            "mod tests { use super::*; use super::super::Phase; }",
            "pub(crate) fn f() -> std::io::Result<()> { self::g() }",
            "// crate::cli::run\n/* use crate::cli; */\n/// See [`crate::cli`].\nfn f() { let _ = \"crate::cli::run\"; }",
        ] {
            assert_eq!(imports("src/plan/mix.rs", text), [""; 0], "{text}");
        }
    }

    #[test]
    fn a_module_outside_the_drawing_is_told() {
        assert_eq!(imports("src/extra.rs", "fn f() {}").len(), 1);
    }

    #[test]
    fn a_file_of_another_name_stands_where_its_module_does() {
        let parent = source("src/plan/draw.rs", "#[cfg(test)]\n#[path = \"draw_tests.rs\"]\nmod tests;");
        let module = ["plan", "draw", "tests"].map(str::to_owned).to_vec();
        assert_eq!(parent.renamed(), [("src/plan/draw_tests.rs".to_owned(), module)]);
    }

    #[test]
    fn the_script_language_outside_its_module_is_told() {
        for text in [
            "use rhai::Engine;",
            "use rhai;",
            "use ::rhai::Dynamic as Value;",
            "use {rhai::Scope, std::rc::Rc};",
            "fn f(value: rhai::Dynamic) {}",
            "const CACHE: &str = include_str!(\"../../stdlib/cache.rhai\");",
        ] {
            assert_eq!(check_script_language(&source("src/engine/user.rs", text)).len(), 1, "{text}");
            assert_eq!(check_script_language(&source("src/script/run/mod.rs", text)), [""; 0], "{text}");
        }
        let innocent = "// rhai::Engine\nfn f() { let rhai = \"use rhai::Engine\"; }";
        assert_eq!(check_script_language(&source("src/engine/user.rs", innocent)), [""; 0]);
    }

    #[test]
    fn a_clock_or_the_world_in_a_pure_module_is_told() {
        for text in [
            "use std::time::{Duration, Instant};",
            "use std::time;",
            "use std::time::*;",
            "fn f() { let _ = std::fs::read(\"x\"); }",
            "use std::{fmt, net::IpAddr};",
            "use tokio::sync::mpsc;",
            "use crate::clock::{Clock, Nanos};",
            "use crate::clock::*;",
            "use crate::clock; fn f(clock: &clock::Clock) {}",
            "async fn f() {}",
            "fn f() -> u8 { rand::random() }",
        ] {
            for module in PURE {
                let file = format!("src/{module}/mod.rs");
                assert_eq!(check_purity(&source(&file, text)).len(), 1, "{text}");
            }
            assert_eq!(check_purity(&source("src/runner/mod.rs", text)), [""; 0], "{text}");
        }
        let innocent =
            "use std::time::Duration; use crate::clock::{self, Nanos}; use rand::rngs::StdRng; // Instant::now()";
        assert_eq!(check_purity(&source("src/pace/mod.rs", innocent)), [""; 0]);
    }

    #[test]
    fn unsafe_code_without_a_word_is_told() {
        let body = "fn f(p: *const u8) -> u8 { unsafe { *p } }";
        let late = format!("fn g() {{}}\n#[expect(unsafe_code, reason = \"x\")]\n{body}");
        let bare = format!("#![expect(unsafe_code)]\n{body}");
        for text in [body, &late, &bare] {
            assert_eq!(check_unsafe(&source("src/http/mod.rs", text)).len(), 1, "{text}");
        }
        let told = format!("//! Doc.\n\n#![expect(unsafe_code, reason = \"because\")]\n\n{body}");
        assert_eq!(check_unsafe(&source("src/http/mod.rs", &told)), [""; 0]);
    }
}
