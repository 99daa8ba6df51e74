//! Responses, good and malformed, and what must come of each.

use crate::protocol::ErrorKind;

/// A longer body is an error in these tests, in bytes.
pub const BODY_BYTES_MAX: u64 = 200;

/// What must come of a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Whole: status, body, and whether the connection may carry another exchange.
    Whole(u16, Vec<u8>, bool),
    /// Not whole, for this reason.
    Fails(ErrorKind),
}

/// One response.
pub struct Row {
    /// As the server sends it.
    pub bytes: Vec<u8>,
    /// It answers a HEAD.
    pub is_head: bool,
    /// What must come of it.
    pub verdict: Verdict,
    /// Why that.
    pub why: &'static str,
}

fn whole(bytes: impl Into<Vec<u8>>, status: u16, body: &str, reusable: bool, why: &'static str) -> Row {
    let verdict = Verdict::Whole(status, body.as_bytes().to_vec(), reusable);
    Row { bytes: bytes.into(), is_head: false, verdict, why }
}

fn fails(bytes: impl Into<Vec<u8>>, kind: ErrorKind, why: &'static str) -> Row {
    Row { bytes: bytes.into(), is_head: false, verdict: Verdict::Fails(kind), why }
}

fn to_head(row: Row) -> Row {
    Row { is_head: true, ..row }
}

/// A response with these fields (each with its line's end) and whatever follows the blank line.
fn ok(fields: &str, rest: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{fields}\r\n{rest}")
}

fn chunked(rest: &str) -> String {
    ok("Transfer-Encoding: chunked\r\n", rest)
}

/// After each row's bytes the server closes.
pub fn rows() -> Vec<Row> {
    let mut rows = lengths();
    rows.extend(persistence());
    rows.extend(codings());
    rows.extend(chunks());
    rows.extend(heads());
    rows.extend(interim());
    rows
}

fn lengths() -> Vec<Row> {
    use ErrorKind::{BodyTooLarge, Protocol, TruncatedBody};
    vec![
        whole(ok("Content-Length: 2\r\n", "{}"), 200, "{}", true, "the usual response"),
        whole(ok("content-length:2\r\n", "{}"), 200, "{}", true, "names have no case, values need no space"),
        whole(ok("Content-Length:  2 \t\r\n", "{}"), 200, "{}", true, "white space around a value is not part of it"),
        whole(ok("Content-Length: 0\r\n", ""), 200, "", true, "an empty body"),
        whole(ok("Content-Length: 002\r\n", "{}"), 200, "{}", true, "leading zeros"),
        whole(ok("Content-Length: 2\r\nContent-Length: 2\r\n", "{}"), 200, "{}", true, "equal twice"),
        whole(ok("Content-Length: 2, 2\r\n", "{}"), 200, "{}", true, "equal twice in one field"),
        whole(ok("Content-Length: 2\r\n", "{}HTTP"), 200, "{}", false, "bytes that nobody asked for follow"),
        whole(ok("Content-Length: 0\r\n", "\r\n"), 200, "", false, "even a line end too many is not trusted"),
        whole("HTTP/1.1 204 No Content\r\n\r\n", 204, "", true, "204 has no body, and needs no length"),
        whole("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", 204, "", true, "204 with a length has none"),
        whole(
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 999\r\n\r\n",
            304,
            "",
            true,
            "304 gives the other's length",
        ),
        whole(
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n{}",
            304,
            "",
            false,
            "304 with a body is not trusted",
        ),
        to_head(whole(ok("Content-Length: 5000\r\n", ""), 200, "", true, "HEAD gives the length GET would have")),
        to_head(whole(chunked(""), 200, "", true, "HEAD names a coding and sends nothing")),
        to_head(whole(ok("", ""), 200, "", true, "HEAD without a length does not wait for the end")),
        to_head(whole(ok("Content-Length: 2\r\n", "{}"), 200, "", false, "HEAD with a body is not trusted")),
        whole("HTTP/1.1 500 Oops\r\nContent-Length: 3\r\n\r\nerr", 500, "err", true, "an error's body counts as any"),
        whole("HTTP/1.1 999 Whatever\r\nContent-Length: 0\r\n\r\n", 999, "", true, "a status of no class"),
        whole(ok("Content-Length: 200\r\n", &"x".repeat(200)), 200, &"x".repeat(200), true, "as long as the limit"),
        fails(ok("Content-Length: 201\r\n", &"x".repeat(201)), BodyTooLarge, "one more than the limit"),
        fails(ok("Content-Length: 18446744073709551615\r\n", "x"), BodyTooLarge, "the longest length there is"),
        fails(ok("Content-Length: 18446744073709551616\r\n", "x"), Protocol, "a length above 64 bits"),
        fails(ok("Content-Length: 2\r\nContent-Length: 3\r\n", "{}"), Protocol, "two lengths that differ"),
        fails(ok("Content-Length: 2, 3\r\n", "{}"), Protocol, "two lengths in one field that differ"),
        fails(ok("Content-Length: -1\r\n", ""), Protocol, "a negative length"),
        fails(ok("Content-Length: +2\r\n", "{}"), Protocol, "a length with a sign"),
        fails(ok("Content-Length: 0x2\r\n", "{}"), Protocol, "a length in another base"),
        fails(ok("Content-Length: 2 2\r\n", "{}"), Protocol, "a length with a space inside"),
        fails(ok("Content-Length:\r\n", ""), Protocol, "an empty length"),
        fails(ok("Content-Length: 2,\r\n", "{}"), Protocol, "an empty second length"),
        fails(ok("Content-Length: 5\r\n", "abc"), TruncatedBody, "closed within the body"),
        fails(ok("Content-Length: 5\r\n", ""), TruncatedBody, "closed before the body"),
    ]
}

fn persistence() -> Vec<Row> {
    let close = |fields: &str| ok(&format!("Content-Length: 2\r\n{fields}"), "{}");
    let old = |fields: &str| format!("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n{fields}\r\n{{}}");
    vec![
        whole(close("Connection: close\r\n"), 200, "{}", false, "the server means to close"),
        whole(close("connection: foo, Close\r\n"), 200, "{}", false, "close within a list"),
        whole(close("Connection: foo\r\nConnection: close\r\n"), 200, "{}", false, "close in a second field"),
        whole(close("Connection: keep-alive\r\n"), 200, "{}", true, "what HTTP/1.1 does anyway"),
        whole(close("Connection: keep-alive, close\r\n"), 200, "{}", false, "of both, close is the safe one"),
        whole(close("Connection: closed\r\n"), 200, "{}", true, "another word that begins the same"),
        whole(close("X-Connection: close\r\n"), 200, "{}", true, "another field"),
        whole(old(""), 200, "{}", false, "HTTP/1.0 closes"),
        whole(old("Connection: Keep-Alive\r\n"), 200, "{}", true, "HTTP/1.0 that says it does not"),
        whole("HTTP/1.0 200 OK\r\n\r\nhello", 200, "hello", false, "HTTP/1.0's usual framing: until it closes"),
        whole(ok("", "hello"), 200, "hello", false, "without any framing the body ends with the connection"),
        whole(ok("", ""), 200, "", false, "and may be empty"),
        whole(ok("Connection: keep-alive\r\n", "hi"), 200, "hi", false, "then keep-alive is an empty promise"),
        fails(ok("", &"x".repeat(201)), ErrorKind::BodyTooLarge, "the limit holds until the close, too"),
        whole(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
            101,
            "",
            false,
            "what follows 101 is not HTTP/1.1",
        ),
    ]
}

fn codings() -> Vec<Row> {
    use ErrorKind::Protocol;
    let body = "2\r\n{}\r\n0\r\n\r\n";
    let coded = |fields: &str| ok(fields, body);
    vec![
        whole(coded("transfer-encoding: Chunked\r\n"), 200, "{}", true, "a coding has no case"),
        whole(
            coded("Transfer-Encoding: chunked\r\nContent-Length: 2\r\n"),
            200,
            "{}",
            false,
            "of two framings the coding wins, and the connection is not trusted",
        ),
        whole(
            coded("Content-Length: 999\r\nTransfer-Encoding: chunked\r\n"),
            200,
            "{}",
            false,
            "whichever comes first, and even if the length is above the limit",
        ),
        whole(coded("Transfer-Encoding: identity, chunked\r\n"), 200, "{}", true, "identity codes nothing"),
        whole(
            ok("Transfer-Encoding: identity\r\nContent-Length: 2\r\n", "{}"),
            200,
            "{}",
            true,
            "identity alone leaves the length",
        ),
        whole(
            format!("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n{body}"),
            200,
            "{}",
            false,
            "HTTP/1.0 knows no codings: read, not trusted",
        ),
        whole(
            "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
            204,
            "",
            true,
            "204 has no body to code",
        ),
        fails(coded("Transfer-Encoding: gzip, chunked\r\n"), Protocol, "a coding this reader cannot undo"),
        fails(coded("Transfer-Encoding: gzip\r\n"), Protocol, "a coding without chunked"),
        fails(coded("Transfer-Encoding: chunked, chunked\r\n"), Protocol, "chunked twice"),
        fails(
            coded("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
            Protocol,
            "chunked twice, in two fields",
        ),
        fails(coded("Transfer-Encoding:\r\n"), Protocol, "a coding without a name"),
        fails(coded("Transfer-Encoding: xchunked\r\n"), Protocol, "a word that ends the same"),
        fails(coded("Transfer-Encoding: chunked\r\nContent-Length: x\r\n"), Protocol, "a broken length beside it"),
    ]
}

fn chunks() -> Vec<Row> {
    use ErrorKind::{BodyTooLarge, Protocol, TruncatedBody};
    vec![
        whole(chunked("0\r\n\r\n"), 200, "", true, "no chunk but the last"),
        whole(chunked("3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"), 200, "abcde", true, "two chunks"),
        whole(chunked("A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n"), 200, "01234567890123456789", true, "digits"),
        whole(chunked("0003\r\nabc\r\n000\r\n\r\n"), 200, "abc", true, "leading zeros"),
        whole(chunked("3 \r\nabc\r\n0\t\r\n\r\n"), 200, "abc", true, "padding after a size, as old servers send"),
        whole(chunked("3;a=b;c=\"d e\"\r\nabc\r\n0;z\r\n\r\n"), 200, "abc", true, "extensions are skipped"),
        whole(chunked("3 ; a\r\nabc\r\n0\r\n\r\n"), 200, "abc", true, "space before an extension"),
        whole(chunked("1\r\na\r\n0\r\nX-Sum: 7\r\nY: \r\n\r\n"), 200, "a", true, "a trailer is skipped"),
        whole(chunked("1\r\n\r\r\n0\r\n\r\n"), 200, "\r", true, "data may look like framing"),
        whole(chunked("1\r\na\r\n0\r\n\r\nX"), 200, "a", false, "bytes follow the end"),
        fails(chunked("\r\nabc"), Protocol, "a size without digits"),
        fails(chunked("g\r\nabc"), Protocol, "a digit of no base"),
        fails(chunked("-1\r\na\r\n"), Protocol, "a negative size"),
        fails(chunked("0x3\r\nabc\r\n"), Protocol, "a prefix"),
        fails(chunked("3\nabc\r\n0\r\n\r\n"), Protocol, "a size that ends in LF alone"),
        fails(chunked("3\r\rabc"), Protocol, "a size that ends in CR CR"),
        fails(chunked("3\r\nabcd\r\n0\r\n\r\n"), Protocol, "more data than the size says"),
        fails(chunked("3\r\nabc0\r\n\r\n"), Protocol, "no CRLF after the data"),
        fails(chunked("3\r\nabc\rx0\r\n"), Protocol, "CR without LF after the data"),
        fails(chunked("3;a\nb\r\nabc\r\n"), Protocol, "a line end within an extension"),
        fails(chunked("10000000000000000\r\n"), Protocol, "a size above 64 bits"),
        fails(chunked("ffffffffffffffffffff\r\n"), Protocol, "a size far above 64 bits"),
        fails(chunked("0\r\nno colon\r\n\r\n"), Protocol, "a trailer that is not fields"),
        fails(chunked("0\r\n: x\r\n\r\n"), Protocol, "a trailer's field without a name"),
        fails(chunked("0\r\nA: b\n\r\n"), Protocol, "a trailer's line that ends in LF alone"),
        fails(chunked("0\r\n\rX"), Protocol, "the last line does not end"),
        fails(chunked(&format!("1;{}\r\na\r\n", "x".repeat(20_000))), Protocol, "an extension without end"),
        fails(chunked(&format!("0\r\nx: {}\r\n", "x".repeat(20_000))), Protocol, "a trailer without end"),
        fails(chunked(&format!("c9\r\n{}\r\n", "x".repeat(201))), BodyTooLarge, "above the limit in one chunk"),
        fails(chunked(&"1\r\nx\r\n".repeat(201)), BodyTooLarge, "above the limit in many chunks"),
        fails(chunked("ffffffffffffffff\r\nabc"), TruncatedBody, "the largest size, then nothing"),
        fails(chunked(""), TruncatedBody, "closed before the first chunk"),
        fails(chunked("3\r\nab"), TruncatedBody, "closed within a chunk"),
        fails(chunked("3\r\nabc\r\n"), TruncatedBody, "closed between chunks"),
        fails(chunked("3\r\nabc\r\n0\r\n"), TruncatedBody, "closed before the last line"),
    ]
}

fn heads() -> Vec<Row> {
    use ErrorKind::{Closed, HeadTooLarge, Protocol, TruncatedHead};
    let long = |len: usize| ok(&format!("X: {}\r\nContent-Length: 0\r\n", "x".repeat(len)), "");
    vec![
        whole("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", 200, "", true, "no reason, and no space before it"),
        whole("HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", 200, "", true, "an empty reason"),
        whole("HTTP/1.1 200 OK\nContent-Length: 2\n\n{}", 200, "{}", true, "lines of the head may end in LF alone"),
        whole("\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, "", true, "an empty line before the head"),
        whole(b"HTTP/1.1 200 OK\r\nX: \xe9t\xe9\r\nContent-Length: 0\r\n\r\n", 200, "", true, "Latin-1 in a value"),
        whole(long(60_000), 200, "", true, "a long head within the limit"),
        fails(long(70_000), HeadTooLarge, "a head above 64 KiB"),
        fails("HTTP/1.1 200 OK\r\nX: ".to_owned() + &*"x".repeat(70_000), HeadTooLarge, "a field without end"),
        fails(ok(&"a: b\r\n".repeat(129), ""), HeadTooLarge, "more fields than are read"),
        fails("", Closed, "closed without a byte"),
        fails("H", TruncatedHead, "closed after a byte"),
        fails("HTTP/1.1 200 OK\r\nContent-Le", TruncatedHead, "closed within a field"),
        fails("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n", TruncatedHead, "closed before the blank line"),
        fails("SSH-2.0-OpenSSH_9.6\r\n", Protocol, "a server of another protocol"),
        fails("220 mail.example ESMTP\r\n", Protocol, "a mail server"),
        fails("<html>hello</html>", Protocol, "HTTP/0.9"),
        fails(b"\x15\x03\x01\x00\x02\x02\x46", Protocol, "a TLS alert: the port wants https"),
        fails(b"\x00\x00\x12\x04\x00\x00\x00\x00\x00", Protocol, "HTTP/2 settings"),
        fails("HTTP/2.0 200 OK\r\n\r\n", Protocol, "a version this transport does not speak"),
        fails("http/1.1 200 OK\r\n\r\n", Protocol, "the version has a case"),
        fails("HTTP/1.1  200 OK\r\n\r\n", Protocol, "two spaces before the status"),
        fails("HTTP/1.1 20 OK\r\n\r\n", Protocol, "a status of two digits"),
        fails("HTTP/1.1 2000 OK\r\n\r\n", Protocol, "a status of four digits"),
        fails("HTTP/1.1 abc OK\r\n\r\n", Protocol, "a status of letters"),
        fails("HTTP/1.1 099 Low\r\nContent-Length: 0\r\n\r\n", Protocol, "a status below 100"),
        fails(ok("Bad Name: x\r\n", ""), Protocol, "a space within a name"),
        fails(ok("Name : x\r\n", ""), Protocol, "a space after a name"),
        fails(ok("no colon\r\n", ""), Protocol, "a field without a colon"),
        fails(ok(": x\r\n", ""), Protocol, "a field without a name"),
        fails(ok("A: b\r\n folded\r\n", ""), Protocol, "a folded field"),
        fails(ok("A: b\0c\r\n", ""), Protocol, "a NUL within a value"),
        fails(ok("A: b\rc\r\n", ""), Protocol, "a CR within a value"),
    ]
}

fn interim() -> Vec<Row> {
    let last = ok("Content-Length: 2\r\n", "{}");
    let go_on = "HTTP/1.1 100 Continue\r\n\r\n";
    let hints = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nContent-Length: 7\r\n\r\n";
    vec![
        whole(format!("{go_on}{last}"), 200, "{}", true, "100, then the answer"),
        whole(format!("{hints}{go_on}{last}"), 200, "{}", true, "an interim response has no body, whatever it says"),
        whole(go_on.repeat(16) + last.as_str(), 200, "{}", true, "as many interim responses as allowed"),
        fails(go_on.repeat(17) + last.as_str(), ErrorKind::Protocol, "one more"),
        fails(go_on, ErrorKind::Closed, "closed after an interim response"),
        fails(format!("{go_on}HTTP/1.1 2"), ErrorKind::TruncatedHead, "closed within the head after it"),
        fails(format!("{go_on}oops\r\n"), ErrorKind::Protocol, "garbage after it"),
    ]
}
