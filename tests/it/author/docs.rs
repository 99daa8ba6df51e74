//! `loadr docs`: the reference in the terminal.

use crate::harness::Program;

/// What `loadr docs` prints about something.
fn said(query: &[&str]) -> String {
    let ended = Program::new(["docs"]).args(query).run();
    assert_eq!((ended.code, &*ended.stderr), (Some(0), ""), "{ended}");
    assert!(!ended.stdout.contains('\x1b'), "colours where there is no terminal: {ended}");
    ended.stdout
}

#[test]
fn a_word_is_found_by_name_by_type_and_by_module() {
    let card = said(&["Phase.users"]);
    for part in ["Phase.users(from: int, to?: int) -> Phase", ".users(1, 100)", "top level", "phases.md, Load models"] {
        assert!(card.contains(part), "{part} is missing: {card}");
    }
    assert_eq!(said(&["users"]), card);
    assert_eq!(said(&[".users(5)"]), card);
    let headers = said(&["header"]);
    for signature in ["Target.header(", "Request.header(", "Vu.header(", "Response.header(", "\nheader(name: string)"] {
        assert!(headers.contains(signature), "{signature} is missing: {headers}");
    }
    let module = said(&["std/auth"]);
    assert!(module.contains("auth::login(…)") && module.contains("auth::logout(…)"), "{module}");
    let function = said(&["auth::login"]);
    assert!(
        function.contains("import \"std/auth\" as auth;") && function.contains("Options: `credentials`"),
        "{function}"
    );
    assert!(said(&["stale_connection"]).contains("keep-alive timeout"));
    assert!(said(&["cookie", "jar"]).contains("Vu.clear_cookies"));
}

#[test]
fn the_overview_names_every_word() {
    let overview = said(&[]);
    for word in loadr::script::words() {
        assert!(overview.contains(word.name), "{} is missing: {overview}", word.name);
    }
    assert!(overview.lines().all(|line| line.chars().count() <= 80), "{overview}");
}

#[test]
fn a_misspelt_word_is_a_bad_call_that_is_helped() {
    let ended = Program::new(["docs", "Phase.uesrs"]).run();
    assert_eq!((ended.code, &*ended.stdout), (Some(2), ""), "{ended}");
    assert!(ended.stderr.contains("did you mean `loadr docs Phase.users`?"), "{ended}");
    let ended = Program::new(["docs", "xyzzy\x1b[31m"]).run();
    assert_eq!(ended.code, Some(2), "{ended}");
    assert!(ended.stderr.contains("`loadr docs` lists every word") && !ended.stderr.contains('\x1b'), "{ended}");
}
