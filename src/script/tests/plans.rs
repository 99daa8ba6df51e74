//! Scripts that load, and the plans they make.

use std::{cell::RefCell, path::Path, rc::Rc, time::Duration};

use proptest::prelude::*;
use rhai::Dynamic;

use super::{super::*, loaded, with_script};
use crate::{
    clock::{Rate, SECOND},
    plan::{Body, Classify, Deal, Escape, Generator, Load, Piece, Start, Step, Text, Think},
};

/// The example script from the user guide, as it is in the repository.
fn mix(options: &LoadOptions) -> Loaded {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/mix.rhai");
    load(&path, options).unwrap_or_else(|error| panic!("{}", error.render(false)))
}

/// A script around requests, with one target and one phase.
fn script(lines: &str) -> String {
    format!("let shop = target(\"http://h\");\n{lines}\nphase(\"main\").run(get(\"/\")).users(1).during(1.s);")
}

#[test]
fn the_example_makes_the_plan_it_promises() {
    let loaded = mix(&LoadOptions::default());
    let plan = &loaded.plan;
    assert_eq!(
        plan.title.as_deref(),
        Some("A shop under a weighted mix: login, warm-up, sustained load, then a burst.")
    );
    assert_eq!(plan.targets[0].url.as_str(), "http://127.0.0.1:8080/");
    assert!(plan.targets[0].on_start.is_some());
    assert_eq!((plan.data[0].rows, &plan.data[0].columns[..]), (50, &["email".to_owned(), "name".to_owned()][..]));
    assert_eq!(plan.generators, [Generator::Zipf { n: 10_000, s: 0.99 }]);
    assert_eq!(plan.mixes.len(), 1);
    let weights: Vec<f64> = plan.mixes[0].entries.iter().map(|entry| entry.weight).collect();
    assert_eq!((weights, plan.mixes[0].deal), (vec![50.0, 30.0, 20.0], Deal::Deck));
    assert!(matches!(plan.mixes[0].entries[2].step, Step::Flow(flow) if plan.flows[flow.index()].name == "checkout"));
    assert_eq!(plan.templates[1].name, "item");
    assert_eq!(plan.templates[1].path.display(), "/api/items/{…}");
    let phases: Vec<_> =
        plan.phases.iter().map(|phase| (phase.name.as_str(), phase.load.word(), phase.warmup)).collect();
    assert_eq!(phases, [("warm-up", "closed", true), ("sustained", "open", false), ("burst", "burst", false)]);
    assert_eq!(plan.phases[1].load, Load::Rate(vec![(Duration::ZERO, Rate { events: 500, per: SECOND })]));
    assert_eq!(plan.phases[2].load, Load::Burst { count: 50, every: Duration::ZERO, times: 1 });
    assert_eq!(plan.slos[0].conditions.len(), 2);
    assert_eq!(plan.environment, ["TARGET"]);
    assert_eq!(loaded.closures.len(), 2);
    assert!(loaded.closures.iter().all(|closure| closure.arity == Some(1)));
}

#[test]
fn the_hash_is_stable_and_notices_a_changed_rate() {
    let options = LoadOptions::default();
    let (first, second) = (mix(&options), mix(&options));
    assert_eq!(first.plan.hash(), second.plan.hash());
    let hash = |rate: &str| {
        let text = format!("target(\"http://h\"); phase(\"a\").run(get(\"/\")).rate({rate}).during(1.s);");
        loaded(&text, |loaded| loaded.plan.hash())
    };
    assert_eq!(hash("500.per_second"), hash("500.per_second"));
    assert_ne!(hash("500.per_second"), hash("501.per_second"));
}

#[test]
fn the_last_environment_wins() {
    let env = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let options = LoadOptions { env: vec![env("TARGET", "http://a"), env("TARGET", "http://b")], ..Default::default() };
    assert_eq!(mix(&options).plan.targets[0].url.as_str(), "http://b/");
}

#[test]
fn generators_are_kept_in_every_part_of_a_request() {
    let text = script(
        r#"let i = int(1, 9);
let r = post(`/a b/${i}?q=${i}&r=x y`, #{ n: i, s: `no. ${i} "x"`, list: [1, 2.0, (), true], deep: #{ b: "ü" } })
    .header("x-id", `id-${i}`).query("k/", i).bearer("t").cookie("c", i).cookie("d", "e");
phase("p").run(r).users(1).during(1.s);"#,
    );
    loaded(&text, |loaded| {
        let template = &loaded.plan.templates[0];
        assert_eq!(template.name, "POST /a%20b/{…}");
        let Piece::Draw(id, Escape::Path) = template.path.0[1] else { panic!("{:?}", template.path) };
        let literal = Text::literal;
        assert_eq!(
            template.query,
            [
                (literal("q"), Text(vec![Piece::Draw(id, Escape::Query)])),
                (literal("r"), literal("x%20y")),
                (literal("k%2F"), Text(vec![Piece::Draw(id, Escape::Query)])),
            ]
        );
        let shown: Vec<String> =
            template.headers.iter().map(|(name, value)| format!("{name}: {}", value.display())).collect();
        assert_eq!(shown, ["x-id: id-{…}", "authorization: Bearer t"]);
        let cookies: Vec<String> =
            template.cookies.iter().map(|(name, value)| format!("{name}={}", value.display())).collect();
        assert_eq!(cookies, ["c={…}", "d=e"]);
        let Body::Text { content_type, text } = &template.body else { panic!("{:?}", template.body) };
        assert_eq!(content_type.as_deref(), Some("application/json"));
        assert_eq!(text.display(), r#"{"deep":{"b":"ü"},"list":[1,2.0,null,true],"n":{…},"s":"no. {…} \"x\""}"#);
        assert!(text.0.contains(&Piece::Draw(id, Escape::JsonValue)));
        assert!(text.0.contains(&Piece::Draw(id, Escape::JsonString)));
    });
}

#[test]
fn a_request_is_a_base_for_others() {
    let text = script(
        "let base = get(\"/a\").header(\"a\", \"1\");\nlet m = mix([[1, base], [1, base.header(\"b\", \"2\").name(\"two\")]]);",
    );
    loaded(&text, |loaded| {
        let counts: Vec<usize> = loaded.plan.templates.iter().map(|template| template.headers.len()).collect();
        assert_eq!(counts[..2], [1, 2]);
    });
}

#[test]
fn builders_of_a_request_are_carried_into_the_plan() {
    let text = script(
        r#"let other = target("http://o/base").timeout(5.s).no_keepalive().max_body(1.mb).resolve("O", "127.0.0.1");
let r = put("/x").on(other).timeout("2s").expect(["2xx", 404]).discard_body().classify(header("X-Cache"))
    .save("token", "$.t").check("c", |res| true).form(#{ a: "x y", b: int(1, 2) });
phase("p").run(r).users(1).during(1.s);"#,
    );
    loaded(&text, |loaded| {
        let (target, template) = (&loaded.plan.targets[1], &loaded.plan.templates[0]);
        assert_eq!(
            (target.timeout, target.keepalive, target.body_bytes_max),
            (Duration::from_secs(5), false, 1_000_000)
        );
        assert_eq!(target.resolve[0].0, "o");
        assert_eq!((template.target.0, template.timeout), (1, Some(Duration::from_secs(2))));
        assert!(template.expect.accepts(404) && template.expect.accepts(201) && !template.expect.accepts(302));
        assert_eq!(template.classify, Some(Classify::Header("x-cache".into())));
        assert_eq!((template.saves[0].property.as_str(), template.checks[0].name.as_str()), ("token", "c"));
        assert!(matches!(&template.body, Body::Text { text, .. } if text.display() == "a=x%20y&b={…}"));
    });
}

#[test]
fn every_load_model_can_be_written() {
    let load = |line: &str| {
        loaded(&script(&format!("phase(\"p\").run(get(\"/\")){line};")), |loaded| {
            (loaded.plan.phases[0].load.clone(), loaded.plan.phases[0].duration.map(|length| length.as_secs()))
        })
    };
    let s = Duration::from_secs;
    let per_second = Rate::per_second;
    for (line, expected, length) in [
        (".users(1, 9).during(5.s)", Load::Users(vec![(s(0), 1), (s(5), 9)]), Some(5)),
        (".rate(\"500/300s\").during(5.s)", Load::Rate(vec![(s(0), Rate { events: 500, per: 300 * SECOND })]), Some(5)),
        (
            ".stages([[30.s, 100.per_second], [60.s, 500.per_second]])",
            Load::Rate(vec![(s(0), per_second(0)), (s(30), per_second(100)), (s(90), per_second(500))]),
            Some(90),
        ),
        (".stages([[0.s, 5], [10.s, 9]])", Load::Users(vec![(s(0), 5), (s(10), 9)]), Some(10)),
        (".burst(50).every(10.s).times(6)", Load::Burst { count: 50, every: s(10), times: 6 }, None),
        (".burst(50).every(10.s).during(30.s)", Load::Burst { count: 50, every: s(10), times: 3 }, Some(30)),
        (".iterations(1000).users(8)", Load::Iterations { count: 1000, users: 8 }, None),
        (".users(4).each_user(5)", Load::EachUser { each: 5, users: 4 }, None),
        (".iterations(7).asap()", Load::Asap { count: 7 }, None),
    ] {
        assert_eq!(load(line), (expected, length), "{line}");
    }
}

#[test]
fn a_phase_repeats_for_each_value() {
    let text = script(
        "phase(\"n\").run(get(\"/\")).repeat([100, 250], |p, n| p.iterations(n));\nphase(\"m\").run(get(\"/\")).users(1).during(1.s).alongside(\"n/250\").think(normal(5, 1));",
    );
    loaded(&text, |loaded| {
        let names: Vec<&str> = loaded.plan.phases.iter().map(|phase| phase.name.as_str()).collect();
        assert_eq!(names, ["n/100", "n/250", "m", "main"]);
        assert_eq!(loaded.plan.phases[1].load, Load::Iterations { count: 250, users: 1 });
        assert_eq!(loaded.plan.phases[2].start, Start::Alongside("n/250".into()));
        assert!(matches!(loaded.plan.phases[2].think, Some(Think::Drawn(_))));
    });
}

#[test]
fn an_slo_may_be_about_all_phases_of_a_repeat() {
    let text = script(
        "phase(\"p\").run(get(\"/\")).repeat([100, 250], |p, n| p.iterations(n));\nslo(\"s\", #{ phase: \"p\", p95: \"< 1s\" });",
    );
    loaded(&text, |loaded| assert_eq!(loaded.plan.slos[0].selector.phase.as_deref(), Some("p")));
}

#[test]
fn a_row_is_a_json_body() {
    let text = script(
        r#"let people = list([#{ name: "a", age: 5 }]);
let tags = list(["x"]);
mix([[1, post("/a", people.next())], [1, post("/b").json(#{ who: people.next(), tag: tags, all: people })]]);"#,
    );
    loaded(&text, |loaded| {
        let bodies: Vec<String> = loaded
            .plan
            .templates
            .iter()
            .filter_map(|template| match &template.body {
                Body::Text { text, content_type } if content_type.as_deref() == Some("application/json") => {
                    Some(text.display())
                }
                _ => None,
            })
            .collect();
        assert_eq!(
            bodies,
            [r#"{"age":{…},"name":{…}}"#, r#"{"all":{"age":{…},"name":{…}},"tag":{…},"who":{"age":{…},"name":{…}}}"#,]
        );
    });
}

#[test]
fn a_folder_or_a_slip_of_the_finger_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let message = |path: &std::path::Path| {
        let error = load(path, &LoadOptions::default()).map(|_| ()).expect_err("no script");
        error.render(false).replace(&*folder.path().to_string_lossy(), "DIR").replace("\n          ", " ")
    };
    let shown = message(folder.path());
    assert!(shown.contains("it is a folder") && shown.contains("there is none"), "{shown}");
    std::fs::write(folder.path().join("mix.rhai"), "").expect("written");
    let shown = message(folder.path());
    assert!(shown.contains("it is a folder") && shown.contains("such as `DIR/mix.rhai`"), "{shown}");
    let shown = message(&folder.path().join("mix.rhia"));
    assert!(shown.contains("no such file") && shown.contains("did you mean `DIR/mix.rhai`?"), "{shown}");
}

#[test]
fn a_metric_of_the_script_is_a_quantity() {
    let text = script("flow(\"f\", |vu| { timing(\"cart\", 1.s); });\nslo(\"cart\", #{ cart_p95: \"< 5ms\" });");
    loaded(&text, |loaded| assert_eq!(loaded.plan.slos[0].conditions[0].value, 5e6));
}

#[test]
fn closures_draw_where_the_top_level_keeps() {
    let text = script(
        r#"let item = int(5, 5);
let people = list([#{ name: "a" }, #{ name: "b" }]);
let names = list(["x", "y"]);
let path = `/kept/${item}`;
flow("f", |vu| {
    let row = people.next();
    [`${item}`, item.next(), int(3, 3), row.name, `${names}`, seq()]
});
flow("g", |vu| post(path, #{ sku: item, row: people.next() }).check("c", |res| true));
flow("late", |vu| phase("no"));"#,
    );
    loaded(&text, |loaded| {
        assert_eq!(loaded.shared.stage(), Stage::Run);
        let user = crate::engine::user::User::new(2, 7);
        let call = |id: usize| run::as_user(&user, || loaded.closures[id].call(&loaded.engine, [Dynamic::UNIT]));
        let drawn = call(0).expect("no error").into_typed_array::<Dynamic>().expect("an array");
        let shown: Vec<String> = drawn.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["5", "5", "3", "b", "y", "2"]);
        let request = call(1).expect("no error").cast::<Request>();
        let Body::Text { text, .. } = &request.0.template.body else { panic!("no body") };
        assert_eq!(text.as_literal().as_deref(), Some(r#"{"row":{"name":"a"},"sku":5}"#));
        // A path that was made at the top level keeps its generator.
        assert_eq!(request.0.template.path.display(), "/kept/{…}");
        assert_eq!(request.0.checks.len(), 1);
        let error = call(2).expect_err("a phase in a closure");
        let problem = explain(&error, &loaded.shared, None);
        assert!(problem.message.contains("belongs to the top level"), "{}", problem.message);
        assert_eq!(problem.at.map(|at| at.line), Some(11));
    });
}

#[test]
fn a_secret_is_used_but_never_printed() {
    let text = "let p = secret(\"PASSWORD\", \"hunter22\"); target(\"http://h\").bearer(p);\n\
                phase(\"a\").run(get(\"/\")).users(1).during(1.s);\nflow(\"f\", |vu| print(`it is ${p}`));";
    loaded(text, |loaded| {
        assert_eq!(loaded.plan.targets[0].headers[0].1, "Bearer hunter22");
        let printed = Rc::new(RefCell::new(String::new()));
        let sink = printed.clone();
        loaded.shared.set_printer(move |text| sink.borrow_mut().push_str(text));
        let _ = loaded.closures[0].call(&loaded.engine, [Dynamic::UNIT]).expect("no error");
        assert_eq!(*printed.borrow(), "it is ***");
    });
    let shown = super::mistakes("let p = secret(\"P\", \"hunter22\"); target(p);");
    assert!(!shown.contains("hunter22"), "{shown}");
}

#[test]
fn a_module_brings_closures_and_data_but_stays_in_its_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        std::fs::write(&path, text).expect("written");
        path
    };
    write("outside.rhai", "fn f() { 1 }");
    write("outside.csv", "a\n1\n");
    write("in/lib/rows.csv", "a\n1\n");
    write(
        "in/lib/shared.rhai",
        "fn helper() { 41 }\nfn add(name) { csv(\"rows.csv\"); flow(name, |vu| helper() + 1) }",
    );
    let main = write(
        "in/main.rhai",
        "import \"lib/shared\" as lib;\ntarget(\"http://h\");\nphase(\"a\").run(lib::add(\"x\")).users(1).during(1.s);\n\
         flow(\"y\", |vu| lib::helper());",
    );
    let script = load(&main, &LoadOptions::default()).unwrap_or_else(|error| panic!("{}", error.render(false)));
    let results: Vec<i64> = script
        .closures
        .iter()
        .map(|closure| closure.call(&script.engine, [Dynamic::UNIT]).expect("no error").cast::<i64>())
        .collect();
    assert_eq!(results, [42, 41]);

    for (line, allowed) in [("import \"../outside\" as o;", false), ("csv(\"../outside.csv\");", false)] {
        let path = write(
            "in/climb.rhai",
            &format!("{line}\ntarget(\"http://h\");\nphase(\"a\").run(get(\"/\")).users(1).during(1.s);"),
        );
        let message = |options: &LoadOptions| load(&path, options).map(|_| ()).map_err(|error| error.render(false));
        let refused = message(&LoadOptions::default());
        assert!(
            refused.as_ref().is_err_and(|text| text.contains("outside the script's folder")) != allowed,
            "{refused:?}"
        );
        let options = LoadOptions { allow_read: vec![folder.path().to_owned()], ..LoadOptions::default() };
        assert_eq!(message(&options), Ok(()), "{line}");
    }
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(folder.path().join("outside.csv"), folder.path().join("in/link.csv"))
            .expect("linked");
        let path = write("in/link.rhai", "csv(\"link.csv\");");
        let error = load(&path, &LoadOptions::default()).expect_err("a link that leads outside");
        assert!(error.render(false).contains("outside the script's folder"));
    }
}

#[test]
fn a_bad_data_file_names_its_line() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text, part) in [
        ("empty.csv", "", "it is empty"),
        ("head.csv", "a,b\n", "it has no rows"),
        ("ragged.csv", "a,b\n1,2\n3\n", "line 3 has 1 values"),
    ] {
        std::fs::write(folder.path().join(name), text).expect("written");
        let path = folder.path().join("main.rhai");
        std::fs::write(&path, format!("let d = csv(\"{name}\");")).expect("written");
        let shown = load(&path, &LoadOptions::default()).expect_err("a bad file").render(false);
        assert!(shown.contains(part) && shown.contains("main.rhai:1:9"), "{shown}");
    }
}

#[test]
fn no_script_makes_the_loader_panic() {
    for text in [
        "",
        "phase",
        "mix(mix(mix(1)))",
        "phase(phase(\"a\"))",
        "let a = phase(\"a\"); a.run(a).repeat(a, a);",
        "target(\"http://h\").on_start(1); slo(1, 2); flow(1, 2); csv(1); list(5); pick(1); pick([|x| x]);",
        "mix([[1]]); mix([[]]); mix(#{}); get(1); post(2, 3); request(1, 2); get(\"/\").expect([]).json(|x| x);",
        "export let x = 1; throw 5;",
        "let x = []; x[5];",
        "#{ a: 1 }.b",
        "exit(1)",
        "1.s + 5",
        "timestamp() + 1",
    ] {
        with_script(text, |result| {
            let error = result.err().map(|error| error.render(true));
            assert!(error.is_some_and(|text| !text.trim().is_empty()), "{text}");
        });
    }
}

proptest! {
    // Each case loads a script on a thread of its own.
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_script_with_a_piece_cut_out_is_explained_or_loads(from in 0usize..1_900, length in 1usize..60) {
        let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/mix.rhai")).expect("the example");
        let text = text.replace("data/users.csv", "scripts/data/users.csv");
        let kept: String =
            text.chars().enumerate().filter(|(at, _)| !(from..from + length).contains(at)).map(|(_, c)| c).collect();
        let shown = with_script(&kept, |result| result.err().map(|error| error.render(false)));
        if let Some(shown) = shown {
            prop_assert!(shown.starts_with("error"), "{}", shown);
            prop_assert!(!shown.contains("rhai::") && !shown.contains("loadr::"), "{}", shown);
        }
    }
}
