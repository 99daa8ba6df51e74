//! Mistakes on the command line and in scripts, as a user sees them: exit code, standard output and error.
//! Nothing is sent, whatever the mistake.

use std::time::Duration;

use crate::harness::{Ended, Program, TestLab};

/// A right script around a line.
fn with(line: &str) -> String {
    format!(
        "let shop = target(env(\"TARGET\", \"http://127.0.0.1:9\"));\n{line}\n\
         phase(\"main\").run(get(\"/\")).users(1).during(1.s);\n"
    )
}

fn run(script: &str) -> Program {
    Program::new(["run", "mix.rhai"]).file("mix.rhai", script).limit(Duration::from_secs(20))
}

macro_rules! snapshots {
    ($($name:ident: $program:expr;)+) => {
        $(#[test]
        fn $name() {
            let ended = $program.run();
            insta::assert_snapshot!(ended.transcript());
            assert_eq!(ended.stdout, "", "a report is all that goes to standard output");
        })+
    };
}

snapshots! {
    a_missing_script: Program::new(["run", "no-such.rhai"]);
    a_folder_for_a_script: Program::new(["run", "."]);
    a_script_that_is_not_text: Program::new(["run", "mix.rhai"]).file("mix.rhai", b"let x = \"\xff\xfe\";");
    an_empty_script: run("");
    a_script_without_phases: run("let shop = target(\"http://127.0.0.1:9\");");
    a_syntax_error: run(&with("let x = (1 + ;"));
    a_misspelt_method: run(&with("phase(\"a\").run(get(\"/\")).user(10).during(5.s);"));
    all_mistakes_at_once: run(&with(
        "let traffic = mix([[0, get(\"/a\")], [1, get(\"/b\")]]);\n\
         phase(\"b\").run(traffic).rate(0.per_second).during(30);\n\
         phase(\"c\").run(traffic).burst(0);\n\
         slo(\"s\", #{ phase: \"mian\", p95: \"< 10ms\" });\n\
         slo(\"t\", #{ p95: \"< 10\" });\n\
         phase(\"a\").run(traffic).user(10).during(5.s);"
    ));
    env_without_value: run(&with("let token = env(\"API_TOKEN\");"));
    a_csv_that_is_missing: run(&with("let users = csv(\"data/users.csv\");"));
    a_csv_that_is_empty: run(&with("let users = csv(\"users.csv\");")).file("users.csv", "");
    a_csv_without_rows: run(&with("let users = csv(\"users.csv\");")).file("users.csv", "email,name\n");
    a_csv_that_is_ragged: run(&with("let users = csv(\"users.csv\");")).file("users.csv", "email,name\na@b,A\nc@d\n");
    a_csv_that_is_not_text: run(&with("let users = csv(\"users.csv\");")).file("users.csv", b"email\n\xff\xfe\n");
    a_weight_of_zero: run(&with("let traffic = mix([[0, get(\"/a\")], [1, get(\"/b\")]]);"));
    an_slo_about_no_phase: run(&with("slo(\"s\", #{ phase: \"mian\", p95: \"< 10ms\" });"));
    an_unwritable_summary: run(&with("")).args(["--json", "no/such/folder/x.json"]);
    a_target_that_is_no_url: run("let shop = target(\"localhost\");\n\
                                  phase(\"main\").run(get(\"/\")).users(1).during(1.s);");
    a_target_of_another_scheme: run("let shop = target(\"ftp://localhost\");\n\
                                     phase(\"main\").run(get(\"/\")).users(1).during(1.s);");
    a_public_target: run("let shop = target(\"http://192.0.2.1\");\n\
                          phase(\"main\").run(get(\"/\")).users(1).during(1.s);");
    an_import_outside_of_the_folder: Program::new(["run", "inner/mix.rhai"])
        .file("inner/mix.rhai", with("import \"../other\" as other;"))
        .file("other.rhai", "const X = 1;");
    an_endless_loop: run(&with("let n = 0; loop { n += 1; }"));
    a_text_of_500_megabytes: run(&with("let s = \"x\"; s.pad(500_000_000, \"x\");"));
    a_demo_of_a_script_with_a_fixed_target: run("let shop = target(\"http://127.0.0.1:9\");\n\
                                                 phase(\"main\").run(get(\"/\")).users(1).during(1.s);").arg("--demo");
    an_unknown_flag: run(&with("")).arg("--jsno=x");
    a_pair_without_value: run(&with("")).args(["-e", "TARGET"]);
    a_segment_of_nothing: run(&with("")).arg("--segment=3/2");
    no_workers: run(&with("")).arg("--workers=0");
    a_seed_that_is_no_number: run(&with("")).arg("--seed=x");
    no_script: Program::new(["run"]);
    an_unknown_command: Program::new(["rnu"]);
}

#[test]
fn no_command_shows_what_there_is() {
    let ended = Program::new::<&str>([]).run();
    assert_eq!(ended.code, Some(2), "{ended}");
    assert!(ended.stderr.contains("Usage") && ended.stderr.contains("run"), "{ended}");
}

#[test]
fn help_and_version_go_to_standard_output() {
    for arguments in [&["--help"][..], &["--version"], &["run", "--help"], &["lab", "--help"]] {
        let ended = Program::new(arguments).run();
        assert_eq!((ended.code, &*ended.stderr), (Some(0), ""), "{ended}");
        assert!(!ended.stdout.is_empty());
    }
}

#[test]
fn a_reader_that_has_gone_does_not_trouble_help() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let ended = Program::new(["run", "--help"]).start_with(writer.into()).wait();
    assert_eq!(ended.code, Some(0), "{ended}");
}

fn nothing_sent(line: &str, arguments: &[&str]) -> Ended {
    let lab = TestLab::start();
    let ended = Program::run_against(&with(line), &lab.url()).args(arguments).run();
    assert_eq!(lab.seen(), 0, "{ended}");
    ended
}

#[test]
fn mistakes_are_told_before_anything_is_sent() {
    for line in
        ["phase(\"a\").run(get(\"/\")).user(10).during(5.s);", "slo(\"s\", #{ phase: \"mian\", p95: \"< 10ms\" });"]
    {
        let ended = nothing_sent(line, &[]);
        assert_eq!(ended.code, Some(104), "{line}: {ended}");
        assert!(ended.figures.is_none(), "{ended}");
    }
}

#[test]
fn an_output_that_cannot_be_written_is_told_before_anything_is_sent() {
    let lab = TestLab::start();
    let ended = run(&with("")).args(["--json", "."]).arg("-e").arg(format!("TARGET={}", lab.url())).run();
    assert_eq!((ended.code, lab.seen()), (Some(1), 0), "{ended}");
}
