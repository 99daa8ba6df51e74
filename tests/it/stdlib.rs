//! The standard library: every example in its doc comments runs against the lab, and every function has one.

use std::{collections::BTreeSet, sync::Mutex};

use loadr::script::{STDLIB, StdModule};

use crate::harness::{Ended, Program, TestLab};

/// Examples that run at once: most of them wait more than they work.
const AT_ONCE: usize = 4;

/// An example of a doc comment.
struct Example {
    /// Module and line.
    place: String,
    /// A script, whole but for its target and import; or the body of a flow.
    is_flow: bool,
    text: String,
}

/// An exported function, as its module's source has it.
struct Function {
    name: String,
    has_doc: bool,
}

/// The functions of a module that scripts may call, and the examples of their comments.
fn read(module: &StdModule) -> (Vec<Function>, Vec<Example>) {
    let (mut functions, mut examples) = (Vec::new(), Vec::new());
    let mut open: Option<Example> = None;
    let mut has_doc = false;
    for (index, line) in module.text.lines().enumerate() {
        let place = format!("{}:{}", module.name, index + 1);
        if let Some(comment) = line.strip_prefix("///") {
            has_doc = true;
            match (&mut open, comment.trim_start().strip_prefix("```")) {
                (None, Some(info)) => {
                    assert!(matches!(info, "rhai" | "rhai,flow"), "{place}: `{info}` is no kind of example");
                    open = Some(Example { place, is_flow: info == "rhai,flow", text: String::new() });
                }
                (Some(_), Some(_)) => examples.extend(open.take()),
                (Some(example), None) => example.text += &format!("{}\n", comment.strip_prefix(' ').unwrap_or(comment)),
                (None, None) => {}
            }
        } else {
            assert!(open.is_none(), "{place}: the example before has no end");
            if let Some((name, _)) = line.strip_prefix("fn ").and_then(|rest| rest.split_once('(')) {
                functions.push(Function { name: name.to_owned(), has_doc });
            }
            has_doc = false;
        }
    }
    (functions, examples)
}

fn short(module: &StdModule) -> &str {
    module.name.trim_start_matches("std/")
}

fn script(module: &StdModule, example: &Example) -> String {
    let head = format!("import {:?} as {};\nlet shop = target(env(\"TARGET\"));\n", module.name, short(module));
    let text = &example.text;
    if example.is_flow {
        format!("{head}phase(\"example\").run(flow(\"example\", |vu| {{\n{text}}})).iterations(1);\n")
    } else {
        format!("{head}{text}")
    }
}

#[test]
fn every_function_has_a_comment_and_an_example() {
    for module in STDLIB {
        let (functions, examples) = read(module);
        assert!(module.text.starts_with("//! "), "{} does not say what it is for", module.name);
        assert!(!functions.is_empty(), "{} has no functions", module.name);
        let documented: BTreeSet<&str> =
            functions.iter().filter(|function| function.has_doc).map(|function| function.name.as_str()).collect();
        for function in &functions {
            // Another number of arguments is another function to Rhai, and the same one to readers.
            assert!(documented.contains(&*function.name), "{}: {} has no comment", module.name, function.name);
            let call = format!("{}::{}(", short(module), function.name);
            let shown = examples.iter().any(|example| example.text.contains(&call));
            assert!(shown, "{}: {} has no example", module.name, function.name);
        }
    }
}

fn assert_works(example: &Example, ended: &Ended) {
    let place = &example.place;
    assert!(matches!(ended.code, Some(0 | 97)), "{place}: {ended}");
    let figures = ended.figures();
    let mut checks = 0;
    for phase in figures.phases() {
        assert!(phase.count("offered") > 0, "{place}: nothing was offered; {ended}");
        assert_eq!(phase.count("offered"), phase.count("ok"), "{place}: {ended}");
        for check in phase.0["checks"].as_array().expect("checks") {
            assert_eq!(check["failed"], 0, "{place}: {ended}");
            checks += 1;
        }
    }
    assert!(checks > 0 || !example.is_flow, "{place} checks nothing; {ended}");
    assert!(figures.0["slos"].as_array().expect("SLOs").iter().all(|slo| slo["verdict"] != "fail"), "{place}: {ended}");
}

#[test]
fn every_example_works() {
    let examples: Vec<(&StdModule, Example)> =
        STDLIB.iter().flat_map(|module| read(module).1.into_iter().map(move |example| (module, example))).collect();
    assert!(examples.len() > 25, "only {} examples were found", examples.len());
    let lab = TestLab::start();
    // Whoever empties a cache has one of its own.
    let cached = TestLab::start();
    let queue = Mutex::new(examples.iter());
    let users = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/data/users.csv")).expect("a data file");
    std::thread::scope(|scope| {
        let work = || {
            while let Some((module, example)) = { queue.lock().expect("no panic before").next() } {
                let lab = if module.name == "std/cache" { &cached } else { &lab };
                let program = Program::run_against(&script(module, example), &lab.url());
                let program = program.file("data/users.csv", &users).args(["--workers", "1", "--quiet"]);
                assert_works(example, &program.run());
            }
        };
        let threads: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(work)).collect();
        for thread in threads {
            if let Err(panic) = thread.join() {
                std::panic::resume_unwind(panic);
            }
        }
    });
}

/// What a script says that has a mistake in its use of the library.
fn complaint(script: &str) -> String {
    let ended = Program::run_of(&format!("target(\"http://127.0.0.1:9\");\n{script}")).run();
    assert_eq!(ended.code, Some(104), "{ended}");
    ended.stderr
}

#[test]
fn wrong_options_are_shown_where_they_were_given() {
    let head = "import \"std/load\" as load;\n";
    for (call, expected) in [
        ("load::steady(get(\"/\"), #{ rate: 5.per_second, dura: 1.s });", "there is no option `dura`"),
        ("load::steady(get(\"/\"), #{ rate: 5.per_second, durin: 1.s });", "did you mean `during`?"),
        ("load::steady(get(\"/\"), #{});", "the option `rate` is missing"),
        ("load::steady(get(\"/\"), #{ rate: 5 });", "`rate` takes a rate such as 500.per_second; found the number 5"),
        ("load::staircase(get(\"/\"), #{ from: 0, to: 9, step: 1 });", "`from` takes a whole number from 1; found 0"),
        ("load::staircase(get(\"/\"), #{ from: 9, to: 8, step: 1 });", "`to` is less than `from`"),
    ] {
        let said = complaint(&format!("{head}{call}"));
        assert!(said.contains(expected), "{call}: {said}");
        assert!(said.contains("scenario.rhai:3"), "{call}: the script's own line is not shown: {said}");
    }
}

#[test]
fn a_chain_of_phases_goes_backwards_only() {
    for other in ["later", "main", "nowhere"] {
        let said = complaint(&format!(
            "phase(\"main\").run(get(\"/\")).users(1).during(1.s).if_completed({other:?});\n\
             phase(\"later\").run(get(\"/\")).users(1).during(1.s);"
        ));
        let expected = format!("phase `main` is to follow `{other}`, which is no phase before it");
        assert!(said.contains(&expected), "{said}");
    }
}

#[test]
fn a_staircase_ends_at_the_step_that_is_too_high() {
    let lab = TestLab::start();
    // Half of all answers fail from the first step on, so the second must not be tried.
    let script = r#"
        import "std/load" as load;
        target(env("TARGET"));
        let broken = mix([[1, get("/health")], [1, get("/lab/status/500").name("broken")]]);
        load::staircase(broken, #{ from: 40, to: 120, step: 40, hold: 20.s, ends_when: "errors > 10% over 1s" });
    "#;
    let ended = Program::run_against(script, &lab.url()).run();
    let figures = ended.figures();
    assert!(figures.phase("staircase/40").seconds("duration_s") < 15.0, "{ended}");
    assert!(ended.stdout.contains("staircase/80: left out, because staircase/40 did not go on to its end"), "{ended}");
    assert!(ended.stdout.contains("staircase/120: left out"), "{ended}");
    let sent: u64 = figures.phases().map(|phase| phase.requests()).sum();
    assert_eq!(sent, figures.phase("staircase/40").requests(), "{ended}");
}

#[test]
fn modules_of_the_users_own_import_each_other() {
    let lab = TestLab::start();
    let script = r#"
        import "shared/shop" as shop;
        target(env("TARGET"));
        phase("main").run(flow("buy", |vu| { shop::buy(vu, 7); })).iterations(3);
    "#;
    let shop = r#"
        import "deep/names" as names;
        import "std/check" as check;
        fn buy(vu, sku) {
            let cart = vu.post("/api/carts", #{ sku: sku, qty: 1 }).expect(201);
            check(names::created(), check::is_success(cart));
            paid(vu, cart.json("id"))
        }
        private fn paid(vu, id) { vu.post(`/api/carts/${id}/pay`).expect(200) }
    "#;
    let program = Program::run_against(script, &lab.url()).file("shared/shop.rhai", shop);
    let program = program.file("shared/deep/names.rhai", "fn created() { \"the cart is there\" }");
    let ended = program.run();
    ended.expect(0);
    let main = ended.figures().phase("main");
    assert_eq!(main.check("the cart is there")["passed"], 3);
    assert_eq!(main.flow("buy").count("ok"), 3);

    let private = Program::run_against(&script.replace("buy(vu, 7)", "paid(vu, 1)"), &lab.url());
    let ended = private
        .file("shared/shop.rhai", shop.replace("deep/names", "./deep/names"))
        .file("shared/deep/names.rhai", "fn created() { \"x\" }")
        .run();
    assert_ne!(ended.code, Some(0), "a private function can be called; {ended}");
}
