//! The closed list of what can go wrong with an exchange.

use std::{borrow::Cow, fmt};

use serde::Serialize;

macro_rules! error_kinds {
    ($($(#[doc = $doc:literal])+ $variant:ident = $word:literal, $advice:literal;)+) => {
        /// Why an exchange has no whole, valid response. The list is closed: a report can tell them apart, and
        /// a test can ask for each.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum ErrorKind {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl ErrorKind {
            /// Every kind, in the order of the steps of an exchange.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The word for it in scripts, reports and files.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// What a user should look at first.
            pub const fn advice(self) -> &'static str {
                match self { $(Self::$variant => $advice,)+ }
            }
        }
    };
}

error_kinds! {
    /// The host's name could not be resolved.
    Dns = "dns", "check the host's name and the resolver";
    /// The address is not one this run may send to.
    TargetDenied = "target_denied", "name the host in a `target`, or allow it with --allow-target";
    /// The target refused the connection.
    ConnectRefused = "connect_refused", "nothing listens there: is the target running, is the port right?";
    /// The connection did not stand in time.
    ConnectTimeout = "connect_timeout", "the target's accept queue may be full, or a firewall drops packets";
    /// The connection failed for another reason, such as no route.
    ConnectFailed = "connect_failed", "check the route to the target";
    /// This machine has no free local port or address.
    AddressUnavailable = "address_unavailable",
        "the generator ran out of ports: keep connections alive, or use more source addresses";
    /// This process may open no more descriptors.
    TooManyFiles = "too_many_files", "the generator ran out of descriptors: raise `ulimit -n`";
    /// The proxy could not be connected to.
    ProxyUnreachable = "proxy_unreachable", "the fault is between the generator and the proxy: is its address right?";
    /// The proxy wants a user and a password, or others.
    ProxyAuth = "proxy_auth", "give the proxy's user and password: `.proxy(\"http://user:password@host:port\")`";
    /// The proxy did not open the way to the server.
    ProxyRefused = "proxy_refused", "the proxy cannot reach the target, or must not: the example has its reason";
    /// What the proxy sent is not of its protocol.
    ProxyProtocol = "proxy_protocol", "what listens there is no proxy of this kind: is its scheme right, and its port?";
    /// The server's certificate has expired, or is not valid yet.
    TlsExpired = "tls_expired", "renew the target's certificate, and check the clocks of both machines";
    /// The server's certificate is for another host.
    TlsWrongHost = "tls_wrong_host",
        "ask for the host that the certificate names, with `.resolve(host, address)` where DNS does not know it";
    /// No authority that is believed has signed the server's certificate.
    TlsUnknownCa = "tls_unknown_ca", "give the authority's certificate with `.ca(path)`; `.insecure()` verifies nothing";
    /// The server's certificate cannot be believed for another reason.
    TlsCertificate = "tls_certificate", "look at the target's certificate, as with `openssl s_client`";
    /// The server ended the handshake, or the connection, with an alert.
    TlsAlert = "tls_alert", "the target refused: it may want `.client_cert(cert, key)`, or another version of TLS";
    /// What the server sent is not TLS.
    TlsNotSpoken = "tls_not_spoken", "the target does not speak TLS on this port: is it http, is the port right?";
    /// The server closed or reset the connection within the handshake.
    TlsClosed = "tls_closed", "the target gave up on the handshake: look into its log and its limits";
    /// The handshake was not done in time.
    TlsTimeout = "tls_timeout", "the target accepts connections and does not go on: is it overloaded?";
    /// The TLS handshake failed for another reason.
    Tls = "tls_handshake", "check the certificate and the protocol versions of the target";
    /// The server reset the connection.
    Reset = "reset", "the target dropped the connection: look into its log and its limits";
    /// The server closed the connection before it answered.
    Closed = "closed_early", "the target closed without an answer: look into its log for a crash";
    /// A kept-alive connection turned out closed when it was used again.
    StaleConnection = "stale_connection",
        "the target closes idle connections sooner than they are used: raise its keep-alive timeout";
    /// The connection ended within the response's head.
    TruncatedHead = "truncated_head", "the target stopped in the middle of an answer: look into its log";
    /// The connection ended within the response's body.
    TruncatedBody = "truncated_body", "the target stopped in the middle of an answer: look into its log";
    /// The server does not let this user in.
    LoginRefused = "login_refused", "check the user and the password in the target's address, and what the user may do";
    /// The response is not valid in the target's protocol.
    Protocol = "protocol", "the target does not speak the expected protocol on this port";
    /// The server does not speak HTTP/2, which was asked for.
    Http2NotSpoken = "http2_not_spoken", "the target speaks HTTP/1.1 only on this port: leave `.http2()` out";
    /// The server ended an HTTP/2 connection without the answer to this request.
    GoAway = "goaway", "the target shut its HTTP/2 connection down: does it restart, or limit requests of a connection?";
    /// The server ended this exchange alone, by HTTP/2's RST_STREAM.
    StreamReset = "stream_reset", "the target gave up on the request: the example has its reason, its log may have more";
    /// The server ended a WebSocket or an event stream while something was awaited from it.
    ChannelClosed = "channel_closed", "the target ended the WebSocket or the stream: the example has its close code and reason";
    /// A message of a WebSocket or an event is longer than allowed.
    MessageTooLarge = "message_too_large", "raise `max_message` if messages are meant to be that long";
    /// The response's head is longer than allowed.
    HeadTooLarge = "head_too_large", "the target sends more header fields than loadr reads";
    /// The response's body is longer than allowed.
    BodyTooLarge = "body_too_large", "raise `.max_body(size)` if the body is meant to be that long";
    /// The response's body is not of the coding it names.
    ContentEncoding = "content_encoding", "the target's compression is broken, or something on the way changed the body";
    /// The response was not whole within the request's timeout.
    Timeout = "timeout", "the target is too slow for the request's timeout";
    /// More redirects than allowed.
    RedirectLimit = "redirect_limit", "raise `.redirects(n)`, or ask for the final address";
    /// Another failure of the operating system.
    Io = "io", "see the example for the system's message";
}

impl ErrorKind {
    /// Nothing but waiting went wrong: the answer might have come later.
    pub const fn is_timeout(self) -> bool {
        matches!(self, Self::Timeout | Self::ConnectTimeout | Self::TlsTimeout)
    }

    /// The generator ran into a limit of its own machine or process: it tells nothing of the target.
    pub const fn is_generators(self) -> bool {
        matches!(self, Self::AddressUnavailable | Self::TooManyFiles)
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl Serialize for ErrorKind {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

/// A kind, and what the system or the parser said of this one. The detail is short and may hold text from
/// the server: whoever prints it escapes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Which of the closed list.
    pub kind: ErrorKind,
    /// Details for a person, lower case, without a full stop.
    pub detail: Cow<'static, str>,
}

impl Failure {
    /// A failure of `kind` with its detail.
    pub fn new(kind: ErrorKind, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, detail: detail.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.detail)
    }
}

impl std::error::Error for Failure {}
