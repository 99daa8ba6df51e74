//! Every mistake of the contract, as a user sees it.

use super::{super::engine::EXPR_DEPTH_MAX, mistakes};

/// A whole script around a line with a mistake.
fn in_script(line: &str) -> String {
    mistakes(&format!(
        "let shop = target(\"http://127.0.0.1:8080\");\n{line}\nphase(\"main\").run(get(\"/\")).users(1).during(1.s);\n"
    ))
}

macro_rules! snapshots {
    ($($name:ident: $text:expr;)+) => {
        $(#[test]
        fn $name() {
            insta::assert_snapshot!(in_script($text));
        })+
    };
}

snapshots! {
    words_of_sql_that_do_not_fit: "let db = postgres(\"postgres://me:word@127.0.0.1/app?sslmode=require\");
let my = mysql(\"127.0.0.1/app/more\").insecure().header(\"a\", \"b\");
let one = shop.query(\"SELECT 1\");
let two = my.query(`SELECT ${int(1, 5)}`);
let three = my.execute(\" \");
let four = my.query(\"SELECT ?\", int(1, 5)).json(#{ a: 1 });
let five = my.get(\"key\");
phase(\"a\").run(get(\"/x\").on(my)).iterations(1);";
    a_misspelt_method: "phase(\"a\").run(get(\"/\")).user(10).during(5.s);";
    a_method_of_another_thing: "phase(\"a\").run(get(\"/\")).header(\"a\", \"b\");";
    a_misspelt_function: "let i = zipff(10, 0.99);";
    a_misspelt_variable: "let traffic = mix([[1, get(\"/\")]]); phase(\"a\").run(trafic).users(1).during(1.s);";
    a_misspelt_unit: "phase(\"a\").run(get(\"/\")).users(10).during(5.sec);";
    an_unknown_option: "slo(\"s\", #{ p95: \"< 10ms\", phaze: \"main\" });";
    a_weight_of_zero: "let m = mix([[0, get(\"/a\")], [1, get(\"/b\")]]);";
    a_weight_that_is_not_a_number: "let m = mix([[0.0 / 0.0, get(\"/a\")]]);";
    a_mix_without_entries: "let m = mix([]);";
    a_mix_of_something_else: "let m = mix([[1, \"/a\"], 5]);";
    a_phase_without_run: "phase(\"a\").users(10).during(5.s);";
    a_phase_without_load: "phase(\"a\").run(get(\"/\"));";
    a_phase_without_length: "phase(\"a\").run(get(\"/\")).rate(5.per_second);";
    two_load_models: "phase(\"a\").run(get(\"/\")).users(10).rate(500.per_second).during(5.s);";
    a_burst_of_zero: "phase(\"a\").run(get(\"/\")).burst(0);";
    a_duration_without_unit: "phase(\"a\").run(get(\"/\")).users(1).during(30);";
    a_text_without_unit: "phase(\"a\").run(get(\"/\")).users(1).during(\"30\");";
    a_rate_of_zero: "phase(\"a\").run(get(\"/\")).rate(0.per_second).during(5.s);";
    a_rate_without_unit: "phase(\"a\").run(get(\"/\")).rate(500).during(5.s);";
    an_slo_about_no_phase: "slo(\"s\", #{ phase: \"mian\", p95: \"< 10ms\" });";
    an_slo_about_no_request: "slo(\"s\", #{ request: \"GET /x\", p95: \"< 10ms\" });";
    an_slo_without_unit: "slo(\"s\", #{ p95: \"< 10\" });";
    an_slo_without_condition: "slo(\"s\", #{ phase: \"main\" });";
    a_body_that_is_no_json: "let r = post(\"/\", #{ a: [1, |x| x] });";
    a_data_file_that_is_missing: "let u = csv(\"no/such.csv\");";
    a_data_file_outside: "let u = csv(\"../../../../../../etc/passwd\");";
    a_closure_with_too_many_parameters: "let f = flow(\"f\", |vu, more| { 1 });";
    an_environment_without_value: "let e = env(\"NO_SUCH_NAME\");";
    an_import_outside: "import \"../../../../../../etc/secret\" as secret_module;";
    an_import_of_nothing: "import \"std/cash\" as cash;";
    an_endless_loop: "let n = 0; loop { n += 1; }";
    deep_recursion: "fn down(n) { down(n + 1) } down(0);";
    a_text_of_500_megabytes: "let s = \"x\"; s.pad(500_000_000, \"x\");";
    a_syntax_error: "let x = (1 + ;";
    an_unclosed_text: "let x = \"abc;";
    eval: "eval(\"1 + 1\");";
    sleep: "sleep(5);";
    grades_of_nothing: "grades(#{});";
    grades_without_unit: "grades(#{ \"A\": 5, \"B\": \"fast\", \"C\": 0.s });";
    grades_with_equal_limits: "grades(#{ \"A\": 10.ms, \"A+\": 10.ms, \"F\": 50.ms });";
    grades_by_what_has_no_interval: "grades(#{ \"A\": 10.ms }, #{ by: \"max\", bellow: \"C\" });";
    two_scales_of_grades: "grades(#{ \"A\": 10.ms }); grades(#{ \"B\": 10.ms });";
    a_probe_that_draws: "let i = int(1, 5); probe(\"p\", get(`/h/${i}`), \"$.a\", 100.ms);";
    a_probe_of_no_place: "probe(\"p\", get(\"/h\"), \"pool.in_use\", 1.ms); probe(\"q\", \"/h\", css(\"a\"));";
    a_monitor_of_a_number: "monitor(\"api\", 4711); monitor(\"b\", pid(0)); monitor(\"c\", pid(1), #{ evry: 1.s });";
    two_monitors_of_one_name: "monitor(\"a\", pid(1)); monitor(\"a\", pid(2));";
    a_leak_check_of_nothing: "leak_check(\"api\", #{ max_slope: \"1MB/min\" });";
    a_leak_check_without_limit: "monitor(\"api\", pid(1)); leak_check(\"api\", #{}); leak_check(\"api\", #{ max_slope: \"1MB\" });";
    an_slo_of_a_monitor: "monitor(\"api\", pid(1)); slo(\"a\", #{ monitor: \"apo\", cpu: \"< 80%\" }); slo(\"b\", #{ monitor: \"api\", cpus: \"< 80%\" }); slo(\"c\", #{ monitor: \"api\", rss: \"< 80\" }); slo(\"d\", #{ monitor: \"api\", cpu: \"< 80%\", request: \"x\" });";
    a_goal_without_target: "goal(\"g\", #{ before: \"5 s\" });";
    a_goal_about_no_phase: "goal(\"g\", #{ target: \"< 10s\", phase: \"mian\" });";
    a_goal_whose_figure_is_unknown: "goal(\"g\", #{ target: \"> 80%\", phase: \"main\" }); goal(\"h\", #{ target: \"> 80%\", figure: \"hit_ration\" });";
    a_goal_with_an_unknown_option: "goal(\"g\", #{ befor: \"5 s\", target: \"< 10s\" });";
    a_skip_without_reason: "skip(\"uploads\", \"\");";
    a_skip_of_everything: "skip(\"main\", \"no time\");";
    a_thing_skipped_twice: "skip(\"a\", \"no time\"); skip(\"a\", \"no will\");";
    a_score_that_is_wrong: "score(0); score(10, #{ fail: 1 }); score(10).deduct(-1, \"x\"); score(5).deduct(1, \" \");";
    a_wrong_number_of_arguments: "phase(\"a\").run(get(\"/\")).users();";
    a_url_for_a_path: "let r = get(\"http://example.com/a\");";
    a_path_without_slash: "let r = get(\"items\");";
    a_target_without_scheme: "let t = target(\"127.0.0.1:8080\");";
    two_phases_of_one_name: "phase(\"main\").run(get(\"/\")).users(1).during(1.s);";
    an_option_of_another_load: "phase(\"a\").run(get(\"/\")).rate(5.per_second).during(1.s).think(1.s);";
    an_unknown_choice: "phase(\"a\").run(get(\"/\")).rate(5.per_second).during(1.s).arrivals(\"possion\");";
    a_generator_for_a_name: "let i = int(1, 2); let r = get(\"/\").name(`item ${i}`);";
    an_empty_range: "let i = int(5, 1);";
    arithmetic_on_a_generator: "let i = int(1, 5) + 1.5;";
    an_unknown_status: "let r = get(\"/\").expect(\"ok\");";
    an_unknown_property: "let u = list([#{ email: \"a\" }]); let r = get(`/${u.next().emial}`);";
    a_column_of_the_whole_set: "let u = list([#{ email: \"a\" }]); let r = get(`/${u.email}`);";
    an_error_within_a_function: "fn fast(p) {\n  p.rate(5)\n}\nfast(phase(\"a\").run(get(\"/\")).during(1.s));";
    a_mistake_within_repeat: "phase(\"a\").run(get(\"/\")).repeat([1, 2], |p, n| p.iteration(n));";
    a_percentile_without_quotes: "slo(\"s\", #{ p99.9: \"< 10ms\" });";
    a_word_of_the_run_stage_at_the_top_level: "check(\"there\", true);";
    a_misspelt_key_of_a_map: "let settings = #{ length: 5.s }; let x = settings.lenght;";
    a_module_that_is_not_imported: "let f = flow(\"f\", |vu| check::is_family(vu.get(\"/\"), 2));";
    misspelt_names_in_closures: "flow(\"f\", |vu| {\n  let res = vu.gett(\"/\");\n  chekc(\"ok\", res.jsn(\"a\") == 1);\n  `${res.header(\"a\").too_string()}`\n});";
    an_slo_of_a_repeat_that_does_not_exist: "phase(\"p\").run(get(\"/\")).users(1).repeat([1, 2], |p, n| p.during(n.s));\nslo(\"s\", #{ phase: \"pp\", p95: \"< 10ms\" });";
    control_characters: "let x = env(\"A\u{1b}[31mB\");";
}

#[test]
fn all_mistakes_at_once() {
    insta::assert_snapshot!(mistakes(
        r#"let shop = target("http://127.0.0.1:8080");
let traffic = mix([
    [0, get("/health")],
    [10, get("items")],
]);
phase("a").run(traffic).rate(500).during(30);
phase("b").users(5).burst(0);
phase("c").run(traffic).users(10).rate(5.per_second).during(1.s);
slo("s", #{ phase: "d", p95: "< 10" });
phase("e").run(traffic).user(10);
"#
    ));
}

#[test]
fn the_deepest_script_that_the_limits_allow_does_not_overflow_the_stack() {
    // Each level of recursion lies within expressions about as deep as the engine accepts.
    let depth = EXPR_DEPTH_MAX / 4;
    let text = format!("fn down(n) {{ {}down(n + 1){} }}\ndown(0);", "[1 + ".repeat(depth), "]".repeat(depth));
    let shown = mistakes(&text);
    assert!(shown.contains("calls deep"), "{shown}");
}

#[test]
fn an_empty_script_says_what_is_needed() {
    insta::assert_snapshot!(mistakes("let x = 1;"));
}

#[test]
fn a_script_without_target_says_so() {
    insta::assert_snapshot!(mistakes("phase(\"main\").run(get(\"/\")).users(1).during(1.s);"));
}

#[test]
fn what_follows_from_a_mistake_is_not_another() {
    insta::assert_snapshot!(mistakes(
        r#"let shop = taget("http://127.0.0.1:8080");
import "std/chekc" as check;
let users = csv("no/such.csv").shuffle();
let item = zipf(10_000, 0.99).nxt();
let pause = (10 + item).ms;
let first = users.next().email + 1;
let list = [];
for user in users { list.push(user); }
let traffic = mix([[0, get("/a")], [1, get(`/b/${item}`)], [1, first], [item, get("/c")]]);
phase("a").run(traffic).users(10).during(pause);
phase("b").run(traffic).user(10);
phase("c").run(traffic).users(10).think(pause).during(0.s);
let steady = phase("d").run(post("/x", #{ item: item, pause: [pause] }));
steady.rate(item).during(10.sec);
slo("s", #{ phase: "b", p95: "< 10ms" });
slo("t", #{ phase: "bb", p95: item });
check::status(1);
if item > 5 { shop = 3; }
shop.timeout(5);
"#
    ));
}

#[test]
fn a_mistake_in_a_module_shows_the_way_to_it() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("lib")).expect("made");
    std::fs::write(
        folder.path().join("lib/load.rhai"),
        "fn steady(p, rate) {\n    p.rate(rate).during(1.min)\n}\n\nfn all(p) {\n    steady(p, 500)\n}\n",
    )
    .expect("written");
    let main = folder.path().join("main.rhai");
    std::fs::write(
        &main,
        "import \"lib/load\" as load;\nfn mine(name) {\n    load::all(phase(name).run(get(\"/\")))\n}\n\
         target(\"http://h\");\nmine(\"a\");\nload::stedy(phase(\"b\"), 5);\n",
    )
    .expect("written");
    let error = super::super::load(&main, &super::LoadOptions::default()).map(|_| ()).expect_err("mistakes");
    let shown = error.render(false).replace(&*folder.path().to_string_lossy(), "");
    insta::assert_snapshot!(shown);
}

#[test]
fn a_check_that_nobody_makes_is_no_condition() {
    let script = |check: &str| {
        format!(
            "target(\"http://h\");\nlet page = get(\"/\").check(\"has a title\", |res| res.ok).save(\"id\", \"$.id\");\n\
             phase(\"p\").run(page).users(1).during(1.s);\nslo(\"right\", #{{ \"check:{check}\": \"> 99%\" }});"
        )
    };
    super::loaded(&script("has a title"), |loaded| assert_eq!(loaded.plan.slos.len(), 1));
    super::loaded(&script("saved id"), |loaded| assert_eq!(loaded.plan.slos.len(), 1));
    insta::assert_snapshot!(mistakes(&script("has titel")));
}
