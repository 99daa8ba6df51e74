//! nginx: a server that others wrote, with keep-alive limits of its own.

use std::time::Duration;

use crate::harness::{Ended, Nginx, Program, until};

/// Of each request, what [`Logged`] holds.
const LOG_FORMAT: &str =
    "log_format it '$connection $connection_requests $request_method $request_uri $status $content_length';";

/// A request as nginx logged it.
#[derive(Debug)]
struct Logged {
    connection: u64,
    nth_of_connection: u64,
    method: String,
    path: String,
    status: u16,
    length: u64,
}

/// nginx with a few pages, and these lines in its `http` block.
fn site(settings: &str) -> Nginx {
    Nginx::start(|addr, folder| {
        let files = folder.join("files");
        std::fs::create_dir(&files).expect("a folder");
        std::fs::write(files.join("small.txt"), "hello").expect("room");
        std::fs::write(files.join("large.bin"), vec![b'x'; 1_000_000]).expect("room");
        format!(
            "{LOG_FORMAT}\n\
             gzip off; {settings}\n\
             server {{\n\
               listen {addr}; root {root};\n\
               location = /made {{ return 200 'made'; }}\n\
               location = /moved {{ return 302 /small.txt; }}\n\
               location = /away {{ return 302 http://other.example/; }}\n\
               location = /packed {{ gzip on; gzip_types *; gzip_min_length 1; return 200 'hello hello'; }}\n\
               location = /loop {{ return 302 /loop; }}\n\
               location = /empty {{ return 204; }}\n\
             }}",
            root = files.display()
        )
    })
}

/// Runs a script against a server, and gives its log as well.
fn run(nginx: &Nginx, script: &str) -> (Ended, Vec<Logged>) {
    let ended = Program::run_against(
        &format!("let web = target(env(\"TARGET\"));\n{script}"),
        &format!("http://{}", nginx.addr),
    )
    .run();
    ended.expect(0);
    let reported: u64 = ended.figures().phases().map(|phase| phase.requests()).sum();
    let mut log = Vec::new();
    // A line is written when a request has ended, which the client may know a moment earlier.
    until("nginx to log all", Duration::from_secs(10), || {
        log = requests_of(nginx);
        log.len() as u64 >= reported
    });
    assert_eq!(log.len() as u64, reported, "{ended}");
    (ended, log)
}

/// What a server has logged.
fn requests_of(nginx: &Nginx) -> Vec<Logged> {
    let text = nginx.log();
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole.lines().map(|line| Logged::parse(line).unwrap_or_else(|| panic!("{line}"))).collect()
}

impl Logged {
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        Some(Self {
            connection: words.next()?.parse().ok()?,
            nth_of_connection: words.next()?.parse().ok()?,
            method: words.next()?.to_owned(),
            path: words.next()?.to_owned(),
            status: words.next()?.parse().ok()?,
            length: words.next()?.parse().unwrap_or(0),
        })
    }
}

/// nginx with a certificate for 127.0.0.1 that signs itself: HTTP/2 where `protocols` says so. Gives the certificate.
fn secured(protocols: &str) -> (Nginx, String) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let nginx = Nginx::start(|addr, folder| {
        let path = |name: &str| folder.join(name);
        std::fs::write(path("cert.pem"), &certificate).expect("room");
        std::fs::write(path("key.pem"), &key).expect("room");
        format!(
            "{LOG_FORMAT}\n\
             server {{ listen {addr} ssl {protocols}; ssl_certificate {cert}; ssl_certificate_key {key};\n\
               keepalive_requests 50; location / {{ return 200 'made'; }} }}",
            cert = path("cert.pem").display(),
            key = path("key.pem").display(),
        )
    });
    (nginx, certificate)
}

fn connections(log: &[Logged]) -> usize {
    log.iter().map(|logged| logged.connection).collect::<std::collections::BTreeSet<_>>().len()
}

#[test]
fn users_keep_their_connections() {
    let nginx = site("");
    let (ended, log) = run(&nginx, "phase(\"main\").run(get(\"/small.txt\")).users(4).iterations(400);");
    let phase = ended.figures().phase("main");
    assert_eq!((phase.count("ok"), phase.row("GET /small.txt").status(200)), (400, 400), "{ended}");
    assert_eq!(connections(&log), 4, "one for each user: {ended}");
    assert_eq!(phase.count("connections_opened") + phase.count("connections_reused"), 400, "{ended}");
}

#[test]
fn without_keep_alive_each_request_has_its_own() {
    let nginx = site("");
    let (ended, log) =
        run(&nginx, "web.no_keepalive(); phase(\"main\").run(get(\"/small.txt\")).users(4).iterations(100);");
    assert_eq!((connections(&log), ended.figures().phase("main").count("connections_opened")), (100, 100), "{ended}");
}

#[test]
fn each_method_and_status_is_understood() {
    let nginx = site("");
    let (ended, log) = run(
        &nginx,
        "let rows = [get(\"/small.txt\"), get(\"/large.bin\"), head(\"/large.bin\"), post(\"/made\", #{ a: 1 }),\n\
             get(\"/moved\"), get(\"/empty\"), get(\"/missing\"), get(\"/missing\").name(\"meant\").expect(404)];\n\
         let traffic = mix(rows.map(|row| [1, row]));\n\
         phase(\"main\").run(traffic).users(3).iterations(80);",
    );
    let phase = ended.figures().phase("main");
    for (name, status, is_ok) in [
        ("GET /small.txt", 200, true),
        ("GET /large.bin", 200, true),
        ("HEAD /large.bin", 200, true),
        ("POST /made", 200, true),
        ("GET /moved", 302, true),
        ("GET /empty", 204, true),
        ("GET /missing", 404, false),
        ("meant", 404, true),
    ] {
        let row = phase.row(name);
        assert_eq!((row.status(status), row.count("ok")), (10, if is_ok { 10 } else { 0 }), "{name} {ended}");
    }
    assert_eq!(phase.count("errors"), 10, "{ended}");
    // Whole bodies are read, and none after a HEAD.
    assert!(phase.row("GET /large.bin").count("bytes_received") >= 10_000_000, "{ended}");
    assert!(phase.row("HEAD /large.bin").count("bytes_received") < 10_000, "{ended}");
    assert_eq!(connections(&log), 3, "none of this closes a connection: {ended}");
    let posts: Vec<_> = log.iter().filter(|logged| logged.method == "POST").collect();
    assert!(posts.len() == 10 && posts.iter().all(|logged| logged.path == "/made" && logged.length == 7), "{posts:?}");
}

#[test]
fn a_limit_of_requests_makes_reconnects_and_no_errors() {
    let nginx = site("keepalive_requests 10;");
    let (ended, log) = run(&nginx, "phase(\"main\").run(get(\"/small.txt\")).users(4).iterations(400);");
    let phase = ended.figures().phase("main");
    assert_eq!((phase.count("ok"), phase.count("errors")), (400, 0), "{ended}");
    assert!(log.iter().all(|logged| logged.nth_of_connection <= 10 && logged.status == 200));
    assert!((40..=44).contains(&connections(&log)), "{ended}");
}

/// nginx closes after a second; users come back after one and a half. A connection that was closed meanwhile is
/// seen to be, before anything is sent on it.
#[test]
fn connections_closed_while_idle_are_not_used() {
    let nginx = site("keepalive_timeout 1;");
    let (ended, log) = run(&nginx, "phase(\"main\").run(get(\"/small.txt\")).users(5).each_user(3).think(1500.ms);");
    let phase = ended.figures().phase("main");
    assert_eq!((phase.count("ok"), phase.count("errors")), (15, 0), "{ended}");
    assert_eq!(connections(&log), 15, "{ended}");
}

/// Users come back just as nginx closes: whoever is too late is told apart from other errors.
#[test]
fn a_race_with_the_servers_patience_has_its_own_kind() {
    let nginx = site("keepalive_timeout 1;");
    let ended = Program::run_against(
        "let web = target(env(\"TARGET\"));\n\
         phase(\"main\").run(get(\"/small.txt\")).users(40).each_user(3).pace(1001.ms);",
        &format!("http://{}", nginx.addr),
    )
    .run();
    let phase = ended.figures().phase("main");
    let row = phase.row("GET /small.txt");
    assert_eq!(row.count("ok") + row.error("stale_connection"), 120, "{ended}");
}

/// nginx takes 50 requests of a connection and then says GOAWAY: what it has answered is answered, and a user opens the next.
#[test]
fn http2_over_tls_is_spoken_with_nginx() {
    let (nginx, authority) = secured("http2");
    let run = |words: &str, phase: &str| {
        let script = format!("let web = target(env(\"TARGET\")).ca(\"ca.pem\"){words};\n{phase}");
        let target = format!("https://{}", nginx.addr);
        Program::run_against(&script, &target).file("ca.pem", authority.clone()).run()
    };
    let ended = run("", "phase(\"main\").run(get(\"/\")).users(2).each_user(120);");
    ended.expect(0);
    let phase = ended.figures().phase("main");
    assert_eq!((phase.count("ok"), phase.count("errors")), (240, 0), "{ended}");
    assert_eq!(phase.0["negotiated"][0]["protocol"], "HTTP/2", "{ended}");
    assert!((6..=8).contains(&phase.count("connections_opened")), "{ended}");

    // At the same time on one connection: requests that cross its GOAWAY are told apart from all other errors.
    let ended = run(".connections(1)", "phase(\"main\").run(get(\"/\")).users(10).iterations(500);");
    let row = ended.figures().phase("main").row("GET /");
    assert_eq!(row.count("ok") + row.error("goaway"), 500, "{ended}");
    assert!(row.count("ok") >= 400, "{ended}");

    let (nginx, authority) = secured("");
    let script = "let web = target(env(\"TARGET\")).ca(\"ca.pem\").http2(); phase(\"main\").run(get(\"/\")).users(1).iterations(2);";
    let ended = Program::run_against(script, &format!("https://{}", nginx.addr)).file("ca.pem", authority).run();
    assert_eq!(ended.code, Some(1), "{ended}");
    assert!(ended.stderr.contains("http2_not_spoken") && ended.stderr.contains(".http2()"), "{ended}");
}

/// Whatever a server says: a redirect leads to this machine and to hosts that the script names, and to its end.
#[test]
fn redirects_of_a_server_are_bounded() {
    let nginx = site("");
    let ended = Program::run_against(
        "let web = target(env(\"TARGET\")).redirects(5).compressed();\n\
         let text = get(\"/moved\").name(\"moved\").check(\"whole\", |res| res.body == \"hello\");\n\
         let packed = get(\"/packed\").check(\"packed\", |res| res.header(\"content-encoding\") == \"gzip\")\n\
             .check(\"unpacked\", |res| res.body == \"hello hello\");\n\
         let all = mix([[1, get(\"/away\")], [1, get(\"/loop\")], [1, text], [1, packed]]);\n\
         phase(\"main\").run(all).users(1).iterations(12);\n\
         slo(\"read\", #{ checks: \"== 100%\" });",
        &format!("http://{}", nginx.addr),
    )
    .run();
    let phase = ended.figures().phase("main");
    assert_eq!(phase.row("GET /away").error("target_denied"), 3, "{ended}");
    assert_eq!(phase.row("GET /loop").error("redirect_limit"), 3, "{ended}");
    assert_eq!(phase.row("moved").count("ok"), 3, "{ended}");
    assert!(ended.stdout.contains("other.example") && ended.stdout.contains("✓ check whole"), "{ended}");
}
