//! A server that breaks the rules of HTTP, byte by byte as told: what a client must survive, and report
//! for what it is. It listens on a port of its own, for no HTTP library would send such bytes.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::accept;

/// The longest head of a request that is read.
const HEAD_MAX: usize = 64 << 10;
/// Connections served at once; more wait to be accepted.
const CONNECTIONS_MAX: usize = 4_096;
/// How long a peer that is never answered is waited for.
const PATIENCE: Duration = Duration::from_secs(600);
/// A body without end does end: here.
const ENDLESS_MAX: usize = 64 << 20;

/// A row of the table: a path and what happens to who asks for it.
#[derive(Debug)]
pub(super) struct Misbehaviour {
    /// The path, without query.
    pub(super) path: &'static str,
    /// What it does, in a line.
    pub(super) doc: &'static str,
    /// Step by step.
    steps: &'static [Step],
    /// And after the last step.
    end: End,
}

/// One thing done to a connection.
#[derive(Debug)]
enum Step {
    /// These bytes, at once.
    Send(&'static [u8]),
    /// These bytes, each in a segment of its own, a millisecond apart.
    SendBytewise(&'static [u8]),
    /// A piece again and again.
    Repeat { piece: &'static [u8], times: usize },
    /// Nothing, for as long as the query says: `ms=…`, at most ten minutes.
    Pause,
    /// The upgrade to a WebSocket that the request asks for.
    Upgrade,
}

/// How a connection ends.
#[derive(Debug)]
enum End {
    /// Closed in good order (FIN).
    Close,
    /// Torn down (RST).
    Reset,
    /// Left open without a word until the peer closes it.
    Hold,
    /// The next request is served: the answer was a valid one.
    KeepAlive,
}

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const SWITCHING: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n";
const STREAM: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
const FILLER: [u8; 16 << 10] = [b'x'; 16 << 10];

use End::{Close, Hold, KeepAlive, Reset};
use Step::{Pause, Repeat, Send, SendBytewise, Upgrade};

/// All that the server can do wrong, and a few things that are right but unusual.
pub(super) const MISBEHAVIOURS: &[Misbehaviour] = &[
    Misbehaviour { path: "/close", doc: "closes without an answer", steps: &[], end: Close },
    Misbehaviour { path: "/reset", doc: "resets the connection (RST)", steps: &[], end: Reset },
    Misbehaviour {
        path: "/half-head",
        doc: "closes in the middle of a header",
        steps: &[Send(b"HTTP/1.1 200 OK\r\nContent-Le")],
        end: Close,
    },
    Misbehaviour {
        path: "/truncated-body",
        doc: "announces 100 bytes and closes after 10",
        steps: &[Send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789")],
        end: Close,
    },
    Misbehaviour {
        path: "/truncated-chunk",
        doc: "closes in the middle of a chunk",
        steps: &[Send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\n0123456789")],
        end: Close,
    },
    Misbehaviour {
        path: "/bad-chunk",
        doc: "sends a chunk whose size is no number",
        steps: &[Send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n")],
        end: Close,
    },
    Misbehaviour {
        path: "/garbage",
        doc: "answers with bytes that are not HTTP",
        steps: &[Send(b"\x16\x03\x01 SSH-2.0 220 ready \xff\xfe\r\n\r\n")],
        end: Close,
    },
    Misbehaviour {
        path: "/huge-head",
        doc: "sends a header of 1 MiB",
        steps: &[Send(b"HTTP/1.1 200 OK\r\nX-Huge: "), Repeat { piece: &FILLER, times: 64 }, Send(b"\r\n\r\n")],
        end: Close,
    },
    Misbehaviour {
        path: "/endless-body",
        doc: "sends a body that does not end before 64 MiB",
        steps: &[Send(b"HTTP/1.1 200 OK\r\n\r\n"), Repeat { piece: &FILLER, times: ENDLESS_MAX / FILLER.len() }],
        end: Close,
    },
    Misbehaviour {
        path: "/double-length",
        doc: "sends two lengths that contradict each other",
        steps: &[Send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 5\r\n\r\nhello")],
        end: Close,
    },
    Misbehaviour {
        path: "/one-byte",
        doc: "sends a valid answer byte by byte",
        steps: &[SendBytewise(OK)],
        end: KeepAlive,
    },
    Misbehaviour {
        path: "/early-hints",
        doc: "sends 103 (early hints) before a valid answer",
        steps: &[Send(b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"), Send(OK)],
        end: KeepAlive,
    },
    Misbehaviour {
        path: "/no-length",
        doc: "sends a valid body that ends with the connection",
        steps: &[Send(b"HTTP/1.1 200 OK\r\n\r\nuntil the end")],
        end: Close,
    },
    Misbehaviour { path: "/never", doc: "never answers", steps: &[], end: Hold },
    Misbehaviour {
        path: "/close-after",
        doc: "sends a valid answer that promises keep-alive, and closes",
        steps: &[Send(b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok")],
        end: Close,
    },
    Misbehaviour {
        path: "/slow",
        doc: "waits for `ms` before a valid answer",
        steps: &[Pause, Send(OK)],
        end: KeepAlive,
    },
    Misbehaviour {
        path: "/ws/reset",
        doc: "resets a WebSocket in the middle of a frame",
        steps: &[Upgrade, Send(b"\x81\x7e\x01\x00half")],
        end: Reset,
    },
    Misbehaviour {
        path: "/ws/gone",
        doc: "closes a WebSocket in the middle of a frame, without a close frame",
        steps: &[Upgrade, Send(b"\x81\x7e\x01\x00half")],
        end: Close,
    },
    Misbehaviour {
        path: "/ws/not-utf-8",
        doc: "sends a WebSocket's text that is not UTF-8",
        steps: &[Upgrade, Send(b"\x81\x02\xff\xfe")],
        end: Hold,
    },
    Misbehaviour {
        path: "/ws/huge",
        doc: "announces a WebSocket's message of 1 GiB",
        steps: &[Upgrade, Send(b"\x82\x7f\x00\x00\x00\x00\x40\x00\x00\x00")],
        end: Hold,
    },
    Misbehaviour {
        path: "/ws/nonsense",
        doc: "sends a WebSocket's frame of an unknown kind",
        steps: &[Upgrade, Send(b"\x83\x00")],
        end: Hold,
    },
    Misbehaviour { path: "/ws/never", doc: "opens a WebSocket, and never says a word", steps: &[Upgrade], end: Hold },
    Misbehaviour {
        path: "/ws/wrong-key",
        doc: "agrees to a WebSocket with another request's key",
        steps: &[Send(SWITCHING.as_bytes()), Send(b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")],
        end: Hold,
    },
    Misbehaviour {
        path: "/sse/truncated",
        doc: "closes a stream of events in the middle of a chunk, after one event",
        steps: &[Send(STREAM), Send(b"9\r\ndata: 1\n\n\r\n64\r\ndata: 2")],
        end: Close,
    },
    Misbehaviour {
        path: "/sse/reset",
        doc: "resets a stream of events, after one event",
        steps: &[Send(STREAM), Send(b"9\r\ndata: 1\n\n\r\n"), Pause],
        end: Reset,
    },
    Misbehaviour {
        path: "/sse/endless-line",
        doc: "sends a line of 16 MiB as an event",
        steps: &[
            Send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: "),
            Repeat { piece: &FILLER, times: 1_024 },
        ],
        end: Close,
    },
];

/// Serves until dropped or aborted.
pub(super) async fn serve(listener: TcpListener) {
    accept::each(listener, CONNECTIONS_MAX, |stream| async {
        // A connection's end, by whatever error, is what its peer was to see.
        let _ = misbehave(stream).await;
    })
    .await;
}

async fn misbehave(mut stream: TcpStream) -> io::Result<()> {
    let mut received = Vec::new();
    while let Some(head) = next_head(&mut stream, &mut received).await? {
        let target = head.split(' ').nth(1).unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let Some(row) = MISBEHAVIOURS.iter().find(|row| row.path == path) else {
            stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").await?;
            continue;
        };
        for step in row.steps {
            perform(step, (&head, query), &mut stream).await?;
        }
        match row.end {
            KeepAlive => {}
            Close => {
                stream.shutdown().await?;
                // Closed with bytes unread, the kernel would send a reset and take the answer back.
                return drain(&mut stream).await;
            }
            Reset => return stream.set_zero_linger(),
            Hold => return drain(&mut stream).await,
        }
    }
    Ok(())
}

async fn perform(step: &Step, (head, query): (&str, &str), stream: &mut TcpStream) -> io::Result<()> {
    match step {
        Send(bytes) => stream.write_all(bytes).await,
        SendBytewise(bytes) => {
            for byte in *bytes {
                stream.write_all(&[*byte]).await?;
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            Ok(())
        }
        Repeat { piece, times } => {
            for _ in 0..*times {
                stream.write_all(piece).await?;
            }
            Ok(())
        }
        Upgrade => {
            let mut fields = head.lines().filter_map(|line| line.split_once(':'));
            let key = fields.find(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-key"));
            let accept = derive_accept_key(key.map_or("", |(_, key)| key.trim()).as_bytes());
            let answer = format!("{SWITCHING}Sec-WebSocket-Accept: {accept}\r\n\r\n");
            stream.write_all(answer.as_bytes()).await
        }
        Pause => {
            let ms = query.split('&').find_map(|pair| pair.strip_prefix("ms=")).and_then(|ms| ms.parse().ok());
            tokio::time::sleep(Duration::from_millis(ms.unwrap_or(1_000)).min(PATIENCE)).await;
            Ok(())
        }
    }
}

/// Reads on until the peer closes, or for as long as patience lasts.
async fn drain(stream: &mut TcpStream) -> io::Result<()> {
    let mut ignored = [0; 4_096];
    let until_closed = async {
        while stream.read(&mut ignored).await? > 0 {}
        io::Result::Ok(())
    };
    tokio::time::timeout(PATIENCE, until_closed).await.unwrap_or(Ok(()))
}

/// Reads a request up to the end of its head, and returns that; nothing where the peer has closed.
/// Bodies are not understood: the paths are meant for GET.
async fn next_head(stream: &mut TcpStream, received: &mut Vec<u8>) -> io::Result<Option<String>> {
    loop {
        if let Some(end) = received.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            let head: Vec<u8> = received.drain(..end + 4).collect();
            return Ok(Some(String::from_utf8_lossy(&head).into_owned()));
        }
        if received.len() > HEAD_MAX {
            return Err(io::Error::other("the head of a request is too long"));
        }
        let read = tokio::time::timeout(PATIENCE, stream.read_buf(received)).await;
        if read.map_err(io::Error::other)?? == 0 {
            return Ok(None);
        }
    }
}
