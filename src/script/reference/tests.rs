//! The reference against the language: everything is found, examples are Rhai, definitions are what a server reads.

use std::collections::BTreeSet;

use super::{definitions::OPERATORS, *};
use crate::script::words::{Receiver, TYPES};

/// Whether Rhai's own parser takes a text.
fn parses(text: &str) -> Result<(), String> {
    let mut engine = rhai::Engine::new_raw();
    engine.set_max_expr_depths(0, 0);
    engine.compile(text).map(drop).map_err(|error| format!("{text}\n{error}"))
}

#[test]
fn every_example_of_a_word_is_rhai_and_shows_the_word() {
    for entry in entries() {
        let Entry::Word { word, .. } = &entry else { continue };
        let examples: Vec<&str> = code_spans(word.usage).collect();
        assert!(!examples.is_empty(), "{}", word.signature());
        for example in examples {
            // What is left to the reader stands there as `…`.
            let statement = example.replace('…', "");
            let whole = if example.starts_with('.') { format!("x{statement}") } else { statement };
            assert_eq!(parses(&whole), Ok(()), "{}", word.signature());
            assert!(example.contains(word.name), "{}", word.signature());
        }
    }
}

#[test]
fn whatever_there_is_is_found_as_it_is_written() {
    for entry in entries() {
        let full = entry.full_name();
        let found = find(&full);
        assert!(found.named.iter().any(|found| found.full_name() == full), "{full}");
        let found = find(entry.name());
        assert!(found.named.iter().any(|found| found.full_name() == full), "{full} by {}", entry.name());
    }
    for module in STDLIB {
        assert_eq!(find(module.name).groups.len(), 1, "{}", module.name);
    }
    for subject in SUBJECTS {
        assert!(find(subject.title).groups.iter().any(|group| group.title == subject.title), "{}", subject.title);
    }
    for (name, _) in TYPES.iter().filter(|(name, _)| name.starts_with(char::is_alphabetic)) {
        assert!(find(name).groups.iter().any(|group| group.title == *name), "{name}");
    }
}

#[test]
fn a_query_may_be_written_in_many_ways() {
    let names = |query: &str| find(query).named.iter().map(Entry::full_name).collect::<Vec<_>>();
    assert_eq!(names(".users(10)"), ["Phase.users"]);
    assert_eq!(names("`users`"), ["Phase.users"]);
    assert_eq!(names("res.json"), ["Response.json"]);
    assert_eq!(names("RES.JSON(\"a\")"), ["Response.json"]);
    assert_eq!(names("10.s"), ["number.s"]);
    assert_eq!(names("std/auth::login"), ["auth::login"]);
    let headers = ["Request.header", "Response.header", "Target.header", "Vu.header", "header"];
    let sorted = |query: &str| names(query).into_iter().collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>();
    assert_eq!(sorted("header"), headers);
    assert_eq!(sorted(".header"), headers[..4]);
}

#[test]
fn sentences_are_searched_and_misspellings_are_guessed() {
    let mentions = |query: &str| find(query).mentions.iter().map(Entry::full_name).collect::<Vec<_>>();
    assert!(mentions("refuses 429").is_empty());
    assert!(mentions("cookie jar").contains(&"Vu.clear_cookies".to_owned()), "{:?}", mentions("cookie jar"));
    assert_eq!(mentions("hit_ratio"), ["slo", "cache::experiment"]);
    assert_eq!(mentions("idle sooner"), ["stale_connection"]);
    for (misspelt, meant) in [
        ("usres", "users"),
        ("auth::logn", "auth::login"),
        ("res.jsn", "Response.json"),
        ("std/lod", "load"),
        ("genrator", "Generator"),
    ] {
        let found = find(misspelt);
        assert_eq!(found.near.as_deref(), Some(meant), "{misspelt}: {:?}", found.mentions);
    }
    assert_eq!(find("xyzzy").near, None);
    assert!(find("…").near.is_none() && find("").mentions.is_empty());
}

/// What a line of a definition file says, by the grammar of Rhai's language server.
fn check_line(line: &str, types: &BTreeSet<&str>) -> Result<(), String> {
    let known = |name: &str| name == "?" || name == "[?]" || name == "()" || types.contains(name);
    let is_type = |text: &str| {
        let parts: Vec<&str> = text.split(" | ").map(str::trim).collect();
        parts.iter().all(|part| known(part)).then_some(()).ok_or_else(|| format!("unknown type in `{text}`"))
    };
    let body = line.strip_suffix(';').ok_or("no semicolon")?;
    if body == "module" || body == "module static" {
        return Ok(());
    }
    if let Some(rest) = body.strip_prefix("type ") {
        return rest.strip_suffix(" = ...").map(drop).ok_or_else(|| "no type".to_owned());
    }
    let (head, gives) = body.split_once(" -> ").map_or((body, None), |(head, gives)| (head, Some(gives)));
    gives.map_or(Ok(()), is_type)?;
    let (name, params) = head.split_once('(').ok_or("no brackets")?;
    let params = params.strip_suffix(')').ok_or("no closing bracket")?;
    if let Some(operator) = name.strip_prefix("op ") {
        is_type(&params.replace(", ", " | "))?;
        return parses(&format!("a {operator} b"));
    }
    let name = name.strip_prefix("fn ").ok_or("neither `fn` nor `op`")?;
    let name = name.strip_prefix("get ").unwrap_or(name);
    let mut names = Vec::new();
    for param in params.split(", ").filter(|param| !param.is_empty()) {
        let (param, kind) = param.split_once(": ").ok_or("a parameter without type")?;
        is_type(kind)?;
        names.push(param);
    }
    // Rhai's parser knows which names are its own. Its own functions can be called, but not be defined.
    parses(&format!("fn f({}) {{}} {name}({});", names.join(", "), vec!["0"; names.len()].join(", ")))
}

#[test]
fn definitions_are_what_a_language_server_reads() {
    let files = definitions();
    let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths[0], "loadr.d.rhai");
    assert_eq!(paths[1..], STDLIB.iter().map(|module| format!("{}.d.rhai", module.name)).collect::<Vec<_>>());
    let declared = files[0].text.lines().filter_map(|line| line.strip_prefix("type ")?.strip_suffix(" = ...;"));
    let types: BTreeSet<&str> = declared.chain(["bool", "int", "float", "String"]).collect();
    for file in &files {
        assert!(file.text.starts_with(MARK), "{}", file.path);
        let code = file.text.lines().filter(|line| !line.is_empty() && !line.starts_with("//"));
        let mut lines = BTreeSet::new();
        for line in code {
            assert_eq!(check_line(line, &types), Ok(()), "{}: {line}", file.path);
            assert!(lines.insert(line), "{} has `{line}` twice", file.path);
        }
        assert!(lines.iter().filter(|line| line.starts_with("module")).count() == 1, "{}", file.path);
    }
    for word in SUBJECTS.iter().flat_map(Subject::words) {
        let receiver = if word.on == Receiver::Global {
            String::new()
        } else {
            format!("{}: ", word.on.type_name().to_lowercase())
        };
        let name = [format!("fn {}({receiver}", word.name), format!("fn get {}({receiver}", word.name)];
        assert!(name.iter().any(|name| files[0].text.contains(name)), "{}", word.signature());
    }
    insta::assert_snapshot!(files.iter().find(|file| file.path == "std/pages.d.rhai").map_or("", |file| &file.text));
}

#[test]
fn operators_of_the_definitions_are_the_engines() {
    let value = |kind: &str| match kind {
        "Duration" => "2.s",
        "int" => "2",
        _ => "2.5",
    };
    for (operator, left, right, gives) in OPERATORS {
        let gives = if *gives == "float" { "f64" } else { gives };
        let text = format!(
            "target(\"http://h\"); phase(\"p\").run(get(\"/\")).users(1).during(1.s); \
             if type_of({} {operator} {}) != \"{gives}\" {{ throw type_of({} {operator} {}); }}",
            value(left),
            value(right),
            value(left),
            value(right)
        );
        crate::script::tests::loaded(&text, |_| ());
    }
}
