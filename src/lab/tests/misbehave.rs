use std::io;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::*;
use crate::lab::misbehave::MISBEHAVIOURS;

/// What a raw client must see for a path.
#[derive(Debug, Clone, Copy)]
enum Seen {
    /// These bytes at the start, these at the end, this many in all; then the end of the stream.
    Whole(&'static [u8], &'static [u8], usize),
    /// A reset.
    Reset,
    /// Silence, for as long as the test cares to look.
    Silence,
    /// These bytes at the start, and no end of the stream.
    Begun(&'static [u8]),
    /// A valid answer, and another one to a second request on the same connection.
    Served(&'static [u8]),
}

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

const EXPECTED: &[(&str, Seen)] = &[
    ("/close", Seen::Whole(b"", b"", 0)),
    ("/reset", Seen::Reset),
    ("/half-head", Seen::Whole(b"HTTP/1.1 200", b"Content-Le", 27)),
    ("/truncated-body", Seen::Whole(b"HTTP/1.1 200", b"\r\n\r\n0123456789", 50)),
    ("/truncated-chunk", Seen::Whole(b"HTTP/1.1 200", b"\r\n64\r\n0123456789", 61)),
    ("/bad-chunk", Seen::Whole(b"HTTP/1.1 200", b"\r\nzz\r\nhello\r\n0\r\n\r\n", 63)),
    ("/garbage", Seen::Whole(b"\x16\x03\x01", b"\xff\xfe\r\n\r\n", 28)),
    ("/huge-head", Seen::Whole(b"HTTP/1.1 200 OK\r\nX-Huge: xxx", b"xxx\r\n\r\n", (1 << 20) + 29)),
    ("/endless-body", Seen::Whole(b"HTTP/1.1 200 OK\r\n\r\nxxx", b"xxx", (64 << 20) + 19)),
    ("/double-length", Seen::Whole(b"HTTP/1.1 200", b"hello", 62)),
    ("/one-byte", Seen::Served(OK)),
    (
        "/early-hints",
        Seen::Served(
            b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        ),
    ),
    ("/no-length", Seen::Whole(b"HTTP/1.1 200 OK\r\n\r\n", b"until the end", 32)),
    ("/never", Seen::Silence),
    ("/close-after", Seen::Whole(b"HTTP/1.1 200 OK\r\nConnection: keep-alive", b"ok", 64)),
    ("/slow", Seen::Served(OK)),
    ("/ws/reset", Seen::Reset),
    ("/ws/gone", Seen::Whole(b"HTTP/1.1 101 Switching", b"\x81\x7e\x01\x00half", 137)),
    ("/ws/not-utf-8", Seen::Begun(b"HTTP/1.1 101 Switching")),
    ("/ws/huge", Seen::Begun(b"HTTP/1.1 101 Switching")),
    ("/ws/nonsense", Seen::Begun(b"HTTP/1.1 101 Switching")),
    ("/ws/never", Seen::Begun(b"HTTP/1.1 101 Switching")),
    ("/ws/wrong-key", Seen::Begun(b"HTTP/1.1 101 Switching")),
    ("/sse/truncated", Seen::Whole(b"HTTP/1.1 200", b"data: 2", 105)),
    ("/sse/reset", Seen::Reset),
    ("/sse/endless-line", Seen::Whole(b"HTTP/1.1 200", b"xxx", (16 << 20) + 58)),
];

async fn ask(stream: &mut TcpStream, path: &str) {
    let request = format!("GET {path}?ms=1 HTTP/1.1\r\nHost: lab\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("it is listening");
}

async fn read_exactly(stream: &mut TcpStream, expected: &[u8], path: &str) {
    let mut seen = vec![0; expected.len()];
    stream.read_exact(&mut seen).await.unwrap_or_else(|error| panic!("{path}: {error}"));
    assert_eq!(String::from_utf8_lossy(&seen), String::from_utf8_lossy(expected), "{path}");
}

#[tokio::test]
async fn each_row_does_what_it_says() {
    let bench = start().await;
    let rows: Vec<_> = MISBEHAVIOURS.iter().map(|row| row.path).collect();
    assert_eq!(rows, EXPECTED.iter().map(|(path, _)| *path).collect::<Vec<_>>());
    for (path, seen) in EXPECTED {
        let mut stream = TcpStream::connect(bench.lab.misbehaving_addr()).await.expect("it is listening");
        ask(&mut stream, path).await;
        match seen {
            Seen::Whole(start, end, length) => {
                let mut bytes = Vec::new();
                stream.read_to_end(&mut bytes).await.unwrap_or_else(|error| panic!("{path}: {error}"));
                assert!(bytes.starts_with(start) && bytes.ends_with(end), "{path} is not as expected");
                assert_eq!(bytes.len(), *length, "{path}");
            }
            Seen::Reset => {
                let error = stream.read_to_end(&mut Vec::new()).await.expect_err("a reset");
                assert_eq!(error.kind(), io::ErrorKind::ConnectionReset, "{path}");
            }
            Seen::Silence => {
                let read = tokio::time::timeout(std::time::Duration::from_millis(50), stream.read_u8()).await;
                assert!(read.is_err(), "{path} said {read:?}");
            }
            Seen::Begun(start) => read_exactly(&mut stream, start, path).await,
            Seen::Served(answer) => {
                read_exactly(&mut stream, answer, path).await;
                ask(&mut stream, path).await;
                read_exactly(&mut stream, answer, path).await;
            }
        }
    }
}

#[tokio::test]
async fn an_unknown_path_is_told_and_a_flood_is_cut_off() {
    let bench = start().await;
    let mut stream = TcpStream::connect(bench.lab.misbehaving_addr()).await.expect("it is listening");
    ask(&mut stream, "/nowhere").await;
    read_exactly(&mut stream, b"HTTP/1.1 404 Not Found", "/nowhere").await;
    let mut flood = TcpStream::connect(bench.lab.misbehaving_addr()).await.expect("it is listening");
    // Whether the write or the read sees the end first is the kernel's choice.
    let _ = flood.write_all(&vec![b'x'; 1 << 20]).await;
    assert!(matches!(flood.read_u8().await, Err(error) if error.kind() != io::ErrorKind::WouldBlock));
}
