//! What the operating system's errors mean for an exchange.

use std::io;

use super::tls;
use crate::protocol::{ErrorKind, Failure};

/// Which kind an error is that came while a connection was being opened.
pub fn while_connecting(error: &io::Error) -> ErrorKind {
    match exhausted(error) {
        Some(kind) => kind,
        None => match error.kind() {
            io::ErrorKind::ConnectionRefused => ErrorKind::ConnectRefused,
            io::ErrorKind::TimedOut => ErrorKind::ConnectTimeout,
            io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => ErrorKind::Reset,
            io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::NetworkDown
            | io::ErrorKind::PermissionDenied => ErrorKind::ConnectFailed,
            // What else `connect` can say is about the address or the route, too.
            _ => ErrorKind::ConnectFailed,
        },
    }
}

/// Which kind an error is that came over a connection that stood.
pub fn while_connected(error: &io::Error) -> ErrorKind {
    match error.kind() {
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionAborted => {
            ErrorKind::Reset
        }
        io::ErrorKind::UnexpectedEof => ErrorKind::Closed,
        _ => exhausted(error).or_else(|| tls::kind_within(error)).unwrap_or(ErrorKind::Io),
    }
}

/// The failure for an error of a look-up: the resolver's, unless this process ran out of something.
pub fn while_resolving(host: &str, error: &io::Error) -> Failure {
    let kind = exhausted(error).unwrap_or(ErrorKind::Dns);
    Failure::new(kind, format!("{host}: {error}"))
}

/// Limits of this machine and process, which are the generator's fault and not the target's.
fn exhausted(error: &io::Error) -> Option<ErrorKind> {
    match error.raw_os_error() {
        Some(libc::EMFILE | libc::ENFILE) => Some(ErrorKind::TooManyFiles),
        // EAGAIN is how Linux says that the range of local ports is used up for a bound address.
        Some(libc::EADDRNOTAVAIL | libc::EADDRINUSE | libc::EAGAIN) => Some(ErrorKind::AddressUnavailable),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_of_the_system_has_its_kind() {
        for (code, connecting, connected) in [
            (libc::ECONNREFUSED, ErrorKind::ConnectRefused, ErrorKind::Io),
            (libc::ETIMEDOUT, ErrorKind::ConnectTimeout, ErrorKind::Io),
            (libc::EHOSTUNREACH, ErrorKind::ConnectFailed, ErrorKind::Io),
            (libc::ENETUNREACH, ErrorKind::ConnectFailed, ErrorKind::Io),
            (libc::EACCES, ErrorKind::ConnectFailed, ErrorKind::Io),
            (libc::EINVAL, ErrorKind::ConnectFailed, ErrorKind::Io),
            (libc::EADDRNOTAVAIL, ErrorKind::AddressUnavailable, ErrorKind::AddressUnavailable),
            (libc::EMFILE, ErrorKind::TooManyFiles, ErrorKind::TooManyFiles),
            (libc::ENFILE, ErrorKind::TooManyFiles, ErrorKind::TooManyFiles),
            (libc::ECONNRESET, ErrorKind::Reset, ErrorKind::Reset),
            (libc::EPIPE, ErrorKind::ConnectFailed, ErrorKind::Reset),
        ] {
            let error = io::Error::from_raw_os_error(code);
            assert_eq!(while_connecting(&error), connecting, "{error}");
            assert_eq!(while_connected(&error), connected, "{error}");
        }
    }

    #[test]
    fn a_failed_look_up_names_the_host() {
        let failure = while_resolving("shop.invalid", &io::Error::other("no such name"));
        assert_eq!(failure.to_string(), "dns: shop.invalid: no such name");
    }
}
