//! Targets over TLS, from the script to the report.

use loadr::lab::LabOptions;

use crate::harness::{Ended, Program, TestLab};

fn lab() -> TestLab {
    TestLab::with(LabOptions { tls: true, ..LabOptions::default() })
}

/// Runs `script` against the lab, whose authority's certificate lies beside it as `ca.pem`.
fn run(lab: &TestLab, script: &str) -> Ended {
    Program::run_against(script, &lab.url()).file("ca.pem", lab.authority()).run()
}

const EACH: &str = "phase(\"main\").run(get(\"/health\")).users(2).iterations(20);";

#[test]
fn what_was_negotiated_is_reported() {
    let lab = lab();
    let ended = run(&lab, &format!("let shop = target(env(\"TARGET\")).ca(\"ca.pem\").http1();\n{EACH}"));
    ended.expect(0);
    let phase = ended.figures().phase("main");
    assert_eq!((phase.count("ok"), lab.seen()), (20, 20), "{ended}");
    let rows = phase.0["negotiated"].as_array().expect("a list");
    assert_eq!(rows.len(), 1, "{ended}");
    assert_eq!((rows[0]["protocol"].as_str(), rows[0]["tls"].as_str()), (Some("HTTP/1.1"), Some("TLS 1.3")));
    assert_eq!(rows[0]["connections"].as_u64(), Some(phase.count("connections_opened")), "{ended}");
    assert_eq!(phase.0["tls_us"]["count"], phase.0["connections_opened"], "{ended}");
    for part in ["HTTP/1.1 over TLS 1.3", "(TLS_", "TLS p50 "] {
        assert!(ended.stdout.contains(part), "no {part:?} in {ended}");
    }
    assert!(!ended.stdout.contains("NOT VERIFIED"), "{ended}");
    assert_eq!(ended.figures().0["unverified"].as_array().map(Vec::len), Some(0));
}

#[test]
fn the_server_chooses_http2_and_the_script_may_not_want_it() {
    for (word, request, expected) in [
        ("", "", "HTTP/2"),
        (".http2()", "", "HTTP/2"),
        ("", ".http1()", "HTTP/1.1"),
        (".http1()", ".http2()", "HTTP/2"),
    ] {
        let lab = lab();
        let script = format!(
            "let shop = target(env(\"TARGET\")).ca(\"ca.pem\"){word};\n\
             let it = get(\"/health\"){request}.check(\"proto\", |res| res.proto == \"{expected}\");\n\
             phase(\"main\").run(it).users(2).iterations(20);\n\
             slo(\"proto\", #{{ checks: \"== 100%\" }});"
        );
        let ended = run(&lab, &script);
        ended.expect(0);
        let phase = ended.figures().phase("main");
        assert_eq!((phase.count("ok"), lab.seen()), (20, 20), "{ended}");
        assert_eq!(phase.count("connections_opened"), 2, "{ended}");
        let rows = phase.0["negotiated"].as_array().expect("a list");
        assert_eq!((rows.len(), rows[0]["protocol"].as_str()), (1, Some(expected)), "{ended}");
        assert!(ended.stdout.contains(&format!("{expected} over TLS 1.3")), "{ended}");
    }
}

#[test]
fn an_unknown_authority_is_told_before_the_run() {
    let lab = lab();
    let script = format!("let shop = target(env(\"TARGET\"));\n{EACH}");
    let ended = run(&lab, &script);
    assert_eq!((ended.code, lab.seen()), (Some(1), 0), "{ended}");
    for part in ["tls_unknown_ca", "help: ", ".ca(path)", "--no-preflight"] {
        assert!(ended.stderr.contains(part), "no {part:?} in {ended}");
    }
    let ended = Program::run_against(&script, &lab.url()).arg("--no-preflight").run();
    ended.expect(0);
    let row = ended.figures().phase("main").row("GET /health");
    assert_eq!((row.count("ok"), row.error("tls_unknown_ca")), (0, 20), "{ended}");
}

#[test]
fn a_run_that_verified_nothing_says_so() {
    let lab = lab();
    let script = format!("let shop = target(env(\"TARGET\")).insecure();\n{EACH}");
    let forms = ["csv=out.csv", "junit=out.xml", "prometheus=out.prom"].iter().flat_map(|form| ["-o", form]);
    let ended = Program::run_against(&script, &lab.url()).args(forms).run();
    ended.expect(0);
    for (name, part) in [
        ("out.csv", ",tls_unverified,"),
        ("out.csv", ",true,"),
        ("out.xml", "TLS NOT VERIFIED"),
        ("out.prom", "loadr_tls_unverified{target=\"https://127.0.0.1:"),
    ] {
        let text = ended.read(name);
        assert!(text.contains(part), "no {part:?} in {text}");
    }
    assert_eq!(ended.figures().phase("main").count("ok"), 20, "{ended}");
    assert!(ended.stdout.contains("TLS NOT VERIFIED"), "{ended}");
    assert_eq!(ended.figures().0["unverified"][0], format!("{}/", lab.url()));
}

#[test]
fn new_connections_resume_and_need_not() {
    for (word, resumes) in [("", true), (".no_tls_resumption()", false)] {
        let lab = lab();
        let script = format!(
            "let shop = target(env(\"TARGET\")).ca(\"ca.pem\").http1().no_keepalive(){word};\n\
             phase(\"main\").run(get(\"/health\")).users(1).iterations(10);"
        );
        let ended = run(&lab, &script);
        ended.expect(0);
        let row = &ended.figures().phase("main").0["negotiated"][0];
        assert_eq!(row["connections"], 10, "{ended}");
        assert_eq!(row["resumed"], if resumes { 9 } else { 0 }, "{ended}");
    }
}

#[test]
fn a_script_sees_the_handshake() {
    let lab = lab();
    let script = r#"
        let shop = target(env("TARGET")).ca("ca.pem").http1();
        let f = flow("f", |vu| {
            let first = vu.get("/health");
            let second = vu.get("/health");
            check("the first shakes hands", first.timings.tls != () && first.timings.connect != ());
            check("the second does not", second.timings.tls == ());
            check("it is HTTP/1.1", first.proto == "HTTP/1.1");
        });
        phase("main").run(f).users(1).iterations(1);
        slo("all", #{ checks: "== 100%" });
    "#;
    let ended = run(&lab, script);
    ended.expect(0);
    assert!(!ended.stdout.contains("✗ check") && ended.stdout.matches("✓ check").count() == 3, "{ended}");
}

#[test]
fn files_that_are_no_certificates_are_refused_with_their_place() {
    for (word, part) in [
        (".ca(\"no.pem\")", "no such file"),
        (".ca(\"../ca.pem\")", "outside the script's folder"),
        (".ca(\"scenario.rhai\")", "no certificate in PEM"),
        (".client_cert(\"ca.pem\", \"ca.pem\")", "the key: "),
    ] {
        let script = format!("let shop = target(\"https://127.0.0.1:1\"){word};\n{EACH}");
        let ended = Program::run_of(&script).file("ca.pem", lab().authority()).run();
        assert_eq!(ended.code, Some(104), "{ended}");
        assert!(ended.stderr.contains(part) && ended.stderr.contains("scenario.rhai:1:"), "{part:?}: {ended}");
    }
}

#[test]
fn the_lab_says_where_it_listens_and_writes_its_authority() {
    use std::io::{BufRead, BufReader};
    let folder = tempfile::TempDir::new().expect("a folder");
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_loadr"))
        .args(["lab", "--port", "0", "--until-stdin-closes", "--tls-ca", "ca.pem"])
        .current_dir(folder.path())
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("the lab starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("its output")).read_line(&mut line).expect("its first line");
    assert!(line.starts_with("lab listens on https://127.0.0.1:"), "{line}");
    let pem = std::fs::read_to_string(folder.path().join("ca.pem")).expect("a certificate");
    assert!(pem.starts_with("-----BEGIN CERTIFICATE-----"), "{pem}");
    drop(child.stdin.take());
    assert!(child.wait().expect("its end").success());
}
