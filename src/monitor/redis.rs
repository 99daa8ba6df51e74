//! A Redis server's own counters of hits and misses, by `INFO`.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{ANSWER_MAX, Control};

/// The port of a server that names none.
const PORT: u16 = 6_379;

/// Where a server is, and who asks.
#[derive(Debug, PartialEq, Eq)]
struct Address {
    host: String,
    port: u16,
    user: Option<String>,
    password: Option<String>,
}

/// Hits and misses of the whole server, since it started.
pub(super) async fn keyspace(control: &Control, address: &str) -> Result<Vec<f64>, String> {
    let info = info(control, &parse(address)?).await?;
    ["keyspace_hits", "keyspace_misses"].iter().map(|field| figure(&info, field)).collect()
}

fn parse(text: &str) -> Result<Address, String> {
    let whole = if text.contains("://") { text.to_owned() } else { format!("redis://{text}") };
    let url = url::Url::parse(&whole).map_err(|error| format!("it is no address: {error}"))?;
    if url.scheme() != "redis" {
        return Err(format!("`{}://` is not spoken here: write host:port or redis://host:port", url.scheme()));
    }
    let decoded = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    Ok(Address {
        host: url.host_str().ok_or("it names no host")?.trim_matches(['[', ']']).to_owned(),
        port: url.port().unwrap_or(PORT),
        user: Some(decoded(url.username())).filter(|user| !user.is_empty()),
        password: url.password().map(decoded),
    })
}

async fn info(control: &Control, address: &Address) -> Result<String, String> {
    let told = |error: std::io::Error| error.to_string().to_lowercase();
    let mut found = Vec::new();
    for socket in tokio::net::lookup_host((address.host.as_str(), address.port)).await.map_err(told)? {
        control.check(&address.host, socket.ip())?;
        found.push(socket);
    }
    let stream = TcpStream::connect(found.as_slice()).await.map_err(told)?;
    let mut connection = Connection { stream, read: Vec::new() };
    if let Some(password) = &address.password {
        let user = address.user.as_deref();
        connection.ask(&["AUTH"].into_iter().chain(user).chain([password.as_str()]).collect::<Vec<_>>()).await?;
    }
    connection.ask(&["INFO", "stats"]).await
}

struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Connection {
    /// Sends a command as a list of texts; the reply is one text (RESP, version 2).
    async fn ask(&mut self, command: &[&str]) -> Result<String, String> {
        let told = |error: std::io::Error| error.to_string().to_lowercase();
        let mut bytes = format!("*{}\r\n", command.len());
        for part in command {
            bytes.push_str(&format!("${}\r\n{part}\r\n", part.len()));
        }
        self.stream.write_all(bytes.as_bytes()).await.map_err(told)?;
        loop {
            if let Some((reply, used)) = reply(&self.read)? {
                self.read.drain(..used);
                return reply;
            }
            if self.read.len() > ANSWER_MAX {
                return Err("the reply is too long".to_owned());
            }
            if self.stream.read_buf(&mut self.read).await.map_err(told)? == 0 {
                return Err("the server closed the connection".to_owned());
            }
        }
    }
}

/// A reply of one text, or the server's refusal.
type Reply = Result<String, String>;

/// The reply at the start of `bytes` and its length; none if there is more to come.
///
/// # Errors
/// It is none that these commands have.
fn reply(bytes: &[u8]) -> Result<Option<(Reply, usize)>, String> {
    let Some(line_end) = bytes.windows(2).position(|pair| pair == b"\r\n") else { return Ok(None) };
    let (Some(kind), line) = (bytes.first(), bytes.get(1..line_end).unwrap_or_default()) else { return Ok(None) };
    let line = String::from_utf8_lossy(line).into_owned();
    let start = line_end + 2;
    match kind {
        b'+' => Ok(Some((Ok(line), start))),
        b'-' => Ok(Some((Err(format!("the server refuses: {line}")), start))),
        b'$' => {
            let length: usize =
                line.parse().ok().filter(|&n| n <= ANSWER_MAX).ok_or("the reply has a length that cannot be")?;
            let whole = bytes.get(start..start + length + 2);
            Ok(whole.map(|text| (Ok(String::from_utf8_lossy(&text[..length]).into_owned()), start + length + 2)))
        }
        _ => Err("what answers does not speak the protocol of Redis".to_owned()),
    }
}

fn figure(info: &str, field: &str) -> Result<f64, String> {
    let line = info.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.and_then(|value| value.trim().parse().ok()).ok_or_else(|| format!("INFO has no `{field}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_the_same_in_any_pieces() {
        let whole = b"$22\r\nkeyspace_hits:5\r\nabcde\r\n+OK\r\n";
        let (text, used) = reply(whole).expect("understood").expect("whole");
        assert_eq!((text.as_deref(), used), (Ok("keyspace_hits:5\r\nabcde"), 29));
        for cut in 0..used {
            assert_eq!(reply(&whole[..cut]), Ok(None), "{cut}");
        }
        assert_eq!(reply(b"-NOAUTH who are you\r\n").map(|it| it.map(|(text, _)| text.is_err())), Ok(Some(true)));
        assert!(reply(b"HTTP/1.1 400 Bad Request\r\n").is_err());
        assert!(reply(b"$99999999999\r\n").is_err() && reply(b"$-1\r\n").is_err());
    }

    #[test]
    fn an_address_may_have_a_scheme_and_credentials() {
        let plain = parse("cache.lan:7000").expect("an address");
        assert_eq!((plain.host.as_str(), plain.port, plain.password), ("cache.lan", 7_000, None));
        let whole = parse("redis://app:p%40ss@[::1]/2").expect("an address");
        assert_eq!((whole.host.as_str(), whole.port), ("::1", PORT));
        assert_eq!((whole.user.as_deref(), whole.password.as_deref()), (Some("app"), Some("p@ss")));
        assert!(parse("http://x:1").is_err() && parse("").is_err());
    }

    #[test]
    fn counters_are_found_in_the_info() {
        let info = "# Stats\r\nkeyspace_hits:12\r\nkeyspace_misses:3\r\n";
        assert_eq!((figure(info, "keyspace_hits"), figure(info, "keyspace_misses")), (Ok(12.0), Ok(3.0)));
        assert!(figure(info, "keyspace").is_err());
    }
}
