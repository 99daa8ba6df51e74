//! `loadr definitions`: files for editors, and nobody else's files lost.

use crate::harness::Program;

#[test]
fn definitions_are_written_and_written_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().join("load");
    for _ in 0..2 {
        let ended = Program::new(["definitions"]).arg(&dir).run();
        assert_eq!((ended.code, &*ended.stderr), (Some(0), ""), "{ended}");
        for name in ["loadr.d.rhai", "std/auth.d.rhai", "std/pages.d.rhai"] {
            assert!(ended.stdout.contains(&dir.join(name).display().to_string()), "{ended}");
            let text = std::fs::read_to_string(dir.join(name)).expect("the file was written");
            assert!(text.starts_with("// Written by `loadr definitions`"), "{name}: {text}");
        }
    }
    let words = std::fs::read_to_string(dir.join("loadr.d.rhai")).expect("the file was written");
    for line in [
        "fn users(phase: Phase, from: int) -> Phase;",
        "fn users(phase: Phase, from: int, to: int) -> Phase;",
        "fn get ok(response: Response) -> bool;",
        "fn check(name: String, passed: bool) -> bool;",
    ] {
        assert!(words.lines().any(|known| known == line), "{line} is missing: {words}");
    }
}

#[test]
fn a_file_of_somebody_else_stays_unless_forced() {
    let folder = tempfile::tempdir().expect("a folder");
    let mine = folder.path().join("std/load.d.rhai");
    std::fs::create_dir(folder.path().join("std")).expect("a folder");
    std::fs::write(&mine, "module;\n").expect("room on the disk");
    let ended = Program::new(["definitions"]).arg(folder.path()).run();
    assert_eq!((ended.code, &*ended.stdout), (Some(1), ""), "{ended}");
    assert!(ended.stderr.contains("load.d.rhai is not one of loadr's; nothing was written"), "{ended}");
    assert!(!folder.path().join("loadr.d.rhai").exists());
    assert_eq!(std::fs::read_to_string(&mine).expect("the file"), "module;\n");
    let ended = Program::new(["definitions", "--force"]).arg(folder.path()).run();
    assert_eq!(ended.code, Some(0), "{ended}");
    assert!(std::fs::read_to_string(&mine).expect("the file").starts_with("// Written by"));
}

#[test]
fn a_folder_that_cannot_be_made_says_so() {
    let ended = Program::new(["definitions", "taken"]).file("taken", "a file").run();
    assert_eq!(ended.code, Some(1), "{ended}");
    assert!(ended.stderr.starts_with("error: failed to "), "{ended}");
}
