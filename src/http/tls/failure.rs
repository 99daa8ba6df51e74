//! What TLS's errors mean for an exchange.

use std::io;

use rustls::{AlertDescription, CertificateError, Error};

use crate::protocol::{ErrorKind, Failure, HttpVersion};

/// Which kind an error of rustls is.
fn kind_of(error: &Error) -> ErrorKind {
    use CertificateError as Bad;
    match error {
        Error::InvalidCertificate(bad) => match bad {
            Bad::Expired | Bad::ExpiredContext { .. } | Bad::NotValidYet | Bad::NotValidYetContext { .. } => {
                ErrorKind::TlsExpired
            }
            Bad::NotValidForName | Bad::NotValidForNameContext { .. } => ErrorKind::TlsWrongHost,
            // A signature that is wrong is one by somebody of the same name as an authority.
            Bad::UnknownIssuer | Bad::BadSignature => ErrorKind::TlsUnknownCa,
            _ => ErrorKind::TlsCertificate,
        },
        Error::AlertReceived(_) => ErrorKind::TlsAlert,
        Error::InvalidMessage(_) => ErrorKind::TlsNotSpoken,
        _ => ErrorKind::Tls,
    }
}

/// Which kind the error of rustls is that lies inside one of the system.
pub fn kind_within(error: &io::Error) -> Option<ErrorKind> {
    inside(error).map(kind_of)
}

fn inside(error: &io::Error) -> Option<&Error> {
    error.get_ref()?.downcast_ref()
}

/// The failure for an error that ended a handshake with the server at `peer`, to which a `version` of HTTP was offered
/// alone.
pub fn handshake_failure(error: &io::Error, peer: &str, version: Option<HttpVersion>) -> Failure {
    if let Some(error) = inside(error) {
        let no_protocol = Error::AlertReceived(AlertDescription::NoApplicationProtocol);
        if version == Some(HttpVersion::Http2) && *error == no_protocol {
            let detail = format!("{peer}: HTTP/2 was offered in the handshake, and refused");
            return Failure::new(ErrorKind::Http2NotSpoken, detail);
        }
        return Failure::new(kind_of(error), format!("{peer}: {error}"));
    }
    match error.kind() {
        io::ErrorKind::UnexpectedEof
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::ConnectionAborted => {
            Failure::new(ErrorKind::TlsClosed, format!("{peer}: closed within the handshake ({error})"))
        }
        _ => Failure::new(ErrorKind::Tls, format!("{peer}: {error}")),
    }
}
