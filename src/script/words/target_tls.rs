//! TLS of a target.

use super::{
    Word,
    data::locate,
    target::{builder, edit},
};
use crate::{
    http::{check_authority, check_identity},
    plan::PemFile,
    script::call::Call,
};

/// A longer file is no certificate, in bytes.
const PEM_BYTES_MAX: u64 = 10 << 20;

pub(super) const WORDS: &[Word] = &[
    builder("insecure", "", "`.insecure()`", "Believes any certificate; every report says so.", |call, this, _| {
        edit(call, &this, |target| target.tls.verify = false);
        this
    }),
    builder("ca", "path: string", "`.ca(\"ca.pem\")`", "The authorities to believe, in place of the system's.", {
        |call, this, args| {
            if let Some(file) = call.fixed_text(&args[0]).and_then(|path| read(call, path)) {
                match check_authority(&file.bytes) {
                    Ok(()) => edit(call, &this, |target| target.tls.authority = Some(file)),
                    Err(why) => call.wrong(
                        format!("`{}` gives no authority to believe: {why}", file.path),
                        "give a file of certificates in PEM: the authority's own, not the server's key",
                    ),
                }
            }
            this
        }
    }),
    builder(
        "client_cert",
        "cert: string, key: string",
        "`.client_cert(\"client.pem\", \"client.key\")`",
        "A certificate and its key, for servers that ask who calls.",
        |call, this, args| {
            let paths = call.fixed_text(&args[0]).zip(call.fixed_text(&args[1]));
            let files = paths.and_then(|(certificate, key)| read(call, certificate).zip(read(call, key)));
            if let Some((certificate, key)) = files {
                match check_identity(&certificate.bytes, &key.bytes) {
                    Ok(()) => edit(call, &this, |target| target.tls.identity = Some((certificate, key))),
                    Err(why) => call.wrong(
                        format!("`{}` and `{}` cannot be shown to a server: {why}", certificate.path, key.path),
                        "give the certificate (with its chain) first, then its key without a password, both in PEM",
                    ),
                }
            }
            this
        },
    ),
    builder(
        "no_tls_resumption",
        "",
        "`.no_tls_resumption()`",
        "A whole handshake for every new connection.",
        |call, this, _| {
            edit(call, &this, |target| target.tls.resume = false);
            this
        },
    ),
];

/// Reads a file of the script's folder.
fn read(call: &Call<'_>, path: String) -> Option<PemFile> {
    let found = locate(call, &path).and_then(|real| {
        let unreadable = |error: std::io::Error| crate::script::data_cache::DataError {
            message: error.to_string().to_lowercase(),
            help: "check the path and its permissions".to_owned(),
        };
        if std::fs::metadata(&real).map_err(unreadable)?.len() > PEM_BYTES_MAX {
            return Err(unreadable(std::io::Error::other("it is too large for a certificate")));
        }
        std::fs::read(&real).map_err(unreadable)
    });
    match found {
        Ok(bytes) => Some(PemFile { path, bytes: bytes.into() }),
        Err(error) => {
            call.wrong(format!("failed to read `{path}`: {}", error.message), error.help);
            None
        }
    }
}
