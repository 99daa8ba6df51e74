//! The server of the benchmarks: answers prebuilt bytes from one thread, so that the client is the limit.
//!
//! ```text
//! bench-server [--spin] [ADDRESS]      default 127.0.0.1:0; the first line on stdout is the address it listens on
//! ```
//!
//! With `--spin` it never sleeps. Who sends to a sleeping process pays for waking it, microseconds on a virtual
//! machine: without it, a client that leaves the server idle would be charged for that, and a faster one not.
//!
//! `GET` of `/a`, `/b` and `/c` gives 1 KiB of JSON, `POST` of any of them (with `content-length`) a small object
//! with an `id`; other paths give 404, other methods 405. Requests may arrive in pieces or many at once. It
//! ends when its standard input closes, so it does not outlive the script that started it.

use std::{
    io::{self, Read, Write},
    net::SocketAddr,
    time::Duration,
};

use mio::{
    Events, Interest, Poll, Token,
    net::{TcpListener, TcpStream},
};
use slab::Slab;

/// Bytes read at once; a head that is longer is refused.
const BUFFER_BYTES: usize = 16 << 10;
const HEADERS_MAX: usize = 64;
const BODY_BYTES: usize = 1024;
const LISTENER: Token = Token(usize::MAX);

fn main() -> io::Result<()> {
    let mut address = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut timeout = None;
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--spin" => timeout = Some(Duration::ZERO),
            text => address = text.parse().map_err(io::Error::other)?,
        }
    }
    let mut listener = TcpListener::bind(address)?;
    println!("{}", listener.local_addr()?);
    exit_when_input_closes();

    let mut poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut events = Events::with_capacity(1024);
    let mut connections = Slab::new();
    let answers = Answers::new();
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        match poll.poll(&mut events, timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            other => other?,
        }
        for event in &events {
            if event.token() == LISTENER {
                accept(&listener, &poll, &mut connections)?;
                continue;
            }
            let key = event.token().0;
            let Some(connection): Option<&mut Connection> = connections.get_mut(key) else { continue };
            if let Ok(Next::Wait) = connection.serve(&answers, &mut buffer, event.is_read_closed()) {
                continue;
            }
            connections.remove(key);
        }
    }
}

fn exit_when_input_closes() {
    std::thread::spawn(|| {
        let mut input = io::stdin().lock();
        let mut bytes = [0; 64];
        while matches!(input.read(&mut bytes), Ok(1..)) {}
        std::process::exit(0);
    });
}

/// Takes every connection that waits. A failure to take one (no descriptor left, or gone already) is told,
/// and costs that client alone.
fn accept(listener: &TcpListener, poll: &Poll, connections: &mut Slab<Connection>) -> io::Result<()> {
    loop {
        match listener.accept() {
            Ok((mut stream, _)) => {
                stream.set_nodelay(true)?;
                let entry = connections.vacant_entry();
                let interest = Interest::READABLE | Interest::WRITABLE;
                poll.registry().register(&mut stream, Token(entry.key()), interest)?;
                entry.insert(Connection { stream, requests: Requests::default(), unsent: Vec::new() });
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => {
                eprintln!("bench-server: failed to accept a connection: {error}");
                return Ok(());
            }
        }
    }
}

enum Next {
    Wait,
    Close,
}

struct Connection {
    stream: TcpStream,
    requests: Requests,
    unsent: Vec<u8>,
}

impl Connection {
    /// Answers what can be read now. Events are edge-triggered: it must go on until the socket would block,
    /// which a read that did not fill the buffer tells as well, unless the peer has `closed` its side.
    fn serve(&mut self, answers: &Answers, buffer: &mut [u8], closed: bool) -> io::Result<Next> {
        loop {
            // Requests are read only when all answers are on their way, so `unsent` stays small.
            if !self.unsent.is_empty() && !self.flush()? {
                return Ok(Next::Wait);
            }
            let count = match self.stream.read(buffer) {
                Ok(0) => return Ok(Next::Close),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Next::Wait),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let valid = self.requests.take(&buffer[..count], answers, &mut self.unsent);
            let flushed = self.flush()?;
            if !valid {
                return Ok(Next::Close);
            }
            if !flushed || (count < buffer.len() && !closed) {
                return Ok(Next::Wait);
            }
        }
    }

    /// Sends what is unsent; false if the socket takes no more for now.
    fn flush(&mut self) -> io::Result<bool> {
        let mut sent = 0;
        while sent < self.unsent.len() {
            match self.stream.write(&self.unsent[sent..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => sent += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.unsent.drain(..sent);
        Ok(self.unsent.is_empty())
    }
}

/// The requests of one connection, found in bytes that arrive in any pieces.
#[derive(Default)]
struct Requests {
    /// A head whose end has not arrived.
    partial: Vec<u8>,
    /// Bytes of a request's body that have not arrived.
    body_left: usize,
}

impl Requests {
    /// Appends the answer to each request whose head `bytes` complete; false if they are not HTTP.
    fn take(&mut self, bytes: &[u8], answers: &Answers, out: &mut Vec<u8>) -> bool {
        let joined;
        let mut rest = if self.partial.is_empty() {
            bytes
        } else {
            self.partial.extend_from_slice(bytes);
            joined = std::mem::take(&mut self.partial);
            &joined
        };
        loop {
            let skipped = rest.len().min(self.body_left);
            self.body_left -= skipped;
            rest = &rest[skipped..];
            if rest.is_empty() {
                return true;
            }
            let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
            let mut request = httparse::Request::new(&mut headers);
            let head_bytes = match request.parse(rest) {
                Ok(httparse::Status::Complete(count)) => count,
                Ok(httparse::Status::Partial) if rest.len() < BUFFER_BYTES => {
                    self.partial.extend_from_slice(rest);
                    return true;
                }
                Ok(httparse::Status::Partial) | Err(_) => {
                    out.extend_from_slice(&answers.bad_request);
                    return false;
                }
            };
            let Some(body_bytes) = content_length(request.headers) else {
                out.extend_from_slice(&answers.bad_request);
                return false;
            };
            self.body_left = body_bytes;
            out.extend_from_slice(answers.to(request.method, request.path));
            rest = &rest[head_bytes..];
        }
    }
}

/// The length of a request's body, `None` if it is not plainly told.
fn content_length(headers: &[httparse::Header<'_>]) -> Option<usize> {
    let mut length = 0;
    for header in headers {
        if header.name.eq_ignore_ascii_case("content-length") {
            length = std::str::from_utf8(header.value).ok()?.trim().parse().ok()?;
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            return None;
        }
    }
    Some(length)
}

/// The whole bytes of each answer.
struct Answers {
    get: Vec<u8>,
    post: Vec<u8>,
    not_found: Vec<u8>,
    not_allowed: Vec<u8>,
    bad_request: Vec<u8>,
}

impl Answers {
    fn new() -> Self {
        let frame = r#"{"id":4711,"name":"bench","data":""}"#;
        let padding = "x".repeat(BODY_BYTES - frame.len());
        Self {
            get: answer("200 OK", &format!(r#"{{"id":4711,"name":"bench","data":"{padding}"}}"#)),
            post: answer("201 Created", r#"{"id":4711,"state":"accepted","items":[1,2,3],"total":12.5}"#),
            not_found: answer("404 Not Found", "{}"),
            not_allowed: answer("405 Method Not Allowed", "{}"),
            bad_request: answer("400 Bad Request", "{}"),
        }
    }

    fn to(&self, method: Option<&str>, path: Option<&str>) -> &[u8] {
        let path = path.unwrap_or_default();
        let path = path.split_once('?').map_or(path, |(path, _)| path);
        match (method, path) {
            (Some("GET"), "/a" | "/b" | "/c") => &self.get,
            (Some("POST"), "/a" | "/b" | "/c") => &self.post,
            (Some("GET" | "POST"), _) => &self.not_found,
            _ => &self.not_allowed,
        }
    }
}

fn answer(status: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}")
        .into_bytes()
}
