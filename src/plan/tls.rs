//! What a target asks of TLS.

use std::sync::Arc;

use serde::Serialize;

/// TLS of one target; without effect on one that is not `https`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TlsPlan {
    /// The target's certificate is verified; default true.
    pub verify: bool,
    /// New connections go on from the handshakes of earlier ones; default true.
    pub resume: bool,
    /// Authorities that are believed in place of the system's.
    pub authority: Option<PemFile>,
    /// A certificate chain and its key, for servers that ask.
    pub identity: Option<(PemFile, PemFile)>,
}

impl Default for TlsPlan {
    fn default() -> Self {
        Self { verify: true, resume: true, authority: None, identity: None }
    }
}

/// A file of certificates or of a key.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct PemFile {
    /// As the script wrote it.
    pub path: String,
    /// What it holds. A key must not get into anything that is written or compared.
    #[serde(skip)]
    pub bytes: Arc<[u8]>,
}

impl std::fmt::Debug for PemFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PemFile({:?})", self.path)
    }
}
