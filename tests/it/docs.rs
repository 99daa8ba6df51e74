//! The prose: every script in it loads, every whole script of the tutorial runs, every link leads somewhere.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use loadr::{
    judge::{ExitCode, QUANTITIES},
    lab::{Lab, LabOptions},
    protocol::ErrorKind,
    script::{LoadOptions, STDLIB, load_source, reference, words},
};

/// What the prose is made of, from the top of the repository.
const PAGES: &[&str] = &["README.md", "src/ARCHITECTURE.md"];
const GUIDE: &str = "src/docs";
/// Scripts are evaluated on a stack of this size, as the runner does.
const SCRIPT_STACK_BYTES: usize = 128 << 20;

/// A fenced block of a page.
#[derive(Debug)]
struct Block {
    /// Page and line, for messages.
    place: String,
    /// What stands behind the opening fence.
    info: String,
    text: String,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("failed to read {}: {error}", path.display()))
}

/// Every page, with its path from the top of the repository.
fn pages() -> Vec<(String, String)> {
    let mut paths: Vec<PathBuf> = PAGES.iter().map(|page| root().join(page)).collect();
    let guide = std::fs::read_dir(root().join(GUIDE)).expect("the guide is a folder");
    paths.extend(guide.map(|entry| entry.expect("an entry of the guide").path()).filter(|path| is_page(path)));
    paths.sort();
    let relative = |path: &Path| path.strip_prefix(root()).unwrap_or(path).to_string_lossy().into_owned();
    paths.iter().map(|path| (relative(path), read(path))).collect()
}

fn is_page(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "md")
}

/// The fenced blocks of a page, in order.
fn blocks(page: &str, text: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut open: Option<Block> = None;
    for (index, line) in text.lines().enumerate() {
        match (&mut open, line.trim_start().strip_prefix("```")) {
            (None, Some(info)) => {
                let place = format!("{page}:{}", index + 1);
                open = Some(Block { place, info: info.trim().to_owned(), text: String::new() });
            }
            (Some(_), Some(_)) => found.extend(open.take()),
            (Some(block), None) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "{page} has a fence that is never closed");
    found
}

fn scripts() -> Vec<Block> {
    let all = pages().into_iter().flat_map(|(page, text)| blocks(&page, &text));
    all.filter(|block| block.info.split(',').next() == Some("rhai") && file_of(block).is_none()).collect()
}

/// The file that a block is to be, for others to import: `rhai,file=shared/shop.rhai`.
fn file_of(block: &Block) -> Option<&str> {
    block.info.strip_prefix("rhai,file=")
}

/// The block as a script that stands for itself.
fn whole(block: &Block) -> String {
    const TARGET: &str = "let shop = target(env(\"TARGET\", \"http://127.0.0.1:8080\"));\n";
    let text = &block.text;
    match block.info.as_str() {
        "rhai" => text.clone(),
        "rhai,flow" => {
            let (imports, steps): (Vec<&str>, Vec<&str>) = text.lines().partition(|line| line.starts_with("import "));
            let (imports, steps) = (imports.join("\n"), steps.join("\n"));
            format!(
                "{imports}\n{TARGET}phase(\"example\").run(flow(\"example\", |vu| {{\n{steps}\n}})).iterations(1);\n"
            )
        }
        // A fragment may bring what is here added to the others.
        "rhai,part" => {
            let target = if text.contains("target(") { "" } else { TARGET };
            let phase =
                if text.contains("phase(") { "" } else { "phase(\"example\").run(get(\"/health\")).iterations(1);\n" };
            format!("{target}{text}\n{phase}")
        }
        other => panic!("{}: `{other}` is no kind of script block", block.place),
    }
}

/// A folder with the data files that the prose speaks of, and the modules that it shows.
fn folder_with_data() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder for scripts");
    let data = folder.path().join("data");
    std::fs::create_dir(&data).expect("a folder for data");
    std::fs::copy(root().join("scripts/data/users.csv"), data.join("users.csv")).expect("a copy of the users");
    std::fs::write(data.join("photo.jpg"), b"\xff\xd8\xff\xe0 no photo").expect("a photo");
    std::fs::write(data.join("skus.json"), r#"[{"sku": "A-1", "price": 5}, {"sku": "B-2", "price": 7}]"#)
        .expect("a data file");
    std::fs::write(data.join("keys.txt"), "7\n12\n7\n").expect("a data file");
    std::fs::write(data.join("searches.jsonl"), "\"red shoes\"\n\"blue hat\"\n").expect("a data file");
    for block in pages().into_iter().flat_map(|(page, text)| blocks(&page, &text)) {
        if let Some(name) = file_of(&block) {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a folder for modules")).expect("a folder for modules");
            std::fs::write(path, &block.text).expect("a module");
        }
    }
    folder
}

#[test]
fn every_script_in_the_prose_loads() {
    let scripts = scripts();
    assert!(scripts.len() > 20, "only {} script blocks were found", scripts.len());
    let folder = folder_with_data();
    let base = folder.path().to_owned();
    let check = move || {
        let mut failures = Vec::new();
        for block in &scripts {
            // A script in memory reads from the current folder, so the data files are named by their own.
            let text = ["data/", "shared/"].iter().fold(whole(block), |text, folder| {
                text.replace(&format!("\"{folder}"), &format!("\"{}/{folder}", base.display()))
            });
            let options = LoadOptions { allow_read: vec![base.clone()], ..LoadOptions::default() };
            if let Err(error) = load_source(&block.place, &text, &options) {
                failures.push(format!("{}\n{}", block.place, error.render(false)));
            }
        }
        assert!(failures.is_empty(), "{}", failures.join("\n"));
    };
    let thread = std::thread::Builder::new().stack_size(SCRIPT_STACK_BYTES).spawn(check);
    if let Err(panic) = thread.expect("a thread for the scripts").join() {
        std::panic::resume_unwind(panic);
    }
}

#[test]
fn the_mix_in_the_readme_is_the_one_in_the_repository() {
    let readme = read(&root().join("README.md"));
    let mix = read(&root().join("scripts/mix.rhai"));
    let shown = blocks("README.md", &readme).into_iter().find(|block| block.info == "rhai");
    assert_eq!(shown.expect("the readme shows a script").text, mix);
}

#[test]
fn the_layers_are_drawn_alike_for_readers_and_for_the_compiler() {
    let page = read(&root().join("src/ARCHITECTURE.md"));
    let drawn = blocks("src/ARCHITECTURE.md", &page).into_iter().find(|block| block.info == "text");
    let library = read(&root().join("src/lib.rs"));
    let lines: Vec<&str> = library.lines().map_while(|line| line.strip_prefix("//!")).map(str::trim).collect();
    let own = lines.split(|line| line.starts_with("```")).nth(1).expect("the layers in src/lib.rs");
    assert_eq!(drawn.expect("the layers").text.lines().collect::<Vec<_>>(), own);
}

/// The tutorial's script with every length cut down to a moment, and its target taken from outside: what it does
/// stays the same.
fn short(script: &str) -> String {
    const FIXED: &str = "target(\"http://127.0.0.1:8080\")";
    let mut text = script.replace(FIXED, "target(env(\"TARGET\"))");
    assert!(text.contains("env(\"TARGET\""), "the script would not go to the test's lab:\n{text}");
    for (long, brief) in [("30.s", "300.ms"), ("20.s", "300.ms"), ("10.s", "200.ms"), ("5.s", "200.ms")] {
        text = text.replace(long, brief);
    }
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_scripts_of_the_tutorial_run_against_the_lab() {
    let options = LabOptions { port: Some(0), ..LabOptions::default() };
    let lab = Lab::start(options).await.expect("a lab on a free port");
    let target = format!("TARGET=http://{}", lab.addr());
    let folder = folder_with_data();
    let page = read(&root().join(GUIDE).join("tutorial.md"));
    let scripts: Vec<Block> = blocks("tutorial.md", &page).into_iter().filter(|block| block.info == "rhai").collect();
    assert!(scripts.len() >= 4, "the tutorial has {} scripts", scripts.len());
    for block in &scripts {
        let script = folder.path().join("tutorial.rhai");
        std::fs::write(&script, short(&block.text)).expect("a script file");
        let before = lab.log().len();
        let summary = folder.path().join("summary.json");
        let arguments = [script.as_os_str(), "-e".as_ref(), target.as_ref(), "--json".as_ref(), summary.as_os_str()];
        let mut command = Command::new(env!("CARGO_BIN_EXE_loadr"));
        command.args(["run", "--quiet", "--workers", "1"]).args(arguments).stdin(Stdio::null());
        let output = tokio::task::spawn_blocking(move || command.output()).await.expect("the command was waited for");
        let output = output.expect("loadr can be started");
        let text = String::from_utf8_lossy(&output.stdout);
        // A busy machine may make the run invalid, or an SLO miss: the page's scripts must work, not be fast.
        let code = output.status.code();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(matches!(code, Some(0 | 97 | 99)), "{}: exit {code:?}\n{stderr}{text}", block.place);
        let summary: serde_json::Value = serde_json::from_str(&read(&summary)).expect("the summary is JSON");
        let sum = |figure: &str| -> u64 {
            let phases = summary["phases"].as_array().into_iter().flatten();
            phases.map(|phase| phase[figure].as_u64().unwrap_or(0)).sum()
        };
        assert!(sum("offered") > 0 && lab.log().len() > before, "{}: nothing was sent\n{text}", block.place);
        assert_eq!(sum("errors"), 0, "{}: something failed\n{text}", block.place);
    }
    lab.shutdown().await.expect("the lab ends");
}

/// Targets of `[text](target)` outside of fenced blocks and of code.
fn links(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut fenced = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            let prose: String = line.split('`').step_by(2).collect();
            let targets = prose.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
            found.extend(targets.map(|(target, _)| target.to_owned()));
        }
    }
    found
}

/// The anchors of a page's headings, as code hosts make them.
fn anchors(text: &str) -> Vec<String> {
    let headings = text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let anchor = |heading: &str| -> String {
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.collect::<String>().to_lowercase().replace(' ', "-")
    };
    headings.map(anchor).collect()
}

#[test]
fn every_link_in_the_prose_leads_somewhere() {
    let mut dead = Vec::new();
    let mut count = 0;
    for (page, text) in pages() {
        let folder = root().join(&page).parent().map(Path::to_owned).unwrap_or_default();
        for link in links(&text).iter().filter(|link| !link.contains("://")) {
            count += 1;
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let file = if path.is_empty() { root().join(&page) } else { folder.join(path) };
            let leads = file.exists() && (anchor.is_empty() || anchors(&read(&file)).iter().any(|a| a == anchor));
            if !leads {
                dead.push(format!("{page}: {link}"));
            }
        }
    }
    assert!(count > 20, "only {count} links were found");
    assert!(dead.is_empty(), "{}", dead.join("\n"));
}

#[test]
fn prose_is_wrapped() {
    let mut long = Vec::new();
    for (page, text) in pages() {
        let mut fenced = false;
        for (index, line) in text.lines().enumerate() {
            fenced ^= line.trim_start().starts_with("```");
            // A row of a table cannot be broken, and a link may be longer than a line.
            let exempt = fenced || line.starts_with('|') || line.contains("](");
            if !exempt && line.chars().count() > 110 {
                long.push(format!("{page}:{}", index + 1));
            }
        }
    }
    assert!(long.is_empty(), "lines of more than 110 columns: {}", long.join(", "));
}

/// A page of the guide.
fn guide(page: &str) -> String {
    read(&root().join(GUIDE).join(page))
}

/// Those of `wanted` that no code span of `text` names as a word of its own.
fn unmentioned<'a>(text: &str, wanted: impl IntoIterator<Item = &'a str>) -> BTreeSet<&'a str> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mentioned: BTreeSet<&str> = text.split(|c: char| !is_word(c)).collect();
    wanted.into_iter().filter(|word| !mentioned.contains(word)).collect()
}

#[test]
fn every_word_of_the_language_is_in_the_guide() {
    let pages = [
        "README.md",
        "monitor.md",
        "phases.md",
        "requests.md",
        "databases.md",
        "flows.md",
        "realtime.md",
        "report.md",
        "stdlib.md",
        "cache.md",
    ];
    let missing = unmentioned(&pages.map(guide).concat(), words().map(|word| word.name));
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_function_of_the_standard_library_is_in_the_guide() {
    let page = guide("stdlib.md");
    for module in STDLIB {
        assert!(page.contains(&format!("`{}`", module.name)), "{} is not in the guide", module.name);
        let exported = module.text.lines().filter_map(|line| line.strip_prefix("fn ")?.split('(').next());
        let missing = unmentioned(&page, exported);
        assert!(missing.is_empty(), "of {}: {missing:?}", module.name);
    }
}

#[test]
fn the_reference_is_what_the_program_says() {
    let made = reference::markdown();
    let page = guide("reference.md");
    let differs = page.lines().zip(made.lines()).find(|(page, made)| page != made);
    assert!(
        page == made,
        "src/docs/reference.md is stale; write it anew: `cargo run -- docs --markdown > src/docs/reference.md`\n\
         first difference (or the length): {differs:?}"
    );
}

#[test]
fn every_kind_of_error_quantity_and_exit_code_is_explained() {
    let missing = unmentioned(&guide("requests.md"), ErrorKind::ALL.iter().map(|kind| kind.word()));
    assert!(missing.is_empty(), "{missing:?}");
    let report = guide("report.md");
    let plain = |name: &&&str| !name.contains(|c: char| c.is_ascii_digit());
    let missing = unmentioned(&report, QUANTITIES.iter().filter(plain).copied());
    assert!(missing.is_empty(), "{missing:?}");
    for code in ExitCode::ALL {
        assert!(report.contains(&format!("\n| {} | ", code.code())), "exit code {} is not explained", code.code());
    }
}

/// The subcommands that help to write scripts.
const TOOLS: &[&str] = &["new", "try", "plan", "check", "docs", "definitions", "completions", "man"];

/// The long options that a subcommand says it takes.
fn options_of(subcommand: &str) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_loadr")).args([subcommand, "--help"]).output();
    let help = String::from_utf8(output.expect("loadr can be started").stdout).expect("the help is text");
    let lines = help.lines().map(str::trim_start).filter(|line| line.starts_with('-'));
    let options = lines.flat_map(|line| line.split([' ', ',', '=', '[']).filter(|word| word.starts_with("--")));
    options.map(ToOwned::to_owned).filter(|option| option != "--help" && option != "--version").collect()
}

#[test]
fn every_option_of_the_command_line_is_in_the_guide() {
    let (readme, lab) = (guide("README.md"), guide("lab.md"));
    let common = BTreeSet::from(["--color".to_owned()]);
    // `-e` is how the guide writes it.
    let known = |option: &&String| *option == "--env" || readme.contains(&format!("`{option}"));
    let missing: Vec<String> = options_of("run").into_iter().filter(|option| !known(&option)).collect();
    assert!(missing.is_empty(), "of `run`: {missing:?}");
    let missing: Vec<String> = options_of("lab").into_iter().filter(|o| !lab.contains(o.as_str())).collect();
    assert_eq!(missing, common.into_iter().collect::<Vec<_>>(), "of `lab`");
    let tools = guide("tools.md");
    for tool in TOOLS {
        assert!(tools.contains(&format!("loadr {tool}")), "`loadr {tool}`");
        let known = |option: &&String| *option == "--env" || tools.contains(&format!("`{option}"));
        let missing: Vec<_> = options_of(tool).into_iter().filter(|option| !known(&option)).collect();
        assert!(missing.iter().all(|option| option == "--color"), "of `{tool}`: {missing:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_guide_knows_every_endpoint_of_the_lab_and_every_field_of_the_summary() {
    let options = LabOptions { port: Some(0), ..LabOptions::default() };
    let lab = Lab::start(options).await.expect("a lab on a free port");
    let folder = tempfile::tempdir().expect("a folder for the script");
    let (script, summary) = (folder.path().join("all.rhai"), folder.path().join("summary.json"));
    std::fs::write(&script, EVERYTHING).expect("a script file");
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadr"));
    command.args(["run", "--quiet", "-e", &format!("TARGET=http://{}", lab.addr())]);
    command.args([script.as_os_str(), "--json".as_ref(), summary.as_os_str()]).stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output()).await.expect("the command was waited for");
    let output = output.expect("loadr can be started");
    assert!(summary.exists(), "{}", String::from_utf8_lossy(&output.stderr));
    let summary: serde_json::Value = serde_json::from_str(&read(&summary)).expect("the summary is JSON");
    let mut fields = BTreeSet::new();
    collect_fields(&summary, &mut fields);
    let missing = unmentioned(&guide("report.md"), fields.iter().map(String::as_str));
    assert!(missing.is_empty(), "fields that the guide does not explain: {missing:?}");

    let index = get_json(&format!("http://{}/", lab.addr())).await;
    let page = guide("lab.md");
    let paths = index.as_array().into_iter().flatten().filter_map(|row| row["path"].as_str());
    let missing: Vec<&str> = paths.filter(|path| !page.contains(path)).collect();
    assert!(missing.is_empty(), "endpoints that the guide does not name: {missing:?}");
    let info = get_json(&format!("http://{}/lab/info", lab.addr())).await;
    let paths = info["misbehaviours"].as_array().into_iter().flatten().filter_map(|row| row["path"].as_str());
    let missing: Vec<&str> = paths.filter(|path| !page.contains(&format!("`{path}"))).collect();
    assert!(missing.is_empty(), "paths of the port that misbehaves: {missing:?}");
    lab.shutdown().await.expect("the lab ends");
}

async fn get_json(url: &str) -> serde_json::Value {
    // The client wants one even for cleartext; another test may have chosen it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let answer = client.get(url).send().await.expect("the lab answers");
    answer.json().await.expect("the answer is JSON")
}

/// A run that fills every part of the summary.
const EVERYTHING: &str = r#"
//! Everything at once.
let lab = target(env("TARGET"));
setup(|vu| vu.get("/health").status);
let steps = flow("steps", |vu| {
    check("always", true);
    count("turns");
    gauge("level", 1);
    timing("step", 1.ms);
    if vu.iteration % 3 == 0 { vu.fail("every third"); }
    if vu.iteration % 3 == 1 { throw "another third"; }
    vu.get("/lab/status/500");
});
phase("main").run(mix([[1, get("/api/items/1").classify(cache_status())], [1, steps]])).rate(200.per_second).during(500.ms);
phase("late").run(get("/lab/fixed?ms=5000").timeout(50.ms)).burst(2);
let cached = get("/api/items/2").name("cached").classify(cache_status());
phase("cold").run(cached).rate(100.per_second).during(200.ms);
phase("steady").run(cached).rate(100.per_second).during(500.ms);
phase("pairs").run(flow("block", |vu| paired("it", vu.iteration, 20.ms, 1.ms))).iterations(20);
let ages = flow("ages", |vu| { timing("it age of hits", 1.s); timing("it age of misses", 3.s); });
phase("ages").run(ages).iterations(5);
phase("crowd").run(get("/api/items/3").name("it stampede").classify(cache_status())).iterations(4);
cache_experiment("it", #{
    request: "cached", keys: uniform(1), cold: "cold", steady: "steady", pairs: "pairs",
    ttl: ["ages", 2.s], stampede: ["crowd", 2], working_set: [[1, "steady", "cold"]],
});
slo("fast", #{ p50: "< 1s" });
goal("faster", #{ before: "5 s", target: "< 1s", phase: "main" });
skip("by hand", "nobody here");
score(10).deduct(0.5, "no runbook");
probe("seen", get("/lab/stats"), "$.requests", 50.ms);
monitor("own", pid(1), #{ every: 50.ms });
leak_check("own", #{ max_slope: "1MB/min" });
slo("pays", #{ experiment: "it", p95: "< 5ms" });
note("a note");
fact("commit", "1a2b3c");
"#;

/// Names of fields, but for those that are data: names of codes, kinds and facts.
fn collect_fields(value: &serde_json::Value, fields: &mut BTreeSet<String>) {
    match value {
        serde_json::Value::Object(object) => {
            for (name, value) in object {
                fields.insert(name.clone());
                if !matches!(name.as_str(), "status" | "errors" | "facts") {
                    collect_fields(value, fields);
                }
            }
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| collect_fields(item, fields)),
        _ => {}
    }
}
