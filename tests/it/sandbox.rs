//! What a script cannot do: read what is not its own, evaluate text as code, use up the machine.

use std::{os::unix::fs::symlink, path::Path};

use crate::harness::{Ended, Program, TestLab};

const HEAD: &str = "target(env(\"TARGET\", \"http://127.0.0.1:1\"));\n";
const TAIL: &str = "\nphase(\"main\").run(get(\"/health\")).users(1).iterations(1);";

fn run(folder: &Path, line: &str, more: &[&str]) -> Ended {
    let script = folder.join("own/script.rhai");
    std::fs::write(&script, format!("{HEAD}{line}{TAIL}")).expect("written");
    Program::new(["run", &script.to_string_lossy(), "--no-results"]).args(more).run()
}

/// A folder `own` for the script, and what lies beside it.
fn world() -> tempfile::TempDir {
    let world = tempfile::tempdir().expect("a folder");
    let at = |name: &str| world.path().join(name);
    for folder in ["own", "beside"] {
        std::fs::create_dir(at(folder)).expect("a folder");
    }
    std::fs::write(at("beside/rows.csv"), "a\nTOP SECRET\n").expect("written");
    std::fs::write(at("beside/lib.rhai"), "fn f() { 1 }").expect("written");
    symlink(at("beside/rows.csv"), at("own/link.csv")).expect("a link");
    symlink(at("beside"), at("own/folder")).expect("a link");
    symlink(at("beside/lib.rhai"), at("own/link.rhai")).expect("a link");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        at("own/pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .expect("a pipe");
    world
}

#[test]
fn nothing_outside_of_the_folder_is_read_by_whatever_way() {
    let world = world();
    let absolute = world.path().join("beside/rows.csv");
    let ways = ["link.csv", "folder/rows.csv", "../beside/rows.csv", "../own/../beside/rows.csv"];
    let mut paths: Vec<String> = ways.iter().map(|way| (*way).to_owned()).collect();
    paths.extend([absolute.to_string_lossy().into_owned(), "/etc/passwd".into(), "/dev/zero".into()]);
    for path in &paths {
        for line in [
            format!("csv(\"{path}\");"),
            format!("json(\"{path}\");"),
            format!("let x = post(\"/\").file(\"{path}\");"),
            format!("let x = file_part(\"a\", file(\"{path}\"));"),
        ] {
            let ended = run(world.path(), &line, &[]);
            assert_eq!(ended.code, Some(104), "{line} {ended}");
            assert!(ended.stderr.contains("outside the script's folder"), "{line} {ended}");
            assert!(!ended.stderr.contains("TOP SECRET"), "{line} {ended}");
        }
    }
    for module in ["link", "folder/lib", "../beside/lib"] {
        let ended = run(world.path(), &format!("import \"{module}\" as m;"), &[]);
        assert!(ended.code == Some(104) && ended.stderr.contains("outside the script's folder"), "{module} {ended}");
    }
    // What does not exist outside is refused as what exists, so that a script cannot look around.
    let ended = run(world.path(), "csv(\"../beside/missing.csv\");", &[]);
    assert!(ended.stderr.contains("outside the script's folder"), "{ended}");
}

#[test]
fn a_folder_that_is_allowed_may_be_read_through_links_too() {
    let world = world();
    let lab = TestLab::start();
    let allowed = world.path().join("beside").to_string_lossy().into_owned();
    let target = format!("TARGET={}", lab.url());
    for line in ["csv(\"link.csv\");", "csv(\"../beside/rows.csv\");", "import \"link\" as m;"] {
        run(world.path(), line, &["--allow-read", &allowed, "-e", &target]).expect(0);
    }
}

#[test]
fn what_is_no_file_is_not_waited_for() {
    let world = world();
    for line in ["csv(\"pipe\");", "let x = post(\"/\").file(\"pipe\");"] {
        let ended = run(world.path(), line, &[]);
        assert!(ended.code == Some(104) && ended.stderr.contains("no regular file"), "{line} {ended}");
    }
}

#[test]
fn no_text_is_evaluated_as_code() {
    let world = world();
    for line in [
        "let x = eval(\"1 + 1\");",
        "let x = Fn(\"eval\").call(\"1 + 1\");",
        "let name = \"ev\" + \"al\"; let x = Fn(name).call(\"1 + 1\");",
        "let x = \"1 + 1\".eval();",
        "let f = Fn(\"eval\").curry(\"1 + 1\"); let x = f.call();",
    ] {
        let ended = run(world.path(), &format!("{line}\nthrow `it gave ${{x}}`;"), &[]);
        assert_eq!(ended.code, Some(104), "{line} {ended}");
        assert!(!ended.stderr.contains("it gave 2"), "{line} {ended}");
    }
}

#[test]
fn values_are_bounded_in_closures_as_at_the_top_level() {
    let lab = TestLab::start();
    for (what, line) in [
        ("text", "let text = \"x\"; loop { text += text; }"),
        ("text within a list", "let list = []; loop { let text = \"x\"; text.pad(1000, 'x'); list.push(text); }"),
        ("list", "let list = [0]; loop { list += list; }"),
        ("map", "let map = #{}; let n = 0; loop { map[`k${n}`] = n; n += 1; }"),
        ("blob", "let blob = blob(40_000); loop { blob += blob; }"),
        ("nesting", "let list = []; loop { list = [list, list]; }"),
        ("properties", "let n = 0; loop { vu[`k${n}`] = n; n += 1; }"),
    ] {
        let script = format!(
            "{HEAD}phase(\"main\").run(flow(\"f\", |vu| {{ vu.get(\"/health\"); {line} }})).users(1).iterations(1);"
        );
        let ended = Program::run_against(&script, &lab.url()).run();
        let errors = ended.figures().phase("main").messages("script_errors");
        assert_eq!((ended.code, errors.len()), (Some(107), 1), "{what}: {ended}");
    }
}
