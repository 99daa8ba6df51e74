//! Completions, manual, help: made from the command line itself.

use std::process::{Command, Stdio};

use crate::harness::Program;

/// The subcommands that `loadr --help` lists.
fn subcommands() -> Vec<String> {
    let help = Program::new(["--help"]).run().stdout;
    let (_, list) = help.split_once("Commands:\n").expect("a list of commands");
    let lines = list.lines().take_while(|line| !line.is_empty());
    // What a command does may take several lines; only the first starts at the list's indent.
    let first = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names: Vec<String> = first.filter_map(|line| line.split_whitespace().next()).map(ToOwned::to_owned).collect();
    assert!(names.len() > 4, "{names:?}");
    names
}

#[test]
fn completions_know_every_subcommand() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ended = Program::new(["completions", shell]).run();
        assert_eq!((ended.code, &*ended.stderr), (Some(0), ""), "{ended}");
        for name in subcommands() {
            assert!(ended.stdout.contains(&name), "{shell} does not know {name}");
        }
    }
}

#[test]
fn bash_accepts_its_completions_and_completes_with_them() {
    let script = Program::new(["completions", "bash"]).run().stdout;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("loadr.bash");
    std::fs::write(&file, script).expect("room on the disk");
    let check = Command::new("bash").arg("-n").arg(&file).stdin(Stdio::null()).output().expect("bash");
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stderr));
    let ask = format!(
        "source {}; COMP_WORDS=(loadr ch); COMP_CWORD=1; _loadr loadr ch loadr; echo \"${{COMPREPLY[@]}}\"",
        file.display()
    );
    let answer = Command::new("bash").args(["-c", &ask]).stdin(Stdio::null()).output().expect("bash");
    assert_eq!(String::from_utf8_lossy(&answer.stdout).trim(), "check");
}

#[test]
fn the_manual_has_a_page_for_every_subcommand() {
    let folder = tempfile::tempdir().expect("a folder");
    let pages = folder.path().join("man1");
    let ended = Program::new(["man"]).arg(&pages).run();
    assert_eq!((ended.code, &*ended.stdout, &*ended.stderr), (Some(0), "", ""), "{ended}");
    for name in subcommands().iter().filter(|name| *name != "help") {
        let page = std::fs::read_to_string(pages.join(format!("loadr-{name}.1"))).expect("a page");
        assert!(page.contains(".SH SYNOPSIS") && page.contains(&format!("loadr\\-{name}")), "{name}: {page}");
    }
    let ended = Program::new(["man"]).run();
    assert_eq!(ended.code, Some(0), "{ended}");
    assert!(ended.stdout.contains(".TH loadr 1"), "{ended}");
}

#[test]
fn a_manual_that_cannot_be_written_says_so() {
    let ended = Program::new(["man", "taken"]).file("taken", "a file").run();
    assert_eq!(ended.code, Some(1), "{ended}");
    assert!(ended.stderr.starts_with("error: failed to write the manual"), "{ended}");
}

#[test]
fn a_misspelt_subcommand_gets_the_right_one() {
    for (misspelt, right) in
        [("chekc", "check"), ("rnu", "run"), ("complete", "completions"), ("mix.rhai", "run mix.rhai")]
    {
        let ended = Program::new([misspelt]).run();
        assert_eq!(ended.code, Some(2), "{ended}");
        assert!(ended.stderr.contains(&format!("'{right}'")), "{ended}");
    }
}

#[test]
fn every_help_has_examples() {
    for name in subcommands().iter().filter(|name| *name != "help") {
        let ended = Program::new([name.as_str(), "--help"]).run();
        assert_eq!(ended.code, Some(0), "{ended}");
        let (_, examples) = ended.stdout.split_once("Examples:\n").unwrap_or_else(|| panic!("{name} has no examples"));
        assert!(examples.contains(&format!("loadr {name}")), "{name}: {examples}");
    }
    let help = Program::new(["--help"]).run().stdout;
    let (_, examples) = help.split_once("Examples:\n").expect("examples of the most common commands");
    assert!(examples.matches("loadr ").count() >= 5, "{examples}");
}
