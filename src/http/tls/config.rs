//! From options to a configuration of rustls.

use std::sync::{Arc, OnceLock};

use rustls::{
    ClientConfig, RootCertStore,
    client::{Resumption, WebPkiServerVerifier, danger::ServerCertVerifier},
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

use super::{TlsOptions, verify::Unverified};

/// Handshakes of so many servers are remembered; a target is one.
const SESSIONS_MAX: usize = 256;

/// The provider of all cryptography: one for the process.
fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    PROVIDER.get_or_init(|| Arc::new(ring::default_provider())).clone()
}

/// The authorities this machine believes; Mozilla's where it names none, as in a container without any.
///
/// `SSL_CERT_FILE` and `SSL_CERT_DIR` say where they are if not at the system's usual place. What of them is no
/// certificate is left out, as by other programs.
fn system_authorities() -> Arc<RootCertStore> {
    static AUTHORITIES: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    let load = || {
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if store.is_empty() {
            store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        Arc::new(store)
    };
    AUTHORITIES.get_or_init(load).clone()
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| format!("it is not valid PEM: {}", error.to_string().to_lowercase()))?;
    if certificates.is_empty() {
        return Err("it holds no certificate in PEM (`-----BEGIN CERTIFICATE-----`)".to_owned());
    }
    Ok(certificates)
}

fn authorities(pem: &[u8]) -> Result<RootCertStore, String> {
    let mut store = RootCertStore::empty();
    for certificate in certificates(pem)? {
        store.add(certificate).map_err(|error| format!("a certificate in it cannot be used: {error}"))?;
    }
    Ok(store)
}

/// Whether `pem` holds authorities that can be believed.
///
/// # Errors
/// Why not, for people, lower case.
pub fn check_authority(pem: &[u8]) -> Result<(), String> {
    authorities(pem).map(drop)
}

/// Whether `certificate` and `key` can be shown to a server.
///
/// # Errors
/// Why not, for people, lower case.
pub fn check_identity(certificate: &[u8], key: &[u8]) -> Result<(), String> {
    let options = TlsOptions { identity: Some((certificate.into(), key.into())), verify: false, ..Default::default() };
    client_config(&options).map(drop)
}

/// A configuration without protocols to negotiate.
pub(super) fn client_config(options: &TlsOptions) -> Result<ClientConfig, String> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let verifier: Arc<dyn ServerCertVerifier> = if options.verify {
        let roots = match &options.authority {
            Some(pem) => Arc::new(authorities(pem)?),
            None => system_authorities(),
        };
        WebPkiServerVerifier::builder_with_provider(roots, provider()).build().map_err(|error| error.to_string())?
    } else {
        Arc::new(Unverified(provider()))
    };
    let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
    let mut config = match &options.identity {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain = certificates(certificate).map_err(|why| format!("the certificate: {why}"))?;
            let key = PrivateKeyDer::from_pem_slice(key)
                .map_err(|_| "the key: it holds no private key in PEM, or one that is encrypted".to_owned())?;
            builder.with_client_auth_cert(chain, key).map_err(|error| match error {
                rustls::Error::InconsistentKeys(_) => "the key does not belong to the certificate".to_owned(),
                other => format!("the certificate and key cannot be used: {other}"),
            })?
        }
    };
    config.resumption =
        if options.resume { Resumption::in_memory_sessions(SESSIONS_MAX) } else { Resumption::disabled() };
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> (String, String) {
        let made = rcgen::generate_simple_self_signed(["shop.test".to_owned()]).expect("a certificate");
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    #[test]
    fn what_cannot_be_used_is_refused_in_words() {
        let (certificate, key) = identity();
        let (_, other) = identity();
        check_authority(certificate.as_bytes()).expect("a certificate");
        check_identity(certificate.as_bytes(), key.as_bytes()).expect("a pair");
        let refused = [
            (check_authority(b"hello"), "no certificate in PEM"),
            (check_authority(key.as_bytes()), "no certificate in PEM"),
            (check_authority(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), "cannot be used"),
            (check_identity(certificate.as_bytes(), other.as_bytes()), "does not belong"),
            (check_identity(certificate.as_bytes(), certificate.as_bytes()), "the key: "),
            (check_identity(key.as_bytes(), key.as_bytes()), "the certificate: "),
        ];
        for (result, expected) in refused {
            let why = result.expect_err(expected);
            assert!(why.contains(expected), "{why}");
        }
    }

    #[test]
    fn there_are_authorities_on_every_machine() {
        assert!(!system_authorities().is_empty());
    }
}
