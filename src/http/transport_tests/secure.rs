//! TLS: what it takes to be believed, and how it fails.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
    server::WebPkiClientVerifier,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::*;
use crate::{
    http::{Tls, TlsOptions},
    protocol::{HttpVersion, TlsVersion},
};

/// An authority, and what it signs.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority"))
    }

    pub fn options(&self) -> TlsOptions {
        TlsOptions { authority: Some(self.0.pem().into_bytes().into()), ..TlsOptions::default() }
    }

    fn issue(&self, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> (CertificateDer<'static>, KeyPair) {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("names");
        change(&mut params);
        let key = KeyPair::generate().expect("a key");
        (params.signed_by(&key, &self.0).expect("a certificate").der().clone(), key)
    }

    /// A server's configuration with a certificate for these names.
    pub fn server(&self, names: &[&str]) -> ServerConfig {
        self.server_with(names, false, |_| {})
    }

    fn server_with(&self, names: &[&str], asks: bool, change: impl FnOnce(&mut CertificateParams)) -> ServerConfig {
        let (certificate, key) = self.issue(names, change);
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .expect("versions");
        let builder = if asks {
            let mut roots = RootCertStore::empty();
            roots.add(self.0.der().clone()).expect("an authority");
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.expect("a verifier"))
        } else {
            builder.with_no_client_auth()
        };
        builder.with_single_cert(vec![certificate], key).expect("a pair")
    }
}

/// A transport over TLS to a server on loopback that does as told with each connection, one after the other.
pub async fn secured<F: Future<Output = ()> + Send + 'static>(
    options: TlsOptions,
    config: ServerConfig,
    connections: usize,
    each: impl Fn(std::io::Result<TlsStream<TcpStream>>) -> F + Send + Sync + 'static,
) -> (HttpTransport, JoinHandle<()>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port on loopback");
    let port = listener.local_addr().expect("a bound address").port();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let server = tokio::spawn(async move {
        for _ in 0..connections {
            each(acceptor.accept(accept(&listener).await).await).await;
        }
    });
    let tls = Some(Tls::new(&options).expect("options that can be used"));
    (transport_to(Endpoint { tls, ..Endpoint::new("127.0.0.1", port) }), server)
}

/// Answers `times` requests.
async fn serve(stream: &mut TlsStream<TcpStream>, times: usize, response: &[u8]) {
    for _ in 0..times {
        let mut received = Vec::new();
        while !received.ends_with(b"\r\n\r\n") {
            received.push(stream.read_u8().await.expect("the client asks"));
        }
        stream.write_all(response).await.expect("the client reads");
        stream.flush().await.expect("the client reads");
    }
}

#[tokio::test]
async fn a_connection_is_secured_once_and_kept() {
    let authority = Authority::new();
    let config = authority.server(&["127.0.0.1"]);
    let (transport, server) = secured(authority.options(), config, 1, |stream| async move {
        serve(&mut stream.expect("a handshake"), 3, OK).await;
    })
    .await;
    let session = transport.session();
    for turn in 0..3 {
        let outcome = transport.exchange(&session, get()).await;
        assert_ok(&outcome, turn > 0);
        let (stamps, first) = (&outcome.stamps, turn == 0);
        assert_eq!((stamps.connected.is_some(), stamps.secured.is_some()), (first, first));
        assert!(stamps.secured >= stamps.connected && stamps.sent >= stamps.secured);
        let security = outcome.negotiated.security.expect("TLS");
        assert_eq!((outcome.negotiated.http, security.version), (HttpVersion::Http1, TlsVersion::Tls13));
        assert!(!security.resumed && security.cipher.to_string().starts_with("TLS_"));
    }
    server.await.expect("one connection carried all three");
}

#[tokio::test]
async fn handshakes_are_resumed_unless_they_must_not_be() {
    for resume in [true, false] {
        let authority = Authority::new();
        let options = TlsOptions { resume, ..authority.options() };
        let (transport, server) = secured(options, authority.server(&["127.0.0.1"]), 3, |stream| async move {
            serve(
                &mut stream.expect("a handshake"),
                1,
                b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
            )
            .await;
        })
        .await;
        for turn in 0..3 {
            let outcome = transport.exchange(&transport.session(), get()).await;
            assert_ok(&outcome, false);
            let resumed = outcome.negotiated.security.expect("TLS").resumed;
            assert_eq!(resumed, resume && turn > 0, "turn {turn}");
        }
        server.await.expect("three connections");
    }
}

#[tokio::test]
async fn large_requests_and_answers_pass_whole() {
    const BYTES: usize = 3 << 20;
    let authority = Authority::new();
    let (transport, server) = secured(authority.options(), authority.server(&["127.0.0.1"]), 1, |stream| async move {
        let mut stream = stream.expect("a handshake");
        let mut received = vec![0; BYTES];
        stream.read_exact(&mut received).await.expect("the whole request");
        assert!(received.ends_with(b"xyz"));
        stream
            .write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {BYTES}\r\n\r\n").as_bytes())
            .await
            .expect("a head");
        stream.write_all(&received).await.expect("a body");
        stream.flush().await.expect("the client reads");
    })
    .await;
    let mut wire = b"POST / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec();
    wire.resize(BYTES - 3, b'x');
    wire.extend_from_slice(b"xyz");
    let outcome = transport.exchange(&transport.session(), Exchange { wire: &wire, ..get() }).await;
    assert_ok(&outcome, false);
    assert_eq!((outcome.bytes_sent, outcome.body_bytes), (BYTES as u64, BYTES as u64));
    server.await.expect("the server was content");
}

#[tokio::test]
async fn certificates_that_cannot_be_believed_have_their_kinds() {
    let authority = Authority::new();
    let local = ["127.0.0.1"];
    let old = |params: &mut CertificateParams| params.not_after = date_time_ymd(2020, 1, 1);
    let early = |params: &mut CertificateParams| params.not_before = date_time_ymd(2999, 1, 1);
    let stranger = Authority::new();
    for (config, options, expected) in [
        (authority.server_with(&local, false, old), authority.options(), Some(ErrorKind::TlsExpired)),
        (authority.server_with(&local, false, early), authority.options(), Some(ErrorKind::TlsExpired)),
        (authority.server(&["shop.test", "127.0.0.9"]), authority.options(), Some(ErrorKind::TlsWrongHost)),
        (stranger.server(&local), authority.options(), Some(ErrorKind::TlsUnknownCa)),
        (authority.server(&local), TlsOptions::default(), Some(ErrorKind::TlsUnknownCa)),
        (authority.server_with(&local, true, |_| {}), authority.options(), Some(ErrorKind::TlsAlert)),
        // Nothing of the above matters to who does not look.
        (stranger.server_with(&["shop.test"], false, old), TlsOptions { verify: false, ..Default::default() }, None),
    ] {
        let (transport, server) = secured(options, config, 1, |stream| async move {
            if let Ok(mut stream) = stream {
                serve(&mut stream, 1, OK).await;
            }
        })
        .await;
        let outcome = transport.exchange(&transport.session(), get()).await;
        assert_eq!(kind(&outcome), expected, "{:?}", outcome.failure);
        if expected.is_some() {
            assert_eq!((outcome.status, outcome.bytes_received), (0, 0));
            assert_eq!(outcome.failure.map(|failure| failure.detail.is_empty()), Some(false));
        }
        server.await.expect("the server was content");
    }
}

#[tokio::test]
async fn a_server_that_asks_is_shown_the_certificate() {
    let authority = Authority::new();
    let (certificate, key) = authority.issue(&["client.test"], |_| {});
    let pem = pem_of(&certificate);
    let options = TlsOptions {
        identity: Some((pem.into_bytes().into(), key.serialize_pem().into_bytes().into())),
        ..authority.options()
    };
    let config = authority.server_with(&["127.0.0.1"], true, |_| {});
    let (transport, server) = secured(options, config, 1, |stream| async move {
        let mut stream = stream.expect("a handshake");
        assert!(stream.get_ref().1.peer_certificates().is_some());
        serve(&mut stream, 1, OK).await;
    })
    .await;
    assert_ok(&*transport.exchange(&transport.session(), get()).await, false);
    server.await.expect("the server was content");
}

fn pem_of(certificate: &CertificateDer<'_>) -> String {
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD.encode(certificate);
    format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
}

#[tokio::test]
async fn the_name_that_is_asked_for_is_told_to_the_server() {
    let authority = Authority::new();
    let (transport, server) = secured(authority.options(), authority.server(&["shop.test"]), 1, |stream| async move {
        let mut stream = stream.expect("a handshake");
        assert_eq!(stream.get_ref().1.server_name(), Some("shop.test"));
        serve(&mut stream, 1, OK).await;
    })
    .await;
    let port = transport.port(TargetId(0));
    let transport = transport_to(Endpoint {
        tls: Some(Tls::new(&authority.options()).expect("an authority")),
        fixed_addrs: vec![Ipv4Addr::LOCALHOST.into()],
        ..Endpoint::new("shop.test", port)
    });
    assert_ok(&*transport.exchange(&transport.session(), get()).await, false);
    server.await.expect("the server was content");
}

/// A server that does `script` in place of a handshake.
async fn without_handshake<F: Future<Output = ()> + Send + 'static>(
    script: impl FnOnce(TcpStream) -> F + Send + Sync + 'static,
) -> (Box<Outcome>, JoinHandle<()>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port on loopback");
    let port = listener.local_addr().expect("a bound address").port();
    let server = tokio::spawn(async move { script(accept(&listener).await).await });
    let tls = Some(Tls::new(&TlsOptions::default()).expect("defaults"));
    let connect_timeout = Duration::from_millis(200);
    let transport = transport_to(Endpoint { tls, connect_timeout, ..Endpoint::new("127.0.0.1", port) });
    (transport.exchange(&transport.session(), get()).await, server)
}

#[tokio::test]
async fn servers_that_do_not_shake_hands_have_their_kinds() {
    let (outcome, server) = without_handshake(|mut stream| async move {
        let _ = stream.read(&mut [0; 64]).await;
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").await.expect("the client reads");
    })
    .await;
    assert_eq!(kind(&outcome), Some(ErrorKind::TlsNotSpoken), "{:?}", outcome.failure);
    server.await.expect("a server without TLS");

    let (outcome, server) =
        without_handshake(|mut stream| async move { while stream.read_u8().await.is_ok() {} }).await;
    assert_eq!(kind(&outcome), Some(ErrorKind::TlsTimeout), "{:?}", outcome.failure);
    assert!(duration(&outcome) < 5 * SECOND && outcome.stamps.connected.is_some());
    server.await.expect("a server that stalls");

    for resets in [false, true] {
        let (outcome, server) = without_handshake(move |mut stream| async move {
            stream.read_exact(&mut [0; 64]).await.expect("a hello");
            if resets {
                reset(stream);
            }
        })
        .await;
        assert_eq!(kind(&outcome), Some(ErrorKind::TlsClosed), "{:?}", outcome.failure);
        server.await.expect("a server that closes");
    }
}

#[tokio::test]
async fn a_body_without_length_is_whole_only_where_tls_says_its_end() {
    for (says_so, response, expected) in [
        (true, &b"HTTP/1.1 200 OK\r\n\r\nhello"[..], None),
        (false, b"HTTP/1.1 200 OK\r\n\r\nhello", Some(ErrorKind::TruncatedBody)),
        (false, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", Some(ErrorKind::TruncatedBody)),
        (false, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", None),
        (false, b"HTTP/1.1 20", Some(ErrorKind::TruncatedHead)),
        (false, b"", Some(ErrorKind::Closed)),
    ] {
        let authority = Authority::new();
        let config = authority.server(&["127.0.0.1"]);
        let (transport, server) = secured(authority.options(), config, 1, move |stream| async move {
            let mut stream = stream.expect("a handshake");
            serve(&mut stream, 1, response).await;
            if says_so {
                stream.shutdown().await.expect("an end");
            }
        })
        .await;
        let outcome = transport.exchange(&transport.session(), get()).await;
        assert_eq!(kind(&outcome), expected, "{:?}", outcome.failure);
        server.await.expect("the server was content");
    }
}
