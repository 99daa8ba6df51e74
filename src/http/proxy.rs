//! Proxies: what is asked of them, and how they refuse. Never taken from the environment: what is measured is what the
//! script says.

use std::fmt;

use base64::Engine;
use serde::Serialize;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_socks::{Error as SocksError, tcp::Socks5Stream};

use super::{
    connect::Endpoint,
    h1::{self, Framing},
};
use crate::protocol::{ErrorKind, Exchange, Failure};

/// A longer answer to CONNECT is none, in bytes.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// What a proxy speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum ProxyKind {
    /// HTTP/1.1: whole addresses in requests, CONNECT for what is not its business.
    #[serde(rename = "http")]
    Http,
    /// SOCKS5, asked for addresses.
    #[serde(rename = "socks5")]
    Socks5,
    /// SOCKS5, asked for names.
    #[serde(rename = "socks5h")]
    Socks5h,
}

/// What stands between this machine and a target.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Proxy {
    /// What it speaks.
    pub kind: ProxyKind,
    /// A name, or an address; without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// User and password. They must not get into anything that is written or compared.
    #[serde(skip)]
    pub login: Option<(String, String)>,
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({self})")
    }
}

impl fmt::Display for Proxy {
    /// Without user and password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            ProxyKind::Http => "HTTP",
            ProxyKind::Socks5 | ProxyKind::Socks5h => "SOCKS5",
        };
        write!(f, "the {kind} proxy {}", authority(&self.host, self.port))
    }
}

impl Proxy {
    /// The proxy at an address such as `http://user:password@host:3128`.
    ///
    /// # Errors
    /// What is wrong with it, for people, lower case; never with its password.
    pub fn parse(url: &str) -> Result<Self, String> {
        let url = url::Url::parse(url).map_err(|error| format!("it is not a URL ({error})"))?;
        let (kind, port) = match url.scheme() {
            "http" => (ProxyKind::Http, Some(80)),
            "socks5" => (ProxyKind::Socks5, Some(1080)),
            "socks5h" => (ProxyKind::Socks5h, Some(1080)),
            other => return Err(format!("its scheme is `{other}`, not `http`, `socks5` or `socks5h`")),
        };
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or("it has no host")?;
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err("it has a path".to_owned());
        }
        let decode = |text: &str| {
            let decoded = percent_encoding::percent_decode_str(text).decode_utf8();
            decoded.map(String::from).map_err(|_| "its user or password is not UTF-8".to_owned())
        };
        let login = match (url.username(), url.password()) {
            ("", None) => None,
            (user, password) => Some((decode(user)?, decode(password.unwrap_or_default())?)),
        };
        let is_long = |text: &String| text.is_empty() || text.len() > 255;
        if kind != ProxyKind::Http && login.as_ref().is_some_and(|(user, password)| is_long(user) || is_long(password))
        {
            return Err("SOCKS5 takes a user and a password of 1 to 255 bytes each".to_owned());
        }
        let host = host.trim_matches(['[', ']']).to_owned();
        Ok(Self { kind, host, port: url.port().or(port).unwrap_or(80), login })
    }

    /// It looks names up itself.
    pub fn resolves(&self) -> bool {
        self.kind != ProxyKind::Socks5
    }

    /// The wire of an exchange with `endpoint`, with the whole address and what the proxy wants to know; and where its
    /// body starts.
    pub(super) fn forward(&self, endpoint: &Endpoint, exchange: &Exchange<'_>) -> (Vec<u8>, usize) {
        let (head, body) = exchange.wire.split_at(exchange.body_at);
        let path_at = head.iter().position(|&byte| byte == b' ').map_or(0, |at| at + 1);
        let line_end = head.iter().position(|&byte| byte == b'\n').map_or(head.len(), |at| at + 1);
        let mut wire = Vec::with_capacity(exchange.wire.len() + 128);
        wire.extend_from_slice(&head[..path_at]);
        wire.extend_from_slice(b"http://");
        wire.extend_from_slice(
            match endpoint.port {
                80 => bracketed(&endpoint.host).into_bytes(),
                port => authority(&endpoint.host, port).into_bytes(),
            }
            .as_slice(),
        );
        // `OPTIONS *` is asked for without a path (RFC 9112, section 3.2.4).
        let rest = if head[path_at..].starts_with(b"* ") { path_at + 1 } else { path_at };
        wire.extend_from_slice(&head[rest..line_end]);
        wire.extend_from_slice(self.authorization().as_bytes());
        wire.extend_from_slice(&head[line_end..]);
        let body_at = wire.len();
        wire.extend_from_slice(body);
        (wire, body_at)
    }

    /// Asks for a way to `host` at `port`, over a connection that stands.
    ///
    /// # Errors
    /// `ProxyAuth`, `ProxyRefused` with its reason, `ProxyProtocol`.
    pub(super) async fn tunnel(&self, stream: TcpStream, host: &str, port: u16) -> Result<TcpStream, Failure> {
        if self.kind == ProxyKind::Http {
            return self.connect(stream, host, port).await;
        }
        let to = (host.trim_matches(['[', ']']), port);
        let opened = match &self.login {
            Some((user, password)) => Socks5Stream::connect_with_password_and_socket(stream, to, user, password).await,
            None => Socks5Stream::connect_with_socket(stream, to).await,
        };
        opened.map(Socks5Stream::into_inner).map_err(|error| self.socks_failure(&error))
    }

    async fn connect(&self, mut stream: TcpStream, host: &str, port: u16) -> Result<TcpStream, Failure> {
        let to = authority(host, port);
        let request = format!("CONNECT {to} HTTP/1.1\r\nhost: {to}\r\n{}\r\n", self.authorization());
        let broke =
            |error: std::io::Error| self.failure(ErrorKind::ProxyRefused, &format!("ended the connection ({error})"));
        stream.write_all(request.as_bytes()).await.map_err(broke)?;
        let mut head = Vec::new();
        loop {
            // Not a byte beyond the answer may be taken: what follows is the target's.
            let mut ahead = [0; 1_024];
            let seen = stream.peek(&mut ahead).await.map_err(broke)?;
            if seen == 0 {
                return Err(
                    self.failure(ErrorKind::ProxyRefused, "closed the connection instead of an answer to CONNECT")
                );
            }
            let before = head.len();
            head.extend_from_slice(&ahead[..seen]);
            let not_http = |failure: Failure| self.failure(ErrorKind::ProxyProtocol, &failure.detail);
            let parsed = h1::parse_head(&head, true).map_err(not_http)?;
            let taken = parsed.map_or(seen, |parsed| parsed.len - before);
            stream.read_exact(&mut ahead[..taken]).await.map_err(broke)?;
            match parsed {
                Some(parsed) if parsed.framing == Framing::Interim => head.clear(),
                Some(parsed) if (200..300).contains(&parsed.status) => return Ok(stream),
                Some(parsed) if parsed.status == 407 => return Err(self.unauthorized()),
                Some(parsed) => {
                    let line = head[..parsed.len].split(|&byte| byte == b'\r').next().unwrap_or_default();
                    let shown = String::from_utf8_lossy(&line[..line.len().min(100)]).into_owned();
                    return Err(self.failure(ErrorKind::ProxyRefused, &format!("answered CONNECT by `{shown}`")));
                }
                None if head.len() > HEAD_BYTES_MAX => {
                    return Err(self.failure(ErrorKind::ProxyProtocol, "its answer to CONNECT does not end"));
                }
                None => {}
            }
        }
    }

    /// What a failure on the way to the proxy itself is.
    pub(super) fn unreachable(&self, failure: Failure) -> Failure {
        let kind = match failure.kind {
            ErrorKind::Dns | ErrorKind::ConnectRefused | ErrorKind::ConnectFailed | ErrorKind::Reset => {
                ErrorKind::ProxyUnreachable
            }
            // A limit of this machine, of its time, or of what is allowed: the same wherever it shows.
            kind => kind,
        };
        self.failure(kind, &failure.detail)
    }

    /// It wants to know who calls, or to hear another name.
    pub(super) fn unauthorized(&self) -> Failure {
        let why =
            if self.login.is_some() { "does not accept user and password" } else { "wants a user and a password" };
        self.failure(ErrorKind::ProxyAuth, why)
    }

    fn socks_failure(&self, error: &SocksError) -> Failure {
        let kind = match error {
            SocksError::NoAcceptableAuthMethods
            | SocksError::UnknownAuthMethod
            | SocksError::InvalidAuthValues(_)
            | SocksError::PasswordAuthFailure(_)
            | SocksError::AuthorizationRequired => return self.unauthorized(),
            SocksError::InvalidResponseVersion | SocksError::InvalidReservedByte | SocksError::UnknownAddressType => {
                ErrorKind::ProxyProtocol
            }
            _ => ErrorKind::ProxyRefused,
        };
        self.failure(kind, &error.to_string().to_lowercase())
    }

    fn failure(&self, kind: ErrorKind, why: &str) -> Failure {
        Failure::new(kind, format!("{self}: {why}"))
    }

    /// The line that says who calls.
    fn authorization(&self) -> String {
        let Some((user, password)) = &self.login else { return String::new() };
        let token = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
        format!("proxy-authorization: Basic {token}\r\n")
    }
}

fn bracketed(host: &str) -> String {
    let bare = host.trim_matches(['[', ']']);
    if bare.contains(':') { format!("[{bare}]") } else { bare.to_owned() }
}

fn authority(host: &str, port: u16) -> String {
    format!("{}:{port}", bracketed(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_shown_without_passwords() {
        for (url, kind, host, port, login) in [
            ("http://127.0.0.1:3128", ProxyKind::Http, "127.0.0.1", 3128, None),
            ("http://proxy.test/", ProxyKind::Http, "proxy.test", 80, None),
            ("socks5://[::1]", ProxyKind::Socks5, "::1", 1080, None),
            ("socks5h://me:se%40cret@p:9", ProxyKind::Socks5h, "p", 9, Some(("me", "se@cret"))),
            ("http://me@p", ProxyKind::Http, "p", 80, Some(("me", ""))),
        ] {
            let proxy = Proxy::parse(url).unwrap_or_else(|why| panic!("{url}: {why}"));
            let login = login.map(|(user, password)| (user.to_owned(), password.to_owned()));
            assert_eq!(proxy, Proxy { kind, host: host.to_owned(), port, login }, "{url}");
            let shown = format!("{proxy:?} {}", serde_json::to_string(&proxy).expect("JSON"));
            assert!(!shown.contains("cret") && shown.contains(host), "{shown}");
        }
        for (url, part) in [
            ("127.0.0.1:3128", "URL"),
            ("https://p", "scheme is `https`"),
            ("socks4://p", "scheme is `socks4`"),
            ("socks5://", "host"),
            ("http://p/path", "path"),
            ("socks5://me@p", "1 to 255"),
        ] {
            let why = Proxy::parse(url).expect_err(url);
            assert!(why.contains(part), "{url}: {why}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_address_breaks_the_reader_or_shows_its_password(rest in "[^@]{0,30}", scheme in "http|socks5|socks5h|ftp") {
            let shown = match Proxy::parse(&format!("{scheme}://me:canary@{rest}")) {
                Ok(proxy) => format!("{proxy} {proxy:?}"),
                Err(why) => why,
            };
            proptest::prop_assert!(!shown.contains("canary"), "{shown}");
        }
    }

    #[test]
    fn requests_get_the_whole_address() {
        let proxy = Proxy::parse("http://me:pw@p").expect("a proxy");
        for (host, port, line, expected) in [
            ("shop.test", 80, "GET /a?b HTTP/1.1", "GET http://shop.test/a?b HTTP/1.1"),
            ("::1", 8080, "POST / HTTP/1.1", "POST http://[::1]:8080/ HTTP/1.1"),
            ("shop.test", 80, "OPTIONS * HTTP/1.1", "OPTIONS http://shop.test HTTP/1.1"),
        ] {
            let wire = format!("{line}\r\nhost: x\r\n\r\nbody");
            let exchange = Exchange {
                target: crate::protocol::TargetId(0),
                wire: wire.as_bytes(),
                body_at: wire.len() - 4,
                is_head: false,
                timeout: 0,
                keep: crate::protocol::Keep::Nothing,
                body_bytes_max: 0,
                version: None,
            };
            let (sent, body_at) = proxy.forward(&Endpoint::new(host, port), &exchange);
            let whole = format!("{expected}\r\nproxy-authorization: Basic bWU6cHc=\r\nhost: x\r\n\r\nbody");
            assert_eq!(String::from_utf8(sent).expect("text"), whole);
            assert_eq!(body_at, whole.len() - 4);
        }
    }
}
