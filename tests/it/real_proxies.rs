//! Proxies that others wrote: tinyproxy between loadr and its target, HAProxy in front of the target.

use std::{
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use loadr::lab::LabOptions;
use tempfile::TempDir;

use crate::harness::{Ended, Program, TestLab, until};

/// Between asking for a free port and taking it, somebody else may take it.
const TRIES: usize = 5;

/// A proxy in a process of its own. Dropped, it is killed.
struct Proxy {
    child: Child,
    addr: SocketAddr,
    _folder: TempDir,
}

impl Proxy {
    /// Starts a program in the foreground; `configure` writes its configuration and gives its arguments.
    fn start(program: &str, configure: impl Fn(SocketAddr, &Path) -> Vec<String>) -> Self {
        (0..TRIES)
            .find_map(|_| Self::try_start(program, &configure))
            .unwrap_or_else(|| panic!("{program} did not start: is it installed?"))
    }

    fn try_start(program: &str, configure: &impl Fn(SocketAddr, &Path) -> Vec<String>) -> Option<Self> {
        let folder = TempDir::new().expect("a folder");
        let addr = {
            let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
            listener.local_addr().expect("its address")
        };
        let arguments = configure(addr, folder.path());
        // Distributions put it where not every user looks.
        let places = [program.to_owned(), format!("/usr/sbin/{program}"), format!("/usr/local/sbin/{program}")];
        let mut child = places.iter().find_map(|place| {
            let mut command = Command::new(place);
            command.args(&arguments).current_dir(folder.path());
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()
        })?;
        let mut has_ended = false;
        until(program, Duration::from_secs(10), || {
            has_ended = child.try_wait().expect("its status").is_some();
            has_ended || TcpStream::connect(addr).is_ok()
        });
        (!has_ended).then_some(Self { child, addr, _folder: folder })
    }

    fn kill(&mut self) {
        self.child.kill().expect("it is still there");
        self.child.wait().expect("its status");
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A forward proxy with further lines of configuration.
fn tinyproxy(lines: &str) -> Proxy {
    Proxy::start("tinyproxy", |addr, folder| {
        let configuration = format!(
            "Listen 127.0.0.1\nPort {}\nTimeout 10\nMaxClients 50\nAllow 127.0.0.1\n\
             LogFile \"{}\"\nLogLevel Connect\n{lines}\n",
            addr.port(),
            folder.join("log").display(),
        );
        let path = folder.join("tinyproxy.conf");
        std::fs::write(&path, configuration.replace("FOLDER", &folder.to_string_lossy())).expect("room");
        std::fs::write(folder.join("filter"), "^127\\.0\\.0\\.1$\n").expect("room");
        vec!["-d".to_owned(), "-c".to_owned(), path.to_string_lossy().into_owned()]
    })
}

fn through(proxy: &str, lab: &TestLab, words: &str) -> Ended {
    let script = format!(
        "let shop = target(env(\"TARGET\")){words}.proxy(\"{proxy}\").timeout(5.s);\n\
         phase(\"main\").run(get(\"/lab/echo?q=1\").name(\"it\").check(\"whole\", |res| res.json(\"query.q\") == \"1\"))\
         .users(2).iterations(20);"
    );
    let program = Program::run_against(&script, &lab.url()).arg("--no-preflight");
    let program = if words.contains(".ca(") { program.file("ca.pem", lab.authority()) } else { program };
    program.run()
}

#[test]
fn requests_and_tunnels_go_through_a_forward_proxy() {
    let proxy = tinyproxy("BasicAuth me secret");
    let url = format!("http://me:secret@{}", proxy.addr);
    let plain = TestLab::start();
    // It closes a connection after the answer without having said so: taken up again at once, that is stale.
    let ended = through(&url, &plain, ".no_keepalive()");
    ended.expect(0);
    assert_eq!((ended.figures().phase("main").count("ok"), plain.seen()), (20, 20), "{ended}");

    let secure = TestLab::with(LabOptions { tls: true, ..LabOptions::default() });
    for (words, protocol) in [(".ca(\"ca.pem\").http1()", "HTTP/1.1"), (".ca(\"ca.pem\")", "HTTP/2")] {
        let ended = through(&url, &secure, words);
        ended.expect(0);
        let phase = ended.figures().phase("main");
        assert_eq!((phase.count("ok"), phase.count("connections_opened")), (20, 2), "{ended}");
        assert_eq!(phase.0["negotiated"][0]["protocol"], protocol, "{ended}");
    }
    assert_eq!(secure.seen(), 40);
}

#[test]
fn channels_go_through_a_forward_proxy() {
    let proxy = tinyproxy("");
    let lab = TestLab::start();
    let script = format!(
        "target(env(\"TARGET\")).proxy(\"http://{}\");\n\
         phase(\"main\").run(flow(\"it\", |vu| {{\n\
           check(\"echo\", vu.websocket(\"/ws/echo\").request(\"x\", 5.s).text == \"x\");\n\
           check(\"event\", vu.events(\"/sse/ticks?count=2&ms=1\").next(5.s).json(\"n\") == 1);\n\
         }})).users(1).iterations(5);",
        proxy.addr
    );
    let ended = Program::run_against(&script, &lab.url()).run();
    ended.expect(0);
    let phase = ended.figures().phase("main");
    assert_eq!((phase.count("ok"), phase.check("echo")["passed"].as_u64()), (5, Some(5)), "{ended}");
    assert_eq!(phase.check("event")["passed"], 5, "{ended}");
}

#[test]
fn a_forward_proxy_that_refuses_is_told_from_the_target() {
    let lab = TestLab::with(LabOptions { tls: true, ..LabOptions::default() });
    let (closed, filtered) =
        (tinyproxy("BasicAuth me secret"), tinyproxy("Filter \"FOLDER/filter\"\nFilterExtended On"));
    for (proxy, kind) in [
        (format!("http://{}", closed.addr), "proxy_auth"),
        // A wrong password it answers by 401, which is no proxy's word: the example has it.
        (format!("http://me:wrong@{}", closed.addr), "proxy_refused"),
        (format!("http://{}", filtered.addr), "proxy_refused"),
    ] {
        let ended = through(&proxy, &lab, ".ca(\"ca.pem\")");
        let row = ended.figures().phase("main").row("it");
        assert_eq!(row.error(kind), 20, "{proxy}: {ended}");
    }
    assert_eq!(lab.seen(), 0);
    // In the clear its refusal is an answer: nothing tells it from the target's own.
    let plain = TestLab::start();
    let ended = through(&format!("http://{}", filtered.addr), &plain, "");
    let row = ended.figures().phase("main").row("it");
    assert_eq!((row.error("failed_status"), plain.seen()), (20, 0), "{ended}");
    let ended = through(&format!("http://{}", closed.addr), &plain, "");
    assert_eq!((ended.figures().phase("main").row("it").error("proxy_auth"), plain.seen()), (20, 0), "{ended}");
}

#[test]
fn a_forward_proxy_that_dies_in_mid_run_is_reported_and_not_waited_for() {
    let mut proxy = tinyproxy("");
    let lab = TestLab::start();
    let script = format!(
        "target(env(\"TARGET\")).proxy(\"http://{}\").timeout(2.s);\n\
         phase(\"steady\").run(get(\"/health\")).rate(100.per_second).during(3.s);",
        proxy.addr
    );
    let running = Program::run_against(&script, &lab.url()).limit(Duration::from_secs(30)).start();
    until("the 50th request", Duration::from_secs(20), || lab.seen() >= 50);
    proxy.kill();
    let ended = running.wait();
    let row = ended.figures().phase("steady").row("GET /health");
    assert_eq!(row.count("offered"), 300, "the plan goes on: {ended}");
    assert!(row.count("ok") >= 45 && row.error("proxy_unreachable") > 0, "{ended}");
}

/// HAProxy in front of the lab and of backends that are down, slow, broken or full, in the clear and over TLS.
fn haproxy(lab: &TestLab, certificate: Option<&str>) -> Proxy {
    let address = |url: String| url.trim_start_matches("http://").to_owned();
    let (good, bad) = (address(lab.url()), address(lab.misbehaving_url()));
    Proxy::start("haproxy", |addr, folder| {
        let secure = certificate.map_or_else(String::new, |pem| {
            std::fs::write(folder.join("site.pem"), pem).expect("room");
            format!(" ssl crt {} alpn h2,http/1.1", folder.join("site.pem").display())
        });
        let configuration = format!(
            "global\n  maxconn 500\n\
             defaults\n  mode http\n  timeout connect 2s\n  timeout client 10s\n  timeout server 300ms\n  timeout queue 100ms\n\
             frontend site\n  bind {addr}{secure}\n\
             \x20 use_backend down if {{ path_beg /down }}\n  use_backend bad if {{ path_beg /garbage /close /reset }}\n\
             \x20 use_backend full if {{ path_beg /lab/fixed }} {{ url_param(full) -m found }}\n  default_backend lab\n\
             backend lab\n  server lab {good}\n\
             backend down\n  server down 127.0.0.1:1\n\
             backend bad\n  server bad {bad}\n\
             backend full\n  server lab {good} maxconn 1\n"
        );
        let path = folder.join("haproxy.cfg");
        std::fs::write(&path, configuration).expect("room");
        vec!["-db".to_owned(), "-q".to_owned(), "-f".to_owned(), path.to_string_lossy().into_owned()]
    })
}

#[test]
fn what_a_front_answers_for_its_backends_is_counted_by_status() {
    let lab = TestLab::start();
    let front = haproxy(&lab, None);
    for (path, status) in [
        ("/health", 200),
        ("/down", 503),
        ("/garbage", 502),
        ("/close", 502),
        ("/reset", 502),
        ("/lab/fixed?ms=2000", 504),
    ] {
        let script = format!(
            "target(env(\"TARGET\")).timeout(8.s).no_keepalive(); phase(\"main\").run(get(\"{path}\").name(\"it\")).users(2).iterations(4);"
        );
        let ended = Program::run_against(&script, &format!("http://{}", front.addr)).arg("--no-preflight").run();
        let row = ended.figures().phase("main").row("it");
        assert_eq!(row.0["status"][status.to_string()], 4, "{path}: {ended}");
        let failed = if status == 200 { 0 } else { 4 };
        assert_eq!(row.error("failed_status"), failed, "{path}: {ended}");
    }
}

/// One request at a time is let through; who waits longer than the front's patience gets a 503, and the others are slower
/// by their wait.
#[test]
fn a_front_that_queues_shows_as_time_and_as_refusals() {
    let lab = TestLab::start();
    let front = haproxy(&lab, None);
    let script = r#"
        target(env("TARGET"));
        phase("main").run(get("/lab/fixed?ms=60&full=1").name("it")).users(8).iterations(40);
    "#;
    let ended = Program::run_against(script, &format!("http://{}", front.addr)).arg("--no-preflight").run();
    let row = ended.figures().phase("main").row("it");
    assert_eq!(row.count("ok") + row.error("failed_status"), 40, "{ended}");
    assert!(row.count("ok") > 0 && row.0["status"]["503"].as_u64() > Some(0), "{ended}");
    assert!(row.ms("service_us", "max") >= 100.0, "who waited shows it: {ended}");
}

#[test]
fn tls_that_ends_at_a_front_is_spoken_in_both_versions() {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let lab = TestLab::start();
    let front = haproxy(&lab, Some(&format!("{certificate}{key}")));
    for (words, protocol) in [("", "HTTP/2"), (".http1()", "HTTP/1.1")] {
        let script = format!(
            "target(env(\"TARGET\")).ca(\"ca.pem\"){words};\n\
             phase(\"main\").run(get(\"/api/items/1\").name(\"it\")).users(3).iterations(60);"
        );
        let program = Program::run_against(&script, &format!("https://{}", front.addr)).file("ca.pem", &certificate);
        let ended = program.run();
        ended.expect(0);
        let phase = ended.figures().phase("main");
        assert_eq!((phase.count("ok"), phase.count("connections_opened")), (60, 3), "{ended}");
        assert_eq!(phase.0["negotiated"][0]["protocol"], protocol, "{ended}");
    }
    let script = "target(env(\"TARGET\")).ca(\"ca.pem\"); phase(\"main\").run(flow(\"it\", |vu| { \
                  check(\"echo\", vu.websocket(\"/ws/echo\").request(\"x\", 5.s).text == \"x\"); })).users(1).iterations(5);";
    let ended = Program::run_against(script, &format!("https://{}", front.addr)).file("ca.pem", &certificate).run();
    assert_eq!(ended.figures().phase("main").check("echo")["passed"], 5, "{ended}");
}
