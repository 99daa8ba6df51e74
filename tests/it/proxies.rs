//! Targets behind proxies: a small one of ours for each kind, which counts what it was asked for.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use loadr::lab::LabOptions;

use crate::harness::{Ended, Program, TestLab, dead_addr};

/// A proxy on loopback, until the test's process ends.
struct TestProxy {
    addr: SocketAddr,
    /// What each connection asked for first: a request line, or a SOCKS address.
    asked: Arc<Mutex<Vec<String>>>,
}

impl TestProxy {
    fn start(serve: impl Fn(TcpStream, &Mutex<Vec<String>>) -> std::io::Result<()> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let addr = listener.local_addr().expect("its address");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (serve, log) = (Arc::new(serve), asked.clone());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (serve, log) = (serve.clone(), log.clone());
                // Ends with its connection; what breaks it off is the client's to tell.
                thread::spawn(move || serve(stream, &log));
            }
        });
        Self { addr, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no panic").clone()
    }
}

/// Carries bytes both ways until both sides have ended.
fn join(one: &TcpStream, other: &TcpStream) -> std::io::Result<()> {
    let (mut from, mut to) = (one.try_clone()?, other.try_clone()?);
    let back = thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
    let (mut from, mut to) = (other.try_clone()?, one.try_clone()?);
    let _ = std::io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
    let _ = back.join();
    Ok(())
}

fn head(stream: &mut TcpStream) -> std::io::Result<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

/// An HTTP proxy: tunnels, and requests with whole addresses, of which it logs the lines. `login` is the base64 of what
/// it wants to hear; it answers CONNECT by `refusal` where there is one.
fn http_proxy(login: Option<&'static str>, refusal: Option<&'static str>) -> TestProxy {
    TestProxy::start(move |mut stream, asked| {
        loop {
            let head = head(&mut stream)?;
            let line = head.lines().next().unwrap_or_default().to_owned();
            asked.lock().expect("no panic").push(line.clone());
            if login.is_some_and(|login| !head.contains(&format!("proxy-authorization: Basic {login}\r\n"))) {
                stream.write_all(
                    b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n",
                )?;
                continue;
            }
            let mut words = line.split(' ');
            let (method, to) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            if method == "CONNECT" {
                if let Some(refusal) = refusal {
                    return stream.write_all(refusal.as_bytes());
                }
                let server = TcpStream::connect(to)?;
                stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
                return join(&stream, &server);
            }
            let rest = to.strip_prefix("http://").unwrap_or_default();
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            let mut server = TcpStream::connect(authority)?;
            let forwarded = head.replacen(to, path, 1).replacen("\r\n", "\r\nconnection: close\r\n", 1);
            server.write_all(forwarded.as_bytes())?;
            let mut answer = Vec::new();
            server.read_to_end(&mut answer)?;
            let answer = String::from_utf8_lossy(&answer).replace("connection: close\r\n", "");
            stream.write_all(answer.as_bytes())?;
        }
    })
}

/// A SOCKS5 proxy (RFC 1928, RFC 1929) that gives this reply.
fn socks_proxy(login: Option<(&'static str, &'static str)>, reply: u8) -> TestProxy {
    TestProxy::start(move |mut stream, asked| {
        let mut two = [0; 2];
        stream.read_exact(&mut two)?;
        let mut methods = vec![0; usize::from(two[1])];
        stream.read_exact(&mut methods)?;
        let method = if login.is_some() { 2 } else { 0 };
        if !methods.contains(&method) {
            return stream.write_all(&[5, 0xff]);
        }
        stream.write_all(&[5, method])?;
        if let Some((user, password)) = login {
            let mut said = Vec::new();
            stream.read_exact(&mut two[..1])?;
            for _ in 0..2 {
                stream.read_exact(&mut two[..1])?;
                let mut text = vec![0; usize::from(two[0])];
                stream.read_exact(&mut text)?;
                said.push(String::from_utf8_lossy(&text).into_owned());
            }
            let is_known = said == [user, password];
            stream.write_all(&[1, u8::from(!is_known)])?;
            if !is_known {
                return Ok(());
            }
        }
        let mut four = [0; 4];
        stream.read_exact(&mut four)?;
        let host = if four[3] == 3 {
            stream.read_exact(&mut two[..1])?;
            let mut name = vec![0; usize::from(two[0])];
            stream.read_exact(&mut name)?;
            String::from_utf8_lossy(&name).into_owned()
        } else {
            let mut address = [0; 4];
            stream.read_exact(&mut address)?;
            std::net::Ipv4Addr::from(address).to_string()
        };
        stream.read_exact(&mut two)?;
        let port = u16::from_be_bytes(two);
        asked.lock().expect("no panic").push(host.clone());
        stream.write_all(&[5, reply, 0, 1, 0, 0, 0, 0, 0, 0])?;
        if reply != 0 {
            return Ok(());
        }
        let server = TcpStream::connect((host.as_str(), port))?;
        join(&stream, &server)
    })
}

fn run(lab: &TestLab, url: &str, words: &str) -> Ended {
    let script = format!(
        "let shop = target(env(\"TARGET\")){words};\n\
         let it = get(\"/lab/echo?q=1\").name(\"it\").check(\"whole\", |res| res.json(\"path\") == \"/lab/echo\");\n\
         phase(\"main\").run(it).users(2).iterations(20);"
    );
    let program = Program::run_against(&script, url);
    let program = if url.starts_with("https") { program.file("ca.pem", lab.authority()) } else { program };
    // A proxy of the environment would be one that the script does not know of.
    program.env("http_proxy", "http://127.0.0.1:1").env("ALL_PROXY", "socks5://127.0.0.1:1").run()
}

fn secured() -> TestLab {
    TestLab::with(LabOptions { tls: true, ..LabOptions::default() })
}

#[test]
fn an_http_proxy_is_asked_for_whole_addresses_and_for_tunnels() {
    // me:pw
    let proxy = http_proxy(Some("bWU6cHc="), None);
    let lab = TestLab::start();
    let ended = run(&lab, &lab.url(), &format!(".proxy(\"http://me:pw@{}\")", proxy.addr));
    ended.expect(0);
    assert_eq!((ended.figures().phase("main").count("ok"), lab.seen(), proxy.asked().len()), (20, 20, 20), "{ended}");
    let expected = format!("GET {}/lab/echo?q=1 HTTP/1.1", lab.url());
    assert!(proxy.asked().iter().all(|line| *line == expected), "{:?}", proxy.asked());
    assert_eq!(ended.figures().phase("main").count("connections_opened"), 2, "{ended}");

    let proxy = http_proxy(Some("bWU6cHc="), None);
    let lab = secured();
    for (words, protocol) in [(".http1()", "HTTP/1.1"), ("", "HTTP/2")] {
        let words = format!(".ca(\"ca.pem\"){words}.proxy(\"http://me:pw@{}\")", proxy.addr);
        let ended = run(&lab, &lab.url(), &words);
        ended.expect(0);
        let phase = ended.figures().phase("main");
        assert_eq!((phase.count("ok"), phase.count("connections_opened")), (20, 2), "{ended}");
        assert_eq!(phase.0["negotiated"][0]["protocol"], protocol, "{ended}");
    }
    let expected = format!("CONNECT {} HTTP/1.1", lab.url().trim_start_matches("https://"));
    assert!(proxy.asked().iter().all(|line| *line == expected), "{:?}", proxy.asked());
}

#[test]
fn a_socks_proxy_is_asked_for_an_address_or_a_name() {
    let lab = TestLab::start();
    let named = lab.url().replace("127.0.0.1", "localhost");
    for (scheme, login, expected) in
        [("socks5", None, "127.0.0.1"), ("socks5h", None, "localhost"), ("socks5", Some(("me", "p@w")), "127.0.0.1")]
    {
        let proxy = socks_proxy(login, 0);
        let user = if login.is_some() { "me:p%40w@" } else { "" };
        let ended = run(&lab, &named, &format!(".proxy(\"{scheme}://{user}{}\")", proxy.addr));
        ended.expect(0);
        assert_eq!(ended.figures().phase("main").count("ok"), 20, "{ended}");
        let asked = proxy.asked();
        // One is the preflight's.
        assert!(asked.len() == 3 && asked.iter().all(|host| host == expected), "{asked:?}");
    }
}

#[test]
fn a_proxys_failures_are_its_own() {
    let (plain, secure) = (TestLab::start(), secured());
    let dead = dead_addr();
    let refusing = |answer| http_proxy(None, Some(answer)).addr;
    for (lab, proxy, kind, part) in [
        (&plain, format!("http://{dead}"), "proxy_unreachable", "the HTTP proxy 127.0.0.1:"),
        (&plain, format!("socks5://{dead}"), "proxy_unreachable", "the SOCKS5 proxy 127.0.0.1:"),
        (&plain, format!("http://{}", http_proxy(Some("x"), None).addr), "proxy_auth", "wants a user"),
        (&secure, format!("http://me:pw@{}", http_proxy(Some("x"), None).addr), "proxy_auth", "does not accept"),
        (&plain, format!("socks5://{}", socks_proxy(Some(("me", "pw")), 0).addr), "proxy_auth", "wants a user"),
        (
            &plain,
            format!("socks5://me:no@{}", socks_proxy(Some(("me", "pw")), 0).addr),
            "proxy_auth",
            "does not accept",
        ),
        (
            &secure,
            format!("http://{}", refusing("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")),
            "proxy_refused",
            "502 Bad Gateway",
        ),
        (&secure, format!("http://{}", refusing("")), "proxy_refused", "closed"),
        (&secure, format!("http://{}", refusing("SSH-2.0-OpenSSH\r\n")), "proxy_protocol", ""),
        (&plain, format!("socks5://{}", socks_proxy(None, 5).addr), "proxy_refused", "refused"),
    ] {
        let words = if lab.url().starts_with("https") { ".ca(\"ca.pem\")" } else { "" };
        let script = format!(
            "let shop = target(env(\"TARGET\")){words}.proxy(\"{proxy}\").timeout(2.s);\n\
             phase(\"main\").run(get(\"/health\")).users(1).iterations(3);"
        );
        let program = Program::run_against(&script, &lab.url());
        let program = if words.is_empty() { program } else { program.file("ca.pem", lab.authority()) };
        let ended = program.arg("--no-preflight").run();
        let row = ended.figures().phase("main").row("GET /health");
        let errors = row.errors();
        assert!(errors.len() == 1 && errors[0].0.starts_with(kind) && errors[0].1 == 3, "{proxy}: {ended}");
        // The example is wrapped.
        let said = ended.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains(part), "no {part:?} in {ended}");
        assert!(!ended.to_string().contains("me:pw@"), "{ended}");
    }
    assert_eq!((plain.seen(), secure.seen()), (0, 0));
}

#[test]
fn a_proxy_that_does_not_work_is_told_before_the_run() {
    let lab = TestLab::start();
    let proxy = socks_proxy(None, 4);
    let ended = run(&lab, &lab.url(), &format!(".proxy(\"socks5://{}\")", proxy.addr));
    assert_eq!((ended.code, lab.seen()), (Some(1), 0), "{ended}");
    for part in ["not reached through the SOCKS5 proxy", "proxy_refused", "host unreachable", "--no-preflight"] {
        assert!(ended.stderr.contains(part), "no {part:?} in {ended}");
    }
}

#[test]
fn addresses_that_are_no_proxys_are_refused_with_their_place() {
    for (words, part) in [
        (".proxy(\"https://127.0.0.1:1\")", "its scheme is `https`"),
        (".proxy(\"127.0.0.1:3128\")", "not a proxy's"),
        (".resolve(\"shop.test\", \"127.0.0.1\").proxy(\"http://127.0.0.1:1\")", "the proxy resolves it itself"),
    ] {
        let script = format!(
            "let shop = target(\"http://shop.test\"){words};\nphase(\"main\").run(get(\"/\")).users(1).iterations(1);"
        );
        let ended = Program::run_of(&script).run();
        assert_eq!(ended.code, Some(104), "{ended}");
        assert!(ended.stderr.contains(part) && ended.stderr.contains("scenario.rhai:1:"), "{part:?}: {ended}");
    }
}

/// What a proxy resolves cannot be seen from here: a name without an address here must be allowed.
#[test]
fn names_that_only_the_proxy_knows_must_be_allowed() {
    let proxy = socks_proxy(None, 4);
    let words = format!(".proxy(\"socks5h://{}\")", proxy.addr);
    let script = format!(
        "let shop = target(\"http://shop.invalid\"){words};\nphase(\"main\").run(get(\"/\")).users(1).iterations(2);"
    );
    for (allow, kind, asked) in [(false, "target_denied", 0), (true, "proxy_refused", 2)] {
        let mut program = Program::run_of(&script).arg("--no-preflight");
        if allow {
            program = program.arg("--allow-target").arg("shop.invalid");
        }
        let ended = program.run();
        assert_eq!(ended.figures().phase("main").row("GET /").error(kind), 2, "{ended}");
        assert_eq!(proxy.asked(), vec!["shop.invalid"; asked], "{ended}");
    }
}
