//! Bodies: what is sent is what the script says, byte by byte.

use std::collections::BTreeMap;

use loadr::lab::LabOptions;
use sha2::{Digest, Sha256};

use crate::harness::{Ended, Program, TestLab};

fn program(script: &str, lab: &TestLab) -> Program {
    Program::run_against(&format!("let shop = target(env(\"TARGET\"));\n{script}"), &lab.url())
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Every check of the phase `main` passed, at least once.
#[track_caller]
fn all_passed(ended: &Ended, names: &[&str]) {
    ended.expect(0);
    for name in names {
        let check = ended.figures().phase("main").check(name);
        let counts = (check["passed"].as_u64().unwrap_or(0), check["failed"].as_u64());
        assert!(counts.0 > 0 && counts.1 == Some(0), "{name}: {ended}");
    }
}

#[test]
fn files_arrive_whole_from_templates_and_closures() {
    let lab = TestLab::start();
    let content: Vec<u8> = (0..240_000_u32).flat_map(|n| (n % 251).to_le_bytes()).collect();
    let hash = sha256(&content);
    let ended = program(
        r#"
        let native = post("/api/upload").multipart(#{ file: file_part("a.bin", file("data/a.bin")), note: "x" })
            .name("native").check("native", |res| res.status == 201 && res.json("size") == 960000
                && res.json("sha256") == env("HASH") && res.json("name") == "a.bin");
        let raw = put("/lab/echo").file("data/a.bin").name("raw").check("raw", |res| res.status == 200);
        let closure = flow("closure", |vu| {
            let parts = #{ note: "y", file: file("data/a.bin") };
            let res = vu.send(post("/api/upload").multipart(parts).name("closure"));
            check("closure", res.json("size") == 960000 && res.json("sha256") == env("HASH") && res.json("name") == "a.bin");
        });
        phase("main").run(mix([[1, native], [1, raw], [1, closure]])).users(2).iterations(12);
        "#,
        &lab,
    )
    .file("data/a.bin", &content)
    .args(["-e", &format!("HASH={hash}")])
    .run();
    all_passed(&ended, &["native", "raw", "closure"]);
    let raw: Vec<_> = lab.arrivals().into_iter().filter(|entry| entry.method == "PUT").collect();
    assert!(raw.len() == 4 && raw.iter().all(|entry| entry.body_bytes == 960_000), "{raw:?}");
}

#[test]
fn drawn_bytes_differ_from_request_to_request_and_not_from_run_to_run() {
    let run = |workers: &str| {
        let lab = TestLab::start();
        let ended = program(
            r#"
            let upload = post("/api/upload").name("upload").multipart([
                ["file", file_part(`a-${int(1, 9)}.wav`, bytes(100.kb), "audio/wav")],
                ["who", fake("name")],
            ]).check("whole", |res| res.status == 201 && res.json("size") == 100_000);
            let inside = flow("inside", |vu| {
                let part = file_part("b.wav", bytes(100.kb));
                check("inside", vu.send(post("/api/upload").multipart(#{ file: part })).json("size") == 100_000);
                check("plain", vu.post("/lab/echo", bytes(1.kib)).ok);
            });
            phase("main").run(mix([[1, upload], [1, inside]])).users(4).iterations(20);
            "#,
            &lab,
        )
        .args(["--seed", "7", "--workers", workers])
        .run();
        all_passed(&ended, &["whole", "inside", "plain"]);
        lab.traffic()
    };
    let traffic: BTreeMap<_, _> = run("1");
    assert_eq!(traffic.len(), 30, "every body is another: {traffic:?}");
    assert_eq!(traffic, run("3"));
}

#[test]
fn the_bytes_of_forms_are_those_of_a_browser() {
    let lab = TestLab::with(LabOptions { log_bodies: true, ..LabOptions::default() });
    let ended = program(
        r#"
        let form = post("/lab/echo?k=form").form([["b", "1 &ü"], ["a", [2, 3]], ["b", true]]);
        let parts = post("/lab/echo?k=parts").multipart([
            ["z", "first"],
            ["a\"b", 5],
            ["doc", file_part("x \"1\".txt", "hello", "text/plain")],
            ["doc", file_part("y.json", "{}")],
        ]);
        let words = post("/lab/echo?k=text").text("plain ü");
        phase("main").run(mix([[1, form], [1, parts], [1, words]])).users(1).iterations(3);
        "#,
        &lab,
    )
    .run();
    ended.expect(0);
    let body = |path: &str| {
        let found = lab.arrivals().into_iter().find(|entry| entry.path.ends_with(path)).expect("a request");
        (found.body.expect("a body").to_string(), found.body_bytes)
    };
    assert_eq!(body("?k=form").0, "b=1%20%26%C3%BC&a=2&a=3&b=true");
    assert_eq!(body("?k=text").0, "plain ü");
    // The lab keeps the start of a body.
    let (parts, bytes) = body("?k=parts");
    let boundary = parts.lines().next().expect("a line").to_owned();
    assert!(boundary.starts_with("--loadr-") && boundary.len() == 32, "{boundary}");
    let expected = [
        "content-disposition: form-data; name=\"z\"\r\n\r\nfirst",
        "content-disposition: form-data; name=\"a%22b\"\r\n\r\n5",
        "content-disposition: form-data; name=\"doc\"; filename=\"x %221%22.txt\"\r\ncontent-type: text/plain\r\n\r\nhello",
        "content-disposition: form-data; name=\"doc\"; filename=\"y.json\"\r\ncontent-type: application/json\r\n\r\n{}",
    ];
    let expected: String = expected.iter().map(|part| format!("{boundary}\r\n{part}\r\n")).collect();
    let expected = format!("{expected}{boundary}--\r\n");
    assert!(expected.starts_with(&parts) && parts.len() >= 250, "{parts}");
    assert_eq!(bytes, expected.len() as u64);
}
